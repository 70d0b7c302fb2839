/* How often an address may be tried: a sliding window over the last attempts, with the limits that
 * the venue publishes. Pure. What is sent on an open connection is counted by subs_link.c. */
#ifndef PX_FEEDER_BUDGET_H
#define PX_FEEDER_BUDGET_H

#include <stdint.h>

/* The most that is remembered; a venue that allows more is held to this. */
#define BUDGET_ATTEMPTS_MAX 512u

struct budget {
    uint32_t limit; /* attempts in a window, 0: no limit, and nothing is remembered */
    uint32_t count; /* remembered, the last of them at (first + count - 1) % limit */
    uint32_t first;
    int64_t window_ns;
    int64_t at_ns[BUDGET_ATTEMPTS_MAX];
};

/* As published: the window is kept a tenth longer, since what leaves a window apart may arrive
 * closer together. */
void budget_init(struct budget *b, uint32_t attempts, uint32_t window_s);

/* Another venue lives at the same address: the stricter of both limits holds for the two together,
 * the smaller count and the longer window. Before the first attempt. */
void budget_share(struct budget *b, uint32_t attempts, uint32_t window_s);

/* When the next attempt may be made: now_ns, or later. */
int64_t budget_next(const struct budget *b, int64_t now_ns);

/* An attempt is made (of a file: was made; oldest first). */
void budget_take(struct budget *b, int64_t at_ns);

/* The i-th remembered attempt, oldest first; i < count. */
int64_t budget_at(const struct budget *b, uint32_t i);

#endif
