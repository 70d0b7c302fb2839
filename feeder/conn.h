/* The life of one upstream connection as a state machine. Pure: events and the time go in, actions
 * come out; the caller (link.c) owns the socket, TLS and WebSocket that they are about.
 *
 *   idle -> resolving -> connecting -> TLS -> upgrading -> subscribing -> live -> closing -> idle
 *               \____________\___________\________\___________\________\-> waiting -> resolving ...
 *
 * Every state has a deadline of its own (the table in conn.c). A connection that is wanted is tried
 * for ever; how often is backoff.c's. Received bytes are proof of life: pings are answered, not
 * waited for. */
#ifndef PX_FEEDER_CONN_H
#define PX_FEEDER_CONN_H

#include <stdbool.h>
#include <stdint.h>

#include "backoff.h"
#include "pauses.h"
#include "px/info.h"

enum conn_event {
    CONN_WANTED,     /* something is asked of it */
    CONN_UNWANTED,   /* nothing any more: close in order, then stay idle */
    CONN_TIMER,      /* conn_deadline() has passed (harmless if not) */
    CONN_RESOLVED,   /* addresses are there */
    CONN_CONNECTED,  /* the socket is connected */
    CONN_TUNNELLED,  /* the proxy has connected it with the target */
    CONN_SECURED,    /* the TLS handshake is done */
    CONN_UPGRADED,   /* the WebSocket is open */
    CONN_SUBSCRIBED, /* the venue has answered everything that was asked */
    CONN_BYTES,      /* something was received */
    CONN_DATA,       /* a message with data of a symbol was received */
    CONN_LESS,       /* less is asked of it than before: its pauses will be others */
    CONN_FAILED,     /* this attempt or connection is over: refused, error, end of stream */
    CONN_ENDED       /* the close handshake is complete, or the peer has closed in order */
};

/* What the caller is to do, in this order. */
enum conn_action {
    CONN_DO_CLOSE = 1 << 0,     /* send a close frame, go on reading until the answer */
    CONN_DO_DROP = 1 << 1,      /* tear down socket, TLS and WebSocket */
    CONN_DO_LOST = 1 << 2,      /* it was live and is no longer: its symbols are stale */
    CONN_DO_RESOLVE = 1 << 3,   /* find the addresses */
    CONN_DO_CONNECT = 1 << 4,   /* connect to the next address */
    CONN_DO_TUNNEL = 1 << 5,    /* ask the proxy for the target */
    CONN_DO_TLS = 1 << 6,       /* start the TLS handshake */
    CONN_DO_UPGRADE = 1 << 7,   /* send the upgrade request */
    CONN_DO_SUBSCRIBE = 1 << 8, /* open for subscriptions: ask for all that is wanted */
    CONN_DO_LIVE = 1 << 9       /* it is live: a state worth a line in the log */
};

struct conn_config {
    bool tls;
    bool proxy;           /* there is one: asked while connecting, with a deadline of its own */
    int64_t step_ns;      /* deadline of each step from resolving to upgrading, 0: the table's */
    int64_t subscribe_ns; /* of the answer to subscriptions, 0: the table's */
    int64_t close_ns;     /* of the close handshake, 0: the table's */
    int64_t silence_ns;   /* nothing received for so long while live: dead. 0: the table's */
    int64_t good_ns;      /* data for so long ends a series of failures. 0: the table's */
};

struct conn {
    struct conn_config config;
    struct backoff backoff;
    uint32_t state; /* enum px_conn_state */
    bool wanted;
    bool mute;                   /* the last end was for silence */
    bool good;                   /* this connection has brought data for good_ns */
    bool tunnel;                 /* connecting: the proxy is asked */
    uint32_t addresses, address; /* how many there are, and which is tried: [0, addresses) */
    int64_t since_ns;            /* of the present state */
    int64_t deadline_ns;         /* of the present state, INT64_MAX none */
    int64_t live_ns;             /* last time it became live, 0 never */
    int64_t bytes_ns;            /* last byte received in this connection */
    int64_t data_ns;             /* last data in this connection, 0 none */
    struct pauses pauses;        /* of data; kept over connections */
    uint32_t mute_ends;          /* ends for silence, less those forgiven */
    int64_t muted_ns;            /* of the last such end, or the last that was forgiven */
    uint64_t attempts, reconnects, lives, failures;
};

/* What goes with an event; NULL where nothing does. */
struct conn_input {
    uint32_t addresses; /* CONN_RESOLVED */
    int64_t retry_ns;   /* CONN_FAILED, CONN_ENDED: what the venue asks to wait; CONN_WANTED,
                           CONN_TIMER: no attempt before so long, 0 now */
    bool reached;       /* CONN_FAILED: the peer has spoken, no other address would do better */
};

void conn_init(struct conn *c, const struct conn_config *config, const struct backoff *backoff,
               int64_t now_ns);

/* It is live already: somebody else has opened it. */
void conn_take_over(struct conn *c, int64_t now_ns);

/* Returns actions (enum conn_action). */
uint32_t conn_step(struct conn *c, enum conn_event event, const struct conn_input *in,
                   int64_t now_ns);

/* When CONN_TIMER is due, INT64_MAX never. */
int64_t conn_deadline(const struct conn *c);

/* Why a deadline of this state ends an attempt: one clause for the log. */
const char *conn_deadline_text(const struct conn *c);

#endif
