/* Coinbase Advanced Trade. After docs.cdp.coinbase.com/coinbase-app/advanced-trade-apis/websocket.
 *
 * A message is {"channel":NAME,"timestamp":T,"sequence_num":N,"events":[...]}; N counts all
 * messages of the connection, whatever their channel, so that a hole means lost messages of any of
 * them. The book has no other number: a message of it is refused as a whole and its number with it,
 * and the hole that this leaves takes the books of the connection down.
 *
 * Products that are quoted in USDC are other names of those in USD: whoever subscribes to BTC-USDC
 * gets messages about BTC-USD. They are no symbols here, or their subscribers would wait for ever;
 * but for the two that the venue documents as products of their own. */
#include "venue.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "coinbase_shared.h"
#include "levels.h"

enum root_name { ROOT_CHANNEL, ROOT_TIME, ROOT_NUMBER, ROOT_EVENTS, ROOT_TYPE, ROOT_MESSAGE };
static const struct decode_name root_names[] = {
    DECODE_NAME("channel"), DECODE_NAME("timestamp"), DECODE_NAME("sequence_num"),
    DECODE_NAME("events"),  DECODE_NAME("type"),      DECODE_NAME("message"),
};

enum event_name { EVENT_TYPE, EVENT_PRODUCT, EVENT_TRADES, EVENT_TICKERS, EVENT_UPDATES };
static const struct decode_name event_names[] = {
    DECODE_NAME("type"),    DECODE_NAME("product_id"), DECODE_NAME("trades"),
    DECODE_NAME("tickers"), DECODE_NAME("updates"),
};

enum trade_name { TRADE_PRODUCT, TRADE_ID, TRADE_PRICE, TRADE_SIZE, TRADE_TIME, TRADE_SIDE };
static const struct decode_name trade_names[] = {
    DECODE_NAME("product_id"), DECODE_NAME("trade_id"), DECODE_NAME("price"),
    DECODE_NAME("size"),       DECODE_NAME("time"),     DECODE_NAME("side"),
};

enum ticker_name {
    TICKER_PRODUCT,
    TICKER_PRICE,
    TICKER_HIGH,
    TICKER_LOW,
    TICKER_BID,
    TICKER_BID_SIZE,
    TICKER_ASK,
    TICKER_ASK_SIZE
};
static const struct decode_name ticker_names[] = {
    DECODE_NAME("product_id"), DECODE_NAME("price"),
    DECODE_NAME("high_24_h"),  DECODE_NAME("low_24_h"),
    DECODE_NAME("best_bid"),   DECODE_NAME("best_bid_quantity"),
    DECODE_NAME("best_ask"),   DECODE_NAME("best_ask_quantity"),
};

enum level_name { LEVEL_SIDE, LEVEL_PRICE, LEVEL_SIZE };
static const struct decode_name level_names[] = {DECODE_NAME("side"), DECODE_NAME("price_level"),
                                                 DECODE_NAME("new_quantity")};

#define COUNT(names) ((unsigned)(sizeof(names) / sizeof *(names)))

/* Messages have been seen with one event; each is looked for from the start. */
#define EVENTS_MAX 32u

/* Old trades come newest first. So many are turned round; of more, the oldest are left out. */
#define SNAPSHOT_MAX 256u

struct message {
    struct decode *d;
    int64_t sent_ns;
    uint64_t number;
    bool numbered; /* the number was not given yet */
    bool snapshot; /* of the event that is read */
    size_t kept;
    struct venue_event old[SNAPSHOT_MAX];
};

/* The number goes first, as soon as it is clear that the message is taken. */
static void give_number(struct message *m)
{
    if (m->numbered)
        decode_give(m->d, &(struct venue_event){.type = VENUE_SEQUENCE, .venue_id = m->number});
    m->numbered = false;
}

static int give_bad(struct decode *d)
{
    return d->refusal.error != NULL ? decode_give_refusal(d) : decode_refuse_json(d);
}

/* Go into event i. 0; -ENOENT there are not so many; -EBADMSG after refuse(). */
static int into_event(struct message *m, unsigned i)
{
    struct json_item item;
    int rc = decode_into(m->d, "events", NULL);
    if (rc != 0)
        return refuse(&m->d->refusal, REFUSED_MISSING, "a list of events is missing");
    for (unsigned n = 0; n <= i; n++)
        if (json_next(m->d->json, &item) != 1)
            return -ENOENT;
    if (item.type != JSON_OBJECT)
        return refuse(&m->d->refusal, REFUSED_TYPE, "an event is no object");
    return json_enter(m->d->json);
}

/* What event i says of itself; `list` is the name of what it carries. */
static int read_event(struct message *m, unsigned i, enum event_name list, struct decode_fields *f)
{
    struct refusal *r = &m->d->refusal;
    struct json_text type;
    char show[FIELD_SHOW_MAX];
    int rc = into_event(m, i);
    if (rc != 0 || (rc = decode_fields(m->d, event_names, COUNT(event_names), f)) != 0 ||
        (rc = decode_once(m->d, event_names, f)) != 0 ||
        (rc = field_text(r, decode_field(f, EVENT_TYPE), "type", &type)) != 0)
        return rc;
    m->snapshot = DECODE_IS(type, "snapshot");
    if (!m->snapshot && !DECODE_IS(type, "update"))
        return refuse(r, REFUSED_TYPE, "type \"%s\" is neither snapshot nor update",
                      field_show(type, show));
    const struct json_item *item = decode_field(f, list);
    if (item == NULL)
        return refuse(r, REFUSED_MISSING, "%s is missing", event_names[list].at);
    if (item->type != JSON_ARRAY)
        return refuse(r, REFUSED_TYPE, "%s is no array", event_names[list].at);
    return 0;
}

/* Go into the list of event i, which read_event() has seen. */
static int into_list(struct message *m, unsigned i, enum event_name list)
{
    const struct decode_name *name = &event_names[list];
    struct json_item item;
    int rc = into_event(m, i);
    while (rc == 0 && (rc = json_next(m->d->json, &item)) == 1) {
        if (decode_is(item.key, name->at, name->len))
            return json_enter(m->d->json);
        rc = 0;
    }
    return rc;
}

/* Spot products ("BTC-USD") count their trades one by one. Of futures and perpetuals
 * ("BTC-PERP-INTX") it is not known. */
static bool is_spot(const struct venue_event *event)
{
    const char *end = event->symbol + event->symbol_len;
    const char *dash = memchr(event->symbol, '-', event->symbol_len);
    return dash != NULL && memchr(dash + 1, '-', (size_t)(end - dash - 1)) == NULL;
}

static int take_trade(struct decode *d, void *user)
{
    struct message *m = user;
    struct refusal *r = &d->refusal;
    struct decode_fields f;
    struct venue_event event = {.type = VENUE_TRADE, .flags = m->snapshot ? PX_FLAG_REPLAY : 0};
    struct px_trade *t = &event.u.trade;
    struct json_text id;
    int rc = decode_fields(d, trade_names, COUNT(trade_names), &f);
    if (rc != 0 ||
        (rc = decode_symbol(d, decode_field(&f, TRADE_PRODUCT), "product_id", &event)) != 0 ||
        (rc = decode_once(d, trade_names, &f)) != 0 ||
        (rc = field_trade_id(r, decode_field(&f, TRADE_ID), "trade_id", &t->trade_id, &event.flags,
                             &id)) != 0 ||
        (rc = field_decimal(r, decode_field(&f, TRADE_PRICE), "price", &t->price)) != 0 ||
        (rc = field_decimal(r, decode_field(&f, TRADE_SIZE), "size", &t->size)) != 0 ||
        (rc = field_rfc3339(r, decode_field(&f, TRADE_TIME), "time", &event.exch_ns)) != 0 ||
        (rc = coinbase_side(r, decode_field(&f, TRADE_SIDE), &event.flags)) != 0)
        return rc;
    bool hashed = (event.flags & PX_FLAG_HASHED) != 0;
    event.venue_id = hashed ? 0 : t->trade_id;
    event.consecutive = !hashed && is_spot(&event);
    event.trade_id = id.at;
    event.trade_id_len = (uint32_t)id.len;
    if (!m->snapshot)
        decode_give(d, &event);
    else if (m->kept < SNAPSHOT_MAX)
        m->old[m->kept++] = event;
    return 0;
}

/* Sent on trades only: between them the best bid and ask may be others, hence `derived`. */
static int take_ticker(struct decode *d, void *user)
{
    const struct message *m = user;
    struct decode_fields f;
    struct venue_event event = {.flags = m->snapshot ? PX_FLAG_REPLAY : 0, .exch_ns = m->sent_ns};
    int rc = decode_fields(d, ticker_names, COUNT(ticker_names), &f);
    if (rc == 0)
        rc = decode_symbol(d, decode_field(&f, TICKER_PRODUCT), "product_id", &event);
    if (rc == 0)
        rc = decode_once(d, ticker_names, &f);
    if (rc != 0)
        return rc;
    const struct json_item *const item[COINBASE_TICKER_FIELDS] = {
        [COINBASE_LAST] = decode_field(&f, TICKER_PRICE),
        [COINBASE_OPEN] = NULL, /* the venue does not send it */
        [COINBASE_HIGH] = decode_field(&f, TICKER_HIGH),
        [COINBASE_LOW] = decode_field(&f, TICKER_LOW),
        [COINBASE_BID] = decode_field(&f, TICKER_BID),
        [COINBASE_BID_SIZE] = decode_field(&f, TICKER_BID_SIZE),
        [COINBASE_ASK] = decode_field(&f, TICKER_ASK),
        [COINBASE_ASK_SIZE] = decode_field(&f, TICKER_ASK_SIZE),
    };
    return coinbase_give_ticker(d, &event, item);
}

/* Each event's list of trades or tickers; an event that is refused by itself does not take the
 * others with it. */
static int take_lists(struct message *m, unsigned events, enum event_name list)
{
    struct decode *d = m->d;
    struct decode_fields f;
    give_number(m);
    for (unsigned i = 0; i < events; i++) {
        const struct refusal outer = d->refusal;
        m->kept = 0;
        int rc = read_event(m, i, list, &f);
        if (rc == 0)
            rc = into_list(m, i, list);
        if (rc == 0)
            (void)decode_each(d, list == EVENT_TRADES ? take_trade : take_ticker, m);
        else
            give_bad(d);
        while (m->kept > 0)
            decode_give(d, &m->old[--m->kept]);
        d->refusal = outer;
    }
    return 0;
}

static int take_trades(struct message *m, unsigned events)
{
    return take_lists(m, events, EVENT_TRADES);
}

static int take_tickers(struct message *m, unsigned events)
{
    return take_lists(m, events, EVENT_TICKERS);
}

/* The changes of event i, once. The ask side is called offer. */
static int walk_updates(struct message *m, unsigned i, struct levels *l)
{
    struct decode *d = m->d;
    struct json_item item;
    struct decode_fields f;
    int rc = into_list(m, i, EVENT_UPDATES);
    while (rc == 0 && (rc = json_next(d->json, &item)) == 1) {
        if (item.type != JSON_OBJECT)
            return refuse(&d->refusal, REFUSED_TYPE, "an update is no object");
        if ((rc = json_enter(d->json)) != 0 ||
            (rc = decode_fields(d, level_names, COUNT(level_names), &f)) != 0 ||
            (rc = decode_once(d, level_names, &f)) != 0)
            return rc;
        bool ask = decode_says(decode_field(&f, LEVEL_SIDE), "offer");
        if (!ask && !decode_says(decode_field(&f, LEVEL_SIDE), "bid"))
            return refuse(&d->refusal, REFUSED_TYPE,
                          "the side of an update is neither bid nor offer");
        rc = levels_add(l, ask, decode_field(&f, LEVEL_PRICE), decode_field(&f, LEVEL_SIZE));
    }
    return rc;
}

/* One event of a book, looked at (`give` false) or given. */
static int take_book(struct message *m, unsigned i, bool give)
{
    struct decode *d = m->d;
    struct decode_fields f;
    struct decode_kept symbol;
    struct levels l;
    struct venue_event event = {.type = VENUE_BOOK, .exch_ns = m->sent_ns};
    int rc = read_event(m, i, EVENT_UPDATES, &f);
    if (rc == 0)
        rc = decode_symbol(d, decode_field(&f, EVENT_PRODUCT), "product_id", &event);
    if (rc != 0)
        return rc;
    /* The frame is walked again, which may cost a text with escapes its place. */
    decode_keep((struct json_text){event.symbol, event.symbol_len}, &symbol);
    event.symbol = symbol.at;
    event.u.book.snapshot = m->snapshot;
    levels_start(&l, d, &event);
    do {
        d->refusal.who = (struct json_text){symbol.at, symbol.len};
        rc = walk_updates(m, i, &l);
        if (rc == 0 && give)
            give_number(m);
    } while (rc == 0 && give && levels_again(&l));
    d->refusal.who = (struct json_text){0};
    return rc;
}

static int take_books(struct message *m, unsigned events)
{
    int rc = 0;
    for (unsigned i = 0; rc == 0 && events > 1 && i < events; i++)
        rc = take_book(m, i, false);
    for (unsigned i = 0; rc == 0 && i < events; i++)
        rc = take_book(m, i, true);
    return rc;
}

/* One for each message of ours, without its number; it lists all that is subscribed by now. */
static int take_subscriptions(struct message *m, unsigned events)
{
    (void)events;
    give_number(m);
    decode_give_type(m->d, VENUE_ACK);
    return 0;
}

/* The connection's, not a product's. */
static int take_heartbeats(struct message *m, unsigned events)
{
    (void)events;
    give_number(m);
    decode_give_type(m->d, VENUE_HEARTBEAT);
    return 0;
}

static const struct channel {
    const char *sent, *asked; /* its name in messages and in subscriptions */
    uint32_t kind;
    int (*take)(struct message *m, unsigned events);
} channels[] = {
    {"l2_data", "level2", PX_QUOTES, take_books},
    {"market_trades", "market_trades", PX_TRADES, take_trades},
    {"ticker", "ticker", PX_TICKERS, take_tickers},
    {"heartbeats", "heartbeats", 0, take_heartbeats},
    {"subscriptions", NULL, 0, take_subscriptions},
};

/* How many events there are, 0 for no list. Errors: -EBADMSG after refuse(). */
static int count_events(struct message *m, unsigned *out)
{
    struct json_item item;
    *out = 0;
    if (decode_into(m->d, "events", NULL) != 0)
        return 0;
    while (json_next(m->d->json, &item) == 1)
        if (++*out > EVENTS_MAX)
            return refuse(&m->d->refusal, REFUSED_RANGE, "more than %u events", EVENTS_MAX);
    return 0;
}

static int take_channel(struct message *m, const struct channel *c, const struct decode_fields *f)
{
    struct refusal *r = &m->d->refusal;
    const struct json_item *list = decode_field(f, ROOT_EVENTS);
    unsigned events = 0;
    int rc = 0;
    r->what = c->sent;
    if (c->kind != 0 && (list == NULL || list->type != JSON_ARRAY))
        return refuse(r, REFUSED_MISSING, "a list of events is missing");
    if (c->kind != 0)
        rc = field_rfc3339(r, decode_field(f, ROOT_TIME), "timestamp", &m->sent_ns);
    if (rc == 0)
        rc = count_events(m, &events);
    return rc != 0 ? rc : c->take(m, events);
}

/* {"type":"error","message":TEXT}: the message of ours was refused. */
static void give_error(struct message *m, const struct decode_fields *f)
{
    const struct json_item *words = decode_field(f, ROOT_MESSAGE);
    struct json_text text = {"refused without a word", 22};
    if (words != NULL && words->type == JSON_STRING)
        text = words->text;
    decode_give(m->d, &(struct venue_event){
                          .type = VENUE_REFUSED, .text = text.at, .text_len = (uint32_t)text.len});
}

static int take_root(struct message *m, const struct decode_fields *f)
{
    const struct json_item *channel = decode_field(f, ROOT_CHANNEL);
    const struct json_item *number = decode_field(f, ROOT_NUMBER);
    if (number != NULL) {
        int rc = field_id(&m->d->refusal, number, "sequence_num", &m->number);
        if (rc != 0)
            return rc;
        m->numbered = true;
    }
    for (size_t i = 0; channel != NULL && i < COUNT(channels); i++)
        if (decode_says(channel, channels[i].sent))
            return take_channel(m, &channels[i], f);
    give_number(m);
    if (decode_says(decode_field(f, ROOT_TYPE), "error"))
        give_error(m, f);
    return 0;
}

static int on_text(struct json *json, const char *frame, size_t len, const struct venue_sink *sink)
{
    struct decode d = decode_start(json, sink, "coinbase_at");
    struct decode_fields f;
    struct message m;
    m.d = &d;
    m.numbered = false;
    int rc = decode_root(&d, frame, len, root_names, COUNT(root_names), &f);
    if (rc == 0 && (rc = take_root(&m, &f)) != 0)
        rc = give_bad(&d);
    return decode_end(&d, rc);
}

static int check_symbol(const char *native, size_t len)
{
    static const char usdc[] = "-USDC";
    const size_t tail = sizeof usdc - 1;
    if (coinbase_check_symbol(native, len) != 0)
        return -EINVAL;
    if (len < tail || memcmp(native + len - tail, usdc, tail) != 0)
        return 0;
    struct json_text text = {native, len};
    return DECODE_IS(text, "USDT-USDC") || DECODE_IS(text, "EURC-USDC") ? 0 : -EINVAL;
}

static uint32_t streams(const struct venue_wish *wish)
{
    uint32_t n = 0;
    for (size_t i = 0; i < COUNT(channels); i++)
        n += venue_asks(wish, channels[i].kind);
    return n;
}

/* One channel for a message: that of the first wish, and of those after it that want the same. */
static int subscribe(const struct venue_request *request, char *out, size_t cap, size_t *taken)
{
    static const char head[] = "{\"type\":\"unsubscribe\",\"product_ids\":[],"
                               "\"channel\":\"market_trades\"}";
    struct venue_request same = *request;
    const struct channel *c = NULL;
    *taken = 0;
    for (size_t i = 0; request->count > 0 && i < COUNT(channels); i++)
        if ((request->wishes[0].kinds & channels[i].kind) != 0)
            c = &channels[i];
    for (same.count = 0; same.count < request->count; same.count++)
        if (request->wishes[same.count].kinds != request->wishes[0].kinds)
            break;
    size_t done = coinbase_fitting(&same, cap, sizeof head, streams);
    if (done == 0)
        return request->count > 0 ? -ENOSPC : 0;
    *taken = done;
    int len = snprintf(out, cap, "{\"type\":\"%s\",", request->on ? "subscribe" : "unsubscribe");
    size_t products =
        c == NULL ? 0 : coinbase_put_products(out + len, cap - (size_t)len, request, done, c->kind);
    if (products == 0)
        return 0;
    size_t at = (size_t)len + products;
    return (int)at + snprintf(out + at, cap - at, ",\"channel\":\"%s\"}", c->asked);
}

const struct px_venue px_venue_coinbase_at = {
    .name = "coinbase_at",
    .title = "Coinbase Advanced Trade",
    .url = "wss://advanced-trade-ws.coinbase.com",
    .kinds = PX_ALL_KINDS,
    /* From 17 on (recorded in 2026) the books of one connection may be refused. */
    .streams_per_conn = 16,
    .messages_per_s = 8,
    .attempts_per_window = 8,
    .attempt_window_s = 1,
    .silence_ms = 30000, /* there is a heartbeat each second */
    .one_kind = true,
    .hello_answer = true,
    .check_symbol = check_symbol,
    .streams = streams,
    .paths = {"/"},
    /* Without it, subscriptions that bring nothing for a minute are closed by the venue. */
    .hello = "{\"type\":\"subscribe\",\"channel\":\"heartbeats\"}",
    .subscribe = subscribe,
    .on_text = on_text,
};
