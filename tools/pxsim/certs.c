/* A certification authority of our own, made anew at each start: P-256 keys, certificates for
 * localhost and the loopback addresses, sound or with one flaw. */
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <openssl/pem.h>
#include <openssl/rand.h>
#include <openssl/x509v3.h>

#include "tls.h"
#include "tls_internal.h"

#define DAY_S 86400L

struct certs {
    EVP_PKEY *ca_key, *key;
    X509 *ca;
    char names[256]; /* subjectAltName of the sound one */
};

struct wish {
    const char *common_name;
    const char *names; /* NULL: a certification authority */
    long from_s, to_s; /* relative to now */
};

static bool add_extension(X509 *cert, X509 *issuer, int nid, const char *value)
{
    X509V3_CTX ctx;
    X509V3_set_ctx_nodb(&ctx);
    X509V3_set_ctx(&ctx, issuer, cert, NULL, NULL, 0);
    X509_EXTENSION *ext = X509V3_EXT_conf_nid(NULL, &ctx, nid, value);
    bool ok = ext != NULL && X509_add_ext(cert, ext, -1) == 1;
    X509_EXTENSION_free(ext);
    return ok;
}

static bool fill(X509 *cert, X509 *issuer, EVP_PKEY *key, const struct wish *w)
{
    uint64_t serial = 0;
    X509_NAME *name = X509_get_subject_name(cert);
    const unsigned char *cn = (const unsigned char *)w->common_name;
    bool ok = RAND_bytes((unsigned char *)&serial, sizeof serial) == 1 &&
              X509_set_version(cert, 2) == 1 &&
              ASN1_INTEGER_set_uint64(X509_get_serialNumber(cert), serial >> 1) == 1 &&
              X509_gmtime_adj(X509_getm_notBefore(cert), w->from_s) != NULL &&
              X509_gmtime_adj(X509_getm_notAfter(cert), w->to_s) != NULL &&
              X509_set_pubkey(cert, key) == 1 &&
              X509_NAME_add_entry_by_txt(name, "CN", MBSTRING_UTF8, cn, -1, -1, 0) == 1 &&
              X509_set_issuer_name(cert, X509_get_subject_name(issuer)) == 1 &&
              add_extension(cert, issuer, NID_subject_key_identifier, "hash");
    if (!ok)
        return false;
    if (w->names == NULL)
        return add_extension(cert, issuer, NID_basic_constraints, "critical,CA:TRUE") &&
               add_extension(cert, issuer, NID_key_usage, "critical,keyCertSign,cRLSign");
    return add_extension(cert, issuer, NID_authority_key_identifier, "keyid") &&
           add_extension(cert, issuer, NID_basic_constraints, "critical,CA:FALSE") &&
           add_extension(cert, issuer, NID_key_usage, "critical,digitalSignature") &&
           add_extension(cert, issuer, NID_ext_key_usage, "serverAuth") &&
           add_extension(cert, issuer, NID_subject_alt_name, w->names);
}

/* `issuer` NULL: it signs itself. */
static X509 *make(EVP_PKEY *key, X509 *issuer, EVP_PKEY *issuer_key, const struct wish *w)
{
    X509 *cert = X509_new();
    if (cert == NULL)
        return NULL;
    if (!fill(cert, issuer != NULL ? issuer : cert, key, w) ||
        X509_sign(cert, issuer_key, EVP_sha256()) == 0) {
        X509_free(cert);
        return NULL;
    }
    return cert;
}

int certs_make(struct certs **ret_certs, const char *extra_address)
{
    struct certs *c = calloc(1, sizeof *c);
    if (c == NULL)
        return -ENOMEM;
    bool extra = extra_address != NULL && strcmp(extra_address, "127.0.0.1") != 0 &&
                 strcmp(extra_address, "::1") != 0;
    snprintf(c->names, sizeof c->names, "DNS:localhost,IP:127.0.0.1,IP:::1%s%s",
             extra ? ",IP:" : "", extra ? extra_address : "");
    c->ca_key = EVP_EC_gen("P-256");
    c->key = EVP_EC_gen("P-256");
    struct wish wish = {"pxsim test authority", NULL, -30 * DAY_S, 365 * DAY_S};
    if (c->ca_key != NULL && c->key != NULL)
        c->ca = make(c->ca_key, NULL, c->ca_key, &wish);
    if (c->ca == NULL) {
        certs_free(c);
        return -EIO;
    }
    *ret_certs = c;
    return 0;
}

void certs_free(struct certs *c)
{
    if (c == NULL)
        return;
    X509_free(c->ca);
    EVP_PKEY_free(c->ca_key);
    EVP_PKEY_free(c->key);
    free(c);
}

static X509 *leaf(const struct certs *c, enum tls_flaw flaw)
{
    struct wish wish = {"localhost", c->names, -DAY_S, 90 * DAY_S};
    if (flaw == TLS_EXPIRED) {
        wish.from_s = -20 * DAY_S;
        wish.to_s = -DAY_S;
    } else if (flaw == TLS_WRONG_HOST) {
        wish.common_name = "another-host.invalid";
        wish.names = "DNS:another-host.invalid";
    }
    return make(c->key, c->ca, c->ca_key, &wish);
}

int certs_context(struct certs *c, enum tls_flaw flaw, struct tls_context **ret_context)
{
    struct tls_context *context = tls_context_new();
    X509 *cert = leaf(c, flaw);
    bool ok = context != NULL && cert != NULL && SSL_CTX_use_certificate(context->ssl, cert) == 1 &&
              SSL_CTX_use_PrivateKey(context->ssl, c->key) == 1;
    X509_free(cert);
    if (!ok) {
        tls_context_free(context);
        return -EIO;
    }
    *ret_context = context;
    return 0;
}

static int save(const char *path, mode_t mode, X509 *cert, EVP_PKEY *key)
{
    int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, mode);
    if (fd < 0)
        return -errno;
    FILE *f = fdopen(fd, "w");
    if (f == NULL) {
        close(fd);
        return -ENOMEM;
    }
    bool ok = cert != NULL ? PEM_write_X509(f, cert) == 1
                           : PEM_write_PrivateKey(f, key, NULL, NULL, 0, NULL, NULL) == 1;
    return fclose(f) == 0 && ok ? 0 : -EIO;
}

int certs_save_ca(const struct certs *c, const char *path)
{
    return save(path, 0644, c->ca, NULL);
}

int certs_save(const struct certs *c, const char *dir, char *why, size_t room)
{
    char path[PATH_MAX];
    int rc = mkdir(dir, 0755) < 0 && errno != EEXIST ? -errno : 0;
    X509 *cert = leaf(c, TLS_SOUND);
    snprintf(path, sizeof path, "%s", dir);
    if (rc == 0) {
        snprintf(path, sizeof path, "%s/ca.pem", dir);
        rc = certs_save_ca(c, path);
    }
    if (rc == 0) {
        snprintf(path, sizeof path, "%s/cert.pem", dir);
        rc = cert == NULL ? -EIO : save(path, 0644, cert, NULL);
    }
    if (rc == 0) {
        snprintf(path, sizeof path, "%s/key.pem", dir);
        rc = save(path, 0600, NULL, c->key);
    }
    X509_free(cert);
    if (rc < 0)
        snprintf(why, room, "%.512s: %s", path, strerror(-rc));
    return rc;
}
