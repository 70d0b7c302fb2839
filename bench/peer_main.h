/* The measurements of a peer, included last by peer_*.c (see peer.h). Modes:
 *   publish [--idle N]   the writer alone, with N readers attached that do nothing
 *   stream --readers N   as fast as it goes to N polling readers
 *   burst                bursts of 16 to one polling reader, each timed by itself
 *   latency              100,000 ticks/s to one polling reader
 *   wake                 a tick a millisecond to one sleeping reader */
#include "clock.h"
#include "peer.h"
#include "util.h"

#include <errno.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#ifndef PEER_TICK
#define PEER_TICK     struct bench_tick
#define PEER_SEQ(t)   ((t)->seq)
#define PEER_STAMP(t) ((t)->stamp)
#endif

#define MAX_READERS 16
#define MAX_IDLE    128
#define MAX_SAMPLES (1u << 18)
#define BATCH       64
#define BURST       16

/* Shared by the processes of one run. Each reader writes its own lines only. */
struct ctl {
    uint32_t ready, start, stop;
    uint32_t pad[13];
    struct {
        uint64_t received, lost, first, last;
        uint64_t pad[4];
    } reader[MAX_READERS];
    uint32_t samples_count;
    uint32_t samples[MAX_SAMPLES];
};

struct run {
    struct ctl *ctl;
    struct peer *peer;
    double ns_per_cycle;
    int readers, idle;
    pid_t pid[MAX_READERS + MAX_IDLE]; /* the readers, then the idle ones */
    int crowded;                       /* more processes that poll than cores: they must give way */
    long ms;
};

static uint32_t load(const uint32_t *word)
{
    return __atomic_load_n(word, __ATOMIC_ACQUIRE);
}

static void give_way(int crowded)
{
    if (crowded)
        sched_yield();
    else
        cpu_pause();
}

static void send_batch(const struct run *r, uint64_t seq, unsigned n)
{
    struct bench_tick t;
    memset(&t, 0, sizeof t);
    for (unsigned i = 0; i < n; i++) {
        t.seq = seq + i;
        t.w[0] = t.seq * 3;
        while (peer_send(r->peer, &t) != 0) {
            peer_flush(r->peer);
            give_way(r->crowded || !PEER_PINNED);
        }
    }
    peer_flush(r->peer);
}

/* Send for r->ms; returns the count. Prints what one tick costs the writer. */
static uint64_t write_stream(const struct run *r, uint64_t seq)
{
    const uint64_t from = seq;
    const uint64_t begin = clock_cycles();
    const uint64_t end = begin + (uint64_t)((double)r->ms * 1e6 / r->ns_per_cycle);
    uint64_t now;
    do {
        for (int i = 0; i < 8; i++, seq += BATCH)
            send_batch(r, seq, BATCH);
        now = clock_cycles();
    } while (now < end);
    util_print("publish_ns", (double)(now - begin) * r->ns_per_cycle / (double)(seq - from));
    return seq - from;
}

static void write_bursts(const struct run *r)
{
    const uint64_t cost = clock_cost_cycles();
    const uint64_t gap = (uint64_t)(2000.0 / r->ns_per_cycle);
    const size_t count = (size_t)r->ms * 150; /* about: a burst and its gap take 2 to 3 us */
    const size_t n = count < MAX_SAMPLES ? count : MAX_SAMPLES;
    uint32_t *samples = (uint32_t *)malloc(n * sizeof *samples);
    if (samples == NULL)
        util_die("memory", ENOMEM);
    for (size_t i = 0; i < n; i++) {
        const uint64_t begin = clock_cycles();
        send_batch(r, 1 + i * BURST, BURST);
        const uint64_t end = clock_cycles();
        samples[i] = end - begin > cost ? (uint32_t)(end - begin - cost) : 0;
        while (clock_cycles() - end < gap)
            cpu_pause();
    }
    const double per_tick = r->ns_per_cycle / BURST;
    util_print("burst_ns", util_quantile(samples, n, 0.5) * per_tick);
    util_print("burst_p99_ns", util_sorted_quantile(samples, n, 0.99) * per_tick);
    free(samples);
}

static void write_paced(const struct run *r)
{
    const uint64_t period = (uint64_t)(10000.0 / r->ns_per_cycle);
    const uint64_t n = (uint64_t)r->ms * 100;
    struct bench_tick t;
    memset(&t, 0, sizeof t);
    uint64_t next = clock_cycles() + period;
    for (t.seq = 1; t.seq <= n; t.seq++, next += period) {
        while (clock_cycles() < next)
            give_way(!PEER_PINNED);
        t.stamp = clock_cycles();
        while (peer_send(r->peer, &t) != 0)
            peer_flush(r->peer);
        peer_flush(r->peer);
    }
}

static void write_sparse(const struct run *r)
{
    struct bench_tick t;
    memset(&t, 0, sizeof t);
    int64_t next = clock_mono_ns();
    for (t.seq = 1; t.seq <= (uint64_t)r->ms; t.seq++) {
        next += 1000000;
        util_sleep_until(next);
        t.stamp = clock_cycles();
        while (peer_send(r->peer, &t) != 0)
            peer_flush(r->peer);
        peer_flush(r->peer);
    }
}

/* Read until the writer has stopped and nothing is left. */
static void read_all(const struct run *r, int index, int timed, int sleeps)
{
    PEER_TICK t[BATCH];
    uint64_t received = 0, lost = 0, next = 1, first = 0, last = 0;
    for (;;) {
        if (sleeps)
            peer_wait(r->peer);
        const int n = peer_poll(r->peer, t, BATCH);
        if (n <= 0) {
            if (load(&r->ctl->stop) != 0)
                break;
            give_way(r->crowded || !PEER_PINNED);
            continue;
        }
        last = clock_cycles();
        if (received == 0)
            first = last;
        received += (uint64_t)n;
        for (int i = 0; i < n; i++) {
            lost += PEER_SEQ(&t[i]) - next;
            next = PEER_SEQ(&t[i]) + 1;
            if (timed && r->ctl->samples_count < MAX_SAMPLES)
                r->ctl->samples[r->ctl->samples_count++] = (uint32_t)(last - PEER_STAMP(&t[i]));
        }
    }
    r->ctl->reader[index].received = received;
    r->ctl->reader[index].lost = lost;
    r->ctl->reader[index].first = first;
    r->ctl->reader[index].last = last;
}

static void reader_process(const struct run *r, int index, const char *mode)
{
    util_deadline(30);
    if (PEER_PINNED && !r->crowded)
        util_pin(1);
    peer_reader(r->peer, index);
    __atomic_add_fetch(&r->ctl->ready, 1, __ATOMIC_RELEASE);
    while (index >= r->readers)
        pause();
    while (load(&r->ctl->start) == 0)
        sched_yield();
    const int sleeps = strcmp(mode, "wake") == 0;
    read_all(r, index, sleeps || strcmp(mode, "latency") == 0, sleeps);
    peer_leave(r->peer);
    exit(0);
}

static void print_samples(const struct run *r)
{
    uint32_t *s = r->ctl->samples;
    const size_t n = r->ctl->samples_count;
    if (n == 0)
        util_die("no sample reached the reader", 0);
    util_print("p50_ns", util_quantile(s, n, 0.5) * r->ns_per_cycle);
    util_print("p99_ns", util_sorted_quantile(s, n, 0.99) * r->ns_per_cycle);
    util_print("samples", (double)n);
}

/* Millions of ticks per second: of the slowest reader, of all together, and the share lost. */
static void print_rates(const struct run *r)
{
    double least = 0, sum = 0, lost = 0, received = 0;
    for (int i = 0; i < r->readers; i++) {
        const double cycles =
            (double)(r->ctl->reader[i].last - r->ctl->reader[i].first) * r->ns_per_cycle;
        const double rate = cycles > 0 ? (double)r->ctl->reader[i].received * 1000.0 / cycles : 0;
        least = i == 0 || rate < least ? rate : least;
        sum += rate;
        lost += (double)r->ctl->reader[i].lost;
        received += (double)r->ctl->reader[i].received;
    }
    util_print("mticks_s", sum / r->readers);
    util_print("mticks_s_slowest", least);
    util_print("lost_share", received + lost > 0 ? lost / (received + lost) : 0);
}

static void measure(const struct run *r, const char *mode)
{
    if (strcmp(mode, "publish") == 0) {
        struct run warm = *r;
        warm.ms = 20;
        uint64_t seq = 1;
        /* the first pass touches every page and trains the branches; the second one is printed
         * last, and the harness keeps the last value of a name */
        seq += write_stream(&warm, seq);
        write_stream(r, seq);
    } else if (strcmp(mode, "stream") == 0) {
        write_stream(r, 1);
    } else if (strcmp(mode, "burst") == 0) {
        write_bursts(r);
    } else if (strcmp(mode, "latency") == 0) {
        write_paced(r);
    } else {
        write_sparse(r);
    }
}

static void stop_readers(const struct run *r)
{
    if (r->readers > 0)
        usleep(20000); /* what is under way in a daemon's queues arrives */
    __atomic_store_n(&r->ctl->stop, 1, __ATOMIC_RELEASE);
    for (int i = 0; i < r->readers + r->idle; i++) {
        if (i >= r->readers)
            kill(r->pid[i], SIGKILL);
        waitpid(r->pid[i], NULL, 0);
    }
}

/* Fork the readers; in the parent returns when all of them are connected and loop. */
static void start_readers(struct run *r, const char *mode)
{
    const int all = r->readers + r->idle;
    for (int i = 0; i < all; i++) {
        r->pid[i] = fork();
        if (r->pid[i] == 0)
            reader_process(r, i, mode);
    }
    if (PEER_PINNED && !r->crowded)
        util_pin(0);
    peer_writer(r->peer);
    while (!peer_joined(r->peer) || load(&r->ctl->ready) != (uint32_t)all) {
        if (all > 0 && waitpid(-1, NULL, WNOHANG) > 0)
            util_die("a reader ended before the start", 0);
        usleep(1000);
    }
    __atomic_store_n(&r->ctl->start, 1, __ATOMIC_RELEASE);
    if (all > 0)
        usleep(5000); /* let the readers reach their loop */
}

int main(int argc, char **argv)
{
    const char *mode = argc > 1 ? argv[1] : "publish";
    struct run r;
    memset(&r, 0, sizeof r);
    r.readers = strcmp(mode, "publish") == 0 ? 0 : (int)util_option(argc, argv, "readers", 1);
    r.crowded = r.readers + 1 > (int)sysconf(_SC_NPROCESSORS_ONLN);
    r.ms = util_option(argc, argv, "ms", 200);
    r.idle = (int)util_option(argc, argv, "idle", 0);
    if (r.readers > MAX_READERS || r.idle > MAX_IDLE)
        util_die("at most 16 readers and 128 idle ones", 0);
    r.ctl = (struct ctl *)util_shared(sizeof *r.ctl);
    r.peer = (struct peer *)calloc(1, sizeof *r.peer);
    if (r.peer == NULL)
        util_die("memory", ENOMEM);
    util_deadline(30);
    r.ns_per_cycle = clock_calibrate();

    struct peer_options options;
    options.readers = r.readers + r.idle;
    options.sleeps = strcmp(mode, "wake") == 0;
    options.entries = (int)util_option(argc, argv, "entries", 65536);
    peer_create(r.peer, &options);
    start_readers(&r, mode);
    measure(&r, mode);
    stop_readers(&r);
    if (strcmp(mode, "latency") == 0 || strcmp(mode, "wake") == 0)
        print_samples(&r);
    if (strcmp(mode, "stream") == 0)
        print_rates(&r);
    peer_destroy(r.peer);
    free(r.peer);
    return 0;
}
