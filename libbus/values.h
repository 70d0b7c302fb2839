/* The words of a tick as the values that readers are given. Both the stream and the last prices are
 * made of them. */
#ifndef PXI_VALUES_H
#define PXI_VALUES_H

#include "seq.h"

static inline struct px_decimal pxi_decimal(const uint64_t w[PXL_TICK_WORDS], unsigned i)
{
    return (struct px_decimal){(int64_t)w[4 + i], pxi_bits_exponent(w[1], i)};
}

static inline void pxi_trade_fill(struct px_trade *out, const uint64_t w[PXL_TICK_WORDS])
{
    out->price = pxi_decimal(w, 0);
    out->size = pxi_decimal(w, 1);
    out->trade_id = w[6];
}

static inline void pxi_quote_fill(struct px_quote *out, const uint64_t w[PXL_TICK_WORDS])
{
    out->bid = pxi_decimal(w, 0);
    out->bid_size = pxi_decimal(w, 1);
    out->ask = pxi_decimal(w, 2);
    out->ask_size = pxi_decimal(w, 3);
}

static inline void pxi_ticker_fill(struct px_ticker *out, const uint64_t w[PXL_TICK_WORDS])
{
    out->last = pxi_decimal(w, 0);
    out->open = pxi_decimal(w, 1);
    out->high = pxi_decimal(w, 2);
    out->low = pxi_decimal(w, 3);
}

#endif
