/* What the tests of publish.c share: a real segment with a reader of all of it, time that is moved
 * by hand, and events of one symbol. */
#ifndef PX_TESTS_PUBLISH_RIG_H
#define PX_TESTS_PUBLISH_RIG_H

#include "t.h"

#include <unistd.h>

#include "counters.h"
#include "log.h"
#include "publish.h"

#include "px/bus.h"

#define MS INT64_C(1000000)
#define S  (1000 * MS)

/* A real segment with a reader of all of it; time is moved by hand. */
struct fixture {
    char bus[PX_BUS_NAME_MAX + 1];
    struct config config;
    px_writer *writer;
    struct wants *wants;
    struct fold *fold;
    struct publish *publish;
    struct publish_source from;
    struct publish_time at;
    px_bus *reader;
    uint32_t planned_ends, resyncs, resync_kinds;
    uint32_t slot;
};

static __attribute__((unused)) void on_control(void *user, const struct venue_event *event)
{
    struct fixture *f = user;
    f->planned_ends += event->type == VENUE_PLANNED_END;
    f->resyncs += event->type == VENUE_RESYNC;
    if (event->type == VENUE_RESYNC)
        f->resync_kinds = event->kinds;
}

static __attribute__((unused)) void setup(struct fixture *f, const char *symbol)
{
    static int number;
    struct px_writer_report report;
    char error[CONFIG_ERROR_MAX] = "";
    memset(f, 0, sizeof *f);
    snprintf(f->bus, sizeof f->bus, "tp%d-%d", (int)getpid(), number++);
    char *argv[] = {(char *)"feeder", (char *)"-b", f->bus, (char *)symbol, NULL};
    log_set_level(LOG_LEVEL_ERROR);
    T_EQ(config_load(4, argv, &f->config, error), 0);
    struct px_writer_options options = {.bus = f->bus,
                                        .capacity = 16,
                                        .ring = 1024,
                                        .group = -1,
                                        .version = "test",
                                        .lock_fd = -1,
                                        .counters = px_feeder_counters,
                                        .counter_count = PX_C_COUNT};
    T_EQ(px_writer_open(&f->writer, &options, &report), 0);
    f->at = (struct publish_time){.utc_ns = 1700000000 * S, .mono_ns = 1000 * S};
    f->wants = wants_new(&f->config, f->writer);
    T_TRUE(f->wants != NULL);
    wants_apply(f->wants, &f->config, f->at.mono_ns);
    struct fold_options fold = {.books = 4, .depth = 8, .merges = 4, .sources = SUBS_LINKS_MAX};
    f->fold = fold_new(&fold);
    T_TRUE(f->fold != NULL);
    f->publish = publish_new(f->writer, f->wants, f->fold);
    T_TRUE(f->publish != NULL);
    const struct px_venue *binance = venue_find("binance", 7);
    f->from = (struct publish_source){.venue = binance,
                                      .venue_index = (uint32_t)config_venue_index(binance),
                                      .life = 1,
                                      .control = on_control,
                                      .user = f};
    struct px_bus_options all = {.all = 1, .no_socket = 1};
    T_EQ(px_bus_attach(&f->reader, f->bus, &all), 0);
    px_writer_find(f->writer, symbol, strlen(symbol), &f->slot);
}

static __attribute__((unused)) void teardown(struct fixture *f)
{
    int32_t held_by;
    px_bus_detach(f->reader);
    publish_free(f->publish);
    fold_free(f->fold);
    wants_free(f->wants);
    px_writer_close(f->writer);
    px_writer_remove(f->bus, &held_by);
    char lock[64];
    snprintf(lock, sizeof lock, "/dev/shm/px-%s.lock", f->bus);
    unlink(lock);
    config_free(&f->config);
}

static __attribute__((unused)) void give(struct fixture *f, const struct venue_event *event)
{
    publish_event(f->publish, &f->from, event, f->at);
    px_writer_flush(f->writer);
}

static __attribute__((unused)) struct venue_event trade_of(struct fixture *f, uint64_t id)
{
    return (struct venue_event){.type = VENUE_TRADE,
                                .flags = PX_SIDE_BUY,
                                .symbol = "BTCUSDT",
                                .symbol_len = 7,
                                .exch_ns = f->at.utc_ns,
                                .venue_id = id,
                                .consecutive = true,
                                .u.trade = {{6183763, -2}, {2, -1}, id}};
}

static __attribute__((unused)) void trade(struct fixture *f, uint64_t id)
{
    struct venue_event event = trade_of(f, id);
    give(f, &event);
}

static __attribute__((unused)) void quote(struct fixture *f, uint64_t id, int64_t bid)
{
    struct venue_event event = {.type = VENUE_QUOTE,
                                .symbol = "BTCUSDT",
                                .symbol_len = 7,
                                .venue_id = id,
                                .derived = id == 0,
                                .u.quote = {{bid, 0}, {1, 0}, {bid + 1, 0}, {1, 0}}};
    give(f, &event);
}

static __attribute__((unused)) void ticker(struct fixture *f, int64_t exch_ns, int64_t last)
{
    struct venue_event event = {.type = VENUE_TICKER,
                                .symbol = "BTCUSDT",
                                .symbol_len = 7,
                                .exch_ns = exch_ns,
                                .u.ticker = {{last, 0}, {1, 0}, {9, 0}, {1, 0}}};
    give(f, &event);
}

static __attribute__((unused)) void pass(struct fixture *f, int64_t ns)
{
    f->at.mono_ns += ns;
    f->at.utc_ns += ns;
}

static __attribute__((unused)) void lose(struct fixture *f, uint32_t conn)
{
    struct publish_source from = f->from;
    from.conn = conn;
    publish_lost(f->publish, &from, PX_CAUSE_CONNECTION_LOST, f->at);
    px_writer_flush(f->writer);
}

static __attribute__((unused)) struct px_last held(struct fixture *f)
{
    struct px_last last = {0};
    px_id id;
    T_EQ(px_bus_find(f->reader, "binance:BTCUSDT", &id), 0);
    T_EQ(px_bus_last(f->reader, id, &last), 0);
    return last;
}

/* A link that asks for everything and is answered. */
static __attribute__((unused)) void open_link(struct fixture *f, uint32_t link, uint32_t shard)
{
    struct subs *subs = wants_subs(f->wants);
    char text[4096];
    int64_t at;
    T_EQ(subs_link_open(subs, link, f->from.venue_index, shard, 0), 0);
    while (subs_next(subs, link, f->at.mono_ns, text, sizeof text, &at) > 0)
        subs_ack(subs, link, 0, f->at.mono_ns);
}

/* What the loop does ten times a second, with a venue that takes every request. */
static __attribute__((unused)) void turn(struct fixture *f, uint32_t link)
{
    struct subs *subs = wants_subs(f->wants);
    char text[4096];
    int64_t at;
    wants_tick(f->wants, f->at.mono_ns);
    while (subs_next(subs, link, f->at.mono_ns, text, sizeof text, &at) > 0)
        subs_ack(subs, link, 0, f->at.mono_ns);
    wants_tick(f->wants, f->at.mono_ns);
}

/* Kinds and events since the last call, a letter each: t q k, and of STATUS g gap, s stale, l live,
 * u quiet; bind and what the writer says by itself is left out. */
static __attribute__((unused)) const char *seen(struct fixture *f)
{
    static char text[128];
    static const char kinds[] = "tqk";
    static const char events[PX_EVENT_COUNT] = {[PX_EVENT_GAP] = 'g',
                                                [PX_EVENT_STALE] = 's',
                                                [PX_EVENT_LIVE] = 'l',
                                                [PX_EVENT_QUIET] = 'u'};
    struct px_tick tick;
    size_t n = 0;
    while (px_bus_poll(f->reader, &tick, 1) == 1 && n < sizeof text - 1) {
        char c = tick.kind < PX_STATUS ? kinds[tick.kind] : events[tick.u.status.event];
        if (c != '\0')
            text[n++] = c;
    }
    text[n] = '\0';
    return text;
}

static __attribute__((unused)) uint64_t counted(const struct fixture *f, uint32_t counter)
{
    return px_writer_value(f->writer, counter);
}

#endif
