/* What the futures of Binance are asked, and over which connection. */
#include "t.h"

#include <errno.h>

#include "frames.h"
#include "venue.h"

static const struct px_venue *const markets[] = {&px_venue_binance_usdm, &px_venue_binance_coinm};
#define MARKETS (sizeof markets / sizeof markets[0])

static const char *asked(const struct px_venue *venue, bool on, const struct venue_wish *wishes,
                         size_t count, size_t *taken)
{
    static char out[16384];
    const struct venue_request request = {on, 7, wishes, count};
    int len = venue->subscribe(&request, out, sizeof out, taken);
    T_TRUE(len >= 0 && (size_t)len < sizeof out);
    T_EQ(len == 0 ? 0 : strlen(out), len);
    return len == 0 ? "" : out;
}

static int split(const char *symbol)
{
    const struct px_venue *venue;
    const char *native;
    return venue_split(symbol, strlen(symbol), &venue, &native);
}

T_TEST(contracts_are_named_as_the_venue_names_them)
{
    T_EQ(split("binance_usdm:BTCUSDT"), 0);
    T_EQ(split("binance_usdm:BTCUSDT_240927"), 0);
    T_EQ(split("binance_usdm:1000SATSUSDT"), 0);
    T_EQ(split("binance_usdm:币安人生USDT"), 0);
    T_EQ(split("binance_usdm:*"), 0);
    T_EQ(split("binance_coinm:BTCUSD_PERP"), 0);
    T_EQ(split("binance_coinm:ETHUSD_211231"), 0);
    T_EQ(split("binance_coinm:A23456789012345678901234567890123"), 0);
    T_EQ(split("binance_coinm:A234567890123456789012345678901234"), -EINVAL);
    T_EQ(split("binance_coinm:btcusd_perp"), -EINVAL);
    T_EQ(split("binance_coinm:"), -EINVAL);
    T_EQ(split("binance_usdm:BTC/USDT"), -EINVAL);
    T_EQ(split("binance_futures:BTCUSDT"), -ENODEV);
}

T_TEST(trades_of_futures_are_the_documented_aggregated_ones)
{
    const struct venue_wish wishes[] = {{"BTCUSD_PERP", PX_TRADES | PX_QUOTES},
                                        {"BTCUSDT_240927", PX_TICKERS},
                                        {"ETHUSDT", VENUE_AGGTRADES | PX_TRADES},
                                        {"*", PX_TICKERS}};
    const uint32_t streams[] = {2, 1, 1, 1};
    for (size_t m = 0; m < MARKETS; m++) {
        size_t taken = 0;
        T_STR(asked(markets[m], true, wishes, 4, &taken),
              "{\"method\":\"SUBSCRIBE\",\"params\":[\"btcusd_perp@aggTrade\","
              "\"btcusd_perp@bookTicker\",\"btcusdt_240927@ticker\",\"ethusdt@aggTrade\","
              "\"!miniTicker@arr\"],\"id\":7}");
        T_EQ(taken, 4);
        T_STR(asked(markets[m], false, wishes + 1, 1, &taken),
              "{\"method\":\"UNSUBSCRIBE\",\"params\":[\"btcusdt_240927@ticker\"],\"id\":7}");
        for (size_t i = 0; i < 4; i++)
            T_EQ(markets[m]->streams(&wishes[i]), streams[i]);
        T_EQ(markets[m]->kinds & VENUE_AGGTRADES, 0); /* there is no choice to offer */
        T_EQ(markets[m]->kinds & VENUE_DEPTH, 0);     /* a book needs a snapshot by REST */
    }
}

T_TEST(usdm_book_data_and_market_data_have_a_path_each)
{
    const struct px_venue *v = &px_venue_binance_usdm;
    T_EQ(v->routes, 2);
    T_EQ(v->route_kinds[0], PX_QUOTES);
    T_EQ(v->route_kinds[1], PX_TRADES | PX_TICKERS);
    T_STR(v->paths[0], "/public/stream");
    T_STR(v->paths[1], "/market/stream");
}

T_TEST(every_kind_of_a_futures_market_has_exactly_one_route)
{
    for (size_t m = 0; m < MARKETS; m++) {
        uint32_t all = 0;
        for (uint32_t r = 0; r < markets[m]->routes; r++) {
            T_EQ(all & markets[m]->route_kinds[r], 0);
            all |= markets[m]->route_kinds[r];
        }
        T_EQ(all, markets[m]->routes == 0 ? 0 : markets[m]->kinds);
    }
}

T_TEST(coinm_streams_come_over_one_path)
{
    T_EQ(px_venue_binance_coinm.routes, 0);
    T_STR(px_venue_binance_coinm.paths[0], "/stream");
}

T_TEST(a_quiet_futures_connection_is_given_time_for_a_ping_every_three_minutes)
{
    for (size_t m = 0; m < MARKETS; m++) {
        T_TRUE(markets[m]->silence_ms > 3 * 60000);
        T_TRUE(markets[m]->silence_ms < 10 * 60000); /* the venue itself gives up then */
        T_EQ(markets[m]->messages_per_s, 10);
        T_EQ(markets[m]->life_s, 24 * 3600);
    }
}

T_TEST(a_message_to_futures_has_at_most_the_streams_of_a_connection)
{
    static struct venue_wish wishes[300];
    for (size_t i = 0; i < 300; i++)
        wishes[i] = (struct venue_wish){"BTCUSDT", PX_QUOTES};
    for (size_t m = 0; m < MARKETS; m++) {
        size_t taken = 0, names = 0;
        const char *text = asked(markets[m], true, wishes, 300, &taken);
        for (const char *at = text; (at = strchr(at, '@')) != NULL; at++)
            names++;
        T_EQ(names, taken);
        T_EQ(names, 200);
        T_TRUE(names <= markets[m]->streams_per_conn && names <= markets[m]->params_per_request);
    }
}

/* The ids of spot's aggregated trades are a count beside that of its trades; those of futures are
 * the only count, or the feeder would take them for the kind that nobody asked for. */
T_TEST(aggregated_trades_are_the_trades_of_futures_and_a_kind_of_their_own_on_spot)
{
    static const char *const texts[] = {
        "{\"e\":\"aggTrade\",\"E\":1,\"a\":5,\"s\":\"X\",\"p\":\"1\",\"q\":\"1\",\"f\":1,\"l\":1,"
        "\"T\":1790000000000,\"m\":true}",
        " {\"e\":\"aggTrade\",\"E\":1,\"a\":5,\"s\":\"X\",\"p\":\"1\",\"q\":\"1\",\"f\":1,\"l\":1,"
        "\"T\":1790000000000,\"m\":true}"};
    static const char want[] =
        "trade X price 1 size 1 sell id 5 \"5\" at 1790000000000000000 update 5 consecutive";
    static struct decoded d;
    struct json *json = json_new(4096);
    for (size_t i = 0; i < 2; i++) { /* by position, and in any order */
        const struct frame frame = {texts[i], strlen(texts[i])};
        char line[256];
        for (size_t m = 0; m < MARKETS; m++) {
            decode(markets[m], json, frame, ' ', &d);
            snprintf(line, sizeof line, "%s\n", want);
            T_STR(d.text, line);
        }
        decode(&px_venue_binance, json, frame, ' ', &d);
        snprintf(line, sizeof line, "%s aggregated\n", want);
        T_STR(d.text, line);
    }
    json_free(json);
}
