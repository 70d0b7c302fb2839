/* What a receiver of frames reports: CPU time per frame, counted from the moment when a fifth of
 * the frames is through (caches, branch predictors and TCP windows are warm then), or the times
 * from the sender's stamp to here. */
#ifndef BENCH_FRAME_REPORT_H
#define BENCH_FRAME_REPORT_H

#include <stdint.h>

#include "clock.h"
#include "trade_frame.h"
#include "util.h"

#define FRAME_SAMPLES (1u << 18)

struct frame_report {
    int64_t cpu_begin, cpu_end, wall_begin, wall_end;
    long from, to;
    uint32_t count;
    uint32_t sample[FRAME_SAMPLES];
};

/* Frame `n` of `total` is done. */
static inline void frame_report_count(struct frame_report *r, long n, long total)
{
    if (n == total / 5) {
        r->from = n;
        r->cpu_begin = util_cpu_ns();
        r->wall_begin = clock_mono_ns();
    } else if (n == total) {
        r->to = n;
        r->cpu_end = util_cpu_ns();
        r->wall_end = clock_mono_ns();
    }
}

/* A frame with this stamp (trade_frame.h) was seen just now. */
static inline void frame_report_stamp(struct frame_report *r, uint64_t stamp)
{
    const int64_t ns = clock_mono_ns() - ((int64_t)stamp - TRADE_STAMP_BASE);
    if (r->count < FRAME_SAMPLES)
        r->sample[r->count++] = ns < 0 ? 0 : (uint32_t)(ns < UINT32_MAX ? ns : UINT32_MAX);
}

static inline void frame_report_print(struct frame_report *r, int stamps)
{
    if (stamps) {
        util_print("p50_ns", util_quantile(r->sample, r->count, 0.5));
        util_print("p99_ns", util_sorted_quantile(r->sample, r->count, 0.99));
        util_print("samples", r->count);
        return;
    }
    const double n = (double)(r->to - r->from);
    util_print("cpu_ns", (double)(r->cpu_end - r->cpu_begin) / n);
    util_print("wall_ns", (double)(r->wall_end - r->wall_begin) / n);
}

#endif
