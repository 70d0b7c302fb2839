/* The two halves of the Bybit dialect: bybit.c reads frames, bybit_subscribe.c writes requests and
 * has the venues. */
#ifndef PX_VENUES_BYBIT_H
#define PX_VENUES_BYBIT_H

#include "venue.h"

/* on_text of each venue: the length of its name bounds that of a symbol. */
int bybit_on_text(struct json *json, const char *frame, size_t len, const struct venue_sink *sink);
int bybit_linear_on_text(struct json *json, const char *frame, size_t len,
                         const struct venue_sink *sink);

#endif
