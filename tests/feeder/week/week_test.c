#include "week.h"

#include "t.h"

/* Every kind of failure is to befall so many times in a run of seeds, or the test says nothing. */
static void run(uint64_t seeds, int64_t length_ns, uint64_t least)
{
    uint64_t hit[WEEK_FAULT_COUNT] = {0}, trades = 0, gaps = 0, stale = 0, quiet = 0;
    const char *only = getenv("PX_SEED");
    uint64_t from = only != NULL ? strtoull(only, NULL, 10) : 1;
    for (uint64_t seed = from; seed < from + (only != NULL ? 1 : seeds); seed++) {
        week_run(seed, length_ns);
        for (uint32_t f = 0; f < WEEK_FAULT_COUNT; f++)
            hit[f] += week.hit[f];
        trades += week.trades;
        gaps += week.gaps;
        stale += week.stale;
        quiet += week.quiet;
    }
    for (uint32_t f = WEEK_NONE + 1; f < WEEK_FAULT_COUNT; f++)
        printf("%5llu  %s\n", (unsigned long long)hit[f], week_names[f]);
    printf("%llu trades read, %llu gaps, %llu times stale, %llu quiet\n",
           (unsigned long long)trades, (unsigned long long)gaps, (unsigned long long)stale,
           (unsigned long long)quiet);
    for (uint32_t f = WEEK_NONE + 1; f < WEEK_FAULT_COUNT && only == NULL; f++)
        WEEK_MUST(hit[f] >= least, "'%s' befell %llu times only", week_names[f],
                  (unsigned long long)hit[f]);
}

T_TEST(a_week_of_failures_breaks_no_promise)
{
    const char *days = getenv("PX_DAYS");
    run(1, (days != NULL ? atoll(days) : 7) * DAY, 1);
}
