/* What is worth a message, and what is not. */
#include "t.h"

#include "alerts.h"

#define S        INT64_C(1000000000)
#define INTERVAL (60 * S)

static struct px_reader_info before_readers[1], readers[1];
static struct conn conns[1];

/* A healthy bus, looked at twice. */
static struct subject healthy(void)
{
    memset(before_readers, 0, sizeof before_readers);
    memset(readers, 0, sizeof readers);
    memset(conns, 0, sizeof conns);
    return (struct subject){
        .name = "md",
        .has_now = true,
        .has_before = true,
        .now = {.readers = readers, .reader_count = 1, .conns = conns, .conn_count = 1},
        .before = {.readers = before_readers, .reader_count = 1},
        .health = {.code = HEALTH_OK, .state = "live", .sentence = "all is well"},
    };
}

static struct alerts fresh(void)
{
    return (struct alerts){.interval_ns = INTERVAL};
}

/* One look: the kind that was told, or -1. More than one fails. */
static int step(struct alerts *a, const struct subject *s, int64_t now_ns, struct alert *out)
{
    struct alert all[ALERT_KINDS];
    size_t count = alerts_step(a, s, now_ns, all);
    T_TRUE(count <= 1);
    if (count == 0)
        return -1;
    *out = all[0];
    return (int)all[0].kind;
}

static void feeder_is_gone(struct subject *s)
{
    s->health = (struct health){.code = HEALTH_CRITICAL, .state = "gone", .sentence = "it is gone"};
}

T_TEST(a_healthy_bus_tells_nothing)
{
    struct alerts a = fresh();
    struct alert told;
    struct subject s = healthy();
    for (int i = 1; i < 1000; i++)
        T_EQ(step(&a, &s, i * S, &told), -1);
}

T_TEST(a_feeder_that_is_down_is_told_once_and_its_return_too)
{
    struct alerts a = fresh();
    struct alert told;
    struct subject s = healthy();
    int64_t t = S;
    T_EQ(step(&a, &s, t, &told), -1);
    feeder_is_gone(&s);
    T_EQ(step(&a, &s, t += S, &told), -1);
    T_EQ(step(&a, &s, t += ALERT_HOLD_NS, &told), ALERT_FEEDER);
    T_EQ(told.level, ALERT_CRITICAL);
    T_EQ(told.before, ALERT_OK);
    T_STR(told.text, "it is gone");
    for (int i = 0; i < 500; i++)
        T_EQ(step(&a, &s, t += S, &told), -1);
    s = healthy();
    T_EQ(step(&a, &s, t += S, &told), ALERT_FEEDER);
    T_EQ(told.level, ALERT_OK);
    T_EQ(told.before, ALERT_CRITICAL);
}

T_TEST(a_planned_restart_alarms_nobody)
{
    struct alerts a = fresh();
    struct alert told;
    struct subject s = healthy();
    T_EQ(step(&a, &s, S, &told), -1);
    feeder_is_gone(&s);
    T_EQ(step(&a, &s, 2 * S, &told), -1);
    T_EQ(step(&a, &s, 3 * S, &told), -1);
    s = healthy();
    for (int i = 4; i < 100; i++)
        T_EQ(step(&a, &s, i * S, &told), -1);
}

/* Up and down each five seconds for ten minutes: not more than one message in each interval. */
T_TEST(a_level_that_flaps_is_limited_and_its_end_is_told)
{
    struct alerts a = fresh();
    struct alert told = {.level = ALERT_OK};
    int count = 0;
    for (int i = 1; i <= 600; i++) {
        struct subject s = healthy();
        if (i / 5 % 2 == 1)
            feeder_is_gone(&s);
        count += step(&a, &s, i * S, &told) >= 0;
    }
    T_TRUE(count >= 2 && count <= 10);
    for (int i = 601; i < 700; i++) {
        struct subject s = healthy();
        step(&a, &s, i * S, &told);
    }
    T_EQ(told.level, ALERT_OK);
}

T_TEST(growth_has_two_levels_and_waits_for_a_verdict)
{
    static const struct {
        uint32_t trend;
        int64_t growth;
        enum alert_level level;
    } table[] = {
        {PX_TREND_UNKNOWN, 90000000, ALERT_OK},     {PX_TREND_GROWING, 999999, ALERT_OK},
        {PX_TREND_GROWING, 1000000, ALERT_WARNING}, {PX_TREND_GROWING, 50000000, ALERT_CRITICAL},
        {PX_TREND_FLAT, 50000000, ALERT_OK},        {PX_TREND_SHRINKING, -9000000, ALERT_OK}};
    for (size_t i = 0; i < sizeof table / sizeof table[0]; i++) {
        struct alerts a = fresh();
        struct alert told = {.level = ALERT_OK};
        struct subject s = healthy();
        s.now.verdict = (struct px_memory_verdict){.mono_ns = 1,
                                                   .trend = table[i].trend,
                                                   .growth_bytes_per_hour = table[i].growth,
                                                   .owner = PX_OWNER_TLS};
        step(&a, &s, S, &told);
        step(&a, &s, S + ALERT_HOLD_NS, &told);
        T_EQ(told.level, table[i].level);
    }
}

T_TEST(staleness_is_not_told_again_because_the_feeder_is_down)
{
    struct alerts a = fresh();
    struct alert told;
    struct subject s = healthy();
    s.health.of_quality[PX_STALE] = 2;
    T_EQ(step(&a, &s, S, &told), -1);
    T_EQ(step(&a, &s, S + ALERT_HOLD_NS, &told), ALERT_STALENESS);
    /* all quality is stale now, and would be well again for a moment */
    feeder_is_gone(&s);
    step(&a, &s, 10 * S, &told);
    T_EQ(step(&a, &s, 10 * S + ALERT_HOLD_NS, &told), ALERT_FEEDER);
    T_EQ(a.kinds[ALERT_STALENESS].now, ALERT_WARNING);
}

T_TEST(an_open_breaker_names_its_venue)
{
    struct alerts a = fresh();
    struct alert told;
    struct subject s = healthy();
    snprintf(conns[0].info.venue, sizeof conns[0].info.venue, "kraken");
    snprintf(conns[0].info.reason, sizeof conns[0].info.reason, "HTTP 429");
    conns[0].info.breaker = PX_BREAKER_OPEN;
    s.health.breakers_open = 1;
    T_EQ(step(&a, &s, S, &told), -1);
    T_EQ(step(&a, &s, S + ALERT_HOLD_NS, &told), ALERT_BREAKER);
    T_STR(told.text, "the breaker of kraken is open: HTTP 429");
}

T_TEST(a_reader_that_loses_ticks_is_told_at_once_and_calm_after_a_minute)
{
    struct alerts a = fresh();
    struct alert told;
    struct subject s = healthy();
    snprintf(readers[0].name, sizeof readers[0].name, "slow");
    before_readers[0].pid = readers[0].pid = 7;
    before_readers[0].lost = 100;
    readers[0].lost = 142;
    T_EQ(step(&a, &s, S, &told), ALERT_LOSS);
    T_STR(told.text, "reader slow (pid 7) is too slow: it lost 42 ticks within a second");
    before_readers[0].lost = readers[0].lost;
    T_EQ(step(&a, &s, 2 * S, &told), -1);
    T_EQ(step(&a, &s, 62 * S, &told), ALERT_LOSS);
    T_EQ(told.level, ALERT_OK);
}
