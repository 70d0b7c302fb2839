/* Binance futures: what the streams tell. Keys and their order are those of recordings (2021), of
 * tickers, which were not recorded, those of the documents. Prices have the digits of their tick,
 * USD-M sizes those of their lot, COIN-M sizes are whole contracts. */
#include <string.h>

#include "binance.h"

#define ENGINE_LAG_US 4000 /* from the matching engine (T) to the message (E) */

__extension__ typedef __int128 wide;

static int64_t message_ms(const struct hub_event *ev)
{
    return (int64_t)(ev->now.real_us / 1000);
}

static int64_t engine_ms(const struct hub_event *ev)
{
    return (int64_t)((ev->now.real_us - ENGINE_LAG_US) / 1000);
}

static unsigned digits(int64_t step)
{
    unsigned n = 8;
    for (; n > 0 && step % 10 == 0; n--)
        step /= 10;
    return n;
}

static void price(struct text *t, const char *key, const struct market *m, int64_t value)
{
    text_put(t, key);
    text_decimal(t, value, digits(m->tick));
    text_put(t, "\"");
}

static void size(struct text *t, const char *key, const struct stream *st, const struct market *m,
                 int64_t value)
{
    text_put(t, key);
    if (binance_is_coinm(st->session))
        text_int(t, value / m->lot);
    else
        text_decimal(t, value, digits(m->lot));
    text_put(t, "\"");
}

/* "s", and the pair on which a coin-margined contract is. */
static void names(struct text *t, const struct stream *st, const struct market *m)
{
    binance_key_text(t, ",\"s\":\"", m->name);
    if (!binance_is_coinm(st->session))
        return;
    text_put(t, ",\"ps\":\"");
    text_bytes(t, m->name, strcspn(m->name, "_"));
    text_put(t, "\"");
}

static void head(struct text *t, const struct hub_event *ev, const char *e)
{
    binance_key_text(t, "{\"e\":\"", e);
    binance_key_int(t, ",\"E\":", message_ms(ev));
}

static void aggregate(struct text *t, const struct stream *st, const struct hub_event *ev)
{
    const struct market *m = &ev->instrument->market;
    head(t, ev, "aggTrade");
    binance_key_int(t, ",\"a\":", (int64_t)m->agg_id);
    binance_key_text(t, ",\"s\":\"", m->name);
    price(t, ",\"p\":\"", m, m->trade.price);
    size(t, ",\"q\":\"", st, m, m->trade.qty);
    binance_key_int(t, ",\"f\":", (int64_t)m->trade.id);
    binance_key_int(t, ",\"l\":", (int64_t)m->trade.id);
    binance_key_int(t, ",\"T\":", engine_ms(ev));
    binance_key_flag(t, ",\"m\":", m->trade.buyer_is_maker);
    text_put(t, "}");
}

static void trade(struct text *t, const struct stream *st, const struct hub_event *ev)
{
    const struct market *m = &ev->instrument->market;
    head(t, ev, "trade");
    binance_key_int(t, ",\"T\":", engine_ms(ev));
    binance_key_text(t, ",\"s\":\"", m->name);
    binance_key_int(t, ",\"t\":", (int64_t)m->trade.id);
    price(t, ",\"p\":\"", m, m->trade.price);
    size(t, ",\"q\":\"", st, m, m->trade.qty);
    binance_key_text(t, ",\"X\":\"", "MARKET");
    binance_key_flag(t, ",\"m\":", m->trade.buyer_is_maker);
    text_put(t, "}");
}

static void quote(struct text *t, const struct stream *st, const struct hub_event *ev)
{
    const struct market *m = &ev->instrument->market;
    bool coinm = binance_is_coinm(st->session);
    text_put(t, coinm ? "{" : "{\"e\":\"bookTicker\",");
    binance_key_int(t, "\"u\":", (int64_t)m->book.update_id);
    text_put(t, coinm ? ",\"e\":\"bookTicker\"" : "");
    names(t, st, m);
    price(t, ",\"b\":\"", m, m->book.bid);
    size(t, ",\"B\":\"", st, m, m->book.bid_qty[0]);
    price(t, ",\"a\":\"", m, m->book.ask);
    size(t, ",\"A\":\"", st, m, m->book.ask_qty[0]);
    binance_key_int(t, ",\"T\":", engine_ms(ev));
    binance_key_int(t, ",\"E\":", message_ms(ev));
    text_put(t, "}");
}

/* In coins, what so many contracts are worth: of 100 dollars on bitcoin, of 10 on any other. Of
 * cheap coins these are more than 64 bits hold. */
static void coins(struct text *t, const struct market *m)
{
    char fraction[16];
    struct text f = text_into(fraction, sizeof fraction);
    int dollars = strncmp(m->name, "BTCUSD_", 7) == 0 ? 100 : 10;
    wide worth = (wide)(m->volume / m->lot) * dollars * MARKET_UNIT;
    wide n = worth * MARKET_UNIT / m->trade.price;
    text_decimal(&f, (int64_t)(n % MARKET_UNIT), 8);
    text_int(t, (int64_t)(n / MARKET_UNIT));
    text_bytes(t, fraction + 1, text_len(&f) - 1);
}

static void turnover(struct text *t, const struct stream *st, const struct market *m)
{
    unsigned n = digits(m->tick) + digits(m->lot);
    size(t, ",\"v\":\"", st, m, m->volume);
    text_put(t, ",\"q\":\"");
    if (binance_is_coinm(st->session))
        coins(t, m);
    else
        text_decimal(t, m->quote_volume, n > 8 ? 8 : n);
    text_put(t, "\"");
}

/* Without the best prices, which spot's has. */
static void ticker(struct text *t, const struct stream *st, const struct hub_event *ev)
{
    const struct market *m = &ev->instrument->market;
    int64_t change = m->trade.price - m->open;
    head(t, ev, "24hrTicker");
    names(t, st, m);
    price(t, ",\"p\":\"", m, change);
    text_put(t, ",\"P\":\"");
    text_decimal(t, binance_ratio(change, m->open) * 100, 3);
    text_put(t, "\",\"w\":\"");
    text_decimal(t, binance_ratio(m->quote_volume, m->volume),
                 binance_is_coinm(st->session) ? 8 : digits(m->tick));
    text_put(t, "\"");
    price(t, ",\"c\":\"", m, m->trade.price);
    size(t, ",\"Q\":\"", st, m, m->trade.qty);
    price(t, ",\"o\":\"", m, m->open);
    price(t, ",\"h\":\"", m, m->high);
    price(t, ",\"l\":\"", m, m->low);
    turnover(t, st, m);
    binance_key_int(t, ",\"O\":", message_ms(ev) - 86400000);
    binance_key_int(t, ",\"C\":", engine_ms(ev));
    binance_key_int(t, ",\"F\":", (int64_t)m->first_trade_id);
    binance_key_int(t, ",\"L\":", (int64_t)m->trade.id);
    binance_key_int(t, ",\"n\":", (int64_t)(m->trade.id - m->first_trade_id + 1));
    text_put(t, "}");
}

static void mini(struct text *t, const struct stream *st, const struct hub_event *ev)
{
    const struct market *m = &ev->instrument->market;
    head(t, ev, "24hrMiniTicker");
    names(t, st, m);
    price(t, ",\"c\":\"", m, m->trade.price);
    price(t, ",\"o\":\"", m, m->open);
    price(t, ",\"h\":\"", m, m->high);
    price(t, ",\"l\":\"", m, m->low);
    turnover(t, st, m);
    text_put(t, "}");
}

/* One side of a change, or of the book as far as the stream goes. */
static void side(struct text *t, const char *key, const struct stream *st,
                 const struct hub_event *ev, enum market_side which)
{
    const struct market *m = &ev->instrument->market;
    struct market_level l[2 * MARKET_LEVELS];
    size_t count = ev->before != NULL ? market_changes(m, ev->before, which, MARKET_LEVELS, l)
                                      : market_levels(m, &m->book, which, st->levels, l);
    text_put(t, key);
    for (size_t i = 0; i < count; i++) {
        price(t, i == 0 ? "[\"" : ",[\"", m, l[i].price);
        size(t, ",\"", st, m, l[i].qty);
        text_put(t, "]");
    }
    text_put(t, "]");
}

/* A part of the book has the form of a change. The ids count the updates of all symbols: the first
 * of a change (U) does not follow on the last of the one before (pu), which alone tells a hole. */
static void depth(struct text *t, const struct stream *st, const struct hub_event *ev)
{
    const struct market *m = &ev->instrument->market;
    uint64_t last = m->book.update_id;
    uint64_t before = ev->before != NULL ? ev->before->update_id : last - 1;
    head(t, ev, "depthUpdate");
    binance_key_int(t, ",\"T\":", engine_ms(ev));
    names(t, st, m);
    binance_key_int(t, ",\"U\":", (int64_t)(before + (last - before + 1) / 2));
    binance_key_int(t, ",\"u\":", (int64_t)last);
    binance_key_int(t, ",\"pu\":", (int64_t)before);
    side(t, ",\"b\":[", st, ev, MARKET_BIDS);
    side(t, ",\"a\":[", st, ev, MARKET_ASKS);
    text_put(t, "}");
}

bool binance_futures_payload(struct text *t, const struct stream *st, const struct hub_event *ev)
{
    static void (*const words[])(struct text * t, const struct stream *st,
                                 const struct hub_event *ev) = {
        [STREAM_TRADE] = trade,      [STREAM_AGGREGATE] = aggregate, [STREAM_QUOTE] = quote,
        [STREAM_TICKER] = ticker,    [STREAM_MINI] = mini,           [STREAM_DEPTH_100MS] = depth,
        [STREAM_BOOK_100MS] = depth,
    };
    if (st->kind == STREAM_ALL_MINI)
        return binance_all_market(t, st, ev, strcmp(st->name, "!ticker@arr") == 0 ? ticker : mini);
    if (st->kind >= sizeof words / sizeof words[0] || words[st->kind] == NULL)
        return false;
    words[st->kind](t, st, ev);
    return true;
}
