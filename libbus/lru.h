/* Order of use, in the writer's private memory: a doubly linked list of slot numbers. Slots that
 * must not be evicted (pinned or free) are not in it. The last node is the anchor: its `next` is
 * the most recently used slot, its `prev` the least. */
#ifndef PXI_LRU_H
#define PXI_LRU_H

#include <stdint.h>

#define PXI_LRU_OUT UINT32_MAX

struct pxi_lru_node {
    uint32_t prev, next;
};

struct pxi_lru {
    struct pxi_lru_node *node; /* capacity + 1, owned by the writer */
    uint32_t anchor;
};

static inline void pxi_lru_init(struct pxi_lru *l, struct pxi_lru_node *node, uint32_t capacity)
{
    l->node = node;
    l->anchor = capacity;
    for (uint32_t i = 0; i < capacity; i++)
        node[i].prev = node[i].next = PXI_LRU_OUT;
    node[capacity].prev = node[capacity].next = capacity;
}

static inline void pxi_lru_remove(struct pxi_lru *l, uint32_t i)
{
    struct pxi_lru_node *n = &l->node[i];
    if (n->prev == PXI_LRU_OUT)
        return;
    l->node[n->prev].next = n->next;
    l->node[n->next].prev = n->prev;
    n->prev = n->next = PXI_LRU_OUT;
}

static inline void pxi_lru_insert(struct pxi_lru *l, uint32_t i)
{
    struct pxi_lru_node *anchor = &l->node[l->anchor];
    l->node[i] = (struct pxi_lru_node){.prev = l->anchor, .next = anchor->next};
    l->node[anchor->next].prev = i;
    anchor->next = i;
}

/* Make i the most recently used, whether it was in the list or not. */
static inline void pxi_lru_front(struct pxi_lru *l, uint32_t i)
{
    struct pxi_lru_node n = l->node[i];
    if (l->node[l->anchor].next == i)
        return;
    if (n.prev != PXI_LRU_OUT) {
        l->node[n.prev].next = n.next;
        l->node[n.next].prev = n.prev;
    }
    pxi_lru_insert(l, i);
}

/* The same, only if it is in the list. */
static inline void pxi_lru_touch(struct pxi_lru *l, uint32_t i)
{
    if (l->node[i].prev != PXI_LRU_OUT)
        pxi_lru_front(l, i);
}

/* The least recently used slot, PXI_LRU_OUT if the list is empty. */
static inline uint32_t pxi_lru_oldest(const struct pxi_lru *l)
{
    uint32_t i = l->node[l->anchor].prev;
    return i == l->anchor ? PXI_LRU_OUT : i;
}

#endif
