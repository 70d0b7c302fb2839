/* A fixed table of numbered pairs (a, b) -> value, with a list of those of each a. For control.c:
 * what a session holds, and how many sessions of a user hold it. No allocation after pairs_init().
 */
#ifndef PX_PAIRS_H
#define PX_PAIRS_H

#include <stddef.h>
#include <stdint.h>

#define PAIRS_NONE UINT32_MAX

struct pair {
    uint32_t a, b, value;
    uint32_t chain;          /* of its bucket; of the free ones */
    uint32_t next, previous; /* of the same a */
};

struct pairs {
    struct pair *pair;
    uint32_t *bucket, *first; /* index, PAIRS_NONE; first: by a */
    uint32_t capacity, bucket_mask, high, free_head, used;
};

size_t pairs_bytes(uint32_t capacity, uint32_t a_count);
/* a is below a_count. Errors: -ENOMEM. */
int pairs_init(struct pairs *p, uint32_t capacity, uint32_t a_count);
void pairs_free(struct pairs *p);

/* NULL: there is none. */
struct pair *pairs_find(const struct pairs *p, uint32_t a, uint32_t b);
/* One more, that is not there yet. NULL: the table is full. */
struct pair *pairs_add(struct pairs *p, uint32_t a, uint32_t b, uint32_t value);
void pairs_remove(struct pairs *p, struct pair *pair);
/* Any pair of a, NULL if there is none. */
struct pair *pairs_first(const struct pairs *p, uint32_t a);

#endif
