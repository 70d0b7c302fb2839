#include "memwatch.h"

#include <errno.h>
#include <fcntl.h>
#include <malloc.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "counters.h"
#include "log.h"

#define MB               (UINT64_C(1) << 20)
#define TRIM_INTERVAL_NS (60 * INT64_C(1000000000))
#define MINUTE           60u

int memwatch_open(struct memwatch *m, px_writer *w, uint32_t soft_mb, uint32_t hard_mb)
{
    memset(m, 0, sizeof(*m));
    m->writer = w;
    m->page_bytes = (uint64_t)sysconf(_SC_PAGESIZE);
    m->last_trim_ns = INT64_MIN / 2;
    memwatch_limits(m, soft_mb, hard_mb);
    m->statm_fd = open("/proc/self/statm", O_RDONLY | O_CLOEXEC);
    return m->statm_fd < 0 ? -errno : 0;
}

void memwatch_limits(struct memwatch *m, uint32_t soft_mb, uint32_t hard_mb)
{
    m->soft_bytes = soft_mb * MB;
    m->hard_bytes = hard_mb * MB;
}

void memwatch_close(struct memwatch *m)
{
    if (m->statm_fd >= 0)
        close(m->statm_fd);
    m->statm_fd = -1;
}

/* Resident bytes, with and without what is shared (the segment, pages, program text). */
static void resident(const struct memwatch *m, uint64_t *all, uint64_t *private_bytes)
{
    char text[128], *at;
    *all = *private_bytes = 0;
    ssize_t n = pread(m->statm_fd, text, sizeof(text) - 1, 0);
    if (n <= 0)
        return;
    text[n] = '\0';
    strtoull(text, &at, 10); /* of address space, which is no memory */
    unsigned long long rss = strtoull(at, &at, 10), shared = strtoull(at, &at, 10);
    *all = rss * m->page_bytes;
    *private_bytes = (rss - shared) * m->page_bytes;
}

/* What malloc has handed out; its own bookkeeping included, free memory not. */
static uint64_t heap_in_use(void)
{
    struct mallinfo2 info = mallinfo2();
    return (uint64_t)info.uordblks + (uint64_t)info.hblkhd;
}

uint64_t memwatch_trim(struct memwatch *m)
{
    uint64_t before, after, own;
    resident(m, &before, &own);
    malloc_trim(0);
    resident(m, &after, &own);
    return before > after ? before - after : 0;
}

static void judge(struct memwatch *m, uint64_t own_bytes, int64_t now_ns)
{
    uint32_t before = m->level;
    m->level = PX_LEVEL_OK;
    if (m->soft_bytes != 0 && own_bytes > m->soft_bytes)
        m->level = PX_LEVEL_WARNING;
    if (m->hard_bytes != 0 && own_bytes > m->hard_bytes) {
        m->level = PX_LEVEL_CRITICAL;
        px_writer_count(m->writer, PX_C_memory_hard_hits, 1);
    }
    if (m->level > before)
        log_warning("memory", "%llu MB are above the %s limit",
                    (unsigned long long)(own_bytes / MB),
                    m->level == PX_LEVEL_CRITICAL ? "hard" : "soft");
    if (m->level != PX_LEVEL_OK && now_ns - m->last_trim_ns >= TRIM_INTERVAL_NS) {
        m->last_trim_ns = now_ns;
        uint64_t freed = memwatch_trim(m);
        px_writer_count(m->writer, PX_C_memory_soft_trims, 1);
        log_info("memory", "%llu KB given back to the system", (unsigned long long)(freed / 1024));
    }
}

static void tell(struct memwatch *m, const struct memwatch_census *census, int64_t now_ns)
{
    /* The trend is not judged here: unknown, with no confidence, rather than a guess. */
    struct px_memory_verdict v = {.mono_ns = now_ns,
                                  .trend = PX_TREND_UNKNOWN,
                                  .level = m->level,
                                  .owner = PX_OWNER_COUNT,
                                  .time_to_limit_s = -1,
                                  .connections = census->connections,
                                  .timers = census->timers,
                                  .subscriptions = census->subscriptions,
                                  .readers = census->readers};
    px_writer_memory_verdict(m->writer, &v);
    px_writer_level(m->writer, PX_C_heap_bytes, m->heap_bytes);
    px_writer_level(m->writer, PX_C_rss_bytes, m->rss_bytes);
}

void memwatch_sample(struct memwatch *m, const struct memwatch_census *census, int64_t now_ns,
                     int64_t utc_ns)
{
    uint64_t own_bytes;
    uint64_t known = census->tls_bytes + census->websocket_bytes + census->json_bytes;
    resident(m, &m->rss_bytes, &own_bytes);
    m->heap_bytes = heap_in_use();
    struct px_memory_sample s = {.utc_ns = utc_ns,
                                 .heap_bytes = m->heap_bytes,
                                 .rss_bytes = m->rss_bytes,
                                 .connections = census->connections,
                                 .timers = census->timers};
    s.owner_bytes[PX_OWNER_TLS] = census->tls_bytes;
    s.owner_bytes[PX_OWNER_WEBSOCKET] = census->websocket_bytes;
    s.owner_bytes[PX_OWNER_JSON] = census->json_bytes;
    s.owner_bytes[PX_OWNER_FEEDER] = m->heap_bytes > known ? m->heap_bytes - known : 0;
    px_writer_memory_second(m->writer, &s);
    if (m->samples++ % MINUTE == 0)
        px_writer_memory_minute(m->writer, &s);
    judge(m, own_bytes, now_ns);
    tell(m, census, now_ns);
}
