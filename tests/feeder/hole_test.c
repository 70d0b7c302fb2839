/* What answers of a history give for a hole, hostile ones too. */
#include "t.h"

#include <errno.h>

#include "hole.h"

struct rig {
    struct hole hole;
    struct hole_page page;
    uint64_t given[4096];
    uint32_t count;
};
static struct rig rig;

static void dig(uint64_t first, uint64_t last)
{
    memset(&rig, 0, sizeof rig);
    hole_init(&rig.hole, "BTCUSDT", first, last);
    rig.hole.after_ns = 50;
    hole_page_start(&rig.page, &rig.hole);
}

static void event(const struct venue_event *ev)
{
    const struct venue_sink sink = hole_page_sink(&rig.page);
    sink.event(sink.user, ev);
}

static struct venue_event trade_of(uint64_t id)
{
    return (struct venue_event){.type = VENUE_TRADE,
                                .flags = PX_SIDE_BUY,
                                .symbol = "BTCUSDT",
                                .symbol_len = 7,
                                .exch_ns = (int64_t)id,
                                .venue_id = id,
                                .consecutive = true,
                                .u.trade = {{(int64_t)id, -2}, {1, 0}, id}};
}

static void trade(uint64_t id)
{
    const struct venue_event ev = trade_of(id);
    event(&ev);
}

static void give(void *user, const struct hole_trade *t)
{
    struct rig *r = user;
    T_EQ(t->trade.price.mantissa, t->id);
    T_EQ(t->exch_ns, t->id);
    r->given[r->count++] = t->id;
}

/* Takes the page, and begins another for what is left. */
static uint32_t fill(void)
{
    T_EQ(hole_page_end(&rig.page), 0);
    uint32_t n = hole_fill(&rig.hole, &rig.page, give, &rig);
    hole_page_start(&rig.page, &rig.hole);
    return n;
}

static void check_given(uint64_t first, uint64_t last)
{
    T_EQ(rig.count, last - first + 1);
    for (uint32_t i = 0; i < rig.count; i++)
        T_EQ(rig.given[i], first + i);
}

T_TEST(a_hole_is_filled_in_order_over_pages_that_come_oldest_first)
{
    dig(100, 109);
    for (uint64_t id = 100; id < 105; id++)
        trade(id);
    T_EQ(fill(), 5);
    T_TRUE(!hole_closed(&rig.hole));
    T_EQ(hole_asked(&rig.hole).first, 105);
    T_EQ(hole_asked(&rig.hole).last, 109);
    T_EQ(hole_asked(&rig.hole).after_ns, 104);
    for (uint64_t id = 105; id < 115; id++) /* the venue goes on behind it */
        trade(id);
    T_EQ(fill(), 5);
    T_TRUE(hole_closed(&rig.hole));
    T_EQ(rig.hole.missing, 0);
    T_EQ(rig.hole.filled, 10);
    check_given(100, 109);
}

T_TEST(a_page_that_comes_latest_first_is_turned_round)
{
    dig(100, 103);
    for (uint64_t id = 107; id > 96; id--)
        trade(id);
    T_EQ(fill(), 4);
    check_given(100, 103);
}

T_TEST(ids_outside_of_the_hole_are_not_given_and_those_inside_are_given_once)
{
    static const uint64_t ids[] = {1, 98, 100, 100, 101, 101, 101, 102, 102, 500, UINT64_MAX};
    dig(100, 102);
    for (size_t i = 0; i < sizeof ids / sizeof ids[0]; i++)
        trade(ids[i]);
    T_EQ(fill(), 3);
    check_given(100, 102);
    trade(101);
    T_EQ(fill(), 0); /* and not by another answer either */
    T_EQ(rig.count, 3);
}

T_TEST(ids_that_a_page_passes_over_are_missing)
{
    dig(100, 109);
    trade(102);
    trade(103);
    trade(106);
    T_EQ(fill(), 3);
    T_EQ(rig.hole.missing, 4);
    T_EQ(rig.hole.missing_first, 100);
    T_EQ(rig.hole.missing_last, 105);
    hole_give_up(&rig.hole);
    T_TRUE(hole_closed(&rig.hole));
    T_EQ(rig.hole.missing, 7);
    T_EQ(rig.hole.missing_last, 109);
    T_EQ(rig.hole.filled + rig.hole.missing, 10);
    hole_give_up(&rig.hole);
    T_EQ(rig.hole.missing, 7);
}

T_TEST(a_page_in_no_order_is_useless)
{
    dig(100, 109);
    trade(100);
    trade(104);
    trade(102);
    trade(105);
    T_EQ(hole_page_end(&rig.page), -EBADMSG);
    T_STR(rig.page.why, "its trades are in no order");
}

T_TEST(an_answer_about_another_symbol_is_useless_whatever_else_it_has)
{
    struct venue_event ev = trade_of(101);
    dig(100, 109);
    trade(100);
    ev.symbol = "ETHUSDT";
    event(&ev);
    T_EQ(hole_page_end(&rig.page), -EBADMSG);
    T_STR(rig.page.why, "the answer is about ETHUSDT");
    dig(100, 109);
    ev = trade_of(101);
    ev.symbol_len = 6;
    event(&ev);
    T_EQ(hole_page_end(&rig.page), -EBADMSG);
    dig(100, 109);
    ev = trade_of(101);
    ev.aggregated = true;
    event(&ev);
    T_EQ(hole_page_end(&rig.page), -EBADMSG);
}

T_TEST(an_answer_with_more_trades_than_a_page_is_useless)
{
    dig(1, 100000);
    for (uint64_t id = 1; id <= HOLE_PAGE_MAX; id++)
        trade(id);
    T_EQ(hole_page_end(&rig.page), 0);
    trade(HOLE_PAGE_MAX + 1);
    T_EQ(hole_page_end(&rig.page), -EBADMSG);
    T_TRUE(strstr(rig.page.why, "more than 1000 trades") != NULL);
}

T_TEST(a_trade_that_is_refused_is_missing_and_the_others_are_not)
{
    const struct venue_event bad = {.type = VENUE_BAD, .text = "no price", .text_len = 8};
    dig(100, 102);
    trade(100);
    event(&bad);
    trade(102);
    T_EQ(hole_page_end(&rig.page), 0);
    T_EQ(rig.page.refused, 1);
    T_STR(rig.page.why, "no price");
    T_EQ(fill(), 2);
    T_EQ(rig.hole.missing, 1);
    T_EQ(rig.hole.missing_first, 101);
}

T_TEST(an_answer_of_refusals_alone_or_of_the_venues_words_is_useless)
{
    const struct venue_event bad = {.type = VENUE_BAD, .text = "broken", .text_len = 6};
    const struct venue_event words = {.type = VENUE_REFUSED, .text = "slow down", .text_len = 9};
    dig(100, 102);
    event(&bad);
    T_EQ(hole_page_end(&rig.page), -EBADMSG);
    T_STR(rig.page.why, "broken");
    dig(100, 102);
    trade(100);
    event(&words);
    T_EQ(hole_page_end(&rig.page), -EBADMSG);
    T_STR(rig.page.why, "the venue says: slow down");
}

T_TEST(an_empty_answer_leaves_the_hole_as_it_was)
{
    dig(100, 102);
    T_EQ(fill(), 0);
    T_EQ(rig.hole.missing, 0);
    T_EQ(hole_asked(&rig.hole).first, 100);
    T_EQ(hole_asked(&rig.hole).after_ns, 50);
}

T_TEST(a_hole_at_the_end_of_all_ids_comes_to_its_end)
{
    dig(UINT64_MAX - 2, UINT64_MAX - 1);
    trade(UINT64_MAX - 2);
    rig.page.trade[0].trade.price.mantissa = (int64_t)(UINT64_MAX - 2);
    T_EQ(hole_page_end(&rig.page), 0);
    hole_give_up(&rig.hole);
    T_TRUE(hole_closed(&rig.hole));
    T_EQ(rig.hole.missing, 2);
}
