/* pxtail: the ticks of a bus as lines. */
#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "cli.h"
#include "lines.h"
#include "px/bus.h"
#include "tick_json.h"

enum {
    ID_KINDS = 'k',
    ID_COUNT = 'n',
    ID_TIMEOUT = 't',
    ID_SNAPSHOT = 's',
    ID_ALL = 'a',
    ID_WAIT = 'w'
};

static const struct cli_option options[] = {
    {ID_KINDS, "kinds", "LIST", "trade,quote (default), ticker, all"},
    {ID_COUNT, "count", "COUNT", "end after so many trades, quotes and tickers"},
    {ID_TIMEOUT, "timeout", "SECONDS", "end then; exit 1 if fewer than COUNT came"},
    {ID_SNAPSHOT, "snapshot", NULL, "print the last value of each symbol and end"},
    {ID_ALL, "all", NULL, "everything on the bus, without a subscription"},
    {ID_WAIT, "wait", NULL, "wait for a bus or a feeder that is not there yet"},
    {0, NULL, NULL, NULL},
};

static const struct cli_program program = {
    .name = "pxtail",
    .usage = "[OPTION]... [VENUE:SYMBOL]...",
    .purpose = "Subscribes to symbols and prints their ticks as they come, one a line.\n"
               "Events of a symbol are lines of kind status: gap, stale, live, lost, ...",
    .tail = "Exit: 0 done; 1 no bus, refused, or fewer ticks than asked for; 2 usage.",
    .options = options,
    .usage_exit = CLI_USAGE,
};

#define BATCH           256
#define CHECK_NS        INT64_C(100000000)  /* between two looks at the quality of the symbols */
#define SETTLE_NS       INT64_C(1000000000) /* a fresh subscription may take so long to go live */
#define SUBSCRIBE_NS    INT64_C(5000000000)
#define SNAPSHOT_NS     INT64_C(3000000000)
#define RETRY_NS        INT64_C(50000000)
#define ALL_IDS         65536u
#define QUALITY_UNKNOWN PX_QUALITY_COUNT
#define TIMEOUT_MAX_S   31536000.0

/* A subscribed symbol, and what its reader was last told about its quality. */
struct watched {
    px_id id;
    uint32_t told, seen; /* enum px_quality; `seen` at the last look */
};

struct tail {
    struct cli cli;
    struct lines *out;
    px_bus *bus;
    struct watched *symbols;
    size_t symbol_count;
    uint32_t kinds;
    int all, wait, snapshot;
    uint64_t want, came;      /* ticks; want 0: no end */
    int64_t start_ns, end_ns; /* end INT64_MAX: none */
    int64_t checked_ns, subscribed_ns;
    /* of the whole bus, with --all */
    struct watched whole;
    uint64_t epoch;
};

static volatile sig_atomic_t stopped;

static void on_signal(int number)
{
    (void)number;
    stopped = 1;
}

/* ---- lines ---- */

/* The venue's words of a refusal, which no tick has room for. */
static const char *venue_words(const struct tail *t, const char *symbol, char out[PX_TEXT_MAX + 1])
{
    struct px_bus_info info;
    struct px_symbol_info s;
    if (symbol == NULL || px_bus_info(t->bus, &info) < 0)
        return NULL;
    for (uint32_t slot = 0; slot < info.capacity; slot++) {
        if (px_bus_symbol_at(t->bus, slot, &s) < 0 || strcmp(s.symbol, symbol) != 0)
            continue;
        if (s.text[0] == '\0')
            return NULL;
        memcpy(out, s.text, PX_TEXT_MAX + 1);
        out[PX_TEXT_MAX] = '\0';
        return out;
    }
    return NULL;
}

static void print(struct tail *t, const struct px_tick *tick)
{
    char words[PX_TEXT_MAX + 1];
    char *line = lines_room(t->out, TICK_LINE_MAX);
    if (line == NULL)
        return;
    struct tick_note note = {.symbol =
                                 tick->id == PX_ID_NONE ? NULL : px_bus_symbol(t->bus, tick->id)};
    if (tick->kind == PX_STATUS && tick->u.status.cause == PX_CAUSE_REFUSED)
        note.cause = venue_words(t, note.symbol, words);
    int len = t->cli.json ? tick_json(tick, &note, line, TICK_LINE_MAX)
                          : tick_text(tick, &note, line, TICK_LINE_MAX);
    if (len > 0)
        lines_add(t->out, (size_t)len);
}

static int64_t utc_ns(void)
{
    struct timespec ts;
    clock_gettime(CLOCK_REALTIME, &ts);
    return (int64_t)ts.tv_sec * 1000000000 + ts.tv_nsec;
}

/* A line that no tick of the bus stands behind: the reader saw it by itself. */
static void print_own(struct tail *t, px_id id, const struct px_status *status)
{
    struct px_tick tick = {.id = id, .kind = PX_STATUS, .recv_ns = utc_ns(), .u.status = *status};
    print(t, &tick);
}

/* ---- quality: what the stream does not say, because its feeder is silent ---- */

static const struct {
    uint32_t event, quality;
} event_of[] = {{PX_EVENT_LIVE, PX_LIVE},       {PX_EVENT_QUIET, PX_QUIET},
                {PX_EVENT_CARRIED, PX_CARRIED}, {PX_EVENT_GAP, PX_GAP},
                {PX_EVENT_STALE, PX_STALE},     {PX_EVENT_CLOSED, PX_CLOSED}};
#define EVENTS (sizeof event_of / sizeof event_of[0])

/* Say a change of quality that lasted over two looks: a feeder that sets it and then publishes its
 * own STATUS tick is given the time between them. */
static void follow(struct tail *t, struct watched *w, uint32_t quality, uint32_t cause)
{
    int steady = quality == w->seen;
    w->seen = quality;
    if (!steady || quality == w->told)
        return;
    uint32_t told = w->told;
    w->told = quality;
    /* nobody has to be told that a first look finds all well */
    if (told == QUALITY_UNKNOWN && quality <= PX_QUIET)
        return;
    for (size_t i = 0; i < EVENTS; i++)
        if (event_of[i].quality == quality)
            print_own(t, w->id, &(struct px_status){.event = event_of[i].event, .cause = cause});
}

/* A STATUS tick told it. Of no symbol: it holds for all, when the whole bus changed. */
static void told_by_stream(struct tail *t, const struct px_tick *tick)
{
    uint32_t event = tick->u.status.event;
    for (size_t e = 0; e < EVENTS; e++) {
        if (event_of[e].event != event)
            continue;
        int whole = tick->id == PX_ID_NONE &&
                    (event == PX_EVENT_CARRIED || tick->u.status.cause == PX_CAUSE_FEEDER_CLOSED);
        for (size_t i = 0; i < t->symbol_count; i++)
            if (whole || t->symbols[i].id == tick->id)
                t->symbols[i].told = event_of[e].quality;
        if (whole)
            t->whole.told = event_of[e].quality;
    }
}

/* With --all there may be thousands of symbols: the bus as a whole is watched. */
static void check_whole(struct tail *t)
{
    struct px_bus_info info;
    if (px_bus_info(t->bus, &info) < 0)
        return;
    if (info.state == PX_STATE_CLOSED) {
        follow(t, &t->whole, PX_CLOSED, PX_CAUSE_FEEDER_CLOSED);
    } else if (info.heartbeat_age_ns > 1000000000) {
        follow(t, &t->whole, PX_STALE, PX_CAUSE_FEEDER_SILENT);
    } else if (info.epoch != t->epoch) {
        t->epoch = info.epoch;
        if (t->whole.told != PX_CARRIED)
            print_own(
                t, PX_ID_NONE,
                &(struct px_status){.event = PX_EVENT_CARRIED, .cause = PX_CAUSE_EARLIER_EPOCH});
        t->whole.told = t->whole.seen = PX_LIVE;
    } else {
        follow(t, &t->whole, PX_LIVE, PX_CAUSE_NONE);
    }
}

static void check(struct tail *t, int64_t now_ns)
{
    if (now_ns - t->checked_ns < CHECK_NS)
        return;
    t->checked_ns = now_ns;
    if (t->all) {
        check_whole(t);
        return;
    }
    for (size_t i = 0; i < t->symbol_count; i++) {
        struct px_last last;
        struct watched *w = &t->symbols[i];
        if (px_bus_last_at(t->bus, w->id, now_ns, &last) < 0)
            continue;
        if (w->told == QUALITY_UNKNOWN && last.quality > PX_QUIET &&
            now_ns - t->subscribed_ns < SETTLE_NS)
            continue;
        follow(t, w, last.quality, last.cause);
    }
}

/* ---- the stream ---- */

static void print_lap(struct tail *t, uint64_t *skipped)
{
    struct px_lost lost;
    if (px_bus_lost(t->bus, PX_ID_NONE, &lost) < 0)
        return;
    print_own(t, PX_ID_NONE,
              &(struct px_status){.event = PX_EVENT_LOST,
                                  .cause = PX_CAUSE_OVERRUN,
                                  .count = lost.skipped - *skipped});
    *skipped = lost.skipped;
}

/* Ticks up to the count that was asked for. */
static void print_batch(struct tail *t, const struct px_tick *ticks, int n)
{
    for (int i = 0; i < n && (t->want == 0 || t->came < t->want); i++) {
        if (ticks[i].kind == PX_STATUS)
            told_by_stream(t, &ticks[i]);
        else if ((t->kinds & (1u << ticks[i].kind)) == 0)
            continue;
        else
            t->came++;
        print(t, &ticks[i]);
    }
}

static int stream(struct tail *t)
{
    static struct px_tick ticks[BATCH];
    uint64_t skipped = 0;
    int rc = 0;
    while (!stopped && t->out->error == 0 && (t->want == 0 || t->came < t->want)) {
        int n = px_bus_poll(t->bus, ticks, BATCH);
        int64_t now = cli_now_ns();
        if (n > 0)
            print_batch(t, ticks, n);
        else if (n == -EOVERFLOW)
            print_lap(t, &skipped);
        else if (n < 0 && n != -EAGAIN)
            return n;
        if (now >= t->end_ns)
            break;
        check(t, now);
        if (n > 0 || n == -EOVERFLOW)
            continue;
        if (lines_flush(t->out) < 0 || cli_stdout_closed())
            return -EPIPE;
        int64_t left = t->end_ns - now;
        rc = px_bus_wait(t->bus, left < CHECK_NS ? left : CHECK_NS);
        if (rc < 0 && rc != -ETIMEDOUT && rc != -EINTR)
            return rc;
    }
    return lines_flush(t->out);
}

/* ---- subscribing ---- */

static const char *subscribe_reason(const struct tail *t, int rc)
{
    const char *words = px_bus_message(t->bus);
    if (words[0] != '\0')
        return words;
    switch (rc) {
    case -ENOTCONN:
        return "no feeder answers on this bus (see pxstat)";
    case -ETIMEDOUT:
        return "the feeder did not answer in time";
    case -EINVAL:
        return "not a symbol (VENUE:NATIVE, e.g. binance:BTCUSDT, at most 47 bytes)";
    case -ENODEV:
        return "unknown venue";
    case -ENOSPC:
        return "the bus is full of subscribed symbols";
    case -EDQUOT:
        return "over the quota of this user";
    case -ENOBUFS:
        return "too many symbols for one reader";
    default:
        return px_strerror(rc);
    }
}

static void nap(int64_t ns)
{
    struct timespec ts = {.tv_nsec = (long)ns};
    nanosleep(&ts, NULL);
}

/* Subscribe, again and again with --wait while there is no feeder. */
static int subscribe(struct tail *t, const char *symbol, px_id *id)
{
    for (;;) {
        int64_t left = t->end_ns - cli_now_ns();
        if (left > SUBSCRIBE_NS)
            left = SUBSCRIBE_NS;
        int rc = px_bus_subscribe(t->bus, symbol, t->kinds, id, left > 0 ? left / 1000000 + 1 : 1);
        if (rc != -ENOTCONN || !t->wait || stopped || cli_now_ns() >= t->end_ns)
            return rc;
        nap(RETRY_NS);
    }
}

static void watch(struct tail *t, px_id id)
{
    for (size_t i = 0; i < t->symbol_count; i++)
        if (t->symbols[i].id == id)
            return;
    t->symbols[t->symbol_count++] =
        (struct watched){.id = id, .told = QUALITY_UNKNOWN, .seen = QUALITY_UNKNOWN};
}

static int subscribe_all(struct tail *t)
{
    for (int i = 0; i < t->cli.operand_count; i++) {
        px_id id;
        int rc = subscribe(t, t->cli.operands[i], &id);
        if (rc < 0)
            return cli_error(CLI_FAILED, t->cli.operands[i], "%s", subscribe_reason(t, rc));
        watch(t, id);
    }
    t->subscribed_ns = cli_now_ns();
    return CLI_OK;
}

/* ---- the last values ---- */

static void print_cell(struct tail *t, px_id id, uint16_t kind, const struct px_last *last)
{
    const struct px_last_value *values[] = {&last->trade_info, &last->quote_info,
                                            &last->ticker_info};
    const struct px_last_value *v = values[kind];
    if ((t->kinds & (1u << kind)) == 0 || v->seq == 0)
        return;
    struct px_tick tick = {.seq = v->seq,
                           .id = id,
                           .kind = kind,
                           .flags = v->flags,
                           .exch_ns = v->exch_ns,
                           .recv_ns = v->recv_ns};
    if (kind == PX_TRADE)
        tick.u.trade = last->trade;
    else if (kind == PX_QUOTE)
        tick.u.quote = last->quote;
    else
        tick.u.ticker = last->ticker;
    print(t, &tick);
    t->came++;
}

static int has_value(const struct tail *t, const struct px_last *last)
{
    return ((t->kinds & PX_TRADES) != 0 && last->trade_info.seq != 0) ||
           ((t->kinds & PX_QUOTES) != 0 && last->quote_info.seq != 0) ||
           ((t->kinds & PX_TICKERS) != 0 && last->ticker_info.seq != 0);
}

/* The values of one symbol and, if they are not live, a line that says so. 1 if there was one. */
static int print_last(struct tail *t, px_id id)
{
    struct px_last last;
    if (px_bus_last(t->bus, id, &last) < 0 || !has_value(t, &last))
        return 0;
    for (uint16_t kind = 0; kind < PX_CELL_KINDS; kind++)
        print_cell(t, id, kind, &last);
    for (size_t i = 0; i < EVENTS; i++)
        if (event_of[i].quality == last.quality && last.quality != PX_LIVE)
            print_own(t, id, &(struct px_status){.event = event_of[i].event, .cause = last.cause});
    return 1;
}

/* A price that somebody keeps fresh. */
static int is_fresh(struct tail *t, px_id id)
{
    struct px_last last;
    return px_bus_last(t->bus, id, &last) == 0 && has_value(t, &last) && last.quality <= PX_QUIET;
}

/* Wait until the symbol has a price that is fresh, at most until `end_ns`. */
static void await_fresh(struct tail *t, px_id id, int64_t end_ns)
{
    static struct px_tick ticks[BATCH];
    while (!stopped && !is_fresh(t, id) && cli_now_ns() < end_ns) {
        if (px_bus_poll(t->bus, ticks, BATCH) == 0)
            px_bus_wait(t->bus, CHECK_NS);
    }
}

/* What is fresh on the bus is printed as it is; for the rest the feeder is asked, if there is one.
 */
static int snapshot_symbols(struct tail *t)
{
    int code = CLI_OK;
    int64_t end_ns = cli_now_ns() + SNAPSHOT_NS;
    if (end_ns > t->end_ns || t->cli.operand_count == 0)
        end_ns = t->end_ns;
    for (int i = 0; i < t->cli.operand_count; i++) {
        const char *symbol = t->cli.operands[i];
        px_id id = PX_ID_NONE;
        int found = px_bus_find(t->bus, symbol, &id);
        if (found < 0 || !is_fresh(t, id)) {
            int rc = subscribe(t, symbol, &id);
            if (rc == 0)
                await_fresh(t, id, end_ns);
            else if (found < 0)
                code = cli_error(CLI_FAILED, symbol, "%s", subscribe_reason(t, rc));
            if (rc < 0 && found < 0)
                continue;
        }
        if (!print_last(t, id))
            code = cli_error(CLI_FAILED, symbol, "no price has come yet");
    }
    return code;
}

static int snapshot(struct tail *t)
{
    int code = CLI_OK;
    uint32_t cursor = 0;
    px_id id;
    if (t->all)
        while (px_bus_symbols(t->bus, &cursor, &id) == 1)
            print_last(t, id);
    else
        code = snapshot_symbols(t);
    int rc = lines_flush(t->out);
    if (rc < 0 && rc != -EPIPE)
        return cli_error(CLI_FAILED, "stdout", "%s", strerror(-rc));
    return rc == -EPIPE ? CLI_OK : code;
}

/* ---- command line and wiring ---- */

static int parse(struct tail *t)
{
    int id;
    int64_t timeout_ns = 0;
    t->kinds = PX_TRADES | PX_QUOTES;
    while ((id = cli_next(&t->cli)) > 0) {
        const char *value = t->cli.value;
        if (id == ID_ALL)
            t->all = 1;
        else if (id == ID_WAIT)
            t->wait = 1;
        else if (id == ID_SNAPSHOT)
            t->snapshot = 1;
        else if (id == ID_KINDS && cli_kinds(value, &t->kinds) < 0)
            return cli_error(CLI_INVALID, value, "not a list of trade, quote, ticker, all");
        else if (id == ID_COUNT && cli_count(value, UINT64_MAX, &t->want) < 0)
            return cli_error(CLI_INVALID, value, "not a count for -n");
        else if (id == ID_TIMEOUT && cli_seconds(value, TIMEOUT_MAX_S, &timeout_ns) < 0)
            return cli_error(CLI_INVALID, value, "not a number of seconds for --timeout");
    }
    t->end_ns = timeout_ns > 0 ? t->start_ns + timeout_ns : INT64_MAX;
    if (id == CLI_END && !t->all && t->cli.operand_count == 0)
        return cli_error(CLI_INVALID, "SYMBOL", "none given (or --all)");
    if (id == CLI_END && t->all && t->cli.operand_count > 0)
        return cli_error(CLI_INVALID, "--all", "takes no symbols: it prints every one");
    return id;
}

static int attach(struct tail *t)
{
    struct px_bus_options how = {
        .all = t->all, .no_socket = t->all && t->snapshot, .max_ids = t->all ? ALL_IDS : 0};
    if (t->wait)
        how.wait_ms = t->end_ns == INT64_MAX ? -1 : (t->end_ns - cli_now_ns()) / 1000000 + 1;
    how.name = program.name;
    int rc = px_bus_attach(&t->bus, t->cli.bus, &how);
    return rc < 0 ? cli_error(CLI_FAILED, t->cli.bus, "%s", cli_attach_reason(rc)) : CLI_OK;
}

static int run(struct tail *t)
{
    struct px_bus_info info;
    int code = CLI_OK;
    if (t->snapshot)
        return snapshot(t);
    if (!t->all)
        code = subscribe_all(t);
    if (code != CLI_OK)
        return code;
    t->whole = (struct watched){.id = PX_ID_NONE, .told = PX_LIVE, .seen = PX_LIVE};
    t->epoch = px_bus_info(t->bus, &info) == 0 ? info.epoch : 0;
    int rc = stream(t);
    if (rc == -EPIPE)
        return CLI_OK;
    if (rc < 0)
        return cli_error(CLI_FAILED, t->cli.bus, "%s", px_strerror(rc));
    return t->want > 0 && t->came < t->want ? CLI_FAILED : CLI_OK;
}

int main(int argc, char **argv)
{
    static struct tail t;
    static struct lines out;
    t.out = &out;
    t.start_ns = cli_now_ns();
    cli_start(&t.cli, &program, argc, argv);
    int rc = parse(&t);
    if (rc == CLI_EXIT)
        return cli_finish(CLI_OK);
    if (rc == CLI_INVALID)
        return program.usage_exit;
    struct sigaction action = {.sa_handler = on_signal};
    sigaction(SIGINT, &action, NULL);
    sigaction(SIGTERM, &action, NULL);
    t.symbols = calloc((size_t)t.cli.operand_count + 1, sizeof *t.symbols);
    int code =
        t.symbols == NULL ? cli_error(CLI_FAILED, "memory", "%s", strerror(ENOMEM)) : attach(&t);
    if (code == CLI_OK)
        code = run(&t);
    px_bus_detach(t.bus);
    free(t.symbols);
    return code;
}
