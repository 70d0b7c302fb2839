/* What the cells of all panes are put together from, and the tables of them. */
#ifndef PX_TOOLS_PXSTAT_COLUMNS_PUT_H
#define PX_TOOLS_PXSTAT_COLUMNS_PUT_H

#include "columns.h"

enum tone put_text(char *out, enum tone tone, const char *text);
enum tone put_number(char *out, double value);
enum tone put_duration(char *out, int64_t ns);
enum tone put_count(char *out, uint64_t value);

/* A count that should stay at zero. */
enum tone put_losses(char *out, uint64_t value);

/* An age as a key: what never came has none. */
double age_key(int64_t ns);

/* For a list of which nothing is left out. */
int list_everything(const struct model *m, const struct ui *ui, size_t i);

extern const struct pane_table conn_table, symbol_table, reader_table, error_table;

#endif
