#include "budget.h"

#define S INT64_C(1000000000)

static uint32_t bounded(uint32_t attempts)
{
    return attempts < BUDGET_ATTEMPTS_MAX ? attempts : BUDGET_ATTEMPTS_MAX;
}

static int64_t window(uint32_t window_s)
{
    return window_s * (S + S / 10);
}

void budget_init(struct budget *b, uint32_t attempts, uint32_t window_s)
{
    b->limit = bounded(attempts);
    b->window_ns = window(window_s);
    b->count = b->first = 0;
}

void budget_share(struct budget *b, uint32_t attempts, uint32_t window_s)
{
    if (attempts == 0)
        return;
    if (b->limit == 0 || bounded(attempts) < b->limit)
        b->limit = bounded(attempts);
    if (window(window_s) > b->window_ns)
        b->window_ns = window(window_s);
}

int64_t budget_at(const struct budget *b, uint32_t i)
{
    return b->at_ns[(b->first + i) % b->limit];
}

int64_t budget_next(const struct budget *b, int64_t now_ns)
{
    if (b->limit == 0 || b->count < b->limit)
        return now_ns;
    int64_t free_ns = budget_at(b, 0) + b->window_ns;
    return free_ns > now_ns ? free_ns : now_ns;
}

void budget_take(struct budget *b, int64_t at_ns)
{
    if (b->limit == 0)
        return;
    if (b->count < b->limit)
        b->count++;
    else
        b->first = (b->first + 1) % b->limit;
    b->at_ns[(b->first + b->count - 1) % b->limit] = at_ns;
}
