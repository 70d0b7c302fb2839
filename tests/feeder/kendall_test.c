/* The rank test and the slope, against values that can be worked out by hand or counted pair by
 * pair. */
#include <math.h>
#include <stdbool.h>

#include "kendall.h"
#include "t.h"

#define N 97
static double scratch[KENDALL_SCRATCH(512)];

static bool close_to(double a, double b, double within)
{
    return fabs(a - b) <= within;
}

static double noise(uint64_t *state)
{
    *state = *state * 6364136223846793005u + 1442695040888963407u;
    return (double)(*state >> 40) / (1 << 24) - 0.5;
}

static int ascending(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

T_TEST(the_slope_is_the_median_of_all_pairs)
{
    static double pair[N * (N - 1) / 2];
    double y[N];
    uint64_t random = 7;
    size_t n = 0;
    for (size_t i = 0; i < N; i++)
        y[i] = 3.5 * (double)i + 400 * noise(&random);
    for (size_t i = 0; i < N; i++)
        for (size_t j = i + 1; j < N; j++)
            pair[n++] = (y[j] - y[i]) / (double)(j - i);
    qsort(pair, n, sizeof pair[0], ascending);
    T_TRUE(close_to(kendall_slope(y, N, scratch), pair[n / 2], 0.01));
}

T_TEST(a_quarter_of_the_points_may_be_anything)
{
    double y[N];
    for (size_t i = 0; i < N; i++)
        y[i] = i % 5 == 0 ? 1e9 : 10 + 2 * (double)i;
    T_TRUE(close_to(kendall_slope(y, N, scratch), 2, 1e9 / (1 << 20)));
}

T_TEST(the_statistic_without_ties_is_that_of_the_textbook)
{
    /* 10 points that only rise: S = 45, variance = 10 * 9 * 25 / 18 = 125 */
    double y[10];
    for (size_t i = 0; i < 10; i++)
        y[i] = 3 * (double)i;
    T_TRUE(close_to(kendall_z(y, 10, scratch), 44 / sqrt(125), 1e-9));
    for (size_t i = 0; i < 10; i++)
        y[i] = -(double)i;
    T_TRUE(close_to(kendall_z(y, 10, scratch), -44 / sqrt(125), 1e-9));
}

T_TEST(equal_points_count_for_nothing)
{
    /* 1 1 2 2: S = 4, variance = (4 * 3 * 13 - 2 * (2 * 1 * 9)) / 18 = 120 / 18 */
    const double two[] = {1, 1, 2, 2};
    double flat[64];
    for (size_t i = 0; i < 64; i++)
        flat[i] = 4096;
    T_TRUE(close_to(kendall_z(two, 4, scratch), 3 / sqrt(120.0 / 18), 1e-9));
    T_TRUE(kendall_z(flat, 64, scratch) == 0);
    T_TRUE(kendall_slope(flat, 64, scratch) == 0);
    T_TRUE(kendall_confidence(0) == 0);
}

T_TEST(a_statistic_of_two_deviations_is_sure_by_95_in_100)
{
    T_TRUE(close_to(kendall_confidence(1.959964), 0.95, 1e-6));
    T_TRUE(close_to(kendall_confidence(-1.959964), 0.95, 1e-6));
}

/* Rows without a trend whose neighbours resemble each other; how many are called trends. */
static int called(int rows, double memory)
{
    double y[120];
    uint64_t state = 11;
    int wrong = 0;
    for (int r = 0; r < rows; r++) {
        double v = 0;
        for (size_t i = 0; i < 120 + 50; i++) {
            v = memory * v + noise(&state);
            if (i >= 50)
                y[i - 50] = v;
        }
        wrong += fabs(kendall_z(y, 120, scratch)) > 1.959964;
    }
    return wrong;
}

T_TEST(noise_is_called_a_trend_as_often_as_was_agreed)
{
    int wrong = called(2000, 0);
    T_TRUE(wrong > 50 && wrong < 160); /* 5 in 100 */
}

/* Without the correction it is every other of such rows; what is left is why a trend alone is no
 * alarm. */
T_TEST(noise_that_remembers_is_called_a_trend_half_as_often_as_without_correction)
{
    T_TRUE(called(2000, 0.8) < 600);
}
