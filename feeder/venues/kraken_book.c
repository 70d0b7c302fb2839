/* Kraken's book channel: snapshots and changes of one symbol's levels, and the checksum that proves
 * what they make. */
#include "kraken.h"

#include <errno.h>

#include "book.h"

enum { LEVEL_PRICE, LEVEL_QTY, LEVEL_NAMES };
static const struct decode_name level_names[LEVEL_NAMES] = {
    [LEVEL_PRICE] = DECODE_NAME("price"),
    [LEVEL_QTY] = DECODE_NAME("qty"),
};

static int take_level(struct decode *d, struct levels *l, bool ask)
{
    struct decode_fields f;
    int rc = kraken_element(d, level_names, LEVEL_NAMES, &f);
    if (rc == 0)
        rc = levels_add(l, ask, decode_field(&f, LEVEL_PRICE), decode_field(&f, LEVEL_QTY));
    return rc;
}

/* The side that was given last. It is walked to its end even if a level is refused, so that the
 * next element of the data is found. *count is its number of levels. */
static int take_side_levels(struct decode *d, struct levels *l, bool ask, uint32_t *count)
{
    struct json_item item;
    int rc = json_enter(d->json), bad = 0;
    *count = 0;
    while (rc == 0 && (rc = json_next(d->json, &item)) == 1) {
        rc = 0;
        ++*count;
        if (bad != 0)
            continue;
        if (item.type != JSON_OBJECT)
            bad = refuse(&d->refusal, REFUSED_TYPE, "a level of the %s side is no object",
                         ask ? "ask" : "bid");
        else if ((rc = json_enter(d->json)) == 0)
            bad = take_level(d, l, ask);
    }
    return rc != 0 ? rc : bad;
}

enum { BOOK_SYMBOL, BOOK_BIDS, BOOK_ASKS, BOOK_CHECKSUM, BOOK_TIME, BOOK_NAMES };
static const struct decode_name book_names[BOOK_NAMES] = {
    [BOOK_SYMBOL] = DECODE_NAME("symbol"),  [BOOK_BIDS] = DECODE_NAME("bids"),
    [BOOK_ASKS] = DECODE_NAME("asks"),      [BOOK_CHECKSUM] = DECODE_NAME("checksum"),
    [BOOK_TIME] = DECODE_NAME("timestamp"),
};

/* Once more to the object of the data that was taken as the nth, and through the levels of its two
 * sides. The first walk has shown that they are arrays. */
static int walk_levels(struct decode *d, struct kraken_message *m, uint32_t nth, uint32_t count[2])
{
    struct json_item item;
    int bad = 0, rc = decode_into(d, "data", NULL);
    count[0] = count[1] = 0;
    for (uint32_t n = 0; rc == 0 && n <= nth;) {
        if (json_next(d->json, &item) != 1)
            return -EBADMSG;
        n += item.type == JSON_OBJECT;
    }
    if (rc != 0 || (rc = json_enter(d->json)) != 0)
        return rc;
    while ((rc = json_next(d->json, &item)) == 1) {
        bool ask = DECODE_IS(item.key, "asks");
        if (!ask && !DECODE_IS(item.key, "bids"))
            continue;
        rc = take_side_levels(d, &m->levels, ask, &count[ask]);
        if (bad == 0)
            bad = rc;
    }
    return rc != 0 ? rc : bad;
}

/* Data frames do not name the depth that was asked for, and a book that is cut at another one fails
 * its checksums: levels that are pushed out are not taken away by message. But a snapshot fills its
 * book as deep as there are orders. So the depth is the least of those offered that holds it:
 * KRAKEN_DEPTH for all that this program asks for, and right for recordings of deeper books that
 * are full. */
static uint32_t depth_of(uint32_t count)
{
    static const uint32_t offered[] = {KRAKEN_DEPTH, 25, 100, 500, 1000};
    for (size_t i = 0; i < sizeof offered / sizeof offered[0]; i++)
        if (count <= offered[i])
            return offered[i];
    return count;
}

static int take_checksum(struct decode *d, const struct json_item *item, struct venue_book *b)
{
    char show[FIELD_SHOW_MAX];
    uint64_t checksum = 0;
    int rc = field_id(&d->refusal, item, "checksum", &checksum);
    if (rc == 0 && checksum > UINT32_MAX)
        rc = refuse(&d->refusal, REFUSED_RANGE, "checksum %s has more than 32 bits",
                    field_show(item->text, show));
    b->has_checksum = true;
    b->checksum = (uint32_t)checksum;
    return rc;
}

/* A side that is not there is one of which nothing is said: the checksum would tell. */
static int check_sides(struct decode *d, const struct decode_fields *f)
{
    const struct json_item *bids = decode_field(f, BOOK_BIDS), *asks = decode_field(f, BOOK_ASKS);
    if (bids == NULL && asks == NULL)
        return refuse(&d->refusal, REFUSED_MISSING, "bids and asks are missing");
    if ((bids != NULL && bids->type != JSON_ARRAY) || (asks != NULL && asks->type != JSON_ARRAY))
        return refuse(&d->refusal, REFUSED_TYPE, "%s is no array",
                      bids != NULL && bids->type != JSON_ARRAY ? "bids" : "asks");
    return 0;
}

/* The symbol is kept: walking the levels starts anew, and its text may live in the parser. */
int kraken_take_book(struct decode *d, void *user)
{
    struct kraken_message *m = user;
    struct venue_event event = {.type = VENUE_BOOK, .u.book.snapshot = m->snapshot};
    struct decode_fields f;
    uint32_t nth = m->elements++, count[2];
    int rc = kraken_element(d, book_names, BOOK_NAMES, &f);
    if (rc != 0 || (rc = decode_symbol(d, decode_field(&f, BOOK_SYMBOL), "symbol", &event)) != 0 ||
        (rc = take_checksum(d, decode_field(&f, BOOK_CHECKSUM), &event.u.book)) != 0 ||
        (rc = kraken_time(d, decode_field(&f, BOOK_TIME), &event.exch_ns)) != 0 ||
        (rc = check_sides(d, &f)) != 0)
        return rc;
    (void)decode_keep(d->refusal.who, &m->symbol); /* fits: decode_symbol() took it */
    d->refusal.who.at = event.symbol = m->symbol.at;
    levels_start(&m->levels, d, &event);
    do {
        if ((rc = walk_levels(d, m, nth, count)) != 0)
            return rc;
        event.u.book.depth = m->snapshot ? depth_of(count[count[1] > count[0]]) : KRAKEN_DEPTH;
    } while (levels_again(&m->levels));
    return 0;
}

static uint32_t add_side(uint32_t crc, const struct book_side *side)
{
    char text[2 * BOOK_DIGITS_MAX];
    for (uint32_t i = 0; i < side->count && i < KRAKEN_DEPTH; i++) {
        size_t len = book_digits(side->level[i].price, text);
        len += book_digits(side->level[i].size, text + len);
        crc = book_crc32(crc, text, len);
    }
    return crc;
}

uint32_t kraken_checksum(const struct book *book)
{
    return add_side(add_side(0, &book->ask), &book->bid);
}
