/* What Bybit is asked, and within which limits. */
#include "t.h"

#include <errno.h>

#include "venue.h"

#define LONGEST "ABCDEFGHIJKLMNOPQRSTUVWX" /* 24 characters */

static const struct px_venue *const spot = &px_venue_bybit;
static const struct px_venue *const linear = &px_venue_bybit_linear;

static int check(const char *native)
{
    T_EQ(spot->check_symbol(native, strlen(native)), linear->check_symbol(native, strlen(native)));
    return linear->check_symbol(native, strlen(native));
}

T_TEST(a_symbol_is_upper_case_letters_and_digits_with_dashes_inside)
{
    T_EQ(check("BTCUSDT"), 0);
    T_EQ(check("1000PEPEUSDT"), 0);
    T_EQ(check("1000000BABYDOGEUSDT"), 0);
    T_EQ(check("BTCPERP"), 0);
    T_EQ(check("BTC-27DEC24"), 0);
    T_EQ(check("ETHUSDT-26DEC25"), 0);
    T_EQ(check(LONGEST), 0);
    T_EQ(check(LONGEST "Y"), -EINVAL);
    T_EQ(check(""), -EINVAL);
    T_EQ(check("btcusdt"), -EINVAL);
    T_EQ(check("BTC/USDT"), -EINVAL);
    T_EQ(check("BTC.USDT"), -EINVAL);
    T_EQ(check("-BTCUSDT"), -EINVAL);
    T_EQ(check("BTC\"USDT"), -EINVAL);
    T_EQ(check("BTC USDT"), -EINVAL);
    T_EQ(check("*"), -EINVAL);
}

T_TEST(streams_of_a_wish_are_counted_and_depth_stands_in_for_quotes)
{
    const struct venue_wish wishes[] = {
        {"BTCUSDT", PX_ALL_KINDS}, {"BTCUSDT", PX_ALL_KINDS | VENUE_DEPTH},
        {"BTCUSDT", VENUE_DEPTH},  {"BTCUSDT", PX_TICKERS},
        {"*", PX_TICKERS},         {"BTCUSDT", 0}};
    const uint32_t streams[] = {3, 3, 1, 1, 0, 0};
    for (size_t i = 0; i < 6; i++) {
        T_EQ(spot->streams(&wishes[i]), streams[i]);
        T_EQ(linear->streams(&wishes[i]), streams[i]);
    }
}

static const char *asked(const struct px_venue *venue, bool on, const struct venue_wish *wishes,
                         size_t count, size_t *taken)
{
    static char out[8192];
    const struct venue_request request = {on, 42, wishes, count};
    int len = venue->subscribe(&request, out, sizeof out, taken);
    T_TRUE(len >= 0 && (size_t)len < sizeof out);
    T_EQ(len == 0 ? 0 : strlen(out), len);
    return len == 0 ? "" : out;
}

T_TEST(wishes_become_one_message_of_topics)
{
    const struct venue_wish wishes[] = {{"BTCUSDT", PX_TRADES | PX_QUOTES},
                                        {"ETHUSDT", PX_TICKERS},
                                        {"BTC-27DEC24", VENUE_DEPTH | PX_TRADES}};
    size_t taken = 0;
    T_STR(asked(linear, true, wishes, 3, &taken),
          "{\"req_id\":\"42\",\"op\":\"subscribe\",\"args\":[\"publicTrade.BTCUSDT\","
          "\"orderbook.1.BTCUSDT\",\"tickers.ETHUSDT\",\"publicTrade.BTC-27DEC24\","
          "\"orderbook.50.BTC-27DEC24\"]}");
    T_EQ(taken, 3);
    T_STR(asked(spot, false, wishes + 1, 1, &taken),
          "{\"req_id\":\"42\",\"op\":\"unsubscribe\",\"args\":[\"tickers.ETHUSDT\"]}");
    T_EQ(taken, 1);
}

T_TEST(a_wish_without_a_stream_is_taken_without_a_word)
{
    const struct venue_wish wish = {"*", PX_TICKERS};
    size_t taken = 0;
    T_STR(asked(linear, true, &wish, 1, &taken), "");
    T_EQ(taken, 1);
}

/* Messages for `count` wishes; the most args that one of them has. */
static size_t messages(const struct px_venue *venue, struct venue_wish *wishes, size_t count,
                       size_t *most)
{
    size_t done = 0, taken = 0, messages = 0, streams = 0;
    *most = 0;
    for (; done < count; done += taken, messages++) {
        const char *text = asked(venue, true, wishes + done, count - done, &taken);
        size_t here = 0;
        for (const char *at = text; (at = strchr(at, '.')) != NULL; at++)
            here++;
        T_TRUE(taken > 0);
        *most = here > *most ? here : *most;
        streams += here;
    }
    T_EQ(streams, 2 * count);
    return messages;
}

T_TEST(spot_takes_ten_args_in_a_request_and_linear_as_many_as_fit)
{
    enum { COUNT = 300 };
    static struct venue_wish wishes[COUNT];
    size_t most;
    for (size_t i = 0; i < COUNT; i++)
        wishes[i] = (struct venue_wish){"ETHUSDT", PX_TRADES | PX_TICKERS};
    T_EQ(messages(spot, wishes, COUNT, &most), 60);
    T_EQ(most, 10);
    T_EQ(most, spot->params_per_request);
    T_EQ(messages(linear, wishes, COUNT, &most), 2);
    T_TRUE(most > 300);
}

T_TEST(a_wish_is_never_cut_between_two_spot_requests)
{
    const struct venue_wish wishes[] = {{"BTCUSDT", PX_ALL_KINDS},
                                        {"ETHUSDT", PX_ALL_KINDS},
                                        {"SOLUSDT", PX_ALL_KINDS},
                                        {"XRPUSDT", PX_ALL_KINDS}};
    size_t taken = 0;
    (void)asked(spot, true, wishes, 4, &taken);
    T_EQ(taken, 3);
}

T_TEST(a_connection_full_of_the_longest_names_has_21000_characters_of_args)
{
    static const char arg[] = "\"orderbook.50." LONGEST "\",";
    T_EQ(linear->streams_per_conn, spot->streams_per_conn);
    T_TRUE(linear->streams_per_conn * (sizeof arg - 1) <= 21000);
    T_TRUE((linear->streams_per_conn + 1) * (sizeof arg - 1) > 21000);
}

T_TEST(a_message_ends_within_any_buffer_or_says_that_none_fits)
{
    const struct venue_wish wishes[] = {{"BTCUSDT", PX_TRADES | PX_QUOTES}, {"ETHUSDT", PX_TRADES}};
    for (size_t cap = 0; cap < 160; cap++) {
        char *out = malloc(cap);
        size_t taken = 99;
        const struct venue_request request = {true, 1, wishes, 2};
        int len = linear->subscribe(&request, out, cap, &taken);
        if (len < 0) {
            T_EQ(len, -ENOSPC);
            T_EQ(taken, 99);
        } else {
            T_TRUE((size_t)len < cap && taken >= 1 && taken <= 2);
            T_EQ(strlen(out), len);
            T_EQ(out[len - 1], '}');
        }
        T_TRUE(cap < 110 || len > 0);
        free(out);
    }
}

T_TEST(each_market_has_its_own_path)
{
    T_STR(spot->paths[0], "/v5/public/spot");
    T_STR(linear->paths[0], "/v5/public/linear");
}

T_TEST(a_ping_goes_out_every_20_s_and_two_missed_answers_are_a_dead_connection)
{
    T_STR(linear->keepalive, "{\"req_id\":\"ping\",\"op\":\"ping\"}");
    T_EQ(linear->keepalive_ms, 20000);
    T_TRUE(linear->silence_ms > 2 * linear->keepalive_ms);
    T_EQ(spot->keepalive_ms, 20000);
    T_EQ(spot->attempts_per_window, 500);
    T_EQ(spot->attempt_window_s, 300);
}
