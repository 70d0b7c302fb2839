/* A restart of the feeder from the browser, and how far it is. A thread asks the feeder as
 * pxrestart asks, because one that hangs answers late or never, and follows the bus as pxrestart
 * follows it, on an attachment of its own. The loop copies what that thread found. */
#ifndef PX_TOOLS_PXMON_RESTART_H
#define PX_TOOLS_PXMON_RESTART_H

#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>

#include "measure.h"
#include "subject.h"

enum restart_phase {
    RESTART_IDLE,
    RESTART_ASKED,      /* the feeder has not answered yet */
    RESTART_DOWN,       /* it took the order: for the new epoch */
    RESTART_CONNECTING, /* for the connections of the new epoch */
    RESTART_WARMING,    /* for a new price of each symbol that was live */
    RESTART_DONE,
    RESTART_FAILED,
    RESTART_PHASE_COUNT
};

struct restart_progress {
    enum restart_phase phase;
    char text[320]; /* one sentence about it */
    uint64_t epoch_before, epoch;
    int64_t start_utc_s;
    int64_t at_ms[RESTART_PHASE_COUNT];     /* since the start, when a phase began; -1 not yet */
    uint32_t connections, connections_live; /* of the new epoch */
    uint32_t symbols, symbols_live;         /* that were live before, and that are again */
    double blackout_ms;                     /* as pxrestart says it; NAN not known (yet) */
};

struct restart {
    struct restart_progress now; /* the loop's copy */
    bool has_thread;             /* the loop's */
    pthread_t thread;
    pthread_mutex_t lock; /* of the next two */
    struct restart_progress found;
    bool stop;
    /* the thread's alone, once it runs */
    const char *name;
    struct measure measure;
    int64_t start_ns;
};

/* Once, before anything else. */
void restart_init(struct restart *r);

bool restart_is_running(const struct restart *r);

/* Begin. Errors: -EALREADY one is running; -ENOENT no bus; -EAGAIN no thread. */
int restart_begin(struct restart *r, const struct subject *s);

/* Take what the thread found. True while there is one, and once more when it ended. */
bool restart_step(struct restart *r);

const char *restart_phase_name(enum restart_phase phase);

/* Wait for the thread, if there is one: it ends as soon as the feeder has answered it. */
void restart_end(struct restart *r);

#endif
