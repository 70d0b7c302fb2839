/* See table.h. */
#include "table.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static int by_key(const void *a, const void *b, void *reversed_names)
{
    const struct table_row *x = a, *y = b;
    if (x->key < y->key || x->key > y->key)
        return x->key < y->key ? -1 : 1;
    int order = strcmp(x->name, y->name);
    if (order != 0)
        return *(const int *)reversed_names ? -order : order;
    return x->item < y->item ? -1 : x->item > y->item;
}

static int make_room(struct table *t, size_t need)
{
    if (need <= t->room)
        return 1;
    struct table_row *rows = realloc(t->rows, need * sizeof *rows);
    if (rows == NULL)
        return 0;
    t->rows = rows;
    t->room = need;
    return 1;
}

/* The largest first, so its negative; what is not known comes last in either direction. */
static double key_of(const struct column *column, int reversed, const struct model *m, size_t i)
{
    double value = column->key != NULL ? column->key(m, i) : 0;
    if (isnan(value))
        return (double)INFINITY;
    return reversed ? value : -value;
}

void table_fill(struct table *t, enum pane pane, const struct model *m, const struct ui *ui)
{
    const struct pane_table *p = t->pane = pane_table(pane);
    const struct ui_list *list = &ui->list[pane];
    const struct column *column = &p->columns[list->column];
    size_t items = m->now != NULL ? p->items_of(m) : 0;
    int names = column->key == NULL && list->reversed;
    t->model = m;
    t->count = t->listed = 0;
    t->failed = !make_room(t, items);
    for (size_t i = 0; i < items && !t->failed; i++) {
        if (!p->listed(m, ui, i))
            continue;
        t->listed++;
        if (list->filter[0] != '\0' && !p->holds(m, i, list->filter))
            continue;
        t->rows[t->count++] =
            (struct table_row){key_of(column, list->reversed, m, i), p->name(m, i), i};
    }
    if (t->count > 1)
        qsort_r(t->rows, t->count, sizeof *t->rows, by_key, &names);
}

int table_wants(const struct table *t, const struct ui_list *list)
{
    size_t rows = t->count < 1000 ? t->count : 1000;
    if (t->listed == 0)
        return t->failed ? 2 : 0;
    return 1 + (int)rows + (list->filter[0] != '\0');
}

static int width_of(const struct column *c, const struct area *a)
{
    if (a->columns < c->from)
        return 0;
    return a->columns >= COLUMN_WIDE ? c->wide : c->width;
}

/* What a column takes at a place of the row; the last of them, without a width of its own, all that
 * is left. 0: it is not shown. */
static int room_for(const struct column *c, const struct area *a, int at)
{
    int width = width_of(c, a), left = a->columns - at;
    if (c->width == 0 && c->wide == 0 && a->columns >= c->from)
        width = left;
    return width < left ? width : left;
}

static void put_aligned(struct grid *g, struct span at, const struct column *c, enum tone tone,
                        const char *text)
{
    int length = grid_width(text);
    int skip = c->left || length >= at.width ? 0 : at.width - length;
    grid_text(g, (struct span){at.row, at.column + skip, at.width - skip}, tone, text);
}

static void draw_titles(struct grid *g, const struct area *a, const struct table *t,
                        const struct ui_list *list)
{
    int at = 0;
    grid_tone(g, (struct span){a->top, a->left, a->columns}, TONE_HEAD);
    for (size_t c = 0; c < t->pane->count && at < a->columns; c++) {
        const struct column *column = &t->pane->columns[c];
        char title[32];
        struct span place = {a->top, a->left + at, room_for(column, a, at)};
        if (place.width <= 0)
            continue;
        /* the order is told by a sign, as there may be no colour */
        const char *sign = (int)c != list->column ? ""
                           : list->reversed       ? (g->utf8 ? "▲" : "^")
                                                  : (g->utf8 ? "▼" : "v");
        int fits = (int)strlen(column->title) < place.width;
        snprintf(title, sizeof title, "%s%s", column->title, fits ? sign : "");
        put_aligned(g, place, column, TONE_HEAD, title);
        if (*sign != '\0')
            grid_tone(g, place, TONE_BAR);
        at += place.width + 1;
    }
}

static void draw_row(struct grid *g, const struct area *a, int row, const struct table *t,
                     size_t item)
{
    const struct pane_table *p = t->pane;
    char text[COLUMN_BYTES];
    int at = 0;
    for (size_t c = 0; c < p->count && at < a->columns; c++) {
        const struct column *column = &p->columns[c];
        if (p->note != NULL && c == p->note_from && p->note(t->model, item, text)) {
            grid_text(g, (struct span){row, a->left + at, a->columns - at}, TONE_WARN, text);
            return;
        }
        struct span place = {row, a->left + at, room_for(column, a, at)};
        if (place.width <= 0)
            continue;
        enum tone tone = column->put(t->model, item, text);
        put_aligned(g, place, column, tone, text);
        at += place.width + 1;
    }
}

/* What is not seen: rows above and below, and what the filter keeps out. */
static void draw_rest(struct grid *g, struct span at, const struct table *t,
                      const struct ui_list *list)
{
    const char *items = t->pane->items;
    char text[160];
    size_t used = 0, last = list->top + list->page;
    if (t->count == 0)
        used = (size_t)snprintf(text, sizeof text, "  none of %zu %s", t->listed, items);
    else if (list->page == 0)
        used = (size_t)snprintf(text, sizeof text, "  %zu %s", t->count, items);
    else
        used = (size_t)snprintf(text, sizeof text, "  %zu to %zu of %zu %s", list->top + 1, last,
                                t->count, items);
    if (list->filter[0] != '\0')
        snprintf(text + used, sizeof text - used, ", filter \"%s\" (of %zu)", list->filter,
                 t->listed);
    grid_text(g, at, TONE_DIM, t->failed ? "  no memory" : text);
}

void table_draw(struct grid *g, const struct area *a, const struct table *t, struct ui_list *list)
{
    size_t room = a->rows > 1 ? (size_t)a->rows - 1 : 0;
    int rest = t->count > room || t->count == 0 || list->filter[0] != '\0';
    if (a->rows < 1)
        return;
    if (rest && room > 0)
        room--;
    list->page = t->count < room ? t->count : room;
    if (list->top > t->count - list->page)
        list->top = t->count - list->page;
    draw_titles(g, a, t, list);
    for (size_t i = 0; i < list->page; i++)
        draw_row(g, a, a->top + 1 + (int)i, t, t->rows[list->top + i].item);
    if (rest && a->rows > 1)
        draw_rest(g, (struct span){a->top + 1 + (int)list->page, a->left, a->columns}, t, list);
}

void table_free(struct table *t)
{
    free(t->rows);
    *t = (struct table){.rows = NULL};
}
