/* The order that a venue gives to the updates of one symbol and kind, by ids or by times. Updates
 * come over several connections, and again over the next one: only the number says which is newer.
 *
 * A venue may also begin to count anew (a test net, a simulator). That shows by persistence: for
 * ORDER_ANEW_NS nothing came but lower numbers, and they climb. A late duplicate is answered by the
 * next update of the connection that is ahead. */
#ifndef PX_FEEDER_ORDER_H
#define PX_FEEDER_ORDER_H

#include <stdint.h>

#define ORDER_ANEW_NS INT64_C(3000000000)

struct order {
    uint64_t last;  /* 0: nothing is known */
    uint64_t low;   /* the last was a lower one, this; 0 none since the last that was not */
    uint32_t lows;  /* how many of them climbed */
    int64_t low_ns; /* CLOCK_MONOTONIC of the first of them */
};

enum order_place {
    ORDER_OLDER,
    ORDER_SAME,
    ORDER_NEWER,
    ORDER_ANEW /* lower, and the first of a new count */
};

static inline void order_take(struct order *o, uint64_t number)
{
    *o = (struct order){.last = number};
}

/* Where `number` stands; a newer one becomes the last. `lows_min`: a new count shows by so many
 * lower ones at least. */
static inline enum order_place order_of(struct order *o, uint64_t number, uint32_t lows_min,
                                        int64_t mono_ns)
{
    if (o->last == 0 || number > o->last) {
        order_take(o, number);
        return ORDER_NEWER;
    }
    if (number == o->last) {
        o->low = 0;
        return ORDER_SAME;
    }
    if (o->low == 0) {
        o->low_ns = mono_ns;
        o->lows = 0;
    }
    uint64_t before = o->low;
    o->low = number;
    if (number <= before || ++o->lows < lows_min || mono_ns - o->low_ns < ORDER_ANEW_NS)
        return ORDER_OLDER;
    order_take(o, number);
    return ORDER_ANEW;
}

#endif
