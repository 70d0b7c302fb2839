#include "account.h"

#include <malloc.h>
#include <pthread.h>
#include <stdlib.h>

/* What malloc keeps before each block. */
#define HEADER sizeof(size_t)

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static struct account accounts[PX_OWNER_COUNT];

static uint64_t size_of(void *p)
{
    return p == NULL ? 0 : malloc_usable_size(p) + HEADER;
}

static void book(uint32_t owner, uint64_t less, uint64_t more)
{
    struct account *a = &accounts[owner];
    pthread_mutex_lock(&lock);
    a->bytes += more - less;
    a->blocks += (uint64_t)(more != 0) - (uint64_t)(less != 0);
    a->calls++;
    pthread_mutex_unlock(&lock);
}

void *account_realloc(uint32_t owner, void *p, size_t size)
{
    uint64_t before = size_of(p);
    if (size == 0) {
        free(p);
        if (p != NULL)
            book(owner, before, 0);
        return NULL;
    }
    void *to = realloc(p, size);
    if (to != NULL)
        book(owner, before, size_of(to));
    return to;
}

void account_read(uint32_t owner, struct account *out)
{
    pthread_mutex_lock(&lock);
    *out = accounts[owner];
    pthread_mutex_unlock(&lock);
}
