/* The writer's side of a segment, looked at through the layout. */
#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "directory.h"
#include "px/bus.h"
#include "px/writer.h"
#include "segment.h"
#include "seq.h"
#include "writer_internal.h"

#include "t.h"

static char bus[PX_BUS_NAME_MAX + 1];

static void fresh(void)
{
    char path[PXI_PATH_MAX];
    snprintf(bus, sizeof bus, "t-writer-%d", (int)getpid());
    for (int i = PXI_FILE_SEGMENT; i <= PXI_FILE_NEW; i++) {
        pxi_path(path, bus, (enum pxi_file)i);
        unlink(path);
    }
}

static px_writer *open_with(uint32_t capacity, uint32_t ring, struct px_writer_report *report)
{
    px_writer *w = NULL;
    const struct px_writer_options o = {
        .bus = bus, .capacity = capacity, .ring = ring, .group = -1, .lock_fd = -1, .version = "t"};
    T_EQ(px_writer_open(&w, &o, report), 0);
    return w;
}

/* What a SIGKILL leaves: mapping and descriptors go, nothing is said. */
static void die(px_writer *w)
{
    pxi_segment_close(&w->seg, NULL);
    close(w->lock_fd);
    free(w->memory);
    free(w);
}

static struct px_update trade_of(int64_t n)
{
    return (struct px_update){.kind = PX_TRADE,
                              .flags = PX_SIDE_BUY,
                              .exch_ns = n,
                              .recv_ns = n + 1,
                              .mono_ns = n + 2,
                              .venue_id = (uint64_t)n,
                              .u.trade = {{n, -8}, {n + 3, -2}, (uint64_t)n}};
}

static uint64_t trade(px_writer *w, uint32_t slot, int64_t n)
{
    const struct px_update u = trade_of(n);
    return px_writer_publish(w, slot, &u);
}

static uint64_t past_trade(px_writer *w, uint32_t slot, int64_t n)
{
    struct px_update u = trade_of(n);
    u.flags |= PX_FLAG_BACKFILL;
    return px_writer_publish_past(w, slot, &u);
}

static uint32_t bind_one(px_writer *w, const char *symbol)
{
    uint32_t slot = PX_NO_SLOT;
    T_EQ(px_writer_bind(w, symbol, strlen(symbol), &slot), 0);
    return slot;
}

T_TEST(a_tick_is_the_same_in_ring_and_cell)
{
    struct px_writer_report r;
    fresh();
    px_writer *w = open_with(16, 64, &r);
    uint32_t slot = bind_one(w, "x:A");
    uint64_t n = trade(w, slot, 42), words[PXL_TICK_WORDS] = {0};
    struct pxi_cell cell;
    T_TRUE(n == 2); /* the bind was 1 */
    T_EQ(pxi_entry_read(&w->seg.ring[n & w->seg.ring_mask], n, words), PXI_READY);
    T_EQ(pxi_cell_read(&w->seg.slots[slot].cells[PX_TRADE], &cell), 0);
    T_MEM(words, cell.w, sizeof words);
    T_EQ(pxi_bits_slot(words[1]), slot);
    T_EQ(pxi_bits_kind(words[1]), PX_TRADE);
    T_EQ(pxi_bits_flags(words[1]), PX_SIDE_BUY);
    T_EQ(pxi_bits_exponent(words[1], 0), -8);
    T_EQ(pxi_bits_exponent(words[1], 1), -2);
    T_EQ(pxi_bits_exponent(words[1], 2), PX_ABSENT);
    T_EQ(cell.ordinal, 1);
    T_EQ(cell.venue_id, 42);
    T_EQ(w->seg.prefix->head, 0); /* one batch: head follows with the flush */
    px_writer_flush(w);
    T_EQ(w->seg.prefix->head, n);
    px_writer_close(w);
    fresh();
}

T_TEST(an_exponent_that_does_not_fit_is_refused_never_rounded)
{
    struct px_writer_report r;
    fresh();
    px_writer *w = open_with(16, 64, &r);
    uint32_t slot = bind_one(w, "x:A");
    struct px_update u = {.kind = PX_QUOTE, .u.quote = {{1, 0}, {1, -30}, {1, PX_ABSENT}, {1, 0}}};
    T_TRUE(px_writer_publish(w, slot, &u) != 0);
    u.u.quote.ask.exponent = -32;
    T_EQ(px_writer_publish(w, slot, &u), 0);
    u.u.quote.ask.exponent = 1;
    T_EQ(px_writer_publish(w, slot, &u), 0);
    u.u.quote.ask.exponent = 0;
    T_EQ(px_writer_publish(w, PX_NO_SLOT, &u), 0);
    u.kind = PX_STATUS;
    T_EQ(px_writer_publish(w, slot, &u), 0);
    T_EQ(px_writer_sequence(w), 2);
    px_writer_close(w);
    fresh();
}

T_TEST(a_tick_of_the_past_is_on_the_ring_and_the_last_value_stays_and_counts_it)
{
    struct px_writer_report r;
    uint64_t words[PXL_TICK_WORDS] = {0};
    struct pxi_cell before, after;
    memset(&before, 0, sizeof before); /* the padding is compared too */
    memset(&after, 0, sizeof after);
    fresh();
    px_writer *w = open_with(16, 64, &r);
    uint32_t slot = bind_one(w, "x:A");
    const struct pxl_cells *cells = &w->seg.slots[slot].cells[PX_TRADE];
    T_EQ(past_trade(w, slot, 41), 0); /* there is nothing that it could be older than */
    trade(w, slot, 42);
    T_EQ(pxi_cell_read(cells, &before), 0);
    uint64_t n = past_trade(w, slot, 41);
    T_EQ(n, before.w[0] + 1);
    T_EQ(pxi_entry_read(&w->seg.ring[n & w->seg.ring_mask], n, words), PXI_READY);
    T_EQ(words[4], 41);
    T_EQ(pxi_bits_flags(words[1]), PX_SIDE_BUY | PX_FLAG_BACKFILL);
    T_EQ(pxi_cell_read(cells, &after), 0);
    T_EQ(after.w[0], n);
    T_EQ(after.ordinal, before.ordinal + 1);
    before.w[0] = after.w[0];
    before.ordinal = after.ordinal;
    T_MEM(&before, &after, sizeof before);
    T_EQ(px_writer_last_id(w, slot, PX_TRADE), 42);
    struct px_update bad = trade_of(40);
    bad.u.trade.size.exponent = -32;
    T_EQ(px_writer_publish_past(w, slot, &bad), 0);
    T_EQ(px_writer_publish_past(w, slot + 1, &bad), 0);
    px_writer_close(w);
    fresh();
}

T_TEST(a_tick_of_the_past_that_a_dead_writer_did_not_count_is_counted)
{
    for (int counted = 0; counted <= 1; counted++) {
        struct px_writer_report r;
        struct pxi_cell cell;
        fresh();
        px_writer *w = open_with(16, 64, &r);
        uint32_t slot = bind_one(w, "x:A");
        trade(w, slot, 42);
        uint64_t n = past_trade(w, slot, 41);
        struct pxl_cells *cells = &w->seg.slots[slot].cells[PX_TRADE];
        if (!counted)
            pxi_cell_show(cells, pxi_load64(&cells->counter) - 1);
        die(w);
        w = open_with(16, 64, &r);
        T_EQ(pxi_cell_read(&w->seg.slots[slot].cells[PX_TRADE], &cell), 0);
        T_EQ(cell.w[0], n);
        T_EQ(cell.w[4], 42);
        T_EQ(cell.ordinal, 2);
        T_EQ(r.completed + r.voided, 0);
        px_writer_close(w);
    }
    fresh();
}

T_TEST(the_least_recently_used_symbol_goes_and_pinned_ones_stay)
{
    struct px_writer_report r;
    char name[16];
    uint32_t slot[4], other;
    fresh();
    px_writer *w = open_with(4, 64, &r);
    for (int i = 0; i < 4; i++) {
        snprintf(name, sizeof name, "x:%d", i);
        slot[i] = bind_one(w, name);
    }
    T_EQ(px_writer_pin(w, slot[1], 1, PX_TRADES), 0);
    trade(w, slot[0], 1); /* order of use, oldest first: 2 3 0; 1 is pinned */
    T_EQ(bind_one(w, "x:new"), slot[2]);
    T_EQ(px_writer_find(w, "x:2", 3, &other), -ENOENT);
    T_EQ(px_writer_find(w, "x:1", 3, &other), 0);
    T_EQ(px_writer_value(w, PX_B_evictions), 1);
    for (int i = 0; i < 4; i++)
        px_writer_pin(w, (uint32_t)i, 1, PX_TRADES);
    T_EQ(px_writer_bind(w, "x:more", 6, &other), -ENOSPC);
    px_writer_pin(w, slot[3], 0, 0);
    T_EQ(bind_one(w, "x:more"), slot[3]);
    px_writer_close(w);
    fresh();
}

T_TEST(a_slot_that_changes_hands_keeps_nothing_of_its_last_owner)
{
    struct px_writer_report r;
    struct pxi_cell cell;
    fresh();
    px_writer *w = open_with(4, 64, &r);
    uint32_t slot = bind_one(w, "x:old");
    uint32_t before = px_writer_generation(w, slot);
    trade(w, slot, 7);
    px_writer_text(w, slot, "words of the venue");
    T_EQ(px_writer_release(w, slot), 0);
    T_EQ(px_writer_generation(w, slot), 0);
    T_EQ(trade(w, slot, 8), 0);
    T_EQ(bind_one(w, "x:new"), slot);
    T_TRUE(px_writer_generation(w, slot) != before);
    pxi_cell_read(&w->seg.slots[slot].cells[PX_TRADE], &cell);
    T_EQ(cell.w[0], 0);
    T_EQ(cell.ordinal, 0);
    T_EQ(w->seg.slots[slot].text.word[0], 0);
    T_EQ(px_writer_bind_seq(w, slot), px_writer_sequence(w)); /* the bind tick is its first */
    px_writer_close(w);
    fresh();
}

T_TEST(the_directory_survives_any_number_of_changes)
{
    struct px_writer_report r;
    char name[24];
    uint32_t slot;
    fresh();
    px_writer *w = open_with(64, 64, &r);
    for (int i = 0; i < 20000; i++) {
        snprintf(name, sizeof name, "x:%d", i);
        slot = bind_one(w, name);
        if (i >= 63) {
            snprintf(name, sizeof name, "x:%d", i - 63);
            T_EQ(px_writer_find(w, name, strlen(name), &slot), 0);
            snprintf(name, sizeof name, "x:%d", i - 64);
            T_EQ(px_writer_find(w, name, strlen(name), &slot), -ENOENT);
        }
    }
    T_TRUE(px_writer_value(w, PX_B_directory_rebuilds) > 10);
    T_EQ(px_writer_value(w, PX_B_symbols), 64);
    px_writer_close(w);
    fresh();
}

T_TEST(a_second_feeder_is_told_who_holds_the_bus)
{
    struct px_writer_report r;
    px_writer *other = NULL;
    fresh();
    px_writer *w = open_with(16, 64, &r);
    const struct px_writer_options o = {.bus = bus, .group = -1, .lock_fd = -1};
    T_EQ(px_writer_open(&other, &o, &r), -EBUSY);
    T_EQ(r.held_by, getpid());
    int32_t pid = 0;
    T_EQ(px_writer_remove(bus, &pid), -EBUSY);
    px_writer_close(w);
    T_EQ(px_writer_remove(bus, &pid), 0);
    T_EQ(px_writer_remove(bus, &pid), -ENOENT);
    fresh();
}

/* A death at each stage of the write of a tick, made by hand in the order of seq.h. */
static void publish_until(px_writer *w, uint32_t slot, int stage)
{
    uint64_t n = ++w->seq;
    struct pxl_tick *e = &w->seg.ring[n & w->seg.ring_mask];
    struct pxi_cell cell = {.ordinal = 2, .generation = w->generation[slot]};
    cell.w[0] = n;
    cell.w[1] = pxi_bits(slot, cell.generation, PX_TRADE, 0, PXI_ALL_ABSENT);
    for (unsigned i = 2; i < PXL_TICK_WORDS; i++)
        cell.w[i] = 99;
    struct pxl_cells *c = &w->seg.slots[slot].cells[PX_TRADE];
    uint64_t counter = pxi_cell_fill(c, &cell);
    if (stage == 0)
        pxi_store64(&c->tick[counter & 1].w[4], 12345); /* half of the idle cell */
    if (stage >= 1)
        pxi_entry_open(e, n);
    if (stage >= 2)
        pxi_store64(&e->w[4], 12345); /* half of the payload */
    if (stage >= 3)
        pxi_entry_fill(e, cell.w);
    if (stage >= 4)
        pxi_cell_show(c, counter);
    if (stage >= 5)
        pxi_entry_close(e, n);
}

T_TEST(a_death_at_any_stage_of_a_tick_is_completed_or_void)
{
    for (int stage = 0; stage <= 5; stage++) {
        struct px_writer_report r;
        struct pxi_cell cell;
        uint64_t words[PXL_TICK_WORDS] = {0};
        fresh();
        px_writer *w = open_with(16, 64, &r);
        uint32_t slot = bind_one(w, "x:A");
        trade(w, slot, 7);
        px_writer_flush(w);
        publish_until(w, slot, stage);
        uint64_t n = w->seq, epoch = px_writer_epoch(w);
        die(w);

        w = open_with(16, 64, &r);
        if (stage == 0) /* nothing was claimed yet: n is the next one's, here its CARRIED */
            n = n - 1;
        T_EQ(r.adopted, 1);
        T_EQ(r.symbols, 1);
        T_EQ(px_writer_epoch(w), epoch + 1);
        T_EQ(r.completed, stage == 4);
        T_EQ(r.voided, stage > 0 && stage < 4);
        T_EQ(pxi_entry_read(&w->seg.ring[n & w->seg.ring_mask], n, words), PXI_READY);
        T_EQ(pxi_bits_kind(words[1]), stage > 0 && stage < 4 ? PX_STATUS : PX_TRADE);
        T_EQ(pxi_cell_read(&w->seg.slots[slot].cells[PX_TRADE], &cell), 0);
        T_EQ(cell.w[0], stage > 0 && stage < 4 ? n - 1 : n);
        T_EQ(cell.w[4], stage < 4 ? 7 : 99);
        T_TRUE(w->seg.prefix->epoch_seq == n + 1);
        T_EQ(px_writer_quality_get(w, slot), PX_CARRIED);
        px_writer_close(w);
    }
    fresh();
}

T_TEST(a_death_while_a_slot_changes_hands_frees_the_slot)
{
    struct px_writer_report r;
    uint32_t other;
    fresh();
    px_writer *w = open_with(4, 64, &r);
    uint32_t a = bind_one(w, "x:A"), b = bind_one(w, "x:B");
    trade(w, b, 5);
    pxi_store32(&w->seg.slots[a].generation, 0); /* killed before the new generation */
    pxi_store64(&w->seg.header->directory_version, w->seg.header->directory_version + 1);
    die(w);
    w = open_with(4, 64, &r);
    T_EQ(r.symbols, 1);
    T_EQ(px_writer_find(w, "x:A", 3, &other), -ENOENT);
    T_EQ(px_writer_find(w, "x:B", 3, &other), 0);
    T_EQ(w->seg.header->directory_version & 1, 0);
    uint32_t generation = w->seg.slots[a].last_generation;
    for (int i = 0; i < 3; i++) {
        char name[8];
        snprintf(name, sizeof name, "x:%d", i);
        if (bind_one(w, name) == a)
            T_EQ(px_writer_generation(w, a), generation + 1);
    }
    px_writer_close(w);
    fresh();
}

T_TEST(a_death_in_the_bind_tick_leaves_a_bind_tick)
{
    struct px_writer_report r;
    uint64_t words[PXL_TICK_WORDS] = {0};
    uint32_t slot;
    fresh();
    px_writer *w = open_with(4, 64, &r);
    trade(w, bind_one(w, "x:A"), 1);
    w->free_count--;
    slot = w->free_slot[w->free_count];
    pxi_slot_assign(w, slot, "x:B", 3, w->seq + 1);
    uint64_t n = ++w->seq;
    pxi_entry_open(&w->seg.ring[n & w->seg.ring_mask], n);
    die(w);
    w = open_with(4, 64, &r);
    T_EQ(r.symbols, 2);
    T_EQ(r.voided, 0);
    T_EQ(r.completed, 1);
    T_EQ(pxi_entry_read(&w->seg.ring[n & w->seg.ring_mask], n, words), PXI_READY);
    T_EQ(words[4] & 0xffffffff, PX_EVENT_BIND);
    T_EQ(pxi_bits_slot(words[1]), slot);
    T_EQ(pxi_bits_generation(words[1]), px_writer_generation(w, slot) & PXL_GEN_MASK);
    px_writer_close(w);
    fresh();
}

T_TEST(a_segment_that_others_may_write_is_not_adopted)
{
    struct px_writer_report r;
    px_writer *w;
    char path[PXI_PATH_MAX];
    const struct px_writer_options o = {
        .bus = bus, .capacity = 4, .ring = 64, .group = -1, .lock_fd = -1};
    for (int file = PXI_FILE_SEGMENT; file <= PXI_FILE_LOCK; file++) {
        fresh();
        px_writer_close(open_with(4, 64, &r));
        pxi_path(path, bus, (enum pxi_file)file);
        T_EQ(chmod(path, 0666), 0);
        T_EQ(px_writer_open(&w, &o, &r), -EPERM);
        if (geteuid() == 0) {
            T_EQ(chmod(path, 0600), 0);
            T_EQ(chown(path, 65534, 65534), 0);
            T_EQ(px_writer_open(&w, &o, &r), -EPERM);
        }
    }
    fresh();
}

T_TEST(an_adopted_segment_is_for_the_group_of_its_new_feeder)
{
    struct px_writer_report r;
    px_writer *w;
    char path[PXI_PATH_MAX];
    struct stat st;
    if (geteuid() != 0)
        T_SKIP("another group takes root");
    fresh();
    px_writer_close(open_with(4, 64, &r));
    const struct px_writer_options o = {
        .bus = bus, .capacity = 4, .ring = 64, .group = 4321, .lock_fd = -1};
    T_EQ(px_writer_open(&w, &o, &r), 0);
    T_EQ(r.adopted, 1);
    pxi_path(path, bus, PXI_FILE_SEGMENT);
    T_EQ(stat(path, &st), 0);
    T_EQ(st.st_gid, 4321);
    T_EQ(st.st_mode & 0777, 0640);
    px_writer_close(w);
    px_writer_close(open_with(4, 64, &r));
    T_EQ(stat(path, &st), 0);
    T_EQ(st.st_gid, getegid());
    fresh();
}

T_TEST(a_segment_that_is_removed_says_so_to_its_readers)
{
    struct px_writer_report r;
    struct pxi_segment old;
    char path[PXI_PATH_MAX];
    struct stat st;
    int32_t pid;
    fresh();
    px_writer_close(open_with(4, 64, &r));
    T_EQ(pxi_segment_open(&old, bus, 0, NULL, 0), 0);
    T_EQ(px_writer_remove(bus, &pid), 0);
    T_EQ(pxi_load32(&old.prefix->state), PX_STATE_RETIRED);
    pxi_segment_close(&old, NULL);
    pxi_path(path, bus, PXI_FILE_SEGMENT);
    int fd = open(path, O_CREAT | O_RDWR | O_CLOEXEC, 0600);
    T_EQ(ftruncate(fd, 8192), 0); /* not one of ours: it stays */
    close(fd);
    T_EQ(px_writer_remove(bus, &pid), -EPROTO);
    T_EQ(stat(path, &st), 0);
    fresh();
}

T_TEST(a_replaced_ring_has_no_open_end)
{
    struct px_writer_report r;
    struct pxi_segment old;
    uint64_t words[PXL_TICK_WORDS] = {0};
    fresh();
    px_writer *w = open_with(16, 64, &r);
    uint32_t slot = bind_one(w, "x:A");
    trade(w, slot, 7);
    publish_until(w, slot, 4);
    uint64_t n = w->seq;
    T_EQ(pxi_segment_open(&old, bus, 0, NULL, 0), 0);
    die(w);
    w = open_with(32, 64, &r);
    T_EQ(r.replaced, 1);
    T_EQ(r.completed, 1);
    T_EQ(pxi_entry_read(&old.ring[n & old.ring_mask], n, words), PXI_READY);
    T_EQ(old.prefix->head, n);
    px_writer_close(w);
    pxi_segment_close(&old, NULL);
    fresh();
}

T_TEST(a_lock_file_that_vanishes_is_noticed)
{
    struct px_writer_report r;
    char path[PXI_PATH_MAX];
    fresh();
    px_writer *w = open_with(16, 64, &r);
    pxi_path(path, bus, PXI_FILE_LOCK);
    unlink(path);
    T_EQ(px_writer_heartbeat(w, 6), -ENOENT);
    px_writer_close(w);
    fresh();
}

T_TEST(order_of_use_is_found_again_from_the_cells)
{
    struct px_writer_report r;
    char name[8];
    uint32_t other;
    fresh();
    px_writer *w = open_with(8, 64, &r);
    for (int i = 0; i < 8; i++) {
        snprintf(name, sizeof name, "x:%d", i);
        bind_one(w, name);
    }
    static const int order[8] = {3, 7, 0, 5, 1, 6, 2, 4};
    for (int i = 0; i < 8; i++)
        trade(w, (uint32_t)(7 - order[i]), i + 1); /* free slots are a stack: x:0 is the first, 0 */
    uint32_t slot_of[8];
    for (int i = 0; i < 8; i++)
        slot_of[i] = (uint32_t)(7 - order[i]);
    die(w);
    w = open_with(8, 64, &r);
    for (int i = 0; i < 8; i++) {
        snprintf(name, sizeof name, "y:%d", i);
        T_EQ(px_writer_bind(w, name, 3, &other), 0);
        T_EQ(other, slot_of[i]);
    }
    px_writer_close(w);
    fresh();
}

T_TEST(another_shape_retires_the_segment_and_goes_on_counting)
{
    struct px_writer_report r;
    struct pxi_segment old;
    fresh();
    px_writer *w = open_with(16, 64, &r);
    uint32_t slot = bind_one(w, "x:A");
    for (int i = 0; i < 100; i++)
        trade(w, slot, i + 1);
    uint64_t seq = w->seq, epoch = px_writer_epoch(w);
    T_EQ(pxi_segment_open(&old, bus, 0, NULL, 0), 0);
    die(w);
    w = open_with(32, 128, &r);
    T_EQ(r.adopted, 0);
    T_EQ(r.replaced, 1);
    T_EQ(px_writer_epoch(w), epoch + 1);
    T_EQ(w->seg.prefix->epoch_seq, seq + 1);
    T_EQ(old.prefix->state, PX_STATE_RETIRED);
    T_TRUE(old.prefix->segment_id != w->seg.prefix->segment_id);
    die(w); /* an adopter must not take the empty part of the new ring for open sequences */
    w = open_with(32, 128, &r);
    T_EQ(r.adopted, 1);
    T_EQ(r.voided, 0);
    px_writer_close(w);
    pxi_segment_close(&old, NULL);
    fresh();
}

T_TEST(another_layout_is_retired_through_the_prefix_alone)
{
    struct px_writer_report r;
    fresh();
    px_writer *w = open_with(16, 64, &r);
    trade(w, bind_one(w, "x:A"), 1);
    px_writer_flush(w);
    w->seg.prefix->layout_version = PXL_LAYOUT_VERSION + 1;
    w->seg.prefix->format ^= 1;
    uint64_t head = w->seg.prefix->head;
    die(w);
    w = open_with(16, 64, &r);
    T_EQ(r.adopted, 0);
    T_EQ(r.replaced, 1);
    T_EQ(px_writer_epoch(w), 2);
    T_TRUE(w->seg.prefix->epoch_seq > head);
    px_writer_close(w);
    fresh();
}

T_TEST(a_foreign_file_of_the_name_is_left_alone)
{
    struct px_writer_report r;
    px_writer *w = NULL;
    char path[PXI_PATH_MAX], text[9000] = "not a segment";
    fresh();
    pxi_path(path, bus, PXI_FILE_SEGMENT);
    int fd = open(path, O_CREAT | O_RDWR | O_CLOEXEC, 0600);
    T_EQ(write(fd, text, sizeof text), (long long)sizeof text);
    const struct px_writer_options o = {.bus = bus, .group = -1, .lock_fd = -1};
    T_EQ(px_writer_open(&w, &o, &r), -EPROTO);
    struct stat st;
    T_EQ(stat(path, &st), 0);
    T_EQ(st.st_size, sizeof text);
    close(fd);
    fresh();
}

T_TEST(bus_names_that_are_other_files_of_a_bus_are_refused)
{
    static const char *const bad[] = {"",       "a/b", "md.lock",
                                      "md.new", "a b", "0123456789012345678901234567890123"};
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
        T_EQ(pxi_bus_name_check(bad[i]), -EINVAL);
    T_EQ(pxi_bus_name_check("md-2.test_X"), 0);
}

T_TEST(a_name_that_vanishes_is_noticed)
{
    struct px_writer_report r;
    char path[PXI_PATH_MAX];
    fresh();
    px_writer *w = open_with(16, 64, &r);
    T_EQ(px_writer_heartbeat(w, 5), 0);
    pxi_path(path, bus, PXI_FILE_SEGMENT);
    unlink(path);
    T_EQ(px_writer_heartbeat(w, 6), -ENOENT);
    px_writer_close(w);
    fresh();
}

T_TEST(errors_are_counted_by_kind)
{
    struct px_writer_report r;
    fresh();
    px_writer *w = open_with(16, 64, &r);
    T_EQ(px_writer_error(w, "frame", "first", 1), 1);
    T_EQ(px_writer_error(w, "frame", "second", 2), 2);
    T_EQ(px_writer_error(w, "config", "other", 3), 1);
    T_STR(w->seg.errors[0].info.text, "second");
    T_EQ(w->seg.errors[0].info.first_utc_ns, 1);
    T_EQ(w->seg.errors[0].info.last_utc_ns, 2);
    die(w);
    w = open_with(16, 64, &r);
    T_EQ(px_writer_error(w, "frame", "third", 4), 3); /* over a restart too */
    px_writer_close(w);
    fresh();
}
