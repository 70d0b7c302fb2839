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

/* "pid endpoint" of each simulated exchange that an earlier self started and that still runs, in
 * the order of the table below. */
#define DEMO_VARIABLE "PX_DEMO"
#define START_MS      5000

/* One venue of each family, 20 symbols in all. */
static const struct {
    const char *venue;
    const char *symbols[6]; /* up to a NULL */
} exchanges[] = {
    {"binance", {"BTCUSDT", "ETHUSDT", "BNBUSDT", "SOLUSDT", "XRPUSDT"}},
    {"coinbase", {"BTC-USD", "ETH-USD", "SOL-USD"}},
    {"kraken", {"BTC/USD", "ETH/USD", "XRP/USD"}},
    {"bybit_linear", {"BTCUSDT", "ETHUSDT", "DOGEUSDT"}},
    {"okx", {"BTC-USDT", "ETH-USDT", "ADA-USDT"}},
    {"bitstamp", {"btcusd", "ethusd", "ltcusd"}},
};
#define EXCHANGES (sizeof exchanges / sizeof exchanges[0])
_Static_assert(EXCHANGES == DEMO_EXCHANGES, "struct demo has room for them");

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

static _Noreturn void become(const char *path, const char *venue, int out, pid_t parent)
{
    sigset_t none;
    sigemptyset(&none);
    sigprocmask(SIG_SETMASK, &none, NULL);
    prctl(PR_SET_PDEATHSIG, SIGTERM);
    if (getppid() == parent) { /* else it died before it could be noticed */
        dup2(out, STDOUT_FILENO);
        execl(path, "pxsim", "--venue", venue, "--port", "0", (char *)NULL);
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

static int start_one(struct demo_exchange *e, const char *path, const char *venue)
{
    int out[2];
    if (pipe2(out, O_CLOEXEC) < 0)
        return -errno;
    pid_t parent = getpid(), pid = fork();
    if (pid == 0)
        become(path, venue, out[1], parent);
    close(out[1]);
    e->pid = pid;
    int rc = pid < 0 ? -errno : read_endpoint(out[0], e->endpoint, sizeof e->endpoint);
    close(out[0]);
    return rc;
}

static int start(struct demo *demo)
{
    char path[4096];
    int rc = simulator(path, sizeof path);
    if (rc < 0) {
        feeder_say("--demo", "no pxsim beside this program: %s", strerror(-rc));
        return rc;
    }
    for (size_t i = 0; i < EXCHANGES && rc == 0; i++) {
        rc = start_one(&demo->exchange[i], path, exchanges[i].venue);
        if (rc < 0)
            feeder_say("--demo", "%s --venue %s did not start: %s", path, exchanges[i].venue,
                       strerror(-rc));
    }
    if (rc < 0)
        demo_stop(demo);
    return rc;
}

/* Those that an earlier self started: still our children, since exec changes no parent. All of
 * them, or all are started anew. */
static bool find(struct demo *demo)
{
    const char *text = getenv(DEMO_VARIABLE);
    size_t alive = 0;
    int used = 0;
    for (size_t i = 0; text != NULL && i < EXCHANGES; i++, text += used) {
        struct demo_exchange *e = &demo->exchange[i];
        if (sscanf(text, " %d %127s%n", &e->pid, e->endpoint, &used) != 2)
            break;
        if (e->pid <= 0 || waitpid(e->pid, NULL, WNOHANG) != 0)
            e->pid = 0;
        alive += e->pid > 0;
    }
    unsetenv(DEMO_VARIABLE);
    if (alive < EXCHANGES)
        demo_stop(demo);
    return alive == EXCHANGES;
}

void demo_leave(const struct demo *demo)
{
    char text[EXCHANGES * (sizeof demo->exchange[0].endpoint + 16)];
    size_t at = 0;
    for (size_t i = 0; i < EXCHANGES; i++)
        at += (size_t)snprintf(text + at, sizeof text - at, "%d %s ", demo->exchange[i].pid,
                               demo->exchange[i].endpoint);
    setenv(DEMO_VARIABLE, text, 1);
}

static int ask_for_symbols(struct config *config)
{
    if (config->symbol_count > 0)
        return 0;
    config->symbols =
        calloc(EXCHANGES * sizeof exchanges[0].symbols / sizeof(char *), sizeof *config->symbols);
    if (config->symbols == NULL)
        return -ENOMEM;
    for (size_t i = 0; i < EXCHANGES; i++) {
        const struct px_venue *venue = venue_find(exchanges[i].venue, strlen(exchanges[i].venue));
        for (size_t k = 0; exchanges[i].symbols[k] != NULL; k++) {
            struct config_symbol *s = &config->symbols[config->symbol_count++];
            snprintf(s->symbol, sizeof s->symbol, "%s:%s", venue->name, exchanges[i].symbols[k]);
            s->kinds = config_venue_of(config, venue)->kinds;
        }
    }
    return 0;
}

int demo_start(struct demo *demo, struct config *config)
{
    int rc = find(demo) ? 0 : start(demo);
    if (rc < 0)
        return rc;
    for (size_t i = 0; i < EXCHANGES; i++) {
        const struct px_venue *venue = venue_find(exchanges[i].venue, strlen(exchanges[i].venue));
        struct config_venue *v = &config->venue[config_venue_index(venue)];
        memset(v->endpoint, 0, sizeof v->endpoint);
        snprintf(v->endpoint[0], sizeof v->endpoint[0], "%s", demo->exchange[i].endpoint);
    }
    return ask_for_symbols(config);
}

void demo_stop(struct demo *demo)
{
    for (size_t i = 0; i < EXCHANGES; i++) {
        struct demo_exchange *e = &demo->exchange[i];
        if (e->pid <= 0)
            continue;
        kill(e->pid, SIGTERM);
        waitpid(e->pid, NULL, 0);
        e->pid = 0;
    }
}

void demo_check(struct demo *demo)
{
    for (size_t i = 0; i < EXCHANGES; i++) {
        struct demo_exchange *e = &demo->exchange[i];
        if (e->pid <= 0 || waitpid(e->pid, NULL, WNOHANG) != e->pid)
            continue;
        e->pid = 0;
        log_error("--demo", "the simulated exchange %s has ended: restart the feeder for a new one",
                  exchanges[i].venue);
    }
}
