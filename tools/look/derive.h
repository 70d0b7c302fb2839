/* Every value that stands in no record of the segment: it follows from one look, or from the
 * difference of two. The text of pxstat, its JSON, its screen and pxmon all take them from here, so
 * that they agree; meaning.c says what each is. Pure. NAN: not known. */
#ifndef PX_TOOLS_LOOK_DERIVE_H
#define PX_TOOLS_LOOK_DERIVE_H

#include "snapshot.h"

/* -- from one look -- */

/* ns since a moment of the same clock, 0 for one that is yet to come, -1 if it never was. */
int64_t derive_age_ns(int64_t now_ns, int64_t then_ns);

/* ns until a moment of the same clock, 0 when it is over, -1 if there is none. */
int64_t derive_left_ns(int64_t now_ns, int64_t then_ns);

/* Was the trend of memory judged at all? */
int derive_judged(const struct px_memory_verdict *v);

/* The slope of memory, and how sure it is, 0 to 1. */
double derive_growth_bytes_per_hour(const struct px_memory_verdict *v);
double derive_confidence(const struct px_memory_verdict *v);

/* How much later than another connection one brought the trades that both bring, us, on average. */
double derive_behind_us(const struct px_conn_info *c);

/* Lower bound of bucket b of the histogram of px/info.h, which is the upper one of b - 1. */
double latency_bound_ns(unsigned b);

/* Percentiles of that histogram. */
struct latency latency_of(const uint64_t buckets[PX_LATENCY_BUCKETS], uint64_t max_ns);

/* -- from two looks, `before` the earlier one, or NULL -- */

/* What a counter gained. One that began anew counts from zero. */
double derive_since(uint64_t now, uint64_t before);

/* Between the two, NAN unless there is time between them. */
double derive_seconds(const struct snapshot *now, const struct snapshot *before);

/* The same connection in the earlier look, NULL if it was not there. */
const struct conn *derive_earlier_conn(const struct snapshot *before, const struct conn *conn);

/* Per second. NAN without an earlier look, and for the ticks of a bus that began anew. */
double derive_ticks_per_s(const struct snapshot *now, const struct snapshot *before);

struct conn_rates {
    double messages, bytes, ticks; /* per second */
};
struct conn_rates derive_conn_rates(const struct snapshot *now, const struct snapshot *before,
                                    const struct conn *conn);

/* Ticks per second of each symbol of `now`, in its order: rates[now->symbol_count]. A symbol that
 * was given its slot since counts from then on. */
void derive_symbol_rates(const struct snapshot *now, const struct snapshot *before, double *rates);

/* Ticks per second that a reader lost. */
double derive_lost_per_s(const struct snapshot *now, const struct snapshot *before,
                         const struct px_reader_info *reader);

/* Percentiles of what was published between the two looks alone, all connections together. */
struct latency derive_latency(const struct snapshot *now, const struct snapshot *before);

#endif
