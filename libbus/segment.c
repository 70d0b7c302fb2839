#include "segment.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "atomic.h"

int pxi_bus_name_check(const char *bus)
{
    static const char allowed[] =
        "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789._-";
    size_t n = strlen(bus);
    if (n == 0 || n > PX_BUS_NAME_MAX || strspn(bus, allowed) != n)
        return -EINVAL;
    if ((n >= 5 && strcmp(bus + n - 5, ".lock") == 0) ||
        (n >= 4 && strcmp(bus + n - 4, ".new") == 0))
        return -EINVAL;
    return 0;
}

void pxi_path(char *out, const char *bus, enum pxi_file file)
{
    static const char *const ending[] = {"", ".lock", ".new"};
    snprintf(out, PXI_PATH_MAX, PXI_SHM_DIR "/px-%.*s%s", (int)PX_BUS_NAME_MAX, bus, ending[file]);
}

static uint64_t lines(uint64_t bytes)
{
    return (bytes + PXL_LINE - 1) & ~(uint64_t)(PXL_LINE - 1);
}

static uint32_t directory_count(uint32_t capacity)
{
    uint32_t n = 16;
    while (n < capacity * 4u)
        n *= 2;
    return n;
}

static const uint32_t strides[PXL_REGION_COUNT] = {
    [PXL_COUNTERS] = sizeof(struct pxl_counter), [PXL_VALUES] = PXL_LINE,
    [PXL_CONNS] = sizeof(struct pxl_conn),       [PXL_DIRECTORY] = sizeof(struct pxl_entry),
    [PXL_SLOTS] = sizeof(struct pxl_slot),       [PXL_RING] = sizeof(struct pxl_tick),
    [PXL_READERS] = sizeof(struct pxl_reader),   [PXL_ERRORS] = sizeof(struct pxl_error),
    [PXL_SECONDS] = sizeof(struct pxl_sample),   [PXL_MINUTES] = sizeof(struct pxl_sample),
};

/* The regions of a segment of this shape, in order of enum pxl_region. Returns the total size. */
static uint64_t plan(struct pxl_region_place region[PXL_REGION_COUNT], uint32_t capacity,
                     uint32_t ring)
{
    const uint32_t count[PXL_REGION_COUNT] = {
        [PXL_COUNTERS] = PXL_COUNTERS_MAX,
        [PXL_VALUES] = PXL_COUNTERS_MAX,
        [PXL_CONNS] = PXL_CONNS_MAX,
        [PXL_DIRECTORY] = directory_count(capacity),
        [PXL_SLOTS] = capacity,
        [PXL_RING] = ring,
        [PXL_READERS] = PXL_READERS_MAX,
        [PXL_ERRORS] = PXL_ERRORS_MAX,
        [PXL_SECONDS] = PXL_SECONDS_MAX,
        [PXL_MINUTES] = PXL_MINUTES_MAX,
    };
    uint64_t at = PXL_PREFIX_BYTES + lines(sizeof(struct pxl_header));
    for (int i = 0; i < PXL_REGION_COUNT; i++) {
        region[i] = (struct pxl_region_place){at, strides[i], count[i]};
        at += lines((uint64_t)strides[i] * count[i]);
    }
    return (at + PXL_PREFIX_BYTES - 1) & ~(uint64_t)(PXL_PREFIX_BYTES - 1);
}

uint64_t pxi_segment_size(uint32_t capacity, uint32_t ring)
{
    struct pxl_region_place region[PXL_REGION_COUNT];
    if (capacity < PXL_CAPACITY_MIN || capacity > PXL_CAPACITY_MAX || ring < PXL_RING_MIN ||
        ring > PXL_RING_MAX || (ring & (ring - 1)) != 0)
        return 0;
    return plan(region, capacity, ring);
}

void pxi_segment_format(struct pxi_segment *s, const char *bus, uint32_t capacity, uint32_t ring)
{
    struct pxl_prefix *p = s->base;
    struct pxl_header *h = (struct pxl_header *)((char *)s->base + PXL_PREFIX_BYTES);
    p->magic = PXL_MAGIC;
    p->format = PXL_FORMAT;
    p->bytes = s->bytes;
    p->header_offset = PXL_PREFIX_BYTES;
    snprintf(h->bus, sizeof h->bus, "%s", bus);
    plan(h->region, capacity, ring);
}

/* A region is right if its stride is ours and it lies, aligned, within the mapping. */
static int region_check(const struct pxi_segment *s, struct pxl_region_place *out,
                        enum pxl_region i, uint32_t stride)
{
    struct pxl_region_place r = s->header->region[i];
    if (r.stride != stride || r.count == 0 || (r.offset & (PXL_LINE - 1)) != 0 ||
        r.offset < PXL_PREFIX_BYTES + sizeof(struct pxl_header) || r.offset > s->bytes ||
        (s->bytes - r.offset) / r.stride < r.count)
        return -EMSGSIZE;
    *out = r;
    return 0;
}

static int power_of_two(uint32_t n)
{
    return n != 0 && (n & (n - 1)) == 0;
}

static int regions_find(struct pxi_segment *s)
{
    struct pxl_region_place r[PXL_REGION_COUNT];
    for (int i = 0; i < PXL_REGION_COUNT; i++)
        if (region_check(s, &r[i], (enum pxl_region)i, strides[i]) < 0)
            return -EMSGSIZE;
    if (!power_of_two(r[PXL_RING].count) || r[PXL_RING].count < PXL_RING_MIN ||
        r[PXL_RING].count > PXL_RING_MAX || !power_of_two(r[PXL_DIRECTORY].count) ||
        r[PXL_SLOTS].count > PXL_CAPACITY_MAX || r[PXL_VALUES].count < r[PXL_COUNTERS].count)
        return -EMSGSIZE;

    char *base = s->base;
    s->counters = (struct pxl_counter *)(base + r[PXL_COUNTERS].offset);
    s->values = (uint64_t *)(base + r[PXL_VALUES].offset);
    s->conns = (struct pxl_conn *)(base + r[PXL_CONNS].offset);
    s->directory = (struct pxl_entry *)(base + r[PXL_DIRECTORY].offset);
    s->slots = (struct pxl_slot *)(base + r[PXL_SLOTS].offset);
    s->ring = (struct pxl_tick *)(base + r[PXL_RING].offset);
    s->readers = (struct pxl_reader *)(base + r[PXL_READERS].offset);
    s->errors = (struct pxl_error *)(base + r[PXL_ERRORS].offset);
    s->seconds = (struct pxl_sample *)(base + r[PXL_SECONDS].offset);
    s->minutes = (struct pxl_sample *)(base + r[PXL_MINUTES].offset);
    s->capacity = r[PXL_SLOTS].count;
    s->ring_mask = r[PXL_RING].count - 1;
    s->directory_mask = r[PXL_DIRECTORY].count - 1;
    s->counter_count = r[PXL_COUNTERS].count;
    s->conn_count = r[PXL_CONNS].count;
    s->reader_count = r[PXL_READERS].count;
    s->error_count = r[PXL_ERRORS].count;
    s->second_count = r[PXL_SECONDS].count;
    s->minute_count = r[PXL_MINUTES].count;
    return 0;
}

int pxi_segment_check(struct pxi_segment *s)
{
    if (s->bytes < PXL_PREFIX_BYTES)
        return -EPROTO;
    struct pxl_prefix *p = s->base;
    if (pxi_load64(&p->magic) != PXL_MAGIC)
        return -EPROTO;
    uint32_t version = pxi_load32_acquire(&p->layout_version);
    if (version == 0)
        return -EAGAIN;
    if (version != PXL_LAYOUT_VERSION || p->format != PXL_FORMAT)
        return -EPROTONOSUPPORT;
    uint64_t need = pxi_load64(&p->bytes);
    uint64_t header = p->header_offset;
    if (need > s->bytes || need < PXL_PREFIX_BYTES + sizeof(struct pxl_header) ||
        header != PXL_PREFIX_BYTES)
        return -EMSGSIZE;
    s->bytes = need;
    s->prefix = p;
    s->header = (struct pxl_header *)((char *)s->base + header);
    return regions_find(s);
}

static int map_file(struct pxi_segment *s, int fd, int writable, void *at, size_t reserved)
{
    struct stat st;
    if (fstat(fd, &st) < 0)
        return -errno;
    if (!S_ISREG(st.st_mode) || st.st_size < (off_t)PXL_PREFIX_BYTES)
        return -EPROTO;
    if (at != NULL && (uint64_t)st.st_size > reserved)
        return -ENOMEM;
    int prot = PROT_READ | (writable ? PROT_WRITE : 0);
    void *base =
        mmap(at, (size_t)st.st_size, prot, MAP_SHARED | (at != NULL ? MAP_FIXED : 0), fd, 0);
    if (base == MAP_FAILED)
        return -errno;
    s->base = base;
    s->bytes = (size_t)st.st_size;
    s->inode = st.st_ino;
    s->owner = st.st_uid;
    s->mode = st.st_mode;
    return 0;
}

int pxi_segment_open(struct pxi_segment *s, const char *bus, int writable, void *at,
                     size_t reserved)
{
    char path[PXI_PATH_MAX];
    memset(s, 0, sizeof *s);
    if (pxi_bus_name_check(bus) < 0)
        return -EINVAL;
    pxi_path(path, bus, PXI_FILE_SEGMENT);
    /* O_NONBLOCK: a FIFO of that name must not hang us; it has no meaning for a regular file. */
    int fd = open(path, (writable ? O_RDWR : O_RDONLY) | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK);
    if (fd < 0)
        return errno == ELOOP || errno == EISDIR || errno == ENXIO ? -EPROTO : -errno;
    int rc = map_file(s, fd, writable, at, reserved);
    close(fd);
    if (rc == 0) {
        size_t mapped = s->bytes;
        rc = pxi_segment_check(s);
        s->bytes = mapped;
    }
    if (rc < 0)
        pxi_segment_close(s, at);
    return rc;
}

void pxi_segment_close(struct pxi_segment *s, void *at)
{
    if (s->base != NULL) {
        if (at != NULL)
            mmap(at, s->bytes, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE | MAP_FIXED,
                 -1, 0);
        else
            munmap(s->base, s->bytes);
    }
    memset(s, 0, sizeof *s);
}
