/* From events of a venue to ticks, slots and quality. */
#include "publish_rig.h"

#include "hole.h"

T_TEST(the_first_data_makes_a_symbol_live_and_says_so)
{
    struct fixture f;
    setup(&f, "binance:BTCUSDT");
    trade(&f, 100);
    quote(&f, 7, 50);
    T_STR(seen(&f), "ltq");
    T_EQ(px_writer_quality_get(f.writer, f.slot), PX_LIVE);
    T_EQ(f.from.ticks, 2);
    teardown(&f);
}

T_TEST(a_trade_that_was_seen_is_dropped_and_counted)
{
    struct fixture f;
    setup(&f, "binance:BTCUSDT");
    for (uint64_t id = 100; id < 105; id++)
        trade(&f, id);
    trade(&f, 104);
    trade(&f, 100);
    trade(&f, 105);
    T_STR(seen(&f), "ltttttt");
    T_EQ(counted(&f, PX_C_duplicates), 2);
    T_EQ(f.from.duplicates, 2);
    T_EQ(counted(&f, PX_C_gaps), 0);
    teardown(&f);
}

T_TEST(a_hole_in_consecutive_ids_is_a_gap_until_they_are_consistent_again)
{
    struct fixture f;
    setup(&f, "binance:BTCUSDT");
    trade(&f, 100);
    trade(&f, 104);
    T_STR(seen(&f), "ltgt");
    T_EQ(px_writer_quality_get(f.writer, f.slot), PX_GAP);
    quote(&f, 1, 50); /* says nothing about the missing trades */
    T_EQ(px_writer_quality_get(f.writer, f.slot), PX_GAP);
    trade(&f, 105);
    T_STR(seen(&f), "qlt");
    T_EQ(px_writer_quality_get(f.writer, f.slot), PX_LIVE);
    T_EQ(counted(&f, PX_C_gaps), 1);
    T_EQ(counted(&f, PX_C_ids_missing), 3);
    teardown(&f);
}

T_TEST(the_gap_tick_names_first_and_last_id_and_the_count)
{
    struct fixture f;
    struct px_tick ticks[8];
    setup(&f, "binance:BTCUSDT");
    trade(&f, 100);
    trade(&f, 111);
    int n = px_bus_poll(f.reader, ticks, 8);
    T_TRUE(n >= 4);
    const struct px_tick *gap = &ticks[n - 2];
    T_EQ(gap->u.status.event, PX_EVENT_GAP);
    T_EQ(gap->u.status.cause, PX_CAUSE_IDS_MISSING);
    T_EQ(gap->u.status.first_id, 101);
    T_EQ(gap->u.status.last_id, 110);
    T_EQ(gap->u.status.count, 10);
    T_EQ(ticks[n - 1].flags & PX_FLAG_GAP, PX_FLAG_GAP);
    teardown(&f);
}

static void on_hole(void *user, const struct publish_hole *hole)
{
    *(struct publish_hole *)user = *hole;
}

static bool fill(struct fixture *f, const struct publish_hole *hole, uint64_t id)
{
    const struct hole_trade t = {
        .id = id, .exch_ns = 5, .flags = PX_SIDE_SELL, .trade = {{(int64_t)id, -2}, {1, 0}, id}};
    bool done = publish_fill(f->publish, hole, &t, f->at);
    px_writer_flush(f->writer);
    return done;
}

T_TEST(a_hole_is_told_with_the_ids_of_its_gap_and_filled_behind_what_came_since)
{
    struct fixture f;
    struct publish_hole hole = {0};
    struct px_tick tick = {0};
    setup(&f, "binance:BTCUSDT");
    publish_on_hole(f.publish, on_hole, &hole);
    trade(&f, 100);
    T_EQ(hole.last, 0);
    trade(&f, 104);
    T_EQ(hole.first, 101);
    T_EQ(hole.last, 103);
    T_EQ(hole.slot, f.slot);
    T_EQ(hole.after_ns, f.at.utc_ns);
    T_TRUE(!hole.aggregated && publish_hole_stands(f.publish, &hole));
    seen(&f);
    pass(&f, 2 * S);
    T_TRUE(fill(&f, &hole, 101));
    T_EQ(px_bus_poll(f.reader, &tick, 1), 1);
    T_EQ(tick.u.trade.trade_id, 101);
    T_EQ(tick.flags, PX_SIDE_SELL | PX_FLAG_BACKFILL);
    T_EQ(held(&f).trade.trade_id, 104);
    T_EQ(held(&f).trade_info.flags & PX_FLAG_BACKFILL, 0);
    T_EQ(px_writer_last_id(f.writer, f.slot, PX_TRADE), 104);
    trade(&f, 105); /* the live row is the one that it was */
    T_STR(seen(&f), "lt");
    teardown(&f);
}

T_TEST(a_trade_of_a_hole_that_is_later_than_the_last_one_is_the_last_one)
{
    struct fixture f;
    struct publish_hole hole = {0};
    setup(&f, "binance:BTCUSDT");
    publish_on_hole(f.publish, on_hole, &hole);
    trade(&f, 100);
    const struct venue_event beat = {
        .type = VENUE_HEARTBEAT, .symbol = "BTCUSDT", .symbol_len = 7, .venue_id = 102};
    give(&f, &beat);
    give(&f, &beat);
    T_EQ(hole.first, 101);
    T_EQ(hole.last, 102);
    T_TRUE(fill(&f, &hole, 101) && fill(&f, &hole, 102));
    T_EQ(held(&f).trade.trade_id, 102);
    teardown(&f);
}

T_TEST(a_hole_in_a_count_that_began_anew_does_not_stand)
{
    struct fixture f;
    struct publish_hole hole = {0};
    setup(&f, "binance:BTCUSDT");
    publish_on_hole(f.publish, on_hole, &hole);
    trade(&f, 100);
    trade(&f, 104);
    T_TRUE(publish_hole_stands(f.publish, &hole));
    pass(&f, 5 * S);
    trade(&f, 3);
    T_TRUE(!publish_hole_stands(f.publish, &hole));
    hole.generation++;
    T_TRUE(!publish_hole_stands(f.publish, &hole));
    teardown(&f);
}

T_TEST(what_was_missed_over_a_reconnect_is_exactly_the_gap)
{
    struct fixture f;
    setup(&f, "binance:BTCUSDT");
    trade(&f, 100);
    publish_lost(f.publish, &f.from, PX_CAUSE_CONNECTION_LOST, f.at);
    f.from.life++;
    f.at.mono_ns += 3 * S;
    f.at.utc_ns += 3 * S;
    trade(&f, 121);
    T_STR(seen(&f), "ltsgt");
    T_EQ(counted(&f, PX_C_ids_missing), 20);
    teardown(&f);
}

T_TEST(what_was_missed_over_a_restart_is_exactly_the_gap)
{
    struct fixture f;
    setup(&f, "binance:BTCUSDT");
    trade(&f, 100);
    publish_free(f.publish);
    f.publish = publish_new(f.writer, f.wants, f.fold);
    trade(&f, 100);
    trade(&f, 104);
    T_STR(seen(&f), "ltgt");
    T_EQ(counted(&f, PX_C_duplicates), 1);
    T_EQ(counted(&f, PX_C_ids_missing), 3);
    teardown(&f);
}

T_TEST(ids_that_begin_anew_are_not_taken_for_duplicates)
{
    struct fixture f;
    setup(&f, "binance:BTCUSDT");
    trade(&f, 1000000);
    f.at.mono_ns += 2 * S;
    f.at.utc_ns += 2 * S;
    trade(&f, 5);
    trade(&f, 6);
    T_STR(seen(&f), "lttt");
    T_EQ(counted(&f, PX_C_gaps), 0);
    teardown(&f);
}

T_TEST(a_trade_that_a_replay_dates_back_is_the_same_when_another_connection_brings_it)
{
    struct fixture f;
    setup(&f, "binance:BTCUSDT");
    trade(&f, 100);
    struct venue_event event = trade_of(&f, 101);
    event.flags |= PX_FLAG_REPLAY;
    event.exch_ns -= 3 * S;
    f.from.conn = 1;
    give(&f, &event);
    f.from.conn = 0;
    trade(&f, 101);
    trade(&f, 102);
    T_STR(seen(&f), "lttt");
    T_EQ(counted(&f, PX_C_duplicates), 1);
    T_EQ(counted(&f, PX_C_gaps), 0);
    teardown(&f);
}

T_TEST(trades_go_on_after_one_with_a_time_in_the_future)
{
    struct fixture f;
    setup(&f, "binance:BTCUSDT");
    struct venue_event event = trade_of(&f, UINT64_C(18000000000000000000));
    event.exch_ns = f.at.utc_ns + 86400 * S;
    give(&f, &event);
    pass(&f, 3 * S);
    trade(&f, 101);
    trade(&f, 102);
    T_STR(seen(&f), "lttt");
    teardown(&f);
}

T_TEST(trade_ids_without_times_begin_anew_by_persistence)
{
    struct fixture f;
    uint64_t id = 1;
    setup(&f, "binance:BTCUSDT");
    trade(&f, 1000000);
    for (; id < 5000; id++) { /* a row of duplicates, in one turn */
        struct venue_event event = trade_of(&f, id);
        event.exch_ns = 0;
        give(&f, &event);
    }
    T_STR(seen(&f), "lt");
    pass(&f, 4 * S);
    struct venue_event event = trade_of(&f, id);
    event.exch_ns = 0;
    give(&f, &event);
    T_STR(seen(&f), "t");
    teardown(&f);
}

/* Config asks, or no longer asks, for kinds; the grace time passes. */
static void ask(struct fixture *f, uint32_t kinds, bool aggregated)
{
    f->config.symbols[0].kinds = kinds;
    f->config.venue[f->from.venue_index].kinds = aggregated ? VENUE_AGGTRADES : PX_TRADES;
    wants_apply(f->wants, &f->config, f->at.mono_ns);
    pass(f, 10 * S);
    turn(f, 0);
}

T_TEST(what_nobody_asked_for_is_no_gap)
{
    struct fixture f;
    setup(&f, "binance:BTCUSDT");
    open_link(&f, 0, 0);
    trade(&f, 100);
    ask(&f, PX_QUOTES, false);
    ask(&f, PX_TRADES, false);
    trade(&f, 376);
    trade(&f, 376); /* still a duplicate */
    trade(&f, 378); /* and from here on a gap again */
    T_STR(seen(&f), "lttgt");
    T_EQ(counted(&f, PX_C_ids_missing), 1);
    T_EQ(counted(&f, PX_C_duplicates), 1);
    teardown(&f);
}

T_TEST(a_reader_that_leaves_and_comes_back_is_told_of_no_gap)
{
    struct fixture f;
    struct wants_answer answer;
    setup(&f, "binance:ETHUSDT");
    open_link(&f, 0, 0);
    for (int round = 0; round < 2; round++) {
        T_EQ(wants_subscribe(f.wants, "binance:BTCUSDT", PX_TRADES, f.at.mono_ns, &answer), 0);
        turn(&f, 0);
        trade(&f, 100 + (uint64_t)round * 276);
        wants_unsubscribe(f.wants, answer.sub, PX_TRADES, f.at.mono_ns);
        pass(&f, 10 * S);
        turn(&f, 0);
    }
    T_EQ(counted(&f, PX_C_gaps), 0);
    teardown(&f);
}

T_TEST(a_held_wish_is_told_of_the_gap_over_a_restart)
{
    struct fixture f;
    setup(&f, "binance:ETHUSDT");
    struct wants_answer answer;
    T_EQ(wants_subscribe(f.wants, "binance:BTCUSDT", PX_TRADES, f.at.mono_ns, &answer), 0);
    trade(&f, 100);
    publish_free(f.publish);
    wants_free(f.wants);
    f.wants = wants_new(&f.config, f.writer);
    wants_hold(f.wants, "binance:BTCUSDT", PX_TRADES, f.at.mono_ns);
    wants_apply(f.wants, &f.config, f.at.mono_ns);
    T_EQ(wants_subscribe(f.wants, "binance:BTCUSDT", PX_TRADES, f.at.mono_ns, &answer), 0);
    f.publish = publish_new(f.writer, f.wants, f.fold);
    trade(&f, 111);
    T_EQ(counted(&f, PX_C_ids_missing), 10);
    teardown(&f);
}

static void restart(struct fixture *f)
{
    publish_free(f->publish);
    wants_free(f->wants);
    f->wants = wants_new(&f->config, f->writer);
    wants_apply(f->wants, &f->config, f->at.mono_ns);
    f->publish = publish_new(f->writer, f->wants, f->fold);
}

T_TEST(a_wish_that_is_said_again_after_a_restart_is_told_of_the_gap)
{
    static const struct {
        int64_t down_ns;
        uint64_t missing;
    } given[] = {{3 * S, 10}, {600 * S, 0}};
    for (size_t i = 0; i < sizeof given / sizeof given[0]; i++) {
        struct fixture f;
        struct wants_answer answer;
        setup(&f, "binance:ETHUSDT");
        T_EQ(wants_subscribe(f.wants, "binance:BTCUSDT", PX_TRADES, f.at.mono_ns, &answer), 0);
        trade(&f, 100);
        restart(&f); /* killed before the set was saved */
        pass(&f, given[i].down_ns);
        T_EQ(wants_subscribe(f.wants, "binance:BTCUSDT", PX_TRADES, f.at.mono_ns, &answer), 0);
        trade(&f, 111);
        T_EQ(counted(&f, PX_C_ids_missing), given[i].missing);
        teardown(&f);
    }
}

static void aggregate(struct fixture *f, uint64_t id)
{
    struct venue_event event = trade_of(f, id);
    event.aggregated = true;
    give(f, &event);
}

T_TEST(single_and_aggregated_trades_are_numbered_apart)
{
    struct fixture f;
    setup(&f, "binance:BTCUSDT");
    open_link(&f, 0, 0);
    trade(&f, 5000000000);
    ask(&f, PX_TRADES, true);
    trade(&f, 5000000001); /* was under way, and is asked for no longer */
    aggregate(&f, 3000000000);
    aggregate(&f, 3000000001);
    T_STR(seen(&f), "lttt");
    ask(&f, PX_TRADES, false);
    trade(&f, 5000000900);
    aggregate(&f, 3000000002);
    trade(&f, 5000000901);
    T_STR(seen(&f), "tt");
    T_EQ(counted(&f, PX_C_gaps), 0);
    T_EQ(counted(&f, PX_C_duplicates), 0);
    teardown(&f);
}

static void replay(struct fixture *f, uint64_t first, uint64_t last)
{
    for (uint64_t id = first; id <= last; id++) {
        struct venue_event event = trade_of(f, id);
        event.flags |= PX_FLAG_REPLAY;
        give(f, &event);
    }
}

T_TEST(a_replay_of_earlier_trades_brings_only_what_is_new)
{
    struct fixture f;
    setup(&f, "binance:BTCUSDT");
    replay(&f, 98, 99); /* before the first trade there is nothing to miss */
    trade(&f, 100);
    replay(&f, 97, 102);
    T_STR(seen(&f), "lttttt");
    T_EQ(counted(&f, PX_C_gaps), 0);
    T_EQ(counted(&f, PX_C_duplicates), 4);
    teardown(&f);
}

T_TEST(what_a_replay_is_too_young_for_is_a_gap)
{
    struct fixture f;
    setup(&f, "binance:BTCUSDT");
    trade(&f, 100);
    replay(&f, 104, 105);
    T_STR(seen(&f), "ltgtlt");
    T_EQ(counted(&f, PX_C_ids_missing), 3);
    teardown(&f);
}

T_TEST(an_older_quote_never_overwrites_a_newer_one)
{
    struct fixture f;
    setup(&f, "binance:BTCUSDT");
    quote(&f, 10, 50);
    quote(&f, 9, 40);
    quote(&f, 10, 40);
    quote(&f, 12, 60); /* update ids are not consecutive */
    T_STR(seen(&f), "lqq");
    T_EQ(px_writer_last_id(f.writer, f.slot, PX_QUOTE), 12);
    T_EQ(counted(&f, PX_C_gaps), 0);
    teardown(&f);
}

T_TEST(quotes_are_ordered_by_their_ids_over_two_connections)
{
    static const struct {
        uint32_t conn;
        uint64_t id;
    } given[] = {{0, 10}, {1, 11}, {0, 10}, {0, 11}, {1, 9}};
    struct fixture f;
    setup(&f, "binance:BTCUSDT");
    for (size_t i = 0; i < sizeof given / sizeof given[0]; i++) {
        f.from.conn = given[i].conn;
        quote(&f, given[i].id, (int64_t)given[i].id);
    }
    T_STR(seen(&f), "lqq");
    T_EQ(held(&f).quote.bid.mantissa, 11);
    T_EQ(counted(&f, PX_C_duplicates), 3);
    teardown(&f);
}

T_TEST(an_older_quote_of_the_next_connection_is_neither_taken_nor_live)
{
    struct fixture f;
    setup(&f, "binance:BTCUSDT");
    quote(&f, 10, 50);
    lose(&f, 0);
    f.from.life++;
    quote(&f, 8, 40);
    T_STR(seen(&f), "lqs");
    T_EQ(px_writer_quality_get(f.writer, f.slot), PX_STALE);
    quote(&f, 12, 60);
    T_STR(seen(&f), "lq");
    teardown(&f);
}

T_TEST(silence_does_not_make_an_older_quote_newer)
{
    struct fixture f;
    setup(&f, "binance:BTCUSDT");
    quote(&f, 10, 50);
    pass(&f, 4 * S);
    quote(&f, 10, 50);
    pass(&f, 4 * S);
    quote(&f, 9, 40);
    pass(&f, 60 * S);
    quote(&f, 9, 40); /* the same once more is no new count */
    T_STR(seen(&f), "lq");
    teardown(&f);
}

T_TEST(lower_quote_ids_that_persist_are_a_new_count)
{
    struct fixture f;
    setup(&f, "binance:BTCUSDT");
    quote(&f, 1000, 50);
    uint64_t id = 0;
    for (; id < 30; id++, pass(&f, 100 * MS))
        quote(&f, 1 + id, 40);
    T_STR(seen(&f), "lq");
    quote(&f, 1 + id, 41);
    quote(&f, 2 + id, 42);
    T_STR(seen(&f), "qq");
    for (id = 0; id < 100; id++, pass(&f, 100 * MS)) { /* a higher one between ends it each time */
        quote(&f, 10 + id, 50);
        quote(&f, 2000 + id, 60);
    }
    T_EQ(held(&f).quote.bid.mantissa, 60);
    teardown(&f);
}

T_TEST(an_older_ticker_never_overwrites_a_newer_one)
{
    struct fixture f;
    setup(&f, "binance:BTCUSDT");
    int64_t now = f.at.utc_ns;
    ticker(&f, now, 200);
    ticker(&f, now - S, 100);
    T_EQ(held(&f).ticker.last.mantissa, 200);
    for (int i = 0; i < 40; i++, pass(&f, 100 * MS)) /* the venue's clock went back for good */
        ticker(&f, f.at.utc_ns - 3600 * S, 300 + i);
    T_EQ(held(&f).ticker.last.mantissa, 339);
    teardown(&f);
}

T_TEST(the_quote_of_an_older_ticker_is_dropped_with_it)
{
    struct fixture f;
    setup(&f, "binance:BTCUSDT");
    for (int i = 0; i < 2; i++) {
        struct venue_event event = {.type = VENUE_QUOTE,
                                    .derived = true,
                                    .symbol = "BTCUSDT",
                                    .symbol_len = 7,
                                    .exch_ns = f.at.utc_ns - i * S,
                                    .u.quote = {{50 - i, 0}, {1, 0}, {60, 0}, {1, 0}}};
        give(&f, &event);
    }
    T_EQ(held(&f).quote.bid.mantissa, 50);
    teardown(&f);
}

T_TEST(the_quote_of_a_ticker_frame_does_not_overwrite_the_faster_stream)
{
    struct fixture f;
    setup(&f, "binance:BTCUSDT");
    quote(&f, 0, 45); /* nothing faster has come yet */
    quote(&f, 10, 50);
    quote(&f, 0, 40);
    T_STR(seen(&f), "lqq");
    T_EQ(counted(&f, PX_C_superseded), 1);
    teardown(&f);
}

T_TEST(ticker_quotes_are_taken_once_the_faster_stream_is_no_longer_asked_for)
{
    struct fixture f;
    setup(&f, "binance:BTCUSDT");
    quote(&f, 10, 50);
    f.config.symbols[0].kinds = PX_TRADES | PX_TICKERS;
    wants_apply(f.wants, &f.config, f.at.mono_ns);
    pass(&f, 60 * S);
    wants_tick(f.wants, f.at.mono_ns);
    quote(&f, 0, 70);
    T_EQ(held(&f).quote.bid.mantissa, 70);
    T_EQ(counted(&f, PX_C_superseded), 0);
    teardown(&f);
}

T_TEST(a_symbol_is_stale_when_the_link_of_any_kind_that_is_asked_for_is_lost)
{
    struct fixture f;
    setup(&f, "binance:BTCUSDT");
    trade(&f, 1);
    quote(&f, 10, 50);
    f.from.conn = 1;
    ticker(&f, f.at.utc_ns, 1);
    T_STR(seen(&f), "ltqk");
    lose(&f, 0);
    T_STR(seen(&f), "s");
    pass(&f, S);
    ticker(&f, f.at.utc_ns, 2); /* the other link goes on, and proves nothing about the lost one */
    T_STR(seen(&f), "k");
    T_EQ(px_writer_quality_get(f.writer, f.slot), PX_STALE);
    f.from.conn = 2;
    open_link(&f, 2, 0);
    quote(&f, 11, 51); /* the new link brings trades too, when there are any */
    T_STR(seen(&f), "lq");
    teardown(&f);
}

T_TEST(a_symbol_stays_live_while_another_link_brings_the_same)
{
    struct fixture f;
    setup(&f, "binance:BTCUSDT");
    open_link(&f, 0, 0);
    open_link(&f, 1, 0);
    quote(&f, 10, 50);
    f.from.conn = 1;
    quote(&f, 10, 50);
    subs_link_close(wants_subs(f.wants), 0, f.at.mono_ns);
    lose(&f, 0);
    T_STR(seen(&f), "lq");
    subs_link_close(wants_subs(f.wants), 1, f.at.mono_ns);
    lose(&f, 1);
    T_STR(seen(&f), "s");
    teardown(&f);
}

T_TEST(a_symbol_that_lives_by_a_promise_is_stale_when_who_gave_it_is_lost_too)
{
    struct fixture f;
    setup(&f, "binance:BTCUSDT");
    open_link(&f, 0, 0);
    trade(&f, 1);
    open_link(&f, 1, 0); /* it takes over, and nothing trades */
    subs_link_close(wants_subs(f.wants), 0, f.at.mono_ns);
    lose(&f, 0);
    T_STR(seen(&f), "lt");
    T_EQ(held(&f).quality, PX_LIVE);
    subs_link_close(wants_subs(f.wants), 1, f.at.mono_ns);
    lose(&f, 1);
    T_STR(seen(&f), "s");
    T_EQ(held(&f).quality, PX_STALE);
    teardown(&f);
}

T_TEST(symbols_of_the_all_market_stream_are_stale_when_nobody_asks_for_it_any_more)
{
    struct fixture f;
    struct px_symbol_info info;
    setup(&f, "binance:*");
    open_link(&f, 0, 0);
    ticker(&f, f.at.utc_ns, 1);
    T_EQ(px_writer_find(f.writer, "binance:BTCUSDT", 15, &f.slot), 0);
    T_STR(seen(&f), "lk");
    f.config.symbol_count = 0;
    wants_apply(f.wants, &f.config, f.at.mono_ns);
    f.config.symbol_count = 1;
    pass(&f, 60 * S);
    turn(&f, 0);
    px_writer_flush(f.writer);
    T_STR(seen(&f), "s");
    T_EQ(px_writer_symbol(f.writer, f.slot, &info), 0);
    T_EQ(info.quality, PX_STALE);
    T_EQ(info.cause, PX_CAUSE_NOT_SUBSCRIBED);
    teardown(&f);
}

T_TEST(a_lost_connection_makes_its_symbols_stale_once)
{
    struct fixture f;
    struct px_symbol_info info;
    setup(&f, "binance:BTCUSDT");
    quote(&f, 1, 50);
    publish_lost(f.publish, &f.from, PX_CAUSE_CONNECTION_MUTE, f.at);
    publish_lost(f.publish, &f.from, PX_CAUSE_CONNECTION_MUTE, f.at);
    px_writer_flush(f.writer);
    T_STR(seen(&f), "lqs");
    T_EQ(px_writer_symbol(f.writer, f.slot, &info), 0);
    T_EQ(info.quality, PX_STALE);
    T_EQ(info.cause, PX_CAUSE_CONNECTION_MUTE);
    f.from.life++;
    quote(&f, 1, 50); /* the present state, told again by the new connection */
    T_STR(seen(&f), "l");
    T_EQ(px_writer_quality_get(f.writer, f.slot), PX_LIVE);
    teardown(&f);
}

T_TEST(the_loss_of_another_connection_changes_nothing)
{
    struct fixture f;
    setup(&f, "binance:BTCUSDT");
    quote(&f, 1, 50);
    struct publish_source other = f.from;
    other.conn = 5;
    publish_lost(f.publish, &other, PX_CAUSE_CONNECTION_LOST, f.at);
    px_writer_flush(f.writer);
    T_STR(seen(&f), "lq");
    teardown(&f);
}

static void judge_for(struct fixture *f, int64_t ns)
{
    for (int64_t end = f->at.mono_ns + ns; f->at.mono_ns < end;) {
        f->at.mono_ns += 100 * MS;
        f->at.utc_ns += 100 * MS;
        publish_judge(f->publish, f->at);
    }
    px_writer_flush(f->writer);
}

T_TEST(silence_is_judged_by_the_rhythm_of_the_symbol)
{
    struct fixture f;
    setup(&f, "binance:BTCUSDT");
    for (uint64_t i = 1; i <= 100; i++) {
        f.at.mono_ns += S;
        quote(&f, i, 50);
    }
    seen(&f);
    judge_for(&f, 14 * S);
    T_STR(seen(&f), "");
    judge_for(&f, 4 * S);
    T_STR(seen(&f), "u");
    T_EQ(px_writer_quality_get(f.writer, f.slot), PX_QUIET);
    quote(&f, 101, 50);
    T_STR(seen(&f), "lq");
    teardown(&f);
}

T_TEST(a_symbol_that_nobody_asked_for_gets_no_slot)
{
    struct fixture f;
    setup(&f, "binance:ETHUSDT");
    trade(&f, 100);
    T_STR(seen(&f), "");
    T_EQ(counted(&f, PX_C_symbols_refused), 1);
    T_EQ(counted(&f, PX_B_symbols), 1);
    teardown(&f);
}

T_TEST(the_all_market_stream_gives_symbols_their_slots)
{
    struct fixture f;
    setup(&f, "binance:*");
    struct venue_event event = {.type = VENUE_TICKER,
                                .symbol = "BTCUSDT",
                                .symbol_len = 7,
                                .u.ticker = {{1, 0}, {1, 0}, {1, 0}, {1, 0}}};
    give(&f, &event);
    T_STR(seen(&f), "lk");
    T_EQ(counted(&f, PX_B_symbols), 1);
    teardown(&f);
}

T_TEST(answers_and_announcements_go_to_the_link)
{
    struct fixture f;
    setup(&f, "binance:BTCUSDT");
    struct venue_event event = {.type = VENUE_PLANNED_END};
    give(&f, &event);
    T_EQ(f.planned_ends, 1);
    T_STR(seen(&f), "");
    teardown(&f);
}

T_TEST(a_bad_frame_is_counted_and_kept_as_an_error)
{
    struct fixture f;
    setup(&f, "binance:BTCUSDT");
    struct venue_event event = {.type = VENUE_BAD, .text = "not JSON", .text_len = 8};
    log_set_level(LOG_LEVEL_ERROR);
    give(&f, &event);
    give(&f, &event);
    T_EQ(counted(&f, PX_C_frames_bad), 2);
    T_EQ(f.from.refused_frames, 2);
    struct px_error_info error;
    T_EQ(px_bus_error_at(f.reader, 0, &error), 0);
    T_STR(error.text, "binance: not JSON");
    T_EQ(error.count, 2);
    teardown(&f);
}
