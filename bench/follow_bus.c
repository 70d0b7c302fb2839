#include "follow.h"

#include "clock.h"
#include "px/bus.h"
#include "util.h"

static px_bus *bus;

void follow_open(const char *where)
{
    const struct px_bus_options options = {.all = 1, .no_socket = 1, .wait_ms = 5000};
    const int rc = px_bus_attach(&bus, where, &options);
    if (rc < 0)
        util_die(px_strerror(rc), 0);
}

void follow_until(uint64_t stamp)
{
    const int64_t end = clock_mono_ns() + 10000000000;
    struct px_tick t;
    for (;;) {
        const int n = px_bus_poll(bus, &t, 1);
        if (n > 0 && t.kind == PX_TRADE && (uint64_t)t.u.trade.size.mantissa == stamp)
            return;
        if (n < 0)
            util_die(px_strerror(n), 0);
        if (n == 0 && clock_mono_ns() > end)
            util_die("a frame that was sent did not reach the bus", 0);
    }
}
