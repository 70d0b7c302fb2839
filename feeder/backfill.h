/* Back-fill: trades that were missed, asked for at the venue's REST history and published late.
 * Holes wait in a queue of fixed length; each venue is asked one request at a time, within its
 * budget, over libwebsockets' HTTP client. Nothing here holds up what streams. */
#ifndef PX_FEEDER_BACKFILL_H
#define PX_FEEDER_BACKFILL_H

#include "link.h"

/* An answer that is longer is refused. */
#define BACKFILL_ANSWER_BYTES (1024u * 1024)
/* Holes of all venues together that are open at a time. */
#define BACKFILL_HOLES_MAX 256u

struct backfill;

/* For the venues of the configuration that ask for it; it is told of holes by shared->publish.
 * Owner: the caller, until backfill_free(); shared outlives it. NULL: no memory. */
struct backfill *backfill_new(struct link_shared *shared);
/* What is open is said to be missing. NULL is allowed. */
void backfill_free(struct backfill *b);
size_t backfill_bytes(void);
/* How many of BACKFILL_ANSWER_BYTES it has. */
uint32_t backfill_answers(const struct config *config);

/* Ten times a second: asks, takes what was answered, looks at deadlines. */
void backfill_tick(struct backfill *b, int64_t now_ns);

#endif
