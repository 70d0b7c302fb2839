/* Jumps are found and taken out; noise, slopes and single points are left as they are. */
#include <math.h>

#include "mend.h"
#include "t.h"

#define MB 1e6
#define N  300
/* Of N points so many are far enough from both ends. */
#define SEEN (N - 9)
static double y[N], scratch[MEND_SCRATCH(N)];

static double normal(void)
{
    static uint64_t state = 42;
    double sum = -6;
    for (int i = 0; i < 12; i++) {
        state = state * 6364136223846793005u + 1442695040888963407u;
        sum += (double)(state >> 40) / (1 << 24);
    }
    return sum;
}

/* Teeth of 1 MB, of which the first falls at `fall`, over a slope a second, with noise. */
static void fill(size_t period, size_t fall, double slope, double deviation)
{
    for (size_t i = 0; i < N; i++) {
        size_t into = (i + period - fall % period) % period;
        y[i] =
            64 * MB + MB * (double)into / (double)period + slope * (double)i + deviation * normal();
    }
}

/* The largest difference from the straight line through the first point. */
static double crooked(double slope)
{
    double most = 0;
    for (size_t i = 0; i < N; i++)
        most = fmax(most, fabs(y[i] - y[0] - slope * (double)i));
    return most;
}

T_TEST(teeth_without_noise_become_one_straight_line_wherever_they_fall)
{
    double fallen;
    for (size_t fall = 5; fall < N / 3 - 5; fall++) {
        fill(100, fall, 5000, 0);
        T_EQ(mend(y, N, scratch, &fallen), 3);
        T_TRUE(fabs(fallen * SEEN - 3 * MB) < 1);
        T_TRUE(crooked(MB / 100 + 5000) < 1);
    }
}

T_TEST(teeth_within_noise_are_mended_to_a_fifth_of_what_they_fall_by)
{
    double fallen;
    for (size_t fall = 5; fall < N - 5; fall++) {
        fill(N, fall, 14000, 65536);
        T_EQ(mend(y, N, scratch, &fallen), 1);
        T_TRUE(fabs(fallen * SEEN - MB) < 0.2 * MB);
        double slope = MB / N + 14000, begin = 0, end = 0;
        for (size_t i = 0; i < 30; i++) {
            begin += y[i] / 30;
            end += y[N - 30 + i] / 30;
        }
        T_TRUE(fabs(end - begin - slope * (N - 30)) < 0.2 * MB);
    }
}

T_TEST(a_step_up_is_taken_out_and_is_no_fall)
{
    double fallen;
    fill(N, 0, -MB / N, 65536);
    for (size_t i = 120; i < N; i++)
        y[i] += 4 * MB;
    T_EQ(mend(y, N, scratch, &fallen), 1);
    T_TRUE(fallen == 0);
    T_TRUE(crooked(0) < 0.6 * MB);
}

T_TEST(noise_has_no_jumps_however_steep_the_row_is)
{
    double before[N], fallen;
    for (int i = 0; i < 200; i++) {
        fill(N, 0, i % 2 == 0 ? 0 : 140000, 65536);
        memcpy(before, y, sizeof y);
        T_EQ(mend(y, N, scratch, &fallen), 0);
        T_TRUE(fallen == 0);
        T_MEM(before, y, sizeof y);
    }
}

T_TEST(a_single_point_is_no_jump)
{
    double fallen;
    fill(N, 0, 0, 65536);
    y[150] += MB;
    T_EQ(mend(y, N, scratch, &fallen), 0);
    T_TRUE(fallen == 0);
}

T_TEST(a_row_made_of_jumps_is_refused)
{
    double fallen;
    fill(12, 5, 0, 0);
    T_EQ(mend(y, N, scratch, &fallen), -1);
}

T_TEST(a_row_that_grows_by_jumps_is_refused)
{
    double fallen;
    fill(N, 0, -MB / N, 0);
    for (size_t i = 0; i < N; i++)
        y[i] += MB * (double)(i / 60);
    T_EQ(mend(y, N, scratch, &fallen), -1);
}

T_TEST(a_row_that_is_too_short_is_left_alone)
{
    double few[] = {0, MB, 0, MB}, fallen = 1;
    T_EQ(mend(few, 4, scratch, &fallen), 0);
    T_TRUE(fallen == 0 && few[1] == MB);
}
