/* What a client is told: market data, a replay, and what faults make of them. */
#include <stdlib.h>
#include <string.h>

#include "conn.h"
#include "frame.h"

#define REPLAY_WAIT_NS (200 * NS_PER_MS) /* after the client's last subscribe */
#define FRAGMENT_NS    (5 * NS_PER_MS)
#define GAP_AFTER      10 /* messages before the trade ids skip */

static long fault_arg(const struct conn *c, enum fault id)
{
    return c->server->options->faults.arg[id];
}

static uint8_t op_of(const struct conn *c)
{
    return c->server->options->venue->binary ? FRAME_BINARY : FRAME_TEXT;
}

static void put(struct conn *c, const char *text, size_t len)
{
    c->session.sent_ns = conn_now(c);
    if (out_frame(&c->out, op_of(c), true, text, len))
        c->server->messages++;
    else
        c->server->dropped++;
}

/* The first half of a frame, and nothing behind it, ever. */
static void half_frame(struct conn *c, const char *text, size_t len, bool cut)
{
    uint8_t head[FRAME_HEAD_MAX];
    (void)out_bytes(&c->out, head, frame_head(head, op_of(c), true, len));
    (void)out_bytes(&c->out, text, len / 2);
    conn_note(c, "half a frame");
    c->cut_flushed = cut;
    c->state = CONN_STUCK;
}

/* One frame of valid JSON, larger than most clients will take; it stands outside the buffer. */
static void giant_frame(struct conn *c)
{
    static const char front[] = "{\"stream\":\"pxsim@giant\",\"data\":\"", back[] = "\"}";
    size_t least = sizeof front + sizeof back, len = (size_t)fault_arg(c, FAULT_GIANT_FRAME);
    len = len < least ? least : len;
    c->gave_giant = true;
    c->giant = malloc(len + FRAME_HEAD_MAX);
    if (c->giant == NULL)
        return;
    size_t head = frame_head(c->giant, op_of(c), true, len);
    uint8_t *payload = c->giant + head;
    memset(payload, 'x', len);
    memcpy(payload, front, sizeof front - 1);
    memcpy(payload + len - (sizeof back - 1), back, sizeof back - 1);
    c->out.view = c->giant;
    c->out.view_at = 0;
    c->out.view_end = head + len;
}

static void fragment(struct conn *c)
{
    size_t len = (size_t)fault_arg(c, FAULT_ENDLESS_FRAGMENTS);
    if (out_waiting(&c->out) > CONN_FULL || len > CONN_FULL)
        return;
    char *bytes = malloc(len + 1);
    if (bytes == NULL)
        return;
    memset(bytes, 'x', len);
    (void)out_frame(&c->out, c->endless ? FRAME_MORE : op_of(c), false, bytes, len);
    free(bytes);
    c->endless = true;
    c->fragment_ns = conn_now(c) + FRAGMENT_NS;
}

static void bad_once(struct conn *c, const char *text, size_t len)
{
    static const char bad[] = "{\"e\":\"trade\",\"s\":\"\xC3\x28\xFF\"}";
    c->gave_bad = true;
    if (conn_has(c, FAULT_BAD_UTF8))
        put(c, bad, sizeof bad - 1);
    else
        (void)out_frame(&c->out, 0x0B, true, text, len); /* an opcode that does not exist */
}

/* Ids that nobody gets to see, or messages that are left out. */
static void sequence_gap(struct conn *c)
{
    long skip = fault_arg(c, FAULT_SEQUENCE_GAP);
    c->skipped = true;
    if (c->session.silent || !c->server->options->venue->gap_in_ids) {
        c->drop = skip;
        return;
    }
    for (size_t i = 0; i < c->session.count; i++) {
        const struct stream *st = c->session.streams[i];
        if (st->instrument != NULL && st->kind <= STREAM_AGGREGATE) {
            hub_untold(c->server->hub, st->instrument, (uint64_t)skip);
            return;
        }
    }
}

static bool every(const struct conn *c, enum fault id)
{
    long n = fault_arg(c, id);
    return conn_has(c, id) && c->data_count % (uint64_t)(n < 1 ? 1 : n) == 0;
}

static bool reached(const struct conn *c, enum fault id)
{
    return conn_has(c, id) && c->data_count >= (uint64_t)fault_arg(c, id);
}

/* A message waits for the next one to overtake it. */
static void hold(struct conn *c, const char *text, size_t len)
{
    c->held = malloc(len);
    if (c->held == NULL) {
        put(c, text, len);
        return;
    }
    memcpy(c->held, text, len);
    c->held_len = len;
}

static void put_and_held(struct conn *c, const char *text, size_t len)
{
    put(c, text, len);
    if (c->held == NULL)
        return;
    put(c, c->held, c->held_len);
    free(c->held);
    c->held = NULL;
}

static void put_faulty(struct conn *c, const char *text, size_t len)
{
    if (c->endless || reached(c, FAULT_MUTE))
        return;
    if (reached(c, FAULT_CLOSE_MID_FRAME) || reached(c, FAULT_HALF_FRAME)) {
        half_frame(c, text, len, conn_has(c, FAULT_CLOSE_MID_FRAME));
        return;
    }
    if (conn_has(c, FAULT_ENDLESS_FRAGMENTS)) {
        fragment(c);
        return;
    }
    if (conn_has(c, FAULT_GIANT_FRAME) && !c->gave_giant)
        giant_frame(c);
    if (!c->gave_bad && (reached(c, FAULT_BAD_UTF8) || reached(c, FAULT_BAD_FRAME)))
        bad_once(c, text, len);
    if (conn_has(c, FAULT_SEQUENCE_GAP) && !c->skipped && c->data_count >= GAP_AFTER)
        sequence_gap(c);
    if (c->drop > 0) {
        c->drop--;
        return;
    }
    c->data_count++;
    if (every(c, FAULT_BAD_JSON))
        put(c, text, len / 2);
    if (every(c, FAULT_REORDER) && c->held == NULL)
        hold(c, text, len);
    else
        put_and_held(c, text, len);
    if (every(c, FAULT_DUPLICATE))
        put(c, text, len);
}

static void put_data(struct conn *c, const char *text, size_t len)
{
    if (c->state != CONN_OPEN)
        return;
    if ((c->faults & faults_of_data()) != 0)
        put_faulty(c, text, len);
    else
        put(c, text, len);
}

void conn_send(struct session *s, const char *text, size_t len, bool is_data)
{
    struct conn *c = s->edge;
    if (is_data) {
        put_data(c, text, len);
    } else if (c->state == CONN_OPEN && !c->endless) {
        s->sent_ns = conn_now(c);
        (void)out_frame(&c->out, op_of(c), true, text, len);
    }
}

void conn_out_start(struct conn *c)
{
    c->out.raw = conn_has(c, FAULT_SLOW_DRIP);
    c->fragment_ns = NEVER;
    if (c->session.silent && (c->faults & faults_of_data()) == 0)
        c->out.view = c->server->replay.frames;
}

/* Message by message, as faults need it; stops where the buffer is full. */
static void replay_singly(struct conn *c, size_t due)
{
    const struct replay *r = &c->server->replay;
    while (c->replay_at < due && c->state == CONN_OPEN && out_waiting(&c->out) < CONN_FULL) {
        size_t from = c->replay_at == 0 ? 0 : r->ends[c->replay_at - 1];
        size_t size = r->ends[c->replay_at] - from;
        uint8_t head[FRAME_HEAD_MAX];
        size_t payload = size;
        while (payload > 0 && payload + frame_head(head, FRAME_TEXT, true, payload) > size)
            payload--;
        put_data(c, (const char *)r->frames + from + (size - payload), payload);
        c->replay_at++;
    }
}

/* A shared recording is started by the first that subscribes; whoever comes later gets what comes
 * after its own subscription, as at the venue, where nobody gets the past. */
static void replay_start(struct conn *c)
{
    struct server *s = c->server;
    const struct replay *r = &s->replay;
    c->replay_ns = conn_now(c);
    if (s->options->replay_shared && s->replay_ns == 0)
        s->replay_ns = c->replay_ns;
    if (s->options->replay_shared && c->session.subscribed_ns > s->replay_ns)
        c->replay_at = replay_due(r, 0, c->session.subscribed_ns - s->replay_ns);
    if (s->options->replay_shared)
        c->replay_ns = s->replay_ns;
    c->out.view_at = c->out.view_end = c->replay_at == 0 ? 0 : r->ends[c->replay_at - 1];
    conn_note(c, "replay of %zu frames starts", r->count - c->replay_at);
}

static uint64_t replay_tick(struct conn *c)
{
    const struct replay *r = &c->server->replay;
    uint64_t now = conn_now(c);
    if (!c->session.silent || c->session.subscribed_ns == 0)
        return NEVER;
    bool runs = c->replay_ns != 0 || c->server->replay_ns != 0;
    if (!runs && now < c->session.subscribed_ns + REPLAY_WAIT_NS)
        return c->session.subscribed_ns + REPLAY_WAIT_NS;
    if (c->replay_ns == 0)
        replay_start(c);
    if (c->replay_at == r->count)
        return NEVER;
    size_t due = replay_due(r, c->replay_at, now - c->replay_ns);
    if ((c->faults & faults_of_data()) != 0) {
        replay_singly(c, due);
        if (c->replay_at < due)
            return now + NS_PER_MS;
    } else {
        if (due > c->replay_at)
            c->session.sent_ns = now;
        c->replay_at = due;
        c->out.view_end = due == 0 ? 0 : r->ends[due - 1];
    }
    return c->replay_at == r->count ? NEVER : c->replay_ns + r->at_ns[c->replay_at];
}

uint64_t conn_out_tick(struct conn *c)
{
    uint64_t now = conn_now(c);
    if (c->endless) {
        if (now >= c->fragment_ns)
            fragment(c);
        return now + FRAGMENT_NS;
    }
    return replay_tick(c);
}
