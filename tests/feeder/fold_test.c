/* Events in, events out: books, partial values, what is lost and what comes again. */
#include "t.h"

#include <stdbool.h>

#include "book.h"
#include "fold.h"

#define GIVEN_MAX 64

/* What came out, copied: texts are valid in the call only. */
struct given {
    struct venue_event event;
    char symbol[64], text[200];
};
static struct given given[GIVEN_MAX];
static size_t given_count;

static void on_event(void *user, const struct venue_event *event)
{
    (void)user;
    struct given *g = &given[given_count++ % GIVEN_MAX];
    g->event = *event;
    snprintf(g->symbol, sizeof g->symbol, "%.*s", (int)event->symbol_len, event->symbol);
    snprintf(g->text, sizeof g->text, "%.*s", (int)event->text_len,
             event->text_len > 0 ? event->text : "");
}
static const struct venue_sink out = {.event = on_event};

/* Kraken's: the top 10 asks, then the top 10 bids, price then size, as digits. */
static uint32_t checksum_side(uint32_t crc, const struct book_side *side)
{
    char digits[BOOK_DIGITS_MAX];
    for (uint32_t i = 0; i < side->count && i < 10; i++) {
        crc = book_crc32(crc, digits, book_digits(side->level[i].price, digits));
        crc = book_crc32(crc, digits, book_digits(side->level[i].size, digits));
    }
    return crc;
}
static uint32_t checksum(const struct book *b)
{
    return checksum_side(checksum_side(0, &b->ask), &b->bid);
}

static const struct px_venue plain = {.name = "plain"};
static const struct px_venue summed = {.name = "summed", .book_checksum = checksum};
static const struct px_venue partial = {.name = "partial", .partial = true};

static struct fold *fold;

static void start_with(struct fold_options options)
{
    fold_free(fold);
    T_TRUE((fold = fold_new(&options)) != NULL);
    given_count = 0;
}

static void start(void)
{
    start_with((struct fold_options){.books = 4, .depth = 16, .merges = 4, .sources = 3});
}

static struct px_decimal dec(int64_t mantissa, int32_t exponent)
{
    return (struct px_decimal){.mantissa = mantissa, .exponent = exponent};
}

static struct venue_level bid(int64_t price, int64_t size)
{
    return (struct venue_level){.price = dec(price, 0), .size = dec(size, 0)};
}

static struct venue_level ask(int64_t price, int64_t size)
{
    return (struct venue_level){.price = dec(price, 0), .size = dec(size, 0), .ask = true};
}

/* One message of two levels at most (a size of -1: none), of a whole book, in one event. */
struct message {
    const char *symbol; /* NULL: "X" */
    uint32_t source;
    struct venue_book book;
    struct venue_level level[2];
    uint16_t flags;
    uint64_t venue_id;
};

static void feed_part(const struct px_venue *venue, struct message m, bool first, bool last)
{
    struct venue_event event = {.type = VENUE_BOOK, .exch_ns = 5, .u.book = m.book};
    event.symbol = m.symbol != NULL ? m.symbol : "X";
    event.symbol_len = (uint16_t)strlen(event.symbol);
    event.flags = m.flags;
    event.venue_id = m.venue_id;
    if (m.book.levels == NULL) {
        event.u.book.levels = m.level;
        while (event.u.book.count < 2 && m.level[event.u.book.count].price.mantissa != 0)
            event.u.book.count++;
    }
    event.u.book.first = first;
    event.u.book.last = last;
    fold_event(fold, m.source, venue, &event, &out);
}

static void feed(const struct px_venue *venue, struct message m)
{
    feed_part(venue, m, true, true);
}

static const struct given *newest(void)
{
    T_TRUE(given_count > 0);
    return &given[(given_count - 1) % GIVEN_MAX];
}

/* The newest is a quote with these values (-1: absent), and it is the count-th. */
static void expect_quote(size_t count, int64_t b, int64_t bs, int64_t a, int64_t as)
{
    T_EQ(given_count, count);
    const struct venue_event *e = &newest()->event;
    T_EQ(e->type, VENUE_QUOTE);
    const struct px_decimal got[] = {e->u.quote.bid, e->u.quote.bid_size, e->u.quote.ask,
                                     e->u.quote.ask_size};
    const int64_t expected[] = {b, bs, a, as};
    for (int i = 0; i < 4; i++) {
        T_EQ(got[i].exponent == PX_ABSENT, expected[i] == -1);
        if (expected[i] != -1)
            T_EQ(got[i].mantissa, expected[i]);
    }
}

static void expect_lost(size_t count, const char *why)
{
    T_EQ(given_count, count);
    T_EQ(newest()->event.type, VENUE_RESYNC);
    T_STR(newest()->text, why);
    T_STR(newest()->event.error, "book lost");
    T_EQ(newest()->event.kinds, PX_QUOTES | VENUE_DEPTH);
}

#define SNAPSHOT .book.snapshot = true

/* ---- tops ---- */

T_TEST(a_snapshot_and_each_change_of_the_top_give_a_quote_and_nothing_else_does)
{
    start();
    feed(&plain, (struct message){.level = {bid(9, 1)}}); /* before any snapshot */
    T_EQ(given_count, 0);
    T_EQ(fold_books(fold), 0);
    feed(&plain, (struct message){SNAPSHOT, .level = {bid(10, 1), ask(12, 2)}});
    expect_quote(1, 10, 1, 12, 2);
    T_EQ(newest()->event.exch_ns, 5);
    T_STR(newest()->symbol, "X");
    feed(&plain, (struct message){.level = {bid(9, 5), ask(13, 5)}}); /* behind the top */
    feed(&plain, (struct message){.level = {bid(10, 1)}});
    feed(&plain, (struct message){0});
    T_EQ(given_count, 1);
    feed(&plain, (struct message){.level = {ask(12, 3)}});
    expect_quote(2, 10, 1, 12, 3);
    feed(&plain, (struct message){.level = {bid(11, 4)}});
    expect_quote(3, 11, 4, 12, 3);
    feed(&plain, (struct message){.level = {bid(11, 0), bid(10, 0)}});
    expect_quote(4, 9, 5, 12, 3);
    T_EQ(fold_books(fold), 1);
}

T_TEST(the_same_top_spelled_otherwise_is_a_change)
{
    start();
    feed(&plain, (struct message){SNAPSHOT, .level = {bid(10, 1), ask(12, 2)}});
    feed(&plain, (struct message){.level = {{.price = dec(10, 0), .size = dec(10, -1)}}});
    T_EQ(given_count, 2);
    T_EQ(newest()->event.u.quote.bid_size.exponent, -1);
}

T_TEST(a_side_without_levels_is_absent_in_the_quote)
{
    start();
    feed(&plain, (struct message){SNAPSHOT}); /* nothing was said, nothing is there */
    T_EQ(given_count, 0);
    feed(&plain, (struct message){.level = {bid(10, 1)}});
    expect_quote(1, 10, 1, -1, -1);
    feed(&plain, (struct message){.level = {bid(10, 0)}});
    expect_quote(2, -1, -1, -1, -1);
}

T_TEST(a_snapshot_replaces_all_that_was_there)
{
    start();
    feed(&plain, (struct message){SNAPSHOT, .level = {bid(10, 1), ask(12, 2)}});
    feed(&plain, (struct message){SNAPSHOT, .level = {bid(8, 1), ask(14, 2)}});
    expect_quote(2, 8, 1, 14, 2);
    feed(&plain, (struct message){SNAPSHOT, .level = {bid(8, 1), ask(14, 2)}});
    T_EQ(given_count, 2);
}

T_TEST(the_quote_of_a_replayed_snapshot_is_no_replay_and_has_the_number_of_the_book)
{
    start();
    feed(&plain, (struct message){SNAPSHOT, .book.has_seq = true, .book.seq = 7,
                                  .level = {bid(10, 1), ask(12, 2)}, .flags = PX_FLAG_REPLAY});
    T_EQ(newest()->event.flags, 0);
    T_EQ(newest()->event.venue_id, 7);
    feed(&plain, (struct message){.level = {bid(10, 2)}, .venue_id = 99});
    T_EQ(newest()->event.venue_id, 99);
}

T_TEST(a_message_of_several_events_gives_one_quote_at_its_end)
{
    start();
    feed_part(&plain, (struct message){SNAPSHOT, .level = {bid(10, 1), ask(12, 2)}}, true, false);
    feed_part(&plain, (struct message){SNAPSHOT, .level = {bid(11, 1)}}, false, false);
    T_EQ(given_count, 0);
    feed_part(&plain, (struct message){SNAPSHOT, .level = {ask(13, 1)}}, false, true);
    expect_quote(1, 11, 1, 12, 2);
    feed_part(&plain, (struct message){.level = {bid(12, 1)}}, true, false); /* crossed meanwhile */
    feed_part(&plain, (struct message){.level = {ask(12, 0)}}, false, true);
    expect_quote(2, 12, 1, 13, 1);
}

/* ---- lost, and found again ---- */

/* The same for whatever loses a book: nothing until a snapshot, which gives a quote even if the top
 * is the one before. */
static void expect_recovery(const struct px_venue *venue)
{
    size_t count = given_count;
    feed(venue, (struct message){.level = {bid(11, 1)}});
    feed_part(venue, (struct message){.level = {bid(9, 1)}}, true, false);
    feed_part(venue, (struct message){.level = {bid(9, 1)}}, false, true);
    feed_part(venue, (struct message){SNAPSHOT, .level = {bid(9, 1)}}, false, true);
    T_EQ(given_count, count);
    feed(venue, (struct message){SNAPSHOT, .level = {bid(10, 1), ask(12, 2)}});
    expect_quote(count + 1, 10, 1, 12, 2);
    feed(venue, (struct message){.level = {bid(11, 1)}});
    expect_quote(count + 2, 11, 1, 12, 2);
}

static void start_whole(const struct px_venue *venue)
{
    start();
    feed(venue, (struct message){SNAPSHOT, .book.has_seq = true, .book.seq = 100,
                                 .level = {bid(10, 1), ask(12, 2)}});
    expect_quote(1, 10, 1, 12, 2);
}

T_TEST(a_number_that_does_not_fit_loses_the_book_until_its_next_snapshot)
{
    struct venue_book change = {.has_seq = true, .has_prev = true, .prev = 100, .seq = 140};
    start_whole(&plain);
    feed(&plain, (struct message){.book = change, .level = {bid(11, 1)}});
    expect_quote(2, 11, 1, 12, 2);
    feed(&plain, (struct message){.book = change, .level = {bid(11, 2)}});
    expect_lost(3, "a change of number 100 met the book at 140");
    T_STR(newest()->symbol, "X");
    T_EQ(fold_lost(fold), 1);
    expect_recovery(&plain);
}

T_TEST(a_number_of_another_book_of_the_symbol_before_is_no_basis_for_the_next)
{
    start_whole(&plain);
    feed(&plain, (struct message){SNAPSHOT, .level = {bid(10, 1), ask(12, 2)}}); /* no number */
    feed(&plain, (struct message){.book.has_prev = true, .book.prev = 5, .level = {bid(11, 1)}});
    expect_quote(2, 11, 1, 12, 2);
}

T_TEST(a_checksum_that_does_not_fit_loses_the_book_until_its_next_snapshot)
{
    start_whole(&summed);
    const uint32_t right = book_crc32(0, "122111101", 9); /* ask 12 2, bid 11 1, bid 10 1 */
    feed(&summed, (struct message){
                      .book.has_checksum = true, .book.checksum = right, .level = {bid(11, 1)}});
    expect_quote(2, 11, 1, 12, 2);
    feed(&summed, (struct message){
                      .book.has_checksum = true, .book.checksum = right, .level = {bid(11, 2)}});
    char why[100];
    snprintf(why, sizeof why, "the checksum of the book is %lu, not %lu",
             (unsigned long)book_crc32(0, "122112101", 9), (unsigned long)right);
    expect_lost(3, why);
    expect_recovery(&summed);
}

T_TEST(a_book_that_is_crossed_after_a_change_is_lost)
{
    start_whole(&plain);
    feed(&plain, (struct message){.level = {bid(12, 1)}});
    expect_lost(2, "the best bid 12e0 is not below the best ask 12e0");
    expect_recovery(&plain);
}

T_TEST(a_crossed_snapshot_gives_nothing_and_the_next_message_decides)
{
    start();
    feed(&plain, (struct message){SNAPSHOT, .level = {bid(13, 1), ask(12, 2)}});
    T_EQ(given_count, 0);
    feed(&plain, (struct message){.level = {bid(13, 0), bid(11, 1)}});
    expect_quote(1, 11, 1, 12, 2);
    feed(&plain, (struct message){SNAPSHOT, .level = {bid(13, 1), ask(12, 2)}});
    feed(&plain, (struct message){SNAPSHOT, .level = {bid(10, 1), ask(12, 2)}});
    expect_quote(2, 10, 1, 12, 2);
    feed(&plain, (struct message){SNAPSHOT, .level = {bid(13, 1), ask(12, 2)}});
    feed(&plain, (struct message){.level = {bid(9, 1)}});
    expect_lost(3, "the best bid 13e0 is not below the best ask 12e0");
    expect_recovery(&plain);
}

T_TEST(a_crossed_book_is_shown_to_those_who_ask_for_it)
{
    start_with((struct fold_options){.books = 1, .depth = 4, .sources = 1, .crossed = true});
    feed(&plain, (struct message){SNAPSHOT, .level = {bid(13, 1), ask(12, 2)}});
    expect_quote(1, 13, 1, 12, 2);
    feed(&plain, (struct message){.level = {bid(14, 1)}});
    expect_quote(2, 14, 1, 12, 2);
}

T_TEST(a_level_that_is_no_price_loses_the_book)
{
    start_whole(&plain);
    feed(&plain, (struct message){.level = {bid(-3, 1)}});
    expect_lost(2, "the price or size of a level is absent or negative");
    expect_recovery(&plain);
}

T_TEST(a_message_without_its_beginning_or_its_end_loses_the_book)
{
    start_whole(&plain);
    feed_part(&plain, (struct message){.level = {bid(9, 1)}}, false, true);
    expect_lost(2, "a message without its beginning");
    expect_recovery(&plain);
    feed_part(&plain, (struct message){.level = {bid(9, 1)}}, true, false);
    feed(&plain, (struct message){.level = {bid(9, 1)}});
    expect_lost(5, "a message began before the end of another");
    expect_recovery(&plain);
    feed_part(&plain, (struct message){.level = {bid(9, 1)}}, true, false);
    feed(&plain, (struct message){SNAPSHOT, .level = {bid(10, 1), ask(12, 2)}});
    expect_quote(8, 10, 1, 12, 2); /* a snapshot mends it at once */
}

T_TEST(a_whole_book_whose_known_levels_ran_out_is_lost)
{
    start_with((struct fold_options){.books = 1, .depth = 2, .sources = 1});
    struct venue_level levels[] = {ask(12, 1), ask(13, 1), ask(14, 1), bid(10, 1)};
    struct venue_book book = {.levels = levels, .count = 4, .snapshot = true};
    feed(&plain, (struct message){.book = book});
    expect_quote(1, 10, 1, 12, 1);
    feed(&plain, (struct message){.level = {ask(12, 0)}});
    expect_quote(2, 10, 1, 13, 1);
    feed(&plain, (struct message){.level = {ask(13, 0)}});
    expect_lost(3, "no level is left of the best 2 that were kept");
    expect_recovery(&plain);
}

T_TEST(a_bounded_book_is_cut_to_the_depth_of_its_snapshot)
{
    start();
    struct venue_level levels[] = {ask(12, 1), ask(13, 1), bid(10, 1), bid(9, 1)};
    struct venue_book book = {.levels = levels, .count = 4, .snapshot = true, .depth = 2};
    feed(&plain, (struct message){.book = book});
    feed(&plain, (struct message){.book.depth = 10, .level = {ask(11, 1)}}); /* 13 goes */
    expect_quote(2, 10, 1, 11, 1);
    feed(&plain, (struct message){.level = {ask(11, 0), ask(12, 0)}});
    expect_quote(3, 10, 1, -1, -1);
}

T_TEST(a_checksum_is_that_of_the_book_cut_to_its_depth)
{
    start();
    struct venue_level levels[] = {ask(12, 1), bid(10, 1)};
    struct venue_book book = {.levels = levels, .count = 2, .snapshot = true, .depth = 2};
    feed(&summed, (struct message){.book = book});
    feed(&summed, (struct message){.level = {ask(13, 1)}});
    feed(&summed, (struct message){.book.has_checksum = true,
                                   .book.checksum = book_crc32(0, "111121101", 9),
                                   .level = {ask(11, 1)}});
    expect_quote(2, 10, 1, 11, 1);
}

T_TEST(a_connection_that_missed_messages_loses_each_of_its_books)
{
    start();
    const struct venue_level levels[] = {bid(10, 1), ask(12, 2)};
    const struct venue_book book = {.levels = levels, .count = 2, .snapshot = true};
    feed(&plain, (struct message){.symbol = "A", .book = book});
    feed(&plain, (struct message){.symbol = "B", .book = book});
    feed(&plain, (struct message){.symbol = "A", .source = 1, .book = book});
    fold_lose(fold, 0, "messages are missing", &out);
    expect_lost(5, "messages are missing");
    T_TRUE(strcmp(given[3].symbol, given[4].symbol) != 0);
    fold_lose(fold, 2, "messages are missing", &out);
    fold_lose(fold, 3, "there is no such source", &out);
    T_EQ(given_count, 5);
    feed(&plain, (struct message){.symbol = "A", .level = {bid(11, 1)}});
    T_EQ(given_count, 5);
    feed(&plain, (struct message){.symbol = "A", .source = 1, .level = {bid(11, 1)}});
    expect_quote(6, 11, 1, 12, 2);
    T_EQ(fold_lost(fold), 2);
}

static void feed_number(uint64_t n)
{
    const struct venue_event event = {.type = VENUE_SEQUENCE, .venue_id = n};
    fold_event(fold, 0, &plain, &event, &out);
}

T_TEST(a_hole_in_the_numbers_of_messages_costs_the_books_and_a_late_one_changes_none)
{
    start();
    feed_number(7);
    feed(&plain, (struct message){SNAPSHOT, .level = {bid(10, 1), ask(12, 2)}});
    feed_number(8);
    T_EQ(newest()->event.type, VENUE_SEQUENCE);
    T_EQ(newest()->event.missing, 0);
    feed_number(11);
    T_EQ(given[3].event.missing, 2);
    expect_lost(5, "messages of its connection are missing");
    feed_number(12);
    feed(&plain, (struct message){SNAPSHOT, .level = {bid(10, 1), ask(12, 2)}});
    feed_number(10); /* what it holds is older than the book */
    feed(&plain, (struct message){.level = {bid(11, 1)}});
    feed(&plain, (struct message){SNAPSHOT, .level = {bid(8, 1), ask(9, 2)}});
    T_EQ(given_count, 8);
    feed_number(13);
    T_EQ(newest()->event.missing, 0);
    feed(&plain, (struct message){.level = {bid(10, 3)}});
    expect_quote(10, 10, 3, 12, 2);
    feed_number(0); /* the count begins anew: nobody knows what was before */
    expect_lost(12, "messages of its connection are missing");
    fold_drop(fold, 0);
    feed_number(2); /* of the next connection */
    T_EQ(given_count, 13);
    T_EQ(newest()->event.missing, 0);
}

/* ---- depth 1 ---- */

T_TEST(each_message_of_a_book_of_depth_1_gives_a_quote)
{
    start();
    const struct venue_book one = {.depth = 1};
    struct message first = {.book = one, .level = {bid(10, 1), ask(12, 2)}};
    first.book.snapshot = true;
    feed(&plain, first);
    feed(&plain, first);
    expect_quote(2, 10, 1, 12, 2);
    feed(&plain, (struct message){.book = one, .level = {bid(9, 3)}}); /* the side that is told */
    expect_quote(3, 9, 3, 12, 2);
    feed(&plain, (struct message){.book = one, .level = {bid(8, 0), ask(13, 4)}});
    expect_quote(4, 9, 3, 13, 4);
    feed(&plain, (struct message){.book = one, .level = {ask(13, 0)}});
    expect_quote(5, 9, 3, -1, -1);
}

T_TEST(a_deeper_book_of_the_same_symbol_is_another_one)
{
    start();
    feed(&plain, (struct message){SNAPSHOT, .book.depth = 1, .level = {bid(10, 1), ask(12, 2)}});
    feed(&plain, (struct message){SNAPSHOT, .book.depth = 8, .level = {bid(9, 1), ask(13, 2)}});
    feed(&plain, (struct message){.book.depth = 8, .level = {bid(9, 5)}});
    expect_quote(3, 9, 5, 13, 2);
    feed(&plain, (struct message){.book.depth = 1, .level = {bid(11, 1)}});
    expect_quote(4, 11, 1, 12, 2);
    fold_forget(fold, 0, "X", 1);
    T_EQ(fold_books(fold), 0);
}

static void feed_other(uint32_t type)
{
    const struct venue_event event = {.type = type, .symbol = "X", .symbol_len = 1};
    fold_event(fold, 0, &plain, &event, &out);
}

T_TEST(either_what_frames_state_comes_out_or_what_books_make_of_them)
{
    const struct venue_book one = {.depth = 1, .snapshot = true};
    for (int tops = 0; tops < 2; tops++) {
        start_with((struct fold_options){
            .books = 2, .depth = 4, .sources = 1, .book_tops = tops == 1, .stated = tops == 0});
        feed(&plain, (struct message){SNAPSHOT, .level = {bid(10, 1), ask(12, 2)}});
        T_EQ(given_count, tops == 1);
        feed(&plain, (struct message){.book = one, .level = {bid(10, 1), ask(12, 2)}});
        T_EQ(given_count, 1);
        feed_other(VENUE_TRADE);
        feed_other(VENUE_QUOTE);
        feed_other(VENUE_TICKER);
        T_EQ(given_count, tops == 1 ? 1 : 4);
        feed_other(VENUE_BAD);
        feed_other(VENUE_IGNORED);
        /* and the book, that nothing proves, is lost with the bad frame */
        T_EQ(given_count, tops == 1 ? 4 : 7);
    }
}

static void feed_bad_of(uint32_t source, const char *symbol)
{
    struct venue_event event = {
        .type = VENUE_BAD, .symbol = symbol, .symbol_len = (uint16_t)strlen(symbol)};
    fold_event(fold, source, &plain, &event, &out);
}

static void feed_bad(const char *symbol)
{
    feed_bad_of(0, symbol);
}

T_TEST(a_refused_message_costs_the_book_that_it_may_have_changed_if_nothing_else_tells)
{
    start_with((struct fold_options){.books = 2, .depth = 4, .sources = 1});
    feed(&plain, (struct message){SNAPSHOT, .level = {bid(10, 1), ask(12, 2)}});
    feed_bad("Z"); /* another symbol's */
    T_EQ(newest()->event.type, VENUE_BAD);
    feed_bad("X");
    T_EQ(newest()->event.type, VENUE_RESYNC);
    T_EQ(fold_lost(fold), 1);
    feed_bad("X"); /* perhaps the snapshot that was asked for: it has to be asked for again */
    T_EQ(newest()->event.type, VENUE_RESYNC);
    T_EQ(fold_lost(fold), 1);
    feed(&plain, (struct message){SNAPSHOT, .level = {bid(10, 1), ask(12, 2)}});
    T_EQ(newest()->event.type, VENUE_QUOTE);
    feed_bad(""); /* anybody's */
    T_EQ(newest()->event.type, VENUE_RESYNC);
    const struct venue_book numbered = {.snapshot = true, .has_seq = true, .seq = 7};
    feed(&plain, (struct message){.book = numbered, .level = {bid(10, 1), ask(12, 2)}});
    feed_bad("X"); /* its number will tell */
    T_EQ(newest()->event.type, VENUE_BAD);
}

T_TEST(a_book_that_waits_is_asked_for_again_when_its_snapshot_may_have_been_refused)
{
    const struct venue_book numbered = {.snapshot = true, .has_seq = true, .seq = 7};
    start();
    feed(&plain, (struct message){.book = numbered, .level = {bid(10, 1), ask(12, 2)}});
    fold_lose(fold, 0, "messages are missing", &out);
    expect_lost(2, "messages are missing");
    feed_bad("X");
    expect_lost(4, "a message was refused that may have changed it");
    fold_lose(fold, 0, "messages are missing", &out); /* it may have been among these */
    expect_lost(5, "messages are missing");
    T_EQ(fold_lost(fold), 1);
    feed(&plain, (struct message){.book = numbered, .level = {bid(10, 1), ask(12, 2)}});
    expect_quote(6, 10, 1, 12, 2);
}

/* ---- partial values ---- */

static void feed_quote(const struct px_venue *venue, uint32_t type, bool derived,
                       unsigned unchanged, const int64_t value[4])
{
    struct venue_event event = {.type = type,
                                .symbol = "XY",
                                .symbol_len = 2,
                                .flags = PX_FLAG_REPLAY,
                                .venue_id = 3,
                                .unchanged = (uint8_t)unchanged,
                                .derived = derived};
    struct px_decimal decimals[4];
    for (int i = 0; i < 4; i++)
        decimals[i] = value[i] == -1 ? dec(0, PX_ABSENT) : dec(value[i], 0);
    memcpy(&event.u, decimals, sizeof decimals);
    fold_event(fold, 1, venue, &event, &out);
}
#define V(...)         \
    (const int64_t[4]) \
    {                  \
        __VA_ARGS__    \
    }

T_TEST(values_that_a_change_leaves_out_are_those_before)
{
    start();
    feed_quote(&partial, VENUE_QUOTE, false, 0, V(10, 1, 12, 2));
    expect_quote(1, 10, 1, 12, 2);
    feed_quote(&partial, VENUE_QUOTE, false, 4 | 8, V(11, 3, 0, 0));
    expect_quote(2, 11, 3, 12, 2);
    T_EQ(newest()->event.unchanged, 0);
    T_EQ(newest()->event.flags, PX_FLAG_REPLAY);
    T_EQ(newest()->event.venue_id, 3);
    feed_quote(&partial, VENUE_QUOTE, false, 1 | 2, V(0, 0, -1, -1)); /* a side that is gone */
    expect_quote(3, 11, 3, -1, -1);
    feed_quote(&partial, VENUE_QUOTE, false, 15, V(0, 0, 0, 0));
    expect_quote(4, 11, 3, -1, -1);
}

T_TEST(nothing_comes_before_all_values_are_known)
{
    start();
    feed_quote(&partial, VENUE_QUOTE, false, 4 | 8, V(10, 1, 0, 0));
    feed_quote(&partial, VENUE_QUOTE, false, 1 | 2 | 8, V(0, 0, 12, 0));
    T_EQ(given_count, 0);
    feed_quote(&partial, VENUE_QUOTE, false, 1 | 2 | 4, V(0, 0, 0, 2));
    expect_quote(1, 10, 1, 12, 2);
}

/* The newest `count` are refused or lost values, asked for by these kinds. */
static void expect_asked(size_t before, size_t count, const uint16_t kinds[])
{
    T_EQ(given_count, before + count);
    for (size_t i = 0; i < count; i++) {
        const struct given *g = &given[before + i];
        T_EQ(g->event.type, VENUE_RESYNC);
        T_EQ(g->event.kinds, kinds[i]);
        T_STR(g->symbol, "XY");
        T_STR(g->event.error, "values lost");
    }
}

T_TEST(values_are_lost_with_messages_and_come_again_when_all_are_known)
{
    start();
    feed_quote(&partial, VENUE_QUOTE, false, 0, V(10, 1, 12, 2));
    fold_lose(fold, 1, "messages are missing", &out);
    expect_asked(1, 1, (const uint16_t[]){PX_QUOTES});
    T_STR(newest()->text, "messages are missing");
    feed_quote(&partial, VENUE_QUOTE, false, 1, V(0, 1, 12, 2));
    feed_quote(&partial, VENUE_QUOTE, false, 1, V(0, 3, 13, 4));
    T_EQ(given_count, 2); /* the bid may be another */
    feed_quote(&partial, VENUE_QUOTE, false, 4 | 8, V(11, 5, 0, 0));
    expect_quote(3, 11, 5, 13, 4);
    T_EQ(fold_lost(fold), 1);
}

T_TEST(a_refused_message_costs_the_values_that_it_may_have_changed)
{
    start();
    feed_quote(&partial, VENUE_QUOTE, false, 0, V(10, 1, 12, 2));
    feed_quote(&partial, VENUE_QUOTE, true, 0, V(20, 1, 22, 2));
    feed_quote(&partial, VENUE_TICKER, false, 0, V(30, 31, 32, 33));
    feed_bad_of(1, "X");  /* another symbol's */
    feed_bad_of(0, "XY"); /* another connection's */
    T_EQ(given_count, 5);
    feed_quote(&partial, VENUE_QUOTE, false, 15, V(0, 0, 0, 0));
    expect_quote(6, 10, 1, 12, 2);
    feed_bad_of(1, "XY");
    T_EQ(given[6].event.type, VENUE_BAD);
    expect_asked(7, 3, (const uint16_t[]){PX_TICKERS, PX_TICKERS, PX_QUOTES});
    T_STR(newest()->text, "a message was refused that may have changed it");
    feed_quote(&partial, VENUE_QUOTE, false, 1, V(0, 5, 12, 2));
    feed_quote(&partial, VENUE_QUOTE, true, 1, V(0, 5, 22, 2));
    feed_quote(&partial, VENUE_TICKER, false, 14, V(40, 0, 0, 0));
    T_EQ(given_count, 10);
    feed_quote(&partial, VENUE_QUOTE, false, 0, V(11, 1, 12, 2));
    expect_quote(11, 11, 1, 12, 2);
    feed_bad_of(1, ""); /* anybody's: those that still wait are asked for once more */
    expect_asked(12, 3, (const uint16_t[]){PX_TICKERS, PX_TICKERS, PX_QUOTES});
    T_EQ(fold_lost(fold), 4);
}

T_TEST(quotes_tickers_and_quotes_out_of_tickers_are_kept_apart)
{
    start();
    feed_quote(&partial, VENUE_QUOTE, false, 0, V(10, 1, 12, 2));
    feed_quote(&partial, VENUE_QUOTE, true, 0, V(20, 1, 22, 2));
    feed_quote(&partial, VENUE_TICKER, false, 0, V(30, 31, 32, 33));
    feed_quote(&partial, VENUE_QUOTE, false, 1, V(0, 5, 12, 2));
    expect_quote(4, 10, 5, 12, 2);
    feed_quote(&partial, VENUE_QUOTE, true, 1, V(0, 5, 22, 2));
    expect_quote(5, 20, 5, 22, 2);
    T_TRUE(newest()->event.derived);
    feed_quote(&partial, VENUE_TICKER, false, 14, V(40, 0, 0, 0));
    T_EQ(newest()->event.u.ticker.last.mantissa, 40);
    T_EQ(newest()->event.u.ticker.low.mantissa, 33);
}

T_TEST(values_without_room_are_said_once_and_complete_ones_come_all_the_same)
{
    start_with((struct fold_options){.depth = 1, .merges = 1, .sources = 2});
    feed_quote(&partial, VENUE_TICKER, false, 0, V(1, 1, 1, 1));
    feed_quote(&partial, VENUE_QUOTE, false, 0, V(10, 1, 12, 2));
    T_EQ(given_count, 3);
    T_EQ(given[1].event.type, VENUE_BAD);
    T_STR(given[1].text, "changes of XY: there is no room for more than 1 symbols");
    feed_quote(&partial, VENUE_QUOTE, false, 0, V(10, 1, 12, 2));
    expect_quote(4, 10, 1, 12, 2);
    feed_quote(&partial, VENUE_QUOTE, false, 1, V(0, 1, 12, 2));
    T_EQ(given_count, 4);
}

T_TEST(venues_whose_values_are_complete_take_no_room)
{
    start_with((struct fold_options){.depth = 1, .sources = 2});
    feed_quote(&plain, VENUE_QUOTE, false, 0, V(10, 1, 12, 2));
    expect_quote(1, 10, 1, 12, 2);
}

/* ---- room ---- */

T_TEST(two_connections_with_the_same_symbol_have_two_books)
{
    start();
    feed(&plain, (struct message){SNAPSHOT, .level = {bid(10, 1), ask(12, 2)}});
    feed(&plain, (struct message){.source = 1, .level = {bid(11, 1)}});
    T_EQ(given_count, 1);
    feed(&plain, (struct message){.source = 1, SNAPSHOT, .level = {bid(20, 1), ask(22, 2)}});
    feed(&plain, (struct message){.level = {bid(10, 5)}});
    expect_quote(3, 10, 5, 12, 2);
    fold_drop(fold, 0);
    feed(&plain, (struct message){.level = {bid(11, 5)}});
    T_EQ(given_count, 3);
    feed(&plain, (struct message){.source = 1, .level = {bid(21, 5)}});
    expect_quote(4, 21, 5, 22, 2);
    T_EQ(fold_books(fold), 1);
}

T_TEST(a_book_without_room_is_said_once_and_comes_when_there_is_some)
{
    char symbol[20];
    const struct venue_level levels[] = {bid(10, 1), ask(12, 2)};
    const struct venue_book book = {.levels = levels, .count = 2, .snapshot = true};
    start_with((struct fold_options){.books = 2, .depth = 4, .sources = 1});
    for (int round = 0; round < 3; round++)
        for (int i = 0; i < 10; i++) {
            snprintf(symbol, sizeof symbol, "S%d", i);
            feed(&plain, (struct message){.symbol = symbol, .book = book});
            feed(&plain, (struct message){.symbol = symbol, .level = {bid(9, 1)}});
        }
    /* as many again are remembered as there is room for; those beyond give nothing */
    expect_lost(4, "all 2 books are in use");
    T_STR(given[2].symbol, "S2");
    T_STR(given[3].symbol, "S3");
    T_EQ(fold_books(fold), 2);
    T_EQ(fold_lost(fold), 0);
    fold_forget(fold, 0, "S1", 2);
    feed(&plain, (struct message){.symbol = "S3", .book = book});
    expect_quote(5, 10, 1, 12, 2);
    feed(&plain, (struct message){.symbol = "S9", .book = book}); /* a place is free, a book not */
    expect_lost(6, "all 2 books are in use");
    T_STR(newest()->symbol, "S9");
}

T_TEST(a_source_or_symbol_that_cannot_be_is_passed_over)
{
    char symbol[PX_SYMBOL_MAX + 2];
    memset(symbol, 'A', sizeof symbol - 1);
    symbol[sizeof symbol - 1] = '\0';
    start();
    feed(&plain, (struct message){.source = 3, SNAPSHOT, .level = {bid(10, 1)}});
    feed(&plain, (struct message){.symbol = symbol, SNAPSHOT, .level = {bid(10, 1)}});
    fold_drop(fold, 3);
    fold_forget(fold, 3, "X", 1);
    T_EQ(given_count, 0);
    symbol[PX_SYMBOL_MAX] = '\0';
    feed(&plain, (struct message){.symbol = symbol, SNAPSHOT, .level = {bid(10, 1)}});
    T_EQ(given_count, 1);
}

T_TEST(a_million_books_come_and_go_in_the_room_of_four)
{
    char symbol[20];
    uint64_t seed = 3;
    start();
    size_t bytes =
        fold_bytes(&(struct fold_options){.books = 4, .depth = 16, .merges = 4, .sources = 3});
    T_TRUE(bytes > 4 * book_bytes(16) && bytes < 16384);
    for (uint32_t i = 0; i < 1000000; i++) {
        uint32_t source = i % 3;
        seed = seed * UINT64_C(6364136223846793005) + 1442695040888963407u;
        snprintf(symbol, sizeof symbol, "S%u", (unsigned)(seed >> 59));
        size_t before = given_count;
        feed(&plain,
             (struct message){.symbol = symbol, .source = source, SNAPSHOT, .level = {bid(10, 1)}});
        if ((seed >> 40) % 4 == 0)
            fold_drop(fold, source);
        else if ((seed >> 40) % 2 == 0)
            fold_forget(fold, source, symbol, strlen(symbol));
        T_TRUE(fold_books(fold) <= 4 && given_count <= before + 1);
    }
    for (uint32_t source = 0; source < 3; source++)
        fold_drop(fold, source);
    T_EQ(fold_books(fold), 0);
    for (int i = 0; i < 4; i++) {
        snprintf(symbol, sizeof symbol, "T%d", i);
        feed(&plain, (struct message){.symbol = symbol, SNAPSHOT, .level = {bid(10, 1)}});
        T_EQ(newest()->event.type, VENUE_QUOTE);
    }
    T_EQ(fold_books(fold), 4);
}

T_TEST(options_out_of_range_are_no_fold)
{
    T_TRUE(fold_new(&(struct fold_options){.books = 1, .depth = 1}) == NULL);
    T_TRUE(fold_new(&(struct fold_options){.books = 1, .sources = 1}) == NULL);
    T_TRUE(fold_new(&(struct fold_options){.books = 1, .sources = 1, .depth = BOOK_CAP_MAX + 1}) ==
           NULL);
    fold_free(NULL);
}
