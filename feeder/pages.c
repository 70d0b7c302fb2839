#include "pages.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/mman.h> /* MADV_COLLAPSE, which glibc 2.36 does not have yet */
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <unistd.h>

#include "counters.h"
#include "log.h"
#include "now.h"

#define HUGE_BYTES  (UINT64_C(2) << 20)
#define THP_ENABLED "/sys/kernel/mm/transparent_hugepage/enabled"
#define REASON_MAX  160 /* as px_error_info has room for */
/* Of the figures that the kernel walks page tables for: one sample in so many. */
#define WALK_EVERY 10

static void refused(const struct pages *p, const char *kind, const char *format, ...)
    __attribute__((format(printf, 3, 4)));
static void refused(const struct pages *p, const char *kind, const char *format, ...)
{
    char reason[REASON_MAX];
    va_list args;
    va_start(args, format);
    vsnprintf(reason, sizeof reason, format, args);
    va_end(args);
    log_warning(kind, "%s", reason);
    px_writer_error(p->writer, kind, reason, now_utc_ns());
}

/* ---- figures of /proc ---- */

/* The number of bytes behind `key`, which /proc writes in kB. */
static uint64_t bytes_of(const char *text, const char *key)
{
    const char *at = strstr(text, key);
    return at == NULL ? 0 : strtoull(at + strlen(key), NULL, 10) * 1024;
}

static void read_text(int fd, char *text, size_t cap)
{
    ssize_t n = fd < 0 ? 0 : pread(fd, text, cap - 1, 0);
    text[n > 0 ? n : 0] = '\0';
}

static uint64_t locked_bytes(const struct pages *p)
{
    char text[4096];
    read_text(p->status_fd, text, sizeof text);
    return bytes_of(text, "\nVmLck:");
}

struct huge {
    uint64_t heap, segment;
};

static struct huge huge_bytes(const struct pages *p)
{
    char text[4096];
    read_text(p->rollup_fd, text, sizeof text);
    return (struct huge){.heap = bytes_of(text, "\nAnonHugePages:"),
                         .segment = bytes_of(text, "\nShmemPmdMapped:")};
}

/* ---- huge pages ---- */

/* Tables and buffers are what malloc has mapped: private memory without a file. What is touched now
 * becomes huge now, the rest at its first touch. */
static void huge_heap(void)
{
    FILE *maps = fopen("/proc/self/maps", "re");
    char line[512];
    while (maps != NULL && fgets(line, sizeof line, maps) != NULL) {
        char *at, mode[8] = "", file[256] = "";
        uint64_t from = strtoull(line, &at, 16), to = strtoull(at + 1, &at, 16), inode = 0;
        sscanf(at, "%7s %*x %*s %lu %255s", mode, &inode, file);
        if (strcmp(mode, "rw-p") != 0 || inode != 0 ||
            (file[0] != '\0' && strcmp(file, "[heap]") != 0))
            continue;
        from = (from + HUGE_BYTES - 1) & ~(HUGE_BYTES - 1);
        to &= ~(HUGE_BYTES - 1);
        if (to <= from)
            continue;
        madvise((void *)(uintptr_t)from, to - from, MADV_HUGEPAGE);
        /* each by itself: the kernel gives up behind one of which nothing was touched */
        for (; from < to; from += HUGE_BYTES)
            madvise((void *)(uintptr_t)from, HUGE_BYTES, MADV_COLLAPSE);
    }
    if (maps != NULL)
        fclose(maps);
}

static bool thp_never(void)
{
    char text[64];
    int fd = open(THP_ENABLED, O_RDONLY | O_CLOEXEC);
    read_text(fd, text, sizeof text);
    if (fd >= 0)
        close(fd);
    return fd < 0 || strstr(text, "[never]") != NULL;
}

static enum pages_state make_huge(const struct pages *p)
{
    uint64_t segment;
    px_writer_mapping(p->writer, &segment);
    segment &= ~(HUGE_BYTES - 1);
    huge_heap();
    struct huge got = huge_bytes(p);
    if (got.heap > 0 && got.segment >= segment)
        return PAGES_ALL;
    if (thp_never())
        refused(p, "huge pages", "the kernel has them off: write madvise to " THP_ENABLED);
    else
        refused(p, "huge pages",
                "%.1f of %.1f MB of the segment, %.1f MB of the heap: kernel before 6.1, "
                "shmem_enabled is deny, or no free memory in one piece",
                (double)got.segment / 1e6, (double)segment / 1e6, (double)got.heap / 1e6);
    return got.heap + got.segment > 0 ? PAGES_PART : PAGES_REFUSED;
}

/* ---- locked pages ---- */

/* With MCL_FUTURE a mapping that the limit does not cover fails, however much later: better not
 * locked than not there. Only the kernel knows whether a capability of ours counts. */
static bool later_is_free(const struct rlimit *limit)
{
    if (limit->rlim_cur == RLIM_INFINITY)
        return true;
    size_t more = (size_t)limit->rlim_cur + HUGE_BYTES;
    void *p = mmap(NULL, more, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    if (p == MAP_FAILED)
        return false;
    munmap(p, more);
    return true;
}

/* Pages are locked as they are touched: the plan is a ceiling, and all of it resident would be many
 * times what the feed needs. */
static int lock_all(const struct rlimit *limit)
{
    if (mlockall(MCL_CURRENT | MCL_FUTURE | MCL_ONFAULT) == 0) {
        if (later_is_free(limit))
            return 0;
        munlockall();
    }
    return mlockall(MCL_CURRENT | MCL_ONFAULT) == 0 ? 0 : -errno;
}

static enum pages_state lock(const struct pages *p)
{
    struct rlimit limit = {0};
    uint64_t segment;
    const void *base = px_writer_mapping(p->writer, &segment);
    if (getrlimit(RLIMIT_MEMLOCK, &limit) == 0) {
        limit.rlim_cur = limit.rlim_max; /* what everybody may do */
        setrlimit(RLIMIT_MEMLOCK, &limit);
    }
    int rc = lock_all(&limit);
    if (rc == 0)
        return PAGES_ALL;
    bool part = mlock(base, segment) == 0;
    refused(p, "mlock", "%s, and the limit is %llu KiB: set LimitMEMLOCK=infinity or CAP_IPC_LOCK",
            part           ? "only the segment is locked, all needs more"
            : rc == -EPERM ? "not permitted"
                           : "the segment alone needs more",
            (unsigned long long)(limit.rlim_cur / 1024));
    return part ? PAGES_PART : PAGES_REFUSED;
}

/* ---- */

static void show(const struct pages *p)
{
    struct huge huge = huge_bytes(p);
    px_writer_level(p->writer, PX_C_locked_bytes, locked_bytes(p));
    px_writer_level(p->writer, PX_C_huge_heap_bytes, huge.heap);
    px_writer_level(p->writer, PX_C_huge_shm_bytes, huge.segment);
}

void pages_open(struct pages *p, px_writer *w, bool lock_them, bool huge)
{
    *p = (struct pages){.writer = w, .lock = lock_them, .huge = huge};
    p->status_fd = lock_them ? open("/proc/self/status", O_RDONLY | O_CLOEXEC) : -1;
    p->rollup_fd = huge ? open("/proc/self/smaps_rollup", O_RDONLY | O_CLOEXEC) : -1;
    /* first: what is huge is locked as such */
    px_writer_level(w, PX_C_huge_state, huge ? make_huge(p) : PAGES_OFF);
    px_writer_level(w, PX_C_mlock_state, lock_them ? lock(p) : PAGES_OFF);
    show(p);
    pages_sample(p);
}

void pages_close(struct pages *p)
{
    if (p->writer == NULL)
        return;
    if (p->status_fd >= 0)
        close(p->status_fd);
    if (p->rollup_fd >= 0)
        close(p->rollup_fd);
    *p = (struct pages){.status_fd = -1, .rollup_fd = -1};
}

void pages_sample(struct pages *p)
{
    struct rusage use;
    if (getrusage(RUSAGE_SELF, &use) == 0) {
        px_writer_level(p->writer, PX_C_faults_minor, (uint64_t)use.ru_minflt);
        px_writer_level(p->writer, PX_C_faults_major, (uint64_t)use.ru_majflt);
    }
    if ((p->lock || p->huge) && ++p->samples % WALK_EVERY == 0)
        show(p);
}
