/* Messages -> frames of the client: each masked with fresh random bits (RFC 6455 5.3), which are
 * drawn from the kernel for 64 frames at a time, so that a frame costs no system call. */
#include "ws_internal.h"

#include <errno.h>
#include <string.h>
#include <sys/random.h>

#define CONTROL_MAX 125

int ws_random(struct ws *ws, void *buf, size_t len)
{
    if (ws->cfg.random != NULL)
        return ws->cfg.random(ws->cfg.random_arg, buf, len) == 0 ? 0 : -EIO;
    /* up to 256 bytes come whole and uninterrupted, see getrandom(2) */
    return getrandom(buf, len, 0) == (ssize_t)len ? 0 : -EIO;
}

static int fresh_mask(struct ws *ws, uint32_t *mask)
{
    if (ws->masks_left == 0) {
        int rc = ws_random(ws, ws->masks, sizeof ws->masks);
        if (rc != 0)
            return rc;
        ws->masks_left = sizeof ws->masks / sizeof ws->masks[0];
    }
    *mask = ws->masks[--ws->masks_left];
    ws->masks[ws->masks_left] = 0; /* what was sent is not kept */
    return 0;
}

static void copy_masked(unsigned char *to, const unsigned char *from, size_t len, uint32_t mask)
{
    uint64_t wide = (uint64_t)mask << 32 | mask, word;
    size_t i = 0;
    for (; i + sizeof word <= len; i += sizeof word) {
        memcpy(&word, from + i, sizeof word);
        word ^= wide;
        memcpy(to + i, &word, sizeof word);
    }
    unsigned char bytes[sizeof mask];
    memcpy(bytes, &mask, sizeof mask);
    for (; i < len; i++)
        to[i] = from[i] ^ bytes[i % sizeof mask];
}

static size_t put_head(unsigned char *out, enum ws_opcode opcode, size_t len)
{
    out[0] = (unsigned char)(0x80 | opcode);
    if (len < 126) {
        out[1] = (unsigned char)(0x80 | len);
        return 2;
    }
    unsigned bytes = len < 65536 ? 2 : 8;
    out[1] = (unsigned char)(0x80 | (bytes == 2 ? 126 : 127));
    for (unsigned i = 0; i < bytes; i++)
        out[2 + i] = (unsigned char)((uint64_t)len >> (8 * (bytes - 1 - i)));
    return 2 + bytes;
}

static ssize_t put_frame(struct ws *ws, enum ws_opcode opcode, const void *payload, size_t len,
                         unsigned char *out, size_t cap)
{
    size_t head = len < 126 ? 6 : len < 65536 ? 8 : 14;
    uint32_t mask;
    if (len > cap || head > cap - len)
        return -ENOBUFS;
    int rc = fresh_mask(ws, &mask);
    if (rc != 0)
        return rc;
    size_t at = put_head(out, opcode, len);
    memcpy(out + at, &mask, sizeof mask);
    if (len > 0)
        copy_masked(out + at + sizeof mask, payload, len, mask);
    return (ssize_t)(head + len);
}

ssize_t ws_write(struct ws *ws, enum ws_opcode opcode, const void *payload, size_t len,
                 unsigned char *out, size_t cap)
{
    bool control = opcode == WS_OP_PING || opcode == WS_OP_PONG;
    if (!control && opcode != WS_OP_TEXT && opcode != WS_OP_BINARY)
        return -EINVAL;
    if (len > (control ? CONTROL_MAX : (size_t)1 << 31))
        return -EINVAL;
    if (ws->phase != WS_PHASE_OPEN)
        return -ENOTCONN;
    return put_frame(ws, opcode, payload, len, out, cap);
}

/* `code` 1005 stands for a close frame without a code. */
static ssize_t put_close(struct ws *ws, unsigned code, const char *reason, unsigned char *out,
                         size_t cap)
{
    unsigned char payload[CONTROL_MAX];
    size_t len = 0;
    if (code != 1005) {
        payload[0] = (unsigned char)(code >> 8);
        payload[1] = (unsigned char)code;
        len = 2;
        size_t n = reason != NULL ? strnlen(reason, CONTROL_MAX) : 0;
        if (n > CONTROL_MAX - 2) {
            n = CONTROL_MAX - 2;
            while (n > 0 && ((unsigned char)reason[n] & 0xc0) == 0x80)
                n--;
        }
        if (n > 0)
            memcpy(payload + 2, reason, n);
        len += n;
    }
    return put_frame(ws, WS_OP_CLOSE, payload, len, out, cap);
}

ssize_t ws_close(struct ws *ws, uint16_t code, const char *reason, unsigned char *out, size_t cap)
{
    if (ws->phase != WS_PHASE_OPEN)
        return -ENOTCONN;
    if (!ws_close_code_valid(code))
        return -EINVAL;
    ssize_t n = put_close(ws, code, reason, out, cap);
    if (n < 0)
        return n;
    ws->close_sent = 1;
    ws->pong_due = 0;
    ws->phase = WS_PHASE_CLOSING;
    /* whatever is half assembled is of no interest any more */
    ws->sink = WS_SINK_DROP;
    ws->msg_len = 0;
    ws_return(ws);
    return n;
}

ssize_t ws_owed(struct ws *ws, unsigned char *out, size_t cap)
{
    size_t written = 0;
    if (ws->pong_due) {
        ssize_t n = put_frame(ws, WS_OP_PONG, ws->pong, ws->pong_len, out, cap);
        if (n < 0)
            return n;
        ws->pong_due = 0;
        written = (size_t)n;
    }
    if (ws->close_due) {
        ssize_t n = put_close(ws, ws->close_code, NULL, out + written, cap - written);
        if (n < 0)
            return written > 0 ? (ssize_t)written : n;
        ws->close_due = 0;
        ws->close_sent = 1;
        written += (size_t)n;
    }
    return (ssize_t)written;
}
