#include "conn.h"

#include <stddef.h>

#define MS    INT64_C(1000000)
#define S     (1000 * MS)
#define NEVER INT64_MAX

/* Deadline of each state and what its passing means. Idle has none: nothing is asked of it. That of
 * waiting is the waiting time itself. */
static const struct {
    int64_t deadline_ns;
    const char *passed;
} states[PX_CONN_STATE_COUNT] = {
    [PX_CONN_IDLE] = {0, "idle"},
    [PX_CONN_RESOLVING] = {10 * S, "the name was not resolved in time"},
    [PX_CONN_CONNECTING] = {5 * S, "no answer to the connection attempt"},
    [PX_CONN_TLS] = {5 * S, "the TLS handshake was not answered in time"},
    [PX_CONN_UPGRADING] = {5 * S, "the upgrade request was not answered in time"},
    [PX_CONN_SUBSCRIBING] = {10 * S, "subscriptions were not answered in time"},
    [PX_CONN_LIVE] = {60 * S, "nothing was received for too long"},
    [PX_CONN_CLOSING] = {1 * S, "the close frame was not answered in time"},
    [PX_CONN_WAITING] = {0, "the next attempt is due"},
};

/* A connection whose bytes come and whose data does not is mute after a silence that is no pause
 * of its market (pauses.h). A new connection that is as silent as the last is given twice as long,
 * so that a market that has fallen silent is not reconnected to death. One doubling is forgiven for
 * each FADE_NS without such an end, by a connection that has itself brought data for so long. */
#define MUTE_MAX_NS (7 * 86400 * S)
#define FADE_NS     (600 * S)
#define GOOD_NS     (5 * S)

/* A proxy resolves the target's name and connects to it before it answers. */
#define TUNNEL_NS (15 * S)

static int64_t or_else(int64_t value, int64_t otherwise)
{
    return value > 0 ? value : otherwise;
}

static int64_t state_deadline(const struct conn *c, uint32_t state)
{
    int64_t usual = states[state].deadline_ns;
    switch (state) {
    case PX_CONN_RESOLVING:
    case PX_CONN_TLS:
    case PX_CONN_UPGRADING:
        return or_else(c->config.step_ns, usual);
    case PX_CONN_CONNECTING:
        return or_else(c->config.step_ns, c->tunnel ? TUNNEL_NS : usual);
    case PX_CONN_SUBSCRIBING:
        return or_else(c->config.subscribe_ns, usual);
    case PX_CONN_CLOSING:
        return or_else(c->config.close_ns, usual);
    case PX_CONN_LIVE:
        return or_else(c->config.silence_ns, usual);
    default:
        return NEVER;
    }
}

static void enter(struct conn *c, uint32_t state, int64_t now_ns)
{
    c->tunnel = false;
    int64_t in_ns = state_deadline(c, state);
    c->state = state;
    c->since_ns = now_ns;
    c->deadline_ns = in_ns == NEVER ? NEVER : now_ns + in_ns;
}

/* How long data may be missing on a live connection. */
static int64_t mute_bound(const struct conn *c)
{
    int64_t bound = pauses_bound(&c->pauses);
    for (uint32_t i = 0; i < c->mute_ends && bound < MUTE_MAX_NS; i++)
        bound *= 2;
    return bound < MUTE_MAX_NS ? bound : MUTE_MAX_NS;
}

static int64_t data_since(const struct conn *c)
{
    return c->data_ns != 0 ? c->data_ns : c->since_ns;
}

int64_t conn_deadline(const struct conn *c)
{
    if (c->state != PX_CONN_LIVE)
        return c->deadline_ns;
    int64_t bytes = c->bytes_ns + state_deadline(c, PX_CONN_LIVE);
    int64_t data = data_since(c) + mute_bound(c);
    return bytes < data ? bytes : data;
}

const char *conn_deadline_text(const struct conn *c)
{
    if (c->state == PX_CONN_LIVE &&
        data_since(c) + mute_bound(c) < c->bytes_ns + state_deadline(c, PX_CONN_LIVE))
        return "no data was received for too long";
    if (c->tunnel)
        return "the proxy did not answer in time";
    return states[c->state].passed;
}

void conn_init(struct conn *c, const struct conn_config *config, const struct backoff *backoff,
               int64_t now_ns)
{
    *c = (struct conn){.config = *config, .backoff = *backoff};
    enter(c, PX_CONN_IDLE, now_ns);
}

void conn_take_over(struct conn *c, int64_t now_ns)
{
    enter(c, PX_CONN_LIVE, now_ns);
    c->wanted = true;
    c->live_ns = c->bytes_ns = now_ns;
}

static bool has_socket(uint32_t state)
{
    return state >= PX_CONN_CONNECTING && state <= PX_CONN_CLOSING;
}

static void wait_for(struct conn *c, int64_t wait_ns, int64_t now_ns)
{
    enter(c, PX_CONN_WAITING, now_ns);
    c->deadline_ns = now_ns + wait_ns;
}

static uint32_t attempt(struct conn *c, const struct conn_input *in, int64_t now_ns)
{
    if (in != NULL && in->retry_ns > 0) {
        wait_for(c, in->retry_ns, now_ns);
        return 0;
    }
    c->attempts++;
    c->good = false;
    c->addresses = c->address = 0;
    enter(c, PX_CONN_RESOLVING, now_ns);
    return CONN_DO_RESOLVE;
}

/* The connection, or the attempt, is over. */
static uint32_t end(struct conn *c, const struct conn_input *in, int64_t now_ns)
{
    uint32_t actions = has_socket(c->state) ? CONN_DO_DROP : 0;
    bool reached = in != NULL && in->reached;
    if (c->state == PX_CONN_LIVE)
        actions |= CONN_DO_LOST;
    /* An address that was silent or refused says nothing about the next. */
    if (c->wanted && !reached && c->state >= PX_CONN_CONNECTING && c->state <= PX_CONN_UPGRADING &&
        c->address + 1 < c->addresses) {
        c->address++;
        enter(c, PX_CONN_CONNECTING, now_ns);
        return actions | CONN_DO_CONNECT;
    }
    if (!c->wanted) {
        enter(c, PX_CONN_IDLE, now_ns);
        return actions;
    }
    if (c->state != PX_CONN_CLOSING)
        c->failures++;
    uint32_t failures = c->backoff.failures;
    int64_t wait = backoff_next(&c->backoff, in != NULL ? in->retry_ns : 0);
    if (c->state == PX_CONN_LIVE && c->mute) /* the venue refused nothing */
        c->backoff.failures = failures;
    wait_for(c, wait, now_ns);
    return actions;
}

static uint32_t on_timer(struct conn *c, const struct conn_input *in, int64_t now_ns)
{
    if (now_ns < conn_deadline(c))
        return 0;
    if (c->state == PX_CONN_WAITING)
        return c->wanted ? attempt(c, in, now_ns) : 0;
    if (c->state == PX_CONN_LIVE) {
        c->mute = true;
        c->muted_ns = now_ns;
        if (c->mute_ends < UINT32_MAX)
            c->mute_ends++;
    }
    return end(c, NULL, now_ns);
}

static uint32_t on_unwanted(struct conn *c, int64_t now_ns)
{
    c->wanted = false;
    switch (c->state) {
    case PX_CONN_SUBSCRIBING:
    case PX_CONN_LIVE: {
        uint32_t lost = c->state == PX_CONN_LIVE ? CONN_DO_LOST : 0;
        enter(c, PX_CONN_CLOSING, now_ns);
        return CONN_DO_CLOSE | lost;
    }
    case PX_CONN_CLOSING:
    case PX_CONN_IDLE:
        return 0;
    default:
        return end(c, NULL, now_ns);
    }
}

static uint32_t on_step(struct conn *c, enum conn_event event, const struct conn_input *in,
                        int64_t now_ns)
{
    if (event == CONN_RESOLVED && c->state == PX_CONN_RESOLVING) {
        c->addresses = in != NULL ? in->addresses : 0;
        if (c->addresses == 0)
            return end(c, NULL, now_ns);
        enter(c, PX_CONN_CONNECTING, now_ns);
        return CONN_DO_CONNECT;
    }
    bool connected = event == CONN_CONNECTED && c->state == PX_CONN_CONNECTING && !c->tunnel;
    if (connected && c->config.proxy) {
        c->tunnel = true;
        c->deadline_ns = now_ns + state_deadline(c, PX_CONN_CONNECTING);
        return CONN_DO_TUNNEL;
    }
    if (connected || (event == CONN_TUNNELLED && c->tunnel)) {
        enter(c, c->config.tls ? PX_CONN_TLS : PX_CONN_UPGRADING, now_ns);
        return c->config.tls ? CONN_DO_TLS : CONN_DO_UPGRADE;
    }
    if (event == CONN_SECURED && c->state == PX_CONN_TLS) {
        enter(c, PX_CONN_UPGRADING, now_ns);
        return CONN_DO_UPGRADE;
    }
    if (event == CONN_UPGRADED && c->state == PX_CONN_UPGRADING) {
        enter(c, PX_CONN_SUBSCRIBING, now_ns);
        c->bytes_ns = now_ns;
        c->data_ns = 0;
        c->mute = false;
        return CONN_DO_SUBSCRIBE;
    }
    return 0;
}

static uint32_t on_subscribed(struct conn *c, int64_t now_ns)
{
    if (c->state != PX_CONN_SUBSCRIBING)
        return 0;
    enter(c, PX_CONN_LIVE, now_ns);
    c->live_ns = now_ns;
    if (c->lives++ > 0)
        c->reconnects++;
    return CONN_DO_LIVE;
}

static void note_pause(struct conn *c, int64_t now_ns)
{
    pauses_note(&c->pauses, now_ns - data_since(c), now_ns);
    if (c->mute_ends != 0 && now_ns - c->muted_ns >= FADE_NS && now_ns - c->live_ns >= FADE_NS) {
        c->mute_ends--;
        c->muted_ns = now_ns;
    }
}

static uint32_t on_data(struct conn *c, int64_t now_ns)
{
    if (c->state == PX_CONN_LIVE)
        note_pause(c, now_ns);
    c->bytes_ns = now_ns;
    c->data_ns = now_ns;
    /* Data is an answer too: some endpoints acknowledge nothing. */
    if (c->state == PX_CONN_SUBSCRIBING)
        return on_subscribed(c, now_ns);
    if (c->state == PX_CONN_LIVE && !c->good &&
        now_ns - c->live_ns >= or_else(c->config.good_ns, GOOD_NS)) {
        c->good = true;
        backoff_reset(&c->backoff);
    }
    return 0;
}

uint32_t conn_step(struct conn *c, enum conn_event event, const struct conn_input *in,
                   int64_t now_ns)
{
    switch (event) {
    case CONN_WANTED:
        c->wanted = true;
        return c->state == PX_CONN_IDLE ? attempt(c, in, now_ns) : 0;
    case CONN_UNWANTED:
        return on_unwanted(c, now_ns);
    case CONN_TIMER:
        return on_timer(c, in, now_ns);
    case CONN_SUBSCRIBED:
        return on_subscribed(c, now_ns);
    case CONN_BYTES:
        c->bytes_ns = now_ns;
        return 0;
    case CONN_DATA:
        return on_data(c, now_ns);
    case CONN_LESS:
        pauses_forget(&c->pauses);
        return 0;
    case CONN_FAILED:
    case CONN_ENDED:
        return c->state == PX_CONN_IDLE || c->state == PX_CONN_WAITING ? 0 : end(c, in, now_ns);
    default:
        return on_step(c, event, in, now_ns);
    }
}
