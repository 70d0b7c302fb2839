/* Bitstamp, public channels. After bitstamp.net/websocket/v2.
 *
 * A frame is {"event":E,"channel":C,"data":X}, data and answers alike, and only the channel says
 * whose it is: "live_trades_btcusd". There is no channel of best prices: quotes are the first
 * levels of "order_book_", which is the best 100 of both sides as they stand, anew at each change.
 * "diff_order_book_" cannot be used: its changes fit a book that another service gives. */
#include "venue.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "decode.h"
#include "levels.h"

enum root_field {
    ROOT_EVENT,
    ROOT_CHANNEL,
    ROOT_DATA,
    ROOT_MESSAGE,
    ROOT_CODE,
    ROOT_ID,
    ROOT_PRICE_TEXT,
    ROOT_PRICE,
    ROOT_SIZE_TEXT,
    ROOT_SIZE,
    ROOT_TYPE,
    ROOT_TIME,
    ROOT_BIDS,
    ROOT_ASKS,
    ROOT_COUNT
};
static const struct decode_name names[ROOT_COUNT] = {
    DECODE_NAME("event"),          DECODE_NAME("channel"),    DECODE_NAME("data"),
    DECODE_NAME("data.message"),   DECODE_NAME("data.code"),  DECODE_NAME("data.id"),
    DECODE_NAME("data.price_str"), DECODE_NAME("data.price"), DECODE_NAME("data.amount_str"),
    DECODE_NAME("data.amount"),    DECODE_NAME("data.type"),  DECODE_NAME("data.microtimestamp"),
    DECODE_NAME("data.bids"),      DECODE_NAME("data.asks"),
};

struct channel {
    const char *prefix; /* the symbol stands behind it */
    const char *event;  /* of its data */
    const char *what;   /* in refusals */
    uint32_t kind;
    int (*take)(struct decode *d, const struct decode_fields *f, struct venue_event *event);
};

/* The number twins of price and amount lose digits: "amount":0.0792 is "amount_str":"0.07920000".
 */
static int take_exact(struct decode *d, const struct decode_fields *f, enum root_field text,
                      struct px_decimal *out)
{
    const struct json_item *item = decode_field(f, text);
    const char *name = text == ROOT_PRICE_TEXT ? "price" : "amount";
    if (item == NULL)
        item = decode_field(f, text == ROOT_PRICE_TEXT ? ROOT_PRICE : ROOT_SIZE);
    return field_decimal(&d->refusal, item, name, out);
}

/* The taker's side: 0 buys, 1 sells. */
static int take_side(struct decode *d, const struct json_item *item, uint16_t *flags)
{
    uint64_t type = 0;
    char show[FIELD_SHOW_MAX];
    int rc = field_id(&d->refusal, item, "type", &type);
    if (rc == 0 && type > 1)
        rc = refuse(&d->refusal, REFUSED_RANGE, "type %s is neither 0 (buy) nor 1 (sell)",
                    field_show(item->text, show));
    if (rc == 0)
        *flags |= type == 0 ? PX_SIDE_BUY : PX_SIDE_SELL;
    return rc;
}

/* Ids rise, but are those of all markets together: not consecutive within one. `timestamp` is in
 * seconds or ms, as the market has it; microtimestamp is always in us. */
static int take_trade(struct decode *d, const struct decode_fields *f, struct venue_event *event)
{
    struct refusal *r = &d->refusal;
    struct px_trade *t = &event->u.trade;
    struct json_text id;
    int rc = field_trade_id(r, decode_field(f, ROOT_ID), "id", &t->trade_id, &event->flags, &id);
    if (rc != 0 || (rc = take_exact(d, f, ROOT_PRICE_TEXT, &t->price)) != 0 ||
        (rc = take_exact(d, f, ROOT_SIZE_TEXT, &t->size)) != 0 ||
        (rc = take_side(d, decode_field(f, ROOT_TYPE), &event->flags)) != 0 ||
        (rc = field_time_text(r, decode_field(f, ROOT_TIME), "microtimestamp", &event->exch_ns)) !=
            0)
        return rc;
    event->type = VENUE_TRADE;
    event->venue_id = (event->flags & PX_FLAG_HASHED) != 0 ? 0 : t->trade_id;
    event->trade_id = id.at;
    event->trade_id_len = (uint32_t)id.len;
    decode_give(d, event);
    return 0;
}

static int read_sides(struct decode *d, struct px_quote *quote)
{
    struct json_item item;
    int rc = decode_into(d, "data", NULL);
    while (rc == 0 && (rc = json_next(d->json, &item)) == 1) {
        bool ask = DECODE_IS(item.key, "asks");
        rc = 0;
        if (!ask && !DECODE_IS(item.key, "bids"))
            continue;
        if (item.type != JSON_ARRAY)
            return refuse(&d->refusal, REFUSED_TYPE, "%s is no array", ask ? "asks" : "bids");
        rc = levels_first(d, ask, quote);
    }
    return rc;
}

/* The venue numbers no book; its time in us rises with each and is the same on all connections, so
 * it is the number. A book may be crossed for one message: it is given as it is stated. Whoever
 * reads sees that its bid is not below its ask; held back, the quote before it would pass for the
 * present one. */
static int take_book(struct decode *d, const struct decode_fields *f, struct venue_event *event)
{
    struct refusal *r = &d->refusal;
    const struct json_item *time = decode_field(f, ROOT_TIME);
    int rc = field_time_text(r, time, "microtimestamp", &event->exch_ns);
    if (rc != 0 || (rc = field_id_text(r, time, "microtimestamp", &event->venue_id)) != 0)
        return rc;
    if (decode_field(f, ROOT_BIDS) == NULL || decode_field(f, ROOT_ASKS) == NULL)
        return refuse(r, REFUSED_MISSING, "bids or asks are missing");
    event->type = VENUE_QUOTE;
    event->u.quote = levels_none();
    if ((rc = read_sides(d, &event->u.quote)) != 0)
        return rc;
    decode_give(d, event);
    return 0;
}

static const struct channel channels[] = {
    {"live_trades_", "trade", "trade", PX_TRADES, take_trade},
    {"order_book_", "data", "quote", PX_QUOTES, take_book},
};
#define CHANNELS (sizeof channels / sizeof channels[0])

/* The channel of this name, and the symbol behind its prefix. NULL: none of ours. */
static const struct channel *channel_of(const struct json_item *item, struct json_text *symbol)
{
    for (size_t i = 0; i < CHANNELS && item != NULL && item->type == JSON_STRING; i++) {
        size_t len = strlen(channels[i].prefix);
        if (item->text.len > len && memcmp(item->text.at, channels[i].prefix, len) == 0) {
            *symbol = (struct json_text){item->text.at + len, item->text.len - len};
            return &channels[i];
        }
    }
    return NULL;
}

/* Events name the symbol out of `kept`: its walk may use the parser anew. */
static int take_data(struct decode *d, const struct decode_fields *f, struct decode_kept *kept)
{
    struct venue_event event = {0};
    struct json_text symbol;
    const struct channel *channel = channel_of(decode_field(f, ROOT_CHANNEL), &symbol);
    if (channel == NULL || !decode_says(decode_field(f, ROOT_EVENT), channel->event))
        return 0;
    d->refusal.what = channel->what;
    int rc = decode_symbol_text(d, symbol, "channel", &event);
    if (rc != 0)
        return decode_give_refusal(d);
    decode_keep(symbol, kept);
    event.symbol = kept->at;
    d->refusal.who = (struct json_text){kept->at, kept->len};
    if ((rc = channel->take(d, f, &event)) != 0)
        return d->refusal.error != NULL ? decode_give_refusal(d) : decode_refuse_json(d);
    return 0;
}

static int take_ack(struct decode *d, const struct decode_fields *f, bool off)
{
    struct venue_event event = {.type = VENUE_ACK, .off = off};
    struct json_text symbol;
    const struct channel *channel = channel_of(decode_field(f, ROOT_CHANNEL), &symbol);
    if (channel == NULL)
        return 0;
    d->refusal.what = "answer";
    if (decode_symbol_text(d, symbol, "channel", &event) != 0)
        return decode_give_refusal(d);
    event.kinds = (uint16_t)channel->kind;
    decode_give(d, &event);
    return 0;
}

/* "Invalid channel provided." does not say which: it is that of the oldest message without an
 * answer. */
static int take_error(struct decode *d, const struct decode_fields *f)
{
    struct venue_event event = {.type = VENUE_REFUSED};
    const struct json_item *message = decode_field(f, ROOT_MESSAGE);
    const struct json_item *code = decode_field(f, ROOT_CODE);
    struct json_text text = {"refused without a word", 22}, symbol;
    if (message != NULL && message->type == JSON_STRING && message->text.len > 0)
        text = message->text;
    else if (code != NULL && (code->type == JSON_STRING || code->type == JSON_NUMBER))
        text = code->text;
    const struct channel *channel = channel_of(decode_field(f, ROOT_CHANNEL), &symbol);
    if (channel != NULL && symbol.len <= d->native_max) {
        event.symbol = symbol.at;
        event.symbol_len = (uint16_t)symbol.len;
        event.kinds = (uint16_t)channel->kind;
    }
    event.text = text.at;
    event.text_len = (uint32_t)text.len;
    decode_give(d, &event);
    return 0;
}

static int take_frame(struct decode *d, const struct decode_fields *f, struct decode_kept *kept)
{
    const struct json_item *event = decode_field(f, ROOT_EVENT);
    if (decode_says(event, "bts:subscription_succeeded"))
        return take_ack(d, f, false);
    if (decode_says(event, "bts:unsubscription_succeeded"))
        return take_ack(d, f, true);
    if (decode_says(event, "bts:error"))
        return take_error(d, f);
    if (decode_says(event, "bts:request_reconnect"))
        decode_give_type(d, VENUE_PLANNED_END);
    else if (decode_says(event, "bts:heartbeat"))
        decode_give_type(d, VENUE_HEARTBEAT);
    else
        return take_data(d, f, kept);
    return 0;
}

static int bitstamp_on_text(struct json *json, const char *frame, size_t len,
                            const struct venue_sink *sink)
{
    struct decode d = decode_start(json, sink, "bitstamp");
    struct decode_fields f;
    struct decode_kept symbol;
    int rc = decode_root(&d, frame, len, names, ROOT_COUNT, &f);
    if (rc != 0)
        return decode_end(&d, rc < 0 ? rc : 0);
    return decode_end(&d, take_frame(&d, &f, &symbol));
}

/* "btcusd", "btcusd-perp". Upper case is refused by the venue; a lower-case name that it does not
 * know is accepted, and nothing comes. */
static int check_symbol(const char *native, size_t len)
{
    if (len == 0 || len > PX_SYMBOL_MAX || native[0] == '-' || native[len - 1] == '-')
        return -EINVAL;
    for (size_t i = 0; i < len; i++) {
        char c = native[i];
        if (!((c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '-'))
            return -EINVAL;
    }
    return 0;
}

static uint32_t streams(const struct venue_wish *wish)
{
    uint32_t n = 0;
    for (size_t i = 0; i < CHANNELS; i++)
        n += venue_asks(wish, channels[i].kind);
    return n;
}

/* One channel in a message, so one wish, of one kind (one_kind). A frame of 512 bytes or more ends
 * the connection: no symbol is so long. */
static int subscribe(const struct venue_request *request, char *out, size_t cap, size_t *taken)
{
    const struct venue_wish *wish = request->wishes;
    size_t i = 0;
    while (request->count > 0 && i < CHANNELS && !venue_asks(wish, channels[i].kind))
        i++;
    if (request->count == 0 || i == CHANNELS) {
        *taken = request->count > 0;
        return 0;
    }
    int len = snprintf(out, cap, "{\"event\":\"bts:%s\",\"data\":{\"channel\":\"%s%s\"}}",
                       request->on ? "subscribe" : "unsubscribe", channels[i].prefix, wish->native);
    if ((size_t)len >= cap)
        return -ENOSPC;
    *taken = 1;
    return len;
}

const struct px_venue px_venue_bitstamp = {
    .name = "bitstamp",
    .title = "Bitstamp",
    .url = "wss://ws.bitstamp.net:443",
    .kinds = PX_TRADES | PX_QUOTES,
    .streams_per_conn = 1024,
    .params_per_request = 1,
    .life_s = 90 * 24 * 3600,
    .silence_ms = 75000, /* two heartbeats and some time for the answer */
    .answers = VENUE_ANSWERS_STREAM,
    .one_kind = true,
    .check_symbol = check_symbol,
    .streams = streams,
    .paths = {"/"},
    .subscribe = subscribe,
    .on_text = bitstamp_on_text,
    .keepalive = "{\"event\":\"bts:heartbeat\"}",
    .keepalive_ms = 30000,
};
