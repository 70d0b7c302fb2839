/* ZeroMQ: XPUB to SUB over ipc://, XPUB because it sees the subscriptions and, with NODROP, makes
 * the writer wait instead of dropping. Its I/O threads need cores of their own, so nothing is
 * pinned. */
#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <zmq.h>

#include "peer.h"
#include "util.h"

#define PEER_PINNED 0

struct peer {
    char endpoint[128];
    char dir[64];
    void *context, *socket;
    int readers, joined;
};

static void peer_create(struct peer *p, const struct peer_options *o)
{
    p->readers = o->readers;
    util_temp_dir(p->dir, sizeof p->dir, "zmq");
    snprintf(p->endpoint, sizeof p->endpoint, "ipc://%s/s", p->dir);
}

static void open_socket(struct peer *p, int type)
{
    p->context = zmq_ctx_new();
    p->socket = zmq_socket(p->context, type);
    if (p->socket == NULL)
        util_die("zmq", errno);
}

static void peer_writer(struct peer *p)
{
    open_socket(p, ZMQ_XPUB);
    const int on = 1;
    zmq_setsockopt(p->socket, ZMQ_XPUB_NODROP, &on, sizeof on);
    if (zmq_bind(p->socket, p->endpoint) != 0)
        util_die(p->endpoint, errno);
}

static void peer_reader(struct peer *p, int index)
{
    (void)index;
    open_socket(p, ZMQ_SUB);
    zmq_setsockopt(p->socket, ZMQ_SUBSCRIBE, "", 0);
    if (zmq_connect(p->socket, p->endpoint) != 0)
        util_die(p->endpoint, errno);
}

static int peer_joined(struct peer *p)
{
    char subscription[16];
    while (zmq_recv(p->socket, subscription, sizeof subscription, ZMQ_DONTWAIT) > 0)
        p->joined++;
    /* XPUB reports a topic once, by whomever: the wait gives the others time to connect */
    if (p->joined > 0 && p->readers > 1)
        usleep(100000);
    return p->readers == 0 || p->joined > 0;
}

static inline int peer_send(struct peer *p, const struct bench_tick *t)
{
    return zmq_send(p->socket, t, sizeof *t, ZMQ_DONTWAIT) < 0 ? -1 : 0;
}

static inline void peer_flush(struct peer *p)
{
    (void)p;
}

static inline int peer_poll(struct peer *p, struct bench_tick *out, int n)
{
    int got = 0;
    while (got < n && zmq_recv(p->socket, &out[got], sizeof *out, ZMQ_DONTWAIT) == sizeof *out)
        got++;
    return got;
}

static inline void peer_wait(struct peer *p)
{
    zmq_pollitem_t in = {.socket = p->socket, .events = ZMQ_POLLIN};
    zmq_poll(&in, 1, 100);
}

static void peer_leave(struct peer *p)
{
    zmq_close(p->socket);
    zmq_ctx_term(p->context);
}

static void peer_destroy(struct peer *p)
{
    char path[128];
    const int linger = 0;
    zmq_setsockopt(p->socket, ZMQ_LINGER, &linger, sizeof linger);
    zmq_close(p->socket);
    zmq_ctx_term(p->context);
    snprintf(path, sizeof path, "%s/s", p->dir);
    unlink(path);
    rmdir(p->dir);
}

#include "peer_main.h"
