/* Bars of charts: eighths of a character cell, also for terminals that know ASCII only. Pure. */
#ifndef PX_TOOLS_PXSTAT_SPARK_H
#define PX_TOOLS_PXSTAT_SPARK_H

#include <stddef.h>

/* Can the terminal of this locale show more than ASCII? After setlocale(). */
int spark_locale(void);

/* A cell that is filled by so many eighths, 0 to 8. */
const char *spark_bar(int eighths, int utf8);

struct spark_range {
    double low, high;
};

/* The range to draw `values` in; NAN counts for nothing. It is at least a sixty-fourth of the
 * largest, so that what is flat looks flat. */
struct spark_range spark_range_of(const double *values, size_t count);

/* How far a value fills one line of a chart that is `height` lines high, line 0 the lowest: 0 to 8.
 * The lowest line of a value is never empty: that there is one is seen. NAN fills nothing. */
int spark_eighths(const struct spark_range *range, double value, int line, int height);

#endif
