/* Many feeders that lose one venue at the same moment: when do they try it again? Each has a
 * breaker and a back-off of its own, as the programs have; the time is moved by hand. */
#ifndef PX_TESTS_SPREAD_H
#define PX_TESTS_SPREAD_H

#include "backoff.h"
#include "breaker.h"

#define SPREAD_STEP_NS (100 * INT64_C(1000000))
#define SPREAD_STEPS   3000 /* five minutes */

struct spread {
    uint32_t feeders;
    int64_t down_ns;                 /* how long the venue refuses */
    uint32_t attempts[SPREAD_STEPS]; /* in each step */
    uint32_t back[SPREAD_STEPS];     /* of them successful */
};

static inline void spread_note(struct spread *s, int64_t at_ns)
{
    if (at_ns / SPREAD_STEP_NS >= SPREAD_STEPS)
        return;
    s->attempts[at_ns / SPREAD_STEP_NS]++;
    s->back[at_ns / SPREAD_STEP_NS] += at_ns >= s->down_ns;
}

static inline void spread_run(struct spread *s, int64_t base_ns, int64_t cap_ns, uint64_t seed)
{
    for (uint32_t i = 0; i < s->feeders; i++) {
        struct breaker b;
        struct backoff backoff;
        breaker_init(&b, BREAKER_HOLD_NS);
        backoff_init(&backoff, base_ns, cap_ns, (seed + i + 1) * UINT64_C(0x9e3779b97f4a7c15));
        int64_t now = backoff_next(&backoff, 0); /* what was lost had been good */
        backoff_reset(&backoff);
        for (;;) {
            now = breaker_next(&b, now);
            breaker_begin(&b, 0, now);
            spread_note(s, now);
            if (now >= s->down_ns)
                break;
            backoff.failures = b.failures;
            struct breaker_failure f = {
                .began_ns = now, .until_ns = now + backoff_next(&backoff, 0), .reason = "refused"};
            breaker_failed(&b, &f, now);
        }
    }
}

/* The same feeders with a pause that is always the same. */
static inline void spread_fixed(struct spread *s, int64_t pause_ns)
{
    for (uint32_t i = 0; i < s->feeders; i++)
        for (int64_t now = pause_ns;; now += pause_ns) {
            spread_note(s, now);
            if (now >= s->down_ns)
                break;
        }
}

#endif
