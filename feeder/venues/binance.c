/* Binance: spot and its sisters in other countries, futures margined in dollars (USD-M) and in
 * coins (COIN-M). One dialect, five hosts. After the venue's web-socket-streams.md and, for
 * futures, its pages on websocket market streams. The frames are read in binance_read.c, the usual
 * ones before that in binance_fast.c; what is asked for is written in binance_subscribe.c. */
#include "venue.h"

#include "binance_fast.h"
#include "binance_history.h"
#include "binance_read.h"
#include "binance_subscribe.h"

static int on_text(struct json *json, const char *frame, size_t len, const struct venue_sink *sink,
                   const struct binance_dialect *dialect)
{
    struct venue_event event;
    if (binance_fast(frame, len, dialect->native_max, &event)) {
        if (event.type == VENUE_TRADE)
            binance_number_trade(dialect, event.aggregated, &event);
        sink->event(sink->user, &event);
        return 1;
    }
    return binance_read(json, frame, len, sink, dialect);
}

#define BINANCE_TEXT(venue, is_futures)                                                       \
    static int venue##_on_text(struct json *json, const char *frame, size_t len,              \
                               const struct venue_sink *sink)                                 \
    {                                                                                         \
        static const struct binance_dialect dialect = {.name = #venue,                        \
                                                       .native_max = PX_SYMBOL_MAX -          \
                                                                     (sizeof #venue ":" - 1), \
                                                       .futures = is_futures};                \
        return on_text(json, frame, len, sink, &dialect);                                     \
    }

BINANCE_TEXT(binance, false)
BINANCE_TEXT(binance_us, false)
BINANCE_TEXT(binance_tr, false)
BINANCE_TEXT(binance_usdm, true)
BINANCE_TEXT(binance_coinm, true)

#define SPOT_LIMITS                                                                            \
    .kinds = PX_ALL_KINDS | VENUE_AGGTRADES, .streams_per_conn = 1024,                         \
    .params_per_request = BINANCE_PARAMS_MAX, .messages_per_s = 5, .attempts_per_window = 300, \
    .attempt_window_s = 300, .life_s = 24 * 3600, .check_symbol = binance_check_symbol,        \
    .streams = binance_streams, .subscribe = binance_subscribe

/* Of the streams of one connection the documents of futures have said 200 and say 1024 now; 200 is
 * right under both. They name no limit of connection attempts: that of spot is kept. */
#define FUTURES_LIMITS                                                                             \
    .kinds = PX_ALL_KINDS, .streams_per_conn = 200, .params_per_request = BINANCE_PARAMS_MAX,      \
    .messages_per_s = 10, .attempts_per_window = 300, .attempt_window_s = 300,                     \
    .life_s = 24 * 3600, .check_symbol = binance_check_symbol, .streams = binance_futures_streams, \
    .subscribe = binance_futures_subscribe

/* The venue pings every 20 s. Futures, and spot of earlier years, ping every 3 min; whether the
 * sisters have followed to 20 s is not documented. */
#define SILENCE_MS      60000
#define LONG_SILENCE_MS 240000

const struct px_venue px_venue_binance = {
    .name = "binance",
    .title = "Binance spot",
    .url = "wss://stream.binance.com:9443",
    .urls = {"wss://stream.binance.com:443", "wss://data-stream.binance.vision"},
    SPOT_LIMITS,
    .silence_ms = SILENCE_MS,
    .paths = {"/stream?timeUnit=MICROSECOND"},
    .on_text = binance_on_text,
    .history = &binance_history,
};

const struct px_venue px_venue_binance_us = {
    .name = "binance_us",
    .title = "Binance.US spot",
    .url = "wss://stream.binance.us:9443",
    SPOT_LIMITS,
    .silence_ms = LONG_SILENCE_MS,
    .paths = {"/stream"},
    .on_text = binance_us_on_text,
    .history = &binance_us_history,
};

const struct px_venue px_venue_binance_tr = {
    .name = "binance_tr",
    .title = "Binance TR spot",
    .url = "wss://stream-cloud.binance.tr",
    SPOT_LIMITS,
    .silence_ms = LONG_SILENCE_MS,
    .paths = {"/stream"},
    .on_text = binance_tr_on_text,
};

/* Since April 2026 the venue serves these streams by class under two paths, and nothing but book
 * data without one. A book can be had only together with a snapshot by REST: best prices are what
 * is asked of the first. */
const struct px_venue px_venue_binance_usdm = {
    .name = "binance_usdm",
    .title = "Binance USD-M futures",
    .url = "wss://fstream.binance.com",
    FUTURES_LIMITS,
    .silence_ms = LONG_SILENCE_MS,
    .routes = 2,
    .route_kinds = {PX_QUOTES, PX_TRADES | PX_TICKERS},
    .paths = {"/public/stream", "/market/stream"},
    .on_text = binance_usdm_on_text,
    .history = &binance_usdm_history,
};

const struct px_venue px_venue_binance_coinm = {
    .name = "binance_coinm",
    .title = "Binance COIN-M futures",
    .url = "wss://dstream.binance.com",
    FUTURES_LIMITS,
    .silence_ms = LONG_SILENCE_MS,
    .paths = {"/stream"},
    .on_text = binance_coinm_on_text,
    .history = &binance_coinm_history,
};
