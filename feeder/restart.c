#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

#include "feeder.h"

/* What a feeder leaves to the one that it becomes, beside its segment. Not settings: only a process
 * that the feeder itself executed finds them, and they are taken away at once. */
#define LOCK_VARIABLE "PX_LOCK_FD"

static char program[4096];
static char **arguments;

void restart_remember(char **argv)
{
    arguments = argv;
    ssize_t n = readlink("/proc/self/exe", program, sizeof program - 1);
    program[n > 0 ? n : 0] = '\0';
    if (n <= 0)
        snprintf(program, sizeof program, "%s", argv[0]);
}

int restart_inherited_lock(void)
{
    const char *text = getenv(LOCK_VARIABLE);
    if (text == NULL)
        return -1;
    char *end;
    long fd = strtol(text, &end, 10);
    bool good = *text != '\0' && *end == '\0' && fd > 2 && fd < 65536;
    unsetenv(LOCK_VARIABLE);
    if (!good || fcntl((int)fd, F_SETFD, FD_CLOEXEC) < 0)
        return -1;
    return (int)fd;
}

/* Libraries open descriptors of their own: none but the lock goes over. */
static void keep_only(int fd)
{
    struct rlimit limit;
    int most = getrlimit(RLIMIT_NOFILE, &limit) == 0 && limit.rlim_cur < 65536 ? (int)limit.rlim_cur
                                                                               : 65536;
    for (int i = 3; i < most; i++)
        fcntl(i, F_SETFD, i == fd ? 0 : FD_CLOEXEC);
}

int restart_exec(int lock_fd, const struct demo *demo)
{
    char number[16];
    snprintf(number, sizeof number, "%d", lock_fd);
    setenv(LOCK_VARIABLE, number, 1);
    demo_leave(demo);
    keep_only(lock_fd);
    execv(program, arguments);
    int rc = -errno;
    feeder_say(program, "cannot be executed anew: %s", strerror(-rc));
    return rc;
}
