/* Binance spot and Binance.US: one dialect, two hosts. After the venue's web-socket-streams.md.
 *
 * A frame is {"stream":NAME,"data":X} or X alone; X is an event, told by its field "e", or an array
 * of events. Only bookTicker has no "e" and is told by its fields. Every frame is walked to its end
 * before the first event is given: nothing of a broken one gets out. */
#include "venue.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "binance_fast.h"
#include "decimal.h"
#include "field.h"
#include "json.h"

/* The fields that matter have one letter, those of the envelope are words. */
enum slot {
    SLOT_UPPER = 0,
    SLOT_LOWER = 26,
    SLOT_STREAM = 52,
    SLOT_DATA,
    SLOT_RESULT,
    SLOT_ID,
    SLOT_ERROR,
    SLOT_CODE,
    SLOT_MSG,
    SLOT_COUNT,
    SLOT_NONE
};
_Static_assert(SLOT_COUNT <= 64, "a set of slots is a 64-bit word");

#define LETTER(c)    ((enum slot)((c) >= 'a' ? SLOT_LOWER + (c) - 'a' : SLOT_UPPER + (c) - 'A'))
#define BIT(slot)    (UINT64_C(1) << (slot))
#define QUOTE_PRICES (BIT(LETTER('b')) | BIT(LETTER('B')) | BIT(LETTER('a')) | BIT(LETTER('A')))

static const struct {
    enum slot slot;
    const char *name;
} words[] = {
    {SLOT_STREAM, "stream"}, {SLOT_DATA, "data"}, {SLOT_RESULT, "result"}, {SLOT_ID, "id"},
    {SLOT_ERROR, "error"},   {SLOT_CODE, "code"}, {SLOT_MSG, "msg"},
};

/* The known fields of one object, in the order in which they came; `at` says which is where. Of one
 * that comes twice the first is kept. The last place takes what is not known. */
struct object {
    uint64_t seen, twice;
    unsigned count;
    uint8_t at[SLOT_COUNT];
    struct json_item item[SLOT_COUNT + 1];
};

struct decode {
    struct json *json;
    const struct venue_sink *sink;
    size_t native_max; /* so that "venue:NATIVE" is at most PX_SYMBOL_MAX */
    int events;
    struct refusal refusal;
};

static bool text_is(struct json_text text, const char *word)
{
    return text.len == strlen(word) && memcmp(text.at, word, text.len) == 0;
}

static bool text_ends(struct json_text text, const char *tail)
{
    size_t len = strlen(tail);
    return text.len >= len && memcmp(text.at + text.len - len, tail, len) == 0;
}

static enum slot slot_of(struct json_text key)
{
    if (key.len == 1) {
        char c = key.at[0];
        return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') ? LETTER(c) : SLOT_NONE;
    }
    for (size_t i = 0; i < sizeof words / sizeof words[0]; i++)
        if (text_is(key, words[i].name))
            return words[i].slot;
    return SLOT_NONE;
}

static const struct json_item *word(const struct object *o, enum slot slot)
{
    return (o->seen & BIT(slot)) != 0 ? &o->item[o->at[slot]] : NULL;
}

static const struct json_item *field(const struct object *o, char letter)
{
    return word(o, LETTER(letter));
}

/* Read the object that was entered; what stands in its "data" or "error" goes to `inner`. */
static int read_object(struct json *json, struct object *o, struct object *inner)
{
    int rc;
    o->seen = o->twice = 0;
    o->count = 0;
    while ((rc = json_next(json, &o->item[o->count])) == 1) {
        const struct json_item *item = &o->item[o->count];
        enum slot slot = slot_of(item->key);
        if (slot == SLOT_NONE)
            continue;
        if ((o->seen & BIT(slot)) != 0) {
            o->twice |= BIT(slot);
            continue;
        }
        o->seen |= BIT(slot);
        o->at[slot] = (uint8_t)o->count++;
        if (inner == NULL || item->type != JSON_OBJECT || (slot != SLOT_DATA && slot != SLOT_ERROR))
            continue;
        if ((rc = json_enter(json)) != 0 || (rc = read_object(json, inner, NULL)) != 0)
            return rc;
    }
    return rc;
}

static void give(struct decode *d, const struct venue_event *event)
{
    d->events++;
    d->sink->event(d->sink->user, event);
}

static void give_type(struct decode *d, enum venue_event_type type)
{
    give(d, &(struct venue_event){.type = (uint32_t)type});
}

static int give_refusal(struct decode *d)
{
    give(d, &(struct venue_event){.type = VENUE_BAD,
                                  .text = d->refusal.text,
                                  .text_len = (uint32_t)strlen(d->refusal.text),
                                  .error = d->refusal.error});
    return -EBADMSG;
}

/* A symbol is what a bus can name: short enough, and nothing in it that a line or a list would end
 * at. Which symbols exist is the venue's matter. */
static int take_symbol(struct decode *d, const struct object *o, struct venue_event *event)
{
    struct refusal *r = &d->refusal;
    struct json_text symbol;
    char show[FIELD_SHOW_MAX];
    int rc = field_text(r, field(o, 's'), "symbol (s)", &symbol);
    if (rc != 0)
        return rc;
    if (symbol.len == 0 || symbol.len > d->native_max)
        return refuse(r, REFUSED_SYMBOL, "symbol \"%s\" has %zu bytes, not 1 to %zu",
                      field_show(symbol, show), symbol.len, d->native_max);
    for (size_t i = 0; i < symbol.len; i++)
        if ((unsigned char)symbol.at[i] <= ' ' || symbol.at[i] == 0x7f)
            return refuse(r, REFUSED_SYMBOL, "symbol \"%s\" holds a space or control character",
                          field_show(symbol, show));
    r->who = symbol;
    event->symbol = symbol.at;
    event->symbol_len = (uint16_t)symbol.len;
    return 0;
}

/* `id` is the letter that the trade's number has. */
static int take_trade_with(struct decode *d, const struct object *o, char id)
{
    struct refusal *r = &d->refusal;
    struct venue_event event = {.type = VENUE_TRADE, .consecutive = true};
    struct px_trade *t = &event.u.trade;
    bool buyer_is_maker;
    int rc = take_symbol(d, o, &event);
    if (rc != 0 || (rc = field_id(r, field(o, id), "trade id", &t->trade_id)) != 0 ||
        (rc = field_decimal(r, field(o, 'p'), "price", &t->price)) != 0 ||
        (rc = field_decimal(r, field(o, 'q'), "size", &t->size)) != 0 ||
        (rc = field_time(r, field(o, 'T'), "trade time", &event.exch_ns)) != 0 ||
        (rc = field_bool(r, field(o, 'm'), "maker side (m)", &buyer_is_maker)) != 0)
        return rc;
    event.flags = buyer_is_maker ? PX_SIDE_SELL : PX_SIDE_BUY;
    event.venue_id = t->trade_id;
    event.aggregated = id == 'a';
    event.trade_id = field(o, id)->text.at;
    event.trade_id_len = (uint32_t)field(o, id)->text.len;
    give(d, &event);
    return 0;
}

static int take_trade(struct decode *d, const struct object *o)
{
    return take_trade_with(d, o, 't');
}

static int take_aggregate(struct decode *d, const struct object *o)
{
    return take_trade_with(d, o, 'a');
}

static int take_prices(struct decode *d, const struct object *o, struct px_quote *q)
{
    struct refusal *r = &d->refusal;
    int rc = field_decimal(r, field(o, 'b'), "bid", &q->bid);
    if (rc == 0)
        rc = field_decimal(r, field(o, 'B'), "bid size", &q->bid_size);
    if (rc == 0)
        rc = field_decimal(r, field(o, 'a'), "ask", &q->ask);
    if (rc == 0)
        rc = field_decimal(r, field(o, 'A'), "ask size", &q->ask_size);
    return rc;
}

/* bookTicker: without any time on spot; T, else E where the dialect has them. */
static int take_quote(struct decode *d, const struct object *o)
{
    struct refusal *r = &d->refusal;
    struct venue_event event = {.type = VENUE_QUOTE};
    int rc = take_symbol(d, o, &event);
    if (rc == 0)
        rc = field_id(r, field(o, 'u'), "update id", &event.venue_id);
    if (rc == 0)
        rc = take_prices(d, o, &event.u.quote);
    const struct json_item *time = field(o, 'T') != NULL ? field(o, 'T') : field(o, 'E');
    if (rc == 0 && time != NULL)
        rc = field_time(r, time, "time", &event.exch_ns);
    if (rc == 0)
        give(d, &event);
    return rc;
}

/* A full ticker restates the best bid and ask; a dialect that leaves all four out is right as well.
 */
static int take_ticker_with(struct decode *d, const struct object *o, bool with_quote)
{
    struct refusal *r = &d->refusal;
    struct venue_event event = {.type = VENUE_TICKER};
    struct venue_event quote = {.type = VENUE_QUOTE, .derived = true};
    int rc = take_symbol(d, o, &event);
    if (rc != 0 || (rc = field_time(r, field(o, 'E'), "event time", &event.exch_ns)) != 0 ||
        (rc = field_decimal(r, field(o, 'c'), "last price", &event.u.ticker.last)) != 0 ||
        (rc = field_decimal(r, field(o, 'o'), "open price", &event.u.ticker.open)) != 0 ||
        (rc = field_decimal(r, field(o, 'h'), "high price", &event.u.ticker.high)) != 0 ||
        (rc = field_decimal(r, field(o, 'l'), "low price", &event.u.ticker.low)) != 0)
        return rc;
    with_quote = with_quote && (o->seen & QUOTE_PRICES) != 0;
    if (with_quote && (rc = take_prices(d, o, &quote.u.quote)) != 0)
        return rc;
    give(d, &event);
    if (with_quote) {
        quote.symbol = event.symbol;
        quote.symbol_len = event.symbol_len;
        quote.exch_ns = event.exch_ns;
        give(d, &quote);
    }
    return 0;
}

static int take_ticker(struct decode *d, const struct object *o)
{
    return take_ticker_with(d, o, true);
}

static int take_mini_ticker(struct decode *d, const struct object *o)
{
    return take_ticker_with(d, o, false);
}

static int take_shutdown(struct decode *d, const struct object *o)
{
    (void)o;
    give_type(d, VENUE_PLANNED_END);
    return 0;
}

/* What "e" can say and means something here. */
static const struct event_kind {
    const char *name;
    int (*take)(struct decode *d, const struct object *o);
} event_kinds[] = {
    {"trade", take_trade},
    {"aggTrade", take_aggregate},
    {"bookTicker", take_quote},
    {"24hrTicker", take_ticker},
    {"24hrMiniTicker", take_mini_ticker},
    {"serverShutdown", take_shutdown},
};
enum { KIND_QUOTE = 2 };

/* An object without "e" is a bookTicker if its stream says so, or its fields do. */
static bool is_quote(const struct object *o, struct json_text stream)
{
    const uint64_t update = BIT(LETTER('u')) | BIT(LETTER('s'));
    return text_ends(stream, "bookTicker") || (o->seen & update) == update ||
           (o->seen & QUOTE_PRICES) == QUOTE_PRICES;
}

/* *ret is what the object is, NULL if it is nothing for us. */
static int kind_of(struct decode *d, const struct object *o, struct json_text stream,
                   const struct event_kind **ret)
{
    struct json_text name;
    *ret = NULL;
    if (field(o, 'e') == NULL) {
        if (is_quote(o, stream))
            *ret = &event_kinds[KIND_QUOTE];
        return 0;
    }
    int rc = field_text(&d->refusal, field(o, 'e'), "event type (e)", &name);
    for (size_t i = 0; rc == 0 && i < sizeof event_kinds / sizeof event_kinds[0]; i++)
        if (text_is(name, event_kinds[i].name))
            *ret = &event_kinds[i];
    return rc;
}

static int refuse_twice(struct decode *d, uint64_t twice)
{
    unsigned slot = (unsigned)__builtin_ctzll(twice);
    char letter[2] = {(char)(slot < SLOT_LOWER ? 'A' + slot : 'a' + slot - SLOT_LOWER), '\0'};
    return refuse(&d->refusal, REFUSED_TWICE, "field %s is given twice",
                  slot < SLOT_STREAM ? letter : words[slot - SLOT_STREAM].name);
}

/* One event: all that it gives, one refusal, or the word that it is none of ours. */
static int take_object(struct decode *d, const struct object *o, struct json_text stream)
{
    const struct event_kind *kind;
    d->refusal = (struct refusal){0};
    int rc = kind_of(d, o, stream, &kind);
    if (rc == 0 && (o->twice & BIT(LETTER('e'))) != 0)
        rc = refuse_twice(d, o->twice);
    if (rc == 0 && kind == NULL) {
        give_type(d, VENUE_IGNORED);
        return 0;
    }
    if (rc == 0) {
        d->refusal.what = kind->name;
        rc = o->twice != 0 ? refuse_twice(d, o->twice) : kind->take(d, o);
    }
    return rc != 0 ? give_refusal(d) : 0;
}

static int refuse_json(struct decode *d)
{
    d->refusal = (struct refusal){0};
    refuse(&d->refusal, REFUSED_JSON, "broken JSON: %s", json_error(d->json));
    return give_refusal(d);
}

/* The elements of the array that was given last, each by itself. */
static int take_elements(struct decode *d, struct json_text stream)
{
    struct object o;
    struct json_item item;
    int rc = json_enter(d->json), before = d->events;
    while (rc == 0 && (rc = json_next(d->json, &item)) == 1) {
        rc = 0;
        if (item.type != JSON_OBJECT) {
            give_type(d, VENUE_IGNORED);
        } else if ((rc = json_enter(d->json)) == 0 && (rc = read_object(d->json, &o, NULL)) == 0) {
            take_object(d, &o, stream);
        }
    }
    if (rc == 0 && d->events == before)
        give_type(d, VENUE_IGNORED);
    return rc;
}

/* Once more from the start, to the array that is the document or stands in its "data". The first
 * walk has shown that the whole is sound. */
static int take_array(struct decode *d, struct json_text stream)
{
    struct json_item item;
    int rc = json_rewind(d->json, &item);
    if (rc == 0 && item.type == JSON_OBJECT) {
        rc = json_enter(d->json);
        while (rc == 0 && (rc = json_next(d->json, &item)) == 1 && !text_is(item.key, "data"))
            rc = 0;
        rc = rc == 1 ? 0 : rc;
    }
    if (rc == 0)
        rc = take_elements(d, stream);
    return rc != 0 ? refuse_json(d) : 0;
}

/* The number of the request, 0 if it is not one of ours. */
static int64_t request_of(const struct object *o)
{
    const struct json_item *id = word(o, SLOT_ID);
    struct px_decimal n;
    if (id == NULL || id->type != JSON_NUMBER ||
        decimal_parse(id->text.at, id->text.len, &n) != 0 || n.exponent != 0)
        return 0;
    return n.mantissa;
}

/* {"code":C,"msg":TEXT,"id":N}, or the first two inside "error". */
static int give_words(struct decode *d, const struct object *root, const struct object *o)
{
    const struct json_item *msg = word(o, SLOT_MSG), *code = word(o, SLOT_CODE);
    struct json_text text = {"refused without a word", 22};
    if (msg != NULL && msg->type == JSON_STRING)
        text = msg->text;
    else if (code != NULL && code->type == JSON_NUMBER)
        text = code->text;
    give(d, &(struct venue_event){.type = VENUE_REFUSED,
                                  .request = request_of(root),
                                  .text = text.at,
                                  .text_len = (uint32_t)text.len});
    return 0;
}

/* An object without "data": an event, or an answer. */
static int take_root(struct decode *d, const struct object *root, const struct object *inner)
{
    const struct json_item *result = word(root, SLOT_RESULT), *error = word(root, SLOT_ERROR);
    const struct json_text none = {"", 0};
    if (field(root, 'e') != NULL || is_quote(root, none))
        return take_object(d, root, none);
    if (error != NULL && error->type == JSON_OBJECT)
        return give_words(d, root, inner);
    if (error != NULL || (word(root, SLOT_CODE) != NULL && word(root, SLOT_MSG) != NULL))
        return give_words(d, root, root);
    if (result != NULL && result->type == JSON_NULL)
        give(d, &(struct venue_event){.type = VENUE_ACK, .request = request_of(root)});
    else
        give_type(d, VENUE_IGNORED);
    return 0;
}

static int take_envelope(struct decode *d, const struct object *root, const struct object *inner)
{
    const uint64_t envelope = root->twice & ~(BIT(SLOT_STREAM) - 1);
    const struct json_item *data = word(root, SLOT_DATA);
    struct json_text stream = {"", 0};
    d->refusal = (struct refusal){0};
    if (envelope != 0)
        return refuse_twice(d, envelope), give_refusal(d);
    if (word(root, SLOT_STREAM) != NULL &&
        field_text(&d->refusal, word(root, SLOT_STREAM), "stream", &stream) != 0)
        return give_refusal(d);
    if (data == NULL)
        return take_root(d, root, inner);
    if (data->type == JSON_OBJECT)
        return take_object(d, inner, stream);
    if (data->type == JSON_ARRAY)
        return take_array(d, stream);
    give_type(d, VENUE_IGNORED);
    return 0;
}

/* The general path: any frame, in any order of fields. */
__attribute__((noinline)) static int read_frame(struct decode *d, const char *frame, size_t len)
{
    struct object root, inner;
    struct json_item item;
    int rc = json_open(d->json, frame, len, &item);
    inner.seen = inner.twice = 0;
    if (rc == 0 && item.type == JSON_OBJECT && (rc = json_enter(d->json)) == 0)
        rc = read_object(d->json, &root, &inner);
    if (rc == 0)
        rc = json_finish(d->json);
    if (rc != 0)
        return refuse_json(d);
    if (item.type == JSON_OBJECT)
        return take_envelope(d, &root, &inner);
    if (item.type == JSON_ARRAY)
        return take_array(d, (struct json_text){"", 0});
    give_type(d, VENUE_IGNORED);
    return 0;
}

/* "binance:" and "binance_us:" stand in front of the symbol. */
#define NATIVE_MAX(venue) (PX_SYMBOL_MAX - (sizeof venue ":" - 1))

static int on_text(struct json *json, const char *frame, size_t len, const struct venue_sink *sink,
                   size_t native_max)
{
    struct venue_event event;
    if (binance_fast(frame, len, native_max, &event)) {
        sink->event(sink->user, &event);
        return 1;
    }
    struct decode d = {.json = json, .sink = sink, .native_max = native_max};
    int rc = read_frame(&d, frame, len);
    return rc != 0 ? rc : d.events;
}

static int binance_on_text(struct json *json, const char *frame, size_t len,
                           const struct venue_sink *sink)
{
    return on_text(json, frame, len, sink, NATIVE_MAX("binance"));
}

static int binance_us_on_text(struct json *json, const char *frame, size_t len,
                              const struct venue_sink *sink)
{
    return on_text(json, frame, len, sink, NATIVE_MAX("binance_us"));
}

/* Symbols are upper case where they are named, lower case in the names of streams. Letters beyond
 * ASCII occur and have no case there. */
static int check_symbol(const char *native, size_t len)
{
    if (len == 0 || len > PX_SYMBOL_MAX || !json_utf8(native, len))
        return -EINVAL;
    for (size_t i = 0; i < len; i++) {
        unsigned char c = (unsigned char)native[i];
        bool plain = (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_' || c == '-';
        if (!plain && c < 0x80)
            return -EINVAL;
    }
    return 0;
}

#define STREAMS_OF_WISH 3

/* The streams of a wish, by the ends of their names. Aggregated trades stand in for single ones. */
static uint32_t stream_names(const struct venue_wish *wish, const char *names[STREAMS_OF_WISH])
{
    uint32_t n = 0;
    if (strcmp(wish->native, "*") == 0) {
        if ((wish->kinds & PX_TICKERS) != 0)
            names[n++] = "!miniTicker@arr";
        return n;
    }
    if ((wish->kinds & VENUE_AGGTRADES) != 0)
        names[n++] = "@aggTrade";
    else if ((wish->kinds & PX_TRADES) != 0)
        names[n++] = "@trade";
    if ((wish->kinds & PX_QUOTES) != 0)
        names[n++] = "@bookTicker";
    if ((wish->kinds & PX_TICKERS) != 0)
        names[n++] = "@ticker";
    return n;
}

static uint32_t streams(const struct venue_wish *wish)
{
    const char *names[STREAMS_OF_WISH];
    return stream_names(wish, names);
}

static int path(uint32_t route, char *out, size_t cap)
{
    static const char text[] = "/stream";
    (void)route;
    if (cap < sizeof text)
        return -ENOSPC;
    memcpy(out, text, sizeof text);
    return (int)sizeof text - 1;
}

#define PARAMS_MAX  200  /* several hundred streams in one message have failed silently */
#define REQUEST_MAX 8000 /* and so have long ones */

/* "\"btcusdt@trade\"", comma in front if it is not the first. False: no room. */
static bool put_stream(char *out, size_t cap, size_t *at, const char *native, const char *name)
{
    int len = snprintf(out + *at, cap - *at, "%s\"%s%s\"", out[*at - 1] == '[' ? "" : ",",
                       name[0] == '!' ? "" : native, name);
    if (len < 0 || (size_t)len >= cap - *at)
        return false;
    for (char *c = out + *at; name[0] != '!' && *c != '@'; c++)
        if (*c >= 'A' && *c <= 'Z')
            *c = (char)(*c - 'A' + 'a');
    *at += (size_t)len;
    return true;
}

static int subscribe(const struct venue_request *request, char *out, size_t cap, size_t *taken)
{
    const struct venue_wish *wishes = request->wishes;
    char tail[32];
    size_t tail_len = (size_t)snprintf(tail, sizeof tail, "],\"id\":%" PRId64 "}", request->number);
    size_t limit = cap < REQUEST_MAX ? cap : REQUEST_MAX, params = 0, done = 0;
    int len = snprintf(out, cap, "{\"method\":\"%s\",\"params\":[",
                       request->on ? "SUBSCRIBE" : "UNSUBSCRIBE");
    if (len < 0 || (size_t)len + tail_len >= limit)
        return -ENOSPC;
    size_t at = (size_t)len;
    for (; done < request->count; done++) {
        const char *names[STREAMS_OF_WISH];
        uint32_t n = stream_names(&wishes[done], names), i = 0;
        size_t end = at;
        while (i < n && params + n <= PARAMS_MAX &&
               put_stream(out, limit - tail_len, &end, wishes[done].native, names[i]))
            i++;
        if (i < n)
            break;
        at = end;
        params += n;
    }
    if (done == 0 && request->count > 0)
        return -ENOSPC;
    *taken = done;
    if (params == 0)
        return 0;
    memcpy(out + at, tail, tail_len + 1);
    return (int)(at + tail_len);
}

#define BINANCE_LIMITS                                                                 \
    .kinds = PX_ALL_KINDS | VENUE_AGGTRADES, .streams_per_conn = 1024,                 \
    .params_per_request = PARAMS_MAX, .messages_per_s = 5, .attempts_per_window = 300, \
    .attempt_window_s = 300, .life_s = 24 * 3600,                                      \
    .silence_ms = 60000 /* the venue pings every 20 s */

#define BINANCE_OPS \
    .check_symbol = check_symbol, .streams = streams, .path = path, .subscribe = subscribe

const struct px_venue px_venue_binance = {
    .name = "binance",
    .title = "Binance spot",
    .url = "wss://stream.binance.com:9443",
    BINANCE_LIMITS,
    BINANCE_OPS,
    .on_text = binance_on_text,
};

const struct px_venue px_venue_binance_us = {
    .name = "binance_us",
    .title = "Binance.US spot",
    .url = "wss://stream.binance.us:9443",
    BINANCE_LIMITS,
    BINANCE_OPS,
    .on_text = binance_us_on_text,
};
