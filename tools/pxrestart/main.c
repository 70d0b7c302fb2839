/* pxrestart: recycles the feeder of a bus and says what that cost. */
#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "ask.h"
#include "cli.h"
#include "json_out.h"
#include "measure.h"

enum { ID_TIMEOUT = 't', ID_FORCE = 'f' };

static const struct cli_option options[] = {
    {ID_TIMEOUT, "timeout", "SECONDS", "until prices must flow again (default 30)"},
    {ID_FORCE, "force", NULL, "kill a feeder that hangs; its supervisor starts it again"},
    {0, NULL, NULL, NULL},
};

static const struct cli_program program = {
    .name = "pxrestart",
    .usage = "[OPTION]...",
    .purpose = "Recycles the feeder of a bus and waits until prices flow again. Readers stay\n"
               "attached and notice it by the quality of their prices only.",
    .tail = "Exit: 0 prices flow again, or nothing was subscribed; 1 they do not, refused, no\n"
            "bus; 2 usage.",
    .options = options,
    .usage_exit = CLI_USAGE,
};

#define SECOND_NS     INT64_C(1000000000)
#define ANSWER_NS     (5 * SECOND_NS) /* for a feeder that lives */
#define ANSWER_HUNG   (1 * SECOND_NS) /* for one without a heartbeat */
#define SETTLE_NS     (1 * SECOND_NS) /* for the rest of the symbols, after the first price */
#define SAMPLE_NS     (3 * SECOND_NS) /* memory is sampled each second */
#define TIMEOUT_MAX_S 86400.0

struct restart {
    struct cli cli;
    struct measure m;
    int force, killed;
    int64_t timeout_ns, start_ns, end_ns, done_ns;
    char reason[ASK_REASON_MAX]; /* why it failed */
};

static int parse(struct restart *r)
{
    int id;
    r->timeout_ns = 30 * SECOND_NS;
    while ((id = cli_next(&r->cli)) > 0) {
        if (id == ID_FORCE)
            r->force = 1;
        else if (cli_seconds(r->cli.value, TIMEOUT_MAX_S, &r->timeout_ns) < 0)
            return cli_error(CLI_INVALID, r->cli.value, "not a number of seconds for --timeout");
    }
    if (id == CLI_END && r->cli.operand_count > 0)
        return cli_error(CLI_INVALID, r->cli.operands[0], "unknown operand, see --help");
    return id;
}

static int by_force(struct restart *r)
{
    int rc = kill_feeder(&r->m.before, r->reason);
    r->killed = rc == 0;
    return rc;
}

/* Ask, and with --force kill the one that does not answer. */
static int begin(struct restart *r)
{
    int64_t patience = r->m.before.heartbeat_age_ns > SECOND_NS ? ANSWER_HUNG : ANSWER_NS;
    if (patience > r->timeout_ns / 2)
        patience = r->timeout_ns / 2;
    if (feeder_holds(r->m.before.bus) == 0) {
        snprintf(r->reason, sizeof r->reason, "no feeder runs on this bus, start one");
        return -ESRCH;
    }
    int rc = ask_restart(&r->m.before, program.name, patience, r->reason);
    if (rc < 0 && r->force && rc != -EPERM)
        rc = by_force(r);
    return rc;
}

/* Until the new epoch is live. A feeder that took the order and does nothing is killed at half
 * time, with --force. */
static int await_epoch(struct restart *r)
{
    while (!r->m.restarted && cli_now_ns() < r->end_ns) {
        measure_step(&r->m, r->end_ns);
        if (r->force && !r->killed && cli_now_ns() > r->start_ns + r->timeout_ns / 2 &&
            by_force(r) < 0)
            return -EPERM;
    }
    if (r->m.restarted)
        return 0;
    double seconds = (double)r->timeout_ns / 1e9;
    if (r->killed)
        snprintf(r->reason, sizeof r->reason,
                 "pid %d was killed and no feeder came within %.1f s: a supervisor has to start it",
                 (int)r->m.before.pid, seconds);
    else
        snprintf(r->reason, sizeof r->reason, "no new epoch within %.1f s", seconds);
    return -ETIMEDOUT;
}

/* Until a price of the new epoch; then a moment more for the other symbols and for gaps. */
static int await_prices(struct restart *r)
{
    if (r->m.subscribed == 0)
        return 0;
    while (r->m.first_ns == 0 && cli_now_ns() < r->end_ns)
        measure_step(&r->m, r->end_ns);
    if (r->m.first_ns == 0) {
        snprintf(r->reason, sizeof r->reason,
                 "the feeder is back in epoch %llu and brings no price within %.1f s, see pxstat",
                 (unsigned long long)r->m.after.epoch, (double)r->timeout_ns / 1e9);
        return -ETIMEDOUT;
    }
    int64_t settle_ns = cli_now_ns() + SETTLE_NS;
    while (r->m.refreshed < r->m.had_price && cli_now_ns() < settle_ns)
        measure_step(&r->m, settle_ns);
    return 0;
}

static void await_memory(struct restart *r)
{
    int64_t end_ns = cli_now_ns() + SAMPLE_NS;
    if (end_ns > r->end_ns)
        end_ns = r->end_ns;
    while (!measure_memory(&r->m) && cli_now_ns() < end_ns)
        measure_step(&r->m, end_ns);
}

static int run(struct restart *r)
{
    int rc = begin(r);
    if (rc == 0)
        rc = await_epoch(r);
    if (rc == 0)
        rc = await_prices(r);
    r->done_ns = cli_now_ns();
    if (rc == 0)
        await_memory(r);
    return rc;
}

/* A sum is known only if we ourselves saw everything. */
static int loss_known(const struct measure *m)
{
    return m->restarted && m->skipped == 0 && (m->first_ns != 0 || m->subscribed == 0);
}

static void put_bytes(struct json_out *out, const char *key, int64_t bytes)
{
    if (bytes < 0)
        jout_null(out, key);
    else
        jout_signed(out, key, bytes);
}

static void print_json(const struct restart *r, int ok)
{
    const struct measure *m = &r->m;
    struct json_out out;
    jout_start(&out, stdout);
    jout_object(&out, NULL);
    jout_text(&out, "bus", m->before.bus);
    jout_bool(&out, "ok", ok);
    jout_bool(&out, "killed", r->killed);
    jout_unsigned(&out, "epoch_before", m->before.epoch);
    if (m->restarted)
        jout_unsigned(&out, "epoch_after", m->after.epoch);
    else
        jout_null(&out, "epoch_after");
    jout_signed(&out, "pid_before", m->before.pid);
    put_bytes(&out, "pid_after", m->restarted ? m->after.pid : -1);
    put_bytes(&out, "rss_before_bytes", m->rss_before);
    put_bytes(&out, "rss_after_bytes", m->rss_after);
    jout_fixed(&out, "blackout_ms", measure_blackout_ms(m), 1);
    if (loss_known(m))
        jout_unsigned(&out, "ticks_lost", m->gap_ticks);
    else
        jout_null(&out, "ticks_lost");
    jout_unsigned(&out, "gaps", m->gaps);
    jout_unsigned(&out, "subscribed", m->subscribed);
    jout_unsigned(&out, "live_before", m->had_price);
    jout_unsigned(&out, "refreshed", m->refreshed);
    jout_fixed(&out, "took_ms", (double)(r->done_ns - r->start_ns) / 1e6, 1);
    jout_text(&out, "reason", ok ? NULL : r->reason);
    jout_end_object(&out);
    putchar('\n');
}

static void print_memory(const struct measure *m)
{
    char before[CLI_NUMBER_MAX], after[CLI_NUMBER_MAX];
    printf("memory      %s before, %s after (resident)\n",
           m->rss_before < 0 ? "not sampled" : cli_bytes(before, (uint64_t)m->rss_before),
           m->rss_after < 0 ? "not sampled yet" : cli_bytes(after, (uint64_t)m->rss_after));
}

static void print_loss(const struct measure *m)
{
    char count[CLI_NUMBER_MAX];
    if (m->skipped > 0)
        printf("ticks lost  not known: this program was overrun by the bus itself\n");
    else if (m->gaps == 0)
        printf("ticks lost  no gap in the ids of the venues; quotes and tickers, and trades of\n"
               "            venues without consecutive ids, cannot be counted\n");
    else
        printf("ticks lost  %s, by %llu gaps in the ids of the venues; quotes and tickers carry\n"
               "            no consecutive ids and cannot be counted\n",
               cli_grouped(count, m->gap_ticks), (unsigned long long)m->gaps);
}

static void print_text(const struct restart *r)
{
    const struct measure *m = &r->m;
    double blackout = measure_blackout_ms(m);
    printf("bus %s   epoch %llu -> %llu, pid %d -> %d%s, took %.0f ms\n", m->before.bus,
           (unsigned long long)m->before.epoch, (unsigned long long)m->after.epoch,
           (int)m->before.pid, (int)m->after.pid, r->killed ? " (killed)" : "",
           (double)(r->done_ns - r->start_ns) / 1e6);
    print_memory(m);
    if (m->subscribed == 0) {
        printf("blackout    none: nothing was subscribed\n");
        return;
    }
    if (isnan(blackout))
        printf("blackout    not known: no price had come before\n");
    else
        printf("blackout    %.1f ms from the last price before to the first that was there after\n",
               blackout);
    print_loss(m);
    printf("symbols     %u of %u that were live have a new price\n", m->refreshed, m->had_price);
}

static int restart_bus(struct restart *r)
{
    px_bus *bus = NULL;
    const struct px_bus_options how = {
        .all = 1, .no_socket = 1, .name = program.name, .max_ids = 65536};
    int rc = px_bus_attach(&bus, r->cli.bus, &how);
    if (rc < 0)
        return cli_error(CLI_FAILED, r->cli.bus, "%s", cli_attach_reason(rc));
    rc = measure_start(&r->m, bus);
    if (rc < 0) {
        px_bus_detach(bus);
        return cli_error(CLI_FAILED, r->cli.bus, "%s", px_strerror(rc));
    }
    r->start_ns = cli_now_ns();
    r->end_ns = r->start_ns + r->timeout_ns;
    rc = run(r);
    if (r->cli.json)
        print_json(r, rc == 0);
    else if (rc == 0)
        print_text(r);
    measure_free(&r->m);
    px_bus_detach(bus);
    fflush(stdout);
    return rc < 0 ? cli_error(CLI_FAILED, r->cli.bus, "%s", r->reason) : CLI_OK;
}

int main(int argc, char **argv)
{
    static struct restart r;
    cli_start(&r.cli, &program, argc, argv);
    int rc = parse(&r);
    if (rc == CLI_EXIT)
        return cli_finish(CLI_OK);
    if (rc == CLI_INVALID)
        return program.usage_exit;
    return cli_finish(restart_bus(&r));
}
