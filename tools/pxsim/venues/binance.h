/* Between the two halves of the Binance dialect: what is asked (binance.c) and what is told. */
#ifndef PXSIM_BINANCE_H
#define PXSIM_BINANCE_H

#include "venue.h"

size_t binance_write(const struct stream *st, const struct hub_event *event, char *buf,
                     size_t room);
size_t binance_shutdown_notice(const struct session *s, char *buf, size_t room);

#endif
