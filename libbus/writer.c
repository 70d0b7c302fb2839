/* Publish and flush: what a writer does all day. The order of stores is that of seq.h. */
#include "px/writer.h"

#include <errno.h>
#include <linux/futex.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "seq.h"
#include "writer_internal.h"

/* ---- ticks ---- */

uint64_t pxi_publish_words(struct px_writer *w, uint64_t words[PXL_TICK_WORDS])
{
    uint64_t n = ++w->seq;
    struct pxl_tick *e = &w->seg.ring[n & w->seg.ring_mask];
    pxi_entry_open(e, n);
    pxi_entry_fill(e, words);
    pxi_entry_close(e, n);
    w->ticks[PX_STATUS]++;
    return n;
}

uint64_t px_writer_status(px_writer *w, uint32_t slot, const struct px_status *s, int64_t recv_ns)
{
    uint32_t generation = px_writer_generation(w, slot);
    if (generation == 0)
        slot = PXL_SLOT_NONE;
    uint64_t words[PXL_TICK_WORDS] = {0,
                                      pxi_bits(slot, generation, PX_STATUS, 0, PXI_ALL_ABSENT),
                                      0,
                                      (uint64_t)recv_ns,
                                      (uint64_t)s->event | (uint64_t)s->cause << 32,
                                      s->first_id,
                                      s->last_id,
                                      s->count};
    return pxi_publish_words(w, words);
}

uint64_t px_writer_publish(px_writer *w, uint32_t slot, const struct px_update *u)
{
    if (slot >= w->seg.capacity || w->generation[slot] == 0 || u->kind >= PX_CELL_KINDS)
        return 0;
    struct pxi_cell cell;
    uint32_t all = 0, exponents = pxi_pack(cell.w, u, &all);
    if (all > PXL_EXP_MASK)
        return 0;
    uint64_t n = ++w->seq;
    uint32_t generation = w->generation[slot];
    struct pxl_tick *e = &w->seg.ring[n & w->seg.ring_mask];
    struct pxl_cells *c = &w->seg.slots[slot].cells[u->kind];
    cell.w[0] = n;
    cell.w[1] = pxi_bits(slot, generation, u->kind, u->flags & PX_FLAGS_MASK, exponents);
    cell.w[2] = (uint64_t)u->exch_ns;
    cell.w[3] = (uint64_t)u->recv_ns;
    cell.ordinal = c->side[pxi_load64(&c->counter) & 1].ordinal + 1;
    cell.venue_id = u->venue_id;
    cell.mono_ns = u->mono_ns;
    cell.generation = generation;

    uint64_t counter = pxi_cell_fill(c, &cell);
    pxi_entry_open(e, n);
    pxi_entry_fill(e, cell.w);
    pxi_cell_show(c, counter);
    pxi_entry_close(e, n);

    w->ticks[u->kind]++;
    pxi_lru_touch(&w->lru, slot);
    return n;
}

/* ---- end of a batch ---- */

static void wake_futex(px_writer *w)
{
    syscall(SYS_futex, &w->seg.prefix->wake, FUTEX_WAKE, INT32_MAX, NULL, NULL, 0);
    px_writer_count(w, PX_B_wakes, 1);
}

static void wake_socket(px_writer *w, uint32_t i)
{
    struct pxc_message m = {.type = PXC_WAKE, .version = PXC_VERSION};
    pxi_store32(&w->page[i]->want_wake, 0);
    /* A reader whose buffer is full has a message waiting, and so is awake already. */
    (void)!send(w->page_fd[i], &m, sizeof m, MSG_DONTWAIT | MSG_NOSIGNAL);
    px_writer_count(w, PX_B_wakes, 1);
}

int px_writer_flush(px_writer *w)
{
    static const uint8_t counter[4] = {PX_B_ticks_trade, PX_B_ticks_quote, PX_B_ticks_ticker,
                                       PX_B_ticks_status};
    if (w->head == w->seq)
        return 0;
    struct pxl_prefix *p = w->seg.prefix;
    w->head = w->seq;
    pxi_store64_release(&p->head, w->head);
    for (unsigned k = 0; k < 4; k++) {
        if (w->ticks[k] != 0)
            px_writer_count(w, counter[k], w->ticks[k]);
        w->ticks[k] = 0;
    }
    pxi_store32(&p->wake, pxi_load32(&p->wake) + 1);
    if (w->page_count == 0)
        return 0;

    /* Pairs with the reader's fence between its flag and its last look at the ring: either we see
     * the flag, or it sees the tick (Dekker). */
    pxi_fence_full();
    int sleeping = 0;
    for (uint32_t i = 0; i < w->page_count; i++) {
        sleeping += pxi_load32(&w->page[i]->sleeping) != 0;
        if (pxi_load32(&w->page[i]->want_wake) != 0)
            wake_socket(w, i);
    }
    if (sleeping != 0)
        wake_futex(w);
    return sleeping;
}
