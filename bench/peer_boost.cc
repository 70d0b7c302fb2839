/* boost::lockfree::spsc_queue of a fixed capacity, which holds no pointers: one per reader, placed
 * in shared memory. */
#include <boost/lockfree/spsc_queue.hpp>

#include <new>

#include "peer.h"
#include "util.h"

#define PEER_PINNED 1

using lane = boost::lockfree::spsc_queue<bench_tick, boost::lockfree::capacity<65535>>;

struct peer {
    lane *lanes[16];
    int count, mine, next;
};

static void peer_create(struct peer *p, const struct peer_options *o)
{
    p->count = o->readers;
    for (int i = 0; i < p->count; i++)
        p->lanes[i] = new (util_shared(sizeof(lane))) lane;
}

static void peer_writer(struct peer *)
{
}

static void peer_reader(struct peer *p, int index)
{
    p->mine = index;
}

static int peer_joined(struct peer *)
{
    return 1;
}

/* To every lane; p->next remembers where a full one stopped it. */
static inline int peer_send(struct peer *p, const struct bench_tick *t)
{
    for (; p->next < p->count; p->next++)
        if (!p->lanes[p->next]->push(*t))
            return -1;
    p->next = 0;
    return 0;
}

static inline void peer_flush(struct peer *)
{
}

static inline int peer_poll(struct peer *p, struct bench_tick *out, int n)
{
    return static_cast<int>(p->lanes[p->mine]->pop(out, static_cast<size_t>(n)));
}

static inline void peer_wait(struct peer *)
{
}

static void peer_leave(struct peer *)
{
}

static void peer_destroy(struct peer *)
{
}

#include "peer_main.h"
