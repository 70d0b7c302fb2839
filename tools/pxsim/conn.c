#include "conn.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <unistd.h>

#include "frame.h"
#include "http.h"

#define HANDSHAKE_NS (10 * NS_PER_S)
#define CLOSING_NS   (2 * NS_PER_S)
#define DRAIN_NS     NS_PER_S
#define NOTICE_NS    NS_PER_S   /* from the upgrade to the notice of a planned end */
#define TURN_BYTES   (4U << 20) /* written per turn, so that others get theirs */

void conn_note(const struct conn *c, const char *format, ...)
{
    char text[256];
    va_list args;
    if (!c->server->options->verbose)
        return;
    va_start(args, format);
    vsnprintf(text, sizeof text, format, args);
    va_end(args);
    fprintf(stderr, "pxsim: connection %lu: %s\n", c->number, text);
}

static void watch(struct conn *c, uint32_t events)
{
    if (events == c->watched)
        return;
    struct epoll_event e = {.events = events, .data.ptr = c};
    if (epoll_ctl(c->server->epoll, EPOLL_CTL_MOD, c->fd, &e) == 0)
        c->watched = events;
}

void conn_become(struct conn *c, enum conn_state state, uint64_t in_ns)
{
    c->state = state;
    c->deadline_ns = in_ns == NEVER ? NEVER : conn_now(c) + in_ns;
}

/* Faults that begin before the first byte. */
static void start(struct conn *c)
{
    const struct options *o = c->server->options;
    if (conn_has(c, FAULT_CLOSE_AFTER_ACCEPT)) {
        conn_become(c, CONN_STUCK, (uint64_t)o->faults.arg[FAULT_CLOSE_AFTER_ACCEPT] * NS_PER_MS);
    } else if (conn_has(c, FAULT_SILENT_ACCEPT)) {
        conn_become(c, CONN_STUCK, NEVER);
        watch(c, EPOLLRDHUP);
    } else {
        conn_become(c, c->tls != NULL ? CONN_TLS : CONN_HTTP, HANDSHAKE_NS);
    }
}

static struct tls_context *context_for(const struct conn *c)
{
    bool flawed = conn_has(c, FAULT_EXPIRED_CERTIFICATE) || conn_has(c, FAULT_WRONG_HOST);
    return flawed && c->server->tls_flawed != NULL ? c->server->tls_flawed : c->server->tls;
}

/* The dialect may still hold its streams: the end waits for the next turn, which comes at once. */
static void want_end(struct session *s, unsigned code, const char *reason)
{
    struct conn *c = s->edge;
    if (c->wanted_code != 0)
        return;
    c->wanted_code = code;
    snprintf(c->wanted_reason, sizeof c->wanted_reason, "%s", reason);
}

int conn_open(struct server *server, int fd, struct conn **ret_conn)
{
    struct conn *c = calloc(1, sizeof *c);
    if (c == NULL)
        return -ENOMEM;
    const struct options *o = server->options;
    c->server = server;
    c->fd = fd;
    c->number = server->attempts;
    bool faulty = o->fault_connections < 0 || server->attempts <= (uint64_t)o->fault_connections;
    c->faults = faulty ? o->faults.set & ~faults_of_requests() : 0;
    c->ping_ns = c->pong_by_ns = c->end_ns = c->notice_ns = NEVER;
    c->subscribe_by_ns = c->speak_by_ns = c->second_ns = NEVER;
    c->session = (struct session){.edge = c,
                                  .venue = o->venue,
                                  .send = conn_send,
                                  .close = want_end,
                                  .silent = o->replay != NULL};
    /* untouched pages cost nothing */
    c->out.buf = mmap(NULL, CONN_OUT, PROT_READ | PROT_WRITE,
                      MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    c->out.room = CONN_OUT;
    c->out.coalesce = o->coalesce;
    if (c->out.buf == MAP_FAILED)
        c->out.buf = NULL;
    bool ok = c->out.buf != NULL;
    if (ok && server->tls != NULL) {
        c->tls = tls_new(context_for(c), fd);
        ok = c->tls != NULL;
    }
    struct epoll_event e = {.events = EPOLLIN, .data.ptr = c};
    c->watched = e.events;
    if (!ok || epoll_ctl(server->epoll, EPOLL_CTL_ADD, fd, &e) < 0) {
        conn_free(c);
        return -ENOMEM;
    }
    start(c);
    *ret_conn = c;
    return 0;
}

static void leave(struct conn *c)
{
    if (!c->joined)
        return;
    hub_leave(&c->session);
    hub_settle(c->server->hub, conn_now(c));
    c->joined = false;
    c->server->open--;
}

void conn_free(struct conn *c)
{
    if (c == NULL)
        return;
    leave(c);
    tls_free(c->tls, false);
    if (c->fd >= 0)
        close(c->fd);
    if (c->out.buf != NULL)
        munmap(c->out.buf, CONN_OUT);
    free(c->giant);
    free(c->held);
    free(c->message);
    free(c);
}

void conn_drop(struct conn *c, const char *why)
{
    if (c->state == CONN_DEAD)
        return;
    conn_note(c, "%s", why);
    leave(c);
    conn_become(c, CONN_DEAD, NEVER);
}

/* All is said: shut our side, and let the client's end come, so that no reset overtakes the data.
 */
static void finish(struct conn *c)
{
    leave(c);
    tls_free(c->tls, true);
    c->tls = NULL;
    (void)shutdown(c->fd, SHUT_WR);
    conn_become(c, CONN_DRAIN, DRAIN_NS);
    watch(c, EPOLLIN);
}

void conn_end(struct conn *c, unsigned code, const char *reason)
{
    uint8_t payload[125];
    size_t len = strlen(reason);
    if (c->state == CONN_TLS || c->state == CONN_HTTP || c->state == CONN_STUCK) {
        conn_drop(c, "dropped");
        return;
    }
    if (c->state != CONN_OPEN)
        return;
    if (len > sizeof payload - 2)
        len = sizeof payload - 2;
    payload[0] = (uint8_t)(code >> 8);
    payload[1] = (uint8_t)code;
    memcpy(payload + 2, reason, len);
    (void)out_frame(&c->out, FRAME_CLOSE, true, payload, len + 2); /* no room: it ends unsaid */
    c->out.view_end =
        c->out.chunk > 0 && c->out.chunk_is_view ? c->out.view_at + c->out.chunk : c->out.view_at;
    conn_note(c, "closing with %u %s", code, reason);
    leave(c);
    conn_become(c, CONN_CLOSING, CLOSING_NS);
    conn_flush(c);
}

/* Negative errno, 0 at the end. */
static ssize_t receive(struct conn *c, void *buf, size_t room)
{
    if (c->tls != NULL)
        return tls_read(c->tls, buf, room);
    ssize_t n = recv(c->fd, buf, room, MSG_DONTWAIT);
    return n >= 0 ? n : errno == EINTR ? -EAGAIN : -errno;
}

static ssize_t transmit(struct conn *c, const void *bytes, size_t len)
{
    if (c->tls != NULL)
        return tls_write(c->tls, bytes, len);
    ssize_t n = send(c->fd, bytes, len, MSG_DONTWAIT | MSG_NOSIGNAL);
    return n >= 0 ? n : errno == EINTR ? -EAGAIN : -errno;
}

/* True: go on; false: nothing to write, no room, or dead. */
static bool write_some(struct conn *c, size_t *ret_wrote)
{
    const uint8_t *bytes;
    size_t len = out_next(&c->out, &bytes);
    if (len == 0)
        return false;
    ssize_t n = transmit(c, bytes, conn_drips(c) ? 1 : len);
    if (n == -EAGAIN) {
        c->blocked = true;
        return false;
    }
    if (n < 0) {
        conn_drop(c, "the client went away");
        return false;
    }
    out_wrote(&c->out, (size_t)n);
    *ret_wrote += (size_t)n;
    return true;
}

static void flush_tls(struct conn *c)
{
    int rc = c->tls != NULL && c->state != CONN_DEAD ? tls_flush(c->tls) : 0;
    if (rc == -EAGAIN)
        c->blocked = true;
    else if (rc < 0)
        conn_drop(c, "the client went away");
}

void conn_flush(struct conn *c)
{
    size_t wrote = 0;
    if (c->state == CONN_DEAD || c->state == CONN_DRAIN || c->state == CONN_TLS)
        return;
    if (conn_drips(c)) {
        if (conn_now(c) >= c->drip_ns && !c->blocked && write_some(c, &wrote)) {
            long pause_ms = c->server->options->faults.arg[FAULT_SLOW_DRIP];
            c->drip_ns = conn_now(c) + (uint64_t)pause_ms * NS_PER_MS;
        }
    } else {
        while (!c->blocked && wrote < TURN_BYTES && write_some(c, &wrote))
            ;
    }
    c->server->messages += c->out.view_frames - c->counted;
    c->counted = c->out.view_frames;
    flush_tls(c);
    if (c->state == CONN_DEAD)
        return;
    bool all = out_waiting(&c->out) == 0 && !c->blocked;
    if (all && c->cut_flushed)
        conn_drop(c, "cut");
    else if (all && c->finish_flushed)
        finish(c);
    else if (!conn_has(c, FAULT_SILENT_ACCEPT))
        watch(c, EPOLLIN | (c->blocked ? (uint32_t)EPOLLOUT : 0U));
}

static void refuse_upgrade(struct conn *c, int status, long retry_after_s)
{
    char text[256];
    (void)out_bytes(&c->out, text, http_refuse(text, sizeof text, status, retry_after_s));
    conn_note(c, "upgrade refused with %d", status);
    c->finish_flushed = true;
    conn_become(c, CONN_CLOSING, CLOSING_NS);
}

/* 0, or the status of a fault. */
static int fault_status(const struct conn *c, long *ret_retry_s)
{
    static const struct {
        enum fault id;
        int status;
    } rows[] = {{FAULT_STATUS_429, 429}, {FAULT_STATUS_503, 503}, {FAULT_STATUS_418, 418}};
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        if (conn_has(c, rows[i].id)) {
            *ret_retry_s = c->server->options->faults.arg[rows[i].id];
            return rows[i].status;
        }
    }
    return 0;
}

static void opened(struct conn *c)
{
    const struct options *o = c->server->options;
    uint64_t now = conn_now(c);
    c->server->connections++;
    c->server->open++;
    conn_become(c, CONN_OPEN, NEVER);
    if (o->ping_ns > 0 && !conn_has(c, FAULT_NO_PONG))
        c->ping_ns = now + o->ping_ns;
    if (o->max_age_ns > 0)
        c->end_ns = now + o->max_age_ns;
    if (conn_has(c, FAULT_SERVER_SHUTDOWN))
        c->notice_ns = now + NOTICE_NS;
    if (o->limits && o->venue->subscribe_within_ms > 0)
        c->subscribe_by_ns = now + o->venue->subscribe_within_ms * NS_PER_MS;
    if (o->limits && o->venue->idle_ms > 0)
        c->speak_by_ns = now + o->venue->idle_ms * NS_PER_MS;
    if (o->venue->second != NULL)
        c->second_ns = now + NS_PER_S;
    c->session.sent_ns = now;
    conn_out_start(c);
    if (o->venue->greet != NULL)
        o->venue->greet(&c->session);
}

/* The upgrade request, if all of it is there. */
static void take_request(struct conn *c)
{
    struct http_upgrade up;
    char text[512];
    long retry_s = -1;
    long n = http_take((char *)c->in, c->in_len, &up);
    if (n == 0 && c->in_len == CONN_IN)
        n = -431;
    if (n == 0)
        return;
    if (n == -426 && conn_asked(c, up.target))
        return;
    if (conn_has(c, FAULT_SILENT_UPGRADE)) {
        conn_become(c, CONN_STUCK, NEVER);
        return;
    }
    int status = n < 0 ? (int)-n : fault_status(c, &retry_s);
    if (status == 0) {
        c->session.now = c->server->now;
        conn_note(c, "asks for %.200s", up.target);
        hub_join(c->server->hub, &c->session);
        status = c->server->options->venue->open(&c->session, up.target);
        if (status != 0)
            hub_leave(&c->session);
    }
    if (status != 0) {
        refuse_upgrade(c, status, retry_s);
        return;
    }
    c->joined = true;
    (void)out_bytes(&c->out, text, http_accept(text, sizeof text, up.key));
    conn_flush(c); /* before any fault touches what follows */
    c->in_len -= (size_t)n;
    memmove(c->in, c->in + n, c->in_len);
    if (c->state == CONN_HTTP)
        opened(c);
}

static void take(struct conn *c)
{
    if (c->state == CONN_HTTP)
        take_request(c);
    if (c->state == CONN_OPEN || c->state == CONN_CLOSING)
        conn_take(c);
    if (c->state == CONN_STUCK || c->state == CONN_DRAIN)
        c->in_len = 0;
}

static void read_all(struct conn *c)
{
    while (c->state != CONN_DEAD) {
        ssize_t n = receive(c, c->in + c->in_len, CONN_IN - c->in_len);
        if (n == -EAGAIN)
            return;
        if (n <= 0) {
            conn_drop(c, n == 0 ? "the client ended" : "the client went away");
            return;
        }
        c->in_len += (size_t)n;
        take(c);
    }
}

static void handshake(struct conn *c)
{
    int rc = tls_handshake(c->tls);
    if (rc == 0)
        conn_become(c, CONN_HTTP, HANDSHAKE_NS);
    else if (rc == -EAGAIN)
        watch(c, tls_wants_write(c->tls) ? EPOLLOUT : EPOLLIN);
    else
        conn_drop(c, "the TLS handshake failed");
}

void conn_event(struct conn *c, uint32_t events)
{
    c->blocked = false;
    if (c->state == CONN_STUCK && c->watched == EPOLLRDHUP) {
        conn_drop(c, "the client ended");
        return;
    }
    if (c->state == CONN_TLS)
        handshake(c);
    if (c->state != CONN_TLS && (events & (EPOLLIN | EPOLLHUP | EPOLLERR)) != 0)
        read_all(c);
    conn_flush(c);
}
