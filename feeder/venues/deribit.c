/* Deribit: options, futures, perpetuals and spot, as JSON-RPC 2.0. After docs.deribit.com.
 *
 * A frame is {"method":"subscription","params":{"channel":C,"data":X}}, a heartbeat, or the answer
 * to one of our requests, told by its "id". X names its instrument itself: of the channel only the
 * kind is used. All numbers are JSON numbers (1054.0, 2.2e3), of which the characters count; null
 * is absent. An empty side of a ticker has been told as 0.0 too: that is published as it stands.
 *
 * Amounts are published as they are written: of inverse contracts in dollars, of others in the base
 * currency. */
#include "venue.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "decode.h"
#include "history.h"
#include "levels.h"

enum root_field {
    ROOT_METHOD,
    ROOT_PARAMS,
    ROOT_CHANNEL,
    ROOT_DATA,
    ROOT_TYPE,
    ROOT_ID,
    ROOT_RESULT,
    ROOT_ERROR,
    ROOT_CODE,
    ROOT_MESSAGE,
    ROOT_COUNT
};
static const struct decode_name root_names[ROOT_COUNT] = {
    DECODE_NAME("method"),       DECODE_NAME("params"),      DECODE_NAME("params.channel"),
    DECODE_NAME("params.data"),  DECODE_NAME("params.type"), DECODE_NAME("id"),
    DECODE_NAME("result"),       DECODE_NAME("error"),       DECODE_NAME("error.code"),
    DECODE_NAME("error.message")};

/* What "data", or its elements, have. */
enum data_field {
    DATA_SYMBOL,
    DATA_TIME,
    DATA_ID,
    DATA_NUMBER,
    DATA_PRICE,
    DATA_AMOUNT,
    DATA_SIDE,
    DATA_LAST,
    DATA_HIGH,
    DATA_LOW,
    DATA_BID,
    DATA_BID_SIZE,
    DATA_ASK,
    DATA_ASK_SIZE,
    DATA_TYPE,
    DATA_CHANGE,
    DATA_PREV,
    DATA_BIDS,
    DATA_ASKS,
    DATA_COUNT
};
static const struct decode_name data_names[DATA_COUNT] = {DECODE_NAME("instrument_name"),
                                                          DECODE_NAME("timestamp"),
                                                          DECODE_NAME("trade_id"),
                                                          DECODE_NAME("trade_seq"),
                                                          DECODE_NAME("price"),
                                                          DECODE_NAME("amount"),
                                                          DECODE_NAME("direction"),
                                                          DECODE_NAME("last_price"),
                                                          DECODE_NAME("stats.high"),
                                                          DECODE_NAME("stats.low"),
                                                          DECODE_NAME("best_bid_price"),
                                                          DECODE_NAME("best_bid_amount"),
                                                          DECODE_NAME("best_ask_price"),
                                                          DECODE_NAME("best_ask_amount"),
                                                          DECODE_NAME("type"),
                                                          DECODE_NAME("change_id"),
                                                          DECODE_NAME("prev_change_id"),
                                                          DECODE_NAME("bids"),
                                                          DECODE_NAME("asks")};

struct channel {
    const char *head;
    const char *tail; /* how often it speaks: without a login at most ten times a second */
    const char *what; /* in refusals */
    uint32_t kind;
    enum json_type data;
    int (*take)(struct decode *d, struct decode_kept *symbol);
};

/* ---- data ---- */

/* The fields of the object that was entered, and what all of them have. */
static int take_common(struct decode *d, struct decode_fields *f, struct venue_event *event)
{
    int rc = decode_fields(d, data_names, DATA_COUNT, f);
    if (rc != 0 ||
        (rc = decode_symbol(d, decode_field(f, DATA_SYMBOL), data_names[DATA_SYMBOL].at, event)) !=
            0 ||
        (rc = decode_once(d, data_names, f)) != 0)
        return rc;
    return field_time(&d->refusal, decode_field(f, DATA_TIME), "timestamp", &event->exch_ns);
}

static int take_decimal(struct decode *d, const struct decode_fields *f, enum data_field field,
                        struct px_decimal *out)
{
    return field_decimal(&d->refusal, decode_field(f, field), data_names[field].at, out);
}

/* null: nothing was traded yet, or nobody stands on that side. */
static int take_optional(struct decode *d, const struct decode_fields *f, enum data_field field,
                         struct px_decimal *out)
{
    const struct json_item *item = decode_field(f, field);
    if (item == NULL || item->type != JSON_NULL)
        return take_decimal(d, f, field, out);
    *out = (struct px_decimal){.exponent = PX_ABSENT};
    return 0;
}

/* trade_id ("ETH-207325731") counts the trades of a currency, trade_seq those of the instrument,
 * one by one: what is missing in it is missing here. direction is the taker's. */
static int take_trade(struct decode *d, void *user)
{
    struct refusal *r = &d->refusal;
    struct venue_event event = {.type = VENUE_TRADE, .consecutive = true};
    struct px_trade *t = &event.u.trade;
    struct decode_fields f;
    struct json_text id;
    (void)user;
    int rc = take_common(d, &f, &event);
    if (rc != 0 ||
        (rc = field_trade_id(r, decode_field(&f, DATA_ID), "trade_id", &t->trade_id, &event.flags,
                             &id)) != 0 ||
        (rc = field_id(r, decode_field(&f, DATA_NUMBER), "trade_seq", &event.venue_id)) != 0 ||
        (rc = take_decimal(d, &f, DATA_PRICE, &t->price)) != 0 ||
        (rc = take_decimal(d, &f, DATA_AMOUNT, &t->size)) != 0 ||
        (rc = field_side(r, decode_field(&f, DATA_SIDE), "direction", &event.flags)) != 0)
        return rc;
    event.trade_id = id.at;
    event.trade_id_len = (uint32_t)id.len;
    decode_give(d, &event);
    return 0;
}

static int take_trades(struct decode *d, struct decode_kept *symbol)
{
    (void)symbol;
    return decode_each(d, take_trade, NULL);
}

static int take_best(struct decode *d, const struct decode_fields *f, struct px_quote *q)
{
    int rc = take_optional(d, f, DATA_BID, &q->bid);
    if (rc == 0)
        rc = take_optional(d, f, DATA_BID_SIZE, &q->bid_size);
    if (rc == 0)
        rc = take_optional(d, f, DATA_ASK, &q->ask);
    if (rc == 0)
        rc = take_optional(d, f, DATA_ASK_SIZE, &q->ask_size);
    return rc;
}

static int take_quote(struct decode *d, struct decode_kept *symbol)
{
    struct venue_event event = {.type = VENUE_QUOTE};
    struct decode_fields f;
    (void)symbol;
    int rc = take_common(d, &f, &event);
    if (rc == 0 && (rc = take_best(d, &f, &event.u.quote)) == 0)
        decode_give(d, &event);
    return rc;
}

/* What the price was a day ago is told as a change in per cent, from which no exact price follows:
 * open is absent. */
static int take_ticker(struct decode *d, struct decode_kept *symbol)
{
    struct venue_event event = {.type = VENUE_TICKER, .u.ticker.open = {.exponent = PX_ABSENT}};
    struct px_ticker *t = &event.u.ticker;
    struct decode_fields f;
    (void)symbol;
    int rc = take_common(d, &f, &event);
    struct venue_event quote = event;
    quote.type = VENUE_QUOTE;
    quote.derived = true;
    if (rc != 0 || (rc = take_optional(d, &f, DATA_LAST, &t->last)) != 0 ||
        (rc = take_optional(d, &f, DATA_HIGH, &t->high)) != 0 ||
        (rc = take_optional(d, &f, DATA_LOW, &t->low)) != 0 ||
        (rc = take_best(d, &f, &quote.u.quote)) != 0)
        return rc;
    decode_give(d, &event);
    decode_give(d, &quote);
    return 0;
}

/* ["new", price, amount], or "change", or "delete" with the amount 0. */
static int add_level(struct levels *l, bool ask)
{
    struct refusal *r = &l->d->refusal;
    struct json_item part[3], more;
    struct px_decimal amount;
    unsigned n = 0;
    int rc;
    while ((rc = json_next(l->d->json, n < 3 ? &part[n] : &more)) == 1)
        n += n < 3;
    if (rc != 0)
        return rc;
    const struct json_item *word = n > 0 ? &part[0] : NULL, *price = n > 1 ? &part[1] : NULL,
                           *size = n > 2 ? &part[2] : NULL;
    bool gone = decode_says(word, "delete");
    if (!gone && !decode_says(word, "new") && !decode_says(word, "change"))
        return refuse(r, REFUSED_TYPE, "a level of the %s side is neither new, change nor delete",
                      ask ? "ask" : "bid");
    if (gone && (rc = field_decimal(r, size, "amount", &amount)) == 0 && amount.mantissa != 0)
        rc = refuse(r, REFUSED_RANGE, "a deleted level of the %s side has an amount",
                    ask ? "ask" : "bid");
    return rc != 0 ? rc : levels_add(l, ask, price, size);
}

static int add_side(struct levels *l, bool ask)
{
    struct json *json = l->d->json;
    struct json_item level;
    int rc = json_enter(json);
    while (rc == 0 && (rc = json_next(json, &level)) == 1) {
        if (level.type != JSON_ARRAY)
            return refuse(&l->d->refusal, REFUSED_TYPE, "a level of the %s side is no array",
                          ask ? "ask" : "bid");
        if ((rc = json_enter(json)) == 0)
            rc = add_level(l, ask);
    }
    return rc;
}

/* A walk over both sides, in the order of the frame. */
static int add_sides(struct levels *l)
{
    struct json_item item;
    int rc = decode_into(l->d, "params", "data");
    while (rc == 0 && (rc = json_next(l->d->json, &item)) == 1) {
        bool ask = DECODE_IS(item.key, "asks");
        rc = ask || DECODE_IS(item.key, "bids") ? add_side(l, ask) : 0;
    }
    return rc;
}

/* A change follows the message whose change_id it names. */
static int take_numbers(struct decode *d, const struct decode_fields *f, struct venue_book *book)
{
    struct refusal *r = &d->refusal;
    for (unsigned side = DATA_BIDS; side <= DATA_ASKS; side++) {
        const struct json_item *item = decode_field(f, side);
        if (item == NULL || item->type != JSON_ARRAY)
            return refuse(r, item == NULL ? REFUSED_MISSING : REFUSED_TYPE, "%s is no array",
                          data_names[side].at);
    }
    book->snapshot = decode_says(decode_field(f, DATA_TYPE), "snapshot");
    if (!book->snapshot && !decode_says(decode_field(f, DATA_TYPE), "change"))
        return refuse(r, REFUSED_TYPE, "type is neither snapshot nor change");
    book->has_seq = true;
    book->has_prev = !book->snapshot;
    int rc = field_id(r, decode_field(f, DATA_CHANGE), "change_id", &book->seq);
    if (rc == 0 && book->has_prev)
        rc = field_id(r, decode_field(f, DATA_PREV), "prev_change_id", &book->prev);
    return rc;
}

/* The whole book: its depth is unbounded. The levels are a walk of their own. */
static int take_book(struct decode *d, struct decode_kept *symbol)
{
    struct venue_event event = {.type = VENUE_BOOK};
    struct decode_fields f;
    struct levels levels;
    int rc = take_common(d, &f, &event);
    if (rc != 0 || (rc = take_numbers(d, &f, &event.u.book)) != 0)
        return rc;
    decode_keep((struct json_text){event.symbol, event.symbol_len}, symbol);
    event.symbol = symbol->at;
    d->refusal.who = (struct json_text){symbol->at, symbol->len};
    levels_start(&levels, d, &event);
    do {
        rc = add_sides(&levels);
    } while (rc == 0 && levels_again(&levels));
    return rc;
}

static const struct channel channels[] = {
    {"trades", ".100ms", "trade", PX_TRADES, JSON_ARRAY, take_trades},
    {"quote", "", "quote", PX_QUOTES, JSON_OBJECT, take_quote},
    {"ticker", ".100ms", "ticker", PX_TICKERS, JSON_OBJECT, take_ticker},
    {"book", ".100ms", "book", VENUE_DEPTH, JSON_OBJECT, take_book},
};
#define CHANNELS (sizeof channels / sizeof channels[0])

/* "trades.X.100ms" or "quote.X", whatever the pace. With more or fewer parts it is another channel:
 * "trades.option.BTC.100ms", "book.X.none.10.100ms". */
static const struct channel *channel_of(struct json_text name, struct json_text *symbol)
{
    const char *end = name.at + name.len, *head = memchr(name.at, '.', name.len);
    if (head == NULL)
        return NULL;
    const char *from = head + 1, *tail = memchr(from, '.', (size_t)(end - from));
    if (tail != NULL && memchr(tail + 1, '.', (size_t)(end - tail - 1)) != NULL)
        return NULL;
    *symbol = (struct json_text){from, (size_t)((tail != NULL ? tail : end) - from)};
    const struct json_text word = {name.at, (size_t)(head - name.at)};
    for (size_t i = 0; i < CHANNELS; i++)
        if (decode_is(word, channels[i].head, strlen(channels[i].head)) &&
            (tail != NULL) == (channels[i].tail[0] != '\0'))
            return &channels[i];
    return NULL;
}

static int take_subscription(struct decode *d, const struct decode_fields *root,
                             struct decode_kept *symbol)
{
    const struct json_item *name = decode_field(root, ROOT_CHANNEL),
                           *data = decode_field(root, ROOT_DATA);
    struct json_text named;
    const struct channel *channel =
        name != NULL && name->type == JSON_STRING ? channel_of(name->text, &named) : NULL;
    if (channel == NULL)
        return 0;
    d->refusal.what = channel->what;
    int rc;
    if (data == NULL || data->type != channel->data)
        rc = refuse(&d->refusal, data == NULL ? REFUSED_MISSING : REFUSED_TYPE, "data is no %s",
                    channel->data == JSON_ARRAY ? "array" : "object");
    else if ((rc = decode_into(d, "params", "data")) == 0)
        rc = channel->take(d, symbol);
    if (rc < 0 && d->events == 0)
        return d->refusal.error != NULL ? decode_give_refusal(d) : decode_refuse_json(d);
    return rc;
}

/* ---- requests and their answers ----
 *
 * An answer has the id of its request and the channels that were accepted (or given up): those that
 * do not exist are left out without a word. Which they are the adapter cannot say, for it remembers
 * nothing; that some are missing it can, since the id is its own to choose: number, count of
 * channels and purpose of the request. Such an answer is an ack of each channel and a refusal of
 * what else waits of the request: the rest is asked for in halves until each that does not exist
 * has been refused by itself, and its user sees what REFUSED_SILENTLY says. */
#define CHANNELS_MAX     500 /* in one request, as the venue advises */
#define ID_OFF           1
#define ID_COUNT(id)     ((id) >> 1 & 0x1ff)
#define ID_NUMBER(id)    ((id) >> 10)
#define ID_HELLO         "1" /* of number 0: of no subscription */
#define ID_TEST          "2"
#define REFUSED_SILENTLY "the venue left it out of what it accepted"
_Static_assert(CHANNELS_MAX <= 0x1ff, "it fits its place in the id");

/* The request that an id stands for: 0 the oldest that waits (an answer without id), -1 none. */
static int64_t request_of(const struct json_item *item, uint64_t id)
{
    if (item == NULL || item->type == JSON_NULL)
        return 0;
    return ID_NUMBER(id) == 0 ? -1 : (int64_t)ID_NUMBER(id);
}

static void give_words(struct decode *d, int64_t request, struct json_text text)
{
    decode_give(d, &(struct venue_event){.type = VENUE_REFUSED,
                                         .request = request,
                                         .text = text.at,
                                         .text_len = (uint32_t)text.len});
}

static int take_error(struct decode *d, const struct decode_fields *root, int64_t request)
{
    const struct json_item *message = decode_field(root, ROOT_MESSAGE),
                           *code = decode_field(root, ROOT_CODE);
    struct json_text text = {"refused without a word", 22};
    if (message != NULL && message->type == JSON_STRING && message->text.len > 0)
        text = message->text;
    else if (code != NULL && code->type == JSON_NUMBER)
        text = code->text;
    give_words(d, request, text);
    return 0;
}

/* The channels of a request that was answered; other methods are answered by texts and objects. */
static int take_result(struct decode *d, int64_t request, uint64_t id)
{
    struct json_item item;
    uint64_t accepted = 0;
    int rc = decode_into(d, "result", NULL);
    while (rc == 0 && (rc = json_next(d->json, &item)) == 1) {
        struct json_text symbol = {"", 0};
        const struct channel *channel =
            item.type == JSON_STRING ? channel_of(item.text, &symbol) : NULL;
        rc = 0;
        if (channel == NULL || symbol.len == 0 || symbol.len > d->native_max)
            continue;
        accepted++;
        decode_give(d, &(struct venue_event){.type = VENUE_ACK,
                                             .request = request,
                                             .symbol = symbol.at,
                                             .symbol_len = (uint16_t)symbol.len,
                                             .kinds = (uint16_t)channel->kind,
                                             .off = (id & ID_OFF) != 0});
    }
    if (rc != 0)
        return decode_refuse_json(d);
    if (request > 0 && accepted < ID_COUNT(id))
        give_words(d, request, (struct json_text){REFUSED_SILENTLY, sizeof REFUSED_SILENTLY - 1});
    return 0;
}

static int take_answer(struct decode *d, const struct decode_fields *root)
{
    const struct json_item *item = decode_field(root, ROOT_ID),
                           *result = decode_field(root, ROOT_RESULT);
    uint64_t id = 0;
    d->refusal.what = "answer";
    if (item != NULL && item->type != JSON_NULL && field_id(&d->refusal, item, "id", &id) != 0)
        return decode_give_refusal(d);
    int64_t request = request_of(item, id);
    if (decode_field(root, ROOT_ERROR) != NULL)
        return take_error(d, root, request);
    if (result != NULL && result->type == JSON_ARRAY)
        return take_result(d, request, id);
    return 0;
}

/* What the venue sends since hello: "heartbeat" says that it is there, "test_request" asks
 * whether we are, and it hangs up if we do not say so. */
static int take_heartbeat(struct decode *d, const struct decode_fields *root)
{
    static const char test[] =
        "{\"jsonrpc\":\"2.0\",\"id\":" ID_TEST ",\"method\":\"public/test\",\"params\":{}}";
    if (decode_says(decode_field(root, ROOT_TYPE), "test_request"))
        decode_give(d, &(struct venue_event){
                           .type = VENUE_REPLY, .text = test, .text_len = sizeof test - 1});
    else
        decode_give_type(d, VENUE_HEARTBEAT);
    return 0;
}

static int on_text(struct json *json, const char *frame, size_t len, const struct venue_sink *sink)
{
    struct decode d = decode_start(json, sink, "deribit");
    struct decode_fields root;
    struct decode_kept symbol; /* events point into it until this returns */
    int rc = decode_root(&d, frame, len, root_names, ROOT_COUNT, &root);
    if (rc != 0)
        return decode_end(&d, rc < 0 ? rc : 0);
    const struct json_item *method = decode_field(&root, ROOT_METHOD);
    if (decode_says(method, "subscription"))
        rc = take_subscription(&d, &root, &symbol);
    else if (decode_says(method, "heartbeat"))
        rc = take_heartbeat(&d, &root);
    else if (method == NULL)
        rc = take_answer(&d, &root);
    return decode_end(&d, rc);
}

/* ---- what is asked ---- */

/* "BTC-PERPETUAL", "ETH-25JUN21-2000-C", "BTC_USDC-PERPETUAL", "ETH_USDT",
 * "XRP_USDC-10NOV23-0d4625-C" (0.4625): parts of capital letters and digits. */
static int check_symbol(const char *native, size_t len)
{
    bool part = false, parted = false, digit = false;
    for (size_t i = 0; i < len; i++) {
        char c = native[i];
        bool point = c == 'd' && digit;
        digit = c >= '0' && c <= '9';
        bool letter = (c >= 'A' && c <= 'Z') || digit || point;
        if (!letter && (!part || (c != '-' && c != '_')))
            return -EINVAL;
        parted = parted || !letter;
        part = letter && !point;
    }
    return len <= PX_SYMBOL_MAX && part && parted ? 0 : -EINVAL;
}

static uint32_t streams(const struct venue_wish *wish)
{
    uint32_t n = 0;
    for (size_t i = 0; i < CHANNELS; i++)
        n += venue_asks(wish, channels[i].kind);
    return n;
}

/* All channels of a wish, behind what out[0..at) has. Returns the new length, 0 if there is no
 * room. */
static size_t put_wish(char *out, size_t at, size_t cap, const struct venue_wish *wish)
{
    for (size_t i = 0; i < CHANNELS; i++) {
        if (!venue_asks(wish, channels[i].kind))
            continue;
        int len = snprintf(out + at, cap - at, "%s\"%s.%s%s\"", out[at - 1] == '[' ? "" : ",",
                           channels[i].head, wish->native, channels[i].tail);
        if ((size_t)len >= cap - at)
            return 0;
        at += (size_t)len;
    }
    return at;
}

#define TAIL_MAX 32 /* "]},"id":N}" */

static int subscribe(const struct venue_request *request, char *out, size_t cap, size_t *taken)
{
    int len = snprintf(out, cap,
                       "{\"jsonrpc\":\"2.0\",\"method\":\"public/%s\",\"params\":"
                       "{\"channels\":[",
                       request->on ? "subscribe" : "unsubscribe");
    if ((size_t)len + TAIL_MAX > cap)
        return -ENOSPC;
    const size_t start = (size_t)len;
    size_t at = start, done = 0, end;
    uint32_t count = 0;
    for (; done < request->count; done++, at = end) {
        uint32_t more = streams(&request->wishes[done]);
        if (count + more > CHANNELS_MAX ||
            (end = put_wish(out, at, cap - TAIL_MAX, &request->wishes[done])) == 0)
            break;
        count += more;
    }
    if (done == 0 && request->count > 0)
        return -ENOSPC;
    *taken = done;
    if (at == start)
        return 0;
    int64_t id = request->number << 10 | (int64_t)count << 1 | (request->on ? 0 : ID_OFF);
    return (int)at + snprintf(out + at, TAIL_MAX, "]},\"id\":%" PRId64 "}", id);
}

/* Trades that were missed, by the instrument's own count, up to the end of a page. */
static int history_query(const struct venue_hole *hole, char *out, size_t cap)
{
    char symbol[HISTORY_SYMBOL_MAX];
    return history_path(out, cap,
                        "/api/v2/public/get_last_trades_by_instrument?instrument_name=%s"
                        "&start_seq=%" PRIu64 "&end_seq=%" PRIu64 "&count=%u&sorting=asc",
                        history_symbol(hole, symbol), hole->first, history_reach(hole),
                        HISTORY_PAGE);
}

/* {"jsonrpc":"2.0","result":{"trades":[...],"has_more":false},...}: the elements are those of the
 * stream. */
static int on_history(struct json *json, const char *body, size_t len,
                      const struct venue_hole *hole, const struct venue_sink *sink)
{
    static const struct decode_name names[] = {DECODE_NAME("result")};
    struct decode d = history_start(json, sink, "deribit");
    struct decode_fields f;
    (void)hole;
    int rc = decode_root(&d, body, len, names, 1, &f);
    if (rc >= 0 && (rc != 0 || decode_into(&d, "result", "trades") != 0)) {
        refuse(&d.refusal, REFUSED_MISSING, "result.trades is missing");
        rc = decode_give_refusal(&d);
    }
    return decode_end(&d, rc != 0 ? rc : decode_each(&d, take_trade, NULL));
}

/* A request costs 500 credits of a bucket of 50,000. */
static const struct venue_history history = {
    .url = "https://www.deribit.com",
    .requests_per_min = 60,
    .path = history_query,
    .on_answer = on_history,
};

/* A subscribe message costs 3,000 credits of a bucket of 30,000, which is filled by 10,000 a
 * second. An address may have 32 connections open; how fast they may be opened is not published,
 * nor what one carries. */
const struct px_venue px_venue_deribit = {
    .name = "deribit",
    .title = "Deribit",
    .url = "wss://www.deribit.com",
    .kinds = PX_ALL_KINDS | VENUE_DEPTH,
    .params_per_request = CHANNELS_MAX,
    .messages_per_s = 3,
    .silence_ms = 75000, /* two heartbeats and some time */
    .answers = VENUE_ANSWERS_STREAM,
    .check_symbol = check_symbol,
    .streams = streams,
    .paths = {"/ws/api/v2"},
    .hello = "{\"jsonrpc\":\"2.0\",\"id\":" ID_HELLO ",\"method\":"
             "\"public/set_heartbeat\",\"params\":{\"interval\":30}}",
    .subscribe = subscribe,
    .on_text = on_text,
    .history = &history,
};
