/* px/writer.h: feed a bus. One px_writer per bus and per process thread: the exclusive lock beside
 * the segment makes it the only one on the machine. Everything is allocated by px_writer_open();
 * no other call allocates, blocks, logs or makes a system call unless it says so.
 *
 *   px_writer_open -> px_writer_bind (a symbol gets a slot) -> px_writer_publish ...
 * px_writer_flush (once per batch) -> px_writer_heartbeat (ten times a second) -> px_writer_close
 *
 * A writer may be killed at any instruction: the next one adopts the segment and completes or voids
 * what was left open. See docs/architecture.md. */
#ifndef PX_WRITER_H
#define PX_WRITER_H

#include "px/info.h"
#include "px/types.h"

#ifdef __cplusplus
extern "C" {
#endif

typedef struct px_writer px_writer;

struct px_counter_def {
    const char *name, *unit;
    uint32_t type; /* enum px_counter_type */
    const char *description;
};

struct px_writer_options {
    const char *bus;                       /* NULL: "md" */
    uint32_t capacity;                     /* slots, 0: 1,000 */
    uint32_t ring;                         /* ticks, a power of two, 0: 65,536 */
    int64_t group;                         /* gid that may read, -1 none but the owner's own */
    const char *version;                   /* of the program, shown by pxstat */
    const char *control_path;              /* where readers find the control socket, NULL none */
    int lock_fd;                           /* an open, locked lock file kept over exec, else -1 */
    const struct px_counter_def *counters; /* of the program, behind the bus's own */
    uint32_t counter_count;
    int huge_pages; /* 1: in huge pages, as far as the kernel gives them */
};

/* Counters that the bus itself keeps, in front of the program's. */
#define PX_BUS_COUNTERS(X)                                                                  \
    X(ticks_trade, "ticks", PX_COUNTER, "trade ticks published")                            \
    X(ticks_quote, "ticks", PX_COUNTER, "quote ticks published")                            \
    X(ticks_ticker, "ticks", PX_COUNTER, "24 h ticker ticks published")                     \
    X(ticks_status, "ticks", PX_COUNTER, "status ticks published")                          \
    X(binds, "symbols", PX_COUNTER, "times that a symbol was given a slot")                 \
    X(evictions, "symbols", PX_COUNTER, "symbols that lost their slot to another, LRU")     \
    X(symbols, "symbols", PX_LEVEL, "slots in use")                                         \
    X(pinned, "symbols", PX_LEVEL, "slots that are pinned by a subscription")               \
    X(adoptions, "segments", PX_COUNTER, "segments taken over from an earlier feeder")      \
    X(completed, "ticks", PX_COUNTER, "ticks of a killed writer completed from their cell") \
    X(voided, "ticks", PX_COUNTER, "sequences of a killed writer given up as void")         \
    X(wakes, "calls", PX_COUNTER, "times that sleeping readers were woken")                 \
    X(directory_rebuilds, "times", PX_COUNTER, "directory rebuilt to drop tombstones")
enum px_bus_counter {
#define X(name, unit, type, text) PX_B_##name,
    PX_BUS_COUNTERS(X)
#undef X
        PX_B_COUNT
};

/* One event to publish. Times: exch_ns and recv_ns ns UTC (exch_ns 0: the venue sent none), mono_ns
 * CLOCK_MONOTONIC of the same receipt. venue_id: the venue's own id of the update, 0 none. */
struct px_update {
    uint16_t kind;  /* PX_TRADE, PX_QUOTE or PX_TICKER */
    uint16_t flags; /* PX_SIDE_*, PX_FLAG_* */
    int64_t exch_ns, recv_ns, mono_ns;
    uint64_t venue_id;
    union {
        struct px_trade trade;
        struct px_quote quote;
        struct px_ticker ticker;
    } u;
};

/* What px_writer_open() found. */
struct px_writer_report {
    int adopted;      /* 1: an earlier segment goes on; 0: a new one */
    int replaced;     /* 1: an earlier one of another shape was retired */
    uint32_t symbols; /* slots carried over */
    uint64_t epoch, completed, voided;
    int32_t held_by;                 /* pid of the feeder that holds the bus, with -EBUSY */
    uint64_t need_bytes, free_bytes; /* with -ENOSPC */
};

/* Take the lock, then adopt the bus's segment or build one. System calls.
 * Owner: *out is the caller's until px_writer_close().   Threads: one; a child of fork(2) has no
 * segment and must not use it.
 * Errors: -EBUSY another feeder holds the bus; -ENOSPC /dev/shm is too small; -EACCES; -EPERM the
 * segment or its lock is another user's, or writable to others; -EINVAL;
 * -EPROTO a file of that name that is not a segment of ours; -ENOMEM. *report is filled always. */
PX_API int px_writer_open(px_writer **out, const struct px_writer_options *options,
                          struct px_writer_report *report);

/* Publish what is pending, mark the segment closed, let go of the lock. NULL is allowed. */
PX_API void px_writer_close(px_writer *w);

/* Remove the segment of a bus that nobody feeds. Errors: -ENOENT; -EBUSY (pid in *held_by);
 * -EACCES. */
PX_API int px_writer_remove(const char *bus, int32_t *held_by);

/* Bytes that a segment of this shape takes, with huge pages in whole ones. 0 if the shape is not
 * possible. */
PX_API uint64_t px_writer_bytes(uint32_t capacity, uint32_t ring, int huge_pages);

/* Where the segment is mapped, for mlock(2): valid as long as the writer. */
PX_API const void *px_writer_mapping(const px_writer *w, uint64_t *bytes);

/* The lock's descriptor, to be kept over exec. */
PX_API int px_writer_lock_fd(const px_writer *w);

/* The slot of a symbol, bound now if it has none: a free one, else the least recently used one that
 * is not pinned. Errors: -ENOSPC every slot is pinned; -EINVAL not a symbol of 1 to 47 bytes. */
PX_API int px_writer_bind(px_writer *w, const char *symbol, size_t len, uint32_t *slot);

/* The slot of a symbol if it has one. Errors: -ENOENT. */
PX_API int px_writer_find(px_writer *w, const char *symbol, size_t len, uint32_t *slot);

/* Generation of a slot: a slot number that was kept is still the same symbol while this is equal.
 * 0: free, or no such slot. */
PX_API uint32_t px_writer_generation(const px_writer *w, uint32_t slot);
PX_API uint64_t px_writer_bind_seq(const px_writer *w, uint32_t slot);

/* Publish one event into ring and slot and make its symbol the most recently used. Readers that
 * poll see it at once; head and sleepers follow with px_writer_flush(). Returns the sequence, or 0
 * if `u` cannot be published (kind, slot without an owner, exponent out of range). */
PX_API uint64_t px_writer_publish(px_writer *w, uint32_t slot, const struct px_update *u);

/* Publish an event that is older than what the slot holds of its kind (a gap that is filled
 * afterwards): readers of the stream get it, the last value of the symbol stays what it is and
 * counts it. Returns the sequence, or 0 as above, also if the slot holds nothing of this kind. */
PX_API uint64_t px_writer_publish_past(px_writer *w, uint32_t slot, const struct px_update *u);

/* Publish an event of a symbol (slot) or of a connection (slot PX_NO_SLOT). Returns the sequence.
 */
#define PX_NO_SLOT UINT32_MAX
PX_API uint64_t px_writer_status(px_writer *w, uint32_t slot, const struct px_status *s,
                                 int64_t recv_ns);

/* End of a batch: publish head, raise the wake word, wake readers that sleep. A system call only if
 * one of them does. Returns how many pages said that they sleep. */
PX_API int px_writer_flush(px_writer *w);

/* Say that the writer lives. Also notices when the name of the segment, or of its lock, was removed
 * from under it: returns -ENOENT then (two stat calls). */
PX_API int px_writer_heartbeat(px_writer *w, int64_t now_mono_ns);

/* Pinned symbols are never evicted. `pins` is the count of readers, `kinds` what is asked upstream.
 * Errors: -ENOENT free. */
PX_API int px_writer_pin(px_writer *w, uint32_t slot, uint32_t pins, uint32_t kinds);

/* Quality of a symbol as the feeder judges it, its rhythm (ns, 0 unknown), its connection
 * (UINT32_MAX none), and the venue's words (NULL: none). */
PX_API void px_writer_quality(px_writer *w, uint32_t slot, uint32_t quality, uint32_t cause);
PX_API uint32_t px_writer_quality_get(const px_writer *w, uint32_t slot);
PX_API void px_writer_rhythm(px_writer *w, uint32_t slot, int64_t rhythm_ns);
PX_API void px_writer_slot_conn(px_writer *w, uint32_t slot, uint32_t conn);
PX_API void px_writer_slot_gap(px_writer *w, uint32_t slot);
PX_API void px_writer_text(px_writer *w, uint32_t slot, const char *text);

/* What the slot holds, as the writer knows it. Errors: -ENOENT free; -ERANGE. */
PX_API int px_writer_symbol(const px_writer *w, uint32_t slot, struct px_symbol_info *out);

/* venue_id and receive time of the last tick of a kind, 0 if none: for duplicates and rhythm. */
PX_API uint64_t px_writer_last_id(const px_writer *w, uint32_t slot, uint32_t kind);
PX_API int64_t px_writer_last_mono(const px_writer *w, uint32_t slot, uint32_t kind);

/* Give a slot back: its symbol leaves the bus with a STATUS evicted. Errors: -ENOENT free; -EBUSY
 * it is pinned. */
PX_API int px_writer_release(px_writer *w, uint32_t slot);

/* Counters: i is an enum px_bus_counter, or PX_B_COUNT + index of the program's own table. */
PX_API void px_writer_count(px_writer *w, uint32_t i, uint64_t add);
PX_API void px_writer_level(px_writer *w, uint32_t i, uint64_t value);
PX_API uint64_t px_writer_value(const px_writer *w, uint32_t i);

/* Records, copied. `info` NULL clears the place. Errors: -ERANGE. */
PX_API int px_writer_conn(px_writer *w, uint32_t i, const struct px_conn_info *info);
PX_API void px_writer_latency(px_writer *w, uint32_t conn, int64_t ns, uint32_t count);
PX_API int px_writer_reader(px_writer *w, uint32_t i, const struct px_reader_info *info);

/* Count an error under its kind; the first of a kind, and its latest text, are kept. Returns the
 * count so far, so that the caller logs the first only; 0 when the table is full. */
PX_API uint64_t px_writer_error(px_writer *w, const char *kind, const char *text, int64_t utc_ns);

PX_API void px_writer_memory_second(px_writer *w, const struct px_memory_sample *s);
PX_API void px_writer_memory_minute(px_writer *w, const struct px_memory_sample *s);
PX_API void px_writer_memory_verdict(px_writer *w, const struct px_memory_verdict *v);

/* Readers' pages (px/control.h), one per attached reader, owned and mapped by the caller:
 * px_writer_flush() looks at their flags, wakes those that sleep on the futex and sends PXC_WAKE on
 * `fd` (not blocking) to those that asked for it. Errors: -ENFILE the table is full. */
struct px_page;
PX_API int px_writer_page_add(px_writer *w, struct px_page *page, int fd);
PX_API void px_writer_page_drop(px_writer *w, struct px_page *page);

/* What a reader says on its page, clamped to what is possible. Threads: the writer's. */
PX_API void px_writer_page_read(const px_writer *w, const struct px_page *page, uint64_t *position,
                                uint64_t *lost, uint32_t *sleeping);

PX_API uint64_t px_writer_sequence(const px_writer *w);
PX_API uint64_t px_writer_epoch(const px_writer *w);
PX_API uint32_t px_writer_capacity(const px_writer *w);

/* Name of the segment that is written now: "/px-<bus>". */
PX_API const char *px_writer_shm_name(const px_writer *w);

#ifdef __cplusplus
}
#endif

#endif
