/* The Kraken dialect of pxsim with time moved by hand, and what the hub and the texts do for it. */
#include "t.h"

#include "hub.h"
#include "text.h"
#include "venue.h"

#define S 1000000000ULL

static struct hub *hub;
static struct market_book known;
static unsigned changes, heartbeats, closed;
static char last[32768];

static void keep(struct session *s, const char *text, size_t len, bool is_data)
{
    (void)is_data;
    T_TRUE(len < sizeof last);
    memcpy(last, text, len);
    last[len] = '\0';
    heartbeats += strcmp(last, "{\"channel\":\"heartbeat\"}") == 0;
    s->sent_ns = s->now.mono_ns;
}

static void end(struct session *s, unsigned code, const char *reason)
{
    (void)s;
    T_TRUE(code == 1000 && reason[0] != '\0');
    closed++;
}

static void start(struct session *s, const struct sim_venue *venue, double rate)
{
    struct hub_options o = {.seed = 1, .rate = rate, .venue = venue};
    T_EQ(hub_open(&hub, &o), 0);
    *s = (struct session){.venue = venue, .send = keep, .close = end};
    changes = heartbeats = closed = 0;
    hub_join(hub, s);
}

static size_t follow(const struct stream *st, const struct hub_event *ev, char *buf, size_t room)
{
    (void)st;
    (void)buf;
    (void)room;
    T_MEM(ev->before, &known, sizeof known);
    known = ev->instrument->market.book;
    T_TRUE(known.update_id > ev->before->update_id);
    changes++;
    return 0;
}

T_TEST(a_quote_stream_is_told_each_change_beside_the_book_before_it)
{
    static const struct sim_venue venue = {.name = "follow", .write = follow};
    struct session s;
    start(&s, &venue, 1000);
    T_EQ(hub_subscribe(&s, "q", STREAM_QUOTE, 0, "BTCUSDT"), 0);
    hub_settle(hub, 0);
    known = hub_instrument(hub, "BTCUSDT")->market.book;
    for (uint64_t at = 0; at < 2 * S;)
        at = hub_run(hub, (struct sim_time){.mono_ns = at, .real_us = 1 + at / 1000});
    T_TRUE(changes > 1900);
    hub_close(hub);
}

static void turns(struct session *s, uint64_t from_s, uint64_t to_s)
{
    for (uint64_t at = from_s; at <= to_s; at++) {
        s->now.mono_ns = at * S;
        s->venue->second(s);
    }
}

static void say(struct session *s, uint64_t at_s, const char *text)
{
    s->now = (struct sim_time){.mono_ns = at_s * S, .real_us = 1700000000000000U};
    s->venue->text(s, text, strlen(text));
}

T_TEST(who_subscribes_to_nothing_and_says_nothing_is_ended_after_a_minute)
{
    struct session s;
    start(&s, &sim_venue_kraken, 0);
    s.now.mono_ns = 100 * S;
    s.venue->greet(&s);
    turns(&s, 101, 159);
    T_EQ(closed, 0);
    say(&s, 159, "{\"method\":\"ping\"}");
    T_TRUE(strstr(last, "\"pong\"") != NULL);
    turns(&s, 160, 218);
    T_EQ(closed, 0);
    turns(&s, 219, 219);
    T_EQ(closed, 1);
    T_EQ(heartbeats, 0);
    hub_close(hub);
}

T_TEST(who_subscribes_is_kept_alive_by_heartbeats_until_nothing_is_left)
{
    struct session s;
    start(&s, &sim_venue_kraken, 0);
    say(&s, 1,
        "{\"method\":\"subscribe\",\"params\":{\"channel\":\"book\",\"symbol\":[\"BTC/USD\"]}}");
    T_TRUE(strstr(last, "\"type\":\"snapshot\"") != NULL);
    turns(&s, 2, 500);
    T_EQ(closed, 0);
    T_EQ(heartbeats, 499);
    say(&s, 500,
        "{\"method\":\"unsubscribe\",\"params\":{\"channel\":\"book\",\"symbol\":[\"BTC/USD\"]}}");
    turns(&s, 501, 560);
    T_EQ(closed, 1);
    T_EQ(heartbeats, 499);
    hub_close(hub);
}

T_TEST(only_names_of_the_second_protocol_exist)
{
    static const char *const good[] = {"BTC/USD", "SOL/EUR", "METAx/USD", "ETH/BTC"};
    static const char *const bad[] = {"XBT/USD", "NOPE/USD", "BTC/NOPE", "BTCUSD",
                                      "/USD",    "BTC/",     "BTC/USD/", ""};
    for (size_t i = 0; i < sizeof good / sizeof good[0]; i++)
        T_TRUE(sim_venue_kraken.is_symbol(good[i]));
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++)
        T_TRUE(!sim_venue_kraken.is_symbol(bad[i]));
}

T_TEST(a_time_is_written_to_the_microsecond)
{
    char buf[27];
    struct text t = text_into(buf, sizeof buf);
    text_utc(&t, 1790222068829165U);
    T_EQ(text_len(&t), 27);
    T_MEM(buf, "2026-09-24T03:54:28.829165Z", 27);
    t = text_into(buf, sizeof buf);
    text_utc(&t, 951782400000007U);
    T_EQ(text_len(&t), 27);
    T_MEM(buf, "2000-02-29T00:00:00.000007Z", 27);
    t = text_into(buf, sizeof buf - 1);
    text_utc(&t, 0);
    T_EQ(text_len(&t), 0);
}
