#include "cgroup.h"

#include <errno.h>
#include <limits.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* The path of the one hierarchy of version 2, whose line begins with "0::". */
static bool own_path(const char *own, char *path, size_t cap)
{
    char line[PATH_MAX];
    bool found = false;
    FILE *f = fopen(own, "re");
    while (f != NULL && !found && fgets(line, sizeof line, f) != NULL) {
        line[strcspn(line, "\n")] = '\0';
        found = strncmp(line, "0::/", 4) == 0 && strlen(line + 3) < cap;
    }
    if (f != NULL)
        fclose(f);
    if (found)
        memcpy(path, line + 3, strlen(line + 3) + 1);
    return found;
}

static int read_max(const char *mount, const char *path, uint64_t *bytes)
{
    char file[2 * PATH_MAX], text[32];
    snprintf(file, sizeof file, "%s%s/memory.max", mount, strcmp(path, "/") == 0 ? "" : path);
    FILE *f = fopen(file, "re");
    if (f == NULL)
        return -errno;
    bool any = fgets(text, sizeof text, f) != NULL;
    fclose(f);
    if (!any)
        return -ENODATA;
    *bytes = text[0] == 'm' ? UINT64_MAX : strtoull(text, NULL, 10);
    return 0;
}

int cgroup_memory_max(const char *own, const char *mount, uint64_t *bytes)
{
    char path[PATH_MAX];
    uint64_t lowest = UINT64_MAX, here = UINT64_MAX;
    bool any = false;
    if (!own_path(own, path, sizeof path))
        return -ENOENT;
    for (;;) {
        if (read_max(mount, path, &here) == 0) {
            any = true;
            lowest = here < lowest ? here : lowest;
        }
        char *last = strrchr(path, '/');
        if (strcmp(path, "/") == 0)
            break;
        last[last == path ? 1 : 0] = '\0';
    }
    if (!any)
        return -ENOENT;
    *bytes = lowest;
    return 0;
}
