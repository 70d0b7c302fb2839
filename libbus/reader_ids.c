/* Handles of symbols, and which of them owns a slot where the cursor stands. */
#include <errno.h>
#include <string.h>

#include "directory.h"
#include "hash.h"
#include "reader.h"
#include "seq.h"

/* ---- handles ---- */

/* Place of a text in the index: its record's, or the free one where it would stand. */
static uint32_t *index_place(px_bus *b, const char *text, uint64_t hash)
{
    uint64_t at = hash;
    for (;; at++) {
        uint32_t *place = &b->index[at & b->index_mask];
        if (*place == 0 ||
            (b->symbols[*place].hash == hash && strcmp(b->symbols[*place].text, text) == 0))
            return place;
    }
}

/* Kinds that a symbol is delivered for without being asked for by its name. */
static uint32_t kinds_beside(const px_bus *b, const char *text)
{
    if (b->all != 0)
        return PX_ALL_KINDS;
    uint32_t kinds = 0;
    for (uint32_t i = 0; i < b->wild_count; i++) {
        const struct pxi_symbol *w = &b->symbols[b->wild[i]];
        if (strncmp(w->text, text, strlen(w->text) - 1) == 0)
            kinds |= w->asked;
    }
    return kinds;
}

uint32_t pxi_id_get(px_bus *b, const char *text, int make)
{
    size_t len = strnlen(text, PX_SYMBOL_MAX + 1);
    if (len == 0 || len > PX_SYMBOL_MAX)
        return 0;
    uint64_t hash = pxi_hash(text, len);
    uint32_t *place = index_place(b, text, hash);
    if (*place != 0 || !make || b->id_count == b->id_max)
        return *place;
    uint32_t rec = ++b->id_count;
    struct pxi_symbol *s = &b->symbols[rec];
    memset(s, 0, sizeof *s);
    memcpy(s->text, text, len);
    s->hash = hash;
    s->wildcard = len >= 2 && strcmp(text + len - 2, ":*") == 0;
    s->kinds = s->wildcard ? 0 : kinds_beside(b, text);
    memset(&b->streams[rec], 0, sizeof b->streams[rec]);
    pxi_arm(b, rec);
    *place = rec;
    return rec;
}

void pxi_id_drop(px_bus *b, uint32_t rec)
{
    /* The last one made stands at the end of every chain that it is in: no hole is left. */
    struct pxi_symbol *s = &b->symbols[rec];
    if (rec != b->id_count || s->s_generation != 0)
        return;
    *index_place(b, s->text, s->hash) = 0;
    b->id_count--;
}

void pxi_place(px_bus *b, uint32_t rec, uint32_t slot, uint32_t generation)
{
    struct pxi_symbol *s = &b->symbols[rec];
    if (s->slot == slot && s->generation == generation)
        return;
    s->slot = slot;
    s->generation = generation;
    for (int k = 0; k < PX_CELL_KINDS; k++)
        b->prices[rec].counter[k] = PXI_NEVER;
}

int pxi_locate(px_bus *b, uint32_t rec)
{
    struct pxi_symbol *s = &b->symbols[rec];
    uint32_t slot, generation;
    if (s->wildcard)
        return -ENOENT;
    int rc = pxi_directory_find(pxi_now(b), s->text, strlen(s->text), &slot, &generation);
    if (rc == 0)
        pxi_place(b, rec, slot, generation);
    return rc;
}

int px_bus_find(px_bus *b, const char *symbol, px_id *id)
{
    uint32_t slot, generation;
    if (symbol == NULL || id == NULL)
        return -EINVAL;
    size_t len = strnlen(symbol, PX_SYMBOL_MAX + 1);
    if (len == 0 || len > PX_SYMBOL_MAX)
        return -EINVAL;
    if (pxi_attention(b))
        pxi_attend(b);
    int rc = pxi_directory_find(pxi_now(b), symbol, len, &slot, &generation);
    if (rc < 0)
        return rc;
    uint32_t rec = pxi_id_get(b, symbol, 1);
    if (rec == 0)
        return -ENOBUFS;
    pxi_place(b, rec, slot, generation);
    *id = rec - 1;
    return 0;
}

int px_bus_symbols(px_bus *b, uint32_t *cursor, px_id *id)
{
    struct pxi_owner owner;
    if (cursor == NULL || id == NULL)
        return -EINVAL;
    if (pxi_attention(b))
        pxi_attend(b);
    for (uint32_t slot = *cursor; slot < pxi_now(b)->capacity; slot++) {
        if (!pxi_owner_read(pxi_now(b), slot, &owner))
            continue;
        uint32_t rec = pxi_id_get(b, owner.text, 1);
        if (rec == 0)
            return -ENOBUFS;
        pxi_place(b, rec, slot, owner.generation);
        *cursor = slot + 1;
        *id = rec - 1;
        return 1;
    }
    *cursor = pxi_now(b)->capacity;
    return 0;
}

const char *px_bus_symbol(px_bus *b, px_id id)
{
    return id < b->id_count ? b->symbols[id + 1].text : NULL;
}

/* ---- owners ---- */

int pxi_owner_read(const struct pxi_segment *s, uint32_t slot, struct pxi_owner *out)
{
    uint64_t words[6];
    if (slot >= s->capacity)
        return 0;
    const struct pxl_slot *p = &s->slots[slot];
    out->generation = pxi_load32_acquire(&p->generation);
    if (out->generation == 0)
        return 0;
    for (int i = 0; i < 6; i++)
        words[i] = pxi_load64(&p->symbol[i]);
    out->bind_seq = pxi_load64(&p->bind_seq);
    pxi_fence_acquire();
    if (pxi_load32(&p->generation) != out->generation)
        return 0;
    memcpy(out->text, words, sizeof words);
    out->text[PX_SYMBOL_MAX] = '\0';
    return out->text[0] != '\0';
}

int pxi_owner_find(const struct pxi_segment *s, const char *text, uint32_t *slot,
                   struct pxi_owner *out)
{
    uint32_t generation;
    int rc = pxi_directory_find(s, text, strlen(text), slot, &generation);
    if (rc == 0)
        return pxi_owner_read(s, *slot, out) && strcmp(out->text, text) == 0;
    if (rc != -EAGAIN)
        return 0;
    for (*slot = 0; *slot < s->capacity; ++*slot)
        if (pxi_owner_read(s, *slot, out) && strcmp(out->text, text) == 0)
            return 1;
    return 0;
}

void pxi_arm(px_bus *b, uint32_t rec)
{
    const struct pxi_symbol *s = &b->symbols[rec];
    struct pxi_stream *t = &b->streams[rec];
    for (uint32_t k = 0; k <= PX_CELL_KINDS; k++) {
        uint32_t wanted = k == PX_STATUS ? s->kinds : s->kinds & 1u << k;
        uint64_t first = s->join[k] > s->s_bind ? s->join[k] : s->s_bind;
        t->min_seq[k] = s->s_generation != 0 && wanted != 0 ? first : PXI_NEVER;
    }
}

void pxi_kinds_update(px_bus *b, uint32_t rec)
{
    struct pxi_symbol *s = &b->symbols[rec];
    uint32_t kinds = s->wildcard ? 0 : s->asked | kinds_beside(b, s->text);
    uint32_t dropped = s->kinds & ~kinds;
    if (((b->streams[rec].pending | s->unread) & dropped) != 0)
        s->inexact = 1; /* what was still to be settled never will be */
    pxi_pending_drop(b, rec, dropped);
    s->kinds = kinds;
    pxi_arm(b, rec);
}

void pxi_unbind(px_bus *b, uint32_t rec)
{
    struct pxi_symbol *s = &b->symbols[rec];
    if (s->s_generation == 0)
        return;
    if (b->owner[s->s_slot] == rec)
        b->owner[s->s_slot] = 0;
    if (b->streams[rec].pending != 0 || s->unread != 0)
        s->inexact = 1;
    pxi_pending_drop(b, rec, PX_ALL_KINDS);
    s->s_generation = 0;
    pxi_arm(b, rec);
}

void pxi_bind(px_bus *b, uint32_t rec, uint32_t slot, const struct pxi_owner *owner)
{
    struct pxi_symbol *s = &b->symbols[rec];
    struct pxi_stream *t = &b->streams[rec];
    if (b->owner[slot] == rec && s->s_generation == owner->generation &&
        s->s_bind == owner->bind_seq)
        return;
    pxi_unbind(b, rec);
    if (b->owner[slot] != 0)
        pxi_unbind(b, b->owner[slot]);
    s->s_slot = slot;
    s->s_generation = owner->generation;
    s->s_bind = owner->bind_seq;
    t->key = slot | (owner->generation & PXL_GEN_MASK) << PXL_GEN_SHIFT;
    for (int k = 0; k < PX_CELL_KINDS; k++)
        t->seen[k] = s->join_generation == owner->generation ? s->join_ordinal[k] : 0;
    b->owner[slot] = rec;
    pxi_arm(b, rec);
}

uint32_t pxi_stream_bind(px_bus *b, uint32_t slot, uint32_t generation_low, uint64_t seq)
{
    uint32_t before = b->owner[slot];
    if (before != 0 && b->symbols[before].s_bind == seq)
        return before; /* known already: it was on the bus before the stream came to it */
    if (before != 0)
        pxi_unbind(b, before);
    b->owner[slot] = 0; /* it may have been the stranger's */
    struct pxi_owner owner;
    if (!pxi_owner_read(pxi_streamed(b), slot, &owner) || owner.bind_seq != seq ||
        (owner.generation & PXL_GEN_MASK) != generation_low) {
        pxi_stranger_set(b, slot); /* it has changed hands again meanwhile */
        return 0;
    }
    uint32_t wanted = kinds_beside(b, owner.text);
    uint32_t rec = pxi_id_get(b, owner.text, wanted != 0);
    if (rec != 0)
        pxi_bind(b, rec, slot, &owner);
    else if (wanted != 0)
        pxi_stranger_set(b, slot);
    return rec;
}

void pxi_stranger_set(px_bus *b, uint32_t slot)
{
    if (b->all != 0 || b->wild_count != 0)
        b->owner[slot] = b->stranger;
}

void pxi_strangers_forget(px_bus *b)
{
    for (uint32_t slot = 0; slot < pxi_streamed(b)->capacity; slot++)
        if (b->owner[slot] == b->stranger)
            b->owner[slot] = 0;
}

/* Does the record own its slot for every tick from `first` to the next BIND in the ring?
 * Generations of a slot count up by one: if the present owner is the next after ours, and came at
 * or behind `first`, nobody was in between. */
static int owns_from(const struct pxi_segment *seg, const struct pxi_symbol *s, uint64_t first)
{
    const struct pxl_slot *p = &seg->slots[s->s_slot];
    struct pxi_owner owner;
    uint32_t last = pxi_load32_acquire(&p->last_generation);
    if (last == s->s_generation)
        return 1;
    return last == s->s_generation + 1 && pxi_owner_read(seg, s->s_slot, &owner) &&
           owner.generation == last && owner.bind_seq >= first;
}

/* May the skipped part have had ticks in this slot of somebody we have no record of? Not if it was
 * bound before, nor if its present owner is the first it has, or the next after the one we know. */
static int hides_owner(const px_bus *b, const struct pxl_slot *p, uint32_t rec)
{
    if (rec == b->stranger)
        return 1;
    uint32_t last = pxi_load32_acquire(&p->last_generation);
    uint32_t known = rec != 0 ? b->symbols[rec].s_generation : 0;
    if (pxi_load64(&p->bind_seq) <= b->cursor)
        return 0;
    return last - known > 1 || pxi_load32(&p->generation) == 0;
}

/* Readers of all and of whole venues want also what they have no record of. */
static void hidden_check(px_bus *b)
{
    const struct pxi_segment *seg = pxi_streamed(b);
    if (b->inexact != 0 || (b->all == 0 && b->wild_count == 0))
        return;
    for (uint32_t slot = 0; slot < seg->capacity && b->inexact == 0; slot++)
        b->inexact = (uint32_t)hides_owner(b, &seg->slots[slot], b->owner[slot]);
}

void pxi_owners_check(px_bus *b, uint64_t first)
{
    hidden_check(b);
    for (uint32_t rec = 1; rec <= b->id_count; rec++) {
        struct pxi_symbol *s = &b->symbols[rec];
        if (s->s_generation != 0 && !owns_from(pxi_streamed(b), s, first)) {
            s->inexact |= s->kinds != 0;
            pxi_unbind(b, rec);
        }
    }
    pxi_owners_find(b, first);
}

/* Bind unless an earlier owner still has ticks before this one's BIND. */
static void find_one(px_bus *b, uint32_t rec, uint32_t slot, const struct pxi_owner *owner,
                     uint64_t first)
{
    struct pxi_symbol *s = &b->symbols[rec];
    if (b->owner[slot] != 0 && owner->bind_seq >= first)
        return;
    pxi_bind(b, rec, slot, owner);
    if (owner->bind_seq > b->cursor || s->join_generation == owner->generation)
        return;
    /* Not followed from its first tick, nor joined: what was missed is not known. */
    s->inexact = 1;
    for (int k = 0; k < PX_CELL_KINDS; k++)
        b->streams[rec].seen[k] = PXI_UNKNOWN;
}

/* Somebody that is wanted without being asked for by name? Whoever had the slot before its BIND,
 * if that is still to come, is not to be known any more. */
static void find_in_slot(px_bus *b, uint32_t slot, uint64_t first)
{
    struct pxi_owner owner;
    int there = pxi_owner_read(pxi_streamed(b), slot, &owner);
    if (!there) {
        if (pxi_load64(&pxi_streamed(b)->slots[slot].bind_seq) > b->cursor)
            pxi_stranger_set(b, slot);
        return;
    }
    if (owner.bind_seq >= first && owner.generation > 1) {
        pxi_stranger_set(b, slot);
        return;
    }
    b->owner[slot] = 0;
    if (kinds_beside(b, owner.text) == 0)
        return;
    uint32_t rec = pxi_id_get(b, owner.text, 1);
    if (rec != 0)
        find_one(b, rec, slot, &owner, first);
    else
        pxi_stranger_set(b, slot);
}

void pxi_owners_find(px_bus *b, uint64_t first)
{
    struct pxi_segment *seg = pxi_streamed(b);
    struct pxi_owner owner;
    for (uint32_t rec = 1; rec <= b->id_count; rec++) {
        struct pxi_symbol *s = &b->symbols[rec];
        uint32_t slot;
        if (s->s_generation == 0 && s->kinds != 0 && pxi_owner_find(seg, s->text, &slot, &owner))
            find_one(b, rec, slot, &owner, first);
    }
    if (b->all == 0 && b->wild_count == 0)
        return;
    for (uint32_t slot = 0; slot < seg->capacity; slot++) {
        if (b->owner[slot] != 0 && b->owner[slot] != b->stranger)
            continue;
        find_in_slot(b, slot, first);
    }
}
