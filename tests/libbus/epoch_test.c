/* The feeder comes and goes, the reader stays. */
#include "t.h"

#include <errno.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include "reader.h"
#include "rig.h"

/* Poll until a trade comes; steps of what goes on in the background happen meanwhile. */
static int next_trade(px_bus *bus, struct px_tick *t, int ms)
{
    int64_t end = rig_now_ns() + (int64_t)ms * 1000000;
    do {
        int n = px_bus_poll(bus, t, 1);
        if (n < 0 || (n == 1 && t->kind == PX_TRADE))
            return n;
    } while (rig_now_ns() < end);
    return 0;
}

static int connected(px_bus *bus)
{
    struct px_bus_stats s;
    px_bus_stats(bus, &s);
    return s.connected;
}

T_TEST(ids_subscriptions_and_prices_outlive_a_restart)
{
    struct rig r = {0};
    struct px_tick t;
    struct px_last last;
    px_id id[3];
    rig_listen(&r);
    rig_open(&r, 16, 64);
    rig_serve_start(&r);
    px_bus *bus = rig_reader(&r, 0);
    T_EQ(px_bus_subscribe(bus, "x:A", PX_TRADES, &id[0], 2000), 0);
    T_EQ(px_bus_subscribe(bus, "x:B", PX_TRADES | PX_QUOTES, &id[1], 2000), 0);
    T_EQ(px_bus_subscribe(bus, "x:C", PX_TRADES, &id[2], 2000), 0);
    T_EQ(px_bus_unsubscribe(bus, id[2]), 0);
    rig_lock();
    rig_trade(&r, rig_bind(&r, "x:A"), 1);
    rig_close(&r);
    T_EQ(px_bus_last(bus, id[0], &last), 0);
    T_EQ(last.quality, PX_CLOSED);
    T_EQ(last.trade.price.mantissa, 1);
    r.subscribes = 0;
    rig_open(&r, 16, 64);
    T_EQ(r.report.adopted, 1);
    rig_unlock();
    T_EQ(next_trade(bus, &t, 1000), 1);
    T_TRUE(rig_tick_is(&t, 1));
    T_EQ(px_bus_last(bus, id[0], &last), 0);
    T_TRUE(last.quality == PX_CARRIED || last.quality == PX_LIVE);
    T_EQ(last.trade_info.flags, PX_SIDE_BUY | PX_FLAG_CARRIED);
    int64_t end = rig_now_ns() + 5000000000;
    int asked = 0;
    while (asked < 2 && rig_now_ns() < end) {
        px_bus_last(bus, id[0], &last); /* any call will do */
        rig_lock();
        asked = r.subscribes;
        rig_unlock();
    }
    T_EQ(asked, 2); /* not the one that was given back */
    T_TRUE(connected(bus));
    rig_lock();
    T_EQ(rig_bind(&r, "x:A"), 0);
    rig_trade(&r, rig_bind(&r, "x:B"), 2);
    rig_trade(&r, rig_bind(&r, "x:A"), 3);
    rig_unlock();
    T_EQ(next_trade(bus, &t, 1000), 1);
    T_EQ(t.id, id[1]);
    T_TRUE(rig_tick_is(&t, 2));
    T_EQ(next_trade(bus, &t, 1000), 1);
    T_EQ(t.id, id[0]);
    T_EQ(px_bus_last(bus, id[0], &last), 0);
    T_EQ(last.trade_info.flags, PX_SIDE_BUY);
    T_EQ(last.quality, PX_LIVE);
    rig_serve_stop(&r);
    px_bus_detach(bus);
    rig_free(&r);
}

T_TEST(a_feeder_killed_without_a_successor_reads_stale_and_hurts_no_call)
{
    struct rig r = {0};
    struct px_tick t;
    struct px_last last;
    px_id id;
    snprintf(r.bus, sizeof r.bus, "t-kill-%d", (int)getpid());
    int ready[2];
    T_EQ(pipe(ready), 0);
    pid_t child = fork();
    if (child == 0) {
        rig_open(&r, 16, 64);
        rig_trade(&r, rig_bind(&r, "x:A"), 1);
        px_writer_quality(r.w, 0, PX_LIVE, PX_CAUSE_NONE);
        px_writer_flush(r.w);
        (void)!write(ready[1], "x", 1);
        pause();
    }
    char c;
    T_EQ(read(ready[0], &c, 1), 1);
    px_bus *bus = rig_reader(&r, 0);
    T_EQ(px_bus_find(bus, "x:A", &id), 0);
    T_EQ(px_bus_last(bus, id, &last), 0);
    T_EQ(last.quality, PX_LIVE);
    kill(child, SIGKILL);
    waitpid(child, NULL, 0);
    int64_t later = rig_now_ns() + 1100000000;
    T_EQ(px_bus_last_at(bus, id, later, &last), 0);
    T_EQ(last.quality, PX_STALE);
    T_EQ(last.cause, PX_CAUSE_FEEDER_SILENT);
    T_EQ(last.trade.price.mantissa, 1);
    T_EQ(px_bus_poll(bus, &t, 1), 0);
    T_EQ(px_bus_wait(bus, 3000000), -ETIMEDOUT);
    T_EQ(px_bus_fd(bus), -ENOTCONN);
    /* and a successor is followed at once */
    rig_open(&r, 16, 64);
    T_EQ(r.report.adopted, 1);
    T_EQ(px_bus_last(bus, id, &last), 0);
    T_EQ(last.quality, PX_CARRIED);
    T_EQ(last.cause, PX_CAUSE_EARLIER_EPOCH);
    px_bus_detach(bus);
    rig_free(&r);
}

T_TEST(a_replaced_segment_is_read_to_its_end_then_the_new_one)
{
    struct rig r = {0};
    struct px_tick t;
    struct px_last last;
    px_id id;
    rig_listen(&r);
    rig_open(&r, 16, 64);
    rig_serve_start(&r);
    px_bus *bus = rig_reader(&r, 0);
    T_EQ(px_bus_subscribe(bus, "x:A", PX_TRADES, &id, 2000), 0);
    rig_lock();
    for (uint64_t n = 1; n <= 30; n++)
        rig_trade(&r, rig_bind(&r, "x:A"), n);
    rig_close(&r);
    rig_open(&r, 32, 128);
    T_EQ(r.report.replaced, 1);
    for (uint64_t n = 31; n <= 100; n++)
        rig_trade(&r, rig_bind(&r, "x:A"), n);
    px_writer_flush(r.w);
    rig_unlock();
    T_EQ(px_bus_last(bus, id, &last), 0);
    T_EQ(last.trade.price.mantissa, 100); /* the present one at once */
    uint64_t seq = 0;
    for (uint64_t n = 1; n <= 100; n++) {
        T_EQ(next_trade(bus, &t, 1000), 1);
        T_TRUE(rig_tick_is(&t, n));
        T_EQ(t.id, id);
        T_TRUE(t.seq > seq);
        seq = t.seq;
    }
    struct px_lost lost;
    T_EQ(px_bus_lost(bus, id, &lost), 0);
    T_EQ(lost.skipped, 0);
    T_EQ(lost.final, 1);
    struct px_bus_stats s;
    px_bus_stats(bus, &s);
    T_EQ(s.remaps, 1);
    /* laps in the new one are exact again */
    rig_lock();
    for (uint64_t n = 101; n <= 400; n++)
        rig_trade(&r, rig_bind(&r, "x:A"), n);
    px_writer_flush(r.w);
    rig_unlock();
    T_EQ(next_trade(bus, &t, 0), -EOVERFLOW);
    uint64_t got = 0;
    while (next_trade(bus, &t, 0) == 1)
        got++;
    T_EQ(px_bus_lost(bus, id, &lost), 0);
    T_EQ(lost.ticks[PX_TRADE] + got, 300);
    T_EQ(lost.final, 1);
    rig_serve_stop(&r);
    px_bus_detach(bus);
    rig_free(&r);
}

T_TEST(two_replacements_between_two_polls_are_a_lap_that_is_told)
{
    struct rig r = {0};
    struct px_tick t;
    struct px_last last;
    px_id id;
    rig_open(&r, 16, 64);
    px_bus *bus = rig_reader(&r, 1);
    rig_trade(&r, rig_bind(&r, "x:A"), 1);
    T_EQ(px_bus_find(bus, "x:A", &id), 0);
    rig_close(&r);
    rig_open(&r, 32, 64);
    rig_trade(&r, rig_bind(&r, "x:A"), 2);
    T_EQ(px_bus_last(bus, id, &last), 0);
    T_EQ(last.trade.price.mantissa, 2);
    rig_close(&r);
    rig_open(&r, 64, 64);
    rig_trade(&r, rig_bind(&r, "x:A"), 3);
    px_writer_flush(r.w);
    T_EQ(px_bus_last(bus, id, &last), 0);
    T_EQ(last.trade.price.mantissa, 3);
    int overflow = 0, n;
    uint64_t seen = 0;
    while ((n = px_bus_poll(bus, &t, 1)) != 0) {
        overflow += n < 0;
        if (n == 1 && t.kind == PX_TRADE) {
            seen = (uint64_t)t.exch_ns;
            T_EQ(t.id, id);
        }
    }
    T_EQ(overflow, 1);
    T_EQ(seen, 3);
    struct px_lost lost;
    px_bus_lost(bus, PX_ID_NONE, &lost);
    T_TRUE(lost.skipped > 0);
    T_EQ(lost.final, 0);
    px_bus_detach(bus);
    rig_free(&r);
}

static void began_again(uint64_t trades)
{
    struct rig r = {0};
    struct px_tick t;
    struct px_last last;
    int32_t held_by;
    px_id id;
    rig_open(&r, 16, 64);
    px_bus *bus = rig_reader(&r, 1);
    for (uint64_t n = 1; n <= 40; n++)
        rig_trade(&r, rig_bind(&r, "x:A"), n);
    px_writer_flush(r.w);
    T_EQ(px_bus_find(bus, "x:A", &id), 0);
    rig_close(&r);
    T_EQ(px_writer_remove(r.bus, &held_by), 0);
    rig_open(&r, 16, 64);
    T_EQ(r.report.epoch, 1);
    for (uint64_t n = 1; n <= trades; n++)
        rig_trade(&r, rig_bind(&r, "x:A"), 1000 + n);
    px_writer_flush(r.w);
    int64_t end = rig_now_ns() + 5000000000;
    do
        T_EQ(px_bus_last(bus, id, &last), 0);
    while (last.trade.price.mantissa <= 1000 && rig_now_ns() < end);
    for (uint64_t n = 1; n <= 40 + trades; n++) {
        T_EQ(next_trade(bus, &t, 1000), 1);
        T_TRUE(rig_tick_is(&t, n <= 40 ? n : 1000 + n - 40));
        T_EQ(t.id, id);
    }
    px_bus_detach(bus);
    rig_free(&r);
}

T_TEST(a_bus_that_was_removed_and_began_again_is_followed)
{
    began_again(1);  /* its head is behind where the reader stood */
    began_again(55); /* or before */
}

T_TEST(a_bus_that_began_again_and_was_restarted_is_read_from_its_first_tick)
{
    struct rig r = {0};
    struct px_tick t;
    int32_t held_by;
    rig_open(&r, 16, 256);
    px_bus *bus = rig_reader(&r, 1);
    for (uint64_t n = 1; n <= 20; n++)
        rig_trade(&r, rig_bind(&r, "x:A"), n);
    px_writer_flush(r.w);
    while (px_bus_poll(bus, &t, 1) == 1)
        ;
    rig_close(&r);
    T_EQ(px_writer_remove(r.bus, &held_by), 0);
    rig_open(&r, 16, 256);
    rig_close(&r);
    rig_open(&r, 16, 256); /* its epoch is above that of the bus that was removed */
    for (uint64_t n = 1; n <= 60; n++)
        rig_trade(&r, rig_bind(&r, "x:A"), n);
    px_writer_flush(r.w);
    for (uint64_t n = 1; n <= 60; n++) {
        T_EQ(next_trade(bus, &t, 5000), 1);
        T_TRUE(rig_tick_is(&t, n));
    }
    px_bus_detach(bus);
    rig_free(&r);
}

T_TEST(what_a_bus_that_began_again_has_overwritten_already_is_told)
{
    struct rig r = {0};
    struct px_tick t;
    int32_t held_by;
    rig_open(&r, 16, 64);
    px_bus *bus = rig_reader(&r, 1);
    rig_close(&r);
    T_EQ(px_writer_remove(r.bus, &held_by), 0);
    rig_open(&r, 16, 64);
    uint64_t head = 0;
    for (uint64_t n = 1; n <= 200; n++)
        head = rig_trade(&r, rig_bind(&r, "x:A"), n);
    px_writer_flush(r.w);
    T_EQ(next_trade(bus, &t, 5000), -EOVERFLOW);
    T_EQ(next_trade(bus, &t, 0), 1);
    struct px_lost lost;
    T_EQ(px_bus_lost(bus, PX_ID_NONE, &lost), 0);
    T_EQ(lost.skipped, head - 64);
    T_EQ(lost.final, 0);
    px_bus_detach(bus);
    rig_free(&r);
}

T_TEST(subscribing_waits_for_a_feeder_that_restarts)
{
    struct rig r = {0};
    px_id id;
    rig_listen(&r);
    rig_open(&r, 16, 64);
    px_bus *bus = rig_reader(&r, 0); /* nobody serves: attached without a greeting */
    T_TRUE(!connected(bus));
    T_EQ(px_bus_subscribe(bus, "x:A", PX_TRADES, &id, 20), -ENOTCONN);
    rig_serve_start(&r);
    T_EQ(px_bus_subscribe(bus, "x:A", PX_TRADES, &id, 5000), 0);
    T_TRUE(connected(bus));
    rig_lock();
    rig_hang_up(&r);
    rig_unlock();
    px_id other;
    T_EQ(px_bus_subscribe(bus, "x:B", PX_TRADES, &other, 5000), 0);
    int64_t end = rig_now_ns() + 5000000000;
    while (r.subscribes < 3 && rig_now_ns() < end)
        px_bus_wait(bus, 1000000);
    rig_serve_stop(&r);
    T_EQ(r.subscribes, 3); /* A, B, and A again */
    px_bus_detach(bus);
    rig_free(&r);
}

static int asked(struct rig *r)
{
    rig_lock();
    int n = r->subscribes;
    rig_unlock();
    return n;
}

static void look_by_wait(px_bus *bus, px_id id)
{
    (void)id;
    px_bus_wait(bus, 5000000);
}

static void look_by_poll(px_bus *bus, px_id id)
{
    struct px_tick t;
    (void)id;
    px_bus_poll(bus, &t, 1);
}

static void look_by_last(px_bus *bus, px_id id)
{
    struct px_last last;
    px_bus_last(bus, id, &last);
}

T_TEST(a_connection_that_ends_within_an_epoch_is_made_again)
{
    void (*const look[])(px_bus *, px_id) = {look_by_wait, look_by_poll, look_by_last};
    struct rig r = {0};
    px_id id;
    rig_listen(&r);
    rig_open(&r, 16, 64);
    rig_serve_start(&r);
    px_bus *bus = rig_reader(&r, 0);
    T_EQ(px_bus_subscribe(bus, "x:A", PX_TRADES, &id, 2000), 0);
    for (size_t i = 0; i < sizeof look / sizeof look[0]; i++) {
        rig_lock();
        rig_hang_up(&r);
        int before = r.subscribes;
        rig_unlock();
        int64_t end = rig_now_ns() + 5000000000;
        while (asked(&r) == before && rig_now_ns() < end)
            look[i](bus, id);
        T_EQ(asked(&r), before + 1);
        T_TRUE(connected(bus));
    }
    rig_serve_stop(&r);
    px_bus_detach(bus);
    rig_free(&r);
}

T_TEST(all_symbols_of_a_venue_are_delivered_as_they_come)
{
    struct rig r = {0};
    struct px_tick t;
    px_id wild;
    rig_listen(&r);
    rig_open(&r, 16, 64);
    uint32_t a = rig_bind(&r, "x:A"), y = rig_bind(&r, "y:A");
    rig_ticker(&r, a, 1);
    px_writer_flush(r.w);
    rig_serve_start(&r);
    px_bus *bus = rig_reader(&r, 0);
    T_EQ(px_bus_subscribe(bus, "x:*", PX_TICKERS, &wild, 2000), 0);
    rig_serve_stop(&r);
    T_STR(r.last_symbol, "x:*");
    rig_ticker(&r, a, 2);
    rig_ticker(&r, y, 3);
    rig_trade(&r, a, 4);
    uint32_t b = rig_bind(&r, "x:B");
    rig_ticker(&r, b, 5);
    int n = 0;
    while (px_bus_poll(bus, &t, 1) == 1) {
        if (t.kind == PX_STATUS)
            continue;
        n++;
        T_TRUE(rig_tick_is(&t, n == 1 ? 2 : 5));
        T_STR(px_bus_symbol(bus, t.id), n == 1 ? "x:A" : "x:B");
    }
    T_EQ(n, 2);
    struct px_last last;
    T_EQ(px_bus_last(bus, wild, &last), -ENOENT);
    T_EQ(px_bus_unsubscribe(bus, wild), 0);
    rig_ticker(&r, b, 6);
    T_EQ(px_bus_poll(bus, &t, 1), 0);
    px_bus_detach(bus);
    rig_free(&r);
}
