/* The two clocks, in nanoseconds. Liveness, ages and rates use CLOCK_MONOTONIC only. */
#ifndef PXI_CLOCK_H
#define PXI_CLOCK_H

#include <stdint.h>
#include <time.h>

static inline int64_t pxi_clock(clockid_t id)
{
    struct timespec t;
    clock_gettime(id, &t);
    return (int64_t)t.tv_sec * 1000000000 + t.tv_nsec;
}

static inline int64_t pxi_now_mono(void)
{
    return pxi_clock(CLOCK_MONOTONIC);
}

static inline int64_t pxi_now_utc(void)
{
    return pxi_clock(CLOCK_REALTIME);
}

#endif
