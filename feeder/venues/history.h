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

/* decode_start() for an answer. */
struct decode history_start(struct json *json, const struct venue_sink *sink, const char *venue);

/* One trade of the answer, of the symbol that was asked for: `event` has its time, its flags, and
 * in u.trade what was traded, under the id that the hole is told by. `id` is as the venue wrote it.
 */
void history_give(struct decode *d, const struct venue_hole *hole, struct venue_event *event,
                  struct json_text id);

#endif
