/* One client, from accept to the last byte. Five files share this: conn.c (socket, TLS, upgrade,
 * end), conn_time.c (what is due), conn_in.c (what the client says), conn_out.c (what it is told,
 * faults included) and conn_rest.c (requests without an upgrade). A connection is never freed
 * inside these: it is marked dead and the server buries it.
 */
#ifndef PXSIM_CONN_H
#define PXSIM_CONN_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "hub.h"
#include "out.h"
#include "server.h"
#include "tls.h"

#define CONN_IN    65536      /* the largest message or request of a client */
#define CONN_OUT   (4U << 20) /* a burst, an all-market array */
#define CONN_FULL  (1U << 20) /* more than this waits: the market place holds its breath */
#define CONN_LIMIT 128        /* messages per second that a venue may allow */
#define CONN_PINGS 4          /* unanswered pings that are remembered */
#define NS_PER_MS  1000000ULL
#define NS_PER_S   1000000000ULL
#define NEVER      UINT64_MAX

enum conn_state {
    CONN_TLS,  /* handshake */
    CONN_HTTP, /* waiting for the upgrade request */
    CONN_OPEN,
    CONN_CLOSING, /* our close frame is out, the client's is awaited */
    CONN_DRAIN,   /* our side is shut, the client's end is awaited */
    CONN_STUCK,   /* by a fault: nothing is said any more */
    CONN_DEAD,
};

struct conn {
    struct server *server;
    struct conn *next;
    unsigned long number;
    int fd;
    uint32_t watched; /* events that epoll knows of */
    enum conn_state state;
    struct tls *tls;
    struct session session;
    bool joined;          /* the session is in the hub */
    uint32_t faults;      /* those that befall this one */
    bool blocked;         /* the socket takes no more */
    bool finish_flushed;  /* end when all is written */
    bool cut_flushed;     /* the same, without any courtesy */
    uint64_t deadline_ns; /* of the present state */
    uint64_t end_ns;      /* of its life */
    uint64_t notice_ns;   /* of a planned end */
    uint64_t ping_ns, pong_by_ns;
    uint64_t subscribe_by_ns, speak_by_ns; /* the client must have, by then */
    uint64_t second_ns;                    /* of the dialect's next turn */
    unsigned wanted_code;                  /* the dialect wants it closed; 0: it does not */
    char wanted_reason[124];
    uint64_t pings[CONN_PINGS]; /* payloads, newest at ping_count - 1 */
    size_t ping_count;
    uint64_t received_ns[CONN_LIMIT];
    size_t received;
    uint64_t full_ns; /* since when too much waits; 0: it does not */
    struct out out;
    uint64_t data_count; /* messages of market data so far */
    uint64_t counted;    /* frames of the view that are in the statistics */
    uint64_t drip_ns, fragment_ns;
    bool endless, gave_giant, gave_bad, skipped;
    long drop; /* messages to leave out */
    uint8_t *giant;
    char *held; /* a message that comes after the next one */
    size_t held_len;
    uint64_t replay_ns; /* when the replay started; 0: it has not */
    size_t replay_at;
    size_t message_len; /* of a client's message in fragments */
    uint8_t *message;
    size_t in_len;
    uint8_t in[CONN_IN + 1];
};

int conn_open(struct server *server, int fd, struct conn **ret_conn);
void conn_free(struct conn *c);

void conn_event(struct conn *c, uint32_t events);
/* Do what is due and return when there is more. */
uint64_t conn_tick(struct conn *c);
void conn_flush(struct conn *c);
/* Another state, for so long at most (NEVER: as long as it takes). */
void conn_become(struct conn *c, enum conn_state state, uint64_t in_ns);
/* Close frame, then the handshake of closing. */
void conn_end(struct conn *c, unsigned code, const char *reason);
/* At once, without a word. */
void conn_drop(struct conn *c, const char *why);
void conn_note(const struct conn *c, const char *format, ...) __attribute__((format(printf, 2, 3)));

static inline uint64_t conn_now(const struct conn *c)
{
    return c->server->now.mono_ns;
}

static inline bool conn_has(const struct conn *c, enum fault id)
{
    return faults_has(c->faults, id);
}

/* One byte at a time, by a fault. */
static inline bool conn_drips(const struct conn *c)
{
    return conn_has(c, FAULT_SLOW_DRIP) && c->out.raw;
}

/* conn_in.c: the bytes in c->in, as far as they are whole. */
void conn_take(struct conn *c);

/* conn_rest.c: was it a request for history? It is dealt with then. `target` may be NULL. */
bool conn_asked(struct conn *c, char *target);

/* conn_out.c */
void conn_out_start(struct conn *c);
uint64_t conn_out_tick(struct conn *c);
void conn_send(struct session *s, const char *text, size_t len, bool is_data);

#endif
