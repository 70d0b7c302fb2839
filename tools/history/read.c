/* Reads a history, also while it is being written. */
#include <errno.h>
#include <math.h>
#include <sqlite3.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "common.h"

#define BUSY_MS 1000

/* For each moment the finest rows that there are: seconds, before them minutes, before them hours.
 */
static const char all_rows[] =
    "WITH edge AS (SELECT "
    " coalesce((SELECT min(t) / 60 * 60 FROM second WHERE bus = ?1), 1 << 62) AS s,"
    " coalesce((SELECT min(t) / 3600 * 3600 FROM minute WHERE bus = ?1), 1 << 62) AS m),"
    " r AS (SELECT * FROM second WHERE bus = ?1"
    " UNION ALL SELECT minute.* FROM minute, edge WHERE bus = ?1 AND t < edge.s"
    " UNION ALL SELECT hour.* FROM hour, edge WHERE bus = ?1 AND t < min(edge.s, edge.m)) ";

static int fail(sqlite3 *db, int rc, char error[HISTORY_ERROR_MAX])
{
    snprintf(error, HISTORY_ERROR_MAX, "%s", db != NULL ? sqlite3_errmsg(db) : sqlite3_errstr(rc));
    return -EIO;
}

static int check_version(sqlite3 *db, char error[HISTORY_ERROR_MAX])
{
    sqlite3_stmt *statement = NULL;
    int version = -1;
    int rc = sqlite3_prepare_v2(db, "PRAGMA user_version", -1, &statement, NULL);
    if (rc == SQLITE_OK && (rc = sqlite3_step(statement)) == SQLITE_ROW)
        version = sqlite3_column_int(statement, 0);
    sqlite3_finalize(statement);
    if (rc != SQLITE_ROW)
        return fail(db, rc, error);
    if (version == HISTORY_VERSION)
        return 0;
    snprintf(error, HISTORY_ERROR_MAX, "not a history of version %d", HISTORY_VERSION);
    return -EPROTO;
}

static int read_rows(sqlite3 *db, const struct history_query *q, history_row_fn *row, void *user)
{
    char folds[HISTORY_LIST_MAX], sql[2 * HISTORY_LIST_MAX];
    sqlite3_stmt *statement = NULL;
    struct history_row r;
    history_list(folds, sizeof folds, ", ", 1);
    snprintf(
        sql, sizeof sql,
        "%sSELECT t / ?4 * ?4 AS at%s FROM r WHERE t >= ?2 AND t <= ?3 GROUP BY at ORDER BY at",
        all_rows, folds);
    int rc = sqlite3_prepare_v2(db, sql, -1, &statement, NULL);
    if (rc == SQLITE_OK) {
        sqlite3_bind_text(statement, 1, q->bus, -1, SQLITE_STATIC);
        sqlite3_bind_int64(statement, 2, q->from);
        sqlite3_bind_int64(statement, 3, q->to);
        sqlite3_bind_int64(statement, 4, q->step);
        while ((rc = sqlite3_step(statement)) == SQLITE_ROW) {
            r.t = sqlite3_column_int64(statement, 0);
            for (int i = 0; i < HISTORY_COLUMN_COUNT; i++)
                r.v[i] = sqlite3_column_type(statement, i + 1) == SQLITE_NULL
                             ? (double)NAN
                             : sqlite3_column_double(statement, i + 1);
            if (row(user, &r) != 0) {
                rc = SQLITE_DONE;
                break;
            }
        }
    }
    sqlite3_finalize(statement);
    return rc;
}

int history_read(const struct history_query *query, history_row_fn *row, void *user,
                 char error[HISTORY_ERROR_MAX])
{
    sqlite3 *db = NULL;
    if (access(query->path, F_OK) < 0) {
        snprintf(error, HISTORY_ERROR_MAX, "%s", strerror(errno));
        return -errno;
    }
    int rc = sqlite3_open_v2(query->path, &db, SQLITE_OPEN_READONLY, NULL);
    int result = rc == SQLITE_OK ? 0 : fail(db, rc, error);
    if (result == 0) {
        sqlite3_busy_timeout(db, BUSY_MS);
        result = check_version(db, error);
    }
    if (result == 0 && (rc = read_rows(db, query, row, user)) != SQLITE_DONE)
        result = fail(db, rc, error);
    sqlite3_close(db);
    return result;
}
