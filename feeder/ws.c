/* Frames of the server -> events. The receive buffer is linear:
 *
 *   0        msg_at         msg_at+msg_len     start            end        recv_cap
 *   | free   | fragments so far | free          | not yet parsed | free      | WS_PADDING |
 *
 * A whole message is handed out where it lies. Bytes move in three cases only: a fragment closes up
 * to its predecessor, ws_space() makes room, a message outgrows the buffer. */
#include "ws_internal.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

/* What a message assembled in place leaves free, so that a control frame between its fragments, or
 * the next header, always fits behind it. */
#define PLACE_RESERVE 160

/* Up to this many bytes are moved to the front at once: cheaper than a short read later. */
#define CHEAP_MOVE 1024

struct frame {
    unsigned op;
    bool fin, rsv1;
    size_t head;  /* bytes of the header */
    uint64_t len; /* bytes of the payload */
};

enum step {
    STEP_MORE,  /* bytes are missing */
    STEP_AGAIN, /* no event, but look at the next frame */
    STEP_EVENT, /* *ev is filled */
};

int ws_init(struct ws *ws, const struct ws_config *cfg)
{
    if (cfg->recv == NULL || cfg->recv_cap < WS_RECV_MIN)
        return -EINVAL;
    size_t most = cfg->large != NULL ? cfg->large->cap : cfg->recv_cap - PLACE_RESERVE;
    if (cfg->max_message > most || (cfg->large != NULL && cfg->large->data == NULL))
        return -EINVAL;
    if (cfg->deflate != NULL && (cfg->deflate->out == NULL || cfg->deflate->out_cap == 0))
        return -EINVAL;
    memset(ws, 0, sizeof *ws);
    ws->cfg = *cfg;
    if (cfg->max_message == 0)
        ws->cfg.max_message = most;
    memset(cfg->recv + cfg->recv_cap, 0, WS_PADDING);
    return 0;
}

void ws_drop(struct ws *ws)
{
    if (ws == NULL)
        return;
    ws_return(ws);
    ws_inflate_stop(ws);
    ws->phase = WS_PHASE_DONE;
}

bool ws_borrow(struct ws *ws)
{
    struct ws_large *large = ws->cfg.large;
    if (large->owner == ws)
        return true;
    if (large->owner != NULL)
        return false;
    large->owner = ws;
    large->borrowed++;
    if (ws->msg_len > 0) {
        const unsigned char *from = ws->sink == WS_SINK_PLACE ? ws->cfg.recv + ws->msg_at : ws->out;
        memcpy(large->data, from, ws->msg_len);
    }
    ws->out = large->data;
    ws->out_cap = large->cap;
    return true;
}

void ws_return(struct ws *ws)
{
    if (ws->cfg.large != NULL && ws->cfg.large->owner == ws)
        ws->cfg.large->owner = NULL;
    ws->lent = 0;
}

size_t ws_printable(char *to, size_t cap, const unsigned char *from, size_t len)
{
    size_t n = 0;
    for (; n < len && n + 1 < cap; n++)
        to[n] = (char)(from[n] >= 0x20 && from[n] < 0x7f ? from[n] : '?');
    to[n] = '\0';
    return n;
}

enum ws_event_type ws_fail(struct ws *ws, struct ws_event *ev, int code, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    vsnprintf(ws->reason, sizeof ws->reason, format, args);
    va_end(args);
    ws_return(ws);
    ws->close_due = code != 0 && !ws->close_sent;
    ws->close_code = (uint16_t)code;
    ws->pong_due = 0;
    ws->phase = WS_PHASE_DONE;
    ev->type = WS_ERROR;
    ev->code = code;
    ev->reason = ws->reason;
    return WS_ERROR;
}

static enum step fault(struct ws *ws, struct ws_event *ev, int code, const char *reason)
{
    ws_fail(ws, ev, code, "%s", reason);
    return STEP_EVENT;
}

/* The fragments that ws_space() must keep in the buffer. */
static size_t kept_len(const struct ws *ws)
{
    return ws->message_op != 0 && ws->sink == WS_SINK_PLACE ? ws->msg_len : 0;
}

static void compact(struct ws *ws, size_t kept)
{
    unsigned char *recv = ws->cfg.recv;
    if (kept > 0 && ws->msg_at > 0)
        memmove(recv, recv + ws->msg_at, kept);
    ws->msg_at = 0;
    memmove(recv + kept, recv + ws->start, ws->end - ws->start);
    ws->end -= ws->start - kept;
    ws->start = kept;
}

size_t ws_space(struct ws *ws, unsigned char **at)
{
    if (ws->lent)
        ws_return(ws);
    if (ws->phase == WS_PHASE_OPEN || ws->phase == WS_PHASE_CLOSING) {
        size_t kept = kept_len(ws), live = kept + ws->end - ws->start;
        if (ws->start > kept &&
            (live <= CHEAP_MOVE || ws->cfg.recv_cap - ws->end < ws->cfg.recv_cap / 4))
            compact(ws, kept);
    } else if (ws->phase == WS_PHASE_DONE) {
        ws->start = ws->end = 0;
    }
    *at = ws->cfg.recv + ws->end;
    return ws->cfg.recv_cap - ws->end;
}

void ws_received(struct ws *ws, size_t n)
{
    ws->end += n;
}

/* What the first two bytes of a frame say against RFC 6455 5.2, 5.4, 5.5; NULL: nothing. */
static const char *head_fault(const struct ws *ws, unsigned b0, unsigned b1)
{
    unsigned op = b0 & 0x0f;
    if (b0 & 0x30 || (b0 & 0x40 && !ws->deflate_on))
        return "reserved bits are set and no extension gives them a meaning";
    if (op > WS_OP_PONG || (op > WS_OP_BINARY && op < WS_OP_CLOSE))
        return "frame has a reserved opcode";
    if (b1 & 0x80)
        return "frame from the server is masked";
    if (op >= WS_OP_CLOSE) {
        if (b0 & 0x40)
            return "control frame is marked as compressed";
        if (!(b0 & 0x80))
            return "control frame is fragmented";
        return b1 > 125 ? "control frame is longer than 125 bytes" : NULL;
    }
    if (op == WS_OP_CONTINUATION) {
        if (b0 & 0x40)
            return "continuation frame is marked as compressed";
        return ws->message_op == 0 ? "continuation frame without a message to continue" : NULL;
    }
    return ws->message_op != 0 ? "new message inside a fragmented message" : NULL;
}

static inline uint64_t big_endian(const unsigned char *p, unsigned bytes)
{
    uint64_t v = 0;
    for (unsigned i = 0; i < bytes; i++)
        v = v << 8 | p[i];
    return v;
}

/* Read the header at start. STEP_AGAIN: *f is filled, nothing is consumed. */
static inline enum step read_head(struct ws *ws, struct ws_event *ev, struct frame *f)
{
    const unsigned char *p = ws->cfg.recv + ws->start;
    size_t avail = ws->end - ws->start;
    if (avail < 2)
        return STEP_MORE;
    /* a whole text frame outside a message, the common case, cannot be at fault */
    if (p[0] != 0x81 || p[1] > 127 || ws->message_op != 0) {
        const char *reason = head_fault(ws, p[0], p[1]);
        if (reason != NULL)
            return fault(ws, ev, 1002, reason);
    }
    f->op = p[0] & 0x0f;
    f->fin = p[0] & 0x80;
    f->rsv1 = p[0] & 0x40;
    f->len = p[1];
    f->head = 2;
    if (p[1] == 126) {
        f->head = 4;
        if (avail < f->head)
            return STEP_MORE;
        f->len = big_endian(p + 2, 2);
        if (f->len < 126)
            return fault(ws, ev, 1002, "length is not in its shortest form");
    } else if (p[1] == 127) {
        f->head = 10;
        if (avail < f->head)
            return STEP_MORE;
        f->len = big_endian(p + 2, 8);
        if (f->len >> 63)
            return fault(ws, ev, 1002, "length has its highest bit set");
        if (f->len < 65536)
            return fault(ws, ev, 1002, "length is not in its shortest form");
    }
    return STEP_AGAIN;
}

bool ws_close_code_valid(unsigned code)
{
    if (code >= 3000)
        return code < 5000;
    return code >= 1000 && code <= 1014 && code != 1004 && code != 1005 && code != 1006;
}

static enum step take_close(struct ws *ws, struct ws_event *ev, const unsigned char *p, size_t len)
{
    unsigned code = 1005; /* "no status received", never on the wire */
    if (len == 1)
        return fault(ws, ev, 1002, "close frame has a payload of one byte");
    if (len >= 2) {
        code = (unsigned)big_endian(p, 2);
        if (!ws_close_code_valid(code)) {
            ws_fail(ws, ev, 1002, "close code %u may not be sent", code);
            return STEP_EVENT;
        }
        if (ws_utf8(WS_UTF8_ACCEPT, p + 2, len - 2) != WS_UTF8_ACCEPT)
            return fault(ws, ev, 1007, "close reason is not UTF-8");
    }
    ws_printable(ws->reason, sizeof ws->reason, p + 2, len >= 2 ? len - 2 : 0);
    ws_return(ws);
    ws->close_due = !ws->close_sent;
    ws->close_code = (uint16_t)code;
    ws->pong_due = 0;
    ws->phase = WS_PHASE_DONE;
    ev->type = WS_CLOSE;
    ev->code = (int)code;
    ev->reason = ws->reason;
    return STEP_EVENT;
}

static enum step take_control(struct ws *ws, struct ws_event *ev, const struct frame *f)
{
    size_t len = (size_t)f->len;
    if (ws->end - ws->start < f->head + len)
        return STEP_MORE;
    const unsigned char *p = ws->cfg.recv + ws->start + f->head;
    ws->start += f->head + len;
    if (f->op == WS_OP_CLOSE)
        return take_close(ws, ev, p, len);
    if (ws->phase == WS_PHASE_CLOSING)
        return STEP_AGAIN;
    if (f->op == WS_OP_PING) {
        memcpy(ws->pong, p, len);
        ws->pong_len = (uint8_t)len;
        ws->pong_due = 1;
    }
    ev->type = f->op == WS_OP_PING ? WS_PING : WS_PONG;
    ev->data = p;
    ev->len = len;
    return STEP_EVENT;
}

/* The message of `op` at `data` is complete. */
static inline enum step deliver(struct ws *ws, struct ws_event *ev, const unsigned char *data)
{
    if (ws->message_op == WS_OP_TEXT && ws->utf8 != WS_UTF8_ACCEPT)
        return fault(ws, ev, 1007, "text ends inside a UTF-8 character");
    ev->type = ws->message_op == WS_OP_TEXT ? WS_TEXT : WS_BINARY;
    ev->data = data;
    ev->len = ws->msg_len;
    ws->message_op = 0;
    return STEP_EVENT;
}

/* Text check of the `len` bytes that were added to the message. false: *ev has the error. */
static inline bool text_ok(struct ws *ws, struct ws_event *ev, const unsigned char *p, size_t len)
{
    if (ws->message_op != WS_OP_TEXT)
        return true;
    ws->utf8 = ws_utf8(ws->utf8, p, len);
    if (ws->utf8 != WS_UTF8_REJECT)
        return true;
    ws_fail(ws, ev, 1007, "text is not UTF-8");
    return false;
}

static inline enum step take_in_place(struct ws *ws, struct ws_event *ev, const struct frame *f)
{
    size_t len = (size_t)f->len;
    if (ws->end - ws->start < f->head + len)
        return STEP_MORE;
    unsigned char *payload = ws->cfg.recv + ws->start + f->head;
    if (f->op != WS_OP_CONTINUATION) {
        ws->message_op = (uint8_t)f->op;
        ws->msg_at = ws->start + f->head;
        ws->msg_len = 0;
        ws->utf8 = WS_UTF8_ACCEPT;
    }
    unsigned char *tail = ws->cfg.recv + ws->msg_at + ws->msg_len;
    if (tail != payload)
        memmove(tail, payload, len);
    if (!text_ok(ws, ev, tail, len))
        return STEP_EVENT;
    ws->msg_len += len;
    ws->start += f->head + len;
    return f->fin ? deliver(ws, ev, ws->cfg.recv + ws->msg_at) : STEP_AGAIN;
}

/* From here on the payload goes to ws->sink as it comes. */
static enum step open_frame(struct ws *ws, const struct frame *f, enum ws_sink sink)
{
    ws->sink = (uint8_t)sink;
    if (f->op != WS_OP_CONTINUATION)
        ws->message_op = (uint8_t)f->op;
    ws->start += f->head;
    ws->frame_left = f->len;
    ws->frame_fin = f->fin;
    ws->in_frame = 1;
    return STEP_AGAIN;
}

static enum step too_long(struct ws *ws, struct ws_event *ev, uint64_t len)
{
    ws_fail(ws, ev, 1009, "message of %llu bytes is longer than the limit of %zu",
            (unsigned long long)len, ws->cfg.max_message);
    return STEP_EVENT;
}

static enum step blocked(struct ws_event *ev)
{
    ev->type = WS_BLOCKED;
    return STEP_EVENT;
}

static inline enum step take_data(struct ws *ws, struct ws_event *ev, const struct frame *f)
{
    size_t max = ws->cfg.max_message;
    if (ws->phase == WS_PHASE_CLOSING)
        return open_frame(ws, f, WS_SINK_DROP);
    if (f->op != WS_OP_CONTINUATION) {
        ws->sink = f->rsv1 ? WS_SINK_INFLATE : WS_SINK_PLACE;
        ws->msg_len = 0;
        ws->utf8 = WS_UTF8_ACCEPT;
        if (f->rsv1)
            ws_inflate_message(ws);
    }
    if (ws->sink == WS_SINK_INFLATE) {
        /* deflate adds less than a hundredth to what it cannot compress */
        if (f->len > max + max / 64 + 1024)
            return too_long(ws, ev, f->len);
        return open_frame(ws, f, WS_SINK_INFLATE);
    }
    uint64_t total = ws->msg_len + f->len;
    if (total > max)
        return too_long(ws, ev, total);
    if (ws->sink == WS_SINK_LARGE)
        return open_frame(ws, f, WS_SINK_LARGE);
    if (total <= ws->cfg.recv_cap - PLACE_RESERVE)
        return take_in_place(ws, ev, f);
    if (!ws_borrow(ws))
        return blocked(ev);
    return open_frame(ws, f, WS_SINK_LARGE);
}

static enum step inflate_fault(struct ws *ws, struct ws_event *ev, int rc)
{
    if (rc == -EBUSY)
        return blocked(ev);
    if (rc == -EBADMSG)
        return fault(ws, ev, 1007, "compressed message is damaged");
    ws_fail(ws, ev, 1009, "compressed message inflates beyond the limit of %zu bytes",
            ws->cfg.max_message);
    return STEP_EVENT;
}

/* The open frame of a sink has no more payload. */
static enum step end_frame(struct ws *ws, struct ws_event *ev)
{
    if (ws->frame_fin && ws->sink == WS_SINK_INFLATE) {
        size_t had = ws->msg_len;
        int rc = ws_inflate_finish(ws);
        if (!text_ok(ws, ev, ws->out + had, ws->msg_len - had))
            return STEP_EVENT;
        if (rc != 0)
            return inflate_fault(ws, ev, rc);
    }
    ws->in_frame = 0;
    if (!ws->frame_fin)
        return STEP_AGAIN;
    if (ws->sink == WS_SINK_DROP) {
        ws->message_op = 0;
        return STEP_AGAIN;
    }
    ws->lent = 1;
    return deliver(ws, ev, ws->out);
}

/* Move payload of the open frame to its sink. */
static enum step pump(struct ws *ws, struct ws_event *ev)
{
    size_t n = ws->end - ws->start, used;
    int rc = 0;
    if (n > ws->frame_left)
        n = (size_t)ws->frame_left;
    used = n;
    size_t had = ws->msg_len;
    if (ws->sink == WS_SINK_LARGE && n > 0) {
        memcpy(ws->out + had, ws->cfg.recv + ws->start, n);
        ws->msg_len += n;
    } else if (ws->sink == WS_SINK_INFLATE && n > 0) {
        rc = ws_inflate(ws, n, &used);
    }
    ws->start += used;
    ws->frame_left -= used;
    if (ws->sink != WS_SINK_DROP && !text_ok(ws, ev, ws->out + had, ws->msg_len - had))
        return STEP_EVENT;
    if (rc != 0)
        return inflate_fault(ws, ev, rc);
    return ws->frame_left > 0 ? STEP_MORE : end_frame(ws, ev);
}

static enum step next_frame(struct ws *ws, struct ws_event *ev)
{
    struct frame f;
    enum step step;
    do {
        if (ws->in_frame) {
            step = pump(ws, ev);
        } else {
            step = read_head(ws, ev, &f);
            if (step == STEP_AGAIN)
                step = f.op >= WS_OP_CLOSE ? take_control(ws, ev, &f) : take_data(ws, ev, &f);
        }
    } while (step == STEP_AGAIN);
    return step;
}

enum ws_event_type ws_next(struct ws *ws, struct ws_event *ev)
{
    if (ws->lent)
        ws_return(ws);
    ev->type = WS_NONE;
    if (ws->phase == WS_PHASE_OPEN || ws->phase == WS_PHASE_CLOSING)
        next_frame(ws, ev);
    else if (ws->phase == WS_PHASE_REPLY)
        ws_reply_next(ws, ev);
    return ev->type;
}
