/* See restart.h. */
#include "restart.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "ask.h"
#include "cli.h"

#define ANSWER_NS   INT64_C(5000000000)
#define PATIENCE_NS INT64_C(60000000000)

/* Small enough for a pipe to take it whole. */
struct answer {
    int rc;
    char reason[ASK_REASON_MAX];
};

bool restart_is_running(const struct restart *r)
{
    return r->phase == RESTART_ASKED || r->phase == RESTART_WAITING || r->phase == RESTART_WARMING;
}

const char *restart_phase_name(enum restart_phase phase)
{
    static const char *const names[] = {"idle", "asked", "waiting", "warming", "done", "failed"};
    return names[phase];
}

/* Reads `info` and writes to `answer_in` only: the loop touches neither before the answer is there.
 */
static void *ask(void *owner)
{
    struct restart *r = owner;
    struct answer answer = {.rc = 0};
    answer.rc = ask_restart(&r->info, "pxmon", ANSWER_NS, answer.reason);
    /* a pipe that nobody reads any more is the end of the program */
    if (write(r->answer_in, &answer, sizeof answer) < 0)
        return NULL;
    return NULL;
}

static int start_thread(struct restart *r)
{
    int ends[2];
    sigset_t all, old;
    if (pipe2(ends, O_CLOEXEC | O_NONBLOCK) < 0)
        return -errno;
    r->answer_out = ends[0];
    r->answer_in = ends[1];
    /* signals are for the loop */
    sigfillset(&all);
    pthread_sigmask(SIG_BLOCK, &all, &old);
    int rc = pthread_create(&r->thread, NULL, ask, r);
    pthread_sigmask(SIG_SETMASK, &old, NULL);
    if (rc == 0)
        return 0;
    close(ends[0]);
    close(ends[1]);
    return -rc;
}

static void go(struct restart *r, enum restart_phase phase, const char *text)
{
    r->phase = phase;
    snprintf(r->text, sizeof r->text, "%s", text);
    if (phase == RESTART_DONE || phase == RESTART_FAILED)
        cli_error(0, r->info.bus, "restart from the browser: %s", text);
}

int restart_begin(struct restart *r, const struct subject *s)
{
    if (restart_is_running(r))
        return -EALREADY;
    if (s->bus == NULL || px_bus_info(s->bus, &r->info) < 0)
        return -ENOENT;
    r->epoch_before = r->epoch = r->info.epoch;
    r->start_ns = cli_now_ns();
    r->wanted = s->health.subscribed;
    if (start_thread(r) < 0)
        return -EAGAIN;
    go(r, RESTART_ASKED, "the feeder was asked");
    cli_error(0, r->info.bus, "restart from the browser: the feeder is asked");
    return 0;
}

void restart_end(struct restart *r)
{
    if (r->phase != RESTART_ASKED)
        return;
    pthread_join(r->thread, NULL);
    close(r->answer_in);
    close(r->answer_out);
    r->phase = RESTART_IDLE;
}

static void take_answer(struct restart *r)
{
    struct answer answer;
    if (read(r->answer_out, &answer, sizeof answer) != (ssize_t)sizeof answer)
        return;
    restart_end(r);
    if (answer.rc < 0)
        go(r, RESTART_FAILED, answer.reason);
    else
        go(r, RESTART_WAITING, "the feeder begins anew");
}

static void await_epoch(struct restart *r, const struct subject *s)
{
    struct px_bus_info info;
    char text[128];
    if (s->bus == NULL || px_bus_info(s->bus, &info) < 0 || info.epoch <= r->epoch_before ||
        info.state != PX_STATE_LIVE)
        return;
    r->epoch = info.epoch;
    snprintf(text, sizeof text, "epoch %llu is there after %.1f s, it connects",
             (unsigned long long)r->epoch, (double)(cli_now_ns() - r->start_ns) / 1e9);
    go(r, RESTART_WARMING, text);
}

/* A snapshot of the new epoch with a live symbol, or with none where nobody wanted one before: a
 * feeder that has just begun does not know yet what is wanted. */
static void await_prices(struct restart *r, const struct subject *s)
{
    char text[128];
    if (!s->has_now || s->now.bus.epoch < r->epoch)
        return;
    if (r->wanted > 0 && s->health.of_quality[PX_LIVE] == 0)
        return;
    double seconds = (double)(cli_now_ns() - r->start_ns) / 1e9;
    if (r->wanted == 0)
        snprintf(text, sizeof text, "epoch %llu runs after %.1f s, nothing is subscribed",
                 (unsigned long long)r->epoch, seconds);
    else
        snprintf(text, sizeof text, "prices flow in epoch %llu after %.1f s",
                 (unsigned long long)r->epoch, seconds);
    go(r, RESTART_DONE, text);
}

bool restart_step(struct restart *r, const struct subject *s, bool looked)
{
    enum restart_phase before = r->phase;
    if (r->phase == RESTART_ASKED)
        take_answer(r);
    if (r->phase == RESTART_WAITING)
        await_epoch(r, s);
    if (r->phase == RESTART_WARMING && looked)
        await_prices(r, s);
    if ((r->phase == RESTART_WAITING || r->phase == RESTART_WARMING) &&
        cli_now_ns() - r->start_ns > PATIENCE_NS)
        go(r, RESTART_FAILED,
           r->phase == RESTART_WAITING ? "no new epoch within a minute, see pxstat"
                                       : "the feeder is back and brings no price, see pxstat");
    return r->phase != before;
}
