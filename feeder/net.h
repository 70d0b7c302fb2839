/* Descriptors on libwebsockets' loop, and its timers. net.c is the only file that includes
 * libwebsockets; its callback reasons become the few events below.
 *
 * Every descriptor (sockets to venues, control socket, sessions, signalfd, the resolver's eventfd)
 * is made by its owner, non-blocking, and adopted as a raw file: libwebsockets polls, we read and
 * write. One context for the life of the process. One thread. */
#ifndef PX_FEEDER_NET_H
#define PX_FEEDER_NET_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/socket.h>

#include "tls.h"
#include "url.h"

enum net_event {
    NET_READABLE, /* data, end or error: read(2) says which */
    NET_WRITABLE, /* once per net_want_write(); the result of connect(2) too */
    NET_HANGUP    /* the peer is gone and nothing is left to read, or it is paused: closed */
};

struct lws;
struct net;

/* One watched descriptor: embedded in its owner, zeroed before first use. */
struct net_fd {
    struct net *net;
    struct lws *wsi;
    void (*event)(void *owner, enum net_event event);
    void *owner;
    int fd; /* valid while wsi is not NULL */
    bool want_write;
    struct net_fd *again; /* list of those that asked to write while they were writing */
};

/* One timer, likewise. */
struct net_timer {
    _Alignas(8) unsigned char sul[64];
    struct net *net;
    void (*fire)(void *owner);
    void *owner;
    bool armed;
};

/* Owner: the caller, until net_free(). NULL: no memory or descriptors. */
struct net *net_new(void);
void net_free(struct net *net);

/* Watch fd for reading. It belongs to the loop from here on, also when this fails (it is closed).
 * Errors: -ENOMEM. */
int net_add(struct net *net, struct net_fd *f, int fd, void (*event)(void *, enum net_event),
            void *owner);
/* One NET_WRITABLE when it can be written. */
void net_want_write(struct net_fd *f);
/* Stop or go on reading; while stopped, data waits in the kernel. */
void net_pause(struct net_fd *f, bool pause);
/* Close it; no event follows, and `f` may be used again at once, inside its own event too. */
void net_remove(struct net_fd *f);
/* A socket address as the system takes it; len 0: none. */
struct net_address {
    const struct sockaddr *at;
    socklen_t len;
};

/* A new non-blocking, close-on-exec TCP socket, connecting; `from` is its own address. Returns the
 * descriptor; the result arrives as NET_WRITABLE (net_connected()). Errors: negative errno. */
int net_connect(struct net_address to, struct net_address from);
/* 0, or the negative errno that connecting ended with. */
int net_connected(const struct net_fd *f);

void net_timer_init(struct net *net, struct net_timer *t, void (*fire)(void *), void *owner);
/* Fire once, in so many ns (rounded up to milliseconds, so that the loop sleeps instead of spinning
 * through the last one). Replaces an earlier time. */
void net_timer_set(struct net_timer *t, int64_t in_ns);
void net_timer_cancel(struct net_timer *t);
uint32_t net_timers(const struct net *net);      /* armed */
uint32_t net_descriptors(const struct net *net); /* watched */

/* ---- an HTTP request of ours, by libwebsockets' client ---- */

struct net_request {
    const char *address; /* numeric: libwebsockets would look up a name and block */
    uint16_t port;
    const char *authority; /* of the Host header; without its port the name that TLS verifies */
    const char *path;
    const char *source; /* address of our side, NULL any */
    bool tls;           /* net_http_trust() was called */
};

enum net_http_state { NET_HTTP_IDLE, NET_HTTP_ASKED, NET_HTTP_DONE };

/* One GET at a time: embedded in its owner, zeroed before first use, `body` and `cap` are the
 * owner's. It tells nobody when it is done: the owner looks. */
struct net_http {
    struct net *net;
    struct lws *wsi;
    enum net_http_state state;
    unsigned char *body;
    size_t cap, len;
    int status;           /* of the answer, 0 none came */
    char retry_after[40]; /* as it came, "" none */
    bool whole;           /* the answer is here to its end */
    bool too_large;
    char host[URL_HOST_MAX + 9]; /* that was asked */
    char error[TLS_REASON_MAX];  /* why the answer is not here, "" unknown */
};

/* Redirections are not followed, bodies are asked for as they are. Errors: -EIO, and h->error says
 * why; else it is asked. */
int net_http_get(struct net *net, struct net_http *h, const struct net_request *request);
/* Whatever its state, it is idle now. */
void net_http_cancel(struct net_http *h);
/* Requests over TLS trust what this context (SSL_CTX) does, which stays the caller's and outlives
 * the net. Errors: -ENOMEM. */
int net_http_trust(struct net *net, void *ssl_context);

/* Run until net_stop(). With `poll` not NULL the loop never sleeps: poll(owner) is called again and
 * again, the descriptors are looked at every so often. */
void net_run(struct net *net, void (*poll)(void *), void *owner);
void net_stop(struct net *net);

#endif
