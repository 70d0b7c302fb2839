/* What the feeder knows of an exchange. A venue is one file with const structs of this type and a
 * line in venues.def for each; the core knows exchanges only through it.
 *
 * Ops are pure: bytes in, events or bytes out. No op may allocate, block, log, read a clock, or
 * touch a socket or shared memory. All run on the feeder's one thread. */
#ifndef PX_VENUE_H
#define PX_VENUE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "px/types.h"

/* Bytes that must be readable behind a frame given to on_text (simdjson reads past the end). */
#define VENUE_PADDING 64u

/* Kinds that can be asked for beside PX_TRADES, PX_QUOTES, PX_TICKERS: aggregated trades instead of
 * single ones (config: kinds = aggtrade). */
#define VENUE_AGGTRADES (1u << 8)

/* What a frame states. Texts point into the frame and are valid until on_text returns. */
enum venue_event_type {
    VENUE_TRADE = PX_TRADE,
    VENUE_QUOTE = PX_QUOTE,
    VENUE_TICKER = PX_TICKER,
    VENUE_ACK,         /* request id was accepted */
    VENUE_REFUSED,     /* request id (0: unknown) was refused, text has the venue's words */
    VENUE_PLANNED_END, /* the venue will close this connection soon */
    VENUE_HEARTBEAT,   /* proof of life without a price */
    VENUE_IGNORED,     /* a known frame that carries nothing for us (depth, kline, ...) */
    VENUE_BAD          /* refused by us: text says why; nothing of it may be published */
};

struct venue_event {
    uint32_t type;  /* enum venue_event_type */
    uint16_t flags; /* PX_SIDE_*, PX_FLAG_* */
    uint16_t symbol_len;
    const char *symbol; /* NATIVE as in the frame, not NUL-terminated */
    int64_t exch_ns;    /* 0 absent */
    uint64_t venue_id;  /* update id, for duplicates and gaps; 0 none */
    int64_t request;    /* of an ack or refusal */
    const char *text;   /* of a refusal or a bad frame: one sentence, or the venue's words */
    const char *error;  /* of a bad frame: its kind in a few words, static, under 32 bytes */
    uint32_t text_len;
    uint32_t trade_id_len;
    const char
        *trade_id; /* as the venue wrote it (pxdecode); u.trade.trade_id is what goes on the bus */
    bool consecutive; /* venue_id is the previous one of this symbol and kind + 1, else a gap */
    bool aggregated;  /* a trade whose venue_id counts aggregated trades, apart from single ones */
    bool derived;     /* a quote out of a ticker: a quote stream of the symbol has it sooner */
    union {
        struct px_trade trade;
        struct px_quote quote;
        struct px_ticker ticker;
    } u;
};

/* Where events go. Called once per event, in frame order; must not call back into the venue. */
struct venue_sink {
    void (*event)(void *user, const struct venue_event *event);
    void *user;
};

/* One wish: a symbol and kinds (PX_TRADES ... VENUE_AGGTRADES). "*" with PX_TICKERS is the
 * all-market stream. */
struct venue_wish {
    const char *native; /* NUL-terminated, as in "venue:NATIVE" */
    uint32_t kinds;
};

/* What one message is to ask for. */
struct venue_request {
    bool on;        /* subscribe, else unsubscribe */
    int64_t number; /* from 1 */
    const struct venue_wish *wishes;
    size_t count;
};

/* Parser state of one thread of frames: opaque, made by json.cc (feeder/json.h). */
struct json;

struct px_venue {
    const char *name;  /* "binance" */
    const char *title; /* "Binance spot" */
    const char *url;   /* the venue's own endpoint, "wss://host:port" */
    uint32_t kinds;    /* that it can bring */
    /* Limits as the venue publishes them; 0: none known. */
    uint32_t streams_per_conn;    /* a connection carries at most so many streams */
    uint32_t params_per_request;  /* streams in one subscribe message */
    uint32_t messages_per_s;      /* from the client, pongs and pings included */
    uint32_t attempts_per_window; /* connection attempts ... */
    uint32_t attempt_window_s;    /* ... in so many seconds per address */
    uint32_t life_s;              /* a connection is cut after this long */
    uint32_t silence_ms; /* nothing received for so long on a subscribed connection: dead */

    /* Is this text a symbol as the venue writes it? 0 or -EINVAL. Mandatory. */
    int (*check_symbol)(const char *native, size_t len);

    /* How many streams a wish is. Mandatory. */
    uint32_t (*streams)(const struct venue_wish *wish);

    /* Path and query to append to an endpoint without a path. Returns the length, or -ENOSPC.
     * Mandatory. */
    int (*path)(char *out, size_t cap);

    /* Write one message for as many wishes as fit its limits and `cap`; *taken says how many.
     * Returns the length; 0 if those taken are no stream here; -ENOSPC if not even the first fits.
     * Mandatory. */
    int (*subscribe)(const struct venue_request *request, char *out, size_t cap, size_t *taken);

    /* Turn one text message into events. `frame` has VENUE_PADDING readable bytes behind len;
     * `json` has room for len. Returns the number of events given to the sink, at least one; an
     * element of an array that is refused by itself is one VENUE_BAD among them. Errors: -EBADMSG
     * the message was refused, one VENUE_BAD and nothing else was given. Mandatory. */
    int (*on_text)(struct json *json, const char *frame, size_t len, const struct venue_sink *sink);

    /* Client keepalive: write the venue's own ping message, or NULL if WebSocket pings suffice. */
    int (*keepalive)(char *out, size_t cap);
    uint32_t keepalive_ms; /* interval of it; 0 none */
};

/* The table made of venues.def. */
#define PX_VENUE(name) extern const struct px_venue px_venue_##name;
#include "venues/venues.def"
#undef PX_VENUE

extern const struct px_venue *const venue_table[];
extern const size_t venue_count;

/* By name (not NUL-terminated); NULL unknown. */
const struct px_venue *venue_find(const char *name, size_t len);

/* Split "venue:NATIVE": checks the venue's name and the native symbol, total at most PX_SYMBOL_MAX
 * ("venue:*" is allowed). Errors: -EINVAL no symbol; -ENODEV unknown venue. */
int venue_split(const char *symbol, size_t len, const struct px_venue **venue, const char **native);

#endif
