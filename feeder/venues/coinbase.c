/* Coinbase Exchange. After docs.cdp.coinbase.com/exchange/websocket-feed.
 *
 * A message is one object, told by its field "type". A snapshot of a big product has megabytes; the
 * book carries no number and no checksum, so a change that is refused leaves it wrong until the
 * next snapshot. Trades may be left out by the venue when it is busy: their ids and the last id in
 * each heartbeat tell.
 *
 * level2_batch and level2 have the same messages; the latter needs a login. */
#include "venue.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "coinbase_history.h"
#include "coinbase_shared.h"
#include "levels.h"

enum name {
    NAME_TYPE,
    NAME_PRODUCT,
    NAME_TIME,
    NAME_TRADE_ID,
    NAME_PRICE,
    NAME_SIZE,
    NAME_SIDE,
    NAME_OPEN,
    NAME_HIGH,
    NAME_LOW,
    NAME_BID,
    NAME_BID_SIZE,
    NAME_ASK,
    NAME_ASK_SIZE,
    NAME_LAST_TRADE_ID,
    NAME_BIDS,
    NAME_ASKS,
    NAME_CHANGES,
    NAME_MESSAGE,
    NAME_REASON,
    NAME_COUNT
};
_Static_assert(NAME_COUNT <= DECODE_FIELDS_MAX, "a set of names is a 32-bit word");

static const struct decode_name names[NAME_COUNT] = {
    [NAME_TYPE] = DECODE_NAME("type"),
    [NAME_PRODUCT] = DECODE_NAME("product_id"),
    [NAME_TIME] = DECODE_NAME("time"),
    [NAME_TRADE_ID] = DECODE_NAME("trade_id"),
    [NAME_PRICE] = DECODE_NAME("price"),
    [NAME_SIZE] = DECODE_NAME("size"),
    [NAME_SIDE] = DECODE_NAME("side"),
    [NAME_OPEN] = DECODE_NAME("open_24h"),
    [NAME_HIGH] = DECODE_NAME("high_24h"),
    [NAME_LOW] = DECODE_NAME("low_24h"),
    [NAME_BID] = DECODE_NAME("best_bid"),
    [NAME_BID_SIZE] = DECODE_NAME("best_bid_size"),
    [NAME_ASK] = DECODE_NAME("best_ask"),
    [NAME_ASK_SIZE] = DECODE_NAME("best_ask_size"),
    [NAME_LAST_TRADE_ID] = DECODE_NAME("last_trade_id"),
    [NAME_BIDS] = DECODE_NAME("bids"),
    [NAME_ASKS] = DECODE_NAME("asks"),
    [NAME_CHANGES] = DECODE_NAME("changes"),
    [NAME_MESSAGE] = DECODE_NAME("message"),
    [NAME_REASON] = DECODE_NAME("reason"),
};

/* The time, where the message has one. */
static int take_time(struct decode *d, const struct decode_fields *f, struct venue_event *event)
{
    const struct json_item *time = decode_field(f, NAME_TIME);
    return time == NULL ? 0 : field_rfc3339(&d->refusal, time, "time", &event->exch_ns);
}

static int take_match(struct decode *d, const struct decode_fields *f)
{
    struct refusal *r = &d->refusal;
    struct venue_event event = {.type = VENUE_TRADE};
    struct px_trade *t = &event.u.trade;
    struct json_text id;
    int rc = decode_symbol(d, decode_field(f, NAME_PRODUCT), "product_id", &event);
    if (rc != 0 ||
        (rc = field_trade_id(r, decode_field(f, NAME_TRADE_ID), "trade_id", &t->trade_id,
                             &event.flags, &id)) != 0 ||
        (rc = field_decimal(r, decode_field(f, NAME_PRICE), "price", &t->price)) != 0 ||
        (rc = field_decimal(r, decode_field(f, NAME_SIZE), "size", &t->size)) != 0 ||
        (rc = field_rfc3339(r, decode_field(f, NAME_TIME), "time", &event.exch_ns)) != 0 ||
        (rc = coinbase_side(r, decode_field(f, NAME_SIDE), &event.flags)) != 0)
        return rc;
    bool hashed = (event.flags & PX_FLAG_HASHED) != 0;
    event.venue_id = hashed ? 0 : t->trade_id;
    event.consecutive = !hashed; /* each product counts its own trades */
    event.trade_id = id.at;
    event.trade_id_len = (uint32_t)id.len;
    /* What was traded last before the subscription. */
    if (decode_says(decode_field(f, NAME_TYPE), "last_match"))
        event.flags |= PX_FLAG_REPLAY;
    decode_give(d, &event);
    return 0;
}

/* Sent on trades only: between them the best bid and ask may be others, hence `derived`. Its side
 * is the taker's, and not needed. */
static int take_ticker(struct decode *d, const struct decode_fields *f)
{
    struct venue_event event = {0};
    const struct json_item *const item[COINBASE_TICKER_FIELDS] = {
        [COINBASE_LAST] = decode_field(f, NAME_PRICE),
        [COINBASE_OPEN] = decode_field(f, NAME_OPEN),
        [COINBASE_HIGH] = decode_field(f, NAME_HIGH),
        [COINBASE_LOW] = decode_field(f, NAME_LOW),
        [COINBASE_BID] = decode_field(f, NAME_BID),
        [COINBASE_BID_SIZE] = decode_field(f, NAME_BID_SIZE),
        [COINBASE_ASK] = decode_field(f, NAME_ASK),
        [COINBASE_ASK_SIZE] = decode_field(f, NAME_ASK_SIZE),
    };
    int rc = decode_symbol(d, decode_field(f, NAME_PRODUCT), "product_id", &event);
    if (rc == 0)
        rc = take_time(d, f, &event);
    return rc != 0 ? rc : coinbase_give_ticker(d, &event, item);
}

/* The symbol and time of a book message. The symbol is kept: the frame is walked again, which may
 * cost a text with escapes its place. */
static int start_book(struct decode *d, const struct decode_fields *f, struct venue_event *event,
                      struct decode_kept *symbol)
{
    int rc = decode_symbol(d, decode_field(f, NAME_PRODUCT), "product_id", event);
    if (rc == 0)
        rc = take_time(d, f, event);
    if (rc != 0)
        return rc;
    decode_keep((struct json_text){event->symbol, event->symbol_len}, symbol);
    event->symbol = symbol->at;
    d->refusal.who = (struct json_text){symbol->at, symbol->len};
    return 0;
}

static int take_array(struct decode *d, const struct json_item *item, const char *name)
{
    if (item == NULL)
        return refuse(&d->refusal, REFUSED_MISSING, "%s is missing", name);
    if (item->type != JSON_ARRAY)
        return refuse(&d->refusal, REFUSED_TYPE, "%s is no array", name);
    return 0;
}

/* Both sides, in whichever order they stand. */
static int walk_sides(struct decode *d, struct levels *l)
{
    struct json_item item;
    int rc = json_rewind(d->json, &item);
    if (rc == 0)
        rc = json_enter(d->json);
    while (rc == 0 && (rc = json_next(d->json, &item)) == 1) {
        bool ask = DECODE_IS(item.key, "asks");
        rc = ask || DECODE_IS(item.key, "bids") ? levels_add_pairs(l, ask) : 0;
    }
    return rc;
}

static int take_snapshot(struct decode *d, const struct decode_fields *f)
{
    struct venue_event event = {.type = VENUE_BOOK, .u.book.snapshot = true};
    struct decode_kept symbol;
    struct levels l;
    int rc = start_book(d, f, &event, &symbol);
    if (rc != 0 || (rc = take_array(d, decode_field(f, NAME_BIDS), "bids")) != 0 ||
        (rc = take_array(d, decode_field(f, NAME_ASKS), "asks")) != 0)
        return rc;
    levels_start(&l, d, &event);
    do {
        rc = walk_sides(d, &l);
    } while (rc == 0 && levels_again(&l));
    return rc;
}

/* ["buy","29940.91","0.5"]: buy is the bid side. */
static int take_change(struct decode *d, struct levels *l, const struct json_item *change)
{
    struct json_item item[3], more;
    int rc, n = 0;
    if (change->type != JSON_ARRAY)
        return refuse(&d->refusal, REFUSED_TYPE, "a change is no array");
    if ((rc = json_enter(d->json)) != 0)
        return rc;
    while ((rc = json_next(d->json, n < 3 ? &item[n] : &more)) == 1)
        n++;
    if (rc != 0)
        return rc;
    bool buy = n > 0 && decode_says(&item[0], "buy");
    if (!buy && !(n > 0 && decode_says(&item[0], "sell")))
        return refuse(&d->refusal, REFUSED_TYPE, "the side of a change is neither buy nor sell");
    return levels_add(l, !buy, n > 1 ? &item[1] : NULL, n > 2 ? &item[2] : NULL);
}

static int walk_changes(struct decode *d, struct levels *l)
{
    struct json_item change;
    int rc = decode_into(d, "changes", NULL);
    while (rc == 0 && (rc = json_next(d->json, &change)) == 1)
        rc = take_change(d, l, &change);
    return rc;
}

static int take_l2update(struct decode *d, const struct decode_fields *f)
{
    struct venue_event event = {.type = VENUE_BOOK};
    struct decode_kept symbol;
    struct levels l;
    int rc = start_book(d, f, &event, &symbol);
    if (rc != 0 || (rc = take_array(d, decode_field(f, NAME_CHANGES), "changes")) != 0)
        return rc;
    levels_start(&l, d, &event);
    do {
        rc = walk_changes(d, &l);
    } while (rc == 0 && levels_again(&l));
    return rc;
}

static int take_heartbeat(struct decode *d, const struct decode_fields *f)
{
    struct venue_event event = {.type = VENUE_HEARTBEAT};
    int rc = decode_symbol(d, decode_field(f, NAME_PRODUCT), "product_id", &event);
    if (rc == 0)
        rc = field_id_text(&d->refusal, decode_field(f, NAME_LAST_TRADE_ID), "last_trade_id",
                           &event.venue_id);
    if (rc == 0)
        decode_give(d, &event);
    return rc;
}

/* One for each message of ours, without its number; it lists all that is subscribed by now. */
static int take_subscriptions(struct decode *d, const struct decode_fields *f)
{
    (void)f;
    decode_give_type(d, VENUE_ACK);
    return 0;
}

#define WORDS_MAX 256

/* "Failed to subscribe", and why: the message of ours was refused as a whole. */
static int take_error(struct decode *d, const struct decode_fields *f)
{
    const struct json_item *message = decode_field(f, NAME_MESSAGE);
    const struct json_item *reason = decode_field(f, NAME_REASON);
    char words[WORDS_MAX], first[FIELD_SHOW_MAX];
    struct json_text text = {"refused without a word", 22};
    bool has_message = message != NULL && message->type == JSON_STRING;
    if (has_message)
        text = message->text;
    if (reason != NULL && reason->type == JSON_STRING) {
        size_t len = reason->text.len < WORDS_MAX / 2 ? reason->text.len : WORDS_MAX / 2;
        int n =
            snprintf(words, sizeof words, "%s: %.*s",
                     has_message ? field_show(text, first) : "refused", (int)len, reason->text.at);
        text = (struct json_text){words, (size_t)n};
    }
    decode_give(d, &(struct venue_event){
                       .type = VENUE_REFUSED, .text = text.at, .text_len = (uint32_t)text.len});
    return 0;
}

static const struct {
    const char *type;
    int (*take)(struct decode *d, const struct decode_fields *f);
} types[] = {
    {"l2update", take_l2update},           {"match", take_match},       {"ticker", take_ticker},
    {"heartbeat", take_heartbeat},         {"snapshot", take_snapshot}, {"last_match", take_match},
    {"subscriptions", take_subscriptions}, {"error", take_error},
};

static int on_text(struct json *json, const char *frame, size_t len, const struct venue_sink *sink)
{
    struct decode d = decode_start(json, sink, "coinbase");
    struct decode_fields f;
    int rc = decode_root(&d, frame, len, names, NAME_COUNT, &f);
    const struct json_item *type = rc == 0 ? decode_field(&f, NAME_TYPE) : NULL;
    for (size_t i = 0; type != NULL && i < sizeof types / sizeof types[0]; i++) {
        if (!decode_says(type, types[i].type))
            continue;
        d.refusal.what = types[i].type;
        rc = types[i].take(&d, &f);
        if (rc != 0)
            rc = d.refusal.error != NULL ? decode_give_refusal(&d) : decode_refuse_json(&d);
        break;
    }
    return decode_end(&d, rc);
}

/* Channels of a wish. A heartbeat comes with trades: its last id is what shows that one was left
 * out while nothing was traded since. */
static const struct channel {
    uint32_t kind;
    const char *name;
} channels[] = {
    {PX_TRADES, "matches"},
    {PX_TRADES, "heartbeat"},
    {PX_QUOTES, "level2_batch"},
    {PX_TICKERS, "ticker"},
};
#define CHANNELS (sizeof channels / sizeof channels[0])

static uint32_t streams(const struct venue_wish *wish)
{
    uint32_t n = 0;
    for (size_t i = 0; i < CHANNELS; i++)
        n += venue_asks(wish, channels[i].kind);
    return n;
}

/* Products are named for each channel by itself: those beside "channels" would be asked for in all.
 */
static int subscribe(const struct venue_request *request, char *out, size_t cap, size_t *taken)
{
    static const char head[] = "{\"type\":\"unsubscribe\",\"channels\":[]}";
    static const char each[] = ",{\"name\":\"level2_batch\",\"product_ids\":[]}";
    size_t done =
        coinbase_fitting(request, cap, sizeof head + CHANNELS * (sizeof each - 1), streams);
    *taken = done;
    if (done == 0)
        return request->count > 0 ? -ENOSPC : 0;
    size_t at = (size_t)sprintf(
        out, "{\"type\":\"%s\",\"channels\":", request->on ? "subscribe" : "unsubscribe");
    size_t start = at;
    for (size_t i = 0; i < CHANNELS; i++) {
        size_t name = (size_t)snprintf(out + at, cap - at, "%c{\"name\":\"%s\",",
                                       at == start ? '[' : ',', channels[i].name);
        size_t products = coinbase_put_products(out + at + name, cap - at - name, request, done,
                                                channels[i].kind);
        if (products == 0)
            continue;
        at += name + products;
        out[at++] = '}';
    }
    if (at == start)
        return 0;
    memcpy(out + at, "]}", sizeof "]}");
    return (int)(at + 2);
}

const struct px_venue px_venue_coinbase = {
    .name = "coinbase",
    .title = "Coinbase Exchange",
    .url = "wss://ws-feed.exchange.coinbase.com",
    .kinds = PX_ALL_KINDS,
    /* None is published. So many that a hundred products with everything fit: the snapshots of more
     * would keep one connection busy for seconds, and the venue cuts those that read too slowly. */
    .streams_per_conn = COINBASE_PRODUCTS_MAX * CHANNELS,
    .messages_per_s = 8,
    .attempts_per_window = 8,
    .attempt_window_s = 1,
    /* With trades there is a heartbeat each second; without, a quiet market may well be silent. */
    .silence_ms = 60000,
    .check_symbol = coinbase_check_symbol,
    .streams = streams,
    .paths = {"/"},
    .subscribe = subscribe,
    .on_text = on_text,
    .history = &coinbase_history,
};
