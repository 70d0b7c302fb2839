/* Time of the benchmarks. Intervals are counted in cycles: on x86 the time stamp counter, behind an
 * lfence so that it is not read before the loads in front of it are done (it needs constant_tsc,
 * which machine.py checks and prints); elsewhere CLOCK_MONOTONIC in ns. Valid C and C++. */
#ifndef BENCH_CLOCK_H
#define BENCH_CLOCK_H

#include <stdint.h>
#include <time.h>

#if defined(__x86_64__)
#include <x86intrin.h>
#define CLOCK_NAME  "rdtsc"
#define cpu_pause() _mm_pause()
#else
#define CLOCK_NAME  "clock_gettime"
#define cpu_pause() __asm__ __volatile__("" ::: "memory")
#endif

static inline int64_t clock_mono_ns(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (int64_t)t.tv_sec * 1000000000 + t.tv_nsec;
}

static inline uint64_t clock_cycles(void)
{
#if defined(__x86_64__)
    _mm_lfence();
    return __rdtsc();
#else
    return (uint64_t)clock_mono_ns();
#endif
}

/* Nanoseconds of one cycle, against CLOCK_MONOTONIC over 20 ms. */
static inline double clock_calibrate(void)
{
    int64_t t0 = clock_mono_ns(), t1;
    uint64_t c0 = clock_cycles();
    do
        t1 = clock_mono_ns();
    while (t1 - t0 < 20000000);
    return (double)(t1 - t0) / (double)(clock_cycles() - c0);
}

/* What one clock_cycles() costs, in cycles: the least of many back-to-back pairs. */
static inline uint64_t clock_cost_cycles(void)
{
    uint64_t least = UINT64_MAX;
    for (int i = 0; i < 1000; i++) {
        uint64_t a = clock_cycles();
        uint64_t d = clock_cycles() - a;
        if (d < least)
            least = d;
    }
    return least;
}

#endif
