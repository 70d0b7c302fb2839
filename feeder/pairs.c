#include "pairs.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

static uint32_t bucket_count(uint32_t capacity)
{
    uint32_t n = 64;
    while (n < capacity)
        n *= 2;
    return n;
}

size_t pairs_bytes(uint32_t capacity, uint32_t a_count)
{
    return capacity * sizeof(struct pair) +
           ((size_t)bucket_count(capacity) + a_count) * sizeof(uint32_t);
}

int pairs_init(struct pairs *p, uint32_t capacity, uint32_t a_count)
{
    uint32_t buckets = bucket_count(capacity);
    *p = (struct pairs){.capacity = capacity, .bucket_mask = buckets - 1, .free_head = PAIRS_NONE};
    p->pair = calloc(capacity, sizeof(*p->pair));
    p->bucket = malloc(buckets * sizeof(*p->bucket));
    p->first = malloc(a_count * sizeof(*p->first));
    if (p->pair == NULL || p->bucket == NULL || p->first == NULL) {
        pairs_free(p);
        return -ENOMEM;
    }
    memset(p->bucket, 0xff, buckets * sizeof(*p->bucket));
    memset(p->first, 0xff, a_count * sizeof(*p->first));
    return 0;
}

void pairs_free(struct pairs *p)
{
    free(p->pair);
    free(p->bucket);
    free(p->first);
    memset(p, 0, sizeof(*p));
}

static uint32_t *bucket_of(const struct pairs *p, uint32_t a, uint32_t b)
{
    uint64_t h = ((uint64_t)a << 32 | b) * UINT64_C(0x9e3779b97f4a7c15);
    return &p->bucket[(uint32_t)(h >> 32) & p->bucket_mask];
}

struct pair *pairs_find(const struct pairs *p, uint32_t a, uint32_t b)
{
    uint32_t i = *bucket_of(p, a, b);
    while (i != PAIRS_NONE && (p->pair[i].a != a || p->pair[i].b != b))
        i = p->pair[i].chain;
    return i == PAIRS_NONE ? NULL : &p->pair[i];
}

struct pair *pairs_add(struct pairs *p, uint32_t a, uint32_t b, uint32_t value)
{
    uint32_t i = p->free_head, *bucket = bucket_of(p, a, b);
    if (i != PAIRS_NONE)
        p->free_head = p->pair[i].chain;
    else if (p->high < p->capacity)
        i = p->high++;
    else
        return NULL;
    p->pair[i] = (struct pair){a, b, value, *bucket, p->first[a], PAIRS_NONE};
    if (p->first[a] != PAIRS_NONE)
        p->pair[p->first[a]].previous = i;
    *bucket = p->first[a] = i;
    p->used++;
    return &p->pair[i];
}

void pairs_remove(struct pairs *p, struct pair *pair)
{
    uint32_t i = (uint32_t)(pair - p->pair), *at = bucket_of(p, pair->a, pair->b);
    while (*at != i)
        at = &p->pair[*at].chain;
    *at = pair->chain;
    *(pair->previous == PAIRS_NONE ? &p->first[pair->a] : &p->pair[pair->previous].next) =
        pair->next;
    if (pair->next != PAIRS_NONE)
        p->pair[pair->next].previous = pair->previous;
    pair->chain = p->free_head;
    p->free_head = i;
    p->used--;
}

struct pair *pairs_first(const struct pairs *p, uint32_t a)
{
    return p->first[a] == PAIRS_NONE ? NULL : &p->pair[p->first[a]];
}
