/* Trades of the Binance family that were missed, by REST. */
#ifndef PX_VENUES_BINANCE_HISTORY_H
#define PX_VENUES_BINANCE_HISTORY_H

#include "venue.h"

extern const struct venue_history binance_history, binance_us_history, binance_usdm_history,
    binance_coinm_history;

#endif
