/* LD_PRELOAD: name resolution that is slow or fails, the one stand-in that the tests permit. A name
 * that begins with "slow-" is answered with 127.0.0.1 after $SLOW_NAMES_MS; one that begins with
 * "both-" with ::1 and 127.0.0.1; one that begins with "fails-" with EAI_AGAIN; every other by
 * libc. */
#include <dlfcn.h>
#include <netdb.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

typedef int lookup(const char *, const char *, const struct addrinfo *, struct addrinfo **);

/* libc frees a list one by one: two of its own may be joined. */
static int look_up_both(lookup *real, const char *service, const struct addrinfo *hints,
                        struct addrinfo **list)
{
    int rc = real("::1", service, hints, list);
    return rc != 0 ? rc : real("127.0.0.1", service, hints, &(*list)->ai_next);
}

__attribute__((visibility("default"))) int getaddrinfo(const char *node, const char *service,
                                                       const struct addrinfo *hints,
                                                       struct addrinfo **list)
{
    lookup *real;
    *(void **)&real = dlsym(RTLD_NEXT, "getaddrinfo");
    if (node != NULL && strncmp(node, "fails-", 6) == 0)
        return EAI_AGAIN;
    if (node != NULL && strncmp(node, "both-", 5) == 0)
        return look_up_both(real, service, hints, list);
    if (node == NULL || strncmp(node, "slow-", 5) != 0)
        return real(node, service, hints, list);
    const char *text = getenv("SLOW_NAMES_MS");
    long ms = text != NULL ? strtol(text, NULL, 10) : 30000;
    struct timespec wait = {.tv_sec = ms / 1000, .tv_nsec = ms % 1000 * 1000000};
    nanosleep(&wait, NULL);
    return real("127.0.0.1", service, hints, list);
}
