/* Trades of Coinbase Exchange that were missed, by REST. */
#ifndef PX_VENUES_COINBASE_HISTORY_H
#define PX_VENUES_COINBASE_HISTORY_H

#include "venue.h"

extern const struct venue_history coinbase_history;

#endif
