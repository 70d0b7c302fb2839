/* A writer's beginning and end: the lock, a new segment or an adopted one, the name in /dev/shm. */
#include <errno.h>
#include <fcntl.h>
#include <linux/futex.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "clock.h"
#include "directory.h"
#include "seq.h"
#include "writer_internal.h"

#define CAPACITY_DEFAULT 1000u
#define RING_DEFAULT     65536u

/* /dev/shm is everybody's: a file of the bus's name may be somebody else's, or be writable to
 * others, who could then write prices. */
static int file_is_ours(uid_t owner, mode_t mode)
{
    return owner == geteuid() && S_ISREG(mode) && (mode & (S_IWGRP | S_IWOTH)) == 0;
}

/* ---- the lock: an open file description lock, so that it survives exec and dies with the process
 * ---- */

static int32_t lock_holder(int fd)
{
    char text[16] = "";
    if (pread(fd, text, sizeof text - 1, 0) <= 0)
        return 0;
    return (int32_t)strtol(text, NULL, 10);
}

static int lock_take(const char *bus, int kept_fd, int32_t *held_by)
{
    char path[PXI_PATH_MAX], text[16];
    struct flock lock = {.l_type = F_WRLCK, .l_whence = SEEK_SET};
    pxi_path(path, bus, PXI_FILE_LOCK);
    int fd = kept_fd >= 0 ? kept_fd : open(path, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
    if (fd < 0)
        return -errno;
    struct stat st;
    if (fstat(fd, &st) < 0 || !file_is_ours(st.st_uid, st.st_mode)) {
        close(fd);
        return -EPERM;
    }
    if (fcntl(fd, F_OFD_SETLK, &lock) < 0) {
        int rc = errno == EAGAIN || errno == EACCES ? -EBUSY : -errno;
        *held_by = lock_holder(fd);
        close(fd);
        return rc;
    }
    fcntl(fd, F_SETFD, FD_CLOEXEC);
    int n = snprintf(text, sizeof text, "%d\n", (int)getpid());
    if (ftruncate(fd, 0) < 0 || pwrite(fd, text, (size_t)n, 0) != n) {
        int rc = -errno;
        close(fd);
        return rc;
    }
    return fd;
}

/* ---- a new segment ---- */

/* Pages are allocated and populated here, so that a full /dev/shm is an error now, never a SIGBUS.
 */
static int create_map(struct pxi_segment *s, const char *path, uint64_t bytes, int64_t group)
{
    unlink(path); /* left by a feeder that died here: we hold the lock */
    int fd = open(path, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0600);
    if (fd < 0)
        return -errno;
    int rc;
    while ((rc = -posix_fallocate(fd, 0, (off_t)bytes)) == -EINTR) {
    }
    if (rc == 0 && group >= 0 && fchown(fd, (uid_t)-1, (gid_t)group) < 0)
        rc = -errno;
    if (rc == 0 && fchmod(fd, 0640) < 0)
        rc = -errno;
    if (rc == 0) {
        void *base = mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_POPULATE, fd, 0);
        struct stat st;
        if (base == MAP_FAILED || fstat(fd, &st) < 0) {
            rc = -errno;
        } else {
            s->base = base;
            s->bytes = bytes;
            s->inode = st.st_ino;
        }
    }
    close(fd);
    if (rc < 0)
        unlink(path);
    return rc;
}

static void space_report(uint64_t bytes, struct px_writer_report *report)
{
    struct statvfs v;
    report->need_bytes = bytes;
    if (statvfs(PXI_SHM_DIR, &v) == 0)
        report->free_bytes = (uint64_t)v.f_bavail * v.f_bsize;
}

static int segment_create(px_writer *w, const struct px_writer_options *o, uint32_t capacity,
                          uint32_t ring, struct px_writer_report *report)
{
    char path[PXI_PATH_MAX];
    uint64_t bytes = px_writer_bytes(capacity, ring, o->huge_pages);
    pxi_path(path, w->bus, PXI_FILE_NEW);
    int rc = create_map(&w->seg, path, bytes, o->group);
    if (rc == -ENOSPC)
        space_report(bytes, report);
    if (rc < 0)
        return rc;
    if (o->huge_pages)
        w->seg.base = pxi_huge_place(w->seg.base, w->seg.bytes);
    pxi_segment_format(&w->seg, w->bus, capacity, ring);
    struct pxl_prefix *p = w->seg.prefix = w->seg.base;
    if (getrandom(&p->segment_id, sizeof p->segment_id, 0) != (ssize_t)sizeof p->segment_id)
        p->segment_id = (uint64_t)pxi_now_mono();
    p->layout_version = PXL_LAYOUT_VERSION;
    rc = pxi_segment_check(&w->seg);
    p->layout_version = 0; /* published last, in epoch_begin() */
    if (rc < 0)
        unlink(path);
    return rc;
}

static int segment_rename(px_writer *w)
{
    char from[PXI_PATH_MAX], to[PXI_PATH_MAX];
    pxi_path(from, w->bus, PXI_FILE_NEW);
    pxi_path(to, w->bus, PXI_FILE_SEGMENT);
    if (rename(from, to) == 0)
        return 0;
    int rc = -errno;
    unlink(from);
    return rc;
}

static void wake_all(struct pxl_prefix *p)
{
    pxi_store32(&p->wake, pxi_load32(&p->wake) + 1);
    syscall(SYS_futex, &p->wake, FUTEX_WAKE, INT32_MAX, NULL, NULL, 0);
}

/* ---- an earlier segment of the name ---- */

struct earlier {
    int found;                 /* there is one, of whatever shape */
    struct pxl_prefix *prefix; /* mapped writable, at least the prefix */
    size_t bytes;
    uint64_t epoch, seq;
};

static void earlier_forget(struct earlier *e)
{
    if (e->prefix != NULL)
        munmap(e->prefix, e->bytes);
    e->prefix = NULL;
}

/* One of another layout can be read through its prefix only, which never changes: state, epoch and
 * head. Its ring may run ahead of head by an unflushed batch, which is shorter than any ring. */
static int earlier_foreign(const char *bus, struct earlier *e)
{
    char path[PXI_PATH_MAX];
    struct stat st;
    pxi_path(path, bus, PXI_FILE_SEGMENT);
    int fd = open(path, O_RDWR | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK);
    if (fd < 0)
        return errno == ELOOP || errno == EISDIR || errno == ENXIO ? -EPROTO : -errno;
    int rc = fstat(fd, &st) < 0                                             ? -errno
             : !S_ISREG(st.st_mode) || st.st_size < (off_t)PXL_PREFIX_BYTES ? -EPROTO
             : !file_is_ours(st.st_uid, st.st_mode)                         ? -EPERM
                                                                            : 0;
    void *base = MAP_FAILED;
    if (rc == 0) {
        base = mmap(NULL, PXL_PREFIX_BYTES, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
        rc = base == MAP_FAILED ? -errno : 0;
    }
    close(fd);
    if (rc < 0)
        return rc;
    e->prefix = base;
    e->bytes = PXL_PREFIX_BYTES;
    if (e->prefix->magic != PXL_MAGIC) {
        earlier_forget(e);
        return -EPROTO;
    }
    e->epoch = e->prefix->epoch;
    e->seq = e->prefix->head + PXL_RING_MAX;
    e->found = 1;
    return 0;
}

/* Adopt the earlier segment into w->seg if its shape is ours, else describe it in *e. */
static int earlier_open(px_writer *w, uint32_t capacity, uint32_t ring, struct earlier *e,
                        struct px_writer_report *report)
{
    int rc = pxi_segment_open(&w->seg, w->bus, 1, NULL, 0);
    if (rc == -ENOENT)
        return 0;
    if (rc == -EPROTONOSUPPORT || rc == -EMSGSIZE || rc == -EAGAIN)
        return earlier_foreign(w->bus, e);
    if (rc < 0)
        return rc;
    if (!file_is_ours(w->seg.owner, w->seg.mode))
        return -EPERM;
    e->found = 1;
    e->epoch = w->seg.prefix->epoch;
    if (w->seg.capacity == capacity && w->seg.ring_mask + 1 == ring)
        return 1;
    pxi_ring_repair(w, report); /* readers finish the old ring before they follow */
    e->seq = w->seq;
    pxi_store64_release(&w->seg.prefix->head, e->seq);
    e->prefix = w->seg.base;
    e->bytes = w->seg.bytes;
    memset(&w->seg, 0, sizeof w->seg);
    return 0;
}

static void earlier_retire(struct earlier *e)
{
    if (e->prefix == NULL)
        return;
    pxi_store32_release(&e->prefix->state, PX_STATE_RETIRED);
    wake_all(e->prefix);
    earlier_forget(e);
}

/* ---- memory, counters, epoch ---- */

static int arrays_new(px_writer *w, uint32_t capacity)
{
    size_t generation = sizeof *w->generation * capacity;
    size_t nodes = sizeof *w->lru.node * ((size_t)capacity + 1);
    size_t values = sizeof *w->value * PXL_COUNTERS_MAX;
    char *m = calloc(1, values + nodes + 2 * generation);
    if (m == NULL)
        return -ENOMEM;
    w->memory = m;
    w->value = (uint64_t *)m;
    pxi_lru_init(&w->lru, (struct pxi_lru_node *)(m + values), capacity);
    w->generation = (uint32_t *)(m + values + nodes);
    w->free_slot = (uint32_t *)(m + values + nodes + generation);
    return 0;
}

/* The same counter of the epoch before goes on counting. */
static void counter_set(px_writer *w, const struct px_counter_def *d)
{
    uint32_t i = w->counter_count++;
    struct pxl_counter c = {.type = d->type}, *place = &w->seg.counters[i];
    uint64_t *value = &w->seg.values[(size_t)i * (PXL_LINE / 8)];
    snprintf(c.name, sizeof c.name, "%s", d->name);
    snprintf(c.unit, sizeof c.unit, "%s", d->unit);
    snprintf(c.description, sizeof c.description, "%s", d->description);
    if (memcmp(place, &c, sizeof c) != 0) {
        pxi_store64(value, 0);
        memcpy(place, &c, sizeof c);
    } else if (d->type == PX_LEVEL) {
        pxi_store64(value, 0);
    }
    w->value[i] = pxi_load64(value);
}

static void counters_set(px_writer *w, const struct px_writer_options *o)
{
    static const struct px_counter_def own[] = {
#define X(name, unit, type, text) {#name, unit, type, text},
        PX_BUS_COUNTERS(X)
#undef X
    };
    pxi_store32(&w->seg.header->counters_used, 0);
    for (uint32_t i = 0; i < PX_B_COUNT; i++)
        counter_set(w, &own[i]);
    for (uint32_t i = 0; i < o->counter_count && w->counter_count < PXL_COUNTERS_MAX; i++)
        counter_set(w, &o->counters[i]);
    pxi_store32_release(&w->seg.header->counters_used, w->counter_count);
}

/* From here on readers see the new epoch. Order: all that it refers to, then epoch, then state,
 * then for a new segment the layout version; sleepers last. */
static void epoch_begin(px_writer *w, const struct px_writer_options *o, uint64_t epoch)
{
    struct pxl_prefix *p = w->seg.prefix;
    struct pxl_header *h = w->seg.header;
    int64_t now = pxi_now_mono();
    memset(h->version, 0, sizeof h->version);
    memset(h->control_path, 0, sizeof h->control_path);
    snprintf(h->version, sizeof h->version, "%s", o->version != NULL ? o->version : "");
    snprintf(h->control_path, sizeof h->control_path, "%s",
             o->control_path != NULL ? o->control_path : "");
    counters_set(w, o);
    p->pid = getpid();
    pxi_store_time(&p->start_mono_ns, now);
    pxi_store_time(&p->heartbeat_mono_ns, now);
    pxi_store64(&p->epoch_seq, w->seq + 1);
    pxi_store64_release(&p->epoch, epoch);
    pxi_store32_release(&p->state, PX_STATE_LIVE);
    pxi_store32_release(&p->layout_version, PXL_LAYOUT_VERSION);
}

static void epoch_announce(px_writer *w, uint32_t event, uint32_t cause)
{
    const struct px_status s = {.event = event, .cause = cause};
    px_writer_status(w, PX_NO_SLOT, &s, pxi_now_utc());
    px_writer_flush(w);
    wake_all(w->seg.prefix);
}

/* ---- open and close ---- */

/* An adopted segment keeps its size: what is left of it over whole huge pages stays small ones. */
static int adopted_huge(struct pxi_segment *s)
{
    size_t mapped = s->bytes;
    s->base = pxi_huge_place(s->base, mapped);
    int rc = pxi_segment_check(s);
    s->bytes = mapped;
    return rc;
}

/* An adopted segment is for whom this feeder says, not for whom the last one said. */
static int access_set(px_writer *w, int64_t group)
{
    char path[PXI_PATH_MAX];
    struct stat st;
    pxi_path(path, w->bus, PXI_FILE_SEGMENT);
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
    if (fd < 0)
        return -errno;
    gid_t gid = group >= 0 ? (gid_t)group : getegid();
    int rc =
        fstat(fd, &st) < 0 || fchown(fd, (uid_t)-1, gid) < 0 || fchmod(fd, 0640) < 0 ? -errno : 0;
    if (rc == 0 && st.st_ino != w->seg.inode)
        rc = -EBUSY;
    close(fd);
    return rc;
}

static int open_segment(px_writer *w, const struct px_writer_options *o, uint32_t capacity,
                        uint32_t ring, struct px_writer_report *report)
{
    struct earlier e = {0};
    int rc = arrays_new(w, capacity);
    if (rc == 0)
        rc = earlier_open(w, capacity, ring, &e, report);
    if (rc < 0)
        return rc;
    if (rc == 1) {
        rc = access_set(w, o->group);
        if (rc == 0 && o->huge_pages)
            rc = adopted_huge(&w->seg);
        if (rc < 0)
            return rc;
        report->adopted = 1;
        pxi_adopt(w, report);
    } else {
        rc = segment_create(w, o, capacity, ring, report);
        if (rc < 0) {
            earlier_forget(&e);
            return rc;
        }
        w->seq = e.seq;
        w->seg.prefix->first_seq = e.seq + 1;
        for (uint32_t i = capacity; i-- > 0;)
            w->free_slot[w->free_count++] = i;
    }
    w->head = w->seq;
    pxi_store64_release(&w->seg.prefix->head, w->head);
    report->epoch = e.epoch + 1;
    report->replaced = e.prefix != NULL;
    epoch_begin(w, o, report->epoch);
    if (!report->adopted) {
        rc = segment_rename(w);
        if (rc < 0) {
            earlier_forget(&e);
            return rc;
        }
        earlier_retire(&e);
    }
    px_writer_level(w, PX_B_symbols, report->symbols);
    px_writer_count(w, PX_B_adoptions, (uint64_t)report->adopted);
    px_writer_count(w, PX_B_completed, report->completed);
    px_writer_count(w, PX_B_voided, report->voided);
    if (e.found)
        epoch_announce(w, PX_EVENT_CARRIED, PX_CAUSE_EARLIER_EPOCH);
    return 0;
}

static void writer_free(px_writer *w)
{
    pxi_segment_close(&w->seg, NULL);
    if (w->lock_fd >= 0)
        close(w->lock_fd);
    free(w->memory);
    free(w);
}

int px_writer_open(px_writer **out, const struct px_writer_options *options,
                   struct px_writer_report *report)
{
    const char *bus = options->bus != NULL ? options->bus : "md";
    uint32_t capacity = options->capacity != 0 ? options->capacity : CAPACITY_DEFAULT;
    uint32_t ring = options->ring != 0 ? options->ring : RING_DEFAULT;
    memset(report, 0, sizeof *report);
    if (pxi_bus_name_check(bus) < 0 || pxi_segment_size(capacity, ring) == 0)
        return -EINVAL;
    px_writer *w = calloc(1, sizeof *w);
    if (w == NULL)
        return -ENOMEM;
    snprintf(w->bus, sizeof w->bus, "%s", bus);
    snprintf(w->shm_name, sizeof w->shm_name, "/px-%s", bus);
    w->lock_fd = lock_take(bus, options->lock_fd, &report->held_by);
    struct stat st;
    int rc = w->lock_fd < 0 ? w->lock_fd : open_segment(w, options, capacity, ring, report);
    if (rc == 0 && fstat(w->lock_fd, &st) == 0)
        w->lock_inode = st.st_ino;
    if (rc < 0) {
        writer_free(w);
        return rc;
    }
    /* One process writes: a child of it has no segment to write to. */
    madvise(w->seg.base, w->seg.bytes, MADV_DONTFORK);
    *out = w;
    return 0;
}

void px_writer_close(px_writer *w)
{
    if (w == NULL)
        return;
    epoch_announce(w, PX_EVENT_CLOSED, PX_CAUSE_FEEDER_CLOSED);
    pxi_store_time(&w->seg.prefix->heartbeat_mono_ns, pxi_now_mono());
    pxi_store32_release(&w->seg.prefix->state, PX_STATE_CLOSED);
    wake_all(w->seg.prefix);
    writer_free(w);
}

int px_writer_remove(const char *bus, int32_t *held_by)
{
    char path[PXI_PATH_MAX];
    struct earlier e = {0};
    *held_by = 0;
    if (pxi_bus_name_check(bus) < 0)
        return -EINVAL;
    pxi_path(path, bus, PXI_FILE_SEGMENT);
    if (access(path, F_OK) < 0)
        return -errno;
    int fd = lock_take(bus, -1, held_by);
    if (fd < 0)
        return fd;
    int rc = earlier_foreign(bus, &e);
    if (rc == 0) {
        earlier_retire(&e); /* readers look for a successor, and say so until there is one */
        rc = unlink(path) < 0 ? -errno : 0;
        pxi_path(path, bus, PXI_FILE_NEW);
        unlink(path);
    }
    close(fd);
    return rc;
}

static int name_is(const char *bus, enum pxi_file file, ino_t inode)
{
    char path[PXI_PATH_MAX];
    struct stat st;
    pxi_path(path, bus, file);
    return stat(path, &st) == 0 && st.st_ino == inode;
}

int px_writer_heartbeat(px_writer *w, int64_t now_mono_ns)
{
    pxi_store_time(&w->seg.prefix->heartbeat_mono_ns, now_mono_ns);
    return name_is(w->bus, PXI_FILE_SEGMENT, w->seg.inode) &&
                   name_is(w->bus, PXI_FILE_LOCK, w->lock_inode)
               ? 0
               : -ENOENT;
}

uint64_t px_writer_bytes(uint32_t capacity, uint32_t ring, int huge_pages)
{
    uint64_t bytes = pxi_segment_size(capacity, ring);
    return huge_pages && bytes != 0 ? pxi_huge_size(bytes) : bytes;
}

const void *px_writer_mapping(const px_writer *w, uint64_t *bytes)
{
    *bytes = w->seg.bytes;
    return w->seg.base;
}

int px_writer_lock_fd(const px_writer *w)
{
    return w->lock_fd;
}

uint64_t px_writer_sequence(const px_writer *w)
{
    return w->seq;
}

uint64_t px_writer_epoch(const px_writer *w)
{
    return w->seg.prefix->epoch;
}

uint32_t px_writer_capacity(const px_writer *w)
{
    return w->seg.capacity;
}

const char *px_writer_shm_name(const px_writer *w)
{
    return w->shm_name;
}
