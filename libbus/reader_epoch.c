/* The feeder comes and goes; the reader stays. Every call compares epoch and state, two words on
 * one line that changes only then; what follows from a change happens here and never blocks.
 *
 * The same segment with a new epoch: sequences and owners go on, only the feeder has to be told
 * again what we want. A replaced segment: the new one is mapped beside the old, into address space
 * that was reserved at attach; last prices come from it at once, the stream reads the old one to
 * its end. */
#include <errno.h>
#include <string.h>
#include <sys/stat.h>

#include "reader.h"
#include "seq.h"

/* ---- the stream moves to the present segment ---- */

static void stream_move(px_bus *b)
{
    uint32_t old = b->stream_at;
    for (uint32_t rec = 1; rec <= b->id_count; rec++)
        pxi_unbind(b, rec);
    pxi_strangers_forget(b);
    b->stream_at = b->at;
    struct pxi_segment *s = pxi_streamed(b);
    b->ring = s->ring;
    b->ring_mask = s->ring_mask;
    pxi_segment_close(&b->seg[old], b->area[old]);

    uint64_t oldest = pxi_oldest(s);
    uint64_t head = pxi_load64_acquire(&s->prefix->head);
    int anew = b->anew || head < b->cursor;
    uint64_t from = anew ? pxi_load64(&s->prefix->first_seq) : b->cursor + 1;
    int missed = oldest > from;
    b->anew = 0;
    if (missed) {
        pxi_jump_note(b, from, oldest);
        b->flags |= PXI_JUMPED;
    }
    if (missed || anew)
        b->cursor = oldest - 1;
    if (missed && (b->all != 0 || b->wild_count != 0))
        b->inexact = 1;
    for (uint32_t rec = 1; rec <= b->id_count; rec++) {
        struct pxi_symbol *symbol = &b->symbols[rec];
        symbol->join_generation = 0;
        if (anew)
            memset(symbol->join, 0, sizeof symbol->join);
        if (missed && symbol->kinds != 0)
            symbol->inexact = 1;
    }
    pxi_owners_find(b, b->cursor + 1);
    if (pxi_reckon(b) < 0)
        pxi_inexact_set(b); /* overwritten meanwhile: the next poll finds a lap */
    pxi_store64(&b->page->lost, b->skipped);
}

int pxi_stream_follow(px_bus *b)
{
    if (b->stream_at == b->at || b->cursor < pxi_load64_acquire(&pxi_streamed(b)->prefix->head) ||
        pxi_entry_waits(b))
        return 0;
    stream_move(b);
    return 1;
}

/* ---- the present segment ---- */

static int same_segment(px_bus *b)
{
    char path[PXI_PATH_MAX];
    struct stat st;
    pxi_path(path, b->name, PXI_FILE_SEGMENT);
    return stat(path, &st) < 0 || st.st_ino == pxi_now(b)->inode;
}

/* Map what the name stands for now, if it is another segment. */
static void remap(px_bus *b)
{
    if (same_segment(b))
        return;
    if (b->stream_at != b->at)
        stream_move(b); /* two replacements while nobody polled: there is room for two segments */
    uint32_t other = 1 - b->at;
    if (pxi_segment_open(&b->seg[other], b->name, 0, b->area[other], b->area_bytes) < 0)
        return;
    uint64_t head = pxi_load64_acquire(&b->prefix->head);
    b->at = other;
    b->prefix = b->seg[other].prefix;
    b->slots = b->seg[other].slots;
    /* One that replaces another goes on behind its last sequence; the epoch alone does not tell: a
     * bus that began again may have been restarted since. */
    b->anew =
        pxi_load64(&b->prefix->epoch) <= b->epoch || pxi_load64(&b->prefix->first_seq) <= head;
    b->epoch = 0; /* differs from any */
    b->remaps++;
    for (uint32_t rec = 1; rec <= b->id_count; rec++)
        b->symbols[rec].generation = 0;
}

static void epoch_follow(px_bus *b)
{
    uint64_t epoch = pxi_load64_acquire(&b->prefix->epoch);
    if (epoch == b->epoch)
        return;
    b->epoch = epoch;
    b->epoch_seq = pxi_load64(&b->prefix->epoch_seq);
    pxi_subs_restart(b);
}

void pxi_look(px_bus *b, int64_t now_ns)
{
    b->looked_ns = now_ns;
    b->state = pxi_load32_acquire(&b->prefix->state);
    if (b->state != PX_STATE_LIVE || pxi_heartbeat_age(b, now_ns) > PXI_DEAD_NS)
        remap(b);
    b->state = pxi_load32_acquire(&b->prefix->state);
    epoch_follow(b);
    pxi_subs_look(b, now_ns);
    if (b->state != PX_STATE_LIVE)
        b->flags |= PXI_WORK;
}

/* Steps of what is in progress, once per tick of the coarse clock: a caller that polls in a circle
 * pays a few ns, one that calls now and then gets on with every call. */
static void work(px_bus *b, int64_t now_ns)
{
    b->worked_ns = now_ns;
    b->flags &= ~(uint32_t)PXI_WORK;
    if (now_ns - b->looked_ns >= PXI_SLICE_NS)
        pxi_look(b, now_ns);
    if (b->state != PX_STATE_LIVE)
        b->flags |= PXI_WORK;
    pxi_subs_step(b, now_ns); /* sets WORK again while there is more */
}

void pxi_attend(px_bus *b)
{
    if (pxi_load64(&b->prefix->epoch) != b->epoch || pxi_load32(&b->prefix->state) != b->state)
        pxi_look(b, pxi_coarse_ns());
    if ((b->flags & PXI_WORK) != 0) {
        int64_t now = pxi_coarse_ns();
        if (now != b->worked_ns)
            work(b, now);
    }
    if ((b->flags & PXI_UNREAD) != 0)
        pxi_unread_retry(b);
}
