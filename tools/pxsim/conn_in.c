/* What a client says: frames, pings, the limit on its messages. */
#include <stdlib.h>
#include <string.h>

#include "conn.h"
#include "frame.h"

/* As many as the venue allows within this; a bit under a second, as clients that send evenly at the
 * limit are in their rights and the network moves their messages. */
#define LIMIT_WINDOW_NS 950000000ULL

/* Control frames count too. False: over the limit, and the connection is being closed. */
static bool within_limit(struct conn *c)
{
    size_t allowed = c->server->options->venue->messages_per_s;
    if (!c->server->options->limits || allowed == 0)
        return true;
    if (allowed > CONN_LIMIT)
        allowed = CONN_LIMIT;
    uint64_t *oldest = &c->received_ns[c->received % allowed];
    bool over = c->received >= allowed && conn_now(c) < *oldest + LIMIT_WINDOW_NS;
    *oldest = conn_now(c);
    c->received++;
    if (over) {
        c->server->violations++;
        conn_end(c, 1008, "Too many requests");
    }
    return !over;
}

/* Only the copy of one of our pings is an answer: an unsolicited pong proves nothing. */
static void on_pong(struct conn *c, const struct frame *f)
{
    char text[24];
    if (f->len == 0 || f->len >= sizeof text)
        return;
    memcpy(text, f->data, f->len);
    text[f->len] = '\0';
    uint64_t payload = strtoull(text, NULL, 10);
    for (size_t i = 0; i < c->ping_count; i++) {
        if (c->pings[i] != payload)
            continue;
        c->ping_count -= i + 1;
        memmove(c->pings, c->pings + i + 1, c->ping_count * sizeof c->pings[0]);
        c->pong_by_ns = NEVER;
        return;
    }
}

static void on_close(struct conn *c, const struct frame *f)
{
    if (c->state == CONN_OPEN)
        (void)out_frame(&c->out, FRAME_CLOSE, true, f->data, f->len >= 2 ? 2 : 0);
    conn_note(c, "the client closes");
    c->out.view_end =
        c->out.chunk > 0 && c->out.chunk_is_view ? c->out.view_at + c->out.chunk : c->out.view_at;
    c->state = CONN_CLOSING;
    c->deadline_ns = conn_now(c) + NS_PER_S;
    c->finish_flushed = true;
}

static void on_message(struct conn *c, const uint8_t *text, size_t len)
{
    if (!frame_utf8(text, len)) {
        conn_end(c, 1007, "Invalid UTF-8");
        return;
    }
    c->session.now = c->server->now;
    c->server->options->venue->text(&c->session, (const char *)text, len);
}

static size_t message_max(const struct conn *c)
{
    size_t max = c->server->options->limits ? c->server->options->venue->frame_max : 0;
    return max == 0 || max > CONN_IN - 16 ? CONN_IN - 16 : max;
}

static void too_big(struct conn *c)
{
    const char *reason = c->server->options->venue->frame_reason;
    c->server->violations++;
    conn_end(c, 1009, reason != NULL ? reason : "Message too big");
}

/* Fragments are put together in a buffer of their own, which most clients never need. */
static void on_fragment(struct conn *c, const struct frame *f)
{
    bool begins = f->op != FRAME_MORE;
    if (begins == (c->message_len > 0)) {
        conn_end(c, 1002, "Unexpected fragment");
        return;
    }
    if (c->message == NULL)
        c->message = malloc(CONN_IN);
    if (c->message == NULL || f->len > message_max(c) - c->message_len) {
        too_big(c);
        return;
    }
    memcpy(c->message + c->message_len, f->data, f->len);
    c->message_len += f->len;
    if (!f->fin)
        return;
    size_t len = c->message_len;
    c->message_len = 0;
    on_message(c, c->message, len);
}

static void on_frame(struct conn *c, const struct frame *f)
{
    if (c->speak_by_ns != NEVER)
        c->speak_by_ns = conn_now(c) + c->server->options->venue->idle_ms * NS_PER_MS;
    if (f->op == FRAME_CLOSE) {
        on_close(c, f);
        return;
    }
    if (c->state != CONN_OPEN || ((f->fin || f->op != FRAME_MORE) && !within_limit(c)))
        return;
    if (f->op == FRAME_PING) {
        if (!conn_has(c, FAULT_NO_PONG))
            (void)out_frame(&c->out, FRAME_PONG, true, f->data, f->len);
    } else if (f->op == FRAME_PONG) {
        on_pong(c, f);
    } else if (f->op == FRAME_BINARY) {
        conn_end(c, 1003, "Text only");
    } else if (f->op == FRAME_TEXT && f->fin && c->message_len == 0) {
        on_message(c, f->data, f->len);
    } else {
        on_fragment(c, f);
    }
}

void conn_take(struct conn *c)
{
    size_t at = 0;
    while (at < c->in_len &&
           ((c->state == CONN_OPEN && c->wanted_code == 0) || c->state == CONN_CLOSING)) {
        struct frame f;
        long n = frame_take(c->in + at, c->in_len - at, message_max(c), &f);
        if (n == 0)
            break;
        if (n < 0) {
            if (n == -1009)
                too_big(c);
            else
                conn_end(c, (unsigned)-n, "Protocol error");
            at = c->in_len;
            break;
        }
        on_frame(c, &f);
        at += (size_t)n;
    }
    c->in_len -= at;
    memmove(c->in, c->in + at, c->in_len);
}
