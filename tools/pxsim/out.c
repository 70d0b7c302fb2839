#include "out.h"

#include <string.h>

#include "frame.h"

static bool make_room(struct out *o, size_t len)
{
    if (o->room - o->end >= len)
        return true;
    if (o->room - (o->end - o->start) < len)
        return false;
    memmove(o->buf, o->buf + o->start, o->end - o->start);
    o->end -= o->start;
    o->start = 0;
    return true;
}

bool out_bytes(struct out *o, const void *bytes, size_t len)
{
    if (!make_room(o, len))
        return false;
    memcpy(o->buf + o->end, bytes, len);
    o->end += len;
    return true;
}

bool out_frame(struct out *o, uint8_t op, bool fin, const void *data, size_t len)
{
    if (!make_room(o, FRAME_HEAD_MAX + len))
        return false;
    o->end += frame_head(o->buf + o->end, op, fin, len);
    if (len > 0)
        memcpy(o->buf + o->end, data, len);
    o->end += len;
    return true;
}

/* Whole frames from the front, up to the limit, at least one. */
static size_t whole_frames(const uint8_t *bytes, size_t len, size_t limit, uint64_t *frames)
{
    size_t at = 0;
    do {
        uint64_t size = frame_size(bytes + at, len - at);
        if (size == 0 || size > len - at)
            return len;
        if (at > 0 && at + size > limit)
            break;
        at += size;
        ++*frames;
    } while (at < len);
    return at;
}

size_t out_next(struct out *o, const uint8_t **ret_bytes)
{
    size_t waiting = o->end - o->start;
    uint64_t frames = 0;
    if (o->chunk == 0 && waiting > 0) {
        o->chunk_is_view = false;
        if (!o->raw)
            o->chunk = whole_frames(o->buf + o->start, waiting, o->coalesce, &frames);
        else
            o->chunk = waiting < o->coalesce ? waiting : o->coalesce;
    } else if (o->chunk == 0 && o->view_at < o->view_end) {
        o->chunk_is_view = true;
        o->chunk = whole_frames(o->view + o->view_at, o->view_end - o->view_at, o->coalesce,
                                &o->view_frames);
    }
    *ret_bytes = o->chunk_is_view ? o->view + o->view_at : o->buf + o->start;
    return o->chunk;
}

void out_wrote(struct out *o, size_t len)
{
    o->chunk -= len;
    if (o->chunk_is_view) {
        o->view_at += len;
        return;
    }
    o->start += len;
    if (o->start == o->end)
        o->start = o->end = 0;
}

size_t out_waiting(const struct out *o)
{
    return o->end - o->start + (o->view_end - o->view_at);
}
