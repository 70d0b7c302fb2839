/* Ticks that are older than what their slot holds, and what an adopter owes to them. */
#include "writer_internal.h"

/* The readable cell again, as one that counts one tick more, and tick n as the last that it counts:
 * by both, readers that were lapped tell what they lost. */
static void count_in(struct pxl_cells *c, uint64_t n)
{
    struct pxi_cell cell;
    unsigned i = (unsigned)(pxi_load64(&c->counter) & 1);
    cell.w[0] = n;
    for (unsigned k = 1; k < PXL_TICK_WORDS; k++)
        cell.w[k] = pxi_load64(&c->tick[i].w[k]);
    cell.ordinal = pxi_load64(&c->side[i].ordinal) + 1;
    cell.mono_ns = pxi_load_time(&c->side[i].mono_ns);
    cell.venue_id = pxi_load64(&c->side[i].venue_id);
    cell.generation = pxi_load32(&c->generation[i]);
    pxi_cell_show(c, pxi_cell_fill(c, &cell));
}

/* The cell follows the entry, other than in px_writer_publish(): it does not have the tick, so that
 * an entry that a killed writer left open could not be completed from it. */
uint64_t px_writer_publish_past(px_writer *w, uint32_t slot, const struct px_update *u)
{
    if (slot >= w->seg.capacity || w->generation[slot] == 0 || u->kind >= PX_CELL_KINDS)
        return 0;
    struct pxl_cells *c = &w->seg.slots[slot].cells[u->kind];
    uint64_t words[PXL_TICK_WORDS] = {0};
    uint32_t all = 0, exponents = pxi_pack(words, u, &all);
    if (all > PXL_EXP_MASK || pxi_load64(&c->tick[pxi_load64(&c->counter) & 1].w[0]) == 0)
        return 0;
    uint64_t n = ++w->seq;
    struct pxl_tick *e = &w->seg.ring[n & w->seg.ring_mask];
    words[1] = pxi_bits(slot, w->generation[slot], u->kind, u->flags & PX_FLAGS_MASK, exponents);
    words[2] = (uint64_t)u->exch_ns;
    words[3] = (uint64_t)u->recv_ns;
    pxi_entry_open(e, n);
    pxi_entry_fill(e, words);
    pxi_entry_close(e, n);
    count_in(c, n);
    w->ticks[u->kind]++;
    return n;
}

void pxi_past_repair(struct px_writer *w)
{
    const struct pxl_tick *e = &w->seg.ring[w->seq & w->seg.ring_mask];
    uint64_t bits = e->w[1];
    uint32_t slot = pxi_bits_slot(bits), kind = pxi_bits_kind(bits);
    if (w->seq == 0 || e->w[0] != w->seq || kind >= PX_CELL_KINDS || slot >= w->seg.capacity ||
        (pxi_bits_flags(bits) & PX_FLAG_BACKFILL) == 0)
        return;
    struct pxl_slot *s = &w->seg.slots[slot];
    uint64_t shown = s->cells[kind].tick[s->cells[kind].counter & 1].w[0];
    if ((s->generation & PXL_GEN_MASK) == pxi_bits_generation(bits) && s->bind_seq < w->seq &&
        shown != 0 && shown < w->seq)
        count_in(&s->cells[kind], w->seq);
}
