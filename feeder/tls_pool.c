/* The arena is cut into slabs of 64 KiB, each of one size class from its first use on, so that an
 * address alone tells the size and no block carries a header. A freed block goes to the list of its
 * class and stays there: the arena fills up to the high water of each class and then stands still.
 */
#include "tls_pool.h"

#include <errno.h>
#include <malloc.h>
#include <pthread.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#define SLAB_SHIFT  16
#define SLAB        ((size_t)1 << SLAB_SHIFT)
#define LARGEST     ((size_t)32768)
#define STEP        16 /* alignment that malloc promises */
#define SMALL_MAX   128
#define SMALL_COUNT (SMALL_MAX / STEP)
#define CLASSES     (SMALL_COUNT + 4 * 8) /* then four to each doubling, 128 to 32768 */
#define MAX_SLABS   4096

struct block {
    struct block *next;
};

static struct {
    pthread_mutex_t lock;
    unsigned char *base;
    size_t slabs, slabs_used;
    struct block *free[CLASSES];
    unsigned char *bump[CLASSES]; /* next uncut block of the class's newest slab */
    unsigned char *bump_end[CLASSES];
    uint8_t slab_class[MAX_SLABS];
    struct tls_memory stats;
} pool = {.lock = PTHREAD_MUTEX_INITIALIZER};

static unsigned class_of(size_t len)
{
    if (len <= SMALL_MAX)
        return len == 0 ? 0 : (unsigned)((len - 1) / STEP);
    unsigned top = 63 - (unsigned)__builtin_clzll(len - 1);    /* 7 for 129 to 256 */
    unsigned quarter = (unsigned)((len - 1) >> (top - 2)) & 3; /* which fourth of the doubling */
    return SMALL_COUNT + (top - 7) * 4 + quarter;
}

static size_t class_size(unsigned c)
{
    if (c < SMALL_COUNT)
        return (size_t)(c + 1) * STEP;
    unsigned top = (c - SMALL_COUNT) / 4 + 7, quarter = (c - SMALL_COUNT) % 4;
    return ((size_t)1 << top) + ((size_t)(quarter + 1) << (top - 2));
}

int tls_pool_init(size_t arena_bytes)
{
    size_t slabs = (arena_bytes + SLAB - 1) / SLAB;
    if (pool.base != NULL)
        return -EBUSY;
    if (slabs > MAX_SLABS)
        slabs = MAX_SLABS;
    void *base;
    if (posix_memalign(&base, SLAB, slabs * SLAB) != 0)
        return -ENOMEM;
    pool.base = base;
    pool.slabs = slabs;
    pool.stats.arena_bytes = slabs * SLAB;
    return 0;
}

static int in_arena(const void *p)
{
    return (uintptr_t)p - (uintptr_t)pool.base < pool.slabs * SLAB;
}

static unsigned class_at(const void *p)
{
    return pool.slab_class[((uintptr_t)p - (uintptr_t)pool.base) >> SLAB_SHIFT];
}

static void *take(unsigned c)
{
    struct block *b = pool.free[c];
    if (b != NULL) {
        pool.free[c] = b->next;
        return b;
    }
    size_t size = class_size(c);
    if (pool.bump[c] == NULL || (size_t)(pool.bump_end[c] - pool.bump[c]) < size) {
        if (pool.slabs_used == pool.slabs)
            return NULL;
        pool.slab_class[pool.slabs_used] = (uint8_t)c;
        pool.bump[c] = pool.base + pool.slabs_used++ * SLAB;
        pool.bump_end[c] = pool.bump[c] + SLAB;
        pool.stats.arena_used_bytes += SLAB;
    }
    void *p = pool.bump[c];
    pool.bump[c] += size;
    return p;
}

static void *fallback(size_t len)
{
    void *p = malloc(len);
    if (p == NULL)
        return NULL;
    pool.stats.fallbacks++;
    pool.stats.fallback_blocks++;
    pool.stats.fallback_bytes += malloc_usable_size(p);
    return p;
}

static void *locked_alloc(size_t len)
{
    unsigned c = len <= LARGEST ? class_of(len) : CLASSES;
    void *p = c < CLASSES ? take(c) : NULL;
    if (p == NULL)
        return fallback(len);
    pool.stats.blocks++;
    pool.stats.bytes += class_size(c);
    return p;
}

static void locked_free(void *p)
{
    if (!in_arena(p)) {
        pool.stats.fallback_blocks--;
        pool.stats.fallback_bytes -= malloc_usable_size(p);
        free(p);
        return;
    }
    unsigned c = class_at(p);
    struct block *b = p;
    b->next = pool.free[c];
    pool.free[c] = b;
    pool.stats.blocks--;
    pool.stats.bytes -= class_size(c);
}

void *tls_pool_malloc(size_t len, const char *file, int line)
{
    (void)file;
    (void)line;
    pthread_mutex_lock(&pool.lock);
    pool.stats.calls++;
    void *p = locked_alloc(len);
    pthread_mutex_unlock(&pool.lock);
    return p;
}

void tls_pool_free(void *p, const char *file, int line)
{
    (void)file;
    (void)line;
    if (p == NULL)
        return;
    pthread_mutex_lock(&pool.lock);
    pool.stats.calls++;
    locked_free(p);
    pthread_mutex_unlock(&pool.lock);
}

void *tls_pool_realloc(void *p, size_t len, const char *file, int line)
{
    if (p == NULL)
        return tls_pool_malloc(len, file, line);
    if (len == 0) {
        tls_pool_free(p, file, line);
        return NULL;
    }
    pthread_mutex_lock(&pool.lock);
    pool.stats.calls++;
    size_t have = in_arena(p) ? class_size(class_at(p)) : malloc_usable_size(p);
    /* a block of the arena that is right for the new length stays where it is */
    if (in_arena(p) && len <= LARGEST && class_of(len) == class_at(p)) {
        pthread_mutex_unlock(&pool.lock);
        return p;
    }
    void *to = locked_alloc(len);
    if (to != NULL) {
        memcpy(to, p, have < len ? have : len);
        locked_free(p);
    }
    pthread_mutex_unlock(&pool.lock);
    return to;
}

void tls_pool_stats(struct tls_memory *out)
{
    pthread_mutex_lock(&pool.lock);
    *out = pool.stats;
    pthread_mutex_unlock(&pool.lock);
}
