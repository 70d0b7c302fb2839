/* The long form. */
#include "week_test.h"

T_TEST(a_week_of_failures_breaks_no_promise)
{
    static const struct week_plan plan = {.length_ns = 7 * DAY, .fault_every_ns = 2 * HOUR};
    week_seeds(1, &plan, 1);
}

T_TEST(a_hundred_days_of_failures_break_no_promise)
{
    static const struct week_plan plan = {.length_ns = DAY, .fault_every_ns = HOUR};
    week_seeds(100, &plan, 50);
}
