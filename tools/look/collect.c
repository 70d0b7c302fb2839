/* Takes a snapshot of a bus, through bus.h and by looking who holds it. */
#include "snapshot.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

#include "derive.h"

/* A record that is being written is asked for again; its writer needs well under a microsecond, and
 * one that died in mid-write never finishes. */
#define TRIES 100

/* The lock file is readable by the feeder's user and root only. */
static enum holder look_at_lock(const char *bus)
{
    char path[64];
    snprintf(path, sizeof path, "/dev/shm/px-%s.lock", bus);
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK | O_NOFOLLOW);
    if (fd < 0)
        return errno == ENOENT ? HOLDER_GONE : HOLDER_UNKNOWN;
    struct flock lock = {.l_type = F_RDLCK, .l_whence = SEEK_SET};
    int rc = fcntl(fd, F_OFD_GETLK, &lock);
    close(fd);
    if (rc < 0)
        return HOLDER_UNKNOWN;
    return lock.l_type == F_UNLCK ? HOLDER_GONE : HOLDER_THERE;
}

/* Who may not look at the lock knocks at the control socket: it goes with the process that listens.
 */
static enum holder look_at_socket(const char *path)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    if (path[0] == '\0' || strlen(path) >= sizeof address.sun_path)
        return HOLDER_UNKNOWN;
    memcpy(address.sun_path, path, strlen(path));
    int fd = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (fd < 0)
        return HOLDER_UNKNOWN;
    int rc = connect(fd, (const struct sockaddr *)&address, sizeof address) == 0 ? 0 : errno;
    close(fd);
    if (rc == ECONNREFUSED || rc == ENOENT)
        return HOLDER_GONE;
    return rc == 0 || rc == EAGAIN ? HOLDER_THERE : HOLDER_UNKNOWN;
}

/* The letter behind the command's name, which may itself hold parentheses and blanks. */
static char state_of_process(int32_t pid)
{
    char path[32], line[256];
    snprintf(path, sizeof path, "/proc/%d/stat", (int)pid);
    FILE *file = pid > 0 ? fopen(path, "re") : NULL;
    if (file == NULL)
        return '\0';
    const char *end = fgets(line, sizeof line, file) != NULL ? strrchr(line, ')') : NULL;
    fclose(file);
    return end != NULL && end[1] == ' ' ? end[2] : '\0';
}

const struct px_reader_info *snapshot_reader(const struct snapshot *s,
                                             const struct px_reader_info *reader)
{
    for (size_t i = 0; i < s->reader_count; i++)
        if (s->readers[i].pid == reader->pid &&
            s->readers[i].attached_mono_ns == reader->attached_mono_ns)
            return &s->readers[i];
    return NULL;
}

uint64_t snapshot_counter(const struct snapshot *s, const char *name)
{
    for (size_t i = 0; i < s->counter_count; i++)
        if (strcmp(s->counters[i].name, name) == 0)
            return s->counters[i].value;
    return 0;
}

size_t snapshot_resident(px_bus *bus, int by_minute, double *values, size_t count)
{
    struct px_memory_sample sample;
    size_t n = 0;
    while (n < count && (by_minute ? px_bus_memory_minute(bus, (uint32_t)n, &sample)
                                   : px_bus_memory_second(bus, (uint32_t)n, &sample)) == 0)
        values[n++] = (double)sample.rss_bytes;
    for (size_t i = 0; i < n / 2; i++) {
        double value = values[i];
        values[i] = values[n - 1 - i];
        values[n - 1 - i] = value;
    }
    return n;
}

int symbol_wanted(const struct px_symbol_info *symbol)
{
    return symbol->pins > 0 || symbol->kinds != 0;
}

/* Place i of a table into *record. 0, or the error when it is free or stays busy. */
typedef int read_fn(px_bus *bus, uint32_t i, void *record);

static int read_symbol(px_bus *bus, uint32_t i, void *record)
{
    return px_bus_symbol_at(bus, i, record);
}

static int read_reader(px_bus *bus, uint32_t i, void *record)
{
    return px_bus_reader_at(bus, i, record);
}

static int read_error(px_bus *bus, uint32_t i, void *record)
{
    return px_bus_error_at(bus, i, record);
}

static int read_counter(px_bus *bus, uint32_t i, void *record)
{
    return px_bus_counter_at(bus, i, record);
}

static int read_conn(px_bus *bus, uint32_t i, void *record)
{
    struct conn *conn = record;
    int rc = px_bus_conn_at(bus, i, &conn->info, conn->buckets);
    conn->place = i;
    if (rc == 0)
        conn->latency = latency_of(conn->buckets, conn->info.latency_max_ns);
    return rc;
}

/* All used places of a table of `places`, in order. *ret_records is to be freed. */
static int read_table(px_bus *bus, read_fn *read, uint32_t places, size_t size, void *ret_records,
                      size_t *ret_count)
{
    unsigned char *records = NULL;
    size_t count = 0, room = 0;
    for (uint32_t i = 0; i < places; i++) {
        if (count == room) {
            room = room == 0 ? 16 : room * 2;
            unsigned char *more = realloc(records, room * size);
            if (more == NULL) {
                free(records);
                return -ENOMEM;
            }
            records = more;
        }
        int rc = -EAGAIN;
        for (int n = 0; n < TRIES && rc == -EAGAIN; n++)
            rc = read(bus, i, records + count * size);
        if (rc == 0)
            count++;
    }
    memcpy(ret_records, &records, sizeof records);
    *ret_count = count;
    return 0;
}

static int read_tables(struct snapshot *s, px_bus *bus)
{
    const struct {
        read_fn *read;
        uint32_t places;
        size_t size;
        void *records;
        size_t *count;
    } tables[] = {
        {read_conn, s->bus.conns, sizeof *s->conns, &s->conns, &s->conn_count},
        {read_symbol, s->bus.capacity, sizeof *s->symbols, &s->symbols, &s->symbol_count},
        {read_reader, s->bus.readers, sizeof *s->readers, &s->readers, &s->reader_count},
        {read_error, s->bus.errors, sizeof *s->errors, &s->errors, &s->error_count},
        {read_counter, s->bus.counters, sizeof *s->counters, &s->counters, &s->counter_count},
    };
    for (size_t i = 0; i < sizeof tables / sizeof tables[0]; i++) {
        int rc = read_table(bus, tables[i].read, tables[i].places, tables[i].size,
                            tables[i].records, tables[i].count);
        if (rc < 0)
            return rc;
    }
    return 0;
}

/* Records of connections outlive the feeder that wrote them; those of an earlier one say nothing
 * about this bus any more. Owner 0: a writer that does not number them. */
static void drop_earlier_conns(struct snapshot *s)
{
    size_t kept = 0;
    for (size_t i = 0; i < s->conn_count; i++) {
        uint64_t owner = s->conns[i].info.owner_epoch;
        if (owner == 0 || owner >= s->bus.epoch)
            s->conns[kept++] = s->conns[i];
    }
    s->conn_count = kept;
}

static int64_t clock_ns(clockid_t clock)
{
    struct timespec ts;
    clock_gettime(clock, &ts);
    return (int64_t)ts.tv_sec * 1000000000 + ts.tv_nsec;
}

int snapshot_take(struct snapshot *s, px_bus *bus)
{
    *s =
        (struct snapshot){.mono_ns = clock_ns(CLOCK_MONOTONIC), .utc_ns = clock_ns(CLOCK_REALTIME)};
    int rc = px_bus_info(bus, &s->bus);
    if (rc < 0)
        return rc;
    s->holder = look_at_lock(s->bus.bus);
    if (s->holder == HOLDER_UNKNOWN)
        s->holder = look_at_socket(s->bus.control_path);
    /* A feeder that ended was up until its last sign of life. */
    if (s->holder == HOLDER_GONE || s->bus.state == PX_STATE_CLOSED)
        s->bus.uptime_ns -= s->bus.heartbeat_age_ns;
    s->process_state = s->holder == HOLDER_THERE ? state_of_process(s->bus.pid) : '\0';
    s->has_memory = px_bus_memory_second(bus, 0, &s->memory) == 0;
    if (px_bus_memory_verdict(bus, &s->verdict) < 0)
        s->verdict = (struct px_memory_verdict){.trend = PX_TREND_UNKNOWN};
    rc = read_tables(s, bus);
    if (rc < 0) {
        snapshot_free(s);
        return rc;
    }
    drop_earlier_conns(s);
    s->evictions = snapshot_counter(s, "evictions");
    return 0;
}

void snapshot_free(struct snapshot *s)
{
    free(s->conns);
    free(s->symbols);
    free(s->readers);
    free(s->errors);
    free(s->counters);
    *s = (struct snapshot){.holder = HOLDER_UNKNOWN};
}
