/* One simulated instrument: a price that walks, the top of its book, its trades and its 24 h
 * figures. Pure: no clock, no I/O; the same seed and the same calls give the same numbers on every
 * machine. Prices and quantities are 64-bit integers in units of 1e-8, as many digits as a venue
 * may print. */
#ifndef PXSIM_MARKET_H
#define PXSIM_MARKET_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define MARKET_UNIT   100000000LL /* 1.00000000 */
#define MARKET_LEVELS 20
#define MARKET_NAME   48

struct market_book {
    uint64_t update_id;
    int64_t bid; /* best prices; level i is i ticks away from them */
    int64_t ask;
    int64_t bid_qty[MARKET_LEVELS];
    int64_t ask_qty[MARKET_LEVELS];
};

struct market_trade {
    uint64_t id;
    int64_t price;
    int64_t qty;
    bool buyer_is_maker;
};

struct market {
    char name[MARKET_NAME]; /* as the venue writes it in a payload, UTF-8 */
    uint64_t rng;
    int64_t start; /* first price: the walk stays within a factor of four of it */
    int64_t tick;
    int64_t lot;
    struct market_book book;
    struct market_trade trade; /* the last one */
    uint64_t first_trade_id;   /* of the 24 h window */
    uint64_t agg_id;
    int64_t open, high, low, before_open;
    int64_t volume;       /* base, wraps to a fresh window long before it could overflow */
    int64_t quote_volume; /* quote */
};

/* What the demo knows, with plausible prices. How a pair is spelled is the venue's. */
struct market_default {
    const char *base, *quote;
    int64_t price, tick, lot;
};

enum market_side { MARKET_BIDS, MARKET_ASKS };

struct market_level {
    int64_t price;
    int64_t qty; /* 0: the level is gone */
};

/* NULL past the end. */
const struct market_default *market_default(size_t i);

/* The same name, `like` (NULL: none, prices are invented) and seed always give the same instrument.
 * `name` must be shorter than MARKET_NAME. */
void market_init(struct market *m, const char *name, const struct market_default *like,
                 uint64_t seed);

/* A trade at the best bid or ask: fills m->trade, with the next id. */
void market_step_trade(struct market *m);

/* A change of the book: sizes, and now and then the price. The update id grows. */
void market_step_book(struct market *m);

/* What happened while nobody watched: ids move on, the price is another one. */
void market_skip(struct market *m, uint64_t trades, uint64_t updates);

/* One side of a book, best first, as far as `levels`. Returns how many, at most MARKET_LEVELS. */
size_t market_levels(const struct market *m, const struct market_book *book, enum market_side which,
                     unsigned levels, struct market_level *out);

/* What makes one side of the present book of `was`, where a book has so many levels: those that are
 * new or differ, best first, then those that are gone. Returns how many, at most twice the levels.
 */
size_t market_changes(const struct market *m, const struct market_book *was, enum market_side which,
                      unsigned levels, struct market_level *out);

uint64_t market_random(uint64_t *state);

/* price x quantity, in units of 1e-8 */
int64_t market_value(int64_t price, int64_t qty);

#endif
