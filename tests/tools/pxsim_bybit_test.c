/* What Bybit does by the clock: a client is cut that says nothing, sooner if it asked for nothing.
 */
#include "t.h"

#include "hub.h"
#include "venue.h"

#define S 1000000000ULL

static struct hub *hub;
static struct session client;
static unsigned told, closed;

static void on_send(struct session *s, const char *text, size_t len, bool is_data)
{
    (void)text;
    (void)len;
    (void)is_data;
    s->sent_ns = s->now.mono_ns;
    told++;
}

static void on_close(struct session *s, unsigned code, const char *reason)
{
    (void)s;
    (void)reason;
    T_TRUE(code != 0);
    closed++;
}

static void say(const char *text)
{
    client.venue->text(&client, text, strlen(text));
}

/* The first second in [from, to] in which the client is cut; 0 none. */
static uint64_t cut_at(uint64_t from, uint64_t to)
{
    for (uint64_t at = from; at <= to; at++) {
        client.now.mono_ns = at * S;
        client.venue->second(&client);
        if (closed > 0)
            return at;
    }
    return 0;
}

static void open_client(void)
{
    const struct hub_options o = {.seed = 1, .rate = 0, .venue = &sim_venue_bybit_linear};
    T_EQ(hub_open(&hub, &o), 0);
    client = (struct session){
        .venue = &sim_venue_bybit_linear, .send = on_send, .close = on_close, .now = {S, 1}};
    told = closed = 0;
    hub_join(hub, &client);
    client.venue->greet(&client);
    T_EQ(told, 0);
}

T_TEST(a_client_that_asks_for_nothing_is_cut_after_61_s)
{
    open_client();
    T_EQ(cut_at(1, 100), 62);
    hub_close(hub);
}

T_TEST(a_client_that_pings_is_not_cut)
{
    open_client();
    for (uint64_t at = 20; at < 1000; at += 20) {
        T_EQ(cut_at(at - 19, at), 0);
        say("{\"op\":\"ping\"}");
    }
    hub_close(hub);
}

T_TEST(a_subscribed_client_is_cut_after_ten_minutes_without_ping_and_data)
{
    open_client();
    say("{\"op\":\"subscribe\",\"args\":[\"publicTrade.BTCUSDT\"]}");
    T_EQ(told, 1);
    T_EQ(cut_at(2, 1000), 601);
    hub_close(hub);
}

T_TEST(a_client_that_is_told_something_is_not_cut)
{
    open_client();
    say("{\"op\":\"subscribe\",\"args\":[\"orderbook.1.BTCUSDT\"]}");
    T_EQ(told, 2); /* answer and best prices, which are repeated every 3 s */
    T_EQ(cut_at(2, 1201), 0);
    T_EQ(told, 2 + 400);
    hub_close(hub);
}
