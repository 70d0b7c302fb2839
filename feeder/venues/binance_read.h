/* The general path of the Binance family: any frame, in any order of fields. */
#ifndef PX_VENUES_BINANCE_READ_H
#define PX_VENUES_BINANCE_READ_H

#include "venue.h"

/* What sets the venues of the family apart. */
struct binance_dialect {
    const char *name;
    size_t native_max; /* so that "venue:NATIVE" is at most PX_SYMBOL_MAX */
    bool futures;
};

/* As on_text() of struct px_venue. */
int binance_read(struct json *json, const char *frame, size_t len, const struct venue_sink *sink,
                 const struct binance_dialect *dialect);

/* Say what the id of a trade counts. Spot numbers single trades and aggregated ones apart, either
 * can be asked for, and neither count has holes (none in 9,757 recorded single trades). Futures
 * document only the aggregated ones: they are the trades there, and their count has no holes
 * either. Single trades of futures are never asked for, and nothing is promised of their count. */
void binance_number_trade(const struct binance_dialect *dialect, bool aggregate,
                          struct venue_event *event);

#endif
