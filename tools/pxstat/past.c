/* See past.h. */
#include "past.h"

#include <errno.h>
#include <locale.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <time.h>
#include <unistd.h>

#include "cli.h"
#include "history.h"
#include "json_out.h"
#include "judge.h"
#include "spark.h"

#define COLUMNS_DEFAULT 80
#define COLUMNS_MAX     500
#define MARGIN          11 /* of the numbers left of a chart, with its edge */
#define HEIGHT          3
#define JSON_ROWS       3600

static const struct chart {
    enum history_column column;
    const char *title;
    int bytes;     /* as bytes, else as a number */
    int from_zero; /* else from the smallest */
    int places;
} charts[] = {
    {HISTORY_rss_bytes, "memory, resident", 1, 0, 0},
    {HISTORY_growth_mb_per_hour, "growth, MB/hour", 0, 0, 2},
    {HISTORY_ticks_per_s, "ticks/s", 0, 1, 0},
    {HISTORY_gaps, "gaps", 0, 1, 0},
    {HISTORY_lag, "lag of the slowest reader, ticks", 0, 1, 0},
};

struct table {
    int64_t from, step;
    size_t width, rows;
    double v[COLUMNS_MAX][HISTORY_COLUMN_COUNT];
};

static int keep_row(void *user, const struct history_row *row)
{
    struct table *t = user;
    int64_t at = (row->t - t->from) / t->step;
    if (at >= 0 && at < (int64_t)t->width) {
        memcpy(t->v[at], row->v, sizeof row->v);
        t->rows++;
    }
    return 0;
}

static void number(char out[CLI_NUMBER_MAX], const struct chart *c, double value)
{
    if (isnan(value))
        snprintf(out, CLI_NUMBER_MAX, "-");
    else if (c->bytes)
        cli_bytes(out, (uint64_t)value);
    else
        snprintf(out, CLI_NUMBER_MAX, "%.*f", c->places, fabs(value) < 0.005 ? 0.0 : value);
}

struct range {
    double low, high, last;
};

static struct range range_of(const struct table *t, const struct chart *c)
{
    struct range r = {(double)NAN, (double)NAN, (double)NAN};
    for (size_t x = 0; x < t->width; x++) {
        double value = t->v[x][c->column];
        if (isnan(value))
            continue;
        r.low = fmin(r.low, value);
        r.high = fmax(r.high, value);
        r.last = value;
    }
    return r;
}

static void draw(const struct table *t, const struct chart *c, int utf8)
{
    char low[CLI_NUMBER_MAX], high[CLI_NUMBER_MAX], last[CLI_NUMBER_MAX];
    struct range r = range_of(t, c);
    struct spark_range scale = {r.low, r.high};
    number(low, c, r.low);
    number(high, c, r.high);
    number(last, c, r.last);
    printf("%s: last %s, from %s to %s\n", c->title, last, low, high);
    if (isnan(r.low))
        return;
    if (c->from_zero) {
        scale.low = 0;
        number(low, c, 0);
    }
    for (int line = HEIGHT - 1; line >= 0; line--) {
        printf("%*s %s", MARGIN - 2,
               line == HEIGHT - 1 ? high
               : line == 0        ? low
                                  : "",
               utf8 ? "│" : "|");
        for (size_t x = 0; x < t->width; x++)
            fputs(spark_bar(spark_eighths(&scale, t->v[x][c->column], line, HEIGHT), utf8), stdout);
        putchar('\n');
    }
}

enum { AS_DATE = 1, AS_CLOCK = 2 };

static void print_time(int64_t t, int parts)
{
    char date[16], clock[16];
    time_t seconds = (time_t)t;
    struct tm local;
    localtime_r(&seconds, &local);
    strftime(date, sizeof date, "%Y-%m-%d", &local);
    strftime(clock, sizeof clock, "%H:%M:%S", &local);
    printf("%s%s%s", parts & AS_DATE ? date : "", parts == (AS_DATE | AS_CLOCK) ? " " : "",
           parts & AS_CLOCK ? clock : "");
}

static void draw_all(const struct table *t, const struct past *past, int64_t to)
{
    int utf8 = spark_locale();
    int axis = past->seconds > 2 * 86400 ? AS_DATE : AS_CLOCK;
    int between = (int)t->width - (axis == AS_DATE ? 20 : 16);
    char step[CLI_NUMBER_MAX];
    printf("bus %s, ", past->bus);
    print_time(t->from, AS_DATE | AS_CLOCK);
    printf(" to ");
    print_time(to, AS_DATE | AS_CLOCK);
    printf(", %s a column\n", cli_duration(step, t->step * 1000000000));
    for (size_t i = 0; i < sizeof charts / sizeof charts[0]; i++)
        draw(t, &charts[i], utf8);
    printf("%*s", MARGIN, "");
    print_time(t->from, axis);
    printf("%*s", between > 1 ? between : 1, "");
    print_time(to, axis);
    putchar('\n');
}

static size_t columns(void)
{
    struct winsize size;
    size_t n = COLUMNS_DEFAULT;
    if (ioctl(STDOUT_FILENO, TIOCGWINSZ, &size) == 0 && size.ws_col > 2 * MARGIN)
        n = size.ws_col;
    n -= MARGIN;
    return n < COLUMNS_MAX ? n : COLUMNS_MAX;
}

static int read_into(struct history_query *q, history_row_fn *row, void *user)
{
    char error[HISTORY_ERROR_MAX];
    int rc = history_read(q, row, user, error);
    if (rc == -ENOENT)
        return cli_error(HEALTH_UNKNOWN, "history", "no database at %s (pxmon writes it)", q->path);
    return rc < 0 ? cli_error(HEALTH_UNKNOWN, q->path, "%s", error) : 0;
}

static int show_charts(const struct past *past, struct history_query *q)
{
    static struct table t;
    t.width = columns();
    t.step = q->step = history_step(past->seconds, (int64_t)t.width);
    /* whole steps, so that the last column is as full as time has made it */
    q->from = t.from = (q->to / t.step + 1) * t.step - (int64_t)t.width * t.step;
    if (t.from < q->to - past->seconds)
        q->from = t.from = (q->to - past->seconds) / t.step * t.step;
    for (size_t x = 0; x < t.width; x++)
        for (int c = 0; c < HISTORY_COLUMN_COUNT; c++)
            t.v[x][c] = (double)NAN;
    int code = read_into(q, keep_row, &t);
    if (code != 0)
        return code;
    if (t.rows == 0)
        return cli_error(HEALTH_UNKNOWN, past->bus, "%s has nothing of this bus in that time",
                         q->path);
    draw_all(&t, past, q->to);
    return HEALTH_OK;
}

static int put_row(void *user, const struct history_row *row)
{
    history_put_object(user, NULL, row);
    return 0;
}

/* An object is begun only when the database can be read. */
static int show_json(const struct past *past, struct history_query *q)
{
    struct json_out out;
    char *text = NULL;
    size_t length = 0;
    FILE *file = open_memstream(&text, &length);
    if (file == NULL)
        return cli_error(HEALTH_UNKNOWN, "history", "%s", strerror(errno));
    q->step = history_step(past->seconds, JSON_ROWS);
    q->from = (q->to - past->seconds) / q->step * q->step;
    jout_start(&out, file);
    jout_object(&out, NULL);
    jout_text(&out, "bus", past->bus);
    jout_signed(&out, "from", q->from);
    jout_signed(&out, "to", q->to);
    jout_signed(&out, "step_s", q->step);
    jout_array(&out, "rows");
    int code = read_into(q, put_row, &out);
    jout_end_array(&out);
    jout_end_object(&out);
    fputc('\n', file);
    if (fclose(file) != 0 && code == 0)
        code = cli_error(HEALTH_UNKNOWN, "history", "%s", strerror(errno));
    if (code == 0)
        fwrite(text, 1, length, stdout);
    free(text);
    return code;
}

int past_show(const struct past *past)
{
    char path[HISTORY_PATH_MAX];
    struct history_query q = {.path = past->path, .bus = past->bus, .to = time(NULL)};
    setlocale(LC_CTYPE, "");
    if (q.path == NULL) {
        if (history_default_path(path) < 0)
            return cli_error(HEALTH_UNKNOWN, "history",
                             "neither $XDG_STATE_HOME nor $HOME is set, use --db");
        q.path = path;
    }
    return past->json ? show_json(past, &q) : show_charts(past, &q);
}
