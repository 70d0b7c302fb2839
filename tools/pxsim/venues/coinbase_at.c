/* Coinbase Advanced Trade, as a client meets it: one channel in a subscription, numbered messages,
 * snapshots first. A message of trades carries one, where the venue collects a quarter of a second.
 * Subscriptions are not ended for silence, as the venue does after 60 to 90 s.
 *
 * Recorded: all messages of data (2023 to 2026), the full state in each answer, and the words
 * "failure to subscribe", "authentication failure" and "too many L2 streams requested in a single
 * session" (2024 to 2026). Assumed: which of them answers what; that too much is answered and not
 * cut; that the answer names products by the name under which they come. */
#include <stdio.h>
#include <string.h>

#include "coinbase_shared.h"
#include "json.h"

#define STREAMS_MAX  2000
#define BURST        10      /* eight a second, and some room for clocks that differ */
#define BOOKS_MAX    20      /* between 17 and 32 at the venue */
#define NOTHING_SAID 3000000 /* us that the last trade lies back when somebody subscribes */

static const struct channel {
    const char *name;
    enum stream_kind kind;
    bool locked; /* needs a login, which there is none for here */
} channels[] = {
    {"heartbeats", STREAM_BEAT, false},     {"level2", STREAM_DEPTH_100MS, false},
    {"market_trades", STREAM_TRADE, false}, {"ticker", STREAM_TRADE, false},
    {"ticker_batch", STREAM_SILENT, false}, {"candles", STREAM_SILENT, false},
    {"user", STREAM_SILENT, true},          {"futures_balance_summary", STREAM_SILENT, true},
};
#define CHANNELS (sizeof channels / sizeof channels[0])

static void fail(struct session *s, const char *message)
{
    char buf[256];
    struct text t = text_into(buf, sizeof buf);
    text_put(&t, "{\"type\":\"error\",\"message\":\"");
    text_put(&t, message);
    text_put(&t, "\"}");
    s->send(s, buf, text_len(&t), false);
}

/* state[0] is the number of the connection's next message. */
static void head(struct text *t, const struct session *s, const char *channel)
{
    text_put(t, "{\"channel\":\"");
    text_put(t, channel);
    text_put(t, "\",\"client_id\":\"\"");
    coinbase_time(t, "timestamp", s->now.real_us);
    coinbase_int(t, "sequence_num", s->state[0]);
    text_put(t, ",\"events\":[{");
}

static size_t finish(struct text *t, struct session *s)
{
    text_put(t, "}]}");
    size_t len = text_len(t);
    s->state[0] += len > 0;
    return len;
}

/* All that is subscribed by now. */
static void reply(struct session *s)
{
    char buf[STREAMS_MAX * (COINBASE_NAME_MAX - 8)];
    struct text t = text_into(buf, sizeof buf);
    const char *between = "\"";
    head(&t, s, "subscriptions");
    text_put(&t, "\"subscriptions\":{");
    for (size_t c = 0; c < CHANNELS; c++) {
        size_t n = 0;
        for (size_t i = 0; i < s->count; i++) {
            if (!coinbase_is(s->streams[i], channels[c].name))
                continue;
            if (n++ == 0) {
                text_put(&t, between);
                text_put(&t, channels[c].name);
            }
            text_put(&t, n == 1 ? "\":[\"" : "\",\"");
            const char *product = coinbase_product(s->streams[i]);
            text_put(&t, product[0] != '\0' ? product : channels[c].name);
        }
        if (n > 0) {
            text_put(&t, "\"]");
            between = ",\"";
        }
    }
    text_put(&t, "}");
    size_t len = finish(&t, s);
    s->send(s, buf, len, false);
}

static void put_type(struct text *t, bool first)
{
    text_put(t, first ? "\"type\":\"snapshot\"" : "\"type\":\"update\"");
}

/* The side is the maker's. */
static void trade(struct text *t, const struct market *m, uint64_t at_us)
{
    char id[24];
    snprintf(id, sizeof id, "%llu", (unsigned long long)m->trade.id);
    text_put(t, ",\"trades\":[{\"product_id\":\"");
    text_put(t, m->name);
    text_put(t, "\"");
    coinbase_text(t, "trade_id", id);
    coinbase_price(t, "price", m, m->trade.price);
    coinbase_size(t, "size", m->trade.qty);
    coinbase_time(t, "time", at_us);
    coinbase_text(t, "side", m->trade.buyer_is_maker ? "BUY" : "SELL");
    text_put(t, "}]");
}

static void ticker(struct text *t, const struct market *m)
{
    text_put(t, ",\"tickers\":[{\"type\":\"ticker\"");
    coinbase_text(t, "product_id", m->name);
    coinbase_price(t, "price", m, m->trade.price);
    coinbase_size(t, "volume_24_h", m->volume);
    coinbase_price(t, "low_24_h", m, m->low);
    coinbase_price(t, "high_24_h", m, m->high);
    coinbase_price(t, "low_52_w", m, m->low);
    coinbase_price(t, "high_52_w", m, m->high);
    coinbase_text(t, "price_percent_chg_24_h", "0");
    coinbase_price(t, "best_bid", m, m->book.bid);
    coinbase_size(t, "best_bid_quantity", m->book.bid_qty[0]);
    coinbase_price(t, "best_ask", m, m->book.ask);
    coinbase_size(t, "best_ask_quantity", m->book.ask_qty[0]);
    text_put(t, "}]");
}

/* A change tells what makes the present book of the one before, a snapshot (`before` NULL) all that
 * the stream last told. */
static void book(struct text *t, const struct stream *st, const struct market_book *before,
                 uint64_t at_us)
{
    static const char *const names[] = {[MARKET_BIDS] = "bid", [MARKET_ASKS] = "offer"};
    const struct market *m = &st->instrument->market;
    struct market_level l[2 * MARKET_LEVELS];
    const char *between = "{\"side\":\"";
    coinbase_text(t, "product_id", m->name);
    text_put(t, ",\"updates\":[");
    for (int which = MARKET_BIDS; which <= MARKET_ASKS; which++) {
        enum market_side side = (enum market_side)which;
        size_t count = before != NULL ? market_changes(m, before, side, MARKET_LEVELS, l)
                                      : market_levels(m, hub_told(st), side, MARKET_LEVELS, l);
        for (size_t i = 0; i < count; i++, between = ",{\"side\":\"") {
            text_put(t, between);
            text_put(t, names[which]);
            text_put(t, "\"");
            coinbase_time(t, "event_time", before != NULL ? at_us : 0);
            coinbase_price(t, "price_level", m, l[i].price);
            coinbase_size(t, "new_quantity", l[i].qty);
            text_put(t, "}");
        }
    }
    text_put(t, "]");
}

/* Seconds since the program began count the beats. */
static void heartbeat(struct text *t, const struct session *s)
{
    text_put(t, "\"current_time\":\"");
    text_utc(t, s->now.real_us);
    text_put(t, "\"");
    coinbase_int(t, "heartbeat_counter", s->now.mono_ns / 1000000000);
}

/* What a channel tells of a product now; `before` NULL: first. */
static size_t tell(const struct stream *st, const struct hub_event *ev, char *buf, size_t room)
{
    struct session *s = st->session;
    struct text t = text_into(buf, room);
    bool first = ev == NULL, is_book = coinbase_is(st, "level2");
    uint64_t at_us = first ? s->now.real_us - NOTHING_SAID : s->now.real_us;
    char name[COINBASE_NAME_MAX];
    snprintf(name, sizeof name, "%.*s", (int)strcspn(st->name, ":"), st->name);
    head(&t, s, is_book ? "l2_data" : name);
    if (coinbase_is(st, "heartbeats")) {
        heartbeat(&t, s);
        return finish(&t, s);
    }
    put_type(&t, first);
    if (is_book)
        book(&t, st, first ? NULL : ev->before, at_us);
    else if (coinbase_is(st, "ticker"))
        ticker(&t, &st->instrument->market);
    else
        trade(&t, &st->instrument->market, at_us);
    return finish(&t, s);
}

static void begin(struct session *s, const struct stream *st)
{
    char buf[8192];
    if (st->instrument == NULL)
        return;
    size_t len = tell(st, NULL, buf, sizeof buf);
    s->send(s, buf, len, true);
}

/* The name under which a product comes: those quoted in USDC under that in USD. */
static bool product_of(struct json item, char out[MARKET_NAME])
{
    if (json_text(item, out, MARKET_NAME) < 0)
        return false;
    size_t len = strlen(out);
    if (!coinbase_is_symbol(out) && len > 5 && strcmp(out + len - 5, "-USDC") == 0)
        out[len - 1] = '\0';
    return true;
}

static bool has_products(const struct channel *c)
{
    return c->kind != STREAM_BEAT;
}

/* A request is taken or refused as a whole. NULL, or what is wrong with it. */
static const char *fault_of(const struct session *s, const struct channel *c, struct json products)
{
    char product[MARKET_NAME];
    struct json item;
    size_t cursor = 0, count = 0, books = 0;
    if (c == NULL)
        return "failure to subscribe";
    if (c->locked)
        return "authentication failure";
    for (; json_next(products, &cursor, &item); count++)
        if (!product_of(item, product) || hub_instrument(s->hub, product) == NULL)
            return "failure to subscribe";
    if (has_products(c) && count == 0)
        return "failure to subscribe";
    for (size_t i = 0; i < s->count; i++)
        books += coinbase_is(s->streams[i], "level2");
    if (c->kind == STREAM_DEPTH_100MS && books + count > BOOKS_MAX)
        return "too many L2 streams requested in a single session";
    return s->count + count > STREAMS_MAX ? "failure to subscribe" : NULL;
}

static void change(struct session *s, bool on, const struct channel *c, struct json products)
{
    char product[MARKET_NAME] = "", name[COINBASE_NAME_MAX + 16];
    struct json item;
    size_t cursor = 0;
    bool some = !has_products(c) || json_next(products, &cursor, &item);
    while (some) {
        if (!has_products(c) || product_of(item, product)) {
            snprintf(name, sizeof name, "%s:%s", c->name, product);
            if (on)
                (void)hub_subscribe(s, name, c->kind, 0, has_products(c) ? product : NULL);
            else
                (void)hub_unsubscribe(s, name);
        }
        some = has_products(c) && json_next(products, &cursor, &item);
    }
}

static void on_text(struct session *s, const char *text, size_t len)
{
    struct json root;
    struct json_error wrong;
    char type[16] = "", name[COINBASE_NAME_MAX] = "";
    const struct channel *c = NULL;
    if (!coinbase_may_ask(s, BURST)) {
        fail(s, "rate limit exceeded");
        return;
    }
    if (json_parse(text, len, &root, &wrong) < 0) {
        fail(s, "failure to parse message");
        return;
    }
    json_text(json_member(root, "type"), type, sizeof type);
    json_text(json_member(root, "channel"), name, sizeof name);
    bool on = strcmp(type, "subscribe") == 0;
    for (size_t i = 0; i < CHANNELS; i++)
        if (strcmp(channels[i].name, name) == 0)
            c = &channels[i];
    if (!on && (c == NULL || strcmp(type, "unsubscribe") != 0)) {
        fail(s, "failure to subscribe");
        return;
    }
    struct json products = json_member(root, "product_ids");
    const char *fault = on ? fault_of(s, c, products) : NULL;
    if (fault != NULL) {
        fail(s, fault);
        return;
    }
    size_t first = s->count;
    change(s, on, c, products);
    hub_settle(s->hub, s->now.mono_ns);
    reply(s);
    for (size_t i = first; on && i < s->count; i++)
        begin(s, s->streams[i]);
}

/* Nothing is asked for by path. */
static int on_open(struct session *s, char *target)
{
    (void)s;
    (void)target;
    return 0;
}

const struct sim_venue sim_venue_coinbase_at = {
    .name = "coinbase_at",
    .ping_ms = 20000, /* not known of the venue; a replay lives by it when it has ended */
    .pong_ms = 60000,
    .subscribe_within_ms = 5000,
    .open = on_open,
    .text = on_text,
    .write = tell,
    .is_symbol = coinbase_is_symbol,
    .spell = coinbase_spell,
};
