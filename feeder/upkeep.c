/* What the feeder does about its own memory: watch it, clean up, and become a new process in time.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "account.h"
#include "counters.h"
#include "feeder.h"
#include "log.h"
#include "tls_pool.h"

#define SECOND_NS INT64_C(1000000000)

/* --test-leak: blocks hang together, so that tools which look for lost ones find them only at the
 * end, when the feeder forgets the newest. */
struct leaked {
    struct leaked *before;
};
static struct leaked *newest;

static void *leak_block(uint32_t owner, size_t bytes)
{
    switch (owner) {
    case PX_OWNER_FEEDER:
        return malloc(bytes);
    case PX_OWNER_TLS:
        return tls_pool_malloc(bytes, "", 0);
    default:
        return account_realloc(owner, NULL, bytes);
    }
}

static void leak(struct feeder *f)
{
    size_t bytes = f->config.test_leak_bytes;
    uint64_t frames = px_writer_value(f->writer, PX_C_frames_in);
    if (bytes < sizeof *newest)
        bytes = sizeof *newest;
    for (; f->leaked_frames < frames; f->leaked_frames++) {
        struct leaked *block = leak_block(f->config.test_leak_owner, bytes);
        if (block == NULL)
            return;
        memset(block, 1, bytes);
        block->before = newest;
        newest = block;
    }
}

static void clean(void *user)
{
    struct feeder *f = user;
    uint32_t slots = wants_reclaim(f->wants, now_mono_ns());
    fleet_pump(f->fleet, now_mono_ns());
    fleet_clean(f->fleet);
    px_writer_count(f->writer, PX_C_slots_reclaimed, slots);
}

int feeder_restart(struct feeder *f, bool overlap, char *text, size_t cap)
{
    struct config fresh;
    char kept[CONFIG_ERROR_MAX], error[CONFIG_ERROR_MAX] = "";
    int rc = config_reload(&f->config, &fresh, kept, sizeof kept, error);
    if (rc < 0) {
        /* The whole path is in the log: a reply is short. */
        log_error(f->config.bus, "no restart with this configuration: %s", error);
        const char *colon = strchr(error, ':'), *at = colon;
        while (at != NULL && at > error && at[-1] != '/')
            at--;
        snprintf(text, cap, "no restart: %s", at != NULL ? at : error);
        return rc;
    }
    config_free(&fresh);
    f->overlaps = overlap && f->config.restart_overlap_s != 0;
    f->restart = f->overlaps && guests_here(&f->guests);
    if (f->restart)
        log_info(f->config.bus, "the restart waits until the overlap of the last one is over");
    else
        feeder_end(f, FEEDER_RESTARTS);
    return 0;
}

/* Memory that is short is not to be had twice: a rear-guard would keep all of the old for a while.
 *
 * A start is the last restart, or there was none: the time since then needs no memory of its own.
 */
static void recycle(struct feeder *f, int64_t now_ns)
{
    char text[CONFIG_ERROR_MAX];
    int64_t up_ns = now_ns - f->opened_ns, every_ns = f->config.restart_every * SECOND_NS;
    bool over = memwatch_over(&f->memwatch), due = every_ns != 0 && up_ns >= every_ns;
    if ((!over && !due) || f->end != FEEDER_RUNS || f->restart || now_ns < f->recycle_ns ||
        up_ns < f->config.restart_min_s * SECOND_NS)
        return;
    log_warning(f->config.bus, "recycling: %s",
                over ? "memory is above the hard limit" : "it is time");
    if (feeder_restart(f, !over, text, sizeof text) == 0)
        px_writer_count(f->writer, PX_C_recycles, 1);
    else
        f->recycle_ns = now_ns + SECOND_NS * (f->config.restart_min_s + 60);
}

/* In step with the clock over any time, so that growth an hour is what it says. */
static void next_sample(struct feeder *f, int64_t now_ns)
{
    f->sample_ns += SECOND_NS / f->config.test_watch_scale;
    if (now_ns - f->sample_ns > SECOND_NS)
        f->sample_ns = now_ns;
    net_timer_set(&f->memory_timer, f->sample_ns - now_ns);
}

static void on_memory(void *owner)
{
    struct feeder *f = owner;
    struct publish_time at = publish_now();
    next_sample(f, at.mono_ns);
    struct memwatch_census census = {.buffer_bytes = fleet_bytes(f->fleet),
                                     .connections = fleet_links(f->fleet),
                                     .timers = net_timers(f->net),
                                     .subscriptions = subs_used(wants_subs(f->wants)),
                                     .readers = control_readers(f->control)};
    if (f->config.test_leak_bytes != 0)
        leak(f);
    memwatch_sample(&f->memwatch, &census, at.mono_ns, at.utc_ns);
    pages_sample(&f->pages);
    recycle(f, at.mono_ns);
}

void upkeep_limits(struct feeder *f)
{
    const struct config *c = &f->config;
    const struct memwatch_limits limits = {.soft_mb = c->memory_soft_mb,
                                           .hard_mb = c->memory_hard_mb,
                                           .warn_mb_h = c->memory_warn_mb_h,
                                           .critical_mb_h = c->memory_critical_mb_h};
    memwatch_limits(&f->memwatch, &limits);
}

int upkeep_open(struct feeder *f)
{
    const struct memwatch_limits none = {0};
    int rc = memwatch_open(&f->memwatch, f->writer, &none);
    if (rc < 0) {
        feeder_say("/proc/self/statm", "cannot watch memory: %s", strerror(-rc));
        return rc;
    }
    upkeep_limits(f);
    f->memwatch.clean = clean;
    f->memwatch.user = f;
    f->opened_ns = now_mono_ns();
    return 0;
}

void upkeep_start(struct feeder *f)
{
    pages_open(&f->pages, f->writer, f->config.mlock, f->config.huge_pages);
    f->leaked_frames = px_writer_value(f->writer, PX_C_frames_in);
    net_timer_init(f->net, &f->memory_timer, on_memory, f);
    f->sample_ns = now_mono_ns();
    next_sample(f, f->sample_ns);
}

void upkeep_close(struct feeder *f)
{
    newest = NULL;
    net_timer_cancel(&f->memory_timer);
    memwatch_close(&f->memwatch);
    pages_close(&f->pages);
}
