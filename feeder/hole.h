/* One hole in the trades of a symbol, and what an answer of the venue's history gives for it: each
 * lost id once, in order, and nothing else. Pure.
 *
 *   hole_page_start(page, hole); the venue's on_answer() with hole_page_sink(page)
 *   if (hole_page_end(page) == 0) hole_fill(hole, page, give, user) */
#ifndef PX_FEEDER_HOLE_H
#define PX_FEEDER_HOLE_H

#include "venue.h"

/* Trades that are taken of one answer, those outside the hole not counted. */
#define HOLE_PAGE_MAX 1000u

struct hole {
    char native[PX_SYMBOL_MAX + 1];
    bool aggregated;
    uint64_t first, last; /* ids, as they were lost */
    uint64_t next;        /* neither filled nor known to be missing; last + 1 at the end */
    uint64_t filled;
    uint64_t missing, missing_first, missing_last; /* that the venue does not have, or told wrong */
    int64_t after_ns;                              /* exchange time before `next` */
};

/* One trade of an answer. */
struct hole_trade {
    uint64_t id; /* venue_id */
    int64_t exch_ns;
    uint16_t flags;
    struct px_trade trade;
};

struct hole_page {
    struct venue_hole asked;
    struct hole_trade trade[HOLE_PAGE_MAX];
    uint32_t count;
    uint32_t refused; /* trades that were refused by themselves */
    bool useless;     /* nothing of it may be believed */
    char why[160];    /* it is useless, or the first trade was refused */
};

/* `native` is cut to what a symbol may have. */
void hole_init(struct hole *h, const char *native, uint64_t first, uint64_t last);

/* What is to be asked for next. `native` is the hole's own. */
struct venue_hole hole_asked(const struct hole *h);
bool hole_closed(const struct hole *h);

void hole_page_start(struct hole_page *page, const struct hole *h);
struct venue_sink hole_page_sink(struct hole_page *page);
/* The answer is read: its trades in the order of their ids, each once. -EBADMSG: useless. */
int hole_page_end(struct hole_page *page);

/* Give what the page has of the hole, which is as it was when the page began. Ids that it passes
 * over are missing for good: the venue gives all that it has from the first one on. Returns how
 * many were given; 0: the hole is as it was. */
uint32_t hole_fill(struct hole *h, const struct hole_page *page,
                   void (*give)(void *user, const struct hole_trade *trade), void *user);

/* No more is asked: what is open is missing. */
void hole_give_up(struct hole *h);

#endif
