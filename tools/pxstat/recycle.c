/* See recycle.h. */
#include "recycle.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <spawn.h>
#include <stdio.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "cli.h"

extern char **environ;

static void find_program(char *path, size_t size)
{
    ssize_t n = readlink("/proc/self/exe", path, size - sizeof "/pxrestart");
    char *slash = n > 0 ? memrchr(path, '/', (size_t)n) : NULL;
    if (slash != NULL) {
        strcpy(slash, "/pxrestart");
        if (access(path, X_OK) == 0)
            return;
    }
    snprintf(path, size, "pxrestart"); /* looked for along PATH */
}

static void fail(struct recycle *r, const char *path, int error)
{
    int n = snprintf(r->output, sizeof r->output, "%s: %s\n", path, strerror(error));
    r->used = n > 0 && (size_t)n < sizeof r->output ? (size_t)n : 0;
    r->running = 0;
    r->code = -1;
}

/* A process group of its own: Ctrl-C and Ctrl-Z are for the screen. */
static int spawn(pid_t *pid, const char *path, const char *bus, int out)
{
    char *const argv[] = {(char *)"pxrestart", (char *)"-b", (char *)bus, NULL};
    posix_spawn_file_actions_t files;
    posix_spawnattr_t how;
    sigset_t none;
    sigemptyset(&none);
    posix_spawn_file_actions_init(&files);
    posix_spawnattr_init(&how);
    posix_spawn_file_actions_addopen(&files, STDIN_FILENO, "/dev/null", O_RDONLY, 0);
    posix_spawn_file_actions_adddup2(&files, out, STDOUT_FILENO);
    posix_spawn_file_actions_adddup2(&files, out, STDERR_FILENO);
    posix_spawnattr_setpgroup(&how, 0);
    posix_spawnattr_setsigmask(&how, &none);
    posix_spawnattr_setflags(&how, POSIX_SPAWN_SETPGROUP | POSIX_SPAWN_SETSIGMASK);
    int rc = posix_spawnp(pid, path, &files, &how, argv, environ);
    posix_spawnattr_destroy(&how);
    posix_spawn_file_actions_destroy(&files);
    return rc;
}

void recycle_begin(struct recycle *r, const char *bus)
{
    char path[4096];
    int ends[2];
    if (r->running)
        return;
    *r = (struct recycle){.running = 1, .fd = -1, .start_ns = cli_now_ns()};
    find_program(path, sizeof path);
    if (pipe2(ends, O_CLOEXEC | O_NONBLOCK) < 0) {
        fail(r, path, errno);
        return;
    }
    /* its end blocks, as a program expects of its output */
    int rc = fcntl(ends[1], F_SETFL, 0) < 0 ? errno : spawn(&r->pid, path, bus, ends[1]);
    close(ends[1]);
    r->fd = ends[0];
    if (rc != 0) {
        close(ends[0]);
        fail(r, path, rc);
    }
}

int recycle_step(struct recycle *r)
{
    char rest[512];
    int status, news = 0;
    if (!r->running)
        return 0;
    for (;;) {
        /* what does not fit is read all the same, or it would never end */
        size_t room = sizeof r->output - 1 - r->used;
        ssize_t n =
            room > 0 ? read(r->fd, r->output + r->used, room) : read(r->fd, rest, sizeof rest);
        if (n <= 0)
            break;
        r->used += room > 0 ? (size_t)n : 0;
        news = 1;
    }
    r->took_ns = cli_now_ns() - r->start_ns;
    if (waitpid(r->pid, &status, WNOHANG) != r->pid)
        return news;
    /* it may have printed between the read and its end */
    ssize_t n = read(r->fd, r->output + r->used, sizeof r->output - 1 - r->used);
    r->used += n > 0 ? (size_t)n : 0;
    close(r->fd);
    r->fd = -1;
    r->running = 0;
    r->code = WIFEXITED(status) ? WEXITSTATUS(status) : -1;
    return 1;
}

void recycle_leave(struct recycle *r)
{
    if (r->running)
        close(r->fd);
    r->running = 0;
}
