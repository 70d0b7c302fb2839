/* See teller.h. */
#include "teller.h"

#include <fcntl.h>
#include <signal.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include "cli.h"
#include "json_out.h"

#define COMMAND_NS INT64_C(30000000000)

extern char **environ;

static char *json_of(const struct teller *t, const struct alert *alert, int64_t utc_s,
                     size_t *length)
{
    struct json_out out;
    char *text = NULL;
    FILE *file = open_memstream(&text, length);
    if (file == NULL)
        return NULL;
    jout_start(&out, file);
    jout_object(&out, NULL);
    jout_text(&out, "bus", t->bus);
    jout_text(&out, "kind", alert_kind_name(alert->kind));
    jout_text(&out, "level", alert_level_name(alert->level));
    jout_text(&out, "before", alert_level_name(alert->before));
    jout_text(&out, "text", alert->text);
    jout_signed(&out, "time", utc_s);
    jout_end_object(&out);
    fputc('\n', file);
    if (fclose(file) == 0)
        return text;
    free(text);
    return NULL;
}

/* The environment of this process and what a short script wants to know. NULL: no memory. */
static char **environment_of(const struct teller *t, const struct alert *alert, char text[4][512])
{
    size_t n = 0, count = 0;
    while (environ[count] != NULL)
        count++;
    char **env = calloc(count + 5, sizeof *env);
    if (env == NULL)
        return NULL;
    snprintf(text[0], 512, "PX_ALERT_BUS=%s", t->bus);
    snprintf(text[1], 512, "PX_ALERT_KIND=%s", alert_kind_name(alert->kind));
    snprintf(text[2], 512, "PX_ALERT_LEVEL=%s", alert_level_name(alert->level));
    snprintf(text[3], 512, "PX_ALERT_TEXT=%s", alert->text);
    for (size_t i = 0; i < count; i++)
        if (strncmp(environ[i], "PX_ALERT_", 9) != 0)
            env[n++] = environ[i];
    for (size_t i = 0; i < 4; i++)
        env[n++] = text[i];
    return env;
}

/* In a process group of its own, with the JSON on stdin and stdout on our stderr. */
static int spawn(const char *command, int in, char **env, pid_t *ret_pid)
{
    char *const argv[] = {"sh", "-c", (char *)(uintptr_t)command, NULL};
    posix_spawn_file_actions_t files;
    posix_spawnattr_t how;
    sigset_t defaults, none;
    sigemptyset(&none);
    sigemptyset(&defaults);
    sigaddset(&defaults, SIGPIPE);
    sigaddset(&defaults, SIGXFSZ);
    posix_spawn_file_actions_init(&files);
    posix_spawn_file_actions_adddup2(&files, in, STDIN_FILENO);
    posix_spawn_file_actions_adddup2(&files, STDERR_FILENO, STDOUT_FILENO);
    posix_spawn_file_actions_addclosefrom_np(&files, 3);
    posix_spawnattr_init(&how);
    posix_spawnattr_setsigdefault(&how, &defaults);
    posix_spawnattr_setsigmask(&how, &none);
    posix_spawnattr_setpgroup(&how, 0);
    posix_spawnattr_setflags(&how, POSIX_SPAWN_SETSIGDEF | POSIX_SPAWN_SETSIGMASK |
                                       POSIX_SPAWN_SETPGROUP);
    int rc = posix_spawn(ret_pid, "/bin/sh", &files, &how, argv, env);
    posix_spawnattr_destroy(&how);
    posix_spawn_file_actions_destroy(&files);
    return rc;
}

static void run_command(struct teller *t, const struct alert *alert, const char *json,
                        size_t length)
{
    char text[4][512];
    size_t place = 0;
    while (place < TELLER_COMMANDS && t->running[place].pid != 0)
        place++;
    if (place == TELLER_COMMANDS) {
        cli_error(0, "alert-command", "%d of them run already, %s is not told", TELLER_COMMANDS,
                  alert_kind_name(alert->kind));
        return;
    }
    char **env = environment_of(t, alert, text);
    int in = memfd_create("alert", MFD_CLOEXEC);
    int rc = env == NULL || in < 0 ? -1 : 0;
    if (rc == 0 && (write(in, json, length) != (ssize_t)length || lseek(in, 0, SEEK_SET) < 0))
        rc = -1;
    if (rc == 0)
        rc = spawn(t->command, in, env, &t->running[place].pid);
    if (in >= 0)
        close(in);
    free(env);
    if (rc != 0) {
        t->running[place].pid = 0;
        cli_error(0, "alert-command", "cannot be started");
        return;
    }
    t->running[place].start_ns = cli_now_ns();
}

void teller_tell(struct teller *t, const struct alert *alert, int64_t utc_s)
{
    size_t length = 0;
    char *json = json_of(t, alert, utc_s, &length);
    cli_error(0, t->bus, "alert: %s %s (was %s): %s", alert_kind_name(alert->kind),
              alert_level_name(alert->level), alert_level_name(alert->before), alert->text);
    if (json == NULL)
        return;
    if (t->command != NULL)
        run_command(t, alert, json, length);
    if (t->hook != NULL)
        hook_post(t->hook, json, length);
    free(json);
}

static void reap(struct teller *t, size_t i, int64_t now_ns)
{
    int status;
    pid_t rc = waitpid(t->running[i].pid, &status, WNOHANG);
    if (rc == 0 && now_ns - t->running[i].start_ns <= COMMAND_NS)
        return;
    if (rc == 0) {
        kill(-t->running[i].pid, SIGKILL);
        cli_error(0, "alert-command", "did not end within 30 s and was killed");
        waitpid(t->running[i].pid, &status, 0);
    } else if (rc > 0 && WIFSIGNALED(status)) {
        cli_error(0, "alert-command", "ended by signal %d", WTERMSIG(status));
    } else if (rc > 0 && WEXITSTATUS(status) != 0) {
        cli_error(0, "alert-command", "ended with %d", WEXITSTATUS(status));
    }
    t->running[i].pid = 0;
}

void teller_step(struct teller *t, int64_t now_ns)
{
    for (size_t i = 0; i < TELLER_COMMANDS; i++)
        if (t->running[i].pid != 0)
            reap(t, i, now_ns);
}

void teller_end(struct teller *t)
{
    for (size_t i = 0; i < TELLER_COMMANDS; i++)
        if (t->running[i].pid != 0)
            kill(-t->running[i].pid, SIGKILL);
}
