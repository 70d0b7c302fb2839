/* Taking over a segment whose writer is gone, at whatever instruction it went. What is derived is
 * rebuilt, what was open is closed, and only then does the new epoch show. */
#include <string.h>

#include "clock.h"
#include "directory.h"
#include "seq.h"
#include "writer_internal.h"

/* The readable cell of a kind; the writer is dead, so nothing moves. */
static const uint64_t *cell_tick(const struct pxl_cells *c)
{
    return c->tick[c->counter & 1].w;
}

uint64_t pxi_highest(const struct pxi_segment *s)
{
    uint64_t high = s->prefix->head;
    for (uint32_t i = 0; i <= s->ring_mask; i++) {
        uint64_t n = s->ring[i].w[0] & ~PXL_BUSY;
        if (n > high && (n & s->ring_mask) == i)
            high = n;
    }
    for (uint32_t i = 0; i < s->capacity; i++)
        for (int k = 0; k < PX_CELL_KINDS; k++) {
            uint64_t n = cell_tick(&s->slots[i].cells[k])[0];
            if (n > high && s->slots[i].generation != 0)
                high = n;
        }
    return high;
}

/* The words of tick n if some cell has it whole, else NULL. Scans all cells: an open sequence is
 * rare (at most one per death). */
static const uint64_t *cell_find(const struct pxi_segment *s, uint64_t n)
{
    for (uint32_t i = 0; i < s->capacity; i++)
        for (int k = 0; k < PX_CELL_KINDS; k++)
            if (cell_tick(&s->slots[i].cells[k])[0] == n)
                return cell_tick(&s->slots[i].cells[k]);
    return NULL;
}

/* A slot that was given to its owner from sequence n on, PXL_SLOT_NONE if there is none. */
static uint32_t bound_at(const struct pxi_segment *s, uint64_t n)
{
    for (uint32_t i = 0; i < s->capacity; i++)
        if (s->slots[i].generation != 0 && s->slots[i].bind_seq == n)
            return i;
    return PXL_SLOT_NONE;
}

/* Sequence n was left open: what its cell holds, the BIND of a slot that was ready for its new
 * owner (without it, no stream would ever know that owner), or a void tick. */
static void entry_repair(struct px_writer *w, uint64_t n, struct px_writer_report *report)
{
    struct pxl_tick *e = &w->seg.ring[n & w->seg.ring_mask];
    uint64_t words[PXL_TICK_WORDS] = {0};
    const uint64_t *cell = cell_find(&w->seg, n);
    uint32_t bound = cell == NULL ? bound_at(&w->seg, n) : PXL_SLOT_NONE;
    if (cell != NULL) {
        memcpy(words, cell, sizeof words);
    } else {
        uint32_t generation = bound != PXL_SLOT_NONE ? w->seg.slots[bound].generation : 0;
        words[1] = pxi_bits(bound, generation, PX_STATUS, 0, PXI_ALL_ABSENT);
        words[3] = (uint64_t)pxi_now_utc();
        words[4] = bound != PXL_SLOT_NONE ? (uint64_t)PX_EVENT_BIND
                                          : PX_EVENT_VOID | (uint64_t)PX_CAUSE_WRITER_DIED << 32;
    }
    if (cell != NULL || bound != PXL_SLOT_NONE)
        report->completed++;
    else
        report->voided++;
    pxi_entry_open(e, n);
    pxi_entry_fill(e, words);
    pxi_entry_close(e, n);
}

void pxi_ring_repair(struct px_writer *w, struct px_writer_report *report)
{
    w->seq = pxi_highest(&w->seg);
    uint64_t size = (uint64_t)w->seg.ring_mask + 1;
    uint64_t n = w->seq >= size ? w->seq - size + 1 : 1;
    if (n < w->seg.prefix->first_seq)
        n = w->seg.prefix->first_seq;
    for (; n <= w->seq; n++)
        if (w->seg.ring[n & w->seg.ring_mask].w[0] != n)
            entry_repair(w, n, report);
}

/* An odd version was left by a death inside the record: what is there is not whole. */
static void version_repair(uint64_t *version, void *record, size_t bytes)
{
    if ((pxi_load64(version) & 1) == 0)
        return;
    memset(record, 0, bytes);
    pxi_store64_release(version, pxi_load64(version) + 1);
}

/* Slots: those of generation 0, and those bound after the last sequence, never had a tick. The
 * others keep symbol, generation and cells; nobody has asked this epoch for them yet. */
static void slot_repair(struct px_writer *w, uint32_t i)
{
    struct pxl_slot *s = &w->seg.slots[i];
    version_repair(&s->text.version, s->text.word, sizeof s->text.word);
    if (s->generation == 0 || s->bind_seq > w->seq ||
        memchr(s->symbol, 0, sizeof s->symbol) == NULL) {
        pxi_slot_clear(w, i);
        return;
    }
    w->generation[i] = s->generation;
    pxi_store32(&s->pins, 0);
    pxi_store32(&s->kinds, 0);
    pxi_store32(&s->conn, 0);
    pxi_store64(&s->quality, PX_CARRIED | (uint64_t)PX_CAUSE_EARLIER_EPOCH << 8 | w->seq << 16);
}

static uint64_t last_use(const struct pxl_slot *s)
{
    uint64_t high = s->bind_seq;
    for (int k = 0; k < PX_CELL_KINDS; k++) {
        uint64_t n = cell_tick(&s->cells[k])[0];
        high = n > high ? n : high;
    }
    return high;
}

/* Sift-down of a heap of slots by last use (Knuth, TAOCP 3, 5.2.3 H): no allocation, no recursion.
 */
static void sift(const struct px_writer *w, uint32_t *heap, uint32_t n, uint32_t i)
{
    for (uint32_t child; (child = 2 * i + 1) < n; i = child) {
        if (child + 1 < n &&
            last_use(&w->seg.slots[heap[child + 1]]) > last_use(&w->seg.slots[heap[child]]))
            child++;
        if (last_use(&w->seg.slots[heap[i]]) >= last_use(&w->seg.slots[heap[child]]))
            return;
        uint32_t t = heap[i];
        heap[i] = heap[child];
        heap[child] = t;
    }
}

/* Order of use from the sequences in the cells: take the latest off the heap, put it at the end of
 * the list that has none yet, that is, in front of the anchor last. */
static void lru_rebuild(struct px_writer *w)
{
    uint32_t *heap = w->free_slot, n = 0; /* borrowed: filled with free slots only afterwards */
    for (uint32_t i = 0; i < w->seg.capacity; i++)
        if (w->generation[i] != 0)
            heap[n++] = i;
    for (uint32_t i = n / 2; i-- > 0;)
        sift(w, heap, n, i);
    uint32_t count = n;
    while (n > 1) { /* heap sort, ascending in place */
        uint32_t t = heap[0];
        heap[0] = heap[--n];
        heap[n] = t;
        sift(w, heap, n, 0);
    }
    for (uint32_t i = 0; i < count; i++)
        pxi_lru_front(&w->lru, heap[i]);
}

static void records_repair(struct px_writer *w)
{
    struct pxi_segment *s = &w->seg;
    for (uint32_t i = 0; i < s->conn_count; i++)
        px_writer_conn(w, i, NULL);
    for (uint32_t i = 0; i < s->reader_count; i++)
        px_writer_reader(w, i, NULL);
    while (w->error_count < s->error_count && s->errors[w->error_count].used != 0) {
        struct pxl_error *e = &s->errors[w->error_count++];
        version_repair(&e->version, &e->info, sizeof e->info);
    }
    for (uint32_t i = 0; i < s->second_count; i++)
        version_repair(&s->seconds[i].version, &s->seconds[i].info, sizeof s->seconds[i].info);
    for (uint32_t i = 0; i < s->minute_count; i++)
        version_repair(&s->minutes[i].version, &s->minutes[i].info, sizeof s->minutes[i].info);
    version_repair(&s->header->verdict_version, &s->header->verdict, sizeof s->header->verdict);
}

void pxi_adopt(struct px_writer *w, struct px_writer_report *report)
{
    pxi_ring_repair(w, report);
    pxi_past_repair(w);
    for (uint32_t i = 0; i < w->seg.capacity; i++)
        slot_repair(w, i);
    records_repair(w);
    pxi_directory_rebuild(&w->seg);
    lru_rebuild(w);
    for (uint32_t i = w->seg.capacity; i-- > 0;) {
        if (w->generation[i] == 0)
            w->free_slot[w->free_count++] = i;
        else
            report->symbols++;
    }
}
