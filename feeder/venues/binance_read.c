/* Frames of the Binance family. See binance_read.h.
 *
 * A frame is {"stream":NAME,"data":X} or X alone; X is an event, told by its field "e", or an array
 * of events. Only spot's bookTicker has no "e" and is told by its fields. Every frame is walked to
 * its end before the first event is given: nothing of a broken one gets out. */
#include "binance_read.h"

#include <string.h>

#include "decimal.h"
#include "decode.h"

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
 * that comes twice the first is kept. The last place takes what is not known. (decode_fields()
 * would compare each key with each name of the dialect, of which there are twenty: a letter is its
 * own place.) */
struct object {
    uint64_t seen, twice;
    unsigned count;
    uint8_t at[SLOT_COUNT];
    struct json_item item[SLOT_COUNT + 1];
};

struct binance {
    struct decode d;
    const struct binance_dialect *dialect;
};

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
        if (decode_is(key, words[i].name, strlen(words[i].name)))
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

void binance_number_trade(const struct binance_dialect *dialect, bool aggregate,
                          struct venue_event *event)
{
    event->aggregated = aggregate && !dialect->futures;
    event->consecutive = aggregate || !dialect->futures;
}

/* `id` is the letter that the trade's number has. */
static int take_trade_with(struct binance *b, const struct object *o, char id)
{
    struct refusal *r = &b->d.refusal;
    struct venue_event event = {.type = VENUE_TRADE};
    struct px_trade *t = &event.u.trade;
    bool buyer_is_maker;
    int rc = decode_symbol(&b->d, field(o, 's'), "symbol (s)", &event);
    if (rc != 0 || (rc = field_id(r, field(o, id), "trade id", &t->trade_id)) != 0 ||
        (rc = field_decimal(r, field(o, 'p'), "price", &t->price)) != 0 ||
        (rc = field_decimal(r, field(o, 'q'), "size", &t->size)) != 0 ||
        (rc = field_time(r, field(o, 'T'), "trade time", &event.exch_ns)) != 0 ||
        (rc = field_bool(r, field(o, 'm'), "maker side (m)", &buyer_is_maker)) != 0)
        return rc;
    event.flags = buyer_is_maker ? PX_SIDE_SELL : PX_SIDE_BUY;
    event.venue_id = t->trade_id;
    binance_number_trade(b->dialect, id == 'a', &event);
    event.trade_id = field(o, id)->text.at;
    event.trade_id_len = (uint32_t)field(o, id)->text.len;
    decode_give(&b->d, &event);
    return 0;
}

static int take_trade(struct binance *b, const struct object *o)
{
    return take_trade_with(b, o, 't');
}

static int take_aggregate(struct binance *b, const struct object *o)
{
    return take_trade_with(b, o, 'a');
}

static int take_prices(struct binance *b, const struct object *o, struct px_quote *q)
{
    struct refusal *r = &b->d.refusal;
    int rc = field_decimal(r, field(o, 'b'), "bid", &q->bid);
    if (rc == 0)
        rc = field_decimal(r, field(o, 'B'), "bid size", &q->bid_size);
    if (rc == 0)
        rc = field_decimal(r, field(o, 'a'), "ask", &q->ask);
    if (rc == 0)
        rc = field_decimal(r, field(o, 'A'), "ask size", &q->ask_size);
    return rc;
}

/* bookTicker: without any time on spot; futures have T, of the matching engine, and E. */
static int take_quote(struct binance *b, const struct object *o)
{
    struct refusal *r = &b->d.refusal;
    struct venue_event event = {.type = VENUE_QUOTE};
    int rc = decode_symbol(&b->d, field(o, 's'), "symbol (s)", &event);
    if (rc == 0)
        rc = field_id(r, field(o, 'u'), "update id", &event.venue_id);
    if (rc == 0)
        rc = take_prices(b, o, &event.u.quote);
    const struct json_item *time = field(o, 'T') != NULL ? field(o, 'T') : field(o, 'E');
    if (rc == 0 && time != NULL)
        rc = field_time(r, time, "time", &event.exch_ns);
    if (rc == 0)
        decode_give(&b->d, &event);
    return rc;
}

/* A full ticker restates the best bid and ask on spot; that of futures leaves all four out. */
static int take_ticker_with(struct binance *b, const struct object *o, bool with_quote)
{
    struct refusal *r = &b->d.refusal;
    struct venue_event event = {.type = VENUE_TICKER};
    struct venue_event quote = {.type = VENUE_QUOTE, .derived = true};
    int rc = decode_symbol(&b->d, field(o, 's'), "symbol (s)", &event);
    if (rc != 0 || (rc = field_time(r, field(o, 'E'), "event time", &event.exch_ns)) != 0 ||
        (rc = field_decimal(r, field(o, 'c'), "last price", &event.u.ticker.last)) != 0 ||
        (rc = field_decimal(r, field(o, 'o'), "open price", &event.u.ticker.open)) != 0 ||
        (rc = field_decimal(r, field(o, 'h'), "high price", &event.u.ticker.high)) != 0 ||
        (rc = field_decimal(r, field(o, 'l'), "low price", &event.u.ticker.low)) != 0)
        return rc;
    with_quote = with_quote && (o->seen & QUOTE_PRICES) != 0;
    if (with_quote && (rc = take_prices(b, o, &quote.u.quote)) != 0)
        return rc;
    decode_give(&b->d, &event);
    if (with_quote) {
        quote.symbol = event.symbol;
        quote.symbol_len = event.symbol_len;
        quote.exch_ns = event.exch_ns;
        decode_give(&b->d, &quote);
    }
    return 0;
}

static int take_ticker(struct binance *b, const struct object *o)
{
    return take_ticker_with(b, o, true);
}

static int take_mini_ticker(struct binance *b, const struct object *o)
{
    return take_ticker_with(b, o, false);
}

static int take_shutdown(struct binance *b, const struct object *o)
{
    (void)o;
    decode_give_type(&b->d, VENUE_PLANNED_END);
    return 0;
}

/* What "e" can say and means something here. */
static const struct event_kind {
    const char *name;
    int (*take)(struct binance *b, const struct object *o);
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
static int kind_of(struct binance *b, const struct object *o, struct json_text stream,
                   const struct event_kind **ret)
{
    struct json_text name;
    *ret = NULL;
    if (field(o, 'e') == NULL) {
        if (is_quote(o, stream))
            *ret = &event_kinds[KIND_QUOTE];
        return 0;
    }
    int rc = field_text(&b->d.refusal, field(o, 'e'), "event type (e)", &name);
    for (size_t i = 0; rc == 0 && i < sizeof event_kinds / sizeof event_kinds[0]; i++)
        if (decode_is(name, event_kinds[i].name, strlen(event_kinds[i].name)))
            *ret = &event_kinds[i];
    return rc;
}

static int refuse_twice(struct binance *b, uint64_t twice)
{
    unsigned slot = (unsigned)__builtin_ctzll(twice);
    char letter[2] = {(char)(slot < SLOT_LOWER ? 'A' + slot : 'a' + slot - SLOT_LOWER), '\0'};
    return refuse(&b->d.refusal, REFUSED_TWICE, "field %s is given twice",
                  slot < SLOT_STREAM ? letter : words[slot - SLOT_STREAM].name);
}

/* One event: all that it gives, one refusal, or the word that it is none of ours. */
static int take_object(struct binance *b, const struct object *o, struct json_text stream)
{
    const struct event_kind *kind;
    b->d.refusal = (struct refusal){0};
    int rc = kind_of(b, o, stream, &kind);
    if (rc == 0 && (o->twice & BIT(LETTER('e'))) != 0)
        rc = refuse_twice(b, o->twice);
    if (rc == 0 && kind == NULL) {
        decode_give_type(&b->d, VENUE_IGNORED);
        return 0;
    }
    if (rc == 0) {
        b->d.refusal.what = kind->name;
        rc = o->twice != 0 ? refuse_twice(b, o->twice) : kind->take(b, o);
    }
    return rc != 0 ? decode_give_refusal(&b->d) : 0;
}

/* The elements of the array that was given last, each by itself. */
static int take_elements(struct binance *b, struct json_text stream)
{
    struct object o;
    struct json_item item;
    int rc = json_enter(b->d.json), before = b->d.events;
    while (rc == 0 && (rc = json_next(b->d.json, &item)) == 1) {
        rc = 0;
        if (item.type != JSON_OBJECT) {
            decode_give_type(&b->d, VENUE_IGNORED);
        } else if ((rc = json_enter(b->d.json)) == 0 &&
                   (rc = read_object(b->d.json, &o, NULL)) == 0) {
            take_object(b, &o, stream);
        }
    }
    if (rc == 0 && b->d.events == before)
        decode_give_type(&b->d, VENUE_IGNORED);
    return rc;
}

/* Once more from the start, to the array that is the document or stands in its "data". The first
 * walk has shown that the whole is sound. */
static int take_array(struct binance *b, struct json_text stream)
{
    struct json_item item;
    int rc = json_rewind(b->d.json, &item);
    if (rc == 0 && item.type == JSON_OBJECT) {
        rc = json_enter(b->d.json);
        while (rc == 0 && (rc = json_next(b->d.json, &item)) == 1 && !DECODE_IS(item.key, "data"))
            rc = 0;
        rc = rc == 1 ? 0 : rc;
    }
    if (rc == 0)
        rc = take_elements(b, stream);
    return rc != 0 ? decode_refuse_json(&b->d) : 0;
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
static int give_words(struct binance *b, const struct object *root, const struct object *o)
{
    const struct json_item *msg = word(o, SLOT_MSG), *code = word(o, SLOT_CODE);
    struct json_text text = {"refused without a word", 22};
    if (msg != NULL && msg->type == JSON_STRING)
        text = msg->text;
    else if (code != NULL && code->type == JSON_NUMBER)
        text = code->text;
    decode_give(&b->d, &(struct venue_event){.type = VENUE_REFUSED,
                                             .request = request_of(root),
                                             .text = text.at,
                                             .text_len = (uint32_t)text.len});
    return 0;
}

/* An object without "data": an event, or an answer. */
static int take_root(struct binance *b, const struct object *root, const struct object *inner)
{
    const struct json_item *result = word(root, SLOT_RESULT), *error = word(root, SLOT_ERROR);
    const struct json_text none = {"", 0};
    if (field(root, 'e') != NULL || is_quote(root, none))
        return take_object(b, root, none);
    if (error != NULL && error->type == JSON_OBJECT)
        return give_words(b, root, inner);
    if (error != NULL || (word(root, SLOT_CODE) != NULL && word(root, SLOT_MSG) != NULL))
        return give_words(b, root, root);
    if (result != NULL && result->type == JSON_NULL)
        decode_give(&b->d, &(struct venue_event){.type = VENUE_ACK, .request = request_of(root)});
    else
        decode_give_type(&b->d, VENUE_IGNORED);
    return 0;
}

static int take_envelope(struct binance *b, const struct object *root, const struct object *inner)
{
    const uint64_t envelope = root->twice & ~(BIT(SLOT_STREAM) - 1);
    const struct json_item *data = word(root, SLOT_DATA);
    struct json_text stream = {"", 0};
    b->d.refusal = (struct refusal){0};
    if (envelope != 0)
        return refuse_twice(b, envelope), decode_give_refusal(&b->d);
    if (word(root, SLOT_STREAM) != NULL &&
        field_text(&b->d.refusal, word(root, SLOT_STREAM), "stream", &stream) != 0)
        return decode_give_refusal(&b->d);
    if (data == NULL)
        return take_root(b, root, inner);
    if (data->type == JSON_OBJECT)
        return take_object(b, inner, stream);
    if (data->type == JSON_ARRAY)
        return take_array(b, stream);
    decode_give_type(&b->d, VENUE_IGNORED);
    return 0;
}

static int read_frame(struct binance *b, const char *frame, size_t len)
{
    struct object root, inner;
    struct json_item item;
    int rc = json_open(b->d.json, frame, len, &item);
    inner.seen = inner.twice = 0;
    if (rc == 0 && item.type == JSON_OBJECT && (rc = json_enter(b->d.json)) == 0)
        rc = read_object(b->d.json, &root, &inner);
    if (rc == 0)
        rc = json_finish(b->d.json);
    if (rc != 0)
        return decode_refuse_json(&b->d);
    if (item.type == JSON_OBJECT)
        return take_envelope(b, &root, &inner);
    if (item.type == JSON_ARRAY)
        return take_array(b, (struct json_text){"", 0});
    decode_give_type(&b->d, VENUE_IGNORED);
    return 0;
}

int binance_read(struct json *json, const char *frame, size_t len, const struct venue_sink *sink,
                 const struct binance_dialect *dialect)
{
    struct binance b = {.d = decode_start(json, sink, dialect->name), .dialect = dialect};
    return decode_end(&b.d, read_frame(&b, frame, len));
}
