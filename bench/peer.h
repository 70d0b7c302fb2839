/* What a peer is: something that carries 64-byte ticks from one writer to readers in other
 * processes. A peer file defines struct peer and the functions below as static, sets the macros,
 * and then includes peer_main.h, which holds the measurements: so the compiler sees through the
 * calls and no peer pays for an indirection that another does not. Valid C and C++.
 *
 *   PEER_PINNED        1: writer on core 0, one reader on core 1; 0: it has threads or a daemon of
 *                      its own, which must find a core
 *   PEER_TICK          what peer_poll() fills, with PEER_SEQ and PEER_STAMP to look into it; struct
 *                      bench_tick if the peer says nothing else
 *   peer_create()      once, before the fork: shared memory, pipes, names
 *   peer_writer()      in the writing process
 *   peer_reader()      in reader `index`; returns when it would miss nothing any more
 *   peer_joined()      in the writing process: 1 when all readers are connected
 *   peer_send()        one tick; 0, or -1 when there is no room now
 *   peer_flush()       end of a batch: what was sent must go out
 *   peer_poll()        up to n ticks into PEER_TICKs, never blocks; returns the count, 0 or less:
 * none peer_wait()        sleep until there is something to poll, at most 100 ms peer_leave() in a
 * reader, at its end peer_destroy()     in the writing process, at the end */
#ifndef BENCH_PEER_H
#define BENCH_PEER_H

#include <stdint.h>

struct bench_tick {
    uint64_t seq;   /* from 1, consecutive */
    uint64_t stamp; /* clock_cycles() at send, where that is measured */
    uint64_t w[6];
};

struct peer_options {
    int readers; /* that read, and attached ones that do nothing */
    int sleeps;  /* readers will call peer_wait() */
    int entries; /* ring size, where a peer has one: a power of two */
};

#endif
