/* The feeder's log: stderr, one line: UTC time, level, object, text. A line that repeats is counted
 * and reported as "last message repeated N times". No allocation; control characters are printed
 * as '?', so that a venue's words cannot forge a line. One thread. */
#ifndef PX_LOG_H
#define PX_LOG_H

#include <stdbool.h>
#include <stdint.h>

enum log_level { LOG_LEVEL_ERROR = 0, LOG_LEVEL_WARNING, LOG_LEVEL_INFO, LOG_LEVEL_DEBUG };

/* Where lines go (2, unless a test says else), from which level on, and whether each begins with
 * journald's <N> instead of the time. Before this call: level info, descriptor 2, no prefixes. */
void log_open(int fd, enum log_level level, bool journal);
void log_set_level(enum log_level level);

/* Does `journal_stream` ($JOURNAL_STREAM, NULL allowed) name what fd is connected to? */
bool log_is_journal(int fd, const char *journal_stream);

/* Name to level: error, warning, info, debug. Errors: -EINVAL. */
int log_level_find(const char *name, enum log_level *out);

void log_line(enum log_level level, const char *object, const char *format, ...)
    __attribute__((format(printf, 3, 4)));
#define log_error(...)   log_line(LOG_LEVEL_ERROR, __VA_ARGS__)
#define log_warning(...) log_line(LOG_LEVEL_WARNING, __VA_ARGS__)
#define log_info(...)    log_line(LOG_LEVEL_INFO, __VA_ARGS__)
#define log_debug(...)   log_line(LOG_LEVEL_DEBUG, __VA_ARGS__)

/* Say how often the last line was repeated, if it was: at the end, and once in a while. */
void log_flush(void);

#endif
