/* A mapped segment: paths, creation, mapping, checks, teardown. Both sides use it; no price logic.
 */
#ifndef PXI_SEGMENT_H
#define PXI_SEGMENT_H

#include <sys/types.h>

#include "px/layout.h"

/* Where segments live. Fixed: it is part of the contract that a bus is a file in /dev/shm. */
#define PXI_SHM_DIR  "/dev/shm"
#define PXI_PATH_MAX 64

/* Where things are in one mapping. Pointers into read-only memory for readers. */
struct pxi_segment {
    void *base;
    size_t bytes; /* mapped */
    struct pxl_prefix *prefix;
    struct pxl_header *header;
    struct pxl_counter *counters;
    uint64_t *values; /* one per cache line: index * 8 */
    struct pxl_conn *conns;
    struct pxl_entry *directory;
    struct pxl_slot *slots;
    struct pxl_tick *ring;
    struct pxl_reader *readers;
    struct pxl_error *errors;
    struct pxl_sample *seconds, *minutes;
    uint32_t capacity, ring_mask, directory_mask;
    uint32_t counter_count, conn_count, reader_count, error_count, second_count, minute_count;
    ino_t inode;
    uid_t owner; /* of the file */
    mode_t mode;
};

enum pxi_file { PXI_FILE_SEGMENT, PXI_FILE_LOCK, PXI_FILE_NEW };

/* 0 or -EINVAL: [A-Za-z0-9._-]{1,32}, and not an ending that names another file of a bus. */
int pxi_bus_name_check(const char *bus);

/* Path of a bus's file in out[PXI_PATH_MAX]. `bus` was checked. */
void pxi_path(char *out, const char *bus, enum pxi_file file);

/* Size of a segment of this shape, 0 if it is not possible. */
uint64_t pxi_segment_size(uint32_t capacity, uint32_t ring);

/* Write prefix and header of a fresh, zeroed mapping and fill `s`. State stays BUILDING and the
 * layout version 0 until the caller publishes them. */
void pxi_segment_format(struct pxi_segment *s, const char *bus, uint32_t capacity, uint32_t ring);

/* Open the segment of a bus and map it: writable, or read-only. `at`: reserved address space of
 * `reserved` bytes to map over (readers), or NULL. Nothing in the file is trusted: every region is
 * checked against the size of the file.
 * Errors: -ENOENT; -EACCES; -EPROTO not ours; -EPROTONOSUPPORT another layout; -EMSGSIZE shorter
 * than it says; -EAGAIN being built; -ENOMEM larger than what was reserved. */
int pxi_segment_open(struct pxi_segment *s, const char *bus, int writable, void *at,
                     size_t reserved);

/* The checks of pxi_segment_open() on mapped bytes. Fills `s` (base, bytes given). */
int pxi_segment_check(struct pxi_segment *s);

/* Size of a file that is to be in huge pages: all of it, up to what readers have room for. */
#define PXI_HUGE_BYTES (2u << 20)
uint64_t pxi_huge_size(uint64_t bytes);

/* Move a mapping that is populated to where huge pages can be, and make them of it as far as the
 * kernel can; readers go on meanwhile. Returns where it is now. */
void *pxi_huge_place(void *base, size_t bytes);

/* Unmap, or with `at` give the pages back to the reservation. Half-open and closed ones are fine.
 */
void pxi_segment_close(struct pxi_segment *s, void *at);

#endif
