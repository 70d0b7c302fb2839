/* A real OpenSSL server in memory, and the wire between it and the session under test. */
#ifndef PX_TESTS_FEEDER_TLS_PEER_H
#define PX_TESTS_FEEDER_TLS_PEER_H

#include <errno.h>
#include <stdbool.h>

#include <openssl/err.h>
#include <openssl/ssl.h>

#include "certs.h"
#include "t.h"
#include "tls.h"

#define HOST    "feed.example"
#define BUF     65536
#define NEVER   ((size_t)-1)
#define TLS_ANY 0

/* The authority, the context that trusts it, the server's certificate: made once per process. */
struct world {
    struct cert ca, leaf;
    struct tls_context *ctx;
    SSL_CTX *server;
};

static inline SSL_CTX *server_context(const struct cert *leaf)
{
    SSL_CTX *s = SSL_CTX_new(TLS_server_method());
    T_EQ(SSL_CTX_use_certificate(s, leaf->x509), 1);
    T_EQ(SSL_CTX_use_PrivateKey(s, leaf->key), 1);
    return s;
}

static inline struct tls_context *trusting(const struct cert *ca)
{
    struct tls_context *ctx = NULL;
    char path[256], err[256];
    cert_file(ca, path, sizeof path);
    T_EQ(tls_context_new(path, &ctx, err, sizeof err), 0);
    unlink(path);
    return ctx;
}

static inline void world_start(struct world *w)
{
    w->ca = cert_make(&(struct cert_wish){.name = "px test authority", .authority = 1});
    w->leaf = cert_make(
        &(struct cert_wish){.name = HOST, .alt = "DNS:" HOST ",IP:127.0.0.1", .issuer = &w->ca});
    w->ctx = trusting(&w->ca);
    w->server = server_context(&w->leaf);
}

static inline void world_stop(struct world *w)
{
    SSL_CTX_free(w->server);
    tls_context_free(w->ctx);
    cert_free(&w->leaf);
    cert_free(&w->ca);
}

/* One session with both its ends. cuts: positions in the server's stream, in order, where it
 * reaches the client in two reads. */
struct pair {
    struct tls t;
    SSL *server;
    BIO *to_server, *from_server;
    size_t cuts[2], delivered;
    char plain[BUF];
    size_t plain_len;
    ssize_t last; /* of tls_read */
    unsigned char in[BUF], out[BUF];
};

static inline void pair_start(struct pair *p, struct tls_context *ctx, SSL_CTX *server, int version,
                              const char *host)
{
    p->server = SSL_new(server);
    p->to_server = BIO_new(BIO_s_mem());
    p->from_server = BIO_new(BIO_s_mem());
    BIO_set_mem_eof_return(p->to_server, -1);
    SSL_set_bio(p->server, p->to_server, p->from_server);
    SSL_set_accept_state(p->server);
    if (version != TLS_ANY) {
        SSL_set_min_proto_version(p->server, version);
        SSL_set_max_proto_version(p->server, version);
    }
    p->cuts[0] = p->cuts[1] = NEVER;
    p->delivered = p->plain_len = 0;
    p->last = -EAGAIN;
    struct tls_buffer in = {p->in, BUF, 0, 0}, out = {p->out, BUF, 0, 0};
    T_EQ(tls_init(&p->t, ctx, host, in, out), 0);
}

static inline void pair_stop(struct pair *p)
{
    tls_free(&p->t);
    SSL_free(p->server);
    ERR_clear_error();
}

/* What the client wrote goes to the server. Returns bytes. */
static inline size_t to_server(struct pair *p)
{
    const unsigned char *at;
    size_t n = tls_pending_out(&p->t, &at);
    if (n > 0) {
        T_EQ(BIO_write(p->to_server, at, (int)n), n);
        tls_out_consumed(&p->t, n);
    }
    return n;
}

static inline void client_reads(struct pair *p)
{
    while ((p->last = tls_read(&p->t, p->plain + p->plain_len, BUF - p->plain_len)) > 0)
        p->plain_len += (size_t)p->last;
    to_server(p);
}

/* What the server wrote goes to the client, cut where the test wants it. Returns bytes. */
static inline size_t to_client(struct pair *p)
{
    size_t total = 0;
    for (;;) {
        unsigned char *at;
        size_t n = tls_space(&p->t, &at), have = (size_t)BIO_pending(p->from_server);
        n = n < have ? n : have;
        for (int i = 0; i < 2; i++)
            if (p->cuts[i] > p->delivered && p->cuts[i] - p->delivered < n)
                n = p->cuts[i] - p->delivered;
        if (n == 0)
            return total;
        T_EQ(BIO_read(p->from_server, at, (int)n), n);
        tls_received(&p->t, n);
        p->delivered += n;
        total += n;
        client_reads(p);
    }
}

/* Until both are open, or nothing moves any more. */
static inline bool pair_open(struct pair *p)
{
    client_reads(p);
    for (int i = 0; i < 20 && !(p->t.open && SSL_is_init_finished(p->server)); i++) {
        ERR_clear_error();
        SSL_do_handshake(p->server);
        to_client(p);
    }
    return p->t.open && SSL_is_init_finished(p->server);
}

static inline void server_writes(struct pair *p, const void *data, size_t len)
{
    ERR_clear_error();
    T_EQ(SSL_write(p->server, data, (int)len), len);
}

/* What the server reads now, or its error code, negative. */
static inline int server_reads(struct pair *p, void *buf, size_t cap)
{
    ERR_clear_error();
    int n = SSL_read(p->server, buf, (int)cap);
    return n > 0 ? n : -SSL_get_error(p->server, n);
}

#endif
