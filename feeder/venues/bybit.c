/* Bybit v5, what it says: spot and linear speak one dialect. After the venue's documentation
 * (bybit-exchange/docs, v5/websocket) and, where it is silent, after recordings.
 *
 * A frame is {"topic":"KIND.SYMBOL","type":"snapshot" or "delta","ts":MS,"data":X,"cts":MS}, the
 * names in any order; an answer has "op" in place of a topic. */
#include "bybit.h"

#include <errno.h>
#include <string.h>

#include "levels.h"

enum {
    F_TOPIC,
    F_TYPE,
    F_TS,
    F_CTS,
    F_OP,
    F_SUCCESS,
    F_RET_MSG,
    F_REQ_ID,
    F_DATA,
    F_BOOK_SYMBOL,
    F_BIDS,
    F_ASKS,
    F_UPDATE,
    F_TICKER_SYMBOL,
    F_LAST, /* these four and the next four in the order of px_ticker and px_quote */
    F_OPEN,
    F_HIGH,
    F_LOW,
    F_BID,
    F_BID_SIZE,
    F_ASK,
    F_ASK_SIZE,
    F_COUNT
};
/* "data" and the sides of a book stand here for being known: given twice, they are refused. */
static const struct decode_name names[F_COUNT] = {
    [F_TOPIC] = DECODE_NAME("topic"),
    [F_TYPE] = DECODE_NAME("type"),
    [F_TS] = DECODE_NAME("ts"),
    [F_CTS] = DECODE_NAME("cts"),
    [F_OP] = DECODE_NAME("op"),
    [F_SUCCESS] = DECODE_NAME("success"),
    [F_RET_MSG] = DECODE_NAME("ret_msg"),
    [F_REQ_ID] = DECODE_NAME("req_id"),
    [F_DATA] = DECODE_NAME("data"),
    [F_BOOK_SYMBOL] = DECODE_NAME("data.s"),
    [F_BIDS] = DECODE_NAME("data.b"),
    [F_ASKS] = DECODE_NAME("data.a"),
    [F_UPDATE] = DECODE_NAME("data.u"),
    [F_TICKER_SYMBOL] = DECODE_NAME("data.symbol"),
    [F_LAST] = DECODE_NAME("data.lastPrice"),
    [F_OPEN] = DECODE_NAME("data.prevPrice24h"),
    [F_HIGH] = DECODE_NAME("data.highPrice24h"),
    [F_LOW] = DECODE_NAME("data.lowPrice24h"),
    [F_BID] = DECODE_NAME("data.bid1Price"),
    [F_BID_SIZE] = DECODE_NAME("data.bid1Size"),
    [F_ASK] = DECODE_NAME("data.ask1Price"),
    [F_ASK_SIZE] = DECODE_NAME("data.ask1Size"),
};

enum { T_SYMBOL, T_SIDE, T_PRICE, T_SIZE, T_ID, T_TIME, T_COUNT };
static const struct decode_name trade_names[T_COUNT] = {
    [T_SYMBOL] = DECODE_NAME("s"), [T_SIDE] = DECODE_NAME("S"), [T_PRICE] = DECODE_NAME("p"),
    [T_SIZE] = DECODE_NAME("v"),   [T_ID] = DECODE_NAME("i"),   [T_TIME] = DECODE_NAME("T"),
};

static const struct px_decimal absent = {.exponent = PX_ABSENT};

/* ---- topics ---- */

struct topic {
    uint32_t kind;  /* PX_TRADES, PX_TICKERS, PX_QUOTES (any book), 0 none of ours */
    uint32_t depth; /* of a book */
    struct json_text symbol;
};

static bool skip(struct json_text *text, const char *head)
{
    size_t len = strlen(head);
    if (text->len < len || memcmp(text->at, head, len) != 0)
        return false;
    text->at += len;
    text->len -= len;
    return true;
}

#define DEPTH_DIGITS_MAX 4

static struct topic topic_of(struct json_text text)
{
    struct topic t = {.symbol = text};
    if (skip(&t.symbol, "publicTrade.")) {
        t.kind = PX_TRADES;
    } else if (skip(&t.symbol, "tickers.")) {
        t.kind = PX_TICKERS;
    } else if (skip(&t.symbol, "orderbook.")) {
        for (int i = 0; i < DEPTH_DIGITS_MAX && t.symbol.len > 0; i++) {
            unsigned digit = (unsigned char)t.symbol.at[0] - (unsigned)'0';
            if (digit > 9)
                break;
            t.depth = t.depth * 10 + digit;
            t.symbol.at++;
            t.symbol.len--;
        }
        if (t.depth > 0 && skip(&t.symbol, "."))
            t.kind = PX_QUOTES;
    }
    return t;
}

/* ---- trades ---- */

static int take_side(struct refusal *r, const struct json_item *item, uint16_t *flags)
{
    struct json_text side;
    char show[FIELD_SHOW_MAX];
    int rc = field_text(r, item, "side (S)", &side);
    if (rc != 0)
        return rc;
    if (DECODE_IS(side, "Buy"))
        *flags |= PX_SIDE_BUY;
    else if (DECODE_IS(side, "Sell"))
        *flags |= PX_SIDE_SELL;
    else
        return refuse(r, REFUSED_TYPE, "side (S) \"%s\" is neither Buy nor Sell",
                      field_show(side, show));
    return 0;
}

/* `S` is the taker's. Ids are UUIDs on linear, without an order; on spot numbers that rise. That
 * none is left out is promised nowhere: a step of more than one is no gap. */
static int take_trade(struct decode *d, void *user)
{
    struct refusal *r = &d->refusal;
    struct venue_event event = {.type = VENUE_TRADE};
    struct px_trade *t = &event.u.trade;
    struct decode_fields f;
    struct json_text id;
    (void)user;
    int rc = decode_fields(d, trade_names, T_COUNT, &f);
    if (rc != 0 || (rc = decode_once(d, trade_names, &f)) != 0 ||
        (rc = decode_symbol(d, decode_field(&f, T_SYMBOL), "symbol (s)", &event)) != 0 ||
        (rc = take_side(r, decode_field(&f, T_SIDE), &event.flags)) != 0 ||
        (rc = field_decimal(r, decode_field(&f, T_PRICE), "price (p)", &t->price)) != 0 ||
        (rc = field_decimal(r, decode_field(&f, T_SIZE), "size (v)", &t->size)) != 0 ||
        (rc = field_time(r, decode_field(&f, T_TIME), "time (T)", &event.exch_ns)) != 0 ||
        (rc = field_trade_id(r, decode_field(&f, T_ID), "trade id (i)", &t->trade_id, &event.flags,
                             &id)) != 0)
        return rc;
    if ((event.flags & PX_FLAG_HASHED) == 0)
        event.venue_id = t->trade_id;
    event.trade_id = id.at;
    event.trade_id_len = (uint32_t)id.len;
    decode_give(d, &event);
    return 0;
}

static int take_trades(struct decode *d, const struct decode_fields *f)
{
    const struct json_item *data = decode_field(f, F_DATA);
    d->refusal.what = "publicTrade";
    if (data == NULL || data->type != JSON_ARRAY || decode_into(d, "data", NULL) != 0)
        return refuse(&d->refusal, REFUSED_MISSING, "its array of trades is missing");
    return decode_each(d, take_trade, NULL);
}

/* ---- books ---- */

static int take_type(struct refusal *r, const struct json_item *item, bool *snapshot)
{
    struct json_text type;
    char show[FIELD_SHOW_MAX];
    int rc = field_text(r, item, "type", &type);
    if (rc != 0)
        return rc;
    if (!DECODE_IS(type, "snapshot") && !DECODE_IS(type, "delta"))
        return refuse(r, REFUSED_TYPE, "type \"%s\" is neither snapshot nor delta",
                      field_show(type, show));
    *snapshot = type.at[0] == 's';
    return 0;
}

/* Both sides, from "data" on. */
static int walk_levels(struct levels *l)
{
    struct json_item item;
    int rc = decode_into(l->d, "data", NULL);
    while (rc == 0 && (rc = json_next(l->d->json, &item)) == 1) {
        bool ask = DECODE_IS(item.key, "a");
        rc = ask || DECODE_IS(item.key, "b") ? levels_add_pairs(l, ask) : 0;
    }
    return rc;
}

/* A book of one level is a quote: a change of a side names the price that is best now, and perhaps
 * the one that was. So it needs none of the earlier frames but for a side that it leaves out, and
 * it is apart from a deeper book of the same symbol. */
static int take_top(const struct levels *l, bool snapshot, struct venue_event *event)
{
    struct refusal *r = &l->d->refusal;
    struct px_quote *q = &event->u.quote;
    unsigned named[2] = {0}, best[2] = {0};
    *q = (struct px_quote){absent, absent, absent, absent};
    for (uint32_t i = 0; i < l->count; i++) {
        const struct venue_level *level = &l->at[i];
        named[level->ask]++;
        if (level->size.mantissa == 0)
            continue;
        best[level->ask]++;
        *(level->ask ? &q->ask : &q->bid) = level->price;
        *(level->ask ? &q->ask_size : &q->bid_size) = level->size;
    }
    if (l->total > l->count || best[0] > 1 || best[1] > 1)
        return refuse(r, REFUSED_RANGE, "a side has several levels, where it keeps one");
    if (!snapshot && named[0] == 0)
        event->unchanged |= VENUE_UNCHANGED_0 | VENUE_UNCHANGED_1;
    if (!snapshot && named[1] == 0)
        event->unchanged |= VENUE_UNCHANGED_2 | VENUE_UNCHANGED_3;
    decode_give(l->d, event);
    return 0;
}

static int give_book(struct levels *l)
{
    int rc;
    do {
        rc = walk_levels(l);
    } while (rc == 0 && levels_again(l));
    return rc;
}

static int take_sides(struct refusal *r, const struct decode_fields *f)
{
    for (unsigned i = F_BIDS; i <= F_ASKS; i++) {
        const struct json_item *side = decode_field(f, i);
        if (side == NULL || side->type != JSON_ARRAY)
            return refuse(r, REFUSED_MISSING, "its array of %s is missing",
                          i == F_ASKS ? "asks" : "bids");
    }
    return 0;
}

/* The number `u` is one more with each message of a topic: so it was in every recording, though
 * only the order is documented. At 1 the venue began anew, and what comes is a whole book. */
static int take_book(struct decode *d, const struct decode_fields *f, uint32_t depth)
{
    const struct json_item *cts = decode_field(f, F_CTS);
    struct refusal *r = &d->refusal;
    struct venue_event event = {.type = depth == 1 ? VENUE_QUOTE : VENUE_BOOK};
    struct decode_kept symbol;
    struct levels l;
    uint64_t u;
    bool snapshot;
    r->what = "orderbook";
    int rc = decode_symbol(d, decode_field(f, F_BOOK_SYMBOL), "symbol (s)", &event);
    if (rc != 0 || (rc = take_type(r, decode_field(f, F_TYPE), &snapshot)) != 0 ||
        (rc = field_id(r, decode_field(f, F_UPDATE), "update id (u)", &u)) != 0 ||
        (rc = field_time(r, cts != NULL ? cts : decode_field(f, F_TS), "time", &event.exch_ns)) !=
            0 ||
        (rc = take_sides(r, f)) != 0)
        return rc;
    (void)decode_keep(r->who, &symbol); /* d->native_max is less than DECODE_KEEP_MAX */
    r->who = (struct json_text){symbol.at, symbol.len};
    event.symbol = symbol.at;
    event.venue_id = u;
    snapshot = snapshot || u == 1;
    levels_start(&l, d, &event);
    if (depth == 1) {
        rc = walk_levels(&l);
        return rc != 0 ? rc : take_top(&l, snapshot, &event);
    }
    event.u.book = (struct venue_book){.depth = depth,
                                       .snapshot = snapshot,
                                       .has_seq = true,
                                       .has_prev = !snapshot && u > 0,
                                       .seq = u,
                                       .prev = u - 1};
    return give_book(&l);
}

/* ---- tickers ---- */

/* Four decimals from field `first` on. What a change leaves out stands as it was; what a snapshot
 * leaves out, or gives as an empty text, is not there. *given: a bit for each that is named. */
static int take_four(struct refusal *r, const struct decode_fields *f, unsigned first,
                     struct px_decimal *const out[4], unsigned *given)
{
    *given = 0;
    for (unsigned i = 0; i < 4; i++) {
        const struct json_item *item = decode_field(f, first + i);
        const char *name = names[first + i].at + sizeof "data." - 1;
        *out[i] = absent;
        if (item == NULL)
            continue;
        *given |= 1u << i;
        int rc = decode_says(item, "") ? 0 : field_decimal(r, item, name, out[i]);
        if (rc != 0)
            return rc;
    }
    return 0;
}

/* Linear sends changes of some fields; spot whole tickers, without bid and ask. */
static int take_ticker(struct decode *d, const struct decode_fields *f)
{
    struct refusal *r = &d->refusal;
    struct venue_event ticker = {.type = VENUE_TICKER};
    struct venue_event quote = {.type = VENUE_QUOTE, .derived = true};
    struct px_ticker *t = &ticker.u.ticker;
    struct px_quote *q = &quote.u.quote;
    struct px_decimal *const in_ticker[4] = {&t->last, &t->open, &t->high, &t->low};
    struct px_decimal *const in_quote[4] = {&q->bid, &q->bid_size, &q->ask, &q->ask_size};
    unsigned of_ticker, of_quote;
    bool snapshot;
    r->what = "ticker";
    int rc = decode_symbol(d, decode_field(f, F_TICKER_SYMBOL), "symbol", &ticker);
    if (rc != 0 || (rc = take_type(r, decode_field(f, F_TYPE), &snapshot)) != 0 ||
        (rc = field_time(r, decode_field(f, F_TS), "time (ts)", &ticker.exch_ns)) != 0 ||
        (rc = take_four(r, f, F_LAST, in_ticker, &of_ticker)) != 0 ||
        (rc = take_four(r, f, F_BID, in_quote, &of_quote)) != 0)
        return rc;
    quote.symbol = ticker.symbol;
    quote.symbol_len = ticker.symbol_len;
    quote.exch_ns = ticker.exch_ns;
    if (!snapshot) {
        ticker.unchanged = (uint8_t)(~of_ticker & 0xfu);
        quote.unchanged = (uint8_t)(~of_quote & 0xfu);
    }
    if (of_ticker != 0)
        decode_give(d, &ticker);
    if (of_quote != 0)
        decode_give(d, &quote);
    return 0;
}

/* ---- answers ---- */

/* The number of our request; 0 the answer does not say, -1 it is to none of ours. */
static int64_t request_of(const struct decode_fields *f)
{
    const struct json_item *id = decode_field(f, F_REQ_ID);
    struct refusal unused = {0};
    uint64_t n = 0;
    if (id == NULL || decode_says(id, ""))
        return 0;
    if (field_id_text(&unused, id, "req_id", &n) != 0 || n == 0 || n > INT64_MAX)
        return -1;
    return (int64_t)n;
}

/* A request with one topic that is subscribed already is refused as a whole, so this is the answer
 * to that one alone; the others are asked for again. False: these are other words. */
static bool take_already(struct decode *d, struct json_text words, struct venue_event *event)
{
    if (!skip(&words, "error:already subscribed,topic:"))
        return false;
    struct topic t = topic_of(words);
    if (t.kind == 0 || decode_symbol_text(d, t.symbol, "symbol of the topic", event) != 0)
        return false;
    event->type = VENUE_ACK;
    event->kinds = (uint16_t)(t.depth > 1 ? VENUE_DEPTH : t.kind);
    return true;
}

/* One unknown topic and nothing of the request took effect, the known ones neither: the refusal is
 * that of the whole request, though its words name one. */
static int take_answer(struct decode *d, const struct decode_fields *f)
{
    const struct json_item *op = decode_field(f, F_OP), *words = decode_field(f, F_RET_MSG);
    struct venue_event event = {.type = VENUE_ACK, .request = request_of(f)};
    struct json_text text = {"refused without a word", 22};
    bool success = false, off = decode_says(op, "unsubscribe");
    if (decode_says(op, "pong") || decode_says(op, "ping")) {
        decode_give_type(d, VENUE_HEARTBEAT);
        return 0;
    }
    if (decode_field(f, F_SUCCESS) == NULL || event.request < 0)
        return 0;
    d->refusal.what = "answer";
    int rc = field_bool(&d->refusal, decode_field(f, F_SUCCESS), "success", &success);
    if (rc != 0)
        return rc;
    if (success && !off && !decode_says(op, "subscribe"))
        return 0;
    event.off = success && off;
    if (words != NULL && words->type == JSON_STRING && words->text.len > 0)
        text = words->text;
    if (!success && !take_already(d, text, &event)) {
        event.type = VENUE_REFUSED;
        event.text = text.at;
        event.text_len = (uint32_t)text.len;
    }
    decode_give(d, &event);
    return 0;
}

static int take_root(struct decode *d, const struct decode_fields *f)
{
    const struct json_item *topic = decode_field(f, F_TOPIC);
    struct json_text text;
    if (topic == NULL)
        return take_answer(d, f);
    int rc = field_text(&d->refusal, topic, "topic", &text);
    if (rc != 0)
        return rc;
    struct topic t = topic_of(text);
    switch (t.kind) {
    case PX_TRADES:
        return take_trades(d, f);
    case PX_QUOTES:
        return take_book(d, f, t.depth);
    case PX_TICKERS:
        return take_ticker(d, f);
    default:
        return 0;
    }
}

static int on_text(struct decode *d, const char *frame, size_t len)
{
    struct decode_fields f;
    int rc = decode_root(d, frame, len, names, F_COUNT, &f);
    if (rc == 0 && (rc = take_root(d, &f)) != 0 && d->refusal.error != NULL)
        rc = decode_give_refusal(d);
    return decode_end(d, rc);
}

int bybit_on_text(struct json *json, const char *frame, size_t len, const struct venue_sink *sink)
{
    struct decode d = decode_start(json, sink, "bybit");
    return on_text(&d, frame, len);
}

int bybit_linear_on_text(struct json *json, const char *frame, size_t len,
                         const struct venue_sink *sink)
{
    struct decode d = decode_start(json, sink, "bybit_linear");
    return on_text(&d, frame, len);
}
