/* OKX, public channels of version 5. After okx.com/docs-v5 and, where the wire says more, after
 * recordings: one answer for each channel, errors in a sentence that names it. */
#include <stdio.h>
#include <string.h>

#include "json.h"
#include "text.h"
#include "venue.h"

#define NS_PER_S    1000000000ULL
#define NAME_MAX    96 /* "bbo-tbt:BTC-USD-220624-100000-C" */
#define ARG_MAX     64
#define IDLE_S      30
#define KEEPALIVE_S 60   /* a book without a change says so */
#define HOUR_MAX    480  /* subscribe, unsubscribe and login, per hour and connection */
#define REPLY_MAX   1024 /* an error repeats the request up to here */

/* Of session.state. */
enum { HEARD_NS, BOOK_NS, HOUR_NS, HOUR_COUNT, CONN_ID };

/* Both books are told of when they change; `levels` of the one that is whole each time. */
#define WHOLE_LEVELS 5

static const struct {
    const char *name;
    enum stream_kind kind;
    unsigned levels;
} channels[] = {
    {"trades", STREAM_TRADE, 0},       {"trades-all", STREAM_TRADE, 0},
    {"bbo-tbt", STREAM_QUOTE, 1},      {"tickers", STREAM_TICKER, 0},
    {"books", STREAM_DEPTH_100MS, 0},  {"books5", STREAM_DEPTH_100MS, WHOLE_LEVELS},
    {"mark-price", STREAM_SILENT, 0},  {"index-tickers", STREAM_SILENT, 0},
    {"price-limit", STREAM_SILENT, 0}, {"funding-rate", STREAM_SILENT, 0},
};
#define CHANNELS (sizeof channels / sizeof channels[0])

/* ---- what the channels tell ---- */

/* As few digits as it takes: "2711.5", "12". */
static void put_number(struct text *t, const char *before, int64_t value, const char *behind)
{
    char digits[32];
    struct text d = text_into(digits, sizeof digits);
    text_decimal(&d, value, 8);
    size_t len = text_len(&d);
    while (len > 0 && digits[len - 1] == '0')
        len--;
    if (len > 0 && digits[len - 1] == '.')
        len--;
    text_put(t, before);
    text_bytes(t, digits, len);
    text_put(t, behind);
}

static void put_int(struct text *t, const char *before, int64_t value, const char *behind)
{
    text_put(t, before);
    text_int(t, value);
    text_put(t, behind);
}

/* The stream's name is "channel:instId". */
static void put_arg(struct text *t, const char *channel, const char *symbol)
{
    text_put(t, "\"arg\":{\"channel\":\"");
    text_json(t, channel, strlen(channel));
    text_put(t, "\",\"instId\":\"");
    text_json(t, symbol, strlen(symbol));
    text_put(t, "\"}");
}

static void put_stream_arg(struct text *t, const struct stream *st)
{
    const char *colon = strchr(st->name, ':');
    text_put(t, "\"arg\":{\"channel\":\"");
    text_bytes(t, st->name, (size_t)(colon - st->name));
    text_put(t, "\",\"instId\":\"");
    text_put(t, colon + 1);
    text_put(t, "\"}");
}

static void put_time(struct text *t, struct sim_time now)
{
    put_int(t, "\"ts\":\"", (int64_t)(now.real_us / 1000), "\"");
}

/* [price, size, "0", orders]: the third is what is left of an old field. */
static void put_levels(struct text *t, const char *key, const struct market_level *l, size_t count)
{
    text_put(t, key);
    for (size_t i = 0; i < count; i++) {
        put_number(t, i == 0 ? "[\"" : ",[\"", l[i].price, "\",");
        put_number(t, "\"", l[i].qty, l[i].qty == 0 ? "\",\"0\",\"0\"]" : "\",\"0\",\"1\"]");
    }
    text_put(t, "]");
}

static void put_trade(struct text *t, const struct hub_event *ev)
{
    const struct market *m = &ev->instrument->market;
    text_put(t, "{\"instId\":\"");
    text_put(t, m->name);
    put_int(t, "\",\"tradeId\":\"", (int64_t)m->trade.id, "\"");
    put_number(t, ",\"px\":\"", m->trade.price, "\"");
    put_number(t, ",\"sz\":\"", m->trade.qty, "\"");
    text_put(t, m->trade.buyer_is_maker ? ",\"side\":\"sell\"," : ",\"side\":\"buy\",");
    put_time(t, ev->now);
    put_int(t, ",\"count\":\"1\",\"source\":\"0\",\"seqId\":", (int64_t)m->book.update_id, "}");
}

static void put_ticker(struct text *t, const struct hub_event *ev)
{
    const struct market *m = &ev->instrument->market;
    text_put(t, "{\"instType\":\"SPOT\",\"instId\":\"");
    text_put(t, m->name);
    put_number(t, "\",\"last\":\"", m->trade.price, "\"");
    put_number(t, ",\"lastSz\":\"", m->trade.qty, "\"");
    put_number(t, ",\"askPx\":\"", m->book.ask, "\"");
    put_number(t, ",\"askSz\":\"", m->book.ask_qty[0], "\"");
    put_number(t, ",\"bidPx\":\"", m->book.bid, "\"");
    put_number(t, ",\"bidSz\":\"", m->book.bid_qty[0], "\"");
    put_number(t, ",\"open24h\":\"", m->open, "\"");
    put_number(t, ",\"high24h\":\"", m->high, "\"");
    put_number(t, ",\"low24h\":\"", m->low, "\"");
    put_number(t, ",\"sodUtc0\":\"", m->open, "\"");
    put_number(t, ",\"sodUtc8\":\"", m->open, "\"");
    put_number(t, ",\"volCcy24h\":\"", m->quote_volume, "\"");
    put_number(t, ",\"vol24h\":\"", m->volume, "\",");
    put_time(t, ev->now);
    text_put(t, "}");
}

/* The best levels as they stand. */
static void put_top(struct text *t, const struct hub_event *ev, unsigned levels)
{
    const struct market *m = &ev->instrument->market;
    struct market_level l[MARKET_LEVELS];
    put_levels(t, "{\"asks\":[", l, market_levels(m, &m->book, MARKET_ASKS, levels, l));
    put_levels(t, ",\"bids\":[", l, market_levels(m, &m->book, MARKET_BIDS, levels, l));
    if (levels > 1) {
        text_put(t, ",\"instId\":\"");
        text_put(t, m->name);
        text_put(t, "\"");
    }
    text_put(t, ",");
    put_time(t, ev->now);
    put_int(t, ",\"seqId\":", (int64_t)m->book.update_id, "}");
}

/* The venue has stopped to compute checksums and says 0. */
static void put_book_end(struct text *t, struct sim_time now, int64_t seq, int64_t prev)
{
    text_put(t, ",");
    put_time(t, now);
    put_int(t, ",\"checksum\":0,\"seqId\":", seq, "");
    put_int(t, ",\"prevSeqId\":", prev, "}");
}

static void put_changes(struct text *t, const struct hub_event *ev)
{
    const struct market *m = &ev->instrument->market;
    struct market_level l[2 * MARKET_LEVELS];
    put_levels(t, "{\"asks\":[", l, market_changes(m, ev->before, MARKET_ASKS, MARKET_LEVELS, l));
    put_levels(t, ",\"bids\":[", l, market_changes(m, ev->before, MARKET_BIDS, MARKET_LEVELS, l));
    put_book_end(t, ev->now, (int64_t)m->book.update_id, (int64_t)ev->before->update_id);
}

static bool is_book(const struct stream *st)
{
    return st->kind == STREAM_DEPTH_100MS && st->levels == 0;
}

static size_t okx_write(const struct stream *st, const struct hub_event *ev, char *buf, size_t room)
{
    struct text t = text_into(buf, room);
    text_put(&t, "{");
    put_stream_arg(&t, st);
    text_put(&t, is_book(st) ? ",\"action\":\"update\",\"data\":[" : ",\"data\":[");
    if (is_book(st)) {
        put_changes(&t, ev);
        st->session->state[BOOK_NS] = ev->now.mono_ns;
    } else if (st->levels > 0) {
        put_top(&t, ev, st->levels);
    } else if (st->kind == STREAM_TICKER) {
        put_ticker(&t, ev);
    } else {
        put_trade(&t, ev);
    }
    text_put(&t, "]}");
    return text_len(&t);
}

/* Snapshot of what the updates are of, or the word that nothing changed. */
static void tell_book(struct session *s, const struct stream *st, bool snapshot)
{
    const struct market_book *told = hub_told(st);
    const struct market *m = &st->instrument->market;
    struct market_level l[MARKET_LEVELS];
    unsigned levels = snapshot ? MARKET_LEVELS : 0;
    char buf[8192];
    struct text t = text_into(buf, sizeof buf);
    text_put(&t, "{");
    put_stream_arg(&t, st);
    text_put(&t, snapshot ? ",\"action\":\"snapshot\",\"data\":["
                          : ",\"action\":\"update\",\"data\":[");
    put_levels(&t, "{\"asks\":[", l, market_levels(m, told, MARKET_ASKS, levels, l));
    put_levels(&t, ",\"bids\":[", l, market_levels(m, told, MARKET_BIDS, levels, l));
    put_book_end(&t, s->now, (int64_t)told->update_id, snapshot ? -1 : (int64_t)told->update_id);
    text_put(&t, "]}");
    s->send(s, buf, text_len(&t), true);
    s->state[BOOK_NS] = s->now.mono_ns;
}

/* What a new subscriber is told at once: the state, where the channel is one of states. */
static void tell_first(struct session *s, const struct stream *st)
{
    char buf[8192];
    if (is_book(st)) {
        tell_book(s, st, true);
    } else if (st->instrument != NULL && st->kind != STREAM_TRADE) {
        struct hub_event event = {.instrument = st->instrument, .now = s->now, .kind = st->kind};
        size_t len = okx_write(st, &event, buf, sizeof buf);
        if (len > 0)
            s->send(s, buf, len, true);
    }
}

/* ---- what the client says ---- */

/* A request that was read: `id` goes back with each answer. */
struct request {
    struct json id;
    bool on;
};

static void put_conn_id(struct text *t, const struct session *s)
{
    char id[16];
    snprintf(id, sizeof id, "%08x", (unsigned)s->state[CONN_ID]);
    text_put(t, ",\"connId\":\"");
    text_put(t, id);
    text_put(t, "\"}");
}

static void put_id(struct text *t, const struct request *r)
{
    text_put(t, "{");
    if (r != NULL && r->id.len > 0) {
        text_put(t, "\"id\":");
        text_bytes(t, r->id.at, r->id.len);
        text_put(t, ",");
    }
}

static void fail(struct session *s, const struct request *r, const char *code, const char *msg)
{
    char buf[2 * REPLY_MAX + 256];
    struct text t = text_into(buf, sizeof buf);
    put_id(&t, r);
    text_put(&t, "\"event\":\"error\",\"msg\":\"");
    text_json(&t, msg, strlen(msg));
    text_put(&t, "\",\"code\":\"");
    text_put(&t, code);
    text_put(&t, "\"");
    put_conn_id(&t, s);
    s->send(s, buf, text_len(&t), false);
}

static void fail_request(struct session *s, const char *text, size_t len)
{
    char msg[REPLY_MAX];
    size_t shown = len < sizeof msg - 32 ? len : sizeof msg - 32;
    while (shown < len && shown > 0 && ((unsigned char)text[shown] & 0xc0) == 0x80)
        shown--; /* not within a character */
    snprintf(msg, sizeof msg, "Illegal request: %.*s", (int)shown, text);
    fail(s, NULL, "60012", msg);
}

static void fail_arg(struct session *s, const struct request *r, const char *channel,
                     const char *symbol)
{
    char msg[REPLY_MAX];
    snprintf(msg, sizeof msg,
             "Wrong URL or channel:%s,instId:%s doesn't exist. Please use the correct URL, channel "
             "and parameters referring to API document.",
             channel, symbol);
    fail(s, r, "60018", msg);
}

static void acknowledge(struct session *s, const struct request *r, const char *channel,
                        const char *symbol)
{
    char buf[512];
    struct text t = text_into(buf, sizeof buf);
    put_id(&t, r);
    text_put(&t, r->on ? "\"event\":\"subscribe\"," : "\"event\":\"unsubscribe\",");
    put_arg(&t, channel, symbol);
    put_conn_id(&t, s);
    s->send(s, buf, text_len(&t), false);
}

/* An arg is answered by itself: one that does not exist does not hold up the others. What is
 * subscribed already, or not at all, is acknowledged too (assumed). */
static void on_arg(struct session *s, const struct request *r, struct json arg)
{
    char channel[ARG_MAX] = "", symbol[ARG_MAX] = "", name[2 * ARG_MAX];
    size_t i = 0;
    if (arg.at[0] != '{' || json_text(json_member(arg, "channel"), channel, sizeof channel) < 0 ||
        json_text(json_member(arg, "instId"), symbol, sizeof symbol) < 0) {
        fail(s, r, "60013", "Invalid args");
        return;
    }
    while (i < CHANNELS && strcmp(channels[i].name, channel) != 0)
        i++;
    if (i == CHANNELS || (!s->silent && hub_instrument(s->hub, symbol) == NULL)) {
        fail_arg(s, r, channel, symbol);
        return;
    }
    snprintf(name, sizeof name, "%s:%s", channel, symbol);
    if (!r->on) {
        (void)hub_unsubscribe(s, name);
        acknowledge(s, r, channel, symbol);
        return;
    }
    bool is_new = hub_subscribe(s, name, channels[i].kind, channels[i].levels, symbol) == 0;
    acknowledge(s, r, channel, symbol);
    if (is_new)
        tell_first(s, hub_stream(s, name));
}

/* Counted by message. What follows the 481st is assumed: the word of the error list, then the end.
 */
static bool too_many(struct session *s)
{
    if (s->now.mono_ns - s->state[HOUR_NS] >= 3600 * NS_PER_S) {
        s->state[HOUR_NS] = s->now.mono_ns;
        s->state[HOUR_COUNT] = 0;
    }
    if (++s->state[HOUR_COUNT] <= HOUR_MAX)
        return false;
    fail(s, NULL, "60014", "Requests too frequent");
    s->close(s, 4002, "Invalid Request");
    return true;
}

static void on_request(struct session *s, struct json root, const char *op)
{
    struct request r = {.id = json_member(root, "id"), .on = strcmp(op, "subscribe") == 0};
    struct json args = json_member(root, "args"), arg;
    size_t cursor = 0;
    if (too_many(s))
        return;
    if (args.len == 0 || args.at[0] != '[') {
        fail(s, &r, "60013", "Invalid args");
        return;
    }
    while (json_next(args, &cursor, &arg))
        on_arg(s, &r, arg);
    hub_settle(s->hub, s->now.mono_ns);
}

static void okx_text(struct session *s, const char *text, size_t len)
{
    struct json root;
    struct json_error wrong;
    char op[32], msg[64];
    s->state[HEARD_NS] = s->now.mono_ns;
    if (len == 4 && memcmp(text, "ping", 4) == 0) {
        s->send(s, "pong", 4, false);
        return;
    }
    if (json_parse(text, len, &root, &wrong) < 0 || root.at[0] != '{' ||
        json_text(json_member(root, "op"), op, sizeof op) < 0) {
        fail_request(s, text, len);
    } else if (strcmp(op, "subscribe") == 0 || strcmp(op, "unsubscribe") == 0) {
        on_request(s, root, op);
    } else {
        snprintf(msg, sizeof msg, "Invalid op: %s", op);
        fail(s, NULL, "60019", msg);
    }
}

/* ---- by the clock ---- */

static void keep_books(struct session *s)
{
    if (s->now.mono_ns - s->state[BOOK_NS] < KEEPALIVE_S * NS_PER_S)
        return;
    for (size_t i = 0; i < s->count; i++)
        if (is_book(s->streams[i]))
            tell_book(s, s->streams[i], false);
}

static void okx_second(struct session *s)
{
    uint64_t last = s->state[HEARD_NS] > s->sent_ns ? s->state[HEARD_NS] : s->sent_ns;
    keep_books(s);
    if (s->now.mono_ns - last >= IDLE_S * NS_PER_S)
        s->close(s, 4004, "No data received in 30s");
}

static int okx_open(struct session *s, char *target)
{
    target[strcspn(target, "?")] = '\0';
    s->state[HEARD_NS] = s->state[BOOK_NS] = s->state[HOUR_NS] = s->now.mono_ns;
    uint64_t seed = s->now.mono_ns ^ s->now.real_us;
    s->state[CONN_ID] = market_random(&seed) & 0xffffffff;
    return strcmp(target, "/ws/v5/public") == 0 ? 0 : 404;
}

static size_t okx_shutdown_notice(const struct session *s, char *buf, size_t room)
{
    struct text t = text_into(buf, room);
    text_put(&t, "{\"event\":\"notice\",\"code\":\"64008\",\"msg\":\"The connection will soon be "
                 "closed for a service upgrade. Please reconnect.\"");
    put_conn_id(&t, s);
    return text_len(&t);
}

/* "BTC-USDT", "BTC-USDT-SWAP", "BTC-USD-220624-100000-C" */
static bool okx_is_symbol(const char *name)
{
    size_t len = strspn(name, "ABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_");
    return name[len] == '\0' && len >= 5 && len <= 40 && strchr(name, '-') != NULL &&
           name[0] != '-' && name[len - 1] != '-';
}

static size_t okx_spell(const char *base, const char *quote, char *out, size_t cap)
{
    int len = snprintf(out, cap, "%s-%s", base, quote);
    return okx_is_symbol(out) && (size_t)len < cap ? (size_t)len : 0;
}

const struct sim_venue sim_venue_okx = {
    .name = "okx",
    .attempts_per_5min = 900, /* 3 in a second */
    .frame_reason = "Max frame length of 65536 has been exceeded",
    .open = okx_open,
    .text = okx_text,
    .second = okx_second,
    .write = okx_write,
    .shutdown_notice = okx_shutdown_notice,
    .is_symbol = okx_is_symbol,
    .spell = okx_spell,
};
