/* The server: sockets, clock, signals, and the connections.
 *
 * It is an epoll loop of our own with OpenSSL on the sockets, and not libwebsockets' server role:
 * the faults are bytes that no correct WebSocket layer would write (half a frame, a wrong one, none
 * at all, a handshake that stops), at every stage and under TLS too; a replay has to leave byte for
 * byte, with a known number of frames in one write or TLS record, and fast enough that the client
 * is the slower one. */
#ifndef PXSIM_SERVER_H
#define PXSIM_SERVER_H

#include <stdint.h>

#include "hub.h"
#include "options.h"
#include "replay.h"
#include "tls.h"

struct conn;

struct server {
    const struct options *options;
    struct hub *hub;
    struct replay replay;
    uint64_t replay_ns;             /* when a shared one started; 0: it has not */
    struct tls_context *tls;        /* NULL: plain */
    struct tls_context *tls_flawed; /* for connections with a fault in the certificate */
    int epoll, listener, timer, signals;
    uint64_t listen_ns; /* when to listen; 0: it does */
    struct conn *conns;
    struct sim_time now;
    bool stopping;
    uint64_t stop_by_ns;
    uint64_t attempts, connections, open, messages, violations, dropped;
    uint64_t requests;    /* for history */
    uint64_t *attempt_ns; /* the last ones, a ring as long as the venue's limit */
};

/* Everything up to listening; prints the address. 0, or -1 after a sentence on stderr. */
int server_open(struct server *s, const struct options *options);
/* Until SIGTERM or SIGINT. */
int server_run(struct server *s);
void server_close(struct server *s);

#endif
