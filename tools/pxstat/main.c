/* pxstat: the health of a bus, read from its segment, so that it works on a feeder that is dead. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cli.h"
#include "explain.h"
#include "history.h"
#include "judge.h"
#include "look_json.h"
#include "page.h"
#include "past.h"
#include "watch.h"

enum { ID_WATCH = 'w', ID_HISTORY = 300, ID_DB, ID_EXPLAIN, ID_SECTION = 400 };

/* An option of a section has id ID_SECTION + its place in the table of sections. */
static const struct cli_option options[] = {
    {ID_WATCH, "watch", "[SECONDS]", "live; on a terminal a screen with keys (default 1)"},
    {ID_SECTION + 0, "memory", NULL, "memory by owner, trend, time to limit"},
    {ID_SECTION + 1, "connections", NULL, "upstream connections and breakers"},
    {ID_SECTION + 2, "subscriptions", NULL, "subscribed symbols, quality and cause"},
    {ID_SECTION + 3, "readers", NULL, "attached readers, how far behind, what they lost"},
    {ID_SECTION + 4, "symbols", NULL, "all symbols on the bus"},
    {ID_SECTION + 5, "latency", NULL, "receipt to publication, by connection"},
    {ID_SECTION + 6, "errors", NULL, "distinct errors and their counts"},
    {ID_SECTION + 7, "counters", NULL, "every counter of the segment"},
    {ID_HISTORY, "history", "DURATION", "from the database of pxmon, e.g. 90s, 30m, 24h, 7d"},
    {ID_DB, "db", "FILE", "that database (default: where pxmon has it)"},
    {ID_EXPLAIN, "explain", "[NAME]", "unit, meaning and source of a number, or of all"},
    {0, NULL, NULL, NULL},
};

static const struct cli_program program = {
    .name = "pxstat",
    .usage = "[OPTION]...",
    .purpose = "Shows the health of a bus. It reads the segment, alive or dead.",
    .tail = "Exit: 0 healthy or idle; 1 heartbeat 1 to 5 s old, a subscribed symbol stale or in\n"
            "gap, a breaker open, memory at warning; 2 no heartbeat for 5 s, feeder gone or\n"
            "closed, memory critical; 3 no bus, foreign segment, usage.",
    .options = options,
    .usage_exit = CLI_USAGE_PXSTAT,
};

#define WATCH_MAX_S 86400.0

struct request {
    unsigned sections;
    int watch, explain;
    int64_t interval_ns;
    int history;
    struct past past;
    const char *explain_name;
};

static int parse(struct cli *cli, struct request *r)
{
    int id;
    while ((id = cli_next(cli)) > 0) {
        if (id >= ID_SECTION) {
            r->sections |= 1u << (id - ID_SECTION);
        } else if (id == ID_WATCH) {
            r->watch = 1;
            if (cli->value != NULL && cli_seconds(cli->value, WATCH_MAX_S, &r->interval_ns) < 0)
                return cli_error(CLI_INVALID, cli->value, "not a number of seconds for --watch");
        } else if (id == ID_HISTORY) {
            r->history = 1;
            if (history_duration(cli->value, &r->past.seconds) < 0)
                return cli_error(CLI_INVALID, cli->value, "not a duration such as 90s, 30m, 24h");
        } else if (id == ID_DB) {
            r->past.path = cli->value;
        } else {
            r->explain = 1;
            r->explain_name = cli->value;
        }
    }
    if (id == CLI_END && cli->operand_count > 0)
        return cli_error(CLI_INVALID, cli->operands[0], "unknown operand, see --help");
    return id;
}

static void print_page(const struct page *page)
{
    for (size_t i = 0; i < page->count; i++)
        puts(page->lines[i].text);
}

/* One look, printed whatever it shows. */
static int show(px_bus *bus, const struct cli *cli, const struct request *r)
{
    struct snapshot s;
    struct health health;
    struct page page = {.columns = r->sections == 0 ? 80 : 0};
    int rc = snapshot_take(&s, bus);
    if (rc < 0)
        return cli_error(HEALTH_UNKNOWN, cli->bus, "%s", px_strerror(rc));
    judge(&s, &health);
    struct view view = {&s, NULL, &health};
    if (cli->json)
        look_json(stdout, &s, &health);
    else if (r->sections == 0)
        page_overview(&page, &view, 24);
    else
        page_sections(&page, &view, r->sections);
    print_page(&page);
    if (page.failed)
        cli_error(0, cli->bus, "not all is shown: %s", strerror(ENOMEM));
    page_free(&page);
    snapshot_free(&s);
    if (health.code >= HEALTH_CRITICAL) {
        fflush(stdout);
        cli_error(0, cli->bus, "%s", health.sentence);
    }
    return health.code;
}

static int explain(px_bus *bus, const struct cli *cli, const char *name)
{
    struct snapshot s;
    int rc = snapshot_take(&s, bus);
    if (rc < 0)
        return cli_error(HEALTH_UNKNOWN, cli->bus, "%s", px_strerror(rc));
    size_t found = explain_values(name);
    if (name == NULL)
        putchar('\n');
    found += explain_counters(&s, name);
    snapshot_free(&s);
    if (found == 0)
        return cli_error(HEALTH_UNKNOWN, name, "no number of this name, see pxstat --explain");
    return HEALTH_OK;
}

int main(int argc, char **argv)
{
    struct cli cli;
    struct request request = {.interval_ns = 1000000000};
    cli_start(&cli, &program, argc, argv);
    int rc = parse(&cli, &request);
    if (rc == CLI_EXIT)
        return cli_finish(HEALTH_OK);
    if (rc == CLI_INVALID)
        return program.usage_exit;
    if (request.history) {
        request.past.bus = cli.bus;
        request.past.json = cli.json;
        return cli_finish(past_show(&request.past));
    }
    if (request.watch && !request.explain)
        return cli_finish(
            watch_run(&(struct watch){cli.bus, request.interval_ns, request.sections, cli.json}));

    px_bus *bus = NULL;
    const struct px_bus_options how = {.no_socket = 1, .max_ids = 1, .name = "pxstat"};
    rc = px_bus_attach(&bus, cli.bus, &how);
    /* what is no counter of a feeder is known without any bus */
    if (rc < 0 && request.explain && request.explain_name != NULL &&
        explain_values(request.explain_name) > 0)
        return cli_finish(HEALTH_OK);
    if (rc < 0)
        return cli_error(HEALTH_UNKNOWN, cli.bus, "%s", cli_attach_reason(rc));
    int code =
        request.explain ? explain(bus, &cli, request.explain_name) : show(bus, &cli, &request);
    px_bus_detach(bus);
    return cli_finish(code);
}
