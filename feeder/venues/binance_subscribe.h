/* What the Binance family is asked: symbols, streams, paths, messages. Ops of struct px_venue, with
 * its rules. */
#ifndef PX_VENUES_BINANCE_SUBSCRIBE_H
#define PX_VENUES_BINANCE_SUBSCRIBE_H

#include "venue.h"

#define BINANCE_PARAMS_MAX 200 /* several hundred streams in one message have failed silently */

int binance_check_symbol(const char *native, size_t len);

/* Futures have the aggregated trades where spot has the single ones. */
uint32_t binance_streams(const struct venue_wish *wish);
uint32_t binance_futures_streams(const struct venue_wish *wish);
int binance_subscribe(const struct venue_request *request, char *out, size_t cap, size_t *taken);
int binance_futures_subscribe(const struct venue_request *request, char *out, size_t cap,
                              size_t *taken);

/* Combined streams; the same with all times in microseconds, which spot offers; and those of USD-M
 * by class of data: route 0 is that of book data. */

#endif
