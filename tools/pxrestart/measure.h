/* What a restart costs, measured as a reader sees it: from the ticks on the bus. One restart at a
 * time in a process. */
#ifndef PX_TOOLS_PXRESTART_MEASURE_H
#define PX_TOOLS_PXRESTART_MEASURE_H

#include <stdint.h>

#include "px/bus.h"

struct measure {
    px_bus *bus; /* attached with options.all */
    struct px_bus_info before, after;
    int restarted;             /* `after` is of a later epoch */
    uint32_t subscribed;       /* symbols that somebody wanted before */
    int64_t last_ns, first_ns; /* when the last price before was received, and when the first after
                                  was there to be read; 0 none */
    uint64_t gaps, gap_ticks;  /* STATUS gap of the new epoch, and the ids that they miss */
    uint64_t skipped;          /* that we ourselves were too slow for */
    int64_t rss_before, rss_after; /* bytes, -1 unknown */
    /* per px_id: 1 was wanted and had a price, 2 has a price of the new epoch */
    uint8_t *state;
    uint32_t state_count, had_price, refreshed;
};

/* Look at the bus as it is. Errors: -ENOMEM, or of px_bus_info(). */
int measure_start(struct measure *m, px_bus *bus);
void measure_free(struct measure *m);

/* Read what has come, or wait for it until `end_ns` at most. */
void measure_step(struct measure *m, int64_t end_ns);

/* Look for a sample of memory that the new feeder took. 1 found. */
int measure_memory(struct measure *m);

/* ms from the last price received before to the first after; NAN while one of them is not known. */
double measure_blackout_ms(const struct measure *m);

#endif
