/* The feeder's own counters: one line each, the printed name is the identifier (`frames_in` is
 * printed by pxstat, PX_C_frames_in is what is incremented). Each has exactly one module that
 * writes it, named in the table's sections; tests/lint fails when one is never written or by two.
 */
#ifndef PX_FEEDER_COUNTERS_H
#define PX_FEEDER_COUNTERS_H

#include "px/writer.h"

/* The sections name the module that writes. */
#define PX_FEEDER_COUNTERS(X)                                                                      \
    /* link.c */                                                                                   \
    X(bytes_in, "bytes", PX_COUNTER, "bytes received from venues, before decoding")                \
    X(frames_in, "frames", PX_COUNTER, "WebSocket messages received from venues")                  \
    X(connects, "times", PX_COUNTER, "connections that became live")                               \
    X(connect_failures, "times", PX_COUNTER, "attempts that ended before live")                    \
    X(reconnects, "times", PX_COUNTER, "connections that were live before and became so again")    \
    X(planned_ends, "times", PX_COUNTER, "ends of connections that the venue announced")           \
    X(pongs_sent, "frames", PX_COUNTER, "pongs sent in answer to the venue")                       \
    X(large_waits, "times", PX_COUNTER, "connections left unread for the one large buffer")        \
    /* fleet.c */                                                                                  \
    X(links, "links", PX_LEVEL, "upstream connections in existence")                               \
    X(timers, "timers", PX_LEVEL, "timers that are armed")                                         \
    /* guests.c */                                                                                 \
    X(relayed, "messages", PX_COUNTER, "messages that a rear-guard read over a restart")           \
    /* publish.c */                                                                                \
    X(frames_bad, "frames", PX_COUNTER, "messages refused: not what the venue documents")          \
    X(frames_ignored, "frames", PX_COUNTER, "known messages that carry nothing for the bus")       \
    X(decimals_refused, "frames", PX_COUNTER, "messages refused for a number that does not fit")   \
    X(symbols_refused, "events", PX_COUNTER, "events of a symbol that has no slot and gets none")  \
    X(duplicates, "events", PX_COUNTER, "events seen before under the same id, dropped")           \
    X(ahead, "trades", PX_COUNTER,                                                                 \
      "trades of a connection that is ahead of the one that is to bring them")                     \
    X(superseded, "events", PX_COUNTER,                                                            \
      "events of a slower stream for a field a faster one feeds")                                  \
    /* publish_quality.c */                                                                        \
    X(gaps, "gaps", PX_COUNTER, "holes in the venue's consecutive ids")                            \
    X(ids_missing, "ids", PX_COUNTER, "ids missing in those holes")                                \
    X(books_lost, "times", PX_COUNTER,                                                             \
      "local books, and values that changes build on, lost and asked for again")                   \
    X(messages_missing, "messages", PX_COUNTER, "messages missing in a connection's own numbers")  \
    /* wants.c */                                                                                  \
    X(subscribes_sent, "messages", PX_COUNTER, "subscribe messages sent to venues")                \
    X(unsubscribes_sent, "messages", PX_COUNTER, "unsubscribe messages sent to venues")            \
    X(acks, "messages", PX_COUNTER, "subscribe messages that venues accepted")                     \
    X(unanswered, "messages", PX_COUNTER, "subscribe messages that a venue left unanswered")       \
    X(refusals, "symbols", PX_COUNTER, "symbols that a venue refused")                             \
    X(wanted, "symbols", PX_LEVEL, "symbols asked for upstream")                                   \
    X(wanted_refused, "times", PX_COUNTER, "wishes refused because a table is full")               \
    /* control.c */                                                                                \
    X(readers, "readers", PX_LEVEL, "readers attached through the control socket")                 \
    X(readers_attached, "readers", PX_COUNTER, "readers that attached")                            \
    X(readers_refused, "readers", PX_COUNTER, "connections refused: full, quota, version, rights") \
    X(readers_dropped, "readers", PX_COUNTER, "readers disconnected by the feeder")                \
    X(control_messages, "messages", PX_COUNTER, "messages received on the control socket")         \
    X(control_bad_messages, "messages", PX_COUNTER, "malformed messages on the control socket")    \
    X(quota_refusals, "times", PX_COUNTER, "requests refused by a quota per user")                 \
    /* state.c */                                                                                  \
    X(state_saves, "times", PX_COUNTER, "times that the wanted set was written to disk")           \
    X(state_failures, "times", PX_COUNTER, "times that the wanted set could not be written")       \
    /* gate.c */                                                                                   \
    X(breaker_opens, "times", PX_COUNTER, "times that the breaker of an endpoint opened")          \
    X(budget_waits, "times", PX_COUNTER, "attempts put off because a venue's budget was used up")  \
    /* backfill.c */                                                                               \
    X(backfill_requests, "requests", PX_COUNTER, "requests for trades that were missed")           \
    X(backfill_failures, "requests", PX_COUNTER, "such requests that brought no usable answer")    \
    X(backfill_trades, "trades", PX_COUNTER, "missed trades published afterwards")                 \
    X(backfill_open, "holes", PX_LEVEL, "holes in trades that are being filled, or wait for it")   \
    X(backfill_whole, "holes", PX_COUNTER, "holes that were filled whole")                         \
    X(backfill_unfilled, "holes", PX_COUNTER, "holes that were not filled, or not whole")          \
    /* memwatch.c */                                                                               \
    X(memory_soft_trims, "times", PX_COUNTER,                                                      \
      "times that the soft limit made the feeder clean up")                                        \
    X(memory_recovered, "bytes", PX_COUNTER, "resident memory that clean-ups gave back")           \
    X(memory_hard_hits, "seconds", PX_COUNTER, "seconds spent above the hard limit")               \
    X(heap_bytes, "bytes", PX_LEVEL, "bytes in use on the heap")                                   \
    X(rss_bytes, "bytes", PX_LEVEL, "resident memory of the feeder, segment included")             \
    X(tls_calls, "calls", PX_COUNTER, "of OpenSSL to its allocator, which is a pool")              \
    X(websocket_calls, "calls", PX_COUNTER, "of libwebsockets to its allocator")                   \
    X(json_calls, "calls", PX_COUNTER, "of the JSON parser to its allocator")                      \
    /* pages.c */                                                                                  \
    X(mlock_state, "state", PX_LEVEL, "lock memory: 0 off, 1 all, 2 the segment alone, 3 refused") \
    X(locked_bytes, "bytes", PX_LEVEL, "address space whose pages stay in memory once touched")    \
    X(huge_state, "state", PX_LEVEL, "huge pages: 0 off, 1 all, 2 in part, 3 refused")             \
    X(huge_heap_bytes, "bytes", PX_LEVEL, "of the feeder's own memory in huge pages")              \
    X(huge_shm_bytes, "bytes", PX_LEVEL, "of the segment mapped by the feeder in huge pages")      \
    X(faults_minor, "faults", PX_LEVEL,                                                            \
      "of the process, without the disk: first touches of pages")                                  \
    X(faults_major, "faults", PX_LEVEL, "of the process, pages that the disk had to bring")        \
    /* upkeep.c */                                                                                 \
    X(slots_reclaimed, "symbols", PX_COUNTER, "stale symbols that clean-ups took off the bus")     \
    X(recycles, "times", PX_COUNTER, "restarts of the feeder's own accord")                        \
    /* feeder.c */                                                                                 \
    X(config_reloads, "times", PX_COUNTER, "configurations applied after start")                   \
    X(config_refused, "times", PX_COUNTER, "configurations refused after start")

/* Indices for px_writer_count(), px_writer_level() and px_writer_value(). */
enum px_feeder_counter {
    PX_C_BEFORE_FIRST = PX_B_COUNT - 1,
#define X(name, unit, type, text) PX_C_##name,
    PX_FEEDER_COUNTERS(X)
#undef X
        PX_C_END
};
#define PX_C_COUNT ((uint32_t)PX_C_END - (uint32_t)PX_B_COUNT)

/* For px_writer_options: PX_C_COUNT of them. */
extern const struct px_counter_def px_feeder_counters[];

#endif
