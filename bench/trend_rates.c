/* The trend's error rates, over simulated traces of memory: seconds until a leak is called, and
 * false alarms of clean days.
 *   trend_rates [DAYS [LEAKS [SEED]]]    clean days, and traces of each leak */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "trend.h"
#include "util.h"

#define KIB 1024.0
#define MB  1e6
#define DAY 86400

struct trace {
    double noise;          /* standard deviation, bytes */
    double tooth, tooth_s; /* height, period */
    double cycle;          /* top to bottom in a day */
    double step;           /* height of a step, one each `step_s` */
    double step_s;
    double leak, leak_from_s; /* bytes an hour; since when */
    double phase_tooth, phase_day;
};

static uint64_t state;

static double uniform(void)
{
    state ^= state << 13;
    state ^= state >> 7;
    state ^= state << 17;
    return (double)(state >> 11) * 0x1p-53;
}

static double normal(void)
{
    static double kept;
    static int has;
    if (has) {
        has = 0;
        return kept;
    }
    double r = sqrt(-2 * log(1 - uniform())), a = 6.283185307179586 * uniform();
    kept = r * sin(a);
    has = 1;
    return r * cos(a);
}

static uint64_t at(const struct trace *t, double s)
{
    double v = 64 * MB + t->noise * normal();
    if (t->tooth_s > 0)
        v += t->tooth * fmod(s / t->tooth_s + t->phase_tooth, 1);
    v += t->cycle / 2 * sin(6.283185307179586 * (s / DAY + t->phase_day));
    if (t->step_s > 0)
        v += t->step * floor(s / t->step_s + t->phase_tooth);
    if (s > t->leak_from_s)
        v += t->leak * (s - t->leak_from_s) / 3600;
    return (uint64_t)v;
}

static const struct trend_limits limits = {.warn = 1e6, .critical = 50e6, .critical_left_s = 21600};

/* One trace; returns the second of the first alarm of this level or above, -1 never. */
static int run(struct trend *t, struct trace trace, int seconds, uint32_t level, int *alarms)
{
    struct trend_alarm alarm = {0};
    int first = -1;
    trend_restart(t, 0);
    trace.phase_tooth = uniform();
    trace.phase_day = uniform();
    for (int s = 0; s < seconds; s++) {
        struct trend_verdict v;
        uint32_t before = alarm.level;
        trend_sample(t, 0, at(&trace, s));
        if (s % 60 == 59)
            trend_judge(t, 0, &v);
        else if (s % 10 != 9 || !trend_glance(t, 0, &v))
            continue;
        if (trend_level(&alarm, &limits, &v, 0) > before) {
            ++*alarms;
            if (getenv("TREND_SAY") != NULL)
                printf("  at %d: window %u growth %.0f confidence %.4f phases %.2f %.2f\n", s,
                       v.window_s, v.growth, v.confidence, trace.phase_tooth, trace.phase_day);
        }
        if (first < 0 && alarm.level >= level) {
            first = s;
            if (trace.leak > 0)
                return first;
        }
    }
    return first;
}

static int ascending(const void *a, const void *b)
{
    int x = *(const int *)a, y = *(const int *)b;
    return (x > y) - (x < y);
}

/* Seconds from the leak's begin, or from the end of the warm-up if it was there before. */
static void leaks(struct trend *t, const char *name, struct trace trace, int count)
{
    int *took = malloc((size_t)count * sizeof *took), alarms = 0, missed = 0, early = 0;
    int from = trace.leak_from_s > TREND_WARM_UP_S ? (int)trace.leak_from_s : TREND_WARM_UP_S;
    for (int i = 0; i < count; i++) {
        int first = run(t, trace, from + 6 * 3600, PX_LEVEL_WARNING, &alarms);
        early += first >= 0 && first < from;
        missed += first < 0;
        took[i] = first < 0 ? 6 * 3600 : first - from;
    }
    qsort(took, (size_t)count, sizeof *took, ascending);
    printf("%-44s %6d %8.1f %8.1f %8.1f %7d %6d\n", name, count, took[count / 2] / 60.0,
           took[count * 95 / 100] / 60.0, took[count - 1] / 60.0, missed, early);
    fflush(stdout);
    free(took);
}

static void clean(struct trend *t, const char *name, struct trace trace, int days)
{
    int alarms = 0, bad = 0;
    for (int i = 0; i < days; i++)
        bad += run(t, trace, DAY, PX_LEVEL_WARNING, &alarms) >= 0;
    printf("%-44s %6d days %6d with a false alarm, %d alarms\n", name, days, bad, alarms);
    fflush(stdout);
}

int main(int argc, char **argv)
{
    int days = argc > 1 ? atoi(argv[1]) : 1000, count = argc > 2 ? atoi(argv[2]) : 200;
    state = argc > 3 ? strtoull(argv[3], NULL, 10) : 88172645463325252u;
    struct trend *t = trend_new(1);
    if (t == NULL)
        util_die("memory", 0);
    const struct trace flat = {.noise = 64 * KIB};
    struct trace saw = flat, all = flat, trace;
    saw.tooth = 1 * MB;
    saw.tooth_s = 300;
    all = saw;
    all.cycle = 4 * MB;
    if (count > 0)
        printf("%-44s %6s %8s %8s %8s %7s %6s\n", "leak, MB/hour, minutes until it is called",
               "traces", "median", "95 %", "worst", "missed", "early");
    static const double sizes[] = {0.5, 1, 2, 5, 10, 20, 50, 100, 200, 500};
    const struct {
        const char *name;
        struct trace base;
        double from;
    } grounds[] = {{"noise, from the start", flat, 0},
                   {"noise, after an hour", flat, 4200},
                   {"noise and teeth, from the start", saw, 0},
                   {"noise and teeth, after an hour", saw, 4200},
                   {"noise, teeth, day, after an hour", all, 4200}};
    for (size_t g = 0; count > 0 && g < sizeof grounds / sizeof grounds[0]; g++)
        for (size_t i = 0; i < sizeof sizes / sizeof sizes[0]; i++) {
            char name[64];
            trace = grounds[g].base;
            trace.leak = sizes[i] * MB;
            trace.leak_from_s = grounds[g].from;
            snprintf(name, sizeof name, "%5.1f %s", sizes[i], grounds[g].name);
            leaks(t, name, trace, count);
        }
    clean(t, "clean: noise", flat, days / 10);
    clean(t, "clean: noise, teeth", saw, days / 10);
    clean(t, "clean: noise, teeth, day", all, days);
    trace = all;
    trace.step = 1 * MB;
    trace.step_s = 7331; /* no multiple of the teeth: they would hide each other */
    clean(t, "clean: and a step of 1 MB each 2 hours", trace, days / 10);
    static const double periods[] = {30, 120, 420, 900, 1800, 3600, 7200};
    for (size_t i = 0; i < sizeof periods / sizeof periods[0]; i++) {
        char name[64];
        trace = all;
        trace.tooth_s = periods[i];
        snprintf(name, sizeof name, "clean: teeth of %.0f s", periods[i]);
        clean(t, name, trace, days / 10);
    }
    trend_free(t);
    return 0;
}
