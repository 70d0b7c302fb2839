/* Books that are lost, messages that are missing, trades that a heartbeat knows of. */
#include "publish_rig.h"

static struct venue_level bids[] = {{{100, 0}, {1, 0}, false}, {{101, 0}, {2, 0}, true}};

/* One message of the symbol's book: a bid of 100 and an ask of 101, of this size. */
static void book(struct fixture *f, bool snapshot, uint64_t seq, int64_t size)
{
    bids[0].size.mantissa = size;
    struct venue_event event = {.type = VENUE_BOOK,
                                .symbol = "BTCUSDT",
                                .symbol_len = 7,
                                .exch_ns = f->at.utc_ns,
                                .u.book = {.levels = bids,
                                           .count = 2,
                                           .depth = 4,
                                           .snapshot = snapshot,
                                           .first = true,
                                           .last = true,
                                           .has_seq = true,
                                           .has_prev = !snapshot,
                                           .seq = seq,
                                           .prev = seq - 1}};
    give(f, &event);
}

static void beat(struct fixture *f, uint64_t last_trade)
{
    struct venue_event event = {
        .type = VENUE_HEARTBEAT, .symbol = "BTCUSDT", .symbol_len = 7, .venue_id = last_trade};
    give(f, &event);
}

static void number(struct fixture *f, uint64_t n)
{
    struct venue_event event = {.type = VENUE_SEQUENCE, .venue_id = n};
    give(f, &event);
}

T_TEST(a_lost_book_is_a_gap_of_its_symbol_until_its_next_snapshot)
{
    struct fixture f;
    setup(&f, "binance:BTCUSDT");
    open_link(&f, 0, 0);
    book(&f, true, 10, 1);
    T_STR(seen(&f), "lq");
    book(&f, false, 11, 2);
    T_STR(seen(&f), "q");
    T_EQ(held(&f).quality, PX_LIVE);
    book(&f, false, 13, 3); /* 12 did not come */
    T_STR(seen(&f), "g");
    T_EQ(f.resyncs, 1);
    T_EQ(held(&f).quality, PX_GAP);
    T_EQ(held(&f).cause, PX_CAUSE_BOOK_LOST);
    T_EQ(held(&f).quote.bid_size.mantissa, 2);
    book(&f, false, 14, 4);
    trade(&f, 1); /* trades are fine, the quote is not */
    T_STR(seen(&f), "t");
    T_EQ(f.resyncs, 1);
    T_EQ(held(&f).quality, PX_GAP);
    book(&f, true, 20, 5);
    T_STR(seen(&f), "lq");
    T_EQ(held(&f).quality, PX_LIVE);
    T_EQ(held(&f).quote.bid_size.mantissa, 5);
    T_EQ(counted(&f, PX_C_books_lost), 1);
    teardown(&f);
}

T_TEST(a_book_does_not_outlive_its_connection)
{
    struct fixture f;
    setup(&f, "binance:BTCUSDT");
    open_link(&f, 0, 0);
    book(&f, true, 10, 1);
    publish_drop(f.publish, &f.from);
    lose(&f, 0);
    seen(&f);
    book(&f, false, 11, 2); /* of the old one: nothing is built on it */
    T_STR(seen(&f), "");
    T_EQ(f.resyncs, 0);
    T_EQ(held(&f).quality, PX_STALE);
    book(&f, true, 1, 3);
    T_STR(seen(&f), "lq");
    teardown(&f);
}

T_TEST(missing_messages_of_a_connection_cost_its_books_and_put_its_trades_in_gap)
{
    struct fixture f;
    setup(&f, "binance:BTCUSDT");
    open_link(&f, 0, 0);
    number(&f, 0);
    book(&f, true, 10, 1);
    number(&f, 1);
    trade(&f, 100);
    seen(&f);
    number(&f, 4);
    T_STR(seen(&f), "gg");
    T_EQ(f.resyncs, 1);
    T_EQ(counted(&f, PX_C_messages_missing), 2);
    T_EQ(held(&f).quality, PX_GAP);
    number(&f, 5);
    trade(&f, 103); /* and this is what they held */
    T_STR(seen(&f), "gt");
    T_EQ(counted(&f, PX_C_ids_missing), 2);
    trade(&f, 104);
    T_EQ(held(&f).quality, PX_GAP); /* the book is not back */
    book(&f, true, 20, 2);
    T_EQ(held(&f).quality, PX_LIVE);
    publish_drop(f.publish, &f.from);
    number(&f, 0); /* of the next connection */
    number(&f, 1);
    T_EQ(counted(&f, PX_C_messages_missing), 2);
    teardown(&f);
}

T_TEST(a_trade_that_two_heartbeats_know_of_and_that_has_not_come_is_missing)
{
    struct fixture f;
    setup(&f, "binance:BTCUSDT");
    open_link(&f, 0, 0);
    beat(&f, 99); /* before the first trade: nothing to miss */
    trade(&f, 100);
    beat(&f, 100);
    T_STR(seen(&f), "lt");
    beat(&f, 102); /* on their way, perhaps */
    T_STR(seen(&f), "");
    trade(&f, 101);
    trade(&f, 102);
    beat(&f, 102);
    T_STR(seen(&f), "tt");
    beat(&f, 105);
    T_STR(seen(&f), "");
    beat(&f, 106);
    T_STR(seen(&f), "g");
    T_EQ(counted(&f, PX_C_ids_missing), 3);
    T_EQ(held(&f).quality, PX_GAP);
    trade(&f, 106);
    T_STR(seen(&f), "lt");
    T_EQ(held(&f).quality, PX_LIVE);
    T_EQ(counted(&f, PX_C_gaps), 1);
    teardown(&f);
}

/* A frame that is the number of the last trade, as its venue has it. */
static int beat_of(struct json *json, const char *frame, size_t len, const struct venue_sink *sink)
{
    struct venue_event event = {.type = VENUE_HEARTBEAT,
                                .symbol = "BTCUSDT",
                                .symbol_len = 7,
                                .venue_id = strtoull(frame, NULL, 10)};
    (void)json, (void)len;
    sink->event(sink->user, &event);
    return 1;
}

T_TEST(a_heartbeat_is_word_of_its_symbol_while_it_knows_of_no_other_trade)
{
    static const struct px_venue beating = {.name = "binance", .on_text = beat_of};
    struct fixture f;
    setup(&f, "binance:BTCUSDT");
    open_link(&f, 0, 0);
    f.from.venue = &beating;
    T_EQ(publish_frame(f.publish, &f.from, NULL, "100", 3, f.at), 0); /* no trade to confirm */
    trade(&f, 100);
    T_EQ(publish_frame(f.publish, &f.from, NULL, "100", 3, f.at), 1);
    T_EQ(publish_frame(f.publish, &f.from, NULL, "101", 3, f.at), 0);
    T_EQ(publish_frame(f.publish, &f.from, NULL, "101", 3, f.at), 0); /* it did not come */
    T_EQ(publish_frame(f.publish, &f.from, NULL, "101", 3, f.at), 0);
    T_EQ(held(&f).quality, PX_GAP);
    trade(&f, 102);
    T_EQ(publish_frame(f.publish, &f.from, NULL, "102", 3, f.at), 1);
    teardown(&f);
}

static const struct px_venue partial = {.name = "binance", .partial = true};

/* A ticker, or quotes of a stream of their own: of a venue that leaves out what has not changed. */
static void values(struct fixture *f, uint32_t type, unsigned unchanged, int64_t first)
{
    struct venue_event event = {
        .type = type, .symbol = "BTCUSDT", .symbol_len = 7, .unchanged = (uint8_t)unchanged};
    if (type == VENUE_QUOTE)
        event.u.quote = (struct px_quote){{first, 0}, {1, 0}, {first + 1, 0}, {1, 0}};
    else
        event.u.ticker = (struct px_ticker){{first, 0}, {1, 0}, {9, 0}, {1, 0}};
    give(f, &event);
}

static void refuse_one(struct fixture *f)
{
    static const char why[] = "it is broken";
    struct venue_event event = {
        .type = VENUE_BAD, .text = why, .text_len = sizeof why - 1, .error = "not JSON"};
    give(f, &event);
}

T_TEST(quotes_that_a_refused_message_may_have_changed_are_a_gap_until_all_of_them_is_told)
{
    struct fixture f;
    setup(&f, "binance:BTCUSDT");
    f.from.venue = &partial;
    open_link(&f, 0, 0);
    values(&f, VENUE_QUOTE, 0, 100);
    T_STR(seen(&f), "lq");
    refuse_one(&f);
    T_STR(seen(&f), "g");
    T_EQ(f.resyncs, 1);
    T_EQ(f.resync_kinds, PX_QUOTES);
    T_EQ(held(&f).quality, PX_GAP);
    T_EQ(held(&f).cause, PX_CAUSE_BOOK_LOST);
    trade(&f, 1);
    values(&f, VENUE_QUOTE, 1, 101); /* the ask may be another */
    T_STR(seen(&f), "t");
    T_EQ(held(&f).quality, PX_GAP);
    values(&f, VENUE_QUOTE, 0, 102);
    T_STR(seen(&f), "lq");
    T_EQ(held(&f).quality, PX_LIVE);
    T_EQ(counted(&f, PX_C_books_lost), 1);
    teardown(&f);
}

T_TEST(a_lost_ticker_is_asked_for_again_and_leaves_trades_and_quotes_as_they_are)
{
    struct fixture f;
    setup(&f, "binance:BTCUSDT");
    f.from.venue = &partial;
    open_link(&f, 0, 0);
    values(&f, VENUE_TICKER, 0, 100);
    T_STR(seen(&f), "lk");
    refuse_one(&f);
    values(&f, VENUE_TICKER, 1, 101);
    T_STR(seen(&f), "");
    T_EQ(f.resyncs, 1);
    T_EQ(f.resync_kinds, PX_TICKERS);
    T_EQ(held(&f).quality, PX_LIVE);
    T_EQ(counted(&f, PX_C_books_lost), 1);
    T_EQ(counted(&f, PX_C_gaps), 0);
    values(&f, VENUE_TICKER, 0, 102);
    T_STR(seen(&f), "k");
    T_EQ(held(&f).ticker.last.mantissa, 102);
    teardown(&f);
}
