/* The one door to libwebsockets of pxmon: a server for HTTP and WebSocket with bounds on everything
 * that a client can do, and the loop and timer that drive the program. What is served is decided
 * elsewhere (site.h). */
#ifndef PX_TOOLS_PXMON_WEB_H
#define PX_TOOLS_PXMON_WEB_H

#include <signal.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum web_method { WEB_GET, WEB_POST, WEB_OTHER };

/* Texts are "" where the client sent none; one that is too long for its place makes the request a
 * WEB_OTHER of path "", which is refused. */
struct web_request {
    enum web_method method;
    bool has_body; /* nothing here takes one */
    char path[64];
    char query[128];
    char host[128];
    char origin[160];
    char authorization[320];
    char cookie[512];
    char accept[384];
};

/* What is sent back. The body is `bytes`, which must live as long as the program, or `owned`, which
 * is freed when it was sent. */
struct web_response {
    unsigned status;
    const char *type;
    const char *bytes;
    char *owned;
    size_t length;
    char cookie[160];   /* Set-Cookie, "" none */
    char location[64];  /* "" none */
    bool cache_for_day; /* else no-store */
};

struct web_options {
    const char *address;            /* numeric, IPv4 or IPv6 without brackets */
    int port;                       /* 0: the kernel chooses */
    const char *tls_cert, *tls_key; /* both NULL: plain HTTP */
    void *site;
    /* Fill `out`, which is zero. Called for each request. */
    void (*answer)(void *site, const struct web_request *in, struct web_response *out);
    /* May this client have the live stream? 0, or the status that refuses it. */
    unsigned (*admit)(void *site, const struct web_request *in);
    void *owner;
    void (*tick)(void *owner); /* called at each full quarter of a second, and see web_soon() */
};

struct web;
struct lws_context;

/* Start to listen. Errors: negative errno; `error` then has one sentence. */
#define WEB_ERROR_MAX 256
int web_open(struct web **out, const struct web_options *options, char error[WEB_ERROR_MAX]);
void web_free(struct web *web); /* NULL is allowed */

/* The port that it listens on. */
int web_port(const struct web *web);

/* Until *stop is set. Returns 0, or -EIO when the loop fails. */
int web_run(struct web *web, const volatile sig_atomic_t *stop);

/* Send a text to every client of the live stream; it is copied. `whole`: it says everything, a new
 * client begins with it; else it is news about the last whole one. A client that is not ready gets
 * the newest only, and is dropped when it stays behind. */
void web_publish(struct web *web, const char *text, size_t length, bool whole);

/* Let tick() come in `ms` already, instead of at the next full quarter. */
void web_soon(struct web *web, unsigned ms);

/* Clients of the live stream, and connections of any kind. */
unsigned web_live(const struct web *web);
unsigned web_connections(const struct web *web);

/* For the webhook, which runs on the same loop. */
struct lws_context *web_context(const struct web *web);

#endif
