/* What each number is: its unit, its meaning, and where it comes from. One table for pxstat
 * --explain; the texts that pxmon's /metrics says too are named here, so that both say the same. */
#ifndef PX_TOOLS_LOOK_MEANING_H
#define PX_TOOLS_LOOK_MEANING_H

#include <stddef.h>

#define TEXT_HEARTBEAT  "since the feeder last said that it lives"
#define TEXT_UPTIME     "since this epoch of the feeder began"
#define TEXT_EPOCH      "generation of the feeder on this segment, one more at each start"
#define TEXT_CAPACITY   "symbols that the bus has room for"
#define TEXT_RING       "ticks that a reader may fall behind before it loses some"
#define TEXT_SEGMENT    "size of the shared memory of the bus"
#define TEXT_RESIDENT   "resident memory of the feeder as the kernel counts it"
#define TEXT_HEAP       "heap reserved by the feeder, all owners together"
#define TEXT_OWNER_HEAP "heap reserved by the feeder, by owner"
#define TEXT_AGE        "since the newest tick of a subscribed symbol"
#define TEXT_MESSAGE    "since the last data message"
#define TEXT_MESSAGES   "data messages received"
#define TEXT_BYTES      "bytes received"
#define TEXT_TICKS      "ticks published"
#define TEXT_GAPS       "holes in the venue's ids"
#define TEXT_DUPLICATES "events dropped as seen before"
#define TEXT_REFUSED    "messages refused"
#define TEXT_ATTEMPTS   "attempts to connect"
#define TEXT_RECONNECTS "times opened again"
#define TEXT_WANTED     "streams asked for"
#define TEXT_ACKED      "streams that the venue accepted"
#define TEXT_LATENCY    "from receipt of the bytes to publication"
#define TEXT_LAG        "how far behind when the feeder last looked"
#define TEXT_LOST       "skipped because the reader was overrun"
#define TEXT_SUBSCRIBES "symbols that it subscribes to"

struct meaning {
    const char *name; /* as --json has it, if it does; of a pair "x.y" the y */
    const char *of;   /* whose number: "bus", "feeder", "memory", "connection", ... */
    const char *unit, *text;
    const char *source; /* "written by MODULE", or "derived from X and Y" */
};

/* Everything but the counters, in the order of --json. A name may be there more than once. */
extern const struct meaning meanings[];
extern const size_t meanings_count;

/* The module that writes a counter of a feeder of our own version, NULL if it has none such. */
const char *meaning_counter_writer(const char *name);

#endif
