/* OpenSSL's memory: no libc call per record, no growth over sessions; the pool by itself. */
#include <malloc.h>

#include "tls_peer.h"
#include "tls_pool.h"

#if defined(__has_feature)
#if __has_feature(address_sanitizer) || __has_feature(thread_sanitizer)
#define SANITIZED 1
#endif
#endif
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
#define SANITIZED 1
#endif

#ifndef SANITIZED
/* Every call of libc's allocator in this process passes here; glibc's own names stand behind. */
static volatile uint64_t libc_calls; /* the compiler knows malloc, and that it touches nothing */

void *__libc_malloc(size_t len);
void *__libc_calloc(size_t n, size_t len);
void *__libc_realloc(void *p, size_t len);
void __libc_free(void *p);
#define EXPORTED __attribute__((visibility("default")))
EXPORTED void *malloc(size_t len)
{
    libc_calls++;
    return __libc_malloc(len);
}
EXPORTED void *calloc(size_t n, size_t len)
{
    libc_calls++;
    return __libc_calloc(n, len);
}
EXPORTED void *realloc(void *old, size_t len)
{
    libc_calls++;
    return __libc_realloc(old, len);
}
EXPORTED void free(void *old)
{
    libc_calls++;
    __libc_free(old);
}
#endif

static struct world world;
static struct pair p;

__attribute__((constructor(101))) static void pool_first(void)
{
    if (tls_memory_init((size_t)8 << 20) != 0)
        abort();
}

#ifndef SANITIZED
static void read_records(unsigned batches, unsigned per_batch)
{
    char tick[207];
    memset(tick, 't', sizeof tick);
    for (unsigned i = 0; i < batches; i++) {
        for (unsigned k = 0; k < per_batch; k++)
            server_writes(&p, tick, sizeof tick);
        p.plain_len = 0;
        to_client(&p);
        T_EQ(p.plain_len, per_batch * sizeof tick);
    }
}

static void write_records(unsigned count)
{
    char tick[207], back[512];
    memset(tick, 't', sizeof tick);
    for (unsigned i = 0; i < count; i++) {
        T_EQ(tls_write(&p.t, tick, sizeof tick), 0);
        to_server(&p);
        T_EQ(server_reads(&p, back, sizeof back), sizeof tick);
    }
}
#endif

static void no_calls_per_record(int version)
{
#ifdef SANITIZED
    (void)version;
    T_SKIP("the sanitizer owns the allocator");
#else
    struct tls_memory before, after;
    world_start(&world);
    pair_start(&p, world.ctx, world.server, version, HOST);
    T_TRUE(pair_open(&p));
    read_records(10, 100);
    write_records(100);
    tls_memory_stats(&before);
    uint64_t calls = libc_calls;
    void *volatile one = malloc(1); /* the counter counts */
    free(one);
    T_EQ(libc_calls, calls + 2);
    read_records(1000, 100);
    write_records(10000);
    T_EQ(libc_calls, calls + 2);
    tls_memory_stats(&after);
    T_EQ(after.fallbacks, before.fallbacks);
    T_EQ(after.bytes, before.bytes);
    T_EQ(after.arena_used_bytes, before.arena_used_bytes);
    pair_stop(&p);
    world_stop(&world);
#endif
}

T_TEST(a_hundred_thousand_records_of_tls_1_3_make_no_libc_call)
{
    no_calls_per_record(TLS1_3_VERSION);
}

T_TEST(a_hundred_thousand_records_of_tls_1_2_make_no_libc_call)
{
    no_calls_per_record(TLS1_2_VERSION);
}

static void one_session(int i)
{
    pair_start(&p, world.ctx, world.server, i % 2 ? TLS1_2_VERSION : TLS1_3_VERSION, HOST);
    if (i % 5 != 0) { /* every fifth is torn down in mid-handshake */
        T_TRUE(pair_open(&p));
        server_writes(&p, "hello", 5);
        to_client(&p);
        T_EQ(p.plain_len, 5);
    } else {
        client_reads(&p);
    }
    pair_stop(&p);
}

T_TEST(a_thousand_sessions_leave_the_pool_as_it_was)
{
    struct tls_memory before, after;
    world_start(&world);
    SSL_CTX_set_session_cache_mode(world.server, SSL_SESS_CACHE_OFF); /* it is not ours to judge */
    for (int i = 0; i < 20; i++)
        one_session(i);
    tls_memory_stats(&before);
    for (int i = 0; i < 1000; i++)
        one_session(i);
    tls_memory_stats(&after);
    T_EQ(after.bytes, before.bytes);
    T_EQ(after.blocks, before.blocks);
    T_EQ(after.fallback_bytes, before.fallback_bytes);
    T_EQ(after.fallback_blocks, before.fallback_blocks);
    T_EQ(after.arena_used_bytes, before.arena_used_bytes);
    T_TRUE(after.arena_used_bytes < after.arena_bytes);
    world_stop(&world);
}

T_TEST(blocks_of_every_size_keep_their_bytes_and_their_alignment)
{
    enum { COUNT = 4000 };
    static unsigned char *blocks[COUNT];
    static size_t lens[COUNT];
    struct tls_memory before, after;
    uint64_t seed = 7;
    tls_memory_stats(&before);
    for (size_t round = 0; round < 20000; round++) {
        seed = seed * 6364136223846793005u + 1442695040888963407u;
        size_t i = (seed >> 33) % COUNT, len = 1 + (seed >> 20) % (40000 >> (seed >> 60));
        for (size_t k = 0; blocks[i] != NULL && k < lens[i]; k += 1 + lens[i] / 8)
            T_EQ(blocks[i][k], (unsigned char)i);
        if (blocks[i] != NULL && seed & 4) {
            tls_pool_free(blocks[i], "", 0);
            blocks[i] = NULL;
            continue;
        }
        size_t kept = blocks[i] == NULL ? 0 : lens[i] < len ? lens[i] : len;
        blocks[i] = tls_pool_realloc(blocks[i], len, "", 0);
        T_TRUE(blocks[i] != NULL);
        T_EQ((uintptr_t)blocks[i] % 16, 0);
        for (size_t k = 0; k < kept; k++)
            if (blocks[i][k] != (unsigned char)i)
                fail_msg("byte %zu of %zu was lost", k, kept);
        lens[i] = len;
        memset(blocks[i], (int)(unsigned char)i, len);
    }
    for (size_t i = 0; i < COUNT; i++)
        tls_pool_free(blocks[i], "", 0);
    tls_memory_stats(&after);
    T_EQ(after.bytes, before.bytes);
    T_EQ(after.blocks, before.blocks);
    T_EQ(after.fallback_bytes, before.fallback_bytes);
}

T_TEST(what_the_arena_cannot_hold_comes_from_libc_and_is_counted)
{
    struct tls_memory before, after;
    tls_memory_stats(&before);
    void *large = tls_pool_malloc(100000, "", 0);
    tls_memory_stats(&after);
    T_TRUE(large != NULL);
    T_EQ(after.fallbacks, before.fallbacks + 1);
    T_EQ(after.fallback_blocks, before.fallback_blocks + 1);
    T_TRUE(after.fallback_bytes >= before.fallback_bytes + 100000);

    static void *all[1000];
    size_t n = 0;
    uint64_t start = after.fallbacks;
    while (n < 1000 && after.fallbacks < start + 3) {
        T_TRUE((all[n++] = tls_pool_malloc(32768, "", 0)) != NULL);
        tls_memory_stats(&after);
    }
    T_TRUE(after.fallbacks == start + 3 && after.arena_used_bytes == after.arena_bytes);
    while (n > 0)
        tls_pool_free(all[--n], "", 0);
    tls_pool_free(large, "", 0);
    tls_memory_stats(&after);
    T_EQ(after.fallback_bytes, before.fallback_bytes);
    T_EQ(after.fallback_blocks, before.fallback_blocks);
    T_EQ(after.bytes, before.bytes);
}
