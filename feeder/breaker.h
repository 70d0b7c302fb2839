/* The circuit breaker of an endpoint, which all connections to it share. Pure: the time and what
 * happened go in, whether to try goes out. How long to wait is backoff.c's: whoever fails says
 * until when.
 *
 *   closed ---an attempt failed---> open ---its time has come, one tries---> half-open
 *     ^                              ^                                         |   |
 *     |                              +----------that attempt failed------------+   |
 *     +--------------------good data for breaker_good_s----------------------------+
 *
 * An attempt begins with the name and is judged once: it failed, or it has brought good data for
 * breaker_good_s. To be connected is no verdict. A connection that was good and is lost later is no
 * failure: it tries again after the back-off's first waiting time.
 *
 * Half-open, one connection is on trial and the others wait for its verdict, for BREAKER_HOLD_NS at
 * most: then the next is on trial beside it, since symbols that trade seldom bring no verdict. It
 * never gives up: there is always a time of the next attempt. */
#ifndef PX_FEEDER_BREAKER_H
#define PX_FEEDER_BREAKER_H

#include <stdbool.h>
#include <stdint.h>

#include "px/info.h"

#define BREAKER_NOBODY UINT32_MAX

/* How long one connection on trial keeps the others waiting. */
#define BREAKER_HOLD_NS (30 * INT64_C(1000000000))

struct breaker {
    uint32_t state;    /* enum px_breaker_state; open also when its time has come */
    uint32_t failures; /* in a row */
    uint32_t trial;    /* the connection on trial, BREAKER_NOBODY */
    bool vouched;      /* an attempt of before the last failure turned out good */
    int64_t hold_ns;   /* how long a trial keeps others waiting */
    int64_t next_ns;   /* no attempt before it */
    int64_t failed_ns; /* when the last failure that counted came */
    int64_t trial_ns;  /* when the trial began */
    char reason[120];  /* of the last failure */
};

/* An attempt that failed, or a connection that ended with words of the venue that ask for a pause.
 */
struct breaker_failure {
    uint32_t who;
    int64_t began_ns;   /* the attempt */
    int64_t until_ns;   /* nobody tries before it */
    bool told;          /* the venue asked for that pause */
    const char *reason; /* one clause */
};

void breaker_init(struct breaker *b, int64_t hold_ns);

/* When `who` may try: now_ns, or a later time to ask again, sooner than which only a verdict
 * changes the answer. */
int64_t breaker_next(const struct breaker *b, int64_t now_ns);

/* Attempt of `who` begins; breaker_next() allowed it. */
void breaker_begin(struct breaker *b, uint32_t who, int64_t now_ns);

/* Attempts that were under way together and fail one by one are one failure: only those that began
 * after the last one count. Returns whether this one did. */
bool breaker_failed(struct breaker *b, const struct breaker_failure *f, int64_t now_ns);

/* Good data has flowed for breaker_good_s since this attempt. It closes the breaker unless nobody
 * may try yet: a pause that the venue asked for is kept. Returns whether anything changed. */
bool breaker_good(struct breaker *b, int64_t now_ns);

/* The attempt ended without a verdict: no longer wanted, or connected and silent. */
void breaker_left(struct breaker *b, uint32_t who);

/* What pxstat shows: open only while nobody may try. One whose time has come closes here if
 * somebody vouched for it. */
uint32_t breaker_state(struct breaker *b, int64_t now_ns);

/* What a close code (RFC 6455 7.4 and IANA's registry) asks for where the venue's limits apply, in
 * ns: wait so long, and so much more at random. False: nothing, the usual back-off will do.
 *
 *   1008 policy violation: too many messages, most likely; who comes back at once is banned: 10 s
 *   1012 service restart: the registry asks for 5 to 30 s, at random
 *   1013 try again later: an overloaded service, and no time is said: 10 to 30 s
 *   3000 to 4999: of libraries and of the venue, a decision about this client and no accident: 5 s
 *
 * All others (1000, 1001, 1006, 1011 ...) are ends like those of a cut line. Where an operator's
 * own endpoint says them they ask for nothing: its back-off is capped. */
struct breaker_pause {
    int64_t least_ns, spread_ns;
};
bool breaker_told_by_close(int code, struct breaker_pause *out);

#endif
