/* Accounts of memory that libraries take through allocators of ours: bytes and blocks by owner, as
 * malloc counts them. OpenSSL has its own, in tls_pool.c. */
#ifndef PX_FEEDER_ACCOUNT_H
#define PX_FEEDER_ACCOUNT_H

#include <stddef.h>
#include <stdint.h>

#include "px/info.h"

#ifdef __cplusplus
extern "C" {
#endif

struct account {
    uint64_t bytes, blocks; /* in use now; bytes with malloc's own header */
    uint64_t calls;         /* since the start */
};

/* As realloc(3), and free(3) for size 0, on account of `owner` (enum px_owner).
 * Threads: any.   Errors: NULL no memory, or size 0. */
void *account_realloc(uint32_t owner, void *p, size_t size);
void account_read(uint32_t owner, struct account *out);

#ifdef __cplusplus
}
#endif

#endif
