/* The table made of counters.h. */
#include "counters.h"

#include "px/layout.h"

const struct px_counter_def px_feeder_counters[] = {
#define X(name, unit, type, text) {#name, unit, type, text},
    PX_FEEDER_COUNTERS(X)
#undef X
};

_Static_assert(sizeof(px_feeder_counters) / sizeof(px_feeder_counters[0]) == PX_C_COUNT,
               "table and enum have the same length");
_Static_assert((uint32_t)PX_C_END <= PXL_COUNTERS_MAX, "places in the segment");
