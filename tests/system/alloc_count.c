/* LD_PRELOAD: counts calls to libc's allocator by any thread. SIGUSR2 writes the count so far to
 * the file that $ALLOC_COUNT_FILE names: "calls N" and, since the signal before, the callers'
 * return addresses of up to 16 calls as "at OBJECT+OFFSET", so that a test that fails says who it
 * was. */
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define PLACES  16
#define PUBLIC  __attribute__((visibility("default")))
#define WHOEVER __builtin_return_address(0)

void *__libc_malloc(size_t size);
void *__libc_calloc(size_t count, size_t size);
void *__libc_realloc(void *p, size_t size);
void __libc_free(void *p);

PUBLIC void *malloc(size_t size);
PUBLIC void *calloc(size_t count, size_t size);
PUBLIC void *realloc(void *p, size_t size);
PUBLIC void free(void *p);

static atomic_ulong calls;
static _Atomic(void *) place[PLACES];
static const char *file;

static void count(void *caller)
{
    unsigned long n = atomic_fetch_add(&calls, 1);
    atomic_store(&place[n % PLACES], caller);
}

void *malloc(size_t size)
{
    count(WHOEVER);
    return __libc_malloc(size);
}

void *calloc(size_t n, size_t size)
{
    count(WHOEVER);
    return __libc_calloc(n, size);
}

void *realloc(void *p, size_t size)
{
    count(WHOEVER);
    return __libc_realloc(p, size);
}

void free(void *p)
{
    if (p != NULL)
        count(WHOEVER);
    __libc_free(p);
}

/* snprintf() of numbers and pointers does not allocate; dladdr() is asked only for what the test
 * will show when it fails. */
static void report(int number)
{
    (void)number;
    int saved = errno;
    char text[PLACES * 256];
    unsigned long n = atomic_load(&calls);
    int len = snprintf(text, sizeof text, "calls %lu\n", n);
    for (int i = 0; i < PLACES; i++) {
        Dl_info info;
        char *at = atomic_exchange(&place[i], NULL);
        if (at != NULL && dladdr(at, &info) != 0)
            len += snprintf(text + len, sizeof text - (size_t)len, "at %.200s+0x%tx\n",
                            info.dli_fname, at - (char *)info.dli_fbase);
    }
    int fd = open(file, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
    ssize_t written = write(fd, text, (size_t)len);
    (void)written;
    close(fd);
    errno = saved;
}

__attribute__((constructor)) static void begin(void)
{
    file = getenv("ALLOC_COUNT_FILE");
    if (file == NULL)
        return;
    struct sigaction action = {.sa_handler = report, .sa_flags = SA_RESTART};
    sigaction(SIGUSR2, &action, NULL);
}
