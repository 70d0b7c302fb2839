#include "t.h"

#include "budget.h"

#define MS INT64_C(1000000)
#define S  (1000 * MS)

static struct budget b;

T_TEST(as_many_attempts_as_the_venue_allows_are_made_at_once_and_the_next_one_waits)
{
    budget_init(&b, 3, 1);
    for (int i = 0; i < 3; i++) {
        T_EQ(budget_next(&b, 10 * S), 10 * S);
        budget_take(&b, 10 * S);
    }
    T_EQ(budget_next(&b, 10 * S), 11 * S + 100 * MS); /* a tenth more than published */
    T_EQ(budget_next(&b, 11 * S + 99 * MS), 11 * S + 100 * MS);
    T_EQ(budget_next(&b, 12 * S), 12 * S);
}

T_TEST(the_window_slides)
{
    budget_init(&b, 2, 10);
    budget_take(&b, 0);
    budget_take(&b, 8 * S);
    T_EQ(budget_next(&b, 9 * S), 11 * S);
    budget_take(&b, 11 * S);
    T_EQ(budget_next(&b, 11 * S), 19 * S);
}

T_TEST(no_window_ever_holds_more_than_the_limit)
{
    static int64_t made[20000];
    uint32_t n = 0;
    budget_init(&b, 7, 30);
    for (int64_t now = 0; n < 20000; now = budget_next(&b, now + 1)) {
        made[n++] = now;
        budget_take(&b, now);
    }
    for (uint32_t i = 7; i < n; i++)
        T_TRUE(made[i] - made[i - 7] >= 30 * S);
    T_TRUE(made[n - 1] < n / 7 * 34 * S); /* and it is used */
}

T_TEST(a_venue_without_a_limit_has_none)
{
    budget_init(&b, 0, 0);
    for (int i = 0; i < 10000; i++) {
        budget_take(&b, 5);
        T_EQ(budget_next(&b, 5), 5);
    }
    T_EQ(b.count, 0);
}

T_TEST(a_venue_that_allows_more_than_is_remembered_is_held_to_that)
{
    budget_init(&b, 100000, 60);
    for (uint32_t i = 0; i < BUDGET_ATTEMPTS_MAX; i++)
        budget_take(&b, 1);
    T_TRUE(budget_next(&b, 1) > 60 * S);
}

T_TEST(two_venues_at_one_address_keep_the_stricter_of_both_limits)
{
    budget_init(&b, 300, 300);
    budget_share(&b, 0, 0);
    T_EQ(b.limit, 300);
    budget_share(&b, 500, 600);
    T_EQ(b.limit, 300);
    T_EQ(b.window_ns, 660 * S);
    budget_share(&b, 3, 1);
    T_EQ(b.limit, 3);
    T_EQ(b.window_ns, 660 * S);
    budget_init(&b, 0, 0);
    budget_share(&b, 3, 1);
    T_EQ(b.limit, 3);
    T_EQ(b.window_ns, 1100 * MS);
}

T_TEST(the_remembered_attempts_are_the_last_ones_in_their_order)
{
    budget_init(&b, 4, 10);
    for (int64_t i = 0; i < 11; i++)
        budget_take(&b, i);
    T_EQ(b.count, 4);
    for (uint32_t i = 0; i < 4; i++)
        T_EQ(budget_at(&b, i), 7 + i);
}
