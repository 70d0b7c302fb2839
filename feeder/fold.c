/* Books and partial values out of events. See fold.h. */
#include "fold.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "fold_internal.h"

#define VALUES_ALL ((1u << FOLD_VALUES) - 1)

_Static_assert(sizeof(struct px_quote) == FOLD_VALUES * sizeof(struct px_decimal),
               "taken as an array");
_Static_assert(sizeof(struct px_ticker) == FOLD_VALUES * sizeof(struct px_decimal),
               "taken as an array");

/* ---- what comes out ---- */

static void give(const struct venue_sink *out, const struct venue_event *event)
{
    out->event(out->user, event);
}

/* Something about a place that is no tick. */
static void give_word(const struct venue_sink *out, const struct place *p, uint32_t type,
                      const char *why)
{
    const char *lost = place_is_book(p) ? "book lost" : "values lost";
    const struct venue_event event = {.type = type,
                                      .kinds = type == VENUE_RESYNC ? place_kinds(p) : 0,
                                      .symbol = p->symbol,
                                      .symbol_len = p->symbol_len,
                                      .text = why,
                                      .text_len = (uint32_t)strlen(why),
                                      .error = type == VENUE_BAD ? "no room" : lost};
    give(out, &event);
}

static void lose(struct fold *f, struct place *p, const char *why, const struct venue_sink *out)
{
    f->lost += p->state != PLACE_WAITING;
    p->state = PLACE_WAITING;
    p->known = 0;
    p->tell = true;
    give_word(out, p, VENUE_RESYNC, why);
}

__attribute__((format(printf, 2, 3))) static const char *because(struct fold *f, const char *format,
                                                                 ...)
{
    va_list args;
    va_start(args, format);
    vsnprintf(f->why, sizeof f->why, format, args);
    va_end(args);
    return f->why;
}

/* The place of this key with room; it is made if need be. NULL: there is none. */
static struct place *settle(struct fold *f, const struct key *key, const struct venue_sink *out)
{
    struct place *p = place_find(f, key);
    bool met = p != NULL;
    if (met && p->state != PLACE_FULL)
        return p;
    if (!met && (p = place_make(f, key)) == NULL)
        return NULL;
    if (place_take_room(f, p))
        return p;
    if (!met && place_is_book(p))
        give_word(out, p, VENUE_RESYNC, because(f, "all %u books are in use", f->options.books));
    else if (!met)
        give_word(out, p, VENUE_BAD,
                  because(f, "changes of %.*s: there is no room for more than %u symbols",
                          (int)p->symbol_len, p->symbol, f->options.merges));
    return NULL;
}

/* ---- partial values ---- */

static void merge(struct fold *f, uint32_t source, const struct venue_event *event,
                  const struct venue_sink *out)
{
    const struct key key = key_of(source, event);
    struct place *p = settle(f, &key, out);
    struct venue_event whole = *event;
    struct px_decimal value[FOLD_VALUES];
    memcpy(value, &whole.u, sizeof value);
    for (unsigned i = 0; p != NULL && i < FOLD_VALUES; i++) {
        if ((event->unchanged & 1u << i) != 0) {
            value[i] = p->value[i];
        } else {
            p->value[i] = value[i];
            p->known |= (uint8_t)(1u << i);
        }
    }
    if (p != NULL && p->known == VALUES_ALL)
        p->state = PLACE_WHOLE;
    if (event->unchanged != 0 && (p == NULL || p->known != VALUES_ALL))
        return;
    memcpy(&whole.u, value, sizeof value);
    whole.unchanged = 0;
    give(out, &whole);
}

/* ---- books ---- */

/* Does this event go on where the book stands? NULL, or why not. */
static const char *begin(struct fold *f, struct place *p, const struct venue_book *m)
{
    if (m->first && m->snapshot) {
        book_clear(&p->book);
        p->depth = m->depth;
        p->has_seq = p->checked = false;
        p->state = PLACE_PARTWAY;
        return NULL;
    }
    if (p->state == PLACE_WAITING)
        return NULL;
    if (m->first && p->state == PLACE_PARTWAY)
        return "a message began before the end of another";
    if (!m->first && p->state == PLACE_WHOLE)
        return "a message without its beginning";
    if (m->first && m->has_prev && p->has_seq && m->prev != p->seq)
        return because(f, "a change of number %" PRIu64 " met the book at %" PRIu64, m->prev,
                       p->seq);
    p->state = PLACE_PARTWAY;
    return NULL;
}

static const char *set_levels(struct place *p, const struct venue_book *m)
{
    for (const struct venue_level *l = m->levels; l < m->levels + m->count; l++) {
        struct book_side *side = l->ask ? &p->book.ask : &p->book.bid;
        if (p->depth == 1 && !m->snapshot && l->size.mantissa != 0)
            side->count = 0;
        if (book_set(&p->book, l) != 0)
            return "the price or size of a level is absent or negative";
    }
    return NULL;
}

static const char *crossed(struct fold *f, const struct book *b)
{
    const struct px_decimal bid = b->bid.level[0].price, ask = b->ask.level[0].price;
    return because(
        f, "the best bid %" PRId64 "e%" PRId32 " is not below the best ask %" PRId64 "e%" PRId32,
        bid.mantissa, bid.exponent, ask.mantissa, ask.exponent);
}

/* The end of a message: the book must be what the venue says it is. NULL, or why it is not. */
static const char *finish(struct fold *f, const struct px_venue *venue, struct place *p,
                          const struct venue_book *m)
{
    p->state = PLACE_WHOLE;
    book_trim(&p->book, p->depth);
    if (m->has_seq) {
        p->has_seq = true;
        p->seq = m->seq;
    }
    p->checked = m->has_checksum && venue->book_checksum != NULL;
    if (p->checked) {
        uint32_t ours = venue->book_checksum(&p->book);
        if (ours != m->checksum)
            return because(f, "the checksum of the book is %" PRIu32 ", not %" PRIu32, ours,
                           m->checksum);
    }
    if (book_exhausted(&p->book))
        return because(f, "no level is left of the best %u that were kept", p->book.cap);
    if (!m->snapshot && !f->options.crossed && book_crossed(&p->book))
        return crossed(f, &p->book);
    return NULL;
}

static bool same_values(const struct px_decimal *a, const struct px_decimal *b)
{
    for (unsigned i = 0; i < FOLD_VALUES; i++)
        if (a[i].mantissa != b[i].mantissa || a[i].exponent != b[i].exponent)
            return false;
    return true;
}

static void give_top(const struct fold *f, struct place *p, const struct venue_event *event,
                     const struct venue_sink *out)
{
    const struct venue_book *m = &event->u.book;
    struct venue_event quote = {.type = VENUE_QUOTE,
                                .flags = event->flags & (uint16_t)~PX_FLAG_REPLAY,
                                .symbol = event->symbol,
                                .symbol_len = event->symbol_len,
                                .exch_ns = event->exch_ns,
                                .venue_id = event->venue_id,
                                .anew = m->snapshot};
    struct px_decimal value[FOLD_VALUES];
    if (!f->options.crossed && book_crossed(&p->book))
        return;
    book_top(&p->book, &quote.u.quote);
    memcpy(value, &quote.u.quote, sizeof value);
    bool stated = p->depth == 1 && p->book.bid.count + p->book.ask.count > 0;
    if (!stated && !p->tell && same_values(value, p->value))
        return;
    p->tell = false;
    memcpy(p->value, value, sizeof value);
    if (quote.venue_id == 0 && m->has_seq)
        quote.venue_id = m->seq;
    give(out, &quote);
}

static void book_event(struct fold *f, uint32_t source, const struct px_venue *venue,
                       const struct venue_event *event, const struct venue_sink *out)
{
    const struct venue_book *m = &event->u.book;
    const struct key key = key_of(source, event);
    struct place *p = m->first && m->snapshot ? settle(f, &key, out) : place_find(f, &key);
    if (p == NULL || p->state == PLACE_FULL)
        return;
    const char *why = begin(f, p, m);
    if (why == NULL && p->state == PLACE_PARTWAY)
        why = set_levels(p, m);
    if (why == NULL && p->state == PLACE_PARTWAY && m->last)
        why = finish(f, venue, p, m);
    if (why != NULL)
        lose(f, p, why, out);
    else if (p->state == PLACE_WHOLE)
        give_top(f, p, event, out);
}

static struct place *newest_of(struct fold *f, uint32_t source)
{
    return source < f->options.sources ? place_at(f, f->newest[source]) : NULL;
}

/* Would nobody know if a message were missing? Of what waits, it may have been what it waits for.
 */
static bool unproved(const struct place *p)
{
    return !place_is_book(p) || p->state == PLACE_WAITING || (!p->has_seq && !p->checked);
}

static void lose_unproved(struct fold *f, uint32_t source, const struct venue_event *bad,
                          const struct venue_sink *out)
{
    for (struct place *p = newest_of(f, source); p != NULL; p = place_at(f, p->older)) {
        bool meant = bad->symbol_len == 0 || (bad->symbol_len == p->symbol_len &&
                                              memcmp(bad->symbol, p->symbol, p->symbol_len) == 0);
        if (meant && p->state != PLACE_FULL && unproved(p))
            lose(f, p, "a message was refused that may have changed it", out);
    }
}

void fold_lose(struct fold *f, uint32_t source, const char *why, const struct venue_sink *out)
{
    for (struct place *p = newest_of(f, source); p != NULL; p = place_at(f, p->older))
        if (p->state != PLACE_FULL)
            lose(f, p, why, out);
}

/* Messages of a connection are numbered one by one; at 0 the count begins anew. */
static void sequence(struct fold *f, uint32_t source, const struct venue_event *event,
                     const struct venue_sink *out)
{
    struct venue_event told = *event;
    struct numbers unknown = {0}, *n = source < f->options.sources ? &f->numbers[source] : &unknown;
    bool anew = event->venue_id == 0 && n->next > 1;
    if (n->next != 0 && event->venue_id > n->next)
        told.missing = event->venue_id - n->next;
    n->late = event->venue_id < n->next && !anew;
    if (!n->late)
        n->next = event->venue_id + 1;
    give(out, &told);
    if (told.missing != 0 || anew)
        fold_lose(f, source, "messages of its connection are missing", out);
}

void fold_event(struct fold *f, uint32_t source, const struct px_venue *venue,
                const struct venue_event *event, const struct venue_sink *out)
{
    bool tops = f->options.book_tops, best;
    switch (event->type) {
    case VENUE_BOOK:
        if (source < f->options.sources && f->numbers[source].late)
            return;
        best = event->u.book.depth == 1;
        if (best ? !tops : !f->options.stated)
            book_event(f, source, venue, event, out);
        return;
    case VENUE_QUOTE:
    case VENUE_TICKER:
        if (!tops && (venue->partial || event->unchanged != 0))
            merge(f, source, event, out);
        else if (!tops)
            give(out, event);
        return;
    case VENUE_BAD:
        give(out, event);
        lose_unproved(f, source, event, out);
        return;
    case VENUE_SEQUENCE:
        sequence(f, source, event, out);
        return;
    default:
        if (!tops || event->type != VENUE_TRADE)
            give(out, event);
        return;
    }
}

uint32_t fold_books(const struct fold *f)
{
    return f->books;
}

uint64_t fold_lost(const struct fold *f)
{
    return f->lost;
}
