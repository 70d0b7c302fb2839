/* Writes a history. Each row is a transaction of its own in the write-ahead log: what was committed
 * survives kill -9 (a power cut may cost the rows since the last checkpoint, never the file). */
#include <errno.h>
#include <fcntl.h>
#include <math.h>
#include <sqlite3.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "common.h"

#define BUSY_MS 250 /* another writer, or a reader that begins: the caller's loop waits so long */

struct history {
    sqlite3 *db;
    sqlite3_stmt *add;
    struct history_keep keep;
    int64_t rolled; /* the minute up to which rows were folded, 0 not yet in this process */
    char path[HISTORY_PATH_MAX];
};

__attribute__((format(printf, 3, 4))) static int say(char said[HISTORY_ERROR_MAX], int rc,
                                                     const char *format, ...)
{
    va_list args;
    va_start(args, format);
    vsnprintf(said, HISTORY_ERROR_MAX, format, args);
    va_end(args);
    return rc;
}

static int errno_of(int rc)
{
    switch (rc & 0xff) {
    case SQLITE_OK:
    case SQLITE_DONE:
    case SQLITE_ROW:
        return 0;
    case SQLITE_FULL:
        return -ENOSPC;
    case SQLITE_BUSY:
    case SQLITE_LOCKED:
        return -EAGAIN;
    case SQLITE_CORRUPT:
    case SQLITE_NOTADB:
        return -EBADMSG;
    case SQLITE_READONLY:
    case SQLITE_PERM:
    case SQLITE_AUTH:
        return -EACCES;
    case SQLITE_CANTOPEN:
        return -ENOENT;
    case SQLITE_NOMEM:
        return -ENOMEM;
    default:
        return -EIO;
    }
}

static int fail(const struct history *h, int rc, char said[HISTORY_ERROR_MAX])
{
    int system = h->db != NULL ? sqlite3_system_errno(h->db) : 0;
    const char *words = h->db != NULL ? sqlite3_errmsg(h->db) : sqlite3_errstr(rc);
    if (system != 0 && errno_of(rc) != -EBADMSG)
        return say(said, errno_of(rc), "%s (%s)", words, strerror(system));
    return say(said, errno_of(rc), "%s", words);
}

static int run(const struct history *h, const char *sql, char said[HISTORY_ERROR_MAX])
{
    int rc = sqlite3_exec(h->db, sql, NULL, NULL, NULL);
    return rc == SQLITE_OK ? 0 : fail(h, rc, said);
}

/* -- open -- */

static int make_directories(const char *path, char said[HISTORY_ERROR_MAX])
{
    char dir[HISTORY_PATH_MAX];
    snprintf(dir, sizeof dir, "%s", path);
    for (char *p = dir + 1; *p != '\0'; p++) {
        if (*p != '/')
            continue;
        *p = '\0';
        if (mkdir(dir, 0700) < 0 && errno != EEXIST)
            return say(said, -errno, "%s: %s", dir, strerror(errno));
        *p = '/';
    }
    return 0;
}

static int first_value(const struct history *h, const char *sql, char *out, size_t cap,
                       char said[HISTORY_ERROR_MAX])
{
    sqlite3_stmt *statement = NULL;
    int rc = sqlite3_prepare_v2(h->db, sql, -1, &statement, NULL);
    if (rc == SQLITE_OK)
        rc = sqlite3_step(statement);
    int result = rc == SQLITE_ROW ? 0 : rc == SQLITE_DONE ? -ENOENT : fail(h, rc, said);
    if (rc == SQLITE_ROW)
        snprintf(out, cap, "%s", (const char *)sqlite3_column_text(statement, 0));
    sqlite3_finalize(statement);
    return result;
}

static int check_version(const struct history *h, char said[HISTORY_ERROR_MAX])
{
    char version[16], tables[16];
    int rc = first_value(h, "PRAGMA user_version", version, sizeof version, said);
    if (rc == 0)
        rc = first_value(h, "SELECT count(*) FROM sqlite_schema", tables, sizeof tables, said);
    if (rc < 0)
        return rc;
    int number = atoi(version);
    if (number == HISTORY_VERSION || (number == 0 && strcmp(tables, "0") == 0))
        return 0;
    return say(said, -EPROTO, "a history of version %d, or another program's file; this is %d",
               number, HISTORY_VERSION);
}

static int check_whole(const struct history *h, char said[HISTORY_ERROR_MAX])
{
    char answer[128];
    int rc = first_value(h, "PRAGMA quick_check(1)", answer, sizeof answer, said);
    if (rc == 0 && strcmp(answer, "ok") != 0)
        return say(said, -EBADMSG, "%s", answer);
    return rc;
}

static int make_tables(const struct history *h, char said[HISTORY_ERROR_MAX])
{
    static const char *const tables[] = {"second", "minute", "hour"};
    char columns[HISTORY_LIST_MAX], sql[2 * HISTORY_LIST_MAX];
    history_list(columns, sizeof columns, ", ", 0);
    int rc = 0;
    for (size_t i = 0; i < sizeof tables / sizeof tables[0] && rc == 0; i++) {
        snprintf(sql, sizeof sql,
                 "CREATE TABLE IF NOT EXISTS %s (bus TEXT NOT NULL, t INTEGER NOT NULL%s, "
                 "PRIMARY KEY (bus, t)) WITHOUT ROWID",
                 tables[i], columns);
        rc = run(h, sql, said);
    }
    if (rc == 0)
        rc = run(h,
                 "CREATE TABLE IF NOT EXISTS event (t INTEGER NOT NULL, bus TEXT NOT NULL, "
                 "kind TEXT NOT NULL, level TEXT NOT NULL, before TEXT NOT NULL, "
                 "text TEXT NOT NULL)",
                 said);
    snprintf(sql, sizeof sql, "PRAGMA user_version = %d", HISTORY_VERSION);
    return rc == 0 ? run(h, sql, said) : rc;
}

static int prepare_add(struct history *h, char said[HISTORY_ERROR_MAX])
{
    char columns[HISTORY_LIST_MAX], sql[2 * HISTORY_LIST_MAX];
    history_list(columns, sizeof columns, ", ", 0);
    int n =
        snprintf(sql, sizeof sql, "INSERT OR REPLACE INTO second (bus, t%s) VALUES (?, ?", columns);
    for (size_t i = 0; i < HISTORY_COLUMN_COUNT; i++)
        n += snprintf(sql + n, sizeof sql - (size_t)n, ", ?");
    snprintf(sql + n, sizeof sql - (size_t)n, ")");
    int rc = sqlite3_prepare_v2(h->db, sql, -1, &h->add, NULL);
    return rc == SQLITE_OK ? 0 : fail(h, rc, said);
}

static int open_file(struct history *h, char said[HISTORY_ERROR_MAX])
{
    int rc = sqlite3_open_v2(h->path, &h->db, SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE, NULL);
    if (rc != SQLITE_OK)
        return fail(h, rc, said);
    sqlite3_busy_timeout(h->db, BUSY_MS);
    rc = check_version(h, said);
    if (rc == 0)
        rc = run(h,
                 "PRAGMA journal_mode = WAL; PRAGMA synchronous = NORMAL; "
                 "PRAGMA journal_size_limit = 4194304",
                 said);
    if (rc == 0)
        rc = check_whole(h, said);
    if (rc == 0)
        rc = make_tables(h, said);
    return rc == 0 ? prepare_add(h, said) : rc;
}

static void close_file(struct history *h)
{
    sqlite3_finalize(h->add);
    sqlite3_close_v2(h->db);
    h->add = NULL;
    h->db = NULL;
    h->rolled = 0;
}

/* The damaged file, with its log, under another name; then a new one. */
static int begin_anew(struct history *h, char said[HISTORY_ERROR_MAX])
{
    static const char *const parts[] = {"", "-wal", "-shm"};
    char why[HISTORY_ERROR_MAX], stamp[32], from[HISTORY_PATH_MAX + 8], to[HISTORY_PATH_MAX + 64];
    time_t now = time(NULL);
    struct tm utc;
    snprintf(why, sizeof why, "%s", said);
    strftime(stamp, sizeof stamp, "%Y%m%dT%H%M%SZ", gmtime_r(&now, &utc));
    close_file(h);
    for (size_t i = 0; i < sizeof parts / sizeof parts[0]; i++) {
        snprintf(from, sizeof from, "%s%s", h->path, parts[i]);
        snprintf(to, sizeof to, "%s.damaged-%s%s", h->path, stamp, parts[i]);
        if (rename(from, to) < 0 && errno != ENOENT)
            return say(said, -errno, "damaged (%.200s), and cannot be moved aside: %s", why,
                       strerror(errno));
    }
    int rc = open_file(h, said);
    if (rc == 0)
        say(said, 0,
            "damaged (%.200s): moved aside with the suffix .damaged-%s, a new one is begun", why,
            stamp);
    return rc;
}

int history_open(struct history **out, const char *path, const struct history_keep *keep,
                 char said[HISTORY_ERROR_MAX])
{
    struct history *h = calloc(1, sizeof *h);
    said[0] = '\0';
    if (h == NULL)
        return say(said, -ENOMEM, "no memory");
    h->keep = *keep;
    snprintf(h->path, sizeof h->path, "%s", path);
    int rc = make_directories(path, said);
    if (rc == 0)
        rc = open_file(h, said);
    if (rc == -EBADMSG)
        rc = begin_anew(h, said);
    if (rc < 0) {
        history_close(h);
        return rc;
    }
    *out = h;
    return 0;
}

void history_close(struct history *h)
{
    if (h == NULL)
        return;
    close_file(h);
    free(h);
}

/* -- rows -- */

static void bind_value(sqlite3_stmt *statement, int at, double value)
{
    if (isnan(value))
        sqlite3_bind_null(statement, at);
    else if (value == floor(value) && fabs(value) < 9e15)
        sqlite3_bind_int64(statement, at, (int64_t)value);
    else
        sqlite3_bind_double(statement, at, value);
}

/* Rows of `fine` that lie in whole steps before ?2 and are not yet in `coarse` become one a step.
 * The last one is made again: it may have been cut short by the end of a process. */
static int roll(const struct history *h, const char *fine, const char *coarse, int step,
                int64_t now, char said[HISTORY_ERROR_MAX])
{
    char columns[HISTORY_LIST_MAX], folds[HISTORY_LIST_MAX], sql[4 * HISTORY_LIST_MAX];
    history_list(columns, sizeof columns, ", ", 0);
    history_list(folds, sizeof folds, ", ", 1);
    snprintf(sql, sizeof sql,
             "INSERT OR REPLACE INTO %s (bus, t%s) SELECT bus, t / %d * %d%s FROM %s AS fine "
             "WHERE t < %lld AND t >= coalesce((SELECT max(t) FROM %s AS done WHERE done.bus = "
             "fine.bus), 0) "
             "GROUP BY bus, t / %d",
             coarse, columns, step, step, folds, fine, (long long)(now / step * step), coarse,
             step);
    return run(h, sql, said);
}

static int prune(const struct history *h, const char *table, int64_t before,
                 char said[HISTORY_ERROR_MAX])
{
    char sql[128];
    snprintf(sql, sizeof sql, "DELETE FROM %s WHERE t < %lld", table, (long long)before);
    return run(h, sql, said);
}

/* Once a minute. Seconds and minutes go in whole steps of the coarser table, after they were
 * folded. */
static int fold(struct history *h, int64_t now, char said[HISTORY_ERROR_MAX])
{
    int rc = run(h, "BEGIN IMMEDIATE", said);
    if (rc < 0)
        return rc;
    rc = roll(h, "second", "minute", 60, now, said);
    if (rc == 0)
        rc = roll(h, "minute", "hour", 3600, now, said);
    if (rc == 0)
        rc = prune(h, "second", (now - h->keep.seconds) / 60 * 60, said);
    if (rc == 0)
        rc = prune(h, "minute", (now - h->keep.minutes) / 3600 * 3600, said);
    if (rc == 0)
        rc = prune(h, "hour", now - h->keep.hours, said);
    if (rc == 0)
        rc = prune(h, "event", now - h->keep.hours, said);
    if (rc == 0)
        rc = run(h, "COMMIT", said);
    if (rc < 0)
        sqlite3_exec(h->db, "ROLLBACK", NULL, NULL, NULL);
    else
        h->rolled = now / 60;
    return rc;
}

static int insert(struct history *h, const char *bus, const struct history_row *row,
                  char said[HISTORY_ERROR_MAX])
{
    sqlite3_bind_text(h->add, 1, bus, -1, SQLITE_TRANSIENT);
    sqlite3_bind_int64(h->add, 2, row->t);
    for (int i = 0; i < HISTORY_COLUMN_COUNT; i++)
        bind_value(h->add, i + 3, row->v[i]);
    int rc = sqlite3_step(h->add);
    int result = rc == SQLITE_DONE ? 0 : fail(h, rc, said);
    sqlite3_reset(h->add);
    return result;
}

int history_add(struct history *h, const char *bus, const struct history_row *row,
                char said[HISTORY_ERROR_MAX])
{
    said[0] = '\0';
    /* a start that failed half-way is tried again */
    int rc = h->db == NULL ? open_file(h, said) : 0;
    if (rc == 0)
        rc = insert(h, bus, row, said);
    if (rc == 0 && row->t / 60 != h->rolled)
        rc = fold(h, row->t, said);
    if (rc == -EBADMSG) {
        rc = begin_anew(h, said);
        if (rc == 0) {
            char ignored[HISTORY_ERROR_MAX];
            insert(h, bus, row, ignored);
        }
    }
    return rc;
}

int history_note(struct history *h, const char *bus, const struct history_event *event,
                 char said[HISTORY_ERROR_MAX])
{
    static const char sql[] =
        "INSERT INTO event (t, bus, kind, level, before, text) VALUES (?, ?, ?, ?, ?, ?)";
    sqlite3_stmt *statement = NULL;
    if (h->db == NULL)
        return say(said, -EIO, "the file is not open");
    int rc = sqlite3_prepare_v2(h->db, sql, -1, &statement, NULL);
    if (rc == SQLITE_OK) {
        const char *const texts[] = {bus, event->kind, event->level, event->before, event->text};
        sqlite3_bind_int64(statement, 1, event->t);
        for (int i = 0; i < 5; i++)
            sqlite3_bind_text(statement, i + 2, texts[i], -1, SQLITE_STATIC);
        rc = sqlite3_step(statement);
    }
    int result = rc == SQLITE_DONE ? 0 : fail(h, rc, said);
    sqlite3_finalize(statement);
    return result;
}
