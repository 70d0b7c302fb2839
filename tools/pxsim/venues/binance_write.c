/* Binance: what the streams tell, those of spot in full. Order of keys and digits are the venue's:
 * eight decimals for prices and sizes, three for a percentage, times in ms or, if the connection
 * asked for it, us. */
#include "binance.h"

static int64_t unit_time(const struct session *s, uint64_t us)
{
    return (int64_t)(s->micros ? us : us / 1000);
}

void binance_key_text(struct text *t, const char *key, const char *value)
{
    text_put(t, key);
    text_put(t, value);
    text_put(t, "\"");
}

static void key_decimal(struct text *t, const char *key, int64_t value)
{
    text_put(t, key);
    text_decimal(t, value, 8);
    text_put(t, "\"");
}

void binance_key_int(struct text *t, const char *key, int64_t value)
{
    text_put(t, key);
    text_int(t, value);
}

/* {"e":"...","E":...,"s":"..." */
static void head(struct text *t, const struct stream *st, const struct hub_event *ev, const char *e)
{
    binance_key_text(t, "{\"e\":\"", e);
    binance_key_int(t, ",\"E\":", unit_time(st->session, ev->now.real_us));
    binance_key_text(t, ",\"s\":\"", ev->instrument->market.name);
}

void binance_key_flag(struct text *t, const char *key, bool value)
{
    text_put(t, key);
    text_put(t, value ? "true" : "false");
}

static void trade(struct text *t, const struct stream *st, const struct hub_event *ev)
{
    const struct market *m = &ev->instrument->market;
    bool aggregate = st->kind == STREAM_AGGREGATE;
    head(t, st, ev, aggregate ? "aggTrade" : "trade");
    if (aggregate)
        binance_key_int(t, ",\"a\":", (int64_t)m->agg_id);
    else
        binance_key_int(t, ",\"t\":", (int64_t)m->trade.id);
    key_decimal(t, ",\"p\":\"", m->trade.price);
    key_decimal(t, ",\"q\":\"", m->trade.qty);
    if (aggregate) {
        binance_key_int(t, ",\"f\":", (int64_t)m->trade.id);
        binance_key_int(t, ",\"l\":", (int64_t)m->trade.id);
    }
    /* the match precedes the message by some hundred microseconds */
    uint64_t matched_us = ev->now.real_us - 200 - m->trade.id % 700;
    binance_key_int(t, ",\"T\":", unit_time(st->session, matched_us));
    binance_key_flag(t, ",\"m\":", m->trade.buyer_is_maker);
    binance_key_flag(t, ",\"M\":", true);
    text_put(t, "}");
}

static void quote(struct text *t, const struct hub_event *ev)
{
    const struct market_book *b = &ev->instrument->market.book;
    binance_key_int(t, "{\"u\":", (int64_t)b->update_id);
    binance_key_text(t, ",\"s\":\"", ev->instrument->market.name);
    key_decimal(t, ",\"b\":\"", b->bid);
    key_decimal(t, ",\"B\":\"", b->bid_qty[0]);
    key_decimal(t, ",\"a\":\"", b->ask);
    key_decimal(t, ",\"A\":\"", b->ask_qty[0]);
    text_put(t, "}");
}

int64_t binance_ratio(int64_t a, int64_t b)
{
    __extension__ __int128 q = b == 0 ? 0 : (__int128)a * MARKET_UNIT / b;
    return q > INT64_MAX || q < INT64_MIN ? 0 : (int64_t)q;
}

static void ticker(struct text *t, const struct stream *st, const struct hub_event *ev)
{
    const struct market *m = &ev->instrument->market;
    int64_t change = m->trade.price - m->open;
    head(t, st, ev, "24hrTicker");
    key_decimal(t, ",\"p\":\"", change);
    text_put(t, ",\"P\":\"");
    text_decimal(t, binance_ratio(change, m->open) * 100, 3);
    text_put(t, "\"");
    key_decimal(t, ",\"w\":\"", binance_ratio(m->quote_volume, m->volume));
    key_decimal(t, ",\"x\":\"", m->before_open);
    key_decimal(t, ",\"c\":\"", m->trade.price);
    key_decimal(t, ",\"Q\":\"", m->trade.qty);
    key_decimal(t, ",\"b\":\"", m->book.bid);
    key_decimal(t, ",\"B\":\"", m->book.bid_qty[0]);
    key_decimal(t, ",\"a\":\"", m->book.ask);
    key_decimal(t, ",\"A\":\"", m->book.ask_qty[0]);
    key_decimal(t, ",\"o\":\"", m->open);
    key_decimal(t, ",\"h\":\"", m->high);
    key_decimal(t, ",\"l\":\"", m->low);
    key_decimal(t, ",\"v\":\"", m->volume);
    key_decimal(t, ",\"q\":\"", m->quote_volume);
    binance_key_int(t, ",\"O\":", unit_time(st->session, ev->now.real_us - 86400000000U));
    binance_key_int(t, ",\"C\":", unit_time(st->session, ev->now.real_us));
    binance_key_int(t, ",\"F\":", (int64_t)m->first_trade_id);
    binance_key_int(t, ",\"L\":", (int64_t)m->trade.id);
    binance_key_int(t, ",\"n\":", (int64_t)(m->trade.id - m->first_trade_id + 1));
    text_put(t, "}");
}

static void mini(struct text *t, const struct stream *st, const struct hub_event *ev)
{
    const struct market *m = &ev->instrument->market;
    head(t, st, ev, "24hrMiniTicker");
    key_decimal(t, ",\"c\":\"", m->trade.price);
    key_decimal(t, ",\"o\":\"", m->open);
    key_decimal(t, ",\"h\":\"", m->high);
    key_decimal(t, ",\"l\":\"", m->low);
    key_decimal(t, ",\"v\":\"", m->volume);
    key_decimal(t, ",\"q\":\"", m->quote_volume);
    text_put(t, "}");
}

/* A second without any change has no message. */
bool binance_all_market(struct text *t, const struct stream *st, const struct hub_event *ev,
                        void (*one)(struct text *t, const struct stream *st,
                                    const struct hub_event *ev))
{
    size_t count;
    struct instrument *const *listed = hub_listed(st->session->hub, &count);
    bool some = false;
    text_put(t, "[");
    for (size_t i = 0; i < count; i++) {
        if (!listed[i]->traded)
            continue;
        struct hub_event own = *ev;
        own.instrument = listed[i];
        if (some)
            text_put(t, ",");
        one(t, st, &own);
        some = true;
    }
    text_put(t, "]");
    return some;
}

static void average(struct text *t, const struct stream *st, const struct hub_event *ev)
{
    const struct market *m = &ev->instrument->market;
    head(t, st, ev, "avgPrice");
    text_put(t, ",\"i\":\"5m\"");
    key_decimal(t, ",\"w\":\"", (m->book.bid + m->book.ask) / 2);
    binance_key_int(t, ",\"T\":", unit_time(st->session, ev->now.real_us - 1000));
    text_put(t, "}");
}

static void levels(struct text *t, const char *key, const struct market_level *l, size_t count)
{
    text_put(t, key);
    for (size_t i = 0; i < count; i++) {
        text_put(t, i == 0 ? "[\"" : ",[\"");
        text_decimal(t, l[i].price, 8);
        text_put(t, "\",\"");
        text_decimal(t, l[i].qty, 8);
        text_put(t, "\"]");
    }
    text_put(t, "]");
}

static void partial_book(struct text *t, const struct stream *st, const struct hub_event *ev)
{
    const struct market *m = &ev->instrument->market;
    struct market_level l[MARKET_LEVELS];
    binance_key_int(t, "{\"lastUpdateId\":", (int64_t)m->book.update_id);
    levels(t, ",\"bids\":[", l, market_levels(m, &m->book, MARKET_BIDS, st->levels, l));
    levels(t, ",\"asks\":[", l, market_levels(m, &m->book, MARKET_ASKS, st->levels, l));
    text_put(t, "}");
}

static void depth(struct text *t, const struct stream *st, const struct hub_event *ev)
{
    const struct market *m = &ev->instrument->market;
    struct market_level l[2 * MARKET_LEVELS];
    head(t, st, ev, "depthUpdate");
    binance_key_int(t, ",\"U\":", (int64_t)ev->before->update_id + 1);
    binance_key_int(t, ",\"u\":", (int64_t)m->book.update_id);
    levels(t, ",\"b\":[", l, market_changes(m, ev->before, MARKET_BIDS, MARKET_LEVELS, l));
    levels(t, ",\"a\":[", l, market_changes(m, ev->before, MARKET_ASKS, MARKET_LEVELS, l));
    text_put(t, "}");
}

static bool payload(struct text *t, const struct stream *st, const struct hub_event *ev)
{
    switch (st->kind) {
    case STREAM_TRADE:
    case STREAM_AGGREGATE:
        trade(t, st, ev);
        return true;
    case STREAM_QUOTE:
        quote(t, ev);
        return true;
    case STREAM_TICKER:
        ticker(t, st, ev);
        return true;
    case STREAM_MINI:
        mini(t, st, ev);
        return true;
    case STREAM_AVERAGE:
        average(t, st, ev);
        return true;
    case STREAM_DEPTH_1S:
    case STREAM_DEPTH_100MS:
        depth(t, st, ev);
        return true;
    case STREAM_BOOK_1S:
    case STREAM_BOOK_100MS:
        partial_book(t, st, ev);
        return true;
    case STREAM_ALL_MINI:
        return binance_all_market(t, st, ev, mini);
    default:
        return false;
    }
}

size_t binance_write(const struct stream *st, const struct hub_event *event, char *buf, size_t room)
{
    struct text t = text_into(buf, room);
    bool wrapped = st->session->wrapped;
    if (wrapped) {
        text_put(&t, "{\"stream\":\"");
        text_json(&t, st->name, st->name_len);
        text_put(&t, "\",\"data\":");
    }
    bool futures = binance_is_futures(st->session);
    if (!(futures ? binance_futures_payload : payload)(&t, st, event))
        return 0;
    if (wrapped)
        text_put(&t, "}");
    return text_len(&t);
}

size_t binance_shutdown_notice(const struct session *s, char *buf, size_t room)
{
    struct text t = text_into(buf, room);
    if (s->wrapped)
        text_put(&t, "{\"stream\":\"!serverShutdown\",\"data\":");
    binance_key_int(&t, "{\"e\":\"serverShutdown\",\"E\":", unit_time(s, s->now.real_us));
    text_put(&t, s->wrapped ? "}}" : "}");
    return text_len(&t);
}
