/* Names to addresses. getaddrinfo(3) blocks, for half a minute if it must: it runs in the one
 * helper thread of the feeder, results come back over an eventfd. Numeric addresses take no thread.
 */
#ifndef PX_FEEDER_RESOLVE_H
#define PX_FEEDER_RESOLVE_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/socket.h>

#include "url.h"

#define RESOLVE_ADDRESSES_MAX 16
#define RESOLVE_QUEUE_MAX     64

struct resolve;

struct resolve_answer {
    int error;      /* 0, or an EAI_* code */
    uint32_t count; /* of addresses */
    socklen_t len[RESOLVE_ADDRESSES_MAX];
    struct sockaddr_storage address[RESOLVE_ADDRESSES_MAX];
};

/* One question at a time per asker, embedded in it and zeroed before first use. */
struct resolve_job {
    void (*done)(void *owner, const struct resolve_answer *answer);
    void *owner;
    uint32_t number; /* of the question in flight, 0 none */
};

/* Owner: the caller, until resolve_free(). Signals must be blocked: the thread inherits the mask.
 * NULL: no memory, thread or descriptor. */
struct resolve *resolve_new(void);
/* A thread that is stuck in getaddrinfo(3) is left to the end of the process. NULL is allowed. */
void resolve_free(struct resolve *r);

/* Becomes readable when answers are there: call resolve_readable() then. */
int resolve_fd(const struct resolve *r);
void resolve_readable(struct resolve *r);

/* Ask. A numeric host is answered before this returns. Errors: -EAGAIN the queue is full. */
int resolve_ask(struct resolve *r, struct resolve_job *job, const struct url *url);
/* The answer is not wanted any more. */
void resolve_cancel(struct resolve *r, struct resolve_job *job);

#endif
