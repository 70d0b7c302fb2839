/* What it costs to watch memory: samples of 25 hours, with the verdicts among them, and a block of
 * a library through its account beside one of malloc. memory_cost       prints ns */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "account.h"
#include "clock.h"
#include "counters.h"
#include "memwatch.h"
#include "util.h"

#define SAMPLES (25u * 3600u)
#define BLOCKS  1000000u

static px_writer *open_bus(char name[64])
{
    px_writer *w;
    struct px_writer_report report;
    snprintf(name, 64, "bench-memory-%d", (int)getpid());
    const struct px_writer_options options = {.bus = name,
                                              .capacity = 64,
                                              .ring = 1024,
                                              .group = -1,
                                              .version = "bench",
                                              .lock_fd = -1,
                                              .counters = px_feeder_counters,
                                              .counter_count = PX_C_COUNT};
    int rc = px_writer_open(&w, &options, &report);
    if (rc < 0)
        util_die("bus", -rc);
    return w;
}

/* Every window is full in the last hour: the dearest there is. */
static void samples(px_writer *w)
{
    static uint32_t tenths[SAMPLES];
    const struct memwatch_limits limits = {.warn_mb_h = 1, .critical_mb_h = 50};
    struct memwatch_census census = {.connections = 1};
    struct memwatch m;
    if (memwatch_open(&m, w, &limits) < 0)
        util_die("memwatch", errno);
    const int64_t begin = util_cpu_ns();
    for (uint32_t i = 0; i < SAMPLES; i++) {
        int64_t at = clock_mono_ns(), cpu = util_cpu_ns();
        census.buffer_bytes = 1000000 + 65536 * (i * 2654435761u >> 28);
        memwatch_sample(&m, &census, at, at);
        tenths[i] = (uint32_t)((util_cpu_ns() - cpu) / 100);
    }
    util_print("sample_mean_ns", (double)(util_cpu_ns() - begin) / SAMPLES);
    util_print("sample_median_ns", util_quantile(tenths, SAMPLES, 0.5) * 100.0);
    util_print("sample_p99_ns", util_sorted_quantile(tenths, SAMPLES, 0.99) * 100.0);
    util_print("sample_p999_ns", util_sorted_quantile(tenths, SAMPLES, 0.999) * 100.0);
    memwatch_close(&m);
}

static void blocks(void)
{
    int64_t begin = util_cpu_ns();
    for (uint32_t i = 0; i < BLOCKS; i++) {
        void *volatile p = malloc(200);
        free(p);
    }
    int64_t bare = util_cpu_ns() - begin;
    begin = util_cpu_ns();
    for (uint32_t i = 0; i < BLOCKS; i++)
        account_realloc(PX_OWNER_JSON, account_realloc(PX_OWNER_JSON, NULL, 200), 0);
    util_print("block_malloc_ns", (double)bare / BLOCKS);
    util_print("block_account_ns", (double)(util_cpu_ns() - begin) / BLOCKS);
}

int main(void)
{
    char name[64];
    int32_t held_by;
    px_writer *w = open_bus(name);
    samples(w);
    blocks();
    px_writer_close(w);
    px_writer_remove(name, &held_by);
    return 0;
}
