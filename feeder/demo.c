#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include "feeder.h"
#include "log.h"

/* "pid endpoint" of a simulated exchange that an earlier self started and that still runs. */
#define DEMO_VARIABLE "PX_DEMO"
#define START_MS      5000

static const char *const symbols[] = {"BTCUSDT", "ETHUSDT",  "BNBUSDT", "SOLUSDT",  "XRPUSDT",
                                      "ADAUSDT", "DOGEUSDT", "TRXUSDT", "LINKUSDT", "AVAXUSDT",
                                      "DOTUSDT", "LTCUSDT",  "BCHUSDT", "UNIUSDT",  "ATOMUSDT",
                                      "XLMUSDT", "NEARUSDT", "FILUSDT", "ICPUSDT",  "ETCUSDT"};
#define SYMBOLS (sizeof symbols / sizeof symbols[0])

/* pxsim beside this program. */
static int simulator(char *path, size_t cap)
{
    ssize_t n = readlink("/proc/self/exe", path, cap - 1);
    if (n <= 0)
        return -errno;
    path[n] = '\0';
    char *slash = strrchr(path, '/');
    if (slash == NULL || (size_t)(slash + 1 - path) + sizeof "pxsim" > cap)
        return -ENAMETOOLONG;
    strcpy(slash + 1, "pxsim");
    return access(path, X_OK) < 0 ? -errno : 0;
}

static _Noreturn void become(const char *path, int out, pid_t parent)
{
    sigset_t none;
    sigemptyset(&none);
    sigprocmask(SIG_SETMASK, &none, NULL);
    prctl(PR_SET_PDEATHSIG, SIGTERM);
    if (getppid() == parent) { /* else it died before it could be noticed */
        dup2(out, STDOUT_FILENO);
        execl(path, "pxsim", "--venue", "binance", "--port", "0", (char *)NULL);
    }
    _exit(127);
}

/* The first line: "pxsim: listening on ADDR:PORT". */
static int read_endpoint(int fd, char *endpoint, size_t cap)
{
    static const char before[] = "pxsim: listening on ";
    char line[128];
    size_t len = 0;
    struct pollfd p = {.fd = fd, .events = POLLIN};
    while (len < sizeof line - 1 && memchr(line, '\n', len) == NULL) {
        if (poll(&p, 1, START_MS) <= 0)
            return -ETIMEDOUT;
        ssize_t n = read(fd, line + len, sizeof line - 1 - len);
        if (n <= 0)
            return -EPIPE;
        len += (size_t)n;
    }
    line[len] = '\0';
    line[strcspn(line, "\n")] = '\0';
    if (strncmp(line, before, sizeof before - 1) != 0)
        return -EPROTO;
    snprintf(endpoint, cap, "ws://%s", line + sizeof before - 1);
    return 0;
}

static int start(struct demo *demo)
{
    char path[4096];
    int out[2];
    int rc = simulator(path, sizeof path);
    if (rc < 0) {
        feeder_say("--demo", "no pxsim beside this program: %s", strerror(-rc));
        return rc;
    }
    if (pipe2(out, O_CLOEXEC) < 0)
        return -errno;
    pid_t parent = getpid(), pid = fork();
    if (pid == 0)
        become(path, out[1], parent);
    close(out[1]);
    demo->pid = pid;
    rc = pid < 0 ? -errno : read_endpoint(out[0], demo->endpoint, sizeof demo->endpoint);
    close(out[0]);
    if (rc < 0) {
        feeder_say("--demo", "%s did not start: %s", path, strerror(-rc));
        demo_stop(demo);
    }
    return rc;
}

/* The one that an earlier self started: still our child, since exec changes no parent. */
static bool find(struct demo *demo)
{
    const char *text = getenv(DEMO_VARIABLE);
    bool found = text != NULL && sscanf(text, "%d %127s", &demo->pid, demo->endpoint) == 2 &&
                 demo->pid > 0 && waitpid(demo->pid, NULL, WNOHANG) == 0;
    unsetenv(DEMO_VARIABLE);
    if (!found)
        *demo = (struct demo){.pid = 0};
    return found;
}

void demo_leave(const struct demo *demo)
{
    char text[160];
    if (demo->pid <= 0)
        return;
    snprintf(text, sizeof text, "%d %s", demo->pid, demo->endpoint);
    setenv(DEMO_VARIABLE, text, 1);
}

static int ask_for_symbols(struct config *config)
{
    if (config->symbol_count > 0)
        return 0;
    config->symbols = calloc(SYMBOLS, sizeof *config->symbols);
    if (config->symbols == NULL)
        return -ENOMEM;
    config->symbol_count = SYMBOLS;
    for (size_t i = 0; i < SYMBOLS; i++) {
        snprintf(config->symbols[i].symbol, sizeof config->symbols[i].symbol, "binance:%s",
                 symbols[i]);
        config->symbols[i].kinds = config->kinds;
    }
    return 0;
}

int demo_start(struct demo *demo, struct config *config)
{
    int rc = find(demo) ? 0 : start(demo);
    if (rc < 0)
        return rc;
    const struct px_venue *binance = venue_find("binance", strlen("binance"));
    struct config_venue *v = &config->venue[config_venue_index(binance)];
    snprintf(v->endpoint, sizeof v->endpoint, "%s", demo->endpoint);
    return ask_for_symbols(config);
}

void demo_stop(struct demo *demo)
{
    if (demo->pid <= 0)
        return;
    kill(demo->pid, SIGTERM);
    waitpid(demo->pid, NULL, 0);
    demo->pid = 0;
}

void demo_check(struct demo *demo)
{
    if (demo->pid <= 0 || waitpid(demo->pid, NULL, WNOHANG) != demo->pid)
        return;
    demo->pid = 0;
    log_error("--demo", "the simulated exchange has ended: restart the feeder for a new one");
}
