/* The order book against known cases, and against a naive one that chance drives beside it. */
#include "t.h"

#include <errno.h>

#include "book.h"

#define CAP 64

static struct book_level memory[2 * BOOK_CAP_MAX];
static struct book book;

static void start(uint32_t cap)
{
    T_TRUE(book_bytes(cap) <= sizeof memory);
    book_init(&book, memory, cap);
}

static struct px_decimal dec(int64_t mantissa, int32_t exponent)
{
    return (struct px_decimal){.mantissa = mantissa, .exponent = exponent};
}

static int set(bool ask, struct px_decimal price, struct px_decimal size)
{
    const struct venue_level level = {.price = price, .size = size, .ask = ask};
    return book_set(&book, &level);
}

/* Whole prices and sizes. */
static void put(bool ask, int64_t price, int64_t size)
{
    T_EQ(set(ask, dec(price, 0), dec(size, 0)), 0);
}

static void prices(bool ask, const char *expected)
{
    const struct book_side *side = ask ? &book.ask : &book.bid;
    char text[512] = "";
    for (uint32_t i = 0; i < side->count; i++)
        snprintf(text + strlen(text), sizeof text - strlen(text), "%s%lld", i > 0 ? " " : "",
                 (long long)side->level[i].price.mantissa);
    T_STR(text, expected);
}

/* SplitMix64 (Steele, Lea, Flood 2014). */
static uint64_t seed;
static uint64_t chance(void)
{
    uint64_t z = (seed += UINT64_C(0x9e3779b97f4a7c15));
    z = (z ^ (z >> 30)) * UINT64_C(0xbf58476d1ce4e5b9);
    z = (z ^ (z >> 27)) * UINT64_C(0x94d049bb133111eb);
    return z ^ (z >> 31);
}

static uint32_t below(uint32_t n)
{
    return (uint32_t)(chance() % n);
}

/* ---- decimals ---- */

/* By digits: the number times 10^30, written out. */
static int compare_digits(struct px_decimal a, struct px_decimal b)
{
    char text[2][64];
    const struct px_decimal in[2] = {a, b};
    for (int i = 0; i < 2; i++) {
        int zeros = in[i].mantissa == 0 ? 0 : in[i].exponent + 30;
        snprintf(text[i], sizeof text[i], "%lld%.*s", (long long)in[i].mantissa, zeros,
                 "000000000000000000000000000000");
    }
    size_t la = strlen(text[0]), lb = strlen(text[1]);
    int c = la != lb ? (la < lb ? -1 : 1) : strcmp(text[0], text[1]);
    return (c > 0) - (c < 0);
}

T_TEST(decimals_of_any_exponents_compare_exactly)
{
    static const struct {
        struct px_decimal a, b;
        int expected;
    } cases[] = {
        {{1, 0}, {10, -1}, 0},
        {{0, -5}, {0, 0}, 0},
        {{0, -30}, {1, -30}, -1},
        {{INT64_MAX, 0}, {INT64_MAX, -1}, 1},
        {{INT64_MAX, -30}, {1, 0}, -1},
        {{INT64_MAX, -18}, {9, 0}, 1},
        {{INT64_MAX, -18}, {10, 0}, -1},
        {{INT64_MAX, -19}, {1, 0}, -1},
        {{INT64_C(1000000000000000000), -18}, {1, 0}, 0},
        {{INT64_C(1000000000000000001), -18}, {1, 0}, 1},
        {{INT64_C(1000000000000000000), -30}, {1, -12}, 0},
        {{-1, 0}, {-10, -1}, 0},
        {{-1, 0}, {-11, -1}, 1},
        {{-1, 0}, {1, -30}, -1},
        {{INT64_MIN, 0}, {INT64_MIN, -30}, -1},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        T_EQ(book_compare(cases[i].a, cases[i].b), cases[i].expected);
        T_EQ(book_compare(cases[i].b, cases[i].a), -cases[i].expected);
    }
}

T_TEST(decimals_by_chance_compare_as_their_digits_do)
{
    uint32_t equal = 0;
    seed = 1;
    for (int n = 0; n < 50000; n++) {
        struct px_decimal a = dec((int64_t)(chance() >> (1 + below(63))), -(int32_t)below(31));
        struct px_decimal b = dec((int64_t)(chance() >> (1 + below(63))), -(int32_t)below(31));
        if (below(3) == 0) { /* the same number, or nearly, spelled otherwise */
            b = a;
            while (b.mantissa < INT64_MAX / 10 && b.exponent > -30 && below(4) != 0)
                b = dec(b.mantissa * 10, b.exponent - 1);
            b.mantissa += (int64_t)below(2);
        }
        int expected = compare_digits(a, b);
        equal += expected == 0;
        T_EQ(book_compare(a, b), expected);
        T_EQ(book_compare(b, a), -expected);
    }
    T_TRUE(equal > 1000);
}

/* ---- known cases ---- */

T_TEST(each_side_has_its_best_level_first_and_a_size_replaces_the_one_before)
{
    start(CAP);
    for (int64_t i = 0; i < 5; i++) {
        put(false, 100 + (i * 3) % 5, 1 + i);
        put(true, 200 + (i * 3) % 5, 1 + i);
    }
    prices(false, "104 103 102 101 100");
    prices(true, "200 201 202 203 204");
    put(true, 200, 77);
    T_EQ(book.ask.count, 5);
    T_EQ(book.ask.level[0].size.mantissa, 77);
    struct px_quote top;
    book_top(&book, &top);
    T_EQ(top.bid.mantissa, 104);
    T_EQ(top.ask_size.mantissa, 77);
    book_clear(&book);
    book_top(&book, &top);
    T_EQ(top.bid.exponent, PX_ABSENT);
    T_EQ(top.bid_size.exponent, PX_ABSENT);
    T_EQ(top.ask.exponent, PX_ABSENT);
    T_EQ(top.ask_size.exponent, PX_ABSENT);
}

T_TEST(a_level_is_found_and_taken_away_however_it_is_spelled)
{
    start(CAP);
    T_EQ(set(false, dec(1005, -1), dec(10, -1)), 0);
    T_EQ(set(false, dec(100500, -3), dec(2000, -3)), 0);
    T_EQ(book.bid.count, 1);
    T_EQ(book.bid.level[0].price.mantissa, 100500); /* as it was written last */
    T_EQ(book.bid.level[0].size.exponent, -3);
    T_EQ(set(false, dec(10050, -2), dec(0, -8)), 0);
    T_EQ(book.bid.count, 0);
    T_EQ(set(false, dec(10050, -2), dec(0, 0)), 0); /* none there: nothing to take away */
    T_EQ(book.bid.count, 0);
}

T_TEST(what_is_no_price_or_size_changes_nothing)
{
    start(CAP);
    put(true, 10, 1);
    T_EQ(set(true, dec(0, PX_ABSENT), dec(1, 0)), -EINVAL);
    T_EQ(set(true, dec(10, 0), dec(0, PX_ABSENT)), -EINVAL);
    T_EQ(set(true, dec(-10, 0), dec(1, 0)), -EINVAL);
    T_EQ(set(true, dec(10, 0), dec(-1, 0)), -EINVAL);
    T_EQ(book.ask.count, 1);
    T_EQ(book.ask.level[0].size.mantissa, 1);
}

T_TEST(a_full_side_drops_its_worst_level_and_knows_nothing_from_there_on)
{
    start(3);
    for (int64_t price = 10; price < 13; price++)
        put(true, price, 1);
    T_TRUE(!book.ask.cut);
    put(true, 14, 1); /* beyond the last: dropped itself */
    T_TRUE(book.ask.cut);
    prices(true, "10 11 12");
    put(true, 13, 1); /* no room for it either: the edge moves to it */
    prices(true, "10 11 12");
    put(true, 9, 1);
    prices(true, "9 10 11");
    put(true, 9, 0);
    put(true, 12, 1); /* the edge: passed over */
    prices(true, "10 11");
    T_TRUE(!book_exhausted(&book));
    put(true, 10, 0);
    put(true, 11, 0);
    T_TRUE(book_exhausted(&book));
    book_clear(&book);
    T_TRUE(!book_exhausted(&book));
    put(true, 14, 1);
    prices(true, "14");
}

T_TEST(a_bounded_book_forgets_what_was_pushed_out_and_is_complete_again)
{
    start(5);
    for (int64_t price = 10; price < 16; price++)
        put(true, price, 1);
    T_TRUE(book.ask.cut);
    book_trim(&book, 4);
    prices(true, "10 11 12 13");
    T_TRUE(!book.ask.cut);
    put(true, 9, 1); /* in, before 11 is out: for a moment five levels */
    put(true, 11, 0);
    book_trim(&book, 4);
    prices(true, "9 10 12 13");
    put(true, 9, 0);
    put(true, 14, 1); /* comes back into view: told anew */
    book_trim(&book, 4);
    prices(true, "10 12 13 14");
    book_trim(&book, 0);
    book_trim(&book, 6); /* deeper than the memory: bounds nothing */
    prices(true, "10 12 13 14");
}

T_TEST(a_bounded_book_with_too_few_levels_left_stays_cut)
{
    start(4);
    for (int64_t price = 10; price < 15; price++)
        put(true, price, 1);
    put(true, 10, 0);
    book_trim(&book, 4);
    prices(true, "11 12 13");
    T_TRUE(book.ask.cut);
    put(true, 14, 2);
    prices(true, "11 12 13");
}

T_TEST(a_book_is_crossed_when_the_best_bid_is_not_below_the_best_ask)
{
    start(CAP);
    put(false, 10, 1);
    T_TRUE(!book_crossed(&book));
    put(true, 11, 1);
    T_TRUE(!book_crossed(&book));
    T_EQ(set(false, dec(1100, -2), dec(1, 0)), 0);
    T_TRUE(book_crossed(&book));
    put(true, 11, 0);
    T_TRUE(!book_crossed(&book));
}

T_TEST(digits_are_without_point_and_leading_zeros)
{
    char out[BOOK_DIGITS_MAX];
    static const struct {
        struct px_decimal value;
        const char *digits;
    } cases[] = {
        {{120000, -6}, "120000"}, /* 0.120000 */
        {{10, -4}, "10"},
        {{564, 0}, "564"},
        {{0, -8}, ""},
        {{INT64_MAX, -30}, "9223372036854775807"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        size_t len = book_digits(cases[i].value, out);
        T_EQ(len, strlen(cases[i].digits));
        T_MEM(out, cases[i].digits, len);
    }
}

T_TEST(the_checksum_is_that_of_ethernet_and_goes_on)
{
    T_EQ(book_crc32(0, "123456789", 9), UINT32_C(0xcbf43926));
    T_EQ(book_crc32(book_crc32(0, "1234", 4), "56789", 5), UINT32_C(0xcbf43926));
    T_EQ(book_crc32(0, "", 0), 0);
}

/* ---- a naive book beside it ---- */

#define TICKS 400

/* Sizes by tick; 0 none. Prices and sizes are spelled with trailing zeros as chance has it. */
struct naive {
    int64_t size[2][TICKS];
};

static struct px_decimal spelled(int64_t value)
{
    struct px_decimal d = dec(value, -2);
    for (uint32_t zeros = below(5); zeros > 0; zeros--)
        d = dec(d.mantissa * 10, d.exponent - 1);
    return d;
}

static void change(struct naive *n)
{
    bool ask = below(2) == 1;
    uint32_t tick = below(4) == 0 ? below(TICKS) : below(40) + (ask ? 0 : TICKS - 40);
    int64_t size = below(2) == 0 ? 0 : 1 + (int64_t)below(1000);
    n->size[ask][tick] = size;
    T_EQ(set(ask, spelled(tick + 1), spelled(size)), 0);
}

/* In units of 10^-6: no decimal here has more. */
static int64_t micro(struct px_decimal d)
{
    for (; d.exponent > -6; d.exponent--)
        d.mantissa *= 10;
    return d.mantissa;
}

/* The nth tick of a side from its best. */
static uint32_t ranked(bool ask, uint32_t i)
{
    return ask ? i : TICKS - 1 - i;
}

/* What lies deeper than `depth` is gone, as the venue has it. */
static void naive_trim(struct naive *n, uint32_t depth)
{
    for (int ask = 0; ask < 2; ask++) {
        uint32_t count = 0;
        for (uint32_t i = 0; i < TICKS; i++) {
            int64_t *size = &n->size[ask][ranked(ask, i)];
            if (*size != 0 && count++ >= depth)
                *size = 0;
        }
    }
}

/* The side is the naive one as far as it is known: up to the edge. Returns the levels compared. */
static uint32_t compare_side(const struct naive *n, bool ask)
{
    const struct book_side *side = ask ? &book.ask : &book.bid;
    uint32_t count = 0;
    for (uint32_t i = 0; i < TICKS; i++) {
        uint32_t tick = ranked(ask, i);
        int64_t price = micro(dec(tick + 1, -2)), size = n->size[ask][tick];
        int64_t to_edge = side->cut ? price - micro(side->edge) : 0;
        if (side->cut && (ask ? to_edge >= 0 : to_edge <= 0))
            break;
        if (size == 0)
            continue;
        T_TRUE(count < side->count);
        T_EQ(micro(side->level[count].price), price);
        T_EQ(micro(side->level[count].size), micro(dec(size, -2)));
        count++;
    }
    T_EQ(side->count, count);
    return count;
}

T_TEST(a_whole_book_is_the_naive_one_up_to_its_edge_whatever_comes)
{
    uint64_t compared = 0, exhausted = 0;
    for (uint32_t cap = 1; cap <= 256; cap *= 2) {
        struct naive n = {0};
        seed = cap;
        start(cap);
        for (int i = 0; i < 15000; i++) {
            change(&n);
            compared += compare_side(&n, false) + compare_side(&n, true);
            bool none =
                (book.bid.cut && book.bid.count == 0) || (book.ask.cut && book.ask.count == 0);
            T_EQ(book_exhausted(&book), none);
            if (none || below(2000) == 0) { /* a snapshot of nothing */
                n = (struct naive){0};
                book_clear(&book);
                exhausted += none;
            }
        }
    }
    T_TRUE(compared > 100000);
    T_TRUE(exhausted > 100);
}

T_TEST(a_bounded_book_is_the_naive_one_cut_to_its_depth_after_each_message)
{
    uint64_t compared = 0, full = 0;
    for (uint32_t depth = 1; depth <= 64; depth *= 2) {
        struct naive n = {0};
        const uint32_t most = 8; /* changes of a message: no more can come in before others go */
        seed = depth;
        start(depth + most);
        for (int i = 0; i < 2000; i++) {
            for (uint32_t changes = 1 + below(most); changes > 0; changes--)
                change(&n);
            naive_trim(&n, depth);
            book_trim(&book, depth);
            compared += compare_side(&n, false) + compare_side(&n, true);
            T_TRUE(!book.bid.cut || book.bid.count < depth);
            full += book.ask.count == depth;
        }
    }
    T_TRUE(compared > 100000);
    T_TRUE(full > 1000);
}
