/* What a rear-guard's connection brings beside the new one of its venue: trades are one row, books
 * and values that nothing is known of give nothing, and symbols live by whoever is there. */
#include "publish_rig.h"

#define GUEST 0
#define NEW   1

/* The guest is there, as it stands before anything else is connected. */
static void begin(struct fixture *f)
{
    setup(f, "binance:BTCUSDT");
    subs_guest(wants_subs(f->wants), GUEST, f->from.venue_index, 0);
    f->from.conn = GUEST;
    f->from.relayed = true;
}

static void of(struct fixture *f, uint32_t conn)
{
    f->from.conn = conn;
    f->from.relayed = conn == GUEST;
}

static void end(struct fixture *f, uint32_t conn)
{
    subs_link_close(wants_subs(f->wants), conn, f->at.mono_ns);
    lose(f, conn);
}

T_TEST(trades_of_a_guest_and_of_its_successor_are_one_row)
{
    struct fixture f;
    begin(&f);
    trade(&f, 100);
    trade(&f, 101);
    open_link(&f, NEW, 0);
    of(&f, NEW);
    trade(&f, 104); /* it is ahead: 102 and 103 are the guest's to bring */
    T_STR(seen(&f), "ltt");
    of(&f, GUEST);
    for (uint64_t id = 102; id <= 104; id++)
        trade(&f, id);
    of(&f, NEW);
    trade(&f, 105);
    end(&f, GUEST);
    trade(&f, 106);
    T_STR(seen(&f), "ttttt");
    T_EQ(counted(&f, PX_C_gaps), 0);
    T_EQ(counted(&f, PX_C_ahead), 1);
    teardown(&f);
}

T_TEST(changes_of_books_and_values_that_are_relayed_give_nothing_and_are_not_asked_for)
{
    static const struct venue_level level = {{100, 0}, {1, 0}, false};
    struct fixture f;
    begin(&f);
    struct venue_event event = {.type = VENUE_BOOK, .symbol = "BTCUSDT", .symbol_len = 7};
    event.u.book = (struct venue_book){.levels = &level, .count = 1, .first = true, .last = true};
    event.u.book.has_seq = event.u.book.has_prev = true;
    for (uint64_t seq = 10; seq < 20; seq += 3) {
        event.u.book.prev = event.u.book.seq;
        event.u.book.seq = seq;
        give(&f, &event);
    }
    event.u.book.snapshot = true;
    give(&f, &event);
    struct venue_event change = {.type = VENUE_QUOTE, .symbol = "BTCUSDT", .symbol_len = 7};
    change.unchanged = VENUE_UNCHANGED_2 | VENUE_UNCHANGED_3;
    change.u.quote = (struct px_quote){{50, 0}, {1, 0}, {0, 0}, {0, 0}};
    give(&f, &change);
    const struct venue_event number = {.type = VENUE_SEQUENCE, .venue_id = 7};
    give(&f, &number);
    T_STR(seen(&f), "");
    T_EQ(f.resyncs, 0);
    T_EQ(fold_books(f.fold), 0);
    quote(&f, 10, 50);
    T_STR(seen(&f), "lq");
    teardown(&f);
}

T_TEST(a_frame_of_a_guest_that_is_refused_is_counted_and_costs_no_book)
{
    struct fixture f;
    begin(&f);
    quote(&f, 10, 50);
    const struct venue_event bad = {.type = VENUE_BAD, .text = "no", .text_len = 2, .error = "no"};
    give(&f, &bad);
    T_EQ(counted(&f, PX_C_frames_bad), 1);
    T_EQ(f.resyncs, 0);
    T_STR(seen(&f), "lq");
    teardown(&f);
}

T_TEST(answers_to_the_process_before_are_not_heard)
{
    struct fixture f;
    begin(&f);
    const struct venue_event planned = {.type = VENUE_PLANNED_END};
    give(&f, &planned);
    T_EQ(f.planned_ends, 0);
    of(&f, NEW);
    give(&f, &planned);
    T_EQ(f.planned_ends, 1);
    teardown(&f);
}

T_TEST(a_symbol_is_not_stale_as_long_as_a_guest_brings_it)
{
    struct fixture f;
    begin(&f);
    trade(&f, 100);
    quote(&f, 10, 50);
    open_link(&f, NEW, 0);
    of(&f, NEW);
    trade(&f, 100);
    quote(&f, 10, 50);
    T_STR(seen(&f), "ltq");
    end(&f, NEW); /* it did not hold */
    T_STR(seen(&f), "");
    T_EQ(held(&f).quality, PX_LIVE);
    end(&f, GUEST);
    T_STR(seen(&f), "s");
    teardown(&f);
}

T_TEST(a_guest_that_leaves_when_another_is_there_makes_nothing_stale)
{
    struct fixture f;
    begin(&f);
    quote(&f, 10, 50);
    open_link(&f, NEW, 0);
    end(&f, GUEST); /* the new one was promised it, and has not brought it yet */
    T_STR(seen(&f), "lq");
    T_EQ(held(&f).quality, PX_LIVE);
    teardown(&f);
}

/* A trade that the venue has not numbered, at this time of it. */
static void unnumbered(struct fixture *f, int64_t at_ms)
{
    struct venue_event event = trade_of(f, 0);
    event.exch_ns = 1700000000 * S + at_ms * MS;
    event.consecutive = false;
    give(f, &event);
}

T_TEST(trades_without_ids_are_a_guests_until_it_has_gone_and_none_comes_twice)
{
    struct fixture f;
    begin(&f);
    unnumbered(&f, 1);
    open_link(&f, NEW, 0);
    of(&f, NEW);
    unnumbered(&f, 1);
    of(&f, GUEST);
    unnumbered(&f, 2);
    unnumbered(&f, 3);
    end(&f, GUEST);
    of(&f, NEW);
    for (int64_t ms = 2; ms <= 5; ms++) /* it was left unread meanwhile */
        unnumbered(&f, ms);
    T_STR(seen(&f), "lttttt");
    T_EQ(counted(&f, PX_C_superseded), 1);
    T_EQ(counted(&f, PX_C_duplicates), 2);
    teardown(&f);
}

T_TEST(what_was_read_before_is_not_behind)
{
    struct fixture f;
    begin(&f);
    trade(&f, 100);
    open_link(&f, NEW, 0);
    of(&f, NEW);
    pass(&f, 5 * MS);
    trade(&f, 101);
    of(&f, GUEST);
    pass(&f, -3 * MS); /* read by the rear-guard before, and taken after */
    trade(&f, 101);
    T_EQ(f.from.seconds, 1);
    T_EQ(f.from.behind_ns, 0);
    teardown(&f);
}
