/* A segment in huge pages: fewer entries of the TLB, and fewer faults, for the one that writes. */
#include <linux/mman.h> /* MADV_COLLAPSE, which glibc 2.36 does not have yet */
#include <stdint.h>
#include <sys/mman.h>

#include "segment.h"

static uint64_t round_up(uint64_t bytes)
{
    return (bytes + PXI_HUGE_BYTES - 1) & ~(uint64_t)(PXI_HUGE_BYTES - 1);
}

uint64_t pxi_huge_size(uint64_t bytes)
{
    uint64_t rounded = round_up(bytes);
    return rounded <= pxi_segment_size(PXL_CAPACITY_MAX, PXL_RING_MAX) ? rounded : bytes;
}

/* mremap() takes the mapping to an address of our choice: it must be one of a reservation. */
static void *align(void *base, size_t bytes)
{
    size_t room = bytes + PXI_HUGE_BYTES;
    if (((uintptr_t)base & (PXI_HUGE_BYTES - 1)) == 0)
        return base;
    char *area = mmap(NULL, room, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    if (area == MAP_FAILED)
        return base;
    char *at = (char *)(uintptr_t)round_up((uintptr_t)area), *end = at + bytes; /* whole pages */
    void *moved = mremap(base, bytes, bytes, MREMAP_MAYMOVE | MREMAP_FIXED, at);
    if (moved == MAP_FAILED) {
        munmap(area, room);
        return base;
    }
    if (at > area)
        munmap(area, (size_t)(at - area));
    munmap(end, (size_t)(area + room - end));
    return moved;
}

void *pxi_huge_place(void *base, size_t bytes)
{
    char *at = align(base, bytes);
    madvise(at, bytes, MADV_HUGEPAGE);
    /* Now, and whatever the mount says of huge pages: /dev/shm has none by itself. Each by itself,
     * because the kernel gives up behind one that cannot be had. Its own figures tell what came of
     * it. */
    for (size_t i = 0; i + PXI_HUGE_BYTES <= bytes; i += PXI_HUGE_BYTES)
        madvise(at + i, PXI_HUGE_BYTES, MADV_COLLAPSE);
    return at;
}
