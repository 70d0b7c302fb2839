/* Requests for trades that were made: what they ask, and the trades of the answer. Pure. */
#ifndef PXSIM_REST_H
#define PXSIM_REST_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "text.h"

struct hub;
struct instrument;
struct past_trade;

#define REST_PAGE 1000u /* trades in an answer, at most */

/* A target, cut at the question mark. */
struct rest_request {
    const char *path;
    const char *query; /* "" none */
};

/* The parameter's value, unescaped. False: it is not there or too long. */
bool rest_text(const struct rest_request *r, const char *name, char *out, size_t cap);
/* The same as a number; `otherwise` if it is not there. False: it is no number. */
bool rest_number(const struct rest_request *r, const char *name, uint64_t otherwise,
                 uint64_t *ret_value);
/* What stands in the path between these two; false if that is not its form, or too long. */
bool rest_between(const struct rest_request *r, const char *before, const char *behind, char *out,
                  size_t cap);

/* Trades from id `first` to `last` that are remembered, oldest first or, if `first` is the later
 * one, latest first; `one` puts each in words. */
void rest_trades(const struct instrument *i, uint64_t first, uint64_t last, struct text *body,
                 void (*one)(struct text *t, const struct instrument *i,
                             const struct past_trade *p));

#endif
