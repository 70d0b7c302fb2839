/* The bare controls in shared memory: a broadcast ring and a slot, with the least that is correct
 * between processes when the writer never waits. Words are stored relaxed, so a copy that races is
 * found by its sequence and is not undefined. */
#ifndef BENCH_SINK_H
#define BENCH_SINK_H

#include <errno.h>
#include <limits.h>
#include <linux/futex.h>
#include <stdint.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#define SINK_BUSY (UINT64_C(1) << 63)

/* One line: sequence n is in entry n & mask; n | BUSY while it is written. */
struct sink_entry {
    uint64_t seq;
    uint64_t w[7];
} __attribute__((aligned(64)));

struct sink_ring {
    uint32_t wake; /* futex word */
    uint32_t pad0[15];
    uint32_t sleeping;
    uint32_t pad1[15];
    struct sink_entry entry[];
};

static inline void sink_put(struct sink_ring *ring, uint64_t mask, uint64_t seq, const uint64_t *w)
{
    struct sink_entry *e = &ring->entry[seq & mask];
    __atomic_store_n(&e->seq, seq | SINK_BUSY, __ATOMIC_RELAXED);
    __atomic_thread_fence(__ATOMIC_RELEASE);
    for (int i = 0; i < 7; i++)
        __atomic_store_n(&e->w[i], w[i], __ATOMIC_RELAXED);
    __atomic_store_n(&e->seq, seq, __ATOMIC_RELEASE);
}

/* Copy entry `seq`: 1 got it, 0 not yet there, -1 overwritten by a later one. */
static inline int sink_get(const struct sink_ring *ring, uint64_t mask, uint64_t seq, uint64_t *w)
{
    const struct sink_entry *e = &ring->entry[seq & mask];
    const uint64_t before = __atomic_load_n(&e->seq, __ATOMIC_ACQUIRE);
    if (before != seq)
        return (before & ~SINK_BUSY) > seq ? -1 : 0;
    for (int i = 0; i < 7; i++)
        w[i] = __atomic_load_n(&e->w[i], __ATOMIC_RELAXED);
    __atomic_thread_fence(__ATOMIC_ACQUIRE);
    return __atomic_load_n(&e->seq, __ATOMIC_RELAXED) == seq ? 1 : -1;
}

/* Wake a sleeper, without a system call if there is none. Pairs with sink_sleep(): either the
 * writer sees the flag or the reader sees the raised word. */
static inline void sink_wake(struct sink_ring *ring)
{
    __atomic_store_n(&ring->wake, ring->wake + 1, __ATOMIC_RELEASE);
    __atomic_thread_fence(__ATOMIC_SEQ_CST);
    if (__atomic_load_n(&ring->sleeping, __ATOMIC_RELAXED) != 0)
        syscall(SYS_futex, &ring->wake, FUTEX_WAKE, INT_MAX, NULL, NULL, 0);
}

/* Sleep until entry `seq` is there, at most 100 ms. */
static inline void sink_sleep(struct sink_ring *ring, uint64_t mask, uint64_t seq)
{
    const uint32_t word = __atomic_load_n(&ring->wake, __ATOMIC_ACQUIRE);
    __atomic_store_n(&ring->sleeping, 1, __ATOMIC_RELAXED);
    __atomic_thread_fence(__ATOMIC_SEQ_CST);
    const struct timespec most = {0, 100000000};
    uint64_t w[7];
    if (sink_get(ring, mask, seq, w) == 0)
        syscall(SYS_futex, &ring->wake, FUTEX_WAIT, word, &most, NULL, 0);
    __atomic_store_n(&ring->sleeping, 0, __ATOMIC_RELAXED);
}

/* A slot under a sequence lock: odd while it is written. One writer. */
struct sink_slot {
    uint64_t seq;
    uint64_t w[7];
} __attribute__((aligned(64)));

static inline void sink_slot_write(struct sink_slot *s, const uint64_t *w)
{
    const uint64_t seq = s->seq;
    __atomic_store_n(&s->seq, seq + 1, __ATOMIC_RELAXED);
    __atomic_thread_fence(__ATOMIC_RELEASE);
    for (int i = 0; i < 7; i++)
        __atomic_store_n(&s->w[i], w[i], __ATOMIC_RELAXED);
    __atomic_store_n(&s->seq, seq + 2, __ATOMIC_RELEASE);
}

/* 0, or -EAGAIN when the writer was inside at every one of 8 tries. */
static inline int sink_slot_read(const struct sink_slot *s, uint64_t *w)
{
    for (int tries = 0; tries < 8; tries++) {
        const uint64_t seq = __atomic_load_n(&s->seq, __ATOMIC_ACQUIRE);
        for (int i = 0; i < 7; i++)
            w[i] = __atomic_load_n(&s->w[i], __ATOMIC_RELAXED);
        __atomic_thread_fence(__ATOMIC_ACQUIRE);
        if ((seq & 1) == 0 && __atomic_load_n(&s->seq, __ATOMIC_RELAXED) == seq)
            return 0;
    }
    return -EAGAIN;
}

#endif
