/* The three frames that come by the thousand, read by position: trade, aggTrade and bookTicker, raw
 * or wrapped, exactly as spot and futures write them today. */
#ifndef PX_VENUES_BINANCE_FAST_H
#define PX_VENUES_BINANCE_FAST_H

#include <stdbool.h>
#include <stddef.h>

#include "venue.h"

/* True: *event is what the general path would give for this frame, and nothing else; a trade's id
 * is told as spot counts, binance_number_trade() is the caller's. native_max bounds the symbol.
 * False: any other frame, right or wrong: the general path must look at it, *event is moot. Reads
 * at most VENUE_PADDING bytes behind len. */
bool binance_fast(const char *frame, size_t len, size_t native_max, struct venue_event *event);

#endif
