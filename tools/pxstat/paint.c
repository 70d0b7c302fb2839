/* See paint.h. The head, then the panes, then the keys. */
#include "paint.h"

#include <stdio.h>
#include <string.h>

#include "paint_internal.h"

#define SIDE_BY_SIDE 160 /* columns from which symbols have the left half for themselves */
#define LEAST_ROWS   3   /* a pane with fewer is of no use: titles, one row, what is not shown */

static void draw(const struct scene *s, enum pane pane, struct area a)
{
    if (a.rows > 0)
        table_draw(s->grid, &a, &s->tables[pane], &s->ui->list[pane]);
}

static int at_most(int a, int b)
{
    return a < b ? a : b;
}

/* What each pane but that of the symbols gets of so many rows: what it wants, up to a share. */
static void share(const struct scene *s, int rows, int left_for_symbols, int got[PANE_COUNT])
{
    static const enum pane order[] = {PANE_CONNS, PANE_READERS, PANE_ERRORS};
    int left = rows - left_for_symbols;
    int cap = left_for_symbols > 0 ? rows / 6 + 2 : rows / 3;
    for (size_t i = 0; i < sizeof order / sizeof order[0]; i++) {
        enum pane pane = order[i];
        int wants = at_most(table_wants(&s->tables[pane], &s->ui->list[pane]), cap);
        got[pane] = wants <= left ? wants : left >= LEAST_ROWS ? left : 0;
        left -= got[pane];
    }
    got[PANE_SYMBOLS] = left + left_for_symbols;
}

static void stacked(const struct scene *s, int top, int rows)
{
    static const enum pane order[] = {PANE_CONNS, PANE_SYMBOLS, PANE_READERS, PANE_ERRORS};
    int got[PANE_COUNT], columns = s->grid->columns;
    share(s, rows, at_most(rows, LEAST_ROWS + 1), got);
    for (size_t i = 0; i < sizeof order / sizeof order[0]; i++) {
        draw(s, order[i], (struct area){top, 0, got[order[i]], columns});
        top += got[order[i]];
    }
}

/* Symbols on the left, what is about them on the right, with a line free between two panes. */
static void side_by_side(const struct scene *s, int top, int rows)
{
    static const enum pane order[] = {PANE_CONNS, PANE_READERS, PANE_ERRORS};
    int got[PANE_COUNT], half = s->grid->columns / 2;
    share(s, rows - 2, 0, got);
    draw(s, PANE_SYMBOLS, (struct area){top, 0, rows, half - 1});
    for (size_t i = 0; i < sizeof order / sizeof order[0]; i++) {
        draw(s, order[i], (struct area){top, half + 1, got[order[i]], s->grid->columns - half - 1});
        top += got[order[i]] > 0 ? got[order[i]] + 1 : 0;
    }
}

static void draw_panes(const struct scene *s, int top, int rows)
{
    for (int p = PANE_CONNS; p < PANE_COUNT; p++)
        table_fill(&s->tables[p], (enum pane)p, s->model, s->ui);
    if (s->ui->pane != PANE_ALL)
        draw(s, s->ui->pane, (struct area){top, 0, rows, s->grid->columns});
    else if (s->grid->columns >= SIDE_BY_SIDE)
        side_by_side(s, top, rows);
    else
        stacked(s, top, rows);
}

static void draw_page(const struct scene *s, int top, int rows)
{
    struct ui_list *list = &s->ui->list[PANE_ALL];
    size_t room = rows > 0 ? (size_t)rows : 0, count = s->page->count;
    list->page = count < room ? count : room;
    if (list->top > count - list->page)
        list->top = count - list->page;
    for (size_t i = 0; i < list->page; i++) {
        const struct page_line *line = &s->page->lines[list->top + i];
        grid_text(s->grid, (struct span){top + (int)i, 0, s->grid->columns}, line->tone,
                  line->text);
    }
}

/* The keys; of the filter while it is written. Where there is room, also which pane is which. */
static void draw_keys(const struct scene *s, int row)
{
    static const char *const names[PANE_COUNT] = {"all", "connections", "symbols", "readers",
                                                  "errors"};
    struct grid *g = s->grid;
    const char *keys =
        "Tab pane  s S sort  / filter  a all  p pause  +- rate  r restart  ? help  q quit";
    grid_tone(g, (struct span){row, 0, g->columns}, TONE_BAR);
    if (s->ui->editing) {
        grid_print(g, row, 0, TONE_BAR, "filter: %s_   Enter keeps it, Esc clears it",
                   ui_list(s->ui)->filter);
        return;
    }
    if (s->ui->sections)
        keys = "arrows scroll  p pause  +- rate  r restart  ? help  q quit";
    int at = grid_text(g, (struct span){row, 0, g->columns}, TONE_BAR, keys) + 4;
    for (int p = 0; p < PANE_COUNT && !s->ui->sections && at < g->columns - 20; p++)
        at += 2 + grid_print(g, row, at, TONE_BAR, p == (int)s->ui->pane ? "[%d %s]" : "%d %s",
                             p + 1, names[p]);
}

/* Without a bus there is nothing to show but that it is waited for. */
static void draw_absence(const struct scene *s, int row)
{
    grid_print(s->grid, row, 0, TONE_DIM, "It is looked for again and again; q ends.");
}

void paint(const struct scene *s)
{
    struct grid *g = s->grid;
    int keys = g->rows >= 4;
    /* the panes keep half of a low screen */
    int head = paint_head(s, g->rows >= 14 ? 5 : at_most(g->rows - keys, g->rows >= 9 ? 4 : 2));
    int top = head + (g->rows >= 30 && s->model->now != NULL);
    int rows = g->rows - top - keys;
    if (s->model->now != NULL && rows > 0) {
        if (s->ui->sections)
            draw_page(s, top, rows);
        else
            draw_panes(s, top, rows);
    } else if (rows > 1) {
        draw_absence(s, top + 1);
    }
    if (keys)
        draw_keys(s, g->rows - 1);
    if (s->ui->overlay != OVERLAY_NONE)
        paint_overlay(s);
}
