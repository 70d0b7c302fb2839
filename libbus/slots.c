/* Slots: who owns which, from when on, and who has to go. Reuse: generation 0, fence, identity and
 * cells reset, new generation with release; then the directory, then a STATUS bind tick, which
 * precedes the first tick of the new owner. */
#include <errno.h>
#include <string.h>

#include "clock.h"
#include "directory.h"
#include "hash.h"
#include "seq.h"
#include "writer_internal.h"

static void cells_empty(struct pxl_slot *s, uint32_t generation)
{
    const struct pxi_cell none = {.generation = generation};
    for (int k = 0; k < PX_CELL_KINDS; k++)
        pxi_cell_show(&s->cells[k], pxi_cell_fill(&s->cells[k], &none));
}

void pxi_slot_clear(struct px_writer *w, uint32_t slot)
{
    struct pxl_slot *s = &w->seg.slots[slot];
    pxi_store32(&s->generation, 0);
    pxi_fence_release();
    pxi_store32(&s->pins, 0);
    pxi_store32(&s->kinds, 0);
    pxi_store32(&s->conn, 0);
    for (int i = 0; i < 6; i++)
        pxi_store64(&s->symbol[i], 0);
    cells_empty(s, 0);
    w->generation[slot] = 0;
}

void pxi_slot_assign(struct px_writer *w, uint32_t slot, const char *symbol, size_t len,
                     uint64_t bind_seq)
{
    struct pxl_slot *s = &w->seg.slots[slot];
    uint64_t words[6];
    uint32_t generation = s->last_generation + 1;
    if (generation == 0)
        generation = 1;
    pxi_store32(&s->generation, 0);
    pxi_fence_release();
    pxi_store32(&s->last_generation, generation);
    pxi_symbol_words(words, symbol, len);
    for (int i = 0; i < 6; i++)
        pxi_store64(&s->symbol[i], words[i]);
    pxi_store64(&s->hash, pxi_hash(symbol, len));
    pxi_store64(&s->bind_seq, bind_seq);
    pxi_store64(&s->quality, PX_STALE | (uint64_t)PX_CAUSE_NO_DATA_YET << 8 | bind_seq << 16);
    pxi_store_time(&s->rhythm_ns, 0);
    pxi_store32(&s->pins, 0);
    pxi_store32(&s->kinds, 0);
    pxi_store32(&s->conn, 0);
    pxi_store32(&s->gaps, 0);
    px_writer_text(w, slot, NULL);
    cells_empty(s, generation);
    pxi_store32_release(&s->generation, generation);
    w->generation[slot] = generation;
}

/* The symbol leaves its slot: readers are told in the stream, then the directory forgets it. */
static void evict(px_writer *w, uint32_t slot, uint32_t cause)
{
    const struct px_status s = {.event = PX_EVENT_EVICTED, .cause = cause};
    px_writer_status(w, slot, &s, pxi_now_utc());
    pxi_directory_remove(&w->seg, slot, w->seg.slots[slot].hash);
    pxi_lru_remove(&w->lru, slot);
    pxi_slot_clear(w, slot);
}

int px_writer_find(px_writer *w, const char *symbol, size_t len, uint32_t *slot)
{
    uint32_t generation;
    if (len == 0 || len > PX_SYMBOL_MAX)
        return -EINVAL;
    return pxi_directory_find(&w->seg, symbol, len, slot, &generation);
}

static int slot_take(px_writer *w, uint32_t *slot)
{
    if (w->free_count != 0) {
        *slot = w->free_slot[--w->free_count];
        px_writer_level(w, PX_B_symbols, w->value[PX_B_symbols] + 1);
        return 0;
    }
    *slot = pxi_lru_oldest(&w->lru);
    if (*slot == PXI_LRU_OUT)
        return -ENOSPC;
    evict(w, *slot, PX_CAUSE_CAPACITY);
    px_writer_count(w, PX_B_evictions, 1);
    return 0;
}

int px_writer_bind(px_writer *w, const char *symbol, size_t len, uint32_t *slot)
{
    int rc = px_writer_find(w, symbol, len, slot);
    if (rc != -ENOENT) {
        if (rc == 0)
            pxi_lru_touch(&w->lru, *slot);
        return rc;
    }
    if (memchr(symbol, '\0', len) != NULL)
        return -EINVAL;
    rc = slot_take(w, slot);
    if (rc < 0)
        return rc;
    pxi_slot_assign(w, *slot, symbol, len, w->seq + 1);
    if (pxi_directory_full(&w->seg)) {
        pxi_directory_rebuild(&w->seg); /* finds the new owner too */
        px_writer_count(w, PX_B_directory_rebuilds, 1);
    } else {
        pxi_directory_add(&w->seg, *slot, w->seg.slots[*slot].hash);
    }
    const struct px_status s = {.event = PX_EVENT_BIND};
    px_writer_status(w, *slot, &s, pxi_now_utc());
    pxi_lru_front(&w->lru, *slot);
    px_writer_count(w, PX_B_binds, 1);
    return 0;
}

int px_writer_release(px_writer *w, uint32_t slot)
{
    if (px_writer_generation(w, slot) == 0)
        return -ENOENT;
    if (w->seg.slots[slot].pins != 0)
        return -EBUSY;
    evict(w, slot, PX_CAUSE_NOT_SUBSCRIBED);
    w->free_slot[w->free_count++] = slot;
    px_writer_level(w, PX_B_symbols, w->value[PX_B_symbols] - 1);
    return 0;
}

int px_writer_pin(px_writer *w, uint32_t slot, uint32_t pins, uint32_t kinds)
{
    if (px_writer_generation(w, slot) == 0)
        return -ENOENT;
    struct pxl_slot *s = &w->seg.slots[slot];
    uint32_t before = s->pins;
    pxi_store32(&s->pins, pins);
    pxi_store32(&s->kinds, kinds);
    if (pins != 0 && before == 0) {
        pxi_lru_remove(&w->lru, slot);
        px_writer_level(w, PX_B_pinned, ++w->pinned);
    } else if (pins == 0 && before != 0) {
        pxi_lru_front(&w->lru, slot);
        px_writer_level(w, PX_B_pinned, --w->pinned);
    }
    return 0;
}

uint32_t px_writer_generation(const px_writer *w, uint32_t slot)
{
    return slot < w->seg.capacity ? w->generation[slot] : 0;
}

uint64_t px_writer_bind_seq(const px_writer *w, uint32_t slot)
{
    return px_writer_generation(w, slot) != 0 ? w->seg.slots[slot].bind_seq : 0;
}
