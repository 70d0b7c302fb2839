/* The simulated market place: instruments, who is subscribed to what, and when something happens.
 * One for all connections, so that two connections see the same trade ids and quotes, as they would
 * at the venue. Pure: time is an argument, what is said to a client goes through a pointer. */
#ifndef PXSIM_HUB_H
#define PXSIM_HUB_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "market.h"

struct hub;
struct session;
struct sim_venue;

/* Monotonic time paces, wall-clock time is printed. */
struct sim_time {
    uint64_t mono_ns;
    uint64_t real_us;
};

/* What a stream carries. The first two come with each trade, the third with each change of the best
 * prices; the others on a schedule, the beat once a second whatever happens; a silent one is
 * accepted and never speaks. */
enum stream_kind {
    STREAM_TRADE,
    STREAM_AGGREGATE,
    STREAM_QUOTE,
    STREAM_TICKER,
    STREAM_MINI,
    STREAM_AVERAGE,
    STREAM_DEPTH_1S,
    STREAM_DEPTH_100MS,
    STREAM_BOOK_1S,
    STREAM_BOOK_100MS,
    STREAM_BEAT,
    STREAM_OF_SYMBOL, /* count of the kinds above */
    STREAM_ALL_MINI = STREAM_OF_SYMBOL,
    STREAM_SILENT,
};

enum source_kind { SOURCE_TRADE, SOURCE_BOOK, SOURCES };

struct source {
    uint64_t interval_ns; /* 0: nobody asks */
    uint64_t wanted_ns;   /* the interval that is being worked out */
    uint64_t due_ns;
    uint64_t stopped_ns; /* when the last one left */
    uint64_t was_ns;     /* interval until then */
};

struct stream {
    struct session *session;
    struct instrument *instrument; /* NULL: of no symbol, or silent */
    struct stream *next;           /* of the same instrument and kind */
    uint64_t told;                 /* messages before this one: 0 in the first write() */
    uint8_t kind;
    uint8_t levels;
    uint16_t name_len;
    char name[]; /* as the client wrote it */
};

/* A trade that was made, whether anybody was told of it or not. */
struct past_trade {
    struct market_trade trade;
    uint64_t real_us;
};

/* Latest trades of an instrument that are remembered. */
#define HUB_PAST 4096u

struct instrument {
    struct market market;
    struct past_trade *past; /* HUB_PAST of them, by id; NULL: none was made yet */
    struct stream *streams[STREAM_OF_SYMBOL];
    struct source source[SOURCES];
    struct market_book *shown[2]; /* what the depth streams (1 s, 100 ms) last told */
    uint64_t number[2];           /* of that: one more with each change that they tell, and still
                                     higher after a pause or a restart */
    struct instrument *next;      /* same hash bucket */
    bool traded;                  /* since the last second */
    bool listed;                  /* part of the all-market stream */
};

/* What a venue is asked to put in words. */
struct hub_event {
    const struct instrument *instrument;
    const struct market_book *before; /* depth: the book that the stream last told; quote: that
                                         before this change */
    struct sim_time now;
    uint8_t kind;
};

struct session {
    struct hub *hub;
    const struct sim_venue *venue;
    void *edge; /* the connection that owns this */
    /* One message to the client; is_data tells market data from replies. */
    void (*send)(struct session *s, const char *text, size_t len, bool is_data);
    struct stream **streams; /* in the order of subscription */
    size_t count, room;
    /* End the connection; nothing is to be sent after it. The session stays until the dialect has
     * returned. */
    void (*close)(struct session *s, unsigned code, const char *reason);
    struct session *next;
    uint64_t subscribed_ns; /* last subscription that was accepted; 0: none */
    uint64_t sent_ns;       /* when a message was last sent, monotonic */
    struct sim_time now;    /* set before each call of the dialect */
    uint64_t state[8];      /* venue's own, 0 at first */
    bool wrapped;           /* venue's own: payloads carry the stream's name */
    bool micros;            /* venue's own: times in microseconds */
    bool silent;            /* registered only: data comes from a replay, or not at all */
};

struct hub_options {
    uint64_t seed;
    double rate;         /* messages per second and connection */
    const char *symbols; /* NULL, a count for the all-market stream, or a closed list */
    const struct sim_venue *venue;
};

/* Count of what was asked for, per stream name, for the tests of a client. */
struct hub_tally {
    struct hub_tally *next;   /* in order of appearance */
    struct hub_tally *bucket; /* same hash */
    unsigned subscribes, unsubscribes;
    char name[];
};

struct hub_stats {
    uint64_t subscribes, unsubscribes; /* streams, not messages */
    uint64_t untold;                   /* trades that happened and that nobody was told of */
    struct hub_tally *tallies;
};

int hub_open(struct hub **ret_hub, const struct hub_options *options);
void hub_close(struct hub *hub);

void hub_join(struct hub *hub, struct session *s);
void hub_leave(struct session *s);

/* 0, 1 if it was subscribed already, -ENOMEM. An instrument that does not exist makes it silent; a
 * beat may be of no symbol (NULL). */
int hub_subscribe(struct session *s, const char *name, enum stream_kind kind, unsigned levels,
                  const char *symbol);
/* 0, or -ENOENT. */
int hub_unsubscribe(struct session *s, const char *name);
/* The stream of this name; NULL if it is not subscribed. */
const struct stream *hub_stream(const struct session *s, const char *name);
/* The book that this depth stream last told, or starts from: its snapshot is made of this and not
 * of the present one, so that the next change fits. NULL: it is no depth stream that speaks. */
const struct market_book *hub_told(const struct stream *st);
/* After a group of changes: spread the rate over the streams that there are now. */
void hub_settle(struct hub *hub, uint64_t mono_ns);

/* So many trades happen now that nobody is told of. */
void hub_untold(struct hub *hub, struct instrument *i, uint64_t trades);
/* The trade of this id; NULL: it is not remembered, or was never made. */
const struct past_trade *hub_past(const struct instrument *i, uint64_t id);

/* Do all that is due, and return when to be called again (UINT64_MAX: nothing to wait for). */
uint64_t hub_run(struct hub *hub, struct sim_time now);

/* The instrument of this name in the venue's spelling; NULL if it is not listed. */
struct instrument *hub_instrument(struct hub *hub, const char *name);
/* Instruments of the all-market stream, [0, *ret_count). */
struct instrument *const *hub_listed(const struct hub *hub, size_t *ret_count);
const struct hub_stats *hub_stats(const struct hub *hub);
struct session *hub_sessions(const struct hub *hub);

#endif
