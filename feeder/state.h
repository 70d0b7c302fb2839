/* The wanted set on disk, <state dir>/<bus>.wanted: a new feeder starts from it. Text, bounded,
 * with a count and a checksum at its end; written to a temporary name and renamed. */
#ifndef PX_STATE_H
#define PX_STATE_H

#include <stddef.h>
#include <stdint.h>

#include "config.h"

#include "px/writer.h"

struct state;

/* Gives one saved symbol. */
typedef void state_line_fn(void *user, const char *symbol, uint32_t kinds);
/* Asks for the next to save: 1 and a symbol, or 0 at the end. */
typedef int state_next_fn(void *user, uint32_t *cursor, char symbol[PX_SYMBOL_MAX + 1],
                          uint32_t *kinds);

/* dir: of dirs_state(). lines_max: no more are written, or given when read. w: for counters, NULL
 * in tests. Owner: the caller, until state_free(). NULL: no memory, or the path is too long. */
struct state *state_new(const char *dir, const char *bus, uint32_t lines_max, px_writer *w);
void state_free(struct state *state);
size_t state_bytes(uint32_t lines_max);

/* Read the file, which may be of a larger table: what is beyond lines_max is left out, and said.
 * Allocates and frees room for it. A file that is corrupt or not ours is moved aside (".bad"), said
 * once, and counts as empty. Returns the count of symbols given to `line`; negative errno if the
 * file cannot be read. */
int state_load(struct state *state, state_line_fn *line, void *user);

/* Something changed: it is saved by the first state_tick() a second or more after the last save. */
void state_dirty(struct state *state);
/* Save if it is time. Returns 1 saved, 0 nothing to do, negative errno it failed (said once per
 * kind; tried again). No allocation. */
int state_tick(struct state *state, int64_t now_ns, state_next_fn *next, void *user);
/* Save now: at the end. */
int state_save(struct state *state, state_next_fn *next, void *user);
const char *state_path(const struct state *state);

#endif
