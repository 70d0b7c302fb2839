#include "t.h"

#include <fcntl.h>
#include <unistd.h>

#include "gate.h"
#include "log.h"

#define MS   INT64_C(1000000)
#define S    (1000 * MS)
#define HOUR (3600 * S)
#define UTC0 (1723161255 * S)

static char dir[64];
static struct config config;
static struct gate *g;
static struct gate_time now;
static uint32_t binance, okx;

static uint32_t venue(const char *name)
{
    return (uint32_t)config_venue_index(venue_find(name, strlen(name)));
}

__attribute__((destructor)) static void clean(void)
{
    static const char *const names[] = {"md.breakers", "md.breakers.bad", "md.breakers.tmp"};
    char path[128];
    for (int i = 0; dir[0] != '\0' && i < 3; i++) {
        snprintf(path, sizeof path, "%s/%s", dir, names[i]);
        unlink(path);
    }
    if (dir[0] != '\0')
        rmdir(dir);
}

static void start(void)
{
    gate_free(g);
    g = gate_new(&config, dir, NULL);
    T_TRUE(g != NULL);
    gate_load(g, now);
}

/* A new file, and both clocks at their beginnings. */
static void fresh(uint32_t min_ms, uint32_t max_ms)
{
    if (dir[0] == '\0') {
        /* written some ten thousand times: not to a disk, if that can be helped */
        strcpy(dir, access("/dev/shm", W_OK) == 0 ? "/dev/shm/gate-XXXXXX" : "/tmp/gate-XXXXXX");
        T_TRUE(mkdtemp(dir) != NULL);
        log_open(open("/dev/null", O_WRONLY), LOG_LEVEL_DEBUG, false);
    }
    memset(&config, 0, sizeof config);
    strcpy(config.bus, "md");
    config.backoff_min_ms = min_ms;
    config.backoff_max_ms = max_ms;
    now = (struct gate_time){.mono_ns = 1000 * S, .utc_ns = UTC0};
    binance = venue("binance");
    okx = venue("okx");
    gate_free(g);
    g = gate_new(&config, dir, NULL);
    T_TRUE(g != NULL);
    unlink(gate_path(g));
}

static void pass(int64_t ns)
{
    now.mono_ns += ns;
    now.utc_ns += ns;
}

static int64_t wait_of(uint32_t v)
{
    const char *why;
    return gate_wait(g, v, now.mono_ns, &why);
}

static void begin(uint32_t v, uint32_t link)
{
    T_EQ(wait_of(v), 0);
    gate_begin(g, (struct gate_link){v, link}, now);
}

static void refuse(uint32_t v, uint32_t link, int64_t wait_ns)
{
    struct gate_end end = {
        .until_ns = now.mono_ns + wait_ns, .told = true, .reason = "429\nToo Many"};
    gate_ended(g, (struct gate_link){v, link}, &end, now);
}

T_TEST(what_the_venue_asked_for_is_kept_by_the_next_feeder)
{
    fresh(250, 60000);
    begin(binance, 0);
    refuse(binance, 0, 90 * S);
    for (int i = 0; i < 100; i++) {
        pass(500 * MS);
        start();
        int64_t left = 90 * S - (i + 1) * 500 * MS;
        T_TRUE(wait_of(binance) >= left && wait_of(binance) <= left + 300 * MS);
        T_EQ(gate_view(g, binance, now.mono_ns).state, PX_BREAKER_OPEN);
        T_STR(gate_view(g, binance, now.mono_ns).reason, "429 Too Many");
    }
    T_EQ(wait_of(okx), 0);
    pass(41 * S);
    T_EQ(wait_of(binance), 0);
    T_EQ(gate_begin(g, (struct gate_link){binance, 3}, now), 1);
}

T_TEST(feeder_that_is_killed_in_each_attempt_is_held_to_the_back_off)
{
    uint32_t attempts = 0;
    fresh(250, 60000);
    for (int64_t end = now.mono_ns + HOUR; now.mono_ns < end; pass(500 * MS)) {
        start();
        if (wait_of(binance) > 0)
            continue;
        begin(binance, 0);
        attempts++;
    }
    T_TRUE(attempts > 60 && attempts < 250); /* a mean of 30 s, when the cap is reached */
    T_STR(gate_view(g, binance, now.mono_ns).reason, "the feeder was killed in an attempt");
}

T_TEST(feeder_that_is_killed_in_each_attempt_is_held_to_the_budget)
{
    int64_t made[400];
    uint32_t n = 0;
    fresh(1, 1); /* no back-off to speak of */
    while (n < 400) {
        start();
        if (wait_of(okx) == 0) {
            begin(okx, 0);
            made[n++] = now.mono_ns;
        }
        pass(20 * MS);
    }
    for (uint32_t i = 3; i < n; i++)
        T_TRUE(made[i] - made[i - 3] >= S);
}

T_TEST(attempt_that_ended_in_order_is_no_failure_for_the_next_feeder)
{
    fresh(250, 60000);
    begin(binance, 0);
    gate_ended(g, (struct gate_link){binance, 0}, &(struct gate_end){.no_verdict = true}, now);
    start();
    T_EQ(gate_view(g, binance, now.mono_ns).state, PX_BREAKER_CLOSED);
    begin(binance, 0);
    gate_good(g, (struct gate_link){binance, 0}, now);
    start(); /* killed while all was well */
    T_EQ(gate_view(g, binance, now.mono_ns).state, PX_BREAKER_CLOSED);
    T_EQ(wait_of(binance), 0);
}

T_TEST(wall_clock_that_steps_changes_no_wait_while_the_machine_runs)
{
    static const int64_t steps[] = {-400 * 24 * HOUR, 400 * 24 * HOUR, -5 * S, 5 * S};
    for (size_t i = 0; i < sizeof steps / sizeof steps[0]; i++) {
        fresh(250, 60000);
        begin(binance, 0);
        refuse(binance, 0, 90 * S);
        pass(30 * S);
        now.utc_ns += steps[i];
        start();
        T_TRUE(wait_of(binance) >= 60 * S && wait_of(binance) <= 60 * S + 10 * MS);
    }
}

/* Refused for 90 s and with OKX's budget used up; then the machine starts anew, and its wall clock
 * says so much later. */
static void reboot(int64_t later_ns)
{
    fresh(250, 60000);
    begin(binance, 0);
    refuse(binance, 0, 90 * S);
    begin(okx, 1);
    begin(okx, 2);
    begin(okx, 3);
    now = (struct gate_time){.mono_ns = 10 * S, .utc_ns = now.utc_ns + later_ns};
    start();
}

T_TEST(wall_clock_that_steps_over_a_reboot_neither_locks_out_nor_forgets)
{
    reboot(50 * S);
    T_TRUE(wait_of(binance) >= 39 * S && wait_of(binance) <= 41 * S);
    reboot(-400 * 24 * HOUR);
    T_TRUE(wait_of(binance) >= 90 * S && wait_of(binance) <= 90 * S + 10 * MS);
    T_TRUE(wait_of(okx) > 0 && wait_of(okx) <= 2 * S);
    reboot(400 * 24 * HOUR);
    T_EQ(wait_of(binance), 0);
    T_EQ(gate_view(g, binance, now.mono_ns).state, PX_BREAKER_HALF_OPEN);
    T_EQ(gate_begin(g, (struct gate_link){binance, 0}, now), 1); /* the failure is remembered */
}

T_TEST(wait_beyond_what_any_venue_may_ask_for_is_cut_to_it)
{
    fresh(250, 60000);
    begin(binance, 0);
    refuse(binance, 0, 400 * 24 * HOUR);
    start();
    T_EQ(wait_of(binance), HOUR + 60 * S);
}

T_TEST(endpoint_of_ones_own_has_a_short_breaker_and_leaves_no_file)
{
    fresh(250, 60000);
    strcpy(config.venue[okx].endpoint[0], "ws://127.0.0.1:1");
    start();
    for (int i = 0; i < 100; i++)
        gate_begin(g, (struct gate_link){okx, 0}, now);
    T_EQ(wait_of(okx), 0);
    struct backoff backoff = gate_backoff(g, okx);
    for (int i = 0; i < 100; i++)
        T_TRUE(backoff_next(&backoff, 0) <= BACKOFF_LOCAL_CAP_NS);
    struct gate_end end = {.until_ns = now.mono_ns + 50 * MS, .reason = "refused"};
    gate_ended(g, (struct gate_link){okx, 0}, &end, now);
    T_EQ(gate_view(g, okx, now.mono_ns).state, PX_BREAKER_OPEN);
    pass(50 * MS);
    begin(okx, 1);
    T_TRUE(wait_of(okx) > 0);
    pass(BACKOFF_LOCAL_CAP_NS);
    begin(okx, 2);
    T_TRUE(access(gate_path(g), F_OK) != 0);
}

T_TEST(changed_endpoint_starts_anew)
{
    fresh(250, 60000);
    begin(binance, 0);
    refuse(binance, 0, 90 * S);
    strcpy(config.venue[binance].endpoint[0], "wss://data-stream.binance.vision");
    config.venue[binance].limits = true;
    start();
    T_EQ(wait_of(binance), 0);
}

T_TEST(venues_at_one_address_draw_on_one_budget)
{
    fresh(250, 60000);
    uint32_t spot = venue("bybit"), linear = venue("bybit_linear");
    start();
    for (uint32_t i = 0; i < 500; i++)
        gate_begin(g, (struct gate_link){i % 2 == 0 ? spot : linear, 0}, now);
    T_TRUE(wait_of(spot) > 0 && wait_of(linear) > 0);
    gate_good(g, (struct gate_link){linear, 0}, now);
    start();
    T_TRUE(wait_of(spot) > 300 * S && wait_of(linear) > 300 * S);
}

T_TEST(each_endpoint_of_a_venue_has_a_breaker_of_its_own_over_a_restart_too)
{
    fresh(250, 60000);
    start();
    uint32_t mirror = gate_place(binance, 2);
    begin(mirror, 0);
    refuse(mirror, 0, 90 * S);
    for (int i = 0; i < 2; i++) {
        T_TRUE(wait_of(mirror) > 80 * S);
        T_EQ(wait_of(binance), 0);
        T_EQ(wait_of(gate_place(binance, 1)), 0);
        T_EQ(gate_view(g, mirror, now.mono_ns).state, PX_BREAKER_OPEN);
        T_EQ(gate_view(g, binance, now.mono_ns).state, PX_BREAKER_CLOSED);
        start();
    }
}

T_TEST(endpoints_of_a_venue_draw_on_one_budget)
{
    fresh(250, 60000);
    start();
    for (uint32_t i = 0; i < venue_table[binance]->attempts_per_window; i++) {
        gate_begin(g, (struct gate_link){gate_place(binance, i % 3), 0}, now);
        gate_good(g, (struct gate_link){gate_place(binance, i % 3), 0}, now);
    }
    for (uint32_t n = 0; n < 3; n++)
        T_TRUE(wait_of(gate_place(binance, n)) > 0);
    start();
    for (uint32_t n = 0; n < 3; n++)
        T_TRUE(wait_of(gate_place(binance, n)) > 200 * S);
}

T_TEST(other_addresses_of_a_name_are_attempts_too)
{
    fresh(250, 60000);
    start();
    begin(okx, 0);
    T_TRUE(gate_another(g, okx, now));
    T_TRUE(gate_another(g, okx, now));
    T_TRUE(!gate_another(g, okx, now));
    T_TRUE(gate_view(g, okx, now.mono_ns).next_ns > now.mono_ns);
}

T_TEST(damaged_file_is_moved_aside_and_a_directory_that_vanished_is_no_end)
{
    char text[1024] = "", path[128];
    fresh(250, 60000);
    begin(binance, 0);
    refuse(binance, 0, 90 * S);
    FILE *f = fopen(gate_path(g), "r");
    size_t len = fread(text, 1, sizeof text - 1, f);
    fclose(f);
    snprintf(path, sizeof path, "%s.bad", gate_path(g));
    for (size_t i = 0; i < len; i++) {
        text[i] ^= 0x11;
        f = fopen(gate_path(g), "w");
        fwrite(text, 1, len, f);
        fclose(f);
        start();
        text[i] ^= 0x11;
        T_EQ(wait_of(binance), 0);
        T_TRUE(access(path, F_OK) == 0 && access(gate_path(g), F_OK) != 0);
    }
    gate_free(g);
    g = gate_new(&config, "/nonexistent/px", NULL);
    gate_load(g, now);
    begin(binance, 0);
    refuse(binance, 0, 90 * S);
    T_TRUE(wait_of(binance) > 0);
}

/* ---- a week of a venue that does what it likes ---- */

#define LINKS 6

enum doing { WAITS, TRIES, GOOD };

static struct {
    enum doing doing;
    int64_t due_ns, began_ns;
    struct backoff backoff;
} conn[LINKS];
static int64_t failed_ns;
static int64_t made[200000];
static uint32_t made_count;
static uint64_t random_state;

static uint64_t below(uint64_t n)
{
    random_state = random_state * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
    return (random_state >> 33) % n;
}

static void new_links(uint32_t v)
{
    for (uint32_t i = 0; i < LINKS; i++) {
        conn[i].doing = WAITS;
        conn[i].due_ns = now.mono_ns;
        conn[i].backoff = gate_backoff(g, v);
        conn[i].backoff.random = random_state + i + 1;
    }
}

/* An attempt fails after up to 5 s, or is good after 10 s and ends some time later. `mood`: how
 * many of 100 fail. */
static void try_it(uint32_t v, uint32_t i, uint64_t mood)
{
    const struct px_venue *venue = venue_table[v];
    int64_t wait = wait_of(v);
    if (wait > 0) {
        conn[i].due_ns = now.mono_ns + wait;
        return;
    }
    if (gate_view(g, v, now.mono_ns).state == PX_BREAKER_HALF_OPEN)
        for (uint32_t k = 0; k < LINKS; k++) /* one on trial, but for those of before, and mute */
            T_TRUE(conn[k].doing != TRIES || conn[k].began_ns <= failed_ns ||
                   conn[k].began_ns + BREAKER_HOLD_NS <= now.mono_ns);
    conn[i].backoff.failures = gate_begin(g, (struct gate_link){v, i}, now);
    conn[i].doing = TRIES;
    conn[i].began_ns = now.mono_ns;
    conn[i].due_ns = now.mono_ns + (int64_t)(below(100) < mood ? below(5000) * MS : 10 * S);
    made[made_count++] = now.mono_ns;
    uint32_t limit = venue->attempts_per_window;
    if (made_count > limit)
        T_TRUE(now.mono_ns - made[made_count - 1 - limit] >= venue->attempt_window_s * S);
}

static void end_it(uint32_t v, uint32_t i)
{
    uint64_t kind = below(20);
    bool told = kind == 0, silent = kind == 1;
    if (conn[i].doing == GOOD)
        backoff_reset(&conn[i].backoff);
    int64_t wait = backoff_next(&conn[i].backoff, told ? (int64_t)below(120) * S : 0);
    struct gate_end end = {.until_ns = now.mono_ns + wait,
                           .told = told,
                           .no_verdict = silent,
                           .reason = "the venue has its moods"};
    gate_ended(g, (struct gate_link){v, i}, &end, now);
    if (told || (conn[i].doing == TRIES && !silent))
        failed_ns = now.mono_ns;
    conn[i].doing = WAITS;
    conn[i].due_ns = end.until_ns;
}

static void happen(uint32_t v, uint32_t i, uint64_t mood)
{
    if (conn[i].doing == WAITS) {
        try_it(v, i, mood);
    } else if (conn[i].doing == TRIES && now.mono_ns - conn[i].began_ns >= 10 * S) {
        gate_good(g, (struct gate_link){v, i}, now);
        conn[i].doing = GOOD;
        conn[i].due_ns = now.mono_ns + (int64_t)below(3600) * S;
    } else {
        end_it(v, i);
    }
}

/* The wall clock steps, too. */
static void kill_feeder(uint32_t v)
{
    if (below(4) == 0)
        now.utc_ns += ((int64_t)below(2000) - 1000) * HOUR;
    pass((int64_t)below(1000) * MS);
    start();
    new_links(v);
}

static bool all_wait(void)
{
    for (uint32_t i = 0; i < LINKS; i++)
        if (conn[i].doing != WAITS)
            return false;
    return true;
}

static void live(uint32_t v, int days, uint64_t seed)
{
    uint64_t mood = 50;
    fresh(250, 60000);
    failed_ns = 0;
    random_state = seed;
    made_count = 0;
    start();
    new_links(v);
    int64_t end = now.mono_ns + days * 24 * HOUR, tried = now.mono_ns, changes = now.mono_ns;
    int64_t kill_ns = now.mono_ns;
    while (now.mono_ns < end) {
        uint32_t i = 0, before = made_count;
        for (uint32_t k = 1; k < LINKS; k++)
            i = conn[k].due_ns < conn[i].due_ns ? k : i;
        bool waits = all_wait();
        if (conn[i].due_ns > now.mono_ns)
            pass(conn[i].due_ns - now.mono_ns);
        if (now.mono_ns >= changes) {
            mood = below(3) * 50; /* all is well, or half of it, or nothing */
            changes = now.mono_ns + (int64_t)below(6 * 3600) * S;
        }
        if (now.mono_ns >= kill_ns) {
            kill_feeder(v);
            kill_ns = now.mono_ns + (int64_t)(below(2) == 0 ? below(4000) * S : below(200) * MS);
        } else {
            happen(v, i, mood);
        }
        tried = waits && made_count == before ? tried : now.mono_ns;
        /* it never gives up: two minutes are the most that it is told, one the cap */
        T_TRUE(now.mono_ns - tried <= 190 * S + venue_table[v]->attempt_window_s * 2 * S);
    }
    T_TRUE(made_count > (uint32_t)days * 100);
}

T_TEST(no_budget_is_exceeded_and_none_gives_up_in_a_week_of_failures_and_kills)
{
    live(binance, 7, 1);
    live(okx, 1, 2);
    live(venue("kraken"), 1, 3);
}
