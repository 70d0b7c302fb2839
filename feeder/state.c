/* The wanted set on disk:
 *
 *   px-wanted 1
 *   3 binance:BTCUSDT          kinds (a number) and symbol, a line each
 *   end 1 0123456789abcdef     count of symbols, FNV-1a of everything above
 *
 * It is written without fsync, which would stop the feed for as long as the disk likes, and at a
 * restart lengthen the blackout by as much (26 s were seen on a busy disk). A file that a power
 * failure tore is told by its last line; and with the power went the readers whose wishes it holds.
 */
#include "state.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "counters.h"
#include "log.h"

#define HEAD        "px-wanted 1\n"
#define LINE_BYTES  (PX_SYMBOL_MAX + 8u)
#define DEBOUNCE_NS INT64_C(1000000000)
/* A saved set of any capacity fits; what is larger is not ours. */
#define FILE_MAX ((off_t)256 << 20)

struct state {
    px_writer *writer;
    char path[CONFIG_PATH_MAX], other[CONFIG_PATH_MAX + 8]; /* other: ".tmp" or ".bad" */
    uint32_t lines_max;
    bool dirty;
    int failed; /* the failure that was said, 0 none */
    int64_t saved_ns;
    size_t cap;
    char text[];
};

static size_t text_cap(uint32_t lines_max)
{
    return sizeof(HEAD) + (size_t)lines_max * LINE_BYTES + 64;
}

size_t state_bytes(uint32_t lines_max)
{
    return sizeof(struct state) + text_cap(lines_max);
}

struct state *state_new(const char *dir, const char *bus, uint32_t lines_max, px_writer *w)
{
    struct state *state = calloc(1, state_bytes(lines_max));
    if (state == NULL)
        return NULL;
    int n = snprintf(state->path, sizeof(state->path), "%s/%s.wanted", dir, bus);
    if (n < 0 || (size_t)n >= sizeof(state->path)) {
        free(state);
        return NULL;
    }
    state->writer = w;
    state->lines_max = lines_max;
    state->cap = text_cap(lines_max);
    state->saved_ns = INT64_MIN / 2;
    return state;
}

void state_free(struct state *state)
{
    free(state);
}

const char *state_path(const struct state *state)
{
    return state->path;
}

static uint64_t checksum(const char *text, size_t len)
{
    uint64_t h = UINT64_C(0xcbf29ce484222325);
    for (size_t i = 0; i < len; i++)
        h = (h ^ (unsigned char)text[i]) * UINT64_C(0x100000001b3);
    return h;
}

static ssize_t read_all(int fd, char *text, size_t cap)
{
    size_t len = 0;
    ssize_t n = 0;
    while (len < cap && (n = read(fd, text + len, cap - len)) > 0)
        len += (size_t)n;
    text[len] = '\0';
    return n < 0 ? -errno : (ssize_t)len;
}

/* The file's text, which may be of a larger table than ours. Owner: the caller, free(). Returns its
 * length, -EINVAL for what cannot be ours. */
static ssize_t slurp(const struct state *state, char **text)
{
    int fd = open(state->path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK);
    if (fd < 0)
        return errno == ELOOP ? -EINVAL : -errno;
    struct stat st;
    ssize_t len = -EINVAL;
    if (fstat(fd, &st) == 0 && S_ISREG(st.st_mode) && st.st_uid == geteuid() &&
        st.st_size <= FILE_MAX) {
        *text = malloc((size_t)st.st_size + 1);
        len = *text == NULL ? -ENOMEM : read_all(fd, *text, (size_t)st.st_size);
    }
    close(fd);
    return len;
}

static int last_line(char *out, size_t cap, uint32_t count, uint64_t sum)
{
    return snprintf(out, cap, "end %u %016" PRIx64 "\n", count, sum);
}

/* Is it whole and of ours? Then `*lines` is what stands between head and end. */
static bool whole(char *text, size_t len, char **lines, char **end, uint32_t *count)
{
    char expected[64];
    if (strlen(text) != len || strncmp(text, HEAD, strlen(HEAD)) != 0)
        return false;
    char *last = strstr(text, "\nend ");
    if (last == NULL)
        return false;
    last++;
    *count = (uint32_t)strtoul(last + strlen("end "), NULL, 10);
    *lines = text + strlen(HEAD);
    *end = last;
    last_line(expected, sizeof(expected), *count, checksum(text, (size_t)(last - text)));
    return strcmp(last, expected) == 0;
}

/* At most `max` of them are given. Returns how many there are. */
static int give_lines(char *at, const char *end, uint32_t max, state_line_fn *line, void *user)
{
    uint32_t n = 0;
    while (at < end) {
        char *stop = strchr(at, '\n'), *symbol;
        *stop = '\0';
        unsigned long kinds = strtoul(at, &symbol, 10);
        if (*symbol != ' ' || strlen(symbol + 1) > PX_SYMBOL_MAX || symbol[1] == '\0' ||
            kinds == 0 || kinds > PX_ALL_KINDS)
            return -EINVAL;
        if (n < max)
            line(user, symbol + 1, (uint32_t)kinds);
        n++;
        at = stop + 1;
    }
    return n <= INT_MAX ? (int)n : -EINVAL;
}

static void move_aside(struct state *state)
{
    snprintf(state->other, sizeof(state->other), "%s.bad", state->path);
    if (rename(state->path, state->other) == 0)
        log_warning(state->path, "not a saved set of this program, or damaged: moved to %s",
                    state->other);
    else
        log_warning(state->path, "not a saved set of this program, or damaged: %s",
                    strerror(errno));
}

/* Returns how many symbols the text holds, -EINVAL if it is damaged or not ours. */
static int take_text(const struct state *state, char *text, size_t len, state_line_fn *line,
                     void *user)
{
    char *lines, *end;
    uint32_t count;
    if (!whole(text, len, &lines, &end, &count))
        return -EINVAL;
    int n = give_lines(lines, end, state->lines_max, line, user);
    return n < 0 || (uint32_t)n == count ? n : -EINVAL;
}

int state_load(struct state *state, state_line_fn *line, void *user)
{
    char *text = NULL;
    ssize_t len = slurp(state, &text);
    int rc = len < 0 ? (int)len : take_text(state, text, (size_t)len, line, user);
    free(text);
    if (rc == -ENOENT)
        return 0;
    if (rc == -EINVAL) {
        move_aside(state);
        return 0;
    }
    if (rc < 0) {
        log_warning(state->path, "cannot be read: %s", strerror(-rc));
        return rc;
    }
    if ((uint32_t)rc <= state->lines_max)
        return rc;
    log_warning(state->path, "%u of its %d symbols are left out: capacity is %u",
                (uint32_t)rc - state->lines_max, rc, state->lines_max);
    return (int)state->lines_max;
}

void state_dirty(struct state *state)
{
    state->dirty = true;
}

static size_t compose(struct state *state, state_next_fn *next, void *user)
{
    char symbol[PX_SYMBOL_MAX + 1];
    uint32_t cursor = 0, kinds, count = 0;
    size_t len = strlen(HEAD);
    memcpy(state->text, HEAD, len);
    while (count < state->lines_max && next(user, &cursor, symbol, &kinds) == 1) {
        len += (size_t)snprintf(state->text + len, state->cap - len, "%u %s\n", kinds, symbol);
        count++;
    }
    uint64_t sum = checksum(state->text, len);
    len += (size_t)last_line(state->text + len, state->cap - len, count, sum);
    return len;
}

static int write_all(int fd, const char *text, size_t len)
{
    while (len > 0) {
        ssize_t n = write(fd, text, len);
        if (n < 0 && errno == EINTR)
            continue;
        if (n <= 0)
            return n < 0 ? -errno : -EIO;
        text += n;
        len -= (size_t)n;
    }
    return 0;
}

static int put(struct state *state, size_t len)
{
    snprintf(state->other, sizeof(state->other), "%s.tmp", state->path);
    int fd = open(state->other, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOFOLLOW, 0600);
    if (fd < 0)
        return -errno;
    int rc = write_all(fd, state->text, len);
    if (close(fd) != 0 && rc == 0)
        rc = -errno;
    if (rc == 0 && rename(state->other, state->path) != 0)
        rc = -errno;
    if (rc != 0)
        unlink(state->other);
    return rc;
}

static int save(struct state *state, state_next_fn *next, void *user)
{
    int rc = put(state, compose(state, next, user));
    if (state->writer != NULL && rc == 0)
        px_writer_count(state->writer, PX_C_state_saves, 1);
    if (state->writer != NULL && rc != 0)
        px_writer_count(state->writer, PX_C_state_failures, 1);
    if (rc != 0 && rc != state->failed)
        log_warning(state->path, "cannot be written: %s", strerror(-rc));
    state->failed = rc;
    return rc;
}

int state_tick(struct state *state, int64_t now_ns, state_next_fn *next, void *user)
{
    if (!state->dirty || now_ns - state->saved_ns < DEBOUNCE_NS)
        return 0;
    state->saved_ns = now_ns;
    int rc = save(state, next, user);
    state->dirty = rc != 0;
    return rc == 0 ? 1 : rc;
}

int state_save(struct state *state, state_next_fn *next, void *user)
{
    int rc = save(state, next, user);
    state->dirty = rc != 0;
    return rc;
}
