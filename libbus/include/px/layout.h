/* px/layout.h: the bytes of a segment. Plain fixed-width integers, no pointers; every access from
 * outside the writer goes through the atomic accessors of libbus/seq.h. Valid C11, C17 and C++17.
 *
 *   prefix 4 KiB | header | counters | conns | directory | slots | ring | readers | errors | memory
 *
 * The prefix never changes in any version. Everything behind it is found through the offsets in the
 * header, which readers check against the mapped size before use. Byte diagram: docs/shm-layout.md.
 */
#ifndef PX_LAYOUT_H
#define PX_LAYOUT_H

#include "px/info.h"

#ifdef __cplusplus
#define PXL_ASSERT static_assert
#else
#define PXL_ASSERT _Static_assert
#endif

#define PXL_LINE           64u
#define PXL_PREFIX_BYTES   4096u
#define PXL_MAGIC          UINT64_C(0x0001535542445850) /* "PXDBUS\1\0" in memory, little-endian */
#define PXL_LAYOUT_VERSION 1u

/* A tick is one cache line. Words: 0 sequence, 1 bits, 2 exchange time, 3 receive time (ns UTC,
 * 0 absent), 4 to 7 by kind:
 *   TRADE   price, size, trade id, 0        QUOTE   bid, bid size, ask, ask size
 *   TICKER  last, open, high, low           STATUS  event | cause << 32, first id, last id, count
 * Sequence n is in entry n & (ring - 1). While it is being written its sequence word is n | BUSY.
 */
#define PXL_TICK_WORDS 8u
#define PXL_BUSY       (UINT64_C(1) << 63)
struct pxl_tick {
    uint64_t w[PXL_TICK_WORDS];
};

/* Bit budget of word 1, from the lowest bit:
 *   0-17 slot | 18-31 generation (low 14 bits) | 32-34 kind | 35-43 flags | 44-63 exponents, 4 x 5
 * An exponent e is stored as -e: 0 to 30, and 31 is absent. The generation here is a hint that
 * catches most strangers at once; what decides is the sequence: a tick belongs to the present owner
 * of its slot exactly if its sequence is not below the owner's bind_seq. */
#define PXL_SLOT_BITS    18u
#define PXL_GEN_BITS     14u
#define PXL_GEN_MASK     ((1u << PXL_GEN_BITS) - 1u)
#define PXL_GEN_SHIFT    18u
#define PXL_KIND_SHIFT   32u
#define PXL_FLAGS_SHIFT  35u
#define PXL_EXP_SHIFT    44u
#define PXL_EXP_BITS     5u
#define PXL_EXP_MASK     31u
#define PXL_SLOT_NONE    ((1u << PXL_SLOT_BITS) - 1u) /* a STATUS of no symbol */
#define PXL_CAPACITY_MAX (PXL_SLOT_NONE - 1u)
#define PXL_CAPACITY_MIN 4u
#define PXL_RING_MIN     64u
#define PXL_RING_MAX     (1u << 26)

/* The prefix. `head` is the last published sequence; `wake` is the futex word, raised once per
 * batch. Both have lines of their own, since readers poll or sleep on them. */
struct pxl_prefix {
    uint64_t magic;
    uint64_t format;         /* PXL_FORMAT: version and what the compiler decided */
    uint32_t layout_version; /* published last, with release; 0 while building */
    uint32_t state;          /* enum px_state */
    uint64_t bytes;          /* size of the whole segment */
    uint64_t epoch;          /* generation of the feeder, from 1 */
    uint64_t epoch_seq;      /* first sequence of this epoch */
    int32_t pid;             /* of the writer */
    uint32_t header_offset;
    uint64_t first_seq;        /* lowest sequence that this segment can hold */
    int64_t heartbeat_mono_ns; /* at least each 100 ms while the writer lives */
    int64_t start_mono_ns;     /* of this epoch */
    uint64_t segment_id;       /* random; tells a new segment of the same name from this one */
    uint8_t line2[40];
    uint64_t head;
    uint8_t line3[56];
    uint32_t wake;
    uint8_t line4[60];
    uint8_t reserved[PXL_PREFIX_BYTES - 256];
};

enum pxl_region {
    PXL_COUNTERS = 0, /* pxl_counter, then values on lines of their own */
    PXL_VALUES,
    PXL_CONNS,
    PXL_DIRECTORY,
    PXL_SLOTS,
    PXL_RING,
    PXL_READERS,
    PXL_ERRORS,
    PXL_SECONDS, /* memory samples, one a second */
    PXL_MINUTES, /* memory samples, one a minute */
    PXL_REGION_COUNT
};

struct pxl_region_place {
    uint64_t offset;
    uint32_t stride;
    uint32_t count;
};

struct pxl_header {
    char bus[40];
    char version[16];
    char control_path[112]; /* sun_path of the control socket, or empty */
    struct pxl_region_place region[PXL_REGION_COUNT];
    uint64_t directory_version; /* even, or odd while the directory is rebuilt */
    uint32_t directory_used;    /* entries and tombstones */
    uint32_t counters_used;
    uint32_t seconds_next, minutes_next; /* count of samples ever written */
    uint64_t verdict_version;
    struct px_memory_verdict verdict;
    uint8_t pad[144];
};

/* Directory: open addressing, linear probing from hash & (count - 1), count a power of two. Word:
 * low half slot + 1 (0 free, PXL_TOMBSTONE removed), high half that of the hash, so that most
 * strangers are told apart without a look at the slot. */
#define PXL_TOMBSTONE UINT32_MAX
struct pxl_entry {
    uint64_t word;
};

/* The cells of one kind. `counter` counts writes and never goes back; counter & 1 names the
 * readable tick and the members of `side` and `generation` that go with it. A tick of sequence 0 is
 * no tick. One line of bookkeeping, two of ticks. */
struct pxl_cells {
    uint64_t counter;
    struct {
        uint64_t ordinal;  /* count of ticks of this kind in this generation */
        int64_t mono_ns;   /* receive time */
        uint64_t venue_id; /* the venue's own id of the update */
    } side[2];
    uint32_t generation[2];
    struct pxl_tick tick[2];
};

/* A text under a version of its own: odd while it is written. */
struct pxl_text {
    uint64_t version;
    uint64_t word[15];
};

/* One symbol. `generation` 0: free or changing hands; identity and cells are valid while it stays
 * the same non-zero number. */
struct pxl_slot {
    uint32_t generation;
    uint32_t last_generation; /* survives generation 0, so that numbers are not reused */
    uint64_t bind_seq;
    uint64_t hash;
    uint64_t quality; /* quality | cause << 8 | since-sequence << 16 */
    int64_t rhythm_ns;
    uint32_t pins;
    uint32_t kinds;
    uint32_t conn; /* index of the connection + 1, 0 none */
    uint32_t gaps;
    uint32_t line1[2];
    uint64_t symbol[6]; /* "venue:NATIVE", NUL padded */
    uint64_t line2[2];
    struct pxl_text text;
    struct pxl_cells cells[PX_CELL_KINDS];
    uint64_t
        reserved[16]; /* an odd number of lines to a slot: they spread over all sets of a cache */
};

struct pxl_counter {
    char name[40];
    char unit[16];
    uint32_t type;
    char description[140];
    uint8_t pad[56];
};

/* Records under a version: odd while written. Used if used != 0. */
#define PXL_CONNS_MAX    64u
#define PXL_READERS_MAX  256u
#define PXL_ERRORS_MAX   64u
#define PXL_COUNTERS_MAX 96u
#define PXL_SECONDS_MAX  3600u
#define PXL_MINUTES_MAX  1440u
struct pxl_conn {
    uint64_t version;
    uint64_t used;
    struct px_conn_info info;
    uint64_t latency[PX_LATENCY_BUCKETS];
    uint64_t pad[12];
};
struct pxl_reader {
    uint64_t version;
    uint64_t used;
    struct px_reader_info info;
    uint64_t pad[4];
};
struct pxl_error {
    uint64_t version;
    uint64_t used;
    struct px_error_info info;
    uint64_t pad[2];
};
struct pxl_sample {
    uint64_t version;
    struct px_memory_sample info;
};

/* What the compiler decided is part of the format: two builds that disagree refuse each other. */
#define PXL_FORMAT                                                                             \
    (((uint64_t)PXL_LAYOUT_VERSION << 56) ^ ((uint64_t)sizeof(struct pxl_slot) << 40) ^        \
     ((uint64_t)sizeof(struct pxl_header) << 26) ^ ((uint64_t)sizeof(struct pxl_conn) << 14) ^ \
     ((uint64_t)sizeof(struct pxl_reader) << 7) ^ (uint64_t)sizeof(struct pxl_error))

PXL_ASSERT(sizeof(struct pxl_tick) == PXL_LINE, "a tick is one cache line");
PXL_ASSERT(sizeof(struct pxl_prefix) == PXL_PREFIX_BYTES, "the prefix never changes");
PXL_ASSERT(offsetof(struct pxl_prefix, format) == 8, "prefix");
PXL_ASSERT(offsetof(struct pxl_prefix, layout_version) == 16, "prefix");
PXL_ASSERT(offsetof(struct pxl_prefix, state) == 20, "prefix");
PXL_ASSERT(offsetof(struct pxl_prefix, bytes) == 24, "prefix");
PXL_ASSERT(offsetof(struct pxl_prefix, epoch) == 32, "prefix");
PXL_ASSERT(offsetof(struct pxl_prefix, epoch_seq) == 40, "prefix");
PXL_ASSERT(offsetof(struct pxl_prefix, pid) == 48, "prefix");
PXL_ASSERT(offsetof(struct pxl_prefix, header_offset) == 52, "prefix");
PXL_ASSERT(offsetof(struct pxl_prefix, first_seq) == 56, "prefix");
PXL_ASSERT(offsetof(struct pxl_prefix, heartbeat_mono_ns) == 64, "prefix");
PXL_ASSERT(offsetof(struct pxl_prefix, start_mono_ns) == 72, "prefix");
PXL_ASSERT(offsetof(struct pxl_prefix, segment_id) == 80, "prefix");
PXL_ASSERT(offsetof(struct pxl_prefix, head) == 128, "prefix");
PXL_ASSERT(offsetof(struct pxl_prefix, wake) == 192, "prefix");
PXL_ASSERT(offsetof(struct pxl_header, region) == 168, "header");
PXL_ASSERT(offsetof(struct pxl_header, directory_version) == 328, "header");
PXL_ASSERT(offsetof(struct pxl_header, verdict) == 360, "header");
PXL_ASSERT(sizeof(struct pxl_header) == 576, "header");
PXL_ASSERT(sizeof(struct pxl_cells) == 3 * PXL_LINE, "one line of bookkeeping, two of ticks");
PXL_ASSERT(offsetof(struct pxl_cells, side) == 8, "cells");
PXL_ASSERT(offsetof(struct pxl_cells, generation) == 56, "cells");
PXL_ASSERT(offsetof(struct pxl_cells, tick) == 64, "cells");
PXL_ASSERT(sizeof(struct pxl_text) == 2 * PXL_LINE, "text");
PXL_ASSERT(offsetof(struct pxl_slot, bind_seq) == 8, "slot");
PXL_ASSERT(offsetof(struct pxl_slot, quality) == 24, "slot");
PXL_ASSERT(offsetof(struct pxl_slot, pins) == 40, "slot");
PXL_ASSERT(offsetof(struct pxl_slot, symbol) == 64, "slot");
PXL_ASSERT(offsetof(struct pxl_slot, text) == 128, "slot");
PXL_ASSERT(offsetof(struct pxl_slot, cells) == 256, "slot");
PXL_ASSERT(sizeof(struct pxl_slot) == 15 * PXL_LINE, "slot");
PXL_ASSERT(sizeof(struct pxl_entry) == 8, "directory entry");
PXL_ASSERT(sizeof(struct pxl_counter) == 256, "counter");
PXL_ASSERT(sizeof(struct pxl_conn) % 8 == 0, "records are copied as words");
PXL_ASSERT(sizeof(struct pxl_reader) == 128, "reader");
PXL_ASSERT(sizeof(struct pxl_error) == 256, "error");
PXL_ASSERT(sizeof(struct pxl_sample) == 72, "sample");

#endif
