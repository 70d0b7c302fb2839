#include "replay.h"

#include <errno.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <zlib.h>

#include "frame.h"

#define NS_PER_S  1e9
#define FIRST_NS  100000000000000.0 /* a number above this is a time in ns, below in seconds */
#define READ_SIZE (1U << 20)

struct lines {
    gzFile file;
    char *buf;
    size_t room, start, end;
    bool ended;
};

static int lines_open(struct lines *l, const char *path)
{
    memset(l, 0, sizeof *l);
    errno = 0;
    l->file = gzopen(path, "rb");
    if (l->file == NULL)
        return -(errno == 0 ? ENOMEM : errno);
    l->buf = malloc(READ_SIZE);
    l->room = l->buf == NULL ? 0 : READ_SIZE;
    return l->buf == NULL ? -ENOMEM : 0;
}

static void lines_close(struct lines *l)
{
    if (l->file != NULL)
        gzclose(l->file);
    free(l->buf);
}

static int lines_fill(struct lines *l)
{
    if (l->start > 0) {
        memmove(l->buf, l->buf + l->start, l->end - l->start);
        l->end -= l->start;
        l->start = 0;
    }
    if (l->room - l->end < READ_SIZE) {
        char *grown = realloc(l->buf, l->room * 2 + READ_SIZE);
        if (grown == NULL)
            return -ENOMEM;
        l->buf = grown;
        l->room = l->room * 2 + READ_SIZE;
    }
    int n = gzread(l->file, l->buf + l->end, READ_SIZE);
    if (n <= 0) {
        int kind;
        int saved = errno;
        (void)gzerror(l->file, &kind);
        if (kind != Z_OK && kind != Z_STREAM_END) /* a cut file ends in Z_BUF_ERROR */
            return kind == Z_ERRNO ? -saved : -EBADMSG;
    }
    l->end += (size_t)n;
    l->ended = n == 0;
    return 0;
}

/* 1 and a line without its end, 0 at the end of the file, or negative errno. */
static int lines_next(struct lines *l, char **ret_line, size_t *ret_len)
{
    size_t seen = 0;
    for (;;) {
        size_t waiting = l->end - l->start;
        char *from = l->buf + l->start;
        char *nl = waiting > seen ? memchr(from + seen, '\n', waiting - seen) : NULL;
        if (nl != NULL || (l->ended && waiting > 0)) {
            *ret_line = from;
            *ret_len = nl != NULL ? (size_t)(nl - from) : waiting;
            l->start += *ret_len + (nl != NULL);
            return 1;
        }
        if (l->ended)
            return 0;
        seen = waiting;
        int rc = lines_fill(l);
        if (rc < 0)
            return rc;
    }
}

static int add_frame(struct replay *r, uint8_t op, const char *line, size_t len)
{
    if (r->room - r->bytes < len + FRAME_HEAD_MAX) {
        size_t room = (r->room + len) * 2 + READ_SIZE;
        uint8_t *grown = realloc(r->frames, room);
        if (grown == NULL)
            return -ENOMEM;
        r->frames = grown;
        r->room = room;
    }
    if (r->count == r->ends_room) {
        size_t room = r->ends_room * 2 + 1024;
        size_t *grown = realloc(r->ends, room * sizeof *grown);
        if (grown == NULL)
            return -ENOMEM;
        r->ends = grown;
        r->ends_room = room;
    }
    r->bytes += frame_head(r->frames + r->bytes, op, true, len);
    memcpy(r->frames + r->bytes, line, len);
    r->bytes += len;
    r->ends[r->count++] = r->bytes;
    return 0;
}

static int read_frames(struct replay *r, const char *path, uint8_t op)
{
    struct lines l;
    char *line;
    size_t len;
    int rc = lines_open(&l, path);
    while (rc == 0 && (rc = lines_next(&l, &line, &len)) == 1)
        rc = len == 0 ? 0 : add_frame(r, op, line, len);
    lines_close(&l);
    return rc;
}

/* Second column of a row: seconds with decimals, or ns. Negative: no time there. */
static double row_time_ns(char *line, size_t len)
{
    char copy[128];
    snprintf(copy, sizeof copy, "%.*s", (int)(len < 127 ? len : 127), line);
    char *column = strchr(copy, '\t');
    if (column == NULL)
        return -1;
    char *end;
    double value = strtod(column + 1, &end);
    if (end == column + 1)
        return -1;
    return value > FIRST_NS ? value : value * NS_PER_S;
}

/* Offsets from the first row; a clock that was set back in the recording holds still instead. */
static int read_times(struct replay *r, const char *path, double speed, size_t *ret_rows)
{
    struct lines l;
    char *line;
    size_t len, row = 0;
    double first = 0, last = 0;
    int rc = lines_open(&l, path);
    while (rc == 0 && (rc = lines_next(&l, &line, &len)) == 1) {
        rc = 0;
        if (len == 0 || line[0] == '#' || row == r->count)
            continue;
        double at = row_time_ns(line, len);
        if (at < 0)
            rc = -EBADMSG;
        if (row == 0)
            first = last = at;
        last = at > last ? at : last;
        r->at_ns[row++] = (uint64_t)((last - first) / speed);
    }
    lines_close(&l);
    *ret_rows = row;
    return rc;
}

/* NAME.jsonl[.gz] has its times in NAME.meta.tsv[.gz]. */
static bool find_times(const char *path, char *out, size_t room)
{
    size_t len = strlen(path);
    if (len > 3 && strcmp(path + len - 3, ".gz") == 0)
        len -= 3;
    const char *slash = memrchr(path, '/', len);
    const char *dot = memrchr(path, '.', len);
    if (dot != NULL && (slash == NULL || dot > slash))
        len = (size_t)(dot - path);
    snprintf(out, room, "%.*s.meta.tsv", (int)len, path);
    if (access(out, F_OK) == 0)
        return true;
    snprintf(out, room, "%.*s.meta.tsv.gz", (int)len, path);
    return access(out, F_OK) == 0;
}

static const char *reason(int rc)
{
    return rc == -EBADMSG ? "damaged data" : strerror(-rc);
}

static int set_pace(struct replay *r, const char *path, struct replay_pace pace, char *why,
                    size_t room)
{
    char times[4096];
    size_t rows = 0;
    if (pace.speed <= 0 || r->count == 0)
        return 0;
    bool recorded = find_times(path, times, sizeof times);
    if (!recorded && pace.rate <= 0)
        return 0;
    r->at_ns = calloc(r->count, sizeof *r->at_ns);
    if (r->at_ns == NULL) {
        snprintf(why, room, "%s: %s", path, strerror(ENOMEM));
        return -1;
    }
    for (size_t i = 0; i < r->count && !recorded; i++)
        r->at_ns[i] = (uint64_t)((double)i * NS_PER_S / pace.rate / pace.speed);
    int rc = recorded ? read_times(r, times, pace.speed, &rows) : 0;
    if (rc < 0)
        snprintf(why, room, "%.512s: %s", times, reason(rc));
    else if (recorded && rows < r->count)
        snprintf(why, room, "%.512s: times for %zu of %zu frames", times, rows, r->count);
    return rc < 0 || (recorded && rows < r->count) ? -1 : 0;
}

int replay_open(struct replay *r, const char *path, struct replay_pace pace, char *why, size_t room)
{
    memset(r, 0, sizeof *r);
    int rc = read_frames(r, path, pace.binary ? FRAME_BINARY : FRAME_TEXT);
    if (rc < 0)
        snprintf(why, room, "%s: %s", path, reason(rc));
    else
        rc = set_pace(r, path, pace, why, room);
    if (rc < 0)
        replay_close(r);
    return rc < 0 ? -1 : 0;
}

void replay_close(struct replay *r)
{
    free(r->frames);
    free(r->ends);
    free(r->at_ns);
    memset(r, 0, sizeof *r);
}

size_t replay_due(const struct replay *r, size_t from, uint64_t elapsed_ns)
{
    if (r->at_ns == NULL)
        return r->count;
    while (from < r->count && r->at_ns[from] <= elapsed_ns)
        from++;
    return from;
}
