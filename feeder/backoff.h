/* Waiting times between attempts: exponential, capped, with full jitter. Never gives up. Pure: the
 * generator's state is seeded by the caller. The breaker and the budget of attempts stand above it.
 */
#ifndef PX_FEEDER_BACKOFF_H
#define PX_FEEDER_BACKOFF_H

#include <stdbool.h>
#include <stdint.h>

/* Cap for an endpoint of the operator's own (--endpoint without --limits venue). */
#define BACKOFF_LOCAL_CAP_NS (200 * INT64_C(1000000))

struct backoff {
    int64_t base_ns; /* bound of the first waiting time */
    int64_t cap_ns;
    uint64_t random; /* state of the generator, not 0 */
    uint32_t failures;
};

void backoff_init(struct backoff *b, int64_t base_ns, int64_t cap_ns, uint64_t seed);

/* The waiting time after one more failure: uniform in (0, min(cap, base * 2^failures)], so that
 * clients that failed together do not come back together. At least `least_ns` (Retry-After, 0
 * none), with jitter on top of it, since everybody was told the same. */
int64_t backoff_next(struct backoff *b, int64_t least_ns);

/* Uniform in (0, bound_ns]: to spread what would happen at once. */
int64_t backoff_jitter(struct backoff *b, int64_t bound_ns);

/* A refused upgrade. */
struct backoff_refusal {
    int status;       /* of HTTP */
    long after_s;     /* Retry-After in seconds, -1: absent or something else */
    const char *text; /* Retry-After as it came, "" absent */
    bool venue_host;  /* the venue's own limits apply there */
    int64_t utc_s;    /* now */
};

/* What it asks to wait at least, in ns, for backoff_next(): Retry-After, also as a date; a minute
 * when that cannot be read, or when the venue's own host says 418 or 429 without it. 0: nothing was
 * asked. */
int64_t backoff_told(const struct backoff_refusal *r);

/* Good data has flowed: the next failure is the first again. */
void backoff_reset(struct backoff *b);

#endif
