/* The examples, run as a user runs them. */
#include "t.h"

#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include "atomic.h"
#include "rig.h"

/* Start an example with its output on a stream. */
static FILE *start(const char *name, const char *symbol, pid_t *pid)
{
    char path[256];
    int out[2];
    snprintf(path, sizeof path, "%s/%s", PX_EXAMPLES, name);
    T_EQ(pipe(out), 0);
    *pid = fork();
    if (*pid == 0) {
        dup2(out[1], STDOUT_FILENO);
        dup2(out[1], STDERR_FILENO);
        close(out[0]);
        execl(path, name, symbol, (char *)NULL);
        _exit(127);
    }
    close(out[1]);
    return fdopen(out[0], "r");
}

static int finish(FILE *f, pid_t pid)
{
    int status;
    fclose(f);
    T_EQ(waitpid(pid, &status, 0), pid);
    return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}

T_TEST(read_one_prints_the_last_price)
{
    struct rig r = {0};
    char line[200] = "";
    pid_t pid;
    rig_listen(&r);
    rig_open(&r, 16, 64);
    rig_trade(&r, rig_bind(&r, "x:A"), 12345);
    setenv("PX_BUS", r.bus, 1);
    rig_serve_start(&r);
    FILE *f = start("read_one", "x:A", &pid);
    T_TRUE(fgets(line, sizeof line, f) != NULL);
    T_EQ(finish(f, pid), 0);
    rig_serve_stop(&r);
    T_TRUE(strncmp(line, "x:A 123.45, ", 12) == 0);
    T_TRUE(strstr(line, ", live\n") != NULL);
    rig_free(&r);
}

T_TEST(read_one_without_a_bus_says_so)
{
    char line[200] = "", bus[32];
    pid_t pid;
    snprintf(bus, sizeof bus, "t-no-%d", (int)getpid());
    setenv("PX_BUS", bus, 1);
    FILE *f = start("read_one", "x:A", &pid);
    T_TRUE(fgets(line, sizeof line, f) != NULL);
    T_EQ(finish(f, pid), 1);
    T_STR(line, "read_one: bus: not there\n");
}

T_TEST(watch_prints_every_trade_in_order)
{
    struct rig r = {0};
    char line[200] = "", expected[200];
    pid_t pid;
    rig_listen(&r);
    rig_open(&r, 16, 64);
    setenv("PX_BUS", r.bus, 1);
    rig_serve_start(&r);
    FILE *f = start("watch", "x:A", &pid);
    /* What comes before it has joined is in the cell and not in its stream: wait until it sleeps.
     */
    int64_t end = rig_now_ns() + 10000000000;
    for (uint32_t asleep = 0; asleep == 0 && rig_now_ns() < end; usleep(1000)) {
        rig_lock();
        struct px_page *page = r.subscribes != 0 ? r.session[0].page : NULL;
        asleep = page != NULL ? pxi_load32(&page->sleeping) : 0;
        rig_unlock();
    }
    for (uint64_t n = 100; n < 110; n++) {
        rig_lock();
        rig_trade(&r, rig_bind(&r, "x:A"), n);
        px_writer_flush(r.w);
        rig_unlock();
    }
    for (uint64_t n = 100; n < 110; n++) {
        T_TRUE(fgets(line, sizeof line, f) != NULL);
        snprintf(expected, sizeof expected, "x:A 1.%02d x 0.00000%d\n", (int)(n - 100), (int)n + 2);
        T_STR(line, expected);
    }
    kill(pid, SIGTERM);
    T_EQ(finish(f, pid), 128 + SIGTERM);
    rig_serve_stop(&r);
    rig_free(&r);
}
