/* Concurrency Kit's ck_ring, single producer and consumer: one ring per reader. CK_RING_PROTOTYPE
 * makes it carry the ticks themselves instead of pointers, which mean nothing in another process.
 */
#include <ck_ring.h>
#include <stdlib.h>

#include "peer.h"
#include "util.h"

CK_RING_PROTOTYPE(tick, bench_tick)

#define PEER_PINNED 1

struct lane {
    ck_ring_t ring;
    struct bench_tick *buffer;
};

struct peer {
    struct lane *lane;
    int lanes, mine, next;
};

static void peer_create(struct peer *p, const struct peer_options *o)
{
    p->lanes = o->readers;
    p->lane = util_shared((size_t)o->readers * sizeof *p->lane);
    for (int i = 0; i < p->lanes; i++) {
        ck_ring_init(&p->lane[i].ring, (unsigned)o->entries);
        p->lane[i].buffer = util_shared((size_t)o->entries * sizeof(struct bench_tick));
    }
}

static void peer_writer(struct peer *p)
{
    (void)p;
}

static void peer_reader(struct peer *p, int index)
{
    p->mine = index;
}

static int peer_joined(struct peer *p)
{
    (void)p;
    return 1;
}

/* To every lane; p->next remembers where a full one stopped it. */
static inline int peer_send(struct peer *p, const struct bench_tick *t)
{
    struct bench_tick copy = *t;
    for (; p->next < p->lanes; p->next++)
        if (!CK_RING_ENQUEUE_SPSC(tick, &p->lane[p->next].ring, p->lane[p->next].buffer, &copy))
            return -1;
    p->next = 0;
    return 0;
}

static inline void peer_flush(struct peer *p)
{
    (void)p;
}

static inline int peer_poll(struct peer *p, struct bench_tick *out, int n)
{
    struct lane *lane = &p->lane[p->mine];
    int got = 0;
    while (got < n && CK_RING_DEQUEUE_SPSC(tick, &lane->ring, lane->buffer, &out[got]))
        got++;
    return got;
}

static inline void peer_wait(struct peer *p)
{
    (void)p;
}

static void peer_leave(struct peer *p)
{
    (void)p;
}

static void peer_destroy(struct peer *p)
{
    (void)p;
}

#include "peer_main.h"
