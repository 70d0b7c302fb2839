/* Kraken v2: what the streams tell. Prices and sizes are JSON numbers of a fixed number of digits,
 * trailing zeros included, because the checksum of the book is made of them. */
#include <stdio.h>
#include <string.h>
#include <zlib.h>

#include "kraken.h"
#include "text.h"

#define QTY_DIGITS      8
#define CHECKSUM_LEVELS 10 /* of each side, whatever the depth of the stream */
#define OLD_TRADES      50

static bool of_channel(const struct stream *st, const char *prefix)
{
    return strncmp(st->name, prefix, strlen(prefix)) == 0;
}

/* Digits behind the point that the tick of the pair needs. */
static unsigned price_digits(const struct market *m)
{
    unsigned digits = 8;
    for (int64_t tick = m->tick; digits > 0 && tick % 10 == 0; tick /= 10)
        digits--;
    return digits;
}

static void key_price(struct text *t, const char *key, const struct market *m, int64_t value)
{
    text_put(t, key);
    text_decimal(t, value, price_digits(m));
}

static void key_qty(struct text *t, const char *key, int64_t value)
{
    text_put(t, key);
    text_decimal(t, value, QTY_DIGITS);
}

static void key_int(struct text *t, const char *key, uint64_t value)
{
    text_put(t, key);
    text_int(t, (int64_t)value);
}

static void head(struct text *t, const char *channel, bool snapshot)
{
    text_put(t, "{\"channel\":\"");
    text_put(t, channel);
    text_put(t, snapshot ? "\",\"type\":\"snapshot\",\"data\":["
                         : "\",\"type\":\"update\",\"data\":[");
}

static void symbol(struct text *t, const struct market *m)
{
    text_put(t, "{\"symbol\":\"");
    text_json(t, m->name, strlen(m->name));
    text_put(t, "\"");
}

static void end(struct text *t, uint64_t real_us)
{
    text_put(t, ",\"timestamp\":\"");
    text_utc(t, real_us);
    text_put(t, "\"}");
}

static void trade(struct text *t, const struct market *m, const struct market_trade *trade,
                  uint64_t real_us)
{
    symbol(t, m);
    text_put(t, trade->buyer_is_maker ? ",\"side\":\"sell\"" : ",\"side\":\"buy\"");
    key_price(t, ",\"price\":", m, trade->price);
    key_qty(t, ",\"qty\":", trade->qty);
    text_put(t, trade->id % 3 == 0 ? ",\"ord_type\":\"market\"" : ",\"ord_type\":\"limit\"");
    key_int(t, ",\"trade_id\":", trade->id);
    end(t, real_us);
}

/* The match precedes the message by some hundred microseconds. */
static uint64_t matched_us(const struct market *m, uint64_t now_us)
{
    return now_us - 200 - m->trade.id % 700;
}

/* The last trade as it was; nobody remembers those before it, so they are made up, always the same
 * for the same id. */
static void old_trades(struct text *t, const struct market *m, uint64_t now_us)
{
    for (uint64_t back = OLD_TRADES; back-- > 0;) {
        struct market_trade old = m->trade;
        old.id -= back;
        if (back > 0) {
            uint64_t draw = old.id;
            old.buyer_is_maker = (market_random(&draw) & 1) != 0;
            old.price += (int64_t)(draw % 5) * m->tick;
            old.qty = (int64_t)(1 + draw % 97) * m->lot;
        }
        trade(t, m, &old, matched_us(m, now_us) - back * 1000000);
        text_put(t, back > 0 ? "," : "");
    }
}

/* Times of the stream are those of the match. */
static uint64_t past_us(const struct past_trade *p)
{
    return p->real_us - 200 - p->trade.id % 700;
}

/* ["61837.6","0.00100000",1758841135.823123,"b","l","",105994519] */
static void past(struct text *t, const struct instrument *i, const struct past_trade *p)
{
    uint64_t us = past_us(p);
    char digits[8];
    snprintf(digits, sizeof digits, "%06u", (unsigned)(us % 1000000));
    key_price(t, "[\"", &i->market, p->trade.price);
    key_qty(t, "\",\"", p->trade.qty);
    text_put(t, "\",");
    text_int(t, (int64_t)(us / 1000000));
    text_put(t, ".");
    text_put(t, digits);
    text_put(t, p->trade.buyer_is_maker ? ",\"s\"" : ",\"b\"");
    text_put(t, ",\"l\",\"\",");
    text_int(t, (int64_t)p->trade.id);
    text_put(t, "]");
}

/* The symbol of a pair in the older spelling: XBTUSD is BTC/USD. */
static struct instrument *by_pair(struct hub *hub, const char *pair)
{
    char symbol[MARKET_NAME];
    size_t len = strlen(pair);
    for (size_t base = 2; base + 2 < len; base++) {
        bool btc = base == 3 && strncmp(pair, "XBT", 3) == 0;
        bool to_btc = strcmp(pair + base, "XBT") == 0;
        snprintf(symbol, sizeof symbol, "%.*s/%s", (int)base, btc ? "BTC" : pair,
                 to_btc ? "BTC" : pair + base);
        struct instrument *i = hub_instrument(hub, symbol);
        if (i != NULL && i->past != NULL)
            return i;
    }
    return NULL;
}

/* From the first trade after a time on. */
int kraken_history(struct hub *hub, const struct rest_request *r, struct text *body)
{
    char pair[MARKET_NAME];
    uint64_t since, count;
    if (strcmp(r->path, "/0/public/Trades") != 0)
        return 404;
    const struct instrument *i =
        rest_text(r, "pair", pair, sizeof pair) ? by_pair(hub, pair) : NULL;
    if (i == NULL || !rest_number(r, "since", 0, &since) ||
        !rest_number(r, "count", 1000, &count)) {
        text_put(body, "{\"error\":[\"EQuery:Unknown asset pair\"]}");
        return 200;
    }
    uint64_t last = i->market.trade.id, first = last;
    for (const struct past_trade *p; first > 1 && last - first < HUB_PAST - 1; first--)
        if ((p = hub_past(i, first - 1)) == NULL || past_us(p) * 1000 <= since)
            break;
    text_put(body, "{\"error\":[],\"result\":{\"X");
    text_put(body, pair);
    text_put(body, "\":[");
    rest_trades(i, first, last - first < count ? last : first + count - 1, body, past);
    text_put(body, "],\"last\":\"1\"}}");
    return 200;
}

static void ticker(struct text *t, const struct market *m, uint64_t now_us)
{
    int64_t change = m->trade.price - m->open;
    symbol(t, m);
    key_price(t, ",\"bid\":", m, m->book.bid);
    key_qty(t, ",\"bid_qty\":", m->book.bid_qty[0]);
    key_price(t, ",\"ask\":", m, m->book.ask);
    key_qty(t, ",\"ask_qty\":", m->book.ask_qty[0]);
    key_price(t, ",\"last\":", m, m->trade.price);
    key_qty(t, ",\"volume\":", m->volume);
    key_price(t, ",\"vwap\":", m, (m->low + m->high) / 2);
    key_price(t, ",\"low\":", m, m->low);
    key_price(t, ",\"high\":", m, m->high);
    key_price(t, ",\"change\":", m, change);
    text_put(t, ",\"change_pct\":");
    text_decimal(t, change * 10000 / m->open * (MARKET_UNIT / 100), 2);
    key_int(t, ",\"trades\":", m->trade.id - m->first_trade_id + 1);
    end(t, now_us);
}

static void levels(struct text *t, const char *key, const struct market *m,
                   const struct market_level *l, size_t count)
{
    text_put(t, key);
    for (size_t i = 0; i < count; i++) {
        key_price(t, i == 0 ? "{\"price\":" : ",{\"price\":", m, l[i].price);
        key_qty(t, ",\"qty\":", l[i].qty);
        text_put(t, "}");
    }
    text_put(t, "]");
}

/* The numbers of a side as they are written, without point and leading zeros. */
static void checksum_side(struct text *t, const struct market *m, enum market_side which)
{
    struct market_level l[MARKET_LEVELS];
    int64_t unit = MARKET_UNIT;
    for (unsigned digits = price_digits(m); digits > 0; digits--)
        unit /= 10;
    size_t count = market_levels(m, &m->book, which, CHECKSUM_LEVELS, l);
    for (size_t i = 0; i < count; i++) {
        text_int(t, l[i].price / unit);
        text_int(t, l[i].qty);
    }
}

static void checksum(struct text *t, const struct market *m, uint64_t now_us)
{
    char digits[2 * CHECKSUM_LEVELS * 40];
    struct text d = text_into(digits, sizeof digits);
    checksum_side(&d, m, MARKET_ASKS);
    checksum_side(&d, m, MARKET_BIDS);
    key_int(t, ",\"checksum\":", crc32(0, (const Bytef *)digits, (uInt)text_len(&d)));
    end(t, now_us);
}

static void whole_book(struct text *t, const struct market *m, unsigned depth, uint64_t now_us)
{
    struct market_level l[MARKET_LEVELS];
    symbol(t, m);
    levels(t, ",\"bids\":[", m, l, market_levels(m, &m->book, MARKET_BIDS, depth, l));
    levels(t, ",\"asks\":[", m, l, market_levels(m, &m->book, MARKET_ASKS, depth, l));
    checksum(t, m, now_us);
}

/* What is gone comes first, so that a book which is cut after each level ends up right as well. A
 * level that was pushed out of the depth is not mentioned; one that left the market is. */
static size_t changes(const struct market *m, const struct market_book *was, enum market_side which,
                      unsigned depth, struct market_level *out)
{
    struct market_level all[2 * MARKET_LEVELS], now[MARKET_LEVELS];
    size_t n = market_changes(m, was, which, depth, all), count = 0;
    int64_t worst = now[market_levels(m, &m->book, which, depth, now) - 1].price;
    for (size_t i = 0; i < n; i++) {
        bool inside = which == MARKET_BIDS ? all[i].price > worst : all[i].price < worst;
        if (all[i].qty == 0 && (inside || depth >= MARKET_LEVELS))
            out[count++] = all[i];
    }
    for (size_t i = 0; i < n; i++) {
        if (all[i].qty != 0)
            out[count++] = all[i];
    }
    return count;
}

/* False: nothing within the depth changed. */
static bool book(struct text *t, const struct stream *st, const struct hub_event *ev)
{
    const struct market *m = &ev->instrument->market;
    struct market_level bids[2 * MARKET_LEVELS], asks[2 * MARKET_LEVELS];
    size_t bid_count = changes(m, ev->before, MARKET_BIDS, st->levels, bids);
    size_t ask_count = changes(m, ev->before, MARKET_ASKS, st->levels, asks);
    if (bid_count + ask_count == 0)
        return false;
    head(t, "book", false);
    symbol(t, m);
    levels(t, ",\"bids\":[", m, bids, bid_count);
    levels(t, ",\"asks\":[", m, asks, ask_count);
    checksum(t, m, ev->now.real_us);
    return true;
}

/* The trigger is a trade, or a change of a best price, but not of its size alone. */
static bool ticks(const struct hub_event *ev)
{
    const struct market_book *now = &ev->instrument->market.book;
    return ev->kind == STREAM_TRADE || ev->before->bid != now->bid || ev->before->ask != now->ask;
}

size_t kraken_write(const struct stream *st, const struct hub_event *ev, char *buf, size_t room)
{
    const struct market *m = &ev->instrument->market;
    struct text t = text_into(buf, room);
    if (of_channel(st, "trade:")) {
        head(&t, "trade", false);
        trade(&t, m, &m->trade, matched_us(m, ev->now.real_us));
    } else if (of_channel(st, "ticker:")) {
        if (!ticks(ev))
            return 0;
        head(&t, "ticker", false);
        ticker(&t, m, ev->now.real_us);
    } else if (!book(&t, st, ev)) {
        return 0;
    }
    text_put(&t, "]}");
    return text_len(&t);
}

size_t kraken_snapshot(const struct stream *st, struct sim_time now, char *buf, size_t room)
{
    const struct market *m = &st->instrument->market;
    struct text t = text_into(buf, room);
    if (of_channel(st, "trade:")) {
        head(&t, "trade", true);
        old_trades(&t, m, now.real_us);
    } else if (of_channel(st, "ticker:")) {
        head(&t, "ticker", true);
        ticker(&t, m, now.real_us);
    } else {
        head(&t, "book", true);
        whole_book(&t, m, st->levels, now.real_us);
    }
    text_put(&t, "]}");
    return text_len(&t);
}

/* Identifiers of connections use all 64 bits. */
size_t kraken_status(const struct session *s, const char *system, char *buf, size_t room)
{
    struct text t = text_into(buf, room);
    head(&t, "status", false);
    text_put(&t, "{\"version\":\"2.0.10\",\"system\":\"");
    text_put(&t, system);
    text_put(&t, "\",\"api_version\":\"v2\",\"connection_id\":1");
    text_int(&t, (int64_t)(1000000000000000000U + s->now.real_us % 1000000000000000000U));
    text_put(&t, "}]}");
    return text_len(&t);
}
