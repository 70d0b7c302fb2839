/* A bus of its own for each test: a real writer in this process, and, where a test needs one, a
 * control socket that answers as a feeder does. */
#ifndef PX_TESTS_RIG_H
#define PX_TESTS_RIG_H

#include "px/bus.h"
#include "px/control.h"
#include "px/writer.h"

#define RIG_SESSIONS 8

struct rig_session {
    int fd;
    struct px_page *page;
};

struct rig {
    char bus[PX_BUS_NAME_MAX + 1];
    char socket[108];
    px_writer *w;
    struct px_writer_report report;
    int listener;
    int refuse; /* result of every SUBSCRIBE, 0 yes */
    int silent; /* requests stay unanswered */
    int subscribes, unsubscribes;
    char last_symbol[48];
    uint32_t last_kinds;
    struct rig_session session[RIG_SESSIONS];
};

/* Open the bus of this rig (a name is made the first time). Capacity or ring 0: the defaults. */
void rig_open(struct rig *r, uint32_t capacity, uint32_t ring);
/* The feeder ends in order; the segment stays. */
void rig_close(struct rig *r);
/* End, and remove every file. */
void rig_free(struct rig *r);

/* Listen on the control socket (before rig_open(), which publishes its path). */
void rig_listen(struct rig *r);
/* Answer whatever has come, for `ms`. */
void rig_serve(struct rig *r, int ms);
/* Serve in a thread of its own until rig_serve_stop(); the writer is not to be used meanwhile but
 * between rig_lock() and rig_unlock(). */
void rig_serve_start(struct rig *r);
void rig_serve_stop(struct rig *r);
void rig_lock(void);
void rig_unlock(void);
void rig_hang_up(struct rig *r);

uint32_t rig_bind(struct rig *r, const char *symbol);
/* Publish a trade whose price, size and id say `n`. */
uint64_t rig_trade(struct rig *r, uint32_t slot, uint64_t n);
/* The same as a trade that is older than the last. */
uint64_t rig_past(struct rig *r, uint32_t slot, uint64_t n);
uint64_t rig_quote(struct rig *r, uint32_t slot, uint64_t n);
uint64_t rig_ticker(struct rig *r, uint32_t slot, uint64_t n);
void rig_status(struct rig *r, uint32_t slot, uint32_t event);

int64_t rig_now_ns(void);

/* A reader of this bus; fails the test if it cannot attach. */
px_bus *rig_reader(struct rig *r, int all);
/* Does a tick carry `n` in every word? */
int rig_tick_is(const struct px_tick *t, uint64_t n);

#endif
