/* The client's half of a WebSocket for the bare readers: a socket, OpenSSL's own calls, the
 * upgrade, one SUBSCRIBE. */
#ifndef BENCH_WS_CLIENT_H
#define BENCH_WS_CLIENT_H

#include <stddef.h>
#include <sys/types.h>

struct ws_client {
    int fd;
    void *tls; /* SSL, or NULL */
};

#define WS_CLIENT_BUFFER (256u << 10)
#define WS_SUBSCRIBE     "{\"method\":\"SUBSCRIBE\",\"params\":[\"btcusdt@trade\"],\"id\":1}"

/* Connect to 127.0.0.1, upgrade, subscribe. What came behind the upgrade reply is copied to `rest`;
 * returns its length. Ends the process on failure. */
size_t ws_client_open(struct ws_client *c, int port, int tls, char *rest, size_t cap);

/* Read what is there: blocks, or with `busy` spins until there is something. 0 or less: the end. */
ssize_t ws_client_read(struct ws_client *c, char *out, size_t cap, int busy);

#endif
