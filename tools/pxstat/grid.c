/* See grid.h. */
#include "grid.h"

#include <errno.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#include "spark.h"

static void blank(struct grid *g, const struct area *a)
{
    for (int row = a->top; row < a->top + a->rows; row++)
        for (int column = a->left; column < a->left + a->columns; column++) {
            struct cell *cell = grid_at(g, row, column);
            if (cell != NULL)
                *cell = (struct cell){L' ', TONE_PLAIN};
        }
}

int grid_resize(struct grid *g, int rows, int columns)
{
    size_t need = (size_t)rows * (size_t)columns;
    if (need > g->room) {
        struct cell *cells = realloc(g->cells, need * sizeof *cells);
        if (cells == NULL) {
            g->rows = g->columns = 0;
            return -ENOMEM;
        }
        g->cells = cells;
        g->room = need;
    }
    g->rows = rows;
    g->columns = columns;
    blank(g, &(struct area){0, 0, rows, columns});
    return 0;
}

void grid_free(struct grid *g)
{
    free(g->cells);
    *g = (struct grid){.utf8 = g->utf8};
}

struct cell *grid_at(const struct grid *g, int row, int column)
{
    if (row < 0 || row >= g->rows || column < 0 || column >= g->columns)
        return NULL;
    return &g->cells[(size_t)row * (size_t)g->columns + (size_t)column];
}

/* The next character of UTF-8 text; '?' for what is none, which is passed by one byte. */
static uint32_t next_char(const char **text)
{
    const unsigned char *p = (const unsigned char *)*text;
    int more = p[0] < 0x80 ? 0 : (p[0] & 0xe0) == 0xc0 ? 1 : (p[0] & 0xf0) == 0xe0 ? 2 : 3;
    if (p[0] >= 0x80 && (p[0] < 0xc2 || p[0] > 0xf4))
        more = -1;
    uint32_t ch = more <= 0 ? p[0] : p[0] & (0x3fu >> more);
    for (int i = 1; i <= more; i++) {
        if ((p[i] & 0xc0) != 0x80) {
            more = -1;
            break;
        }
        ch = ch << 6 | (p[i] & 0x3fu);
    }
    *text += more > 0 ? 1 + more : 1;
    return more < 0 ? '?' : ch;
}

/* Does it take exactly one column and steer nothing? Scripts of double width, marks that combine
 * and signs of direction do not; which of them a terminal knows is its own matter. */
static int takes_one_column(uint32_t ch)
{
    return (ch >= 0x20 && ch < 0x7f) || (ch >= 0xa1 && ch < 0x300) || (ch >= 0x370 && ch < 0x483) ||
           (ch >= 0x2010 && ch < 0x2028) || (ch >= 0x2030 && ch < 0x205f) ||
           (ch >= 0x20a0 && ch < 0x20d0) || (ch >= 0x2190 && ch < 0x2600);
}

static wchar_t shown_as(const struct grid *g, uint32_t ch)
{
    if (!takes_one_column(ch) || (ch >= 0x80 && !g->utf8))
        return L'?';
    return (wchar_t)ch;
}

int grid_width(const char *text)
{
    int columns = 0;
    while (*text != '\0') {
        next_char(&text);
        columns++;
    }
    return columns;
}

/* What of it is left of the right edge. */
static int width_inside(const struct grid *g, const struct span *at)
{
    return at->width < g->columns - at->column ? at->width : g->columns - at->column;
}

int grid_text(struct grid *g, struct span at, enum tone tone, const char *text)
{
    int used = 0, width = width_inside(g, &at);
    while (*text != '\0' && used < width) {
        struct cell *cell = grid_at(g, at.row, at.column + used++);
        wchar_t ch = shown_as(g, next_char(&text));
        if (cell != NULL)
            *cell = (struct cell){used == width && *text != '\0' ? L'~' : ch, tone};
    }
    return used;
}

int grid_print(struct grid *g, int row, int column, enum tone tone, const char *format, ...)
{
    char text[1024];
    va_list args;
    va_start(args, format);
    vsnprintf(text, sizeof text, format, args);
    va_end(args);
    return grid_text(g, (struct span){row, column, g->columns - column}, tone, text);
}

void grid_tone(struct grid *g, struct span at, enum tone tone)
{
    for (int i = 0; i < at.width; i++) {
        struct cell *cell = grid_at(g, at.row, at.column + i);
        if (cell != NULL)
            cell->tone = tone;
    }
}

int grid_spark(struct grid *g, struct span at, const double *values, size_t count)
{
    int width = width_inside(g, &at);
    if (width <= 0)
        return 0;
    size_t shown = count < (size_t)width ? count : (size_t)width;
    values += count - shown;
    struct spark_range range = spark_range_of(values, shown);
    for (size_t i = 0; i < shown; i++) {
        int eighths = spark_eighths(&range, values[i], 0, 1);
        grid_text(g, (struct span){at.row, at.column + (int)i, 1}, TONE_PLAIN,
                  spark_bar(eighths, g->utf8));
    }
    return (int)shown;
}

void grid_box(struct grid *g, const struct area *a, const char *title)
{
    int right = a->left + a->columns - 1, bottom = a->top + a->rows - 1;
    blank(g, a);
    for (int column = a->left; column <= right; column++) {
        grid_text(g, (struct span){a->top, column, 1}, TONE_HEAD, g->utf8 ? "─" : "-");
        grid_text(g, (struct span){bottom, column, 1}, TONE_HEAD, g->utf8 ? "─" : "-");
    }
    for (int row = a->top; row <= bottom; row++) {
        int edge = row == a->top || row == bottom;
        grid_text(g, (struct span){row, a->left, 1}, TONE_HEAD, edge ? "+" : g->utf8 ? "│" : "|");
        grid_text(g, (struct span){row, right, 1}, TONE_HEAD, edge ? "+" : g->utf8 ? "│" : "|");
    }
    grid_print(g, a->top, a->left + 2, TONE_HEAD, " %s ", title);
}
