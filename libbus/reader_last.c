/* The last price of a symbol: its three cells, copied whole or not at all, and how far to trust it.
 */
#include <errno.h>
#include <string.h>

#include "reader.h"
#include "values.h"

static void value_fill(struct pxi_price *p, uint32_t kind, const struct pxi_cell *c)
{
    struct px_last_value *v = &(&p->last.trade_info)[kind];
    v->seq = c->w[0];
    v->venue_id = c->venue_id;
    v->exch_ns = (int64_t)c->w[2];
    v->recv_ns = (int64_t)c->w[3];
    v->flags = (uint16_t)pxi_bits_flags(c->w[1]);
    p->mono_ns[kind] = c->mono_ns;
    p->newest_seq = 0;
    p->newest_mono_ns = INT64_MIN;
    for (uint32_t k = 0; k < PX_CELL_KINDS; k++) {
        uint64_t seq = (&p->last.trade_info)[k].seq;
        p->newest_seq = seq > p->newest_seq ? seq : p->newest_seq;
        /* by its own time: a cell may count later ticks that are older than what it holds */
        if (seq != 0 && p->mono_ns[k] > p->newest_mono_ns)
            p->newest_mono_ns = p->mono_ns[k];
    }
}
_Static_assert(offsetof(struct px_last, ticker_info) ==
                   offsetof(struct px_last, trade_info) + 2 * sizeof(struct px_last_value),
               "the three stand in a row, in the order of kinds");

static void price_fill(struct pxi_price *p, uint32_t kind, const struct pxi_cell *c)
{
    switch (kind) {
    case PX_TRADE:
        pxi_trade_fill(&p->last.trade, c->w);
        break;
    case PX_QUOTE:
        pxi_quote_fill(&p->last.quote, c->w);
        break;
    default:
        pxi_ticker_fill(&p->last.ticker, c->w);
    }
    value_fill(p, kind, c);
}

/* The cell was written since it was last read: copy it anew. 1; 0: of another owner; -EAGAIN. */
static __attribute__((noinline)) int refresh(px_bus *b, struct pxi_price *p, uint32_t kind,
                                             const struct pxl_cells *cells, uint32_t generation)
{
    struct pxi_cell c;
    uint64_t counter = pxi_load64_acquire(&cells->counter);
    int tries = pxi_cell_read(cells, &c);
    if (tries < 0)
        return -EAGAIN;
    b->retries += (uint32_t)tries;
    if (c.generation != generation)
        return 0;
    if (c.w[0] == 0)
        c.w[1] = (uint64_t)PXI_ALL_ABSENT << PXL_EXP_SHIFT;
    price_fill(p, kind, &c);
    p->counter[kind] = counter; /* or an older one than what was copied: then it is copied again */
    return 1;
}

static int relocate(px_bus *b, uint32_t rec)
{
    int had = b->symbols[rec].generation != 0;
    int rc = pxi_locate(b, rec);
    return rc == -ENOENT && had ? -ESTALE : rc;
}

/* As unsigned: nothing that a damaged segment says may overflow. */
static inline int64_t age_of(uint64_t seq, int64_t mono_ns, int64_t now_ns)
{
    int64_t age = (int64_t)((uint64_t)now_ns - (uint64_t)mono_ns);
    return seq == 0 ? -1 : age > 0 ? age : 0;
}

/* A counter that has not moved says that the cell has not: what was made of it is still right. */
static inline int last_at(px_bus *b, uint32_t rec, int64_t now_ns, struct px_last *out)
{
    const struct pxi_symbol *s = &b->symbols[rec];
    const struct pxl_slot *slot = &b->slots[s->slot];
    struct pxi_price *p = &b->prices[rec];
#pragma GCC unroll 3
    for (uint32_t k = 0; k < PX_CELL_KINDS; k++) {
        if (__builtin_expect(pxi_load64_acquire(&slot->cells[k].counter) == p->counter[k], 1))
            continue;
        int rc = refresh(b, p, k, &slot->cells[k], s->generation);
        if (rc <= 0)
            return rc < 0 ? rc : -ESTALE;
    }
    uint64_t word = pxi_load64(&slot->quality);
    pxi_fence_acquire();
    if (pxi_load32(&slot->generation) != s->generation)
        return -ESTALE;
    out->trade = p->last.trade;
    out->quote = p->last.quote;
    out->ticker = p->last.ticker;
#pragma GCC unroll 3
    for (uint32_t k = 0; k < PX_CELL_KINDS; k++) {
        const struct px_last_value *v = &(&p->last.trade_info)[k];
        struct px_last_value *o = &(&out->trade_info)[k];
        uint32_t carried = v->seq != 0 && v->seq < b->epoch_seq ? PX_FLAG_CARRIED : 0;
        o->seq = v->seq;
        o->venue_id = v->venue_id;
        o->exch_ns = v->exch_ns;
        o->recv_ns = v->recv_ns;
        o->age_ns = age_of(v->seq, p->mono_ns[k], now_ns);
        o->flags = (uint16_t)(v->flags | carried);
    }
    out->age_ns = age_of(p->newest_seq, p->newest_mono_ns, now_ns);
    pxi_quality(b, word, p->newest_seq, now_ns, out);
    return 0;
}

int px_bus_last_at(px_bus *b, px_id id, int64_t now_mono_ns, struct px_last *out)
{
    if (id >= b->id_count || out == NULL)
        return -EINVAL;
    /* Who only asks for last prices looks after the feeder here. */
    if (__builtin_expect((uint64_t)now_mono_ns - (uint64_t)b->looked_ns > PXI_SLICE_NS, 0))
        b->flags |= PXI_WORK;
    if (__builtin_expect(pxi_attention(b), 0))
        pxi_attend(b);
    uint32_t rec = id + 1;
    const struct pxi_symbol *s = &b->symbols[rec];
    if (__builtin_expect(s->generation == 0 ||
                             pxi_load32_acquire(&b->slots[s->slot].generation) != s->generation,
                         0)) {
        int rc = relocate(b, rec);
        if (rc < 0)
            return rc;
    }
    return last_at(b, rec, now_mono_ns, out);
}

int px_bus_last(px_bus *b, px_id id, struct px_last *out)
{
    return px_bus_last_at(b, id, pxi_now_ns(), out);
}
