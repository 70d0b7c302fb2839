/* Hash of symbol -> slot. Written by the writer, derived data: an adopter rebuilds it. Entries
 * never move but in a rebuild, which runs under an odd directory_version: a miss counts only if the
 * version was even and is unchanged. */
#ifndef PXI_DIRECTORY_H
#define PXI_DIRECTORY_H

#include "segment.h"

/* Does `slot` hold this symbol now? The generation in *generation is that of the match. */
int pxi_slot_is(const struct pxl_slot *slot, const uint64_t symbol[6], uint32_t *generation);

/* A symbol as the six words of pxl_slot.symbol. `len` is 1 to PX_SYMBOL_MAX. */
void pxi_symbol_words(uint64_t words[6], const char *symbol, size_t len);

/* Slot of a symbol. Both sides use it; at most one pass over the table.
 * Errors: -ENOENT (only if no rebuild ran meanwhile); -EAGAIN. */
int pxi_directory_find(const struct pxi_segment *s, const char *symbol, size_t len, uint32_t *slot,
                       uint32_t *generation);

/* Writer only. */
void pxi_directory_add(struct pxi_segment *s, uint32_t slot, uint64_t hash);
void pxi_directory_remove(struct pxi_segment *s, uint32_t slot, uint64_t hash);
void pxi_directory_rebuild(struct pxi_segment *s);

/* Is it time for a rebuild? More than half of the entries are in use or tombstones. */
int pxi_directory_full(const struct pxi_segment *s);

#endif
