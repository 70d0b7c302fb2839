/* Bybit v5: what the streams tell. Order of keys and digits are the venue's; spot and linear differ
 * in both. */
#include "bybit.h"

#include <string.h>

#include "text.h"

#define SPOT_TRADE_ID UINT64_C(2290000000000000000)
#define IDS_PER_TRADE 4 /* of the venue, so that a trade in two parts leaves no id twice */
#define TWO_PARTS     8 /* one trade of so many comes in two parts */

/* ---- words ---- */

static void key_text(struct text *t, const char *key, const char *value)
{
    text_put(t, key);
    text_put(t, value);
    text_put(t, "\"");
}

static void key_int(struct text *t, const char *key, uint64_t value)
{
    text_put(t, key);
    text_int(t, (int64_t)value);
}

/* Digits behind the point that a multiple of this step has. */
static unsigned decimals_of(int64_t step)
{
    unsigned decimals = 8;
    for (; decimals > 0 && step % 10 == 0; step /= 10)
        decimals--;
    return decimals;
}

static void key_price(struct text *t, const char *key, const struct market *m, int64_t value)
{
    text_put(t, key);
    text_decimal(t, value, decimals_of(m->tick));
    text_put(t, "\"");
}

static void key_size(struct text *t, const char *key, const struct market *m, int64_t value)
{
    text_put(t, key);
    text_decimal(t, value, decimals_of(m->lot));
    text_put(t, "\"");
}

static void key_decimal(struct text *t, const char *key, int64_t value, unsigned decimals)
{
    text_put(t, key);
    text_decimal(t, value, decimals);
    text_put(t, "\"");
}

/* The venue's number over all events of a symbol: it never falls. */
static uint64_t cross_sequence(const struct market *m, const struct market_book *b)
{
    return b->update_id + m->trade.id;
}

/* Key and time of the envelope, in the order of the market. */
static void head(struct text *t, const struct stream *st, const char *type, struct sim_time now)
{
    text_put(t, "{\"topic\":\"");
    text_json(t, st->name, st->name_len);
    if (bybit_is_spot(st->session)) {
        key_int(t, "\",\"ts\":", now.real_us / 1000);
        key_text(t, ",\"type\":\"", type);
    } else {
        key_text(t, "\",\"type\":\"", type);
        key_int(t, ",\"ts\":", now.real_us / 1000);
    }
}

/* ---- trades ---- */

static void put_hex(struct text *t, uint64_t value, unsigned digits)
{
    while (digits-- > 0)
        text_bytes(t, &"0123456789abcdef"[value >> (4 * digits) & 15], 1);
}

/* A UUID of version 5, the same for every client. */
static void put_uuid(struct text *t, const struct market *m, uint64_t id)
{
    uint64_t state = id ^ (uint64_t)m->start << 20;
    uint64_t high = market_random(&state), low = market_random(&state);
    put_hex(t, high >> 32, 8);
    text_put(t, "-");
    put_hex(t, high >> 16, 4);
    text_put(t, "-5");
    put_hex(t, high, 3);
    text_put(t, "-");
    put_hex(t, (low >> 48 & 0x3fff) | 0x8000, 4);
    text_put(t, "-");
    put_hex(t, low, 12);
}

static void spot_part(struct text *t, const struct market *m, uint64_t id, int64_t qty, uint64_t ms)
{
    key_int(t, "{\"i\":\"", SPOT_TRADE_ID + id);
    key_int(t, "\",\"T\":", ms);
    key_price(t, ",\"p\":\"", m, m->trade.price);
    key_size(t, ",\"v\":\"", m, qty);
    key_text(t, ",\"S\":\"", m->trade.buyer_is_maker ? "Sell" : "Buy");
    key_int(t, ",\"seq\":", cross_sequence(m, &m->book));
    key_text(t, ",\"s\":\"", m->name);
    text_put(t, ",\"BT\":false,\"RPI\":false}");
}

static void linear_part(struct text *t, const struct market *m, uint64_t id, int64_t qty,
                        uint64_t ms)
{
    key_int(t, "{\"T\":", ms);
    key_text(t, ",\"s\":\"", m->name);
    key_text(t, ",\"S\":\"", m->trade.buyer_is_maker ? "Sell" : "Buy");
    key_size(t, ",\"v\":\"", m, qty);
    key_price(t, ",\"p\":\"", m, m->trade.price);
    text_put(t, ",\"L\":\"ZeroPlusTick\",\"i\":\"");
    put_uuid(t, m, id);
    text_put(t, "\",\"BT\":false,\"RPI\":false");
    key_int(t, ",\"seq\":", cross_sequence(m, &m->book));
    text_put(t, "}");
}

static void trades(struct text *t, const struct stream *st, const struct hub_event *ev)
{
    const struct market *m = &ev->instrument->market;
    void (*part)(struct text *, const struct market *, uint64_t, int64_t, uint64_t) =
        bybit_is_spot(st->session) ? spot_part : linear_part;
    /* the match precedes the message by a millisecond or two */
    uint64_t id = m->trade.id * IDS_PER_TRADE, ms = ev->now.real_us / 1000 - 1 - m->trade.id % 2;
    int64_t first = m->trade.id % TWO_PARTS == 0 ? m->lot : 0;
    head(t, st, "snapshot", ev->now);
    text_put(t, ",\"data\":[");
    if (first > 0 && first < m->trade.qty) {
        part(t, m, id, first, ms);
        text_put(t, ",");
        part(t, m, id + 1, m->trade.qty - first, ms);
    } else {
        part(t, m, id, m->trade.qty, ms);
    }
    text_put(t, "]}");
}

/* ---- books ---- */

static void side(struct text *t, const char *key, const struct market *m,
                 const struct market_level *l, size_t count)
{
    text_put(t, key);
    for (size_t i = 0; i < count; i++) {
        key_price(t, i == 0 ? "[\"" : ",[\"", m, l[i].price);
        if (l[i].qty == 0)
            text_put(t, ",\"0\"");
        else
            key_size(t, ",\"", m, l[i].qty);
        text_put(t, "]");
    }
    text_put(t, "]");
}

/* Behind the sides. The engine's time is a few ms earlier than the gateway's. */
static void book_tail(struct text *t, const struct market *m, const struct market_book *b,
                      uint64_t u, struct sim_time now)
{
    key_int(t, ",\"u\":", u);
    key_int(t, ",\"seq\":", cross_sequence(m, b));
    key_int(t, "},\"cts\":", now.real_us / 1000 - 1 - u % 4);
    text_put(t, "}");
}

static void book_head(struct text *t, const struct stream *st, const char *type,
                      struct sim_time now)
{
    head(t, st, type, now);
    key_text(t, ",\"data\":{\"s\":\"", st->instrument->market.name);
}

static void whole_book(struct text *t, const struct stream *st, const struct market_book *b,
                       uint64_t u, struct sim_time now)
{
    const struct market *m = &st->instrument->market;
    struct market_level l[MARKET_LEVELS];
    unsigned levels = st->kind == STREAM_QUOTE ? 1 : MARKET_LEVELS;
    book_head(t, st, "snapshot", now);
    side(t, ",\"b\":[", m, l, market_levels(m, b, MARKET_BIDS, levels, l));
    side(t, ",\"a\":[", m, l, market_levels(m, b, MARKET_ASKS, levels, l));
    book_tail(t, m, b, u, now);
}

/* One level is told whole each time. */
static void best_prices(struct text *t, const struct stream *st, struct sim_time now)
{
    const struct market_book *b = &st->instrument->market.book;
    whole_book(t, st, b, b->update_id, now);
}

static void changes(struct text *t, const struct stream *st, const struct hub_event *ev)
{
    const struct market *m = &ev->instrument->market;
    struct market_level l[2 * MARKET_LEVELS];
    book_head(t, st, "delta", ev->now);
    side(t, ",\"b\":[", m, l, market_changes(m, ev->before, MARKET_BIDS, MARKET_LEVELS, l));
    side(t, ",\"a\":[", m, l, market_changes(m, ev->before, MARKET_ASKS, MARKET_LEVELS, l));
    book_tail(t, m, &m->book, ev->instrument->number[1], ev->now);
}

/* ---- tickers ---- */

static void put_change(struct text *t, const struct market *m)
{
    int64_t change = m->trade.price - m->open;
    __extension__ __int128 part = m->open == 0 ? 0 : (__int128)change * MARKET_UNIT / m->open;
    key_decimal(t, ",\"price24hPcnt\":\"", (int64_t)part, 6);
}

static void put_turnover(struct text *t, const struct market *m)
{
    key_decimal(t, ",\"turnover24h\":\"", m->quote_volume, 4);
    key_decimal(t, ",\"volume24h\":\"", m->volume, 4);
}

static void put_range(struct text *t, const struct market *m)
{
    key_price(t, ",\"highPrice24h\":\"", m, m->high);
    key_price(t, ",\"lowPrice24h\":\"", m, m->low);
}

static void put_best(struct text *t, const struct market *m)
{
    key_price(t, ",\"bid1Price\":\"", m, m->book.bid);
    key_size(t, ",\"bid1Size\":\"", m, m->book.bid_qty[0]);
    key_price(t, ",\"ask1Price\":\"", m, m->book.ask);
    key_size(t, ",\"ask1Size\":\"", m, m->book.ask_qty[0]);
}

static void put_mark(struct text *t, const struct market *m)
{
    key_price(t, ",\"markPrice\":\"", m, m->trade.price);
    key_price(t, ",\"indexPrice\":\"", m, m->trade.price + m->tick);
}

static void put_last(struct text *t, const struct market *m)
{
    key_price(t, ",\"lastPrice\":\"", m, m->trade.price);
}

static void spot_ticker(struct text *t, const struct stream *st, struct sim_time now)
{
    const struct market *m = &st->instrument->market;
    head(t, st, "snapshot", now);
    key_int(t, ",\"cs\":", cross_sequence(m, &m->book));
    key_text(t, ",\"data\":{\"symbol\":\"", m->name);
    put_last(t, m);
    put_range(t, m);
    key_price(t, ",\"prevPrice24h\":\"", m, m->open);
    put_turnover(t, m);
    put_change(t, m);
    text_put(t, "}}");
}

static void linear_ticker_head(struct text *t, const struct stream *st, const char *type)
{
    text_put(t, "{\"topic\":\"");
    text_json(t, st->name, st->name_len);
    key_text(t, "\",\"type\":\"", type);
    key_text(t, ",\"data\":{\"symbol\":\"", st->instrument->market.name);
}

static void linear_ticker_tail(struct text *t, const struct market *m, struct sim_time now)
{
    key_int(t, "},\"cs\":", cross_sequence(m, &m->book));
    key_int(t, ",\"ts\":", now.real_us / 1000);
    text_put(t, "}");
}

static void linear_ticker(struct text *t, const struct stream *st, struct sim_time now)
{
    const struct market *m = &st->instrument->market;
    linear_ticker_head(t, st, "snapshot");
    text_put(t, ",\"tickDirection\":\"PlusTick\"");
    put_change(t, m);
    put_last(t, m);
    key_price(t, ",\"prevPrice24h\":\"", m, m->open);
    put_range(t, m);
    put_mark(t, m);
    put_turnover(t, m);
    text_put(t, ",\"fundingRate\":\"0.0001\"");
    put_best(t, m);
    text_put(t, ",\"preOpenPrice\":\"\"");
    linear_ticker_tail(t, m, now);
}

/* The fields of a ticker are told in groups, each at its own time. What a message leaves out stands
 * as it was told last; a last price comes with the range that it may have widened. */
static void linear_ticker_change(struct text *t, const struct stream *st,
                                 const struct hub_event *ev)
{
    static void (*const groups[][4])(struct text *, const struct market *) = {
        {put_change, put_last, put_range, put_best},
        {put_mark},
        {put_turnover, put_best},
        {put_last, put_range},
    };
    const struct market *m = &ev->instrument->market;
    size_t turn = st->told % (sizeof groups / sizeof groups[0]);
    linear_ticker_head(t, st, "delta");
    for (size_t i = 0; i < 4 && groups[turn][i] != NULL; i++)
        groups[turn][i](t, m);
    linear_ticker_tail(t, m, ev->now);
}

/* ---- */

size_t bybit_snapshot(const struct stream *st, struct sim_time now, char *buf, size_t room)
{
    struct text t = text_into(buf, room);
    switch (st->kind) {
    case STREAM_QUOTE:
        best_prices(&t, st, now);
        break;
    case STREAM_DEPTH_100MS:
        whole_book(&t, st, hub_told(st), st->instrument->number[1], now);
        break;
    case STREAM_TICKER:
        if (bybit_is_spot(st->session))
            spot_ticker(&t, st, now);
        else
            linear_ticker(&t, st, now);
        break;
    default:
        return 0;
    }
    return text_len(&t);
}

size_t bybit_write(const struct stream *st, const struct hub_event *event, char *buf, size_t room)
{
    struct text t = text_into(buf, room);
    bool spot = bybit_is_spot(st->session);
    switch (st->kind) {
    case STREAM_TRADE:
        trades(&t, st, event);
        break;
    case STREAM_QUOTE:
        best_prices(&t, st, event->now);
        break;
    case STREAM_DEPTH_100MS:
        changes(&t, st, event);
        break;
    case STREAM_TICKER:
        if (spot)
            spot_ticker(&t, st, event->now);
        else
            linear_ticker_change(&t, st, event);
        break;
    default:
        return 0;
    }
    return text_len(&t);
}
