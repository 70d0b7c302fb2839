/* pxstat --explain: what each number is, in which unit, and where it comes from. */
#ifndef PX_TOOLS_PXSTAT_EXPLAIN_H
#define PX_TOOLS_PXSTAT_EXPLAIN_H

#include "snapshot.h"

/* Print what is no counter: `name` alone, or all with NULL. Returns how many. */
size_t explain_values(const char *name);

/* Print the counters of the segment, which describe themselves. Returns how many. */
size_t explain_counters(const struct snapshot *s, const char *name);

#endif
