/* Between the two halves of the hub: who is there (hub.c) and what happens when (hub_run.c). */
#ifndef PXSIM_HUB_INTERNAL_H
#define PXSIM_HUB_INTERNAL_H

#include "hub.h"

#define HUB_BUCKETS 4096U
#define HUB_SCRATCH (3U << 20) /* an all-market array of 10,000 symbols */
#define NS_PER_S    1000000000ULL

struct hub {
    struct hub_options options;
    uint64_t rng;
    struct sim_time now; /* of the last turn */
    struct instrument *buckets[HUB_BUCKETS];
    size_t instruments;
    struct instrument **active; /* with a source that runs */
    size_t active_count, active_room;
    struct instrument **listed;
    size_t listed_count;
    bool closed; /* no instruments but the listed ones */
    struct session *sessions;
    unsigned all_mini, beats; /* streams of these kinds */
    uint64_t next_100ms_ns, next_1s_ns;
    struct hub_stats stats;
    struct hub_tally **tally_tail;
    struct hub_tally *tally_buckets[HUB_BUCKETS];
    size_t tallies;
    char scratch[HUB_SCRATCH];
};

#endif
