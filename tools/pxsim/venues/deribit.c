/* Deribit. After docs.deribit.com and, where the wire says more, after recordings: a result lists
 * what was accepted, in an order of its own; what does not exist is left out without a word. */
#include <stdio.h>
#include <string.h>

#include "json.h"
#include "text.h"
#include "venue.h"

#define NS_PER_S        1000000000ULL
#define NAME_MAX        64 /* "book.XRP_USDC-10NOV23-0d4625-C.100ms" */
#define CONNECTIONS_MAX 32 /* of one address: of all that are open, here */
#define CREDITS_MAX     30000
#define CREDITS_PER_S   10000
#define CREDITS_EACH    3000 /* subscribe messages; what others cost is far less */
#define BEAT_MIN_S      10
#define TEST_ANSWER_S   2 /* "immediately" */

/* Of session.state. TESTED_NS: when the test_request went out that is not answered yet. */
enum { CREDITS, CREDITS_NS, BEAT_S, BEAT_NS, TESTED_NS };

static const struct {
    const char *head, *tail;
    enum stream_kind kind;
} channels[] = {
    {"trades.", ".100ms", STREAM_TRADE},
    {"quote.", "", STREAM_QUOTE},
    {"ticker.", ".100ms", STREAM_TICKER},
    {"book.", ".100ms", STREAM_DEPTH_100MS},
};
#define CHANNELS (sizeof channels / sizeof channels[0])

/* ---- what the channels tell ---- */

/* A float in its shortest spelling: "1054.0", "0.2325", "2.2e3". */
static void put_number(struct text *t, const char *before, int64_t value)
{
    char digits[32];
    struct text d = text_into(digits, sizeof digits);
    bool round = value >= 1000 * MARKET_UNIT && value % (100 * MARKET_UNIT) == 0;
    text_decimal(&d, value, round ? 0 : 8);
    size_t len = text_len(&d), places = len - 1;
    while (len > 1 && digits[len - 1] == '0' && (round || digits[len - 2] != '.'))
        len--;
    text_put(t, before);
    text_bytes(t, digits, round ? 1 : len);
    if (!round)
        return;
    text_put(t, ".");
    text_bytes(t, len > 1 ? digits + 1 : "0", len > 1 ? len - 1 : 1);
    text_put(t, "e");
    text_int(t, (int64_t)places);
}

static void put_int(struct text *t, const char *before, int64_t value)
{
    text_put(t, before);
    text_int(t, value);
}

/* Of inverse contracts ("BTC-PERPETUAL") in dollars, by tens; of others in the base currency. */
static int64_t amount(const struct market *m, int64_t price, int64_t qty)
{
    const int64_t step = 10 * MARKET_UNIT;
    if (qty == 0 || strchr(m->name, '_') != NULL)
        return qty;
    return (market_value(price, qty) / step + 1) * step;
}

static void put_head(struct text *t, const char *channel)
{
    text_put(t, "{\"jsonrpc\":\"2.0\",\"method\":\"subscription\",\"params\":{\"channel\":\"");
    text_put(t, channel);
    text_put(t, "\",\"data\":");
}

static void put_name(struct text *t, const struct market *m)
{
    text_put(t, ",\"instrument_name\":\"");
    text_put(t, m->name);
    text_put(t, "\"");
}

static void put_time(struct text *t, const char *before, struct sim_time now)
{
    put_int(t, before, (int64_t)(now.real_us / 1000));
}

/* trade_seq counts the trades of the instrument, trade_id those of the currency. */
static void put_past(struct text *t, const struct instrument *i, const struct past_trade *p)
{
    const struct market *m = &i->market;
    put_int(t, "{\"trade_seq\":", (int64_t)p->trade.id);
    text_put(t, ",\"trade_id\":\"");
    text_bytes(t, m->name, strcspn(m->name, "-_"));
    put_int(t, "-", (int64_t)p->trade.id + 1000000);
    put_int(t, "\",\"timestamp\":", (int64_t)(p->real_us / 1000));
    text_put(t, ",\"tick_direction\":1");
    put_number(t, ",\"price\":", p->trade.price);
    put_number(t, ",\"mark_price\":", p->trade.price);
    put_name(t, m);
    put_number(t, ",\"index_price\":", p->trade.price);
    text_put(t, p->trade.buyer_is_maker ? ",\"direction\":\"sell\"" : ",\"direction\":\"buy\"");
    put_number(t, ",\"amount\":", amount(m, p->trade.price, p->trade.qty));
    text_put(t, "}");
}

static void put_trade(struct text *t, const struct hub_event *ev)
{
    const struct past_trade now = {ev->instrument->market.trade, ev->now.real_us};
    text_put(t, "[");
    put_past(t, ev->instrument, &now);
    text_put(t, "]");
}

static void put_best(struct text *t, const struct market *m)
{
    const struct market_book *b = &m->book;
    put_number(t, ",\"best_bid_price\":", b->bid);
    put_number(t, ",\"best_bid_amount\":", amount(m, b->bid, b->bid_qty[0]));
    put_number(t, ",\"best_ask_price\":", b->ask);
    put_number(t, ",\"best_ask_amount\":", amount(m, b->ask, b->ask_qty[0]));
}

static void put_quote(struct text *t, const struct hub_event *ev)
{
    put_time(t, "{\"timestamp\":", ev->now);
    put_name(t, &ev->instrument->market);
    put_best(t, &ev->instrument->market);
    text_put(t, "}");
}

static void put_ticker(struct text *t, const struct hub_event *ev)
{
    const struct market *m = &ev->instrument->market;
    int64_t change = (m->trade.price - m->open) * 10000 / m->open; /* in 1/100 per cent */
    put_time(t, "{\"timestamp\":", ev->now);
    put_number(t, ",\"stats\":{\"volume\":", m->volume);
    text_put(t, ",\"price_change\":");
    text_decimal(t, change * (MARKET_UNIT / 100), 4);
    put_number(t, ",\"low\":", m->low);
    put_number(t, ",\"high\":", m->high);
    put_number(t, "},\"state\":\"open\",\"settlement_price\":", m->open);
    put_number(t, ",\"open_interest\":", m->volume / 4);
    put_number(t, ",\"min_price\":", m->low);
    put_number(t, ",\"max_price\":", m->high);
    put_number(t, ",\"mark_price\":", m->trade.price);
    put_number(t, ",\"last_price\":", m->trade.price);
    put_name(t, m);
    put_number(t, ",\"index_price\":", m->trade.price);
    put_best(t, m);
    text_put(t, "}");
}

/* Is there a level of this price in the book? */
static bool has_level(const struct market *m, const struct market_book *book, enum market_side side,
                      int64_t price)
{
    struct market_level l[MARKET_LEVELS];
    size_t n = market_levels(m, book, side, MARKET_LEVELS, l);
    for (size_t i = 0; i < n; i++)
        if (l[i].price == price)
            return true;
    return false;
}

/* ["new", price, amount], or a change of what the book `was`; NULL: all are new. */
static void put_side(struct text *t, const struct market *m, const struct market_book *was,
                     const struct market_book *is, enum market_side side)
{
    struct market_level l[2 * MARKET_LEVELS];
    size_t n = was != NULL ? market_changes(m, was, side, MARKET_LEVELS, l)
                           : market_levels(m, is, side, MARKET_LEVELS, l);
    text_put(t, side == MARKET_BIDS ? ",\"bids\":[" : ",\"asks\":[");
    for (size_t i = 0; i < n; i++) {
        bool known = was != NULL && has_level(m, was, side, l[i].price);
        text_put(t, i == 0 ? "[\"" : ",[\"");
        text_put(t, l[i].qty == 0 ? "delete\"" : known ? "change\"" : "new\"");
        put_number(t, ",", l[i].price);
        put_number(t, ",", amount(m, l[i].price, l[i].qty));
        text_put(t, "]");
    }
    text_put(t, "]");
}

/* A snapshot of `is` if there was none before, else what makes the present book of it. */
static void put_book(struct text *t, const struct market *m, const struct market_book *was,
                     const struct market_book *is, struct sim_time now)
{
    put_time(t,
             was == NULL ? "{\"type\":\"snapshot\",\"timestamp\":"
                         : "{\"type\":\"change\",\"timestamp\":",
             now);
    if (was != NULL)
        put_int(t, ",\"prev_change_id\":", (int64_t)was->update_id);
    put_name(t, m);
    put_int(t, ",\"change_id\":", (int64_t)is->update_id);
    put_side(t, m, was, is, MARKET_BIDS);
    put_side(t, m, was, is, MARKET_ASKS);
    text_put(t, "}");
}

static size_t deribit_write(const struct stream *st, const struct hub_event *ev, char *buf,
                            size_t room)
{
    const struct market *m = &ev->instrument->market;
    struct text t = text_into(buf, room);
    put_head(&t, st->name);
    if (st->kind == STREAM_TRADE)
        put_trade(&t, ev);
    else if (st->kind == STREAM_QUOTE)
        put_quote(&t, ev);
    else if (st->kind == STREAM_TICKER)
        put_ticker(&t, ev);
    else
        put_book(&t, m, ev->before, &m->book, ev->now);
    text_put(&t, "}}");
    return text_len(&t);
}

/* What a new subscriber is told at once: the state, where the channel is one of states. */
static void tell_first(struct session *s, const struct stream *st)
{
    char buf[8192];
    struct text t = text_into(buf, sizeof buf);
    if (st->instrument == NULL || st->kind == STREAM_TRADE)
        return;
    const struct hub_event event = {.instrument = st->instrument, .now = s->now, .kind = st->kind};
    const struct market_book *told = hub_told(st);
    size_t len = 0;
    if (told == NULL) {
        len = deribit_write(st, &event, buf, sizeof buf);
    } else {
        put_head(&t, st->name);
        put_book(&t, &st->instrument->market, NULL, told, s->now);
        text_put(&t, "}}");
        len = text_len(&t);
    }
    s->send(s, buf, len, true);
}

/* ---- what the client says ---- */

struct request {
    struct json id; /* goes back with the answer */
    struct json params;
};

static void put_answer(struct text *t, const struct request *r)
{
    text_put(t, "{\"jsonrpc\":\"2.0\",");
    if (r == NULL || r->id.len == 0)
        return;
    text_put(t, "\"id\":");
    text_bytes(t, r->id.at, r->id.len);
    text_put(t, ",");
}

static void end_answer(struct session *s, struct text *t, const char *buf)
{
    put_int(t, ",\"usIn\":", (int64_t)s->now.real_us);
    put_int(t, ",\"usOut\":", (int64_t)s->now.real_us + 180);
    text_put(t, ",\"usDiff\":180,\"testnet\":false}");
    s->send(s, buf, text_len(t), false);
}

static void fail(struct session *s, const struct request *r, int code, const char *message)
{
    char buf[512];
    struct text t = text_into(buf, sizeof buf);
    put_answer(&t, r);
    text_put(&t, "\"error\":{\"message\":\"");
    text_put(&t, message);
    put_int(&t, "\",\"code\":", code);
    text_put(&t, "}");
    end_answer(s, &t, buf);
}

static void succeed(struct session *s, const struct request *r, const char *result)
{
    char buf[512];
    struct text t = text_into(buf, sizeof buf);
    put_answer(&t, r);
    text_put(&t, "\"result\":");
    text_put(&t, result);
    end_answer(s, &t, buf);
}

/* The symbol and kind that a channel names; false: there is no such channel. */
static bool channel_of(const struct session *s, const char *name, char symbol[NAME_MAX],
                       enum stream_kind *kind)
{
    size_t len = strlen(name);
    for (size_t i = 0; i < CHANNELS; i++) {
        size_t head = strlen(channels[i].head), tail = strlen(channels[i].tail);
        if (len <= head + tail || strncmp(name, channels[i].head, head) != 0 ||
            strcmp(name + len - tail, channels[i].tail) != 0)
            continue;
        snprintf(symbol, NAME_MAX, "%.*s", (int)(len - head - tail), name + head);
        *kind = channels[i].kind;
        return s->silent || hub_instrument(s->hub, symbol) != NULL;
    }
    return false;
}

static bool take_channel(struct session *s, const char *name, bool on)
{
    char symbol[NAME_MAX];
    enum stream_kind kind;
    if (!on)
        return hub_unsubscribe(s, name) == 0;
    return channel_of(s, name, symbol, &kind) && hub_subscribe(s, name, kind, 0, symbol) >= 0;
}

static bool is_raw(const char *name)
{
    size_t len = strlen(name);
    return len > 4 && strcmp(name + len - 4, ".raw") == 0;
}

/* Names of the array, or false when the request was refused. */
static bool check_channels(struct session *s, const struct request *r, struct json list, bool on)
{
    struct json item;
    size_t cursor = 0;
    char name[NAME_MAX];
    if (list.len == 0 || list.at[0] != '[') {
        fail(s, r, -32602, "Invalid params");
        return false;
    }
    while (json_next(list, &cursor, &item)) {
        if (item.at[0] != '"') {
            fail(s, r, -32602, "Invalid params");
            return false;
        }
        if (on && json_text(item, name, sizeof name) >= 0 && is_raw(name)) {
            fail(s, r, 13778, "raw_subscriptions_not_available_for_unauthorized");
            return false;
        }
    }
    return true;
}

static void on_channels(struct session *s, const struct request *r, bool on)
{
    char buf[1 << 17];
    struct json list = json_member(r->params, "channels"), item;
    size_t cursor = 0, before = s->count;
    char name[NAME_MAX];
    const char *comma = "";
    struct text t = text_into(buf, sizeof buf);
    if (!check_channels(s, r, list, on))
        return;
    put_answer(&t, r);
    text_put(&t, "\"result\":[");
    while (json_next(list, &cursor, &item)) {
        if (json_text(item, name, sizeof name) < 0 || !take_channel(s, name, on))
            continue;
        text_put(&t, comma);
        text_bytes(&t, item.at, item.len);
        comma = ",";
    }
    text_put(&t, "]");
    end_answer(s, &t, buf);
    for (size_t i = before; i < s->count; i++)
        tell_first(s, s->streams[i]);
    hub_settle(s->hub, s->now.mono_ns);
}

/* Out of credits the session is over. */
static void on_subscribe(struct session *s, const struct request *r)
{
    uint64_t gained = (s->now.mono_ns - s->state[CREDITS_NS]) / (NS_PER_S / CREDITS_PER_S);
    uint64_t credits = s->state[CREDITS] + gained;
    s->state[CREDITS] = credits < CREDITS_MAX ? credits : CREDITS_MAX;
    s->state[CREDITS_NS] = s->now.mono_ns;
    if (s->state[CREDITS] < CREDITS_EACH) {
        fail(s, r, 10028, "too_many_requests");
        s->close(s, 1008, "too_many_requests"); /* the code is assumed */
        return;
    }
    s->state[CREDITS] -= CREDITS_EACH;
    on_channels(s, r, true);
}

static void on_unsubscribe(struct session *s, const struct request *r)
{
    on_channels(s, r, false);
}

static void on_set_heartbeat(struct session *s, const struct request *r)
{
    struct json interval = json_member(r->params, "interval");
    unsigned seconds = 0;
    for (size_t i = 0; i < interval.len && seconds < 100000; i++)
        seconds = interval.at[i] >= '0' && interval.at[i] <= '9'
                      ? seconds * 10 + (unsigned)(interval.at[i] - '0')
                      : 0;
    if (seconds < BEAT_MIN_S) {
        fail(s, r, -32602, "Invalid params");
        return;
    }
    s->state[BEAT_S] = seconds;
    s->state[BEAT_NS] = s->now.mono_ns;
    succeed(s, r, "\"ok\"");
}

static void on_disable_heartbeat(struct session *s, const struct request *r)
{
    s->state[BEAT_S] = s->state[TESTED_NS] = 0;
    succeed(s, r, "\"ok\"");
}

static void on_test(struct session *s, const struct request *r)
{
    s->state[TESTED_NS] = 0;
    succeed(s, r, "{\"version\":\"1.2.26\"}");
}

static const struct {
    const char *name;
    void (*on)(struct session *s, const struct request *r);
} methods[] = {
    {"public/subscribe", on_subscribe},
    {"public/unsubscribe", on_unsubscribe},
    {"public/set_heartbeat", on_set_heartbeat},
    {"public/disable_heartbeat", on_disable_heartbeat},
    {"public/test", on_test},
};

static void deribit_text(struct session *s, const char *text, size_t len)
{
    struct json root;
    struct json_error wrong;
    char method[64];
    if (json_parse(text, len, &root, &wrong) < 0) {
        fail(s, NULL, -32700, "Parse error");
        return;
    }
    if (root.at[0] != '{' || json_text(json_member(root, "method"), method, sizeof method) < 0) {
        fail(s, NULL, -32600, "Invalid Request");
        return;
    }
    const struct request r = {json_member(root, "id"), json_member(root, "params")};
    for (size_t i = 0; i < sizeof methods / sizeof methods[0]; i++)
        if (strcmp(method, methods[i].name) == 0) {
            methods[i].on(s, &r);
            return;
        }
    fail(s, &r, -32601, "Method not found");
}

/* ---- by the clock ---- */

static void say_beat(struct session *s, const char *type)
{
    char buf[128];
    struct text t = text_into(buf, sizeof buf);
    text_put(&t, "{\"jsonrpc\":\"2.0\",\"method\":\"heartbeat\",\"params\":{\"type\":\"");
    text_put(&t, type);
    text_put(&t, "\"}}");
    s->send(s, buf, text_len(&t), false);
}

static void deribit_second(struct session *s)
{
    uint64_t now = s->now.mono_ns;
    if (s->state[TESTED_NS] != 0 && now - s->state[TESTED_NS] >= TEST_ANSWER_S * NS_PER_S) {
        s->close(s, 1000, ""); /* the code is assumed */
        return;
    }
    if (s->state[BEAT_S] == 0 || now - s->state[BEAT_NS] < s->state[BEAT_S] * NS_PER_S)
        return;
    s->state[BEAT_NS] = s->state[TESTED_NS] = now;
    say_beat(s, "heartbeat");
    say_beat(s, "test_request");
}

static int deribit_open(struct session *s, char *target)
{
    unsigned others = 0;
    for (const struct session *at = hub_sessions(s->hub); at != NULL; at = at->next)
        others += at != s;
    s->state[CREDITS] = CREDITS_MAX;
    s->state[CREDITS_NS] = s->now.mono_ns;
    target[strcspn(target, "?")] = '\0';
    if (strcmp(target, "/ws/api/v2") != 0)
        return 404;
    return others < CONNECTIONS_MAX ? 0 : 429;
}

/* "BTC-PERPETUAL", "ETH-25JUN21-2000-C", "BTC_USDC-PERPETUAL", "ETH_USDT" */
static bool deribit_is_symbol(const char *name)
{
    size_t len = strspn(name, "ABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_d");
    return name[len] == '\0' && len >= 5 && len <= 39 && strpbrk(name, "-_") != NULL &&
           strchr("-_", name[0]) == NULL && strchr("-_", name[len - 1]) == NULL;
}

static size_t deribit_spell(const char *base, const char *quote, char *out, size_t cap)
{
    int len = snprintf(out, cap, "%s_%s", base, quote);
    return (size_t)len < cap && deribit_is_symbol(out) ? (size_t)len : 0;
}

/* Futures of the pair itself, and inverse ones, which are named after the currency alone. Options
 * cost what they cost. */
static bool deribit_is_contract_on(const char *name, const char *pair)
{
    size_t base = strcspn(pair, "_"), len = strlen(pair), head = strcspn(name, "-");
    if (name[head] == '\0' || strchr(name + head + 1, '-') != NULL)
        return false;
    bool inverse = head == base && strcmp(pair + base, "_USDT") == 0;
    return (inverse || head == len) && strncmp(name, pair, head) == 0;
}

static int deribit_history(struct hub *hub, const struct rest_request *r, struct text *body)
{
    char name[MARKET_NAME];
    uint64_t first, last, count;
    if (strcmp(r->path, "/api/v2/public/get_last_trades_by_instrument") != 0)
        return 404;
    struct instrument *i =
        rest_text(r, "instrument_name", name, sizeof name) ? hub_instrument(hub, name) : NULL;
    if (i == NULL || !rest_number(r, "count", 10, &count) || count > REST_PAGE ||
        !rest_number(r, "start_seq", i->market.trade.id, &first) ||
        !rest_number(r, "end_seq", i->market.trade.id, &last) || last < first)
        return 400;
    text_put(body, "{\"jsonrpc\":\"2.0\",\"result\":{\"trades\":[");
    rest_trades(i, first, last - first < count ? last : first + count - 1, body, put_past);
    text_put(body, "],\"has_more\":false},\"usIn\":1,\"usOut\":2,\"usDiff\":1,\"testnet\":false}");
    return 200;
}

const struct sim_venue sim_venue_deribit = {
    .name = "deribit",
    .open = deribit_open,
    .text = deribit_text,
    .second = deribit_second,
    .write = deribit_write,
    .history = deribit_history,
    .is_symbol = deribit_is_symbol,
    .is_contract_on = deribit_is_contract_on,
    .spell = deribit_spell,
};
