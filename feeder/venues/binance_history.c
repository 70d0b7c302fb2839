/* After the venue's rest-api.md and its pages on futures. Aggregated trades can be had by everybody
 * from any id on, in every country and of futures too. Single ones from any id on are public on
 * spot; elsewhere that needs a key, and only the latest thousand are public.
 *
 * A request weighs 25 of 6,000 a minute on spot, 20 of 2,400 on futures: twenty requests a minute
 * leave nearly all of it to others at the same address. */
#include "binance_history.h"

#include <inttypes.h>

#include "history.h"

#define REQUESTS_PER_MIN 20

enum { SINGLE_ID, SINGLE_PRICE, SINGLE_SIZE, SINGLE_TIME, SINGLE_MAKER, SINGLE_NAMES };
static const struct decode_name single_names[SINGLE_NAMES] = {
    [SINGLE_ID] = DECODE_NAME("id"),
    [SINGLE_PRICE] = DECODE_NAME("price"),
    [SINGLE_SIZE] = DECODE_NAME("qty"),
    [SINGLE_TIME] = DECODE_NAME("time"),
    [SINGLE_MAKER] = DECODE_NAME("isBuyerMaker"),
};

/* The same, as the streams write them. */
static const struct decode_name aggregate_names[SINGLE_NAMES] = {
    [SINGLE_ID] = DECODE_NAME("a"),    [SINGLE_PRICE] = DECODE_NAME("p"),
    [SINGLE_SIZE] = DECODE_NAME("q"),  [SINGLE_TIME] = DECODE_NAME("T"),
    [SINGLE_MAKER] = DECODE_NAME("m"),
};

struct answer {
    const struct venue_hole *hole;
    const struct decode_name *names;
};

static int take_trade(struct decode *d, void *user)
{
    const struct answer *a = user;
    struct refusal *r = &d->refusal;
    struct venue_event event = {0};
    struct px_trade *t = &event.u.trade;
    struct decode_fields f;
    bool buyer_is_maker;
    int rc = decode_fields(d, a->names, SINGLE_NAMES, &f);
    if (rc != 0 || (rc = decode_once(d, a->names, &f)) != 0 ||
        (rc = field_id(r, decode_field(&f, SINGLE_ID), "trade id", &t->trade_id)) != 0 ||
        (rc = field_decimal(r, decode_field(&f, SINGLE_PRICE), "price", &t->price)) != 0 ||
        (rc = field_decimal(r, decode_field(&f, SINGLE_SIZE), "size", &t->size)) != 0 ||
        (rc = field_time(r, decode_field(&f, SINGLE_TIME), "trade time", &event.exch_ns)) != 0 ||
        (rc = field_bool(r, decode_field(&f, SINGLE_MAKER), "maker side", &buyer_is_maker)) != 0)
        return rc;
    event.flags = buyer_is_maker ? PX_SIDE_SELL : PX_SIDE_BUY;
    history_give(d, a->hole, &event, decode_field(&f, SINGLE_ID)->text);
    return 0;
}

static int take_answer(struct json *json, const char *body, size_t len, const struct answer *answer,
                       const struct venue_sink *sink)
{
    struct answer a = *answer;
    struct decode d = history_start(json, sink, "binance");
    int rc = decode_array(&d, body, len);
    return decode_end(&d, rc != 0 ? rc : decode_each(&d, take_trade, &a));
}

static int on_spot_answer(struct json *json, const char *body, size_t len,
                          const struct venue_hole *hole, const struct venue_sink *sink)
{
    const struct answer a = {hole, hole->aggregated ? aggregate_names : single_names};
    return take_answer(json, body, len, &a, sink);
}

/* The trades of futures are the aggregated ones. */
static int on_futures_answer(struct json *json, const char *body, size_t len,
                             const struct venue_hole *hole, const struct venue_sink *sink)
{
    const struct answer a = {hole, aggregate_names};
    return take_answer(json, body, len, &a, sink);
}

static int from_id(const struct venue_hole *hole, const char *path, char *out, size_t cap)
{
    char symbol[HISTORY_SYMBOL_MAX];
    return history_path(out, cap, "%s?symbol=%s&fromId=%" PRIu64 "&limit=%" PRIu64, path,
                        history_symbol(hole, symbol), hole->first,
                        history_reach(hole) - hole->first + 1);
}

static int spot_path(const struct venue_hole *hole, char *out, size_t cap)
{
    return from_id(hole, hole->aggregated ? "/api/v3/aggTrades" : "/api/v3/historicalTrades", out,
                   cap);
}

static int us_path(const struct venue_hole *hole, char *out, size_t cap)
{
    char symbol[HISTORY_SYMBOL_MAX];
    if (hole->aggregated)
        return spot_path(hole, out, cap);
    return history_path(out, cap, "/api/v3/trades?symbol=%s&limit=%u", history_symbol(hole, symbol),
                        HISTORY_PAGE);
}

static int usdm_path(const struct venue_hole *hole, char *out, size_t cap)
{
    return from_id(hole, "/fapi/v1/aggTrades", out, cap);
}

static int coinm_path(const struct venue_hole *hole, char *out, size_t cap)
{
    return from_id(hole, "/dapi/v1/aggTrades", out, cap);
}

const struct venue_history binance_history = {
    .url = "https://api.binance.com",
    .requests_per_min = REQUESTS_PER_MIN,
    .path = spot_path,
    .on_answer = on_spot_answer,
};

const struct venue_history binance_us_history = {
    .url = "https://api.binance.us",
    .requests_per_min = REQUESTS_PER_MIN,
    .path = us_path,
    .on_answer = on_spot_answer,
};

const struct venue_history binance_usdm_history = {
    .url = "https://fapi.binance.com",
    .requests_per_min = REQUESTS_PER_MIN,
    .path = usdm_path,
    .on_answer = on_futures_answer,
};

const struct venue_history binance_coinm_history = {
    .url = "https://dapi.binance.com",
    .requests_per_min = REQUESTS_PER_MIN,
    .path = coinm_path,
    .on_answer = on_futures_answer,
};
