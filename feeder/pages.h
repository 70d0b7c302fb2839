/* Pages of the process that are held in memory (mlock) or are huge, as far as the system allows,
 * and how many there are. What it does not allow is said once and shown; the feed goes on all the
 * same.
 */
#ifndef PX_FEEDER_PAGES_H
#define PX_FEEDER_PAGES_H

#include <stdbool.h>
#include <stdint.h>

#include "px/writer.h"

/* What came of a wish: the counters mlock_state and huge_state. */
enum pages_state { PAGES_OFF = 0, PAGES_ALL, PAGES_PART, PAGES_REFUSED };

struct pages {
    px_writer *writer;
    bool lock, huge; /* wished */
    int status_fd;   /* /proc/self/status, kept open; -1 */
    int rollup_fd;   /* /proc/self/smaps_rollup, likewise */
    uint32_t samples;
};

/* When all is allocated: make huge, then lock, what is mapped. Errors: none, they are told by the
 * counters, in the table of errors and in the log. */
void pages_open(struct pages *p, px_writer *w, bool lock, bool huge);
void pages_close(struct pages *p);
/* Once a second: the figures. */
void pages_sample(struct pages *p);

#endif
