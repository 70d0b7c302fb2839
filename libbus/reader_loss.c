/* Laps, and what they cost: exactly.
 *
 * Every cell carries the ordinal of its tick: how many of this kind this owner has had. `seen` of a
 * reader counts the same, one up for each tick delivered. After a jump to `first` the reader copies
 * sequence s and ordinal k of the cell. What it will still be given up to s lies between `first`
 * and s; so, when the cursor passes s, lost = k - seen, and seen = k. A cell with s before `first`
 * settles at once. A further lap before that takes a new mark: `seen` has not moved but by what was
 * delivered, so that the difference covers both. */
#include <errno.h>
#include <string.h>

#include "reader.h"
#include "seq.h"

static uint64_t entry_seq(const struct pxi_segment *s, uint64_t n)
{
    return pxi_load64_acquire(&s->ring[n & s->ring_mask].w[0]) & ~PXL_BUSY;
}

uint64_t pxi_oldest(const struct pxi_segment *s)
{
    uint64_t head = pxi_load64_acquire(&s->prefix->head) & ~PXL_BUSY;
    uint64_t first = pxi_load64(&s->prefix->first_seq);
    uint64_t size = (uint64_t)s->ring_mask + 1;
    uint64_t low = head >= size ? head - size + 1 : 1;
    /* A ring that replaced another one starts in the middle of the numbers. */
    if (first > low)
        low = first <= head ? first : head + 1;
    return low;
}

void pxi_pending_drop(px_bus *b, uint32_t rec, uint32_t kinds)
{
    struct pxi_stream *t = &b->streams[rec];
    b->pending_count -= (uint32_t)__builtin_popcount(t->pending & kinds);
    t->pending &= ~kinds;
    b->symbols[rec].unread &= (uint8_t)~kinds;
}

static void lost_add(px_bus *b, uint32_t rec, uint32_t kind, uint64_t ordinal)
{
    struct pxi_stream *t = &b->streams[rec];
    if (ordinal > t->seen[kind]) {
        b->symbols[rec].lost[kind] += ordinal - t->seen[kind];
        b->lost[kind] += ordinal - t->seen[kind];
    }
    t->seen[kind] = ordinal;
}

void pxi_settle(px_bus *b, uint32_t rec, uint32_t kind, uint64_t seq)
{
    struct pxi_stream *t = &b->streams[rec];
    if ((t->pending & 1u << kind) == 0 || seq < b->symbols[rec].mark[kind].seq)
        return;
    lost_add(b, rec, kind, b->symbols[rec].mark[kind].ordinal);
    pxi_pending_drop(b, rec, 1u << kind);
}

/* Take the mark of one kind after a jump. 0: the writer was busy, to be tried again. */
static int mark(px_bus *b, uint32_t rec, uint32_t kind)
{
    struct pxi_symbol *s = &b->symbols[rec];
    struct pxi_stream *t = &b->streams[rec];
    struct pxi_cell cell;
    if (pxi_cell_read(&pxi_streamed(b)->slots[s->s_slot].cells[kind], &cell) < 0)
        return 0;
    if (cell.generation != s->s_generation) {
        s->inexact = 1; /* it goes to another symbol just now, its count went with it */
        return 1;
    }
    uint64_t first = b->cursor + 1 > t->min_seq[kind] ? b->cursor + 1 : t->min_seq[kind];
    if (cell.w[0] < first) {
        lost_add(b, rec, kind, cell.ordinal);
        return 1;
    }
    s->mark[kind].seq = cell.w[0];
    s->mark[kind].ordinal = cell.ordinal;
    t->pending |= 1u << kind;
    b->pending_count++;
    return 1;
}

static void marks(px_bus *b, uint32_t rec, uint32_t kinds)
{
    pxi_pending_drop(b, rec, kinds);
    for (uint32_t k = 0; k < PX_CELL_KINDS; k++) {
        if ((kinds & 1u << k) != 0 && !mark(b, rec, k)) {
            b->symbols[rec].unread |= (uint8_t)(1u << k);
            b->flags |= PXI_UNREAD;
        }
    }
}

void pxi_jump_note(px_bus *b, uint64_t from, uint64_t first)
{
    if (b->jumped_told || b->jumped == 0) {
        b->jumped_from = from;
        b->jumped = 0;
        b->jumped_told = 0;
    }
    b->jumped_to = first - 1;
    b->jumped += first - from;
    b->skipped += first - from;
    b->laps++;
}

void pxi_jump(px_bus *b, uint64_t first)
{
    pxi_owners_check(b, first);
    pxi_jump_note(b, b->cursor + 1, first);
    b->cursor = first - 1;
    for (uint32_t rec = 1; rec <= b->id_count; rec++)
        if (b->symbols[rec].s_generation != 0)
            marks(b, rec, b->symbols[rec].kinds);
    pxi_store64(&b->page->position, b->cursor);
    pxi_store64(&b->page->lost, b->skipped);
}

void pxi_unread_retry(px_bus *b)
{
    b->flags &= ~(uint32_t)PXI_UNREAD;
    for (uint32_t rec = 1; rec <= b->id_count; rec++)
        if (b->symbols[rec].unread != 0)
            marks(b, rec, b->symbols[rec].unread);
}

void pxi_lap(px_bus *b)
{
    const struct pxi_segment *s = pxi_streamed(b);
    uint64_t size = (uint64_t)s->ring_mask + 1;
    uint64_t head = pxi_load64_acquire(&s->prefix->head);
    /* The head comes once per batch; the entry that overtook us is nearer to the truth. It is
     * believed as far as a batch may reasonably go. */
    uint64_t entry = entry_seq(s, b->cursor + 1);
    if (entry > head && entry - head <= 2 * size)
        head = entry;
    uint64_t first = head > size / 2 ? head - size / 2 : 1;
    if (first < b->cursor + 2)
        first = b->cursor + 2;
    pxi_jump(b, first);
}

/* Take one tick between cursor and cell out of what its symbol has seen. */
static void reckon_one(px_bus *b, uint64_t bits, uint64_t seq)
{
    uint32_t rec = b->owner[pxi_bits_slot(bits)];
    struct pxi_symbol *s = &b->symbols[rec];
    struct pxi_stream *t = &b->streams[rec];
    uint32_t kind = pxi_bits_kind(bits);
    if (rec != 0 && (uint32_t)bits == t->key && kind < PX_CELL_KINDS && seq >= s->s_bind &&
        seq <= s->mark[kind].seq && t->seen[kind] != 0)
        t->seen[kind]--;
}

/* Start with all that the cells have counted; returns the highest sequence among them. */
static uint64_t reckon_cells(px_bus *b)
{
    uint64_t last = 0;
    for (uint32_t rec = 1; rec <= b->id_count; rec++) {
        struct pxi_symbol *s = &b->symbols[rec];
        if (s->s_generation == 0)
            continue;
        if (b->streams[rec].pending != 0 || s->unread != 0)
            s->inexact = 1;
        pxi_pending_drop(b, rec, PX_ALL_KINDS);
        for (uint32_t k = 0; k < PX_CELL_KINDS; k++) {
            struct pxi_cell cell;
            s->mark[k].seq = 0;
            b->streams[rec].seen[k] = PXI_UNKNOWN;
            if (pxi_cell_read(&pxi_streamed(b)->slots[s->s_slot].cells[k], &cell) < 0 ||
                cell.generation != s->s_generation) {
                s->inexact |= (s->kinds & 1u << k) != 0;
                continue;
            }
            s->mark[k].seq = cell.w[0];
            b->streams[rec].seen[k] = cell.ordinal;
            last = cell.w[0] > last ? cell.w[0] : last;
        }
    }
    return last;
}

int pxi_reckon(px_bus *b)
{
    const struct pxi_segment *seg = pxi_streamed(b);
    uint64_t last = reckon_cells(b);
    uint64_t w[PXL_TICK_WORDS];
    uint64_t n = b->cursor + 1;
    for (; n <= last; n++) {
        enum pxi_entry_state state = pxi_entry_read(&seg->ring[n & seg->ring_mask], n, w);
        if (state == PXI_LAPPED)
            return -ERANGE;
        if (state == PXI_NOT_YET)
            break;
        reckon_one(b, w[1], n);
    }
    if (n > last)
        return 0;
    /* Tick n is in its cell and not yet in the ring: one sequence at most is open at a time. */
    for (uint32_t rec = 1; rec <= b->id_count; rec++)
        for (uint32_t k = 0; k < PX_CELL_KINDS; k++)
            if (b->symbols[rec].s_generation != 0 && b->symbols[rec].mark[k].seq >= n &&
                b->streams[rec].seen[k] != 0)
                b->streams[rec].seen[k]--;
    return 0;
}

void pxi_inexact_set(px_bus *b)
{
    for (uint32_t rec = 1; rec <= b->id_count; rec++)
        b->symbols[rec].inexact |= b->symbols[rec].s_generation != 0 && b->symbols[rec].kinds != 0;
}

/* 0 if `seq` can be the next one in the stream's segment. The ring may be ahead of the head by a
 * batch, so the entry itself is asked too. */
static int seek_check(px_bus *b, uint64_t seq)
{
    const struct pxi_segment *s = pxi_streamed(b);
    uint64_t head = pxi_load64_acquire(&s->prefix->head);
    return seq < pxi_oldest(s) || seq > head + 1 || entry_seq(s, seq) > seq ? -ERANGE : 0;
}

/* The oldest entry that is not overwritten, and `margin` entries more. */
static uint64_t seek_oldest(px_bus *b, uint64_t margin)
{
    const struct pxi_segment *s = pxi_streamed(b);
    uint64_t head = pxi_load64_acquire(&s->prefix->head) & ~PXL_BUSY;
    uint64_t seq = pxi_oldest(s);
    for (uint32_t i = 0; i <= s->ring_mask && seq <= head && entry_seq(s, seq) > seq; i++)
        seq++;
    return seq + margin <= head ? seq + margin : seq;
}

static void seek_to(px_bus *b, uint64_t seq)
{
    for (uint32_t rec = 1; b->wild_count != 0 && rec <= b->id_count; rec++)
        if (b->symbols[rec].s_bind >= seq && b->symbols[rec].s_generation > 1)
            pxi_unbind(b, rec); /* who had the slot before is a stranger; then BIND binds again */
    pxi_owners_check(b, seq);
    b->cursor = seq - 1;
}

int px_bus_seek(px_bus *b, uint64_t seq)
{
    if (pxi_attention(b))
        pxi_attend(b);
    if (seq != 0 && seek_check(b, seq) < 0)
        return -ERANGE;
    /* From here on the stream moves. If the writer is faster than the count of what lies ahead, the
     * next poll finds a lap; but who asked for the oldest is given one that stays a little. */
    uint64_t size = (uint64_t)pxi_streamed(b)->ring_mask + 1, margin = 0;
    seek_to(b, seq != 0 ? seq : seek_oldest(b, 0));
    int rc;
    while ((rc = pxi_reckon(b)) < 0 && seq == 0 && margin < size / 2) {
        margin = margin == 0 ? size / 64 : margin * 2;
        seek_to(b, seek_oldest(b, margin));
    }
    if (rc < 0)
        pxi_inexact_set(b);
    b->flags &= ~(uint32_t)(PXI_HELD | PXI_JUMPED);
    b->jumped_told = 1;
    for (uint32_t rec = 1; rec <= b->id_count; rec++) {
        memset(b->symbols[rec].join, 0, sizeof b->symbols[rec].join);
        b->symbols[rec].join_generation = 0;
        pxi_arm(b, rec);
    }
    return 0;
}

int px_bus_lost(px_bus *b, px_id id, struct px_lost *out)
{
    if (out == NULL || (id != PX_ID_NONE && id >= b->id_count))
        return -EINVAL;
    if (pxi_attention(b))
        pxi_attend(b);
    int one = id != PX_ID_NONE;
    const struct pxi_symbol *s = &b->symbols[one ? id + 1 : 0];
    out->skipped = b->skipped;
    out->laps = b->laps;
    for (int k = 0; k < PX_CELL_KINDS; k++)
        out->ticks[k] = one ? s->lost[k] : b->lost[k];
    if (one) {
        out->final = s->inexact == 0 && s->unread == 0 && b->streams[id + 1].pending == 0;
        return 0;
    }
    out->final = b->pending_count == 0 && b->inexact == 0;
    for (uint32_t rec = 1; rec <= b->id_count; rec++)
        if (b->symbols[rec].inexact != 0 || b->symbols[rec].unread != 0)
            out->final = 0;
    return 0;
}
