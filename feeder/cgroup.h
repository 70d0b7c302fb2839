/* What the kernel grants this process's control group (cgroup v2) of memory. */
#ifndef PX_FEEDER_CGROUP_H
#define PX_FEEDER_CGROUP_H

#include <stdint.h>

/* Where both are looked for. */
#define CGROUP_OF_SELF "/proc/self/cgroup"
#define CGROUP_MOUNT   "/sys/fs/cgroup"

/* The lowest memory.max of the group that `own` (as /proc/PID/cgroup) names and of those above it,
 * below `mount`: bytes, UINT64_MAX no limit. Errors: -ENOENT no such group or controller. */
int cgroup_memory_max(const char *own, const char *mount, uint64_t *bytes);

#endif
