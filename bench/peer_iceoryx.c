/* Eclipse iceoryx through its C binding; the harness started its daemon (iox-roudi). Publisher and
 * subscriber block each other when a queue is full, so nothing is lost. */
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include <iceoryx_binding_c/api.h>

#include "peer.h"
#include "util.h"

#define PEER_PINNED 1

struct peer {
    iox_pub_storage_t pub_storage;
    iox_sub_storage_t sub_storage;
    iox_ws_storage_t ws_storage;
    iox_pub_t pub;
    iox_sub_t sub;
    iox_ws_t ws;
    int readers, sleeps;
};

static void peer_create(struct peer *p, const struct peer_options *o)
{
    p->readers = o->readers;
    p->sleeps = o->sleeps;
}

static void start_runtime(const char *role, int index)
{
    /* the runtime leaves a lock file of this name in /tmp; the harness knows its beginning */
    const char *run = getenv("PX_BENCH_BUS");
    char name[80];
    snprintf(name, sizeof name, "px-%s-%s-%d-%d", run != NULL ? run : "bench", role, index,
             (int)getpid());
    iox_set_loglevel(Iceoryx_LogLevel_Error);
    iox_runtime_init(name);
}

static void peer_writer(struct peer *p)
{
    start_runtime("writer", 0);
    iox_pub_options_t o;
    iox_pub_options_init(&o);
    o.subscriberTooSlowPolicy = ConsumerTooSlowPolicy_WAIT_FOR_CONSUMER;
    p->pub = iox_pub_init(&p->pub_storage, "px", "bench", "tick", &o);
}

static void peer_reader(struct peer *p, int index)
{
    start_runtime("reader", index);
    iox_sub_options_t o;
    iox_sub_options_init(&o);
    o.queueCapacity = 256; /* the most that the binding is built for */
    o.queueFullPolicy = QueueFullPolicy_BLOCK_PRODUCER;
    p->sub = iox_sub_init(&p->sub_storage, "px", "bench", "tick", &o);
    while (iox_sub_get_subscription_state(p->sub) != SubscribeState_SUBSCRIBED)
        usleep(1000);
    if (p->sleeps) {
        p->ws = iox_ws_init(&p->ws_storage);
        iox_ws_attach_subscriber_state(p->ws, p->sub, SubscriberState_HAS_DATA, 1, NULL);
    }
}

static int peer_joined(struct peer *p)
{
    return p->readers == 0 || iox_pub_has_subscribers(p->pub);
}

static inline int peer_send(struct peer *p, const struct bench_tick *t)
{
    void *chunk;
    if (iox_pub_loan_chunk(p->pub, &chunk, sizeof *t) != AllocationResult_SUCCESS)
        return -1;
    memcpy(chunk, t, sizeof *t);
    iox_pub_publish_chunk(p->pub, chunk);
    return 0;
}

static inline void peer_flush(struct peer *p)
{
    (void)p;
}

static inline int peer_poll(struct peer *p, struct bench_tick *out, int n)
{
    int got = 0;
    const void *chunk;
    while (got < n && iox_sub_take_chunk(p->sub, &chunk) == ChunkReceiveResult_SUCCESS) {
        memcpy(&out[got++], chunk, sizeof *out);
        iox_sub_release_chunk(p->sub, chunk);
    }
    return got;
}

static inline void peer_wait(struct peer *p)
{
    iox_notification_info_t info[1];
    uint64_t missed;
    const struct timespec most = {0, 100000000};
    iox_ws_timed_wait(p->ws, most, info, 1, &missed);
}

/* Without this the daemon goes on delivering to it, and the next publisher waits for ever. */
static void peer_leave(struct peer *p)
{
    if (p->sleeps)
        iox_ws_deinit(p->ws);
    iox_sub_deinit(p->sub);
}

static void peer_destroy(struct peer *p)
{
    iox_pub_deinit(p->pub);
}

#include "peer_main.h"
