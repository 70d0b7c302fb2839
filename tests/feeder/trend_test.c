/* The verdict on synthetic traces: what it must call, what it must leave alone, and when.
 * bench/trend_rates counts the errors over thousands of days. */
#include <math.h>
#include <stdbool.h>

#include "t.h"
#include "trend.h"

#define MB     1e6
#define MINUTE 60
#define HOUR   3600

static const struct trend_limits limits = {.warn = 1e6, .critical = 50e6, .critical_left_s = 21600};

/* `leak` an hour from leak_from_s on; phases are parts of a tooth and of a day. */
struct trace {
    double noise, tooth, tooth_s, cycle, leak, leak_from_s, cycle_until_s, step, step_at_s,
        in_tooth, in_day;
};

static double normal(void)
{
    static uint64_t state = 42;
    double sum = -6;
    for (int i = 0; i < 12; i++) {
        state = state * 6364136223846793005u + 1442695040888963407u;
        sum += (double)(state >> 40) / (1 << 24);
    }
    return sum;
}

static uint64_t at(const struct trace *t, int s)
{
    double v = 64 * MB + t->noise * normal() + t->leak * fmax(s - t->leak_from_s, 0) / HOUR;
    if (t->tooth_s > 0)
        v += t->tooth * fmod(s / t->tooth_s + t->in_tooth, 1);
    double day = t->cycle_until_s > 0 ? fmin(s, t->cycle_until_s) : s;
    v += t->cycle / 2 * sin(6.283185307179586 * (day / 86400 + t->in_day));
    return (uint64_t)(s >= t->step_at_s ? v + t->step : v);
}

struct result {
    int first[PX_LEVEL_CRITICAL + 1]; /* second after warm-up of the first alarm, -1 none */
    int changes;
    int late; /* of those, levels entered on the second day */
    struct trend_verdict last;
};

/* The watch's rhythm: a glance each ten seconds, all windows each minute. */
static struct result watch(const struct trace *trace, int seconds)
{
    struct trend *t = trend_new(1);
    struct trend_alarm alarm = {0};
    struct result r = {.first = {-1, -1, -1}};
    for (int s = 0; s < seconds; s++) {
        struct trend_verdict v;
        uint32_t before = alarm.level;
        trend_sample(t, 0, at(trace, s));
        if (s % MINUTE == MINUTE - 1)
            trend_judge(t, 0, &v);
        else if (s % 10 != 9 || !trend_glance(t, 0, &v))
            continue;
        r.last = v;
        uint32_t level = trend_level(&alarm, &limits, &v, 0);
        r.changes += level != before;
        r.late += level > before && s >= 24 * HOUR;
        for (uint32_t l = PX_LEVEL_WARNING; l <= level; l++)
            if (r.first[l] < 0)
                r.first[l] = s - TREND_WARM_UP_S;
    }
    trend_free(t);
    return r;
}

static bool near(double value, double of, double part)
{
    return fabs(value - of) <= part * of;
}

static const struct trace noise = {.noise = 65536};
static const struct trace busy = {.noise = 65536, .tooth = MB, .tooth_s = 300, .cycle = 4 * MB};

T_TEST(one_mb_an_hour_is_called_within_half_an_hour)
{
    struct trace t = noise;
    t.leak = MB;
    struct result r = watch(&t, TREND_WARM_UP_S + 40 * MINUTE);
    T_TRUE(r.first[PX_LEVEL_WARNING] >= 0 && r.first[PX_LEVEL_WARNING] <= 30 * MINUTE);
    T_EQ(r.first[PX_LEVEL_CRITICAL], -1);
    T_TRUE(near(r.last.growth, MB, 0.2));
}

T_TEST(fifty_mb_an_hour_are_called_within_two_minutes)
{
    struct trace t = noise;
    t.leak = 50 * MB;
    struct result r = watch(&t, TREND_WARM_UP_S + 5 * MINUTE);
    T_TRUE(r.first[PX_LEVEL_WARNING] >= 0 && r.first[PX_LEVEL_WARNING] <= 2 * MINUTE);
    T_TRUE(r.first[PX_LEVEL_CRITICAL] >= 0);
    T_TRUE(near(r.last.growth, 50 * MB, 0.2));
}

/* From each tenth of a tooth and of a day on, and from any second of the watch's minute. */
T_TEST(fifty_mb_an_hour_are_critical_within_two_minutes_also_over_teeth_and_a_day)
{
    for (int i = 0; i < 30; i++) {
        struct trace t = busy;
        t.in_tooth = 0.1 * i;
        t.in_day = 0.1 * (3 * i);
        t.leak = 50 * MB;
        t.leak_from_s = TREND_WARM_UP_S + HOUR + 7 * i;
        int from = (int)t.leak_from_s;
        struct result r = watch(&t, from + 5 * MINUTE);
        int warned = r.first[PX_LEVEL_WARNING] + TREND_WARM_UP_S - from;
        int critical = r.first[PX_LEVEL_CRITICAL] + TREND_WARM_UP_S - from;
        T_TRUE(warned >= 0 && warned <= 2 * MINUTE);
        T_TRUE(critical >= warned && critical <= 2 * MINUTE);
        T_TRUE(near(r.last.growth, 50 * MB, 0.3));
    }
}

T_TEST(fifty_mb_an_hour_of_teeth_are_no_leak_where_they_fall_again)
{
    static const double periods[] = {20, 30, 45, 60, 70, 72};
    for (size_t i = 0; i < sizeof periods / sizeof periods[0]; i++) {
        struct trace t = noise;
        t.tooth = MB;
        t.tooth_s = periods[i];
        t.step = 3 * MB; /* after which they are higher than ever */
        t.step_at_s = TREND_WARM_UP_S + HOUR;
        struct result r = watch(&t, TREND_WARM_UP_S + 2 * HOUR);
        T_EQ(r.changes, 0);
    }
}

T_TEST(tall_teeth_are_known_after_the_first)
{
    struct trace t = {.noise = 65536, .tooth = 40 * MB, .tooth_s = HOUR};
    struct result r = watch(&t, TREND_WARM_UP_S + 12 * HOUR);
    T_TRUE(r.changes <= 4); /* the first: warned of, critical, and off again */
}

T_TEST(five_hundred_mb_an_hour_are_critical_at_once_and_so_measured)
{
    struct trace t = busy;
    t.leak = 500 * MB;
    struct result r = watch(&t, TREND_WARM_UP_S + 5 * MINUTE);
    T_TRUE(r.first[PX_LEVEL_CRITICAL] >= 0 && r.first[PX_LEVEL_CRITICAL] <= 2 * MINUTE);
    T_TRUE(near(r.last.growth, 500 * MB, 0.1));
}

/* A day's fall of half a megabyte an hour hides half of the leak, until there is a day before. */
T_TEST(one_mb_an_hour_is_called_within_half_an_hour_of_the_second_day_though_the_day_falls)
{
    for (int i = 0; i < 2; i++) {
        struct trace t = busy;
        t.leak = MB;
        t.leak_from_s = TREND_WARM_UP_S + 33 * HOUR;
        t.in_day = 0.5 - 33 / 24.0 + 0.01 * (i - 1); /* where it falls most */
        t.in_tooth = 0.25 * i;
        int from = (int)t.leak_from_s;
        struct result r = watch(&t, from + 40 * MINUTE);
        T_TRUE(r.first[PX_LEVEL_WARNING] >= 33 * HOUR);
        T_TRUE(r.first[PX_LEVEL_WARNING] <= 33 * HOUR + 30 * MINUTE);
        T_TRUE(near(r.last.growth, MB, 0.3));
    }
}

/* The day before, memory fell at this time by far more than it rises now. */
T_TEST(memory_that_stands_still_is_no_leak_though_it_fell_the_day_before)
{
    struct trace t = {.noise = 65536, .cycle = 20 * MB, .cycle_until_s = 24 * HOUR};
    struct result r = watch(&t, 40 * HOUR);
    T_TRUE(r.first[PX_LEVEL_WARNING] < 24 * HOUR);
    T_EQ(r.last.proved, false);
    T_EQ(r.late, 0);
}

T_TEST(a_leak_below_the_limit_is_seen_but_not_called)
{
    struct trace t = noise;
    t.leak = 0.5 * MB;
    struct result r = watch(&t, TREND_WARM_UP_S + 2 * HOUR);
    T_EQ(r.changes, 0);
    T_EQ(r.last.trend, PX_TREND_GROWING);
    T_TRUE(near(r.last.growth, 0.5 * MB, 0.2));
}

T_TEST(a_clean_day_of_noise_teeth_and_a_cycle_raises_no_alarm)
{
    struct result r = watch(&busy, 24 * HOUR);
    T_EQ(r.changes, 0);
}

T_TEST(a_step_is_no_leak)
{
    for (int m = 0; m < 10; m++) {
        struct trace t = noise;
        t.step = 4 * MB;
        t.step_at_s = TREND_WARM_UP_S + HOUR + 7 * m;
        struct result r = watch(&t, TREND_WARM_UP_S + 3 * HOUR);
        T_EQ(r.changes, 0);
    }
}

T_TEST(what_has_come_down_before_is_no_leak_when_it_rises_again)
{
    struct trace t = {.noise = 65536, .tooth = 8 * MB, .tooth_s = 1800};
    struct result r = watch(&t, TREND_WARM_UP_S + 12 * HOUR);
    T_TRUE(r.changes <= 2); /* the first rise cannot be told from a leak: on and off again */
}

T_TEST(nothing_is_said_before_a_window_is_full)
{
    struct trace t = {.leak = 500 * MB};
    struct result r = watch(&t, TREND_WARM_UP_S + 80);
    T_EQ(r.last.trend, PX_TREND_UNKNOWN);
    T_EQ(r.changes, 0);
}

T_TEST(memory_that_stands_still_is_flat_and_that_is_sure)
{
    struct trace t = {0};
    struct result r = watch(&t, TREND_WARM_UP_S + HOUR);
    T_EQ(r.last.trend, PX_TREND_FLAT);
    T_TRUE(r.last.growth == 0 && r.last.confidence > 0.99);
}

T_TEST(a_level_at_its_limit_is_entered_once)
{
    struct trend_alarm a = {0};
    struct trend_verdict v = {.trend = PX_TREND_GROWING, .proved = true};
    int changes = 0;
    for (int i = 0; i < 100; i++) {
        uint32_t before = a.level;
        v.growth = i % 2 == 0 ? 1.01 * MB : 0.75 * MB;
        changes += trend_level(&a, &limits, &v, 0) != before;
    }
    T_EQ(changes, 1);
    T_EQ(a.level, PX_LEVEL_WARNING);
    v.proved = false;
    for (int i = 0; i < 9; i++)
        T_EQ(trend_level(&a, &limits, &v, 0), PX_LEVEL_WARNING);
    T_EQ(trend_level(&a, &limits, &v, 0), PX_LEVEL_OK);
}

T_TEST(little_time_to_the_limit_is_critical_however_slow_the_growth)
{
    struct trend_alarm a = {0};
    struct trend_verdict v = {.trend = PX_TREND_GROWING, .proved = true, .growth = 2 * MB};
    T_EQ(trend_time_left(&v, (uint64_t)(20 * MB)), 36000);
    T_EQ(trend_level(&a, &limits, &v, (uint64_t)(20 * MB)), PX_LEVEL_WARNING);
    T_EQ(trend_level(&a, &limits, &v, (uint64_t)(10 * MB)), PX_LEVEL_CRITICAL);
    v.proved = false;
    T_EQ(trend_time_left(&v, 1), -1);
}

T_TEST(a_row_that_begins_anew_forgets_and_warms_up_again)
{
    struct trend *t = trend_new(2);
    struct trend_verdict v;
    for (int s = 0; s < TREND_WARM_UP_S + HOUR; s++)
        for (uint32_t row = 0; row < 2; row++)
            trend_sample(t, row, (uint64_t)s * 10000);
    trend_restart(t, 0);
    trend_judge(t, 0, &v);
    T_EQ(v.trend, PX_TREND_UNKNOWN);
    trend_judge(t, 1, &v);
    T_EQ(v.trend, PX_TREND_GROWING);
    T_TRUE(v.proved && near(v.growth, 36 * MB, 0.001));
    trend_free(t);
}
