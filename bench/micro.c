/* The machine: how far its two cores are apart, what a clock read costs, and what the barest ring
 * write and slot read cost in one core's cache.
 *   micro distance    a cache line there and back between cores 0 and 1, half of the round trip
 *   micro costs       the rest */
#include <errno.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "clock.h"
#include "sink.h"
#include "util.h"

#define TRIPS   20000
#define ROUNDS  9
#define ENTRIES 256

static uint32_t ping __attribute__((aligned(128)));

static void *answer(void *unused)
{
    util_pin(1);
    for (uint32_t i = 1; i <= TRIPS * ROUNDS; i++) {
        while (__atomic_load_n(&ping, __ATOMIC_ACQUIRE) != 2 * i - 1)
            cpu_pause();
        __atomic_store_n(&ping, 2 * i, __ATOMIC_RELEASE);
    }
    return unused;
}

/* Median over rounds, each the mean of many trips. */
static void distance(void)
{
    if (sysconf(_SC_NPROCESSORS_ONLN) < 2)
        util_die("one core has no distance", 0);
    const double ns = clock_calibrate();
    pthread_t other;
    if (pthread_create(&other, NULL, answer, NULL) != 0)
        util_die("thread", errno);
    util_pin(0);
    uint32_t tenths[ROUNDS];
    for (uint32_t round = 0, i = 1; round < ROUNDS; round++) {
        const uint64_t begin = clock_cycles();
        for (int trip = 0; trip < TRIPS; trip++, i++) {
            __atomic_store_n(&ping, 2 * i - 1, __ATOMIC_RELEASE);
            while (__atomic_load_n(&ping, __ATOMIC_ACQUIRE) != 2 * i)
                cpu_pause();
        }
        tenths[round] = (uint32_t)((double)(clock_cycles() - begin) * ns * 10 / TRIPS / 2);
    }
    pthread_join(other, NULL);
    util_print("distance_ns", util_quantile(tenths, ROUNDS, 0.5) / 10.0);
}

static void clock_costs(double ns)
{
    util_print("cycles_read_ns", (double)clock_cost_cycles() * ns);
    int64_t sum = 0;
    const uint64_t begin = clock_cycles();
    for (int i = 0; i < 100000; i++)
        sum += clock_mono_ns();
    const double each = (double)(clock_cycles() - begin) * ns / 100000;
    util_print("clock_gettime_ns", sum != 0 ? each : 0);
}

static void ring_cost(double ns)
{
    struct sink_ring *ring = util_shared(sizeof *ring + ENTRIES * sizeof(struct sink_entry));
    uint64_t w[7] = {1, 2, 3, 4, 5, 6, 7};
    const uint64_t n = 20000000;
    const uint64_t begin = clock_cycles();
    for (uint64_t seq = 1; seq <= n; seq++) {
        w[0] = seq;
        sink_put(ring, ENTRIES - 1, seq, w);
    }
    util_print("ring_write_ns", (double)(clock_cycles() - begin) * ns / (double)n);
}

static void slot_cost(double ns)
{
    struct sink_slot *slot = util_shared(sizeof *slot);
    uint64_t w[7] = {0}, sum = 0;
    sink_slot_write(slot, w);
    const uint64_t n = 20000000;
    const uint64_t begin = clock_cycles();
    for (uint64_t i = 0; i < n; i++) {
        sink_slot_read(slot, w);
        sum += w[0];
        __asm__ __volatile__("" : : "r"(w) : "memory"); /* the copy is part of the cost */
    }
    util_print("slot_read_ns", sum == 0 ? (double)(clock_cycles() - begin) * ns / (double)n : 0);
}

int main(int argc, char **argv)
{
    util_deadline(30);
    if (argc == 2 && strcmp(argv[1], "distance") == 0) {
        distance();
        return 0;
    }
    util_pin(0);
    const double ns = clock_calibrate();
    clock_costs(ns);
    ring_cost(ns);
    slot_cost(ns);
    return 0;
}
