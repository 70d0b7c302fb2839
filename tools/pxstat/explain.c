/* Names, units and meanings. Counters bring theirs in the segment; what pxstat reads or computes
 * from records stands here, under the names that --json prints. */
#include "explain.h"

#include <stdio.h>
#include <string.h>

static const struct {
    const char *name, *unit, *text;
} derived[] = {
    {"epoch", "count", "generation of the feeder on this segment, one more at each start"},
    {"sequence", "tick", "number of the last published tick, never reused on a bus"},
    {"capacity", "slots", "symbols that the bus has room for"},
    {"ring", "ticks", "ticks that a reader may fall behind before it loses some"},
    {"bytes", "bytes", "size of the segment"},
    {"state", "-",
     "live; idle: nothing is subscribed; stalled: no heartbeat for 1 s; gone: nobody holds the "
     "bus; closed: ended in order"},
    {"heartbeat_age_ms", "ms", "since the feeder last said that it lives; it does so each 100 ms"},
    {"uptime_s", "s", "since this epoch of the feeder began"},
    {"heap_bytes", "bytes", "allocated by the feeder, all owners together"},
    {"rss_bytes", "bytes", "resident memory of the feeder as the kernel counts it"},
    {"shm_bytes", "bytes", "shared memory of the bus"},
    {"growth_mb_per_hour", "MB/hour", "slope of memory (Sen's, 10^6 bytes), null until judged"},
    {"trend", "-", "flat, growing or shrinking (Mann-Kendall), unknown until judged"},
    {"confidence", "0 to 1", "of the trend"},
    {"owner", "-", "part of the feeder that grows, null if none does"},
    {"time_to_limit_s", "s", "until the hard limit at this slope, null if never"},
    {"level", "-", "ok, warning or critical, by growth and by the soft and hard limit"},
    {"mlock", "-",
     "memory is locked: all of it, part (the segment alone), refused with the reason, or off"},
    {"huge_pages", "-", "pages of 2 MiB: all (as far as whole ones fit), part, refused, or off"},
    {"descriptors", "count", "open in the feeder, of whatever kind"},
    {"blocks", "count", "that the feeder's libraries hold of memory"},
    {"breaker", "-", "closed: attempts allowed; open: none for a while; half-open: one on trial"},
    {"reconnects", "count", "times that a connection was opened again"},
    {"gaps", "count", "holes in the consecutive ids of the venue"},
    {"firsts", "trades", "brought here before another connection of the same symbols brought them"},
    {"seconds", "trades", "brought here after another connection"},
    {"behind_us", "us", "how much after, on average; null: none was"},
    {"messages", "count", "data messages received on a connection"},
    {"message_age_ms", "ms", "since the last data message of a connection, null if none came"},
    {"latency_us", "us", "from receipt of the bytes to publication, percentiles since its start"},
    {"age_ms", "ms", "since the newest tick of a symbol was received, null if none came"},
    {"readers", "count", "of a symbol: processes that subscribe to it"},
    {"lag", "ticks", "how far a reader was behind when the feeder last looked"},
    {"lost", "ticks", "sequences that a reader skipped because it was overrun"},
    {"quality", "-",
     "live; quiet: silent for longer than usual on a live connection; carried: from an earlier "
     "epoch; gap: ticks are missing; stale; closed: refused or ended"},
};

size_t explain_derived(const char *name)
{
    size_t count = 0;
    for (size_t i = 0; i < sizeof derived / sizeof derived[0]; i++) {
        if (name != NULL && strcmp(name, derived[i].name) != 0)
            continue;
        if (count++ == 0 && name == NULL)
            printf("derived by pxstat\n");
        printf("%-22s %-8s %s\n", derived[i].name, derived[i].unit, derived[i].text);
    }
    return count;
}

size_t explain_counters(const struct snapshot *s, const char *name)
{
    size_t count = 0;
    for (size_t i = 0; i < s->counter_count; i++) {
        const struct px_counter_info *c = &s->counters[i];
        if (name != NULL && strcmp(name, c->name) != 0)
            continue;
        if (count++ == 0 && name == NULL)
            printf("counters of bus %s\n", s->bus.bus);
        printf("%-22s %-8s %s; %s, now %llu\n", c->name, c->unit, c->description,
               c->type == PX_LEVEL ? "a level" : "counts up", (unsigned long long)c->value);
    }
    return count;
}
