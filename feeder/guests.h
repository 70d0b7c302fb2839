/* After a restart: the connections that a rear-guard keeps (rearguard.h) are guests among the
 * fleet's links, until the new ones carry all that is wanted. What they bring is decoded and
 * published as of any other connection, with the times at which the rear-guard read it, and counts
 * once by the venue's ids. */
#ifndef PX_FEEDER_GUESTS_H
#define PX_FEEDER_GUESTS_H

#include "fleet.h"
#include "rearguard.h"
#include "relay.h"

struct guests {
    struct fleet *fleet;
    struct rearguard rear;
    struct net_fd sock;
    struct relay_stream stream;
    struct relay_mark told;                 /* as of its last mark */
    struct link *link[REARGUARD_LINKS_MAX]; /* by the rear-guard's numbers; NULL: not here */
    int64_t mark_ns;                        /* up to when it has given all, 0 not known yet */
    uint32_t silent;                        /* ticks without a sign of it */
    uint32_t parting;                       /* ticks since its end was decided, 0 not yet */
};

/* Listen to the rear-guard that an earlier self left; none: nothing. It belongs to *g from here on.
 * Errors: -ENOMEM, and it is gone then. */
int guests_open(struct guests *g, struct fleet *fleet, const struct rearguard *rear);
/* Is the rear-guard still heard? */
bool guests_here(const struct guests *g);
/* Ten times a second: send it away when it is relieved, give it up when it hangs, reap it. */
void guests_tick(struct guests *g, int64_t now_ns);
/* The feeder ends: its connections go, and it takes leave of the venues by itself. */
void guests_leave(struct guests *g);
/* The same, and it goes at once. */
void guests_close(struct guests *g);

#endif
