/* The reader behind the feeder in the socket benchmarks: attaches to --bus, subscribes, and
 *   measures the CPU time of the feeder per frame, looking at the head of the bus now and then; or
 *   --stamps: reads every tick, sleeping between them, and prints the time from the sender to here;
 *   --idle: only subscribes and waits, where the sender is the reader. */
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "bus_writer.h"
#include "frame_report.h"
#include "px/bus.h"
#include "util.h"

/* CPU time of another process: the clock id is the kernel's, clock_getcpuclockid() of the C library
 * makes the same. */
static int64_t cpu_of(int pid)
{
    clockid_t clock;
    struct timespec t;
    if (clock_getcpuclockid(pid, &clock) != 0 || clock_gettime(clock, &t) != 0)
        util_die("the feeder's CPU time", 0);
    return (int64_t)t.tv_sec * 1000000000 + t.tv_nsec;
}

static uint64_t head_of(px_bus *bus)
{
    struct px_bus_stats stats;
    px_bus_stats(bus, &stats);
    return stats.head;
}

/* From a fifth of the frames to all of them, as in frame_report.h. */
static void measure_feeder(px_bus *bus, long count)
{
    struct px_bus_info info;
    if (px_bus_info(bus, &info) < 0)
        util_die("bus", 0);
    const uint64_t start = head_of(bus);
    uint64_t from, to;
    while ((from = head_of(bus)) < start + (uint64_t)count / 5)
        usleep(1000);
    const int64_t cpu = cpu_of(info.pid), wall = clock_mono_ns();
    while ((to = head_of(bus)) < start + (uint64_t)count)
        usleep(1000);
    const double n = (double)(to - from);
    util_print("cpu_ns", (double)(cpu_of(info.pid) - cpu) / n);
    util_print("wall_ns", (double)(clock_mono_ns() - wall) / n);
}

static void measure_reach(px_bus *bus, long count)
{
    static struct frame_report report;
    struct px_tick t[64];
    for (long seen = 0; seen < count;) {
        const int n = px_bus_poll(bus, t, 64);
        if (n < 0)
            util_die(px_strerror(n), 0);
        for (int i = 0; i < n; i++)
            if (t[i].kind == PX_TRADE) {
                frame_report_stamp(&report, (uint64_t)t[i].u.trade.size.mantissa);
                seen++;
            }
        if (n == 0)
            px_bus_wait(bus, 100000000);
    }
    frame_report_print(&report, 1);
}

int main(int argc, char **argv)
{
    const struct px_bus_options options = {.wait_ms = 10000, .name = "bench"};
    const long count = util_option(argc, argv, "count", 100000);
    px_bus *bus;
    px_id id;
    util_deadline(60);
    int rc = px_bus_attach(&bus, util_text_option(argc, argv, "bus", NULL), &options);
    if (rc < 0)
        util_die(px_strerror(rc), 0);
    if (util_flag(argc, argv, "stamps"))
        util_pin(1);
    rc = px_bus_subscribe(bus, BUS_SYMBOL, PX_TRADES, &id, 10000);
    if (rc < 0)
        util_die(px_bus_message(bus), -rc);
    if (util_flag(argc, argv, "idle"))
        pause();
    if (util_flag(argc, argv, "stamps"))
        measure_reach(bus, count);
    else
        measure_feeder(bus, count);
    px_bus_detach(bus);
    return 0;
}
