/* Prints the layout as the compiler sees it, a field a line: struct offset size name. The document
 * docs/shm-layout.md is compared with it. */
#include <stdio.h>

#include "px/layout.h"

#define FIELDS(X)                    \
    X(pxl_tick, w)                   \
    X(pxl_prefix, magic)             \
    X(pxl_prefix, format)            \
    X(pxl_prefix, layout_version)    \
    X(pxl_prefix, state)             \
    X(pxl_prefix, bytes)             \
    X(pxl_prefix, epoch)             \
    X(pxl_prefix, epoch_seq)         \
    X(pxl_prefix, pid)               \
    X(pxl_prefix, header_offset)     \
    X(pxl_prefix, first_seq)         \
    X(pxl_prefix, heartbeat_mono_ns) \
    X(pxl_prefix, start_mono_ns)     \
    X(pxl_prefix, segment_id)        \
    X(pxl_prefix, line2)             \
    X(pxl_prefix, head)              \
    X(pxl_prefix, line3)             \
    X(pxl_prefix, wake)              \
    X(pxl_prefix, line4)             \
    X(pxl_prefix, reserved)          \
    X(pxl_region_place, offset)      \
    X(pxl_region_place, stride)      \
    X(pxl_region_place, count)       \
    X(pxl_header, bus)               \
    X(pxl_header, version)           \
    X(pxl_header, control_path)      \
    X(pxl_header, region)            \
    X(pxl_header, directory_version) \
    X(pxl_header, directory_used)    \
    X(pxl_header, counters_used)     \
    X(pxl_header, seconds_next)      \
    X(pxl_header, minutes_next)      \
    X(pxl_header, verdict_version)   \
    X(pxl_header, verdict)           \
    X(pxl_header, pad)               \
    X(pxl_entry, word)               \
    X(pxl_cells, counter)            \
    X(pxl_cells, side[0].ordinal)    \
    X(pxl_cells, side[0].mono_ns)    \
    X(pxl_cells, side[0].venue_id)   \
    X(pxl_cells, side[1].ordinal)    \
    X(pxl_cells, side[1].mono_ns)    \
    X(pxl_cells, side[1].venue_id)   \
    X(pxl_cells, generation)         \
    X(pxl_cells, tick)               \
    X(pxl_text, version)             \
    X(pxl_text, word)                \
    X(pxl_slot, generation)          \
    X(pxl_slot, last_generation)     \
    X(pxl_slot, bind_seq)            \
    X(pxl_slot, hash)                \
    X(pxl_slot, quality)             \
    X(pxl_slot, rhythm_ns)           \
    X(pxl_slot, pins)                \
    X(pxl_slot, kinds)               \
    X(pxl_slot, conn)                \
    X(pxl_slot, gaps)                \
    X(pxl_slot, line1)               \
    X(pxl_slot, symbol)              \
    X(pxl_slot, line2)               \
    X(pxl_slot, text)                \
    X(pxl_slot, cells)               \
    X(pxl_slot, reserved)            \
    X(pxl_counter, name)             \
    X(pxl_counter, unit)             \
    X(pxl_counter, type)             \
    X(pxl_counter, description)      \
    X(pxl_counter, pad)              \
    X(pxl_conn, version)             \
    X(pxl_conn, used)                \
    X(pxl_conn, info)                \
    X(pxl_conn, latency)             \
    X(pxl_conn, pad)                 \
    X(pxl_reader, version)           \
    X(pxl_reader, used)              \
    X(pxl_reader, info)              \
    X(pxl_reader, pad)               \
    X(pxl_error, version)            \
    X(pxl_error, used)               \
    X(pxl_error, info)               \
    X(pxl_error, pad)                \
    X(pxl_sample, version)           \
    X(pxl_sample, info)

#define STRUCTS(X)      \
    X(pxl_tick)         \
    X(pxl_prefix)       \
    X(pxl_region_place) \
    X(pxl_header)       \
    X(pxl_entry)        \
    X(pxl_cells)        \
    X(pxl_text)         \
    X(pxl_slot)         \
    X(pxl_counter)      \
    X(pxl_conn)         \
    X(pxl_reader)       \
    X(pxl_error)        \
    X(pxl_sample)

int main(void)
{
#define X(type, field)                                             \
    printf("%s %zu %zu %s\n", #type, offsetof(struct type, field), \
           sizeof(((struct type *)0)->field), #field);
    FIELDS(X)
#undef X
#define X(type) printf("%s total %zu\n", #type, sizeof(struct type));
    STRUCTS(X)
#undef X
    return 0;
}
