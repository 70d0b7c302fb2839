#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "link_internal.h"

#define REACHED (&(struct conn_input){.reached = true})
#define S       INT64_C(1000000000)

/* How often TLS is asked again in one turn because its output was taken away meanwhile. */
#define TLS_AGAIN 8

/* Close code of a policy violation (RFC 6455 7.4.1). */
#define CLOSE_POLICY 1008

unsigned char *link_send_room(struct link *l, size_t *room)
{
    if (l->send_at > 0 && l->send_at == l->send_len)
        l->send_at = l->send_len = 0;
    if (l->send_at > 0) {
        memmove(l->send, l->send + l->send_at, l->send_len - l->send_at);
        l->send_len -= l->send_at;
        l->send_at = 0;
    }
    *room = LINK_SEND_BYTES - l->send_len;
    return l->send + l->send_len;
}

size_t link_waiting(struct link *l, const unsigned char **at)
{
    if (l->tls_on)
        return tls_pending_out(&l->tls, at);
    *at = l->send + l->send_at;
    return l->send_len - l->send_at;
}

void link_sent(struct link *l, size_t n)
{
    if (l->tls_on)
        tls_out_consumed(&l->tls, n);
    else
        l->send_at += n;
}

bool link_flush(struct link *l)
{
    const unsigned char *at;
    size_t len;
    while ((len = link_waiting(l, &at)) > 0) {
        ssize_t n = send(l->sock.fd, at, len, MSG_NOSIGNAL);
        if (n > 0) {
            link_sent(l, (size_t)n);
            continue;
        }
        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0 && errno == EAGAIN) {
            net_want_write(&l->sock);
            return true;
        }
        /* The peer has gone. Reading finds its end, behind the last that it said. */
        if (n < 0 && (errno == EPIPE || errno == ECONNRESET)) {
            link_sent(l, len);
            continue;
        }
        link_fail(l, CONN_FAILED, REACHED, "cannot send: %s", strerror(errno));
        return false;
    }
    return true;
}

/* n bytes were written to link_send_room(): they are on their way. With TLS that room is only where
 * they are made. */
static bool commit(struct link *l, size_t n)
{
    if (!l->tls_on) {
        l->send_len += n;
        return true;
    }
    int rc = tls_write(&l->tls, l->send, n);
    if (rc == -ENOBUFS) {
        if (!link_flush(l))
            return false;
        rc = tls_write(&l->tls, l->send, n);
    }
    if (rc == 0)
        return true;
    link_fail(l, CONN_FAILED, REACHED, "cannot send: %s",
              rc == -ENOBUFS ? "the venue does not read" : tls_reason(&l->tls));
    return false;
}

bool link_send_text(struct link *l, const char *text, size_t len)
{
    size_t room;
    unsigned char *at = link_send_room(l, &room);
    ssize_t n = ws_write(&l->ws, WS_OP_TEXT, text, len, at, room);
    return n > 0 && commit(l, (size_t)n);
}

void link_send_close(struct link *l, uint16_t code, const char *reason)
{
    size_t room;
    unsigned char *at = link_send_room(l, &room);
    ssize_t n = ws_close(&l->ws, code, reason, at, room);
    if (n > 0 && !commit(l, (size_t)n))
        return;
    l->parted = n > 0;
    link_flush(l);
}

static bool send_owed(struct link *l)
{
    size_t room;
    unsigned char *at = link_send_room(l, &room);
    ssize_t n = ws_owed(&l->ws, at, room);
    bool pong = n > 0 && at[0] == (0x80 | WS_OP_PONG); /* one for all pings so far; it goes first */
    if (n > 0 && !commit(l, (size_t)n))
        return false;
    if (pong) {
        px_writer_count(l->shared->writer, PX_C_pongs_sent, 1);
        subs_spent(l->shared->subs, l->index, 1, now_mono_ns());
    }
    return link_flush(l);
}

void link_start_upgrade(struct link *l)
{
    const struct link_shared *shared = l->shared;
    struct ws_config config = {.recv = l->recv,
                               .recv_cap = l->recv_bytes,
                               .large = &l->shared->large,
                               .deflate = l->deflate,
                               .max_message = shared->large.cap};
    struct ws_target target = {.host = l->url.authority, .path = l->url.path};
    size_t room;
    unsigned char *at = link_send_room(l, &room);
    ssize_t n = ws_init(&l->ws, &config);
    if (n == 0)
        n = ws_request(&l->ws, &target, (char *)at, room);
    if (n < 0) {
        link_fail(l, CONN_FAILED, REACHED, "no upgrade request: %s", strerror((int)-n));
        return;
    }
    l->ws_ready = true;
    if (commit(l, (size_t)n))
        link_flush(l);
}

/* After a close frame TLS ends in order too. Nothing waits for it: it is sent or it is not. */
static void end_tls(struct link *l)
{
    const unsigned char *at;
    if (!l->tls_on || !l->parted || l->sock.wsi == NULL || tls_shutdown(&l->tls) < 0)
        return;
    size_t len = tls_pending_out(&l->tls, &at);
    if (len > 0 && send(l->sock.fd, at, len, MSG_NOSIGNAL) < 0)
        log_debug(l->venue->name, "close_notify was not sent: %s", strerror(errno));
}

void link_drop_io(struct link *l)
{
    end_tls(l);
    net_remove(&l->sock);
    if (l->ws_ready)
        ws_drop(&l->ws);
    l->ws_ready = false;
    if (l->tls_on)
        tls_free(&l->tls);
    l->tls_on = false;
    l->paused = l->parted = l->withheld = false;
    l->send_at = l->send_len = 0;
    l->drops++;
}

static const char *again(char out[40], int64_t retry_ns)
{
    out[0] = '\0';
    if (retry_ns > 0)
        snprintf(out, 40, ", try again after %d s", (int)(retry_ns / S));
    return out;
}

static void refused(struct link *l, const struct ws_event *ev)
{
    struct backoff_refusal refusal = {.status = ev->code,
                                      .after_s = ev->retry_after_s,
                                      .text = ev->retry_after,
                                      .venue_host = l->limits,
                                      .utc_s = publish_now().utc_ns / S};
    struct conn_input in = {.reached = true, .retry_ns = backoff_told(&refusal)};
    char when[40];
    link_fail(l, CONN_FAILED, &in, "the venue refused the upgrade: %d %.60s%s", ev->code,
              ev->reason[0] != '\0' ? ev->reason : "without a reason", again(when, in.retry_ns));
}

/* Too many messages, most likely: an endpoint of the operator's own has the venue's limit after
 * all. */
static void keep_limits(struct link *l)
{
    if (subs_keep_limits(l->shared->subs, l->venue_index))
        log_warning(l->venue->name,
                    "%s closes with code %d: the venue's limit of %u messages a second is kept "
                    "from now on",
                    l->info.endpoint, CLOSE_POLICY, l->venue->messages_per_s);
}

/* What the code asks for where the venue's limits apply. */
static int64_t told_by_close(struct link *l, int code)
{
    struct breaker_pause pause;
    if (!l->limits || !breaker_told_by_close(code, &pause))
        return 0;
    return pause.least_ns + backoff_jitter(&l->conn.backoff, pause.spread_ns);
}

static void closed(struct link *l, const struct ws_event *ev)
{
    struct conn_input in = {.reached = true};
    char when[40];
    if (!send_owed(l))
        return;
    l->parted = true;
    if (ev->code == CLOSE_POLICY)
        keep_limits(l);
    in.retry_ns = told_by_close(l, ev->code);
    link_fail(l, CONN_ENDED, &in, "closed by the venue with code %d%s%.60s%s", ev->code,
              ev->reason[0] != '\0' ? ": " : "", ev->reason, again(when, in.retry_ns));
}

static void broken(struct link *l, const struct ws_event *ev)
{
    if (!send_owed(l))
        return;
    l->parted = ev->code != 0;
    link_fail(l, CONN_FAILED, REACHED, "%s", ev->reason);
}

/* What one read brought. */
struct batch {
    uint32_t frames, events;
};

static void take(struct link *l, const struct ws_event *ev, struct publish_time at, struct batch *b)
{
    struct link_shared *shared = l->shared;
    switch (ev->type) {
    case WS_OPEN:
        link_step(l, CONN_UPGRADED, NULL);
        break;
    case WS_REFUSED:
        refused(l, ev);
        break;
    case WS_TEXT:
    case WS_BINARY:
        b->frames++;
        if (ev->type == WS_TEXT || l->venue->binary)
            b->events += publish_frame(shared->publish, &l->source, shared->json,
                                       (const char *)ev->data, ev->len, at);
        break;
    case WS_CLOSE:
        closed(l, ev);
        break;
    case WS_ERROR:
        broken(l, ev);
        break;
    default:
        break;
    }
}

static void pause_reading(struct link *l, bool pause)
{
    if (pause && !l->paused)
        px_writer_count(l->shared->writer, PX_C_large_waits, 1);
    if (pause != l->paused)
        net_pause(&l->sock, pause || l->withheld);
    l->paused = pause;
}

void link_withhold(struct link *l, bool on)
{
    if (on != l->withheld)
        net_pause(&l->sock, on || l->paused);
    l->withheld = on;
}

/* The end of a batch: its time is taken. */
static void account(struct link *l, struct publish_time at, const struct batch *b)
{
    struct link_shared *shared = l->shared;
    if (b->frames == 0)
        return;
    px_writer_latency(shared->writer, l->index, now_mono_ns() - at.mono_ns, b->frames);
    px_writer_count(shared->writer, PX_C_frames_in, b->frames);
    l->info.messages += b->frames;
    if (b->events > 0)
        l->info.message_mono_ns = at.mono_ns;
}

void link_relayed(struct link *l, const char *text, size_t len, struct publish_time at)
{
    struct link_shared *shared = l->shared;
    struct batch b = {.frames = 1};
    l->info.bytes_mono_ns = at.mono_ns;
    b.events = publish_frame(shared->publish, &l->source, shared->json, text, len, at);
    account(l, at, &b);
}

static void drain(struct link *l, struct publish_time at)
{
    uint64_t drops = l->drops;
    struct batch batch = {0, 0};
    struct ws_event ev;
    enum ws_event_type type = WS_NONE;
    while (l->drops == drops) {
        type = ws_next(&l->ws, &ev);
        if (type == WS_NONE || type == WS_BLOCKED)
            break;
        take(l, &ev, at, &batch);
    }
    px_writer_flush(l->shared->writer);
    account(l, at, &batch);
    if (l->drops != drops)
        return;
    pause_reading(l, type == WS_BLOCKED);
    if (l->conn.state == PX_CONN_SUBSCRIBING)
        link_step(l, batch.events > 0 ? CONN_DATA : CONN_BYTES, NULL);
    else
        conn_step(&l->conn, batch.events > 0 ? CONN_DATA : CONN_BYTES, NULL, at.mono_ns);
    if (!send_owed(l))
        return;
    if (l->answered) {
        l->answered = false;
        link_pump(l, at.mono_ns);
        link_settle(l);
    }
}

static void received(struct link *l, size_t n, struct publish_time at)
{
    px_writer_count(l->shared->writer, PX_C_bytes_in, n);
    l->info.bytes += n;
    l->info.bytes_mono_ns = at.mono_ns;
}

static void read_plain(struct link *l)
{
    unsigned char *at;
    size_t room = ws_space(&l->ws, &at);
    if (room == 0)
        return;
    ssize_t n = recv(l->sock.fd, at, room, 0);
    if (n > 0) {
        struct publish_time time = publish_now();
        ws_received(&l->ws, (size_t)n);
        received(l, (size_t)n, time);
        drain(l, time);
    } else if (n == 0) {
        link_fail(l, CONN_FAILED, REACHED, "the venue ended the connection without a close frame");
    } else if (errno != EAGAIN && errno != EINTR) {
        link_fail(l, CONN_FAILED, REACHED, "cannot receive: %s", strerror(errno));
    }
}

static void tls_failed(struct link *l, ssize_t rc)
{
    if (rc == 0)
        link_fail(l, CONN_FAILED, REACHED, "the venue ended the connection without a close frame");
    else if (rc == -ECONNRESET && !l->tls.open)
        link_fail(l, CONN_FAILED, REACHED, "the connection ended in the TLS handshake");
    else if (rc == -ECONNRESET)
        link_fail(l, CONN_FAILED, REACHED, "the connection ended without close_notify");
    else
        link_fail(l, CONN_FAILED, REACHED, "TLS: %s", tls_reason(&l->tls));
}

/* TLS stopped for want of room, and there is room again. Else on_writable() comes back to it. */
static bool has_room_again(struct link *l, ssize_t rc, unsigned *times)
{
    const unsigned char *at;
    return rc == -ENOBUFS && tls_pending_out(&l->tls, &at) == 0 && ++*times < TLS_AGAIN;
}

static void handshake(struct link *l)
{
    unsigned times = 0;
    int rc;
    do {
        rc = tls_handshake(&l->tls);
        if (!link_flush(l))
            return;
    } while (has_room_again(l, rc, &times));
    if (rc == -EAGAIN || rc == -ENOBUFS)
        return;
    if (rc < 0)
        tls_failed(l, rc);
    else
        link_step(l, CONN_SECURED, NULL);
}

void link_start_tls(struct link *l)
{
    char error[CONFIG_ERROR_MAX] = "";
    if (l->shared->tls == NULL && tls_context_new(NULL, &l->shared->tls, error, sizeof error) < 0) {
        link_fail(l, CONN_FAILED, REACHED, "%s", error);
        return;
    }
    struct tls_buffer in = {.data = l->tls_in, .cap = LINK_TLS_BYTES};
    struct tls_buffer out = {.data = l->tls_out, .cap = LINK_TLS_BYTES};
    int rc = tls_init(&l->tls, l->shared->tls, l->url.host, in, out);
    if (rc < 0) {
        link_fail(l, CONN_FAILED, REACHED, "no TLS session: %s", strerror(-rc));
        return;
    }
    l->tls_on = true;
    handshake(l);
}

/* What lies encrypted in the buffer, on to the bus. Bounded by that buffer. */
static void decrypt(struct link *l, struct publish_time time)
{
    uint64_t drops = l->drops;
    unsigned times = 0;
    while (l->drops == drops && !l->paused) {
        unsigned char *at;
        size_t room = ws_space(&l->ws, &at);
        if (room == 0)
            return;
        ssize_t n = tls_read(&l->tls, at, room);
        if (n > 0) {
            ws_received(&l->ws, (size_t)n);
            drain(l, time);
            continue;
        }
        if (!link_flush(l))
            return;
        if (has_room_again(l, n, &times))
            continue;
        if (n != -EAGAIN && n != -ENOBUFS)
            tls_failed(l, n);
        return;
    }
}

static void read_tls(struct link *l)
{
    unsigned char *at;
    size_t room = tls_space(&l->tls, &at);
    ssize_t n = room > 0 ? recv(l->sock.fd, at, room, 0) : 0;
    if (n < 0 && (errno == EAGAIN || errno == EINTR))
        return;
    struct publish_time time = publish_now();
    if (n > 0) {
        tls_received(&l->tls, (size_t)n);
        received(l, (size_t)n, time);
    } else if (room > 0) {
        tls_ended(&l->tls);
    }
    if (l->conn.state == PX_CONN_TLS)
        handshake(l);
    if (l->tls_on && l->ws_ready)
        decrypt(l, time);
}

static void read_some(struct link *l)
{
    if (l->tls_on)
        read_tls(l);
    else if (l->ws_ready)
        read_plain(l);
}

void link_resume(struct link *l)
{
    uint64_t drops = l->drops;
    struct publish_time time = publish_now();
    drain(l, time);
    if (l->drops == drops && l->tls_on && !l->paused)
        decrypt(l, time);
}

static void on_connect(struct link *l)
{
    int rc = net_connected(&l->sock);
    if (rc < 0)
        link_cannot_connect(l, rc);
    else
        link_step(l, CONN_CONNECTED, NULL);
}

static void on_readable(struct link *l)
{
    if (l->conn.tunnel)
        link_tunnel(l);
    else if (l->conn.state == PX_CONN_CONNECTING)
        on_connect(l);
    else if (!l->paused && !l->withheld)
        read_some(l);
}

static void on_writable(struct link *l)
{
    if (l->conn.tunnel) {
        link_flush(l);
        return;
    }
    if (l->conn.state == PX_CONN_CONNECTING) {
        on_connect(l);
        return;
    }
    uint64_t drops = l->drops;
    if (!link_flush(l))
        return;
    if (l->tls_on && l->conn.state == PX_CONN_TLS)
        handshake(l);
    else if (l->tls_on && l->ws_ready && !l->paused)
        decrypt(l, publish_now());
    if (l->drops == drops && l->pump_ns == 0)
        link_pump(l, now_mono_ns());
}

void link_on_socket(void *owner, enum net_event event)
{
    struct link *l = owner;
    switch (event) {
    case NET_READABLE:
        on_readable(l);
        break;
    case NET_WRITABLE:
        on_writable(l);
        break;
    case NET_HANGUP:
        /* never while there is something to read, but when it is left unread for the large buffer
         */
        link_fail(l, CONN_FAILED, NULL, "the connection was cut");
        break;
    }
}

void link_poll(struct link *l)
{
    if (!l->paused && !l->withheld && l->conn.state >= PX_CONN_TLS &&
        l->conn.state <= PX_CONN_CLOSING)
        read_some(l);
}
