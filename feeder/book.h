/* One side-by-side order book of fixed depth: the levels of one symbol, best first, as the venue
 * wrote them. Pure, no allocation: its memory is the caller's.
 *
 * Two kinds of venues: those that keep `depth` levels and never say that one was pushed out (the
 * book is cut to that depth after each message), and those that send the whole book, of which the
 * best `cap` are kept. Of the latter it is remembered up to which price the book is complete: what
 * is said of levels beyond is not needed, and when everything up to there is gone, the best price
 * is not known any more (book_exhausted()) and the book must be asked for anew. */
#ifndef PX_BOOK_H
#define PX_BOOK_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "venue.h"

#define BOOK_CAP_MAX 1024u

struct book_level {
    struct px_decimal price, size;
};

struct book_side {
    struct book_level *level; /* best first, [0, count) */
    uint32_t count;
    bool cut; /* levels were dropped for want of memory: from `edge` on nothing is known */
    struct px_decimal edge; /* the best price that was dropped */
};

struct book {
    struct book_side bid, ask;
    uint32_t cap; /* levels that each side has memory for, at most BOOK_CAP_MAX */
};

/* Bytes for one book of this capacity (1 to BOOK_CAP_MAX), and an empty book in them. */
size_t book_bytes(uint32_t cap);
void book_init(struct book *b, void *memory, uint32_t cap);

void book_clear(struct book *b);

/* Set one level to a size, or take it away (size 0, however it is written). The level is spelled as
 * it was written last. A price from a cut edge on is passed over. O(log cap) to find, O(cap) to
 * move.   Errors: -EINVAL price or size is absent or negative, nothing was changed. */
int book_set(struct book *b, const struct venue_level *level);

/* After a message: what lies deeper than `depth` (0: not bounded by the venue) is gone. A side that
 * still has `depth` levels is complete again, whatever was dropped behind them: a message may put
 * levels in before it takes others away, so a book of `depth` levels needs some more of memory. A
 * depth beyond the capacity does not bound the book: it is cut with an edge. */
void book_trim(struct book *b, uint32_t depth);

/* A side that was cut has run out of known levels. */
bool book_exhausted(const struct book *b);

/* Both sides have levels, and the best bid is not below the best ask. */
bool book_crossed(const struct book *b);

/* The best of both sides; a side without levels is absent. */
void book_top(const struct book *b, struct px_quote *out);

/* Exact comparison of two decimals, whatever their exponents: <0, 0, >0. */
int book_compare(struct px_decimal a, struct px_decimal b);

/* Checksums as several venues define them: digits of a decimal without point and leading zeros, so
 * none of a zero; trailing zeros count. Returns how many, not NUL-terminated. */
#define BOOK_DIGITS_MAX 24
size_t book_digits(struct px_decimal value, char out[BOOK_DIGITS_MAX]);
/* CRC-32 (IEEE 802.3, reflected), started with 0; the last result goes on with more data. */
uint32_t book_crc32(uint32_t crc, const void *data, size_t len);

#endif
