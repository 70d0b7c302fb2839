#include "t.h"

#include "breaker.h"
#include "spread.h"

#define MS   INT64_C(1000000)
#define S    (1000 * MS)
#define HOUR (3600 * S)

static struct breaker b;

static bool fails_told(uint32_t who, int64_t began, int64_t until, bool told, int64_t now)
{
    struct breaker_failure f = {
        .who = who, .began_ns = began, .until_ns = until, .told = told, .reason = "refused"};
    return breaker_failed(&b, &f, now);
}

static bool fails(uint32_t who, int64_t began, int64_t until, int64_t now)
{
    return fails_told(who, began, until, false, now);
}

/* Open until 10 s. */
static void open_it(void)
{
    breaker_init(&b, BREAKER_HOLD_NS);
    breaker_begin(&b, 1, 5 * S);
    T_TRUE(fails(1, 5 * S, 10 * S, 6 * S));
    T_EQ(breaker_state(&b, 6 * S), PX_BREAKER_OPEN);
}

T_TEST(a_closed_breaker_lets_everybody_try)
{
    breaker_init(&b, BREAKER_HOLD_NS);
    for (uint32_t who = 0; who < 64; who++) {
        T_EQ(breaker_next(&b, 7), 7);
        breaker_begin(&b, who, 7);
    }
    T_EQ(breaker_state(&b, 7), PX_BREAKER_CLOSED);
}

T_TEST(an_open_breaker_lets_nobody_try_before_its_time)
{
    open_it();
    T_STR(b.reason, "refused");
    T_EQ(breaker_next(&b, 6 * S), 10 * S);
    T_EQ(breaker_next(&b, 10 * S - 1), 10 * S);
    T_EQ(breaker_next(&b, 10 * S), 10 * S);
    T_EQ(breaker_state(&b, 10 * S), PX_BREAKER_HALF_OPEN);
}

T_TEST(a_half_open_breaker_lets_exactly_one_try_and_the_others_wait_for_its_verdict)
{
    open_it();
    breaker_begin(&b, 2, 10 * S);
    T_TRUE(breaker_next(&b, 10 * S) > 10 * S);
    T_TRUE(breaker_next(&b, 39 * S) > 39 * S);
    T_TRUE(breaker_good(&b, 21 * S));
    T_EQ(breaker_state(&b, 21 * S), PX_BREAKER_CLOSED);
    T_EQ(breaker_next(&b, 21 * S), 21 * S);
    T_EQ(b.failures, 0);
    T_STR(b.reason, "");

    open_it();
    breaker_begin(&b, 2, 10 * S);
    T_TRUE(fails(2, 10 * S, 17 * S, 11 * S));
    T_EQ(breaker_state(&b, 11 * S), PX_BREAKER_OPEN);
    T_EQ(breaker_next(&b, 11 * S), 17 * S);
    T_EQ(b.failures, 2);
}

T_TEST(a_trial_without_a_verdict_holds_the_others_for_a_bounded_time)
{
    open_it();
    breaker_begin(&b, 2, 10 * S);
    T_EQ(breaker_next(&b, 11 * S), 10 * S + BREAKER_HOLD_NS);
    breaker_begin(&b, 3, 40 * S); /* beside it */
    T_EQ(breaker_next(&b, 41 * S), 40 * S + BREAKER_HOLD_NS);
    T_TRUE(fails(2, 10 * S, 50 * S, 42 * S)); /* the first of the two counts still */
    T_TRUE(!fails(3, 40 * S, 90 * S, 43 * S));
    T_EQ(breaker_next(&b, 43 * S), 50 * S);
}

T_TEST(a_trial_that_is_no_longer_wanted_gives_way_to_the_next)
{
    open_it();
    breaker_begin(&b, 2, 10 * S);
    breaker_left(&b, 3);
    T_TRUE(breaker_next(&b, 11 * S) > 11 * S);
    breaker_left(&b, 2);
    T_EQ(breaker_next(&b, 11 * S), 11 * S);
    T_EQ(breaker_state(&b, 11 * S), PX_BREAKER_HALF_OPEN);
}

T_TEST(attempts_that_fail_together_are_one_failure)
{
    breaker_init(&b, BREAKER_HOLD_NS);
    for (uint32_t who = 0; who < 25; who++)
        breaker_begin(&b, who, 5 * S);
    for (uint32_t who = 0; who < 25; who++)
        T_EQ(fails(who, 5 * S, (10 + who) * S, 6 * S + who), who == 0);
    T_EQ(b.failures, 1);
    T_EQ(breaker_next(&b, 7 * S), 10 * S);
}

T_TEST(a_pause_that_the_venue_asked_for_is_kept_whatever_else_happens)
{
    open_it();
    T_TRUE(!fails_told(4, 4 * S, 70 * S, true, 7 * S)); /* under way when the first failed */
    T_EQ(breaker_next(&b, 8 * S), 70 * S);
    T_TRUE(!fails(5, 4 * S, 80 * S, 8 * S));
    breaker_good(&b, 9 * S); /* another that was under way brings good data */
    T_EQ(breaker_state(&b, 9 * S), PX_BREAKER_OPEN);
    T_EQ(breaker_next(&b, 9 * S), 70 * S);
    T_EQ(breaker_state(&b, 70 * S), PX_BREAKER_CLOSED); /* it had vouched for the endpoint */
    T_EQ(b.failures, 0);
}

T_TEST(a_failure_after_it_takes_back_what_was_vouched_for)
{
    open_it();
    breaker_good(&b, 7 * S);
    T_TRUE(!fails_told(4, 4 * S, 70 * S, true, 8 * S));
    T_EQ(breaker_state(&b, 70 * S), PX_BREAKER_HALF_OPEN);
}

T_TEST(it_never_gives_up)
{
    open_it();
    b.failures = UINT32_MAX - 1;
    for (int i = 1; i < 10; i++) {
        int64_t at = breaker_next(&b, i * HOUR);
        T_EQ(at, i * HOUR);
        breaker_begin(&b, 1, at);
        T_TRUE(fails(1, at, at + 60 * S, at + 1));
        T_EQ(b.failures, UINT32_MAX);
    }
}

T_TEST(close_codes_ask_for_what_they_mean)
{
    static const int silent[] = {1000, 1001, 1002, 1006, 1007, 1009, 1011, 2999, 5000};
    struct breaker_pause p = {0, 0};
    for (size_t i = 0; i < sizeof silent / sizeof silent[0]; i++)
        T_TRUE(!breaker_told_by_close(silent[i], &p));
    T_TRUE(breaker_told_by_close(1008, &p) && p.least_ns == 10 * S && p.spread_ns == 0);
    T_TRUE(breaker_told_by_close(1012, &p) && p.least_ns == 5 * S && p.spread_ns == 25 * S);
    T_TRUE(breaker_told_by_close(1013, &p) && p.least_ns == 10 * S && p.spread_ns == 20 * S);
    T_TRUE(breaker_told_by_close(4004, &p) && p.least_ns == 5 * S);
}

/* A server that refuses each attempt at once, which is the worst that it can do: how often is it
 * tried in a day by so many connections? */
static uint32_t attempts_of_a_day(uint32_t connections, uint64_t seed)
{
    struct backoff backoff[16];
    int64_t due[16] = {0};
    uint32_t attempts = 0;
    breaker_init(&b, BREAKER_HOLD_NS);
    for (uint32_t i = 0; i < connections; i++)
        backoff_init(&backoff[i], 250 * MS, 60 * S, seed * 100 + i + 1);
    for (int64_t now = 0; now < 24 * HOUR;) {
        uint32_t who = 0;
        for (uint32_t i = 1; i < connections; i++)
            who = due[i] < due[who] ? i : who;
        now = due[who];
        due[who] = breaker_next(&b, now);
        if (due[who] > now)
            continue;
        breaker_begin(&b, who, now);
        attempts++;
        backoff[who].failures = b.failures;
        due[who] = now + backoff_next(&backoff[who], 0);
        fails(who, now, due[who], now);
    }
    return attempts;
}

/* Waits are uniform up to the cap of 60 s: a mean of 30 s makes 2,880 a day, and some ten until the
 * cap is reached. Their spread is 60 / sqrt(12) s each, which makes 31 attempts a day; seven times
 * that is not met by chance. */
#define ATTEMPTS_OF_A_DAY 3100

T_TEST(a_server_that_is_down_for_a_day_is_tried_3100_times_at_most)
{
    for (uint64_t seed = 1; seed <= 30; seed++) {
        T_TRUE(attempts_of_a_day(1, seed) <= ATTEMPTS_OF_A_DAY);
        T_TRUE(attempts_of_a_day(1, seed) >= 2600); /* and found within a minute when it is back */
    }
}

T_TEST(sixteen_connections_try_no_oftener_than_one)
{
    for (uint64_t seed = 1; seed <= 30; seed++)
        T_TRUE(attempts_of_a_day(16, seed) <= ATTEMPTS_OF_A_DAY);
}

static uint32_t largest(const uint32_t *of, uint32_t from, uint32_t to)
{
    uint32_t most = 0;
    for (uint32_t i = from; i < to; i++)
        most = of[i] > most ? of[i] : most;
    return most;
}

T_TEST(five_hundred_feeders_that_lose_a_venue_together_do_not_come_back_together)
{
    static struct spread jitter, fixed;
    jitter = fixed = (struct spread){.feeders = 500, .down_ns = 120 * S};
    spread_run(&jitter, 250 * MS, 60 * S, 1);
    spread_fixed(&fixed, S);
    T_EQ(largest(fixed.attempts, 0, SPREAD_STEPS), 500);
    /* in any tenth of a second: at first, later, and when the venue is back */
    T_TRUE(largest(jitter.attempts, 3, SPREAD_STEPS) < 250);
    T_TRUE(largest(jitter.attempts, 100, SPREAD_STEPS) < 50);
    T_TRUE(largest(jitter.back, 0, SPREAD_STEPS) < 25);
    uint32_t back = 0;
    for (uint32_t i = 0; i < 1801; i++) /* the cap after that: all of them */
        back += jitter.back[i];
    T_EQ(back, 500);
}
