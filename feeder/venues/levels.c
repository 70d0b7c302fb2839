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

int levels_add_pairs(struct levels *l, bool ask)
{
    struct json *json = l->d->json;
    struct json_item pair, price, size;
    int rc = json_enter(json);
    while (rc == 0 && (rc = json_next(json, &pair)) == 1) {
        if (pair.type != JSON_ARRAY)
            return refuse(&l->d->refusal, REFUSED_TYPE, "a level of the %s side is no array",
                          ask ? "ask" : "bid");
        if ((rc = json_enter(json)) != 0)
            break;
        bool has_price = json_next(json, &price) == 1;
        bool has_size = has_price && json_next(json, &size) == 1;
        rc = levels_add(l, ask, has_price ? &price : NULL, has_size ? &size : NULL);
        if (rc != 0)
            return rc;
        struct json_item more;
        while (has_size && (rc = json_next(json, &more)) == 1)
            ;
    }
    return rc;
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
