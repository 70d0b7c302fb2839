/* px/info.h: the records that describe a bus in operation. Written by the feeder through writer.h,
 * read by tools through bus.h. Sizes are multiples of 8: records are copied as 64-bit words. Times
 * named mono_ns are CLOCK_MONOTONIC, utc_ns CLOCK_REALTIME; 0 is never. Texts end with NUL. */
#ifndef PX_INFO_H
#define PX_INFO_H

#include "px/types.h"

/* State of the segment and its feeder. */
enum px_state { PX_STATE_BUILDING = 0, PX_STATE_LIVE, PX_STATE_CLOSED, PX_STATE_RETIRED };

/* A connection's life; the names are printed by pxstat. */
enum px_conn_state {
    PX_CONN_IDLE = 0,
    PX_CONN_RESOLVING,
    PX_CONN_CONNECTING,
    PX_CONN_TLS,
    PX_CONN_UPGRADING,
    PX_CONN_SUBSCRIBING,
    PX_CONN_LIVE,
    PX_CONN_CLOSING,
    PX_CONN_WAITING,
    PX_CONN_STATE_COUNT
};
enum px_breaker_state { PX_BREAKER_CLOSED = 0, PX_BREAKER_OPEN, PX_BREAKER_HALF_OPEN };

/* Histogram of receive-to-publish times: 4 buckets to an octave. Times t in ns fall into
 * bucket b: b == t below 8 ns, else its lower bound is (4 + b % 4) << (b / 4 - 1). */
#define PX_LATENCY_BUCKETS 128

struct px_conn_info {
    char venue[24];
    char endpoint[136];
    uint32_t state;          /* enum px_conn_state */
    uint32_t breaker;        /* enum px_breaker_state */
    uint64_t owner_epoch;    /* epoch of the feeder that wrote this record */
    int64_t since_mono_ns;   /* of the present state */
    int64_t open_mono_ns;    /* last time it became live */
    int64_t bytes_mono_ns;   /* last byte received */
    int64_t message_mono_ns; /* last data message */
    int64_t next_mono_ns;    /* next attempt while waiting */
    uint64_t attempts, reconnects, messages, bytes, ticks;
    uint64_t gaps, refused_frames, duplicates;
    /* Of trades that another connection brings as well: those that came here first, those that came
     * here after, and the sum of how much after. */
    uint64_t firsts, seconds, behind_ns;
    uint32_t streams_wanted, streams_acked;
    uint64_t latency_max_ns, latency_count;
    char reason[120]; /* why it is not live, or why it last ended */
};

struct px_reader_info {
    char name[32];
    int32_t pid;
    uint32_t uid;
    uint32_t subscriptions;
    uint32_t sleeping;
    uint64_t position; /* last sequence that it has seen */
    uint64_t lag;      /* ticks behind head when the feeder looked */
    uint64_t lost;     /* sequences skipped */
    int64_t attached_mono_ns;
};

struct px_error_info {
    char kind[32];
    char text[168];
    uint64_t count;
    int64_t first_utc_ns, last_utc_ns;
};

/* Owners of memory, as they are accounted. */
enum px_owner {
    PX_OWNER_FEEDER = 0,
    PX_OWNER_WEBSOCKET,
    PX_OWNER_TLS,
    PX_OWNER_JSON,
    PX_OWNER_COUNT
};

struct px_memory_sample {
    int64_t utc_ns;
    uint64_t rss_bytes;
    uint64_t heap_bytes;
    uint64_t owner_bytes[PX_OWNER_COUNT];
    uint32_t connections, timers;
};

enum px_trend { PX_TREND_UNKNOWN = 0, PX_TREND_FLAT, PX_TREND_GROWING, PX_TREND_SHRINKING };
enum px_level { PX_LEVEL_OK = 0, PX_LEVEL_WARNING, PX_LEVEL_CRITICAL };

struct px_memory_verdict {
    int64_t mono_ns; /* when it was judged, 0 not yet */
    uint32_t trend;  /* enum px_trend */
    uint32_t level;  /* enum px_level */
    int64_t growth_bytes_per_hour;
    uint32_t confidence_ppm;                              /* 0 to 1,000,000 */
    uint32_t owner;                                       /* enum px_owner, PX_OWNER_COUNT nobody */
    int64_t time_to_limit_s;                              /* -1 none */
    uint32_t connections, timers, subscriptions, readers; /* live objects */
    uint32_t descriptors;                                 /* open in the process */
    uint32_t blocks; /* that libraries hold: of their own allocators */
    uint64_t reserved[1];
};

struct px_symbol_info {
    char symbol[48];
    char text[120]; /* the venue's words, or empty */
    uint32_t slot, generation;
    uint32_t pins;           /* readers that subscribed to it */
    uint32_t kinds;          /* kinds asked for upstream */
    uint32_t quality, cause; /* as a reader would be told */
    uint32_t conn;           /* index of its connection, UINT32_MAX none */
    uint32_t gaps;
    int64_t age_ns;    /* of its newest tick, -1 none */
    int64_t rhythm_ns; /* its usual time between ticks, 0 unknown */
    uint64_t bind_seq; /* first sequence of this owner */
    uint64_t ticks[PX_CELL_KINDS];
};

enum px_counter_type { PX_COUNTER = 0, PX_LEVEL = 1 };
struct px_counter_info {
    char name[40];
    char unit[16];
    uint32_t type; /* enum px_counter_type: ever growing, or a present level */
    char description[140];
    uint64_t value;
};

struct px_bus_info {
    char bus[40];
    char version[16]; /* of the program that writes */
    char control_path[108];
    uint32_t state; /* enum px_state */
    int32_t pid;
    uint32_t capacity, symbols, ring;
    uint64_t epoch, epoch_seq; /* generation of the feeder, and its first sequence */
    uint64_t head;             /* last published sequence */
    uint64_t bytes;            /* of the segment */
    int64_t heartbeat_age_ns, uptime_ns;
    uint32_t conns, readers, errors, counters; /* places in the tables, used or not */
};

#endif
