/* What the two feeds of Coinbase have in common. See coinbase_shared.h. */
#include "coinbase_shared.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

int coinbase_check_symbol(const char *native, size_t len)
{
    size_t dashes = 0;
    if (len == 0 || len > PX_SYMBOL_MAX || native[0] == '-' || native[len - 1] == '-')
        return -EINVAL;
    for (size_t i = 0; i < len; i++) {
        char c = native[i];
        if (c == '-' && native[i - 1] != '-')
            dashes++;
        else if (!((c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9')))
            return -EINVAL;
    }
    return dashes > 0 ? 0 : -EINVAL;
}

size_t coinbase_fitting(const struct venue_request *request, size_t room, size_t rest,
                        uint32_t (*streams)(const struct venue_wish *wish))
{
    size_t done = 0;
    for (; done < request->count && done < COINBASE_PRODUCTS_MAX; done++) {
        const struct venue_wish *wish = &request->wishes[done];
        rest += streams(wish) * (strlen(wish->native) + sizeof "\"\"");
        if (rest > room)
            break;
    }
    return done;
}

size_t coinbase_put_products(char *out, size_t cap, const struct venue_request *request,
                             size_t taken, uint32_t kinds)
{
    size_t at = 0;
    for (size_t i = 0; i < taken; i++) {
        const struct venue_wish *wish = &request->wishes[i];
        if ((wish->kinds & kinds) == 0 || strcmp(wish->native, "*") == 0)
            continue;
        at += (size_t)snprintf(out + at, cap - at, "%s\"%s\"", at == 0 ? "\"product_ids\":[" : ",",
                               wish->native);
    }
    if (at > 0)
        out[at++] = ']';
    return at;
}

int coinbase_side(struct refusal *r, const struct json_item *item, uint16_t *flags)
{
    struct json_text side;
    char show[FIELD_SHOW_MAX];
    int rc = field_text(r, item, "side", &side);
    if (rc != 0)
        return rc;
    if (DECODE_IS(side, "buy") || DECODE_IS(side, "BUY"))
        *flags |= PX_SIDE_SELL;
    else if (DECODE_IS(side, "sell") || DECODE_IS(side, "SELL"))
        *flags |= PX_SIDE_BUY;
    else
        return refuse(r, REFUSED_TYPE, "side \"%s\" is neither buy nor sell",
                      field_show(side, show));
    return 0;
}

int coinbase_give_ticker(struct decode *d, struct venue_event *event,
                         const struct json_item *const item[COINBASE_TICKER_FIELDS])
{
    static const char *const names[COINBASE_TICKER_FIELDS] = {
        "price", "open", "high", "low", "best bid", "best bid size", "best ask", "best ask size"};
    struct px_decimal value[COINBASE_TICKER_FIELDS];
    for (unsigned i = 0; i < COINBASE_TICKER_FIELDS; i++) {
        value[i] = (struct px_decimal){.exponent = PX_ABSENT};
        if (item[i] == NULL && i != COINBASE_LAST)
            continue;
        int rc = field_decimal(&d->refusal, item[i], names[i], &value[i]);
        if (rc != 0)
            return rc;
    }
    event->type = VENUE_TICKER;
    event->u.ticker = (struct px_ticker){.last = value[COINBASE_LAST],
                                         .open = value[COINBASE_OPEN],
                                         .high = value[COINBASE_HIGH],
                                         .low = value[COINBASE_LOW]};
    decode_give(d, event);
    if (item[COINBASE_BID] == NULL && item[COINBASE_ASK] == NULL)
        return 0;
    event->type = VENUE_QUOTE;
    event->derived = true;
    event->u.quote = (struct px_quote){.bid = value[COINBASE_BID],
                                       .bid_size = value[COINBASE_BID_SIZE],
                                       .ask = value[COINBASE_ASK],
                                       .ask_size = value[COINBASE_ASK_SIZE]};
    decode_give(d, event);
    return 0;
}
