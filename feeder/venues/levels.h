/* Levels of a book out of a frame, on the stack: up to LEVELS_MAX of them become one event after
 * one walk. A larger book is walked twice: the first walk shows that all of it is right, the second
 * gives it in several events.
 *
 *   levels_start(&l, d, &event);            event.u.book is filled in but for levels and count
 *   do {
 *       enter the container ...  rc = levels_add(&l, ask, price item, size item) for each
 *   } while (rc == 0 && levels_again(&l));
 */
#ifndef PX_VENUES_LEVELS_H
#define PX_VENUES_LEVELS_H

#include "decode.h"

#define LEVELS_MAX 512u

struct levels {
    struct decode *d;
    struct venue_event *event;
    uint32_t count; /* in at[] */
    uint64_t total; /* of the first walk */
    bool giving;    /* the second walk */
    bool begun;     /* something was given already */
    struct venue_level at[LEVELS_MAX];
};

void levels_start(struct levels *l, struct decode *d, struct venue_event *event);
/* 0, or -EBADMSG after refuse(): a price or size that is no decimal. */
int levels_add(struct levels *l, bool ask, const struct json_item *price,
               const struct json_item *size);
/* The array of [price, size, ...] arrays that was given last: enter it and add every level. */
int levels_add_pairs(struct levels *l, bool ask);
/* The same array as far as a quote needs it: its first level becomes this side of *quote, the
 * others are walked over. Without a level the side stays as it is: absent, if *quote was
 * levels_none(). */
int levels_first(struct decode *d, bool ask, struct px_quote *quote);
struct px_quote levels_none(void);
/* End of a walk. True: walk once more. False: everything was given. */
bool levels_again(struct levels *l);

#endif
