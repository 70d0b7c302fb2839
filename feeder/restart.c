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
#define REAR_VARIABLE "PX_REAR_FD_PID"

static char program[4096];
static char **arguments;
static struct rearguard inherited;

/* A descriptor that was left to us, or -1. No program that we start is to have it. */
static int ours(long fd)
{
    return fd > 2 && fd < 65536 && fcntl((int)fd, F_SETFD, FD_CLOEXEC) == 0 ? (int)fd : -1;
}

/* At once: a simulated exchange that is started before it is used would hold it open. */
static void inherit_rearguard(void)
{
    const char *text = getenv(REAR_VARIABLE);
    int fd, pid;
    if (text != NULL && sscanf(text, "%d %d", &fd, &pid) == 2 && pid > 0 && ours(fd) >= 0)
        inherited = (struct rearguard){.fd = fd, .pid = pid};
    unsetenv(REAR_VARIABLE);
}

void restart_remember(char **argv)
{
    arguments = argv;
    ssize_t n = readlink("/proc/self/exe", program, sizeof program - 1);
    program[n > 0 ? n : 0] = '\0';
    if (n <= 0)
        snprintf(program, sizeof program, "%s", argv[0]);
    inherit_rearguard();
}

struct rearguard restart_inherited_rearguard(void)
{
    return inherited;
}

int restart_inherited_lock(void)
{
    const char *text = getenv(LOCK_VARIABLE);
    if (text == NULL)
        return -1;
    char *end;
    long fd = strtol(text, &end, 10);
    bool good = *text != '\0' && *end == '\0';
    unsetenv(LOCK_VARIABLE);
    return good ? ours(fd) : -1;
}

/* Libraries open descriptors of their own: none but these go over. */
static void keep_only(int lock_fd, const struct rearguard *rear)
{
    struct rlimit limit;
    int most = getrlimit(RLIMIT_NOFILE, &limit) == 0 && limit.rlim_cur < 65536 ? (int)limit.rlim_cur
                                                                               : 65536;
    for (int i = 3; i < most; i++)
        fcntl(i, F_SETFD, i == lock_fd || (rear->pid != 0 && i == rear->fd) ? 0 : FD_CLOEXEC);
}

int restart_exec(int lock_fd, const struct rearguard *rear, const struct demo *demo)
{
    char text[32];
    snprintf(text, sizeof text, "%d", lock_fd);
    setenv(LOCK_VARIABLE, text, 1);
    snprintf(text, sizeof text, "%d %d", rear->fd, (int)rear->pid);
    if (rear->pid != 0)
        setenv(REAR_VARIABLE, text, 1);
    demo_leave(demo);
    keep_only(lock_fd, rear);
    execv(program, arguments);
    int rc = -errno;
    feeder_say(program, "cannot be executed anew: %s", strerror(-rc));
    return rc;
}
