/* See lookup.h. */
#include "lookup.h"

#include <arpa/inet.h>
#include <netdb.h>
#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

/* Belongs to both sides, and is freed by the one that leaves it last. */
struct lookup {
    pthread_mutex_t lock; /* of the flags; the answer is the thread's until `done` */
    bool done, dropped;
    struct lookup_answer answer;
    char host[];
};

static bool is_numeric(const char *host)
{
    struct in6_addr address;
    return inet_pton(AF_INET, host, &address) == 1 || inet_pton(AF_INET6, host, &address) == 1;
}

static void look_up(struct lookup *l)
{
    const struct addrinfo hints = {.ai_family = AF_UNSPEC, .ai_socktype = SOCK_STREAM};
    struct lookup_answer *a = &l->answer;
    struct addrinfo *list = NULL;
    a->error = getaddrinfo(l->host, NULL, &hints, &list);
    if (a->error != 0)
        return;
    for (struct addrinfo *i = list; i != NULL && a->count < LOOKUP_ADDRESSES_MAX; i = i->ai_next)
        if (getnameinfo(i->ai_addr, i->ai_addrlen, a->address[a->count], LOOKUP_ADDRESS_MAX, NULL,
                        0, NI_NUMERICHOST) == 0)
            a->count++;
    freeaddrinfo(list);
    if (a->count == 0)
        a->error = EAI_NONAME;
}

static void release(struct lookup *l)
{
    pthread_mutex_destroy(&l->lock);
    free(l);
}

static void *help(void *arg)
{
    struct lookup *l = arg;
    look_up(l);
    pthread_mutex_lock(&l->lock);
    l->done = true;
    bool dropped = l->dropped;
    pthread_mutex_unlock(&l->lock);
    if (dropped)
        release(l);
    return NULL;
}

static int start_thread(struct lookup *l)
{
    pthread_t thread;
    sigset_t all, old;
    sigfillset(&all); /* signals are for the loop */
    pthread_sigmask(SIG_BLOCK, &all, &old);
    int rc = pthread_create(&thread, NULL, help, l);
    pthread_sigmask(SIG_SETMASK, &old, NULL);
    if (rc == 0)
        pthread_detach(thread);
    return -rc;
}

struct lookup *lookup_start(const char *host)
{
    size_t length = strlen(host) + 1;
    struct lookup *l = calloc(1, sizeof *l + length);
    if (l == NULL)
        return NULL;
    memcpy(l->host, host, length);
    pthread_mutex_init(&l->lock, NULL);
    if (is_numeric(host)) {
        look_up(l);
        l->done = true;
        return l;
    }
    if (start_thread(l) == 0)
        return l;
    release(l);
    return NULL;
}

bool lookup_take(struct lookup *l, struct lookup_answer *out)
{
    pthread_mutex_lock(&l->lock);
    bool done = l->done;
    pthread_mutex_unlock(&l->lock);
    if (done)
        *out = l->answer;
    return done;
}

void lookup_drop(struct lookup *l)
{
    if (l == NULL)
        return;
    pthread_mutex_lock(&l->lock);
    bool done = l->done;
    l->dropped = true;
    pthread_mutex_unlock(&l->lock);
    if (done)
        release(l);
}
