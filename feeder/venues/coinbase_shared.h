/* What the two feeds of Coinbase have in common: names of products, lists of them in a message, the
 * sides of trades, and tickers with a best bid and ask. */
#ifndef PX_VENUES_COINBASE_SHARED_H
#define PX_VENUES_COINBASE_SHARED_H

#include "decode.h"

/* Products in one message. The venue publishes no bound; one product that it does not know makes it
 * refuse the whole message, which is then asked for again in halves. */
#define COINBASE_PRODUCTS_MAX 100u

/* "BTC-USD", "BIT-26DEC25-CDE": upper-case letters and digits, in parts joined by '-'. 0 or
 * -EINVAL. */
int coinbase_check_symbol(const char *native, size_t len);

/* How many of the first wishes fit into `room` bytes, each product named once for every stream that
 * streams() counts of its wish; `rest` bytes of the message are something else. */
size_t coinbase_fitting(const struct venue_request *request, size_t room, size_t rest,
                        uint32_t (*streams)(const struct venue_wish *wish));

/* Write "product_ids":["A","B"] of those of the first `taken` wishes that have one of `kinds`;
 * there is room. Returns the length, 0 for none of them. */
size_t coinbase_put_products(char *out, size_t cap, const struct venue_request *request,
                             size_t taken, uint32_t kinds);

/* The side of a trade: the venue names the maker's ("buy" or "BUY"), a tick has the aggressor's. 0
 * or -EBADMSG after refuse(). */
int coinbase_side(struct refusal *r, const struct json_item *item, uint16_t *flags);

/* What a ticker states; NULL is absent. */
enum coinbase_ticker_field {
    COINBASE_LAST,
    COINBASE_OPEN,
    COINBASE_HIGH,
    COINBASE_LOW,
    COINBASE_BID,
    COINBASE_BID_SIZE,
    COINBASE_ASK,
    COINBASE_ASK_SIZE,
    COINBASE_TICKER_FIELDS
};

/* Give the ticker, and if it has a best bid or ask the quote out of it; `event` has symbol, time
 * and flags. Without a last price there is no ticker. 0 or -EBADMSG after refuse(), nothing given.
 */
int coinbase_give_ticker(struct decode *d, struct venue_event *event,
                         const struct json_item *const item[COINBASE_TICKER_FIELDS]);

#endif
