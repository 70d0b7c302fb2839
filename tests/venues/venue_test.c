/* The table of venues, names of symbols, and what Binance is asked. */
#include "asked.h"

#include <errno.h>

#include "url.h"
#include "venue.h"

static const struct px_venue *binance(void)
{
    const struct px_venue *venue = venue_find("binance", 7);
    T_TRUE(venue == &px_venue_binance);
    return venue;
}

/* "wss://host" without a path, one that a connection can be made to. */
static void check_endpoint(const char *text)
{
    struct url url;
    char error[URL_ERROR_MAX] = "";
    if (url_parse(text, &url, error) < 0)
        fail_msg("%s: %s", text, error);
    T_TRUE(url.tls && !url.has_path && !url.numeric);
}

T_TEST(every_endpoint_of_a_venue_is_one_and_stands_there_once)
{
    for (size_t i = 0; i < venue_count; i++) {
        const struct px_venue *v = venue_table[i];
        check_endpoint(v->url);
        for (size_t n = 0; n < VENUE_URLS_MAX && v->urls[n] != NULL; n++) {
            check_endpoint(v->urls[n]);
            T_TRUE(strcmp(v->urls[n], v->url) != 0);
            for (size_t k = 0; k < n; k++)
                T_TRUE(strcmp(v->urls[n], v->urls[k]) != 0);
        }
    }
}

T_TEST(every_venue_has_what_is_mandatory)
{
    T_TRUE(venue_count >= 2);
    for (size_t i = 0; i < venue_count; i++) {
        const struct px_venue *v = venue_table[i];
        T_TRUE(v->name != NULL && v->title != NULL && v->url != NULL && v->kinds != 0);
        T_TRUE(v->check_symbol != NULL && v->streams != NULL);
        for (uint32_t r = 0; r < (v->routes < 2 ? 1 : v->routes); r++)
            T_TRUE(v->paths[r] != NULL && v->paths[r][0] == '/' &&
                   strlen(v->paths[r]) <= URL_PATH_MAX);
        T_TRUE(v->subscribe != NULL && v->on_text != NULL);
        T_TRUE((v->keepalive == NULL) == (v->keepalive_ms == 0));
        T_TRUE(strncmp(v->url, "wss://", 6) == 0);
        T_TRUE(venue_find(v->name, strlen(v->name)) == v);
    }
    T_TRUE(venue_find("binanc", 6) == NULL);
    T_TRUE(venue_find("binance_", 8) == NULL);
}

static int split(const char *symbol)
{
    const struct px_venue *venue = NULL;
    const char *native = NULL;
    int rc = venue_split(symbol, strlen(symbol), &venue, &native);
    if (rc == 0)
        T_TRUE(venue != NULL && native == strchr(symbol, ':') + 1);
    else
        T_TRUE(venue == NULL && native == NULL);
    return rc;
}

T_TEST(a_symbol_is_a_known_venue_and_a_name_as_that_venue_writes_it)
{
    T_EQ(split("binance:BTCUSDT"), 0);
    T_EQ(split("binance_us:BTCUSD"), 0);
    T_EQ(split("binance:*"), 0);
    T_EQ(split("binance:1000SATSUSDT"), 0);
    T_EQ(split("binance:BTCUSD_PERP"), 0);
    T_EQ(split("binance:币安币USDT"), 0);
    T_EQ(split("binance:A23456789012345678901234567890123456789"), 0);
    T_EQ(split("binance:A234567890123456789012345678901234567890"), -EINVAL);
    T_EQ(split("binance:"), -EINVAL);
    T_EQ(split("BTCUSDT"), -EINVAL);
    T_EQ(split("binance:btcusdt"), -EINVAL);
    T_EQ(split("binance:BTC\"USDT"), -EINVAL);
    T_EQ(split("binance:BTC USDT"), -EINVAL);
    T_EQ(split("binance:**"), -EINVAL);
    T_EQ(split("binance:\xff"), -EINVAL);
    T_EQ(split("kraken9:BTC/USD"), -ENODEV);
    T_EQ(split(":BTCUSDT"), -ENODEV);
}

static const char *asked(bool on, const struct venue_wish *wishes, size_t count, size_t *taken)
{
    const struct venue_request request = {on, 42, wishes, count};
    return asked_of(binance(), &request, 16384, taken);
}

T_TEST(wishes_become_one_message_of_lower_case_streams)
{
    const struct venue_wish wishes[] = {{"BTCUSDT", PX_TRADES | PX_QUOTES},
                                        {"ETHUSDT", PX_TICKERS},
                                        {"BNBBTC", VENUE_AGGTRADES | PX_TRADES},
                                        {"币安币USDT", PX_QUOTES},
                                        {"*", PX_TICKERS}};
    size_t taken = 0;
    T_STR(asked(true, wishes, 5, &taken),
          "{\"method\":\"SUBSCRIBE\",\"params\":[\"btcusdt@trade\",\"btcusdt@bookTicker\","
          "\"ethusdt@ticker\",\"bnbbtc@aggTrade\",\"币安币usdt@bookTicker\",\"!miniTicker@arr\"],"
          "\"id\":42}");
    T_EQ(taken, 5);
    T_STR(asked(false, wishes + 1, 1, &taken),
          "{\"method\":\"UNSUBSCRIBE\",\"params\":[\"ethusdt@ticker\"],\"id\":42}");
    T_EQ(taken, 1);
}

T_TEST(streams_of_a_wish_are_counted_as_they_are_asked_for)
{
    const struct venue_wish wishes[] = {{"BTCUSDT", PX_ALL_KINDS},
                                        {"BTCUSDT", VENUE_AGGTRADES | PX_TRADES},
                                        {"*", PX_TICKERS},
                                        {"*", PX_TRADES},
                                        {"BTCUSDT", 0}};
    const uint32_t streams[] = {3, 1, 1, 0, 0};
    for (size_t i = 0; i < 5; i++)
        T_EQ(binance()->streams(&wishes[i]), streams[i]);
}

T_TEST(a_wish_without_a_stream_is_taken_without_a_word)
{
    const struct venue_wish wish = {"*", PX_TRADES};
    size_t taken = 0;
    T_STR(asked(true, &wish, 1, &taken), "");
    T_EQ(taken, 1);
}

T_TEST(a_message_has_at_most_the_venues_number_of_streams_and_whole_wishes)
{
    enum { COUNT = 500 };
    static struct venue_wish wishes[COUNT];
    size_t done = 0, taken, messages = 0, streams = 0;
    for (size_t i = 0; i < COUNT; i++)
        wishes[i] = (struct venue_wish){"BTCUSDT", PX_ALL_KINDS};
    for (; done < COUNT; done += taken, messages++) {
        size_t here = 0;
        const char *text = asked(true, wishes + done, COUNT - done, &taken);
        for (const char *at = text; (at = strchr(at, '@')) != NULL; at++)
            here++;
        T_EQ(here, 3 * taken);
        T_TRUE(here <= binance()->params_per_request);
        T_TRUE(strcmp(text + strlen(text) - 10, "],\"id\":42}") == 0);
        streams += here;
    }
    T_EQ(streams, 3 * COUNT);
    T_EQ(messages, 8); /* 66 wishes of three streams each */
}

T_TEST(a_message_ends_within_any_buffer_or_says_that_none_fits)
{
    const struct venue_wish wishes[] = {{"BTCUSDT", PX_TRADES | PX_QUOTES}, {"ETHUSDT", PX_TRADES}};
    for (size_t cap = 0; cap < 160; cap++) {
        char *out = malloc(cap);
        size_t taken = 99;
        const struct venue_request request = {true, 1, wishes, 2};
        int len = binance()->subscribe(&request, out, cap, &taken);
        if (len < 0) {
            T_EQ(len, -ENOSPC);
            T_EQ(taken, 99);
        } else {
            T_TRUE((size_t)len < cap && taken >= 1 && taken <= 2);
            T_EQ(strlen(out), len);
            T_EQ(out[len - 1], '}');
        }
        T_TRUE(cap < 100 || len > 0);
        free(out);
    }
}

T_TEST(path_is_that_of_combined_streams_with_times_in_microseconds)
{
    T_STR(binance()->paths[0], "/stream?timeUnit=MICROSECOND");
}

T_TEST(sister_exchanges_are_asked_for_combined_streams_and_nothing_that_they_do_not_document)
{
    const struct px_venue *const sisters[] = {&px_venue_binance_us, &px_venue_binance_tr};
    for (size_t i = 0; i < 2; i++) {
        T_STR(sisters[i]->paths[0], "/stream");
        T_EQ(sisters[i]->subscribe == binance()->subscribe, true);
        T_TRUE(sisters[i]->silence_ms > 180000); /* they may ping every 3 min only */
    }
}
