/* TLS client as a pure stage: encrypted bytes in, plain bytes out, and back, over fixed buffers of
 * the caller; no sockets. tls.c is the only file that includes OpenSSL.
 *
 *   space = tls_space(t, &p); n = read(fd, p, space); tls_received(t, n);       (n = 0: tls_ended)
 *   while ((n = tls_read(t, buf, cap)) > 0) ...
 *   while ((n = tls_pending_out(t, &p)) > 0) tls_out_consumed(t, write(fd, p, n));
 *
 * The last line belongs after every call: handshakes, KeyUpdate answers, alerts and close_notify
 * are all output. Work per call is bounded by what lies in the two buffers.
 * Threads: a context and its sessions belong to one thread. */
#ifndef PX_FEEDER_TLS_H
#define PX_FEEDER_TLS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

/* One record of the largest kind is about 16.6 KB: smaller buffers are refused. */
#define TLS_BUFFER_MIN 32768
#define TLS_REASON_MAX 256

struct tls_context; /* settings and trusted certificates, shared by sessions */

struct tls_buffer {
    unsigned char *data; /* the caller's, cap bytes, for the life of the session */
    size_t cap, start, end;
};

/* The fields are tls.c's own. It must not move while a session lives in it. */
struct tls {
    void *ssl; /* SSL */
    struct tls_buffer in, out;
    bool ended; /* the peer's end of the stream was reported */
    bool open;  /* the handshake is done */
    bool shut;  /* our close_notify was written */
    int failed; /* first final result; returned by all later calls */
    char host[256];
    char reason[TLS_REASON_MAX];
};

struct tls_memory {
    size_t arena_bytes;                     /* fixed at start */
    size_t arena_used_bytes;                /* cut from it so far, never given back */
    size_t bytes, blocks;                   /* live in the arena, by size class */
    size_t fallback_bytes, fallback_blocks; /* live in libc's heap */
    uint64_t fallbacks;                     /* count of allocations that went there */
    uint64_t calls;                         /* of OpenSSL, of whatever kind, so far */
};

/* Give OpenSSL a pool of arena_bytes; first thing in main, before anything touches OpenSSL.
 * Errors: -EBUSY too late or called twice; -ENOMEM. */
int tls_memory_init(size_t arena_bytes);
void tls_memory_stats(struct tls_memory *out);
/* OpenSSL gives back what it keeps for the process; nothing of it may be called any more. */
void tls_memory_end(void);

/* SHA-1 of the accept key (RFC 6455 4.2.2). 0 or -ENOTSUP. */
int tls_sha1(const void *data, size_t len, unsigned char out[20]);

/* Trust ca_file (PEM), or with NULL the certificates of the system. Owner: tls_context_free().
 * Errors, with a sentence in err: -ENOENT ca_file cannot be used; -ENOMEM; *out is untouched. */
int tls_context_new(const char *ca_file, struct tls_context **out, char *err, size_t err_cap);
void tls_context_free(struct tls_context *ctx); /* NULL is fine */
/* The SSL_CTX, for a library that makes sessions by itself: the same settings. It stays the
 * context's, and verifying the peer is that library's affair. */
void *tls_context_native(struct tls_context *ctx);
/* Why such a session refuses the peer's certificate, as a sentence: `store` is the X509_STORE_CTX
 * of its verification, `host` the name that was expected. */
void tls_native_refusal(void *store, const char *host, char out[TLS_REASON_MAX]);

/* Prepare a session with `host`, a name or an IP literal (brackets allowed), which the certificate
 * must name. in and out are the caller's, each of at least TLS_BUFFER_MIN bytes.
 * Errors: -EINVAL host or buffers unfit; -ENOMEM. */
int tls_init(struct tls *t, struct tls_context *ctx, const char *host, struct tls_buffer in,
             struct tls_buffer out);

/* Forget the session, whatever its state. NULL, zeroed and freed ones are fine. */
void tls_free(struct tls *t);

/* Where encrypted bytes go; returns how many fit. It is never 0 once tls_read() gave -EAGAIN. */
size_t tls_space(struct tls *t, unsigned char **at);
void tls_received(struct tls *t, size_t n);

/* The stream ended (read() gave 0, or a reset). */
void tls_ended(struct tls *t);

/* tls_handshake: 0 when the session is open. tls_read: plain bytes, > 0, from as many records as
 * fit into cap; 0 the peer ended with close_notify. Call it until it gives something else than > 0.
 *  -EAGAIN        needs more from the peer
 *  -ENOBUFS       output must be taken away first, then call again
 *  -ECONNRESET    the stream ended without close_notify: an unplanned end
 *  -EKEYREJECTED  the peer's certificate was refused; tls_reason() says why
 *  -EPROTO        anything else that is wrong with the peer's TLS; tls_reason() */
int tls_handshake(struct tls *t);
ssize_t tls_read(struct tls *t, void *buf, size_t cap);

/* Encrypt all of len bytes or nothing: 0, -ENOBUFS (take output away first; always, if len is more
 * than the out buffer can ever hold), -ENOTCONN not open or shut, or as tls_read(). */
int tls_write(struct tls *t, const void *buf, size_t len);

/* Encrypted bytes for the peer, and how many of them were sent. */
size_t tls_pending_out(struct tls *t, const unsigned char **at);
void tls_out_consumed(struct tls *t, size_t n);

/* Write close_notify: 0, also if it was written or there is no session to end; -ENOBUFS. */
int tls_shutdown(struct tls *t);

/* One sentence about the failure, "" if there was none. Lives as long as the session. */
const char *tls_reason(const struct tls *t);

/* "TLSv1.3", "TLSv1.2", or "" before the handshake is done. */
const char *tls_version(const struct tls *t);

#endif
