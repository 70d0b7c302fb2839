/* Sleeping, and what an event loop watches. */
#include <errno.h>
#include <linux/futex.h>
#include <sys/epoll.h>
#include <sys/syscall.h>
#include <sys/timerfd.h>
#include <time.h>
#include <unistd.h>

#include "reader.h"
#include "seq.h"

#define POLL_SLICE_NS 1000000  /* without a page nobody wakes us */
#define WORK_SLICE_NS 10000000 /* while something is in progress */

/* Sleep on the wake word unless there is something to look at. 0: woken, or not slept; else errno
 * of the futex. The order, for ever: word, flag, fence, ring. Pairs with px_writer_flush(), which
 * publishes, raises the word, fences, and reads the flag: either the writer sees the flag, or we
 * see its tick; and a word that it raised before we sleep makes FUTEX_WAIT return at once. */
static int sleep_on_word(px_bus *b, const struct timespec *slice)
{
    uint32_t word = pxi_load32_acquire(&b->prefix->wake);
    int rc = 0;
    pxi_store32(&b->page->sleeping, 1);
    pxi_fence_full();
    if (!pxi_entry_waits(b)) {
        if (syscall(SYS_futex, &b->prefix->wake, FUTEX_WAIT, word, slice, NULL, 0) < 0)
            rc = errno;
        else
            b->wakes++;
    }
    pxi_store32(&b->page->sleeping, 0);
    return rc;
}

static int64_t slice_ns(const px_bus *b)
{
    if (!b->up && b->state == PX_STATE_LIVE && pxi_heartbeat_age(b, pxi_coarse_ns()) <= PXI_DEAD_NS)
        return POLL_SLICE_NS;
    if (!b->up)
        return WORK_SLICE_NS; /* nobody writes: a new feeder is seen soon enough */
    return (b->flags & PXI_WORK) != 0 ? WORK_SLICE_NS : PXI_SLICE_NS;
}

/* 1: there is something for the caller. Takes one tick to find out: what others get is passed over.
 */
static int something(px_bus *b)
{
    if (pxi_attention(b))
        pxi_attend(b);
    if ((b->flags & (PXI_HELD | PXI_JUMPED)) != 0)
        return 1;
    int rc = pxi_take(b, &b->held, 1);
    if (rc == 0)
        return 0;
    b->flags |= rc > 0 ? PXI_HELD : PXI_JUMPED;
    return 1;
}

int px_bus_wait(px_bus *b, int64_t timeout_ns)
{
    if (something(b))
        return 0;
    int64_t now = pxi_now_ns();
    int64_t deadline =
        timeout_ns < 0 || timeout_ns > INT64_MAX - now ? INT64_MAX : now + timeout_ns;
    for (;;) {
        if (now >= deadline)
            return -ETIMEDOUT;
        int64_t ns = slice_ns(b);
        if (deadline - now < ns)
            ns = deadline - now;
        struct timespec slice = {0, ns};
        int rc = sleep_on_word(b, b->endless_sleep ? NULL : &slice);
        if (something(b))
            return 0;
        if (rc == EINTR)
            return -EINTR;
        now = pxi_now_ns();
        if (now - b->looked_ns >= PXI_SLICE_NS) {
            pxi_look(b, now);
            (void)pxi_hole_skip(b);
        }
    }
}

/* ---- for an event loop ----
 *
 * What is given out is an epoll descriptor of the reader's own, so that it stays the same over
 * restarts and can be made readable by the reader too. In it are the control socket, where the
 * feeder's WAKE arrives, and a timer. The feeder never sees either: it still sends to a socket and
 * is never held up. The timer replaces the WAKE that another call of this reader took out of the
 * socket, and it is the reader's clock while there is no feeder, or something goes on by and by. */

static void timer_set(px_bus *b, int64_t ns)
{
    if (b->watch_set == ns)
        return;
    /* To set it takes back what it may have told. */
    const struct itimerspec t = {.it_value = {ns / 1000000000, ns % 1000000000}};
    if (timerfd_settime(b->watch_timer, 0, &t, NULL) == 0)
        b->watch_set = ns;
}

void pxi_watch_tell(px_bus *b)
{
    if ((b->flags & PXI_WATCHED) != 0)
        timer_set(b, PXI_WATCH_NOW);
}

int pxi_watch_arm(px_bus *b)
{
    int64_t before = b->watch_set;
    b->watch_set = PXI_WATCH_NOW; /* what the socket has to tell is dealt with here */
    pxi_subs_step(b, pxi_coarse_ns());
    b->watch_set = before == 0 ? 0 : -1; /* a slice that has run out is to be set again */
    timer_set(b, b->up && (b->flags & PXI_WORK) == 0 ? 0 : slice_ns(b));
    if (b->up && pxi_load32(&b->page->want_wake) != 0)
        return 0;
    /* Pairs with the fence in px_writer_flush(): either it sees want_wake or we see its tick. */
    pxi_store32(&b->page->want_wake, 1);
    pxi_fence_full();
    return pxi_entry_waits(b);
}

void pxi_watch_close(px_bus *b)
{
    if (b->watch_timer >= 0)
        close(b->watch_timer);
    if (b->client.watch >= 0)
        close(b->client.watch);
    b->watch_timer = b->client.watch = -1;
    b->flags &= ~(uint32_t)PXI_WATCHED;
}

static int watch_open(px_bus *b)
{
    struct epoll_event e = {.events = EPOLLIN};
    int set = epoll_create1(EPOLL_CLOEXEC), rc = 0;
    if (set < 0)
        return -errno;
    b->watch_timer = timerfd_create(CLOCK_MONOTONIC, TFD_NONBLOCK | TFD_CLOEXEC);
    if (b->watch_timer < 0 || epoll_ctl(set, EPOLL_CTL_ADD, b->watch_timer, &e) < 0)
        rc = -errno;
    if (rc == 0)
        rc = pxi_client_watch(&b->client, set);
    if (rc < 0) {
        close(set);
        pxi_watch_close(b);
        return rc;
    }
    b->flags |= PXI_WATCHED;
    return 0;
}

int px_bus_fd(px_bus *b)
{
    if (b->no_socket)
        return -ENOTCONN;
    if (pxi_attention(b))
        pxi_attend(b);
    int rc = (b->flags & PXI_WATCHED) == 0 ? watch_open(b) : 0;
    if (rc < 0)
        return rc;
    if ((b->flags & (PXI_HELD | PXI_JUMPED)) != 0 || pxi_watch_arm(b) || pxi_entry_waits(b))
        pxi_watch_tell(b);
    return b->client.watch;
}
