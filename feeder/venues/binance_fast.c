/* The usual frames by position. See binance_fast.h.
 *
 * Every byte of the frame is compared or parsed, so that nothing is taken for granted that simdjson
 * would have to check. What is not of the usual form (other order, spaces, escapes, letters beyond
 * ASCII, exponents, signs, long numbers) is left to the general path. */
#include "binance_fast.h"

#include <string.h>

#include "digits.h"
#include "field.h"

/* Where the scan stands. `ok` turns false for good; each step first makes sure that it starts
 * inside the frame, so that no step reads further behind it than its own length. */
struct scan {
    const char *at, *end;
    bool ok;
};

#define STEP_MAX 56 /* bytes that one step reads: a symbol and the word behind it */
_Static_assert(STEP_MAX <= VENUE_PADDING && DIGITS_AHEAD <= STEP_MAX &&
                   PX_SYMBOL_MAX + 8 <= STEP_MAX,
               "no step reads behind the padding");

static inline bool inside(struct scan *s)
{
    s->ok = s->ok && s->at < s->end;
    return s->ok;
}

static inline bool is_text(struct scan *s, const char *text, size_t len)
{
    return inside(s) && memcmp(s->at, text, len) == 0;
}

/* Accept these characters, nothing else. */
static inline void expect_text(struct scan *s, const char *text, size_t len)
{
    s->ok = is_text(s, text, len);
    s->at += s->ok ? len : 0;
}
#define EXPECT(s, text) expect_text((s), (text), sizeof(text) - 1)

/* The same, where something else may stand there as well. */
static inline bool accept_text(struct scan *s, const char *text, size_t len)
{
    bool is = is_text(s, text, len);
    s->at += is ? len : 0;
    return is;
}
#define ACCEPT(s, text) accept_text((s), (text), sizeof(text) - 1)

/* A JSON integer of at most DIGITS_MAX digits. */
static inline uint64_t take_integer(struct scan *s)
{
    uint64_t value = 0;
    if (!inside(s))
        return 0;
    unsigned n = digits_take(s->at, &value);
    s->ok = n > 0 && n <= DIGITS_MAX && (s->at[0] != '0' || n == 1);
    s->at += n;
    return value;
}

static inline int64_t take_time(struct scan *s)
{
    int64_t ns = field_time_ns(take_integer(s));
    s->ok = s->ok && ns != 0;
    return ns;
}

/* Digits, a point, digits, and the quote that ends them; or without point and fraction. */
static inline struct px_decimal take_decimal(struct scan *s)
{
    const char *start = s->at;
    uint64_t value = take_integer(s);
    unsigned whole = (unsigned)(s->at - start), decimals = 0;
    if (s->ok && *s->at == '.') {
        decimals = digits_take(s->at + 1, &value);
        s->ok = decimals > 0 && whole + decimals <= DIGITS_MAX;
        s->at += 1 + decimals;
    }
    EXPECT(s, "\"");
    return (struct px_decimal){.mantissa = (int64_t)value, .exponent = -(int32_t)decimals};
}

static inline bool take_bool(struct scan *s)
{
    if (ACCEPT(s, "true"))
        return true;
    EXPECT(s, "false");
    return false;
}

/* Plain characters up to the quote, which is left. */
static inline size_t take_plain(struct scan *s, size_t max)
{
    if (!inside(s))
        return 0;
    size_t n = digits_plain(s->at, max);
    s->ok = n > 0 && s->at[n] == '"';
    s->at += n;
    return n;
}

/* Behind the comma in front of it; the quote that ends it is left. */
static inline void take_symbol(struct scan *s, size_t native_max, struct venue_event *event)
{
    EXPECT(s, "\"s\":\"");
    event->symbol = s->at;
    event->symbol_len = (uint16_t)take_plain(s, native_max);
}

static inline void take_trade_id(struct scan *s, struct venue_event *event)
{
    event->trade_id = s->at;
    event->u.trade.trade_id = event->venue_id = take_integer(s);
    event->trade_id_len = (uint32_t)(s->at - event->trade_id);
}

/* Symbol and id, in the order of spot or, of aggregated trades, that of futures; up to the price.
 */
static inline void take_head(struct scan *s, bool aggregate, size_t native_max,
                             struct venue_event *event)
{
    if (aggregate && ACCEPT(s, "\"a\":")) {
        take_trade_id(s, event);
        EXPECT(s, ",");
        take_symbol(s, native_max, event);
        EXPECT(s, "\"");
    } else {
        take_symbol(s, native_max, event);
        if (aggregate)
            EXPECT(s, "\",\"a\":");
        else
            EXPECT(s, "\",\"t\":");
        take_trade_id(s, event);
    }
}

/* Order ids of buyer and seller, which the venue wrote in earlier years: recordings have them. */
static inline void skip_order_ids(struct scan *s)
{
    if (!ACCEPT(s, ",\"b\":"))
        return;
    take_integer(s);
    EXPECT(s, ",\"a\":");
    take_integer(s);
}

/* The size without orders of retail price improvement, of futures; and the ids of the first and
 * last single trade. */
static inline void skip_parts(struct scan *s)
{
    if (ACCEPT(s, ",\"nq\":\""))
        take_decimal(s);
    EXPECT(s, ",\"f\":");
    take_integer(s);
    EXPECT(s, ",\"l\":");
    take_integer(s);
}

/* The type of the symbol, which futures write since 2026. */
static inline void skip_symbol_type(struct scan *s)
{
    if (ACCEPT(s, ",\"st\":"))
        take_integer(s);
}

/* Behind {"e":"trade","E": or {"e":"aggTrade","E": */
static void take_trade(struct scan *s, bool aggregate, size_t native_max, struct venue_event *event)
{
    struct px_trade *t = &event->u.trade;
    take_integer(s);
    EXPECT(s, ",");
    take_head(s, aggregate, native_max, event);
    EXPECT(s, ",\"p\":\"");
    t->price = take_decimal(s);
    EXPECT(s, ",\"q\":\"");
    t->size = take_decimal(s);
    if (aggregate)
        skip_parts(s);
    else
        skip_order_ids(s);
    EXPECT(s, ",\"T\":");
    event->exch_ns = take_time(s);
    EXPECT(s, ",\"m\":");
    event->flags = take_bool(s) ? PX_SIDE_SELL : PX_SIDE_BUY;
    if (ACCEPT(s, ",\"M\":"))
        take_bool(s);
    skip_symbol_type(s);
    event->type = VENUE_TRADE;
    event->consecutive = true;
    event->aggregated = aggregate;
}

/* The pair that futures name beside the symbol; its quote is left, as that of the symbol was. */
static inline void skip_pair(struct scan *s, size_t native_max)
{
    if (ACCEPT(s, "\",\"ps\":\""))
        take_plain(s, native_max);
}

/* Behind {"u": of spot and COIN-M, or {"e":"bookTicker","u": of USD-M, which is `named` then. */
static void take_quote(struct scan *s, bool named, size_t native_max, struct venue_event *event)
{
    struct px_quote *q = &event->u.quote;
    event->venue_id = take_integer(s);
    if (!named)
        ACCEPT(s, ",\"e\":\"bookTicker\"");
    EXPECT(s, ",");
    take_symbol(s, native_max, event);
    skip_pair(s, native_max);
    EXPECT(s, "\",\"b\":\"");
    q->bid = take_decimal(s);
    EXPECT(s, ",\"B\":\"");
    q->bid_size = take_decimal(s);
    EXPECT(s, ",\"a\":\"");
    q->ask = take_decimal(s);
    EXPECT(s, ",\"A\":\"");
    q->ask_size = take_decimal(s);
    if (ACCEPT(s, ",\"T\":")) {
        event->exch_ns = take_time(s);
        EXPECT(s, ",\"E\":");
        take_integer(s);
        skip_symbol_type(s);
    }
    event->type = VENUE_QUOTE;
}

#define STREAM_MAX 48 /* longer names are left to the general path */

bool binance_fast(const char *frame, size_t len, size_t native_max, struct venue_event *event)
{
    struct scan scan = {.at = frame, .end = frame + len, .ok = true}, *s = &scan;
    bool wrapped = ACCEPT(s, "{\"stream\":\"");
    *event = (struct venue_event){0};
    if (wrapped) {
        take_plain(s, STREAM_MAX);
        EXPECT(s, "\",\"data\":");
    }
    bool named = ACCEPT(s, "{\"e\":\"bookTicker\",\"u\":");
    if (named || ACCEPT(s, "{\"u\":"))
        take_quote(s, named, native_max, event);
    else if (ACCEPT(s, "{\"e\":\"trade\",\"E\":"))
        take_trade(s, false, native_max, event);
    else if (ACCEPT(s, "{\"e\":\"aggTrade\",\"E\":"))
        take_trade(s, true, native_max, event);
    else
        return false;
    EXPECT(s, "}");
    if (wrapped)
        EXPECT(s, "}");
    return s->ok && s->at == s->end;
}
