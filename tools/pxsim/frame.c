#include "frame.h"

#include <string.h>

size_t frame_head(uint8_t *out, uint8_t op, bool fin, uint64_t len)
{
    out[0] = (uint8_t)((fin ? 0x80 : 0) | op);
    if (len < 126) {
        out[1] = (uint8_t)len;
        return 2;
    }
    size_t width = len <= 0xFFFF ? 2 : 8;
    out[1] = width == 2 ? 126 : 127;
    for (size_t i = 0; i < width; i++)
        out[2 + i] = (uint8_t)(len >> (8 * (width - 1 - i)));
    return 2 + width;
}

/* Head of the frame at `buf`: payload length, and the size of the head without a mask. 0: need
 * more. */
static size_t read_head(const uint8_t *buf, size_t len, uint64_t *ret_payload)
{
    if (len < 2)
        return 0;
    size_t width = (buf[1] & 0x7F) == 126 ? 2 : (buf[1] & 0x7F) == 127 ? 8 : 0;
    if (len < 2 + width)
        return 0;
    uint64_t n = width == 0 ? buf[1] & 0x7F : 0;
    for (size_t i = 0; i < width; i++)
        n = n << 8 | buf[2 + i];
    *ret_payload = n;
    return 2 + width;
}

uint64_t frame_size(const uint8_t *buf, size_t len)
{
    uint64_t payload = 0;
    size_t head = read_head(buf, len, &payload);
    return head == 0 ? 0 : head + payload;
}

static bool allowed(const uint8_t *buf)
{
    uint8_t op = buf[0] & 0x0F;
    if ((buf[0] & 0x70) != 0 || (buf[1] & 0x80) == 0)
        return false;
    if (op >= FRAME_CLOSE)
        return op <= FRAME_PONG && (buf[0] & 0x80) != 0 && (buf[1] & 0x7F) <= 125;
    return op <= FRAME_BINARY;
}

long frame_take(uint8_t *buf, size_t len, size_t max, struct frame *ret_frame)
{
    uint64_t payload = 0;
    if (len >= 2 && !allowed(buf))
        return -1002;
    size_t head = read_head(buf, len, &payload);
    if (head == 0)
        return 0;
    if (payload > max)
        return -1009;
    if (len < head + 4 + payload)
        return 0;
    const uint8_t *mask = buf + head;
    uint8_t *data = buf + head + 4;
    for (size_t i = 0; i < payload; i++)
        data[i] ^= mask[i & 3];
    ret_frame->op = buf[0] & 0x0F;
    ret_frame->fin = (buf[0] & 0x80) != 0;
    ret_frame->data = data;
    ret_frame->len = (size_t)payload;
    return (long)(head + 4 + payload);
}

bool frame_utf8(const uint8_t *s, size_t len)
{
    for (size_t i = 0; i < len;) {
        uint8_t c = s[i];
        size_t more = c < 0x80 ? 0 : c >= 0xC2 && c < 0xE0 ? 1 : (c & 0xF0) == 0xE0 ? 2 : 3;
        if (c >= 0x80 && (c < 0xC2 || c > 0xF4 || i + more >= len))
            return false;
        uint32_t cp = more == 0 ? c : c & (0x3FU >> more);
        for (size_t k = 1; k <= more; k++) {
            if ((s[i + k] & 0xC0) != 0x80)
                return false;
            cp = cp << 6 | (s[i + k] & 0x3F);
        }
        if ((more == 2 && (cp < 0x800 || (cp >= 0xD800 && cp < 0xE000))) ||
            (more == 3 && (cp < 0x10000 || cp > 0x10FFFF)))
            return false;
        i += more + 1;
    }
    return true;
}
