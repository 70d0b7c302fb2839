/* The control: a bare broadcast ring (sink.h); its reader sleeps on a futex in mode wake. */
#include "peer.h"
#include "sink.h"
#include "util.h"

#define PEER_PINNED 1

struct peer {
    struct sink_ring *ring;
    uint64_t mask;
    uint64_t next; /* reader: the sequence it expects */
    int sleeps;
};

static void peer_create(struct peer *p, const struct peer_options *o)
{
    p->mask = (uint64_t)o->entries - 1;
    p->ring = util_shared(sizeof *p->ring + (size_t)o->entries * sizeof(struct sink_entry));
    p->sleeps = o->sleeps;
}

static void peer_writer(struct peer *p)
{
    (void)p;
}

static void peer_reader(struct peer *p, int index)
{
    (void)index;
    p->next = 1;
}

static int peer_joined(struct peer *p)
{
    (void)p;
    return 1;
}

static inline int peer_send(struct peer *p, const struct bench_tick *t)
{
    sink_put(p->ring, p->mask, t->seq, (const uint64_t *)t + 1);
    return 0;
}

static inline void peer_flush(struct peer *p)
{
    if (p->sleeps)
        sink_wake(p->ring);
}

static inline int peer_poll(struct peer *p, struct bench_tick *out, int n)
{
    int got = 0;
    while (got < n) {
        const int rc = sink_get(p->ring, p->mask, p->next, (uint64_t *)&out[got] + 1);
        if (rc == 0)
            break;
        if (rc < 0) {
            /* overrun: on with what is certainly still there, half a ring behind the writer */
            const uint64_t there =
                __atomic_load_n(&p->ring->entry[p->next & p->mask].seq, __ATOMIC_ACQUIRE);
            p->next = (there & ~SINK_BUSY) - p->mask / 2;
            continue;
        }
        out[got++].seq = p->next++;
    }
    return got;
}

static inline void peer_wait(struct peer *p)
{
    sink_sleep(p->ring, p->mask, p->next);
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
