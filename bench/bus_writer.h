/* A bus with one symbol, as the benchmarks of libbus need it: its writer, and the small part of a
 * feeder that hands readers their page and their slot over the control socket (px/control.h). */
#ifndef BENCH_BUS_WRITER_H
#define BENCH_BUS_WRITER_H

#include <stdint.h>

#include "px/control.h"
#include "px/writer.h"

#define BUS_SYMBOL  "binance:BTCUSDT"
#define BUS_CLIENTS 160

struct bus_writer {
    px_writer *w;
    uint32_t slot;
    int listener, clients;
    char dir[64], path[80];
    struct {
        int fd;
        struct px_page *page; /* NULL until it has said hello */
    } client[BUS_CLIENTS];
};

/* $PX_BENCH_BUS, which the harness sets and cleans up after, else a name of this process's own. */
const char *bus_name(void);

/* Create the bus, bind the symbol, listen. Ends the process on failure. */
void bus_writer_open(struct bus_writer *b, uint32_t ring);

/* Answer what readers have said so far; never blocks. */
void bus_writer_serve(struct bus_writer *b);

/* Close and remove the bus. */
void bus_writer_close(struct bus_writer *b);

#endif
