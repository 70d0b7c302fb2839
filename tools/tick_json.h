/* A tick as one line, as JSON and as text for people: pxtail, pxdecode and pxmon print the same.
 * The members and their names are a contract. */
#ifndef PX_TOOLS_TICK_JSON_H
#define PX_TOOLS_TICK_JSON_H

#include <stddef.h>
#include <stdint.h>

#include "px/bus.h"

/* Longest trade id that is printed; a longer one is cut. */
#define TICK_TRADE_ID_MAX 128

/* Room that suffices for every line. */
#define TICK_LINE_MAX 4096

/* What the tick itself does not hold. Texts are NUL-terminated and may hold any bytes. */
struct tick_note {
    const char *symbol;   /* "venue:NATIVE", NULL: of no symbol */
    const char *trade_id; /* as the venue wrote it, NULL: the number that is in the tick */
    const char *cause;    /* of a STATUS, in the venue's words, NULL: what the cause number says */
    uint64_t frame;       /* line of the input, from 1; 0: the tick is from a bus */
};

/* One JSON object without line end, NUL-terminated. Absent values are null: seq 0, recv_ns 0,
 * exch_ns 0, trade id 0 without a text, a decimal with PX_ABSENT.
 * Threads: any.   Errors: -ENOSPC cap below what is needed; TICK_LINE_MAX always suffices. */
int tick_json(const struct px_tick *tick, const struct tick_note *note, char *out, size_t cap);

/* The same for people: time (the venue's, else of receipt), symbol, kind, values. */
int tick_text(const struct px_tick *tick, const struct tick_note *note, char *out, size_t cap);

#endif
