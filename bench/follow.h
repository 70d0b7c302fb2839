/* The other end of the way, for a sender that is its own reader: with two cores, a busy receiver on
 * one leaves one for both ends. follow_sink.c looks into the bare reader's ring, follow_bus.c reads
 * a bus. */
#ifndef BENCH_FOLLOW_H
#define BENCH_FOLLOW_H

#include <stdint.h>

/* `where`: the ring's file, or the bus. Ends the process if it is not there within 5 s. */
void follow_open(const char *where);

/* Poll until the tick whose size has this mantissa is seen; ends the process after ten seconds. */
void follow_until(uint64_t stamp);

#endif
