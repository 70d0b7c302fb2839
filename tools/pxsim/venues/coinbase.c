/* Coinbase Exchange, as a client meets it: subscriptions, limits, and what the channels tell. Times
 * of connections per address are not counted.
 *
 * Recorded: all messages of data (2021 to 2024); the full state in each answer; "Failed to
 * subscribe" with "No channels provided" (2019), "X is not a valid product" (2023) and the sentence
 * about authentication (2023, 2025); that such a request has no effect at all. Assumed: the words
 * for what is no JSON, no subscription, an unknown channel or too much, and that too much is
 * answered and not cut. */
#include <stdio.h>
#include <string.h>

#include "coinbase_shared.h"
#include "json.h"

#define STREAMS_MAX  2000
#define BURST        20
#define NOTHING_SAID 3000000 /* us that the last trade lies back when somebody subscribes */

static const struct channel {
    const char *name;
    enum stream_kind kind;
    bool locked; /* needs a login, which there is none for here */
} channels[] = {
    {"matches", STREAM_TRADE, false},
    {"heartbeat", STREAM_BEAT, false},
    {"level2_batch", STREAM_DEPTH_100MS, false},
    {"ticker", STREAM_TRADE, false},
    {"ticker_batch", STREAM_TICKER, false},
    {"level2", STREAM_SILENT, true},
    {"level3", STREAM_SILENT, true},
    {"full", STREAM_SILENT, true},
    {"user", STREAM_SILENT, true},
};
#define CHANNELS (sizeof channels / sizeof channels[0])

struct request {
    bool on;
    struct json products, channels;
};

static void fail(struct session *s, const char *message, const char *reason)
{
    char buf[512];
    struct text t = text_into(buf, sizeof buf);
    text_put(&t, "{\"type\":\"error\",\"message\":\"");
    text_put(&t, message);
    if (reason != NULL) {
        text_put(&t, "\",\"reason\":\"");
        text_json(&t, reason, strlen(reason));
    }
    text_put(&t, "\"}");
    s->send(s, buf, text_len(&t), false);
}

static void fail_because(struct session *s, const char *what, const char *why)
{
    char reason[COINBASE_NAME_MAX + 64];
    snprintf(reason, sizeof reason, "%s%s", what, why);
    fail(s, "Failed to subscribe", reason);
}

/* All that is subscribed by now. */
static void reply(struct session *s)
{
    char buf[STREAMS_MAX * (COINBASE_NAME_MAX - 8)];
    struct text t = text_into(buf, sizeof buf);
    const char *between = "{\"name\":\"";
    text_put(&t, "{\"type\":\"subscriptions\",\"channels\":[");
    for (size_t c = 0; c < CHANNELS; c++) {
        size_t n = 0;
        for (size_t i = 0; i < s->count; i++) {
            if (!coinbase_is(s->streams[i], channels[c].name))
                continue;
            if (n++ == 0) {
                text_put(&t, between);
                text_put(&t, channels[c].name);
            }
            text_put(&t, n == 1 ? "\",\"product_ids\":[\"" : "\",\"");
            text_put(&t, coinbase_product(s->streams[i]));
        }
        if (n > 0) {
            text_put(&t, "\"],\"account_ids\":null}");
            between = ",{\"name\":\"";
        }
    }
    text_put(&t, "]}");
    s->send(s, buf, text_len(&t), false);
}

/* Numbers of a product's messages grow, with holes. */
static uint64_t sequence(const struct market *m)
{
    return m->book.update_id + m->trade.id;
}

static void head(struct text *t, const char *type)
{
    text_put(t, "{\"type\":\"");
    text_put(t, type);
    text_put(t, "\"");
}

/* Names of orders are invented from the trade. */
static void order(struct text *t, const char *key, uint64_t n)
{
    char id[40];
    snprintf(id, sizeof id, "%08x-0000-4000-8000-%012llx", (unsigned)(n * 2654435761U),
             (unsigned long long)(n & 0xFFFFFFFFFFFFU));
    coinbase_text(t, key, id);
}

/* The side is the maker's. */
static void match(struct text *t, const char *type, const struct market *m, uint64_t at_us)
{
    head(t, type);
    coinbase_int(t, "trade_id", m->trade.id);
    order(t, "maker_order_id", 2 * m->trade.id);
    order(t, "taker_order_id", 2 * m->trade.id + 1);
    coinbase_text(t, "side", m->trade.buyer_is_maker ? "buy" : "sell");
    coinbase_size(t, "size", m->trade.qty);
    coinbase_price(t, "price", m, m->trade.price);
    coinbase_text(t, "product_id", m->name);
    coinbase_int(t, "sequence", sequence(m));
    coinbase_time(t, "time", at_us);
    text_put(t, "}");
}

/* The side is the taker's. */
static void ticker(struct text *t, const struct market *m, uint64_t at_us)
{
    head(t, "ticker");
    coinbase_int(t, "sequence", sequence(m));
    coinbase_text(t, "product_id", m->name);
    coinbase_price(t, "price", m, m->trade.price);
    coinbase_price(t, "open_24h", m, m->open);
    coinbase_size(t, "volume_24h", m->volume);
    coinbase_price(t, "low_24h", m, m->low);
    coinbase_price(t, "high_24h", m, m->high);
    coinbase_size(t, "volume_30d", m->volume);
    coinbase_price(t, "best_bid", m, m->book.bid);
    coinbase_size(t, "best_bid_size", m->book.bid_qty[0]);
    coinbase_price(t, "best_ask", m, m->book.ask);
    coinbase_size(t, "best_ask_size", m->book.ask_qty[0]);
    coinbase_text(t, "side", m->trade.buyer_is_maker ? "sell" : "buy");
    coinbase_time(t, "time", at_us);
    coinbase_int(t, "trade_id", m->trade.id);
    coinbase_size(t, "last_size", m->trade.qty);
    text_put(t, "}");
}

static void heartbeat(struct text *t, const struct market *m, uint64_t at_us)
{
    head(t, "heartbeat");
    coinbase_int(t, "sequence", sequence(m));
    coinbase_int(t, "last_trade_id", m->trade.id);
    coinbase_text(t, "product_id", m->name);
    coinbase_time(t, "time", at_us);
    text_put(t, "}");
}

static void side_of_snapshot(struct text *t, const char *key, const struct market *m,
                             const struct market_book *book, enum market_side side)
{
    struct market_level l[MARKET_LEVELS];
    size_t count = market_levels(m, book, side, MARKET_LEVELS, l);
    text_put(t, key);
    for (size_t i = 0; i < count; i++) {
        text_put(t, i == 0 ? "[" : ",[");
        coinbase_level(t, m, &l[i]);
        text_put(t, "]");
    }
    text_put(t, "]");
}

static void snapshot(struct text *t, const struct stream *st)
{
    const struct market *m = &st->instrument->market;
    head(t, "snapshot");
    coinbase_text(t, "product_id", m->name);
    side_of_snapshot(t, ",\"asks\":[", m, hub_told(st), MARKET_ASKS);
    side_of_snapshot(t, ",\"bids\":[", m, hub_told(st), MARKET_BIDS);
    text_put(t, "}");
}

static void l2update(struct text *t, const struct hub_event *ev)
{
    static const char *const names[] = {[MARKET_BIDS] = "buy", [MARKET_ASKS] = "sell"};
    const struct market *m = &ev->instrument->market;
    struct market_level l[2 * MARKET_LEVELS];
    const char *between = "[\"";
    head(t, "l2update");
    coinbase_text(t, "product_id", m->name);
    text_put(t, ",\"changes\":[");
    for (int side = MARKET_BIDS; side <= MARKET_ASKS; side++) {
        size_t count = market_changes(m, ev->before, (enum market_side)side, MARKET_LEVELS, l);
        for (size_t i = 0; i < count; i++, between = ",[\"") {
            text_put(t, between);
            text_put(t, names[side]);
            text_put(t, "\",");
            coinbase_level(t, m, &l[i]);
            text_put(t, "]");
        }
    }
    text_put(t, "]");
    coinbase_time(t, "time", ev->now.real_us);
    text_put(t, "}");
}

static size_t write_event(const struct stream *st, const struct hub_event *ev, char *buf,
                          size_t room)
{
    struct text t = text_into(buf, room);
    const struct market *m = &ev->instrument->market;
    uint64_t at_us = ev->now.real_us;
    if (coinbase_is(st, "matches"))
        match(&t, "match", m, at_us);
    else if (coinbase_is(st, "heartbeat"))
        heartbeat(&t, m, at_us);
    else if (coinbase_is(st, "level2_batch"))
        l2update(&t, ev);
    else if (coinbase_is(st, "ticker") || at_us / 1000000 % 5 == 0)
        ticker(&t, m, at_us);
    return text_len(&t);
}

/* What a stream starts with. */
static void begin(struct session *s, const struct stream *st)
{
    char buf[8192];
    struct text t = text_into(buf, sizeof buf);
    if (st->instrument == NULL)
        return;
    uint64_t before_us = s->now.real_us - NOTHING_SAID;
    if (coinbase_is(st, "matches"))
        match(&t, "last_match", &st->instrument->market, before_us);
    else if (coinbase_is(st, "ticker"))
        ticker(&t, &st->instrument->market, before_us);
    else if (coinbase_is(st, "level2_batch"))
        snapshot(&t, st);
    if (text_len(&t) > 0)
        s->send(s, buf, text_len(&t), true);
}

/* One channel of a request: a name, with the products of the request, or an object with its own. */
static const struct channel *channel_of(struct json item, const struct request *r,
                                        struct json *ret_products, char name[COINBASE_NAME_MAX])
{
    bool object = item.at[0] == '{';
    *ret_products = object ? json_member(item, "product_ids") : r->products;
    if (json_text(object ? json_member(item, "name") : item, name, COINBASE_NAME_MAX) < 0)
        snprintf(name, COINBASE_NAME_MAX, "%s", "");
    for (size_t i = 0; i < CHANNELS; i++)
        if (strcmp(channels[i].name, name) == 0)
            return &channels[i];
    return NULL;
}

/* A request is taken or refused as a whole. */
static bool check_products(struct session *s, struct json products, size_t *streams)
{
    char product[COINBASE_NAME_MAX];
    struct json item;
    size_t cursor = 0, count = 0;
    for (; json_next(products, &cursor, &item); count++) {
        if (json_text(item, product, sizeof product) < 0)
            snprintf(product, sizeof product, "%s", "");
        if (hub_instrument(s->hub, product) == NULL) {
            fail_because(s, product, " is not a valid product");
            return false;
        }
    }
    if (count == 0)
        fail_because(s, "", " is not a valid product");
    *streams += count;
    return count > 0;
}

static bool check(struct session *s, const struct request *r)
{
    char name[COINBASE_NAME_MAX];
    struct json item, products;
    size_t cursor = 0, count = 0, streams = s->count;
    for (; json_next(r->channels, &cursor, &item); count++) {
        const struct channel *c = channel_of(item, r, &products, name);
        if (c == NULL) {
            fail_because(s, name, " is not a valid channel");
            return false;
        }
        if (c->locked) {
            fail(s, "Failed to subscribe",
                 "level2, level3, and full channels now require authentication. "
                 "https://docs.cloud.coinbase.com/exchange/docs/websocket-auth");
            return false;
        }
        if (r->on && !check_products(s, products, &streams))
            return false;
    }
    if (count == 0)
        fail(s, "Failed to subscribe", "No channels provided");
    else if (streams > STREAMS_MAX)
        fail(s, "Failed to subscribe", "Too many subscriptions");
    return count > 0 && streams <= STREAMS_MAX;
}

/* A channel without products is left altogether. */
static void leave_channel(struct session *s, const struct channel *c)
{
    for (size_t i = s->count; i > 0; i--)
        if (coinbase_is(s->streams[i - 1], c->name))
            (void)hub_unsubscribe(s, s->streams[i - 1]->name);
}

static void change(struct session *s, const struct request *r, const struct channel *c,
                   struct json products)
{
    char product[MARKET_NAME], name[COINBASE_NAME_MAX];
    struct json item;
    size_t cursor = 0, count = 0;
    for (; json_next(products, &cursor, &item); count++) {
        if (json_text(item, product, sizeof product) < 0)
            continue;
        snprintf(name, sizeof name, "%s:%s", c->name, product);
        if (r->on)
            (void)hub_subscribe(s, name, c->kind, 0, product); /* only memory can fail */
        else
            (void)hub_unsubscribe(s, name);
    }
    if (count == 0 && !r->on)
        leave_channel(s, c);
}

static void on_text(struct session *s, const char *text, size_t len)
{
    struct json root, item, products;
    struct json_error wrong;
    char word[COINBASE_NAME_MAX] = "";
    if (!coinbase_may_ask(s, BURST)) {
        fail(s, "Rate limit exceeded", NULL);
        return;
    }
    if (json_parse(text, len, &root, &wrong) < 0) {
        fail(s, "Malformed JSON", NULL);
        return;
    }
    json_text(json_member(root, "type"), word, sizeof word);
    struct request r = {.on = strcmp(word, "subscribe") == 0,
                        .products = json_member(root, "product_ids"),
                        .channels = json_member(root, "channels")};
    if (!r.on && strcmp(word, "unsubscribe") != 0) {
        fail(s, "Type has to be either subscribe or unsubscribe", NULL);
        return;
    }
    if (!check(s, &r))
        return;
    size_t cursor = 0, first = s->count;
    while (json_next(r.channels, &cursor, &item))
        change(s, &r, channel_of(item, &r, &products, word), products);
    hub_settle(s->hub, s->now.mono_ns);
    reply(s);
    for (size_t i = first; r.on && i < s->count; i++)
        begin(s, s->streams[i]);
}

/* Nothing is asked for by path. */
static int on_open(struct session *s, char *target)
{
    (void)s;
    (void)target;
    return 0;
}

static void put_past(struct text *t, const struct instrument *i, const struct past_trade *p)
{
    text_put(t, "{\"trade_id\":");
    text_int(t, (int64_t)p->trade.id);
    coinbase_text(t, "side", p->trade.buyer_is_maker ? "buy" : "sell");
    coinbase_size(t, "size", p->trade.qty);
    coinbase_price(t, "price", &i->market, p->trade.price);
    coinbase_time(t, "time", p->real_us);
    text_put(t, "}");
}

/* Those before the id `after`, latest first. */
static int on_history(struct hub *hub, const struct rest_request *r, struct text *body)
{
    char product[MARKET_NAME];
    uint64_t limit, after;
    if (!rest_between(r, "/products/", "/trades", product, sizeof product))
        return 404;
    struct instrument *i = hub_instrument(hub, product);
    if (i == NULL)
        return 404;
    if (!rest_number(r, "limit", 100, &limit) || limit == 0 || limit > REST_PAGE ||
        !rest_number(r, "after", i->market.trade.id + 1, &after) || after <= limit)
        return 400;
    text_put(body, "[");
    rest_trades(i, after - 1, after - limit, body, put_past);
    text_put(body, "]");
    return 200;
}

const struct sim_venue sim_venue_coinbase = {
    .name = "coinbase",
    .messages_per_s = 100,
    .ping_ms = 20000, /* not known of the venue; a replay lives by it when it has ended */
    .pong_ms = 60000,
    .subscribe_within_ms = 5000,
    .gap_in_ids = true,
    .open = on_open,
    .text = on_text,
    .write = write_event,
    .history = on_history,
    .is_symbol = coinbase_is_symbol,
    .spell = coinbase_spell,
};
