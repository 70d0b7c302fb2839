/* The stream: entries of the ring, in order, from the cursor on. */
#include <errno.h>

#include "reader.h"
#include "values.h"

#define IDLE_LOOK 1024 /* every so many polls that find nothing the clock is read */

static inline void tick_fill(struct px_tick *t, const uint64_t w[PXL_TICK_WORDS], uint32_t kind,
                             px_id id)
{
    t->seq = w[0];
    t->id = id;
    t->kind = (uint16_t)kind;
    t->flags = (uint16_t)pxi_bits_flags(w[1]);
    t->exch_ns = (int64_t)w[2];
    t->recv_ns = (int64_t)w[3];
    switch (kind) {
    case PX_TRADE:
        pxi_trade_fill(&t->u.trade, w);
        break;
    case PX_QUOTE:
        pxi_quote_fill(&t->u.quote, w);
        break;
    case PX_TICKER:
        pxi_ticker_fill(&t->u.ticker, w);
        break;
    default:
        t->u.status.event = (uint32_t)w[4];
        t->u.status.cause = (uint32_t)(w[4] >> 32);
        t->u.status.first_id = w[5];
        t->u.status.last_id = w[6];
        t->u.status.count = w[7];
    }
}

/* Is a stranger's tick of this kind to be told of? */
static int stranger_counts(const px_bus *b, uint32_t rec, uint32_t kind)
{
    uint32_t kinds = b->all != 0 ? PX_ALL_KINDS : 0;
    for (uint32_t i = 0; rec == b->stranger && i < b->wild_count; i++)
        kinds |= b->symbols[b->wild[i]].asked;
    return (kinds & 1u << kind) != 0;
}

/* A tick of a symbol that this reader of all, or of a whole venue, cannot name (any more). */
static void tick_evicted(struct px_tick *t, const uint64_t w[PXL_TICK_WORDS])
{
    const uint64_t words[PXL_TICK_WORDS] = {
        w[0], w[1] & ~((uint64_t)PX_FLAGS_MASK << PXL_FLAGS_SHIFT), w[2], w[3],
        PX_EVENT_EVICTED | (uint64_t)PX_CAUSE_CAPACITY << 32};
    tick_fill(t, words, PX_STATUS, PX_ID_NONE);
}

/* What is not a wanted price: events, and, for readers of all or of venues, strangers. 1 if *t is
 * to be delivered. EVICTED does not end an ownership, the next BIND does: a feeder that died in
 * between leaves the symbol where it was, and its ticks go on. */
static __attribute__((noinline)) int other_tick(px_bus *b, const uint64_t w[PXL_TICK_WORDS],
                                                struct px_tick *t)
{
    uint32_t kind = pxi_bits_kind(w[1]), slot = pxi_bits_slot(w[1]);
    if (kind > PX_STATUS)
        return 0;
    uint32_t event = kind == PX_STATUS ? (uint32_t)w[4] : PX_EVENT_NONE;
    if (event == PX_EVENT_BIND && slot != PXL_SLOT_NONE)
        pxi_stream_bind(b, slot, pxi_bits_generation(w[1]), w[0]);
    uint32_t rec = b->owner[slot];
    int known = rec != 0 && (uint32_t)w[1] == b->streams[rec].key && w[0] >= b->symbols[rec].s_bind;
    if (known) {
        if (w[0] < b->streams[rec].min_seq[kind])
            return 0;
        tick_fill(t, w, kind, rec - 1);
        return 1;
    }
    if (kind == PX_STATUS) {
        if (b->all == 0 && (slot != PXL_SLOT_NONE || event == PX_EVENT_VOID))
            return 0;
        tick_fill(t, w, kind, PX_ID_NONE);
        return 1;
    }
    if (!stranger_counts(b, rec, kind))
        return 0;
    b->inexact = 1;
    tick_evicted(t, w);
    return 1;
}

/* Take entries until n are wanted or there is none. */
static inline int run(px_bus *b, struct px_tick *ticks, int n, enum pxi_entry_state *why)
{
    const struct pxl_tick *ring = b->ring;
    const uint64_t mask = b->ring_mask;
    const uint32_t *owner = b->owner;
    struct pxi_stream *streams = b->streams;
    uint64_t cursor = b->cursor;
    int count = 0;
    *why = PXI_READY;
    while (count < n) {
        uint64_t w[PXL_TICK_WORDS], next = cursor + 1;
        enum pxi_entry_state state = pxi_entry_read(&ring[next & mask], next, w);
        if (__builtin_expect(state != PXI_READY, 0)) {
            *why = state;
            break;
        }
        uint32_t kind = pxi_bits_kind(w[1]);
        uint32_t rec = owner[pxi_bits_slot(w[1])];
        struct pxi_stream *s = &streams[rec];
        if (kind < PX_CELL_KINDS && (uint32_t)w[1] == s->key && next >= s->min_seq[kind]) {
            tick_fill(&ticks[count++], w, kind, rec - 1);
            s->seen[kind]++;
            if (__builtin_expect(b->pending_count != 0, 0))
                pxi_settle(b, rec, kind, next);
        } else if (kind >= PX_CELL_KINDS || b->all != 0 || rec == b->stranger) {
            b->cursor = cursor;
            count += other_tick(b, w, &ticks[count]);
        }
        cursor = next;
    }
    b->cursor = cursor;
    return count;
}

int pxi_entry_waits(const px_bus *b)
{
    uint64_t next = b->cursor + 1;
    uint64_t s = pxi_load64_acquire(&b->ring[next & b->ring_mask].w[0]);
    return s == next || (s & ~PXL_BUSY) > next;
}

int pxi_hole_skip(px_bus *b)
{
    const struct pxi_segment *s = pxi_streamed(b);
    uint64_t head = pxi_load64_acquire(&s->prefix->head);
    if (b->cursor >= head || pxi_entry_waits(b))
        return 0;
    uint64_t first = pxi_oldest(s); /* so at most a ring of steps */
    if (first < b->cursor + 2)
        first = b->cursor + 2;
    while (first <= head && (pxi_load64(&s->ring[first & s->ring_mask].w[0]) & ~PXL_BUSY) < first)
        first++;
    pxi_jump(b, first);
    b->flags |= PXI_JUMPED;
    return 1;
}

/* Nothing to take: 1 if it is worth another look. */
static int idle(px_bus *b)
{
    if (b->stream_at != b->at && (pxi_stream_follow(b) || pxi_hole_skip(b)))
        return 1;
    if (++b->idle % IDLE_LOOK == 0) {
        if (pxi_hole_skip(b))
            return 1;
        int64_t now = pxi_coarse_ns();
        if (now - b->looked_ns >= PXI_SLICE_NS)
            pxi_look(b, now);
    }
    return (b->flags & PXI_WATCHED) != 0 && pxi_watch_arm(b);
}

int pxi_take(px_bus *b, struct px_tick *ticks, int n)
{
    for (;;) {
        enum pxi_entry_state why;
        uint64_t before = b->cursor;
        int count = run(b, ticks, n, &why);
        if (b->cursor != before)
            pxi_store64(&b->page->position, b->cursor);
        if (count > 0) {
            b->delivered += (uint64_t)count;
            return count;
        }
        if (why == PXI_LAPPED) {
            pxi_lap(b);
            return -EOVERFLOW;
        }
        if (!idle(b))
            return 0;
        if ((b->flags & PXI_JUMPED) != 0) {
            b->flags &= ~(uint32_t)PXI_JUMPED;
            return -EOVERFLOW;
        }
    }
}

static int poll_attended(px_bus *b, struct px_tick *ticks, int n)
{
    pxi_attend(b);
    if ((b->flags & PXI_HELD) != 0) {
        b->flags &= ~(uint32_t)PXI_HELD;
        ticks[0] = b->held;
        if (n == 1 || (b->flags & PXI_JUMPED) != 0)
            return 1;
        int more = pxi_take(b, ticks + 1, n - 1);
        if (more < 0)
            b->flags |= PXI_JUMPED;
        return more < 0 ? 1 : 1 + more;
    }
    if ((b->flags & PXI_JUMPED) != 0) {
        b->flags &= ~(uint32_t)PXI_JUMPED;
        return -EOVERFLOW;
    }
    return pxi_take(b, ticks, n);
}

int px_bus_poll(px_bus *b, struct px_tick *ticks, int n)
{
    if (n <= 0 || ticks == NULL)
        return n == 0 ? 0 : -EINVAL;
    int rc =
        __builtin_expect(pxi_attention(b), 0) ? poll_attended(b, ticks, n) : pxi_take(b, ticks, n);
    if (__builtin_expect(rc < 0, 0))
        b->jumped_told = 1;
    return rc;
}

int px_bus_dispatch(px_bus *b, px_bus_callback *callback, void *user)
{
    /* As far as the bus is now: a callback slower than the feeder must come back some day. */
    uint64_t end = pxi_load64_acquire(&b->prefix->head);
    struct px_tick t;
    int count = 0;
    if (callback == NULL)
        return -EINVAL;
    for (;;) {
        int rc = px_bus_poll(b, &t, 1);
        if (rc == 0)
            return count;
        if (rc < 0) {
            if (rc != -EOVERFLOW)
                return rc;
            t = (struct px_tick){.id = PX_ID_NONE, .kind = PX_STATUS};
            t.u.status = (struct px_status){.event = PX_EVENT_LOST,
                                            .cause = PX_CAUSE_OVERRUN,
                                            .first_id = b->jumped_from,
                                            .last_id = b->jumped_to,
                                            .count = b->jumped};
        } else {
            count++;
        }
        callback(b, &t, user);
        if (b->cursor >= end)
            return count;
    }
}
