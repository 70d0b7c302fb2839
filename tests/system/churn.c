/* A reader that comes and goes: subscribes to one symbol after the other, gives the oldest back,
 * and attaches anew every so often. churn BUS CYCLES SYMBOLS WINDOW PER_READER [hold] It goes round
 * SYMBOLS symbols and holds WINDOW of them (0: gives each back at once). With `hold` it keeps what
 * it has at the end until its standard input ends. Prints "done" when all is asked for. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "px/bus.h"

#define WINDOW_MAX 4096

static px_bus *bus;
static px_id held[WINDOW_MAX];

static int fail(const char *what, int rc)
{
    fprintf(stderr, "churn: %s: %s: %s\n", what, px_strerror(rc),
            bus != NULL ? px_bus_message(bus) : "");
    return 1;
}

static int subscribe(unsigned long n, px_id *id)
{
    char symbol[PX_SYMBOL_MAX + 1];
    snprintf(symbol, sizeof symbol, "binance:C%04luUSDT", n);
    return px_bus_subscribe(bus, symbol, PX_TRADES | PX_QUOTES, id, 20000);
}

static int again(const char *name)
{
    const struct px_bus_options options = {.name = "churn", .wait_ms = 20000};
    px_bus_detach(bus);
    bus = NULL;
    return px_bus_attach(&bus, name, &options);
}

static int cycle(unsigned long i, unsigned long symbols, unsigned long window)
{
    px_id id;
    int rc = subscribe(i % symbols, &id);
    if (rc != 0 || window == 0)
        return rc != 0 ? rc : px_bus_unsubscribe(bus, id);
    if (i >= window)
        rc = px_bus_unsubscribe(bus, held[i % window]);
    held[i % window] = id;
    return rc;
}

int main(int argc, char **argv)
{
    if (argc < 6)
        return fail("usage", -EINVAL);
    unsigned long number[4], done = 0;
    for (int i = 0; i < 4; i++)
        number[i] = strtoul(argv[i + 2], NULL, 10);
    unsigned long cycles = number[0], per_reader = number[3] == 0 ? cycles : number[3];
    if (number[1] == 0 || number[2] > WINDOW_MAX)
        return fail("usage", -EINVAL);
    while (done < cycles) {
        int rc = again(argv[1]);
        for (unsigned long i = 0; rc == 0 && i < per_reader && done < cycles; i++, done++)
            rc = cycle(i, number[1], number[2]);
        if (rc != 0)
            return fail("cycle", rc);
    }
    puts("done");
    fflush(stdout);
    for (char c; argc > 6 && read(STDIN_FILENO, &c, 1) > 0;)
        ;
    px_bus_detach(bus);
    return 0;
}
