/* One hash of symbols for the tables of the feeder. No table outlives the process: it may change.
 */
#ifndef PX_HASH_H
#define PX_HASH_H

#include <stddef.h>
#include <stdint.h>
#include <string.h>

/* Multiply and mix, eight bytes at a time: symbols are short, and this runs once per frame. `of`
 * tells equal symbols apart (a venue, a connection). */
static inline uint32_t hash_symbol(uint32_t of, const char *symbol, size_t len)
{
    uint64_t h = (len + 1) * UINT64_C(0x9e3779b97f4a7c15) ^ of, word;
    for (; len >= 8; len -= 8, symbol += 8) {
        memcpy(&word, symbol, 8);
        h = (h ^ word) * UINT64_C(0xff51afd7ed558ccd);
        h ^= h >> 32;
    }
    word = 0;
    for (size_t i = 0; i < len; i++)
        word = word << 8 | (unsigned char)symbol[i];
    h = (h ^ word) * UINT64_C(0xff51afd7ed558ccd);
    return (uint32_t)(h ^ (h >> 32));
}

#endif
