/* The writer's own state, shared by the files that implement writer.h. */
#ifndef PXI_WRITER_INTERNAL_H
#define PXI_WRITER_INTERNAL_H

#include "lru.h"
#include "px/control.h"
#include "px/writer.h"
#include "segment.h"

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

/* Highest sequence found in head, ring and cells. */
uint64_t pxi_highest(const struct pxi_segment *s);

#endif
