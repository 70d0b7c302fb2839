/* Does memory grow: a verdict on rows of samples, one a second. Mann-Kendall says whether there is
 * a trend, Sen's slope how steep it is, over windows of 90 seconds to a day; docs/memory.md says
 * why that alone raises false alarms and what is asked besides. Pure: no clock, no memory but one
 * block.
 */
#ifndef PX_FEEDER_TREND_H
#define PX_FEEDER_TREND_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "px/info.h"

/* Samples that are not looked at: tables fill, caches warm. */
#define TREND_WARM_UP_S 600

struct trend;

struct trend_verdict {
    uint32_t trend;    /* enum px_trend; UNKNOWN until a window is full */
    uint32_t window_s; /* the window that says so, 0 none */
    double growth;     /* bytes an hour, by Sen's slope */
    double confidence; /* of the trend, 0 to 1 */
    bool proved;       /* growing, and what memory does of its own accord does not explain it */
};

/* Rows that are watched side by side. Owner: the caller, until trend_free(). NULL: no memory. */
struct trend *trend_new(uint32_t rows);
void trend_free(struct trend *t);
size_t trend_bytes(uint32_t rows);

/* The next second's bytes of one row. */
void trend_sample(struct trend *t, uint32_t row, uint64_t bytes);
/* Forget the row's samples and begin anew, warm-up included: something was done to it on purpose.
 */
void trend_restart(struct trend *t, uint32_t row);

/* All windows: once a minute. Costs half a millisecond at most. */
void trend_judge(struct trend *t, uint32_t row, struct trend_verdict *out);
/* Only the two shortest ones, which find a leak that cannot wait: each ten seconds. True: proved.
 */
bool trend_glance(struct trend *t, uint32_t row, struct trend_verdict *out);

/* When growth is said, in bytes an hour, and when time is short. */
struct trend_limits {
    double warn, critical;
    int64_t critical_left_s;
};
/* Levels are entered at once and left when growth was below 65 % of what they ask for in ten
 * verdicts on end, so that what hovers around a limit is said once. Zeroed before first use. */
struct trend_alarm {
    uint32_t level, calm; /* enum px_level; verdicts below it */
};
/* One verdict, and the bytes that are left to the limit (0 no limit). Returns the level. */
uint32_t trend_level(struct trend_alarm *a, const struct trend_limits *limits,
                     const struct trend_verdict *v, uint64_t left_bytes);
/* Seconds until `left_bytes` are grown, -1 never. */
int64_t trend_time_left(const struct trend_verdict *v, uint64_t left_bytes);

#endif
