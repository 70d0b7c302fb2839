/* The writer's own state, shared by the files that implement writer.h. */
#ifndef PXI_WRITER_INTERNAL_H
#define PXI_WRITER_INTERNAL_H

#include "lru.h"
#include "px/control.h"
#include "px/writer.h"
#include "segment.h"
#include "seq.h"

struct px_writer {
    struct pxi_segment seg;
    uint64_t seq;         /* last sequence published into the ring */
    uint64_t head;        /* last one that the prefix shows */
    uint32_t *generation; /* per slot, copy of what the segment says: one line less to touch */
    struct pxi_lru lru;
    uint32_t *free_slot; /* stack of free slots */
    uint32_t free_count;
    uint32_t pinned;
    uint64_t ticks[4]; /* by kind, since the last flush */
    uint64_t *value;   /* counters, by index; the segment has the published copy */
    uint32_t counter_count;
    uint64_t latency_max[PXL_CONNS_MAX], latency_count[PXL_CONNS_MAX];
    uint32_t page_count;
    struct px_page *page[PXL_READERS_MAX];
    int page_fd[PXL_READERS_MAX];
    uint32_t error_count;
    int lock_fd;
    ino_t lock_inode;
    char bus[PX_BUS_NAME_MAX + 1];
    char shm_name[PXI_PATH_MAX];
    void *memory; /* one allocation behind the arrays above */
};

/* Slot changes hands, without a word in the ring: identity published, cells emptied. */
void pxi_slot_assign(struct px_writer *w, uint32_t slot, const char *symbol, size_t len,
                     uint64_t bind_seq);

/* Slot becomes free: generation 0, cells emptied. The directory entry is the caller's affair. */
void pxi_slot_clear(struct px_writer *w, uint32_t slot);

/* Publish a tick without a cell. `words` 1 to 7 are set. Returns its sequence. */
uint64_t pxi_publish_words(struct px_writer *w, uint64_t words[PXL_TICK_WORDS]);

/* Take over the segment that is mapped in w->seg: complete, void, clear, rebuild. Idempotent, since
 * an adopter may be killed too. Fills report->symbols, completed, voided; sets w->seq. */
void pxi_adopt(struct px_writer *w, struct px_writer_report *report);

/* Close what a dead writer left open in the ring of w->seg; sets w->seq. */
void pxi_ring_repair(struct px_writer *w, struct px_writer_report *report);

/* A tick of px_writer_publish_past() that a dead writer published as its last and did not count: it
 * is counted. After pxi_ring_repair(). */
void pxi_past_repair(struct px_writer *w);

/* Highest sequence found in head, ring and cells. */
uint64_t pxi_highest(const struct pxi_segment *s);

/* Decimal i into its word. Returns its exponent in place; one that does not fit sets a bit above
 * PXL_EXP_MASK in *all. */
static inline uint32_t pxi_put(uint64_t words[PXL_TICK_WORDS], unsigned i,
                               const struct px_decimal *d, uint32_t *all)
{
    uint32_t e = 0u - (uint32_t)d->exponent;
    words[4 + i] = (uint64_t)d->mantissa;
    *all |= e;
    return e << (i * PXL_EXP_BITS);
}

/* The words of the kind and the packed exponents. A ticker is laid out as a quote is. */
static inline uint32_t pxi_pack(uint64_t words[PXL_TICK_WORDS], const struct px_update *u,
                                uint32_t *all)
{
    if (u->kind == PX_TRADE) {
        words[6] = u->u.trade.trade_id;
        words[7] = 0;
        return pxi_put(words, 0, &u->u.trade.price, all) |
               pxi_put(words, 1, &u->u.trade.size, all) | PXL_EXP_MASK << (2 * PXL_EXP_BITS) |
               PXL_EXP_MASK << (3 * PXL_EXP_BITS);
    }
    return pxi_put(words, 0, &u->u.quote.bid, all) | pxi_put(words, 1, &u->u.quote.bid_size, all) |
           pxi_put(words, 2, &u->u.quote.ask, all) | pxi_put(words, 3, &u->u.quote.ask_size, all);
}

_Static_assert(sizeof(struct px_quote) == sizeof(struct px_ticker) &&
                   offsetof(struct px_quote, ask_size) == offsetof(struct px_ticker, low),
               "pxi_pack() takes a ticker for a quote");

#endif
