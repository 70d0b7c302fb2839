#include "memwatch.h"

#include <errno.h>
#include <fcntl.h>
#include <malloc.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "account.h"
#include "counters.h"
#include "log.h"
#include "tls.h"

#include "px/bus.h"

#define MB     (UINT64_C(1) << 20)
#define MINUTE 60u
/* No clean-up in the first seconds: the readers of the feeder before this one come back first. */
#define FIRST_CLEAN 10u
#define GLANCE      10u
/* A limit is left again this far below it, in percent. */
#define LIMIT_LEAVE 95u
/* With less time than this to the hard limit, growth is critical however slow. */
#define CRITICAL_LEFT_S (6 * 3600)
/* A clean-up that gives back so much begins the trend of resident memory anew; less is noise, and
 * must not keep a leak above the soft limit from being judged. */
#define MUCH            MB
#define ROW_RESIDENT    0u
#define ROW_OWNER(o)    (1u + (o))
#define DESCRIPTORS_MAX 1024

int memwatch_open(struct memwatch *m, px_writer *w, const struct memwatch_limits *limits)
{
    memset(m, 0, sizeof(*m));
    m->writer = w;
    m->page_bytes = (uint64_t)sysconf(_SC_PAGESIZE);
    m->clean_at = FIRST_CLEAN;
    memwatch_limits(m, limits);
    m->statm_fd = open("/proc/self/statm", O_RDONLY | O_CLOEXEC);
    if (m->statm_fd < 0)
        return -errno;
    m->trend = trend_new(MEMWATCH_ROWS);
    return m->trend == NULL ? -ENOMEM : 0;
}

static double growth_or_never(uint32_t mb_an_hour)
{
    return mb_an_hour == 0 ? 1e300 : mb_an_hour * 1e6;
}

void memwatch_limits(struct memwatch *m, const struct memwatch_limits *limits)
{
    m->soft_bytes = limits->soft_mb * MB;
    m->hard_bytes = limits->hard_mb * MB;
    m->growth = (struct trend_limits){.warn = growth_or_never(limits->warn_mb_h),
                                      .critical = growth_or_never(limits->critical_mb_h),
                                      .critical_left_s = CRITICAL_LEFT_S};
}

void memwatch_close(struct memwatch *m)
{
    if (m->statm_fd > 0)
        close(m->statm_fd);
    m->statm_fd = -1;
    trend_free(m->trend);
    m->trend = NULL;
}

size_t memwatch_bytes(void)
{
    return trend_bytes(MEMWATCH_ROWS);
}

bool memwatch_over(const struct memwatch *m)
{
    return m->limit_level == PX_LEVEL_CRITICAL;
}

/* Resident bytes, with and without what is shared (the segment, pages, program text). */
static void resident(struct memwatch *m)
{
    char text[128], *at;
    m->rss_bytes = m->own_bytes = 0;
    ssize_t n = pread(m->statm_fd, text, sizeof(text) - 1, 0);
    if (n <= 0)
        return;
    text[n] = '\0';
    strtoull(text, &at, 10); /* of address space, which is no memory */
    unsigned long long rss = strtoull(at, &at, 10), shared = strtoull(at, &at, 10);
    m->rss_bytes = rss * m->page_bytes;
    m->own_bytes = rss > shared ? (rss - shared) * m->page_bytes : 0;
}

/* What malloc has handed out; its own bookkeeping included, free memory not. */
static uint64_t heap_in_use(void)
{
    struct mallinfo2 info = mallinfo2();
    return (uint64_t)info.uordblks + (uint64_t)info.hblkhd;
}

/* All of them, watched or not: one call that asks for every number. */
static uint32_t open_descriptors(void)
{
    struct pollfd fd[DESCRIPTORS_MAX];
    uint32_t open = 0;
    for (int i = 0; i < DESCRIPTORS_MAX; i++)
        fd[i] = (struct pollfd){.fd = i};
    if (poll(fd, DESCRIPTORS_MAX, 0) < 0)
        return 0;
    for (int i = 0; i < DESCRIPTORS_MAX; i++)
        open += (fd[i].revents & POLLNVAL) == 0;
    return open;
}

uint64_t memwatch_clean(struct memwatch *m)
{
    resident(m);
    uint64_t before = m->rss_bytes;
    if (m->clean != NULL)
        m->clean(m->user);
    malloc_trim(0);
    resident(m);
    uint64_t freed = before > m->rss_bytes ? before - m->rss_bytes : 0;
    px_writer_count(m->writer, PX_C_memory_recovered, freed);
    if (freed >= MUCH)
        trend_restart(m->trend, ROW_RESIDENT);
    return freed;
}

/* A level of the limits, left only when memory is well below what it was entered for. */
static void judge_limits(struct memwatch *m)
{
    uint64_t own = m->own_bytes, before = m->limit_level;
    uint32_t enter = m->hard_bytes != 0 && own > m->hard_bytes   ? PX_LEVEL_CRITICAL
                     : m->soft_bytes != 0 && own > m->soft_bytes ? PX_LEVEL_WARNING
                                                                 : PX_LEVEL_OK;
    uint64_t held = before == PX_LEVEL_CRITICAL ? m->hard_bytes : m->soft_bytes;
    if (enter > before || held == 0 || own <= held / 100 * LIMIT_LEAVE)
        m->limit_level = enter;
    if (m->limit_level == PX_LEVEL_CRITICAL)
        px_writer_count(m->writer, PX_C_memory_hard_hits, 1);
    if (m->limit_level > before)
        log_warning("memory", "%llu MB are above the %s limit", (unsigned long long)(own / MB),
                    m->limit_level == PX_LEVEL_CRITICAL ? "hard" : "soft");
    if (m->limit_level != PX_LEVEL_OK && m->samples >= m->clean_at) {
        m->clean_at = m->samples + MINUTE;
        uint64_t freed = memwatch_clean(m);
        px_writer_count(m->writer, PX_C_memory_soft_trims, 1);
        log_info("memory", "%llu KB given back to the system", (unsigned long long)(freed / 1024));
    }
}

/* What owners hold that is proved to grow adds up; resident memory may know of more. Returns the
 * owner of the most. */
static uint32_t add_up(const struct memwatch *m, struct trend_verdict *out)
{
    uint32_t owner = PX_OWNER_COUNT;
    double sum = 0;
    *out = m->row[ROW_RESIDENT];
    for (uint32_t o = 0; o < PX_OWNER_COUNT; o++) {
        const struct trend_verdict *v = &m->row[ROW_OWNER(o)];
        if (!v->proved)
            continue;
        sum += v->growth;
        if (owner == PX_OWNER_COUNT || v->growth > m->row[ROW_OWNER(owner)].growth)
            owner = o;
    }
    if (owner != PX_OWNER_COUNT && (!out->proved || sum > out->growth)) {
        *out = m->row[ROW_OWNER(owner)];
        out->growth = sum;
    }
    return owner;
}

static void say(const struct memwatch *m, uint32_t before, const struct px_memory_verdict *v)
{
    static const char *const words[] = {"no longer grows", "grows", "grows critically"};
    if (m->alarm.level == before)
        return;
    if (m->alarm.level == PX_LEVEL_OK) {
        log_info("memory", "%s", words[0]);
        return;
    }
    log_warning("memory", "%s: %.2f MB an hour, in %s, %.1f %% sure, %lld s to the hard limit",
                words[m->alarm.level], (double)v->growth_bytes_per_hour / 1e6,
                v->owner < PX_OWNER_COUNT ? px_owner_name(v->owner) : "nobody's account",
                v->confidence_ppm / 1e4, (long long)v->time_to_limit_s);
}

static void conclude(struct memwatch *m, const struct memwatch_census *census, int64_t now_ns)
{
    struct trend_verdict all;
    struct tls_memory tls;
    struct account lws, json;
    uint32_t owner = add_up(m, &all), before = m->alarm.level;
    uint64_t left = m->hard_bytes > m->own_bytes ? m->hard_bytes - m->own_bytes : 0;
    tls_memory_stats(&tls);
    account_read(PX_OWNER_WEBSOCKET, &lws);
    account_read(PX_OWNER_JSON, &json);
    trend_level(&m->alarm, &m->growth, &all, left);
    m->level = m->alarm.level > m->limit_level ? m->alarm.level : m->limit_level;
    struct px_memory_verdict v = {
        .mono_ns = now_ns,
        .trend = all.trend,
        .level = m->level,
        .growth_bytes_per_hour = (int64_t)all.growth,
        .confidence_ppm = (uint32_t)(all.confidence * 1e6),
        .owner = owner,
        .time_to_limit_s = m->hard_bytes == 0 ? -1 : trend_time_left(&all, left),
        .connections = census->connections,
        .timers = census->timers,
        .subscriptions = census->subscriptions,
        .readers = census->readers,
        .descriptors = open_descriptors(),
        .blocks = (uint32_t)(tls.blocks + tls.fallback_blocks + lws.blocks + json.blocks)};
    px_writer_memory_verdict(m->writer, &v);
    say(m, before, &v);
}

/* Reserved tables become resident as objects come that there never were before: that is no leak, so
 * resident memory warms up anew. There are only so many places. */
static void excuse(struct memwatch *m, const struct memwatch_census *c)
{
    struct memwatch_census *h = &m->high;
    if (c->connections <= h->connections && c->subscriptions <= h->subscriptions &&
        c->readers <= h->readers)
        return;
    h->connections = c->connections > h->connections ? c->connections : h->connections;
    h->subscriptions = c->subscriptions > h->subscriptions ? c->subscriptions : h->subscriptions;
    h->readers = c->readers > h->readers ? c->readers : h->readers;
    trend_restart(m->trend, ROW_RESIDENT);
}

/* True: a verdict is due. Rows are judged one a second, so that none is late by all of them. */
static bool follow(struct memwatch *m, const struct px_memory_sample *s)
{
    uint32_t second = m->samples % MINUTE, last = MINUTE - MEMWATCH_ROWS;
    bool decisive = false;
    trend_sample(m->trend, ROW_RESIDENT, m->own_bytes);
    for (uint32_t o = 0; o < PX_OWNER_COUNT; o++)
        trend_sample(m->trend, ROW_OWNER(o), s->owner_bytes[o]);
    for (uint32_t row = 0; row < MEMWATCH_ROWS && second % GLANCE == GLANCE - 1; row++) {
        struct trend_verdict v;
        if (!trend_glance(m->trend, row, &v) || m->row[row].proved)
            continue;
        m->row[row] = v;
        decisive = true;
    }
    if (second >= last)
        trend_judge(m->trend, second - last, &m->row[second - last]);
    return decisive || second == MINUTE - 1;
}

/* How much `so_far` is more than what was counted of an owner's calls. */
static uint64_t more_calls(struct memwatch *m, uint32_t owner, uint64_t so_far)
{
    uint64_t more = so_far - m->calls[owner];
    m->calls[owner] = so_far;
    return more;
}

static void count_calls(struct memwatch *m, const struct tls_memory *tls, const struct account *lws,
                        const struct account *json)
{
    px_writer_count(m->writer, PX_C_tls_calls, more_calls(m, PX_OWNER_TLS, tls->calls));
    px_writer_count(m->writer, PX_C_websocket_calls, more_calls(m, PX_OWNER_WEBSOCKET, lws->calls));
    px_writer_count(m->writer, PX_C_json_calls, more_calls(m, PX_OWNER_JSON, json->calls));
}

static void take(struct memwatch *m, const struct memwatch_census *census, int64_t utc_ns,
                 struct px_memory_sample *s)
{
    struct tls_memory tls;
    struct account lws, json;
    resident(m);
    m->heap_bytes = heap_in_use();
    tls_memory_stats(&tls);
    account_read(PX_OWNER_WEBSOCKET, &lws);
    account_read(PX_OWNER_JSON, &json);
    count_calls(m, &tls, &lws, &json);
    *s = (struct px_memory_sample){.utc_ns = utc_ns,
                                   .heap_bytes = m->heap_bytes,
                                   .rss_bytes = m->rss_bytes,
                                   .connections = census->connections,
                                   .timers = census->timers};
    s->owner_bytes[PX_OWNER_TLS] = tls.bytes + tls.fallback_bytes;
    s->owner_bytes[PX_OWNER_WEBSOCKET] = census->buffer_bytes + lws.bytes;
    s->owner_bytes[PX_OWNER_JSON] = json.bytes;
    /* what is free in OpenSSL's arena is nobody's: else it would shrink as that fills */
    uint64_t known = tls.arena_bytes + tls.fallback_bytes + s->owner_bytes[PX_OWNER_WEBSOCKET] +
                     s->owner_bytes[PX_OWNER_JSON];
    s->owner_bytes[PX_OWNER_FEEDER] = m->heap_bytes > known ? m->heap_bytes - known : 0;
}

void memwatch_sample(struct memwatch *m, const struct memwatch_census *census, int64_t now_ns,
                     int64_t utc_ns)
{
    struct px_memory_sample s;
    take(m, census, utc_ns, &s);
    px_writer_memory_second(m->writer, &s);
    if (m->samples % MINUTE == 0)
        px_writer_memory_minute(m->writer, &s);
    px_writer_level(m->writer, PX_C_heap_bytes, m->heap_bytes);
    px_writer_level(m->writer, PX_C_rss_bytes, m->rss_bytes);
    excuse(m, census);
    uint32_t before = m->limit_level;
    judge_limits(m);
    if (follow(m, &s) || m->limit_level != before || m->samples == 0)
        conclude(m, census, now_ns);
    m->samples++;
}

void memwatch_rest(void)
{
    struct tls_memory tls;
    struct account lws, json;
    tls_memory_end();
    tls_memory_stats(&tls);
    account_read(PX_OWNER_WEBSOCKET, &lws);
    account_read(PX_OWNER_JSON, &json);
    log_debug("memory", "held at the end: %zu blocks by tls, %llu by websocket, %llu by json",
              tls.blocks + tls.fallback_blocks, (unsigned long long)lws.blocks,
              (unsigned long long)json.blocks);
}
