#include "server.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/tcp.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/timerfd.h>
#include <time.h>
#include <unistd.h>

#include "conn.h"

#define EVENTS          64
#define STOP_NS         NS_PER_S
#define ATTEMPTS_WINDOW (300 * NS_PER_S)

static int fail(const char *object, const char *reason)
{
    fprintf(stderr, "pxsim: %s: %s\n", object, reason);
    return -1;
}

static void read_clocks(struct server *s)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    s->now.mono_ns = (uint64_t)t.tv_sec * NS_PER_S + (uint64_t)t.tv_nsec;
    clock_gettime(CLOCK_REALTIME, &t);
    s->now.real_us = (uint64_t)t.tv_sec * 1000000U + (uint64_t)t.tv_nsec / 1000U;
}

struct address {
    union {
        struct sockaddr any;
        struct sockaddr_in v4;
        struct sockaddr_in6 v6;
    } sa;
    socklen_t len;
};

static bool parse_address(const struct options *o, struct address *a)
{
    memset(a, 0, sizeof *a);
    if (inet_pton(AF_INET, o->listen, &a->sa.v4.sin_addr) == 1) {
        a->sa.v4.sin_family = AF_INET;
        a->sa.v4.sin_port = htons((uint16_t)o->port);
        a->len = sizeof a->sa.v4;
        return true;
    }
    if (inet_pton(AF_INET6, o->listen, &a->sa.v6.sin6_addr) == 1) {
        a->sa.v6.sin6_family = AF_INET6;
        a->sa.v6.sin6_port = htons((uint16_t)o->port);
        a->len = sizeof a->sa.v6;
        return true;
    }
    return false;
}

/* "ADDR:PORT", the port being the one that the kernel chose. */
static void describe(const struct server *s, char *out, size_t room)
{
    struct address a = {.len = sizeof a.sa};
    char host[INET6_ADDRSTRLEN] = "?";
    int port = s->options->port;
    if (s->listener >= 0)
        (void)getsockname(s->listener, &a.sa.any, &a.len);
    if (a.sa.any.sa_family == AF_INET) {
        inet_ntop(AF_INET, &a.sa.v4.sin_addr, host, sizeof host);
        port = ntohs(a.sa.v4.sin_port);
    } else if (a.sa.any.sa_family == AF_INET6) {
        inet_ntop(AF_INET6, &a.sa.v6.sin6_addr, host, sizeof host);
        port = ntohs(a.sa.v6.sin6_port);
    }
    bool v6 = a.sa.any.sa_family == AF_INET6;
    snprintf(out, room, "%s%s%s:%d", v6 ? "[" : "", host, v6 ? "]" : "", port);
}

static int watch_fd(struct server *s, int fd, void *tag)
{
    struct epoll_event e = {.events = EPOLLIN, .data.ptr = tag};
    return fd >= 0 && epoll_ctl(s->epoll, EPOLL_CTL_ADD, fd, &e) == 0 ? 0 : -errno;
}

static int start_listening(struct server *s)
{
    s->listen_ns = 0;
    return listen(s->listener, SOMAXCONN) < 0 ? -errno : watch_fd(s, s->listener, &s->listener);
}

static int open_listener(struct server *s)
{
    const struct options *o = s->options;
    struct address a;
    char where[96];
    int one = 1;
    snprintf(where, sizeof where, "%s:%d", o->listen, o->port);
    if (!parse_address(o, &a))
        return fail(o->listen, "not an IP address");
    s->listener = socket(a.sa.any.sa_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (s->listener < 0)
        return fail(where, strerror(errno));
    (void)setsockopt(s->listener, SOL_SOCKET, SO_REUSEADDR, &one, sizeof one);
    if (bind(s->listener, &a.sa.any, a.len) < 0)
        return fail(where, strerror(errno));
    if (faults_has(o->faults.set, FAULT_REFUSE)) {
        /* bound and not listening: the kernel refuses, and nobody takes the port meanwhile */
        s->listen_ns = s->now.mono_ns + (uint64_t)o->faults.arg[FAULT_REFUSE] * NS_PER_S;
        return 0;
    }
    int rc = start_listening(s);
    return rc < 0 ? fail(where, strerror(-rc)) : 0;
}

static int open_loop(struct server *s)
{
    sigset_t set;
    sigemptyset(&set);
    sigaddset(&set, SIGTERM);
    sigaddset(&set, SIGINT);
    sigaddset(&set, SIGUSR1);
    sigprocmask(SIG_BLOCK, &set, NULL);
    signal(SIGPIPE, SIG_IGN);
    s->epoll = epoll_create1(EPOLL_CLOEXEC);
    s->timer = timerfd_create(CLOCK_MONOTONIC, TFD_NONBLOCK | TFD_CLOEXEC);
    s->signals = signalfd(-1, &set, SFD_NONBLOCK | SFD_CLOEXEC);
    if (s->epoll < 0 || watch_fd(s, s->timer, &s->timer) < 0 ||
        watch_fd(s, s->signals, &s->signals) < 0)
        return fail("event loop", strerror(errno));
    return 0;
}

static enum tls_flaw flaw_of(const struct options *o)
{
    if (faults_has(o->faults.set, FAULT_EXPIRED_CERTIFICATE))
        return TLS_EXPIRED;
    return faults_has(o->faults.set, FAULT_WRONG_HOST) ? TLS_WRONG_HOST : TLS_SOUND;
}

/* An authority of our own: a sound certificate, and a flawed one where a fault asks for it. */
static int make_certificates(struct server *s)
{
    const struct options *o = s->options;
    char why[768] = "";
    struct certs *certs = NULL;
    int rc = certs_make(&certs, o->listen);
    if (rc == 0)
        rc = certs_context(certs, TLS_SOUND, &s->tls);
    if (rc == 0 && flaw_of(o) != TLS_SOUND)
        rc = certs_context(certs, flaw_of(o), &s->tls_flawed);
    if (rc < 0)
        snprintf(why, sizeof why, "certificate: cannot be made");
    if (rc == 0 && o->tls_auto != NULL)
        rc = certs_save(certs, o->tls_auto, why, sizeof why);
    if (rc == 0 && o->tls_ca_out != NULL) {
        rc = certs_save_ca(certs, o->tls_ca_out);
        if (rc < 0)
            snprintf(why, sizeof why, "%.512s: %s", o->tls_ca_out, strerror(-rc));
    }
    certs_free(certs);
    if (rc < 0)
        fprintf(stderr, "pxsim: %s\n", why);
    return rc < 0 ? -1 : 0;
}

static int open_tls(struct server *s)
{
    const struct options *o = s->options;
    char why[768];
    if (o->tls_cert != NULL && tls_load(&s->tls, o->tls_cert, o->tls_key, why, sizeof why) < 0) {
        fprintf(stderr, "pxsim: %s\n", why);
        return -1;
    }
    bool own = o->tls_auto != NULL || o->tls_ca_out != NULL || flaw_of(o) != TLS_SOUND;
    return o->tls_cert == NULL && own ? make_certificates(s) : 0;
}

static int open_data(struct server *s)
{
    const struct options *o = s->options;
    struct hub_options h = {
        .seed = o->seed, .rate = o->rate, .symbols = o->symbols, .venue = o->venue};
    int rc = hub_open(&s->hub, &h);
    if (rc == -EINVAL)
        return fail("--symbols", "is a list of symbols, or a count from 1 to 10000");
    if (rc < 0)
        return fail("market", strerror(-rc));
    if (o->replay != NULL) {
        char why[768];
        struct replay_pace pace = {.rate = o->rate, .speed = o->speed, .binary = o->venue->binary};
        if (replay_open(&s->replay, o->replay, pace, why, sizeof why) < 0) {
            fprintf(stderr, "pxsim: %s\n", why);
            return -1;
        }
    }
    s->attempt_ns = calloc(o->venue->attempts_per_5min + 1U, sizeof *s->attempt_ns);
    return s->attempt_ns == NULL ? fail("memory", strerror(ENOMEM)) : 0;
}

int server_open(struct server *s, const struct options *options)
{
    char where[96];
    memset(s, 0, sizeof *s);
    s->options = options;
    s->epoll = s->listener = s->timer = s->signals = -1;
    read_clocks(s);
    if (open_data(s) < 0 || open_tls(s) < 0 || open_loop(s) < 0 || open_listener(s) < 0)
        return -1;
    describe(s, where, sizeof where);
    printf("pxsim: listening on %s\n", where);
    fflush(stdout);
    return 0;
}

void server_close(struct server *s)
{
    for (struct conn *c = s->conns, *next; c != NULL; c = next) {
        next = c->next;
        conn_free(c);
    }
    hub_close(s->hub);
    replay_close(&s->replay);
    tls_context_free(s->tls);
    tls_context_free(s->tls_flawed);
    free(s->attempt_ns);
    int fds[] = {s->listener, s->timer, s->signals, s->epoll};
    for (size_t i = 0; i < sizeof fds / sizeof fds[0]; i++) {
        if (fds[i] >= 0)
            close(fds[i]);
    }
}

/* Opening connections too often is counted, not punished: tests of recovery do little else. */
static void count_attempt(struct server *s)
{
    size_t allowed = s->options->venue->attempts_per_5min;
    if (allowed > 0) {
        uint64_t *oldest = &s->attempt_ns[s->attempts % allowed];
        if (s->attempts >= allowed && s->now.mono_ns < *oldest + ATTEMPTS_WINDOW)
            s->violations++;
        *oldest = s->now.mono_ns;
    }
    s->attempts++;
}

static void accept_all(struct server *s)
{
    int fd;
    while ((fd = accept4(s->listener, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC)) >= 0) {
        int one = 1;
        struct conn *c;
        (void)setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
        count_attempt(s);
        if (conn_open(s, fd, &c) < 0)
            continue; /* it closed the socket */
        c->next = s->conns;
        s->conns = c;
        conn_note(c, "accepted");
    }
}

static void print_json_text(const char *text)
{
    for (; *text != '\0'; text++) {
        if (*text == '"' || *text == '\\')
            putchar('\\');
        putchar(*text);
    }
}

/* Each name once: the tallies know all that were ever subscribed. */
static void print_subscribed(const struct server *s)
{
    const char *comma = "";
    for (const struct hub_tally *t = hub_stats(s->hub)->tallies; t != NULL; t = t->next) {
        bool now = false;
        for (const struct session *at = hub_sessions(s->hub); at != NULL && !now; at = at->next) {
            for (size_t i = 0; i < at->count && !now; i++)
                now = strcmp(at->streams[i]->name, t->name) == 0;
        }
        if (!now)
            continue;
        printf("%s\"", comma);
        print_json_text(t->name);
        printf("\"");
        comma = ",";
    }
}

static void print_counts(const struct server *s)
{
    const struct hub_stats *h = hub_stats(s->hub);
    printf(
        "{\"connections\":%llu,\"open\":%llu,\"attempts\":%llu,\"messages\":%llu,\"subscribed\":[",
        (unsigned long long)s->connections, (unsigned long long)s->open,
        (unsigned long long)s->attempts, (unsigned long long)s->messages);
    print_subscribed(s);
    printf("],\"requests\":%llu,\"violations\":%llu,\"dropped\":%llu,\"subscribes\":%llu,"
           "\"unsubscribes\":%llu,"
           "\"untold\":%llu,\"streams\":{",
           (unsigned long long)s->requests, (unsigned long long)s->violations,
           (unsigned long long)s->dropped, (unsigned long long)h->subscribes,
           (unsigned long long)h->unsubscribes, (unsigned long long)h->untold);
    for (const struct hub_tally *t = h->tallies; t != NULL; t = t->next) {
        printf("\"");
        print_json_text(t->name);
        printf("\":[%u,%u]%s", t->subscribes, t->unsubscribes, t->next != NULL ? "," : "");
    }
    printf("}}\n");
    fflush(stdout);
}

static void stop(struct server *s)
{
    s->stopping = true;
    s->stop_by_ns = s->now.mono_ns + STOP_NS;
    close(s->listener);
    s->listener = -1;
    s->listen_ns = 0;
    for (struct conn *c = s->conns; c != NULL; c = c->next)
        conn_end(c, 1001, "Going away");
}

static void on_signals(struct server *s)
{
    struct signalfd_siginfo info;
    while (read(s->signals, &info, sizeof info) == (ssize_t)sizeof info) {
        if (info.ssi_signo == SIGUSR1)
            print_counts(s);
        else if (!s->stopping)
            stop(s);
    }
}

/* Somebody takes less than is offered: better late than lost. */
static bool held_up(const struct server *s)
{
    for (const struct conn *c = s->conns; c != NULL; c = c->next) {
        if (c->state == CONN_OPEN && c->faults == 0 && out_waiting(&c->out) > CONN_FULL)
            return true;
    }
    return false;
}

static void bury(struct server *s)
{
    struct conn **at = &s->conns;
    while (*at != NULL) {
        struct conn *c = *at;
        if (c->state != CONN_DEAD) {
            at = &c->next;
            continue;
        }
        *at = c->next;
        conn_free(c);
    }
}

/* All that is due; returns when there is more to do. */
static uint64_t turn(struct server *s)
{
    uint64_t next = NEVER;
    if (s->listen_ns != 0 && s->now.mono_ns >= s->listen_ns)
        (void)start_listening(s); /* the port is ours: it cannot be taken */
    if (s->listen_ns != 0)
        next = s->listen_ns;
    uint64_t market = held_up(s) ? s->now.mono_ns + NS_PER_MS : hub_run(s->hub, s->now);
    next = market < next ? market : next;
    for (struct conn *c = s->conns; c != NULL; c = c->next) {
        uint64_t at = conn_tick(c);
        next = at < next ? at : next;
    }
    bury(s);
    if (s->stopping && s->stop_by_ns < next)
        next = s->stop_by_ns;
    return next;
}

/* Returns how long epoll may sleep: 0, or until an event, of which the timer is one. */
static int arm(struct server *s, uint64_t at_ns)
{
    struct itimerspec t = {0};
    if (at_ns <= s->now.mono_ns)
        return 0;
    if (at_ns != NEVER) {
        t.it_value.tv_sec = (time_t)(at_ns / NS_PER_S);
        t.it_value.tv_nsec = (long)(at_ns % NS_PER_S);
    }
    timerfd_settime(s->timer, TFD_TIMER_ABSTIME, &t, NULL);
    return -1;
}

static void dispatch(struct server *s, const struct epoll_event *e)
{
    uint64_t expirations;
    if (e->data.ptr == &s->listener)
        accept_all(s);
    else if (e->data.ptr == &s->signals)
        on_signals(s);
    else if (e->data.ptr == &s->timer)
        (void)!read(s->timer, &expirations, sizeof expirations);
    else
        conn_event(e->data.ptr, e->events);
}

int server_run(struct server *s)
{
    struct epoll_event events[EVENTS];
    for (;;) {
        read_clocks(s);
        uint64_t next = turn(s);
        if (s->stopping && (s->conns == NULL || s->now.mono_ns >= s->stop_by_ns))
            return 0;
        int n = epoll_wait(s->epoll, events, EVENTS, arm(s, next));
        if (n < 0 && errno != EINTR)
            return fail("epoll", strerror(errno));
        read_clocks(s);
        for (int i = 0; i < n; i++)
            dispatch(s, &events[i]);
    }
}
