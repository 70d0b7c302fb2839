#include "resolve.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netdb.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

enum entry_state { ENTRY_FREE = 0, ENTRY_ASKED, ENTRY_WORKING, ENTRY_ANSWERED };

/* A place in the table is written by the loop's thread while FREE or ANSWERED, by the helper while
 * WORKING; `state` changes under the lock. */
struct entry {
    enum entry_state state;
    uint32_t number; /* order of asking, and the job's number */
    uint16_t port;
    char host[URL_HOST_MAX + 1];
    struct resolve_job *job; /* NULL: nobody wants the answer any more */
    struct resolve_answer answer;
};

struct resolve {
    pthread_mutex_t lock;
    pthread_cond_t asked;
    struct entry entry[RESOLVE_QUEUE_MAX];
    uint32_t last_number;
    int event_fd;
    bool stop;
    pthread_t thread;
};

static void keep_addresses(const struct addrinfo *list, struct resolve_answer *answer)
{
    for (; list != NULL && answer->count < RESOLVE_ADDRESSES_MAX; list = list->ai_next) {
        if (list->ai_addrlen > sizeof answer->address[0])
            continue;
        memcpy(&answer->address[answer->count], list->ai_addr, list->ai_addrlen);
        answer->len[answer->count] = list->ai_addrlen;
        answer->count++;
    }
}

static void look_up(const char *host, uint16_t port, int flags, struct resolve_answer *answer)
{
    struct addrinfo hints = {
        .ai_family = AF_UNSPEC, .ai_socktype = SOCK_STREAM, .ai_flags = AI_NUMERICSERV | flags};
    struct addrinfo *list = NULL;
    char service[8];
    snprintf(service, sizeof service, "%u", port);
    answer->count = 0;
    answer->error = getaddrinfo(host, service, &hints, &list);
    if (answer->error != 0)
        return;
    keep_addresses(list, answer);
    freeaddrinfo(list);
    if (answer->count == 0)
        answer->error = EAI_NONAME;
}

/* The oldest question. Called under the lock. */
static struct entry *next_asked(struct resolve *r)
{
    struct entry *oldest = NULL;
    for (size_t i = 0; i < RESOLVE_QUEUE_MAX; i++) {
        struct entry *e = &r->entry[i];
        if (e->state == ENTRY_ASKED && (oldest == NULL || e->number - oldest->number > INT32_MAX))
            oldest = e;
    }
    return oldest;
}

static void wake_loop(const struct resolve *r)
{
    uint64_t one = 1;
    ssize_t n = write(r->event_fd, &one, sizeof one);
    (void)n; /* full means that the loop is awake already */
}

static void *helper(void *arg)
{
    struct resolve *r = arg;
    pthread_mutex_lock(&r->lock);
    while (!r->stop) {
        struct entry *e = next_asked(r);
        if (e == NULL) {
            pthread_cond_wait(&r->asked, &r->lock);
            continue;
        }
        e->state = ENTRY_WORKING;
        pthread_mutex_unlock(&r->lock);
        look_up(e->host, e->port, 0, &e->answer);
        pthread_mutex_lock(&r->lock);
        e->state = ENTRY_ANSWERED;
        wake_loop(r);
    }
    pthread_mutex_unlock(&r->lock);
    return NULL;
}

struct resolve *resolve_new(void)
{
    struct resolve *r = calloc(1, sizeof *r);
    if (r == NULL)
        return NULL;
    pthread_mutex_init(&r->lock, NULL);
    pthread_cond_init(&r->asked, NULL);
    r->event_fd = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
    if (r->event_fd >= 0 && pthread_create(&r->thread, NULL, helper, r) == 0)
        return r;
    if (r->event_fd >= 0)
        close(r->event_fd);
    free(r);
    return NULL;
}

/* Nothing interrupts a look-up: a helper that is at one is left alone, with the memory that it
 * works on. */
void resolve_free(struct resolve *r)
{
    bool working = false;
    if (r == NULL)
        return;
    pthread_mutex_lock(&r->lock);
    r->stop = true;
    for (size_t i = 0; i < RESOLVE_QUEUE_MAX; i++)
        working = working || r->entry[i].state == ENTRY_WORKING;
    pthread_cond_signal(&r->asked);
    pthread_mutex_unlock(&r->lock);
    if (working) {
        pthread_detach(r->thread);
        return;
    }
    pthread_join(r->thread, NULL);
    close(r->event_fd);
    pthread_cond_destroy(&r->asked);
    pthread_mutex_destroy(&r->lock);
    free(r);
}

int resolve_fd(const struct resolve *r)
{
    return r->event_fd;
}

/* An answer is copied out before it is given, since its receiver may ask again at once. */
void resolve_readable(struct resolve *r)
{
    static struct resolve_answer answer;
    uint64_t count;
    ssize_t n = read(r->event_fd, &count, sizeof count);
    (void)n;
    for (size_t i = 0; i < RESOLVE_QUEUE_MAX; i++) {
        struct entry *e = &r->entry[i];
        pthread_mutex_lock(&r->lock);
        bool answered = e->state == ENTRY_ANSWERED;
        if (answered)
            e->state = ENTRY_FREE;
        pthread_mutex_unlock(&r->lock);
        if (!answered || e->job == NULL)
            continue;
        struct resolve_job *job = e->job;
        e->job = NULL;
        job->number = 0;
        answer = e->answer;
        job->done(job->owner, &answer);
    }
}

/* A name that takes longer than an asker waits is looked up once: who asks again gets the answer of
 * the look-up that is under way. Called under the lock. */
static bool join(struct resolve *r, struct resolve_job *job, const struct url *url)
{
    for (size_t i = 0; i < RESOLVE_QUEUE_MAX; i++) {
        struct entry *e = &r->entry[i];
        if (e->state != ENTRY_WORKING || e->job != NULL || e->port != url->port ||
            strcmp(e->host, url->host) != 0)
            continue;
        e->job = job;
        job->number = e->number;
        return true;
    }
    return false;
}

static int ask_helper(struct resolve *r, struct resolve_job *job, const struct url *url)
{
    pthread_mutex_lock(&r->lock);
    int rc = join(r, job, url) ? 0 : -EAGAIN;
    for (size_t i = 0; i < RESOLVE_QUEUE_MAX && rc != 0; i++) {
        struct entry *e = &r->entry[i];
        if (e->state != ENTRY_FREE)
            continue;
        if (++r->last_number == 0)
            r->last_number = 1;
        memcpy(e->host, url->host, sizeof e->host);
        e->port = url->port;
        e->job = job;
        e->number = job->number = r->last_number;
        e->state = ENTRY_ASKED;
        pthread_cond_signal(&r->asked);
        rc = 0;
    }
    pthread_mutex_unlock(&r->lock);
    return rc;
}

int resolve_ask(struct resolve *r, struct resolve_job *job, const struct url *url)
{
    resolve_cancel(r, job);
    if (!url->numeric)
        return ask_helper(r, job, url);
    struct resolve_answer answer;
    look_up(url->host, url->port, AI_NUMERICHOST, &answer);
    job->done(job->owner, &answer);
    return 0;
}

void resolve_cancel(struct resolve *r, struct resolve_job *job)
{
    if (job->number == 0)
        return;
    pthread_mutex_lock(&r->lock);
    for (size_t i = 0; i < RESOLVE_QUEUE_MAX; i++) {
        struct entry *e = &r->entry[i];
        if (e->number != job->number || e->job != job)
            continue;
        e->job = NULL;
        if (e->state == ENTRY_ASKED)
            e->state = ENTRY_FREE;
    }
    pthread_mutex_unlock(&r->lock);
    job->number = 0;
}
