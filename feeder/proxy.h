/* The way through an HTTP proxy: its address, the request for a tunnel (RFC 9110 9.3.6), and the
 * head of its reply, cut anywhere. Pure. What is behind that head is the target's. */
#ifndef PX_FEEDER_PROXY_H
#define PX_FEEDER_PROXY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "base64.h"
#include "url.h"

#define PROXY_CREDENTIALS_MAX 255 /* bytes of user:password */
#define PROXY_REPLY_MAX       8192
#define PROXY_REASON_MAX      120

/* Names that never need a proxy, as a list for proxy_spares(). */
#define PROXY_LOOPBACK "localhost,127.0.0.0/8,::1"

struct proxy {
    struct url to; /* host, numeric and port, for resolve_ask() */
    char
        credentials[BASE64_SIZE(PROXY_CREDENTIALS_MAX)]; /* in base64, "" none; never to be shown */
};

/* http://[USER:PASSWORD@]HOST:PORT, where "http://" and a final "/" may be missing and a byte of
 * user and password may be written as %XX. Errors: -EINVAL with one clause in *why, which quotes
 * nothing of the text; *out is untouched then. */
int proxy_parse(const char *text, struct proxy *out, const char **why);

/* Is `host` in a list as no_proxy has it: names, which are meant with all that ends in them,
 * addresses, networks (10.0.0.0/8), or "*"; separated by commas or blanks. */
bool proxy_spares(const char *list, const char *host);

/* Write the request for a tunnel to `target`, whose name the proxy resolves. Returns the length.
 * Errors: -ENOBUFS. */
ssize_t proxy_request(const struct proxy *proxy, const struct url *target, char *out, size_t cap);

enum proxy_result {
    PROXY_MORE,    /* the head has not ended */
    PROXY_OPEN,    /* the tunnel is there */
    PROXY_REFUSED, /* with r->status */
    PROXY_BROKEN   /* this is no reply of HTTP/1 */
};

/* Zeroed before a request. */
struct proxy_reply {
    uint32_t total;   /* bytes so far */
    uint32_t line;    /* bytes of the present line so far */
    uint32_t headers; /* lines so far of this head */
    int status;
    bool cr; /* the last byte was a CR */
    enum proxy_result result;
};

/* Take bytes of the reply, at most up to the end of its head; *taken says how many they were. A
 * result other than PROXY_MORE is final. */
enum proxy_result proxy_take(struct proxy_reply *r, const unsigned char *in, size_t len,
                             size_t *taken);

/* Why there is no tunnel: one sentence, in words of ours alone. */
void proxy_reason(const struct proxy_reply *r, char out[PROXY_REASON_MAX]);

#endif
