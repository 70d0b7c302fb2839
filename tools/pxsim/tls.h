/* TLS of the server's side, over a non-blocking socket, and certificates for tests and the demo.
 * With certs.c and the digest in http.c the only files that include OpenSSL. */
#ifndef PXSIM_TLS_H
#define PXSIM_TLS_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

struct tls_context;
struct tls;

/* What is wrong with a certificate of our own making. */
enum tls_flaw { TLS_SOUND, TLS_EXPIRED, TLS_WRONG_HOST };

/* From PEM files. 0, or -1 and a sentence "object: reason" in `why`. */
int tls_load(struct tls_context **ret_context, const char *cert, const char *key, char *why,
             size_t room);
void tls_context_free(struct tls_context *c);

/* A certification authority and certificates for localhost made now: keys exist only in memory and,
 * where asked for, in files. */
struct certs;
int certs_make(struct certs **ret_certs, const char *extra_address);
void certs_free(struct certs *c);
/* Use a certificate of this authority; several calls give several of them. */
int certs_context(struct certs *c, enum tls_flaw flaw, struct tls_context **ret_context);
int certs_save_ca(const struct certs *c, const char *path);
/* DIR/ca.pem, DIR/cert.pem, DIR/key.pem of the sound certificate; the directory is made. */
int certs_save(const struct certs *c, const char *dir, char *why, size_t room);

struct tls *tls_new(struct tls_context *c, int fd);
/* Tells the peer (close_notify) if `notify`. */
void tls_free(struct tls *t, bool notify);

/* 0 when the handshake is done, -EAGAIN, or -EPROTO when it failed. */
int tls_handshake(struct tls *t);
/* Bytes, 0 at the end, -EAGAIN or -EPROTO. */
ssize_t tls_read(struct tls *t, void *buf, size_t room);
ssize_t tls_write(struct tls *t, const void *bytes, size_t len);
/* Records are collected, so that many small ones do not cost a system call each: send them. 0,
 * -EAGAIN or -EPROTO. */
int tls_flush(struct tls *t);
/* The last operation waits for room to write rather than for data. */
bool tls_wants_write(const struct tls *t);

#endif
