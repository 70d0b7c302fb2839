/* The histogram of receipt to publication of a bus, over all its connections: one line a bucket
 * with its lower bound in ns and the ticks in it. conn_latency BUS */
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include "derive.h"
#include "px/bus.h"
#include "snapshot.h"
#include "util.h"

int main(int argc, char **argv)
{
    struct snapshot s;
    px_bus *bus;
    const struct px_bus_options how = {.no_socket = 1, .max_ids = 1, .name = "bench"};
    util_deadline(30);
    if (argc != 2)
        util_die("one argument is needed: the bus", 0);
    int rc = px_bus_attach(&bus, argv[1], &how);
    if (rc == 0)
        rc = snapshot_take(&s, bus);
    if (rc < 0)
        util_die(argv[1], -rc);
    for (unsigned b = 0; b < PX_LATENCY_BUCKETS; b++) {
        uint64_t count = 0;
        for (size_t i = 0; i < s.conn_count; i++)
            count += s.conns[i].buckets[b];
        printf("%.0f %llu\n", latency_bound_ns(b), (unsigned long long)count);
    }
    snapshot_free(&s);
    px_bus_detach(bus);
    return 0;
}
