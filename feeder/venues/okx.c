/* OKX, public channels of version 5. After okx.com/docs-v5.
 *
 * A frame is {"arg":{"channel":C,"instId":S},"data":[X,...]}, with an "action" beside them for
 * books, or an answer, told by its field "event". Some elements name their instrument once more,
 * others (bbo-tbt, books) do not: the symbol is that of "arg", and an element that says otherwise
 * is refused. The answer to a ping is the bare text "pong", which is no JSON.
 *
 * Sizes are published as they are written: of spot in the base currency, of derivatives in
 * contracts. What a contract is worth is no part of the stream. */
#include "venue.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "book.h"
#include "decode.h"
#include "levels.h"

enum root_field {
    ROOT_EVENT,
    ROOT_CODE,
    ROOT_MSG,
    ROOT_ACTION,
    ROOT_CHANNEL,
    ROOT_SYMBOL,
    ROOT_DATA,
    ROOT_COUNT
};
static const struct decode_name root_names[ROOT_COUNT] = {
    DECODE_NAME("event"),  DECODE_NAME("code"),        DECODE_NAME("msg"),
    DECODE_NAME("action"), DECODE_NAME("arg.channel"), DECODE_NAME("arg.instId"),
    DECODE_NAME("data")};

/* What the elements of "data" have. */
enum data_field {
    DATA_SYMBOL,
    DATA_TIME,
    DATA_ID,
    DATA_PRICE,
    DATA_SIZE,
    DATA_SIDE,
    DATA_LAST,
    DATA_OPEN,
    DATA_HIGH,
    DATA_LOW,
    DATA_BID,
    DATA_BID_SIZE,
    DATA_ASK,
    DATA_ASK_SIZE,
    DATA_SEQ,
    DATA_PREV,
    DATA_CHECKSUM,
    DATA_BIDS,
    DATA_ASKS,
    DATA_COUNT
};
static const struct decode_name data_names[DATA_COUNT] = {
    DECODE_NAME("instId"),    DECODE_NAME("ts"),       DECODE_NAME("tradeId"),
    DECODE_NAME("px"),        DECODE_NAME("sz"),       DECODE_NAME("side"),
    DECODE_NAME("last"),      DECODE_NAME("open24h"),  DECODE_NAME("high24h"),
    DECODE_NAME("low24h"),    DECODE_NAME("bidPx"),    DECODE_NAME("bidSz"),
    DECODE_NAME("askPx"),     DECODE_NAME("askSz"),    DECODE_NAME("seqId"),
    DECODE_NAME("prevSeqId"), DECODE_NAME("checksum"), DECODE_NAME("bids"),
    DECODE_NAME("asks")};

/* A frame with data: whose, of which channel, and how its elements are read. */
struct frame {
    const struct channel *channel;
    struct decode_kept symbol;
    bool snapshot; /* of a book */
};

struct channel {
    const char *name;
    const char *what; /* in refusals */
    uint32_t kind;    /* that it is asked for with; 0: never, but it is read */
    int (*each)(struct decode *d, void *frame);
    int (*whole)(struct decode *d, const struct frame *frame);
};

static struct json_text symbol_of(const struct frame *frame)
{
    return (struct json_text){frame->symbol.at, frame->symbol.len};
}

/* The fields of an element, and what all elements have: symbol and time. */
static int take_common(struct decode *d, const struct frame *frame, const struct decode_fields *f,
                       struct venue_event *event)
{
    struct refusal *r = &d->refusal;
    const struct json_item *own = decode_field(f, DATA_SYMBOL);
    char show[FIELD_SHOW_MAX];
    int rc = decode_symbol_text(d, symbol_of(frame), "instId", event);
    if (rc != 0 || (rc = decode_once(d, data_names, f)) != 0)
        return rc;
    if (own != NULL &&
        (own->type != JSON_STRING || !decode_is(own->text, frame->symbol.at, frame->symbol.len)))
        return refuse(r, REFUSED_SYMBOL, "an element has the instId %s",
                      field_show(own->text, show));
    return field_time_text(r, decode_field(f, DATA_TIME), "ts", &event->exch_ns);
}

/* Fills of one order at one price are merged (`count`), so ids leave some out: they rise, but are
 * not consecutive. */
static int take_trade(struct decode *d, void *user)
{
    struct refusal *r = &d->refusal;
    struct venue_event event = {.type = VENUE_TRADE};
    struct px_trade *t = &event.u.trade;
    struct decode_fields f;
    struct json_text id;
    int rc = decode_fields(d, data_names, DATA_COUNT, &f);
    if (rc != 0 || (rc = take_common(d, user, &f, &event)) != 0 ||
        (rc = field_trade_id(r, decode_field(&f, DATA_ID), "tradeId", &t->trade_id, &event.flags,
                             &id)) != 0 ||
        (rc = field_decimal(r, decode_field(&f, DATA_PRICE), "px", &t->price)) != 0 ||
        (rc = field_decimal(r, decode_field(&f, DATA_SIZE), "sz", &t->size)) != 0 ||
        (rc = field_side(r, decode_field(&f, DATA_SIDE), "side", &event.flags)) != 0)
        return rc;
    event.venue_id = (event.flags & PX_FLAG_HASHED) != 0 ? 0 : t->trade_id;
    event.trade_id = id.at;
    event.trade_id_len = (uint32_t)id.len;
    decode_give(d, &event);
    return 0;
}

/* An instrument that was not traded yet, or has an empty side, has "" there. */
static int take_optional(struct decode *d, const struct json_item *item, const char *name,
                         struct px_decimal *out)
{
    if (decode_says(item, "")) {
        *out = (struct px_decimal){0, PX_ABSENT};
        return 0;
    }
    return field_decimal(&d->refusal, item, name, out);
}

static int take_ticker(struct decode *d, void *user)
{
    struct venue_event ticker = {.type = VENUE_TICKER};
    struct px_ticker *t = &ticker.u.ticker;
    struct decode_fields f;
    int rc = decode_fields(d, data_names, DATA_COUNT, &f);
    if (rc != 0 || (rc = take_common(d, user, &f, &ticker)) != 0)
        return rc;
    struct venue_event quote = ticker;
    struct px_quote *q = &quote.u.quote;
    const struct {
        enum data_field field;
        struct px_decimal *out;
    } decimals[] = {
        {DATA_LAST, &t->last}, {DATA_OPEN, &t->open},         {DATA_HIGH, &t->high},
        {DATA_LOW, &t->low},   {DATA_BID, &q->bid},           {DATA_BID_SIZE, &q->bid_size},
        {DATA_ASK, &q->ask},   {DATA_ASK_SIZE, &q->ask_size},
    };
    quote.type = VENUE_QUOTE;
    quote.derived = true;
    for (size_t i = 0; i < sizeof decimals / sizeof decimals[0]; i++) {
        const enum data_field field = decimals[i].field;
        rc = take_optional(d, decode_field(&f, field), data_names[field].at, decimals[i].out);
        if (rc != 0)
            return rc;
    }
    decode_give(d, &ticker);
    decode_give(d, &quote);
    return 0;
}

/* Step into the first element of "data". 0; -ENOENT there is none, or no object; -EBADMSG. */
static int enter_first(struct decode *d)
{
    struct json_item item;
    int rc = decode_into(d, "data", NULL);
    if (rc == 0 && (rc = json_next(d->json, &item)) == 1)
        return item.type == JSON_OBJECT ? json_enter(d->json) : -ENOENT;
    return rc < 0 ? rc : -ENOENT;
}

/* The fields of the only element: bids and asks are read on a walk of their own. An empty "data"
 * gives nothing: 1. */
static int read_only_element(struct decode *d, struct decode_fields *f)
{
    struct json_item more;
    int rc = enter_first(d);
    if (rc == -ENOENT)
        return 1;
    if (rc != 0 || (rc = decode_fields(d, data_names, DATA_COUNT, f)) != 0)
        return rc;
    rc = json_next(d->json, &more);
    return rc == 1 ? refuse(&d->refusal, REFUSED_TYPE, "data has more than one element") : rc;
}

/* Walk bids and asks in the order of the frame. */
static int each_side(struct decode *d, int (*take)(struct decode *d, void *user, bool ask),
                     void *user)
{
    struct json_item item;
    int rc = enter_first(d);
    while (rc == 0 && (rc = json_next(d->json, &item)) == 1) {
        bool ask = DECODE_IS(item.key, "asks");
        rc = 0;
        if (!ask && !DECODE_IS(item.key, "bids"))
            continue;
        if (item.type != JSON_ARRAY)
            return refuse(&d->refusal, REFUSED_TYPE, "%s is no array", ask ? "asks" : "bids");
        rc = take(d, user, ask);
    }
    return rc;
}

static int add_first(struct decode *d, void *user, bool ask)
{
    return levels_first(d, ask, user);
}

static int add_levels(struct decode *d, void *user, bool ask)
{
    (void)d;
    return levels_add_pairs(user, ask);
}

static int take_sides(struct decode *d, const struct frame *frame, struct decode_fields *f,
                      struct venue_event *event)
{
    int rc = take_common(d, frame, f, event);
    for (unsigned side = DATA_BIDS; rc == 0 && side <= DATA_ASKS; side++)
        if (decode_field(f, side) == NULL)
            rc = refuse(&d->refusal, REFUSED_MISSING, "%s is missing", data_names[side].at);
    return rc;
}

/* Every frame is both sides, as they stand. Frames of 2022 have no seqId. */
static int take_best(struct decode *d, const struct frame *frame)
{
    struct venue_event event = {.type = VENUE_QUOTE, .u.quote = levels_none()};
    struct decode_fields f;
    int rc = read_only_element(d, &f);
    if (rc != 0 || (rc = take_sides(d, frame, &f, &event)) != 0)
        return rc;
    const struct json_item *seq = decode_field(&f, DATA_SEQ);
    if ((seq != NULL && (rc = field_id(&d->refusal, seq, "seqId", &event.venue_id)) != 0) ||
        (rc = each_side(d, add_first, &event.u.quote)) != 0)
        return rc;
    decode_give(d, &event);
    return 0;
}

/* Signed 32 bits. The venue has stopped to compute it: 0 stands for none. */
static int take_checksum(struct decode *d, const struct json_item *item, struct venue_book *book)
{
    struct px_decimal n = {0, 0};
    char show[FIELD_SHOW_MAX];
    int rc = item == NULL ? 0 : field_decimal(&d->refusal, item, "checksum", &n);
    if (rc != 0)
        return rc;
    if (n.exponent != 0 || n.mantissa < INT32_MIN || n.mantissa > INT32_MAX)
        return refuse(&d->refusal, REFUSED_RANGE, "checksum %s is no integer of 32 bits",
                      field_show(item->text, show));
    book->has_checksum = n.mantissa != 0;
    book->checksum = (uint32_t)(int32_t)n.mantissa;
    return 0;
}

/* An update follows the message that prevSeqId names; after maintenance numbers start lower, and
 * go on from there. Without levels and with the same number twice it is a sign of life. A snapshot
 * follows nothing: its prevSeqId is -1. Frames of 2022 have checksums instead. */
static int take_numbers(struct decode *d, const struct decode_fields *f, struct venue_book *book)
{
    const struct json_item *seq = decode_field(f, DATA_SEQ), *prev = decode_field(f, DATA_PREV);
    int rc = take_checksum(d, decode_field(f, DATA_CHECKSUM), book);
    if (rc != 0 || seq == NULL)
        return rc;
    book->has_seq = true;
    book->has_prev = !book->snapshot && prev != NULL;
    if ((rc = field_id(&d->refusal, seq, "seqId", &book->seq)) == 0 && book->has_prev)
        rc = field_id(&d->refusal, prev, "prevSeqId", &book->prev);
    return rc;
}

#define BOOK_DEPTH 400 /* levels of each side; those pushed out are not deleted by message */

static int take_book(struct decode *d, const struct frame *frame)
{
    struct venue_event event = {.type = VENUE_BOOK,
                                .u.book = {.depth = BOOK_DEPTH, .snapshot = frame->snapshot}};
    struct decode_fields f;
    struct levels levels;
    int rc = read_only_element(d, &f);
    if (rc != 0 || (rc = take_sides(d, frame, &f, &event)) != 0 ||
        (rc = take_numbers(d, &f, &event.u.book)) != 0)
        return rc;
    levels_start(&levels, d, &event);
    do {
        rc = each_side(d, add_levels, &levels);
    } while (rc == 0 && levels_again(&levels));
    return rc;
}

static const struct channel channels[] = {
    {"trades", "trade", PX_TRADES, take_trade, NULL},
    {"trades-all", "trade", 0, take_trade, NULL},
    {"bbo-tbt", "quote", PX_QUOTES, NULL, take_best},
    {"books", "book", VENUE_DEPTH, NULL, take_book},
    {"tickers", "ticker", PX_TICKERS, take_ticker, NULL},
};
#define CHANNELS (sizeof channels / sizeof channels[0])

static const struct channel *channel_of(struct json_text name)
{
    for (size_t i = 0; i < CHANNELS; i++)
        if (decode_is(name, channels[i].name, strlen(channels[i].name)))
            return &channels[i];
    return NULL;
}

static int take_action(struct decode *d, const struct json_item *action, struct frame *frame)
{
    frame->snapshot = decode_says(action, "snapshot");
    if (frame->channel->kind != VENUE_DEPTH || frame->snapshot || decode_says(action, "update"))
        return 0;
    return refuse(&d->refusal, REFUSED_RANGE, "action is neither snapshot nor update");
}

static int check_data(struct decode *d, const struct json_item *data)
{
    if (data != NULL && data->type == JSON_ARRAY)
        return 0;
    return refuse(&d->refusal, data == NULL ? REFUSED_MISSING : REFUSED_TYPE, "data is no array");
}

static int take_frame(struct decode *d, const struct decode_fields *root, struct frame *frame)
{
    struct venue_event whose = {0};
    const struct json_item *name = decode_field(root, ROOT_CHANNEL);
    frame->channel = name != NULL && name->type == JSON_STRING ? channel_of(name->text) : NULL;
    if (frame->channel == NULL)
        return 0;
    d->refusal.what = frame->channel->what;
    int rc = decode_symbol(d, decode_field(root, ROOT_SYMBOL), "instId", &whose);
    if (rc == 0)
        rc = check_data(d, decode_field(root, ROOT_DATA));
    if (rc == 0)
        rc = take_action(d, decode_field(root, ROOT_ACTION), frame);
    if (rc != 0)
        return decode_give_refusal(d);
    decode_keep((struct json_text){whose.symbol, whose.symbol_len}, &frame->symbol);
    d->refusal.who = symbol_of(frame);
    if (frame->channel->each != NULL) {
        rc = decode_into(d, "data", NULL);
        return rc != 0 ? decode_refuse_json(d) : decode_each(d, frame->channel->each, frame);
    }
    rc = frame->channel->whole(d, frame);
    if (rc < 0)
        return d->refusal.error != NULL ? decode_give_refusal(d) : decode_refuse_json(d);
    return 0;
}

/* {"event":"subscribe","arg":{...}}, one for each stream. */
static int take_ack(struct decode *d, const struct decode_fields *root, bool off)
{
    struct venue_event event = {.type = VENUE_ACK, .off = off};
    const struct json_item *name = decode_field(root, ROOT_CHANNEL);
    const struct channel *channel =
        name != NULL && name->type == JSON_STRING ? channel_of(name->text) : NULL;
    if (channel == NULL || channel->kind == 0)
        return 0;
    d->refusal.what = "answer";
    if (decode_symbol(d, decode_field(root, ROOT_SYMBOL), "instId", &event) != 0)
        return decode_give_refusal(d);
    event.kinds = (uint16_t)channel->kind;
    decode_give(d, &event);
    return 0;
}

/* What stands behind a word of a sentence, up to a comma or space. len 0: nothing does. */
static struct json_text behind(struct json_text text, const char *word)
{
    struct json_text found = {"", 0};
    const char *at = memmem(text.at, text.len, word, strlen(word));
    if (at != NULL) {
        found.at = at + strlen(word);
        size_t left = (size_t)(text.at + text.len - found.at);
        while (found.len < left && strchr(", ", found.at[found.len]) == NULL)
            found.len++;
    }
    return found;
}

/* The refusal of a stream names it in its sentence: "channel:books,instId:X-Y doesn't exist". That
 * of a whole message does not. */
static int take_error(struct decode *d, const struct decode_fields *root)
{
    struct venue_event event = {.type = VENUE_REFUSED};
    const struct json_item *msg = decode_field(root, ROOT_MSG),
                           *code = decode_field(root, ROOT_CODE);
    struct json_text text = {"refused without a word", 22};
    if (msg != NULL && msg->type == JSON_STRING && msg->text.len > 0)
        text = msg->text;
    else if (code != NULL && (code->type == JSON_STRING || code->type == JSON_NUMBER))
        text = code->text;
    const struct json_text symbol = behind(text, "instId:");
    const struct channel *channel = channel_of(behind(text, "channel:"));
    event.text = text.at;
    event.text_len = (uint32_t)text.len;
    if (symbol.len > 0 && symbol.len <= d->native_max) {
        event.symbol = symbol.at;
        event.symbol_len = (uint16_t)symbol.len;
        event.kinds = channel != NULL ? (uint16_t)channel->kind : 0;
    }
    decode_give(d, &event);
    return 0;
}

/* 64008: the connection will be closed for an upgrade of the service, in about a minute. */
static bool is_planned_end(const struct decode_fields *root)
{
    const struct json_item *code = decode_field(root, ROOT_CODE);
    return decode_says(decode_field(root, ROOT_EVENT), "notice") && code != NULL &&
           (code->type == JSON_STRING || code->type == JSON_NUMBER) &&
           DECODE_IS(code->text, "64008");
}

static int take_event(struct decode *d, const struct decode_fields *root)
{
    const struct json_item *event = decode_field(root, ROOT_EVENT);
    if (decode_says(event, "subscribe"))
        return take_ack(d, root, false);
    if (decode_says(event, "unsubscribe"))
        return take_ack(d, root, true);
    if (decode_says(event, "error"))
        return take_error(d, root);
    if (is_planned_end(root))
        decode_give_type(d, VENUE_PLANNED_END);
    return 0; /* channel-conn-count counts private channels */
}

static int okx_on_text(struct json *json, const char *frame, size_t len,
                       const struct venue_sink *sink)
{
    struct decode d = decode_start(json, sink, "okx");
    struct decode_fields root;
    struct frame whole; /* texts of events point into it until this returns */
    if (decode_is((struct json_text){frame, len}, "pong", 4)) {
        decode_give_type(&d, VENUE_HEARTBEAT);
        return decode_end(&d, 0);
    }
    int rc = decode_root(&d, frame, len, root_names, ROOT_COUNT, &root);
    if (rc != 0)
        return decode_end(&d, rc < 0 ? rc : 0);
    return decode_end(&d, decode_field(&root, ROOT_EVENT) != NULL ? take_event(&d, &root)
                                                                  : take_frame(&d, &root, &whole));
}

/* The digits as the venue wrote them, point and trailing zeros too. A book has no negative ones. */
static uint32_t add_decimal(uint32_t crc, struct px_decimal value, bool first)
{
    char text[64]; /* 19 digits, or 31 zeros */
    char *at = text + sizeof text;
    uint64_t left = (uint64_t)value.mantissa;
    for (int place = 0; left != 0 || place <= -value.exponent; place++, left /= 10) {
        if (place != 0 && place == -value.exponent)
            *--at = '.';
        *--at = (char)('0' + left % 10);
    }
    if (!first)
        *--at = ':';
    return book_crc32(crc, at, (size_t)(text + sizeof text - at));
}

#define CHECKSUM_LEVELS 25

/* CRC-32 of "bid:size:ask:size:..." over the best levels in turn; where one side has fewer, those
 * of the other follow each other. */
static uint32_t book_checksum(const struct book *book)
{
    const struct book_side *sides[] = {&book->bid, &book->ask};
    uint32_t crc = 0;
    bool first = true;
    for (uint32_t i = 0; i < CHECKSUM_LEVELS; i++)
        for (unsigned s = 0; s < 2; s++) {
            if (i >= sides[s]->count)
                continue;
            crc = add_decimal(crc, sides[s]->level[i].price, first);
            crc = add_decimal(crc, sides[s]->level[i].size, false);
            first = false;
        }
    return crc;
}

/* "BTC-USDT", "BTC-USDT-SWAP", "BTC-USD-220624-100000-C", "BTC-USD_UM-SWAP": parts of upper case
 * letters and digits. */
static int check_symbol(const char *native, size_t len)
{
    bool part = false, parted = false;
    for (size_t i = 0; i < len; i++) {
        char c = native[i];
        bool letter = (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9');
        if (!letter && (!part || (c != '-' && c != '_')))
            return -EINVAL;
        parted = parted || c == '-';
        part = letter;
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
 * room.
 */
static size_t put_wish(char *out, size_t at, size_t cap, const struct venue_wish *wish)
{
    for (size_t i = 0; i < CHANNELS; i++) {
        if (!venue_asks(wish, channels[i].kind))
            continue;
        int len = snprintf(out + at, cap - at, "%s{\"channel\":\"%s\",\"instId\":\"%s\"}",
                           out[at - 1] == '[' ? "" : ",", channels[i].name, wish->native);
        if ((size_t)len >= cap - at)
            return 0;
        at += (size_t)len;
    }
    return at;
}

/* Longer messages are answered with close code 1009. */
#define REQUEST_MAX 65536

static int subscribe(const struct venue_request *request, char *out, size_t cap, size_t *taken)
{
    static const char tail[] = "]}";
    const size_t limit = cap < REQUEST_MAX ? cap : REQUEST_MAX;
    int len =
        snprintf(out, cap, "{\"op\":\"%s\",\"args\":[", request->on ? "subscribe" : "unsubscribe");
    if ((size_t)len + sizeof tail > limit)
        return -ENOSPC;
    const size_t start = (size_t)len;
    size_t at = start, done = 0, end;
    while (done < request->count &&
           (end = put_wish(out, at, limit - (sizeof tail - 1), &request->wishes[done])) > 0) {
        at = end;
        done++;
    }
    if (done == 0 && request->count > 0)
        return -ENOSPC;
    *taken = done;
    if (at == start)
        return 0;
    memcpy(out + at, tail, sizeof tail);
    return (int)(at + sizeof tail - 1);
}

const struct px_venue px_venue_okx = {
    .name = "okx",
    .title = "OKX",
    .url = "wss://ws.okx.com:8443",
    .kinds = PX_ALL_KINDS | VENUE_DEPTH,
    .attempts_per_window = 3,
    .attempt_window_s = 1,
    .messages_per_hour = 480,
    .silence_ms = 45000, /* two pings and some time for the answer */
    .answers = VENUE_ANSWERS_STREAM,
    .check_symbol = check_symbol,
    .streams = streams,
    .paths = {"/ws/v5/public"},
    .subscribe = subscribe,
    .on_text = okx_on_text,
    .book_checksum = book_checksum,
    .keepalive = "ping",
    .keepalive_ms = 20000, /* the venue cuts after 30 s without a word */
};
