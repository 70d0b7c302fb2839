/* The last price of a symbol that has all three kinds: px_bus_last_at, or with --clock px_bus_last,
 * which reads the clock itself. */
#include <stdint.h>
#include <string.h>

#include "bus_writer.h"
#include "clock.h"
#include "px/bus.h"
#include "util.h"

#define CALLS 2000000

static void publish_all_kinds(struct bus_writer *b)
{
    for (uint16_t kind = PX_TRADE; kind <= PX_TICKER; kind++) {
        struct px_update u;
        memset(&u, 0, sizeof u);
        u.kind = kind;
        u.mono_ns = clock_mono_ns();
        if (px_writer_publish(b->w, b->slot, &u) == 0)
            util_die("publish", 0);
    }
    px_writer_flush(b->w);
}

static double time_calls(px_bus *bus, px_id id, int with_clock, double ns)
{
    struct px_last last;
    const int64_t now = clock_mono_ns();
    int64_t failed = 0;
    const uint64_t begin = clock_cycles();
    for (int i = 0; i < CALLS; i++) {
        failed += with_clock ? px_bus_last(bus, id, &last) : px_bus_last_at(bus, id, now, &last);
        __asm__ __volatile__("" : : "r"(&last) : "memory");
    }
    const double each = (double)(clock_cycles() - begin) * ns / CALLS;
    if (failed != 0)
        util_die("px_bus_last failed", 0);
    return each;
}

int main(int argc, char **argv)
{
    struct bus_writer b;
    px_bus *bus;
    px_id id;
    memset(&b, 0, sizeof b);
    util_deadline(30);
    util_pin(0);
    const double ns = clock_calibrate();
    bus_writer_open(&b, 65536);
    publish_all_kinds(&b);
    const struct px_bus_options options = {.no_socket = 1};
    int rc = px_bus_attach(&bus, bus_name(), &options);
    if (rc == 0)
        rc = px_bus_find(bus, BUS_SYMBOL, &id);
    if (rc < 0)
        util_die(px_strerror(rc), 0);
    util_print("slot_read_ns", time_calls(bus, id, util_flag(argc, argv, "clock"), ns));
    px_bus_detach(bus);
    bus_writer_close(&b);
    return 0;
}
