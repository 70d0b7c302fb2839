/* The server's half of a WebSocket, as little as a benchmark sender needs: one connection, plain or
 * TLS 1.3, the upgrade, one SUBSCRIBE answered. Blocking. */
#ifndef BENCH_WS_SERVE_H
#define BENCH_WS_SERVE_H

#include <stddef.h>

struct ws_serve {
    int listener, fd;
    void *tls; /* SSL, or NULL */
};

/* Listen on an ephemeral port of 127.0.0.1 and return it. */
int ws_serve_listen(struct ws_serve *s);

/* Accept, with certificate and key speak TLS, answer the upgrade, wait for a message that holds
 * SUBSCRIBE and answer it. Ends the process on failure. */
void ws_serve_accept(struct ws_serve *s, const char *cert, const char *key);

/* Send everything. `record` > 0: cut TLS records of so many bytes. -1 when the peer is gone. */
int ws_serve_send(struct ws_serve *s, const char *data, size_t len, size_t record);

/* Read and drop until the peer ends the connection. */
void ws_serve_drain(struct ws_serve *s);

#endif
