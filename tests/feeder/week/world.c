/* The feeder on the simulated machine: opened, ticked, killed and ended as feeder.c does it. */
#include "week.h"

#include <stdarg.h>
#include <sys/random.h>
#include <unistd.h>

#include "counters.h"
#include "plan.h"

struct week week;

const char *const week_names[WEEK_FAULT_COUNT] = {
#define X(name, text, often, least_s, most_s, cuts) text,
    WEEK_FAULTS(X)
#undef X
};

/* A run leaves nothing, also one that fails. */
static void remove_files(void)
{
    static const char *const ends[] = {"breakers", "breakers.old", "breakers.tmp"};
    char path[256];
    for (size_t i = 0; i < sizeof ends / sizeof ends[0]; i++) {
        snprintf(path, sizeof path, "%s/%s.%s", week.dir, week.bus, ends[i]);
        unlink(path);
    }
    rmdir(week.dir);
    snprintf(path, sizeof path, "/dev/shm/px-%s", week.bus);
    unlink(path);
    snprintf(path, sizeof path, "/dev/shm/px-%s.lock", week.bus);
    unlink(path);
}

_Noreturn void week_fail(const char *condition, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    printf("PX_SEED=%llu, after %.3f s: ", (unsigned long long)week.seed,
           (double)(week.now - WEEK_BEGIN) / 1e9);
    vprintf(format, args);
    printf(" (%s)\n", condition);
    va_end(args);
    for (uint32_t i = 0; i < EXCHANGES; i++) {
        const struct week_exchange *e = &week.exchange[i];
        printf("%s: since %.3f s %s, since %.3f s %s\n", e->venue,
               (double)(week.now - e->changed_ns) / 1e9, week_names[e->fault],
               (double)(week.now - e->fault_ns) / 1e9, week_names[e->last]);
    }
    remove_files();
    exit(1);
}

/* ---- readers that come and go ---- */

#define STORM_SYMBOLS 16u
#define STORM_EVERY   (20 * MS)

static struct {
    bool held[STORM_SYMBOLS];
    uint32_t sub[STORM_SYMBOLS];
} storms[EXCHANGES];

void storm_begin(struct week_exchange *e)
{
    e->storm_left = 50 + week_below(300);
    e->storm_ns = week.now;
}

static void storm_wish(const struct week_exchange *e)
{
    struct wants_answer answer;
    char symbol[PX_SYMBOL_MAX + 1];
    size_t n = (size_t)(e - week.exchange);
    uint32_t i = week_below(STORM_SYMBOLS);
    snprintf(symbol, sizeof symbol, e->okx ? "%s:X%u-USDT" : "%s:X%uUSDT", e->venue, i);
    if (storms[n].held[i]) {
        wants_unsubscribe(week.wants, storms[n].sub[i], PX_TRADES, week.now);
        storms[n].held[i] = false;
    } else if (wants_subscribe(week.wants, symbol, PX_TRADES, week.now, &answer) == 0) {
        storms[n].sub[i] = answer.sub;
        storms[n].held[i] = true;
    }
    fleet_pump(week.fleet, week.now);
}

int64_t storm_next(void)
{
    int64_t next = INT64_MAX;
    for (uint32_t i = 0; i < EXCHANGES; i++)
        if (week.exchange[i].storm_left > 0 && week.exchange[i].storm_ns < next)
            next = week.exchange[i].storm_ns;
    return next;
}

void storm_run(void)
{
    for (uint32_t i = 0; i < EXCHANGES; i++) {
        struct week_exchange *e = &week.exchange[i];
        if (e->storm_left == 0 || week.now < e->storm_ns)
            continue;
        storm_wish(e);
        e->storm_left--;
        e->storm_ns = week.now + STORM_EVERY;
    }
}

/* ---- open and close ---- */

/* Every chance in the feeder comes from here, by a definition in CMakeLists.txt. */
ssize_t week_getrandom(void *out, size_t len, unsigned flags)
{
    (void)flags;
    for (size_t i = 0; i < len; i++)
        ((unsigned char *)out)[i] = (unsigned char)week_below(256);
    return (ssize_t)len;
}

static void load_config(void)
{
    char endpoint[EXCHANGES][64], symbol[EXCHANGES * SYMBOLS][PX_SYMBOL_MAX + 1],
        error[CONFIG_ERROR_MAX];
    char *argv[64] = {(char *)"feeder",
                      (char *)"-b",
                      week.bus,
                      (char *)"--kinds",
                      (char *)"trade",
                      (char *)"--limits",
                      (char *)"venue",
                      (char *)"--capacity",
                      (char *)"96",
                      (char *)"--state-dir",
                      week.dir,
                      (char *)"--backoff-max-ms",
                      (char *)(week.fast_backoff ? "500" : "60000")};
    int argc = 13;
    for (uint32_t i = 0; i < EXCHANGES; i++) {
        const struct week_exchange *e = &week.exchange[i];
        snprintf(endpoint[i], sizeof endpoint[i], "%s=ws://sim%u:80", e->venue, i);
        argv[argc++] = (char *)"--endpoint";
        argv[argc++] = endpoint[i];
        for (uint32_t s = 0; s < SYMBOLS; s++) {
            char *text = symbol[i * SYMBOLS + s];
            snprintf(text, sizeof symbol[0], "%s:%s", e->venue, e->symbol[s].native);
            argv[argc++] = text;
        }
    }
    WEEK_MUST(config_load(argc, argv, &week.config, error) == 0, "%s", error);
    for (uint32_t i = 0; i < EXCHANGES; i++)
        week.config.venue[config_venue_index(week.exchange[i].is)].redundancy =
            week.exchange[i].redundancy;
}

static void open_bus(void)
{
    struct px_writer_report report;
    struct px_writer_options options = {.bus = week.bus,
                                        .capacity = week.config.capacity,
                                        .ring = week.config.ring,
                                        .group = -1,
                                        .version = "test",
                                        .lock_fd = -1,
                                        .counters = px_feeder_counters,
                                        .counter_count = PX_C_COUNT};
    WEEK_MUST(px_writer_open(&week.writer, &options, &report) == 0, "no segment");
    px_writer_heartbeat(week.writer, week.now);
}

void feeder_open_all(void)
{
    load_config();
    open_bus();
    week.gate = gate_new(&week.config, week.dir, week.writer);
    gate_load(week.gate, (struct gate_time){.mono_ns = week.now, .utc_ns = week.now});
    week.wants = wants_new(&week.config, week.writer);
    const struct fold_options fold = plan_fold(&week.config);
    week.fold = fold_new(&fold);
    week.publish = publish_new(week.writer, week.wants, week.fold);
    week.fleet = calloc(1, sizeof *week.fleet);
    struct link_shared shared = {.net = edge_net(),
                                 .gate = week.gate,
                                 .writer = week.writer,
                                 .subs = wants_subs(week.wants),
                                 .publish = week.publish,
                                 .config = &week.config};
    WEEK_MUST(fleet_open(week.fleet, &shared) == 0, "no memory");
    wants_on_gone(week.wants, fleet_forget, week.fleet);
    wants_apply(week.wants, &week.config, week.now);
    fleet_pump(week.fleet, week.now);
    week.started_ns = week.now;
}

static void close_all(void)
{
    fleet_free(week.fleet);
    free(week.fleet);
    publish_free(week.publish);
    fold_free(week.fold);
    wants_free(week.wants);
    gate_free(week.gate);
    px_writer_close(week.writer);
    config_free(&week.config);
    memset(storms, 0, sizeof storms);
}

/* What it wrote about its breakers stays as the last attempt left it. */
void feeder_kill(void)
{
    char path[256], kept[260];
    snprintf(path, sizeof path, "%s", gate_path(week.gate));
    snprintf(kept, sizeof kept, "%s.old", path);
    bool there = rename(path, kept) == 0;
    close_all();
    if (there)
        WEEK_MUST(rename(kept, path) == 0, "%s cannot be restored", path);
    WEEK_MUST(edge_sockets() == 0 && net_timers(edge_net()) == 0 && edge_jobs() == 0,
              "a killed feeder leaves %u sockets, %u timers, %u names", edge_sockets(),
              net_timers(edge_net()), edge_jobs());
}

void feeder_tick(void)
{
    struct publish_time at = publish_now();
    px_writer_heartbeat(week.writer, at.mono_ns);
    wants_tick(week.wants, at.mono_ns);
    fleet_tick(week.fleet, at.mono_ns);
    for (int64_t t = 0; t < TICK; t += 100 * MS)
        publish_judge(week.publish, at);
    px_writer_flush(week.writer);
}

/* ---- time ---- */

static int64_t first(int64_t a, int64_t b)
{
    return a < b ? a : b;
}

static void run_until(int64_t end)
{
    uint32_t turns = 0;
    while (week.now < end) {
        int64_t at = first(first(edge_next(), exchange_next()), first(storm_next(), end));
        at = first(at, week.tick_ns);
        turns = at > week.now ? 0 : turns + 1;
        WEEK_MUST(turns < 100000, "time stands still");
        week.now = at > week.now ? at : week.now;
        exchange_run();
        storm_run();
        edge_run();
        if (week.now < week.tick_ns)
            continue;
        feeder_tick();
        edge_run();
        check_read();
        check_state();
        week.tick_ns = week.now + TICK;
    }
}

/* Farewell: everything is given back. */
void feeder_end_all(void)
{
    int64_t by = week.now + 5 * S;
    fleet_close(week.fleet);
    while (!fleet_idle(week.fleet)) {
        WEEK_MUST(week.now < by, "the farewell takes more than 5 s");
        week.now += 10 * MS;
        edge_run();
        feeder_tick();
    }
    feeder_tick();
    WEEK_MUST(edge_sockets() == 0 && net_timers(edge_net()) == 0 && edge_jobs() == 0 &&
                  fleet_links(week.fleet) == 0,
              "at the end there are %u sockets, %u timers, %u names, %u links", edge_sockets(),
              net_timers(edge_net()), edge_jobs(), fleet_links(week.fleet));
    for (uint32_t l = 0; l < SUBS_LINKS_MAX; l++) {
        uint32_t wanted, acked;
        subs_streams(wants_subs(week.wants), l, &wanted, &acked);
        WEEK_MUST(wanted == 0 && acked == 0, "link %u is still open for subscriptions", l);
    }
    close_all();
}

static void begin(uint64_t seed, const struct week_plan *plan)
{
    static const char *const names[] = {"/dev/shm", "/tmp"};
    memset(&week, 0, sizeof week);
    week.seed = week.random = seed;
    week.plan = plan;
    week.now = week.tick_ns = WEEK_BEGIN;
    week.fast_backoff = seed % 3 == 0;
    snprintf(week.bus, sizeof week.bus, "tw%d", (int)getpid());
    snprintf(week.dir, sizeof week.dir, "%s/px-week-XXXXXX", names[access(names[0], W_OK) != 0]);
    WEEK_MUST(mkdtemp(week.dir) != NULL, "no directory %s", week.dir);
    log_set_level(LOG_LEVEL_ERROR);
    exchange_open();
    feeder_open_all();
    struct px_bus_options all = {.all = 1, .no_socket = 1};
    WEEK_MUST(px_bus_attach(&week.reader, week.bus, &all) == 0, "no reader");
}

static void clean(void)
{
    px_bus_detach(week.reader);
    remove_files();
    for (uint32_t i = 0; i < PEERS; i++)
        free(week.peer[i].rx);
}

void week_run(uint64_t seed, const struct week_plan *plan)
{
    begin(seed, plan);
    run_until(week.now + plan->length_ns);
    exchange_calm();
    run_until(week.now + 2 * HOUR);
    check_end();
    feeder_end_all();
    clean();
}
