/* When somebody has to be told: levels of what may go wrong, and the changes of them that are worth
 * a message. Pure. */
#ifndef PX_TOOLS_PXMON_ALERTS_H
#define PX_TOOLS_PXMON_ALERTS_H

#include <stddef.h>
#include <stdint.h>

#include "subject.h"

enum alert_kind {
    ALERT_GROWTH,
    ALERT_STALENESS,
    ALERT_BREAKER,
    ALERT_LOSS,
    ALERT_FEEDER,
    ALERT_KINDS
};
enum alert_level { ALERT_OK, ALERT_WARNING, ALERT_CRITICAL };

struct alert {
    enum alert_kind kind;
    enum alert_level level, before; /* `before`: what was told last */
    char text[320];
};

struct alerts {
    int64_t interval_ns; /* between two messages of one kind, at least */
    struct {
        enum alert_level now, told;
        int64_t since_ns; /* of `now` */
        int64_t told_ns;  /* 0: never */
        char text[320];
    } kinds[ALERT_KINDS];
    int64_t loss_ns; /* when a reader last lost ticks, 0 never */
};

/* After each look. Writes what is to be told now, and returns how many: a level that is worse holds
 * for ALERT_HOLD_NS before it counts, so that a planned restart alarms nobody. */
#define ALERT_HOLD_NS INT64_C(3000000000)
size_t alerts_step(struct alerts *a, const struct subject *s, int64_t now_ns,
                   struct alert out[ALERT_KINDS]);

const char *alert_kind_name(enum alert_kind kind);
const char *alert_level_name(enum alert_level level);

#endif
