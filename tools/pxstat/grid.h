/* A screen in memory: cells with a character and a tone. The terminal shows it (screen.c), tests
 * read it. Everything is cut at its edges. Pure. */
#ifndef PX_TOOLS_PXSTAT_GRID_H
#define PX_TOOLS_PXSTAT_GRID_H

#include <stddef.h>
#include <wchar.h>

#include "tone.h"

struct cell {
    wchar_t ch; /* takes one column */
    enum tone tone;
};

struct grid {
    int rows, columns;
    int utf8;           /* the terminal can show more than ASCII; else such a character is '?' */
    struct cell *cells; /* rows * columns, row by row */
    size_t room;
};

/* Cells of one row. */
struct span {
    int row, column, width;
};

/* A rectangle of it. */
struct area {
    int top, left, rows, columns;
};

/* Another size, all blank. Memory of a larger one is kept. Errors: -ENOMEM, it then has no rows. */
int grid_resize(struct grid *g, int rows, int columns);
void grid_free(struct grid *g);

/* NULL outside. */
struct cell *grid_at(const struct grid *g, int row, int column);

/* UTF-8 text from the beginning of a span: what is longer than it ends with '~'. What would steer a
 * terminal, or does not take one column, is '?'. Returns the columns used. */
int grid_text(struct grid *g, struct span at, enum tone tone, const char *text);

/* The columns that UTF-8 text takes. */
int grid_width(const char *text);

/* grid_text() for the rest of the row. */
__attribute__((format(printf, 5, 6))) int grid_print(struct grid *g, int row, int column,
                                                     enum tone tone, const char *format, ...);

/* Give cells a tone, and leave what stands there. */
void grid_tone(struct grid *g, struct span at, enum tone tone);

/* As many of the values as there is room for, the newest on the right. Returns the columns used. */
int grid_spark(struct grid *g, struct span at, const double *values, size_t count);

/* Blanks an area and draws a frame on its edge, with a title. */
void grid_box(struct grid *g, const struct area *a, const char *title);

#endif
