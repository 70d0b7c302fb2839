/* The trend's error rates, over simulated traces of memory: minutes until a leak is called, and
 * false alarms of clean days.
 *   trend_rates [--days N] [--leaks N] [--seed N] [--only TEXT] [--say]
 * clean days; traces of each leak; only scenes whose name contains TEXT; tell each alarm */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "trend.h"
#include "util.h"

#define KIB 1024.0
#define MB  1e6
#define DAY 86400
/* A leak that is not called by then counts as missed. */
#define PATIENCE_S (6 * 3600)
/* A leak begins when its windows are full, or when there is a day to compare with. */
#define LATER_S      4200
#define SECOND_DAY_S (33 * 3600)
/* What the goals are stated over. */
#define NOISE .noise = 64 * KIB
#define TEETH .tooth = 1 * MB, .tooth_s = 300
#define CYCLE .cycle = 4 * MB

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
static int say_alarms;

struct outcome {
    int first[PX_LEVEL_CRITICAL + 1]; /* second of the first alarm of this level, -1 none */
    int alarms;
};

static void say(int s, const struct trend_verdict *v, const struct trace *trace)
{
    if (say_alarms)
        printf("  at %d: window %u growth %.0f confidence %.4f phases %.2f %.2f\n", s, v->window_s,
               v->growth, v->confidence, trace->phase_tooth, trace->phase_day);
}

/* One trace in the watch's rhythm, until an alarm of level `until`. */
static struct outcome run(struct trend *t, const struct trace *trace, int seconds, uint32_t until)
{
    struct trend_alarm alarm = {0};
    struct outcome o = {.first = {-1, -1, -1}};
    trend_restart(t, 0);
    for (int s = 0; s < seconds && alarm.level < until; s++) {
        struct trend_verdict v;
        uint32_t before = alarm.level;
        trend_sample(t, 0, at(trace, s));
        if (s % 60 == 59)
            trend_judge(t, 0, &v);
        else if (s % 10 != 9 || !trend_glance(t, 0, &v))
            continue;
        if (trend_level(&alarm, &limits, &v, 0) <= before)
            continue;
        o.alarms++;
        say(s, &v, trace);
        for (uint32_t level = before + 1; level <= alarm.level; level++)
            o.first[level] = o.first[level] < 0 ? s : o.first[level];
    }
    return o;
}

static void random_phases(struct trace *trace)
{
    trace->phase_tooth = uniform();
    trace->phase_day = uniform();
}

static int ascending(const void *a, const void *b)
{
    int x = *(const int *)a, y = *(const int *)b;
    return (x > y) - (x < y);
}

/* Seconds from the leak's begin, or from the end of the warm-up if it was there before; leaks that
 * begin do so at any second of the watch's minute. */
static void leaks(struct trend *t, const char *name, struct trace trace, int count, uint32_t level)
{
    int *took = malloc((size_t)count * sizeof *took), missed = 0, early = 0;
    const double begin = trace.leak_from_s;
    for (int i = 0; i < count; i++) {
        random_phases(&trace);
        if (begin > 0)
            trace.leak_from_s = begin + floor(60 * uniform());
        int from = begin > 0 ? (int)trace.leak_from_s : TREND_WARM_UP_S;
        int first = run(t, &trace, from + PATIENCE_S, level).first[level];
        early += first >= 0 && first < from;
        missed += first < 0;
        took[i] = first < 0 ? PATIENCE_S : first - from;
    }
    qsort(took, (size_t)count, sizeof *took, ascending);
    printf("%-48s %6d %8.1f %8.1f %8.1f %7d %6d\n", name, count, took[count / 2] / 60.0,
           took[count * 95 / 100] / 60.0, took[count - 1] / 60.0, missed, early);
    fflush(stdout);
    free(took);
}

/* Clean days, so many of them in one piece. */
static void clean(struct trend *t, const char *name, struct trace trace, int days, int piece)
{
    int alarms = 0, bad = 0, runs = days / piece;
    for (int i = 0; i < runs; i++) {
        random_phases(&trace);
        int a = run(t, &trace, piece * DAY, UINT32_MAX).alarms;
        alarms += a;
        bad += a > 0;
    }
    printf("%-48s %6d of %d day%s: %6d with a false alarm, %d alarms\n", name, runs, piece,
           piece > 1 ? "s" : "", bad, alarms);
    fflush(stdout);
}

static void all_leaks(struct trend *t, int count, const char *only)
{
    static const struct {
        const char *name;
        struct trace base;
        double least, most; /* MB an hour */
        uint32_t level;
    } scenes[] = {
        {"noise, from the start", {NOISE}, 0, 500, PX_LEVEL_WARNING},
        {"noise, later", {NOISE, .leak_from_s = LATER_S}, 0, 500, PX_LEVEL_WARNING},
        {"noise and teeth, from the start", {NOISE, TEETH}, 0, 500, PX_LEVEL_WARNING},
        {"noise and teeth, later",
         {NOISE, TEETH, .leak_from_s = LATER_S},
         0,
         500,
         PX_LEVEL_WARNING},
        {"noise, teeth, day, later",
         {NOISE, TEETH, CYCLE, .leak_from_s = LATER_S},
         0,
         500,
         PX_LEVEL_WARNING},
        {"critical: noise, teeth, day, later",
         {NOISE, TEETH, CYCLE, .leak_from_s = LATER_S},
         50,
         500,
         PX_LEVEL_CRITICAL},
        {"noise, teeth, day, second day",
         {NOISE, TEETH, CYCLE, .leak_from_s = SECOND_DAY_S},
         0,
         50,
         PX_LEVEL_WARNING},
    };
    static const double sizes[] = {0.5, 1, 2, 5, 10, 20, 50, 100, 200, 500};
    printf("%-48s %6s %8s %8s %8s %7s %6s\n", "leak, MB/hour, minutes until it is called", "traces",
           "median", "95 %", "worst", "missed", "early");
    for (size_t g = 0; g < sizeof scenes / sizeof scenes[0]; g++)
        for (size_t i = 0; i < sizeof sizes / sizeof sizes[0]; i++) {
            char name[64];
            struct trace trace = scenes[g].base;
            snprintf(name, sizeof name, "%5.1f %s", sizes[i], scenes[g].name);
            trace.leak = sizes[i] * MB;
            if (sizes[i] >= scenes[g].least && sizes[i] <= scenes[g].most &&
                strstr(name, only) != NULL)
                leaks(t, name, trace, count, scenes[g].level);
        }
}

static void all_clean(struct trend *t, int days, const char *only)
{
    static const struct {
        const char *name;
        struct trace trace;
        int part, piece; /* that part of the days, so many in one piece */
    } scenes[] = {
        {"clean: noise", {NOISE}, 10, 1},
        {"clean: noise, teeth", {NOISE, TEETH}, 10, 1},
        {"clean: noise, teeth, day", {NOISE, TEETH, CYCLE}, 1, 1},
        {"clean: noise, teeth, day, five days", {NOISE, TEETH, CYCLE}, 1, 5},
        /* no multiple of the teeth: they would hide each other */
        {"clean: noise and a step of 1 MB each 2 hours",
         {NOISE, .step = MB, .step_s = 7331},
         10,
         1},
        {"clean: teeth and a step of 1 MB each 2 hours",
         {NOISE, TEETH, CYCLE, .step = MB, .step_s = 7331},
         10,
         1},
        {"clean: teeth of 30 s", {NOISE, CYCLE, .tooth = MB, .tooth_s = 30}, 10, 1},
        {"clean: teeth of 1 min", {NOISE, CYCLE, .tooth = MB, .tooth_s = 60}, 10, 1},
        {"clean: teeth of 2 min", {NOISE, CYCLE, .tooth = MB, .tooth_s = 120}, 10, 1},
        {"clean: teeth of 7 min", {NOISE, CYCLE, .tooth = MB, .tooth_s = 420}, 10, 1},
        {"clean: teeth of 15 min", {NOISE, CYCLE, .tooth = MB, .tooth_s = 900}, 10, 1},
        {"clean: teeth of 30 min", {NOISE, CYCLE, .tooth = MB, .tooth_s = 1800}, 10, 1},
        {"clean: teeth of 1 h", {NOISE, CYCLE, .tooth = MB, .tooth_s = 3600}, 10, 1},
        {"clean: teeth of 2 h", {NOISE, CYCLE, .tooth = MB, .tooth_s = 7200}, 10, 1},
    };
    for (size_t i = 0; i < sizeof scenes / sizeof scenes[0]; i++)
        if (strstr(scenes[i].name, only) != NULL)
            clean(t, scenes[i].name, scenes[i].trace, days / scenes[i].part, scenes[i].piece);
}

int main(int argc, char **argv)
{
    int days = (int)util_option(argc, argv, "days", 1000);
    int count = (int)util_option(argc, argv, "leaks", 100);
    const char *only = util_text_option(argc, argv, "only", "");
    state = (uint64_t)util_option(argc, argv, "seed", 88172645463325252);
    say_alarms = util_flag(argc, argv, "say");
    struct trend *t = trend_new(1);
    if (t == NULL)
        util_die("memory", 0);
    if (count > 0)
        all_leaks(t, count, only);
    if (days > 0)
        all_clean(t, days, only);
    trend_free(t);
    return 0;
}
