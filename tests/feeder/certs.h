/* Certificates made while the test runs: an authority, and leaves with the fault that a test wants.
 * Nothing is checked in, so nothing can expire. */
#ifndef PX_TESTS_FEEDER_CERTS_H
#define PX_TESTS_FEEDER_CERTS_H

#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include <openssl/ec.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/x509v3.h>

#include "t.h"

struct cert {
    EVP_PKEY *key;
    X509 *x509;
};

struct cert_wish {
    const char *name;          /* common name */
    const char *alt;           /* "DNS:a.example,IP:127.0.0.1", NULL: none */
    const struct cert *issuer; /* NULL: signed by itself */
    int authority;
    long from_s, to_s; /* validity, relative to now; 0, 0: an hour around it */
};

static inline void cert_extend(X509 *x, int nid, const char *value)
{
    X509V3_CTX v3;
    X509V3_set_ctx_nodb(&v3);
    X509V3_set_ctx(&v3, x, x, NULL, NULL, 0);
    X509_EXTENSION *ext = X509V3_EXT_conf_nid(NULL, &v3, nid, value);
    T_TRUE(ext != NULL && X509_add_ext(x, ext, -1) == 1);
    X509_EXTENSION_free(ext);
}

static inline struct cert cert_make(const struct cert_wish *w)
{
    static long serial = 1000;
    struct cert c = {EVP_EC_gen("P-256"), X509_new()};
    T_TRUE(c.key != NULL && c.x509 != NULL);
    X509_NAME *name = X509_get_subject_name(c.x509);
    X509_set_version(c.x509, 2);
    ASN1_INTEGER_set(X509_get_serialNumber(c.x509), serial++);
    X509_gmtime_adj(X509_getm_notBefore(c.x509), w->to_s != 0 ? w->from_s : -3600);
    X509_gmtime_adj(X509_getm_notAfter(c.x509), w->to_s != 0 ? w->to_s : 3600);
    X509_NAME_add_entry_by_txt(name, "CN", MBSTRING_ASC, (const unsigned char *)w->name, -1, -1, 0);
    X509_set_issuer_name(c.x509, w->issuer != NULL ? X509_get_subject_name(w->issuer->x509) : name);
    X509_set_pubkey(c.x509, c.key);
    cert_extend(c.x509, NID_basic_constraints, w->authority ? "critical,CA:TRUE" : "CA:FALSE");
    if (w->alt != NULL)
        cert_extend(c.x509, NID_subject_alt_name, w->alt);
    T_TRUE(X509_sign(c.x509, w->issuer != NULL ? w->issuer->key : c.key, EVP_sha256()) > 0);
    return c;
}

static inline void cert_free(struct cert *c)
{
    EVP_PKEY_free(c->key);
    X509_free(c->x509);
    *c = (struct cert){NULL, NULL};
}

/* Write the certificate as PEM to a new file below $TMPDIR; the caller unlinks it. */
static inline void cert_file(const struct cert *c, char *path, size_t cap)
{
    const char *dir = getenv("TMPDIR");
    snprintf(path, cap, "%s/px-ca-XXXXXX", dir != NULL ? dir : "/tmp");
    int fd = mkstemp(path);
    T_TRUE(fd >= 0);
    FILE *f = fdopen(fd, "w");
    T_TRUE(f != NULL && PEM_write_X509(f, c->x509) == 1);
    fclose(f);
}

#endif
