#include "ws_serve.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/sha.h>
#include <openssl/ssl.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "util.h"

int ws_serve_listen(struct ws_serve *s)
{
    struct sockaddr_in a = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t len = sizeof a;
    s->listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (s->listener < 0 || bind(s->listener, (struct sockaddr *)&a, sizeof a) != 0 ||
        listen(s->listener, 1) != 0 || getsockname(s->listener, (struct sockaddr *)&a, &len) != 0)
        util_die("listen", errno);
    return ntohs(a.sin_port);
}

static int write_all(int fd, const char *data, size_t len)
{
    while (len > 0) {
        const ssize_t n = send(fd, data, len, MSG_NOSIGNAL);
        if (n <= 0)
            return -1;
        data += n;
        len -= (size_t)n;
    }
    return 0;
}

/* Records gather in the memory BIO and leave in one send: a record per frame must cost the sender
 * encryption, not a system call, or the receiver would measure waiting. */
static int flush_records(struct ws_serve *s)
{
    char *data;
    const long n = BIO_get_mem_data(SSL_get_wbio(s->tls), &data);
    const int rc = n > 0 ? write_all(s->fd, data, (size_t)n) : 0;
    (void)BIO_reset(SSL_get_wbio(s->tls));
    return rc;
}

int ws_serve_send(struct ws_serve *s, const char *data, size_t len, size_t record)
{
    if (s->tls == NULL)
        return write_all(s->fd, data, len);
    for (size_t at = 0; at < len;) {
        const size_t n = record > 0 && len - at > record ? record : len - at;
        if (SSL_write(s->tls, data + at, (int)n) != (int)n)
            return -1;
        at += n;
    }
    return flush_records(s);
}

static size_t receive(struct ws_serve *s, char *out, size_t cap)
{
    const ssize_t n = s->tls != NULL ? SSL_read(s->tls, out, (int)cap) : recv(s->fd, out, cap, 0);
    return n > 0 ? (size_t)n : 0;
}

static void start_tls(struct ws_serve *s, const char *cert, const char *key)
{
    SSL_CTX *ctx = SSL_CTX_new(TLS_server_method());
    if (ctx == NULL || SSL_CTX_use_certificate_chain_file(ctx, cert) != 1 ||
        SSL_CTX_use_PrivateKey_file(ctx, key, SSL_FILETYPE_PEM) != 1)
        util_die("certificate", 0);
    SSL_CTX_set_min_proto_version(ctx, TLS1_3_VERSION);
    SSL *tls = SSL_new(ctx);
    SSL_set_fd(tls, s->fd);
    if (SSL_accept(tls) != 1)
        util_die(ERR_reason_error_string(ERR_get_error()), 0);
    s->tls = tls;
    SSL_set0_wbio(tls, BIO_new(BIO_s_mem()));
    SSL_CTX_free(ctx);
}

static void upgrade(struct ws_serve *s)
{
    char request[8192], text[128], reply[256];
    unsigned char digest[SHA_DIGEST_LENGTH], accept[64];
    size_t n = 0;
    do {
        const size_t got = receive(s, request + n, sizeof request - 1 - n);
        if (got == 0)
            util_die("upgrade: the client left", 0);
        n += got;
        request[n] = 0;
    } while (strstr(request, "\r\n\r\n") == NULL);
    const char *key = strcasestr(request, "Sec-WebSocket-Key:");
    if (key == NULL)
        util_die("upgrade: no key", 0);
    key += strlen("Sec-WebSocket-Key:");
    key += strspn(key, " ");
    const int len = snprintf(text, sizeof text, "%.24s258EAFA5-E914-47DA-95CA-C5AB0DC85B11", key);
    SHA1((unsigned char *)text, (size_t)len, digest);
    EVP_EncodeBlock(accept, digest, sizeof digest);
    const int m = snprintf(reply, sizeof reply,
                           "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\n"
                           "Connection: Upgrade\r\nSec-WebSocket-Accept: %s\r\n\r\n",
                           accept);
    if (ws_serve_send(s, reply, (size_t)m, 0) != 0)
        util_die("upgrade: the client left", 0);
}

/* Unmask what comes until it says SUBSCRIBE; frames of a client are short here and come whole. */
static void await_subscribe(struct ws_serve *s)
{
    static const char ack[] = "\x81\x18{\"result\":null,\"id\":1}  ";
    char in[4096];
    for (;;) {
        const size_t n = receive(s, in, sizeof in);
        if (n == 0)
            util_die("subscribe: the client left", 0);
        for (size_t at = 0; at + 6 <= n;) {
            const size_t small = (uint8_t)in[at + 1] & 0x7f;
            const size_t header = small == 126 ? 4 : 2;
            const size_t len =
                small == 126 ? (size_t)((uint8_t)in[at + 2] << 8 | (uint8_t)in[at + 3]) : small;
            char *mask = in + at + header, *text = mask + 4;
            if (at + header + 4 + len > n)
                break;
            for (size_t i = 0; i < len; i++)
                text[i] = (char)(text[i] ^ mask[i % 4]);
            if (memmem(text, len, "\"SUBSCRIBE\"", 11) != NULL) {
                if (ws_serve_send(s, ack, sizeof ack - 1, 0) != 0)
                    util_die("subscribe: the client left", 0);
                return;
            }
            at += header + 4 + len;
        }
    }
}

void ws_serve_accept(struct ws_serve *s, const char *cert, const char *key)
{
    const int on = 1;
    s->fd = accept4(s->listener, NULL, NULL, SOCK_CLOEXEC);
    if (s->fd < 0)
        util_die("accept", errno);
    setsockopt(s->fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
    if (cert != NULL)
        start_tls(s, cert, key);
    upgrade(s);
    await_subscribe(s);
}

void ws_serve_drain(struct ws_serve *s)
{
    char in[4096];
    while (receive(s, in, sizeof in) > 0)
        ;
}
