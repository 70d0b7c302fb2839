/* What happens to a client by the clock: pings, notices, the dialect's turn, deadlines. */
#include <stdio.h>
#include <string.h>

#include "conn.h"
#include "frame.h"

#define FULL_NS (5 * NS_PER_S)

static void ping(struct conn *c)
{
    char text[24];
    const struct options *o = c->server->options;
    uint64_t now_ms = c->server->now.real_us / 1000;
    int n = snprintf(text, sizeof text, "%llu", (unsigned long long)now_ms);
    if (c->ping_count == CONN_PINGS) {
        memmove(c->pings, c->pings + 1, (CONN_PINGS - 1) * sizeof c->pings[0]);
        c->ping_count--;
    }
    c->pings[c->ping_count++] = now_ms;
    (void)out_frame(&c->out, FRAME_PING, true, text, (size_t)n);
    c->ping_ns += o->ping_ns;
    if (c->pong_by_ns == NEVER && o->pong_ns > 0)
        c->pong_by_ns = conn_now(c) + o->pong_ns;
}

static void notice(struct conn *c)
{
    char text[1024];
    const struct options *o = c->server->options;
    size_t len = 0;
    if (o->venue->shutdown_notice != NULL)
        len = o->venue->shutdown_notice(&c->session, text, sizeof text);
    if (len > 0)
        conn_send(&c->session, text, len, false);
    c->notice_ns = NEVER;
    c->end_ns = conn_now(c) + (uint64_t)o->faults.arg[FAULT_SERVER_SHUTDOWN] * NS_PER_S;
}

/* A client that takes nothing for seconds is cut off, as at the venue. */
static void watch_fullness(struct conn *c)
{
    if (out_waiting(&c->out) <= CONN_FULL || c->session.silent)
        c->full_ns = 0;
    else if (c->full_ns == 0)
        c->full_ns = conn_now(c);
    else if (conn_now(c) > c->full_ns + FULL_NS && c->faults == 0)
        conn_drop(c, "too slow: cut off");
}

static uint64_t earliest(uint64_t a, uint64_t b)
{
    return a < b ? a : b;
}

/* What the venue does by the clock. */
static void keep_time(struct conn *c)
{
    uint64_t now = conn_now(c);
    c->session.now = c->server->now;
    if (now >= c->ping_ns)
        ping(c);
    if (now >= c->notice_ns)
        notice(c);
    if (now >= c->second_ns) {
        c->second_ns += NS_PER_S;
        if (c->second_ns <= now) /* missed ones are not made up for */
            c->second_ns = now + NS_PER_S;
        c->server->options->venue->second(&c->session);
    }
}

static void end_late(struct conn *c, const struct sim_close *how, const char *what, unsigned ms)
{
    char reason[64];
    snprintf(reason, sizeof reason, "%s %u s", what, ms / 1000);
    c->server->violations++;
    if (how->code == 0)
        conn_end(c, 1008, reason);
    else
        conn_end(c, how->code, how->reason);
}

/* Reasons to end, the dialect's own first. */
static void keep_deadlines(struct conn *c)
{
    const struct sim_venue *venue = c->server->options->venue;
    uint64_t now = conn_now(c);
    if (c->session.subscribed_ns != 0)
        c->subscribe_by_ns = NEVER;
    if (c->wanted_code != 0) {
        conn_end(c, c->wanted_code, c->wanted_reason);
    } else if (now >= c->pong_by_ns) {
        c->server->violations++;
        conn_end(c, 1008, "Pong timeout");
    } else if (now >= c->subscribe_by_ns) {
        end_late(c, &venue->subscribe_close, "subscribe within", venue->subscribe_within_ms);
    } else if (now >= c->speak_by_ns) {
        end_late(c, &venue->idle_close, "nothing said for", venue->idle_ms);
    } else if (now >= c->end_ns) {
        conn_end(c, 1001, "");
    }
}

static uint64_t next_deadline(const struct conn *c)
{
    uint64_t at[] = {c->ping_ns,         c->notice_ns,   c->pong_by_ns, c->end_ns,
                     c->subscribe_by_ns, c->speak_by_ns, c->second_ns};
    uint64_t next = NEVER;
    for (size_t i = 0; i < sizeof at / sizeof at[0]; i++)
        next = earliest(next, at[i]);
    return next;
}

uint64_t conn_tick(struct conn *c)
{
    uint64_t now = conn_now(c), more = NEVER;
    if (now >= c->deadline_ns) {
        conn_drop(c, c->state == CONN_STUCK ? "closed" : "took too long");
        return NEVER;
    }
    if (c->state == CONN_OPEN) {
        keep_time(c);
        more = conn_out_tick(c);
        watch_fullness(c);
    }
    if (c->state == CONN_OPEN)
        keep_deadlines(c);
    conn_flush(c);
    if (c->state == CONN_OPEN)
        more = earliest(more, next_deadline(c));
    if (!c->blocked && out_waiting(&c->out) > 0 && c->state != CONN_DEAD && c->state != CONN_DRAIN)
        more = earliest(more, conn_drips(c) ? c->drip_ns : now);
    return earliest(more, c->deadline_ns);
}
