/* After docs.cdp.coinbase.com/exchange: /products/ID/trades, latest first, those before the id that
 * is given. Ids are consecutive, so that a page can be asked for by its end. The venue takes ten
 * requests a second from an address; one a second is asked. */
#include "coinbase_history.h"

#include <inttypes.h>

#include "coinbase_shared.h"
#include "history.h"

enum { TRADE_ID, TRADE_PRICE, TRADE_SIZE, TRADE_SIDE, TRADE_TIME, TRADE_NAMES };
static const struct decode_name trade_names[TRADE_NAMES] = {
    [TRADE_ID] = DECODE_NAME("trade_id"), [TRADE_PRICE] = DECODE_NAME("price"),
    [TRADE_SIZE] = DECODE_NAME("size"),   [TRADE_SIDE] = DECODE_NAME("side"),
    [TRADE_TIME] = DECODE_NAME("time"),
};

/* The side is the maker's, as in the stream. */
static int take_trade(struct decode *d, void *user)
{
    const struct venue_hole *hole = user;
    struct refusal *r = &d->refusal;
    struct venue_event event = {0};
    struct px_trade *t = &event.u.trade;
    struct decode_fields f;
    int rc = decode_fields(d, trade_names, TRADE_NAMES, &f);
    if (rc != 0 || (rc = decode_once(d, trade_names, &f)) != 0 ||
        (rc = field_id(r, decode_field(&f, TRADE_ID), "trade_id", &t->trade_id)) != 0 ||
        (rc = field_decimal(r, decode_field(&f, TRADE_PRICE), "price", &t->price)) != 0 ||
        (rc = field_decimal(r, decode_field(&f, TRADE_SIZE), "size", &t->size)) != 0 ||
        (rc = field_rfc3339(r, decode_field(&f, TRADE_TIME), "time", &event.exch_ns)) != 0 ||
        (rc = coinbase_side(r, decode_field(&f, TRADE_SIDE), &event.flags)) != 0)
        return rc;
    history_give(d, hole, &event, decode_field(&f, TRADE_ID)->text);
    return 0;
}

static int on_answer(struct json *json, const char *body, size_t len, const struct venue_hole *hole,
                     const struct venue_sink *sink)
{
    struct venue_hole asked = *hole;
    struct decode d = history_start(json, sink, "coinbase");
    int rc = decode_array(&d, body, len);
    return decode_end(&d, rc != 0 ? rc : decode_each(&d, take_trade, &asked));
}

static int path(const struct venue_hole *hole, char *out, size_t cap)
{
    char symbol[HISTORY_SYMBOL_MAX];
    return history_path(out, cap, "/products/%s/trades?limit=%u&after=%" PRIu64,
                        history_symbol(hole, symbol), HISTORY_PAGE, history_reach(hole) + 1);
}

const struct venue_history coinbase_history = {
    .url = "https://api.exchange.coinbase.com",
    .requests_per_min = 60,
    .path = path,
    .on_answer = on_answer,
};
