#include "t.h"

#include "hub.h"
#include "market.h"
#include "text.h"
#include "venue.h"

#define S 1000000000ULL

static struct hub *hub;
static unsigned heard[2];

static void count(struct session *s, const char *text, size_t len, bool is_data)
{
    (void)text;
    (void)len;
    (void)is_data;
    ++*(unsigned *)s->edge;
}

static struct session client(unsigned *counter)
{
    *counter = 0;
    return (struct session){.venue = &sim_venue_binance, .send = count, .edge = counter};
}

static void open_hub(double rate, const char *symbols)
{
    struct hub_options o = {.seed = 1, .rate = rate, .symbols = symbols};
    T_EQ(hub_open(&hub, &o), 0);
}

/* Run as the edge does, from event to event. */
static void run(uint64_t from_ns, uint64_t to_ns)
{
    for (uint64_t at = from_ns; at < to_ns;) {
        struct sim_time now = {.mono_ns = at, .real_us = 1700000000000000U + at / 1000};
        uint64_t next = hub_run(hub, now);
        T_TRUE(next > at || next == UINT64_MAX);
        at = next;
    }
}

T_TEST(every_connection_gets_its_rate_whatever_the_others_watch)
{
    open_hub(100, NULL);
    struct session a = client(&heard[0]), b = client(&heard[1]);
    hub_join(hub, &a);
    hub_join(hub, &b);
    T_EQ(hub_subscribe(&a, "a", STREAM_TRADE, 0, "BTCUSDT"), 0);
    T_EQ(hub_subscribe(&a, "b", STREAM_QUOTE, 0, "ETHUSDT"), 0);
    T_EQ(hub_subscribe(&b, "c", STREAM_TRADE, 0, "SOLUSDT"), 0);
    hub_settle(hub, 0);
    run(0, 10 * S);
    T_TRUE(heard[0] >= 990 && heard[0] <= 1010);
    T_TRUE(heard[1] >= 990 && heard[1] <= 1010);
    hub_close(hub);
}

T_TEST(a_high_rate_is_held_and_a_pause_is_not_made_up_for)
{
    open_hub(50000, NULL);
    struct session a = client(&heard[0]);
    hub_join(hub, &a);
    T_EQ(hub_subscribe(&a, "a", STREAM_TRADE, 0, "BTCUSDT"), 0);
    hub_settle(hub, 0);
    run(0, S);
    T_TRUE(heard[0] > 49900 && heard[0] <= 50100);
    heard[0] = 0;
    run(100 * S, 100 * S + 1);
    T_TRUE(heard[0] <= 5001);
    hub_close(hub);
}

T_TEST(nothing_happens_where_nobody_listens)
{
    open_hub(100, NULL);
    struct session a = client(&heard[0]);
    hub_join(hub, &a);
    T_EQ(hub_subscribe(&a, "a", STREAM_TRADE, 0, "BTCUSDT"), 0);
    T_EQ(hub_subscribe(&a, "a", STREAM_TRADE, 0, "BTCUSDT"), 1);
    hub_settle(hub, 0);
    T_EQ(hub_unsubscribe(&a, "a"), 0);
    T_TRUE(hub_unsubscribe(&a, "a") < 0);
    hub_settle(hub, 0);
    struct sim_time now = {.mono_ns = 5 * S};
    T_TRUE(hub_run(hub, now) == UINT64_MAX);
    T_EQ(heard[0], 0);
    hub_close(hub);
}

T_TEST(a_closed_list_knows_no_other_symbol_and_a_count_invents_them)
{
    size_t n;
    open_hub(1, "BTCUSDT, XYZ");
    T_TRUE(hub_instrument(hub, "BTCUSDT") != NULL);
    T_TRUE(hub_instrument(hub, "XYZ") != NULL);
    T_TRUE(hub_instrument(hub, "ETHUSDT") == NULL);
    (void)hub_listed(hub, &n);
    T_EQ(n, 2);
    hub_close(hub);
    open_hub(1, "1500");
    T_TRUE(hub_instrument(hub, "ANYUSDT") != NULL);
    T_TRUE(hub_instrument(hub, "no") == NULL);
    (void)hub_listed(hub, &n);
    T_EQ(n, 1500);
    hub_close(hub);
    struct hub_options bad = {.symbols = "0"};
    T_TRUE(hub_open(&hub, &bad) < 0);
}

T_TEST(prices_stay_plausible_and_books_uncrossed_over_a_long_walk)
{
    static const char *const names[] = {"BTCUSDT", "SHIBUSDT", "DOGEUSDT", "ANYUSDT", "OTHERBTC"};
    for (size_t k = 0; k < sizeof names / sizeof names[0]; k++) {
        struct market m;
        market_init(&m, names[k], k);
        uint64_t id = m.trade.id, update = m.book.update_id;
        for (int i = 0; i < 200000; i++) {
            market_step_book(&m);
            market_step_trade(&m);
            T_TRUE(m.book.bid > 0 && m.book.bid < m.book.ask);
            T_TRUE(m.book.bid % m.tick == 0 && m.book.bid <= m.start * 4);
            T_TRUE(m.book.update_id > update);
            T_EQ(m.trade.id, ++id);
            T_TRUE(m.trade.price == m.book.bid || m.trade.price == m.book.ask);
            T_TRUE(m.low <= m.trade.price && m.trade.price <= m.high && m.trade.qty > 0);
            update = m.book.update_id;
        }
    }
}

T_TEST(decimals_are_written_exactly_and_nothing_overruns)
{
    static const struct {
        int64_t value;
        unsigned decimals;
        const char *text;
    } rows[] = {
        {0, 8, "0.00000000"},
        {1, 8, "0.00000001"},
        {-1, 8, "-0.00000001"},
        {MARKET_UNIT, 0, "1"},
        {6183763000000, 8, "61837.63000000"},
        {-250000000, 3, "-2.500"},
        {INT64_MAX, 8, "92233720368.54775807"},
    };
    char buf[32];
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        struct text t = text_into(buf, sizeof buf);
        text_decimal(&t, rows[i].value, rows[i].decimals);
        buf[text_len(&t)] = '\0';
        T_STR(buf, rows[i].text);
    }
    struct text t = text_into(buf, 4);
    text_put(&t, "12345");
    text_put(&t, "1");
    T_EQ(text_len(&t), 0);
}
