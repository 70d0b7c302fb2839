/* Paints a look at a bus into a grid, for any size of screen. Pure: the same scene gives the same
 * cells. */
#ifndef PX_TOOLS_PXSTAT_PAINT_H
#define PX_TOOLS_PXSTAT_PAINT_H

#include "grid.h"
#include "model.h"
#include "page.h"
#include "recycle.h"
#include "table.h"
#include "ui.h"

struct scene {
    struct grid *grid;
    const struct model *model; /* subject is set: model_update() was called */
    struct ui *ui;             /* its lists are scrolled back to where there are rows */
    struct table *tables;      /* PANE_COUNT of them, to work in */
    const struct page *page;   /* shown in place of the panes when ui->sections */
    const struct recycle *recycle;
};

void paint(const struct scene *s);

#endif
