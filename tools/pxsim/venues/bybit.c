/* Bybit v5, spot and linear: what the client asks. After the venue's documentation
 * (bybit-exchange/docs, v5/websocket) and, where it is silent, after recordings: a request is taken
 * or refused as a whole, in words that name the first topic that is wrong. How it refuses args that
 * are missing or too long was not recorded. */
#include "bybit.h"

#include <string.h>

#include "json.h"
#include "text.h"

#define ARGS_LEN_MAX  21000 /* characters of all args of a connection, quotes and commas too */
#define ARG_EXTRA     3
#define SPOT_ARGS_MAX 10
#define TOPIC_MAX     64
#define REQ_ID_MAX    128
#define SNAPSHOT_MAX  8192
#define REPEAT_S      3  /* best prices that stand still are told again */
#define MUTE_S        61 /* of a client without a subscription */
#define IDLE_S        600
#define NS_PER_S      1000000000ULL

/* session->state */
enum { ARGS_LEN, HEARD_NS, CONN_SEED };

struct request {
    struct json args;
    const char *op;
    char req_id[REQ_ID_MAX];
};

struct topic {
    enum stream_kind kind;
    const char *symbol; /* within the topic */
};

static const struct {
    const char *head;
    enum stream_kind kind;
} heads[] = {
    {"publicTrade.", STREAM_TRADE},         {"tickers.", STREAM_TICKER},
    {"orderbook.1.", STREAM_QUOTE},         {"orderbook.50.", STREAM_DEPTH_100MS},
    {"orderbook.200.", STREAM_DEPTH_100MS}, {"orderbook.1000.", STREAM_DEPTH_100MS},
};

/* ---- answers ---- */

/* The same for all answers of a connection, and another for each. */
static void put_conn_id(struct text *t, const struct session *s)
{
    static const char digits[] = "0123456789abcdefghijklmnopqrstuv";
    uint64_t state = s->state[CONN_SEED], r = market_random(&state);
    for (int i = 0; i < 12; i++, r >>= 5)
        text_bytes(t, &digits[r & 31], 1);
    text_put(t, "-px");
}

static void answer(struct session *s, const struct request *r, bool success, const char *msg)
{
    char buf[1024];
    struct text t = text_into(buf, sizeof buf);
    text_put(&t, success ? "{\"success\":true" : "{\"success\":false");
    text_put(&t, ",\"ret_msg\":\"");
    text_json(&t, msg, strlen(msg));
    text_put(&t, "\",\"conn_id\":\"");
    put_conn_id(&t, s);
    text_put(&t, "\",\"req_id\":\"");
    text_json(&t, r->req_id, strlen(r->req_id));
    text_put(&t, "\",\"op\":\"");
    text_json(&t, r->op, strlen(r->op));
    text_put(&t, "\"}");
    s->send(s, buf, text_len(&t), false);
}

static void fail_topic(struct session *s, const struct request *r, const char *what,
                       const char *topic)
{
    char msg[TOPIC_MAX + 64];
    struct text t = text_into(msg, sizeof msg - 1);
    text_put(&t, what);
    text_put(&t, ",topic:");
    text_put(&t, topic);
    msg[text_len(&t)] = '\0';
    answer(s, r, false, msg);
}

/* ---- topics ---- */

static bool topic_of(const struct session *s, const char *name, struct topic *ret)
{
    for (size_t i = 0; i < sizeof heads / sizeof heads[0]; i++) {
        size_t len = strlen(heads[i].head);
        if (strncmp(name, heads[i].head, len) != 0 || name[len] == '\0')
            continue;
        *ret = (struct topic){heads[i].kind, name + len};
        return s->silent || hub_instrument(s->hub, name + len) != NULL;
    }
    return false;
}

/* A topic that stands in the args before this one. */
static bool said_before(struct json args, const char *name, size_t before)
{
    struct json item;
    char other[TOPIC_MAX];
    size_t cursor = 0;
    for (size_t i = 0; i < before && json_next(args, &cursor, &item); i++)
        if (json_text(item, other, sizeof other) >= 0 && strcmp(other, name) == 0)
            return true;
    return false;
}

/* Every arg is looked at before the first is acted on. *ret_len: characters of all of them. */
static bool check_args(struct session *s, const struct request *r, size_t *ret_len)
{
    struct json item;
    struct topic topic;
    char name[TOPIC_MAX];
    size_t cursor = 0, count = 0;
    for (*ret_len = 0; json_next(r->args, &cursor, &item); count++) {
        if (json_text(item, name, sizeof name) < 0 || !topic_of(s, name, &topic)) {
            char shown[TOPIC_MAX] = "";
            (void)json_text(item, shown, sizeof shown);
            fail_topic(s, r, "error:handler not found", shown);
            return false;
        }
        if (hub_stream(s, name) != NULL || said_before(r->args, name, count)) {
            fail_topic(s, r, "error:already subscribed", name);
            return false;
        }
        *ret_len += strlen(name) + ARG_EXTRA;
    }
    return true;
}

static size_t count_args(struct json args)
{
    struct json item;
    size_t cursor = 0, count = 0;
    while (json_next(args, &cursor, &item))
        count++;
    return count;
}

static bool has_args(struct session *s, const struct request *r)
{
    size_t count = r->args.len > 0 && r->args.at[0] == '[' ? count_args(r->args) : 0;
    if (count == 0)
        answer(s, r, false, "error:args is empty");
    else if (bybit_is_spot(s) && count > SPOT_ARGS_MAX)
        answer(s, r, false, "args size >10");
    return count > 0 && (count <= SPOT_ARGS_MAX || !bybit_is_spot(s));
}

static void tell_state(struct session *s, const struct stream *st)
{
    char buf[SNAPSHOT_MAX];
    size_t len =
        st == NULL || st->instrument == NULL ? 0 : bybit_snapshot(st, s->now, buf, sizeof buf);
    if (len > 0)
        s->send(s, buf, len, true);
}

static void on_subscribe(struct session *s, const struct request *r)
{
    struct json item;
    struct topic topic;
    char name[TOPIC_MAX];
    size_t cursor = 0, len;
    if (!has_args(s, r) || !check_args(s, r, &len))
        return;
    if (s->state[ARGS_LEN] + len > ARGS_LEN_MAX) {
        answer(s, r, false, "error:args length >21000");
        return;
    }
    s->state[ARGS_LEN] += len;
    while (json_next(r->args, &cursor, &item))
        if (json_text(item, name, sizeof name) >= 0 && topic_of(s, name, &topic))
            (void)hub_subscribe(s, name, topic.kind, 0, topic.symbol); /* no memory: it is silent */
    hub_settle(s->hub, s->now.mono_ns);
    answer(s, r, true, bybit_is_spot(s) ? "subscribe" : "");
    for (cursor = 0; json_next(r->args, &cursor, &item);)
        if (json_text(item, name, sizeof name) >= 0)
            tell_state(s, hub_stream(s, name));
}

/* What was not subscribed is acknowledged too. */
static void on_unsubscribe(struct session *s, const struct request *r)
{
    struct json item;
    char name[TOPIC_MAX];
    size_t cursor = 0;
    if (!has_args(s, r))
        return;
    while (json_next(r->args, &cursor, &item))
        if (json_text(item, name, sizeof name) >= 0 && hub_unsubscribe(s, name) == 0)
            s->state[ARGS_LEN] -= strlen(name) + ARG_EXTRA;
    hub_settle(s->hub, s->now.mono_ns);
    answer(s, r, true, bybit_is_spot(s) ? "unsubscribe" : "");
}

static void on_ping(struct session *s, const struct request *r)
{
    answer(s, r, true, "pong");
}

static const struct {
    const char *name;
    void (*on)(struct session *s, const struct request *r);
} ops[] = {{"subscribe", on_subscribe}, {"unsubscribe", on_unsubscribe}, {"ping", on_ping}};

/* A number serves as an id too, and comes back as its text. */
static void read_req_id(struct json id, char out[REQ_ID_MAX])
{
    bool number = id.len > 0 && (id.at[0] == '-' || (id.at[0] >= '0' && id.at[0] <= '9'));
    if (number && id.len < REQ_ID_MAX) {
        memcpy(out, id.at, id.len);
        out[id.len] = '\0';
    } else if (json_text(id, out, REQ_ID_MAX) < 0) {
        out[0] = '\0';
    }
}

static void bybit_text(struct session *s, const char *text, size_t len)
{
    struct json root;
    struct json_error wrong;
    struct request r = {.op = ""};
    char op[32];
    s->state[HEARD_NS] = s->now.mono_ns;
    if (json_parse(text, len, &root, &wrong) < 0 || root.at[0] != '{') {
        answer(s, &r, false, "Failed to decode incoming data");
        return;
    }
    r.args = json_member(root, "args");
    read_req_id(json_member(root, "req_id"), r.req_id);
    if (json_text(json_member(root, "op"), op, sizeof op) < 0)
        op[0] = '\0';
    for (size_t i = 0; i < sizeof ops / sizeof ops[0]; i++) {
        if (strcmp(op, ops[i].name) != 0)
            continue;
        r.op = ops[i].name;
        ops[i].on(s, &r);
        return;
    }
    r.op = op;
    answer(s, &r, false, "error:invalid op");
}

/* ---- the connection ---- */

static int open_path(const char *path, const char *target)
{
    size_t len = strcspn(target, "?");
    return len == strlen(path) && memcmp(target, path, len) == 0 ? 0 : 404;
}

static int spot_open(struct session *s, char *target)
{
    (void)s;
    return open_path("/v5/public/spot", target);
}

static int linear_open(struct session *s, char *target)
{
    (void)s;
    return open_path("/v5/public/linear", target);
}

/* Nothing is said: what the connection goes by starts here. */
static void bybit_greet(struct session *s)
{
    s->state[HEARD_NS] = s->now.mono_ns;
    s->state[CONN_SEED] = s->now.mono_ns ^ s->now.real_us;
}

/* Whole seconds since the last change of this symbol's book. */
static uint64_t still_s(const struct stream *st, uint64_t mono_ns)
{
    const struct source *book = &st->instrument->source[SOURCE_BOOK];
    uint64_t last_ns = book->due_ns > book->interval_ns ? book->due_ns - book->interval_ns : 0;
    return mono_ns > last_ns ? (mono_ns - last_ns) / NS_PER_S : 0;
}

/* A client is cut that neither says nor is told anything; sooner if it has nothing subscribed. */
static void bybit_second(struct session *s)
{
    uint64_t alive_ns = s->state[HEARD_NS] > s->sent_ns ? s->state[HEARD_NS] : s->sent_ns;
    uint64_t limit_s = s->count == 0 ? MUTE_S : IDLE_S;
    if (s->now.mono_ns >= alive_ns + limit_s * NS_PER_S) {
        s->close(s, 1000, "");
        return;
    }
    for (size_t i = 0; i < s->count; i++) {
        const struct stream *st = s->streams[i];
        uint64_t still = st->kind == STREAM_QUOTE ? still_s(st, s->now.mono_ns) : 0;
        if (still > 0 && still % REPEAT_S == 0)
            tell_state(s, st);
    }
}

/* BTCUSDT, 1000PEPEUSDT; on linear BTCPERP and BTC-27DEC24 too. Nobody has a coin NOPE: what is to
 * be refused is named so. */
static bool plausible(const char *name, const char *letters)
{
    size_t len = strspn(name, letters);
    return name[len] == '\0' && len >= 5 && len <= 24 && strncmp(name, "NOPE", 4) != 0;
}

static bool spot_is_symbol(const char *name)
{
    return plausible(name, "ABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789");
}

static bool linear_is_symbol(const char *name)
{
    return plausible(name, "ABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-");
}

#define BYBIT_COMMON                                                                            \
    .attempts_per_5min = 500, .text = bybit_text, .greet = bybit_greet, .second = bybit_second, \
    .write = bybit_write

const struct sim_venue sim_venue_bybit = {
    .name = "bybit", BYBIT_COMMON, .open = spot_open, .is_symbol = spot_is_symbol};
const struct sim_venue sim_venue_bybit_linear = {
    .name = "bybit_linear", BYBIT_COMMON, .open = linear_open, .is_symbol = linear_is_symbol};

bool bybit_is_spot(const struct session *s)
{
    return s->venue == &sim_venue_bybit;
}
