/* Kraken spot, WebSocket API v2. After the venue's documents (spot-websocket-v2, its guide to the
 * book's checksum) and recordings.
 *
 * A frame is data, {"channel":C,"type":"snapshot"|"update","data":[...]}; an answer,
 * {"method":M,"success":B,...}, of which a subscription gets one for each symbol; or a heartbeat.
 * Prices and sizes are JSON numbers of which every digit counts: they go into the checksum of the
 * book as they are written. Identifiers of connections are numbers of 64 bits; nobody needs them.
 *
 * Quotes are those of the book of ten levels: it says each change of the best prices and of their
 * sizes, and its checksum proves them. The ticker says the best prices too, but does not promise to
 * say that only a size changed, and nothing proves it. */
#include "venue.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "kraken.h"
#include "kraken_history.h"

#define TEXT_OF(x) #x
#define TEXT(x)    TEXT_OF(x)

enum { CHANNEL, TYPE, DATA, METHOD, SUCCESS, ERROR, SYMBOL, REQUEST, OF_CHANNEL, OF_SYMBOL, NAMES };
static const struct decode_name names[NAMES] = {
    [CHANNEL] = DECODE_NAME("channel"),
    [TYPE] = DECODE_NAME("type"),
    [DATA] = DECODE_NAME("data"),
    [METHOD] = DECODE_NAME("method"),
    [SUCCESS] = DECODE_NAME("success"),
    [ERROR] = DECODE_NAME("error"),
    [SYMBOL] = DECODE_NAME("symbol"),
    [REQUEST] = DECODE_NAME("req_id"),
    [OF_CHANNEL] = DECODE_NAME("result.channel"),
    [OF_SYMBOL] = DECODE_NAME("result.symbol"),
};

static const struct px_decimal absent = {.exponent = PX_ABSENT};

enum { TRADE_SYMBOL, TRADE_SIDE, TRADE_PRICE, TRADE_QTY, TRADE_ID, TRADE_TIME, TRADE_NAMES };
static const struct decode_name trade_names[TRADE_NAMES] = {
    [TRADE_SYMBOL] = DECODE_NAME("symbol"), [TRADE_SIDE] = DECODE_NAME("side"),
    [TRADE_PRICE] = DECODE_NAME("price"),   [TRADE_QTY] = DECODE_NAME("qty"),
    [TRADE_ID] = DECODE_NAME("trade_id"),   [TRADE_TIME] = DECODE_NAME("timestamp"),
};

/* trade_id counts the trades of a symbol one by one: "a sequence number, unique per book". */
static int take_trade(struct decode *d, void *user)
{
    const struct kraken_message *m = user;
    struct refusal *r = &d->refusal;
    struct venue_event event = {.type = VENUE_TRADE, .consecutive = true};
    struct px_trade *t = &event.u.trade;
    struct json_text id;
    struct decode_fields f;
    int rc = kraken_element(d, trade_names, TRADE_NAMES, &f);
    if (rc != 0 || (rc = decode_symbol(d, decode_field(&f, TRADE_SYMBOL), "symbol", &event)) != 0 ||
        (rc = field_side(r, decode_field(&f, TRADE_SIDE), "side", &event.flags)) != 0 ||
        (rc = field_decimal(r, decode_field(&f, TRADE_PRICE), "price", &t->price)) != 0 ||
        (rc = field_decimal(r, decode_field(&f, TRADE_QTY), "qty", &t->size)) != 0 ||
        (rc = field_id(r, decode_field(&f, TRADE_ID), "trade_id", &t->trade_id)) != 0 ||
        (rc = kraken_time(d, decode_field(&f, TRADE_TIME), &event.exch_ns)) != 0)
        return rc;
    id = decode_field(&f, TRADE_ID)->text;
    event.trade_id = id.at;
    event.trade_id_len = (uint32_t)id.len;
    event.venue_id = t->trade_id;
    if (m->snapshot)
        event.flags |= PX_FLAG_REPLAY;
    decode_give(d, &event);
    return 0;
}

enum {
    TICKER_SYMBOL,
    TICKER_BID,
    TICKER_BID_QTY,
    TICKER_ASK,
    TICKER_ASK_QTY,
    TICKER_LAST,
    TICKER_HIGH,
    TICKER_LOW,
    TICKER_TIME,
    TICKER_NAMES
};
static const struct decode_name ticker_names[TICKER_NAMES] = {
    [TICKER_SYMBOL] = DECODE_NAME("symbol"),   [TICKER_BID] = DECODE_NAME("bid"),
    [TICKER_BID_QTY] = DECODE_NAME("bid_qty"), [TICKER_ASK] = DECODE_NAME("ask"),
    [TICKER_ASK_QTY] = DECODE_NAME("ask_qty"), [TICKER_LAST] = DECODE_NAME("last"),
    [TICKER_HIGH] = DECODE_NAME("high"),       [TICKER_LOW] = DECODE_NAME("low"),
    [TICKER_TIME] = DECODE_NAME("timestamp"),
};

/* A price of 0 is how the ticker says that there is none: no order on this side of the book, no
 * trade in 24 hours. It becomes absent, as the top of an empty local book is: a reader that took
 * the zero for a price would be wrong, and one that was told nothing would keep the price that was.
 */
static int take_price(struct decode *d, const struct decode_fields *f, unsigned i,
                      struct px_decimal *out)
{
    int rc = field_decimal(&d->refusal, decode_field(f, i), ticker_names[i].at, out);
    if (rc == 0 && out->mantissa == 0)
        *out = absent;
    return rc;
}

static int take_best(struct decode *d, const struct decode_fields *f, struct px_quote *q)
{
    struct refusal *r = &d->refusal;
    int rc = take_price(d, f, TICKER_BID, &q->bid);
    if (rc == 0)
        rc = field_decimal(r, decode_field(f, TICKER_BID_QTY), "bid_qty", &q->bid_size);
    if (rc == 0)
        rc = take_price(d, f, TICKER_ASK, &q->ask);
    if (rc == 0)
        rc = field_decimal(r, decode_field(f, TICKER_ASK_QTY), "ask_qty", &q->ask_size);
    if (q->bid.exponent == PX_ABSENT)
        q->bid_size = absent;
    if (q->ask.exponent == PX_ABSENT)
        q->ask_size = absent;
    return rc;
}

/* The price of 24 hours ago is not among the fields ("change" is relative to it, but a difference
 * is not what the venue wrote). */
static int take_ticker(struct decode *d, void *user)
{
    const struct kraken_message *m = user;
    struct venue_event event = {.type = VENUE_TICKER}, quote = {.type = VENUE_QUOTE};
    struct px_ticker *t = &event.u.ticker;
    struct decode_fields f;
    int rc = kraken_element(d, ticker_names, TICKER_NAMES, &f);
    if (rc != 0 ||
        (rc = decode_symbol(d, decode_field(&f, TICKER_SYMBOL), "symbol", &event)) != 0 ||
        (rc = take_price(d, &f, TICKER_LAST, &t->last)) != 0 ||
        (rc = take_price(d, &f, TICKER_HIGH, &t->high)) != 0 ||
        (rc = take_price(d, &f, TICKER_LOW, &t->low)) != 0 ||
        (rc = take_best(d, &f, &quote.u.quote)) != 0 ||
        (rc = kraken_time(d, decode_field(&f, TICKER_TIME), &event.exch_ns)) != 0)
        return rc;
    t->open = absent;
    event.flags = m->snapshot ? PX_FLAG_REPLAY : 0;
    decode_give(d, &event);
    quote.derived = true;
    quote.flags = event.flags;
    quote.symbol = event.symbol;
    quote.symbol_len = event.symbol_len;
    quote.exch_ns = event.exch_ns;
    decode_give(d, &quote);
    return 0;
}

/* What can be subscribed to, and how it is asked for. Trades without the last fifty: they are old.
 */
static const struct channel {
    const char *name, *params;
    uint32_t kind;
    int (*take)(struct decode *d, void *user);
} channels[] = {
    {"trade", "\"snapshot\":false", PX_TRADES, take_trade},
    {"book", "\"depth\":" TEXT(KRAKEN_DEPTH) ",\"snapshot\":true", PX_QUOTES, kraken_take_book},
    {"ticker", "\"event_trigger\":\"bbo\",\"snapshot\":true", PX_TICKERS, take_ticker},
};

static const struct channel *channel_of(const struct json_item *name)
{
    for (size_t i = 0; i < sizeof channels / sizeof channels[0]; i++)
        if (decode_says(name, channels[i].name))
            return &channels[i];
    return NULL;
}

static int take_data(struct decode *d, const struct channel *channel, const struct decode_fields *f)
{
    const struct json_item *data = decode_field(f, DATA), *type = decode_field(f, TYPE);
    struct kraken_message m;
    int rc = 0;
    m.snapshot = decode_says(type, "snapshot");
    m.elements = 0;
    d->refusal.what = channel->name;
    if (!m.snapshot && !decode_says(type, "update"))
        rc = refuse(&d->refusal, type == NULL ? REFUSED_MISSING : REFUSED_TYPE,
                    "type is neither snapshot nor update");
    else if (data == NULL || data->type != JSON_ARRAY)
        rc = refuse(&d->refusal, data == NULL ? REFUSED_MISSING : REFUSED_TYPE, "data is no array");
    else if ((rc = decode_into(d, "data", NULL)) == 0)
        return decode_each(d, channel->take, &m);
    return rc != 0 ? decode_give_refusal(d) : 0;
}

/* Our number of the request, 0 if there is none. */
static int64_t request_of(const struct json_item *item)
{
    struct refusal unsaid = {0};
    uint64_t n = 0;
    bool ok = item != NULL && field_id(&unsaid, item, "req_id", &n) == 0 && n <= INT64_MAX;
    return ok ? (int64_t)n : 0;
}

/* An acceptance names channel and symbol, inside "result". A refusal names the symbol alone if it
 * is the symbol that is wrong, and neither if it is the request. */
static int take_answer(struct decode *d, const struct decode_fields *f)
{
    struct venue_event event = {.off = decode_says(decode_field(f, METHOD), "unsubscribe")};
    const struct json_item *error = decode_field(f, ERROR), *symbol = decode_field(f, SYMBOL);
    const struct channel *channel = channel_of(decode_field(f, OF_CHANNEL));
    bool success = false;
    int rc = 0;
    if (decode_field(f, SUCCESS) == NULL && error == NULL)
        return 0;
    if (decode_field(f, SUCCESS) != NULL)
        rc = field_bool(&d->refusal, decode_field(f, SUCCESS), "success", &success);
    if (decode_field(f, OF_SYMBOL) != NULL)
        symbol = decode_field(f, OF_SYMBOL);
    if (rc == 0 && symbol != NULL)
        rc = decode_symbol(d, symbol, "symbol", &event);
    if (rc != 0)
        return decode_give_refusal(d);
    if (success && (channel == NULL || symbol == NULL))
        return 0;
    event.type = success ? VENUE_ACK : VENUE_REFUSED;
    event.kinds = channel != NULL ? (uint16_t)channel->kind : 0;
    event.request = symbol == NULL ? request_of(decode_field(f, REQUEST)) : 0;
    if (!success) {
        bool said = error != NULL && error->type == JSON_STRING;
        event.text = said ? error->text.at : "refused without a word";
        event.text_len = (uint32_t)(said ? error->text.len : strlen(event.text));
    }
    decode_give(d, &event);
    return 0;
}

/* "pong" answers our ping, in whatever words. An error without a method is about a message that the
 * venue could not read; it can only have been a request of ours. */
static int take_method(struct decode *d, const struct decode_fields *f)
{
    const struct json_item *method = decode_field(f, METHOD);
    if (decode_says(method, "pong"))
        decode_give_type(d, VENUE_HEARTBEAT);
    else if (method == NULL || decode_says(method, "subscribe") ||
             decode_says(method, "unsubscribe"))
        return take_answer(d, f);
    return 0;
}

/* Channel "status" greets and says when the venue is in maintenance or takes no orders. Nothing is
 * to be done about it: the connection stays, and a market that stands still is seen by its own
 * rhythm. */
static int kraken_on_text(struct json *json, const char *frame, size_t len,
                          const struct venue_sink *sink)
{
    struct decode d = decode_start(json, sink, "kraken");
    struct decode_fields f;
    int rc = decode_root(&d, frame, len, names, NAMES, &f);
    if (rc != 0)
        return decode_end(&d, rc < 0 ? rc : 0);
    const struct json_item *name = decode_field(&f, CHANNEL);
    const struct channel *channel = channel_of(name);
    if (name == NULL || decode_field(&f, METHOD) != NULL)
        rc = take_method(&d, &f);
    else if (channel != NULL)
        rc = take_data(&d, channel, &f);
    else if (decode_says(name, "heartbeat"))
        decode_give_type(&d, VENUE_HEARTBEAT);
    return decode_end(&d, rc);
}

static bool plain(char c)
{
    return (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '.' ||
           c == '-' || c == '_';
}

/* BASE/QUOTE: "BTC/USD", and lower case where a token stands for a share ("METAx/USD"). */
static int check_symbol(const char *native, size_t len)
{
    const char *slash = memchr(native, '/', len);
    if (slash == NULL || slash == native || slash == native + len - 1 || len > PX_SYMBOL_MAX)
        return -EINVAL;
    for (const char *c = native; c < native + len; c++)
        if (c != slash && !plain(*c))
            return -EINVAL;
    return 0;
}

/* No stream is one of all symbols. */
static uint32_t streams(const struct venue_wish *wish)
{
    if (strcmp(wish->native, "*") == 0)
        return 0;
    return (uint32_t)__builtin_popcount(wish->kinds & PX_ALL_KINDS);
}

/* The channel that a wish, which is for one kind, is for; NULL if it is no stream here. */
static const struct channel *channel_wished(const struct venue_wish *wish)
{
    if (strcmp(wish->native, "*") == 0)
        return NULL;
    for (size_t i = 0; i < sizeof channels / sizeof channels[0]; i++)
        if ((wish->kinds & channels[i].kind) != 0)
            return &channels[i];
    return NULL;
}

/* The venue answers each symbol of a message by itself and publishes no limit; so many symbols are
 * a few kilobytes, and their answers arrive within a second. */
#define SYMBOLS_MAX 100
#define REQUEST_MAX 8000

static int subscribe(const struct venue_request *request, char *out, size_t cap, size_t *taken)
{
    const struct channel *channel = NULL;
    size_t limit = cap < REQUEST_MAX ? cap : REQUEST_MAX, symbols = 0, done = 0, at;
    char tail[32];
    size_t tail_len =
        (size_t)snprintf(tail, sizeof tail, "]},\"req_id\":%" PRId64 "}", request->number);
    for (size_t i = 0; i < request->count && channel == NULL; i++)
        channel = channel_wished(&request->wishes[i]);
    int len =
        snprintf(out, cap, "{\"method\":\"%s\",\"params\":{\"channel\":\"%s\",%s,\"symbol\":[",
                 request->on ? "subscribe" : "unsubscribe", channel != NULL ? channel->name : "",
                 channel != NULL ? channel->params : "");
    if (len < 0 || (size_t)len + tail_len >= limit)
        return -ENOSPC;
    for (at = (size_t)len; done < request->count && symbols < SYMBOLS_MAX; done++) {
        const struct channel *wished = channel_wished(&request->wishes[done]);
        size_t room = limit - tail_len - at;
        if (wished == NULL)
            continue;
        if (wished != channel)
            break;
        len = snprintf(out + at, room, "%s\"%s\"", symbols == 0 ? "" : ",",
                       request->wishes[done].native);
        if (len < 0 || (size_t)len >= room)
            break;
        at += (size_t)len;
        symbols++;
    }
    if (done == 0 && request->count > 0)
        return -ENOSPC;
    *taken = done;
    if (symbols == 0)
        return 0;
    memcpy(out + at, tail, tail_len + 1);
    return (int)(at + tail_len);
}

const struct px_venue px_venue_kraken = {
    .name = "kraken",
    .title = "Kraken spot",
    .url = "wss://ws.kraken.com",
    .kinds = PX_ALL_KINDS,
    /* None is published. All that the venue lists are some 4,000 streams: a handful of connections
     * are far from the limit of attempts, and one that is lost takes an eighth with it. */
    .streams_per_conn = 500,
    .params_per_request = SYMBOLS_MAX,
    .attempts_per_window = 150,
    .attempt_window_s = 600,
    .silence_ms = 10000, /* a heartbeat comes every second in which nothing else does */
    .answers = VENUE_ANSWERS_STREAM,
    .one_kind = true,
    .check_symbol = check_symbol,
    .streams = streams,
    .paths = {"/v2"},
    .subscribe = subscribe,
    .on_text = kraken_on_text,
    .book_checksum = kraken_checksum,
    /* The venue does not ask for it, but closes what stands idle for a minute. */
    .keepalive = "{\"method\":\"ping\"}",
    .keepalive_ms = 30000,
    .history = &kraken_history,
};
