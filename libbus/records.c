/* What the writer says beside ticks: quality and text of a symbol, counters, and the records of
 * connections, readers, errors and memory. */
#include <errno.h>
#include <string.h>

#include "latency.h"
#include "seq.h"
#include "writer_internal.h"

/* ---- symbols ---- */

void px_writer_quality(px_writer *w, uint32_t slot, uint32_t quality, uint32_t cause)
{
    if (px_writer_generation(w, slot) == 0)
        return;
    pxi_store64(&w->seg.slots[slot].quality,
                (quality & 0xff) | (uint64_t)(cause & 0xff) << 8 | w->seq << 16);
}

uint32_t px_writer_quality_get(const px_writer *w, uint32_t slot)
{
    return px_writer_generation(w, slot) == 0 ? PX_CLOSED : w->seg.slots[slot].quality & 0xff;
}

void px_writer_rhythm(px_writer *w, uint32_t slot, int64_t rhythm_ns)
{
    if (px_writer_generation(w, slot) != 0)
        pxi_store_time(&w->seg.slots[slot].rhythm_ns, rhythm_ns);
}

void px_writer_slot_conn(px_writer *w, uint32_t slot, uint32_t conn)
{
    if (px_writer_generation(w, slot) != 0)
        pxi_store32(&w->seg.slots[slot].conn, conn == UINT32_MAX ? 0 : conn + 1);
}

void px_writer_slot_gap(px_writer *w, uint32_t slot)
{
    if (px_writer_generation(w, slot) != 0)
        pxi_store32(&w->seg.slots[slot].gaps, w->seg.slots[slot].gaps + 1);
}

void px_writer_text(px_writer *w, uint32_t slot, const char *text)
{
    if (slot >= w->seg.capacity)
        return;
    struct pxl_text *t = &w->seg.slots[slot].text;
    uint64_t words[15] = {0};
    if (text != NULL)
        memcpy(words, text, strnlen(text, PX_TEXT_MAX));
    pxi_record_write(&t->version, t->word, words, 15);
}

/* Only the writer writes, and this is the writer: its own loads need no protocol. */
int px_writer_symbol(const px_writer *w, uint32_t slot, struct px_symbol_info *out)
{
    if (slot >= w->seg.capacity)
        return -ERANGE;
    if (w->generation[slot] == 0)
        return -ENOENT;
    const struct pxl_slot *s = &w->seg.slots[slot];
    *out = (struct px_symbol_info){.slot = slot,
                                   .generation = s->generation,
                                   .pins = s->pins,
                                   .kinds = s->kinds,
                                   .quality = s->quality & 0xff,
                                   .cause = (s->quality >> 8) & 0xff,
                                   .conn = s->conn - 1,
                                   .gaps = s->gaps,
                                   .age_ns = -1,
                                   .rhythm_ns = s->rhythm_ns,
                                   .bind_seq = s->bind_seq};
    memcpy(out->symbol, s->symbol, sizeof out->symbol);
    memcpy(out->text, s->text.word, sizeof out->text);
    for (int k = 0; k < PX_CELL_KINDS; k++)
        out->ticks[k] = s->cells[k].side[s->cells[k].counter & 1].ordinal;
    return 0;
}

uint64_t px_writer_last_id(const px_writer *w, uint32_t slot, uint32_t kind)
{
    if (px_writer_generation(w, slot) == 0 || kind >= PX_CELL_KINDS)
        return 0;
    const struct pxl_cells *c = &w->seg.slots[slot].cells[kind];
    return c->side[c->counter & 1].venue_id;
}

int64_t px_writer_last_mono(const px_writer *w, uint32_t slot, uint32_t kind)
{
    if (px_writer_generation(w, slot) == 0 || kind >= PX_CELL_KINDS)
        return 0;
    const struct pxl_cells *c = &w->seg.slots[slot].cells[kind];
    return c->side[c->counter & 1].mono_ns;
}

/* ---- counters ---- */

void px_writer_level(px_writer *w, uint32_t i, uint64_t value)
{
    if (i >= w->counter_count)
        return;
    w->value[i] = value;
    pxi_store64(&w->seg.values[(size_t)i * (PXL_LINE / 8)], value);
}

void px_writer_count(px_writer *w, uint32_t i, uint64_t add)
{
    if (i < w->counter_count)
        px_writer_level(w, i, w->value[i] + add);
}

uint64_t px_writer_value(const px_writer *w, uint32_t i)
{
    return i < w->counter_count ? w->value[i] : 0;
}

/* ---- records ---- */

#define WORDS(type) (sizeof(type) / 8)

int px_writer_conn(px_writer *w, uint32_t i, const struct px_conn_info *info)
{
    if (i >= w->seg.conn_count)
        return -ERANGE;
    struct pxl_conn *c = &w->seg.conns[i];
    struct px_conn_info mine = {0};
    if (info != NULL) {
        mine = *info;
    } else {
        pxi_store64_release(&c->used, 0); /* first: what follows is no record */
        w->latency_max[i] = w->latency_count[i] = 0;
        for (unsigned b = 0; b < PX_LATENCY_BUCKETS; b++)
            pxi_store64(&c->latency[b], 0);
    }
    mine.latency_max_ns = w->latency_max[i];
    mine.latency_count = w->latency_count[i];
    pxi_record_write(&c->version, (uint64_t *)&c->info, (const uint64_t *)&mine, WORDS(mine));
    pxi_store64_release(&c->used, info != NULL);
    return 0;
}

void px_writer_latency(px_writer *w, uint32_t conn, int64_t ns, uint32_t count)
{
    if (conn >= w->seg.conn_count)
        return;
    uint64_t t = ns < 0 ? 0 : (uint64_t)ns;
    uint64_t *bucket = &w->seg.conns[conn].latency[pxi_latency_bucket(t)];
    pxi_store64(bucket, pxi_load64(bucket) + count);
    w->latency_count[conn] += count;
    if (t > w->latency_max[conn])
        w->latency_max[conn] = t;
}

int px_writer_reader(px_writer *w, uint32_t i, const struct px_reader_info *info)
{
    static const struct px_reader_info none;
    if (i >= w->seg.reader_count)
        return -ERANGE;
    struct pxl_reader *r = &w->seg.readers[i];
    if (info == NULL)
        pxi_store64_release(&r->used, 0);
    pxi_record_write(&r->version, (uint64_t *)&r->info,
                     (const uint64_t *)(info != NULL ? info : &none), WORDS(none));
    pxi_store64_release(&r->used, info != NULL);
    return 0;
}

static void text_set(char *dst, size_t cap, const char *src)
{
    memset(dst, 0, cap);
    memcpy(dst, src, strnlen(src, cap - 1));
}

uint64_t px_writer_error(px_writer *w, const char *kind, const char *text, int64_t utc_ns)
{
    struct px_error_info e;
    uint32_t i = 0;
    while (i < w->error_count && strncmp(w->seg.errors[i].info.kind, kind, sizeof e.kind - 1) != 0)
        i++;
    if (i == w->seg.error_count)
        return 0;
    struct pxl_error *slot = &w->seg.errors[i];
    e = slot->info;
    if (i == w->error_count) {
        w->error_count++;
        memset(&e, 0, sizeof e);
        text_set(e.kind, sizeof e.kind, kind);
        e.first_utc_ns = utc_ns;
    }
    e.count++;
    e.last_utc_ns = utc_ns;
    text_set(e.text, sizeof e.text, text);
    pxi_record_write(&slot->version, (uint64_t *)&slot->info, (const uint64_t *)&e, WORDS(e));
    pxi_store64_release(&slot->used, 1);
    return e.count;
}

static void sample(struct pxl_sample *ring, uint32_t count, uint32_t *next,
                   const struct px_memory_sample *s)
{
    struct pxl_sample *place = &ring[*next % count];
    pxi_record_write(&place->version, (uint64_t *)&place->info, (const uint64_t *)s, WORDS(*s));
    pxi_store32_release(next, *next + 1);
}

void px_writer_memory_second(px_writer *w, const struct px_memory_sample *s)
{
    sample(w->seg.seconds, w->seg.second_count, &w->seg.header->seconds_next, s);
}

void px_writer_memory_minute(px_writer *w, const struct px_memory_sample *s)
{
    sample(w->seg.minutes, w->seg.minute_count, &w->seg.header->minutes_next, s);
}

void px_writer_memory_verdict(px_writer *w, const struct px_memory_verdict *v)
{
    pxi_record_write(&w->seg.header->verdict_version, (uint64_t *)&w->seg.header->verdict,
                     (const uint64_t *)v, WORDS(*v));
}

/* ---- readers' pages ---- */

int px_writer_page_add(px_writer *w, struct px_page *page, int fd)
{
    if (w->page_count == PXL_READERS_MAX)
        return -ENFILE;
    w->page[w->page_count] = page;
    w->page_fd[w->page_count++] = fd;
    return 0;
}

void px_writer_page_drop(px_writer *w, struct px_page *page)
{
    for (uint32_t i = 0; i < w->page_count; i++)
        if (w->page[i] == page) {
            w->page[i] = w->page[--w->page_count];
            w->page_fd[i] = w->page_fd[w->page_count];
            return;
        }
}

void px_writer_page_read(const px_writer *w, const struct px_page *page, uint64_t *position,
                         uint64_t *lost, uint32_t *sleeping)
{
    uint64_t p = pxi_load64(&page->position), l = pxi_load64(&page->lost);
    *position = p < w->seq ? p : w->seq;
    *lost = l < w->seq ? l : w->seq;
    *sleeping = pxi_load32(&page->sleeping) != 0;
}
