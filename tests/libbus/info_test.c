/* The bus in operation, as tools see it. */
#include "t.h"

#include <errno.h>
#include <unistd.h>

#include "rig.h"

T_TEST(the_bus_in_operation_is_told)
{
    struct rig r = {0};
    rig_open(&r, 16, 64);
    px_bus *bus = rig_reader(&r, 0);
    uint32_t slot = rig_bind(&r, "x:A");
    rig_trade(&r, slot, 5);
    px_writer_text(r.w, slot, "the venue's words");
    px_writer_quality(r.w, slot, PX_QUIET, PX_CAUSE_SYMBOL_SILENT);
    px_writer_flush(r.w);

    struct px_bus_info info;
    T_EQ(px_bus_info(bus, &info), 0);
    T_STR(info.bus, r.bus);
    T_STR(info.version, "test");
    T_EQ(info.capacity, 16);
    T_EQ(info.ring, 64);
    T_EQ(info.symbols, 1);
    T_EQ(info.epoch, 1);
    T_EQ(info.state, PX_STATE_LIVE);
    T_EQ(info.pid, getpid());
    T_EQ(info.head, px_writer_sequence(r.w));
    T_TRUE(info.heartbeat_age_ns >= 0 && info.uptime_ns >= 0);

    struct px_symbol_info s;
    T_EQ(px_bus_symbol_at(bus, slot, &s), 0);
    T_STR(s.symbol, "x:A");
    T_STR(s.text, "the venue's words");
    T_EQ(s.quality, PX_QUIET);
    T_EQ(s.cause, PX_CAUSE_SYMBOL_SILENT);
    T_EQ(s.ticks[PX_TRADE], 1);
    T_TRUE(s.age_ns >= 0);
    T_EQ(s.conn, UINT32_MAX);
    T_EQ(px_bus_symbol_at(bus, slot == 0 ? 1 : 0, &s), -ENOENT);
    T_EQ(px_bus_symbol_at(bus, 16, &s), -ERANGE);

    struct px_conn_info c = {.venue = "x", .state = PX_CONN_LIVE};
    uint64_t latency[PX_LATENCY_BUCKETS];
    T_EQ(px_bus_conn_at(bus, 0, &c, NULL), -ENOENT);
    px_writer_latency(r.w, 3, 5, 2);
    px_writer_conn(r.w, 3, &c);
    memset(&c, 0, sizeof c);
    T_EQ(px_bus_conn_at(bus, 3, &c, latency), 0);
    T_STR(c.venue, "x");
    T_EQ(latency[5], 2);
    T_EQ(px_bus_conn_at(bus, info.conns, &c, NULL), -ERANGE);

    struct px_reader_info reader = {.name = "me", .pid = 7};
    px_writer_reader(r.w, 2, &reader);
    memset(&reader, 0, sizeof reader);
    T_EQ(px_bus_reader_at(bus, 2, &reader), 0);
    T_STR(reader.name, "me");
    T_EQ(px_bus_reader_at(bus, 1, &reader), -ENOENT);

    struct px_error_info e;
    T_EQ(px_bus_error_at(bus, 0, &e), -ENOENT);
    px_writer_error(r.w, "bad-json", "at byte 7", 9);
    T_EQ(px_bus_error_at(bus, 0, &e), 0);
    T_STR(e.text, "at byte 7");
    T_EQ(px_bus_error_at(bus, info.errors, &e), -ERANGE);

    struct px_counter_info counter;
    T_EQ(px_bus_counter_at(bus, PX_B_ticks_trade, &counter), 0);
    T_STR(counter.name, "ticks_trade");
    T_EQ(counter.value, 1);
    T_EQ(px_bus_counter_at(bus, info.counters, &counter), -ERANGE);
    px_bus_detach(bus);
    rig_free(&r);
}

T_TEST(memory_samples_are_read_from_the_newest_back)
{
    struct rig r = {0};
    struct px_memory_sample m;
    struct px_memory_verdict v;
    rig_open(&r, 16, 64);
    px_bus *bus = rig_reader(&r, 0);
    T_EQ(px_bus_memory_second(bus, 0, &m), -ENOENT);
    T_EQ(px_bus_memory_verdict(bus, &v), -ENOENT);
    for (int i = 1; i <= 4000; i++) {
        m = (struct px_memory_sample){.utc_ns = i};
        px_writer_memory_second(r.w, &m);
    }
    T_EQ(px_bus_memory_second(bus, 0, &m), 0);
    T_EQ(m.utc_ns, 4000);
    T_EQ(px_bus_memory_second(bus, 3599, &m), 0);
    T_EQ(m.utc_ns, 401);
    T_EQ(px_bus_memory_second(bus, 3600, &m), -ERANGE);
    m = (struct px_memory_sample){.utc_ns = 6};
    px_writer_memory_minute(r.w, &m);
    T_EQ(px_bus_memory_minute(bus, 1, &m), -ENOENT);
    T_EQ(px_bus_memory_minute(bus, 0, &m), 0);
    v = (struct px_memory_verdict){.mono_ns = 1, .growth_bytes_per_hour = -5};
    px_writer_memory_verdict(r.w, &v);
    memset(&v, 0, sizeof v);
    T_EQ(px_bus_memory_verdict(bus, &v), 0);
    T_EQ(v.growth_bytes_per_hour, -5);
    px_bus_detach(bus);
    rig_free(&r);
}
