/* px/types.h: the words of the bus, shared by readers (bus.h) and writers (writer.h). Plain values
 * only: valid C11, C17 and C++17, no functions, no state. */
#ifndef PX_TYPES_H
#define PX_TYPES_H

#include <stddef.h>
#include <stdint.h>

#if defined(__GNUC__)
#define PX_API __attribute__((visibility("default")))
#else
#define PX_API
#endif

#define PX_SYMBOL_MAX   47 /* bytes of "venue:NATIVE", without the NUL */
#define PX_BUS_NAME_MAX 32
#define PX_TEXT_MAX     119 /* bytes of a cause in the venue's words, without the NUL */

/* A number exactly as the venue wrote it: mantissa * 10^exponent, digits and trailing zeros kept
 * ("0.0010" is 10e-4). exponent is 0 to -30; PX_ABSENT marks a value that the venue did not send.
 */
#define PX_EXPONENT_MIN (-30)
#define PX_ABSENT       (-31)
struct px_decimal {
    int64_t mantissa;
    int32_t exponent;
};

/* What a tick is. Trade, quote and ticker have a cell in each slot, under this number. */
enum px_kind { PX_TRADE = 0, PX_QUOTE = 1, PX_TICKER = 2, PX_STATUS = 3 };
#define PX_CELL_KINDS 3

/* Sets of kinds, as subscriptions name them. */
#define PX_TRADES    (1u << PX_TRADE)
#define PX_QUOTES    (1u << PX_QUOTE)
#define PX_TICKERS   (1u << PX_TICKER)
#define PX_ALL_KINDS (PX_TRADES | PX_QUOTES | PX_TICKERS)

/* Flags of a tick, nine bits. The lowest two are the aggressor's side of a trade. */
#define PX_SIDE_MASK      0x003u
#define PX_SIDE_NONE      0x000u
#define PX_SIDE_BUY       0x001u
#define PX_SIDE_SELL      0x002u
#define PX_FLAG_REPLAY    0x004u /* the venue's snapshot of earlier trades */
#define PX_FLAG_GAP       0x008u /* ticks of this symbol are missing just before this one */
#define PX_FLAG_CARRIED   0x010u /* from an earlier epoch */
#define PX_FLAG_DUPLICATE 0x020u /* seen before under the same venue id */
#define PX_FLAG_HASHED    0x040u /* trade_id is a hash of an id that is not a 64-bit number */
#define PX_FLAG_BACKFILL  0x080u /* fetched after a gap, not streamed */
#define PX_FLAGS_MASK     0x1ffu

struct px_trade {
    struct px_decimal price, size;
    uint64_t trade_id;
};
struct px_quote {
    struct px_decimal bid, bid_size, ask, ask_size;
};
struct px_ticker { /* of the venue's 24 h window */
    struct px_decimal last, open, high, low;
};

/* Events of a STATUS tick. */
enum px_event {
    PX_EVENT_NONE = 0,
    PX_EVENT_BIND,    /* the slot has a new owner, from this sequence on */
    PX_EVENT_EVICTED, /* the symbol lost its slot, or a tick whose owner is no longer known */
    PX_EVENT_GAP,     /* first_id to last_id (count of them) were not received */
    PX_EVENT_STALE,
    PX_EVENT_LIVE,
    PX_EVENT_CARRIED, /* a new epoch: prices are of the earlier one until refreshed */
    PX_EVENT_VOID,    /* a sequence that a killed writer left open */
    PX_EVENT_CLOSED,  /* refused by the venue, or the feeder ended */
    PX_EVENT_LOST,    /* made by the reader itself: it was overrun, count sequences skipped */
    PX_EVENT_QUIET,
    PX_EVENT_FILLED, /* a gap was filled afterwards: the count of ids from first_id to last_id; with
                        PX_CAUSE_IDS_MISSING not all of it: these are still missing */
    PX_EVENT_COUNT
};

/* How far a price can be trusted, best first. */
enum px_quality {
    PX_LIVE = 0,
    PX_QUIET,   /* connection live, symbol silent longer than usual */
    PX_CARRIED, /* from an earlier epoch, not yet refreshed */
    PX_GAP,     /* ticks are missing */
    PX_STALE,
    PX_CLOSED,
    PX_QUALITY_COUNT
};

enum px_cause {
    PX_CAUSE_NONE = 0,
    PX_CAUSE_FEEDER_SILENT,   /* heartbeat over a second old: stopped, hung or dead; judged by the
                                 reader */
    PX_CAUSE_FEEDER_CLOSED,   /* the feeder ended in order */
    PX_CAUSE_CONNECTING,      /* no connection yet */
    PX_CAUSE_CONNECTION_LOST, /* it was there and went */
    PX_CAUSE_CONNECTION_MUTE, /* it is there and brings nothing */
    PX_CAUSE_SYMBOL_SILENT,   /* longer than this symbol's own rhythm */
    PX_CAUSE_NO_DATA_YET,     /* subscribed, accepted, and nothing has come */
    PX_CAUSE_REFUSED,         /* by the venue; its words are the text of the symbol */
    PX_CAUSE_IDS_MISSING,     /* the venue's consecutive ids have a hole */
    PX_CAUSE_EARLIER_EPOCH,
    PX_CAUSE_WRITER_DIED,
    PX_CAUSE_NOT_SUBSCRIBED, /* nobody asks for it any more: the last known price, not refreshed */
    PX_CAUSE_CAPACITY,       /* its slot went to another symbol */
    PX_CAUSE_RETIRED,        /* the segment was replaced by one of another shape */
    PX_CAUSE_OVERRUN,
    PX_CAUSE_PLANNED_END,
    PX_CAUSE_BOOK_LOST, /* the local order book or values that changes build on: asked for anew */
    PX_CAUSE_MESSAGES_MISSING, /* messages of the connection, by the venue's own count */
    PX_CAUSE_COUNT
};

struct px_status {
    uint32_t event; /* enum px_event */
    uint32_t cause; /* enum px_cause */
    uint64_t first_id, last_id, count;
};

#endif
