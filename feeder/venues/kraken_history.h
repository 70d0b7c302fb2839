/* Trades of Kraken that were missed, by REST. */
#ifndef PX_VENUES_KRAKEN_HISTORY_H
#define PX_VENUES_KRAKEN_HISTORY_H

#include "venue.h"

extern const struct venue_history kraken_history;

#endif
