#include "t.h"

#include "venue.h"

static struct hub *hub;
static struct session client;
static char said[1 << 17];

static void listen_to(struct session *s, const char *text, size_t len, bool is_data)
{
    (void)s;
    (void)is_data;
    T_TRUE(len < sizeof said);
    memcpy(said, text, len);
    said[len] = '\0';
}

static void begin(void)
{
    struct hub_options o = {.seed = 1, .rate = 100, .venue = &sim_venue_binance};
    T_EQ(hub_open(&hub, &o), 0);
    client = (struct session){.venue = &sim_venue_binance, .send = listen_to};
    hub_join(hub, &client);
}

static const char *answer(const char *request)
{
    said[0] = '\0';
    sim_venue_binance.text(&client, request, strlen(request));
    return said;
}

static int opened(const char *target)
{
    char copy[16384];
    snprintf(copy, sizeof copy, "%s", target);
    return sim_venue_binance.open(&client, copy);
}

T_TEST(a_request_is_taken_or_refused_as_a_whole)
{
    begin();
    T_STR(answer("{\"method\":\"SUBSCRIBE\",\"params\":[\"btcusdt@trade\",\"bad\"],\"id\":1}"),
          "{\"error\":{\"code\":2,\"msg\":\"Invalid request: invalid stream\"},\"id\":1}");
    T_EQ(client.count, 0);
    T_STR(answer("{\"id\":1,\"params\":[\"btcusdt@trade\"],\"method\":\"SUBSCRIBE\"}"),
          "{\"result\":null,\"id\":1}");
    T_EQ(client.count, 1);
    T_STR(answer("{\"method\":\"UNSUBSCRIBE\",\"params\":[\"never@trade\"],\"id\":null}"),
          "{\"result\":null,\"id\":null}");
    T_STR(answer("{\"method\":\"SUBSCRIBE\",\"params\":[1],\"id\":1}"),
          "{\"error\":{\"code\":2,\"msg\":\"Invalid request: invalid type, expected a string at "
          "line 1 column 21\"},\"id\":1}");
    hub_close(hub);
}

T_TEST(a_message_beyond_the_recorded_limit_is_dropped_without_a_word)
{
    static char request[9000];
    begin();
    memset(request, ' ', sizeof request - 1);
    memcpy(request, "{\"method\":\"LIST_SUBSCRIPTIONS\",\"id\":1}", 38);
    T_STR(answer(request), "");
    request[8192] = '\0';
    T_STR(answer(request), "{\"result\":[],\"id\":1}");
    hub_close(hub);
}

T_TEST(paths_and_queries_set_what_they_name)
{
    begin();
    T_EQ(opened("/stream?streams=btcusdt@trade/ethusdt%40trade&timeUnit=microsecond"), 0);
    T_EQ(client.count, 2);
    T_TRUE(client.wrapped && client.micros);
    T_STR(client.streams[1]->name, "ethusdt@trade");
    T_EQ(opened("/ws/bnbusdt@trade/"), 0);
    T_EQ(client.count, 3);
    T_TRUE(!client.wrapped);
    T_EQ(opened("/ws?streams=solusdt@trade"), 0); /* not supported on /ws */
    T_EQ(client.count, 3);
    T_EQ(opened("/other"), 404);
    hub_close(hub);
}

T_TEST(a_url_that_is_too_long_or_names_too_many_streams_is_refused)
{
    static char target[16000] = "/stream?streams=";
    begin();
    size_t n = strlen(target);
    for (int i = 0; i < 1025; i++)
        n += (size_t)snprintf(target + n, sizeof target - n, "/a%d@k", i);
    T_TRUE(n <= 8000);
    T_EQ(opened(target), 400);
    memset(target + 1, 'x', sizeof target - 2);
    T_EQ(opened(target), 414);
    hub_close(hub);
}

T_TEST(no_damage_to_a_request_confuses_it)
{
    static const char request[] = "{\"method\":\"SUBSCRIBE\",\"params\":[\"btcusdt@trade\","
                                  "\"\\u5e01usdt@depth\"],\"id\":\"a1\"}";
    uint64_t rng = 7;
    begin();
    for (int i = 0; i < 20000; i++) {
        char damaged[sizeof request];
        memcpy(damaged, request, sizeof request);
        for (int k = 0; k < 3; k++) {
            uint64_t r = market_random(&rng);
            damaged[r % (sizeof request - 1)] = (char)(r >> 32);
        }
        size_t len = market_random(&rng) % sizeof request;
        char *exact = malloc(len + 1);
        assert_non_null(exact);
        memcpy(exact, damaged, len);
        sim_venue_binance.text(&client, exact, len);
        free(exact);
        while (client.count > 500)
            T_EQ(hub_unsubscribe(&client, client.streams[0]->name), 0);
    }
    hub_close(hub);
}

T_TEST(spot_is_pinged_every_20_seconds_and_futures_every_3_minutes)
{
    const struct sim_venue *spot[] = {&sim_venue_binance, &sim_venue_binance_us,
                                      &sim_venue_binance_tr};
    const struct sim_venue *futures[] = {&sim_venue_binance_usdm, &sim_venue_binance_coinm};
    for (size_t i = 0; i < 3; i++) {
        T_EQ(spot[i]->ping_ms, 20 * 1000);
        T_EQ(spot[i]->pong_ms, 60 * 1000);
        T_EQ(spot[i]->max_age_s, 24 * 3600);
    }
    for (size_t i = 0; i < 2; i++) {
        T_EQ(futures[i]->ping_ms, 3 * 60 * 1000);
        T_EQ(futures[i]->pong_ms, 10 * 60 * 1000);
        T_EQ(futures[i]->max_age_s, 24 * 3600);
    }
}

T_TEST(contracts_are_told_from_other_names)
{
    static const char *const usdm[] = {"BTCUSDT", "1000SATSUSDT", "BTCUSDT_261225"};
    static const char *const coinm[] = {"BTCUSD_PERP", "BTCUSD_261225", "LINKUSD_PERP"};
    static const char *const neither[] = {"",           "BTC",         "USD_PERP",
                                          "BTCUSD_261", "BTCUSD_perp", "BTCUSD_261225X",
                                          "_261225",    "BTCUSD_PERPX"};
    for (size_t i = 0; i < 3; i++) {
        T_TRUE(sim_venue_binance_usdm.is_symbol(usdm[i]));
        T_TRUE(!sim_venue_binance_coinm.is_symbol(usdm[i]));
        T_TRUE(sim_venue_binance_coinm.is_symbol(coinm[i]));
    }
    for (size_t i = 0; i < sizeof neither / sizeof neither[0]; i++) {
        T_TRUE(!sim_venue_binance_usdm.is_symbol(neither[i]));
        T_TRUE(!sim_venue_binance_coinm.is_symbol(neither[i]));
    }
    T_TRUE(!sim_venue_binance_usdm.is_symbol("BTCUSDT_PERP"));
}
