/* Before each attempt stands the gate of its endpoint: a breaker, which all connections to it
 * share, and the budget of attempts, which all endpoints of the venue and venues at the same
 * address share. Both outlive the feeder in <state dir>/<bus>.breakers, written before the attempt
 * that it tells of is made: a feeder that is killed in each attempt keeps the limits as one that
 * runs.
 *
 * Budgets, and the file, are for endpoints where the venue's limits apply. An endpoint of the
 * operator's own has a breaker whose pauses are its back-off's, BACKOFF_LOCAL_CAP_NS at most unless
 * the server asks for more, and which holds nobody back for longer. */
#ifndef PX_FEEDER_GATE_H
#define PX_FEEDER_GATE_H

#include "backoff.h"
#include "breaker.h"
#include "config.h"

#include "px/writer.h"

struct gate;

/* Both clocks; that of the wall is for the file. */
struct gate_time {
    int64_t mono_ns, utc_ns;
};

/* An endpoint, below: venue, an index in venue_table, and the number of its endpoint. That of its
 * first endpoint is the venue itself. */
static inline uint32_t gate_place(uint32_t venue, uint32_t endpoint)
{
    return endpoint * (uint32_t)venue_count + venue;
}

/* One connection: the place where it tries or is, and its link, below SUBS_LINKS_MAX. */
struct gate_link {
    uint32_t place, link;
};

/* How an attempt, or the connection that came of it, ended. */
struct gate_end {
    int64_t until_ns; /* of the monotonic clock: when this connection would try again */
    bool told;        /* the venue asked for that pause */
    bool no_verdict;  /* no longer wanted, silent, or announced: it says nothing of the endpoint */
    const char *reason;
};

/* dir: of dirs_state(). w: for counters, NULL in tests. The endpoints are those of `config`, read
 * here only. Owner: the caller, until gate_free(). NULL: no memory, or the path is too long. */
struct gate *gate_new(const struct config *config, const char *dir, px_writer *w);
void gate_free(struct gate *g);
size_t gate_bytes(void);
const char *gate_path(const struct gate *g);

/* Go on from the file. Time since it was written is told by the monotonic clock, by the wall clock
 * only after the machine was started anew; a wall clock that went back or far forward changes no
 * more than that: no wait is longer than it was, and failures stay counted. An attempt that the
 * file leaves without an end was the last thing that a feeder did: it counts as a failure. A file
 * that is damaged is moved aside; it and one that cannot be read count as empty, which is said. */
void gate_load(struct gate *g, struct gate_time now);

/* A generator of waiting times for a connection there, with bounds of the configuration. */
struct backoff gate_backoff(const struct gate *g, uint32_t place);

/* How long a connection must wait before it asks again, 0: it may try now. `*why`: one clause,
 * valid until the next call. */
int64_t gate_wait(struct gate *g, uint32_t place, int64_t now_ns, const char **why);
/* It tries; gate_wait() said 0. Returns how many attempts failed before it. */
uint32_t gate_begin(struct gate *g, struct gate_link l, struct gate_time now);
/* The attempt goes on with the next address of the name, which is one more for the budget. False:
 * there is none left. */
bool gate_another(struct gate *g, uint32_t place, struct gate_time now);
/* Good data has flowed for breaker_good_s. May be told again and again. */
void gate_good(struct gate *g, struct gate_link l, struct gate_time now);
void gate_ended(struct gate *g, struct gate_link l, const struct gate_end *end,
                struct gate_time now);

/* What pxstat is to show. next_ns: no attempt before it, 0 none is kept waiting. */
struct gate_view {
    uint32_t state; /* enum px_breaker_state */
    int64_t next_ns;
    const char *reason; /* of the last failure, "" none */
};
struct gate_view gate_view(struct gate *g, uint32_t place, int64_t now_ns);

#endif
