#include "t.h"

#include "backoff.h"

#define MS INT64_C(1000000)
#define S  (1000 * MS)

T_TEST(waiting_times_double_up_to_the_cap_and_are_never_zero)
{
    struct backoff b;
    int64_t longest[12] = {0};
    for (uint64_t seed = 1; seed <= 2000; seed++) {
        backoff_init(&b, 250 * MS, 60 * S, seed);
        for (int i = 0; i < 12; i++) {
            int64_t bound = 250 * MS << i < 60 * S ? 250 * MS << i : 60 * S;
            int64_t wait = backoff_next(&b, 0);
            T_TRUE(wait > 0 && wait <= bound);
            longest[i] = wait > longest[i] ? wait : longest[i];
        }
    }
    for (int i = 0; i < 12; i++) /* full jitter reaches up to the bound */
        T_TRUE(longest[i] > (250 * MS << i < 60 * S ? 250 * MS << i : 60 * S) / 10 * 9);
}

T_TEST(two_seeds_do_not_come_back_together)
{
    struct backoff a, b;
    int same = 0;
    backoff_init(&a, S, 60 * S, 1);
    backoff_init(&b, S, 60 * S, 2);
    for (int i = 0; i < 1000; i++) {
        int64_t d = backoff_next(&a, 0) - backoff_next(&b, 0);
        same += d < 10 * MS && d > -10 * MS;
    }
    T_TRUE(same < 50);
}

T_TEST(it_never_gives_up)
{
    struct backoff b;
    backoff_init(&b, S, 60 * S, 7);
    b.failures = UINT32_MAX - 1;
    for (int i = 0; i < 10; i++) {
        int64_t wait = backoff_next(&b, 0);
        T_TRUE(wait > 0 && wait <= 60 * S);
    }
}

T_TEST(retry_after_is_obeyed_with_jitter_on_top_and_within_an_hour)
{
    struct backoff b;
    backoff_init(&b, S, 60 * S, 7);
    int64_t wait = backoff_next(&b, 30 * S);
    T_TRUE(wait > 30 * S && wait <= 31 * S);
    wait = backoff_next(&b, INT64_MAX);
    T_TRUE(wait > 3600 * S && wait <= 3602 * S);
}

T_TEST(good_data_makes_the_next_failure_the_first_again)
{
    struct backoff b;
    backoff_init(&b, S, 600 * S, 7);
    for (int i = 0; i < 9; i++)
        backoff_next(&b, 0);
    backoff_reset(&b);
    for (int i = 0; i < 100; i++) {
        T_TRUE(backoff_next(&b, 0) <= S);
        backoff_reset(&b);
    }
}

static int64_t told(int status, long after_s, const char *text, bool venue_host)
{
    /* 1994-11-06 08:49:37 is the date of RFC 7231's examples */
    struct backoff_refusal r = {status, after_s, text, venue_host, 784111777 - 90};
    return backoff_told(&r);
}

T_TEST(refusal_is_obeyed_in_seconds_and_in_the_three_forms_of_a_date)
{
    T_EQ(told(429, 3, "3", false), 3 * S);
    T_EQ(told(503, 0, "0", true), 0);
    T_EQ(told(503, -1, "Sun, 06 Nov 1994 08:49:37 GMT", false), 90 * S);
    T_EQ(told(503, -1, "Sunday, 06-Nov-94 08:49:37 GMT", false), 90 * S);
    T_EQ(told(503, -1, "Sun Nov  6 08:49:37 1994", false), 90 * S);
    T_EQ(told(503, -1, "Sun, 06 Nov 1994 08:40:00 GMT", true), 0); /* over */
}

T_TEST(refusal_that_cannot_be_read_is_a_minute_and_none_lasts_longer_than_an_hour)
{
    T_EQ(told(503, -1, "soon", false), 60 * S);
    T_EQ(told(429, -1, "Sun, 06 Nov 1994 08:49:37 GMT and then some", true), 60 * S);
    T_EQ(told(429, 1000000000, "1000000000", true), 3600 * S);
    T_EQ(told(429, -1, "Mon, 06 Nov 2090 08:49:37 GMT", true), 3600 * S);
}

T_TEST(too_many_without_a_time_is_a_minute_at_the_venue_itself)
{
    T_EQ(told(429, -1, "", true), 60 * S);
    T_EQ(told(418, -1, "", true), 60 * S);
    T_EQ(told(503, -1, "", true), 0);
    T_EQ(told(429, -1, "", false), 0);
}
