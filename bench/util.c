#include "util.h"

#include <errno.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <time.h>
#include <unistd.h>

void util_die(const char *object, int errno_value)
{
    if (errno_value != 0)
        fprintf(stderr, "%s: %s: %s\n", program_invocation_short_name, object,
                strerror(errno_value));
    else
        fprintf(stderr, "%s: %s\n", program_invocation_short_name, object);
    exit(1);
}

void util_pin(int cpu)
{
    cpu_set_t set;
    CPU_ZERO(&set);
    CPU_SET((size_t)cpu, &set);
    sched_setaffinity(0, sizeof set, &set);
}

void util_deadline(unsigned seconds)
{
    alarm(seconds);
    /* a child must not outlive the harness that would have stopped it */
    prctl(PR_SET_PDEATHSIG, SIGKILL);
}

void *util_shared(size_t bytes)
{
    void *p =
        mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS | MAP_POPULATE, -1, 0);
    if (p == MAP_FAILED)
        util_die("shared memory", errno);
    return p;
}

static int compare(const void *a, const void *b)
{
    uint32_t x = *(const uint32_t *)a, y = *(const uint32_t *)b;
    return (x > y) - (x < y);
}

uint32_t util_sorted_quantile(const uint32_t *values, size_t n, double q)
{
    if (n == 0)
        return 0;
    return values[(size_t)((double)(n - 1) * q)];
}

uint32_t util_quantile(uint32_t *values, size_t n, double q)
{
    qsort(values, n, sizeof *values, compare);
    return util_sorted_quantile(values, n, q);
}

const char *util_text_option(int argc, char **argv, const char *name, const char *fallback)
{
    for (int i = 1; i + 1 < argc; i++)
        if (strncmp(argv[i], "--", 2) == 0 && strcmp(argv[i] + 2, name) == 0)
            return argv[i + 1];
    return fallback;
}

long util_option(int argc, char **argv, const char *name, long fallback)
{
    const char *text = util_text_option(argc, argv, name, NULL);
    return text != NULL ? strtol(text, NULL, 10) : fallback;
}

int util_flag(int argc, char **argv, const char *name)
{
    for (int i = 1; i < argc; i++)
        if (strncmp(argv[i], "--", 2) == 0 && strcmp(argv[i] + 2, name) == 0)
            return 1;
    return 0;
}

void util_print(const char *name, double value)
{
    printf("%s %.6g\n", name, value);
    fflush(stdout);
}

void util_temp_dir(char *out, size_t cap, const char *name)
{
    const char *parent = getenv("TMPDIR");
    snprintf(out, cap, "%s/px-bench-%s-XXXXXX", parent != NULL ? parent : "/tmp", name);
    if (mkdtemp(out) == NULL)
        util_die(out, errno);
}

int64_t util_cpu_ns(void)
{
    struct timespec t;
    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &t);
    return (int64_t)t.tv_sec * 1000000000 + t.tv_nsec;
}

void util_sleep_until(int64_t mono_ns)
{
    struct timespec t = {.tv_sec = mono_ns / 1000000000, .tv_nsec = mono_ns % 1000000000};
    while (clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &t, NULL) == EINTR)
        ;
}
