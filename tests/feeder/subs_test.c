/* subs.c against a venue of the test's own: messages are lists of words, one stream per kind. */
#include "subs_rig.h"

T_TEST(first_subscriber_asks_the_venue_and_last_one_stops_it_after_the_grace_time)
{
    struct subs *s = make(16, 0, 0);
    T_EQ(subs_link_open(s, 3, 0, 0, 0), 0);
    uint32_t a = add(s, "AAA", PX_TRADES, 0);
    T_STR(next(s, 3, 0), "+1 AAA/1");
    T_EQ(add(s, "AAA", PX_TRADES, 0), a);
    T_STR(next(s, 3, 0), "");
    subs_ack(s, 3, 1, 0);
    subs_data(s, subs_at(s, a), PX_TRADE);
    subs_reader_drop(s, a, PX_TRADES, true, 1 * SEC);
    subs_tick(s, 8 * SEC);
    T_STR(next(s, 3, 8 * SEC), "");
    subs_reader_drop(s, a, PX_TRADES, true, 10 * SEC);
    subs_tick(s, 14 * SEC);
    T_STR(next(s, 3, 14 * SEC), "");
    subs_tick(s, 15 * SEC);
    T_STR(next(s, 3, 15 * SEC), "-2 AAA/1");
    subs_ack(s, 3, 2, 15 * SEC);
    drain(s);
    T_EQ(subs_used(s), 0);
    T_EQ(subs_find(s, 0, "AAA", 3), SUBS_NONE);
    subs_free(s);
}

T_TEST(a_grace_time_can_be_ended_before_its_time)
{
    struct subs *s = make(16, 0, 0);
    subs_link_open(s, 0, 0, 0, 0);
    uint32_t a = add(s, "AAA", PX_QUOTES, 0), b = add(s, "BBB", PX_QUOTES, 0);
    next(s, 0, 0);
    subs_ack(s, 0, 1, 0);
    subs_data(s, subs_at(s, a), PX_QUOTE);
    subs_data(s, subs_at(s, b), PX_QUOTE);
    subs_reader_drop(s, a, PX_QUOTES, true, SEC);
    subs_end_grace(s, 2 * SEC);
    subs_tick(s, 2 * SEC);
    T_STR(next(s, 0, 2 * SEC), "-2 AAA/2");
    T_TRUE(subs_find(s, 0, "BBB", 3) == b);
    subs_free(s);
}

T_TEST(subscriber_within_the_grace_time_costs_no_message)
{
    struct subs *s = make(16, 0, 0);
    subs_link_open(s, 0, 0, 0, 0);
    uint32_t a = add(s, "AAA", PX_QUOTES, 0);
    next(s, 0, 0);
    subs_ack(s, 0, 1, 0);
    subs_data(s, subs_at(s, a), PX_QUOTE);
    subs_reader_drop(s, a, PX_QUOTES, true, SEC);
    subs_tick(s, 3 * SEC);
    T_EQ(add(s, "AAA", PX_QUOTES, 3 * SEC), a);
    subs_tick(s, 60 * SEC);
    T_STR(next(s, 0, 60 * SEC), "");
    subs_free(s);
}

T_TEST(more_kinds_ask_only_for_what_is_new)
{
    struct subs *s = make(16, 0, 0);
    subs_link_open(s, 0, 0, 0, 0);
    uint32_t a = add(s, "AAA", PX_TRADES, 0);
    next(s, 0, 0);
    T_EQ(subs_reader_more(s, a, PX_QUOTES, 0), 0);
    T_STR(next(s, 0, 0), ""); /* the first answer is still due */
    subs_ack(s, 0, 1, 0);
    T_STR(next(s, 0, 0), "+2 AAA/2");
    subs_free(s);
}

T_TEST(new_link_is_asked_for_everything_again)
{
    struct subs *s = make(16, 0, 0);
    uint32_t wanted, acked;
    subs_link_open(s, 0, 0, 0, 0);
    add(s, "AAA", PX_TRADES, 0);
    add(s, "BBB", PX_TRADES | PX_QUOTES, 0);
    T_STR(next(s, 0, 0), "+1 AAA/1 BBB/3");
    subs_ack(s, 0, 1, 0);
    subs_streams(s, 0, &wanted, &acked);
    T_EQ(wanted, 3);
    T_EQ(acked, 3);
    subs_link_close(s, 0, SEC);
    T_EQ(subs_at(s, subs_find(s, 0, "AAA", 3))->state, SUBS_ASKING);
    subs_link_open(s, 1, 0, 0, 0);
    T_STR(next(s, 1, 2 * SEC), "+1 AAA/1 BBB/3");
    subs_ack(s, 1, 1, 2 * SEC);
    T_STR(next(s, 1, 2 * SEC), "");
    T_TRUE(subs_settled(s, 1));
    subs_free(s);
}

T_TEST(two_links_of_a_shard_are_asked_and_acknowledged_by_themselves)
{
    struct subs *s = make(16, 0, 0);
    subs_link_open(s, 0, 0, 0, 0);
    uint32_t a = add(s, "AAA", PX_TRADES, 0);
    T_STR(next(s, 0, 0), "+1 AAA/1");
    subs_link_open(s, 1, 0, 0, 0);
    T_STR(next(s, 1, 0), "+1 AAA/1");
    subs_ack(s, 1, 1, 0);
    T_TRUE(subs_settled(s, 1) || *next(s, 1, 0) == '\0');
    T_TRUE(!subs_settled(s, 0));
    T_EQ(subs_at(s, a)->state, SUBS_ACKED);
    subs_link_close(s, 1, 0);
    T_EQ(subs_at(s, a)->state, SUBS_ASKING);
    subs_ack(s, 0, 1, 0);
    T_EQ(subs_at(s, a)->state, SUBS_ACKED);
    subs_free(s);
}

T_TEST(budget_keeps_one_message_a_second_for_pongs)
{
    struct subs *s = make(64, 0, 5);
    per_message = 1;
    subs_link_open(s, 0, 0, 0, 0);
    char name[8];
    for (int i = 0; i < 20; i++) {
        snprintf(name, sizeof name, "S%d", i);
        add(s, name, PX_TRADES, 0);
    }
    int64_t sent[32], now = 0;
    int n = 0;
    while (n < 20 && now < 60 * SEC) {
        if (*next(s, 0, now) != '\0') {
            subs_ack(s, 0, n + 1, now);
            sent[n++] = now;
        } else {
            T_TRUE(at > now);
            now = at;
        }
    }
    T_EQ(n, 20);
    for (int i = 4; i < n; i++)
        T_TRUE(sent[i] - sent[i - 4] >= SEC);
    T_TRUE(sent[19] < 6 * SEC);
    subs_free(s);
}

T_TEST(pongs_draw_on_the_same_budget)
{
    struct subs *s = make(64, 0, 5);
    subs_link_open(s, 0, 0, 0, 0);
    subs_spent(s, 0, 4, 0);
    add(s, "AAA", PX_TRADES, 0);
    T_STR(next(s, 0, 0), "");
    T_TRUE(at > SEC && at < 2 * SEC);
    T_STR(next(s, 0, at), "+1 AAA/1");
    subs_free(s);
}

static struct subs *make_without_limits(uint32_t per_conn, uint32_t per_s)
{
    struct subs_options o = {.capacity = 64, .answer_ns = SEC, .venue_count = 1};
    subs_free(make(1, per_conn, per_s)); /* leaves them in the venue */
    o.venue[0] = (struct subs_venue){&venue, false, false};
    per_message = 1;
    return subs_new(&o);
}

T_TEST(endpoint_without_limits_has_no_budget_of_messages)
{
    struct subs *s = make_without_limits(0, 1);
    subs_link_open(s, 0, 0, 0, 0);
    add(s, "AAA", PX_TRADES, 0);
    add(s, "BBB", PX_TRADES, 0);
    T_STR(next(s, 0, 0), "+1 AAA/1");
    T_STR(next(s, 0, 0), "+2 BBB/1");
    T_EQ(subs_shards(s, 0), 1);
    subs_free(s);
}

T_TEST(endpoint_without_limits_carries_no_more_streams_than_the_venue)
{
    struct subs *s = make_without_limits(2, 0);
    for (uint32_t i = 0; i < 5; i++) {
        char name[8];
        snprintf(name, sizeof name, "A%u", i);
        T_EQ(subs_at(s, add(s, name, PX_TRADES, 0))->shard, i / 2);
    }
    T_EQ(subs_shards(s, 0), 3);
    subs_free(s);
}

T_TEST(limits_that_showed_themselves_are_kept_from_then_on)
{
    struct subs *s = make_without_limits(0, 2);
    subs_link_open(s, 0, 0, 0, 0);
    add(s, "AAA", PX_TRADES, 0);
    add(s, "BBB", PX_TRADES, 0);
    add(s, "CCC", PX_TRADES, 0);
    T_STR(next(s, 0, 0), "+1 AAA/1");
    T_TRUE(subs_keep_limits(s, 0));
    T_TRUE(!subs_keep_limits(s, 0)); /* said once */
    T_STR(next(s, 0, 0), "");        /* what was sent before counts */
    T_TRUE(at > SEC);
    subs_link_close(s, 0, SEC);
    subs_link_open(s, 0, 0, 0, 0);
    T_STR(next(s, 0, SEC), "+1 AAA/1");
    T_STR(next(s, 0, SEC), "");
    subs_free(s);
}

T_TEST(streams_beyond_three_quarters_of_one_connection_go_to_the_next)
{
    struct subs *s = make(64, 8, 0);
    uint32_t sub[5];
    for (int i = 0; i < 5; i++) {
        char name[8];
        snprintf(name, sizeof name, "S%d", i);
        sub[i] = add(s, name, PX_TRADES | PX_QUOTES, 0);
    }
    for (int i = 0; i < 3; i++)
        T_EQ(subs_at(s, sub[i])->shard, 0);
    T_EQ(subs_at(s, sub[3])->shard, 1);
    T_EQ(subs_at(s, sub[4])->shard, 1);
    T_EQ(subs_shards(s, 0), 2);
    subs_free(s);
}

/* The 16 connections of a venue, three streams of eight left over on each: then these too. */
T_TEST(streams_are_spread_evenly_and_fill_every_connection_before_any_is_refused)
{
    struct subs *s = make(256, 8, 0);
    uint32_t load[SUBS_SHARDS_MAX] = {0}, sub = SUBS_NONE;
    char name[8];
    for (uint32_t i = 0; i < SUBS_SHARDS_MAX * 8; i++) {
        snprintf(name, sizeof name, "S%u", i);
        load[subs_at(s, add(s, name, PX_TRADES, 0))->shard]++;
        uint32_t most = 0, least = UINT32_MAX;
        for (uint32_t k = 0; k < SUBS_SHARDS_MAX; k++) {
            most = load[k] > most ? load[k] : most;
            least = load[k] < least ? load[k] : least;
        }
        T_TRUE(i < SUBS_SHARDS_MAX * 6 || most - least <= 1);
    }
    T_EQ(subs_reader_add(s, 0, "MORE", PX_TRADES, 0, &sub), -ENOSPC);
    /* and a hole is filled where it is */
    uint32_t gone = subs_find(s, 0, "S77", 3), shard = subs_at(s, gone)->shard;
    subs_reader_drop(s, gone, PX_TRADES, true, 0);
    T_EQ(subs_at(s, add(s, "MORE", PX_TRADES, 0))->shard, shard);
    subs_free(s);
}

T_TEST(symbol_that_outgrows_its_connection_moves_and_is_unsubscribed_behind_itself)
{
    struct subs *s = make(64, 4, 0);
    subs_link_open(s, 0, 0, 0, 0);
    uint32_t a = add(s, "AAA", PX_TRADES | PX_QUOTES, 0);
    uint32_t b = add(s, "BBB", PX_TRADES, 0);
    T_EQ(subs_reader_more(s, b, PX_QUOTES, 0), 0);
    next(s, 0, 0);
    subs_ack(s, 0, 1, 0);
    T_EQ(subs_reader_more(s, a, PX_TICKERS, 0), 0);
    T_EQ(subs_at(s, a)->shard, 1);
    T_STR(next(s, 0, 0), "-2 AAA/3");
    subs_link_open(s, 1, 0, 1, 0);
    T_STR(next(s, 1, 0), "+1 AAA/7");
    subs_ack(s, 0, 2, 0);
    T_EQ(subs_used(s), 2);
    T_EQ(subs_find(s, 0, "AAA", 3), a);
    subs_free(s);
}

T_TEST(refused_batch_is_halved_until_the_one_is_found)
{
    struct subs *s = make(128, 0, 0);
    subs_link_open(s, 0, 0, 0, 0);
    char name[8];
    for (int i = 0; i < 100; i++) {
        snprintf(name, sizeof name, i == 77 ? "BAD" : "S%d", i);
        add(s, name, PX_TRADES, 0);
    }
    int messages = 0, request = 0;
    while (*next(s, 0, 0) != '\0' && messages++ < 200) {
        request++;
        if (strstr(out, "BAD") != NULL)
            subs_refused(s, 0, request, "no such symbol", 14, 0);
        else
            subs_ack(s, 0, request, 0);
    }
    T_TRUE(messages < 20);
    const struct sub *bad = subs_at(s, subs_find(s, 0, "BAD", 3));
    T_EQ(bad->state, SUBS_REFUSED);
    T_STR(bad->text, "no such symbol");
    T_EQ(subs_at(s, subs_find(s, 0, "S6", 2))->state, SUBS_ACKED);
    T_EQ(subs_counted(s)->refusals, 1);
    subs_free(s);
}

T_TEST(refused_symbol_is_asked_again_when_somebody_asks_anew)
{
    struct subs *s = make(16, 0, 0);
    subs_link_open(s, 0, 0, 0, 0);
    uint32_t a = add(s, "AAA", PX_TRADES, 0);
    next(s, 0, 0);
    subs_refused(s, 0, 0, "no", 2, 0);
    T_EQ(subs_at(s, a)->state, SUBS_REFUSED);
    T_STR(next(s, 0, 0), "");
    add(s, "AAA", PX_TRADES, 0);
    T_STR(next(s, 0, 0), "+2 AAA/1");
    subs_ack(s, 0, 2, 0);
    T_EQ(subs_at(s, a)->state, SUBS_ACKED);
    subs_free(s);
}

T_TEST(accepted_symbol_without_data_is_noticed_and_data_ends_it)
{
    struct subs *s = make(16, 0, 0);
    subs_link_open(s, 0, 0, 0, 0);
    uint32_t a = add(s, "AAA", PX_TRADES, 0);
    next(s, 0, 0);
    subs_ack(s, 0, 1, SEC);
    drain(s);
    subs_tick(s, 10 * SEC);
    T_EQ(subs_changed(s), SUBS_NONE);
    subs_tick(s, 11 * SEC);
    T_EQ(subs_changed(s), a);
    T_EQ(subs_at(s, a)->state, SUBS_SILENT);
    subs_data(s, subs_at(s, a), PX_TRADE);
    T_EQ(subs_at(s, a)->state, SUBS_FLOWING);
    subs_free(s);
}

T_TEST(unanswered_message_is_sent_again_at_growing_distances_while_the_link_lives)
{
    struct subs *s = make(16, 0, 0);
    subs_link_open(s, 0, 0, 0, 0);
    uint32_t a = add(s, "AAA", PX_TRADES, 0);
    int64_t sent[64], now = 0, distance = 30 * SEC;
    int n = 0;
    for (; now < 6 * 3600 * SEC && n < 20; now += SEC) {
        subs_tick(s, now);
        if (*next(s, 0, now) != '\0')
            sent[n++] = now;
        if (n > 3 || now - sent[2] > 11 * SEC)
            T_EQ(subs_at(s, a)->state, n < 3 ? SUBS_ASKING : SUBS_UNANSWERED);
    }
    T_EQ(n, 20);
    T_EQ(sent[2], 20 * SEC); /* every answer_ns at first */
    for (int i = 3; i < n; i++) {
        T_EQ(sent[i] - sent[i - 1], 10 * SEC + distance);
        distance = distance < 960 * SEC ? 2 * distance : distance;
    }
    subs_ack(s, 0, 0, now);
    T_EQ(subs_at(s, a)->state, SUBS_ACKED);
    subs_tick(s, now += 3600 * SEC);
    T_STR(next(s, 0, now), "");
    subs_free(s);
}

/* The messages until now are left unanswered. */
static int64_t give_up(struct subs *s, int64_t now)
{
    for (int64_t end = now + 35 * SEC; now < end; now += SEC) {
        subs_tick(s, now);
        next(s, 0, now);
    }
    return now;
}

T_TEST(answer_to_other_kinds_says_nothing_about_those_left_unanswered)
{
    struct subs *s = make(16, 0, 0);
    subs_link_open(s, 0, 0, 0, 0);
    uint32_t a = add(s, "AAA", PX_TRADES, 0);
    int64_t now = give_up(s, 0);
    T_EQ(subs_reader_more(s, a, PX_QUOTES, now), 0);
    T_STR(next(s, 0, now), "+4 AAA/3"); /* both, as a message goes anyway */
    subs_ack(s, 0, 4, now);
    subs_tick(s, now += 3600 * SEC);
    T_STR(next(s, 0, now), "");
    subs_free(s);
}

T_TEST(what_was_left_unanswered_is_unsubscribed_when_nobody_wants_it)
{
    struct subs *s = make(16, 0, 0);
    subs_link_open(s, 0, 0, 0, 0);
    uint32_t a = add(s, "AAA", PX_TRADES, 0);
    int64_t now = give_up(s, 0);
    subs_reader_drop(s, a, PX_TRADES, true, now);
    T_STR(next(s, 0, now), "-4 AAA/1"); /* the venue may have heard it */
    subs_ack(s, 0, 4, now);
    drain(s);
    T_EQ(subs_used(s), 0);
    subs_free(s);
}

T_TEST(entry_that_never_had_data_has_no_grace_time)
{
    struct subs *s = make(16, 0, 0);
    uint32_t a = add(s, "AAA", PX_TRADES, 0);
    subs_reader_drop(s, a, PX_TRADES, true, 0);
    drain(s);
    T_EQ(subs_used(s), 0);
    subs_free(s);
}

T_TEST(lingering_entry_is_charged_until_it_is_gone_or_a_reader_has_it_again)
{
    struct subs *s = make(16, 0, 0);
    uint32_t a = add(s, "AAA", PX_TRADES, 0);
    subs_charge(s, a, 7); /* a reader has it */
    T_EQ(subs_charged(s, 7), 0);
    subs_data(s, subs_at(s, a), PX_TRADE);
    subs_reader_drop(s, a, PX_TRADES, true, 0);
    subs_charge(s, a, 7);
    T_EQ(subs_charged(s, 7), 1);
    add(s, "AAA", PX_TRADES, SEC);
    T_EQ(subs_charged(s, 7), 0);
    subs_reader_drop(s, a, PX_TRADES, true, 2 * SEC);
    subs_charge(s, a, 255);
    T_EQ(subs_charged(s, 255), 1);
    subs_tick(s, 60 * SEC);
    drain(s);
    T_EQ(subs_used(s), 0);
    T_EQ(subs_charged(s, 255), 0);
    subs_free(s);
}

T_TEST(full_table_refuses_and_stays_whole)
{
    struct subs *s = make(2, 0, 0);
    uint32_t sub;
    uint32_t a = add(s, "AAA", PX_TRADES, 0);
    add(s, "BBB", PX_TRADES, 0);
    T_EQ(subs_reader_add(s, 0, "CCC", PX_TRADES, 0, &sub), -ENOSPC);
    subs_reader_drop(s, a, PX_TRADES, true, 0);
    subs_tick(s, 6 * SEC);
    drain(s);
    T_EQ(subs_reader_add(s, 0, "CCC", PX_TRADES, 0, &sub), 0);
    T_EQ(subs_find(s, 0, "AAA", 3), SUBS_NONE);
    T_TRUE(subs_find(s, 0, "BBB", 3) != SUBS_NONE);
    subs_free(s);
}

T_TEST(held_symbol_is_dropped_unless_a_reader_says_again_that_it_wants_it)
{
    struct subs *s = make(16, 0, 0);
    uint32_t a, b;
    T_EQ(subs_hold(s, 0, "AAA", PX_TRADES, 5 * SEC, &a), 0);
    T_EQ(subs_hold(s, 0, "BBB", PX_TRADES, 5 * SEC, &b), 0);
    add(s, "BBB", PX_TRADES, SEC);
    subs_tick(s, 5 * SEC);
    drain(s);
    T_EQ(subs_find(s, 0, "AAA", 3), SUBS_NONE);
    T_EQ(subs_find(s, 0, "BBB", 3), b);
    subs_free(s);
}

T_TEST(configured_symbol_outlives_its_readers)
{
    struct subs *s = make(16, 0, 0);
    uint32_t a;
    T_EQ(subs_config(s, 0, "AAA", PX_TRADES, 0, &a), 0);
    T_EQ(add(s, "AAA", PX_QUOTES, 0), a);
    subs_reader_drop(s, a, PX_QUOTES, true, 0);
    subs_tick(s, 60 * SEC);
    T_EQ(subs_at(s, a)->wanted, PX_TRADES);
    T_EQ(subs_config(s, 0, "AAA", 0, 60 * SEC, &a), 0);
    subs_tick(s, 70 * SEC);
    drain(s);
    T_EQ(subs_used(s), 0);
    subs_free(s);
}

T_TEST(aggregated_trades_are_asked_where_the_venue_is_so_configured)
{
    struct subs *s = make(16, 0, 0);
    subs_link_open(s, 0, 0, 0, 0);
    subs_instead(s, 0, VENUE_AGGTRADES, 0);
    add(s, "AAA", PX_TRADES | PX_QUOTES, 0);
    T_STR(next(s, 0, 0), "+1 AAA/258");
    subs_free(s);
}

T_TEST(all_market_stream_is_for_tickers_alone)
{
    struct subs *s = make(16, 0, 0);
    uint32_t sub;
    T_EQ(subs_reader_add(s, 0, "*", PX_TRADES, 0, &sub), -EOPNOTSUPP);
    T_EQ(subs_used(s), 0);
    T_EQ(subs_reader_add(s, 0, "*", PX_TICKERS, 0, &sub), 0);
    subs_free(s);
}

/* Random adds, drops, links, answers: whatever happens, in the end nothing is left. */
T_TEST(nothing_is_left_when_everybody_is_gone)
{
    struct subs *s = make(200, 50, 0);
    uint32_t held[100], kinds[100], count = 0, seed = 7, sub;
    int64_t now = 0;
    per_message = 5;
    for (int step = 0; step < 20000; step++) {
        seed = seed * 1664525u + 1013904223u;
        uint32_t r = seed >> 8;
        char name[16];
        now += 10000000;
        subs_tick(s, now);
        switch (r % 8) {
        case 0:
        case 1:
            snprintf(name, sizeof name, "S%u", r / 8 % 60);
            if (count < 100 &&
                subs_reader_add(s, 0, name, kinds[count] = 1 + r / 512 % 7, now, &sub) == 0)
                held[count++] = sub;
            break;
        case 2:
            if (count > 0) {
                uint32_t i = r / 8 % count;
                subs_reader_drop(s, held[i], kinds[i], true, now);
                held[i] = held[--count];
                kinds[i] = kinds[count];
            }
            break;
        case 3:
            if (r / 8 % 16 == 0)
                subs_link_open(s, r / 128 % 4, 0, r / 512 % 4, 0);
            break;
        case 4:
            if (r / 8 % 64 == 0)
                subs_link_close(s, r / 512 % 4, 0);
            break;
        case 5:
            subs_refused(s, r / 8 % 4, 0, "no", 2, now);
            break;
        default:
            for (uint32_t l = 0; l < 4; l++)
                if (*next(s, l, now) != '\0' && r / 8 % 4 != 0)
                    subs_ack(s, l, 0, now);
        }
        if (r % 3 == 0)
            drain(s);
    }
    while (count > 0) {
        count--;
        subs_reader_drop(s, held[count], kinds[count], true, now);
    }
    for (int i = 0; i < 400; i++) {
        now += SEC;
        subs_tick(s, now);
        for (uint32_t l = 0; l < 4; l++)
            while (*next(s, l, now) != '\0')
                subs_ack(s, l, 0, now);
        drain(s);
    }
    T_EQ(subs_used(s), 0);
    T_EQ(subs_shards(s, 0), 0);
    subs_free(s);
}
