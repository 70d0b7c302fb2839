/* What the histories of all venues have alike: a symbol in a path, and trades that belong to the
 * symbol that was asked for. */
#ifndef PX_VENUES_HISTORY_H
#define PX_VENUES_HISTORY_H

#include "decode.h"

/* Trades that are asked for at a time, at most. */
#define HISTORY_PAGE 1000u

/* Bytes of a symbol in a path. */
#define HISTORY_SYMBOL_MAX (3 * PX_SYMBOL_MAX + 1)

/* The hole's symbol as a part of a path or query (RFC 3986: what is not unreserved is escaped).
 * Returns `out`. */
const char *history_symbol(const struct venue_hole *hole, char out[HISTORY_SYMBOL_MAX]);

/* The last id that a request from `first` on can reach. */
uint64_t history_reach(const struct venue_hole *hole);

/* snprintf(), with the result of path(). */
int history_path(char *out, size_t cap, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

/* One trade of the answer: `event` has all but type and symbol. */
void history_give(struct decode *d, const struct venue_hole *hole, struct venue_event *event);

/* A symbol that the answer names must be that of the hole: 0, or -EBADMSG after refuse(). */
int history_check(struct decode *d, const struct venue_hole *hole, const struct json_item *item,
                  const char *name);

#endif
