/* Kraken v2: what the client asks. After the venue's documentation (spot-websocket-v2) and, for the
 * words of its refusals, after recordings. Each symbol of a request is answered by itself. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "json.h"
#include "kraken.h"
#include "text.h"

#define STREAM_NAME_MAX 64
#define WORD_MAX        24
#define IDLE_NS         60000000000U
#define HEARTBEAT_NS    900000000U /* once a second: the clock may strike a little early */

enum { HEARD }; /* session->state: when the client said something */

struct request {
    struct json params;
    struct json id; /* len 0: none */
    char method[WORD_MAX];
    char channel[WORD_MAX];
    char trigger[WORD_MAX]; /* of the ticker: "trades" or "bbo" */
    unsigned depth;         /* of the book */
    bool snapshot;
};

/* The keys of an answer stand in the order of the alphabet. */
static void begin(struct text *t, const struct request *r, const char *method)
{
    text_put(t, "\"method\":\"");
    text_json(t, method, strlen(method));
    text_put(t, "\"");
    if (r->id.len > 0) {
        text_put(t, ",\"req_id\":");
        text_bytes(t, r->id.at, r->id.len);
    }
}

static void finish(struct session *s, struct text *t, const char *start)
{
    text_put(t, ",\"time_in\":\"");
    text_utc(t, s->now.real_us);
    text_put(t, "\",\"time_out\":\"");
    text_utc(t, s->now.real_us + 41);
    text_put(t, "\"}");
    if (text_len(t) > 0)
        s->send(s, start, text_len(t), false);
}

/* `symbol` NULL: it is the request that is wrong. */
static void fail(struct session *s, const struct request *r, const char *error, const char *symbol)
{
    char buf[1024];
    struct text t = text_into(buf, sizeof buf);
    text_put(&t, "{\"error\":\"");
    text_json(&t, error, strlen(error));
    text_put(&t, "\",");
    begin(&t, r, r->method);
    text_put(&t, ",\"success\":false");
    if (symbol != NULL) {
        text_put(&t, ",\"symbol\":\"");
        text_json(&t, symbol, strlen(symbol));
        text_put(&t, "\"");
    }
    finish(s, &t, buf);
}

static void accept(struct session *s, const struct request *r, const char *symbol, bool on)
{
    char buf[1024];
    struct text t = text_into(buf, sizeof buf);
    text_put(&t, "{");
    begin(&t, r, r->method);
    text_put(&t, ",\"result\":{\"channel\":\"");
    text_put(&t, r->channel);
    text_put(&t, "\"");
    if (r->depth > 0) {
        text_put(&t, ",\"depth\":");
        text_int(&t, r->depth);
    }
    if (r->trigger[0] != '\0') {
        text_put(&t, ",\"event_trigger\":\"");
        text_put(&t, r->trigger);
        text_put(&t, "\"");
    }
    if (on)
        text_put(&t, r->snapshot ? ",\"snapshot\":true" : ",\"snapshot\":false");
    text_put(&t, ",\"symbol\":\"");
    text_json(&t, symbol, strlen(symbol));
    text_put(&t, "\"},\"success\":true");
    finish(s, &t, buf);
}

static bool stream_name(const struct request *r, const char *symbol, char *out)
{
    struct text t = text_into(out, STREAM_NAME_MAX - 1);
    text_put(&t, r->channel);
    text_put(&t, ":");
    text_put(&t, symbol);
    out[text_len(&t)] = '\0';
    return text_len(&t) > 0;
}

/* One stream of a symbol and channel, whatever its depth or trigger. */
static void subscribe(struct session *s, const struct request *r, const char *symbol)
{
    char name[STREAM_NAME_MAX], error[128];
    struct text t = text_into(error, sizeof error - 1);
    bool listed = s->silent || hub_instrument(s->hub, symbol) != NULL;
    bool on_trade = strcmp(r->channel, "trade") == 0 || strcmp(r->trigger, "trades") == 0;
    unsigned levels = r->depth < MARKET_LEVELS ? r->depth : MARKET_LEVELS;
    if (!listed || !stream_name(r, symbol, name)) {
        text_put(&t, "Currency pair not supported ");
        text_put(&t, symbol);
        error[text_len(&t)] = '\0';
        fail(s, r, error, symbol);
        return;
    }
    int rc = hub_subscribe(s, name, on_trade ? STREAM_TRADE : STREAM_QUOTE, levels, symbol);
    if (rc == 0)
        accept(s, r, symbol, true);
    else
        fail(s, r, rc > 0 ? "Already subscribed" : "EService:Unavailable", symbol);
}

static void unsubscribe(struct session *s, const struct request *r, const char *symbol)
{
    char name[STREAM_NAME_MAX];
    if (stream_name(r, symbol, name) && hub_unsubscribe(s, name) == 0)
        accept(s, r, symbol, false);
    else
        fail(s, r, "Subscription Not Found", symbol);
}

static void each_symbol(struct session *s, const struct request *r,
                        void (*act)(struct session *, const struct request *, const char *))
{
    struct json item;
    size_t cursor = 0;
    char symbol[MARKET_NAME];
    for (struct json list = json_member(r->params, "symbol"); json_next(list, &cursor, &item);) {
        if (json_text(item, symbol, sizeof symbol) >= 0)
            act(s, r, symbol);
        else
            fail(s, r, "Currency pair not in ISO 4217-A3 format", NULL);
    }
}

/* Snapshots are made when the market has settled: the next change follows from them. */
static void on_subscribe(struct session *s, const struct request *r)
{
    char buf[KRAKEN_SNAPSHOT_MAX];
    size_t first = s->count;
    each_symbol(s, r, subscribe);
    hub_settle(s->hub, s->now.mono_ns);
    for (size_t i = first; i < s->count && r->snapshot && !s->silent; i++) {
        size_t len = kraken_snapshot(s->streams[i], s->now, buf, sizeof buf);
        if (len > 0)
            s->send(s, buf, len, true);
    }
}

static void on_unsubscribe(struct session *s, const struct request *r)
{
    each_symbol(s, r, unsubscribe);
    hub_settle(s->hub, s->now.mono_ns);
}

static bool read_depth(struct request *r, struct json depth)
{
    static const unsigned offered[] = {10, 25, 100, 500, 1000};
    char digits[8] = "10";
    if (depth.len >= sizeof digits)
        return false;
    if (depth.len > 0) {
        memcpy(digits, depth.at, depth.len);
        digits[depth.len] = '\0';
    }
    for (size_t i = 0; i < sizeof offered / sizeof offered[0]; i++) {
        if (strtoul(digits, NULL, 10) == offered[i])
            r->depth = offered[i];
    }
    return r->depth > 0;
}

static bool read_trigger(struct request *r, struct json trigger)
{
    memcpy(r->trigger, "trades", sizeof "trades");
    return trigger.len == 0 ||
           (json_text(trigger, r->trigger, sizeof r->trigger) >= 0 &&
            (strcmp(r->trigger, "bbo") == 0 || strcmp(r->trigger, "trades") == 0));
}

/* What is wrong with a request as a whole; NULL: nothing. */
static const char *read_params(struct request *r)
{
    struct json list = json_member(r->params, "symbol");
    struct json snapshot = json_member(r->params, "snapshot");
    if (json_text(json_member(r->params, "channel"), r->channel, sizeof r->channel) < 0)
        return "Channel field must be a string";
    r->snapshot = snapshot.len == 0 || snapshot.at[0] == 't';
    if (strcmp(r->channel, "executions") == 0 || strcmp(r->channel, "balances") == 0)
        return "Private data and trading are unavailable on this endpoint. Try ws-auth.kraken.com";
    bool book = strcmp(r->channel, "book") == 0, ticker = strcmp(r->channel, "ticker") == 0;
    if (!book && !ticker && strcmp(r->channel, "trade") != 0)
        return "Channel not supported";
    if (list.len == 0 || list.at[0] != '[')
        return "Symbol(s) not found";
    if (book && !read_depth(r, json_member(r->params, "depth")))
        return "Subscription depth not supported";
    if (ticker && !read_trigger(r, json_member(r->params, "event_trigger")))
        return "Event trigger not supported";
    return NULL;
}

static void pong(struct session *s, const struct request *r)
{
    char buf[256];
    struct text t = text_into(buf, sizeof buf);
    text_put(&t, "{");
    begin(&t, r, "pong");
    finish(s, &t, buf);
}

static void kraken_text(struct session *s, const char *text, size_t len)
{
    struct json root;
    struct json_error wrong;
    struct request r = {.snapshot = true};
    s->state[HEARD] = s->now.mono_ns;
    if (json_parse(text, len, &root, &wrong) < 0 || root.at[0] != '{') {
        fail(s, &r, "Malformed request", NULL);
        return;
    }
    r.id = json_member(root, "req_id");
    if (r.id.len > 20 || (r.id.len > 0 && (r.id.at[0] < '0' || r.id.at[0] > '9')))
        r.id.len = 0;
    r.params = json_member(root, "params");
    bool named = json_text(json_member(root, "method"), r.method, sizeof r.method) >= 0;
    bool on = strcmp(r.method, "subscribe") == 0;
    if (named && strcmp(r.method, "ping") == 0) {
        pong(s, &r);
    } else if (!named || (!on && strcmp(r.method, "unsubscribe") != 0)) {
        fail(s, &r, "Unsupported method", NULL);
    } else {
        const char *error = read_params(&r);
        if (error != NULL)
            fail(s, &r, error, NULL);
        else if (on)
            on_subscribe(s, &r);
        else
            on_unsubscribe(s, &r);
    }
}

static int kraken_open(struct session *s, char *target)
{
    (void)s;
    (void)target;
    return 0;
}

static void kraken_greet(struct session *s)
{
    char buf[256];
    size_t len = kraken_status(s, "online", buf, sizeof buf);
    s->state[HEARD] = s->now.mono_ns;
    s->send(s, buf, len, false);
}

/* A connection that waits for data is kept alive by the venue; one that asked for none has to speak
 * for itself. */
static void kraken_second(struct session *s)
{
    static const char beat[] = "{\"channel\":\"heartbeat\"}";
    if (s->count > 0 && s->now.mono_ns - s->sent_ns >= HEARTBEAT_NS)
        s->send(s, beat, sizeof beat - 1, false);
    else if (s->count == 0 && s->now.mono_ns - s->state[HEARD] >= IDLE_NS)
        s->close(s, 1000, "inactive");
}

static size_t kraken_shutdown_notice(const struct session *s, char *buf, size_t room)
{
    return kraken_status(s, "maintenance", buf, room);
}

static bool one_of(const char *const *words, size_t count, const char *word, size_t len)
{
    for (size_t i = 0; i < count; i++) {
        if (strlen(words[i]) == len && memcmp(words[i], word, len) == 0)
            return true;
    }
    return false;
}

/* Names as the second protocol has them: there is no XBT and no XDG. */
static bool kraken_is_symbol(const char *name)
{
    static const char *const bases[] = {
        "AAVE",  "ADA",  "ALGO", "APT",  "ARB",  "ATOM", "AVAX",  "BCH",   "BNB",   "BTC",   "CRV",
        "DAI",   "DASH", "DOGE", "DOT",  "EOS",  "ETC",  "ETH",   "EUR",   "FIL",   "FLOW",  "GBP",
        "GRT",   "ICP",  "INJ",  "KAVA", "KSM",  "LDO",  "LINK",  "LTC",   "MANA",  "MKR",   "NEAR",
        "OCEAN", "OP",   "PEPE", "POL",  "QTUM", "RUNE", "SAND",  "SC",    "SEI",   "SHIB",  "SNX",
        "SOL",   "SUI",  "TAO",  "TIA",  "TON",  "TRX",  "UNI",   "USDC",  "USDT",  "WAVES", "WIF",
        "XLM",   "XMR",  "XRP",  "XTZ",  "YFI",  "ZEC",  "METAx", "TSLAx", "AAPLx",
    };
    static const char *const quotes[] = {"USD", "EUR", "GBP", "USDT", "USDC", "BTC",
                                         "ETH", "CAD", "AUD", "JPY",  "CHF"};
    size_t len = strcspn(name, "/");
    return name[len] == '/' && one_of(bases, sizeof bases / sizeof bases[0], name, len) &&
           one_of(quotes, sizeof quotes / sizeof quotes[0], name + len + 1, strlen(name + len + 1));
}

/* Most of what is traded here is traded for dollars. */
static size_t kraken_spell(const char *base, const char *quote, char *out, size_t cap)
{
    struct text t = text_into(out, cap - 1);
    text_put(&t, base);
    text_put(&t, "/");
    text_put(&t, strcmp(quote, "USDT") == 0 ? "USD" : quote);
    out[text_len(&t)] = '\0';
    return text_len(&t);
}

const struct sim_venue sim_venue_kraken = {
    .name = "kraken",
    .attempts_per_5min = 75, /* 150 in ten minutes */
    .open = kraken_open,
    .text = kraken_text,
    .greet = kraken_greet,
    .second = kraken_second,
    .write = kraken_write,
    .history = kraken_history,
    .shutdown_notice = kraken_shutdown_notice,
    .is_symbol = kraken_is_symbol,
    .spell = kraken_spell,
};
