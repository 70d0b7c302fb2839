/* See restart.h. */
#include "restart.h"

#include <errno.h>
#include <math.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <time.h>

#include "ask.h"
#include "cli.h"

#define ANSWER_NS   INT64_C(5000000000)
#define PATIENCE_NS INT64_C(60000000000)
#define SETTLE_NS   INT64_C(10000000000) /* for the other symbols, after the first price */
#define LOOK_NS     INT64_C(20000000)

void restart_init(struct restart *r)
{
    *r = (struct restart){.now = {.blackout_ms = (double)NAN}};
    for (int i = 0; i < RESTART_PHASE_COUNT; i++)
        r->now.at_ms[i] = -1;
    pthread_mutex_init(&r->lock, NULL);
}

bool restart_is_running(const struct restart *r)
{
    return r->has_thread;
}

const char *restart_phase_name(enum restart_phase phase)
{
    static const char *const names[RESTART_PHASE_COUNT] = {
        "idle", "asked", "down", "connecting", "warming", "done", "failed"};
    return names[phase];
}

/* -- the thread -- */

static int64_t since_start(const struct restart *r)
{
    return cli_now_ns() - r->start_ns;
}

__attribute__((format(printf, 3, 4))) static void go(struct restart *r, enum restart_phase phase,
                                                     const char *format, ...)
{
    va_list args;
    va_start(args, format);
    pthread_mutex_lock(&r->lock);
    r->found.phase = phase;
    r->found.at_ms[phase] = since_start(r) / 1000000;
    vsnprintf(r->found.text, sizeof r->found.text, format, args);
    pthread_mutex_unlock(&r->lock);
    va_end(args);
}

static void count_connections(px_bus *bus, const struct px_bus_info *info,
                              struct restart_progress *p)
{
    struct px_conn_info conn;
    p->connections = p->connections_live = 0;
    for (uint32_t i = 0; i < info->conns; i++) {
        if (px_bus_conn_at(bus, i, &conn, NULL) < 0 || conn.owner_epoch != info->epoch ||
            conn.state == PX_CONN_CLOSING)
            continue; /* those of before are kept until the new ones carry all */
        p->connections++;
        p->connections_live += conn.state == PX_CONN_LIVE;
    }
}

/* Follow the bus for a moment. False when it is enough: nobody waits any more, or for too long. */
static bool follow(struct restart *r)
{
    struct measure *m = &r->measure;
    measure_step(m, cli_now_ns() + LOOK_NS);
    pthread_mutex_lock(&r->lock);
    r->found.symbols = m->had_price;
    r->found.symbols_live = m->refreshed;
    if (m->restarted) {
        r->found.epoch = m->after.epoch;
        count_connections(m->bus, &m->after, &r->found);
        r->found.blackout_ms = measure_blackout_ms(m);
    }
    bool stop = r->stop;
    pthread_mutex_unlock(&r->lock);
    return !stop && since_start(r) < PATIENCE_NS;
}

static bool is_connected(const struct restart_progress *p)
{
    return p->connections > 0 && p->connections_live == p->connections;
}

/* All connections, and all symbols that were live; or what of them comes within a while. */
static bool is_warm(const struct restart *r, int64_t first_seen_ns)
{
    const struct measure *m = &r->measure;
    if (m->subscribed == 0)
        return true;
    if (m->first_ns == 0)
        return false;
    return (m->refreshed >= m->had_price && is_connected(&r->found)) ||
           cli_now_ns() - first_seen_ns > SETTLE_NS;
}

static void await_epoch(struct restart *r)
{
    while (!r->measure.restarted && follow(r))
        ;
    if (r->measure.restarted)
        go(r, RESTART_CONNECTING, "epoch %llu is there after %.1f s, it connects",
           (unsigned long long)r->measure.after.epoch, (double)since_start(r) / 1e9);
    else
        go(r, RESTART_FAILED, "no new epoch within a minute, see pxstat");
}

static void await_prices(struct restart *r)
{
    int64_t first_seen_ns = 0;
    while (follow(r)) {
        if (r->found.phase == RESTART_CONNECTING && is_connected(&r->found))
            go(r, RESTART_WARMING, "epoch %llu is connected, its prices are awaited",
               (unsigned long long)r->measure.after.epoch);
        if (first_seen_ns == 0 && r->measure.first_ns != 0)
            first_seen_ns = cli_now_ns();
        if (is_warm(r, first_seen_ns))
            break;
    }
    const struct measure *m = &r->measure;
    unsigned long long epoch = m->after.epoch;
    double seconds = (double)since_start(r) / 1e9;
    if (m->subscribed == 0)
        go(r, RESTART_DONE, "epoch %llu runs after %.1f s, nothing is subscribed", epoch, seconds);
    else if (m->first_ns == 0)
        go(r, RESTART_FAILED, "the feeder is back and brings no price, see pxstat");
    else if (isnan(r->found.blackout_ms))
        go(r, RESTART_DONE, "prices flow in epoch %llu after %.1f s", epoch, seconds);
    else
        go(r, RESTART_DONE, "prices flow in epoch %llu after %.1f s; blackout %.1f ms", epoch,
           seconds, r->found.blackout_ms);
}

static int order(struct restart *r)
{
    char reason[ASK_REASON_MAX];
    if (ask_restart(&r->measure.before, "pxmon", ANSWER_NS, reason) < 0) {
        go(r, RESTART_FAILED, "%s", reason);
        return -EIO;
    }
    go(r, RESTART_DOWN, "the feeder takes the order and begins anew");
    return 0;
}

/* The lock is for what both sides touch: `found` is written here only, and read here without it. */
static void *recycle(void *owner)
{
    struct restart *r = owner;
    px_bus *bus = NULL;
    const struct px_bus_options how = {.all = 1, .no_socket = 1, .name = "pxmon", .max_ids = 65536};
    int rc = px_bus_attach(&bus, r->name, &how);
    if (rc == 0)
        rc = measure_start(&r->measure, bus);
    if (rc < 0) {
        go(r, RESTART_FAILED, "%s", px_strerror(rc));
    } else if (order(r) == 0) {
        await_epoch(r);
        if (r->measure.restarted)
            await_prices(r);
    }
    measure_free(&r->measure);
    px_bus_detach(bus);
    return NULL;
}

/* -- the loop -- */

static int start_thread(struct restart *r)
{
    sigset_t all, old;
    sigfillset(&all); /* signals are for the loop */
    pthread_sigmask(SIG_BLOCK, &all, &old);
    int rc = pthread_create(&r->thread, NULL, recycle, r);
    pthread_sigmask(SIG_SETMASK, &old, NULL);
    r->has_thread = rc == 0;
    return -rc;
}

int restart_begin(struct restart *r, const struct subject *s)
{
    struct px_bus_info info;
    if (restart_is_running(r))
        return -EALREADY;
    if (s->bus == NULL || px_bus_info(s->bus, &info) < 0)
        return -ENOENT;
    struct restart_progress *p = &r->found;
    *p = (struct restart_progress){.epoch_before = info.epoch,
                                   .epoch = info.epoch,
                                   .start_utc_s = time(NULL),
                                   .blackout_ms = (double)NAN};
    for (int i = 0; i < RESTART_PHASE_COUNT; i++)
        p->at_ms[i] = -1;
    r->name = s->name;
    r->measure = (struct measure){.bus = NULL};
    r->start_ns = cli_now_ns();
    go(r, RESTART_ASKED, "the feeder is asked");
    if (start_thread(r) < 0)
        return -EAGAIN;
    restart_step(r);
    cli_error(0, r->name, "restart from the browser: the feeder is asked");
    return 0;
}

void restart_end(struct restart *r)
{
    if (!r->has_thread)
        return;
    pthread_mutex_lock(&r->lock);
    r->stop = true;
    pthread_mutex_unlock(&r->lock);
    pthread_join(r->thread, NULL);
    r->has_thread = r->stop = false;
}

bool restart_step(struct restart *r)
{
    if (!r->has_thread)
        return false;
    pthread_mutex_lock(&r->lock);
    r->now = r->found;
    pthread_mutex_unlock(&r->lock);
    if (r->now.phase == RESTART_DONE || r->now.phase == RESTART_FAILED) {
        restart_end(r);
        cli_error(0, r->name, "restart from the browser: %s", r->now.text);
    }
    return true;
}
