/* One second of a bus as a row of the history. Pure. */
#ifndef PX_TOOLS_PXMON_SAMPLE_H
#define PX_TOOLS_PXMON_SAMPLE_H

#include "columns.h"
#include "subject.h"

/* What changed is counted between the subject's last two looks; without an earlier one it is not
 * known. `t` is the Unix time of the row, s. */
void sample_row(struct history_row *row, const struct subject *s, int64_t t);

#endif
