/* Between the two halves of the Kraken dialect: messages of any channel (kraken.c) and those of the
 * book. */
#ifndef PX_VENUES_KRAKEN_H
#define PX_VENUES_KRAKEN_H

#include "decode.h"
#include "levels.h"

/* Levels of each side that are asked for: the fewest that there are, and what the checksum covers.
 */
#define KRAKEN_DEPTH 10

/* What the elements of one frame's data have in common, and how many were taken. */
struct kraken_message {
    bool snapshot;
    uint32_t elements;
    struct decode_kept symbol;
    struct levels levels;
};

/* Read the fields of an element to its end; none may come twice. */
static inline int kraken_element(struct decode *d, const struct decode_name *list, unsigned count,
                                 struct decode_fields *f)
{
    int rc = decode_fields(d, list, count, f);
    return rc != 0 ? rc : decode_once(d, list, f);
}

/* Older frames have no time everywhere. An empty book has 1970, which is none either. */
static inline int kraken_time(struct decode *d, const struct json_item *item, int64_t *out)
{
    return item == NULL ? 0 : field_rfc3339(&d->refusal, item, "timestamp", out);
}

/* One element of the book channel's data; `user` is the message. */
int kraken_take_book(struct decode *d, void *user);

/* Of the best ten levels, asks before bids, whatever the depth of the book. */
uint32_t kraken_checksum(const struct book *book);

#endif
