/* Tells an alert: to a command, and to a URL. */
#ifndef PX_TOOLS_PXMON_TELLER_H
#define PX_TOOLS_PXMON_TELLER_H

#include <stdint.h>
#include <sys/types.h>

#include "alerts.h"
#include "hook.h"

#define TELLER_COMMANDS 4 /* that run at the same time */

struct teller {
    const char *bus, *command; /* NULL: none */
    struct hook *hook;         /* NULL: none */
    struct {
        pid_t pid; /* 0: free */
        int64_t start_ns;
    } running[TELLER_COMMANDS];
};

void teller_tell(struct teller *t, const struct alert *alert, int64_t utc_s);

/* Each second: reap commands that ended, end those that run too long. */
void teller_step(struct teller *t, int64_t now_ns);

/* End what runs. The hook is the caller's. */
void teller_end(struct teller *t);

#endif
