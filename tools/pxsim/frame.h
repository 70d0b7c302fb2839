/* RFC 6455 framing of the server's side: frames out are not masked, frames in must be. Pure. */
#ifndef PXSIM_FRAME_H
#define PXSIM_FRAME_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum frame_op {
    FRAME_MORE = 0,
    FRAME_TEXT = 1,
    FRAME_BINARY = 2,
    FRAME_CLOSE = 8,
    FRAME_PING = 9,
    FRAME_PONG = 10,
};

#define FRAME_HEAD_MAX 10

struct frame {
    uint8_t op;
    bool fin;
    uint8_t *data; /* inside the caller's buffer, unmasked in place */
    size_t len;
};

/* Write the head of a frame with a payload of `len` bytes to `out`; returns its size, 2 to 10. */
size_t frame_head(uint8_t *out, uint8_t op, bool fin, uint64_t len);

/* Take one client frame off the front of `buf`. Returns the bytes it took, 0 when more are needed,
 * or minus the close code: -1002 breaks the protocol, -1009 is longer than `max`. */
long frame_take(uint8_t *buf, size_t len, size_t max, struct frame *ret_frame);

/* Size of the unmasked frame at the front of `buf`, head included; 0 if `len` cuts its head. */
uint64_t frame_size(const uint8_t *buf, size_t len);

bool frame_utf8(const uint8_t *s, size_t len);

#endif
