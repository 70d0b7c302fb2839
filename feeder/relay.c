/* Records between a rear-guard and its feeder. See relay.h. */
#include "relay.h"

#include <errno.h>
#include <string.h>

bool relay_has_room(const struct relay_spool *s)
{
    return s->cap - s->len >= 2 * sizeof(struct relay_head) + RELAY_PAYLOAD_MAX + RELAY_REASON_MAX;
}

static void append(struct relay_spool *s, const void *from, size_t len)
{
    size_t at = (s->start + s->len) % s->cap, first = s->cap - at < len ? s->cap - at : len;
    memcpy(s->data + at, from, first);
    memcpy(s->data, (const unsigned char *)from + first, len - first);
    s->len += len;
}

bool relay_put(struct relay_spool *s, const struct relay_head *head, const void *payload)
{
    if (head->len > RELAY_PAYLOAD_MAX || s->cap - s->len < sizeof *head + head->len)
        return false;
    append(s, head, sizeof *head);
    if (head->len > 0)
        append(s, payload, head->len);
    return true;
}

size_t relay_pending(const struct relay_spool *s, const unsigned char **at)
{
    *at = s->data + s->start;
    return s->cap - s->start < s->len ? s->cap - s->start : s->len;
}

void relay_written(struct relay_spool *s, size_t n)
{
    s->len -= n;
    s->start = s->len == 0 ? 0 : (s->start + n) % s->cap;
}

size_t relay_space(struct relay_stream *s, unsigned char **at)
{
    if (s->start > 0) {
        memmove(s->data, s->data + s->start, s->end - s->start);
        s->end -= s->start;
        s->start = 0;
    }
    *at = s->data + s->end;
    return RELAY_STREAM_BYTES - s->end;
}

void relay_received(struct relay_stream *s, size_t n)
{
    s->end += n;
}

/* How long a payload of this type is, at least and at most. */
static bool fits(const struct relay_head *head)
{
    switch (head->type) {
    case RELAY_LINK:
        return head->len == sizeof(struct relay_link);
    case RELAY_TEXT:
        return head->len <= RELAY_PAYLOAD_MAX;
    case RELAY_MARK:
        return head->len == sizeof(struct relay_mark);
    case RELAY_END:
        return head->len <= RELAY_REASON_MAX;
    default:
        return false;
    }
}

int relay_next(struct relay_stream *s, struct relay_head *head, const unsigned char **payload)
{
    size_t there = s->end - s->start;
    if (there < sizeof *head)
        return 0;
    memcpy(head, s->data + s->start, sizeof *head);
    if (!fits(head))
        return -EPROTO;
    if (there < sizeof *head + head->len)
        return 0;
    *payload = s->data + s->start + sizeof *head;
    s->start += sizeof *head + head->len;
    return 1;
}
