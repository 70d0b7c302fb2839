#include "ws_client.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <openssl/err.h>
#include <openssl/ssl.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "clock.h"
#include "util.h"

static void connect_to(struct ws_client *c, int port)
{
    struct sockaddr_in a = {.sin_family = AF_INET,
                            .sin_port = htons((uint16_t)port),
                            .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    const int on = 1;
    c->fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (c->fd < 0 || connect(c->fd, (struct sockaddr *)&a, sizeof a) != 0)
        util_die("connect", errno);
    setsockopt(c->fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
}

/* Read ahead, so that one system call can bring many records. 32 KiB is where that is cheapest:
 * OpenSSL moves what is left in this buffer at each record, and with 256 KiB small records cost
 * twice as much. */
static void start_tls(struct ws_client *c)
{
    SSL_CTX *ctx = SSL_CTX_new(TLS_client_method());
    SSL *tls = ctx != NULL ? SSL_new(ctx) : NULL;
    if (tls == NULL)
        util_die("tls", ENOMEM);
    SSL_set_read_ahead(tls, 1);
    SSL_set_default_read_buffer_len(tls, 32u << 10);
    SSL_set_fd(tls, c->fd);
    if (SSL_connect(tls) != 1)
        util_die(ERR_reason_error_string(ERR_get_error()), 0);
    c->tls = tls;
    SSL_CTX_free(ctx);
}

static void send_text(struct ws_client *c, const char *data, size_t len)
{
    const ssize_t n =
        c->tls != NULL ? SSL_write(c->tls, data, (int)len) : send(c->fd, data, len, MSG_NOSIGNAL);
    if (n != (ssize_t)len)
        util_die("send", errno);
}

static void subscribe(struct ws_client *c)
{
    char frame[128] = {(char)0x81, (char)(0x80 | (sizeof WS_SUBSCRIBE - 1)), 1, 2, 3, 4};
    for (size_t i = 0; i < sizeof WS_SUBSCRIBE - 1; i++)
        frame[6 + i] = (char)(WS_SUBSCRIBE[i] ^ frame[2 + i % 4]);
    send_text(c, frame, 6 + sizeof WS_SUBSCRIBE - 1);
}

size_t ws_client_open(struct ws_client *c, int port, int tls, char *rest, size_t cap)
{
    static const char request[] = "GET /ws HTTP/1.1\r\nHost: 127.0.0.1\r\nUpgrade: websocket\r\n"
                                  "Connection: Upgrade\r\nSec-WebSocket-Version: 13\r\n"
                                  "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n";
    char reply[4096];
    size_t n = 0;
    char *end;
    connect_to(c, port);
    c->tls = NULL;
    if (tls)
        start_tls(c);
    send_text(c, request, sizeof request - 1);
    do {
        const ssize_t got = ws_client_read(c, reply + n, sizeof reply - 1 - n, 0);
        if (got <= 0)
            util_die("upgrade: the server left", 0);
        n += (size_t)got;
        reply[n] = 0;
    } while ((end = strstr(reply, "\r\n\r\n")) == NULL);
    const size_t left = n - (size_t)(end + 4 - reply);
    memcpy(rest, end + 4, left < cap ? left : cap);
    subscribe(c);
    return left;
}

ssize_t ws_client_read(struct ws_client *c, char *out, size_t cap, int busy)
{
    if (c->tls != NULL)
        return SSL_read(c->tls, out, (int)cap);
    for (;;) {
        const ssize_t n = recv(c->fd, out, cap, busy ? MSG_DONTWAIT : 0);
        if (n >= 0 || errno != EAGAIN)
            return n;
        cpu_pause();
    }
}
