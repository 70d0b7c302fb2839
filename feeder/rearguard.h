/* The rear-guard of a restart: a child of the feeder that goes on reading its live connections
 * while the feeder becomes a new process and connects anew. It has inherited sockets, TLS and
 * WebSocket states as they stand; what it reads it gives to the new feeder over a socket, message
 * by message (relay.h), with the times at which it came.
 *
 * It ends when it is told (the feeder ends its side of the socket): then it gives what is there
 * still, and says farewell to the venues. It ends by itself when its time is over, when no
 * connection is left, and with the feeder, however that ends. It has neither segment nor lock. */
#ifndef PX_FEEDER_REARGUARD_H
#define PX_FEEDER_REARGUARD_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

/* More connections than this are not kept beside as many new ones. */
#define REARGUARD_LINKS_MAX 32u

struct fleet;
struct config;

struct rearguard {
    int fd;    /* the feeder's end; valid while pid is not 0 */
    pid_t pid; /* 0: there is none */
};

/* How many connections a rear-guard would keep. */
uint32_t rearguard_links(const struct fleet *fleet);
/* Leave a rear-guard behind that lives for so long at most. The connections are its own then: the
 * caller takes itself away from them without a word (fleet_free()). Never returns in the child.
 * Threads: called between two turns of the loop.   Errors: -ENOENT no connection is live; -EMFILE
 * they are more than REARGUARD_LINKS_MAX; of socketpair(2) and fork(2). *out is untouched then. */
int rearguard_leave(struct rearguard *out, struct fleet *fleet, int64_t life_ns);
/* End it at once, and reap it. None: nothing. */
void rearguard_kill(struct rearguard *r);
/* Has it ended, and was it reaped? True if there is none. */
bool rearguard_gone(struct rearguard *r);

#endif
