/* A restart of the feeder from the browser, and how far it is. The feeder is asked as pxrestart
 * asks, in a thread, because one that hangs answers late or never. */
#ifndef PX_TOOLS_PXMON_RESTART_H
#define PX_TOOLS_PXMON_RESTART_H

#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>

#include "subject.h"

enum restart_phase {
    RESTART_IDLE,
    RESTART_ASKED,   /* the feeder has not answered yet */
    RESTART_WAITING, /* it took the order: for the new epoch */
    RESTART_WARMING, /* for a live price, where somebody wants one */
    RESTART_DONE,
    RESTART_FAILED
};

struct restart {
    enum restart_phase phase;
    char text[320]; /* one sentence about it */
    uint64_t epoch_before, epoch;
    int64_t start_ns;
    size_t wanted;             /* symbols that somebody wanted before */
    int answer_in, answer_out; /* a pipe: the thread writes what came of it */
    pthread_t thread;
    struct px_bus_info info; /* of the bus, for the thread */
};

bool restart_is_running(const struct restart *r);

/* Begin. Errors: -EALREADY one is running; -ENOENT no bus; -EAGAIN no thread. */
int restart_begin(struct restart *r, const struct subject *s);

/* Look how far it is; `looked`: the subject's snapshot is new. True when something changed. */
bool restart_step(struct restart *r, const struct subject *s, bool looked);

const char *restart_phase_name(enum restart_phase phase);

/* Wait for the thread, if there is one. */
void restart_end(struct restart *r);

#endif
