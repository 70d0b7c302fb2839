/* Directories, checked before anything is put there: who owns them, and whether the group of the
 * segment can enter them. */
#include "dirs.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static int fail(char error[CONFIG_ERROR_MAX], const char *dir, const char *reason, int rc)
{
    snprintf(error, CONFIG_ERROR_MAX, "%s: %s", dir, reason);
    return rc;
}

/* Make `dir` and what is missing above it. */
static int make(const char *dir, mode_t mode)
{
    char path[CONFIG_PATH_MAX];
    if (snprintf(path, sizeof(path), "%s", dir) >= (int)sizeof(path))
        return -ENAMETOOLONG;
    for (char *p = path + 1; *p != '\0'; p++)
        if (*p == '/') {
            *p = '\0';
            if (mkdir(path, 0755) != 0 && errno != EEXIST)
                return -errno;
            *p = '/';
        }
    return mkdir(path, mode) != 0 && errno != EEXIST ? -errno : 0;
}

/* May members of the group pass through the directory, by its mode bits? */
static bool group_enters(const struct stat *st, int64_t group)
{
    return (st->st_mode & S_IXOTH) != 0 ||
           ((int64_t)st->st_gid == group && (st->st_mode & S_IXGRP) != 0);
}

static int check_group(const char *dir, int64_t group, char error[CONFIG_ERROR_MAX])
{
    char path[CONFIG_PATH_MAX];
    struct stat st;
    snprintf(path, sizeof(path), "%s", dir);
    for (size_t len = strlen(path); len > 0; len--) {
        if (path[len] != '\0' && path[len] != '/')
            continue;
        path[len] = '\0';
        if (stat(path, &st) == 0 && !group_enters(&st, group)) {
            snprintf(error, CONFIG_ERROR_MAX, "%s: group %lld cannot enter %s", dir,
                     (long long)group, path);
            return -EACCES;
        }
    }
    return 0;
}

/* Our own directory gets the segment's group; one that is somebody else's must do as it is. */
static int prepare(const char *dir, int64_t group, char error[CONFIG_ERROR_MAX])
{
    struct stat st;
    int rc = make(dir, group < 0 ? 0700 : 0750);
    if (rc != 0)
        return fail(error, dir, strerror(-rc), rc);
    if (stat(dir, &st) != 0)
        return fail(error, dir, strerror(errno), -errno);
    if (!S_ISDIR(st.st_mode))
        return fail(error, dir, "not a directory", -ENOTDIR);
    if ((st.st_mode & (S_IWOTH | S_ISVTX)) == S_IWOTH)
        return fail(error, dir, "everybody could replace what is in it", -EPERM);
    if (group >= 0 && st.st_uid == geteuid() && !group_enters(&st, group)) {
        if (chown(dir, (uid_t)-1, (gid_t)group) != 0)
            return fail(error, dir, "cannot be given to the group", -errno);
        if (chmod(dir, (st.st_mode & 07777) | S_IRGRP | S_IXGRP) != 0)
            return fail(error, dir, strerror(errno), -errno);
    }
    if (access(dir, W_OK | X_OK) != 0)
        return fail(error, dir, "not writable", -errno);
    return group < 0 ? 0 : check_group(dir, group, error);
}

/* /tmp is everybody's: what stands there under our name must be a directory of ours alone. */
static int check_own(const char *dir, char error[CONFIG_ERROR_MAX])
{
    struct stat st;
    if (lstat(dir, &st) != 0)
        return errno == ENOENT ? 0 : fail(error, dir, strerror(errno), -errno);
    if (!S_ISDIR(st.st_mode) || st.st_uid != geteuid() || (st.st_mode & S_IWOTH) != 0)
        return fail(error, dir, "is not a directory of this user alone", -EPERM);
    return 0;
}

static int join(char *out, size_t cap, const char *a, const char *b, char error[CONFIG_ERROR_MAX])
{
    int n = snprintf(out, cap, "%s%s", a, b);
    return n < 0 || (size_t)n >= cap ? fail(error, a, "the path is too long", -ENAMETOOLONG) : 0;
}

int dirs_runtime(const struct config *config, char *out, size_t cap, char error[CONFIG_ERROR_MAX])
{
    char own[64];
    int rc;
    if (config->runtime_dir[0] != '\0') {
        rc = join(out, cap, config->runtime_dir, "", error);
    } else if (access("/run/px", W_OK) == 0 ||
               (make("/run/px", 0755) == 0 && access("/run/px", W_OK) == 0)) {
        rc = join(out, cap, "/run/px", "", error);
    } else if (config->env.xdg_runtime_dir != NULL) {
        rc = join(out, cap, config->env.xdg_runtime_dir, "/px", error);
    } else {
        snprintf(own, sizeof(own), "/tmp/px-%u", (unsigned)geteuid());
        rc = join(out, cap, own, "", error);
        if (rc == 0)
            rc = check_own(out, error);
    }
    return rc != 0 ? rc : prepare(out, config->group, error);
}

int dirs_state(const struct config *config, char *out, size_t cap, char error[CONFIG_ERROR_MAX])
{
    int rc;
    if (config->state_dir[0] != '\0')
        rc = join(out, cap, config->state_dir, "", error);
    else if (geteuid() == 0)
        rc = join(out, cap, "/var/lib/px", "", error);
    else if (config->env.xdg_state_home != NULL)
        rc = join(out, cap, config->env.xdg_state_home, "/px", error);
    else if (config->env.home != NULL)
        rc = join(out, cap, config->env.home, "/.local/state/px", error);
    else
        return fail(error, "state directory",
                    "neither $XDG_STATE_HOME nor $HOME is set, use "
                    "--state-dir",
                    -ENOENT);
    return rc != 0 ? rc : prepare(out, -1, error);
}
