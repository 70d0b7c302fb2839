/* Binance: trades that were made, by REST. After the venue's rest-api.md, and its pages on futures
 * for theirs. Ids of aggregated trades stand at a fixed distance from those of single ones here. */
#include <string.h>

#include "binance.h"

static int64_t matched_ms(const struct past_trade *p)
{
    return (int64_t)((p->real_us - 200 - p->trade.id % 700) / 1000);
}

static void price_and_size(struct text *t, const struct past_trade *p, const char *price,
                           const char *size)
{
    text_put(t, price);
    text_decimal(t, p->trade.price, 8);
    text_put(t, size);
    text_decimal(t, p->trade.qty, 8);
}

static void single(struct text *t, const struct instrument *i, const struct past_trade *p)
{
    (void)i;
    binance_key_int(t, "{\"id\":", (int64_t)p->trade.id);
    price_and_size(t, p, ",\"price\":\"", "\",\"qty\":\"");
    text_put(t, "\",\"quoteQty\":\"");
    text_decimal(t, market_value(p->trade.price, p->trade.qty), 8);
    binance_key_int(t, "\",\"time\":", matched_ms(p));
    binance_key_flag(t, ",\"isBuyerMaker\":", p->trade.buyer_is_maker);
    binance_key_flag(t, ",\"isBestMatch\":", true);
    text_put(t, "}");
}

static uint64_t distance(const struct instrument *i)
{
    return i->market.trade.id - i->market.agg_id;
}

static void aggregate(struct text *t, const struct instrument *i, const struct past_trade *p)
{
    binance_key_int(t, "{\"a\":", (int64_t)(p->trade.id - distance(i)));
    price_and_size(t, p, ",\"p\":\"", "\",\"q\":\"");
    binance_key_int(t, "\",\"f\":", (int64_t)p->trade.id);
    binance_key_int(t, ",\"l\":", (int64_t)p->trade.id);
    binance_key_int(t, ",\"T\":", matched_ms(p));
    binance_key_flag(t, ",\"m\":", p->trade.buyer_is_maker);
    binance_key_flag(t, ",\"M\":", true);
    text_put(t, "}");
}

/* 200 with `limit` trades from `fromId` on, or the latest; 400 for what the venue refuses. */
static int answer(struct hub *hub, const struct rest_request *r, bool aggregated, struct text *body)
{
    char symbol[MARKET_NAME];
    uint64_t from, limit;
    if (!rest_text(r, "symbol", symbol, sizeof symbol) || !rest_number(r, "limit", 500, &limit) ||
        limit == 0 || limit > REST_PAGE)
        return 400;
    struct instrument *i = hub_instrument(hub, symbol);
    if (i == NULL)
        return 400;
    uint64_t latest = i->market.trade.id, ahead = aggregated ? distance(i) : 0;
    if (!rest_number(r, "fromId", latest - limit + 1 - ahead, &from))
        return 400;
    from += ahead;
    text_put(body, "[");
    if (from <= latest)
        rest_trades(i, from, latest - from < limit ? latest : from + limit - 1, body,
                    aggregated ? aggregate : single);
    text_put(body, "]");
    return 200;
}

int binance_history(struct hub *hub, const struct rest_request *r, struct text *body)
{
    bool aggregated = strcmp(r->path, "/api/v3/aggTrades") == 0;
    if (!aggregated && strcmp(r->path, "/api/v3/historicalTrades") != 0 &&
        strcmp(r->path, "/api/v3/trades") != 0)
        return 404;
    return answer(hub, r, aggregated, body);
}

int binance_futures_history(struct hub *hub, const struct rest_request *r, struct text *body)
{
    if (strcmp(r->path, "/fapi/v1/aggTrades") != 0 && strcmp(r->path, "/dapi/v1/aggTrades") != 0)
        return 404;
    return answer(hub, r, true, body);
}
