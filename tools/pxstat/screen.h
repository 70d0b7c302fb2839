/* pxstat --watch on a terminal: keys in, cells out. Only screen.c and terminal.c know curses. */
#ifndef PX_TOOLS_PXSTAT_SCREEN_H
#define PX_TOOLS_PXSTAT_SCREEN_H

#include <signal.h>

#include "subject.h"

struct screen_request {
    struct subject *subject; /* looked at once already */
    int64_t interval_ns;
    unsigned sections;                   /* as in page.h, 0: the panes */
    const volatile sig_atomic_t *signal; /* not 0: end; SIGINT, SIGTERM and SIGHUP set it */
};

/* Look and show until q, a signal, or the terminal is gone; its state is then as it was. The health
 * of the last look is in the subject. Errors: -ENOTTY no terminal on which a cursor can be placed:
 * a pipe, TERM=dumb, not known to terminfo; nothing was written. */
int screen_run(const struct screen_request *request);

#endif
