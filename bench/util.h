/* What every benchmark program shares: places on cores, deadlines, order statistics, options.
 * A program prints one "name value" a line; bench/harness reads that. Valid C and C++. */
#ifndef BENCH_UTIL_H
#define BENCH_UTIL_H

#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

/* Print "program: object: reason" and exit 1. errno_value 0: the reason is what `object` says. */
__attribute__((noreturn)) void util_die(const char *object, int errno_value);

/* Put the caller on one core; a machine without that core is left as it is. */
void util_pin(int cpu);

/* Kill this process after `seconds`: a benchmark that hangs must not hang the run. */
void util_deadline(unsigned seconds);

/* Memory shared with children, zeroed. */
void *util_shared(size_t bytes);

/* The q-quantile (0 to 1) of n values, which it sorts. 0 values give 0. */
uint32_t util_quantile(uint32_t *values, size_t n, double q);
/* The same after a first call has sorted them. */
uint32_t util_sorted_quantile(const uint32_t *values, size_t n, double q);

/* The value behind "--name", or `fallback`; util_flag tells whether "--name" is there. */
long util_option(int argc, char **argv, const char *name, long fallback);
const char *util_text_option(int argc, char **argv, const char *name, const char *fallback);
int util_flag(int argc, char **argv, const char *name);

void util_print(const char *name, double value);

/* A directory of this run's own, made in $TMPDIR; the caller removes it. */
void util_temp_dir(char *out, size_t cap, const char *name);

/* CPU time of this process in ns, user and system. */
int64_t util_cpu_ns(void);

/* Sleep until CLOCK_MONOTONIC reaches `mono_ns`. */
void util_sleep_until(int64_t mono_ns);

#ifdef __cplusplus
}
#endif

#endif
