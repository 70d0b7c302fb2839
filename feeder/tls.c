/* OpenSSL between two fixed buffers. Its BIO_s_mem grows and its socket BIO reads by itself; the
 * small BIO here does neither: it takes from t->in, gives to t->out, and asks to be called again
 * where one is empty or the other full. */
#include "tls.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include <openssl/crypto.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/ssl.h>
#include <openssl/x509_vfy.h>
#include <openssl/x509v3.h>

#include "tls_pool.h"

/* What a record adds at most: header 5, explicit IV 16, MAC 48, padding 256 (CBC of TLS 1.2). */
#define RECORD_OVERHEAD 325
#define RECORD_MAX      16384

/* Kept free by tls_write() for what OpenSSL sends unasked: alerts and answers to KeyUpdate. */
#define OUT_RESERVE 1024

struct tls_context {
    SSL_CTX *ssl;
    BIO_METHOD *bio;
};

static EVP_MD *sha1; /* fetched once: a fetch per reconnect would search the providers each time */

int tls_memory_init(size_t arena_bytes)
{
    int rc = tls_pool_init(arena_bytes);
    if (rc != 0)
        return rc;
    return CRYPTO_set_mem_functions(tls_pool_malloc, tls_pool_realloc, tls_pool_free) == 1 ? 0
                                                                                           : -EBUSY;
}

void tls_memory_stats(struct tls_memory *out)
{
    tls_pool_stats(out);
}

void tls_memory_end(void)
{
    EVP_MD_free(sha1);
    sha1 = NULL;
    OPENSSL_cleanup();
}

int tls_sha1(const void *data, size_t len, unsigned char out[20])
{
    if (sha1 == NULL)
        sha1 = EVP_MD_fetch(NULL, "SHA1", NULL);
    ERR_clear_error();
    if (sha1 == NULL || EVP_Digest(data, len, out, NULL, sha1, NULL) != 1)
        return -ENOTSUP;
    return 0;
}

static int bio_read(BIO *bio, char *to, int want)
{
    struct tls *t = BIO_get_data(bio);
    size_t n = t->in.end - t->in.start;
    BIO_clear_retry_flags(bio);
    if (n == 0) {
        if (t->ended)
            return 0;
        BIO_set_retry_read(bio);
        return -1;
    }
    if (n > (size_t)want)
        n = (size_t)want;
    memcpy(to, t->in.data + t->in.start, n);
    t->in.start += n;
    return (int)n;
}

static void pack(struct tls_buffer *b)
{
    memmove(b->data, b->data + b->start, b->end - b->start);
    b->end -= b->start;
    b->start = 0;
}

static int bio_write(BIO *bio, const char *from, int len)
{
    struct tls *t = BIO_get_data(bio);
    size_t n = (size_t)len;
    BIO_clear_retry_flags(bio);
    if (n > t->out.cap - t->out.end)
        pack(&t->out);
    if (n > t->out.cap - t->out.end)
        n = t->out.cap - t->out.end;
    if (n == 0) {
        BIO_set_retry_write(bio);
        return -1;
    }
    memcpy(t->out.data + t->out.end, from, n);
    t->out.end += n;
    return (int)n;
}

static long bio_ctrl(BIO *bio, int cmd, long num, void *ptr)
{
    const struct tls *t = BIO_get_data(bio);
    (void)num;
    (void)ptr;
    if (cmd == BIO_CTRL_FLUSH)
        return 1;
    if (cmd == BIO_CTRL_EOF)
        return t->ended && t->in.start == t->in.end;
    return 0;
}

static BIO_METHOD *bio_method(void)
{
    BIO_METHOD *m = BIO_meth_new(BIO_get_new_index() | BIO_TYPE_SOURCE_SINK, "fixed buffers");
    if (m != NULL && BIO_meth_set_read(m, bio_read) == 1 && BIO_meth_set_write(m, bio_write) == 1 &&
        BIO_meth_set_ctrl(m, bio_ctrl) == 1)
        return m;
    BIO_meth_free(m);
    return NULL;
}

/* The oldest entry of the queue is the cause, later ones are its echo. */
static const char *queue_reason(void)
{
    const char *text = ERR_reason_error_string(ERR_peek_error());
    return text != NULL ? text : "no reason given";
}

static int trust(SSL_CTX *ssl, const char *ca_file, char *err, size_t err_cap)
{
    ERR_clear_error();
    int ok = ca_file != NULL ? SSL_CTX_load_verify_file(ssl, ca_file)
                             : SSL_CTX_set_default_verify_paths(ssl);
    if (ok == 1)
        return 0;
    snprintf(err, err_cap, "%s: no trusted certificate can be read: %s",
             ca_file != NULL ? ca_file : "system certificates", queue_reason());
    return -ENOENT;
}

int tls_context_new(const char *ca_file, struct tls_context **out, char *err, size_t err_cap)
{
    struct tls_context *ctx = OPENSSL_zalloc(sizeof *ctx);
    int rc = -ENOMEM;
    if (ctx == NULL || (ctx->bio = bio_method()) == NULL ||
        (ctx->ssl = SSL_CTX_new(TLS_client_method())) == NULL) {
        snprintf(err, err_cap, "no memory for TLS");
        goto fail;
    }
    SSL_CTX_set_min_proto_version(ctx->ssl, TLS1_2_VERSION);
    SSL_CTX_set_options(ctx->ssl,
                        SSL_OP_NO_RENEGOTIATION | SSL_OP_NO_COMPRESSION | SSL_OP_NO_TICKET);
    SSL_CTX_set_session_cache_mode(ctx->ssl, SSL_SESS_CACHE_OFF);
    SSL_CTX_set_mode(ctx->ssl, SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER);
    rc = trust(ctx->ssl, ca_file, err, err_cap);
    if (rc != 0)
        goto fail;
    *out = ctx;
    return 0;
fail:
    tls_context_free(ctx);
    return rc;
}

void tls_context_free(struct tls_context *ctx)
{
    if (ctx == NULL)
        return;
    SSL_CTX_free(ctx->ssl);
    BIO_meth_free(ctx->bio);
    OPENSSL_free(ctx);
}

/* The names that a certificate is for, as far as they fit; printable, as they are the peer's. */
static void names_of(X509 *cert, char *out, size_t cap)
{
    GENERAL_NAMES *names = X509_get_ext_d2i(cert, NID_subject_alt_name, NULL, NULL);
    size_t n = 0;
    out[0] = '\0';
    for (int i = 0; i < sk_GENERAL_NAME_num(names); i++) {
        const GENERAL_NAME *name = sk_GENERAL_NAME_value(names, i);
        if (name->type != GEN_DNS)
            continue;
        size_t len = (size_t)ASN1_STRING_length(name->d.dNSName);
        if (n + len + 3 > cap)
            break;
        n += (size_t)snprintf(out + n, cap - n, "%s%.*s", n > 0 ? ", " : "", (int)len,
                              (const char *)ASN1_STRING_get0_data(name->d.dNSName));
    }
    GENERAL_NAMES_free(names);
    for (char *p = out; *p != '\0'; p++)
        if (*p < ' ' || *p > '~')
            *p = '?';
}

/* A fault of the chain, or a name that it is not for, as a sentence. */
static void refusal_of(X509_STORE_CTX *store, const char *host, char out[TLS_REASON_MAX])
{
    int error = X509_STORE_CTX_get_error(store);
    if (error == X509_V_ERR_HOSTNAME_MISMATCH || error == X509_V_ERR_IP_ADDRESS_MISMATCH) {
        char names[TLS_REASON_MAX / 3];
        names_of(X509_STORE_CTX_get0_cert(store), names, sizeof names);
        snprintf(out, TLS_REASON_MAX,
                 "certificate refused: host name mismatch: it names %s and not %.100s",
                 names[0] != '\0' ? names : "no host", host);
    } else {
        snprintf(out, TLS_REASON_MAX, "certificate of %.100s refused: %s", host,
                 X509_verify_cert_error_string(error));
    }
}

/* Called for each fault of the chain: keeps the first as a sentence, changes no verdict. */
static int on_verify(int ok, X509_STORE_CTX *store)
{
    SSL *ssl = X509_STORE_CTX_get_ex_data(store, SSL_get_ex_data_X509_STORE_CTX_idx());
    struct tls *t = SSL_get_app_data(ssl);
    if (!ok && t->reason[0] == '\0')
        refusal_of(store, t->host, t->reason);
    return ok;
}

void *tls_context_native(struct tls_context *ctx)
{
    return ctx->ssl;
}

void tls_native_refusal(void *store, const char *host, char out[TLS_REASON_MAX])
{
    refusal_of(store, host, out);
}

/* "[::1]" -> "::1", "example.com." -> "example.com"; both are written so only outside of TLS. */
static int bare_host(const char *host, char *out, size_t cap)
{
    size_t len = strlen(host);
    if (len >= 2 && host[0] == '[' && host[len - 1] == ']') {
        host++;
        len -= 2;
    } else if (len >= 1 && host[len - 1] == '.') {
        len--;
    }
    if (len == 0 || len >= cap)
        return -EINVAL;
    memcpy(out, host, len);
    out[len] = '\0';
    return 0;
}

/* The certificate must name the host; a name, unlike an address, is also sent as SNI (RFC 6066 3).
 */
static bool expect_host(SSL *ssl, const char *host)
{
    X509_VERIFY_PARAM *param = SSL_get0_param(ssl);
    if (X509_VERIFY_PARAM_set1_ip_asc(param, host) == 1)
        return true;
    X509_VERIFY_PARAM_set_hostflags(param, X509_CHECK_FLAG_NO_PARTIAL_WILDCARDS);
    return X509_VERIFY_PARAM_set1_host(param, host, 0) == 1 &&
           SSL_set_tlsext_host_name(ssl, host) == 1;
}

int tls_init(struct tls *t, struct tls_context *ctx, const char *host, struct tls_buffer in,
             struct tls_buffer out)
{
    memset(t, 0, sizeof *t);
    if (in.data == NULL || in.cap < TLS_BUFFER_MIN || out.data == NULL || out.cap < TLS_BUFFER_MIN)
        return -EINVAL;
    t->in = (struct tls_buffer){in.data, in.cap, 0, 0};
    t->out = (struct tls_buffer){out.data, out.cap, 0, 0};
    if (bare_host(host, t->host, sizeof t->host) != 0)
        return -EINVAL;
    SSL *ssl = SSL_new(ctx->ssl);
    BIO *bio = BIO_new(ctx->bio);
    int rc = ssl == NULL || bio == NULL ? -ENOMEM : expect_host(ssl, t->host) ? 0 : -EINVAL;
    ERR_clear_error();
    if (rc != 0) {
        BIO_free(bio);
        SSL_free(ssl);
        return rc;
    }
    BIO_set_data(bio, t);
    BIO_set_init(bio, 1);
    SSL_set_bio(ssl, bio, bio);
    SSL_set_app_data(ssl, t);
    SSL_set_verify(ssl, SSL_VERIFY_PEER, on_verify);
    SSL_set_connect_state(ssl);
    t->ssl = ssl;
    return 0;
}

void tls_free(struct tls *t)
{
    if (t == NULL)
        return;
    SSL_free(t->ssl);
    ERR_clear_error();
    t->ssl = NULL;
    t->open = false;
}

size_t tls_space(struct tls *t, unsigned char **at)
{
    struct tls_buffer *in = &t->in;
    if (in->start == in->end)
        in->start = in->end = 0;
    else if (in->cap - in->end < in->cap / 4)
        pack(in);
    *at = in->data + in->end;
    return in->cap - in->end;
}

void tls_received(struct tls *t, size_t n)
{
    t->in.end += n;
}

void tls_ended(struct tls *t)
{
    t->ended = true;
}

static int fail(struct tls *t, int rc, const char *what)
{
    if (t->reason[0] == '\0')
        snprintf(t->reason, sizeof t->reason, "%s", what);
    t->failed = rc;
    return rc;
}

/* What the last SSL call, which did not succeed, means: see tls.h. 0: close_notify was read. */
static int outcome(struct tls *t)
{
    int error = SSL_get_error(t->ssl, 0);
    if (error == SSL_ERROR_WANT_READ)
        return -EAGAIN;
    if (error == SSL_ERROR_WANT_WRITE)
        return -ENOBUFS;
    if (error == SSL_ERROR_ZERO_RETURN)
        return t->open ? 0 : fail(t, -EPROTO, "the peer closed TLS during the handshake");
    if (!t->open && SSL_get_verify_result(t->ssl) != X509_V_OK)
        return fail(t, -EKEYREJECTED, "certificate refused");
    if (t->ended && t->in.start == t->in.end &&
        (error == SSL_ERROR_SYSCALL ||
         ERR_GET_REASON(ERR_peek_error()) == SSL_R_UNEXPECTED_EOF_WHILE_READING))
        return fail(t, -ECONNRESET, "the stream ended without close_notify");
    char what[TLS_REASON_MAX];
    snprintf(what, sizeof what, "TLS with %.100s failed: %s", t->host, queue_reason());
    return fail(t, -EPROTO, what);
}

int tls_handshake(struct tls *t)
{
    if (t->ssl == NULL || t->failed != 0)
        return t->failed != 0 ? t->failed : -ENOTCONN;
    if (t->open)
        return 0;
    ERR_clear_error();
    if (SSL_do_handshake(t->ssl) != 1)
        return outcome(t);
    t->open = true;
    return 0;
}

/* Does out hold this much more? */
static bool out_fits(struct tls *t, size_t len)
{
    if (len > t->out.cap - t->out.end)
        pack(&t->out);
    return len <= t->out.cap - t->out.end;
}

/* OpenSSL keeps the answer to a KeyUpdate until the next write, which on a feed may never come:
 * naming it once more makes it a message that is due. Several requests get one answer (RFC 8446
 * 4.6.3). Without room it stays as it was. */
static void answer_key_update(struct tls *t)
{
    if (SSL_get_key_update_type(t->ssl) == SSL_KEY_UPDATE_NONE || t->failed != 0 || t->shut ||
        !SSL_is_init_finished(t->ssl) || !out_fits(t, RECORD_OVERHEAD))
        return;
    ERR_clear_error();
    if (SSL_key_update(t->ssl, SSL_KEY_UPDATE_NOT_REQUESTED) == 1)
        SSL_do_handshake(t->ssl);
}

ssize_t tls_read(struct tls *t, void *buf, size_t cap)
{
    unsigned char *to = buf;
    size_t got = 0, n;
    int rc = tls_handshake(t);
    if (rc != 0)
        return rc;
    while (got < cap) {
        ERR_clear_error();
        if (SSL_read_ex(t->ssl, to + got, cap - got, &n) != 1) {
            rc = outcome(t);
            break;
        }
        got += n;
    }
    answer_key_update(t);
    return got > 0 ? (ssize_t)got : rc;
}

int tls_write(struct tls *t, const void *buf, size_t len)
{
    size_t n;
    if (t->failed != 0)
        return t->failed;
    if (t->ssl == NULL || !t->open || t->shut)
        return -ENOTCONN;
    if (len == 0)
        return 0;
    if (len > t->out.cap ||
        !out_fits(t, len + (len / RECORD_MAX + 1) * RECORD_OVERHEAD + OUT_RESERVE))
        return -ENOBUFS;
    ERR_clear_error();
    return SSL_write_ex(t->ssl, buf, len, &n) == 1 ? 0 : outcome(t);
}

size_t tls_pending_out(struct tls *t, const unsigned char **at)
{
    *at = t->out.data + t->out.start;
    return t->out.end - t->out.start;
}

void tls_out_consumed(struct tls *t, size_t n)
{
    t->out.start += n;
    if (t->out.start == t->out.end)
        t->out.start = t->out.end = 0;
}

int tls_shutdown(struct tls *t)
{
    if (t->ssl == NULL || !t->open || t->shut || t->failed != 0)
        return 0;
    if (!out_fits(t, RECORD_OVERHEAD))
        return -ENOBUFS;
    ERR_clear_error();
    int rc = SSL_shutdown(t->ssl);
    if (rc < 0 && SSL_get_error(t->ssl, rc) == SSL_ERROR_WANT_WRITE)
        return -ENOBUFS;
    t->shut = true;
    return 0;
}

const char *tls_reason(const struct tls *t)
{
    return t->reason;
}

const char *tls_version(const struct tls *t)
{
    return t->open && t->ssl != NULL ? SSL_get_version(t->ssl) : "";
}
