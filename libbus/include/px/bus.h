/* px/bus.h: read a bus. See px_bus(3).
 *
 * A px_bus is one reader: attach once, then use it from one thread. The segment is mapped
 * read-only: nothing a reader does, or fails to do, touches the feeder or another reader. No call
 * logs, exits, or allocates after px_bus_attach(). Every call returns 0 (or a count) or a negative
 * errno, which px_strerror() puts in words; out-parameters are untouched on failure. Restarts of
 * the feeder need no code: each call compares the epoch and, after a change, finds its symbols
 * again by itself. */
#ifndef PX_BUS_H
#define PX_BUS_H

#include "px/info.h"
#include "px/types.h"

#ifdef __cplusplus
extern "C" {
#endif

typedef struct px_bus px_bus;

/* A reader's own handle of a symbol, valid for the life of its px_bus, over restarts too. */
typedef uint32_t px_id;
#define PX_ID_NONE UINT32_MAX

/* Most symbols that one reader can hold handles of, unless options say otherwise. */
#define PX_IDS_DEFAULT 4096u

struct px_bus_options {
    int64_t wait_ms;  /* wait this long for a bus that does not exist yet; 0 no, -1 for ever */
    int all;          /* deliver every tick of the bus, not only of subscribed symbols; one whose
                         symbol is not known any more comes as a STATUS PX_EVENT_EVICTED */
    int no_socket;    /* never speak to the feeder: no subscriptions, px_bus_wait() polls */
    uint32_t max_ids; /* handles to make room for; 0 is PX_IDS_DEFAULT, 65,536 with `all` */
    const char *name; /* shown by pxstat --readers; NULL is the program's name */
};

/* One event, in the order of the bus. */
struct px_tick {
    uint64_t seq;    /* number of the tick on this bus; 0 for one the reader made itself (LOST) */
    px_id id;        /* whose it is; PX_ID_NONE if of no symbol, or of one no longer known */
    uint16_t kind;   /* enum px_kind */
    uint16_t flags;  /* PX_SIDE_*, PX_FLAG_* */
    int64_t exch_ns; /* the venue's time, ns UTC, 0 if it sent none */
    int64_t recv_ns; /* when the feeder received it, ns UTC */
    union {
        struct px_trade trade;
        struct px_quote quote;
        struct px_ticker ticker;
        struct px_status status;
    } u;
};

/* The last value of each kind. seq 0: none has come. age_ns is since receipt, on CLOCK_MONOTONIC.
 */
struct px_last_value {
    uint64_t seq;
    uint64_t venue_id; /* the venue's own id of the update, 0 if it has none */
    int64_t exch_ns, recv_ns, age_ns;
    uint16_t flags; /* PX_FLAG_CARRIED when of an earlier epoch */
};
struct px_last {
    struct px_trade trade;
    struct px_quote quote;
    struct px_ticker ticker;
    struct px_last_value trade_info, quote_info, ticker_info;
    int64_t age_ns;   /* of the newest of the three; -1 if there is none */
    uint32_t quality; /* enum px_quality */
    uint32_t cause;   /* enum px_cause, why it is not LIVE */
};

/* What a lap cost. `skipped` sequences in all; per subscribed symbol and kind the exact count once
 * `final` is 1, a lower bound until then and for symbols that are not pinned. The totals are a
 * lower bound too once ticks came, or were skipped, of symbols that this reader never knew by name.
 */
struct px_lost {
    uint64_t skipped, laps;
    uint64_t ticks[PX_CELL_KINDS];
    int final;
};

struct px_bus_stats {
    uint64_t delivered, skipped, laps, retries, remaps, wakes;
    uint64_t position, head;
    uint32_t ids, subscriptions;
    int connected; /* 1 while the control socket is up */
};

/* Attach to bus `name` (NULL: $PX_BUS, else "md"). Streaming starts behind the present head.
 * Owner: *out is the caller's until px_bus_detach().   Threads: any; the object belongs to one.
 * Errors: -ENOENT no such bus; -EACCES no right to read it; -EPROTO not a segment of ours;
 * -EPROTONOSUPPORT another layout version; -EMSGSIZE shorter than it says; -EAGAIN still being
 * built; -EINVAL name or options; -ENOMEM; -ETIMEDOUT options->wait_ms ran out; -EINTR a signal
 * came while it waited. */
PX_API int px_bus_attach(px_bus **out, const char *name, const struct px_bus_options *options);

/* Release everything. NULL is allowed. The feeder forgets this reader and its subscriptions. */
PX_API void px_bus_detach(px_bus *bus);

/* Ask for `kinds` (PX_TRADES | ...) of `symbol` ("venue:NATIVE", or "venue:*"). Returns when its
 * slot is pinned, prices follow. Counted: a second call for a symbol adds kinds to the same handle.
 * Units: timeout_ms bounds the round trip to the feeder.
 * Errors: -ENOTCONN no socket; -ETIMEDOUT; -ENOSPC the table is full of subscribed symbols; -EDQUOT
 * a quota; -EINVAL the symbol; -ENODEV unknown venue; -EPERM; -ENOBUFS max_ids handles are in use,
 * or too few are left for what the venue has on the bus now. A tick of "venue:*" whose symbol has
 * no handle, or is gone already when the stream comes to it, is a STATUS PX_EVENT_EVICTED.
 * px_bus_message() has the feeder's sentence. */
PX_API int px_bus_subscribe(px_bus *bus, const char *symbol, uint32_t kinds, px_id *id,
                            int64_t timeout_ms);

/* Give back what px_bus_subscribe() asked for. The handle stays valid for px_bus_last().
 * Errors: -EINVAL not subscribed; -ENOTCONN (it is forgotten all the same). */
PX_API int px_bus_unsubscribe(px_bus *bus, px_id id);

/* A handle without a subscription, for px_bus_last(). Errors: -ENOENT not on the bus now;
 * -EAGAIN the directory is being rebuilt; -ENOBUFS max_ids handles are in use; -EINVAL. */
PX_API int px_bus_find(px_bus *bus, const char *symbol, px_id *id);

/* Walk the symbols that are on the bus: *cursor starts at 0. Returns 1 with a handle, 0 at the end.
 * Errors: -ENOBUFS max_ids handles are in use. */
PX_API int px_bus_symbols(px_bus *bus, uint32_t *cursor, px_id *id);

/* The text of a handle, NULL if there is none such. Owner: the bus; valid until px_bus_detach(). */
PX_API const char *px_bus_symbol(px_bus *bus, px_id id);

/* The last price of every kind, with its age, its quality and the cause. px_bus_last_at() takes the
 * present CLOCK_MONOTONIC time from the caller and makes no system call.
 * Errors: -ENOENT the symbol is not on the bus; -ESTALE its slot went to another symbol; -EAGAIN
 * the writer was busy at every try, keep the old price; -EINVAL no such handle. */
PX_API int px_bus_last(px_bus *bus, px_id id, struct px_last *out);
PX_API int px_bus_last_at(px_bus *bus, px_id id, int64_t now_mono_ns, struct px_last *out);

/* Up to `n` next ticks of subscribed symbols (all, with options.all) and their STATUS. Never
 * blocks. Errors: -EOVERFLOW once per lap: ticks were overwritten before they were read,
 * px_bus_lost() says how many; the next call goes on behind the hole. Ticks before a lap are
 * delivered first. */
PX_API int px_bus_poll(px_bus *bus, struct px_tick *ticks, int n);

/* px_bus_poll() with a function: called for each tick, in order. Returns the count delivered. The
 * callback may subscribe and unsubscribe, and must not detach. A lap is passed to it as a STATUS
 * tick PX_EVENT_LOST with the count of sequences skipped. */
typedef void px_bus_callback(px_bus *bus, const struct px_tick *tick, void *user);
PX_API int px_bus_dispatch(px_bus *bus, px_bus_callback *callback, void *user);

/* Sleep until there is something to poll, at most timeout_ns. Costs the feeder one load.
 * Errors: -ETIMEDOUT; -EINTR a signal. */
PX_API int px_bus_wait(px_bus *bus, int64_t timeout_ns);

/* A descriptor for an event loop of the caller's: it polls readable when there may be something to
 * px_bus_poll(). Each time it is, px_bus_poll() until that returns 0: only that makes it silent
 * again. It stays the same over restarts of the feeder and is readable now and then while there is
 * none, so that the reader gets on with finding the next. The first call makes it.
 * Owner: the bus; never read, changed or closed by the caller.
 * Errors: -ENOTCONN with options.no_socket (poll by time then); -EMFILE, -ENFILE, -ENOMEM. */
PX_API int px_bus_fd(px_bus *bus);

/* What laps cost so far; id PX_ID_NONE for the totals only. Errors: -EINVAL. */
PX_API int px_bus_lost(px_bus *bus, px_id id, struct px_lost *out);

/* Stream from `seq` on. 0 is the oldest tick in the ring. What the feeder overwrites before it is
 * read is a lap, as ever. Errors: -ERANGE no longer, or not yet, in the ring; the position is
 * unchanged. */
PX_API int px_bus_seek(px_bus *bus, uint64_t seq);

PX_API int px_bus_stats(px_bus *bus, struct px_bus_stats *out);

/* The sentence of the last refusal by the feeder, "" if none. Owner: the bus, until its next call.
 */
PX_API const char *px_bus_message(px_bus *bus);

/* The bus in operation, for tools. Indices run from 0 to the counts in px_bus_info.
 * Errors: -ENOENT the place is not in use; -EAGAIN it was being written at every try; -ERANGE. */
PX_API int px_bus_info(px_bus *bus, struct px_bus_info *out);
PX_API int px_bus_symbol_at(px_bus *bus, uint32_t slot, struct px_symbol_info *out);
PX_API int px_bus_conn_at(px_bus *bus, uint32_t i, struct px_conn_info *out,
                          uint64_t latency[PX_LATENCY_BUCKETS]);
PX_API int px_bus_reader_at(px_bus *bus, uint32_t i, struct px_reader_info *out);
PX_API int px_bus_error_at(px_bus *bus, uint32_t i, struct px_error_info *out);
PX_API int px_bus_counter_at(px_bus *bus, uint32_t i, struct px_counter_info *out);
/* Memory: the verdict, and samples back in time (i = 0 the newest) of one a second or one a minute.
 */
PX_API int px_bus_memory_verdict(px_bus *bus, struct px_memory_verdict *out);
PX_API int px_bus_memory_second(px_bus *bus, uint32_t i, struct px_memory_sample *out);
PX_API int px_bus_memory_minute(px_bus *bus, uint32_t i, struct px_memory_sample *out);

/* Plain notation with the venue's digits and trailing zeros, "" if absent. Returns the length, or
 * -ENOSPC when cap (with NUL) is too small: PX_DECIMAL_MAX always suffices; -EINVAL for an exponent
 * that no decimal has. */
#define PX_DECIMAL_MAX 40
PX_API int px_decimal_text(struct px_decimal d, char *out, size_t cap);

/* The nearest double; NAN if absent or not a decimal. */
PX_API double px_decimal_double(struct px_decimal d);

/* Names of the values above, for print; never NULL. */
PX_API const char *px_kind_name(uint32_t kind);
PX_API const char *px_event_name(uint32_t event);
PX_API const char *px_quality_name(uint32_t quality);
PX_API const char *px_cause_text(uint32_t cause);
PX_API const char *px_state_name(uint32_t state);
PX_API const char *px_conn_state_name(uint32_t state);
PX_API const char *px_breaker_name(uint32_t state);
PX_API const char *px_owner_name(uint32_t owner);

/* A sentence for what a call returned; never NULL. Threads: any. */
PX_API const char *px_strerror(int error);

#ifdef __cplusplus
}
#endif

#endif
