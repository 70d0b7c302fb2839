/* Subscriptions: what is asked for is delivered, all of it, once, until it is given back. */
#include "t.h"

#include <errno.h>

#include "rig.h"

static px_id subscribe(px_bus *bus, const char *symbol, uint32_t kinds)
{
    px_id id = PX_ID_NONE;
    int rc = px_bus_subscribe(bus, symbol, kinds, &id, 2000);
    if (rc != 0)
        fail_msg("px_bus_subscribe %s: %s", symbol, px_strerror(rc));
    return id;
}

T_TEST(unsubscribing_ends_the_stream_and_counts)
{
    struct rig r = {0};
    struct px_tick t[8];
    rig_listen(&r);
    rig_open(&r, 16, 64);
    rig_serve_start(&r);
    px_bus *bus = rig_reader(&r, 0);
    px_id id = subscribe(bus, "x:A", PX_TRADES);
    T_EQ(subscribe(bus, "x:A", PX_TRADES), id);
    T_EQ(r.subscribes, 1);
    T_EQ(px_bus_unsubscribe(bus, id), 0);
    rig_lock();
    uint32_t slot = rig_bind(&r, "x:A");
    rig_trade(&r, slot, 1);
    rig_unlock();
    T_EQ(px_bus_poll(bus, t, 8), 1);
    T_EQ(px_bus_unsubscribe(bus, id), 0);
    rig_lock();
    rig_trade(&r, slot, 2);
    rig_unlock();
    T_EQ(px_bus_poll(bus, t, 8), 0);
    T_EQ(px_bus_unsubscribe(bus, id), -EINVAL);
    T_STR(px_bus_symbol(bus, id), "x:A");
    struct px_last last;
    T_EQ(px_bus_last(bus, id, &last), 0);
    T_EQ(last.trade.price.mantissa, 2);
    T_EQ(subscribe(bus, "x:A", PX_TRADES), id);
    rig_lock();
    rig_trade(&r, slot, 3);
    rig_unlock();
    T_EQ(px_bus_poll(bus, t, 8), 1);
    T_TRUE(rig_tick_is(&t[0], 3));
    rig_serve_stop(&r);
    T_EQ(r.unsubscribes, 1);
    px_bus_detach(bus);
    rig_free(&r);
}

T_TEST(a_symbol_that_takes_the_slot_of_another_is_streamed_from_where_it_joined)
{
    struct rig r = {0};
    struct px_tick t[16];
    struct px_lost lost;
    rig_listen(&r);
    rig_open(&r, 4, 64);
    rig_serve_start(&r);
    px_bus *bus = rig_reader(&r, 0);
    px_id w = subscribe(bus, "x:W", PX_TRADES);
    T_EQ(px_bus_poll(bus, t, 16), 0);
    rig_lock();
    rig_trade(&r, rig_bind(&r, "x:W"), 1); /* not taken from the stream yet */
    px_writer_pin(r.w, rig_bind(&r, "x:W"), 0, 0);
    rig_bind(&r, "x:1");
    rig_bind(&r, "x:2");
    rig_bind(&r, "x:3");
    uint32_t slot = rig_bind(&r, "x:X"); /* where x:W was */
    rig_trade(&r, slot, 2);
    rig_unlock();
    px_id x = subscribe(bus, "x:X", PX_TRADES);
    rig_serve_stop(&r);
    rig_trade(&r, slot, 3);
    px_writer_flush(r.w);
    int n = px_bus_poll(bus, t, 16), trades = 0;
    for (int i = 0; i < n; i++) {
        if (t[i].kind != PX_TRADE)
            continue;
        T_EQ(t[i].id, trades == 0 ? w : x);
        T_TRUE(rig_tick_is(&t[i], trades == 0 ? 1 : 3));
        trades++;
    }
    T_EQ(trades, 2);
    for (uint64_t k = 0; k < 100; k++)
        rig_trade(&r, slot, 4 + k);
    px_writer_flush(r.w);
    T_EQ(px_bus_poll(bus, t, 16), -EOVERFLOW);
    trades = 0;
    while ((n = px_bus_poll(bus, t, 16)) > 0)
        trades += n;
    T_EQ(px_bus_lost(bus, x, &lost), 0);
    T_EQ(lost.ticks[PX_TRADE] + (uint64_t)trades, 100);
    T_EQ(lost.final, 1);
    px_bus_detach(bus);
    rig_free(&r);
}

T_TEST(a_second_subscription_drops_no_tick_of_the_first)
{
    struct rig r = {0};
    struct px_tick t[64];
    uint32_t slot;
    rig_listen(&r);
    rig_open(&r, 4, 64);
    rig_serve_start(&r);
    px_bus *bus = rig_reader(&r, 0);
    subscribe(bus, "x:W", PX_TRADES);
    T_EQ(px_bus_poll(bus, t, 64), 0);
    rig_lock();
    slot = rig_bind(&r, "x:W");
    px_writer_pin(r.w, slot, 0, 0);
    px_writer_release(r.w, slot);
    rig_unlock();
    px_id id = subscribe(bus, "x:X", PX_TRADES); /* where x:W was: its BIND is not read yet */
    rig_lock();
    T_EQ(rig_bind(&r, "x:X"), slot);
    for (uint64_t n = 1; n <= 10; n++)
        rig_trade(&r, slot, n);
    px_writer_flush(r.w);
    rig_unlock();
    T_EQ(subscribe(bus, "x:X", PX_TRADES), id);
    subscribe(bus, "x:*", PX_TRADES);
    rig_serve_stop(&r);
    uint64_t next = 1;
    for (int n, i = 0; (n = px_bus_poll(bus, t, 64)) > 0;)
        for (i = 0; i < n; i++)
            if (t[i].kind == PX_TRADE)
                T_TRUE(t[i].id == id && rig_tick_is(&t[i], next++));
    T_EQ(next, 11);
    px_bus_detach(bus);
    rig_free(&r);
}

T_TEST(a_venue_delivers_the_symbols_that_were_known_before_too)
{
    struct rig r = {0};
    struct px_tick t[64];
    px_id id;
    rig_listen(&r);
    rig_open(&r, 4, 64);
    rig_serve_start(&r);
    uint32_t slot = rig_bind(&r, "x:A");
    px_writer_flush(r.w);
    px_bus *bus = rig_reader(&r, 0);
    T_EQ(px_bus_find(bus, "x:A", &id), 0);
    rig_lock();
    px_writer_release(r.w, slot);
    rig_unlock();
    px_id wild = subscribe(bus, "x:*", PX_TRADES);
    rig_serve_stop(&r);
    slot = rig_bind(&r, "x:A");
    rig_trade(&r, slot, 1);
    rig_quote(&r, slot, 2);
    rig_trade(&r, slot, 3);
    px_writer_flush(r.w);
    int trades = 0, n = px_bus_poll(bus, t, 64);
    for (int i = 0; i < n; i++)
        trades += t[i].kind == PX_TRADE && t[i].id == id;
    T_EQ(trades, 2);
    T_EQ(px_bus_unsubscribe(bus, wild), 0);
    rig_trade(&r, slot, 4);
    T_EQ(px_bus_poll(bus, t, 64), 0);
    px_bus_detach(bus);
    rig_free(&r);
}

T_TEST(a_refusal_comes_with_the_feeders_sentence)
{
    struct rig r = {0};
    px_id id = 77;
    rig_listen(&r);
    rig_open(&r, 16, 64);
    rig_serve_start(&r);
    px_bus *bus = rig_reader(&r, 0);
    r.refuse = -ENOSPC;
    T_EQ(px_bus_subscribe(bus, "x:A", PX_TRADES, &id, 2000), -ENOSPC);
    T_STR(px_bus_message(bus), "refused by the rig");
    T_EQ(px_bus_subscribe(bus, "", PX_TRADES, &id, 1000), -EINVAL);
    T_STR(px_bus_message(bus), ""); /* that refusal was of another symbol */
    T_EQ(px_bus_subscribe(bus, "nocolon", PX_TRADES, &id, 2000), -EINVAL);
    T_EQ(px_bus_subscribe(bus, "x:A", 0, &id, 2000), -EINVAL);
    T_EQ(px_bus_subscribe(bus, "x:A", 8, &id, 2000), -EINVAL);
    r.refuse = 0;
    r.silent = 1;
    T_EQ(px_bus_subscribe(bus, "x:A", PX_TRADES, &id, 30), -ETIMEDOUT);
    T_EQ(id, 77);
    rig_serve_stop(&r);
    px_bus_detach(bus);
    rig_free(&r);
}
