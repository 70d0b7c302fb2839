/* Runs of digits and of plain text, eight bytes at a time, for scanners of a known form of frame.
 * After "SIMD within a register" as in Daniel Lemire's "Parsing series of integers with SIMD" and
 * simdjson's parse_eight_digits_unrolled(). Each function reads ahead of what it accepts: the
 * caller has DIGITS_AHEAD readable bytes behind its text. */
#ifndef PX_DIGITS_H
#define PX_DIGITS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#if __BYTE_ORDER__ != __ORDER_LITTLE_ENDIAN__
#error "the lowest byte of a word must be the first of the text"
#endif

#define DIGITS_AHEAD 32

/* Most digits of one number: every one of 18 digits is below 2^63. */
#define DIGITS_MAX 18u

#define BYTES_OF(b)   (UINT64_C(0x0101010101010101) * (b))
#define BYTES_ZERO(v) (((v)-BYTES_OF(0x01)) & ~(v)&BYTES_OF(0x80))

static const uint64_t digits_power[DIGITS_MAX + 1] = {1,
                                                      10,
                                                      100,
                                                      1000,
                                                      10000,
                                                      100000,
                                                      1000000,
                                                      10000000,
                                                      100000000,
                                                      1000000000,
                                                      10000000000,
                                                      100000000000,
                                                      1000000000000,
                                                      10000000000000,
                                                      100000000000000,
                                                      1000000000000000,
                                                      10000000000000000,
                                                      100000000000000000,
                                                      1000000000000000000};

static inline uint64_t digits_load(const char *p)
{
    uint64_t v;
    memcpy(&v, p, sizeof v);
    return v;
}

/* How many of the eight bytes, from the first, are digits. Adding 0x76 carries into the top bit
 * from 10 on; a carry out of a byte can only reach bytes behind it, which no longer matter then. */
static inline unsigned digits_run(uint64_t v)
{
    uint64_t t = v ^ BYTES_OF(0x30);
    uint64_t other = ((t + BYTES_OF(0x76)) | t) & BYTES_OF(0x80);
    return other == 0 ? 8 : (unsigned)__builtin_ctzll(other) / 8;
}

/* The value of the first n (1 to 8) bytes, which are digits: moved to the end behind zeros, then
 * pairs, fours and eights are put together. */
static inline uint64_t digits_value(uint64_t v, unsigned n)
{
    v = (v & BYTES_OF(0x0f)) << (64 - 8 * n);
    v = v * 10 + (v >> 8);
    return ((v & UINT64_C(0x000000ff000000ff)) * UINT64_C(0x000f424000000064) +
            ((v >> 16) & UINT64_C(0x000000ff000000ff)) * UINT64_C(0x0000271000000001)) >>
           32;
}

/* The digits at p onto *value. Returns how many; DIGITS_MAX + 1 or more: too many, *value is moot.
 */
static inline unsigned digits_take(const char *p, uint64_t *value)
{
    unsigned count = 0, n;
    do {
        uint64_t v = digits_load(p + count);
        n = digits_run(v);
        if (n > 0)
            *value = *value * digits_power[n] + digits_value(v, n);
        count += n;
    } while (n == 8 && count < DIGITS_MAX);
    return count;
}

/* How many bytes from p on, at most `max`, are visible ASCII without quote and backslash. */
static inline size_t digits_plain(const char *p, size_t max)
{
    for (size_t i = 0; i < max; i += 8) {
        uint64_t v = digits_load(p + i);
        uint64_t stop = BYTES_ZERO(v ^ BYTES_OF('"')) | BYTES_ZERO(v ^ BYTES_OF('\\')) |
                        BYTES_ZERO(v ^ BYTES_OF(0x7f)) | ((v - BYTES_OF(0x21)) & ~v) | v;
        stop &= BYTES_OF(0x80);
        if (stop != 0) {
            size_t n = i + (size_t)__builtin_ctzll(stop) / 8;
            return n < max ? n : max;
        }
    }
    return max;
}

#endif
