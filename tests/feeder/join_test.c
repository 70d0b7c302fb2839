/* One row of ids over connections that are ahead of each other, begin late, lose some and die. */
#include "t.h"

#include "join.h"

#define MS INT64_C(1000000)

static struct join j;
static uint64_t last;

static enum join_verdict bring(uint64_t link, uint64_t id, uint64_t alive, int64_t now)
{
    const struct join_trade t = {id, last, true, link, alive};
    enum join_verdict v = join_trade(&j, &t, now);
    if (v == JOIN_TAKE || v == JOIN_HOLE)
        last = id;
    return v;
}

static void start(void)
{
    j = (struct join){0};
    last = 0;
}

T_TEST(whoever_is_first_is_taken_and_the_other_is_known)
{
    start();
    T_EQ(bring(1, 100, 1, 0), JOIN_TAKE);
    T_EQ(bring(2, 100, 3, 0), JOIN_KNOWN);
    T_EQ(bring(2, 101, 3, 0), JOIN_TAKE);
    T_EQ(bring(2, 102, 3, 0), JOIN_TAKE);
    T_EQ(bring(1, 101, 3, 0), JOIN_KNOWN);
    T_EQ(bring(1, 102, 3, 0), JOIN_KNOWN);
    T_EQ(bring(1, 103, 3, 0), JOIN_TAKE);
}

T_TEST(one_that_begins_ahead_waits_for_the_one_that_is_behind)
{
    start();
    bring(1, 100, 1, 0);
    T_EQ(bring(2, 103, 3, 1), JOIN_LATER);
    T_EQ(bring(2, 104, 3, 1), JOIN_LATER);
    for (uint64_t id = 101; id <= 104; id++)
        T_EQ(bring(1, id, 3, 1), JOIN_TAKE);
    T_EQ(bring(2, 105, 3, 1), JOIN_TAKE);
    T_EQ(bring(1, 105, 3, 1), JOIN_KNOWN);
}

T_TEST(what_one_lost_the_other_brings)
{
    start();
    bring(1, 100, 3, 0);
    bring(2, 100, 3, 0);
    T_EQ(bring(1, 103, 3, 1), JOIN_LATER); /* 101 and 102 are lost here */
    for (uint64_t id = 101; id <= 103; id++)
        T_EQ(bring(2, id, 3, 1), JOIN_TAKE);
    T_EQ(bring(1, 104, 3, 1), JOIN_TAKE);
}

T_TEST(what_both_lost_is_a_hole)
{
    start();
    bring(1, 100, 3, 0);
    bring(2, 100, 3, 0);
    T_EQ(bring(1, 103, 3, 1), JOIN_LATER);
    T_EQ(bring(2, 103, 3, 1), JOIN_HOLE);
    T_EQ(bring(1, 104, 3, 1), JOIN_TAKE);
}

T_TEST(the_dead_are_not_waited_for)
{
    start();
    bring(1, 100, 1, 0);
    T_EQ(bring(2, 103, 3, 1), JOIN_LATER);
    T_EQ(bring(2, 104, 2, 2), JOIN_HOLE); /* known to be dead */
    start();
    bring(1, 100, 1, 0);
    T_EQ(bring(2, 103, 3, 10 * MS), JOIN_LATER);
    T_EQ(bring(2, 104, 3, 1009 * MS), JOIN_LATER);
    T_EQ(bring(2, 105, 3, 1010 * MS), JOIN_HOLE); /* not known, and silent */
    T_EQ(bring(2, 106, 3, 1011 * MS), JOIN_TAKE);
}

T_TEST(ids_that_only_rise_are_joined_by_one_that_is_known)
{
    struct join_trade t = {.id = 7, .link = 1, .alive = 1};
    start();
    T_EQ(join_trade(&j, &t, 0), JOIN_TAKE);
    t = (struct join_trade){.id = 30, .last = 7, .link = 2, .alive = 3};
    T_EQ(join_trade(&j, &t, 1), JOIN_LATER);
    t = (struct join_trade){.id = 12, .last = 7, .link = 1, .alive = 3};
    T_EQ(join_trade(&j, &t, 1), JOIN_TAKE);
    t = (struct join_trade){.id = 12, .last = 12, .link = 2, .alive = 3};
    T_EQ(join_trade(&j, &t, 1), JOIN_KNOWN);
    t = (struct join_trade){.id = 30, .last = 12, .link = 2, .alive = 3};
    T_EQ(join_trade(&j, &t, 1), JOIN_TAKE);
}

static uint64_t random_state = 5;

static uint64_t below(uint64_t n)
{
    random_state = random_state * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
    return (random_state >> 33) % n;
}

/* Two connections that replace each other now and then, each behind by its own lag; neither loses
 * anything, and one ends only when the other has brought all that it had. Every id comes once, in
 * order, and none is missing. */
T_TEST(a_row_over_connections_that_take_turns_is_whole)
{
    uint64_t at[2] = {1000, 0}, alive = 1, later = 0, ends = 0;
    start();
    for (int n = 1; n < 200000; n++) {
        unsigned i = (unsigned)below(2);
        uint64_t bit = UINT64_C(1) << i;
        if ((alive & bit) == 0) {
            if (below(400) == 0) { /* begins where the venue is: ahead of the other */
                at[i] = at[1 - i] + below(6);
                alive |= bit;
            }
            continue;
        }
        if (alive == 3 && (j.joined & 3) == 3 && at[1 - i] > last && below(400) == 0) {
            alive &= ~bit; /* the overlap is over */
            join_leave(&j, bit);
            ends++;
            continue;
        }
        if (alive == 3 && at[i] > at[1 - i] + 5)
            continue;
        uint64_t before = last;
        enum join_verdict v = bring(bit, at[i]++, alive, n);
        T_TRUE(v != JOIN_HOLE);
        T_TRUE(v != JOIN_TAKE || before == 0 || last == before + 1);
        later += v == JOIN_LATER;
    }
    T_TRUE(last > 20000 && later > 50 && ends > 50);
}
