/* The control: simdjson on-demand picking the fields of a Binance trade, nothing made of them; with
 * --walk every value of any frame. */
#include "pick.h"
#include "util.h"

static int walks;

static void decode_open(int argc, char **argv)
{
    walks = util_flag(argc, argv, "walk");
}

static inline int decode_frame(const char *frame, size_t len)
{
    struct pick picked;
    if (walks)
        return pick_walk(frame, len);
    const int rc = pick_trade(frame, len, &picked);
    __asm__ __volatile__("" : : "r"(&picked) : "memory");
    return rc;
}

#include "decode_main.h"
