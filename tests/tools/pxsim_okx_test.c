/* OKX by the clock, which these tests turn by hand, and against clients that send rubbish. */
#include "t.h"

#include "venue.h"

#define S 1000000000ULL

static struct hub *hub;
static struct session client;
static char said[1 << 17];
static unsigned messages, closed;

static void listen_to(struct session *s, const char *text, size_t len, bool is_data)
{
    (void)is_data;
    T_TRUE(len < sizeof said);
    memcpy(said, text, len);
    said[len] = '\0';
    messages++;
    s->sent_ns = s->now.mono_ns;
}

static void hang_up(struct session *s, unsigned code, const char *reason)
{
    (void)s;
    closed = code;
    T_TRUE(strlen(reason) > 0);
}

static void begin(void)
{
    char target[] = "/ws/v5/public?brokerId=9";
    struct hub_options o = {.seed = 1, .rate = 0, .venue = &sim_venue_okx};
    T_EQ(hub_open(&hub, &o), 0);
    client = (struct session){.venue = &sim_venue_okx, .send = listen_to, .close = hang_up};
    client.now = (struct sim_time){1000 * S, 1790000000000000};
    hub_join(hub, &client);
    T_EQ(sim_venue_okx.open(&client, target), 0);
    messages = closed = 0;
}

static void say(const char *text)
{
    sim_venue_okx.text(&client, text, strlen(text));
}

static void pass(unsigned seconds)
{
    for (unsigned i = 0; i < seconds; i++) {
        client.now.mono_ns += S;
        client.now.real_us += 1000000;
        sim_venue_okx.second(&client);
    }
}

T_TEST(a_connection_on_which_both_are_silent_for_30_s_is_cut)
{
    begin();
    pass(29);
    T_EQ(closed, 0);
    pass(1);
    T_EQ(closed, 4004);
    hub_close(hub);
}

T_TEST(a_ping_keeps_a_connection)
{
    begin();
    for (int i = 0; i < 10; i++) {
        pass(29);
        say("ping");
        T_STR(said, "pong");
    }
    T_EQ(closed, 0);
    pass(30);
    T_EQ(closed, 4004);
    hub_close(hub);
}

T_TEST(a_book_that_does_not_change_says_so_each_minute_with_the_same_number_twice)
{
    char empty[256];
    begin();
    say("{\"op\":\"subscribe\",\"args\":[{\"channel\":\"books\",\"instId\":\"BTC-USDT\"}]}");
    T_EQ(messages, 2);
    T_TRUE(strstr(said, "\"action\":\"snapshot\"") != NULL);
    unsigned long long seq = strtoull(strstr(said, "\"seqId\":") + 8, NULL, 10);
    for (int i = 0; i < 59; i++) {
        pass(1);
        say("ping");
    }
    T_STR(said, "pong");
    pass(1);
    snprintf(empty, sizeof empty,
             "{\"arg\":{\"channel\":\"books\",\"instId\":\"BTC-USDT\"},\"action\":\"update\","
             "\"data\":[{\"asks\":[],\"bids\":[],\"ts\":\"1790000060000\",\"checksum\":0,"
             "\"seqId\":%llu,\"prevSeqId\":%llu}]}",
             seq, seq);
    T_STR(said, empty);
    T_EQ(closed, 0);
    hub_close(hub);
}

T_TEST(requests_are_counted_anew_each_hour)
{
    begin();
    for (int hour = 0; hour < 3; hour++) {
        for (int i = 0; i < 480; i++)
            say("{\"op\":\"unsubscribe\",\"args\":[]}");
        T_EQ(messages, 0);
        client.now.mono_ns += 3600 * S;
    }
    T_EQ(closed, 0);
    for (int i = 0; i < 481; i++)
        say("{\"op\":\"subscribe\",\"args\":[]}");
    T_TRUE(strstr(said, "\"60014\"") != NULL);
    T_TRUE(closed != 0);
    hub_close(hub);
}

T_TEST(no_damage_to_a_request_confuses_it)
{
    static const char request[] = "{\"id\":\"1\",\"op\":\"subscribe\",\"args\":[{\"channel\":"
                                  "\"books\",\"instId\":\"BTC-USDT\"},{\"channel\":\"trades\","
                                  "\"instId\":\"ETH-USDT-SWAP\"}]}";
    uint64_t rng = 7;
    begin();
    for (int i = 0; i < 20000; i++) {
        char damaged[sizeof request];
        memcpy(damaged, request, sizeof request);
        for (int k = 0; k < 3; k++) {
            uint64_t r = market_random(&rng);
            damaged[r % (sizeof request - 1)] = (char)(r >> 32);
        }
        messages = 0;
        client.state[3] = 0; /* the requests of this hour */
        sim_venue_okx.text(&client, damaged, sizeof request - 1);
        T_TRUE(messages > 0);
    }
    hub_close(hub);
}
