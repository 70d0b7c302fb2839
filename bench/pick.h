/* C face of the on-demand control (pick.cc): the fields of a Binance trade, as simdjson hands them
 * out. */
#ifndef BENCH_PICK_H
#define BENCH_PICK_H

#include <stddef.h>
#include <stdint.h>

#define PICK_PADDING 64 /* readable bytes behind a frame that simdjson may look at */

#ifdef __cplusplus
extern "C" {
#endif

struct pick_text {
    const char *at;
    size_t len;
};
struct pick {
    struct pick_text symbol, price, size;
    uint64_t id;
    int64_t time_ms;
    int sell;
};

/* s, t, p, q, T, m of a trade, bare or wrapped in {"stream":..,"data":..}. 0, or -1 if it is no
 * trade. Texts live in the parser until the next call. */
int pick_trade(const char *frame, size_t len, struct pick *out);

/* Visit every value of any frame; returns the count, or -1. The control for other venues. */
int pick_walk(const char *frame, size_t len);

#ifdef __cplusplus
}
#endif

#endif
