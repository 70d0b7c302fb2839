/* What is kept of a bus over time. One table for the database, pxstat --history, the dashboard and
 * docs/history.md (a test compares). X(name, how to fold rows into a coarser one, what it is). */
#ifndef PX_TOOLS_HISTORY_COLUMNS_H
#define PX_TOOLS_HISTORY_COLUMNS_H

#include <stdint.h>

#define HISTORY_COLUMNS(X)                                                               \
    X(samples, "sum", "seconds that were looked at")                                     \
    X(health, "max", "0 healthy, 1 warning, 2 critical, 3 no bus")                       \
    X(up, "min", "1 while the feeder lived and moved")                                   \
    X(epoch, "max", "generation of the feeder")                                          \
    X(heartbeat_ms, "max", "age of the feeder's sign of life")                           \
    X(rss_bytes, "max", "resident memory of the feeder")                                 \
    X(heap_bytes, "max", "heap reserved by the feeder")                                  \
    X(feeder_bytes, "max", "of it, by the feeder itself")                                \
    X(websocket_bytes, "max", "of it, by WebSocket")                                     \
    X(tls_bytes, "max", "of it, by TLS")                                                 \
    X(json_bytes, "max", "of it, by JSON")                                               \
    X(growth_mb_per_hour, "avg", "slope of memory, 10^6 bytes; null until it is judged") \
    X(ticks, "sum", "ticks published")                                                   \
    X(ticks_per_s, "avg", "the same by the second")                                      \
    X(messages, "sum", "data messages received")                                         \
    X(gaps, "sum", "holes in the venues' ids")                                           \
    X(reconnects, "sum", "connections opened again")                                     \
    X(connections_live, "min", "live connections")                                       \
    X(breakers_open, "max", "breakers that allow no attempt")                            \
    X(subscribed, "max", "symbols that somebody wants")                                  \
    X(symbols_stale, "max", "of them, stale or in gap")                                  \
    X(readers, "max", "attached readers")                                                \
    X(lag, "max", "ticks that the slowest reader was behind")                            \
    X(lost, "sum", "ticks that readers lost")                                            \
    X(p50_us, "avg", "receipt to publication, half of the ticks of that second")         \
    X(p99_us, "max", "and 99 of 100")

enum history_column {
#define X(name, fold, text) HISTORY_##name,
    HISTORY_COLUMNS(X)
#undef X
        HISTORY_COLUMN_COUNT
};

/* NAN: not known, NULL in the database. */
struct history_row {
    int64_t t; /* Unix time, s UTC, of its beginning */
    double v[HISTORY_COLUMN_COUNT];
};

struct history_column_info {
    const char *name, *fold, *text;
};
extern const struct history_column_info history_columns[HISTORY_COLUMN_COUNT];

#endif
