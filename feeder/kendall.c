#include "kendall.h"

#include <math.h>
#include <stdbool.h>
#include <string.h>

/* A correlation that many of n unrelated points stay below: those are taken for none. */
#define SIGNIFICANT 1.96
/* Halvings of the range of slopes, and as many guesses between them: a millionth of it is left.
 * Most end by a tenth of that, at a slope that has half of the pairs below it but for one in so
 * many. */
#define HALVINGS 20
#define NEAR     2048
/* Rows so short are sorted by insertion, which is quicker there. */
#define SHORT 8

/* Merge a[low..mid) and a[mid..high), both sorted, into b; counts pairs in the wrong order. */
static size_t merge(const double *a, size_t low, size_t mid, size_t high, double *b)
{
    size_t i = low, j = mid, wrong = 0;
    for (size_t k = low; k < high; k++) {
        if (j == high || (i < mid && a[i] <= a[j])) {
            b[k] = a[i++];
        } else {
            b[k] = a[j++];
            wrong += mid - i;
        }
    }
    return wrong;
}

static size_t insert(double *a, size_t n)
{
    size_t wrong = 0;
    for (size_t i = 1; i < n; i++) {
        double v = a[i];
        size_t j = i;
        for (; j > 0 && a[j - 1] > v; j--)
            a[j] = a[j - 1];
        a[j] = v;
        wrong += i - j;
    }
    return wrong;
}

double kendall_median(double *values, size_t n)
{
    insert(values, n);
    return values[n / 2];
}

/* Sort a, with b as long; returns how many pairs i < j had a[i] > a[j]. */
static size_t inversions(double *a, size_t n, double *b)
{
    size_t wrong = 0;
    for (size_t low = 0; low < n; low += SHORT)
        wrong += insert(a + low, n - low < SHORT ? n - low : SHORT);
    for (size_t width = SHORT; width < n; width *= 2) {
        for (size_t low = 0; low < n; low += 2 * width) {
            size_t mid = low + width < n ? low + width : n;
            size_t high = mid + width < n ? mid + width : n;
            wrong += merge(a, low, mid, high, b);
        }
        memcpy(a, b, n * sizeof *a);
    }
    return wrong;
}

/* Pairs whose slope is below `slope`. */
static size_t below(const double *y, size_t n, double slope, double *scratch)
{
    for (size_t i = 0; i < n; i++)
        scratch[i] = y[i] - slope * (double)i;
    return inversions(scratch, n, scratch + n);
}

/* Between two slopes that have so many pairs below them: where the line through both has `half`, or
 * in the middle, in turn. The line is quick, the middle is sure. */
static double between(const double slope[2], const size_t pairs[2], size_t half, bool middle)
{
    double part = middle ? 0.5 : (double)(half - pairs[0]) / (double)(pairs[1] - pairs[0]);
    return slope[0] + part * (slope[1] - slope[0]);
}

/* The slope of a pair is a mean of slopes of neighbours: it lies between theirs. */
double kendall_slope(const double *y, size_t n, double *scratch)
{
    if (n < 2)
        return 0;
    double range[2] = {y[1] - y[0], y[1] - y[0]};
    for (size_t i = 2; i < n; i++) {
        range[0] = fmin(range[0], y[i] - y[i - 1]);
        range[1] = fmax(range[1], y[i] - y[i - 1]);
    }
    const size_t half = n * (n - 1) / 4;
    size_t pairs[2] = {0, 2 * half + 1};
    for (int i = 0; i < 2 * HALVINGS && range[1] > range[0]; i++) {
        double slope = between(range, pairs, half, i % 2 == 0);
        size_t count = below(y, n, slope, scratch);
        if (count + half / NEAR >= half && count <= half + half / NEAR)
            return slope;
        int end = count > half;
        range[end] = slope;
        pairs[end] = count;
    }
    return range[0] + (range[1] - range[0]) / 2;
}

/* What equal values take away from the variance, of a sorted row. */
static double ties(const double *sorted, size_t n)
{
    double sum = 0;
    for (size_t i = 0, j; i < n; i = j) {
        for (j = i + 1; j < n && sorted[j] == sorted[i];)
            j++;
        double t = (double)(j - i);
        sum += t * (t - 1) * (2 * t + 5);
    }
    return sum;
}

static size_t first_not_below(const double *sorted, size_t n, double value)
{
    size_t low = 0;
    while (n > 0) {
        size_t half = n / 2;
        bool right = sorted[low + half] < value;
        low = right ? low + half + 1 : low;
        n = right ? n - half - 1 : half;
    }
    return low;
}

/* Replace points by their ranks without the trend, around 0. Returns the sum of squares. */
static double ranks(const double *y, size_t n, double slope, double *scratch)
{
    double *rank = scratch, *sorted = scratch + n, squares = 0;
    for (size_t i = 0; i < n; i++)
        rank[i] = sorted[i] = y[i] - slope * (double)i;
    inversions(rank, n, sorted);
    memcpy(sorted, rank, n * sizeof *sorted);
    for (size_t i = 0; i < n; i++) {
        double value = y[i] - slope * (double)i;
        size_t first = first_not_below(sorted, n, value), last = first;
        while (last < n && sorted[last] == value)
            last++;
        rank[i] = (double)(first + last) / 2 - (double)n / 2;
        squares += rank[i] * rank[i];
    }
    return squares;
}

/* Hamed and Rao: how much wider the statistic spreads because neighbours resemble each other. */
static double inflation(const double *y, size_t n, double *scratch)
{
    double slope = kendall_slope(y, n, scratch);
    double squares = ranks(y, n, slope, scratch);
    double sum = 0, count = (double)n;
    if (squares <= 0)
        return 1;
    for (size_t lag = 1; lag < n / 4; lag++) {
        double r = 0, rest = (double)(n - lag);
        for (size_t i = 0; i + lag < n; i++)
            r += scratch[i] * scratch[i + lag];
        r /= squares;
        if (fabs(r) > SIGNIFICANT / sqrt(count))
            sum += rest * (rest - 1) * (rest - 2) * r;
    }
    double factor = 1 + 2 * sum / (count * (count - 1) * (count - 2));
    return factor > 1 ? factor : 1;
}

double kendall_z(const double *y, size_t n, double *scratch)
{
    if (n < 4)
        return 0;
    double falling = (double)below(y, n, 0, scratch);
    double pairs = (double)n * (double)(n - 1);
    double tied = ties(scratch, n), variance = (pairs * (2 * (double)n + 5) - tied) / 18;
    for (size_t i = 0; i < n; i++)
        scratch[i] = -y[i];
    double s = (double)inversions(scratch, n, scratch + n) - falling;
    if (variance <= 0 || s == 0)
        return 0;
    s += s > 0 ? -1 : 1;
    return s / sqrt(variance * inflation(y, n, scratch));
}

double kendall_confidence(double z)
{
    return erf(fabs(z) / sqrt(2));
}
