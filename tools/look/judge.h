/* The exit code and the one sentence. */
#ifndef PX_TOOLS_LOOK_JUDGE_H
#define PX_TOOLS_LOOK_JUDGE_H

#include "snapshot.h"

/* The monitoring-plugin convention: 0 healthy, 1 warning, 2 critical; 3 unknown is for main(). */
enum { HEALTH_OK = 0, HEALTH_WARNING = 1, HEALTH_CRITICAL = 2, HEALTH_UNKNOWN = 3 };

struct health {
    int code;
    const char *state;  /* of the feeder: live idle stalled gone closed retired */
    char sentence[320]; /* what is wrong, or that nothing is */
    size_t subscribed;
    size_t of_quality[PX_QUALITY_COUNT]; /* of the subscribed */
    size_t breakers_open;
};

/* Pure: the same snapshot gives the same health. */
void judge(const struct snapshot *s, struct health *health);

/* Is there a process, be it stopped? */
int feeder_runs(const struct health *health);

/* "OK", "WARNING", "CRITICAL". */
const char *health_word(int code);

/* "unknown" until it was judged, then "flat", "growing" or "shrinking". */
const char *trend_name(const struct px_memory_verdict *verdict);

#endif
