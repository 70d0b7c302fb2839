/* A pane's items filtered and in order, and drawn. Pure. */
#ifndef PX_TOOLS_PXSTAT_TABLE_H
#define PX_TOOLS_PXSTAT_TABLE_H

#include "columns.h"
#include "grid.h"

struct table_row {
    double key; /* the smallest first */
    const char *name;
    size_t item;
};

/* Memory of the rows is kept from one time to the next. Begun as {0}. */
struct table {
    const struct pane_table *pane;
    const struct model *model; /* that it was filled from */
    struct table_row *rows;
    size_t count, room;
    size_t listed; /* items of the list, those that the filter keeps out too */
    int failed;    /* there was no memory for the rows */
};

/* The rows of the pane in the order of its list, those that its filter lets through. */
void table_fill(struct table *t, enum pane pane, const struct model *m, const struct ui *ui);

/* Rows that it wants, with its titles: for a pane that has nothing to show none. */
int table_wants(const struct table *t, const struct ui_list *list);

/* Draw what was filled: titles, as many rows as there is room for, and how many are not shown.
 * list->top is moved to where there are rows, list->page says how many were shown. */
void table_draw(struct grid *g, const struct area *a, const struct table *t, struct ui_list *list);

void table_free(struct table *t);

#endif
