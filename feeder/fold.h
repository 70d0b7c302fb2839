/* What frames state only together with those before them: quotes out of local books, and values
 * that a change leaves out because they stand as they were. Events of a venue go in, events that
 * are complete by themselves come out. Pure: no clock, no socket, no allocation after fold_new().
 *
 * State belongs to one source (a connection) and one symbol of it: two connections that carry the
 * same symbol have two books, since each has its own snapshot and order. A source has at most two
 * books of a symbol, one of depth 1 and one of more. The depth of a book is that of its snapshot:
 * not every venue's changes say it.
 *
 * A book of depth 1 is a stream of best prices: each message states them, as the frames of such
 * streams do elsewhere, so each gives a quote, whether it changed or not. Who publishes knows the
 * same update by its number, and a repeated one as a sign that the price still stands. For the same
 * reason a level that is told replaces the one that was there, whether that was taken away by
 * message or not. */
#ifndef PX_FOLD_H
#define PX_FOLD_H

#include "venue.h"

struct fold_options {
    uint32_t books;   /* that can be there at the same time */
    uint32_t depth;   /* levels of each side of a book, at most BOOK_CAP_MAX; more than the depth of
                         the streams, see book_trim() */
    uint32_t merges;  /* quotes and tickers of partial venues whose values are kept: of a symbol
                         one each, and one of quotes out of tickers */
    uint32_t sources; /* connections, numbered from 0 */
    /* Of ticks, only those come out that ... (both false: all) */
    bool book_tops; /* are quotes out of books of more than one level */
    bool stated;    /* are anything else: no such books are kept */
    bool crossed; /* a crossed book gives quotes as any other: to show what frames make of it, never
                     to publish it */
};

struct fold;

/* Owner: the caller, until fold_free().   Errors: NULL no memory, or options out of range. */
struct fold *fold_new(const struct fold_options *options);
void fold_free(struct fold *f);
size_t fold_bytes(const struct fold_options *options);

/* Take one event of `source`, give what follows from it to `out`, in order:
 *  - VENUE_BOOK: at the end of a message a VENUE_QUOTE if the top of the book changed (price or
 *    size, as written), or one VENUE_RESYNC if the book is lost: a number or checksum that does not
 *    fit, a part of a message without the others, a book that is crossed after a change, a level
 *    that is no price, known levels that ran out. Then nothing of this book is given until its next
 *    snapshot, which gives a quote in any case. Changes before any snapshot give nothing, and so
 *    does a snapshot that is crossed: some venues' are for one message, the next one decides.
 *  - a VENUE_QUOTE or VENUE_TICKER of a partial venue: the same with what is `unchanged` filled in;
 *    nothing before all of its values are known.
 *  - a VENUE_BAD: itself. What was refused may have been a change of something that would be wrong
 *    from then on and nobody would know: of a book whose messages have neither numbers nor
 *    checksums, or of values. Such ones, of that symbol or else of the source, are lost and give
 *    one VENUE_RESYNC each. So do those that are lost already: it may have been their snapshot.
 *  - a VENUE_SEQUENCE: itself with what is `missing` before it, and then what fold_lose() gives.
 *    Books of a message whose number was passed already give nothing: they know better.
 *  - all others: themselves.
 * A book that no room is left for gives one VENUE_RESYNC that says so, values that none is left for
 * one VENUE_BAD, and both nothing more until there is some. (That is remembered of as many as there
 * is room for; those beyond give nothing.)
 * A VENUE_RESYNC has a symbol, a sentence in `text`, "book lost" or "values lost" in `error`, and
 * in `kinds` what must be asked for anew: PX_QUOTES | VENUE_DEPTH for a book, PX_QUOTES for the
 * values of quotes, PX_TICKERS for those of tickers and of quotes out of tickers. The quote of a
 * book has the message's time; its venue_id is the event's or else the book's number.
 * `venue` is the same for all events of a source until fold_drop(). `out` must not call back. */
void fold_event(struct fold *f, uint32_t source, const struct px_venue *venue,
                const struct venue_event *event, const struct venue_sink *out);

/* The connection ended: nothing of its state is true any more. */
void fold_drop(struct fold *f, uint32_t source);
/* The symbol is not asked for any more on this source: its books and values go. */
void fold_forget(struct fold *f, uint32_t source, const char *symbol, size_t len);
/* Messages of this source were lost: all of its books and values are, and give one VENUE_RESYNC
 * each with `why`. */
void fold_lose(struct fold *f, uint32_t source, const char *why, const struct venue_sink *out);

/* Books that take room, and how many books and values were lost since fold_new(). */
uint32_t fold_books(const struct fold *f);
uint64_t fold_lost(const struct fold *f);

#endif
