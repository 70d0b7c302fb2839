/* What lies over the panes until a key takes it away. */
#include <stdio.h>
#include <string.h>

#include "cli.h"
#include "paint_internal.h"

static const char *const help[] = {
    "Tab, 1 to 5     all panes; connections, symbols, readers, errors alone",
    "arrows, Page,   scroll the pane; with all panes shown, that of the",
    "  Home, End     symbols",
    "s or >, <       order by the next or the previous column",
    "S               the other way round",
    "/               filter by name, state, words; Enter keeps, Esc clears it",
    "a               all symbols of the bus, or the subscribed ones only",
    "p or blank      pause, look again",
    "+ -             look less often, more often (rates are per second always)",
    "r               restart the feeder; asks before it does",
    "q               end",
    "",
    "live, OK        as it should be",
    "gap, carried    not as it should be; the verdict says why",
    "stale, closed   prices stand still",
    "P50 to P99.9    us from receipt to publication, since the start",
    "pxstat --explain NAME says what a number means and who writes it.",
};
#define HELP_LINES ((int)(sizeof help / sizeof help[0]))

/* An area of this size in the middle, as far as the screen allows. */
static struct area in_the_middle(const struct grid *g, int rows, int columns)
{
    if (rows > g->rows)
        rows = g->rows;
    if (columns > g->columns)
        columns = g->columns;
    return (struct area){(g->rows - rows) / 2, (g->columns - columns) / 2, rows, columns};
}

static void put_line(struct grid *g, const struct area *a, int line, enum tone tone,
                     const char *text)
{
    if (line + 1 < a->rows - 1)
        grid_text(g, (struct span){a->top + 1 + line, a->left + 2, a->columns - 4}, tone, text);
}

static void paint_help(const struct scene *s)
{
    struct area a = in_the_middle(s->grid, HELP_LINES + 2, 78);
    grid_box(s->grid, &a, "keys; any of them closes this");
    for (int i = 0; i < HELP_LINES; i++)
        put_line(s->grid, &a, i, TONE_PLAIN, help[i]);
}

static void paint_question(const struct scene *s)
{
    const struct subject *subject = s->model->subject;
    struct area a = in_the_middle(s->grid, 9, 78);
    char line[160];
    grid_box(s->grid, &a, "restart");
    snprintf(line, sizeof line, "Restart the feeder of bus %s?", subject->name);
    put_line(s->grid, &a, 0, TONE_HEAD, line);
    if (s->model->now != NULL) {
        snprintf(line, sizeof line, "pid %d, epoch %llu, %zu subscribed symbols, %zu readers",
                 (int)subject->now.bus.pid, (unsigned long long)subject->now.bus.epoch,
                 subject->health.subscribed, subject->now.reader_count);
        put_line(s->grid, &a, 1, TONE_PLAIN, line);
    }
    put_line(s->grid, &a, 3, TONE_PLAIN,
             "It begins anew in its place and connects to its venues again. Readers");
    put_line(s->grid, &a, 4, TONE_PLAIN,
             "stay; until new prices come they read the old ones as CARRIED.");
    put_line(s->grid, &a, 6, TONE_WARN, "y restarts it, any other key does not");
}

/* The lines that pxrestart printed, and above them what is known meanwhile. */
static void paint_restart(const struct scene *s)
{
    const struct recycle *r = s->recycle;
    struct area a = in_the_middle(s->grid, 11, 84);
    char line[256], took[CLI_NUMBER_MAX];
    const char *at = r->output, *end = r->output + r->used;
    int n = 1;
    enum tone tone = r->running ? TONE_WARN : r->code == 0 ? TONE_GOOD : TONE_BAD;
    grid_box(s->grid, &a, r->running ? "restart" : "restart; any key closes this");
    cli_duration(took, r->took_ns);
    if (r->running)
        snprintf(line, sizeof line, "the feeder of %s is being restarted, %s so far; it is %s",
                 s->model->subject->name, took, s->model->subject->health.state);
    else
        snprintf(line, sizeof line, "%s after %s", r->code == 0 ? "done" : "failed", took);
    put_line(s->grid, &a, 0, tone, line);
    while (at < end) {
        size_t length = strcspn(at, "\n");
        snprintf(line, sizeof line, "%.*s", (int)(length < 250 ? length : 250), at);
        put_line(s->grid, &a, ++n, r->running || r->code == 0 ? TONE_PLAIN : TONE_BAD, line);
        at += length + 1;
    }
}

void paint_overlay(const struct scene *s)
{
    if (s->ui->overlay == OVERLAY_HELP)
        paint_help(s);
    else if (s->ui->overlay == OVERLAY_CONFIRM)
        paint_question(s);
    else if (s->ui->overlay == OVERLAY_RESTART)
        paint_restart(s);
}
