/* The wanted set on disk:
 *
 *   px-wanted 1
 *   3 binance:BTCUSDT          kinds (a number) and symbol, a line each
 *   end 1 0123456789abcdef     count of symbols, FNV-1a of everything above
 *
 * It is written without fsync (savefile.h), which at a restart would lengthen the blackout by what
 * the disk likes (26 s were seen on a busy one). With the power went the readers whose wishes it
 * holds. */
#include "state.h"

#include <errno.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>

#include "counters.h"
#include "log.h"
#include "savefile.h"

#define HEAD        "px-wanted 1\n"
#define LINE_BYTES  (PX_SYMBOL_MAX + 8u)
#define DEBOUNCE_NS INT64_C(1000000000)

struct state {
    px_writer *writer;
    struct savefile file;
    uint32_t lines_max;
    bool dirty;
    int64_t saved_ns;
    char text[];
};

static size_t text_cap(uint32_t lines_max)
{
    return sizeof(HEAD) + (size_t)lines_max * LINE_BYTES + SAVEFILE_END_MAX;
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
    if (savefile_init(&state->file, dir, bus, "wanted", HEAD) < 0) {
        free(state);
        return NULL;
    }
    state->writer = w;
    state->lines_max = lines_max;
    state->saved_ns = INT64_MIN / 2;
    return state;
}

void state_free(struct state *state)
{
    free(state);
}

const char *state_path(const struct state *state)
{
    return state->file.path;
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

/* Returns how many symbols the file holds, -EINVAL if it is damaged or not ours. */
static int take(const struct state *state, state_line_fn *line, void *user)
{
    struct savefile_text t;
    int n = savefile_read(&state->file, &t);
    if (n < 0)
        return n;
    n = give_lines(t.lines, t.end, state->lines_max, line, user);
    bool counted = n >= 0 && (uint32_t)n == t.count;
    free(t.text);
    return counted ? n : -EINVAL;
}

int state_load(struct state *state, state_line_fn *line, void *user)
{
    int rc = take(state, line, user);
    if (rc == -ENOENT)
        return 0;
    if (rc == -EINVAL) {
        savefile_move_aside(&state->file);
        return 0;
    }
    if (rc < 0) {
        log_warning(state->file.path, "cannot be read: %s", strerror(-rc));
        return rc;
    }
    if ((uint32_t)rc <= state->lines_max)
        return rc;
    log_warning(state->file.path, "%u of its %d symbols are left out: capacity is %u",
                (uint32_t)rc - state->lines_max, rc, state->lines_max);
    return (int)state->lines_max;
}

void state_dirty(struct state *state)
{
    state->dirty = true;
}

static size_t compose(struct state *state, state_next_fn *next, void *user, uint32_t *count)
{
    char symbol[PX_SYMBOL_MAX + 1];
    uint32_t cursor = 0, kinds;
    size_t len = strlen(HEAD), cap = text_cap(state->lines_max);
    memcpy(state->text, HEAD, len);
    for (*count = 0; *count < state->lines_max && next(user, &cursor, symbol, &kinds) == 1;
         ++*count)
        len += (size_t)snprintf(state->text + len, cap - len, "%u %s\n", kinds, symbol);
    return len;
}

static int save(struct state *state, state_next_fn *next, void *user)
{
    uint32_t count;
    size_t len = compose(state, next, user, &count);
    int rc = savefile_write(&state->file, state->text, len, count);
    if (state->writer != NULL && rc == 0)
        px_writer_count(state->writer, PX_C_state_saves, 1);
    if (state->writer != NULL && rc != 0)
        px_writer_count(state->writer, PX_C_state_failures, 1);
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
