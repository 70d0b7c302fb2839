/* Who may ask pxmon for what. Pure, but for guard_open(), which draws random secrets.
 *
 * On loopback without a token everybody on this machine may read. What stands against the pages of
 * other sites in the same browser: the Host must be a name of loopback (a foreign name that was
 * pointed at 127.0.0.1 is refused), the Origin must be ours, and a restart needs a secret that only
 * our own page holds. With a token everything but /healthz and the login needs it: as a bearer, or
 * as the cookie that a login gives for it; a restart needs the token itself. */
#ifndef PX_TOOLS_PXMON_GUARD_H
#define PX_TOOLS_PXMON_GUARD_H

#include <stdbool.h>

#include "web.h"

#define GUARD_SECRET_MAX 65 /* 32 bytes in hex, with NUL */

struct guard {
    const char *address; /* that we listen on, without brackets */
    const char *token;   /* of the token file, NULL none */
    bool tls;
    char page[GUARD_SECRET_MAX];   /* what a restart needs where there is no token */
    char cookie[GUARD_SECRET_MAX]; /* what a login gives */
};

/* Errors: -EIO no random bytes. */
int guard_open(struct guard *g, const char *address, const char *token, bool tls);

/* Was this request meant for us? With a token any Host is: a foreign page has no cookie. */
bool guard_host(const struct guard *g, const struct web_request *r);

/* Does it come from our own page? A client that is no browser sends no Origin. */
bool guard_origin(const struct guard *g, const struct web_request *r);

bool guard_token(const struct guard *g, const struct web_request *r);   /* the bearer is right */
bool guard_read(const struct guard *g, const struct web_request *r);    /* bearer or cookie */
bool guard_restart(const struct guard *g, const struct web_request *r); /* the secret is right */

#define GUARD_COOKIE "pxmon"

/* Is `address` (without brackets) one of loopback? */
bool guard_is_loopback(const char *address);

#endif
