#include "tls.h"

#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>

#include <openssl/err.h>
#include <openssl/ssl.h>

#include "tls_internal.h"

#define COLLECT 65536

struct tls {
    SSL *ssl;
    BIO *collected; /* the SSL's own */
    bool wants_write;
    bool broken;
};

struct tls_context *tls_context_new(void)
{
    struct tls_context *c = calloc(1, sizeof *c);
    if (c == NULL)
        return NULL;
    c->ssl = SSL_CTX_new(TLS_server_method());
    if (c->ssl == NULL) {
        free(c);
        return NULL;
    }
    SSL_CTX_set_min_proto_version(c->ssl, TLS1_2_VERSION);
    SSL_CTX_set_mode(c->ssl, SSL_MODE_ENABLE_PARTIAL_WRITE | SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER);
    return c;
}

int tls_load(struct tls_context **ret_context, const char *cert, const char *key, char *why,
             size_t room)
{
    struct tls_context *c = tls_context_new();
    const char *object = cert;
    ERR_clear_error();
    bool ok = c != NULL && SSL_CTX_use_certificate_chain_file(c->ssl, cert) == 1;
    if (ok) {
        object = key;
        ok = SSL_CTX_use_PrivateKey_file(c->ssl, key, SSL_FILETYPE_PEM) == 1;
    }
    if (ok) {
        *ret_context = c;
        return 0;
    }
    unsigned long e = ERR_get_error();
    const char *reason = ERR_reason_error_string(e);
    snprintf(why, room, "%s: %s", object, reason != NULL ? reason : "cannot be used");
    tls_context_free(c);
    return -1;
}

void tls_context_free(struct tls_context *c)
{
    if (c == NULL)
        return;
    SSL_CTX_free(c->ssl);
    free(c);
}

struct tls *tls_new(struct tls_context *c, int fd)
{
    struct tls *t = calloc(1, sizeof *t);
    if (t == NULL)
        return NULL;
    t->ssl = SSL_new(c->ssl);
    BIO *in = BIO_new_socket(fd, BIO_NOCLOSE), *out = BIO_new_socket(fd, BIO_NOCLOSE);
    t->collected = BIO_new(BIO_f_buffer());
    if (t->ssl == NULL || in == NULL || out == NULL || t->collected == NULL ||
        BIO_set_write_buffer_size(t->collected, COLLECT) != 1) {
        BIO_free(in);
        BIO_free(out);
        BIO_free(t->collected);
        tls_free(t, false);
        return NULL;
    }
    SSL_set_bio(t->ssl, in, BIO_push(t->collected, out));
    SSL_set_accept_state(t->ssl);
    return t;
}

void tls_free(struct tls *t, bool notify)
{
    if (t == NULL)
        return;
    if (notify && !t->broken && t->ssl != NULL && SSL_is_init_finished(t->ssl)) {
        ERR_clear_error();
        (void)SSL_shutdown(t->ssl); /* once: the peer's answer is not waited for */
        (void)BIO_flush(t->collected);
    }
    SSL_free(t->ssl);
    free(t);
}

/* -EAGAIN, -EPROTO, or 0 at the peer's orderly end; a cut without close_notify is an end too. */
static int outcome(struct tls *t, int rc)
{
    int error = SSL_get_error(t->ssl, rc);
    t->wants_write = error == SSL_ERROR_WANT_WRITE;
    if (error == SSL_ERROR_WANT_WRITE || error == SSL_ERROR_WANT_READ)
        return -EAGAIN;
    if (error == SSL_ERROR_ZERO_RETURN)
        return 0;
    t->broken = true; /* SSL_shutdown must not be called any more */
    return -EPROTO;
}

int tls_handshake(struct tls *t)
{
    ERR_clear_error();
    int rc = SSL_do_handshake(t->ssl);
    t->wants_write = false;
    if (rc == 1)
        return 0;
    rc = outcome(t, rc);
    return rc == 0 ? -EPROTO : rc;
}

ssize_t tls_read(struct tls *t, void *buf, size_t room)
{
    ERR_clear_error();
    int rc = SSL_read(t->ssl, buf, room > INT_MAX ? INT_MAX : (int)room);
    return rc > 0 ? rc : outcome(t, rc);
}

ssize_t tls_write(struct tls *t, const void *bytes, size_t len)
{
    ERR_clear_error();
    int rc = SSL_write(t->ssl, bytes, len > INT_MAX ? INT_MAX : (int)len);
    if (rc > 0)
        return rc;
    rc = outcome(t, rc);
    return rc == 0 ? -EPROTO : rc;
}

int tls_flush(struct tls *t)
{
    ERR_clear_error();
    if (BIO_flush(t->collected) == 1)
        return 0;
    if (BIO_should_retry(t->collected))
        return -EAGAIN;
    t->broken = true;
    return -EPROTO;
}

bool tls_wants_write(const struct tls *t)
{
    return t->wants_write;
}
