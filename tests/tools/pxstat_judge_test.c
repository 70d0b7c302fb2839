/* The exit code and the sentence, for every state that a bus can be in. */
#include "t.h"

#include <math.h>

#include "derive.h"
#include "judge.h"
#include "snapshot.h"

#define MS INT64_C(1000000)

static struct px_symbol_info symbols[3];
static struct conn conns[3];

/* A healthy bus with two subscribed symbols. */
static struct snapshot healthy(void)
{
    memset(symbols, 0, sizeof symbols);
    memset(conns, 0, sizeof conns);
    for (size_t i = 0; i < 2; i++) {
        snprintf(symbols[i].symbol, sizeof symbols[i].symbol, "binance:S%zu", i);
        symbols[i].pins = 1;
        symbols[i].kinds = PX_TRADES;
    }
    snprintf(conns[0].info.venue, sizeof conns[0].info.venue, "binance");
    return (struct snapshot){
        .mono_ns = 1,
        .holder = HOLDER_THERE,
        .bus = {.bus = "md", .state = PX_STATE_LIVE, .pid = 7, .heartbeat_age_ns = 40 * MS},
        .symbols = symbols,
        .symbol_count = 2,
        .conns = conns,
        .conn_count = 1};
}

static struct health judged(const struct snapshot *s)
{
    struct health h;
    judge(s, &h);
    return h;
}

static void expect(const struct snapshot *s, int code, const char *state, const char *words)
{
    struct health h = judged(s);
    T_EQ(h.code, code);
    T_STR(h.state, state);
    if (strstr(h.sentence, words) == NULL)
        fail_msg("\"%s\" does not say \"%s\"", h.sentence, words);
}

T_TEST(a_live_bus_is_healthy)
{
    struct snapshot s = healthy();
    expect(&s, 0, "live", "2 of 2 subscribed symbols are live");
}

T_TEST(nothing_subscribed_is_idle_and_healthy)
{
    struct snapshot s = healthy();
    s.symbol_count = 0;
    expect(&s, 0, "idle", "nothing is subscribed");
}

T_TEST(quiet_carried_and_closed_symbols_are_no_warning)
{
    struct snapshot s = healthy();
    symbols[0].quality = PX_QUIET;
    symbols[1].quality = PX_CLOSED;
    expect(&s, 0, "live", "0 of 2");
    symbols[1].quality = PX_CARRIED;
    expect(&s, 0, "live", "0 of 2");
}

T_TEST(a_heartbeat_of_one_second_warns_and_over_five_is_critical)
{
    struct snapshot s = healthy();
    s.bus.heartbeat_age_ns = 999 * MS;
    expect(&s, 0, "live", "");
    s.bus.heartbeat_age_ns = 1000 * MS;
    expect(&s, 1, "stalled", "no sign of life for 1.0 s");
    s.bus.heartbeat_age_ns = 5000 * MS;
    expect(&s, 1, "stalled", "hangs");
    s.bus.heartbeat_age_ns = 5001 * MS;
    expect(&s, 2, "stalled", "no sign of life for 5.0 s");
    s.process_state = 'T';
    expect(&s, 2, "stalled", "stopped by a signal");
}

T_TEST(a_feeder_that_nobody_holds_the_bus_for_is_gone_at_once)
{
    struct snapshot s = healthy();
    s.holder = HOLDER_GONE;
    expect(&s, 2, "gone", "pid 7 ended without closing");
    s.holder = HOLDER_UNKNOWN;
    expect(&s, 0, "live", "");
}

T_TEST(an_orderly_end_is_told_from_a_crash)
{
    struct snapshot s = healthy();
    s.holder = HOLDER_GONE;
    s.bus.state = PX_STATE_CLOSED;
    expect(&s, 2, "closed", "ended in order");
}

T_TEST(a_subscribed_symbol_that_is_stale_or_in_gap_warns)
{
    struct snapshot s = healthy();
    symbols[1].quality = PX_STALE;
    symbols[1].cause = PX_CAUSE_CONNECTION_LOST;
    expect(&s, 1, "live", "binance:S1 is stale: the connection was lost");
    symbols[0].quality = PX_STALE;
    expect(&s, 1, "live", "2 of 2 subscribed symbols are stale");
    symbols[0].quality = PX_GAP;
    expect(&s, 1, "live", "binance:S0 is missing ticks");
}

T_TEST(a_symbol_that_nobody_wants_warns_nobody)
{
    struct snapshot s = healthy();
    symbols[1].quality = PX_STALE;
    symbols[1].pins = 0;
    symbols[1].kinds = 0;
    expect(&s, 0, "live", "1 of 1");
}

T_TEST(an_open_breaker_warns_and_a_half_open_one_does_not)
{
    struct snapshot s = healthy();
    conns[0].info.breaker = PX_BREAKER_OPEN;
    snprintf(conns[0].info.reason, sizeof conns[0].info.reason, "HTTP 429");
    expect(&s, 1, "live", "the breaker of binance is open: HTTP 429");
    conns[0].info.breaker = PX_BREAKER_HALF_OPEN;
    expect(&s, 0, "live", "");
}

T_TEST(breaker_that_connections_of_a_venue_share_is_one)
{
    struct snapshot s = healthy();
    s.conn_count = 3;
    for (size_t i = 0; i < 3; i++) {
        conns[i].info.breaker = PX_BREAKER_OPEN;
        snprintf(conns[i].info.venue, sizeof conns[i].info.venue, "%s", i < 2 ? "okx" : "kraken");
    }
    expect(&s, 1, "live", "2 breakers are open");
    conns[2].info.breaker = PX_BREAKER_CLOSED;
    expect(&s, 1, "live", "the breaker of okx is open");
}

T_TEST(memory_warns_at_the_soft_limit_and_is_critical_at_the_hard_one)
{
    struct snapshot s = healthy();
    s.memory.rss_bytes = 100 << 20;
    s.verdict.level = PX_LEVEL_WARNING;
    expect(&s, 1, "live", "memory is high at 100.0 MiB");
    s.verdict.level = PX_LEVEL_CRITICAL;
    s.verdict.mono_ns = 1;
    s.verdict.trend = PX_TREND_GROWING;
    s.verdict.growth_bytes_per_hour = 50000000;
    s.verdict.time_to_limit_s = 3600;
    expect(&s, 2, "live", "grows by 50.0 MB/hour: 1 h 00 min to the limit");
}

T_TEST(several_reasons_make_one_sentence_and_the_worst_code)
{
    struct snapshot s = healthy();
    symbols[0].quality = PX_GAP;
    conns[0].info.breaker = PX_BREAKER_OPEN;
    s.verdict.level = PX_LEVEL_CRITICAL;
    expect(&s, 2, "live", "; the breaker of binance is open; memory is critical");
}

T_TEST(long_reasons_are_cut_and_never_overflow)
{
    struct snapshot s = healthy();
    s.conn_count = 1;
    conns[0].info.breaker = PX_BREAKER_OPEN;
    memset(conns[0].info.reason, 'r', sizeof conns[0].info.reason - 1);
    memset(symbols[0].symbol, 'x', sizeof symbols[0].symbol - 1);
    memset(symbols[1].symbol, 'y', sizeof symbols[1].symbol - 1);
    symbols[0].quality = PX_STALE;
    symbols[1].quality = PX_GAP;
    s.verdict.level = PX_LEVEL_CRITICAL;
    struct health h = judged(&s);
    T_TRUE(strlen(h.sentence) < sizeof h.sentence);
    T_EQ(h.code, 2);
}

T_TEST(percentiles_lie_in_the_bucket_that_holds_them)
{
    /* 98 times 1,000 to 1,023 ns (bucket of 896 to 1,024), 2 times 40,960 to 49,152 */
    uint64_t buckets[PX_LATENCY_BUCKETS] = {0};
    buckets[35] = 98; /* (4 + 3) << 7 = 896 */
    buckets[57] = 2;  /* (4 + 1) << 13 = 40,960 */
    struct latency l = latency_of(buckets, 41000);
    T_EQ(l.count, 100);
    T_TRUE(l.p50_us >= 0.896 && l.p50_us <= 1.024);
    T_TRUE(l.p99_us >= 40.960 && l.p99_us <= 41.0);
    T_TRUE(fabs(l.max_us - 41.0) < 1e-9);
    l = latency_of(buckets, 0); /* its maximum is not published yet */
    T_TRUE(l.p50_us >= 0.896 && l.p50_us <= 1.024 && fabs(l.max_us - 40.960) < 1e-9);
    memset(buckets, 0, sizeof buckets);
    l = latency_of(buckets, 0);
    T_TRUE(isnan(l.p50_us) && isnan(l.p99_us) && isnan(l.max_us));
}
