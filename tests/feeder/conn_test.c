#include "t.h"

#include "conn.h"

#define MS   INT64_C(1000000)
#define S    (1000 * MS)
#define HOUR (3600 * S)

static struct conn make(bool tls, int64_t now)
{
    struct conn c;
    struct conn_config config = {.tls = tls, .silence_ns = 60 * S};
    struct backoff backoff;
    backoff_init(&backoff, 250 * MS, 60 * S, 42);
    conn_init(&c, &config, &backoff, now);
    return c;
}

static uint32_t step(struct conn *c, enum conn_event event, int64_t now)
{
    struct conn_input in = {.addresses = 1};
    return conn_step(c, event, &in, now);
}

/* Up to the state, in no time. */
static void reach(struct conn *c, uint32_t state, int64_t now)
{
    static const struct {
        uint32_t from;
        enum conn_event event;
    } way[] = {{PX_CONN_IDLE, CONN_WANTED},          {PX_CONN_RESOLVING, CONN_RESOLVED},
               {PX_CONN_CONNECTING, CONN_CONNECTED}, {PX_CONN_TLS, CONN_SECURED},
               {PX_CONN_UPGRADING, CONN_UPGRADED},   {PX_CONN_SUBSCRIBING, CONN_SUBSCRIBED}};
    while (c->state == PX_CONN_WAITING) {
        now = conn_deadline(c);
        step(c, CONN_TIMER, now);
    }
    for (size_t i = 0; i < sizeof way / sizeof way[0] && c->state != state; i++)
        if (c->state == way[i].from)
            step(c, way[i].event, now);
    T_EQ(c->state, state);
}

T_TEST(each_step_asks_for_the_next)
{
    struct conn c = make(true, 1);
    T_EQ(step(&c, CONN_WANTED, 2), CONN_DO_RESOLVE);
    T_EQ(step(&c, CONN_RESOLVED, 3), CONN_DO_CONNECT);
    T_EQ(step(&c, CONN_CONNECTED, 4), CONN_DO_TLS);
    T_EQ(step(&c, CONN_SECURED, 5), CONN_DO_UPGRADE);
    T_EQ(step(&c, CONN_UPGRADED, 6), CONN_DO_SUBSCRIBE);
    T_EQ(step(&c, CONN_SUBSCRIBED, 7), CONN_DO_LIVE);
    T_EQ(c.state, PX_CONN_LIVE);
    T_EQ(c.live_ns, 7);
    T_EQ(c.attempts, 1);
}

T_TEST(without_tls_the_upgrade_follows_the_connection)
{
    struct conn c = make(false, 1);
    reach(&c, PX_CONN_CONNECTING, 2);
    T_EQ(step(&c, CONN_CONNECTED, 4), CONN_DO_UPGRADE);
}

T_TEST(a_proxy_is_asked_before_tls_with_a_deadline_of_its_own)
{
    struct conn c = make(true, 1);
    c.config.proxy = true;
    reach(&c, PX_CONN_CONNECTING, S);
    T_EQ(step(&c, CONN_TUNNELLED, S), 0);
    T_EQ(conn_deadline(&c), 6 * S);
    T_EQ(step(&c, CONN_CONNECTED, 5 * S), CONN_DO_TUNNEL);
    T_EQ(c.state, PX_CONN_CONNECTING);
    T_EQ(conn_deadline(&c), 20 * S);
    T_STR(conn_deadline_text(&c), "the proxy did not answer in time");
    T_EQ(step(&c, CONN_CONNECTED, 6 * S), 0);
    T_EQ(step(&c, CONN_TUNNELLED, 7 * S), CONN_DO_TLS);
    T_EQ(c.state, PX_CONN_TLS);
}

T_TEST(a_proxy_that_is_silent_gives_way_to_its_next_address)
{
    struct conn c = make(false, 1);
    struct conn_input two = {.addresses = 2};
    c.config.proxy = true;
    reach(&c, PX_CONN_RESOLVING, S);
    conn_step(&c, CONN_RESOLVED, &two, S);
    T_EQ(step(&c, CONN_CONNECTED, S), CONN_DO_TUNNEL);
    T_EQ(conn_step(&c, CONN_TIMER, NULL, 16 * S), CONN_DO_DROP | CONN_DO_CONNECT);
    T_EQ(c.address, 1);
    T_EQ(conn_deadline(&c), 21 * S);
    T_EQ(step(&c, CONN_CONNECTED, 17 * S), CONN_DO_TUNNEL);
    T_EQ(step(&c, CONN_TUNNELLED, 17 * S), CONN_DO_UPGRADE);
}

T_TEST(every_state_that_waits_for_somebody_has_a_deadline_that_fires)
{
    for (uint32_t at_state = PX_CONN_RESOLVING; at_state <= PX_CONN_CLOSING; at_state++) {
        struct conn c = make(true, S);
        if (at_state == PX_CONN_CLOSING) {
            reach(&c, PX_CONN_LIVE, S);
            T_EQ(step(&c, CONN_UNWANTED, S) & CONN_DO_CLOSE, CONN_DO_CLOSE);
        } else {
            reach(&c, at_state, S);
        }
        int64_t at = conn_deadline(&c);
        T_TRUE(at > S && at <= S + 60 * S);
        T_EQ(step(&c, CONN_TIMER, at - 1), 0);
        T_EQ(c.state, at_state);
        T_TRUE(conn_deadline_text(&c)[0] != '\0');
        uint32_t actions = step(&c, CONN_TIMER, at);
        T_EQ(actions & CONN_DO_DROP, at_state == PX_CONN_RESOLVING ? 0 : CONN_DO_DROP);
        T_EQ(c.state, at_state == PX_CONN_CLOSING ? PX_CONN_IDLE : PX_CONN_WAITING);
    }
}

T_TEST(a_waiting_connection_tries_again_when_its_time_has_come)
{
    struct conn c = make(false, 1);
    reach(&c, PX_CONN_UPGRADING, S);
    step(&c, CONN_FAILED, 2 * S);
    T_EQ(c.state, PX_CONN_WAITING);
    int64_t at = conn_deadline(&c);
    T_TRUE(at > 2 * S && at <= 2 * S + 250 * MS);
    T_EQ(step(&c, CONN_TIMER, at - 1), 0);
    T_EQ(step(&c, CONN_TIMER, at), CONN_DO_RESOLVE);
    T_EQ(c.attempts, 2);
}

T_TEST(retry_after_moves_the_next_attempt)
{
    struct conn c = make(false, 1);
    struct conn_input in = {.reached = true, .retry_ns = 17 * S};
    reach(&c, PX_CONN_UPGRADING, S);
    conn_step(&c, CONN_FAILED, &in, 2 * S);
    T_TRUE(conn_deadline(&c) >= 19 * S);
}

T_TEST(all_addresses_are_tried_in_turn_before_it_waits)
{
    struct conn c = make(false, 1);
    struct conn_input three = {.addresses = 3};
    reach(&c, PX_CONN_RESOLVING, S);
    T_EQ(conn_step(&c, CONN_RESOLVED, &three, S), CONN_DO_CONNECT);
    T_EQ(c.address, 0);
    T_EQ(conn_step(&c, CONN_FAILED, NULL, S), CONN_DO_DROP | CONN_DO_CONNECT);
    T_EQ(c.address, 1);
    T_EQ(conn_step(&c, CONN_TIMER, NULL, 9 * S), CONN_DO_DROP | CONN_DO_CONNECT);
    T_EQ(c.address, 2);
    T_EQ(conn_step(&c, CONN_FAILED, NULL, 9 * S), CONN_DO_DROP);
    T_EQ(c.state, PX_CONN_WAITING);
    T_EQ(c.failures, 1);
}

T_TEST(a_venue_that_has_spoken_is_not_asked_at_its_other_addresses)
{
    struct conn c = make(false, 1);
    struct conn_input in = {.addresses = 3, .reached = true};
    reach(&c, PX_CONN_RESOLVING, S);
    conn_step(&c, CONN_RESOLVED, &in, S);
    conn_step(&c, CONN_CONNECTED, &in, S);
    T_EQ(conn_step(&c, CONN_FAILED, &in, S), CONN_DO_DROP);
    T_EQ(c.state, PX_CONN_WAITING);
}

T_TEST(received_bytes_are_proof_of_life)
{
    struct conn c = make(false, 1);
    int64_t now = S;
    reach(&c, PX_CONN_LIVE, now);
    for (int i = 0; i < 100; i++) { /* 50 minutes of a market that trades each half minute */
        now += 30 * S;
        step(&c, i % 2 ? CONN_DATA : CONN_BYTES, now);
        T_EQ(step(&c, CONN_TIMER, now), 0);
    }
    T_EQ(c.state, PX_CONN_LIVE);
    T_EQ(step(&c, CONN_TIMER, now + 60 * S - 1), 0);
    T_EQ(step(&c, CONN_TIMER, now + 60 * S) & CONN_DO_LOST, CONN_DO_LOST);
    T_TRUE(c.mute);
}

T_TEST(data_that_stops_flowing_is_noticed_while_bytes_go_on)
{
    struct conn c = make(false, 1);
    int64_t now = S;
    reach(&c, PX_CONN_LIVE, now);
    for (int i = 0; i < 1000; i++)
        step(&c, CONN_DATA, now += 10 * MS);
    step(&c, CONN_BYTES, now + 14 * S); /* pings go on */
    T_EQ(step(&c, CONN_TIMER, now + 14 * S), 0);
    T_EQ(step(&c, CONN_TIMER, now + 15 * S) & CONN_DO_LOST, CONN_DO_LOST);
    T_TRUE(c.mute);
}

/* 20 frames in 40 ms, then silence but for pings, for an hour: how often is it cut? */
static uint64_t cuts_of_bursts(int64_t every)
{
    struct conn c = make(false, 1);
    int64_t now = S, burst = now;
    reach(&c, PX_CONN_LIVE, now);
    now = c.since_ns;
    for (int64_t end = now + HOUR; now < end; now += 2 * MS) {
        if (c.state != PX_CONN_LIVE) {
            reach(&c, PX_CONN_LIVE, now);
            now = c.since_ns;
        }
        if (now - burst >= every)
            burst = now;
        if (now - burst < 40 * MS)
            step(&c, CONN_DATA, now);
        else if (now % (2 * S) < 2 * MS)
            step(&c, CONN_BYTES, now);
        step(&c, CONN_TIMER, now);
    }
    return c.attempts - 1;
}

T_TEST(a_market_that_comes_in_bursts_is_left_alone)
{
    T_EQ(cuts_of_bursts(6 * S), 0);
    T_EQ(cuts_of_bursts(10 * S), 0);
    T_TRUE(cuts_of_bursts(20 * S) <= 1); /* its pause is learned at the first */
    T_TRUE(cuts_of_bursts(30 * S) <= 2);
    T_TRUE(cuts_of_bursts(120 * S) <= 4);
}

T_TEST(a_market_that_stays_silent_is_not_reconnected_to_death)
{
    struct conn c = make(false, 1);
    int64_t now = S;
    reach(&c, PX_CONN_LIVE, now);
    int64_t end = now + HOUR;
    while (now < end) {
        now += S;
        if (c.state == PX_CONN_LIVE)
            step(&c, CONN_BYTES, now);
        step(&c, CONN_TIMER, now);
        if (c.state != PX_CONN_LIVE)
            reach(&c, PX_CONN_LIVE, now);
    }
    T_TRUE(c.attempts < 15);
}

T_TEST(each_mute_end_doubles_the_patience_until_it_is_forgiven)
{
    struct conn c = make(false, 1);
    int64_t now = S;
    for (int life = 0; life < 3; life++) {
        reach(&c, PX_CONN_LIVE, now);
        now = c.since_ns;
        for (int i = 0; i < 1000; i++)
            step(&c, CONN_DATA, now += 10 * MS);
        T_EQ(conn_deadline(&c), now + (15 * S << life));
        if (life == 2)
            break;
        step(&c, CONN_BYTES, now += 15 * S << life);
        T_EQ(step(&c, CONN_TIMER, now) & CONN_DO_LOST, CONN_DO_LOST);
        T_EQ(c.backoff.failures, 0); /* the venue refused nothing */
    }
    for (int i = 0; i < 130; i++)
        step(&c, CONN_DATA, now += 10 * S);
    T_EQ(c.mute_ends, 0);
    for (int i = 0; i < 3600; i++) /* the hour that its pauses are remembered */
        step(&c, CONN_DATA, now += S);
    T_EQ(conn_deadline(&c), now + 15 * S);
}

T_TEST(patience_is_not_taken_back_for_what_comes_at_once_on_a_new_connection)
{
    struct conn c = make(false, 1);
    int64_t now = S, before = 0;
    for (int life = 0; life < 9; life++) {
        reach(&c, PX_CONN_LIVE, now);
        now = c.since_ns;
        for (int i = 0; i < 50; i++) /* a snapshot */
            step(&c, CONN_DATA, now += MS);
        int64_t last = now;
        for (; conn_deadline(&c) - now > 20 * S; now += 20 * S)
            step(&c, CONN_BYTES, now + 20 * S);
        now = conn_deadline(&c);
        T_TRUE(now - last >= 2 * before && now - last >= 60 * S);
        before = now - last;
        step(&c, CONN_TIMER, now);
        T_TRUE(c.mute);
    }
}

T_TEST(a_connection_of_which_less_is_asked_is_judged_anew)
{
    struct conn c = make(false, 1);
    int64_t now = S;
    reach(&c, PX_CONN_LIVE, now);
    for (int i = 0; i < 100000; i++)
        step(&c, CONN_DATA, now += 10 * MS);
    T_EQ(conn_deadline(&c), now + 15 * S);
    step(&c, CONN_LESS, now);
    T_EQ(conn_deadline(&c), now + 60 * S);
}

T_TEST(failures_are_forgotten_after_good_data_not_on_connect)
{
    struct conn c = make(false, 1);
    int64_t now = S;
    for (int i = 0; i < 8; i++) {
        reach(&c, PX_CONN_LIVE, now);
        now = c.since_ns;
        step(&c, CONN_DATA, now += MS);
        step(&c, CONN_FAILED, now);
    }
    T_EQ(c.backoff.failures, 8);
    reach(&c, PX_CONN_LIVE, now);
    now = c.since_ns;
    step(&c, CONN_DATA, now + 4 * S);
    T_EQ(c.backoff.failures, 8);
    step(&c, CONN_DATA, now + 6 * S);
    T_EQ(c.backoff.failures, 0);
}

T_TEST(a_day_of_failures_ends_in_a_live_connection)
{
    struct conn c = make(true, 1);
    int64_t now = 1, end = 24 * HOUR;
    step(&c, CONN_WANTED, now);
    for (uint32_t goal = PX_CONN_RESOLVING; now < end;) {
        if (c.state == PX_CONN_WAITING) {
            now = conn_deadline(&c);
            step(&c, CONN_TIMER, now);
            continue;
        }
        reach(&c, goal, now);
        now = conn_deadline(&c);
        step(&c, CONN_TIMER, now);
        goal = goal == PX_CONN_LIVE ? PX_CONN_RESOLVING : goal + 1;
    }
    T_TRUE(c.attempts > 1000);
    /* the longest waiting time is the cap: a venue that is back is found within a minute */
    if (c.state == PX_CONN_WAITING)
        T_TRUE(conn_deadline(&c) - now <= 60 * S);
    reach(&c, PX_CONN_LIVE, now);
}

T_TEST(an_unwanted_connection_closes_in_order_and_rests)
{
    struct conn c = make(false, 1);
    reach(&c, PX_CONN_LIVE, S);
    T_EQ(step(&c, CONN_UNWANTED, 2 * S), CONN_DO_CLOSE | CONN_DO_LOST);
    T_EQ(step(&c, CONN_ENDED, 2 * S), CONN_DO_DROP);
    T_EQ(c.state, PX_CONN_IDLE);
    T_EQ(conn_deadline(&c), INT64_MAX);
    T_EQ(step(&c, CONN_TIMER, 100 * HOUR), 0);
    T_EQ(c.failures, 0);
}

T_TEST(an_attempt_that_is_no_longer_wanted_is_dropped)
{
    for (uint32_t goal = PX_CONN_RESOLVING; goal <= PX_CONN_UPGRADING; goal++) {
        struct conn c = make(true, S);
        reach(&c, goal, S);
        uint32_t actions = step(&c, CONN_UNWANTED, S);
        T_EQ(actions, goal == PX_CONN_RESOLVING ? 0 : CONN_DO_DROP);
        T_EQ(c.state, PX_CONN_IDLE);
    }
}

T_TEST(events_that_come_late_change_nothing)
{
    struct conn c = make(true, S);
    static const enum conn_event late[] = {CONN_RESOLVED, CONN_CONNECTED,  CONN_SECURED,
                                           CONN_UPGRADED, CONN_SUBSCRIBED, CONN_FAILED,
                                           CONN_ENDED,    CONN_TIMER,      CONN_BYTES};
    for (size_t i = 0; i < sizeof late / sizeof late[0]; i++) {
        T_EQ(step(&c, late[i], 2 * S), 0);
        T_EQ(c.state, PX_CONN_IDLE);
    }
}

T_TEST(data_counts_as_an_answer_to_subscriptions)
{
    struct conn c = make(false, 1);
    reach(&c, PX_CONN_SUBSCRIBING, S);
    T_EQ(step(&c, CONN_DATA, 2 * S), CONN_DO_LIVE);
}

T_TEST(reconnects_are_counted_from_the_second_life_on)
{
    struct conn c = make(false, 1);
    reach(&c, PX_CONN_LIVE, S);
    T_EQ(c.reconnects, 0);
    step(&c, CONN_FAILED, 2 * S);
    reach(&c, PX_CONN_LIVE, 3 * S);
    T_EQ(c.reconnects, 1);
}

T_TEST(one_that_somebody_else_has_opened_is_live_and_no_attempt)
{
    struct conn c = make(true, 0);
    conn_take_over(&c, 5 * S);
    T_EQ(c.state, PX_CONN_LIVE);
    T_TRUE(c.wanted);
    T_EQ(c.live_ns, 5 * S);
    T_EQ(c.attempts, 0);
    T_EQ(c.lives, 0);
}
