/* The frames of the socket benchmarks, of our own making after the venue's documents: a combined
 * Binance trade of one length, every field at a fixed place. In today's form it has 176 bytes; in
 * the form of old recordings, with the order ids b and a that Binance no longer sends, 207. The
 * trade id counts up. The size carries the sender's CLOCK_MONOTONIC time where that is measured: a
 * decimal of 16 digits travels unchanged through every decoder, and through ours to the reader. */
#ifndef BENCH_TRADE_FRAME_H
#define BENCH_TRADE_FRAME_H

#include <stdint.h>
#include <stdio.h>
#include <string.h>

#define TRADE_NEW_TEXT 176
#define TRADE_OLD_TEXT 207
#define TRADE_WIRE_MAX (4 + TRADE_OLD_TEXT) /* with the header of an unmasked frame */

#define TRADE_ID_AT   (4 + 82)
#define TRADE_SIZE_AT (4 + 119)

/* Added to a time so that it has 16 digits whatever the uptime (good for 100 days). */
#define TRADE_STAMP_BASE INT64_C(1000000000000000)

static inline void trade_digits(char *at, uint64_t value, int digits)
{
    for (int i = digits - 1; i >= 0; i--, value /= 10)
        at[i] = (char)('0' + value % 10);
}

static inline void trade_set_id(char *frame, uint64_t id)
{
    trade_digits(frame + TRADE_ID_AT, id, 10);
}

/* Returns the digits as a number: what decoders make of the size. */
static inline uint64_t trade_set_stamp(char *frame, int64_t mono_ns)
{
    const uint64_t value = (uint64_t)(mono_ns + TRADE_STAMP_BASE);
    trade_digits(frame + TRADE_SIZE_AT, value / 100000000, 8);
    trade_digits(frame + TRADE_SIZE_AT + 9, value % 100000000, 8);
    return value;
}

/* Build frame number i at `frame` (TRADE_WIRE_MAX bytes). Returns its length with header, or 0 if
 * the text is not of its length, which would be a mistake in this file. */
static inline size_t trade_build(char *frame, unsigned i, int old)
{
    char text[TRADE_OLD_TEXT + 64];
    const int sell = i % 3 == 0;
    const int n =
        snprintf(text, sizeof text,
                 "{\"stream\":\"btcusdt@trade\",\"data\":{\"e\":\"trade\",\"E\":1723161255343,"
                 "\"s\":\"BTCUSDT\","
                 "\"t\":%010u,\"p\":\"%05u.%02u000000\",\"q\":\"%08u.%08u\",%s\"T\":1723161255342,"
                 "\"m\":%s,\"M\":%s}}",
                 1000000000u + i, 61000u + i % 1000, i % 100, 10000000u + i % 7, 2000000u + i,
                 old ? "\"b\":3735683250,\"a\":37356832511," : "", sell ? "true" : "false",
                 sell ? "false" : "true");
    if (n != (old ? TRADE_OLD_TEXT : TRADE_NEW_TEXT))
        return 0;
    frame[0] = (char)0x81;
    frame[1] = 126;
    frame[2] = 0;
    frame[3] = (char)n;
    memcpy(frame + 4, text, (size_t)n);
    return (size_t)n + 4;
}

#endif
