/* Shared by tls.c and certs.c only. */
#ifndef PXSIM_TLS_INTERNAL_H
#define PXSIM_TLS_INTERNAL_H

#include <openssl/ssl.h>

#include "tls.h"

struct tls_context {
    SSL_CTX *ssl;
};

struct tls_context *tls_context_new(void);

#endif
