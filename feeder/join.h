/* Trades of one symbol over several connections: each brings the same row of ids, one ahead of the
 * other, and every id is to be published once and in order. Pure.
 *
 * A connection has joined the row when it has brought an id that was published already, or the one
 * behind it: from there on all that it brings follows without a hole, and the first of the joined
 * ones to bring an id has it published. One that has just begun may be ahead of the others: what it
 * brings before it has joined is theirs to bring, and waits for them no longer than JOIN_WAIT_NS,
 * since they may be dead and not know it. */
#ifndef PX_FEEDER_JOIN_H
#define PX_FEEDER_JOIN_H

#include <stdbool.h>
#include <stdint.h>

#define JOIN_WAIT_NS INT64_C(1000000000)

struct join {
    uint64_t joined;  /* connections, a bit each */
    int64_t since_ns; /* since when something waits, 0 nothing does */
};

enum join_verdict {
    JOIN_TAKE,  /* newer, and whole as far as can be told */
    JOIN_HOLE,  /* newer, and nobody will bring what lies before it */
    JOIN_KNOWN, /* not newer than the last */
    JOIN_LATER  /* another connection is to bring what lies before it, and this */
};

/* One trade as a connection brings it. */
struct join_trade {
    uint64_t id, last; /* last: that was published, 0 none */
    bool consecutive;  /* ids follow without a hole */
    uint64_t link;     /* bit of the connection */
    uint64_t alive;    /* bits of those that bring this symbol's trades */
};

/* The connection ended: its next one begins anew. */
static inline void join_leave(struct join *j, uint64_t link)
{
    j->joined &= ~link;
}

static inline enum join_verdict join_trade(struct join *j, const struct join_trade *t,
                                           int64_t now_ns)
{
    bool hole = t->consecutive && t->last != 0 && t->id > t->last + 1;
    bool reaches = t->last == 0 || t->id <= t->last || (t->consecutive && !hole);
    bool joined = reaches || ((j->joined & t->link) != 0 && !hole);
    bool others = (j->joined & t->alive & ~t->link) != 0;
    if (!joined && others) {
        j->joined &= ~t->link;
        j->since_ns = j->since_ns == 0 ? now_ns : j->since_ns;
        if (now_ns - j->since_ns < JOIN_WAIT_NS)
            return JOIN_LATER;
    }
    j->joined = joined ? j->joined | t->link : t->link;
    if (t->id <= t->last)
        return JOIN_KNOWN;
    j->since_ns = 0;
    return hole ? JOIN_HOLE : JOIN_TAKE;
}

#endif
