/* How venues answer: each stream by itself, not at all, one kind a message, over two routes; and
 * what is asked for anew. */
#include "subs_rig.h"

/* The venue of the rig with other manners; make() takes them back. */
static struct subs *make_with(uint32_t answers, bool one_kind)
{
    venue.answers = answers;
    venue.one_kind = one_kind;
    venue.messages_per_hour = 0;
    venue.routes = 0;
    return make(64, 0, 0);
}

static void ack(struct subs *s, const char *native, uint32_t kinds, bool off)
{
    const struct subs_stream stream = {native, strlen(native), kinds, off};
    subs_ack_stream(s, 0, &stream, 0);
}

static void refuse(struct subs *s, const char *native, uint32_t kinds)
{
    const struct subs_stream stream = {native, strlen(native), kinds, false};
    subs_refused_stream(s, 0, &stream, "not here", 8);
}

static bool resync(struct subs *s, const char *native, uint32_t kinds, int64_t now)
{
    const struct subs_stream stream = {native, strlen(native), kinds, false};
    return subs_resync(s, 0, &stream, now);
}

T_TEST(each_stream_is_acked_by_itself_and_the_message_with_the_last)
{
    struct subs *s = make_with(VENUE_ANSWERS_STREAM, false);
    subs_link_open(s, 0, 0, 0, 0);
    uint32_t a = add(s, "AAA", PX_TRADES | PX_QUOTES, 0), b = add(s, "BBB", PX_TRADES, 0);
    T_STR(next(s, 0, 0), "+1 AAA/3 BBB/1");
    ack(s, "AAA", PX_QUOTES, false);
    T_EQ(subs_at(s, a)->lane[0].acked, PX_QUOTES);
    ack(s, "BBB", PX_TRADES, false);
    T_EQ(subs_settled(s, 0), 0);
    T_EQ(subs_at(s, b)->state, SUBS_ACKED);
    ack(s, "AAA", PX_TRADES, false);
    T_STR(next(s, 0, 0), "");
    T_EQ(subs_settled(s, 0), 1);
    /* twice, of another, and of nobody: nothing */
    ack(s, "AAA", PX_TRADES, false);
    ack(s, "AAA", PX_TICKERS, false);
    ack(s, "ZZZ", PX_TRADES, false);
    T_EQ(subs_at(s, a)->lane[0].acked, PX_TRADES | PX_QUOTES);
    T_EQ(subs_settled(s, 0), 1);
    subs_free(s);
}

T_TEST(a_stream_that_is_refused_leaves_the_others_of_its_message)
{
    struct subs *s = make_with(VENUE_ANSWERS_STREAM, false);
    subs_link_open(s, 0, 0, 0, 0);
    uint32_t a = add(s, "AAA", PX_TRADES | PX_QUOTES, 0), b = add(s, "BAD", PX_TRADES, 0);
    next(s, 0, 0);
    refuse(s, "BAD", 0);
    T_EQ(subs_at(s, b)->state, SUBS_REFUSED);
    T_STR(subs_at(s, b)->text, "not here");
    refuse(s, "AAA", PX_QUOTES);
    ack(s, "AAA", PX_TRADES, false);
    T_EQ(subs_at(s, a)->state, SUBS_ACKED);
    T_EQ(subs_at(s, a)->refused_kinds, PX_QUOTES);
    T_STR(next(s, 0, 0), "");
    T_EQ(subs_settled(s, 0), 1);
    subs_free(s);
}

T_TEST(an_unsubscribe_is_answered_by_stream_too)
{
    struct subs *s = make_with(VENUE_ANSWERS_STREAM, false);
    subs_link_open(s, 0, 0, 0, 0);
    uint32_t a = add(s, "AAA", PX_TRADES | PX_QUOTES, 0);
    next(s, 0, 0);
    ack(s, "AAA", PX_TRADES, false);
    ack(s, "AAA", PX_QUOTES, false);
    next(s, 0, 0);
    subs_reader_drop(s, a, PX_TRADES | PX_QUOTES, true, 0);
    T_STR(next(s, 0, 0), "-2 AAA/3");
    ack(s, "AAA", PX_TRADES, false); /* late, of the subscribe */
    ack(s, "AAA", PX_TRADES, true);
    drain(s);
    T_EQ(subs_used(s), 1);
    ack(s, "AAA", PX_QUOTES, true);
    drain(s);
    T_EQ(subs_used(s), 0);
    subs_free(s);
}

T_TEST(an_ack_that_comes_after_its_deadline_counts)
{
    struct subs *s = make_with(VENUE_ANSWERS_STREAM, false);
    subs_link_open(s, 0, 0, 0, 0);
    uint32_t a = add(s, "AAA", PX_TRADES, 0);
    for (int i = 1; i <= 3; i++) { /* as often as it is asked again at once */
        T_TRUE(next(s, 0, (i - 1) * 10 * SEC)[0] == '+');
        subs_tick(s, i * 10 * SEC);
    }
    T_EQ(subs_at(s, a)->state, SUBS_UNANSWERED);
    ack(s, "AAA", PX_TRADES, false);
    T_EQ(subs_at(s, a)->state, SUBS_ACKED);
    subs_free(s);
}

T_TEST(a_message_is_for_one_kind_where_the_venue_has_it_so)
{
    struct subs *s = make_with(VENUE_ANSWERS_REQUEST, true);
    subs_link_open(s, 0, 0, 0, 0);
    add(s, "AAA", PX_QUOTES | PX_TICKERS, 0);
    add(s, "BBB", PX_TRADES | PX_QUOTES, 0);
    add(s, "CCC", PX_QUOTES, 0);
    T_STR(next(s, 0, 0), "+1 AAA/2 BBB/2 CCC/2");
    T_STR(next(s, 0, 0), "");
    subs_ack(s, 0, 1, 0);
    T_STR(next(s, 0, 0), "+2 AAA/4");
    T_STR(next(s, 0, 0), "+3 BBB/1");
    subs_ack(s, 0, 2, 0);
    subs_ack(s, 0, 3, 0);
    T_STR(next(s, 0, 0), "");
    T_EQ(subs_settled(s, 0), 1);
    subs_free(s);
}

T_TEST(a_venue_that_never_answers_is_taken_at_its_silence)
{
    struct subs *s = make_with(VENUE_ANSWERS_NEVER, false);
    subs_link_open(s, 0, 0, 0, 0);
    uint32_t a = add(s, "AAA", PX_TRADES, 0);
    T_STR(next(s, 0, 0), "+1 AAA/1");
    T_EQ(subs_at(s, a)->state, SUBS_ACKED);
    T_STR(next(s, 0, 0), "");
    T_EQ(subs_settled(s, 0), 1);
    subs_tick(s, 10 * SEC);
    T_EQ(subs_at(s, a)->state, SUBS_SILENT);
    subs_reader_drop(s, a, PX_TRADES, true, 10 * SEC);
    T_STR(next(s, 0, 10 * SEC), "-2 AAA/1");
    drain(s);
    T_EQ(subs_used(s), 0);
    subs_free(s);
}

T_TEST(a_lost_book_is_stopped_and_asked_for_again_further_apart_each_time)
{
    struct subs *s = make_with(VENUE_ANSWERS_REQUEST, false);
    subs_link_open(s, 0, 0, 0, 0);
    add(s, "AAA", PX_TRADES | PX_QUOTES, 0);
    add(s, "BBB", PX_QUOTES, 0);
    next(s, 0, 0);
    subs_ack(s, 0, 1, 0);
    int64_t now = 1000 * SEC, wait = 0;
    char want[32];
    for (int i = 0; i < 9; i++) {
        T_EQ(resync(s, "AAA", PX_QUOTES, now), 1);
        T_EQ(resync(s, "AAA", PX_QUOTES, now), 1); /* told twice is told once */
        if (wait > 0) {
            subs_tick(s, now + wait - 1);
            T_STR(next(s, 0, now + wait - 1), "");
        }
        now += wait;
        subs_tick(s, now);
        snprintf(want, sizeof want, "-%d AAA/2", 2 + 2 * i);
        T_STR(next(s, 0, now), want);
        T_STR(next(s, 0, now), "");
        subs_ack(s, 0, 2 + 2 * i, now);
        snprintf(want, sizeof want, "+%d AAA/2", 3 + 2 * i);
        T_STR(next(s, 0, now), want);
        subs_ack(s, 0, 3 + 2 * i, now);
        T_STR(next(s, 0, now), "");
        wait = wait == 0 ? SEC : wait < 64 * SEC ? 2 * wait : wait;
    }
    T_EQ(wait, 64 * SEC);
    now += 301 * SEC; /* it has held */
    T_EQ(resync(s, "AAA", PX_QUOTES, now), 1);
    T_TRUE(next(s, 0, now)[0] == '-');
    T_EQ(resync(s, "AAA", PX_TICKERS, now), 0);
    T_EQ(resync(s, "ZZZ", PX_QUOTES, now), 0);
    subs_free(s);
}

T_TEST(kinds_that_are_lost_together_are_asked_for_together)
{
    struct subs *s = make_with(VENUE_ANSWERS_REQUEST, false);
    subs_link_open(s, 0, 0, 0, 0);
    add(s, "AAA", PX_QUOTES | PX_TICKERS, 0);
    next(s, 0, 0);
    subs_ack(s, 0, 1, 0);
    int64_t now = 1000 * SEC;
    T_EQ(resync(s, "AAA", PX_QUOTES, now), 1);
    T_EQ(resync(s, "AAA", PX_TICKERS, now), 1);
    T_STR(next(s, 0, now), "-2 AAA/6");
    subs_ack(s, 0, 2, now);
    T_STR(next(s, 0, now), "+3 AAA/6");
    subs_ack(s, 0, 3, now);
    T_EQ(resync(s, "AAA", PX_TICKERS, now), 1); /* the second time, whichever kind it is */
    T_STR(next(s, 0, now), "");
    T_EQ(resync(s, "AAA", PX_QUOTES, now + SEC / 2), 1);
    subs_tick(s, now + SEC);
    T_STR(next(s, 0, now + SEC), "-4 AAA/6");
    subs_free(s);
}

T_TEST(a_lost_book_that_nobody_wants_any_more_is_only_stopped)
{
    struct subs *s = make_with(VENUE_ANSWERS_REQUEST, false);
    subs_link_open(s, 0, 0, 0, 0);
    uint32_t a = add(s, "AAA", PX_QUOTES, 0);
    next(s, 0, 0);
    subs_ack(s, 0, 1, 0);
    T_EQ(resync(s, "AAA", PX_QUOTES, 0), 1);
    subs_reader_drop(s, a, PX_QUOTES, true, 0);
    T_STR(next(s, 0, 0), "-2 AAA/2");
    subs_ack(s, 0, 2, 0);
    T_STR(next(s, 0, 0), "");
    drain(s);
    T_EQ(subs_used(s), 0);
    subs_free(s);
}

T_TEST(no_hour_sees_more_messages_than_the_venue_takes)
{
    struct subs *s = make_with(VENUE_ANSWERS_NEVER, false);
    venue.messages_per_hour = 20;
    subs_link_open(s, 0, 0, 0, 0);
    static int64_t sent[4096];
    uint32_t count = 0, a = SUBS_NONE;
    for (int64_t now = SEC; now < 4 * 3600 * SEC; now += SEC) {
        if (now / SEC % 2 == 1)
            a = add(s, "AAA", PX_TRADES, now);
        else
            subs_reader_drop(s, a, PX_TRADES, true, now);
        subs_tick(s, now);
        while (next(s, 0, now)[0] != '\0')
            sent[count++] = now;
        drain(s);
    }
    T_TRUE(count > 40);
    for (uint32_t i = 20; i < count; i++)
        T_TRUE(sent[i] - sent[i - 20] >= 3600 * SEC);
    venue.messages_per_hour = 0;
    subs_free(s);
}

T_TEST(each_route_is_asked_for_its_own_kinds)
{
    struct subs *s = make_with(VENUE_ANSWERS_REQUEST, false);
    venue.routes = 2;
    venue.route_kinds[0] = PX_QUOTES;
    venue.route_kinds[1] = PX_TRADES | VENUE_AGGTRADES | PX_TICKERS;
    uint32_t wanted, acked;
    T_EQ(subs_routes(s, 0), 2);
    uint32_t a = add(s, "AAA", PX_TRADES | PX_QUOTES, 0);
    T_EQ(subs_shard_wanted(s, 0, 0, 0), 1);
    T_EQ(subs_shard_wanted(s, 0, 0, 1), 1);
    T_EQ(subs_link_open(s, 0, 0, 0, 2), -EINVAL);
    T_EQ(subs_link_open(s, 0, 0, 0, 0), 0);
    T_EQ(subs_link_open(s, 5, 0, 0, 1), 0);
    T_STR(next(s, 0, 0), "+1 AAA/2");
    T_STR(next(s, 5, 0), "+1 AAA/1");
    subs_ack(s, 0, 1, 0);
    subs_ack(s, 5, 1, 0);
    T_EQ(subs_carries(s, 0, subs_at(s, a), PX_TRADES), 0);
    T_EQ(subs_carries(s, 5, subs_at(s, a), PX_TRADES), 1);
    subs_streams(s, 0, &wanted, &acked);
    T_EQ(wanted, 1);
    T_EQ(acked, 1);
    subs_data(s, subs_at(s, a), PX_TRADE);
    subs_data(s, subs_at(s, a), PX_QUOTE);
    subs_link_close(s, 5, 0); /* the other goes on */
    T_EQ(subs_at(s, a)->data_kinds, PX_QUOTES);
    T_EQ(subs_at(s, a)->state, SUBS_FLOWING);
    subs_reader_drop(s, a, PX_QUOTES, false, 0);
    subs_tick(s, 5 * SEC);
    T_EQ(subs_shard_wanted(s, 0, 0, 0), 0);
    T_EQ(subs_shard_wanted(s, 0, 0, 1), 1);
    venue.routes = 0;
    subs_free(s);
}

T_TEST(quotes_can_be_asked_for_out_of_the_deeper_book)
{
    struct subs *s = make_with(VENUE_ANSWERS_REQUEST, false);
    venue.kinds |= VENUE_DEPTH;
    subs_link_open(s, 0, 0, 0, 0);
    uint32_t a = add(s, "AAA", PX_TRADES | PX_QUOTES, 0);
    T_STR(next(s, 0, 0), "+1 AAA/3");
    subs_ack(s, 0, 1, 0);
    subs_instead(s, 0, VENUE_DEPTH, 0);
    T_STR(next(s, 0, 0), "-2 AAA/2");
    subs_ack(s, 0, 2, 0);
    T_STR(next(s, 0, 0), "+3 AAA/512");
    subs_ack(s, 0, 3, 0);
    T_EQ(subs_kinds(subs_at(s, a)), PX_TRADES | PX_QUOTES);
    T_EQ(subs_carries(s, 0, subs_at(s, a), PX_QUOTES), 1);
    venue.kinds &= ~VENUE_DEPTH;
    subs_free(s);
}
