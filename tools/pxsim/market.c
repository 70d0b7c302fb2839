#include "market.h"

#include <string.h>

static const struct market_default known[] = {
    {"BTC", "USDT", 6183763000000, 1000000, 1000},  {"ETH", "USDT", 268441000000, 1000000, 10000},
    {"SOL", "USDT", 15562000000, 1000000, 100000},  {"BNB", "USDT", 51830000000, 10000000, 100000},
    {"XRP", "USDT", 61230000, 10000, 10000000},     {"DOGE", "USDT", 10577000, 1000, 100000000},
    {"ADA", "USDT", 35610000, 10000, 10000000},     {"AVAX", "USDT", 2234000000, 1000000, 1000000},
    {"TRX", "USDT", 12870000, 10000, 10000000},     {"LINK", "USDT", 1043000000, 1000000, 1000000},
    {"DOT", "USDT", 472900000, 100000, 1000000},    {"LTC", "USDT", 6042000000, 1000000, 100000},
    {"BCH", "USDT", 35470000000, 10000000, 100000}, {"UNI", "USDT", 621500000, 100000, 1000000},
    {"ATOM", "USDT", 487000000, 100000, 1000000},   {"NEAR", "USDT", 401300000, 100000, 10000000},
    {"ETH", "BTC", 4341000, 1000, 10000},           {"BNB", "BTC", 838000, 1000, 100000},
    {"SOL", "BTC", 251700, 100, 1000000},           {"SHIB", "USDT", 1387, 1, 100000000},
};

__extension__ typedef __int128 wide;

const struct market_default *market_default(size_t i)
{
    return i < sizeof known / sizeof known[0] ? &known[i] : NULL;
}

/* splitmix64 (Steele, Lea, Flood 2014; constants of Vigna's public-domain version). */
uint64_t market_random(uint64_t *state)
{
    uint64_t z = (*state += 0x9E3779B97F4A7C15U);
    z = (z ^ (z >> 30)) * 0xBF58476D1CE4E5B9U;
    z = (z ^ (z >> 27)) * 0x94D049BB133111EBU;
    return z ^ (z >> 31);
}

int64_t market_value(int64_t price, int64_t qty)
{
    return (int64_t)((wide)price * qty / MARKET_UNIT);
}

static int64_t below(struct market *m, int64_t limit)
{
    return (int64_t)(market_random(&m->rng) % (uint64_t)limit);
}

/* Small sizes are common, big ones rare: the product of two draws. */
static int64_t some_qty(struct market *m)
{
    return (1 + below(m, 400) * (1 + below(m, 25))) * m->lot;
}

static uint64_t hash_name(const char *name)
{
    uint64_t h = 0xCBF29CE484222325U; /* FNV-1a */
    for (; *name != '\0'; name++)
        h = (h ^ (unsigned char)*name) * 0x100000001B3U;
    return h;
}

/* An unknown instrument costs between 0.0001 and 1,000 of its quote, with five digits that move. */
static void invent(struct market *m)
{
    int64_t scale = 10000; /* 0.0001 */
    for (int64_t n = below(m, 7); n > 0; n--)
        scale *= 10;
    m->start = scale * (1 + below(m, 9)) + scale / 100 * below(m, 100);
    m->tick = 1;
    while (m->tick * 100000 < m->start)
        m->tick *= 10;
    m->lot = 100000;
}

void market_init(struct market *m, const char *name, const struct market_default *like,
                 uint64_t seed)
{
    memset(m, 0, sizeof *m);
    size_t len = strlen(name);
    memcpy(m->name, name, len < MARKET_NAME ? len : MARKET_NAME - 1);
    m->rng = seed ^ hash_name(name);
    if (like != NULL) {
        m->start = like->price;
        m->tick = like->tick;
        m->lot = like->lot;
    } else {
        invent(m);
    }
    m->start -= m->start % m->tick;
    m->book.update_id = 100000000 + market_random(&m->rng) % 50000000000U;
    m->book.bid = m->start;
    m->book.ask = m->start + m->tick;
    for (int i = 0; i < MARKET_LEVELS; i++) {
        m->book.bid_qty[i] = some_qty(m);
        m->book.ask_qty[i] = some_qty(m);
    }
    m->trade.id = 1000000 + market_random(&m->rng) % 3000000000U;
    m->first_trade_id = m->trade.id - market_random(&m->rng) % 900000;
    m->agg_id = m->trade.id / 2;
    m->open = m->start - m->tick * below(m, 20);
    m->before_open = m->open - m->tick;
    m->high = m->start + m->tick * (1 + below(m, 200));
    m->low = m->open - m->tick * (1 + below(m, 200));
    if (m->low < m->tick)
        m->low = m->tick;
    m->volume = m->lot * (1000000000 + below(m, 1000000000));
    m->quote_volume = market_value(m->start, m->volume);
    m->trade.price = m->start;
    m->trade.qty = some_qty(m);
}

void market_step_trade(struct market *m)
{
    m->trade.id++;
    m->agg_id++;
    m->trade.buyer_is_maker = (market_random(&m->rng) & 1) != 0;
    m->trade.price = m->trade.buyer_is_maker ? m->book.bid : m->book.ask;
    m->trade.qty = some_qty(m);
    if (m->trade.price > m->high)
        m->high = m->trade.price;
    if (m->trade.price < m->low)
        m->low = m->trade.price;
    if (m->volume > INT64_MAX / 4 || m->quote_volume > INT64_MAX / 4)
        m->volume = m->quote_volume = 0;
    m->volume += m->trade.qty;
    m->quote_volume += market_value(m->trade.price, m->trade.qty);
}

/* The best prices move by whole ticks; levels that come into view get a size of their own. */
static void shift(struct market *m, int64_t ticks)
{
    struct market_book *b = &m->book;
    int64_t bid = b->bid + ticks * m->tick;
    if (bid > m->start * 4 || bid < m->start / 4 || bid <= MARKET_LEVELS * m->tick)
        return;
    int64_t old_bid = b->bid, old_ask = b->ask;
    int64_t old_bid_qty[MARKET_LEVELS], old_ask_qty[MARKET_LEVELS];
    memcpy(old_bid_qty, b->bid_qty, sizeof old_bid_qty);
    memcpy(old_ask_qty, b->ask_qty, sizeof old_ask_qty);
    b->bid = bid;
    b->ask = bid + m->tick * (1 + (below(m, 8) == 0));
    for (int i = 0; i < MARKET_LEVELS; i++) {
        int64_t from_bid = (old_bid - (b->bid - i * m->tick)) / m->tick;
        int64_t from_ask = (b->ask + i * m->tick - old_ask) / m->tick;
        bool bid_known = from_bid >= 0 && from_bid < MARKET_LEVELS;
        bool ask_known = from_ask >= 0 && from_ask < MARKET_LEVELS;
        b->bid_qty[i] = bid_known ? old_bid_qty[from_bid] : some_qty(m);
        b->ask_qty[i] = ask_known ? old_ask_qty[from_ask] : some_qty(m);
    }
}

void market_step_book(struct market *m)
{
    m->book.update_id += 1 + (uint64_t)below(m, 8);
    uint64_t what = market_random(&m->rng);
    if (what % 4 == 0) {
        int64_t reach = m->start / m->tick / 50000 + 2; /* about 2e-5 of the price */
        shift(m, below(m, 2 * reach + 1) - reach);
    }
    int level = what % 8 < 4 ? 0 : (int)below(m, MARKET_LEVELS);
    int64_t *side = (what >> 32) % 2 == 0 ? m->book.bid_qty : m->book.ask_qty;
    side[level] = some_qty(m);
}

void market_skip(struct market *m, uint64_t trades, uint64_t updates)
{
    m->trade.id += trades;
    m->agg_id += trades;
    m->book.update_id += updates;
    for (int i = 0; i < 20 && updates > 0; i++)
        market_step_book(m);
}

/* One side of a book, for both sides alike: `step` leads away from the best price. */
struct side {
    int64_t best, step;
    const int64_t *qty;
};

static struct side side_of(const struct market *m, const struct market_book *b,
                           enum market_side which)
{
    return which == MARKET_BIDS ? (struct side){b->bid, -m->tick, b->bid_qty}
                                : (struct side){b->ask, m->tick, b->ask_qty};
}

static int64_t qty_at(const struct side *s, int64_t price, unsigned levels)
{
    int64_t i = (price - s->best) / s->step;
    return i < 0 || i >= (int64_t)levels || s->best + i * s->step != price ? 0 : s->qty[i];
}

size_t market_levels(const struct market *m, const struct market_book *book, enum market_side which,
                     unsigned levels, struct market_level *out)
{
    struct side s = side_of(m, book, which);
    if (levels > MARKET_LEVELS)
        levels = MARKET_LEVELS;
    for (unsigned i = 0; i < levels; i++)
        out[i] = (struct market_level){s.best + i * s.step, s.qty[i]};
    return levels;
}

size_t market_changes(const struct market *m, const struct market_book *was, enum market_side which,
                      unsigned levels, struct market_level *out)
{
    struct side old = side_of(m, was, which), new = side_of(m, &m->book, which);
    size_t n = 0;
    if (levels > MARKET_LEVELS)
        levels = MARKET_LEVELS;
    for (unsigned i = 0; i < levels; i++) {
        int64_t price = new.best + i *new.step;
        if (qty_at(&old, price, levels) != new.qty[i])
            out[n++] = (struct market_level){price, new.qty[i]};
    }
    for (unsigned i = 0; i < levels; i++) {
        int64_t price = old.best + i * old.step;
        if (qty_at(&new, price, levels) == 0)
            out[n++] = (struct market_level){price, 0};
    }
    return n;
}
