/* One look at a bus: everything that pxstat prints and pxmon serves, copied once, so that every
 * number on a screen is of the same moment. collect.c fills it, judge.c judges it, derive.c
 * computes what follows from it, look_json.c writes it as JSON. */
#ifndef PX_TOOLS_LOOK_SNAPSHOT_H
#define PX_TOOLS_LOOK_SNAPSHOT_H

#include <stddef.h>
#include <stdint.h>

#include "px/bus.h"

/* Does a feeder hold the bus? */
enum holder {
    HOLDER_UNKNOWN = 0, /* we may look at neither the lock nor the control socket */
    HOLDER_THERE,
    HOLDER_GONE
};

struct latency {
    uint64_t count;
    double p50_us, p99_us, p999_us, max_us; /* NAN: no time was measured yet */
};

struct conn {
    uint32_t place; /* in the table of the segment: its own as long as it lives */
    struct px_conn_info info;
    uint64_t buckets[PX_LATENCY_BUCKETS]; /* of receipt to publication, see px/info.h */
    struct latency latency;
};

struct snapshot {
    int64_t mono_ns, utc_ns; /* when it was taken */
    struct px_bus_info bus;
    enum holder holder;
    char process_state; /* of the feeder's pid, as in /proc: 'T' is stopped; 0 unknown */
    int has_memory;     /* `memory` is the newest sample */
    struct px_memory_sample memory;
    struct px_memory_verdict verdict;
    uint64_t evictions;
    /* Owned, released by snapshot_free(). */
    struct conn *conns;
    struct px_symbol_info *symbols; /* in order of slot */
    struct px_reader_info *readers;
    struct px_error_info *errors;
    struct px_counter_info *counters;
    size_t conn_count, symbol_count, reader_count, error_count, counter_count;
};

/* Look at the bus. Errors: -ENOMEM, or what px_bus_info() returns; *s is then empty. */
int snapshot_take(struct snapshot *s, px_bus *bus);
void snapshot_free(struct snapshot *s);

/* Resident memory of the feeder back in time, one value a second or one a minute, the newest last:
 * `count` values at most. Returns how many there are. */
size_t snapshot_resident(px_bus *bus, int by_minute, double *values, size_t count);

/* The same attachment in another snapshot of the bus, or NULL: a later process may have its number.
 */
const struct px_reader_info *snapshot_reader(const struct snapshot *s,
                                             const struct px_reader_info *reader);

/* The value of a counter, 0 where the bus has none of that name. */
uint64_t snapshot_counter(const struct snapshot *s, const char *name);

/* Does somebody want this symbol: a reader, or the feeder's own list? */
int symbol_wanted(const struct px_symbol_info *symbol);

#endif
