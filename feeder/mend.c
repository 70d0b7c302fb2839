#include "mend.h"

#include <math.h>

#include "kendall.h"

/* Means of so many points on either side are compared. */
#define SIDE 5
/* Points so far apart say how steep the row is. */
#define APART 4
/* The scale of noise and the steepness are medians of no more than so many differences. */
#define DIFFERENCES 100
/* A jump is larger than so many deviations of noise, which for means of five is 8 of theirs, and
 * than memory that moves by blocks. */
#define DEVIATIONS 5.0
#define LEAST      (64 * 1024.0)
/* Of normal noise: the deviation from the median of absolute differences of neighbours. */
#define DEVIATION (1 / (0.6745 * 1.4142))
#define JUMPS_MAX 16
/* More of them up are no steps but the way that memory grows. */
#define STEPS_MAX 2

/* From one point to the next. */
static double steepness(const double *y, size_t n, double *scratch)
{
    size_t step = n / DIFFERENCES + 1, count = 0;
    for (size_t i = 0; i + APART < n; i += step)
        scratch[count++] = (y[i + APART] - y[i]) / APART;
    return kendall_median(scratch, count);
}

static double deviation(const double *y, size_t n, double steep, double *scratch)
{
    size_t step = n / DIFFERENCES + 1, count = 0;
    for (size_t i = 0; i + 1 < n; i += step)
        scratch[count++] = fabs(y[i + 1] - y[i] - steep);
    return kendall_median(scratch, count) * DEVIATION;
}

/* The largest change of level, and the first point after it. */
static double largest(const double *y, size_t n, double steep, size_t *at)
{
    double before = 0, after = 0, most = 0;
    for (size_t i = 0; i < SIDE; i++) {
        before += y[i];
        after += y[i + SIDE];
    }
    for (size_t i = SIDE;; i++) {
        double jump = (after - before) / SIDE - SIDE * steep;
        if (fabs(jump) > fabs(most)) {
            most = jump;
            *at = i;
        }
        if (i + SIDE == n)
            return most;
        before += y[i] - y[i - SIDE];
        after += y[i + SIDE] - y[i];
    }
}

int mend(double *y, size_t n, double *scratch, double *fallen)
{
    *fallen = 0;
    if (n < 2 * SIDE)
        return 0;
    double steep = steepness(y, n, scratch);
    double least = fmax(LEAST, DEVIATIONS * deviation(y, n, steep, scratch));
    for (int jumps = 0, up = 0; jumps < JUMPS_MAX && up <= STEPS_MAX; jumps++) {
        size_t at = 0;
        double jump = largest(y, n, steep, &at);
        if (fabs(jump) <= least)
            return jumps;
        up += jump > 0;
        *fallen += fmax(-jump, 0) / (double)(n - 2 * SIDE + 1); /* where they would be seen */
        for (size_t i = at; i < n; i++)
            y[i] -= jump;
    }
    return -1;
}
