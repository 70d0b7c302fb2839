#include "feeder.h"

#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/signalfd.h>
#include <time.h>
#include <unistd.h>

#include "counters.h"
#include "dirs.h"
#include "log.h"
#include "notify.h"

#define MS        INT64_C(1000000)
#define SECOND_NS (1000 * MS)

/* The one timer beside those of links: the heartbeat's, everything else happens at multiples. */
#define TICK_NS       (50 * MS)
#define TICK_END_NS   (5 * MS)
#define TICKS_WORK    2  /* 100 ms: subscriptions, links, judgement of silence */
#define TICKS_READERS 5  /* 250 ms: readers' records */
#define TICKS_SECOND  20 /* log, demo */

/* How long venues may take to answer close frames. A restart is short of time: readers wait. */
#define FAREWELL_STOP_NS    (1000 * MS)
#define FAREWELL_RESTART_NS (100 * MS)

void feeder_say(const char *object, const char *format, ...)
{
    va_list args;
    fprintf(stderr, "feeder: %s: ", object);
    va_start(args, format);
    vfprintf(stderr, format, args);
    va_end(args);
    fputc('\n', stderr);
}

static void on_signal(void *owner, enum net_event event)
{
    struct feeder *f = owner;
    struct signalfd_siginfo info;
    if (event != NET_READABLE)
        return;
    while (read(f->signal_watch.fd, &info, sizeof info) == (ssize_t)sizeof info) {
        if (info.ssi_signo == SIGHUP)
            f->reload = true;
        else
            feeder_end(f, FEEDER_STOPS);
    }
}

static int next_saved(void *user, uint32_t *cursor, char symbol[PX_SYMBOL_MAX + 1], uint32_t *kinds)
{
    const struct feeder *f = user;
    return wants_saved(f->wants, cursor, symbol, kinds);
}

static void hold_saved(void *user, const char *symbol, uint32_t kinds)
{
    const struct feeder *f = user;
    wants_hold(f->wants, symbol, kinds, now_mono_ns());
}

static void heartbeat(struct feeder *f, int64_t now)
{
    if (px_writer_heartbeat(f->writer, now) != -ENOENT || f->nameless)
        return;
    f->nameless = true;
    log_error(f->config.bus,
              "the segment /dev/shm%s was removed: attached readers go on, new ones need a restart",
              px_writer_shm_name(f->writer));
}

static void each_100ms(struct feeder *f, struct publish_time at)
{
    wants_tick(f->wants, at.mono_ns);
    fleet_tick(f->fleet, at.mono_ns);
    backfill_tick(f->backfill, at.mono_ns);
    guests_tick(&f->guests, at.mono_ns);
    publish_judge(f->publish, at);
    px_writer_flush(f->writer);
    if (wants_revision(f->wants) != f->saved_revision) {
        f->saved_revision = wants_revision(f->wants);
        state_dirty(f->state);
    }
    state_tick(f->state, at.mono_ns, next_saved, f);
    if (f->reload) {
        f->reload = false;
        feeder_reload(f);
    }
    if (f->restart && !guests_here(&f->guests)) {
        f->restart = false;
        feeder_end(f, FEEDER_RESTARTS);
    }
}

static void each_second(struct feeder *f)
{
    if (f->config.env.watchdog_us != 0)
        notify_send("WATCHDOG=1");
    demo_check(&f->demo);
    log_flush();
}

static void on_tick(void *owner)
{
    struct feeder *f = owner;
    struct publish_time at = publish_now();
    uint64_t n = ++f->ticks;
    /* first, so that the census of timers knows it */
    net_timer_set(&f->timer, f->end != FEEDER_RUNS ? TICK_END_NS : TICK_NS);
    heartbeat(f, at.mono_ns);
    if (n % TICKS_WORK == 0 || f->end != FEEDER_RUNS)
        each_100ms(f, at);
    if (n % TICKS_READERS == 0)
        control_tick(f->control, at.mono_ns);
    if (n % TICKS_SECOND == 0)
        each_second(f);
    bool leaving = f->end != FEEDER_RUNS && !f->overlaps;
    if (!leaving || (!fleet_idle(f->fleet) && at.mono_ns < f->end_by_ns))
        return;
    f->left = true;
    net_stop(f->net);
}

/* Close frames to the venues; the loop goes on until they are answered. */
static void take_leave(struct feeder *f)
{
    f->overlaps = false;
    f->end_by_ns =
        now_mono_ns() + (f->end == FEEDER_RESTARTS ? FAREWELL_RESTART_NS : FAREWELL_STOP_NS);
    guests_leave(&f->guests);
    fleet_close(f->fleet);
    net_timer_set(&f->timer, TICK_END_NS);
}

void feeder_end(struct feeder *f, enum feeder_end how)
{
    bool overrides = f->end == FEEDER_RESTARTS && how == FEEDER_STOPS;
    if (f->end != FEEDER_RUNS && !overrides)
        return;
    log_info(f->config.bus, how == FEEDER_RESTARTS ? "restarting" : "ending");
    notify_send(how == FEEDER_RESTARTS ? "STATUS=restarting" : "STOPPING=1");
    f->end = how;
    if (how == FEEDER_RESTARTS && f->overlaps)
        net_stop(f->net);
    else
        take_leave(f);
}

void feeder_reload(struct feeder *f)
{
    struct config fresh;
    char kept[CONFIG_ERROR_MAX] = "", error[CONFIG_ERROR_MAX] = "";
    notify_reloading();
    int rc = config_reload(&f->config, &fresh, kept, sizeof kept, error);
    if (rc < 0) {
        log_error(f->config.bus, "configuration not applied, the earlier one stays: %s", error);
        px_writer_count(f->writer, PX_C_config_refused, 1);
        notify_send("READY=1");
        return;
    }
    if (kept[0] != '\0')
        log_warning(f->config.bus, "these settings need a restart: %s", kept);
    config_free(&f->config);
    f->config = fresh;
    log_set_level((enum log_level)f->config.log_level);
    upkeep_limits(f);
    control_quotas(f->control, f->config.quota_connections, f->config.quota_symbols,
                   f->config.quota_messages);
    wants_apply(f->wants, &f->config, now_mono_ns());
    fleet_pump(f->fleet, now_mono_ns());
    px_writer_count(f->writer, PX_C_config_reloads, 1);
    log_info(f->config.bus, "configuration applied");
    notify_send("READY=1");
}

static int fail(const char *object, int rc, const char *what)
{
    feeder_say(object, "%s: %s", what, strerror(-rc));
    return rc;
}

static int say_writer(const struct config *c, int rc, const struct px_writer_report *report)
{
    if (rc == -EBUSY)
        feeder_say(c->bus, "bus %s is held by pid %d", c->bus, report->held_by);
    else if (rc == -ENOSPC)
        feeder_say(c->bus,
                   "the segment needs %.1f MB and /dev/shm has %.1f MB free: lower --capacity (%u) "
                   "or --ring (%u)",
                   (double)report->need_bytes / 1e6, (double)report->free_bytes / 1e6, c->capacity,
                   c->ring);
    else if (rc == -EPROTO)
        feeder_say(c->bus, "/dev/shm/px-%s is not a segment of ours: remove it", c->bus);
    else if (rc == -EPERM)
        feeder_say(c->bus,
                   "/dev/shm/px-%s or its lock is another user's, or writable to others: remove it",
                   c->bus);
    else
        return fail(c->bus, rc, "cannot open the segment");
    return rc;
}

/* What can be wrong with the surroundings is found before the bus is touched. Certificates of the
 * operator's own are read now; the system's, a hundred milliseconds of work, when a connection
 * needs them. */
static int open_surroundings(struct feeder *f)
{
    struct config *c = &f->config;
    char dir[CONFIG_PATH_MAX], error[CONFIG_ERROR_MAX] = "";
    int rc = dirs_runtime(c, dir, sizeof dir, error);
    if (rc == 0)
        rc = control_path(dir, c->bus, f->control_path, sizeof f->control_path, error);
    if (rc == 0)
        rc = dirs_state(c, f->state_dir, sizeof f->state_dir, error);
    if (rc == 0 && c->tls_ca[0] != '\0')
        rc = tls_context_new(c->tls_ca, &f->tls, error, sizeof error);
    if (rc < 0)
        feeder_say(c->bus, "%s", error);
    return rc;
}

static int open_writer(struct feeder *f)
{
    struct config *c = &f->config;
    struct px_writer_options options = {.bus = c->bus,
                                        .capacity = c->capacity,
                                        .ring = c->ring,
                                        .group = c->group,
                                        .version = PX_VERSION,
                                        .control_path = f->control_path,
                                        .lock_fd = restart_inherited_lock(),
                                        .counters = px_feeder_counters,
                                        .counter_count = PX_C_COUNT,
                                        .huge_pages = c->huge_pages};
    struct px_writer_report report;
    int rc = px_writer_open(&f->writer, &options, &report);
    if (rc < 0)
        return say_writer(c, rc, &report);
    f->made = !report.adopted;
    px_writer_heartbeat(f->writer, now_mono_ns());
    log_info(c->bus, "epoch %llu, %s segment, %u symbols carried over",
             (unsigned long long)report.epoch, report.adopted ? "adopted" : "new", report.symbols);
    return 0;
}

static int open_state(struct feeder *f)
{
    f->state = state_new(f->state_dir, f->config.bus, f->config.capacity, f->writer);
    if (f->state == NULL)
        return fail(f->state_dir, -ENOMEM, "cannot keep the wanted set");
    f->gate = gate_new(&f->config, f->state_dir, f->writer);
    if (f->gate == NULL)
        return fail(f->state_dir, -ENOMEM, "cannot keep breakers");
    struct gate_time now = {.mono_ns = now_mono_ns(), .utc_ns = now_utc_ns()};
    gate_load(f->gate, now);
    return 0;
}

static void on_resolved(void *owner, enum net_event event)
{
    struct feeder *f = owner;
    if (event == NET_READABLE)
        resolve_readable(f->resolve);
}

/* Signals are blocked since main(): they arrive here, between two events. */
static int watch(struct feeder *f)
{
    sigset_t set;
    sigemptyset(&set);
    sigaddset(&set, SIGTERM);
    sigaddset(&set, SIGINT);
    sigaddset(&set, SIGHUP);
    int signals = signalfd(-1, &set, SFD_NONBLOCK | SFD_CLOEXEC);
    int answers = fcntl(resolve_fd(f->resolve), F_DUPFD_CLOEXEC, 3);
    if (signals < 0 || answers < 0)
        return -errno;
    int rc = net_add(f->net, &f->signal_watch, signals, on_signal, f);
    return rc < 0 ? rc : net_add(f->net, &f->resolve_watch, answers, on_resolved, f);
}

static int open_loop(struct feeder *f)
{
    f->net = net_new();
    f->resolve = resolve_new();
    if (f->net == NULL || f->resolve == NULL)
        return fail(f->config.bus, -ENOMEM, "cannot start the event loop");
    int rc = watch(f);
    return rc < 0 ? fail(f->config.bus, rc, "cannot start the event loop") : 0;
}

static int open_fleet(struct feeder *f)
{
    f->wants = wants_new(&f->config, f->writer);
    const struct fold_options fold = plan_fold(&f->config);
    f->fold = fold_new(&fold);
    if (f->wants != NULL && f->fold != NULL)
        f->publish = publish_new(f->writer, f->wants, f->fold);
    f->fleet = calloc(1, sizeof *f->fleet);
    if (f->publish == NULL || f->fleet == NULL)
        return fail(f->config.bus, -ENOMEM, "cannot make room for subscriptions");
    struct link_shared shared = {.net = f->net,
                                 .resolve = f->resolve,
                                 .gate = f->gate,
                                 .writer = f->writer,
                                 .subs = wants_subs(f->wants),
                                 .publish = f->publish,
                                 .tls = f->tls,
                                 .config = &f->config};
    f->tls = NULL; /* the fleet's from here on */
    int rc = fleet_open(f->fleet, &shared);
    wants_on_gone(f->wants, fleet_forget, f->fleet);
    if (rc == 0)
        f->backfill = backfill_new(&f->fleet->shared);
    if (f->backfill == NULL)
        rc = -ENOMEM;
    return rc < 0 ? fail(f->config.bus, rc, "cannot make room for connections") : 0;
}

int feeder_open(struct feeder *f)
{
    int (*const steps[])(struct feeder *) = {open_surroundings, open_writer, open_state,
                                             open_loop,         open_fleet,  upkeep_open,
                                             sessions_open};
    for (size_t i = 0; i < sizeof steps / sizeof steps[0]; i++) {
        int rc = steps[i](f);
        if (rc < 0)
            return rc;
    }
    f->made = false;
    int loaded = state_load(f->state, hold_saved, f);
    if (loaded > 0)
        log_info(f->config.bus, "%d symbols of the last run are held", loaded);
    wants_apply(f->wants, &f->config, now_mono_ns());
    f->saved_revision = wants_revision(f->wants);
    fleet_pump(f->fleet, now_mono_ns());
    const struct rearguard rear = restart_inherited_rearguard();
    int rc = guests_open(&f->guests, f->fleet, &rear);
    if (rc < 0)
        return fail(f->config.bus, rc, "cannot listen to the rear-guard");
    net_timer_init(f->net, &f->timer, on_tick, f);
    net_timer_set(&f->timer, TICK_NS);
    upkeep_start(f);
    return 0;
}

static void run(struct feeder *f)
{
    net_run(f->net, f->config.busy_poll ? fleet_poll : NULL, f->fleet);
}

/* Between two turns of the loop, so that nothing of a connection is under way in it. */
static bool leave_rearguard(struct feeder *f)
{
    int rc = rearguard_leave(&f->rear, f->fleet, f->config.restart_overlap_s * SECOND_NS);
    if (rc == 0)
        log_info(f->config.bus, "rear-guard %d reads %u connections meanwhile", (int)f->rear.pid,
                 rearguard_links(f->fleet));
    else
        log_line(rc == -ENOENT ? LOG_LEVEL_INFO : LOG_LEVEL_WARNING, f->config.bus,
                 "no overlap: %s",
                 rc == -ENOENT   ? "no connection is live"
                 : rc == -EMFILE ? "there are too many connections"
                                 : strerror(-rc));
    return rc == 0;
}

enum feeder_end feeder_run(struct feeder *f)
{
    if (f->config.cpu >= 0) {
        cpu_set_t set;
        CPU_ZERO(&set);
        CPU_SET((unsigned)f->config.cpu, &set);
        if (sched_setaffinity(0, sizeof set, &set) < 0)
            log_warning("cpu", "cannot stay on cpu %d: %s", f->config.cpu, strerror(errno));
    }
    notify_send("READY=1");
    run(f);
    if (f->end == FEEDER_RESTARTS && f->overlaps && leave_rearguard(f))
        return f->end;
    if (f->end != FEEDER_RUNS && !f->left) {
        take_leave(f);
        run(f);
    }
    return f->end != FEEDER_RUNS ? f->end : FEEDER_FAILS;
}

void feeder_close(struct feeder *f, bool keep)
{
    if (f->state != NULL && f->wants != NULL && f->end != FEEDER_RUNS)
        state_save(f->state, next_saved, f);
    sessions_close(f);
    backfill_free(f->backfill);
    guests_close(&f->guests);
    if (f->fleet != NULL)
        fleet_free(f->fleet);
    free(f->fleet);
    publish_free(f->publish);
    fold_free(f->fold);
    wants_free(f->wants);
    upkeep_close(f);
    if (f->net != NULL) {
        net_timer_cancel(&f->timer);
        net_remove(&f->signal_watch);
        net_remove(&f->resolve_watch);
    }
    net_free(f->net);
    resolve_free(f->resolve);
    gate_free(f->gate);
    state_free(f->state);
    tls_context_free(f->tls);
    int32_t held_by;
    if (!keep)
        px_writer_close(f->writer);
    if (f->made)
        px_writer_remove(f->config.bus, &held_by);
    log_flush();
}
