/* Is there a trend, and how steep: the rank test of Mann and Kendall with the variance of Hamed and
 * Rao for noise that remembers, and Sen's slope. Neither asks what the noise looks like. Both count
 * pairs by merging, so that n points cost n log n and no memory but the caller's. Pure. */
#ifndef PX_FEEDER_KENDALL_H
#define PX_FEEDER_KENDALL_H

#include <stddef.h>

/* Doubles of scratch for n points. */
#define KENDALL_SCRATCH(n) (2 * (n))

/* The statistic of points that are equally far apart: positive rises. About normal with deviation 1
 * where there is no trend, from 10 points on; 0 for fewer than 4, or where all are equal. */
double kendall_z(const double *y, size_t n, double *scratch);
/* How sure a statistic makes of a trend, up or down: 0 to 1. */
double kendall_confidence(double z);
/* Median of the slopes of all pairs of points, per step from one point to the next; 0 for fewer
 * than 2. A quarter of the points may be anything. */
double kendall_slope(const double *y, size_t n, double *scratch);
/* The upper median of n values, 1 or more, by insertion: for a hundred or so. Sorts them. */
double kendall_median(double *values, size_t n);

#endif
