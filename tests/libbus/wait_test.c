/* Sleeping: woken when there is something, and never left asleep. */
#include "t.h"

#include <errno.h>
#include <poll.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <sys/time.h>
#include <unistd.h>

#include "reader.h"
#include "rig.h"

struct sleeper {
    struct rig r;
    px_bus *bus;
    uint32_t slot;
};

static void setup(struct sleeper *s)
{
    px_id id;
    memset(s, 0, sizeof *s);
    rig_listen(&s->r);
    rig_open(&s->r, 16, 1024);
    rig_serve_start(&s->r);
    s->bus = rig_reader(&s->r, 0);
    T_EQ(px_bus_subscribe(s->bus, "x:A", PX_TRADES, &id, 2000), 0);
    rig_serve_stop(&s->r);
    s->slot = rig_bind(&s->r, "x:A");
}

static void teardown(struct sleeper *s)
{
    px_bus_detach(s->bus);
    rig_free(&s->r);
}

static uint64_t wakes(px_bus *bus)
{
    struct px_bus_stats s;
    px_bus_stats(bus, &s);
    return s.wakes;
}

/* One tick, published when the reader says on its page that it sleeps. */
static void *publish_when_asleep(void *arg)
{
    struct sleeper *s = arg;
    struct px_page *page = s->r.session[0].page;
    int64_t end = rig_now_ns() + 5000000000;
    while (pxi_load32(&page->sleeping) == 0 && rig_now_ns() < end)
        usleep(100);
    uint64_t seq = rig_quote(&s->r, s->slot, 1); /* not asked for: does not end the sleep */
    px_writer_flush(s->r.w);
    while (pxi_load64(&page->position) != seq && rig_now_ns() < end)
        usleep(100);
    rig_trade(&s->r, s->slot, 2);
    px_writer_flush(s->r.w);
    return NULL;
}

T_TEST(a_sleeping_reader_is_woken_by_what_it_asked_for)
{
    struct sleeper s;
    struct px_tick t;
    pthread_t thread;
    setup(&s);
    T_EQ(px_bus_wait(s.bus, 0), -ETIMEDOUT);
    int64_t start = rig_now_ns();
    T_EQ(px_bus_wait(s.bus, 20000000), -ETIMEDOUT);
    T_TRUE(rig_now_ns() - start >= 20000000);
    T_EQ(s.r.session[0].page->sleeping, 0);
    uint64_t before = wakes(s.bus);
    s.bus->endless_sleep = 1;
    T_EQ(pthread_create(&thread, NULL, publish_when_asleep, &s), 0);
    T_EQ(px_bus_wait(s.bus, 60000000000), 0);
    T_EQ(px_bus_wait(s.bus, 60000000000), 0); /* as long as it is not taken */
    T_EQ(px_bus_poll(s.bus, &t, 1), 1);
    T_TRUE(rig_tick_is(&t, 2));
    pthread_join(thread, NULL);
    T_TRUE(wakes(s.bus) > before);
    teardown(&s);
}

T_TEST(a_reader_without_a_socket_waits_too)
{
    struct rig r = {0};
    struct px_tick t;
    rig_open(&r, 16, 64);
    uint32_t slot = rig_bind(&r, "x:A");
    px_writer_flush(r.w);
    px_bus *bus = rig_reader(&r, 1);
    T_EQ(px_bus_wait(bus, 5000000), -ETIMEDOUT);
    T_EQ(px_bus_fd(bus), -ENOTCONN);
    rig_trade(&r, slot, 1);
    T_EQ(px_bus_wait(bus, 5000000000), 0);
    T_EQ(px_bus_poll(bus, &t, 1), 1);
    px_bus_detach(bus);
    rig_free(&r);
}

static void on_alarm(int signal_number)
{
    (void)signal_number;
}

T_TEST(a_signal_ends_the_sleep)
{
    struct sleeper s;
    struct sigaction act = {.sa_handler = on_alarm};
    setup(&s);
    sigaction(SIGALRM, &act, NULL);
    const struct itimerval soon = {{0, 10000}, {0, 10000}};
    const struct itimerval never = {{0, 0}, {0, 0}};
    setitimer(ITIMER_REAL, &soon, NULL);
    T_EQ(px_bus_wait(s.bus, 10000000000), -EINTR);
    setitimer(ITIMER_REAL, &never, NULL);
    teardown(&s);
}

T_TEST(a_jump_ends_the_sleep_and_is_told_by_the_poll)
{
    struct sleeper s;
    struct px_tick t;
    setup(&s);
    for (uint64_t n = 0; n < 3000; n++)
        rig_trade(&s.r, s.slot, n);
    px_writer_flush(s.r.w);
    T_EQ(px_bus_wait(s.bus, 1000000000), 0);
    T_EQ(px_bus_poll(s.bus, &t, 1), -EOVERFLOW);
    T_EQ(px_bus_wait(s.bus, 1000000000), 0);
    T_EQ(px_bus_poll(s.bus, &t, 1), 1);
    T_EQ(s.bus->laps, 1);
    teardown(&s);
}

/* Publishes tick n + 1 as soon as tick n was taken: the reader is then just about to fall asleep. A
 * pause of changing length lets the two meet at every instruction of it. On a machine that has no
 * two cores to spare, time ends it before the rounds do. */
#define RACE_NS 20000000000
struct race {
    struct sleeper s;
    uint64_t rounds, taken;
};

static void *publish_at_once(void *arg)
{
    struct race *race = arg;
    uint64_t seed = 1;
    int64_t end = rig_now_ns() + RACE_NS;
    for (uint64_t n = 1; n <= race->rounds; n++) {
        for (int spin = 0; pxi_load64_acquire(&race->taken) != n - 1; spin++)
            if (spin > 1000)
                sched_yield();
        seed = seed * UINT64_C(6364136223846793005) + 1;
        uint64_t pause = (seed >> 33) % (n % 16 == 0 ? 16000 : 400);
        for (uint64_t i = 0; i < pause; i++)
            pxi_fence_acquire();
        if (n % 256 == 0 && rig_now_ns() > end)
            pxi_store64(&race->rounds, n);
        rig_trade(&race->s.r, race->s.slot, n);
        px_writer_flush(race->s.r.w);
    }
    return NULL;
}

T_TEST(a_million_races_with_the_writer_lose_no_wake_up)
{
    static struct race race = {.rounds = 1000000};
    struct px_tick t;
    pthread_t thread;
    setup(&race.s);
    race.s.bus->endless_sleep = 1; /* a lost wake-up would hang here until the test's time is up */
    T_EQ(pthread_create(&thread, NULL, publish_at_once, &race), 0);
    for (uint64_t n = 1; n <= pxi_load64(&race.rounds); n++) {
        T_EQ(px_bus_wait(race.s.bus, 3600000000000), 0);
        T_EQ(px_bus_poll(race.s.bus, &t, 1), 1);
        T_EQ(t.exch_ns, n);
        pxi_store64_release(&race.taken, n);
    }
    pthread_join(thread, NULL);
    printf("%llu rounds, slept %llu times\n", (unsigned long long)race.rounds,
           (unsigned long long)wakes(race.s.bus));
    T_TRUE(race.rounds >= 10000);
    T_TRUE(wakes(race.s.bus) > 1000);
    teardown(&race.s);
}

T_TEST(the_descriptor_never_stays_silent_with_ticks_waiting)
{
    static struct race race = {.rounds = 100000};
    struct px_tick t;
    pthread_t thread;
    uint64_t next = 1, slept = 0;
    setup(&race.s);
    int fd = px_bus_fd(race.s.bus);
    T_TRUE(fd >= 0);
    T_EQ(px_bus_poll(race.s.bus, &t, 1), 0);
    T_EQ(pthread_create(&thread, NULL, publish_at_once, &race), 0);
    while (next <= pxi_load64(&race.rounds)) {
        int n = px_bus_poll(race.s.bus, &t, 1);
        if (n == 1) {
            T_EQ(t.exch_ns, next);
            pxi_store64_release(&race.taken, next++);
            continue;
        }
        T_EQ(n, 0);
        struct pollfd p = {.fd = fd, .events = POLLIN};
        slept += poll(&p, 1, 0) == 0;
        T_EQ(poll(&p, 1, 20000), 1);
        T_EQ(p.revents, POLLIN);
    }
    pthread_join(thread, NULL);
    /* and once all is taken it is silent */
    T_EQ(px_bus_poll(race.s.bus, &t, 1), 0);
    struct pollfd p = {.fd = fd, .events = POLLIN};
    T_EQ(poll(&p, 1, 0), 0);
    printf("slept %llu times\n", (unsigned long long)slept);
    T_TRUE(slept > 0);
    teardown(&race.s);
}

static int readable(int fd, int ms)
{
    struct pollfd p = {.fd = fd, .events = POLLIN};
    return poll(&p, 1, ms);
}

static int drain(px_bus *bus)
{
    struct px_tick t;
    int trades = 0, n;
    while ((n = px_bus_poll(bus, &t, 1)) != 0)
        trades += n == 1 && t.kind == PX_TRADE;
    return trades;
}

T_TEST(the_descriptor_tells_of_ticks_that_came_before_it_was_asked_for_or_at_once_after)
{
    struct sleeper s;
    setup(&s);
    drain(s.bus);
    rig_trade(&s.r, s.slot, 1);
    px_writer_flush(s.r.w);
    int fd = px_bus_fd(s.bus);
    T_EQ(readable(fd, 1000), 1);
    T_EQ(drain(s.bus), 1);
    T_EQ(readable(fd, 0), 0);
    T_EQ(px_bus_fd(s.bus), fd);
    T_EQ(readable(fd, 0), 0);
    for (uint64_t n = 0; n < 10; n++) {
        rig_trade(&s.r, s.slot, n); /* slept on without another px_bus_poll() */
        px_writer_flush(s.r.w);
    }
    T_EQ(readable(fd, 1000), 1);
    T_EQ(drain(s.bus), 10);
    T_EQ(readable(fd, 0), 0);
    teardown(&s);
}

T_TEST(no_other_call_takes_away_what_the_descriptor_tells)
{
    struct sleeper s;
    struct px_bus_stats stats;
    struct px_last last;
    px_id id, other;
    setup(&s);
    T_EQ(px_bus_find(s.bus, "x:A", &id), 0);
    int fd = px_bus_fd(s.bus);
    for (int i = 0; i < 4; i++) {
        drain(s.bus);
        T_EQ(readable(fd, 0), 0);
        rig_trade(&s.r, s.slot, 1);
        px_writer_flush(s.r.w);
        s.bus->flags |= PXI_WORK; /* as after an answer: any call reads the socket */
        s.bus->worked_ns = 0;
        if (i == 0) {
            rig_serve_start(&s.r);
            T_EQ(px_bus_subscribe(s.bus, "x:B", PX_TRADES, &other, 2000), 0);
            rig_serve_stop(&s.r);
        } else if (i == 1) {
            T_EQ(px_bus_last(s.bus, id, &last), 0);
        } else if (i == 2) {
            T_EQ(px_bus_stats(s.bus, &stats), 0);
        } else {
            T_EQ(px_bus_unsubscribe(s.bus, other), 0);
        }
        T_EQ(readable(fd, 1000), 1);
        T_EQ(drain(s.bus), 1);
    }
    teardown(&s);
}

T_TEST(the_descriptor_carries_a_sleeper_over_a_restart)
{
    struct sleeper s;
    setup(&s);
    int fd = px_bus_fd(s.bus), trades = 0, asked = s.r.subscribes;
    drain(s.bus);
    rig_close(&s.r);
    rig_open(&s.r, 16, 1024);
    rig_serve_start(&s.r);
    int64_t end = rig_now_ns() + 10000000000;
    int published = 0;
    while (trades == 0 && rig_now_ns() < end) {
        T_EQ(readable(fd, 5000), 1); /* nothing else wakes it */
        trades += drain(s.bus);
        rig_lock();
        if (s.r.subscribes > asked && !published) {
            rig_trade(&s.r, s.slot, 7);
            px_writer_flush(s.r.w);
            published = 1;
        }
        rig_unlock();
    }
    T_EQ(trades, 1);
    while (drain(s.bus) >= 0 && readable(fd, 30) != 0 && rig_now_ns() < end)
        ;
    T_EQ(readable(fd, 50), 0); /* connected, nothing comes: silent */
    T_EQ(px_bus_fd(s.bus), fd);
    rig_serve_stop(&s.r);
    teardown(&s);
}
