#include "breaker.h"

#include <stdio.h>

#define S INT64_C(1000000000)

void breaker_init(struct breaker *b, int64_t hold_ns)
{
    *b = (struct breaker){.trial = BREAKER_NOBODY, .hold_ns = hold_ns};
}

int64_t breaker_next(const struct breaker *b, int64_t now_ns)
{
    int64_t next = b->state == PX_BREAKER_CLOSED ? now_ns : b->next_ns;
    if (b->state == PX_BREAKER_HALF_OPEN && b->trial != BREAKER_NOBODY)
        next = b->trial_ns + b->hold_ns;
    return next > now_ns ? next : now_ns;
}

static void close_it(struct breaker *b)
{
    b->state = PX_BREAKER_CLOSED;
    b->failures = 0;
    b->trial = BREAKER_NOBODY;
    b->vouched = false;
    b->reason[0] = '\0';
}

uint32_t breaker_state(struct breaker *b, int64_t now_ns)
{
    bool due = b->state == PX_BREAKER_OPEN && now_ns >= b->next_ns;
    if (due && b->vouched)
        close_it(b);
    else if (due)
        return PX_BREAKER_HALF_OPEN;
    return b->state;
}

void breaker_begin(struct breaker *b, uint32_t who, int64_t now_ns)
{
    if (breaker_state(b, now_ns) == PX_BREAKER_CLOSED)
        return;
    b->state = PX_BREAKER_HALF_OPEN;
    b->trial = who;
    b->trial_ns = now_ns;
}

bool breaker_failed(struct breaker *b, const struct breaker_failure *f, int64_t now_ns)
{
    bool counts = b->state != PX_BREAKER_OPEN && f->began_ns >= b->failed_ns;
    if (!counts && !f->told)
        return false;
    if (f->until_ns > b->next_ns)
        b->next_ns = f->until_ns;
    if (counts && b->failures < UINT32_MAX)
        b->failures++;
    b->state = PX_BREAKER_OPEN;
    b->trial = BREAKER_NOBODY;
    b->vouched = false;
    b->failed_ns = now_ns;
    snprintf(b->reason, sizeof b->reason, "%s", f->reason);
    return counts;
}

bool breaker_good(struct breaker *b, int64_t now_ns)
{
    if (b->state == PX_BREAKER_CLOSED)
        return false;
    if (b->state == PX_BREAKER_OPEN && now_ns < b->next_ns)
        b->vouched = true;
    else
        close_it(b);
    return true;
}

void breaker_left(struct breaker *b, uint32_t who)
{
    if (b->trial == who)
        b->trial = BREAKER_NOBODY;
}

bool breaker_told_by_close(int code, struct breaker_pause *out)
{
    static const struct {
        int from, to;
        struct breaker_pause pause;
    } table[] = {{1008, 1008, {10 * S, 0}},
                 {1012, 1012, {5 * S, 25 * S}},
                 {1013, 1013, {10 * S, 20 * S}},
                 {3000, 4999, {5 * S, 0}}};
    for (uint32_t i = 0; i < sizeof table / sizeof table[0]; i++)
        if (code >= table[i].from && code <= table[i].to) {
            *out = table[i].pause;
            return true;
        }
    return false;
}
