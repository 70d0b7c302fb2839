/* Memory of the feeder: a sample each second, one each minute, the census of live objects, soft and
 * hard limit. It has no verdict on the trend yet: that stays PX_TREND_UNKNOWN with confidence 0. */
#ifndef PX_MEMWATCH_H
#define PX_MEMWATCH_H

#include <stdint.h>

#include "px/writer.h"

/* What the owners of objects know, gathered by the caller. */
struct memwatch_census {
    uint64_t tls_bytes, websocket_bytes, json_bytes; /* of the heap; the rest is the feeder's */
    uint32_t connections, timers, subscriptions, readers;
};

struct memwatch {
    px_writer *writer;
    int statm_fd; /* /proc/self/statm, kept open: reading it costs no allocation */
    uint64_t page_bytes, soft_bytes, hard_bytes;
    uint64_t heap_bytes, rss_bytes; /* of the last sample */
    int64_t last_trim_ns;
    uint32_t samples;
    uint32_t level; /* enum px_level */
};

/* Limits in MB of resident memory that is the feeder's own (segment, shared libraries and readers'
 * pages are not), 0 none. Errors: negative errno of open(2). */
int memwatch_open(struct memwatch *m, px_writer *w, uint32_t soft_mb, uint32_t hard_mb);
void memwatch_limits(struct memwatch *m, uint32_t soft_mb, uint32_t hard_mb);
void memwatch_close(struct memwatch *m);

/* Once a second. Above the soft limit the allocator gives back what it can, at most once a minute.
 */
void memwatch_sample(struct memwatch *m, const struct memwatch_census *census, int64_t now_ns,
                     int64_t utc_ns);

/* What PXC_TRIM does: give free memory back to the system. Returns bytes of resident memory less.
 */
uint64_t memwatch_trim(struct memwatch *m);

#endif
