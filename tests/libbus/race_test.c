/* Readers and the writer at the same time, threads over one mapping, so that ThreadSanitizer judges
 * them. Every word of a tick implies the others (rig_tick_is), every name implies the price. A test
 * that did not race fails. */
#include "t.h"

#include <errno.h>
#include <pthread.h>
#include <sched.h>

#include "reader.h"
#include "rig.h"
#include "seq.h"
#include "writer_internal.h"

#define READERS  2
#define SYMBOLS  12
#define RING     1024u
#define LIMIT_NS 20000000000

struct reading {
    px_bus *bus;
    struct race *race;
    uint64_t reads, wrong, evicted, busy;
    uint64_t trades, quotes; /* delivered of x:0 */
};

struct race {
    struct rig r;
    pthread_barrier_t start;
    uint32_t stop;
    uint64_t published[2];
    struct reading reading[READERS];
};

/* The reader looks through the writer's own mapping: two mappings of one file look like two
 * memories to ThreadSanitizer. What it mapped itself stays in the area and goes with it. */
static void share(px_bus *bus, px_writer *w)
{
    bus->seg[0] = w->seg;
    bus->prefix = w->seg.prefix;
    bus->slots = w->seg.slots;
    bus->ring = w->seg.ring;
}

static void setup(struct race *race, uint32_t capacity, int bound)
{
    char symbol[16];
    memset(race, 0, sizeof *race);
    rig_open(&race->r, capacity, RING);
    for (int i = 0; i < bound; i++) {
        snprintf(symbol, sizeof symbol, "x:%d", i);
        rig_bind(&race->r, symbol);
    }
    px_writer_flush(race->r.w);
    pthread_barrier_init(&race->start, NULL, READERS + 1);
    for (int i = 0; i < READERS; i++) {
        race->reading[i].race = race;
        race->reading[i].bus = rig_reader(&race->r, 1);
        share(race->reading[i].bus, race->r.w);
    }
}

static void teardown(struct race *race)
{
    for (int i = 0; i < READERS; i++)
        px_bus_detach(race->reading[i].bus);
    rig_free(&race->r);
}

/* Run `reader` in every thread beside `writer` in this one, which returns when enough was seen. */
static void run(struct race *race, void *(*reader)(void *), void (*writer)(struct race *))
{
    pthread_t thread[READERS];
    for (int i = 0; i < READERS; i++)
        T_EQ(pthread_create(&thread[i], NULL, reader, &race->reading[i]), 0);
    pthread_barrier_wait(&race->start);
    writer(race);
    pxi_store32_release(&race->stop, 1);
    for (int i = 0; i < READERS; i++)
        pthread_join(thread[i], NULL);
}

static int everybody(struct race *race, uint64_t reads, uint64_t busy)
{
    for (int i = 0; i < READERS; i++)
        if (pxi_load64(&race->reading[i].reads) < reads ||
            pxi_load64(&race->reading[i].busy) < busy)
            return 0;
    return 1;
}

static void count(uint64_t *n)
{
    pxi_store64(n, *n + 1);
}

/* ---- last prices ---- */

/* What was read before is not believed: the cells are copied again. Otherwise a reader copies only
 * what has just changed, and where both sides share a processor it is never met in mid-copy. */
static void forget(px_bus *bus, px_id id)
{
    for (uint32_t k = 0; k < PX_CELL_KINDS; k++)
        bus->prices[id + 1].counter[k] = PXI_NEVER;
}

static void *read_last(void *arg)
{
    struct reading *g = arg;
    struct px_last last;
    px_id id;
    if (px_bus_find(g->bus, "x:0", &id) != 0)
        abort();
    pthread_barrier_wait(&g->race->start);
    while (!pxi_load32_acquire(&g->race->stop)) {
        if (g->reads % 2 != 0)
            forget(g->bus, id);
        if (px_bus_last_at(g->bus, id, 0, &last) != 0)
            continue;
        const struct px_trade *t = &last.trade;
        const struct px_quote *q = &last.quote;
        int64_t a = last.trade_info.exch_ns, b = last.quote_info.exch_ns;
        if (last.trade_info.seq != 0 &&
            (t->price.mantissa != a || t->size.mantissa != a + 2 ||
             t->trade_id != (uint64_t)a + 3 || last.trade_info.recv_ns != a + 1 ||
             last.trade_info.venue_id != (uint64_t)a))
            g->wrong++;
        if (last.quote_info.seq != 0 &&
            (q->bid.mantissa != b || q->bid_size.mantissa != b + 2 || q->ask.mantissa != b + 3 ||
             last.quote_info.recv_ns != b + 1 || last.quote_info.venue_id != (uint64_t)b))
            g->wrong++;
        count(&g->reads);
        pxi_store64(&g->busy, g->bus->retries);
    }
    return NULL;
}

static void write_one_symbol(struct race *race)
{
    int64_t end = rig_now_ns() + LIMIT_NS;
    for (uint64_t n = 1; rig_now_ns() < end && !everybody(race, 20000, 20); n++) {
        for (int k = 0; k < 64; k++) {
            rig_trade(&race->r, 0, n * 64 + (uint64_t)k);
            rig_quote(&race->r, 0, n * 64 + (uint64_t)k);
        }
        px_writer_flush(race->r.w);
    }
}

T_TEST(last_prices_are_never_torn)
{
    static struct race race;
    setup(&race, 16, 1);
    run(&race, read_last, write_one_symbol);
    for (int i = 0; i < READERS; i++) {
        printf("reads %llu, retries %llu\n", (unsigned long long)race.reading[i].reads,
               (unsigned long long)race.reading[i].busy);
        T_EQ(race.reading[i].wrong, 0);
        T_TRUE(race.reading[i].reads > 0);
        T_TRUE(race.reading[i].busy > 0);
    }
    teardown(&race);
}

/* ---- the stream, with laps ---- */

static void take(struct reading *g, uint64_t *next)
{
    struct px_tick t[32];
    int n = px_bus_poll(g->bus, t, 32);
    if (n == -EOVERFLOW)
        pxi_store64(&g->busy, g->busy + 1);
    for (int i = 0; i < n; i++) {
        count(&g->reads);
        if (t[i].seq < *next)
            g->wrong++;
        *next = t[i].seq + 1;
        if (t[i].kind == PX_STATUS)
            continue;
        if (!rig_tick_is(&t[i], (uint64_t)t[i].exch_ns) || t[i].id == PX_ID_NONE)
            g->wrong++;
        g->trades += t[i].kind == PX_TRADE;
        g->quotes += t[i].kind == PX_QUOTE;
    }
}

static void *read_stream(void *arg)
{
    struct reading *g = arg;
    uint64_t next = 1;
    pthread_barrier_wait(&g->race->start);
    while (!pxi_load32_acquire(&g->race->stop)) {
        take(g, &next);
        if (g->reads % 64 == 0)
            sched_yield(); /* falls behind now and then */
    }
    while (g->bus->cursor < px_writer_sequence(g->race->r.w))
        take(g, &next); /* the writer has stopped: read to the end */
    return NULL;
}

static void write_stream(struct race *race)
{
    int64_t end = rig_now_ns() + LIMIT_NS;
    for (uint64_t n = 1; rig_now_ns() < end && !everybody(race, 100000, 20); n++) {
        for (int k = 0; k < 16; k++) {
            rig_trade(&race->r, 0, n);
            race->published[0]++;
        }
        rig_quote(&race->r, 0, n);
        race->published[1]++;
        px_writer_flush(race->r.w);
        if (n % 4096 < 2048)
            for (int k = 0; k < 200; k++)
                pxi_fence_full(); /* slow enough to be followed for a while */
    }
}

T_TEST(the_stream_is_whole_in_order_and_its_losses_exact_beside_a_running_writer)
{
    static struct race race;
    setup(&race, 16, 1);
    run(&race, read_stream, write_stream);
    for (int i = 0; i < READERS; i++) {
        struct reading *g = &race.reading[i];
        struct px_lost lost;
        px_id id;
        T_EQ(px_bus_find(g->bus, "x:0", &id), 0);
        T_EQ(px_bus_lost(g->bus, id, &lost), 0);
        printf("reads %llu, laps %llu, lost %llu\n", (unsigned long long)g->reads,
               (unsigned long long)g->busy, (unsigned long long)lost.ticks[PX_TRADE]);
        T_EQ(g->wrong, 0);
        T_TRUE(g->reads > 0 && g->busy > 0);
        T_EQ(lost.final, 1);
        T_EQ(g->trades + lost.ticks[PX_TRADE], race.published[0]);
        T_EQ(g->quotes + lost.ticks[PX_QUOTE], race.published[1]);
    }
    teardown(&race);
}

/* ---- slots that change hands ---- */

static int name_fits(px_bus *bus, px_id id, int64_t n)
{
    char symbol[16];
    snprintf(symbol, sizeof symbol, "x:%d", (int)(n % SYMBOLS));
    const char *name = px_bus_symbol(bus, id);
    return name != NULL && strcmp(name, symbol) == 0;
}

static void *read_names(void *arg)
{
    struct reading *g = arg;
    struct px_tick t[32];
    struct px_last last;
    px_id id;
    pthread_barrier_wait(&g->race->start);
    for (uint64_t turn = 0; !pxi_load32_acquire(&g->race->stop); turn++) {
        int n = px_bus_poll(g->bus, t, 32);
        for (int i = 0; i < n; i++) {
            if (t[i].kind == PX_TRADE) {
                count(&g->reads);
                g->wrong += !name_fits(g->bus, t[i].id, t[i].exch_ns);
            } else if (t[i].id == PX_ID_NONE && t[i].u.status.event == PX_EVENT_EVICTED) {
                count(&g->busy);
            }
        }
        char symbol[16];
        snprintf(symbol, sizeof symbol, "x:%d", (int)(turn % SYMBOLS));
        if (px_bus_find(g->bus, symbol, &id) != 0 || px_bus_last_at(g->bus, id, 0, &last) != 0 ||
            last.trade_info.seq == 0)
            continue;
        count(&g->reads);
        g->wrong += !name_fits(g->bus, id, last.trade.price.mantissa);
    }
    return NULL;
}

static void write_names(struct race *race)
{
    int64_t end = rig_now_ns() + LIMIT_NS;
    char symbol[16];
    for (uint64_t n = 1; rig_now_ns() < end && !everybody(race, 50000, 20); n++) {
        snprintf(symbol, sizeof symbol, "x:%d", (int)(n % SYMBOLS));
        uint32_t slot = rig_bind(&race->r, symbol);
        for (uint64_t k = 0; k < 4; k++)
            rig_trade(&race->r, slot, n + SYMBOLS * k);
        px_writer_flush(race->r.w);
    }
}

T_TEST(no_price_comes_under_another_name_while_slots_change_hands)
{
    static struct race race;
    setup(&race, 4, 0);
    run(&race, read_names, write_names);
    for (int i = 0; i < READERS; i++) {
        printf("reads %llu, of owners gone by %llu\n", (unsigned long long)race.reading[i].reads,
               (unsigned long long)race.reading[i].busy);
        T_EQ(race.reading[i].wrong, 0);
        T_TRUE(race.reading[i].reads > 0);
        T_TRUE(race.reading[i].busy > 0);
    }
    teardown(&race);
}

/* ---- records ---- */

static void *read_records(void *arg)
{
    struct reading *g = arg;
    struct px_conn_info c;
    struct px_symbol_info s;
    pthread_barrier_wait(&g->race->start);
    while (!pxi_load32_acquire(&g->race->stop)) {
        int rc = px_bus_conn_at(g->bus, 0, &c, NULL);
        if (rc == -EAGAIN)
            count(&g->busy);
        else if (rc == 0 && (c.messages != c.bytes || c.messages != (uint64_t)c.since_mono_ns))
            g->wrong++;
        count(&g->reads);
        rc = px_bus_symbol_at(g->bus, 0, &s);
        if (rc == 0 && s.text[0] != '\0' && s.text[0] != s.text[100])
            g->wrong++;
    }
    return NULL;
}

static void write_records(struct race *race)
{
    int64_t end = rig_now_ns() + LIMIT_NS;
    char text[PX_TEXT_MAX + 1];
    for (uint64_t n = 1; rig_now_ns() < end && !everybody(race, 20000, 0); n++) {
        const struct px_conn_info c = {.messages = n, .bytes = n, .since_mono_ns = (int64_t)n};
        px_writer_conn(race->r.w, 0, &c);
        memset(text, 'a' + (int)(n % 26), PX_TEXT_MAX);
        text[PX_TEXT_MAX] = '\0';
        px_writer_text(race->r.w, 0, text);
    }
}

T_TEST(records_and_texts_are_whole)
{
    static struct race race;
    setup(&race, 4, 1);
    run(&race, read_records, write_records);
    for (int i = 0; i < READERS; i++) {
        T_EQ(race.reading[i].wrong, 0);
        T_TRUE(race.reading[i].reads >= 20000);
    }
    teardown(&race);
}
