/* pxstat --watch: one look after the other, on the whole terminal (screen.h) or, without one,
 * printed one after the other. */
#ifndef PX_TOOLS_PXSTAT_WATCH_H
#define PX_TOOLS_PXSTAT_WATCH_H

#include <stdint.h>

struct watch {
    const char *bus;
    int64_t interval_ns;
    unsigned sections; /* as in page.h, 0: all that matters */
    int json;
};

/* Until q, a signal, or nobody reads stdout any more. A bus that goes is waited for; one that is
 * not there at first is an error, printed. Returns the exit code of the last look. */
int watch_run(const struct watch *watch);

#endif
