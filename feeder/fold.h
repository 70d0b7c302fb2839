/* What frames state only together with those before them: quotes out of local books, and values
 * that a change leaves out because they stand as they were. Events of a venue go in, events that
 * are complete by themselves come out. Pure: no clock, no socket, no allocation after fold_new().
 *
 * State belongs to one source (a connection) and one symbol of it: two connections that carry the
 * same symbol have two books, since each has its own snapshot and order. */
#ifndef PX_FOLD_H
#define PX_FOLD_H

#include "venue.h"

struct fold_options {
    uint32_t books;   /* symbols that can have a book at the same time */
    uint32_t depth;   /* levels of each side of a book, at most BOOK_CAP_MAX */
    uint32_t merges;  /* symbols whose partial quotes or tickers are merged */
    uint32_t sources; /* connections, numbered from 0 */
    bool book_tops;   /* only quotes out of books come out, one for each change of their top; else
                         everything does */
};

struct fold;

/* Owner: the caller, until fold_free().   Errors: NULL no memory, or options out of range. */
struct fold *fold_new(const struct fold_options *options);
void fold_free(struct fold *f);
size_t fold_bytes(const struct fold_options *options);

/* Take one event of `source`, give what follows from it to `out`, in order:
 *  - VENUE_BOOK: at the end of a message a VENUE_QUOTE if the top of the book changed (price or
 *    size, as written), or one VENUE_RESYNC if the book is lost: a number or checksum that does not
 *    fit, a book that is crossed after the end of a message, a level that is no price, known levels
 *    that ran out, no room for another book. Then nothing of this symbol's book is given until its
 *    next snapshot. Changes before any snapshot give nothing.
 *  - a VENUE_QUOTE or VENUE_TICKER with `unchanged`: the same with those decimals filled in;
 * nothing before all of them are known.
 *  - all others: themselves.
 * `venue` is the same for all events of a source until fold_drop(). */
void fold_event(struct fold *f, uint32_t source, const struct px_venue *venue,
                const struct venue_event *event, const struct venue_sink *out);

/* The connection ended: nothing of its state is true any more. */
void fold_drop(struct fold *f, uint32_t source);
/* The symbol is not asked for any more on this source: its book and values go. */
void fold_forget(struct fold *f, uint32_t source, const char *symbol, size_t len);
/* Every book of this source is lost (messages were). Each gives one VENUE_RESYNC with `why`. */
void fold_lose(struct fold *f, uint32_t source, const char *why, const struct venue_sink *out);

/* Books in use, and how many were lost since fold_new(). */
uint32_t fold_books(const struct fold *f);
uint64_t fold_lost(const struct fold *f);

#endif
