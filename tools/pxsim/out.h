/* What waits to be written to one client: a buffer of frames, and a view of frames that stand ready
 * elsewhere (a replay). Both end up in the order asked for, and nothing ever splits a frame of the
 * view, so a ping or an answer goes between two of them. Pure: it says what to write next. */
#ifndef PXSIM_OUT_H
#define PXSIM_OUT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct out {
    uint8_t *buf; /* the owner's, `room` bytes */
    size_t room, start, end;
    const uint8_t *view; /* ready frames; [view_at, view_end) waits */
    size_t view_at, view_end;
    uint64_t view_frames; /* of the view, that were begun */
    size_t chunk;         /* rest of what is being written now */
    bool chunk_is_view;
    size_t coalesce; /* whole frames are put together up to this many bytes, at least one */
    bool raw;        /* the buffer holds bytes that are no frames: do not look for their ends */
};

/* False, and nothing happened, if there is no room. */
bool out_bytes(struct out *o, const void *bytes, size_t len);
bool out_frame(struct out *o, uint8_t op, bool fin, const void *data, size_t len);

/* The next bytes to write; 0 if there are none. The answer stays the same until out_wrote(). */
size_t out_next(struct out *o, const uint8_t **ret_bytes);
void out_wrote(struct out *o, size_t len);

size_t out_waiting(const struct out *o);

#endif
