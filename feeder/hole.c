#include "hole.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

void hole_init(struct hole *h, const char *native, uint64_t first, uint64_t last)
{
    *h = (struct hole){.first = first, .last = last, .next = first};
    snprintf(h->native, sizeof h->native, "%s", native);
}

struct venue_hole hole_asked(const struct hole *h)
{
    return (struct venue_hole){.native = h->native,
                               .first = h->next,
                               .last = h->last,
                               .after_ns = h->after_ns,
                               .aggregated = h->aggregated};
}

bool hole_closed(const struct hole *h)
{
    return h->next > h->last;
}

void hole_page_start(struct hole_page *page, const struct hole *h)
{
    page->asked = hole_asked(h);
    page->count = page->refused = 0;
    page->useless = false;
    page->why[0] = '\0';
}

static void useless(struct hole_page *page, const char *format, ...)
    __attribute__((format(printf, 2, 3)));
static void useless(struct hole_page *page, const char *format, ...)
{
    va_list args;
    if (page->useless)
        return;
    page->useless = true;
    va_start(args, format);
    vsnprintf(page->why, sizeof page->why, format, args);
    va_end(args);
}

/* The answer to another question is not looked at any further. */
static void take_trade(struct hole_page *page, const struct venue_event *ev)
{
    const struct venue_hole *asked = &page->asked;
    size_t len = strlen(asked->native);
    if (ev->symbol_len != len || memcmp(ev->symbol, asked->native, len) != 0 ||
        ev->aggregated != asked->aggregated) {
        useless(page, "the answer is about %.*s", (int)ev->symbol_len, ev->symbol);
        return;
    }
    if (ev->venue_id < asked->first || ev->venue_id > asked->last)
        return;
    if (page->count == HOLE_PAGE_MAX) {
        useless(page, "the answer has more than %u trades", HOLE_PAGE_MAX);
        return;
    }
    page->trade[page->count++] = (struct hole_trade){
        .id = ev->venue_id, .exch_ns = ev->exch_ns, .flags = ev->flags, .trade = ev->u.trade};
}

static void on_event(void *user, const struct venue_event *ev)
{
    struct hole_page *page = user;
    if (ev->type == VENUE_TRADE) {
        take_trade(page, ev);
    } else if (ev->type == VENUE_BAD) {
        if (page->refused++ == 0 && !page->useless)
            snprintf(page->why, sizeof page->why, "%.*s", (int)ev->text_len, ev->text);
    } else if (ev->type == VENUE_REFUSED) {
        useless(page, "the venue says: %.*s", (int)ev->text_len, ev->text);
    }
}

struct venue_sink hole_page_sink(struct hole_page *page)
{
    return (struct venue_sink){.event = on_event, .user = page};
}

static void turn_round(struct hole_page *page)
{
    for (uint32_t i = 0, j = page->count; i + 1 < j; i++) {
        struct hole_trade t = page->trade[i];
        page->trade[i] = page->trade[--j];
        page->trade[j] = t;
    }
}

/* Venues give their oldest first or their latest. Any other order is none of theirs. */
int hole_page_end(struct hole_page *page)
{
    uint32_t kept = 0;
    if (page->count > 1 && page->trade[0].id > page->trade[page->count - 1].id)
        turn_round(page);
    for (uint32_t i = 0; i < page->count && !page->useless; i++) {
        if (kept > 0 && page->trade[i].id < page->trade[kept - 1].id)
            useless(page, "its trades are in no order");
        else if (kept == 0 || page->trade[i].id != page->trade[kept - 1].id)
            page->trade[kept++] = page->trade[i];
    }
    page->count = kept;
    if (page->count == 0 && page->refused > 0)
        page->useless = true;
    return page->useless ? -EBADMSG : 0;
}

static void miss(struct hole *h, uint64_t first, uint64_t last)
{
    if (h->missing == 0)
        h->missing_first = first;
    h->missing_last = last;
    h->missing += last - first + 1;
}

uint32_t hole_fill(struct hole *h, const struct hole_page *page,
                   void (*give)(void *user, const struct hole_trade *trade), void *user)
{
    for (uint32_t i = 0; i < page->count; i++) {
        const struct hole_trade *t = &page->trade[i];
        if (t->id > h->next)
            miss(h, h->next, t->id - 1);
        h->next = t->id + 1;
        h->filled++;
        give(user, t);
        if (t->exch_ns > h->after_ns)
            h->after_ns = t->exch_ns;
    }
    return page->count;
}

void hole_give_up(struct hole *h)
{
    if (!hole_closed(h))
        miss(h, h->next, h->last);
    h->next = h->last + 1;
}
