/* Laps: what a reader that was overrun is told, against what was really published. */
#include "t.h"

#include <errno.h>
#include <stdbool.h>

#include "reader.h"
#include "rig.h"

#define SYMBOLS 3
#define RING    256u

struct book {
    struct rig r;
    px_bus *bus;
    px_id id[SYMBOLS];
    uint32_t slot[SYMBOLS], stranger;
    uint64_t published[SYMBOLS][PX_CELL_KINDS], delivered[SYMBOLS][PX_CELL_KINDS];
    uint64_t last_seq, seed;
    int overflows;
};

static uint64_t draw(struct book *b)
{
    b->seed ^= b->seed << 13;
    b->seed ^= b->seed >> 7;
    b->seed ^= b->seed << 17;
    return b->seed;
}

static void setup(struct book *b, uint64_t seed)
{
    static const char *const names[SYMBOLS] = {"x:A", "x:B", "x:C"};
    static const uint32_t kinds[SYMBOLS] = {PX_TRADES, PX_ALL_KINDS, PX_QUOTES | PX_TICKERS};
    memset(b, 0, sizeof *b);
    b->seed = seed;
    rig_listen(&b->r);
    rig_open(&b->r, 16, RING);
    rig_serve_start(&b->r);
    b->bus = rig_reader(&b->r, 0);
    for (int i = 0; i < SYMBOLS; i++)
        T_EQ(px_bus_subscribe(b->bus, names[i], kinds[i], &b->id[i], 2000), 0);
    rig_serve_stop(&b->r);
    for (int i = 0; i < SYMBOLS; i++)
        b->slot[i] = rig_bind(&b->r, names[i]);
    b->stranger = rig_bind(&b->r, "x:Z");
}

static void teardown(struct book *b)
{
    px_bus_detach(b->bus);
    rig_free(&b->r);
}

static void publish(struct book *b, uint64_t count)
{
    for (uint64_t n = 0; n < count; n++) {
        uint32_t i = (uint32_t)(draw(b) % (SYMBOLS + 1)), kind = (uint32_t)(draw(b) % 3);
        uint32_t slot = i < SYMBOLS ? b->slot[i] : b->stranger;
        bool past = kind == 0 && n % 3 == 0 && rig_past(&b->r, slot, n) != 0;
        if (!past)
            (kind == 0 ? rig_trade : kind == 1 ? rig_quote : rig_ticker)(&b->r, slot, n);
        if (i < SYMBOLS)
            b->published[i][kind]++;
        if (draw(b) % 8 == 0)
            px_writer_flush(b->r.w);
    }
    px_writer_flush(b->r.w);
}

/* Poll up to `most` times; returns how many laps were told. */
static int drain(struct book *b, int most)
{
    struct px_tick t[16];
    int laps = 0;
    for (int k = 0; k < most; k++) {
        int n = px_bus_poll(b->bus, t, 1 + (int)(draw(b) % 16));
        if (n == 0)
            break;
        if (n < 0) {
            T_EQ(n, -EOVERFLOW);
            laps++;
        }
        for (int j = 0; j < n; j++) {
            T_TRUE(t[j].seq > b->last_seq);
            b->last_seq = t[j].seq;
            for (int i = 0; i < SYMBOLS; i++)
                if (t[j].id == b->id[i] && t[j].kind < PX_CELL_KINDS)
                    b->delivered[i][t[j].kind]++;
        }
    }
    b->overflows += laps;
    return laps;
}

static void check_exact(struct book *b)
{
    static const uint32_t kinds[SYMBOLS] = {PX_TRADES, PX_ALL_KINDS, PX_QUOTES | PX_TICKERS};
    struct px_lost lost, all;
    uint64_t sum[PX_CELL_KINDS] = {0};
    T_EQ(px_bus_lost(b->bus, PX_ID_NONE, &all), 0);
    T_EQ(all.laps, b->overflows);
    T_EQ(all.final, 1);
    for (int i = 0; i < SYMBOLS; i++) {
        T_EQ(px_bus_lost(b->bus, b->id[i], &lost), 0);
        T_EQ(lost.final, 1);
        T_EQ(lost.skipped, all.skipped);
        for (int k = 0; k < PX_CELL_KINDS; k++) {
            sum[k] += lost.ticks[k];
            if ((kinds[i] & 1u << k) != 0)
                T_EQ(b->delivered[i][k] + lost.ticks[k], b->published[i][k]);
            else
                T_EQ(b->delivered[i][k] + lost.ticks[k], 0);
        }
    }
    for (int k = 0; k < PX_CELL_KINDS; k++)
        T_EQ(all.ticks[k], sum[k]);
}

T_TEST(a_lap_is_told_once_and_the_stream_goes_on_half_a_ring_behind_the_head)
{
    struct book b;
    struct px_tick t[RING];
    setup(&b, 1);
    uint64_t before = b.bus->cursor;
    for (uint64_t n = 1; n <= 1000; n++)
        rig_trade(&b.r, b.slot[0], n);
    px_writer_flush(b.r.w);
    uint64_t head = px_writer_sequence(b.r.w);
    T_EQ(px_bus_poll(b.bus, t, RING), -EOVERFLOW);
    T_EQ(px_bus_poll(b.bus, t, RING), RING / 2 + 1);
    T_EQ(t[0].seq, head - RING / 2);
    T_TRUE(rig_tick_is(&t[0], 1000 - RING / 2));
    T_EQ(px_bus_poll(b.bus, t, RING), 0);
    struct px_lost lost;
    T_EQ(px_bus_lost(b.bus, b.id[0], &lost), 0);
    T_EQ(lost.laps, 1);
    T_EQ(lost.skipped, head - RING / 2 - 1 - before);
    T_EQ(lost.ticks[PX_TRADE], 1000 - RING / 2 - 1);
    T_EQ(lost.final, 1);
    struct px_bus_stats s;
    px_bus_stats(b.bus, &s);
    T_EQ(s.skipped, lost.skipped);
    T_EQ(s.position, head);
    teardown(&b);
}

T_TEST(losses_are_exact_whatever_the_order_of_laps_and_polls)
{
    for (uint64_t seed = 1; seed <= 30; seed++) {
        struct book b;
        setup(&b, seed * UINT64_C(0x9E3779B97F4A7C15));
        for (int round = 0; round < 40; round++) {
            publish(&b, draw(&b) % (3 * RING));
            drain(&b, (int)(draw(&b) % 40)); /* often not to the end: laps upon unsettled laps */
        }
        drain(&b, 1000000);
        T_TRUE(b.overflows > 5);
        check_exact(&b);
        teardown(&b);
    }
}

T_TEST(a_loss_that_is_not_settled_is_a_lower_bound_and_says_so)
{
    struct book b;
    struct px_tick t[4];
    struct px_lost lost;
    setup(&b, 7);
    for (uint64_t n = 1; n <= 2 * RING; n++)
        rig_trade(&b.r, b.slot[0], n);
    px_writer_flush(b.r.w);
    T_EQ(px_bus_poll(b.bus, t, 4), -EOVERFLOW);
    T_EQ(px_bus_poll(b.bus, t, 4), 4);
    T_EQ(px_bus_lost(b.bus, b.id[0], &lost), 0);
    T_EQ(lost.final, 0);
    T_TRUE(lost.ticks[PX_TRADE] <= RING * 3 / 2);
    T_EQ(px_bus_lost(b.bus, b.id[1], &lost), 0);
    T_EQ(lost.final, 1); /* nothing of it was published */
    while (px_bus_poll(b.bus, t, 4) > 0)
        ;
    T_EQ(px_bus_lost(b.bus, b.id[0], &lost), 0);
    T_EQ(lost.final, 1);
    T_EQ(lost.ticks[PX_TRADE], 2 * RING - RING / 2 - 1);
    teardown(&b);
}

T_TEST(the_last_tick_counts_once_wherever_the_jump_lands)
{
    /* The newest tick of x:A at each distance around the first that is read again. */
    for (uint64_t after = RING / 2 - 3; after <= RING / 2 + 3; after++) {
        struct book b;
        setup(&b, 5);
        for (uint64_t n = 1; n <= 500; n++, b.published[0][PX_TRADE]++)
            rig_trade(&b.r, b.slot[0], n);
        for (uint64_t n = 1; n <= after; n++)
            rig_trade(&b.r, b.stranger, n);
        px_writer_flush(b.r.w);
        drain(&b, 1000);
        check_exact(&b);
        rig_trade(&b.r, b.slot[0], 1);
        b.published[0][PX_TRADE]++;
        for (uint64_t n = 1; n <= 2 * RING; n++)
            rig_trade(&b.r, b.stranger, n);
        px_writer_flush(b.r.w);
        drain(&b, 1000);
        T_EQ(b.overflows, 2);
        check_exact(&b);
        teardown(&b);
    }
}

T_TEST(a_loss_that_was_never_settled_is_not_called_final_after_unsubscribing)
{
    struct book b;
    struct px_tick t;
    struct px_lost lost;
    setup(&b, 9);
    for (uint64_t n = 1; n <= 1000; n++)
        rig_trade(&b.r, b.slot[0], n);
    px_writer_flush(b.r.w);
    T_EQ(px_bus_poll(b.bus, &t, 1), -EOVERFLOW);
    T_EQ(px_bus_unsubscribe(b.bus, b.id[0]), 0);
    T_EQ(px_bus_lost(b.bus, b.id[0], &lost), 0);
    T_EQ(lost.final, 0);
    T_EQ(px_bus_lost(b.bus, PX_ID_NONE, &lost), 0);
    T_EQ(lost.final, 0);
    teardown(&b);
}

T_TEST(losses_of_a_new_owner_are_counted_from_its_own_first_tick)
{
    struct book b;
    struct px_tick t[64];
    struct px_lost lost;
    px_id id;
    setup(&b, 13);
    for (uint64_t n = 1; n <= 30; n++)
        rig_trade(&b.r, b.slot[0], n);
    px_writer_flush(b.r.w);
    rig_serve_start(&b.r);
    T_EQ(px_bus_unsubscribe(b.bus, b.id[0]), 0);
    T_EQ(px_bus_subscribe(b.bus, "x:A", PX_TRADES, &id, 2000), 0); /* joined at ordinal 30 */
    while (px_bus_poll(b.bus, t, 64) > 0)
        ;
    rig_lock();
    px_writer_pin(b.r.w, b.slot[0], 0, 0);
    px_writer_release(b.r.w, b.slot[0]);
    uint32_t slot = rig_bind(&b.r, "x:A");
    px_writer_flush(b.r.w);
    rig_unlock();
    T_EQ(px_bus_subscribe(b.bus, "x:A", PX_TRADES | PX_QUOTES, &id, 2000), 0);
    rig_serve_stop(&b.r);
    for (uint64_t n = 1; n <= 2 * RING; n++)
        rig_trade(&b.r, slot, n);
    px_writer_flush(b.r.w);
    uint64_t got = 0;
    for (int n; (n = px_bus_poll(b.bus, t, 64)) != 0;)
        for (int i = 0; i < n; i++)
            got += t[i].kind == PX_TRADE && t[i].id == id;
    T_EQ(px_bus_lost(b.bus, id, &lost), 0);
    T_TRUE(lost.laps > 0);
    T_EQ(lost.ticks[PX_TRADE] + got, 2 * RING);
    T_EQ(lost.final, 1);
    teardown(&b);
}

T_TEST(a_start_that_was_overtaken_at_every_try_calls_no_loss_final)
{
    struct rig r = {0};
    struct px_tick t[64];
    struct px_lost lost;
    rig_open(&r, 4, 64);
    uint32_t slot = rig_bind(&r, "x:A");
    px_writer_flush(r.w);
    for (uint64_t n = 1; n <= 100; n++)
        rig_trade(&r, slot, n); /* the head stays behind: whoever starts there is lapped at once */
    px_bus *bus = rig_reader(&r, 1);
    px_writer_flush(r.w);
    T_EQ(px_bus_poll(bus, t, 64), -EOVERFLOW);
    while (px_bus_poll(bus, t, 64) > 0)
        ;
    T_EQ(px_bus_lost(bus, 0, &lost), 0);
    T_TRUE(lost.ticks[PX_TRADE] <= 100 - 33);
    T_EQ(lost.final, 0);
    T_EQ(px_bus_lost(bus, PX_ID_NONE, &lost), 0);
    T_EQ(lost.final, 0);
    px_bus_detach(bus);
    bus = rig_reader(&r, 1);
    for (uint64_t n = 1; n <= 100; n++)
        rig_trade(&r, slot, n);
    px_writer_flush(r.w);
    T_EQ(px_bus_poll(bus, t, 64), -EOVERFLOW);
    while (px_bus_poll(bus, t, 64) > 0)
        ;
    T_EQ(px_bus_lost(bus, 0, &lost), 0);
    T_EQ(lost.ticks[PX_TRADE], 100 - 33);
    T_EQ(lost.final, 1);
    px_bus_detach(bus);
    rig_free(&r);
}

T_TEST(losses_stay_exact_after_a_seek)
{
    struct book b;
    setup(&b, 11);
    publish(&b, 100);
    drain(&b, 1000);
    T_EQ(px_bus_seek(b.bus, b.last_seq - 49), 0);
    memset(b.delivered, 0, sizeof b.delivered);
    b.last_seq = 0;
    publish(&b, 20);
    /* What lies before the seek counts as seen: deliver all again from there, without a lap. */
    drain(&b, 1000);
    uint64_t again[SYMBOLS][PX_CELL_KINDS];
    memcpy(again, b.delivered, sizeof again);
    memset(b.delivered, 0, sizeof b.delivered);
    memset(b.published, 0, sizeof b.published);
    for (int round = 0; round < 20; round++) {
        publish(&b, draw(&b) % (3 * RING));
        drain(&b, (int)(draw(&b) % 40));
    }
    drain(&b, 1000000);
    check_exact(&b);
    T_TRUE(again[1][PX_TRADE] > 0);
    teardown(&b);
}

T_TEST(the_loss_of_a_symbol_that_was_evicted_is_a_lower_bound)
{
    struct rig r = {0};
    struct px_tick t[64];
    struct px_lost lost;
    px_id id;
    rig_open(&r, 4, 64);
    uint32_t slot = rig_bind(&r, "x:A");
    px_writer_flush(r.w);
    px_bus *bus = rig_reader(&r, 1);
    for (uint64_t n = 0; n < 100; n++)
        rig_trade(&r, slot, n);
    char symbol[8];
    for (int i = 0; i < 20; i++) {
        snprintf(symbol, sizeof symbol, "y:%d", i);
        slot = rig_bind(&r, symbol);
        for (uint64_t n = 0; n < 10; n++)
            rig_trade(&r, slot, n);
    }
    px_writer_flush(r.w);
    int n, laps = 0;
    while ((n = px_bus_poll(bus, t, 64)) != 0)
        laps += n < 0;
    T_EQ(laps, 1);
    rig_bind(&r, "x:A");
    T_EQ(px_bus_find(bus, "x:A", &id), 0);
    T_EQ(px_bus_lost(bus, id, &lost), 0);
    T_EQ(lost.final, 0);
    T_TRUE(lost.ticks[PX_TRADE] <= 100);
    T_EQ(px_bus_lost(bus, PX_ID_NONE, &lost), 0);
    T_EQ(lost.final, 0);
    px_bus_detach(bus);
    rig_free(&r);
}

T_TEST(the_page_tells_the_feeder_position_and_losses)
{
    struct book b;
    setup(&b, 3);
    publish(&b, 50);
    drain(&b, 100);
    T_EQ(b.r.session[0].page->position, px_writer_sequence(b.r.w));
    T_EQ(b.r.session[0].page->lost, 0);
    publish(&b, 1000);
    drain(&b, 1000);
    T_EQ(b.r.session[0].page->position, px_writer_sequence(b.r.w));
    struct px_lost lost;
    px_bus_lost(b.bus, PX_ID_NONE, &lost);
    T_TRUE(lost.skipped > 0);
    T_EQ(b.r.session[0].page->lost, lost.skipped);
    teardown(&b);
}

/* What a reader of x:* is given of `count` symbols, with one trade each of those that come,
 * `before` of which are on the bus already. */
struct told {
    int rc, trades, evicted, laps;
    struct px_lost lost;
};

static struct told venue_told(uint32_t ids, uint32_t ring, int before, int count)
{
    struct rig r = {0};
    struct told told = {0};
    struct px_tick t[16];
    const struct px_bus_options o = {.max_ids = ids, .name = "rig"};
    px_bus *bus;
    px_id wild;
    char symbol[8];
    rig_listen(&r);
    rig_open(&r, 16, ring);
    for (int i = 0; i < before; i++) {
        snprintf(symbol, sizeof symbol, "x:%d", i);
        rig_bind(&r, symbol);
    }
    px_writer_flush(r.w);
    rig_serve_start(&r);
    T_EQ(px_bus_attach(&bus, r.bus, &o), 0);
    told.rc = px_bus_subscribe(bus, "x:*", PX_TRADES, &wild, 2000);
    rig_serve_stop(&r);
    for (int i = before; i < count; i++) {
        snprintf(symbol, sizeof symbol, "x:%d", i);
        uint32_t slot = rig_bind(&r, symbol);
        rig_quote(&r, slot, 1); /* not asked for */
        rig_trade(&r, slot, 2);
    }
    px_writer_flush(r.w);
    for (int n; (n = px_bus_poll(bus, t, 16)) != 0; told.laps += n < 0)
        for (int i = 0; i < n; i++) {
            told.trades += t[i].kind == PX_TRADE;
            told.evicted += t[i].kind == PX_STATUS && t[i].id == PX_ID_NONE &&
                            t[i].u.status.event == PX_EVENT_EVICTED;
        }
    T_EQ(px_bus_lost(bus, PX_ID_NONE, &told.lost), 0);
    px_bus_detach(bus);
    rig_free(&r);
    return told;
}

T_TEST(a_venue_tells_of_ticks_whose_symbol_is_gone_already)
{
    struct told told = venue_told(0, 1024, 0, 40); /* 16 slots, read when all is over */
    T_EQ(told.rc, 0);
    T_EQ(told.trades, 16);
    T_EQ(told.evicted, 24);
    T_EQ(told.lost.final, 0);
    told = venue_told(0, 1024, 0, 16);
    T_EQ(told.trades, 16);
    T_EQ(told.evicted, 0);
    T_EQ(told.lost.final, 1);
}

T_TEST(a_venue_with_more_symbols_than_handles_says_so)
{
    struct told told = venue_told(3, 1024, 0, 8);
    T_EQ(told.rc, 0);
    T_EQ(told.trades, 2); /* the third handle is that of x:* */
    T_EQ(told.evicted, 6);
    T_EQ(told.lost.final, 0);
    told = venue_told(3, 1024, 3, 3);
    T_EQ(told.rc, -ENOBUFS);
    told = venue_told(4, 1024, 3, 3);
    T_EQ(told.rc, 0);
}

T_TEST(a_lap_over_symbols_that_were_never_heard_of_is_not_called_final)
{
    struct told told = venue_told(0, 64, 0, 200);
    T_TRUE(told.laps > 0);
    T_EQ(told.lost.final, 0);
    told = venue_told(0, 64, 0, 16); /* 48 ticks: no lap */
    T_EQ(told.laps, 0);
    T_EQ(told.lost.final, 1);
}
