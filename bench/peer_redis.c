/* Redis pub/sub over its unix socket ($PX_BENCH_REDIS, a server that the harness started),
 * published in pipelined batches. The server needs a core, so nothing is pinned. */
#include <errno.h>
#include <hiredis.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "peer.h"
#include "util.h"

#define PEER_PINNED 0

struct peer {
    redisContext *c;
    int held;
};

static void open_connection(struct peer *p)
{
    const char *path = getenv("PX_BENCH_REDIS");
    p->c = redisConnectUnix(path != NULL ? path : "");
    if (p->c == NULL || p->c->err != 0)
        util_die(p->c != NULL ? p->c->errstr : "redis", 0);
}

static void peer_create(struct peer *p, const struct peer_options *o)
{
    (void)p;
    (void)o;
}

static void peer_writer(struct peer *p)
{
    open_connection(p);
}

static void peer_reader(struct peer *p, int index)
{
    (void)index;
    open_connection(p);
    redisReply *reply = redisCommand(p->c, "SUBSCRIBE t");
    if (reply == NULL)
        util_die("redis: SUBSCRIBE", errno);
    freeReplyObject(reply);
}

static int peer_joined(struct peer *p)
{
    (void)p;
    return 1;
}

static void peer_flush(struct peer *p)
{
    void *reply;
    for (; p->held > 0; p->held--) {
        if (redisGetReply(p->c, &reply) != REDIS_OK)
            util_die("redis: PUBLISH", errno);
        freeReplyObject(reply);
    }
}

static inline int peer_send(struct peer *p, const struct bench_tick *t)
{
    const char *argv[] = {"PUBLISH", "t", (const char *)t};
    const size_t length[] = {7, 1, sizeof *t};
    redisAppendCommandArgv(p->c, 3, argv, length);
    p->held++;
    return 0;
}

static int take(struct peer *p, struct bench_tick *out, int n)
{
    int got = 0;
    void *reply;
    while (got < n && redisGetReplyFromReader(p->c, &reply) == REDIS_OK && reply != NULL) {
        const redisReply *r = reply;
        if (r->elements == 3 && r->element[2]->len == (int)sizeof *out)
            memcpy(&out[got++], r->element[2]->str, sizeof *out);
        freeReplyObject(reply);
    }
    return got;
}

static inline int peer_poll(struct peer *p, struct bench_tick *out, int n)
{
    int got = take(p, out, n);
    if (got > 0)
        return got;
    struct pollfd in = {.fd = p->c->fd, .events = POLLIN};
    if (poll(&in, 1, 0) <= 0)
        return 0;
    if (redisBufferRead(p->c) != REDIS_OK)
        util_die("redis: subscription", errno);
    return take(p, out, n);
}

static inline void peer_wait(struct peer *p)
{
    struct pollfd in = {.fd = p->c->fd, .events = POLLIN};
    poll(&in, 1, 100);
}

static void peer_leave(struct peer *p)
{
    redisFree(p->c);
}

static void peer_destroy(struct peer *p)
{
    redisFree(p->c);
}

#include "peer_main.h"
