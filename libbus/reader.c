/* A reader's beginning and end. Everything that it will ever need is allocated here: one mapping
 * for its own memory, and address space for the largest segment there can be, twice. */
#include "reader.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <time.h>

#include "seq.h"

#define WAIT_STEP_NS 20000000  /* between two looks for a bus that is awaited */
#define GREETING_NS  200000000 /* attach waits so long for a feeder that is there */
#define BEGIN_TRIES  8
#define OWNERS       (1u << PXL_SLOT_BITS)

void pxi_text_copy(char *out, const char *text, size_t bytes)
{
    for (size_t i = 0; i < bytes; i += 8) {
        uint64_t word = pxi_load64((const uint64_t *)(const void *)(text + i));
        memcpy(out + i, &word, sizeof word);
    }
    out[bytes - 1] = '\0';
}

/* ---- memory ---- */

static void *reserve(size_t bytes, int prot)
{
    void *p = mmap(NULL, bytes, prot, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    return p == MAP_FAILED ? NULL : p;
}

/* The same, never locked. After mlockall(MCL_FUTURE) every new mapping counts against
 * RLIMIT_MEMLOCK, empty address space too; what grows out of an unlocked page does not. */
static void *reserve_unlocked(size_t bytes, int prot)
{
    char *p = reserve(PXL_PREFIX_BYTES, prot);
    if (p == NULL)
        return NULL;
    char *grown = MAP_FAILED;
    if (munlock(p, PXL_PREFIX_BYTES) == 0)
        grown = mremap(p, PXL_PREFIX_BYTES, bytes, MREMAP_MAYMOVE);
    if (grown == MAP_FAILED)
        munmap(p, PXL_PREFIX_BYTES);
    return grown == MAP_FAILED ? NULL : grown;
}

static size_t lines(size_t bytes)
{
    return (bytes + PXL_LINE - 1) & ~(size_t)(PXL_LINE - 1);
}

/* Pages come when they are touched: a table of all slot numbers costs what is used of it. */
static px_bus *bus_new(uint32_t ids)
{
    uint32_t index = 16;
    while (index < 2 * ids)
        index *= 2;
    size_t at[6];
    at[0] = lines(sizeof(px_bus));
    at[1] = at[0] + lines(sizeof(struct pxi_stream) * ((size_t)ids + 2));
    at[2] = at[1] + lines(sizeof(struct pxi_symbol) * ((size_t)ids + 2));
    at[3] = at[2] + lines(sizeof(uint32_t) * OWNERS);
    at[4] = at[3] + lines(sizeof(uint32_t) * index);
    at[5] = at[4] + lines(sizeof(struct pxi_price) * ((size_t)ids + 2));
    /* Locked if the caller wants its memory locked, and may. */
    char *m = reserve(at[5], PROT_READ | PROT_WRITE);
    if (m == NULL)
        m = reserve_unlocked(at[5], PROT_READ | PROT_WRITE);
    if (m == NULL)
        return NULL;
    px_bus *b = (px_bus *)m;
    b->memory = m;
    b->memory_bytes = at[5];
    b->streams = (struct pxi_stream *)(m + at[0]);
    b->symbols = (struct pxi_symbol *)(m + at[1]);
    b->owner = (uint32_t *)(m + at[2]);
    b->index = (uint32_t *)(m + at[3]);
    b->prices = (struct pxi_price *)(m + at[4]);
    b->index_mask = index - 1;
    b->id_max = ids;
    b->stranger = ids + 1;
    b->client.fd = b->client.watch = b->watch_timer = -1;
    b->page = &b->no_page;
    pxi_arm(b, 0);
    pxi_arm(b, b->stranger);
    b->streams[b->stranger].key = UINT32_MAX; /* of no slot */
    return b;
}

/* The largest segment there can be; where the address space is limited, less than that will do
 * until a segment comes that does not fit. */
static int areas_new(px_bus *b)
{
    size_t bytes = pxi_segment_size(PXL_CAPACITY_MAX, PXL_RING_MAX);
    for (; bytes >= (size_t)64 << 20; bytes /= 4, bytes &= ~(size_t)0xfff) {
        b->area[0] = reserve_unlocked(bytes, PROT_NONE);
        b->area[1] = b->area[0] != NULL ? reserve_unlocked(bytes, PROT_NONE) : NULL;
        if (b->area[1] != NULL) {
            b->area_bytes = bytes;
            return 0;
        }
        if (b->area[0] != NULL)
            munmap(b->area[0], bytes);
        b->area[0] = NULL;
    }
    return -ENOMEM;
}

void px_bus_detach(px_bus *b)
{
    if (b == NULL)
        return;
    pxi_client_close(&b->client);
    pxi_watch_close(b);
    for (int i = 0; i < 2; i++)
        if (b->area[i] != NULL)
            munmap(b->area[i], b->area_bytes); /* and what is mapped over it */
    munmap(b->memory, b->memory_bytes);
}

/* ---- attach ---- */

static int open_waiting(px_bus *b, int64_t wait_ms)
{
    int64_t start = pxi_now_ns();
    for (;;) {
        int rc = pxi_segment_open(&b->seg[0], b->name, 0, b->area[0], b->area_bytes);
        if ((rc != -ENOENT && rc != -EAGAIN) || wait_ms == 0)
            return rc;
        if (wait_ms > 0 && (pxi_now_ns() - start) / 1000000 >= wait_ms)
            return -ETIMEDOUT;
        struct timespec t = {0, WAIT_STEP_NS};
        if (nanosleep(&t, NULL) < 0)
            return -EINTR;
    }
}

/* A reader of all knows what it has missed from its first tick on: everybody who is there is bound
 * and counted. If the ring goes round meanwhile, from a later head. */
static void begin_all(px_bus *b)
{
    for (int i = 0; i < BEGIN_TRIES; i++) {
        b->cursor = pxi_load64_acquire(&b->seg[0].prefix->head);
        pxi_owners_check(b, b->cursor + 1);
        for (uint32_t rec = 1; rec <= b->id_count; rec++)
            b->symbols[rec].inexact = 0;
        b->inexact = 0;
        if (pxi_reckon(b) == 0)
            return;
    }
    pxi_inexact_set(b);
    b->inexact = 1;
}

static void begin(px_bus *b)
{
    struct pxi_segment *s = &b->seg[0];
    b->prefix = s->prefix;
    b->slots = s->slots;
    b->ring = s->ring;
    b->ring_mask = s->ring_mask;
    b->state = pxi_load32_acquire(&s->prefix->state);
    b->epoch = pxi_load64_acquire(&s->prefix->epoch);
    b->epoch_seq = pxi_load64(&s->prefix->epoch_seq);
    b->cursor = pxi_load64_acquire(&s->prefix->head);
    b->looked_ns = pxi_now_ns();
    if (b->all != 0)
        begin_all(b);
    if (b->state != PX_STATE_LIVE)
        b->flags |= PXI_WORK;
    if (!b->no_socket)
        (void)pxi_subs_connect(b, b->looked_ns + GREETING_NS, 0);
}

static int options_check(const struct px_bus_options *o, const char *name)
{
    return o->wait_ms < -1 || o->max_ids > PXI_IDS_MAX ? -EINVAL : pxi_bus_name_check(name);
}

int px_bus_attach(px_bus **out, const char *name, const struct px_bus_options *options)
{
    static const struct px_bus_options none;
    const struct px_bus_options *o = options != NULL ? options : &none;
    if (name == NULL)
        name = getenv("PX_BUS");
    if (name == NULL || name[0] == '\0')
        name = "md";
    if (out == NULL)
        return -EINVAL;
    int rc = options_check(o, name);
    if (rc < 0)
        return rc;
    uint32_t ids = o->all != 0 ? PXI_IDS_ALL : PX_IDS_DEFAULT;
    px_bus *b = bus_new(o->max_ids != 0 ? o->max_ids : ids);
    if (b == NULL)
        return -ENOMEM;
    b->all = o->all != 0;
    b->no_socket = o->no_socket != 0;
    snprintf(b->name, sizeof b->name, "%s", name);
    snprintf(b->client.name, sizeof b->client.name, "%s",
             o->name != NULL ? o->name : program_invocation_short_name);
    rc = areas_new(b);
    if (rc == 0)
        rc = open_waiting(b, o->wait_ms);
    if (rc < 0) {
        px_bus_detach(b);
        return rc;
    }
    begin(b);
    *out = b;
    return 0;
}

int px_bus_stats(px_bus *b, struct px_bus_stats *out)
{
    if (out == NULL)
        return -EINVAL;
    if (pxi_attention(b))
        pxi_attend(b);
    *out = (struct px_bus_stats){.delivered = b->delivered,
                                 .skipped = b->skipped,
                                 .laps = b->laps,
                                 .retries = b->retries,
                                 .remaps = b->remaps,
                                 .wakes = b->wakes,
                                 .position = b->cursor,
                                 .head = pxi_load64_acquire(&b->prefix->head),
                                 .ids = b->id_count,
                                 .subscriptions = b->subscriptions,
                                 .connected = b->up};
    return 0;
}
