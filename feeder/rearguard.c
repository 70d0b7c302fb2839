/* See rearguard.h. The first part runs in the child alone, which shares nothing with the feeder but
 * the socket: its memory is a copy, and of all descriptors it keeps those of its connections. */
#include "rearguard.h"

#include <errno.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "fleet.h"
#include "link_internal.h"
#include "relay.h"

#define MS INT64_C(1000000)

/* What the new feeder has not taken yet: two seconds of 5,000 messages in each. What has no room
 * stays in the sockets. Pages that are not needed are never touched. */
#define SPOOL_BYTES (2u * 1024 * 1024)
/* How often it is told up to when all has been given. */
#define MARK_NS (50 * MS)
/* Between two looks at a connection that waits for the one large buffer, or for room. */
#define HELD_MS 5
/* At the end: to give what is left, and for the venues to take the close frames. */
#define LAST_WORDS_NS (500 * MS)
/* Turns of reading at the end: what came by then, and not what comes for ever. */
#define LAST_READS 64

struct kept {
    struct link *link;
    struct publish_time at; /* of the last read */
    bool held;              /* there is more that waits for room, or for the large buffer */
    bool gone;
};

struct rear {
    int out;
    struct relay_spool spool;
    struct relay_mark mark;
    struct kept kept[REARGUARD_LINKS_MAX];
    uint16_t count, alive;
    int64_t end_ns, mark_ns;
};

static void put(struct rear *r, uint16_t type, uint16_t number, const void *payload, size_t len)
{
    const struct publish_time at = type == RELAY_TEXT ? r->kept[number].at : publish_now();
    const struct relay_head head = {.len = (uint32_t)len,
                                    .type = type,
                                    .link = number,
                                    .utc_ns = at.utc_ns,
                                    .mono_ns = at.mono_ns};
    relay_put(&r->spool, &head, payload);
}

/* ---- the way to the venue ---- */

static void flush(struct link *l)
{
    const unsigned char *at;
    size_t len;
    while ((len = link_waiting(l, &at)) > 0) {
        ssize_t n = send(l->sock.fd, at, len, MSG_NOSIGNAL);
        if (n < 0 && errno == EAGAIN)
            return;
        /* An end of the connection is found by reading. */
        link_sent(l, n > 0 ? (size_t)n : len);
    }
}

/* n bytes were written to link_send_room(); n <= 0: none were. What does not fit is not said. */
static void say(struct link *l, ssize_t n)
{
    if (n > 0 && l->tls_on)
        tls_write(&l->tls, l->send, (size_t)n);
    else if (n > 0)
        l->send_len += (size_t)n;
    flush(l);
}

static void say_owed(struct link *l)
{
    size_t room;
    unsigned char *at = link_send_room(l, &room);
    say(l, ws_owed(&l->ws, at, room));
}

static void keepalive(struct link *l, int64_t now_ns)
{
    size_t room;
    const char *text = l->venue->keepalive;
    if (text == NULL || now_ns < l->keepalive_ns)
        return;
    l->keepalive_ns = now_ns + (int64_t)l->venue->keepalive_ms * MS;
    unsigned char *at = link_send_room(l, &room);
    say(l, ws_write(&l->ws, WS_OP_TEXT, text, strlen(text), at, room));
}

static void farewell(struct link *l)
{
    size_t room;
    unsigned char *at = link_send_room(l, &room);
    say(l, ws_close(&l->ws, 1000, NULL, at, room));
    if (l->tls_on && tls_shutdown(&l->tls) == 0)
        flush(l);
}

/* ---- the way to the new feeder ---- */

static void part(struct rear *r, uint16_t number, const char *reason)
{
    struct kept *k = &r->kept[number];
    put(r, RELAY_END, number, reason, strnlen(reason, RELAY_REASON_MAX));
    close(k->link->sock.fd);
    k->gone = true;
    r->alive--;
}

static void take(struct rear *r, uint16_t number, const struct ws_event *ev)
{
    const struct link *l = r->kept[number].link;
    if (ev->type == WS_BINARY && !l->venue->binary)
        return;
    if (ev->len > RELAY_PAYLOAD_MAX) {
        r->mark.too_long++;
        return;
    }
    put(r, RELAY_TEXT, number, ev->data, ev->len);
    r->mark.messages++;
}

/* All messages that are whole. */
static void drain(struct rear *r, uint16_t number)
{
    struct kept *k = &r->kept[number];
    struct ws *ws = &k->link->ws;
    struct ws_event ev = {.type = WS_PING};
    while (ev.type != WS_NONE && !k->gone) {
        k->held = !relay_has_room(&r->spool) || ws_next(ws, &ev) == WS_BLOCKED;
        if (k->held)
            return;
        if (ev.type == WS_TEXT || ev.type == WS_BINARY)
            take(r, number, &ev);
        else if (ev.type == WS_PING || ev.type == WS_CLOSE || ev.type == WS_ERROR)
            say_owed(k->link);
        if (ev.type == WS_CLOSE || ev.type == WS_ERROR)
            part(r, number, ev.type == WS_CLOSE ? "closed by the venue" : ev.reason);
    }
}

/* What was read is on its way, as far as there is room. */
static void pass_on(struct rear *r, uint16_t number)
{
    struct kept *k = &r->kept[number];
    struct link *l = k->link;
    drain(r, number);
    while (l->tls_on && !k->held && !k->gone) {
        unsigned char *at;
        size_t room = ws_space(&l->ws, &at);
        ssize_t n = tls_read(&l->tls, at, room);
        flush(l);
        if (n > 0) {
            ws_received(&l->ws, (size_t)n);
            drain(r, number);
        } else {
            k->held = n == -ENOBUFS;
            if (n != -EAGAIN && n != -ENOBUFS)
                part(r, number, "the TLS session has ended");
            return;
        }
    }
}

/* Returns false when nothing was there. */
static bool read_some(struct rear *r, uint16_t number)
{
    struct kept *k = &r->kept[number];
    struct link *l = k->link;
    unsigned char *at;
    size_t room = l->tls_on ? tls_space(&l->tls, &at) : ws_space(&l->ws, &at);
    ssize_t n = recv(l->sock.fd, at, room, 0);
    if (n < 0 && (errno == EAGAIN || errno == EINTR))
        return false;
    k->at = publish_now();
    if (n <= 0) {
        part(r, number, "the connection has ended");
        return false;
    }
    if (l->tls_on)
        tls_received(&l->tls, (size_t)n);
    else
        ws_received(&l->ws, (size_t)n);
    pass_on(r, number);
    return true;
}

static bool anything_held(const struct rear *r)
{
    for (uint16_t i = 0; i < r->count; i++)
        if (r->kept[i].held && !r->kept[i].gone)
            return true;
    return false;
}

/* All that was read has been put; nothing that came before this moment comes after the mark. */
static void mark(struct rear *r, int64_t now_ns)
{
    if (now_ns < r->mark_ns || anything_held(r) || !relay_has_room(&r->spool))
        return;
    r->mark_ns = now_ns + MARK_NS;
    put(r, RELAY_MARK, 0, &r->mark, sizeof r->mark);
}

/* False: nobody is there to take it. */
static bool give(struct rear *r)
{
    const unsigned char *at;
    size_t len;
    while ((len = relay_pending(&r->spool, &at)) > 0) {
        ssize_t n = send(r->out, at, len, MSG_NOSIGNAL);
        if (n < 0)
            return errno == EAGAIN || errno == EINTR;
        relay_written(&r->spool, (size_t)n);
    }
    return true;
}

/* ---- its life ---- */

static bool told_to_end(const struct rear *r)
{
    char byte;
    ssize_t n = recv(r->out, &byte, 1, 0);
    return n == 0 || (n < 0 && errno != EAGAIN && errno != EINTR);
}

static void turn(struct rear *r, struct pollfd *fds)
{
    const unsigned char *at;
    int wait_ms = (int)(MARK_NS / MS);
    bool room = relay_has_room(&r->spool);
    fds[0] = (struct pollfd){.fd = r->out, .events = POLLIN};
    if (r->spool.len > 0)
        fds[0].events |= POLLOUT;
    for (uint16_t i = 0; i < r->count; i++) {
        struct kept *k = &r->kept[i];
        fds[i + 1] = (struct pollfd){.fd = k->gone || !room ? -1 : k->link->sock.fd};
        if (k->gone)
            continue;
        fds[i + 1].events = (short)(k->held ? 0 : POLLIN);
        if (link_waiting(k->link, &at) > 0)
            fds[i + 1].events |= POLLOUT;
        wait_ms = k->held ? HELD_MS : wait_ms;
    }
    if (poll(fds, r->count + 1u, wait_ms) <= 0)
        memset(fds, 0, (r->count + 1u) * sizeof *fds);
}

static void serve(struct rear *r, const struct pollfd *fds, int64_t now_ns)
{
    for (uint16_t i = 0; i < r->count; i++) {
        struct kept *k = &r->kept[i];
        if (k->gone)
            continue;
        if (fds[i + 1].revents & POLLOUT)
            flush(k->link);
        if (k->held)
            pass_on(r, i);
        bool readable = (fds[i + 1].revents & (POLLIN | POLLHUP | POLLERR)) != 0;
        if (readable && !k->held && !k->gone && relay_has_room(&r->spool))
            read_some(r, i);
        if (!k->gone)
            keepalive(k->link, now_ns);
    }
}

/* Close frames, and then nobody is there: what still comes is read away, since a socket that is
 * closed over it resets the connection and takes the close frame back. */
static void leave(struct rear *r, int64_t end_ns)
{
    static unsigned char nothing[16384];
    struct pollfd fds[REARGUARD_LINKS_MAX];
    for (uint16_t i = 0; i < r->count; i++) {
        fds[i] = (struct pollfd){.fd = r->kept[i].gone ? -1 : r->kept[i].link->sock.fd,
                                 .events = POLLIN};
        if (fds[i].fd < 0)
            continue;
        farewell(r->kept[i].link);
        shutdown(fds[i].fd, SHUT_WR);
    }
    while (r->alive > 0 && now_mono_ns() < end_ns) {
        poll(fds, r->count, HELD_MS);
        for (uint16_t i = 0; i < r->count; i++) {
            if (fds[i].fd < 0 || fds[i].revents == 0)
                continue;
            ssize_t n = recv(fds[i].fd, nothing, sizeof nothing, 0);
            if (n > 0 || (n < 0 && (errno == EAGAIN || errno == EINTR)))
                continue;
            fds[i].fd = -1;
            r->alive--;
        }
    }
}

/* Once more all that has come, and on to the new feeder; then it is over for the venues too. */
static void end(struct rear *r)
{
    int64_t end_ns = now_mono_ns() + LAST_WORDS_NS;
    struct pollfd out = {.fd = r->out, .events = POLLOUT};
    bool taken = true;
    for (uint16_t i = 0; i < r->count; i++)
        for (int n = 0; n < LAST_READS && !r->kept[i].gone && !r->kept[i].held; n++)
            if (!relay_has_room(&r->spool) || !read_some(r, i))
                break;
    r->mark_ns = 0;
    mark(r, now_mono_ns());
    while (taken && r->spool.len > 0 && now_mono_ns() < end_ns) {
        poll(&out, 1, (int)(MARK_NS / MS));
        taken = give(r);
    }
    close(r->out);
    leave(r, end_ns);
}

static void live(struct rear *r)
{
    struct pollfd fds[REARGUARD_LINKS_MAX + 1];
    for (uint16_t i = 0; i < r->count; i++) {
        r->kept[i].at = publish_now();
        pass_on(r, i);
    }
    while (r->alive > 0) {
        int64_t now_ns = now_mono_ns();
        mark(r, now_ns);
        if (now_ns >= r->end_ns || !give(r))
            break;
        turn(r, fds);
        if (fds[0].revents & (POLLIN | POLLHUP | POLLERR) && told_to_end(r))
            break;
        serve(r, fds, now_ns);
    }
    end(r);
}

/* Introduce the connections, in the order of their numbers. */
static void introduce(struct rear *r, const struct config *config)
{
    for (uint16_t i = 0; i < r->count; i++) {
        const struct link *l = r->kept[i].link;
        struct relay_link who = {.format = RELAY_FORMAT, .shard = l->shard, .route = l->route};
        const char *endpoint = config_endpoint_at(config, l->venue, l->endpoint);
        snprintf(who.venue, sizeof who.venue, "%s", l->venue->name);
        snprintf(who.endpoint, sizeof who.endpoint, "%s", endpoint != NULL ? endpoint : "");
        put(r, RELAY_LINK, i, &who, sizeof who);
    }
}

static bool keeps(const struct rear *r, int fd)
{
    for (uint16_t i = 0; i < r->count; i++)
        if (r->kept[i].link->sock.fd == fd)
            return true;
    return fd == r->out;
}

/* The lock above all: it would outlive the feeder. */
static void drop_descriptors(const struct rear *r)
{
    struct rlimit limit;
    int most = getrlimit(RLIMIT_NOFILE, &limit) == 0 && limit.rlim_cur < 65536 ? (int)limit.rlim_cur
                                                                               : 65536;
    for (int i = STDERR_FILENO + 1; i < most; i++)
        if (!keeps(r, i))
            close(i);
}

/* Signals are as in any program. A processor that the feeder has for itself stays its own. */
static void be_oneself(const struct config *config)
{
    cpu_set_t all;
    sigset_t none;
    memset(&all, 0xff, sizeof all);
    if (config->cpu >= 0)
        sched_setaffinity(0, sizeof all, &all);
    prctl(PR_SET_NAME, "feeder-rear");
    signal(SIGHUP, SIG_IGN);
    sigemptyset(&none);
    sigprocmask(SIG_SETMASK, &none, NULL);
}

__attribute__((noreturn)) static void become(struct rear *r, const struct config *config,
                                             pid_t parent)
{
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    if (getppid() != parent)
        _exit(1);
    drop_descriptors(r);
    be_oneself(config);
    void *spool = mmap(NULL, SPOOL_BYTES, PROT_READ | PROT_WRITE,
                       MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    if (spool == MAP_FAILED)
        _exit(1);
    r->spool = (struct relay_spool){.data = spool, .cap = SPOOL_BYTES};
    introduce(r, config);
    live(r);
    _exit(0);
}

/* ---- in the feeder ---- */

static bool is_live(const struct link *l)
{
    return l->used && !l->guest && l->conn.state == PX_CONN_LIVE && l->ws_ready;
}

uint32_t rearguard_links(const struct fleet *fleet)
{
    uint32_t n = 0;
    for (uint32_t i = 0; i < SUBS_LINKS_MAX; i++)
        n += is_live(&fleet->link[i]);
    return n;
}

static void keep_live(struct rear *r, struct fleet *fleet)
{
    for (uint32_t i = 0; i < SUBS_LINKS_MAX; i++)
        if (is_live(&fleet->link[i]))
            r->kept[r->count++].link = &fleet->link[i];
    r->alive = r->count;
}

int rearguard_leave(struct rearguard *out, struct fleet *fleet, int64_t life_ns)
{
    static struct rear r;
    int ends[2];
    uint32_t links = rearguard_links(fleet);
    if (links == 0 || links > REARGUARD_LINKS_MAX)
        return links == 0 ? -ENOENT : -EMFILE;
    if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, ends) < 0)
        return -errno;
    r = (struct rear){.out = ends[1], .end_ns = now_mono_ns() + life_ns};
    keep_live(&r, fleet);
    pid_t parent = getpid(), pid = fork();
    if (pid == 0)
        become(&r, fleet->shared.config, parent);
    int rc = pid < 0 ? -errno : 0;
    close(ends[1]);
    if (pid < 0)
        close(ends[0]);
    else
        *out = (struct rearguard){.fd = ends[0], .pid = pid};
    return rc;
}

void rearguard_kill(struct rearguard *r)
{
    if (rearguard_gone(r))
        return;
    kill(r->pid, SIGKILL);
    waitpid(r->pid, NULL, 0);
    r->pid = 0;
}

/* A number that is no child of ours is nobody's that we may kill. */
bool rearguard_gone(struct rearguard *r)
{
    if (r->pid != 0 && waitpid(r->pid, NULL, WNOHANG) != 0)
        r->pid = 0;
    return r->pid == 0;
}
