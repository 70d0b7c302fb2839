/* What the two simulated feeds of Coinbase have in common: products, and what is told of them. */
#ifndef PXSIM_COINBASE_SHARED_H
#define PXSIM_COINBASE_SHARED_H

#include "text.h"
#include "venue.h"

#define COINBASE_NAME_MAX 64 /* "channel:PRODUCT", the name of a stream */

/* "BTC-USD": quoted in one of the venue's currencies. In USDC there are only the stablecoins; other
 * such names are second ones of products in USD. */
bool coinbase_is_symbol(const char *name);
size_t coinbase_spell(const char *base, const char *quote, char *out, size_t cap);

/* One message of the client more: a burst of so many, and eight a second. */
bool coinbase_may_ask(struct session *s, unsigned burst);

/* The part of a stream's name in front of the colon, and the one behind. */
bool coinbase_is(const struct stream *st, const char *channel);
const char *coinbase_product(const struct stream *st);

/* Key and value, "," in front of the key: ,"key":"text" and so on. A price has the digits of the
 * product's tick, a size eight. */
void coinbase_text(struct text *t, const char *key, const char *value);
void coinbase_price(struct text *t, const char *key, const struct market *m, int64_t price);
void coinbase_size(struct text *t, const char *key, int64_t size);
void coinbase_int(struct text *t, const char *key, uint64_t value);
void coinbase_time(struct text *t, const char *key, uint64_t real_us);

/* "2711.05","0.31400000" */
void coinbase_level(struct text *t, const struct market *m, const struct market_level *level);

#endif
