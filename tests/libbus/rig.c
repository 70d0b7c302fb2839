#include "rig.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

#include "atomic.h"

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static pthread_t server;
static uint32_t server_stop;

int64_t rig_now_ns(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (int64_t)t.tv_sec * 1000000000 + t.tv_nsec;
}

void rig_open(struct rig *r, uint32_t capacity, uint32_t ring)
{
    static int number;
    if (r->bus[0] == '\0')
        snprintf(r->bus, sizeof r->bus, "t%d.%d", (int)getpid(), number++);
    const struct px_writer_options o = {.bus = r->bus,
                                        .capacity = capacity,
                                        .ring = ring,
                                        .group = -1,
                                        .version = "test",
                                        .control_path = r->socket,
                                        .lock_fd = -1};
    int rc = px_writer_open(&r->w, &o, &r->report);
    if (rc != 0)
        fail_msg("px_writer_open: %s", px_strerror(rc));
    px_writer_heartbeat(r->w, rig_now_ns());
}

void rig_hang_up(struct rig *r)
{
    for (int i = 0; i < RIG_SESSIONS; i++) {
        struct rig_session *s = &r->session[i];
        if (s->fd == 0)
            continue;
        if (s->page != NULL) {
            px_writer_page_drop(r->w, s->page);
            munmap(s->page, PX_PAGE_BYTES);
        }
        close(s->fd);
        *s = (struct rig_session){0};
    }
}

void rig_close(struct rig *r)
{
    rig_hang_up(r);
    px_writer_close(r->w);
    r->w = NULL;
}

void rig_free(struct rig *r)
{
    char path[128];
    int32_t held_by;
    if (r->w != NULL)
        rig_close(r);
    px_writer_remove(r->bus, &held_by);
    snprintf(path, sizeof path, "/dev/shm/px-%s.lock", r->bus);
    unlink(path);
    if (r->listener != 0) {
        close(r->listener);
        unlink(r->socket);
        *strrchr(r->socket, '/') = '\0';
        rmdir(r->socket);
    }
    memset(r, 0, sizeof *r);
}

void rig_listen(struct rig *r)
{
    struct sockaddr_un a = {.sun_family = AF_UNIX};
    if (r->socket[0] == '\0') {
        char dir[] = "/tmp/px-rig-XXXXXX";
        assert_non_null(mkdtemp(dir));
        snprintf(r->socket, sizeof r->socket, "%s/bus.sock", dir);
    }
    snprintf(a.sun_path, sizeof a.sun_path, "%s", r->socket);
    unlink(r->socket);
    r->listener = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    assert_int_equal(bind(r->listener, (struct sockaddr *)&a, sizeof a), 0);
    assert_int_equal(listen(r->listener, 16), 0);
}

static void welcome(struct rig *r, struct rig_session *s, const struct pxc_message *hello)
{
    struct pxc_message m = {.type = PXC_WELCOME, .version = PXC_VERSION, .request = hello->request};
    m.u.welcome.epoch = px_writer_epoch(r->w);
    int page = memfd_create("page", MFD_CLOEXEC | MFD_ALLOW_SEALING);
    assert_int_equal(ftruncate(page, PX_PAGE_BYTES), 0);
    fcntl(page, F_ADD_SEALS, F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_SEAL);
    s->page = mmap(NULL, PX_PAGE_BYTES, PROT_READ | PROT_WRITE, MAP_SHARED, page, 0);
    px_writer_page_add(r->w, s->page, s->fd);

    union {
        char bytes[CMSG_SPACE(sizeof(int))];
        struct cmsghdr align;
    } control = {{0}};
    struct iovec iov = {&m, sizeof m};
    struct msghdr h = {.msg_iov = &iov,
                       .msg_iovlen = 1,
                       .msg_control = control.bytes,
                       .msg_controllen = sizeof control.bytes};
    struct cmsghdr *c = CMSG_FIRSTHDR(&h);
    c->cmsg_level = SOL_SOCKET;
    c->cmsg_type = SCM_RIGHTS;
    c->cmsg_len = CMSG_LEN(sizeof(int));
    memcpy(CMSG_DATA(c), &page, sizeof page);
    assert_int_equal(sendmsg(s->fd, &h, MSG_NOSIGNAL), sizeof m);
    close(page);
}

static void subscribe(struct rig *r, struct rig_session *s, const struct pxc_message *q)
{
    struct pxc_message m = {.type = PXC_REPLY, .version = PXC_VERSION, .request = q->request};
    uint32_t slot = UINT32_MAX;
    size_t len = strlen(q->u.symbol.symbol);
    r->subscribes++;
    memcpy(r->last_symbol, q->u.symbol.symbol, sizeof r->last_symbol);
    r->last_kinds = q->u.symbol.kinds;
    if (r->silent)
        return;
    m.u.reply.result = r->refuse;
    if (r->refuse != 0) {
        snprintf(m.u.reply.text, sizeof m.u.reply.text, "refused by the rig");
    } else if (strcmp(q->u.symbol.symbol + len - 2, ":*") != 0) {
        m.u.reply.result = px_writer_bind(r->w, q->u.symbol.symbol, len, &slot);
        px_writer_pin(r->w, slot, 1, q->u.symbol.kinds);
        px_writer_quality(r->w, slot, PX_LIVE, PX_CAUSE_NONE);
        px_writer_flush(r->w);
    }
    m.u.reply.slot = slot;
    (void)!send(s->fd, &m, sizeof m, MSG_NOSIGNAL);
}

static void handle(struct rig *r, struct rig_session *s)
{
    struct pxc_message m;
    ssize_t n = recv(s->fd, &m, sizeof m, MSG_DONTWAIT);
    if (n < 0 && errno == EAGAIN)
        return;
    if (n != (ssize_t)sizeof m) {
        if (s->page != NULL) {
            px_writer_page_drop(r->w, s->page);
            munmap(s->page, PX_PAGE_BYTES);
        }
        close(s->fd);
        *s = (struct rig_session){0};
    } else if (m.type == PXC_HELLO) {
        welcome(r, s, &m);
    } else if (m.type == PXC_SUBSCRIBE) {
        subscribe(r, s, &m);
    } else if (m.type == PXC_UNSUBSCRIBE) {
        uint32_t slot;
        r->unsubscribes++;
        if (px_writer_find(r->w, m.u.symbol.symbol, strlen(m.u.symbol.symbol), &slot) == 0)
            px_writer_pin(r->w, slot, 0, 0);
    }
}

static void serve_once(struct rig *r, int ms)
{
    struct pollfd p[RIG_SESSIONS + 1] = {{.fd = r->listener, .events = POLLIN}};
    for (int i = 0; i < RIG_SESSIONS; i++)
        p[i + 1] =
            (struct pollfd){.fd = r->session[i].fd != 0 ? r->session[i].fd : -1, .events = POLLIN};
    poll(p, RIG_SESSIONS + 1, ms);
    rig_lock();
    if (p[0].revents != 0) {
        int fd = accept4(r->listener, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);
        for (int i = 0; fd >= 0 && i < RIG_SESSIONS; i++)
            if (r->session[i].fd == 0) {
                r->session[i].fd = fd;
                break;
            }
    }
    for (int i = 0; i < RIG_SESSIONS; i++)
        if (p[i + 1].revents != 0 && r->session[i].fd != 0)
            handle(r, &r->session[i]);
    rig_unlock();
}

void rig_serve(struct rig *r, int ms)
{
    int64_t end = rig_now_ns() + (int64_t)ms * 1000000;
    do
        serve_once(r, 1);
    while (rig_now_ns() < end);
}

static void *serve_thread(void *r)
{
    while (!pxi_load32(&server_stop))
        serve_once(r, 5);
    return NULL;
}

void rig_serve_start(struct rig *r)
{
    pxi_store32(&server_stop, 0);
    assert_int_equal(pthread_create(&server, NULL, serve_thread, r), 0);
}

void rig_serve_stop(struct rig *r)
{
    (void)r;
    pxi_store32(&server_stop, 1);
    pthread_join(server, NULL);
}

void rig_lock(void)
{
    pthread_mutex_lock(&lock);
}

void rig_unlock(void)
{
    pthread_mutex_unlock(&lock);
}

uint32_t rig_bind(struct rig *r, const char *symbol)
{
    uint32_t slot = UINT32_MAX;
    int rc = px_writer_bind(r->w, symbol, strlen(symbol), &slot);
    if (rc != 0)
        fail_msg("px_writer_bind %s: %s", symbol, px_strerror(rc));
    return slot;
}

static uint64_t publish(struct rig *r, uint32_t slot, struct px_update *u, uint64_t n)
{
    u->exch_ns = (int64_t)n;
    u->recv_ns = (int64_t)n + 1;
    u->mono_ns = rig_now_ns();
    u->venue_id = n;
    return px_writer_publish(r->w, slot, u);
}

uint64_t rig_trade(struct rig *r, uint32_t slot, uint64_t n)
{
    struct px_update u = {.kind = PX_TRADE, .flags = PX_SIDE_BUY};
    u.u.trade = (struct px_trade){{(int64_t)n, -2}, {(int64_t)n + 2, -8}, n + 3};
    return publish(r, slot, &u, n);
}

uint64_t rig_past(struct rig *r, uint32_t slot, uint64_t n)
{
    struct px_update u = {.kind = PX_TRADE, .flags = PX_SIDE_BUY | PX_FLAG_BACKFILL};
    u.u.trade = (struct px_trade){{(int64_t)n, -2}, {(int64_t)n + 2, -8}, n + 3};
    u.recv_ns = (int64_t)n + 1;
    return px_writer_publish_past(r->w, slot, &u);
}

uint64_t rig_quote(struct rig *r, uint32_t slot, uint64_t n)
{
    struct px_update u = {.kind = PX_QUOTE};
    u.u.quote = (struct px_quote){
        {(int64_t)n, -2}, {(int64_t)n + 2, -8}, {(int64_t)n + 3, -3}, {(int64_t)n + 4, PX_ABSENT}};
    return publish(r, slot, &u, n);
}

uint64_t rig_ticker(struct rig *r, uint32_t slot, uint64_t n)
{
    struct px_update u = {.kind = PX_TICKER};
    u.u.ticker = (struct px_ticker){
        {(int64_t)n, 0}, {(int64_t)n + 2, -1}, {(int64_t)n + 3, -30}, {(int64_t)n + 4, -4}};
    return publish(r, slot, &u, n);
}

void rig_status(struct rig *r, uint32_t slot, uint32_t event)
{
    const struct px_status s = {.event = event, .first_id = 1, .last_id = 2, .count = 2};
    px_writer_status(r->w, slot, &s, 1);
}

px_bus *rig_reader(struct rig *r, int all)
{
    px_bus *bus = NULL;
    const struct px_bus_options o = {.all = all, .no_socket = r->listener == 0, .name = "rig"};
    int rc = px_bus_attach(&bus, r->bus, &o);
    if (rc != 0)
        fail_msg("px_bus_attach: %s", px_strerror(rc));
    return bus;
}

int rig_tick_is(const struct px_tick *t, uint64_t n)
{
    int64_t m = (int64_t)n;
    if (t->exch_ns != m || t->recv_ns != m + 1)
        return 0;
    switch (t->kind) {
    case PX_TRADE:
        return t->u.trade.price.mantissa == m && t->u.trade.price.exponent == -2 &&
               t->u.trade.size.mantissa == m + 2 && t->u.trade.size.exponent == -8 &&
               t->u.trade.trade_id == n + 3 && t->flags == PX_SIDE_BUY;
    case PX_QUOTE:
        return t->u.quote.bid.mantissa == m && t->u.quote.bid_size.mantissa == m + 2 &&
               t->u.quote.ask.mantissa == m + 3 && t->u.quote.ask.exponent == -3 &&
               t->u.quote.ask_size.exponent == PX_ABSENT;
    case PX_TICKER:
        return t->u.ticker.last.mantissa == m && t->u.ticker.open.exponent == -1 &&
               t->u.ticker.high.mantissa == m + 3 && t->u.ticker.high.exponent == -30;
    default:
        return 0;
    }
}
