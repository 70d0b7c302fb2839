/* Levels of a book out of a frame. See levels.h. */
#include "levels.h"

#include <errno.h>

void levels_start(struct levels *l, struct decode *d, struct venue_event *event)
{
    l->d = d;
    l->event = event;
    l->count = 0;
    l->total = 0;
    l->giving = l->begun = false;
}

static void flush(struct levels *l, bool last)
{
    struct venue_book *b = &l->event->u.book;
    b->levels = l->at;
    b->count = l->count;
    b->first = !l->begun;
    b->last = last;
    decode_give(l->d, l->event);
    l->begun = true;
    l->count = 0;
}

int levels_add(struct levels *l, bool ask, const struct json_item *price,
               const struct json_item *size)
{
    struct refusal *r = &l->d->refusal;
    struct venue_level level = {.ask = ask};
    int rc = field_decimal(r, price, ask ? "ask" : "bid", &level.price);
    if (rc == 0)
        rc = field_decimal(r, size, ask ? "ask size" : "bid size", &level.size);
    if (rc != 0)
        return rc;
    if (l->giving && l->count == LEVELS_MAX)
        flush(l, false);
    if (l->count < LEVELS_MAX)
        l->at[l->count++] = level;
    l->total++;
    return 0;
}

/* The level that was given last: enter it, keep price and size, leave it. */
struct pair {
    bool has_price, has_size;
    struct json_item price, size;
};

static int read_pair(struct decode *d, bool ask, const struct json_item *level, struct pair *pair)
{
    struct json_item more;
    if (level->type != JSON_ARRAY)
        return refuse(&d->refusal, REFUSED_TYPE, "a level of the %s side is no array",
                      ask ? "ask" : "bid");
    int rc = json_enter(d->json);
    if (rc != 0)
        return rc;
    pair->has_price = (rc = json_next(d->json, &pair->price)) == 1;
    pair->has_size = rc == 1 && (rc = json_next(d->json, &pair->size)) == 1;
    while (rc == 1)
        rc = json_next(d->json, &more);
    return rc;
}

int levels_add_pairs(struct levels *l, bool ask)
{
    struct json_item level;
    int rc = json_enter(l->d->json);
    while (rc == 0 && (rc = json_next(l->d->json, &level)) == 1) {
        struct pair p;
        rc = read_pair(l->d, ask, &level, &p);
        if (rc == 0)
            rc = levels_add(l, ask, p.has_price ? &p.price : NULL, p.has_size ? &p.size : NULL);
    }
    return rc;
}

int levels_first(struct decode *d, bool ask, struct px_quote *quote)
{
    struct refusal *r = &d->refusal;
    struct json_item level;
    struct pair p;
    int rc = json_enter(d->json);
    if (rc != 0 || (rc = json_next(d->json, &level)) != 1 ||
        (rc = read_pair(d, ask, &level, &p)) != 0 ||
        (rc = field_decimal(r, p.has_price ? &p.price : NULL, ask ? "ask" : "bid",
                            ask ? &quote->ask : &quote->bid)) != 0 ||
        (rc = field_decimal(r, p.has_size ? &p.size : NULL, ask ? "ask size" : "bid size",
                            ask ? &quote->ask_size : &quote->bid_size)) != 0)
        return rc;
    while ((rc = json_next(d->json, &level)) == 1)
        ;
    return rc;
}

struct px_quote levels_none(void)
{
    const struct px_decimal absent = {0, PX_ABSENT};
    return (struct px_quote){absent, absent, absent, absent};
}

bool levels_again(struct levels *l)
{
    bool more = !l->giving && l->total > LEVELS_MAX;
    if (more) {
        l->giving = true;
        l->count = 0;
    } else {
        flush(l, true);
    }
    return more;
}
