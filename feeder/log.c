#include "log.h"

#include <errno.h>
#include <poll.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "now.h"

#define LINE_MAX_BYTES 1024
/* A line that repeats for ever is heard of again after this long. */
#define REPEAT_NS (60 * INT64_C(1000000000))

static const struct {
    const char *name;
    int priority; /* of syslog(3), for journald */
} levels[] = {{"error", 3}, {"warning", 4}, {"info", 6}, {"debug", 7}};

static struct {
    int fd;
    enum log_level level;
    bool journal;
    uint64_t repeats, lost;
    int64_t first_repeat_ns;
    enum log_level last_level;
    char last[LINE_MAX_BYTES]; /* object and text */
} log_state = {.fd = 2, .level = LOG_LEVEL_INFO};

void log_open(int fd, enum log_level level, bool journal)
{
    log_state.fd = fd;
    log_state.level = level;
    log_state.journal = journal;
    log_state.repeats = log_state.lost = 0;
    log_state.last[0] = '\0';
}

void log_set_level(enum log_level level)
{
    log_state.level = level;
}

bool log_is_journal(int fd, const char *journal_stream)
{
    struct stat st;
    char *end;
    if (journal_stream == NULL)
        return false;
    unsigned long long dev = strtoull(journal_stream, &end, 10);
    unsigned long long ino = *end == ':' ? strtoull(end + 1, &end, 10) : 0;
    if (ino == 0 || *end != '\0')
        return false;
    return fstat(fd, &st) == 0 && st.st_dev == (dev_t)dev && st.st_ino == (ino_t)ino;
}

int log_level_find(const char *name, enum log_level *out)
{
    for (size_t i = 0; i < sizeof(levels) / sizeof(levels[0]); i++)
        if (strcmp(levels[i].name, name) == 0) {
            *out = (enum log_level)i;
            return 0;
        }
    return -EINVAL;
}

/* UTC without localtime's locks and allocation: civil_from_days of H. Hinnant, "chrono-compatible
 * low-level date algorithms". Valid for all times from 1970 on. */
static size_t time_text(char *out, size_t cap)
{
    struct timespec now;
    clock_gettime(CLOCK_REALTIME, &now);
    int64_t second = now.tv_sec % 86400, z = now.tv_sec / 86400 + 719468;
    int64_t era = z / 146097, doe = z - era * 146097;
    int64_t yoe = (doe - doe / 1460 + doe / 36524 - doe / 146096) / 365;
    int64_t doy = doe - (365 * yoe + yoe / 4 - yoe / 100), mp = (5 * doy + 2) / 153;
    int64_t day = doy - (153 * mp + 2) / 5 + 1, month = mp < 10 ? mp + 3 : mp - 9;
    int64_t year = yoe + era * 400 + (month <= 2);
    int n = snprintf(out, cap, "%04d-%02d-%02dT%02d:%02d:%02d.%03ldZ ", (int)year, (int)month,
                     (int)day, (int)(second / 3600), (int)(second / 60 % 60), (int)(second % 60),
                     now.tv_nsec / 1000000);
    return n < 0 ? 0 : (size_t)n;
}

static bool emit(enum log_level level, const char *text)
{
    char line[LINE_MAX_BYTES + 64];
    size_t n;
    if (log_state.journal)
        n = (size_t)snprintf(line, sizeof(line), "<%d>", levels[level].priority);
    else
        n = time_text(line, sizeof(line));
    int m = snprintf(line + n, sizeof(line) - n, "%s %s\n", levels[level].name, text);
    n += m < 0 ? 0 : (size_t)m;
    if (n >= sizeof(line))
        n = sizeof(line) - 1;
    line[n - 1] = '\n';
    /* A line is shorter than PIPE_BUF: a descriptor that is ready takes all of it. */
    struct pollfd ready = {.fd = log_state.fd, .events = POLLOUT};
    return poll(&ready, 1, 0) == 1 && (ready.revents & POLLOUT) != 0 &&
           write(log_state.fd, line, n) >= 0;
}

/* A full or closed stderr must not end or stop a feeder: what cannot be written now is lost, and
 * the first line that gets through again says how many were. */
static void put(enum log_level level, const char *text)
{
    if (log_state.lost != 0) {
        char said[64];
        snprintf(said, sizeof(said), "log: %llu lines were lost, nobody read them",
                 (unsigned long long)log_state.lost);
        if (emit(LOG_LEVEL_WARNING, said))
            log_state.lost = 0;
    }
    if (!emit(level, text))
        log_state.lost++;
}

void log_flush(void)
{
    if (log_state.repeats == 0)
        return;
    char text[64];
    snprintf(text, sizeof(text), "last message repeated %llu times",
             (unsigned long long)log_state.repeats);
    log_state.repeats = 0;
    put(log_state.last_level, text);
}

static void printable(char *text)
{
    for (unsigned char *p = (unsigned char *)text; *p != '\0'; p++)
        if (*p < ' ' || *p == 0x7f)
            *p = '?';
}

void log_line(enum log_level level, const char *object, const char *format, ...)
{
    if (level > log_state.level)
        return;
    char text[LINE_MAX_BYTES];
    int n = snprintf(text, sizeof(text), "%s: ", object);
    if (n < 0 || (size_t)n >= sizeof(text))
        n = 0;
    va_list args;
    va_start(args, format);
    vsnprintf(text + n, sizeof(text) - (size_t)n, format, args);
    va_end(args);
    printable(text);
    if (log_state.last_level == level && strcmp(text, log_state.last) == 0) {
        int64_t now = now_mono_ns();
        if (log_state.repeats++ == 0)
            log_state.first_repeat_ns = now;
        else if (now - log_state.first_repeat_ns > REPEAT_NS)
            log_flush();
        return;
    }
    log_flush();
    log_state.last_level = level;
    memcpy(log_state.last, text, sizeof(text));
    put(level, text);
}
