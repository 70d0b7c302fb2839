/* Pages of the feeder: locked, huge, refused and why. */
#ifndef PX_TOOLS_LOOK_PAGES_H
#define PX_TOOLS_LOOK_PAGES_H

#include "snapshot.h"

struct pages_told {
    const char *lock, *huge;               /* "off", "all", "part", "refused" */
    const char *lock_reason, *huge_reason; /* the snapshot's; NULL: nothing was refused */
    uint64_t locked_bytes, huge_heap_bytes, huge_shm_bytes;
    uint64_t minor, major; /* page faults of the process, restarts in place included */
};

/* Pure. A writer without these counters has all off. */
void pages_of(const struct snapshot *s, struct pages_told *out);

#endif
