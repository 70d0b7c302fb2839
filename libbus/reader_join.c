/* Where the stream of a symbol begins: behind what its cells hold. Load the head, copy the cells,
 * deliver what has a higher sequence than the cell of its kind: neither gap nor duplicate. */
#include <errno.h>
#include <string.h>

#include "reader.h"
#include "seq.h"

#define JOIN_TRIES 256

/* 1: every cell of `kinds` was copied, all of one owner. */
static int cells_copy(px_bus *b, uint32_t rec, uint32_t kinds, struct pxi_cell cells[PX_CELL_KINDS])
{
    const struct pxi_symbol *s = &b->symbols[rec];
    for (uint32_t k = 0; k < PX_CELL_KINDS; k++) {
        if ((kinds & 1u << k) == 0)
            continue;
        if (pxi_cell_read(&pxi_now(b)->slots[s->slot].cells[k], &cells[k]) < 0 ||
            cells[k].generation != s->generation)
            return 0;
    }
    return 1;
}

static int locate(px_bus *b, uint32_t rec, struct pxi_owner *owner)
{
    uint32_t slot;
    if (!pxi_owner_find(pxi_now(b), b->symbols[rec].text, &slot, owner))
        return 0;
    pxi_place(b, rec, slot, owner->generation);
    return 1;
}

void pxi_join(px_bus *b, uint32_t rec, uint32_t kinds)
{
    struct pxi_symbol *s = &b->symbols[rec];
    struct pxi_cell cells[PX_CELL_KINDS];
    struct pxi_owner owner = {.generation = 0};
    uint64_t head = pxi_load64_acquire(&pxi_now(b)->prefix->head);
    int found = 0, whole = 0;
    for (int i = 0; i < JOIN_TRIES && !whole; i++) {
        found = locate(b, rec, &owner);
        if (!found)
            break; /* not on the bus: when its BIND tick comes, everything is new */
        whole = cells_copy(b, rec, kinds, cells);
    }
    if (s->kinds == 0)
        s->join[PX_STATUS] = found ? head + 1 : 0;
    /* Ordinals of an earlier owner say nothing of this one. Its sequences do no harm: they are
     * below this one's BIND, and still hold for what the stream has of the earlier. */
    if (found && s->join_generation != owner.generation) {
        memset(s->join_ordinal, 0, sizeof s->join_ordinal);
        s->join_generation = owner.generation;
    }
    for (uint32_t k = 0; k < PX_CELL_KINDS; k++) {
        if ((kinds & 1u << k) == 0)
            continue;
        s->join[k] = whole ? cells[k].w[0] + 1 : 0;
        s->join_ordinal[k] = whole ? cells[k].ordinal : PXI_UNKNOWN;
        s->inexact |= found && !whole;
        if (s->s_generation == owner.generation)
            b->streams[rec].seen[k] = s->join_ordinal[k];
    }
    s->kinds |= kinds;
    /* An earlier owner, known to us, may still have ticks between cursor and BIND: then BIND binds.
     */
    if (found && b->stream_at == b->at &&
        (b->owner[s->slot] == 0 || b->owner[s->slot] == rec || owner.bind_seq <= b->cursor))
        pxi_bind(b, rec, s->slot, &owner);
    pxi_arm(b, rec);
}

int pxi_passed_by(px_bus *b, uint32_t rec)
{
    struct pxi_owner owner;
    uint32_t slot;
    return b->symbols[rec].s_generation == 0 && b->stream_at == b->at &&
           pxi_owner_find(pxi_now(b), b->symbols[rec].text, &slot, &owner) &&
           owner.bind_seq <= b->cursor;
}

/* The others of the venue that this reader has a record of: delivered when they come. */
static void join_absent(px_bus *b)
{
    for (uint32_t rec = 1; rec <= b->id_count; rec++) {
        struct pxi_symbol *s = &b->symbols[rec];
        uint32_t before = s->kinds;
        pxi_kinds_update(b, rec);
        for (uint32_t k = 0; s->s_generation != 0 && k < PX_CELL_KINDS; k++)
            if ((s->kinds & ~before & 1u << k) != 0)
                b->streams[rec].seen[k] = PXI_UNKNOWN; /* it left before it was joined */
    }
}

int pxi_join_room(px_bus *b, uint32_t rec)
{
    const struct pxi_symbol *w = &b->symbols[rec];
    size_t prefix = strlen(w->text) - 1;
    struct pxi_owner owner;
    uint32_t count = 0;
    for (uint32_t slot = 0; slot < pxi_now(b)->capacity; slot++)
        count += pxi_owner_read(pxi_now(b), slot, &owner) &&
                 strncmp(owner.text, w->text, prefix) == 0 && pxi_id_get(b, owner.text, 0) == 0;
    return count <= b->id_max - b->id_count;
}

void pxi_join_venue(px_bus *b, uint32_t rec)
{
    const struct pxi_symbol *w = &b->symbols[rec];
    size_t prefix = strlen(w->text) - 1;
    struct pxi_owner owner;
    for (uint32_t slot = 0; slot < pxi_now(b)->capacity; slot++) {
        if (!pxi_owner_read(pxi_now(b), slot, &owner) || strncmp(owner.text, w->text, prefix) != 0)
            continue;
        uint32_t known = b->id_count, one = pxi_id_get(b, owner.text, 1);
        if (one == 0) { /* it came after pxi_join_room() */
            if (b->stream_at == b->at && owner.bind_seq <= b->cursor)
                pxi_stranger_set(b, slot);
            continue;
        }
        uint32_t fresh = w->asked & ~b->symbols[one].kinds;
        if (one > known || pxi_passed_by(b, one))
            fresh = w->asked | b->symbols[one].kinds;
        if (fresh != 0)
            pxi_join(b, one, fresh);
    }
    join_absent(b);
}
