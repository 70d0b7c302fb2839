/* Ours: px_writer_publish and px_writer_flush per batch; readers attached and subscribed. */
#include <string.h>

#include "bus_writer.h"
#include "px/bus.h"
#include "util.h"

#define PEER_PINNED   1
#define PEER_TICK     struct px_tick
#define PEER_SEQ(t)   ((t)->u.trade.trade_id)
#define PEER_STAMP(t) ((uint64_t)(t)->exch_ns)

#include "peer.h"

struct peer {
    struct bus_writer writer;
    struct px_update update;
    uint32_t ring;
    px_bus *bus;
};

static void peer_create(struct peer *p, const struct peer_options *o)
{
    p->ring = (uint32_t)o->entries;
    bus_name(); /* settled before the fork */
}

static void peer_writer(struct peer *p)
{
    bus_writer_open(&p->writer, p->ring);
    p->update.kind = PX_TRADE;
    p->update.flags = PX_SIDE_BUY;
    p->update.recv_ns = 1723161255351022334;
    p->update.mono_ns = 1;
    p->update.u.trade.price.exponent = -8;
    p->update.u.trade.size = (struct px_decimal){2000000, -8};
}

static void peer_reader(struct peer *p, int index)
{
    const struct px_bus_options options = {.wait_ms = 5000, .name = "bench"};
    px_id id;
    (void)index;
    int rc = px_bus_attach(&p->bus, bus_name(), &options);
    if (rc == 0)
        rc = px_bus_subscribe(p->bus, BUS_SYMBOL, PX_TRADES, &id, 5000);
    if (rc < 0)
        util_die(px_strerror(rc), 0);
}

static int peer_joined(struct peer *p)
{
    bus_writer_serve(&p->writer);
    return 1;
}

static inline int peer_send(struct peer *p, const struct bench_tick *t)
{
    p->update.exch_ns = (int64_t)t->stamp;
    p->update.venue_id = t->seq;
    p->update.u.trade.trade_id = t->seq;
    p->update.u.trade.price.mantissa = (int64_t)t->w[0];
    return px_writer_publish(p->writer.w, p->writer.slot, &p->update) != 0 ? 0 : -1;
}

static inline void peer_flush(struct peer *p)
{
    px_writer_flush(p->writer.w);
}

static inline int peer_poll(struct peer *p, struct px_tick *out, int n)
{
    return px_bus_poll(p->bus, out, n);
}

static inline void peer_wait(struct peer *p)
{
    px_bus_wait(p->bus, 100000000);
}

static void peer_leave(struct peer *p)
{
    px_bus_detach(p->bus);
}

static void peer_destroy(struct peer *p)
{
    bus_writer_close(&p->writer);
}

#include "peer_main.h"
