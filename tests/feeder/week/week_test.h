/* Shared by the short and the long form. */
#ifndef PX_TESTS_WEEK_TEST_H
#define PX_TESTS_WEEK_TEST_H

#include "t.h"

#include "week.h"

/* So many seeds from 1 on, or PX_SEED alone. Every kind of failure is to befall often enough, or
 * the test says nothing. */
static inline void week_seeds(uint64_t seeds, const struct week_plan *plan, uint64_t least)
{
    uint64_t hit[WEEK_FAULT_COUNT] = {0}, trades = 0, gaps = 0, stale = 0, quiet = 0, cuts[2] = {0};
    const char *only = getenv("PX_SEED");
    uint64_t from = only != NULL ? strtoull(only, NULL, 10) : 1;
    for (uint64_t seed = from; seed < from + (only != NULL ? 1 : seeds); seed++) {
        week_run(seed, plan);
        for (uint32_t f = 0; f < WEEK_FAULT_COUNT; f++)
            hit[f] += week.hit[f];
        trades += week.trades;
        gaps += week.gaps;
        stale += week.stale;
        quiet += week.quiet;
        cuts[0] += week.false_cuts[0];
        cuts[1] += week.false_cuts[1];
    }
    for (uint32_t f = WEEK_NONE + 1; f < WEEK_FAULT_COUNT; f++)
        printf("%5llu  %s\n", (unsigned long long)hit[f], week_names[f]);
    printf("%llu trades read, %llu gaps, %llu times stale, %llu quiet; connections cut that were "
           "only quiet: %llu of a quiet exchange, %llu of others\n",
           (unsigned long long)trades, (unsigned long long)gaps, (unsigned long long)stale,
           (unsigned long long)quiet, (unsigned long long)cuts[0], (unsigned long long)cuts[1]);
    for (uint32_t f = WEEK_NONE + 1; f < WEEK_FAULT_COUNT && only == NULL; f++)
        WEEK_MUST(hit[f] >= least, "'%s' befell %llu times only", week_names[f],
                  (unsigned long long)hit[f]);
}

#endif
