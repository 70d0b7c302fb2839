/* Hash of a symbol for the directory: FNV-1a (Fowler, Noll, Vo) with a last mix (splitmix64), since
 * the directory masks the low bits. Both sides of the segment must agree: part of the layout. */
#ifndef PXI_HASH_H
#define PXI_HASH_H

#include <stddef.h>
#include <stdint.h>

static inline uint64_t pxi_hash(const char *text, size_t len)
{
    uint64_t h = UINT64_C(0xcbf29ce484222325);
    for (size_t i = 0; i < len; i++)
        h = (h ^ (unsigned char)text[i]) * UINT64_C(0x100000001b3);
    h = (h ^ (h >> 30)) * UINT64_C(0xbf58476d1ce4e5b9);
    h = (h ^ (h >> 27)) * UINT64_C(0x94d049bb133111eb);
    return h ^ (h >> 31);
}

#endif
