#include "backoff.h"

#include <stddef.h>
#include <time.h>

#define S INT64_C(1000000000)

/* Retry-After is obeyed up to here: a header that says "a century" must not end the feed. */
#define LEAST_MAX_S  3600
#define LEAST_MAX_NS (LEAST_MAX_S * S)
/* A venue that says "too many" and not for how long counts in minutes; it bans who comes back. */
#define UNTOLD_NS (60 * S)

void backoff_init(struct backoff *b, int64_t base_ns, int64_t cap_ns, uint64_t seed)
{
    b->base_ns = base_ns > 0 ? base_ns : 1;
    b->cap_ns = cap_ns > b->base_ns ? cap_ns : b->base_ns;
    b->random = seed != 0 ? seed : UINT64_C(0x9e3779b97f4a7c15);
    b->failures = 0;
}

/* xorshift64* (Vigna 2016, "An experimental exploration of Marsaglia's xorshift generators"). */
static uint64_t next_random(struct backoff *b)
{
    uint64_t x = b->random;
    x ^= x >> 12;
    x ^= x << 25;
    x ^= x >> 27;
    b->random = x;
    return x * UINT64_C(2685821657736338717);
}

int64_t backoff_jitter(struct backoff *b, int64_t bound_ns)
{
    return bound_ns > 0 ? 1 + (int64_t)(next_random(b) % (uint64_t)bound_ns) : 0;
}

int64_t backoff_next(struct backoff *b, int64_t least_ns)
{
    int64_t bound = b->base_ns;
    for (uint32_t i = 0; i < b->failures && bound < b->cap_ns; i++)
        bound = bound > b->cap_ns / 2 ? b->cap_ns : bound * 2;
    if (bound > b->cap_ns)
        bound = b->cap_ns;
    if (b->failures < UINT32_MAX)
        b->failures++;
    int64_t wait = backoff_jitter(b, bound);
    if (least_ns > LEAST_MAX_NS)
        least_ns = LEAST_MAX_NS;
    return least_ns > 0 ? least_ns + wait : wait;
}

/* The three forms of RFC 7231 7.1.1.1, all in UTC. False: none of them. */
static bool http_date(const char *text, int64_t *utc_s)
{
    static const char *const forms[] = {"%a, %d %b %Y %H:%M:%S GMT", "%A, %d-%b-%y %H:%M:%S GMT",
                                        "%a %b %d %H:%M:%S %Y"};
    for (size_t i = 0; i < sizeof forms / sizeof forms[0]; i++) {
        struct tm tm = {0};
        const char *end = strptime(text, forms[i], &tm);
        if (end != NULL && *end == '\0') {
            *utc_s = timegm(&tm);
            return true;
        }
    }
    return false;
}

int64_t backoff_told(const struct backoff_refusal *r)
{
    int64_t at_s, wait_s = r->after_s;
    if (wait_s < 0 && r->text[0] == '\0')
        return r->venue_host && (r->status == 418 || r->status == 429) ? UNTOLD_NS : 0;
    if (wait_s < 0) {
        if (!http_date(r->text, &at_s))
            return UNTOLD_NS;
        wait_s = at_s > r->utc_s ? at_s - r->utc_s : 0;
    }
    return (wait_s < LEAST_MAX_S ? wait_s : LEAST_MAX_S) * S;
}

void backoff_reset(struct backoff *b)
{
    b->failures = 0;
}
