/* What every frame benchmark makes of a picked trade: numbers, a slot, a ring entry. */
#ifndef BENCH_PICK_STORE_H
#define BENCH_PICK_STORE_H

#include "pick.h"
#include "sink.h"

/* Digits without the point: what a trade's price or size becomes in the sink. */
static inline uint64_t pick_digits(struct pick_text text)
{
    uint64_t value = 0;
    for (size_t i = 0; i < text.len; i++)
        if (text.at[i] != '.')
            value = value * 10 + (uint64_t)(text.at[i] - '0');
    return value;
}

/* Slot and ring entry of one picked trade: the same work in every frame benchmark. */
static inline void pick_store(const struct pick *p, struct sink_slot *slot, struct sink_ring *ring,
                              uint64_t mask, uint64_t seq)
{
    const uint64_t w[7] = {pick_digits(p->price),
                           pick_digits(p->size),
                           p->id,
                           (uint64_t)p->time_ms,
                           (uint64_t)p->sell,
                           0,
                           0};
    sink_slot_write(slot, w);
    sink_put(ring, mask, seq, w);
}

#endif
