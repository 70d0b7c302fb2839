/* A restart from the screen: pxrestart in a process of its own, so that the screen never waits. */
#ifndef PX_TOOLS_PXSTAT_RECYCLE_H
#define PX_TOOLS_PXSTAT_RECYCLE_H

#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

struct recycle {
    int running;
    int code; /* its exit status when it has ended, -1 it could not be started or was killed */
    pid_t pid;
    int fd; /* what it prints, while it runs */
    int64_t start_ns, took_ns;
    char output[4096]; /* so far, whole lines in the end */
    size_t used;
};

/* Run the pxrestart beside our own binary, else that of PATH, on a bus. Never blocks. What hinders
 * it stands in `output`. One that runs already is left alone. */
void recycle_begin(struct recycle *r, const char *bus);

/* Take what it has printed. Returns 1 when there is something new to show. */
int recycle_step(struct recycle *r);

/* Leave it: it goes on by itself. */
void recycle_leave(struct recycle *r);

#endif
