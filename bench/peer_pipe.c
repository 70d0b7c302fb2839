/* One pipe per reader, ticks written in batches of up to PIPE_BUF: what every system has. */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "peer.h"
#include "util.h"

#define PEER_PINNED 1
#define HOLD        64

struct peer {
    int fd[16][2];
    int readers, mine, held;
    struct bench_tick out[HOLD];
};

static void peer_create(struct peer *p, const struct peer_options *o)
{
    p->readers = o->readers;
    for (int i = 0; i < p->readers; i++) {
        if (pipe(p->fd[i]) != 0)
            util_die("pipe", errno);
        fcntl(p->fd[i][0], F_SETFL, O_NONBLOCK);
        fcntl(p->fd[i][1], F_SETPIPE_SZ, 1 << 20);
    }
}

static void peer_writer(struct peer *p)
{
    (void)p;
}

static void peer_reader(struct peer *p, int index)
{
    p->mine = index;
}

static int peer_joined(struct peer *p)
{
    (void)p;
    return 1;
}

static void peer_flush(struct peer *p)
{
    if (p->held == 0)
        return;
    const size_t bytes = (size_t)p->held * sizeof p->out[0];
    p->held = 0;
    for (int i = 0; i < p->readers; i++)
        if (write(p->fd[i][1], p->out, bytes) != (ssize_t)bytes)
            util_die("pipe", errno);
}

static inline int peer_send(struct peer *p, const struct bench_tick *t)
{
    p->out[p->held++] = *t;
    if (p->held == HOLD)
        peer_flush(p);
    return 0;
}

static inline int peer_poll(struct peer *p, struct bench_tick *out, int n)
{
    const ssize_t got = read(p->fd[p->mine][0], out, (size_t)n * sizeof *out);
    return got > 0 ? (int)((size_t)got / sizeof *out) : 0;
}

static inline void peer_wait(struct peer *p)
{
    struct pollfd in = {.fd = p->fd[p->mine][0], .events = POLLIN};
    poll(&in, 1, 100);
}

static void peer_leave(struct peer *p)
{
    (void)p;
}

static void peer_destroy(struct peer *p)
{
    (void)p;
}

#include "peer_main.h"
