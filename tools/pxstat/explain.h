/* pxstat --explain: what each number is, and in which unit. */
#ifndef PX_TOOLS_PXSTAT_EXPLAIN_H
#define PX_TOOLS_PXSTAT_EXPLAIN_H

#include "snapshot.h"

/* Print the values that the tools compute: `name` alone, or all with NULL. Returns how many. */
size_t explain_derived(const char *name);

/* Print the counters of the segment, which describe themselves. Returns how many. */
size_t explain_counters(const struct snapshot *s, const char *name);

#endif
