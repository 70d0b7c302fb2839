/* pxstat --watch: the page again and again, on the whole terminal or, without one, one after the
 * other. */
#ifndef PX_TOOLS_PXSTAT_WATCH_H
#define PX_TOOLS_PXSTAT_WATCH_H

#include "page.h"
#include "px/bus.h"

struct watch {
    px_bus *bus;
    int64_t interval_ns;
    unsigned sections; /* 0: the overview */
    int json;
};

/* Until q, a signal, or nobody reads stdout any more. Returns the exit code of the last look. */
int watch_run(const struct watch *watch);

#endif
