/* UTF-8 check: the automaton of Bjoern Hoehrmann, "Flexible and Economical UTF-8 Decoder",
 * 2008-2010, http://bjoern.hoehrmann.de/utf-8/decoder/dfa/ (MIT licence), with words of ASCII
 * skipped ahead of it. It refuses overlong forms, surrogates and what lies beyond U+10FFFF. */
#include <string.h>

#include "ws_internal.h"

/* clang-format off */
/* Copyright (c) 2008-2010 Bjoern Hoehrmann <bjoern@hoehrmann.de>
 * See http://bjoern.hoehrmann.de/utf-8/decoder/dfa/ for details. */
static const uint8_t classes[256] = {
    0,0,0,0,0,0,0,0,0,0,0,0,0,0,0,0, 0,0,0,0,0,0,0,0,0,0,0,0,0,0,0,0,
    0,0,0,0,0,0,0,0,0,0,0,0,0,0,0,0, 0,0,0,0,0,0,0,0,0,0,0,0,0,0,0,0,
    0,0,0,0,0,0,0,0,0,0,0,0,0,0,0,0, 0,0,0,0,0,0,0,0,0,0,0,0,0,0,0,0,
    0,0,0,0,0,0,0,0,0,0,0,0,0,0,0,0, 0,0,0,0,0,0,0,0,0,0,0,0,0,0,0,0,
    1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1, 9,9,9,9,9,9,9,9,9,9,9,9,9,9,9,9,
    7,7,7,7,7,7,7,7,7,7,7,7,7,7,7,7, 7,7,7,7,7,7,7,7,7,7,7,7,7,7,7,7,
    8,8,2,2,2,2,2,2,2,2,2,2,2,2,2,2, 2,2,2,2,2,2,2,2,2,2,2,2,2,2,2,2,
    10,3,3,3,3,3,3,3,3,3,3,3,3,4,3,3, 11,6,6,6,5,8,8,8,8,8,8,8,8,8,8,8,
};
static const uint8_t transitions[108] = {
     0,12,24,36,60,96,84,12,12,12,48,72, 12,12,12,12,12,12,12,12,12,12,12,12,
    12, 0,12,12,12,12,12, 0,12, 0,12,12, 12,24,12,12,12,12,12,24,12,24,12,12,
    12,12,12,12,12,12,12,24,12,12,12,12, 12,24,12,12,12,12,12,12,12,24,12,12,
    12,12,12,12,12,12,12,36,12,36,12,12, 12,36,12,12,12,12,12,36,12,36,12,12,
    12,36,12,12,12,12,12,12,12,12,12,12,
};
/* clang-format on */

static inline uint64_t word(const unsigned char *p)
{
    uint64_t w;
    memcpy(&w, p, sizeof w);
    return w;
}

/* How many bytes at p are ASCII, in steps of a word. */
static size_t ascii_run(const unsigned char *p, size_t len)
{
    const uint64_t high = 0x8080808080808080u;
    size_t i = 0;
    for (; i + 32 <= len; i += 32)
        if ((word(p + i) | word(p + i + 8) | word(p + i + 16) | word(p + i + 24)) & high)
            break;
    while (i + 8 <= len && (word(p + i) & high) == 0)
        i += 8;
    /* fewer than 8 left: the last word overlaps with what is known to be ASCII */
    if (i < len && i >= 8 && len - i < 8 && (word(p + len - 8) & high) == 0)
        i = len;
    return i;
}

uint32_t ws_utf8(uint32_t state, const unsigned char *p, size_t len)
{
    size_t i = 0;
    while (i < len) {
        if (state == WS_UTF8_ACCEPT) {
            i += ascii_run(p + i, len - i);
            if (i == len)
                break;
        }
        /* at least one byte, then on to the end of the character: the fast way is open again */
        do
            state = transitions[state + classes[p[i++]]];
        while (i < len && state != WS_UTF8_ACCEPT && state != WS_UTF8_REJECT);
        if (state == WS_UTF8_REJECT)
            break;
    }
    return state;
}
