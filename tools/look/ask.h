/* The two ways to make a feeder begin anew: to ask it, and to kill it. */
#ifndef PX_TOOLS_LOOK_ASK_H
#define PX_TOOLS_LOOK_ASK_H

#include <stddef.h>
#include <stdint.h>

#include "px/bus.h"

#define ASK_REASON_MAX 256

/* Send RESTART over the control socket, as the program `who`, and wait for its answer.
 * Errors: -ENOTCONN nobody listens; -ETIMEDOUT it does not answer; -EPERM not its user, or a
 * stranger listens there; what the feeder refused with. `reason` then has one sentence. */
int ask_restart(const struct px_bus_info *info, const char *who, int64_t timeout_ns,
                char reason[ASK_REASON_MAX]);

/* SIGKILL to the feeder's pid, only while that very process holds the bus.
 * Errors: -ESRCH nobody holds the bus; -EACCES, -EPERM no right; `reason` has one sentence. */
int kill_feeder(const struct px_bus_info *info, char reason[ASK_REASON_MAX]);

/* 1 while somebody holds the bus, 0 nobody, negative errno when we may not look. */
int feeder_holds(const char *bus);

#endif
