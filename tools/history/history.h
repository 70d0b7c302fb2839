/* The history of a bus in SQLite: rows by the second for an hour, by the minute for a month, by the
 * hour beyond. pxmon writes it, pxstat and the dashboard read it while it does. */
#ifndef PX_TOOLS_HISTORY_H
#define PX_TOOLS_HISTORY_H

#include <stddef.h>
#include <stdint.h>

#include "columns.h"

#define HISTORY_ERROR_MAX 512
#define HISTORY_PATH_MAX  4096

/* history.db in the state directory, by the feeder's rule: /var/lib/px for root, else
 * $XDG_STATE_HOME/px, else ~/.local/state/px. Errors: -ENOENT neither is set; -ENAMETOOLONG. */
int history_default_path(char out[HISTORY_PATH_MAX]);

/* "90s", "30m", "24h", "7d", "4w", "10y" in seconds. 0 or -EINVAL. */
int history_duration(const char *text, int64_t *ret_s);

/* -- write: one object, one thread -- */

struct history;

/* For how long rows stay, s. */
struct history_keep {
    int64_t seconds, minutes, hours;
};

/* Open or make `path`, and the directories above it. A file that is damaged is moved aside, under
 * its name and ".damaged-TIME"; `said` then has the sentence, else "".
 * Errors: negative errno, `said` has the reason: no right, a newer version's file, not SQLite. */
int history_open(struct history **out, const char *path, const struct history_keep *keep,
                 char said[HISTORY_ERROR_MAX]);
void history_close(struct history *h); /* NULL is allowed */

/* Add a row by the second. When a minute is over its rows become one, and old rows go. What was
 * added survives the end of the process, however it ends. Errors: -ENOSPC, -EIO, -EAGAIN (another
 * process is writing): the row is lost, the next may do; `said` as above, also when a damaged file
 * was moved aside meanwhile. */
int history_add(struct history *h, const char *bus, const struct history_row *row,
                char said[HISTORY_ERROR_MAX]);

/* Note an event: a change of a level that was told. Errors: as history_add(). */
struct history_event {
    int64_t t;
    const char *kind, *level, *before, *text;
};
int history_note(struct history *h, const char *bus, const struct history_event *event,
                 char said[HISTORY_ERROR_MAX]);

/* -- read -- */

struct history_query {
    const char *path, *bus;
    int64_t from, to; /* s UTC */
    int64_t step;     /* rows are folded to this many seconds */
};

/* Called for each row, oldest first. Non-zero ends the reading. */
typedef int history_row_fn(void *user, const struct history_row *row);

/* Errors: -ENOENT no such file; -EIO and a reason in `error`; -EPROTO not of this version. */
int history_read(const struct history_query *query, history_row_fn *row, void *user,
                 char error[HISTORY_ERROR_MAX]);

/* Rows as JSON: an object by name, or an array in the order of history_put_names(). */
struct json_out;
void history_put_object(struct json_out *out, const char *key, const struct history_row *row);
void history_put_names(struct json_out *out, const char *key);
void history_put_array(struct json_out *out, const char *key, const struct history_row *row);

/* A round step, s, for which `seconds` give at most `rows` rows. */
int64_t history_step(int64_t seconds, int64_t rows);

#endif
