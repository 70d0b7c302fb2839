/* Memory of the feeder: a sample each second, one each minute, the census of live objects, the
 * trend of resident memory and of each owner, soft and hard limit. A verdict each minute, and at
 * once when a short window is enough. */
#ifndef PX_MEMWATCH_H
#define PX_MEMWATCH_H

#include <stdbool.h>
#include <stdint.h>

#include "trend.h"

#include "px/writer.h"

/* What only the caller knows. */
struct memwatch_census {
    uint64_t buffer_bytes; /* of links, reserved at start: the websocket's, on our own account */
    uint32_t connections, timers, subscriptions, readers;
};

/* MB of resident memory that is the feeder's own (segment, shared libraries and readers' pages are
 * not), and MB an hour of growth; 0 none. */
struct memwatch_limits {
    uint32_t soft_mb, hard_mb, warn_mb_h, critical_mb_h;
};

/* Resident memory, then the owners. */
#define MEMWATCH_ROWS (1 + PX_OWNER_COUNT)

struct memwatch {
    px_writer *writer;
    int statm_fd; /* /proc/self/statm, kept open: reading it costs no allocation */
    uint64_t page_bytes, soft_bytes, hard_bytes;
    uint64_t heap_bytes, rss_bytes, own_bytes; /* of the last sample */
    uint64_t calls[PX_OWNER_COUNT]; /* that libraries made to their allocators: those counted */
    struct trend *trend;
    struct trend_limits growth;
    struct trend_alarm alarm;
    struct trend_verdict row[MEMWATCH_ROWS];
    struct memwatch_census high; /* most of each that there ever were */
    uint32_t samples, clean_at;  /* clean up again not before that many */
    uint32_t limit_level, level; /* enum px_level: of the limits alone, and of all */
    /* Give back what can be spared: the caller's part of memwatch_clean(). */
    void (*clean)(void *user);
    void *user;
};

/* Errors: negative errno of open(2); -ENOMEM. */
int memwatch_open(struct memwatch *m, px_writer *w, const struct memwatch_limits *limits);
void memwatch_limits(struct memwatch *m, const struct memwatch_limits *limits);
void memwatch_close(struct memwatch *m);
size_t memwatch_bytes(void);

/* Once a second. Above the soft limit it cleans up, at most once a minute. */
void memwatch_sample(struct memwatch *m, const struct memwatch_census *census, int64_t now_ns,
                     int64_t utc_ns);
/* Above the hard limit: time to recycle. */
bool memwatch_over(const struct memwatch *m);

/* What PXC_TRIM does too: the caller's clean-up, then free memory goes back to the system. Returns
 * bytes of resident memory less, and counts them. If they are many, the trend of resident memory
 * begins anew. */
uint64_t memwatch_clean(struct memwatch *m);

/* When all is closed: what libraries still hold, as one line of the log at level debug, for tests.
 * A leak within OpenSSL's pool, or of a block that somebody still points to, no tool would see. */
void memwatch_rest(void);

#endif
