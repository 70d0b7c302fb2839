/* A segment that lies: every call comes back, with an error or with what is there, whatever the
 * bytes say. Seeded, so that a failure comes again. */
#include "t.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "reader.h"
#include "rig.h"
#include "segment.h"

static uint64_t seed;

static uint64_t draw(void)
{
    seed ^= seed << 13;
    seed ^= seed >> 7;
    seed ^= seed << 17;
    return seed;
}

struct liar {
    struct rig r;
    uint8_t *bytes, *pristine;
    size_t size;
    size_t start[8], length[8]; /* what is worth lying about */
    int places;
};

static void place(struct liar *l, const void *at, const void *base, size_t length)
{
    l->start[l->places] = (size_t)((const char *)at - (const char *)base);
    l->length[l->places++] = length;
}

static void setup(struct liar *l)
{
    char path[PXI_PATH_MAX], symbol[16];
    struct stat st;
    struct pxi_segment s;
    memset(l, 0, sizeof *l);
    seed = UINT64_C(0x9E3779B97F4A7C15);
    rig_open(&l->r, 8, 64);
    for (int i = 0; i < 12; i++) {
        snprintf(symbol, sizeof symbol, "x:%d", i);
        uint32_t slot = rig_bind(&l->r, symbol);
        for (uint64_t n = 0; n < 5; n++)
            (n % 2 != 0 ? rig_trade : rig_quote)(&l->r, slot, n);
        px_writer_text(l->r.w, slot, "words");
    }
    const struct px_conn_info c = {.venue = "x", .reason = "none"};
    px_writer_conn(l->r.w, 0, &c);
    px_writer_error(l->r.w, "kind", "text", 1);
    px_writer_flush(l->r.w);
    pxi_path(path, l->r.bus, PXI_FILE_SEGMENT);
    int fd = open(path, O_RDWR);
    T_TRUE(fd >= 0);
    T_EQ(fstat(fd, &st), 0);
    l->size = (size_t)st.st_size;
    l->bytes = mmap(NULL, l->size, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
    close(fd);
    l->pristine = malloc(l->size);
    memcpy(l->pristine, l->bytes, l->size);
    s = (struct pxi_segment){.base = l->bytes, .bytes = l->size};
    T_EQ(pxi_segment_check(&s), 0);
    place(l, s.prefix, s.base, 256);
    place(l, s.header, s.base, sizeof *s.header);
    place(l, s.directory, s.base, sizeof *s.directory * 32);
    place(l, s.slots, s.base, sizeof *s.slots * s.capacity);
    place(l, s.ring, s.base, sizeof *s.ring * (s.ring_mask + 1));
    place(l, s.conns, s.base, sizeof *s.conns);
    place(l, s.errors, s.base, sizeof *s.errors);
    place(l, s.counters, s.base, sizeof *s.counters * 4);
}

static void teardown(struct liar *l)
{
    memcpy(l->bytes, l->pristine, l->size);
    munmap(l->bytes, l->size);
    free(l->pristine);
    rig_free(&l->r);
}

static uint64_t lie(uint64_t truth)
{
    static const uint64_t favourites[] = {0,
                                          1,
                                          UINT64_MAX,
                                          UINT64_MAX - 1,
                                          (uint64_t)INT64_MAX,
                                          UINT64_C(1) << 63,
                                          UINT32_MAX,
                                          UINT64_C(1) << 32,
                                          PXL_SLOT_NONE,
                                          PXL_CAPACITY_MAX + 1,
                                          64,
                                          4096};
    switch (draw() % 5) {
    case 0:
        return favourites[draw() % (sizeof favourites / sizeof favourites[0])];
    case 1:
        return truth ^ UINT64_C(1) << draw() % 64;
    case 2:
        return truth + draw() % 129 - 64;
    case 3:
        return draw() >> draw() % 64;
    default:
        return truth << draw() % 33;
    }
}

static void tell_lies(struct liar *l)
{
    int count = 1 + (int)(draw() % 6);
    for (int i = 0; i < count; i++) {
        int where = (int)(draw() % (uint64_t)l->places);
        size_t width = (size_t)1 << (draw() % 4);
        size_t at = l->start[where] + (draw() % (l->length[where] / width)) * width;
        uint64_t value = 0;
        memcpy(&value, l->bytes + at, width);
        value = lie(value);
        memcpy(l->bytes + at, &value, width);
    }
}

static void terminated(const char *text, size_t cap)
{
    T_TRUE(memchr(text, '\0', cap) != NULL);
}

static void ask_records(px_bus *bus)
{
    struct px_bus_info info;
    struct px_symbol_info s;
    struct px_conn_info c;
    struct px_error_info e;
    struct px_counter_info n;
    struct px_reader_info r;
    struct px_memory_sample m;
    struct px_memory_verdict v;
    uint64_t latency[PX_LATENCY_BUCKETS];
    T_EQ(px_bus_info(bus, &info), 0);
    terminated(info.bus, sizeof info.bus);
    terminated(info.version, sizeof info.version);
    terminated(info.control_path, sizeof info.control_path);
    for (uint32_t i = 0; i < info.capacity + 2 && i < 64; i++)
        if (px_bus_symbol_at(bus, i, &s) == 0) {
            terminated(s.symbol, sizeof s.symbol);
            terminated(s.text, sizeof s.text);
            (void)px_quality_name(s.quality);
            (void)px_cause_text(s.cause);
        }
    for (uint32_t i = 0; i < info.counters + 1 && i < 100; i++)
        if (px_bus_counter_at(bus, i, &n) == 0)
            terminated(n.description, sizeof n.description);
    for (uint32_t i = 0; i < 3; i++) {
        if (px_bus_conn_at(bus, i, &c, latency) == 0)
            terminated(c.reason, sizeof c.reason);
        if (px_bus_error_at(bus, i, &e) == 0)
            terminated(e.text, sizeof e.text);
        px_bus_reader_at(bus, i, &r);
        px_bus_memory_second(bus, i, &m);
        px_bus_memory_minute(bus, i, &m);
    }
    px_bus_memory_verdict(bus, &v);
}

static void ask_everything(px_bus *bus)
{
    struct px_tick t[16];
    struct px_last last;
    struct px_lost lost;
    struct px_bus_stats stats;
    char text[PX_DECIMAL_MAX];
    uint32_t cursor = 0;
    px_id id;
    for (int i = 0; i < 30; i++) {
        int n = px_bus_poll(bus, t, 16);
        T_TRUE(n <= 16 && (n >= 0 || n == -EOVERFLOW));
        for (int k = 0; k < n; k++) {
            T_TRUE(t[k].kind <= PX_STATUS);
            T_TRUE(t[k].id == PX_ID_NONE || px_bus_symbol(bus, t[k].id) != NULL);
            if (t[k].kind == PX_QUOTE)
                T_TRUE(px_decimal_text(t[k].u.quote.bid, text, sizeof text) >= 0);
        }
    }
    for (int i = 0; i < 20 && px_bus_symbols(bus, &cursor, &id) == 1; i++) {
        terminated(px_bus_symbol(bus, id), PX_SYMBOL_MAX + 1);
        if (px_bus_last(bus, id, &last) == 0)
            T_TRUE(last.age_ns >= -1);
        px_bus_lost(bus, id, &lost);
    }
    if (px_bus_find(bus, "x:7", &id) == 0)
        px_bus_last(bus, id, &last);
    px_bus_find(bus, "x:none", &id);
    px_bus_seek(bus, 0);
    px_bus_poll(bus, t, 16);
    px_bus_seek(bus, draw() >> draw() % 64);
    px_bus_poll(bus, t, 16);
    px_bus_wait(bus, 0);
    px_bus_stats(bus, &stats);
    px_bus_lost(bus, PX_ID_NONE, &lost);
    px_bus_fd(bus);
    ask_records(bus);
}

T_TEST(no_lie_in_the_segment_hurts_a_reader)
{
    struct liar l;
    int attached = 0, refused = 0;
    setup(&l);
    for (int i = 0; i < 3000; i++) {
        px_bus *bus = NULL;
        const struct px_bus_options o = {.all = (int)(draw() % 2),
                                         .no_socket = draw() % 8 != 0,
                                         .max_ids = draw() % 4 == 0 ? 3 : 64};
        memcpy(l.bytes, l.pristine, l.size);
        int before = draw() % 2 == 0;
        if (before)
            tell_lies(&l);
        int rc = px_bus_attach(&bus, l.r.bus, &o);
        if (rc != 0) {
            T_TRUE(bus == NULL);
            T_TRUE(rc == -EPROTO || rc == -EPROTONOSUPPORT || rc == -EMSGSIZE || rc == -EAGAIN);
            refused++;
            continue;
        }
        attached++;
        if (!before) {
            ask_everything(bus);
            tell_lies(&l); /* while it looks */
        }
        ask_everything(bus);
        px_bus_detach(bus);
    }
    printf("attached %d, refused %d\n", attached, refused);
    T_TRUE(attached > 1000 && refused > 50);
    teardown(&l);
}

T_TEST(what_is_no_segment_is_refused_by_name)
{
    struct liar l;
    char path[PXI_PATH_MAX];
    px_bus *bus = NULL;
    setup(&l);
    struct pxl_prefix *p = (struct pxl_prefix *)l.bytes;
    struct pxl_header *h = (struct pxl_header *)(l.bytes + PXL_PREFIX_BYTES);
    p->magic++;
    T_EQ(px_bus_attach(&bus, l.r.bus, NULL), -EPROTO);
    p->magic--;
    p->layout_version = 0;
    T_EQ(px_bus_attach(&bus, l.r.bus, NULL), -EAGAIN);
    p->layout_version = PXL_LAYOUT_VERSION + 1;
    T_EQ(px_bus_attach(&bus, l.r.bus, NULL), -EPROTONOSUPPORT);
    p->layout_version = PXL_LAYOUT_VERSION;
    p->format ^= 1;
    T_EQ(px_bus_attach(&bus, l.r.bus, NULL), -EPROTONOSUPPORT);
    p->format ^= 1;
    p->bytes = l.size + 1;
    T_EQ(px_bus_attach(&bus, l.r.bus, NULL), -EMSGSIZE);
    p->bytes = l.size;
    for (int i = 0; i < PXL_REGION_COUNT; i++) {
        struct pxl_region_place truth = h->region[i];
        h->region[i].count = (uint32_t)(l.size / truth.stride) + 1;
        T_EQ(px_bus_attach(&bus, l.r.bus, NULL), -EMSGSIZE);
        h->region[i] = truth;
        h->region[i].offset = l.size - 64;
        T_EQ(px_bus_attach(&bus, l.r.bus, NULL), -EMSGSIZE);
        h->region[i] = truth;
        h->region[i].offset += 4;
        T_EQ(px_bus_attach(&bus, l.r.bus, NULL), -EMSGSIZE);
        h->region[i] = truth;
        h->region[i].stride++;
        T_EQ(px_bus_attach(&bus, l.r.bus, NULL), -EMSGSIZE);
        h->region[i] = truth;
    }
    T_EQ(px_bus_attach(&bus, l.r.bus, NULL), 0);
    px_bus_detach(bus);
    pxi_path(path, l.r.bus, PXI_FILE_SEGMENT);
    T_EQ(truncate(path, 100), 0);
    T_EQ(px_bus_attach(&bus, l.r.bus, NULL), -EPROTO);
    T_EQ(truncate(path, (off_t)l.size), 0);
    teardown(&l);
}

/* A writer that was stopped between any two stores of a tick: what was there before stays readable,
 * what is not whole is not delivered. */
T_TEST(a_writer_stopped_anywhere_in_a_tick_shows_the_one_before)
{
    struct liar l;
    struct px_last last;
    struct px_tick t;
    px_id id;
    setup(&l);
    struct pxi_segment s = {.base = l.bytes, .bytes = l.size};
    T_EQ(pxi_segment_check(&s), 0);
    px_bus *bus = rig_reader(&l.r, 1);
    T_EQ(px_bus_find(bus, "x:11", &id), 0);
    T_EQ(px_bus_last(bus, id, &last), 0);
    uint64_t seq = last.trade_info.seq, n = px_writer_sequence(l.r.w) + 1;
    int64_t price = last.trade.price.mantissa;
    struct pxl_cells *cells = &s.slots[bus->symbols[id + 1].slot].cells[PX_TRADE];
    struct pxl_tick *e = &s.ring[n & s.ring_mask];
    unsigned idle = (unsigned)(cells->counter + 1) & 1;
    e->w[0] = n | PXL_BUSY;
    for (unsigned i = 0; i < 24; i++) {
        if (i >= 1 && i < PXL_TICK_WORDS)
            e->w[i] = UINT64_C(0xdead0000) + i;
        else if (i >= PXL_TICK_WORDS && i < 2 * PXL_TICK_WORDS)
            cells->tick[idle].w[i - PXL_TICK_WORDS] = UINT64_C(0xdead0000) + i;
        else
            cells->side[idle].ordinal = i;
        T_EQ(px_bus_poll(bus, &t, 1), 0);
        bus->prices[id + 1].counter[PX_TRADE] = PXI_NEVER; /* read it again */
        T_EQ(px_bus_last(bus, id, &last), 0);
        T_EQ(last.trade_info.seq, seq);
        T_EQ(last.trade.price.mantissa, price);
    }
    px_bus_detach(bus);
    teardown(&l);
}

/* A record under an odd version was left in the middle: told, not waited for. */
T_TEST(a_record_that_stays_half_written_is_eagain)
{
    struct liar l;
    struct px_conn_info c = {.venue = "kept"};
    setup(&l);
    struct pxi_segment s = {.base = l.bytes, .bytes = l.size};
    T_EQ(pxi_segment_check(&s), 0);
    px_bus *bus = rig_reader(&l.r, 0);
    s.conns[0].version |= 1;
    T_EQ(px_bus_conn_at(bus, 0, &c, NULL), -EAGAIN);
    T_STR(c.venue, "kept");
    px_bus_detach(bus);
    teardown(&l);
}
