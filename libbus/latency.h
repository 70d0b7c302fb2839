/* Buckets of the latency histogram, as px/info.h states them: 4 to an octave. */
#ifndef PXI_LATENCY_H
#define PXI_LATENCY_H

#include "px/info.h"

static inline unsigned pxi_latency_bucket(uint64_t ns)
{
    if (ns < 8)
        return (unsigned)ns;
    unsigned e = 63u - (unsigned)__builtin_clzll(ns);
    unsigned b = (e - 1) * 4 + (unsigned)((ns >> (e - 2)) & 3);
    return b < PX_LATENCY_BUCKETS ? b : PX_LATENCY_BUCKETS - 1;
}

#endif
