/* Binance: what the client asks, on spot and of futures alike. After the venue's documentation
 * (web-socket-streams.md) and, where the wire differs from it, after recordings: errors come
 * wrapped in {"error":...}, an unknown symbol is accepted and silent, and so is a stream kind that
 * does not exist. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "binance.h"
#include "json.h"

#define REQUEST_MAX 8192 /* longer ones have been dropped without a word (recorded in 2020) */
#define ID_TEXT_MAX 36

/* What a request was understood as, before anything is done about it. */
struct request {
    struct json params;
    struct json id;    /* len 0: none */
    size_t method_end; /* column behind the method */
};

static void reply(struct session *s, const struct request *r, const char *result, size_t len)
{
    char buf[BINANCE_STREAMS_MAX * (BINANCE_NAME_MAX + 4)];
    struct text t = text_into(buf, sizeof buf);
    text_put(&t, "{\"result\":");
    text_bytes(&t, result, len);
    text_put(&t, ",\"id\":");
    text_bytes(&t, r->id.at, r->id.len);
    text_put(&t, "}");
    s->send(s, buf, text_len(&t), false);
}

static void fail(struct session *s, const struct request *r, int code, const char *msg)
{
    char buf[1024];
    struct text t = text_into(buf, sizeof buf);
    text_put(&t, "{\"error\":{\"code\":");
    text_int(&t, code);
    text_put(&t, ",\"msg\":\"");
    text_json(&t, msg, strlen(msg));
    text_put(&t, "\"}");
    if (r != NULL && r->id.len > 0) {
        text_put(&t, ",\"id\":");
        text_bytes(&t, r->id.at, r->id.len);
    }
    text_put(&t, "}");
    s->send(s, buf, text_len(&t), false);
}

/* "<what> at line 1 column N"; requests of several lines are rare enough to count as one. */
static void fail_at(struct session *s, const struct request *r, int code, const char *what,
                    const struct json_error *where)
{
    char msg[512];
    struct text t = text_into(msg, sizeof msg - 1);
    text_put(&t, what);
    text_put(&t, " at line ");
    text_int(&t, (int64_t)where->line);
    text_put(&t, " column ");
    text_int(&t, (int64_t)where->column);
    msg[text_len(&t)] = '\0';
    fail(s, r, code, msg);
}

/* All names are looked at before the first is acted on: a request is taken or refused as a whole.
 */
static bool check_names(struct session *s, const struct request *r, size_t *ret_count)
{
    struct json item;
    char name[BINANCE_NAME_MAX];
    size_t cursor = 0;
    *ret_count = 0;
    while (json_next(r->params, &cursor, &item)) {
        if (item.at[0] != '"') {
            struct json_error where = {.line = 1, .column = r->method_end};
            fail_at(s, r, 2, "Invalid request: invalid type, expected a string", &where);
            return false;
        }
        if (json_text(item, name, sizeof name) < 0 || !binance_well_formed(name)) {
            fail(s, r, 2, "Invalid request: invalid stream");
            return false;
        }
        ++*ret_count;
    }
    return true;
}

static void on_subscribe(struct session *s, const struct request *r)
{
    struct json item;
    char name[BINANCE_NAME_MAX];
    size_t count, cursor = 0;
    if (!check_names(s, r, &count))
        return;
    if (s->count + count > BINANCE_STREAMS_MAX) {
        fail(s, r, 4, "Too many subscriptions");
        return;
    }
    while (json_next(r->params, &cursor, &item)) {
        if (json_text(item, name, sizeof name) >= 0)
            (void)binance_subscribe(s, name); /* only memory can fail: the stream stays silent */
    }
    hub_settle(s->hub, s->now.mono_ns);
    reply(s, r, "null", 4);
}

static void on_unsubscribe(struct session *s, const struct request *r)
{
    struct json item;
    char name[BINANCE_NAME_MAX];
    size_t count, cursor = 0;
    if (!check_names(s, r, &count))
        return;
    while (json_next(r->params, &cursor, &item)) {
        if (json_text(item, name, sizeof name) >= 0)
            (void)hub_unsubscribe(s, name); /* what was not subscribed is acknowledged too */
    }
    hub_settle(s->hub, s->now.mono_ns);
    reply(s, r, "null", 4);
}

static void on_list(struct session *s, const struct request *r)
{
    char buf[BINANCE_STREAMS_MAX * (BINANCE_NAME_MAX + 3)];
    struct text t = text_into(buf, sizeof buf);
    text_put(&t, "[");
    for (size_t i = 0; i < s->count; i++) {
        text_put(&t, i == 0 ? "\"" : ",\"");
        text_json(&t, s->streams[i]->name, s->streams[i]->name_len);
        text_put(&t, "\"");
    }
    text_put(&t, "]");
    reply(s, r, buf, text_len(&t));
}

/* Name of the property in params[0] and what else is there; false when it was refused. */
static bool property(struct session *s, const struct request *r, size_t wanted,
                     struct json *ret_value)
{
    struct json item;
    size_t cursor = 0, count = 0;
    char name[BINANCE_NAME_MAX] = "";
    bool named = false;
    *ret_value = (struct json){0};
    for (; json_next(r->params, &cursor, &item); count++) {
        if (count == 0)
            named = json_text(item, name, sizeof name) >= 0;
        else if (count == 1)
            *ret_value = item;
    }
    if (!named)
        fail(s, r, 2, "Invalid request: property name must be a string");
    else if (count > wanted)
        fail(s, r, 2, "Invalid request: too many parameters");
    else if (strcmp(name, "combined") != 0)
        fail(s, r, 0, "Unknown property");
    else
        return true;
    return false;
}

static void on_set(struct session *s, const struct request *r)
{
    struct json flag;
    if (!property(s, r, 2, &flag))
        return;
    if (flag.len == 0 || (flag.at[0] != 't' && flag.at[0] != 'f')) {
        fail(s, r, 1, "Invalid value type: expected Boolean");
        return;
    }
    s->wrapped = flag.at[0] == 't';
    reply(s, r, "null", 4);
}

static void on_get(struct session *s, const struct request *r)
{
    struct json none;
    if (!property(s, r, 1, &none))
        return;
    if (s->wrapped)
        reply(s, r, "true", 4);
    else
        reply(s, r, "false", 5);
}

static const struct {
    const char *name;
    void (*on)(struct session *s, const struct request *r);
} methods[] = {
    {"SUBSCRIBE", on_subscribe}, {"UNSUBSCRIBE", on_unsubscribe}, {"LIST_SUBSCRIPTIONS", on_list},
    {"SET_PROPERTY", on_set},    {"GET_PROPERTY", on_get},
};

static bool id_allowed(struct json id)
{
    if (id.len == 0)
        return false;
    if (id.at[0] == 'n')
        return true;
    if (id.at[0] == '"') {
        for (size_t i = 1; i + 1 < id.len; i++) {
            char c = id.at[i];
            if (!((c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') ||
                  c == '-' || c == '_'))
                return false;
        }
        return id.len - 2 <= ID_TEXT_MAX;
    }
    char number[24];
    bool negative = id.at[0] == '-';
    if (id.len >= sizeof number)
        return false;
    for (size_t i = negative; i < id.len; i++) {
        if (id.at[i] < '0' || id.at[i] > '9')
            return false;
    }
    memcpy(number, id.at, id.len);
    number[id.len] = '\0';
    errno = 0;
    (void)strtoll(number, NULL, 10);
    return errno == 0;
}

static void unknown_method(struct session *s, const struct request *r, const char *method)
{
    char what[400];
    struct text t = text_into(what, sizeof what - 1);
    text_put(&t, "Invalid request: unknown variant `");
    text_put(&t, method);
    text_put(&t, "`, expected one of ");
    for (size_t i = 0; i < sizeof methods / sizeof methods[0]; i++) {
        text_put(&t, i == 0 ? "`" : ", `");
        text_put(&t, methods[i].name);
        text_put(&t, "`");
    }
    what[text_len(&t)] = '\0';
    struct json_error where = {.line = 1, .column = r->method_end};
    fail_at(s, r, 2, what, &where);
}

static void binance_text(struct session *s, const char *text, size_t len)
{
    struct json root;
    struct json_error wrong;
    if (len > REQUEST_MAX)
        return;
    if (json_parse(text, len, &root, &wrong) < 0) {
        char what[128];
        struct text t = text_into(what, sizeof what - 1);
        text_put(&t, "Invalid JSON: ");
        text_put(&t, wrong.what);
        what[text_len(&t)] = '\0';
        fail_at(s, NULL, 3, what, &wrong);
        return;
    }
    struct json method = json_member(root, "method");
    struct request r = {.params = json_member(root, "params")};
    char name[BINANCE_NAME_MAX];
    struct json_error end = {.line = 1, .column = len};
    if (root.at[0] != '{') {
        fail_at(s, NULL, 2, "Invalid request: invalid type, expected struct Request", &end);
        return;
    }
    struct json id = json_member(root, "id");
    bool id_ok = id_allowed(id);
    if (id_ok)
        r.id = id;
    if (method.len == 0) {
        fail_at(s, &r, 2, "Invalid request: missing field `method`", &end);
        return;
    }
    r.method_end = (size_t)(method.at - text) + method.len;
    if (json_text(method, name, sizeof name) < 0) {
        end.column = r.method_end;
        fail_at(s, &r, 2, "Invalid request: invalid type, expected variant identifier", &end);
        return;
    }
    for (size_t i = 0; i < sizeof methods / sizeof methods[0]; i++) {
        if (strcmp(name, methods[i].name) != 0)
            continue;
        if (id_ok)
            methods[i].on(s, &r);
        else
            fail(s, NULL, 2, "Invalid request: request ID must be an unsigned integer");
        return;
    }
    unknown_method(s, &r, name);
}

#define BINANCE_VENUE(venue)                                                            \
    .name = #venue, .max_age_s = 86400, .attempts_per_5min = 300, .text = binance_text, \
    .write = binance_write, .gap_in_ids = true

/* Venues of spot: they differ in name alone. */
#define SPOT(venue)                                                                \
    BINANCE_VENUE(venue), .ping_ms = 20000, .pong_ms = 60000, .messages_per_s = 5, \
                          .open = binance_open, .is_symbol = binance_is_symbol,    \
                          .shutdown_notice = binance_shutdown_notice, .history = binance_history

/* No notice of a planned end is documented for futures. */
#define FUTURES(venue)                                                                \
    BINANCE_VENUE(venue), .ping_ms = 180000, .pong_ms = 600000, .messages_per_s = 10, \
                          .is_contract_on = binance_is_contract_on,                   \
                          .history = binance_futures_history

const struct sim_venue sim_venue_binance = {SPOT(binance)};
const struct sim_venue sim_venue_binance_us = {SPOT(binance_us)};
const struct sim_venue sim_venue_binance_tr = {SPOT(binance_tr)};

const struct sim_venue sim_venue_binance_usdm = {
    FUTURES(binance_usdm),
    .open = binance_usdm_open,
    .is_symbol = binance_usdm_is_symbol,
};

const struct sim_venue sim_venue_binance_coinm = {
    FUTURES(binance_coinm),
    .open = binance_open,
    .is_symbol = binance_coinm_is_symbol,
    .spell = binance_coinm_spell,
};
