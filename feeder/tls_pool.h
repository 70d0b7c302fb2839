/* Memory for OpenSSL, which allocates one block per record read and three per record written: a
 * fixed arena in size classes, and libc for what is large or does not fit. tls.c's alone, but for
 * the leak that upkeep.c makes on request. */
#ifndef PX_FEEDER_TLS_POOL_H
#define PX_FEEDER_TLS_POOL_H

#include <stddef.h>

#include "tls.h"

/* Allocate the arena: 0, -ENOMEM, -EBUSY if there is one. Threads: once, before the others. */
int tls_pool_init(size_t arena_bytes);

/* As malloc, realloc, free of libc, with the place in OpenSSL's source that asks, unused.
 * Threads: any (a thread that ends may free what OpenSSL keeps for it). */
void *tls_pool_malloc(size_t len, const char *file, int line);
void *tls_pool_realloc(void *p, size_t len, const char *file, int line);
void tls_pool_free(void *p, const char *file, int line);

void tls_pool_stats(struct tls_memory *out);

#endif
