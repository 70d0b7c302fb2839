/* The clock, timers, sockets and names of the simulated machine: what the kernel, net.c and
 * resolve.c are to the feeder elsewhere. */
#include <errno.h>
#include <netdb.h>
#include <netinet/in.h>

#include "week.h"

#define TIMERS   (SUBS_LINKS_MAX + 1)
#define JOBS     SUBS_LINKS_MAX
#define FIRST_FD 1000 /* a peer's descriptor, less its number */
#define UTC0     (INT64_C(1790000000) * S)

struct net {
    struct net_timer *timer[TIMERS];
    int64_t due_ns[TIMERS];
    uint32_t timers;
};
static struct net network;

static struct {
    struct resolve_job *job;
    int64_t due_ns;
    const struct week_exchange *of;
} jobs[JOBS];

struct net *edge_net(void)
{
    return &network;
}

/* clock_gettime(2), by a definition in CMakeLists.txt; recv(2) and send(2) likewise. */
int week_clock_gettime(clockid_t id, struct timespec *out)
{
    int64_t t = week.now + (id == CLOCK_REALTIME ? UTC0 : 0);
    *out = (struct timespec){.tv_sec = t / S, .tv_nsec = t % S};
    return 0;
}

/* ---- timers ---- */

void net_timer_init(struct net *net, struct net_timer *t, void (*fire)(void *), void *owner)
{
    *t = (struct net_timer){.net = net, .fire = fire, .owner = owner};
}

void net_timer_cancel(struct net_timer *t)
{
    for (uint32_t i = 0; i < network.timers; i++)
        if (network.timer[i] == t) {
            network.timer[i] = network.timer[--network.timers];
            network.due_ns[i] = network.due_ns[network.timers];
        }
    t->armed = false;
}

void net_timer_set(struct net_timer *t, int64_t in_ns)
{
    net_timer_cancel(t);
    WEEK_MUST(network.timers < TIMERS, "more timers than links");
    network.timer[network.timers] = t;
    network.due_ns[network.timers++] = week.now + (in_ns > 0 ? in_ns : 0);
    t->armed = true;
}

uint32_t net_timers(const struct net *net)
{
    return net->timers;
}

static void fire_timers(void)
{
    for (uint32_t i = 0; i < network.timers;) {
        struct net_timer *t = network.timer[i];
        if (network.due_ns[i] > week.now) {
            i++;
            continue;
        }
        net_timer_cancel(t);
        t->fire(t->owner);
        i = 0;
    }
}

/* ---- names ---- */

int resolve_ask(struct resolve *r, struct resolve_job *job, const struct url *url)
{
    const struct week_exchange *e = exchange_of_host(url->host);
    resolve_cancel(r, job);
    WEEK_MUST(e != NULL, "the feeder asks for %s", url->host);
    for (uint32_t i = 0; i < JOBS; i++)
        if (jobs[i].job == NULL) {
            int64_t in_ns = e->fault == WEEK_SLOW_NAME ? HOUR : week_between(MS, 100 * MS);
            jobs[i].job = job;
            jobs[i].of = e;
            jobs[i].due_ns = week.now + in_ns;
            job->number = i + 1;
            return 0;
        }
    return -EAGAIN;
}

void resolve_cancel(struct resolve *r, struct resolve_job *job)
{
    (void)r;
    if (job->number != 0)
        jobs[job->number - 1].job = NULL;
    job->number = 0;
}

uint32_t edge_jobs(void)
{
    uint32_t n = 0;
    for (uint32_t i = 0; i < JOBS; i++)
        n += jobs[i].job != NULL;
    return n;
}

static void answer_names(void)
{
    for (uint32_t i = 0; i < JOBS; i++) {
        struct resolve_job *job = jobs[i].job;
        if (job == NULL || jobs[i].due_ns > week.now)
            continue;
        struct resolve_answer answer = {.count = 2};
        if (jobs[i].of->fault == WEEK_NO_NAME)
            answer = (struct resolve_answer){.error = EAI_NONAME};
        for (uint32_t a = 0; a < answer.count; a++) {
            struct sockaddr_in *in = (struct sockaddr_in *)(void *)&answer.address[a];
            in->sin_family = AF_INET;
            in->sin_port = (in_port_t)(jobs[i].of - week.exchange);
            answer.len[a] = sizeof *in;
        }
        resolve_cancel(NULL, job);
        job->done(job->owner, &answer);
    }
}

/* ---- sockets ---- */

static struct week_peer *peer_of(int fd)
{
    WEEK_MUST(fd >= FIRST_FD && fd < (int)(FIRST_FD + PEERS) &&
                  week.peer[fd - FIRST_FD].state != PEER_FREE,
              "descriptor %d is used and not open", fd);
    return &week.peer[fd - FIRST_FD];
}

int net_connect(struct net_address to, struct net_address from)
{
    const struct sockaddr_in *in = (const struct sockaddr_in *)(const void *)to.at;
    (void)from;
    for (uint32_t i = 0; i < PEERS; i++) {
        struct week_peer *p = &week.peer[i];
        if (p->state != PEER_FREE)
            continue;
        unsigned char *rx = p->rx;
        size_t cap = p->rx_cap;
        memset(p, 0, offsetof(struct week_peer, tx));
        p->rx = rx;
        p->rx_cap = cap;
        p->tx_len = 0;
        p->messages = p->requests = 0;
        exchange_connect(&week.exchange[in->sin_port], p);
        return FIRST_FD + (int)i;
    }
    return -EMFILE;
}

int net_connected(const struct net_fd *f)
{
    const struct week_peer *p = peer_of(f->fd);
    return p->state == PEER_REFUSED ? -ECONNREFUSED : 0;
}

int net_add(struct net *net, struct net_fd *f, int fd, void (*event)(void *, enum net_event),
            void *owner)
{
    struct week_peer *p = peer_of(fd);
    WEEK_MUST(f->wsi == NULL, "a socket is opened where another is open");
    *f = (struct net_fd){
        .net = net, .wsi = (struct lws *)(void *)p, .event = event, .owner = owner, .fd = fd};
    p->watch = f;
    return 0;
}

void net_want_write(struct net_fd *f)
{
    f->want_write = true;
}

void net_pause(struct net_fd *f, bool pause)
{
    peer_of(f->fd)->paused = pause;
}

void net_remove(struct net_fd *f)
{
    if (f->wsi == NULL)
        return;
    struct week_peer *p = peer_of(f->fd);
    check_closed(p, f->owner);
    p->state = PEER_FREE;
    p->watch = NULL;
    f->wsi = NULL;
    f->want_write = false;
}

uint32_t edge_sockets(void)
{
    uint32_t n = 0;
    for (uint32_t i = 0; i < PEERS; i++)
        n += week.peer[i].state != PEER_FREE;
    return n;
}

ssize_t week_recv(int fd, void *out, size_t cap, int flags)
{
    struct week_peer *p = peer_of(fd);
    size_t n = week.now >= p->hold_ns ? p->rx_len - p->rx_at : 0;
    n = n < cap ? n : cap;
    if (n > 0) {
        memcpy(out, p->rx + p->rx_at, n);
        p->rx_at += (flags & MSG_PEEK) != 0 ? 0 : n;
        if (p->rx_at == p->rx_len)
            p->rx_at = p->rx_len = 0;
        return (ssize_t)n;
    }
    if (p->state == PEER_ENDED)
        return 0;
    errno = p->state == PEER_RESET ? ECONNRESET : EAGAIN;
    return -1;
}

ssize_t week_send(int fd, const void *data, size_t len, int flags)
{
    struct week_peer *p = peer_of(fd);
    (void)flags;
    if (p->state != PEER_OPEN) {
        errno = EPIPE;
        return -1;
    }
    if (p->dead) /* nobody acknowledges it, which takes minutes to be noticed */
        return (ssize_t)len;
    WEEK_MUST(p->tx_len + len <= sizeof p->tx, "the feeder sends more than anybody reads");
    memcpy(p->tx + p->tx_len, data, len);
    p->tx_len += len;
    server_take(p);
    return (ssize_t)len;
}

/* When a peer has an event for the feeder. */
static int64_t peer_next(const struct week_peer *p)
{
    if (p->watch == NULL)
        return INT64_MAX;
    if (p->state == PEER_CONNECTING || p->state == PEER_REFUSED)
        return p->watch->want_write ? p->ready_ns : INT64_MAX;
    if (p->watch->want_write)
        return week.now;
    if (p->paused)
        return INT64_MAX;
    if (p->rx_len > p->rx_at || p->state != PEER_OPEN)
        return p->hold_ns > week.now ? p->hold_ns : week.now;
    return INT64_MAX;
}

static void peer_event(struct week_peer *p)
{
    struct net_fd *f = p->watch;
    if (p->state == PEER_CONNECTING) {
        p->state = PEER_OPEN;
        server_open(p);
    }
    bool write = f->want_write;
    f->want_write = false;
    f->event(f->owner, write ? NET_WRITABLE : NET_READABLE);
}

int64_t edge_next(void)
{
    int64_t next = INT64_MAX;
    for (uint32_t i = 0; i < network.timers; i++)
        next = network.due_ns[i] < next ? network.due_ns[i] : next;
    for (uint32_t i = 0; i < JOBS; i++)
        if (jobs[i].job != NULL && jobs[i].due_ns < next)
            next = jobs[i].due_ns;
    for (uint32_t i = 0; i < PEERS; i++) {
        int64_t at = peer_next(&week.peer[i]);
        next = at < next ? at : next;
    }
    return next;
}

void edge_run(void)
{
    uint32_t events = 0;
    fire_timers();
    answer_names();
    for (uint32_t i = 0; i < PEERS; i++)
        while (peer_next(&week.peer[i]) <= week.now) {
            peer_event(&week.peer[i]);
            WEEK_MUST(++events < 100000, "the feeder and the network go round in circles");
        }
}
