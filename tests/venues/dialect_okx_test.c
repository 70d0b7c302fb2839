/* What OKX is asked, which names are symbols there, and what its checksums are of. */
#include "asked.h"

#include <errno.h>

#include "book.h"
#include "decimal.h"
#include "venue.h"

static const struct px_venue *const venue = &px_venue_okx;

static const char *asked(bool on, const struct venue_wish *wishes, size_t count, size_t *taken)
{
    const struct venue_request request = {on, 42, wishes, count};
    return asked_of(venue, &request, 8192, taken);
}

static int check(const char *native)
{
    return venue->check_symbol(native, strlen(native));
}

T_TEST(a_symbol_is_parts_of_upper_case_letters_and_digits)
{
    T_EQ(check("BTC-USDT"), 0);
    T_EQ(check("1INCH-USDT"), 0);
    T_EQ(check("BTC-USDT-SWAP"), 0);
    T_EQ(check("BTC-USD_UM-SWAP"), 0);
    T_EQ(check("BTC-USD-220624-100000-C"), 0);
    T_EQ(check("BTCUSDT"), -EINVAL);
    T_EQ(check("btc-usdt"), -EINVAL);
    T_EQ(check("BTC/USDT"), -EINVAL);
    T_EQ(check("BTC--USDT"), -EINVAL);
    T_EQ(check("BTC-"), -EINVAL);
    T_EQ(check("-BTC"), -EINVAL);
    T_EQ(check("BTC-\"USDT"), -EINVAL);
    T_EQ(check(""), -EINVAL);
}

T_TEST(wishes_become_one_message_of_channels)
{
    const struct venue_wish wishes[] = {{"BTC-USDT", PX_TRADES | PX_QUOTES},
                                        {"ETH-USDT-SWAP", PX_TICKERS},
                                        {"*", PX_TICKERS},
                                        {"ETH-USDT", PX_QUOTES | VENUE_DEPTH}};
    size_t taken = 0;
    T_EQ(venue->answers, VENUE_ANSWERS_STREAM);
    T_STR(asked(true, wishes, 4, &taken),
          "{\"op\":\"subscribe\",\"args\":[{\"channel\":\"trades\",\"instId\":\"BTC-USDT\"},"
          "{\"channel\":\"bbo-tbt\",\"instId\":\"BTC-USDT\"},"
          "{\"channel\":\"tickers\",\"instId\":\"ETH-USDT-SWAP\"},"
          "{\"channel\":\"books\",\"instId\":\"ETH-USDT\"}]}");
    T_EQ(taken, 4);
    T_STR(asked(false, wishes + 1, 1, &taken), "{\"op\":\"unsubscribe\",\"args\":[{\"channel\":"
                                               "\"tickers\",\"instId\":\"ETH-USDT-SWAP\"}]}");
    T_EQ(taken, 1);
    T_STR(asked(true, wishes + 2, 1, &taken), "");
    T_EQ(taken, 1);
}

T_TEST(quotes_come_from_the_best_prices_or_from_the_book_and_not_from_both)
{
    const struct venue_wish wishes[] = {{"BTC-USDT", PX_ALL_KINDS},
                                        {"BTC-USDT", PX_ALL_KINDS | VENUE_DEPTH},
                                        {"BTC-USDT", VENUE_DEPTH},
                                        {"*", PX_ALL_KINDS},
                                        {"BTC-USDT", 0}};
    const uint32_t streams[] = {3, 3, 1, 0, 0};
    for (size_t i = 0; i < 5; i++)
        T_EQ(venue->streams(&wishes[i]), streams[i]);
}

T_TEST(a_message_of_many_wishes_fits_the_buffer_in_whole_wishes)
{
    enum { COUNT = 400 };
    static struct venue_wish wishes[COUNT];
    size_t done = 0, taken, args = 0;
    for (size_t i = 0; i < COUNT; i++)
        wishes[i] = (struct venue_wish){"BTC-USD-220624-100000-C", PX_TRADES | PX_QUOTES};
    for (; done < COUNT; done += taken) {
        const char *text = asked(true, wishes + done, COUNT - done, &taken);
        size_t here = 0;
        for (const char *at = text; (at = strstr(at, "\"instId\"")) != NULL; at++)
            here++;
        T_EQ(here, 2 * taken);
        T_TRUE(taken > 50 || done + taken == COUNT);
        T_STR(text + strlen(text) - 3, "}]}");
        args += here;
    }
    T_EQ(args, 2 * COUNT);
}

T_TEST(messages_end_within_any_buffer_or_are_not_written)
{
    const struct venue_wish wishes[] = {{"BTC-USDT", PX_TRADES | PX_QUOTES},
                                        {"ETH-USDT", PX_TRADES}};
    const struct venue_request request = {true, 1, wishes, 2};
    for (size_t cap = 0; cap < 200; cap++) {
        char *out = malloc(cap);
        size_t taken = 99;
        int len = venue->subscribe(&request, out, cap, &taken);
        if (len < 0) {
            T_EQ(len, -ENOSPC);
            T_EQ(taken, 99);
        } else {
            T_TRUE((size_t)len < cap && taken >= 1 && taken <= 2);
            T_EQ(strlen(out), len);
            T_STR(out + len - 2, "]}");
        }
        T_TRUE(cap < 130 || len > 0);
        free(out);
    }
}

T_TEST(path_and_ping_are_those_of_the_public_channels)
{
    T_STR(venue->paths[0], "/ws/v5/public");
    T_STR(venue->keepalive, "ping"); /* bare text, no JSON */
}

static struct px_decimal decimal(const char *text)
{
    struct px_decimal value;
    T_EQ(decimal_parse(text, strlen(text), &value), 0);
    return value;
}

T_TEST(a_checksum_is_of_the_best_25_of_both_sides_in_turn_as_they_were_written)
{
    enum { CAP = 64 };
    struct book book;
    book_init(&book, malloc(book_bytes(CAP)), CAP);
    void *memory = book.bid.level < book.ask.level ? book.bid.level : book.ask.level;
    const struct venue_level levels[] = {{decimal("3366.1"), decimal("7"), false},
                                         {decimal("3366.80"), decimal("0.0010"), true},
                                         {decimal("3368"), decimal("8"), true}};
    for (size_t i = 0; i < 3; i++)
        T_EQ(book_set(&book, &levels[i]), 0);
    const char *text = "3366.1:7:3366.80:0.0010:3368:8";
    T_EQ(venue->book_checksum(&book), book_crc32(0, text, strlen(text)));
    uint32_t deep = 0;
    for (int i = 0; i < 30; i++) {
        char price[16];
        snprintf(price, sizeof price, "0.%04d", 9000 - i);
        T_EQ(book_set(&book, &(struct venue_level){decimal(price), decimal("1"), false}), 0);
        if (i == 23)
            deep = venue->book_checksum(&book);
        T_TRUE(i <= 23 || venue->book_checksum(&book) == deep);
    }
    free(memory);
}
