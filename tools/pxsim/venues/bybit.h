/* Between the two halves of the Bybit dialect: what is asked (bybit.c) and what is told. */
#ifndef PXSIM_BYBIT_H
#define PXSIM_BYBIT_H

#include "venue.h"

/* Spot orders its keys in another way, has numbers for trades, and no best prices in tickers. */
bool bybit_is_spot(const struct session *s);

size_t bybit_write(const struct stream *st, const struct hub_event *event, char *buf, size_t room);
/* The first message of a stream: the state that its changes start from. 0: it has none. */
size_t bybit_snapshot(const struct stream *st, struct sim_time now, char *buf, size_t room);

#endif
