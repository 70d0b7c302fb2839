#include "directory.h"

#include <errno.h>
#include <string.h>

#include "hash.h"
#include "seq.h"

void pxi_symbol_words(uint64_t words[6], const char *symbol, size_t len)
{
    memset(words, 0, 6 * sizeof *words);
    memcpy(words, symbol, len);
}

int pxi_slot_is(const struct pxl_slot *slot, const uint64_t symbol[6], uint32_t *generation)
{
    uint32_t g = pxi_load32_acquire(&slot->generation);
    if (g == 0)
        return 0;
    for (int i = 0; i < 6; i++)
        if (pxi_load64(&slot->symbol[i]) != symbol[i])
            return 0;
    pxi_fence_acquire();
    *generation = g;
    return pxi_load32(&slot->generation) == g;
}

static int probe(const struct pxi_segment *s, uint64_t hash, const uint64_t words[6],
                 uint32_t *slot, uint32_t *generation)
{
    for (uint32_t n = 0; n <= s->directory_mask; n++) {
        uint64_t w = pxi_load64_acquire(&s->directory[(hash + n) & s->directory_mask].word);
        uint32_t slot1 = (uint32_t)w;
        if (slot1 == 0)
            return -ENOENT;
        if (slot1 == PXL_TOMBSTONE || (w ^ hash) >> 32 != 0 || slot1 > s->capacity)
            continue;
        if (pxi_slot_is(&s->slots[slot1 - 1], words, generation)) {
            *slot = slot1 - 1;
            return 0;
        }
    }
    return -ENOENT;
}

int pxi_directory_find(const struct pxi_segment *s, const char *symbol, size_t len, uint32_t *slot,
                       uint32_t *generation)
{
    uint64_t words[6], hash = pxi_hash(symbol, len);
    pxi_symbol_words(words, symbol, len);
    for (int tries = 0; tries < PXI_TRIES; tries++) {
        uint64_t version = pxi_load64_acquire(&s->header->directory_version);
        if (probe(s, hash, words, slot, generation) == 0)
            return 0;
        pxi_fence_acquire();
        if ((version & 1) == 0 && pxi_load64(&s->header->directory_version) == version)
            return -ENOENT;
    }
    return -EAGAIN;
}

static uint64_t entry(uint32_t slot, uint64_t hash)
{
    return (hash & ~(uint64_t)UINT32_MAX) | (slot + 1);
}

void pxi_directory_add(struct pxi_segment *s, uint32_t slot, uint64_t hash)
{
    for (uint64_t at = hash;; at++) {
        uint64_t *w = &s->directory[at & s->directory_mask].word;
        uint32_t slot1 = (uint32_t)pxi_load64(w);
        if (slot1 != 0 && slot1 != PXL_TOMBSTONE)
            continue;
        if (slot1 == 0)
            pxi_store32(&s->header->directory_used, s->header->directory_used + 1);
        pxi_store64_release(w, entry(slot, hash));
        return;
    }
}

void pxi_directory_remove(struct pxi_segment *s, uint32_t slot, uint64_t hash)
{
    for (uint32_t n = 0; n <= s->directory_mask; n++) {
        uint64_t *w = &s->directory[(hash + n) & s->directory_mask].word;
        uint64_t v = pxi_load64(w);
        if ((uint32_t)v == 0)
            return;
        if (v == entry(slot, hash)) {
            pxi_store64_release(w, PXL_TOMBSTONE);
            return;
        }
    }
}

int pxi_directory_full(const struct pxi_segment *s)
{
    return s->header->directory_used > (s->directory_mask + 1) / 2;
}

void pxi_directory_rebuild(struct pxi_segment *s)
{
    uint64_t *version = &s->header->directory_version;
    pxi_store64(version, pxi_load64(version) | 1);
    pxi_fence_release();
    for (uint32_t i = 0; i <= s->directory_mask; i++)
        pxi_store64(&s->directory[i].word, 0);
    pxi_store32(&s->header->directory_used, 0);
    for (uint32_t i = 0; i < s->capacity; i++)
        if (s->slots[i].generation != 0)
            pxi_directory_add(s, i, s->slots[i].hash);
    pxi_store64_release(version, (pxi_load64(version) | 1) + 1);
}
