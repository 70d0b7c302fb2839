/* What one feeder is made of, in the order in which it is opened. */
#ifndef PX_FEEDER_FEEDER_H
#define PX_FEEDER_FEEDER_H

#include <signal.h>

#include "backfill.h"
#include "config.h"
#include "control.h"
#include "fleet.h"
#include "guests.h"
#include "memwatch.h"
#include "net.h"
#include "pages.h"
#include "state.h"

#include "px/layout.h"

/* Why the loop ends. */
enum feeder_end { FEEDER_RUNS = 0, FEEDER_STOPS, FEEDER_RESTARTS, FEEDER_FAILS };

struct feeder;

/* A session of the control socket on the loop. */
struct session_watch {
    struct feeder *feeder;
    int session;
    struct net_fd sock;
};

/* A simulated exchange of --demo. */
struct demo_exchange {
    int pid; /* 0 none */
    char endpoint[128];
};
#define DEMO_EXCHANGES 6
struct demo {
    struct demo_exchange exchange[DEMO_EXCHANGES];
};

struct feeder {
    struct config config;
    struct demo demo;
    px_writer *writer;
    struct net *net;
    struct resolve *resolve;
    struct tls_context *tls; /* until the fleet has it */
    struct wants *wants;
    struct fold *fold;
    struct publish *publish;
    struct fleet *fleet;
    struct backfill *backfill;
    struct guests guests;  /* connections of before a restart */
    struct rearguard rear; /* that is left behind by one */
    struct state *state;
    struct gate *gate;
    struct memwatch memwatch;
    struct pages pages;
    struct control *control;
    struct session_watch *sessions; /* PXL_READERS_MAX */
    struct net_fd control_watch, resolve_watch, signal_watch;
    struct net_timer timer, memory_timer;
    char control_path[CONFIG_PATH_MAX], state_dir[CONFIG_PATH_MAX];
    uint64_t ticks; /* of the timer */
    uint64_t saved_revision;
    uint64_t leaked_frames; /* messages that --test-leak has answered */
    int64_t opened_ns;      /* when this process began to feed */
    int64_t sample_ns;      /* when memory is sampled next */
    int64_t recycle_ns;     /* not before, after one that could not be */
    int64_t end_by_ns;      /* when the farewell to the venues is over */
    enum feeder_end end;
    bool made;     /* the segment is new and nothing was fed yet: a failed start removes it */
    bool reload;   /* asked for */
    bool overlaps; /* the restart that ends this: a rear-guard keeps the connections meanwhile */
    bool left;     /* the farewell to the venues is over */
    bool restart;  /* asked for, and waits until the overlap of the last one is over */
    bool nameless; /* the segment's name was removed, and that was said */
};

/* Open everything and begin to feed. Errors: negative errno, said on stderr in one sentence. */
int feeder_open(struct feeder *f);
/* Until the end; returns its kind. */
enum feeder_end feeder_run(struct feeder *f);
/* The one teardown. With `keep` the segment stays as it is, for the feeder that follows by exec. */
void feeder_close(struct feeder *f, bool keep);
/* Begin to end: farewell to the venues, then the loop stops. A restart that `overlaps` goes without
 * a farewell, if a rear-guard can be left. */
void feeder_end(struct feeder *f, enum feeder_end how);
/* Apply the configuration anew. */
void feeder_reload(struct feeder *f);

/* upkeep.c: memory watched, cleaned up, recycled. Open says what is wrong; start begins to sample;
 * close also what was never opened. Errors: negative errno. */
int upkeep_open(struct feeder *f);
void upkeep_start(struct feeder *f);
void upkeep_close(struct feeder *f);
/* The configuration's limits hold from now on. */
void upkeep_limits(struct feeder *f);
/* Restart if the configuration, which the new process reads anew, is good: one with an error would
 * end the feed. With `overlap` its connections are read on meanwhile, if they can be; it waits then
 * for the end of the last such overlap. Errors: negative errno with one sentence in text. */
int feeder_restart(struct feeder *f, bool overlap, char *text, size_t cap);

/* sessions.c: the control socket on the loop. Errors: negative errno, said. */
int sessions_open(struct feeder *f);
void sessions_close(struct feeder *f);

/* restart.c: the lock's descriptor that an earlier self left, or -1. */
int restart_inherited_lock(void);
/* The rear-guard that it left, if it did. */
struct rearguard restart_inherited_rearguard(void);
/* Remember where this program came from; first thing in main. */
void restart_remember(char **argv);
/* Become a new feeder: same path, arguments, environment, pid. Returns only if that fails: negative
 * errno. */
int restart_exec(int lock_fd, const struct rearguard *rear, const struct demo *demo);

/* demo.c: start a simulated exchange for one venue of each family (or find those that an earlier
 * self started) and point the configuration at them. Errors: negative errno, said. */
int demo_start(struct demo *demo, struct config *config);
void demo_stop(struct demo *demo);
/* Tell the self that follows by exec. */
void demo_leave(const struct demo *demo);
/* Said once for each that has died. */
void demo_check(struct demo *demo);

/* "feeder: object: reason" on stderr. */
void feeder_say(const char *object, const char *format, ...) __attribute__((format(printf, 2, 3)));

#endif
