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
#include <string.h>

#include "px/types.h"

/* Bytes that must be readable behind a frame given to on_text (simdjson reads past the end). */
#define VENUE_PADDING 64u

/* Kinds that can be asked for beside PX_TRADES, PX_QUOTES, PX_TICKERS: aggregated trades instead of
 * single ones (config: kinds = aggtrade), and quotes out of the venue's deeper book stream instead
 * of its stream of best prices (kinds = depth). */
#define VENUE_AGGTRADES (1u << 8)
#define VENUE_DEPTH     (1u << 9)

/* What a frame states. Texts point into the frame and are valid until on_text returns. */
enum venue_event_type {
    VENUE_TRADE = PX_TRADE,
    VENUE_QUOTE = PX_QUOTE,
    VENUE_TICKER = PX_TICKER,
    VENUE_BOOK,        /* levels of one symbol's book; fold.h makes quotes of them */
    VENUE_RESYNC,      /* made by fold.h: what these `kinds` of the symbol built is lost, text
                          says why */
    VENUE_SEQUENCE,    /* venue_id numbers this message among all of its connection, from 0 */
    VENUE_ACK,         /* accepted: request id (0: the oldest that waits), or the stream `kinds` of
                          `symbol` alone; `off`: it was an unsubscribe */
    VENUE_REFUSED,     /* refused, in the same way; kinds 0 with a symbol: whatever of it waits;
                          text has the venue's words */
    VENUE_PLANNED_END, /* the venue will close this connection soon */
    VENUE_HEARTBEAT,   /* proof of life without a price; with a symbol, venue_id is the id of its
                          last trade as the venue has it */
    VENUE_REPLY,       /* the venue asks for `text` to be sent back, now */
    VENUE_IGNORED,     /* a known frame that carries nothing for us (depth, kline, ...) */
    VENUE_BAD          /* refused by us: text says why; nothing of it may be published; with the
                          symbol, if it is known */
};

/* One level of a book. Size 0: it is gone. */
struct venue_level {
    struct px_decimal price, size;
    bool ask; /* else bid */
};

/* Levels in the order of the frame. A book of more than LEVELS_MAX (venues/levels.h) comes in
 * several events in a row: `first` and `last` say where a message begins and ends. `depth`: levels
 * of each side that the venue keeps for this stream, those pushed out of it are not deleted by
 * message; 0: it sends the whole book. That of the snapshot counts. */
struct venue_book {
    const struct venue_level *levels;
    uint32_t count, depth;
    bool snapshot; /* replaces the book, else changes it */
    bool first, last;
    bool has_seq;  /* seq is the book's number after this message */
    bool has_prev; /* prev must be the book's number before it */
    bool has_checksum;
    uint32_t checksum; /* as the venue's book_checksum() computes it */
    uint64_t seq, prev;
};

/* Decimals of a quote or ticker that a frame leaves as they were. */
enum venue_unchanged {
    VENUE_UNCHANGED_0 = 1, /* bid; last */
    VENUE_UNCHANGED_1 = 2, /* bid size; open */
    VENUE_UNCHANGED_2 = 4, /* ask; high */
    VENUE_UNCHANGED_3 = 8  /* ask size; low */
};

struct venue_event {
    uint32_t type;  /* enum venue_event_type */
    uint16_t flags; /* PX_SIDE_*, PX_FLAG_* */
    uint16_t symbol_len;
    const char *symbol; /* NATIVE as in the frame, not NUL-terminated */
    int64_t exch_ns;    /* 0 absent */
    uint64_t venue_id;  /* update id, for duplicates and gaps; 0 none */
    uint64_t missing;   /* of a sequence: messages before this one; fold.h fills it in */
    int64_t request;    /* of an ack or refusal */
    uint16_t kinds;     /* of an ack or refusal that names a symbol, or to be asked for anew */
    uint8_t unchanged;  /* of a quote or ticker: enum venue_unchanged; fold.h fills them in */
    bool off;           /* of an ack: nothing more comes */
    const char *text;   /* of a refusal or a bad frame: one sentence, or the venue's words */
    const char *error;  /* of a bad frame: its kind in a few words, static, under 32 bytes */
    uint32_t text_len;
    uint32_t trade_id_len;
    const char
        *trade_id; /* as the venue wrote it (pxdecode); u.trade.trade_id is what goes on the bus */
    bool consecutive; /* venue_id is the previous one of this symbol and kind + 1, else a gap */
    bool aggregated;  /* a trade whose venue_id counts aggregated trades, apart from single ones */
    bool derived;     /* a quote out of a ticker: a quote stream of the symbol has it sooner */
    bool anew; /* a quote out of a snapshot: its venue_id may be of a count that began anew */
    union {
        struct px_trade trade;
        struct px_quote quote;
        struct px_ticker ticker;
        struct venue_book book;
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

/* Does a wish ask for a stream of this kind? Quotes come out of the book or of a stream of their
 * own, not of both. The whole market is no stream of a symbol. */
static inline bool venue_asks(const struct venue_wish *wish, uint32_t kind)
{
    uint32_t kinds = wish->kinds;
    if ((kinds & VENUE_DEPTH) != 0)
        kinds &= ~(uint32_t)PX_QUOTES;
    return (kinds & kind) != 0 && strcmp(wish->native, "*") != 0;
}

/* What one message is to ask for. */
struct venue_request {
    bool on;        /* subscribe, else unsubscribe */
    int64_t number; /* from 1 */
    const struct venue_wish *wishes;
    size_t count;
};

/* How a venue answers a subscribe message. */
enum venue_answers {
    VENUE_ANSWERS_REQUEST = 0, /* one ack or refusal for each message */
    VENUE_ANSWERS_STREAM,      /* one for each stream of it */
    VENUE_ANSWERS_NEVER /* data is the answer: a message counts as accepted when it is sent */
};

/* Connections of a venue that serve different streams under different paths. */
#define VENUE_ROUTES_MAX 2u

/* Endpoints that a venue has beside its first. */
#define VENUE_URLS_MAX 3u

struct book; /* feeder/book.h */

/* Parser state of one thread of frames: opaque, made by json.cc (feeder/json.h). */
struct json;

/* A hole in the consecutive ids of one symbol's trades, as far as it is still open. */
struct venue_hole {
    const char *native;   /* NUL-terminated */
    uint64_t first, last; /* venue_id of the first and last trade that is missing */
    int64_t after_ns;     /* exchange time: no trade of the hole is older */
    bool aggregated;      /* they are aggregated trades */
};

/* A venue's history of trades as anybody may ask for it over HTTP. Ops under the same rules. */
struct venue_history {
    const char *url;           /* "https://host" */
    uint32_t requests_per_min; /* per address, well below what the venue allows to all requests */

    /* Path and query of the request for the first trades of the hole, as many as an answer takes.
     * Returns the length, or -ENOSPC. */
    int (*path)(const struct venue_hole *hole, char *out, size_t cap);

    /* Turn an answer into trades of the hole's symbol, in the venue's order; those beside the hole
     * too. `body`, results and errors as those of on_text(). */
    int (*on_answer)(struct json *json, const char *body, size_t len, const struct venue_hole *hole,
                     const struct venue_sink *sink);
};

struct px_venue {
    const char *name;                 /* "binance" */
    const char *title;                /* "Binance spot" */
    const char *url;                  /* the venue's own endpoint, "wss://host:port" */
    const char *urls[VENUE_URLS_MAX]; /* others that bring the same, in this order; up to a NULL */
    uint32_t kinds;                   /* that it can bring */
    /* Limits as the venue publishes them; 0: none known. */
    uint32_t streams_per_conn;    /* a connection carries at most so many streams */
    uint32_t params_per_request;  /* streams in one subscribe message */
    uint32_t messages_per_s;      /* from the client, pongs and pings included */
    uint32_t attempts_per_window; /* connection attempts ... */
    uint32_t attempt_window_s;    /* ... in so many seconds per address */
    uint32_t life_s;              /* a connection is cut after this long */
    uint32_t messages_per_hour;   /* subscribe messages and the like, per connection */
    uint32_t silence_ms; /* nothing received for so long on a subscribed connection: dead */

    uint32_t answers;  /* enum venue_answers */
    bool one_kind;     /* a subscribe message is for one kind: wishes are offered so */
    bool hello_answer; /* what hello sent is answered by an ack without a number, not to be
                          mistaken for that of a subscription */
    bool binary;       /* its texts come in binary messages */
    bool partial;      /* its quotes or tickers may have `unchanged` decimals: fold.h keeps those of
                          every symbol, from the first complete one on */

    /* Routes: 0 and 1 mean that every kind comes over one connection. Else route_kinds[r] are those
     * of paths[r]. */
    uint32_t routes;
    uint32_t route_kinds[VENUE_ROUTES_MAX];

    /* Is this text a symbol as the venue writes it? 0 or -EINVAL. Mandatory. */
    int (*check_symbol)(const char *native, size_t len);

    /* How many streams a wish is. Mandatory. */
    uint32_t (*streams)(const struct venue_wish *wish);

    /* Path and query of each route, appended to an endpoint without a path. Mandatory. */
    const char *paths[VENUE_ROUTES_MAX];

    /* A message that goes out before the first subscription of a connection. NULL: none. */
    const char *hello;

    /* Write one message for as many wishes as fit its limits and `cap`; *taken says how many.
     * Returns the length; 0 if those taken are no stream here; -ENOSPC if not even the first fits.
     * Mandatory. */
    int (*subscribe)(const struct venue_request *request, char *out, size_t cap, size_t *taken);

    /* Turn one text message into events. `frame` has VENUE_PADDING readable bytes behind len;
     * `json` has room for len. Returns the number of events given to the sink, at least one; an
     * element of an array that is refused by itself is one VENUE_BAD among them. Errors: -EBADMSG
     * the message was refused, one VENUE_BAD and nothing else was given. Mandatory. */
    int (*on_text)(struct json *json, const char *frame, size_t len, const struct venue_sink *sink);

    /* What a book of this venue must give for its frames' checksums. NULL: they have none. */
    uint32_t (*book_checksum)(const struct book *book);

    /* The venue's own ping message; NULL: WebSocket pings suffice. */
    const char *keepalive;
    uint32_t keepalive_ms; /* interval of it; 0 none */

    /* Where trades that were missed can be had. NULL: nowhere, or not by the ids of its streams. */
    const struct venue_history *history;
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
