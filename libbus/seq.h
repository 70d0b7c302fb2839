/* The protocol between one writer and any number of read-only readers, on one screen: ring entry,
 * cell, versioned record. The writer may be killed between any two stores; a reader never waits for
 * it without bound.
 *
 * Write order of tick n (libbus/writer.c):
 *   1 release fence                2 idle cell's words  3 entry.w[0] = n | BUSY
 *   4 release fence                5 entry words 1 to 7 6 cell counter + 1, release
 *   7 entry.w[0] = n, release      8 head = n, release (once per batch)
 * The idle cell comes first, since nobody looks at it: a reader that polls would take the entry's
 * line away between 3 and 7, and the less stands between them the seldomer.
 *
 * I1  An entry whose word 0 is n, before and after the copy, holds tick n whole.
 * I2  A cell is written only while it is idle, that is while the counter names the other one.
 * I3  At most one sequence is open (BUSY) at a time: the one after the highest that is complete.
 *
 * The method is Boehm's for seqlocks ("Can seqlocks get along with programming language memory
 * models?", MSPC 2012): payload words are relaxed atomics, fences order them. */
#ifndef PXI_SEQ_H
#define PXI_SEQ_H

#include <stddef.h>

#include "atomic.h"
#include "px/layout.h"

/* Compilers leave loops over atomics as loops; written out, the eight words of a tick stay in
 * registers from the update to both of its copies. */
#ifdef __clang__
#define PXI_UNROLL _Pragma("unroll")
#else
#define PXI_UNROLL _Pragma("GCC unroll 8")
#endif

/* ---- ring entry ---- */

/* 3 and 4: the fence keeps words 1 to 7 below the BUSY mark. Pairs with the acquire fence in
 * pxi_entry_read(): who read a new word sees the mark. */
static inline void pxi_entry_open(struct pxl_tick *e, uint64_t n)
{
    pxi_store64(&e->w[0], n | PXL_BUSY);
    pxi_fence_release();
}

static inline void pxi_entry_fill(struct pxl_tick *e, const uint64_t w[PXL_TICK_WORDS])
{
    PXI_UNROLL
    for (unsigned i = 1; i < PXL_TICK_WORDS; i++)
        pxi_store64(&e->w[i], w[i]);
}

/* 7: pairs with the acquire load in pxi_entry_read(). */
static inline void pxi_entry_close(struct pxl_tick *e, uint64_t n)
{
    pxi_store64_release(&e->w[0], n);
}

enum pxi_entry_state { PXI_READY, PXI_NOT_YET, PXI_LAPPED };

/* Copy tick n. NOT_YET: not written, or BUSY now. LAPPED: a later tick took its place, also if that
 * happened during the copy (w is then worthless). */
static inline enum pxi_entry_state pxi_entry_read(const struct pxl_tick *e, uint64_t n,
                                                  uint64_t w[PXL_TICK_WORDS])
{
    uint64_t s = pxi_load64_acquire(&e->w[0]);
    if (s != n)
        return (s & ~PXL_BUSY) > n ? PXI_LAPPED : PXI_NOT_YET;
    w[0] = n;
    PXI_UNROLL
    for (unsigned i = 1; i < PXL_TICK_WORDS; i++)
        w[i] = pxi_load64(&e->w[i]);
    pxi_fence_acquire();
    return pxi_load64(&e->w[0]) == n ? PXI_READY : PXI_LAPPED;
}

/* ---- cell ---- */

struct pxi_cell {
    uint64_t w[PXL_TICK_WORDS]; /* the tick; w[0] == 0: none */
    uint64_t ordinal, venue_id;
    int64_t mono_ns;
    uint32_t generation;
};

/* 1 and 2, into the idle cell. The fence before the stores matters: without it they may rise above
 * the counter store of the write before, into the cell that readers were just sent to (I2). Returns
 * the counter that makes this cell the readable one. */
static inline uint64_t pxi_cell_fill(struct pxl_cells *c, const struct pxi_cell *in)
{
    uint64_t counter = pxi_load64(&c->counter) + 1;
    unsigned i = (unsigned)(counter & 1);
    pxi_fence_release();
    PXI_UNROLL
    for (unsigned k = 0; k < PXL_TICK_WORDS; k++)
        pxi_store64(&c->tick[i].w[k], in->w[k]);
    pxi_store64(&c->side[i].ordinal, in->ordinal);
    pxi_store_time(&c->side[i].mono_ns, in->mono_ns);
    pxi_store64(&c->side[i].venue_id, in->venue_id);
    pxi_store32(&c->generation[i], in->generation);
    return counter;
}

/* 6: pairs with the acquire load in pxi_cell_try(). */
static inline void pxi_cell_show(struct pxl_cells *c, uint64_t counter)
{
    pxi_store64_release(&c->counter, counter);
}

/* Copy the readable cell; 0 if the counter moved meanwhile. The acquire load pairs with
 * pxi_cell_show(), the acquire fence with the release fence in pxi_cell_fill(). */
static inline int pxi_cell_try(const struct pxl_cells *c, struct pxi_cell *out)
{
    uint64_t counter = pxi_load64_acquire(&c->counter);
    unsigned i = (unsigned)(counter & 1);
    PXI_UNROLL
    for (unsigned k = 0; k < PXL_TICK_WORDS; k++)
        out->w[k] = pxi_load64(&c->tick[i].w[k]);
    out->ordinal = pxi_load64(&c->side[i].ordinal);
    out->mono_ns = pxi_load_time(&c->side[i].mono_ns);
    out->venue_id = pxi_load64(&c->side[i].venue_id);
    out->generation = pxi_load32(&c->generation[i]);
    pxi_fence_acquire();
    return pxi_load64(&c->counter) == counter;
}

/* At most so many tries, then the caller keeps what it has: a writer publishes a symbol at most
 * every 10 ns, a copy takes about as long, so that 64 failures in a row mean a flood or a stopped
 * machine. */
#define PXI_TRIES 64

static inline int pxi_cell_read(const struct pxl_cells *c, struct pxi_cell *out)
{
    for (int i = 0; i < PXI_TRIES; i++)
        if (pxi_cell_try(c, out))
            return i;
    return -1;
}

/* ---- records of `words` 64-bit words under a version (odd: being written) ---- */

static inline void pxi_record_write(uint64_t *version, uint64_t *dst, const uint64_t *src,
                                    size_t words)
{
    uint64_t v = pxi_load64(version) & ~UINT64_C(1);
    pxi_store64(version, v + 1);
    pxi_fence_release();
    for (size_t i = 0; i < words; i++)
        pxi_store64(dst + i, src[i]);
    pxi_store64_release(version, v + 2);
}

/* 1: *dst is whole. 0: the writer was, or stays, in the middle of it. */
static inline int pxi_record_read(const uint64_t *version, uint64_t *dst, const uint64_t *src,
                                  size_t words)
{
    for (int n = 0; n < PXI_TRIES; n++) {
        uint64_t v = pxi_load64_acquire(version);
        if ((v & 1) != 0)
            continue;
        for (size_t i = 0; i < words; i++)
            dst[i] = pxi_load64(src + i);
        pxi_fence_acquire();
        if (pxi_load64(version) == v)
            return 1;
    }
    return 0;
}

/* ---- word 1 of a tick ---- */

static inline uint64_t pxi_bits(uint32_t slot, uint32_t generation, uint32_t kind, uint32_t flags,
                                uint32_t exponents)
{
    return (uint64_t)slot | (uint64_t)(generation & PXL_GEN_MASK) << PXL_GEN_SHIFT |
           (uint64_t)kind << PXL_KIND_SHIFT | (uint64_t)flags << PXL_FLAGS_SHIFT |
           (uint64_t)exponents << PXL_EXP_SHIFT;
}

static inline uint32_t pxi_bits_slot(uint64_t bits)
{
    return (uint32_t)bits & ((1u << PXL_SLOT_BITS) - 1u);
}

static inline uint32_t pxi_bits_generation(uint64_t bits)
{
    return (uint32_t)(bits >> PXL_GEN_SHIFT) & PXL_GEN_MASK;
}

static inline uint32_t pxi_bits_kind(uint64_t bits)
{
    return (uint32_t)(bits >> PXL_KIND_SHIFT) & 7u;
}

static inline uint32_t pxi_bits_flags(uint64_t bits)
{
    return (uint32_t)(bits >> PXL_FLAGS_SHIFT) & PX_FLAGS_MASK;
}

/* Exponent of decimal word i (0 to 3), PX_ABSENT (-31) included. */
static inline int32_t pxi_bits_exponent(uint64_t bits, unsigned i)
{
    return -(int32_t)((uint32_t)(bits >> (PXL_EXP_SHIFT + i * PXL_EXP_BITS)) & PXL_EXP_MASK);
}

#define PXI_ALL_ABSENT 0xfffffu

#endif
