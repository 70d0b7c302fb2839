/* The panes as tables: what stands in each column, and what it is sorted by. A new column is a
 * line. Pure. */
#ifndef PX_TOOLS_PXSTAT_COLUMNS_H
#define PX_TOOLS_PXSTAT_COLUMNS_H

#include "model.h"
#include "tone.h"
#include "ui.h"

#define COLUMN_BYTES 256

struct column {
    const char *title;
    int width; /* characters; 0: the rest of the row */
    int wide;  /* as many in a pane of COLUMN_WIDE or more */
    int from;  /* shown in a pane of at least so many columns */
    int left;  /* aligned to the left */
    /* The text of item i, COLUMN_BYTES at most. */
    enum tone (*put)(const struct model *m, size_t i, char *out);
    /* What it is sorted by, the largest first; NAN comes last. NULL: the name of the item. */
    double (*key)(const struct model *m, size_t i);
};
#define COLUMN_WIDE 96

struct pane_table {
    const char *items; /* "symbols" */
    const struct column *columns;
    size_t count;
    int first_order;
    size_t (*items_of)(const struct model *m);
    const char *(*name)(const struct model *m, size_t i);
    /* Is item i of the list at all, and does it hold this text (of any case)? */
    int (*listed)(const struct model *m, const struct ui *ui, size_t i);
    int (*holds)(const struct model *m, size_t i, const char *text);
    /* Words in place of the columns from `note_from` on: 0 none. NULL: never. */
    int (*note)(const struct model *m, size_t i, char *out);
    size_t note_from;
};

/* Of PANE_CONNS to PANE_ERRORS. */
const struct pane_table *pane_table(enum pane pane);

/* Short forms for narrow columns: "-", "0.5", "12,345" or "123k"; "40ms", "2m05s", "1h02m". */
#define SHORT_BYTES 16
char *short_number(char out[SHORT_BYTES], double value);
char *short_duration(char out[SHORT_BYTES], int64_t ns);

#endif
