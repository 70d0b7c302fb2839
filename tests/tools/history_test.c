/* The history: rows fold, go when their time is up, and are read at the finest there is. */
#include "t.h"

#include <errno.h>
#include <math.h>

#include "history.h"

#define T0 1800000000 /* a full hour */

static const struct history_keep keep = {3600, 31 * 86400, INT64_C(10) * 366 * 86400};

static struct {
    char folder[32], path[64];
    struct history *h;
} f;

static void open_history(const struct history_keep *how)
{
    char said[HISTORY_ERROR_MAX];
    if (f.folder[0] == '\0') {
        snprintf(f.folder, sizeof f.folder, "/tmp/px-history-XXXXXX");
        assert_non_null(mkdtemp(f.folder));
        snprintf(f.path, sizeof f.path, "%s/history.db", f.folder);
    }
    T_EQ(history_open(&f.h, f.path, how, said), 0);
    T_STR(said, "");
}

static void end_history(void)
{
    char command[64];
    history_close(f.h);
    snprintf(command, sizeof command, "rm -r %s", f.folder);
    T_EQ(system(command), 0);
    f.folder[0] = '\0';
}

static struct history_row row_of(int64_t t, double value)
{
    struct history_row row = {.t = t};
    for (int i = 0; i < HISTORY_COLUMN_COUNT; i++)
        row.v[i] = value;
    row.v[HISTORY_samples] = 1;
    return row;
}

static void add(const char *bus, int64_t t, double value)
{
    char said[HISTORY_ERROR_MAX];
    struct history_row row = row_of(t, value);
    T_EQ(history_add(f.h, bus, &row, said), 0);
}

struct found {
    size_t count;
    struct history_row first, last;
    double samples;
};

static int note(void *user, const struct history_row *row)
{
    struct found *found = user;
    if (found->count++ == 0)
        found->first = *row;
    found->last = *row;
    found->samples += row->v[HISTORY_samples];
    return 0;
}

static struct found look(const char *bus, int64_t from, int64_t to, int64_t step)
{
    char error[HISTORY_ERROR_MAX] = "";
    struct found found = {.count = 0};
    const struct history_query q = {f.path, bus, from, to, step};
    T_EQ(history_read(&q, note, &found, error), 0);
    T_STR(error, "");
    return found;
}

T_TEST(a_row_comes_back_as_it_went_in)
{
    char said[HISTORY_ERROR_MAX];
    struct history_row row = row_of(T0, 2.5);
    row.v[HISTORY_gaps] = (double)NAN;
    row.v[HISTORY_rss_bytes] = 4503599627370497.0;
    open_history(&keep);
    T_EQ(history_add(f.h, "md", &row, said), 0);
    struct found found = look("md", T0, T0, 1);
    T_EQ(found.count, 1);
    T_EQ(found.first.t, T0);
    T_TRUE(found.first.v[HISTORY_p50_us] == 2.5);
    T_TRUE(isnan(found.first.v[HISTORY_gaps]));
    T_TRUE(found.first.v[HISTORY_rss_bytes] == 4503599627370497.0);
    end_history();
}

T_TEST(buses_are_kept_apart)
{
    open_history(&keep);
    add("a", T0, 1);
    add("b", T0, 2);
    T_TRUE(look("a", T0, T0, 1).first.v[HISTORY_lag] == 1);
    T_TRUE(look("b", T0, T0, 1).first.v[HISTORY_lag] == 2);
    T_EQ(look("c", T0, T0, 1).count, 0);
    end_history();
}

T_TEST(rows_fold_by_the_rule_of_their_column)
{
    open_history(&keep);
    for (int i = 0; i < 10; i++)
        add("md", T0 + i, i);
    struct found found = look("md", T0, T0 + 9, 10);
    T_EQ(found.count, 1);
    T_TRUE(found.first.v[HISTORY_ticks] == 45);        /* sum */
    T_TRUE(found.first.v[HISTORY_lag] == 9);           /* max */
    T_TRUE(found.first.v[HISTORY_up] == 0);            /* min */
    T_TRUE(found.first.v[HISTORY_ticks_per_s] == 4.5); /* avg */
    end_history();
}

/* Two hours by the second, of which one is kept: the rest is there by the minute. */
T_TEST(no_second_is_lost_or_counted_twice_where_the_resolutions_meet)
{
    open_history(&keep);
    for (int i = 0; i < 7400; i++)
        add("md", T0 + i, 1);
    struct found all = look("md", T0, T0 + 7400, 60);
    T_TRUE(all.samples == 7400);
    T_EQ(all.count, (7400 + 59) / 60);
    /* finer than what is left of the first minute */
    struct found old = look("md", T0, T0 + 599, 1);
    T_EQ(old.count, 10);
    T_TRUE(old.first.v[HISTORY_samples] == 60);
    struct found recent = look("md", T0 + 7000, T0 + 7399, 1);
    T_EQ(recent.count, 400);
    end_history();
}

T_TEST(rows_by_the_hour_stay_when_minutes_have_gone)
{
    static const struct history_keep brief = {60, 7200, INT64_C(10) * 366 * 86400};
    open_history(&brief);
    for (int i = 0; i < 6 * 3600; i += 20)
        add("md", T0 + i, 1);
    struct found found = look("md", T0, T0 + 6 * 3600, 3600);
    T_EQ(found.count, 6);
    T_TRUE(found.samples == 6 * 180);
    struct found old = look("md", T0, T0 + 3599, 1);
    T_EQ(old.count, 1);
    T_EQ(old.first.t, T0);
    end_history();
}

T_TEST(rows_by_the_hour_go_when_their_time_is_up)
{
    static const struct history_keep brief = {60, 3600, 7200};
    open_history(&brief);
    for (int i = 0; i < 6 * 3600; i += 60)
        add("md", T0 + i, 1);
    struct found found = look("md", T0, T0 + 6 * 3600, 3600);
    T_EQ(found.first.t, T0 + 4 * 3600);
    end_history();
}

/* A minute that a process left unfinished is folded again by the next, whole. */
T_TEST(a_minute_over_two_processes_is_one_row)
{
    open_history(&keep);
    for (int i = 0; i < 30; i++)
        add("md", T0 + i, 1);
    history_close(f.h);
    open_history(&keep);
    for (int i = 30; i < 70; i++)
        add("md", T0 + i, 1);
    struct found found = look("md", T0, T0 + 59, 60);
    T_EQ(found.count, 1);
    T_TRUE(found.samples == 60);
    end_history();
}

T_TEST(durations_are_read_and_nonsense_is_refused)
{
    static const struct {
        const char *text;
        int64_t seconds;
    } good[] = {{"90s", 90}, {"1.5m", 90}, {"24h", 86400}, {"7d", 604800}, {"1y", 31557600}};
    static const char *const bad[] = {"",    "s",    "5",    "0s",    "-5m", "5x",
                                      "5ms", "nans", "infd", "1e99y", "0.1s"};
    int64_t s;
    for (size_t i = 0; i < sizeof good / sizeof good[0]; i++) {
        T_EQ(history_duration(good[i].text, &s), 0);
        T_EQ(s, good[i].seconds);
    }
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++)
        T_EQ(history_duration(bad[i], &s), -EINVAL);
}

T_TEST(a_step_gives_no_more_rows_than_were_asked_for)
{
    T_EQ(history_step(60, 60), 1);
    T_EQ(history_step(61, 60), 2);
    T_EQ(history_step(86400, 600), 300);
    T_EQ(history_step(INT64_C(10) * 366 * 86400, 600), 604800);
}
