/* What Bitstamp is asked, and which names are symbols there. */
#include "asked.h"

#include <errno.h>

#include "frames.h"
#include "venue.h"

static const struct px_venue *const venue = &px_venue_bitstamp;

static const char *asked(bool on, const struct venue_wish *wishes, size_t count, size_t *taken)
{
    const struct venue_request request = {on, 42, wishes, count};
    return asked_of(venue, &request, 8192, taken);
}

static int check(const char *native)
{
    return venue->check_symbol(native, strlen(native));
}

T_TEST(a_symbol_is_lower_case_and_may_be_a_perpetual)
{
    T_EQ(check("btcusd"), 0);
    T_EQ(check("1incheur"), 0);
    T_EQ(check("btcusd-perp"), 0);
    T_EQ(check("BTCUSD"), -EINVAL);
    T_EQ(check("btc/usd"), -EINVAL);
    T_EQ(check("btc_usd"), -EINVAL);
    T_EQ(check("btcusd-"), -EINVAL);
    T_EQ(check("-btcusd"), -EINVAL);
    T_EQ(check("btc\"usd"), -EINVAL);
    T_EQ(check(""), -EINVAL);
}

T_TEST(a_message_asks_for_one_channel)
{
    const struct venue_wish wishes[] = {
        {"btcusd", PX_TRADES}, {"ethusd-perp", PX_QUOTES}, {"ethusd", PX_TRADES}};
    size_t taken = 0;
    T_TRUE(venue->one_kind);
    T_EQ(venue->answers, VENUE_ANSWERS_STREAM);
    T_STR(asked(true, wishes, 3, &taken),
          "{\"event\":\"bts:subscribe\",\"data\":{\"channel\":\"live_trades_btcusd\"}}");
    T_EQ(taken, 1);
    T_STR(asked(true, wishes + 1, 2, &taken),
          "{\"event\":\"bts:subscribe\",\"data\":{\"channel\":\"order_book_ethusd-perp\"}}");
    T_EQ(taken, 1);
    T_STR(asked(false, wishes, 1, &taken),
          "{\"event\":\"bts:unsubscribe\",\"data\":{\"channel\":\"live_trades_btcusd\"}}");
    T_EQ(taken, 1);
}

T_TEST(there_are_trades_and_quotes_and_no_tickers)
{
    const struct venue_wish none = {"btcusd", PX_TICKERS}, all = {"*", PX_TICKERS | PX_TRADES},
                            both = {"btcusd", PX_ALL_KINDS}, one = {"btcusd", PX_QUOTES};
    size_t taken = 0;
    T_EQ(venue->kinds, PX_TRADES | PX_QUOTES);
    T_EQ(venue->streams(&none), 0);
    T_EQ(venue->streams(&all), 0);
    T_EQ(venue->streams(&both), 2);
    T_EQ(venue->streams(&one), 1);
    T_STR(asked(true, &none, 1, &taken), "");
    T_EQ(taken, 1);
    T_STR(asked(true, &none, 0, &taken), "");
    T_EQ(taken, 0);
}

T_TEST(the_longest_symbol_stays_below_the_frame_that_the_venue_accepts)
{
    const struct venue_wish wish = {"abcdefghijklmnopqrstuvwxyz0123456789-perp", PX_TRADES};
    size_t taken = 0;
    T_EQ(check(wish.native), 0);
    T_TRUE(strlen(asked(false, &wish, 1, &taken)) < 512);
}

T_TEST(messages_end_within_any_buffer_or_are_not_written)
{
    const struct venue_wish wish = {"btcusd", PX_TRADES};
    const struct venue_request request = {true, 1, &wish, 1};
    size_t whole = 0;
    whole = strlen(asked(true, &wish, 1, &whole));
    for (size_t cap = 0; cap < 100; cap++) {
        char *out = malloc(cap);
        size_t taken = 99;
        int len = venue->subscribe(&request, out, cap, &taken);
        T_TRUE(len == -ENOSPC ? taken == 99 : taken == 1 && (size_t)len < cap);
        T_EQ(len > 0, cap > whole);
        free(out);
    }
}

T_TEST(path_and_ping_are_those_of_the_second_version)
{
    T_STR(venue->paths[0], "/");
    T_STR(venue->keepalive, "{\"event\":\"bts:heartbeat\"}");
}
