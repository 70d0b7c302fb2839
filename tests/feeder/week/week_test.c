#include "week_test.h"

T_TEST(half_a_day_of_failures_breaks_no_promise)
{
    static const struct week_plan plan = {.length_ns = 5 * HOUR, .fault_every_ns = 300 * S};
    week_seeds(3, &plan, 1);
}
