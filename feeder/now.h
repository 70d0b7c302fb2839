/* The two clocks of the feeder, in nanoseconds. Pure modules take the time as an argument. */
#ifndef PX_FEEDER_NOW_H
#define PX_FEEDER_NOW_H

#include <stdint.h>
#include <time.h>

static inline int64_t now_of(clockid_t id)
{
    struct timespec t;
    clock_gettime(id, &t);
    return t.tv_sec * INT64_C(1000000000) + t.tv_nsec;
}

static inline int64_t now_mono_ns(void)
{
    return now_of(CLOCK_MONOTONIC);
}

static inline int64_t now_utc_ns(void)
{
    return now_of(CLOCK_REALTIME);
}

#endif
