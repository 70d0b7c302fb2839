/* Bitstamp, public channels. After bitstamp.net/websocket/v2 and, where the wire says more, after
 * recordings: a channel of an unknown pair is accepted and silent, a badly written one is an error.
 */
#include <ctype.h>
#include <stdio.h>
#include <string.h>

#include "json.h"
#include "text.h"
#include "venue.h"

#define CHANNELS_MAX 1024
#define CHANNEL_MAX  96
#define BOOK_LEVELS  100 /* of the book that is whole each time; the market has fewer */

/* Both books are told of when they change, and not before, at intervals in which a market may
 * change more than once: no two messages of a book have the same time. */
static const struct {
    const char *prefix;
    enum stream_kind kind;
    unsigned levels;
} channels[] = {
    {"live_trades_", STREAM_TRADE, 0},           {"order_book_", STREAM_DEPTH_100MS, BOOK_LEVELS},
    {"diff_order_book_", STREAM_DEPTH_100MS, 0}, {"detail_order_book_", STREAM_SILENT, 0},
    {"live_orders_", STREAM_SILENT, 0},
};
#define CHANNELS (sizeof channels / sizeof channels[0])

/* ---- what the channels tell ---- */

/* Digits behind the point that a market writes: those of its tick and of its lot. */
static unsigned decimals_of(int64_t step)
{
    unsigned decimals = 8;
    for (; decimals > 0 && step % 10 == 0; step /= 10)
        decimals--;
    return decimals;
}

/* As a number of the venue's: without zeros at the end, which its string twins have. */
static void put_number(struct text *t, const char *key, int64_t value)
{
    text_put(t, key);
    text_decimal(t, value, decimals_of(value == 0 ? MARKET_UNIT : value));
}

static void put_text(struct text *t, const char *key, int64_t value, unsigned decimals)
{
    text_put(t, key);
    text_decimal(t, value, decimals);
    text_put(t, "\"");
}

static void put_int(struct text *t, const char *key, uint64_t value, const char *behind)
{
    text_put(t, key);
    text_int(t, (int64_t)value);
    text_put(t, behind);
}

/* The taker's order is the newer one. */
static void put_trade(struct text *t, const struct hub_event *ev)
{
    const struct market *m = &ev->instrument->market;
    const uint64_t time_us = ev->now.real_us / 1000 * 1000; /* of trades it is in whole ms */
    const uint64_t maker = 1900000000000000ULL + 2 * m->trade.id, taker = maker + 1;
    bool sell = m->trade.buyer_is_maker;
    put_int(t, "{\"id\":", m->trade.id, "");
    put_int(t, ",\"timestamp\":\"", time_us / 1000000, "\"");
    put_number(t, ",\"amount\":", m->trade.qty);
    put_text(t, ",\"amount_str\":\"", m->trade.qty, 8);
    put_number(t, ",\"price\":", m->trade.price);
    put_text(t, ",\"price_str\":\"", m->trade.price, decimals_of(m->tick));
    text_put(t, sell ? ",\"type\":1" : ",\"type\":0");
    put_int(t, ",\"microtimestamp\":\"", time_us, "\"");
    put_int(t, ",\"buy_order_id\":", sell ? maker : taker, "");
    put_int(t, ",\"sell_order_id\":", sell ? taker : maker, "}");
}

static void put_levels(struct text *t, const char *key, const struct market *m,
                       const struct market_level *l, size_t count)
{
    text_put(t, key);
    for (size_t i = 0; i < count; i++) {
        put_text(t, i == 0 ? "[\"" : ",[\"", l[i].price, decimals_of(m->tick));
        put_text(t, ",\"", l[i].qty, 8);
        text_put(t, "]");
    }
    text_put(t, "]");
}

static void put_time(struct text *t, struct sim_time now)
{
    put_int(t, "{\"timestamp\":\"", now.real_us / 1000000, "\"");
    put_int(t, ",\"microtimestamp\":\"", now.real_us, "\"");
}

static void put_book(struct text *t, const struct stream *st, const struct hub_event *ev)
{
    const struct market *m = &ev->instrument->market;
    struct market_level l[MARKET_LEVELS];
    put_time(t, ev->now);
    put_levels(t, ",\"bids\":[", m, l, market_levels(m, &m->book, MARKET_BIDS, st->levels, l));
    put_levels(t, ",\"asks\":[", m, l, market_levels(m, &m->book, MARKET_ASKS, st->levels, l));
    text_put(t, "}");
}

static void put_changes(struct text *t, const struct hub_event *ev)
{
    const struct market *m = &ev->instrument->market;
    struct market_level l[2 * MARKET_LEVELS];
    const unsigned levels = MARKET_LEVELS;
    put_time(t, ev->now);
    put_levels(t, ",\"bids\":[", m, l, market_changes(m, ev->before, MARKET_BIDS, levels, l));
    put_levels(t, ",\"asks\":[", m, l, market_changes(m, ev->before, MARKET_ASKS, levels, l));
    text_put(t, "}");
}

static size_t bitstamp_write(const struct stream *st, const struct hub_event *ev, char *buf,
                             size_t room)
{
    struct text t = text_into(buf, room);
    text_put(&t, "{\"data\":");
    if (st->kind == STREAM_TRADE)
        put_trade(&t, ev);
    else if (st->levels > 0)
        put_book(&t, st, ev);
    else
        put_changes(&t, ev);
    text_put(&t, ",\"channel\":\"");
    text_put(&t, st->name);
    text_put(&t, st->kind == STREAM_TRADE ? "\",\"event\":\"trade\"}" : "\",\"event\":\"data\"}");
    return text_len(&t);
}

/* ---- what the client says ---- */

static void answer(struct session *s, const char *event, const char *channel, const char *data)
{
    char buf[512];
    struct text t = text_into(buf, sizeof buf);
    text_put(&t, "{\"event\":\"bts:");
    text_put(&t, event);
    text_put(&t, "\",\"channel\":\"");
    text_put(&t, channel);
    text_put(&t, "\",\"data\":");
    text_put(&t, data);
    text_put(&t, "}");
    s->send(s, buf, text_len(&t), false);
}

static void fail(struct session *s, const char *message)
{
    char data[128];
    snprintf(data, sizeof data, "{\"code\":null,\"message\":\"%s\"}", message);
    answer(s, "error", "", data);
}

static bool is_pair(const char *name)
{
    size_t len = strspn(name, "abcdefghijklmnopqrstuvwxyz0123456789-");
    return name[len] == '\0' && len >= 5 && len <= 40 && name[0] != '-' && name[len - 1] != '-';
}

/* Position in `channels`, CHANNELS if this is the name of none. */
static size_t channel_of(const char *name)
{
    for (size_t i = 0; i < CHANNELS; i++) {
        size_t len = strlen(channels[i].prefix);
        if (strncmp(name, channels[i].prefix, len) == 0 && is_pair(name + len))
            return i;
    }
    return CHANNELS;
}

/* A channel that is subscribed already is acknowledged anew. One too many ends the connection
 * without a word; that no close frame says why is read into "silently closed". */
static void on_subscribe(struct session *s, const char *name)
{
    size_t i = channel_of(name);
    if (i == CHANNELS) {
        fail(s, "Invalid channel provided.");
        return;
    }
    if (s->count >= CHANNELS_MAX && hub_stream(s, name) == NULL) {
        s->close(s, 1000, "");
        return;
    }
    (void)hub_subscribe(s, name, channels[i].kind, channels[i].levels,
                        name + strlen(channels[i].prefix));
    hub_settle(s->hub, s->now.mono_ns);
    answer(s, "subscription_succeeded", name, "{}");
}

/* What was not subscribed is acknowledged too (assumed). */
static void on_unsubscribe(struct session *s, const char *name)
{
    if (channel_of(name) == CHANNELS) {
        fail(s, "Invalid channel provided.");
        return;
    }
    (void)hub_unsubscribe(s, name);
    hub_settle(s->hub, s->now.mono_ns);
    answer(s, "unsubscription_succeeded", name, "{}");
}

static void bitstamp_text(struct session *s, const char *text, size_t len)
{
    struct json root, data;
    struct json_error wrong;
    char event[64] = "", name[CHANNEL_MAX] = "";
    if (json_parse(text, len, &root, &wrong) < 0 || root.at[0] != '{') {
        fail(s, "Incorrect JSON format.");
        return;
    }
    (void)json_text(json_member(root, "event"), event, sizeof event);
    if (strcmp(event, "bts:heartbeat") == 0) {
        answer(s, "heartbeat", "", "{\"status\":\"success\"}");
        return;
    }
    bool on = strcmp(event, "bts:subscribe") == 0;
    data = json_member(root, "data");
    if ((!on && strcmp(event, "bts:unsubscribe") != 0) || data.len == 0 || data.at[0] != '{' ||
        json_text(json_member(data, "channel"), name, sizeof name) < 0)
        fail(s, "Bad subscription string.");
    else if (on)
        on_subscribe(s, name);
    else
        on_unsubscribe(s, name);
}

static int bitstamp_open(struct session *s, char *target)
{
    (void)s;
    return target[0] == '/' && (target[1] == '\0' || target[1] == '?') ? 0 : 404;
}

static size_t bitstamp_shutdown_notice(const struct session *s, char *buf, size_t room)
{
    struct text t = text_into(buf, room);
    (void)s;
    text_put(&t, "{\"event\":\"bts:request_reconnect\",\"channel\":\"\",\"data\":\"\"}");
    return text_len(&t);
}

/* "btcusd" */
static size_t bitstamp_spell(const char *base, const char *quote, char *out, size_t cap)
{
    int len = snprintf(out, cap, "%s%s", base, quote);
    if (len < 0 || (size_t)len >= cap)
        return 0;
    for (char *c = out; *c != '\0'; c++)
        *c = (char)tolower((unsigned char)*c);
    return is_pair(out) ? (size_t)len : 0;
}

const struct sim_venue sim_venue_bitstamp = {
    .name = "bitstamp",
    .ping_ms = 54000,
    .pong_ms = 108000, /* assumed */
    .max_age_s = 90 * 24 * 3600,
    .frame_max = 511,
    .frame_reason = "read limited at 513 bytes",
    .open = bitstamp_open,
    .text = bitstamp_text,
    .write = bitstamp_write,
    .shutdown_notice = bitstamp_shutdown_notice,
    .is_symbol = is_pair,
    .spell = bitstamp_spell,
};
