/* Between the two halves of the Kraken dialect: what is asked (kraken.c) and what is told. */
#ifndef PXSIM_KRAKEN_H
#define PXSIM_KRAKEN_H

#include "venue.h"

/* Streams are named "CHANNEL:SYMBOL". */
size_t kraken_write(const struct stream *st, const struct hub_event *event, char *buf, size_t room);
/* What a stream begins with: the book or the ticker as it is, or the last trades. */
#define KRAKEN_SNAPSHOT_MAX 16384
size_t kraken_snapshot(const struct stream *st, struct sim_time now, char *buf, size_t room);
/* The state of the exchange: "online", "maintenance". */
size_t kraken_status(const struct session *s, const char *system, char *buf, size_t room);

/* Trades that were made. */
int kraken_history(struct hub *hub, const struct rest_request *r, struct text *body);

#endif
