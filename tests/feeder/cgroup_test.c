/* The limit of the own control group, and of those above it, from files as the kernel writes them.
 */
#include <errno.h>
#include <sys/stat.h>
#include <unistd.h>

#include "cgroup.h"
#include "t.h"

static char folder[64];

static void put(const char *name, const char *text)
{
    char path[256];
    snprintf(path, sizeof path, "%s/%s", folder, name);
    FILE *f = fopen(path, "w");
    T_TRUE(f != NULL && fputs(text, f) >= 0 && fclose(f) == 0);
}

static void make(void)
{
    char path[256];
    strcpy(folder, "/tmp/px-cgroup-XXXXXX");
    T_TRUE(mkdtemp(folder) != NULL);
    snprintf(path, sizeof path, "%s/px.slice", folder);
    T_EQ(mkdir(path, 0700), 0);
    snprintf(path, sizeof path, "%s/px.slice/feeder", folder);
    T_EQ(mkdir(path, 0700), 0);
    put("own", "4:memory:/other\n0::/px.slice/feeder\n");
}

static int ask(uint64_t *bytes)
{
    char own[128];
    snprintf(own, sizeof own, "%s/own", folder);
    return cgroup_memory_max(own, folder, bytes);
}

static void clear(void)
{
    static const char *const names[] = {"px.slice/feeder/memory.max",
                                        "px.slice/memory.max",
                                        "own",
                                        "px.slice/feeder",
                                        "px.slice",
                                        ""};
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
        char path[256];
        snprintf(path, sizeof path, "%s/%s", folder, names[i]);
        if (unlink(path) < 0)
            rmdir(path);
    }
}

T_TEST(the_limit_of_the_own_group_is_found)
{
    uint64_t bytes = 1;
    make();
    put("px.slice/feeder/memory.max", "134217728\n");
    T_EQ(ask(&bytes), 0);
    T_EQ(bytes, 134217728);
    put("px.slice/feeder/memory.max", "max\n");
    T_EQ(ask(&bytes), 0);
    T_TRUE(bytes == UINT64_MAX);
    clear();
}

T_TEST(a_lower_limit_of_a_group_above_counts)
{
    uint64_t bytes = 1;
    make();
    put("px.slice/feeder/memory.max", "134217728\n");
    put("px.slice/memory.max", "1048576\n");
    T_EQ(ask(&bytes), 0);
    T_EQ(bytes, 1048576);
    clear();
}

T_TEST(without_the_controller_there_is_no_limit_to_know)
{
    uint64_t bytes = 1;
    make();
    T_EQ(ask(&bytes), -ENOENT);
    put("own", "4:memory:/other\n");
    T_EQ(ask(&bytes), -ENOENT);
    T_EQ(bytes, 1);
    clear();
}
