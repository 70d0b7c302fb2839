/* The bus in operation, for tools: records copied under their versions, texts ended. */
#include <errno.h>
#include <string.h>

#include "px/writer.h"
#include "reader.h"
#include "seq.h"

#define WORDS(type) (sizeof(type) / 8)
#define END(text)   ((text)[sizeof(text) - 1] = '\0')

static void attend(px_bus *b)
{
    if (pxi_attention(b))
        pxi_attend(b);
}

int px_bus_info(px_bus *b, struct px_bus_info *out)
{
    if (out == NULL)
        return -EINVAL;
    attend(b);
    const struct pxi_segment *s = pxi_now(b);
    const struct pxl_prefix *p = s->prefix;
    int64_t now = pxi_now_ns();
    char path[sizeof s->header->control_path];
    *out = (struct px_bus_info){.state = b->state,
                                .pid = (int32_t)pxi_load32((const uint32_t *)(const void *)&p->pid),
                                .capacity = s->capacity,
                                .symbols = (uint32_t)pxi_load64(&s->values[PX_B_symbols * 8]),
                                .ring = s->ring_mask + 1,
                                .epoch = b->epoch,
                                .epoch_seq = b->epoch_seq,
                                .head = pxi_load64_acquire(&p->head),
                                .bytes = pxi_load64(&p->bytes),
                                .heartbeat_age_ns = pxi_heartbeat_age(b, now),
                                .conns = s->conn_count,
                                .readers = s->reader_count,
                                .errors = s->error_count,
                                .counters = pxi_load32_acquire(&s->header->counters_used)};
    out->uptime_ns = (int64_t)((uint64_t)now - (uint64_t)pxi_load_time(&p->start_mono_ns));
    if (out->counters > s->counter_count)
        out->counters = s->counter_count;
    pxi_text_copy(out->bus, s->header->bus, sizeof out->bus);
    pxi_text_copy(out->version, s->header->version, sizeof out->version);
    pxi_text_copy(path, s->header->control_path, sizeof path);
    memcpy(out->control_path, path, sizeof out->control_path);
    END(out->control_path);
    return 0;
}

/* Age of the newest tick and the counts of all, of one owner. 0: it changes hands. */
static int ticks_read(px_bus *b, const struct pxl_slot *slot, struct px_symbol_info *out,
                      uint64_t *newest)
{
    struct pxi_cell cell;
    *newest = 0;
    out->age_ns = -1;
    for (int k = 0; k < PX_CELL_KINDS; k++) {
        int tries = pxi_cell_read(&slot->cells[k], &cell);
        if (tries < 0 || cell.generation != out->generation)
            return 0;
        b->retries += (uint32_t)tries;
        out->ticks[k] = cell.ordinal;
        if (cell.w[0] <= *newest)
            continue;
        *newest = cell.w[0];
        int64_t age = (int64_t)((uint64_t)pxi_now_ns() - (uint64_t)cell.mono_ns);
        out->age_ns = age > 0 ? age : 0;
    }
    return 1;
}

int px_bus_symbol_at(px_bus *b, uint32_t slot, struct px_symbol_info *out)
{
    struct pxi_owner owner;
    struct px_symbol_info info = {.slot = slot};
    struct px_last told;
    uint64_t words[15], newest;
    if (out == NULL)
        return -EINVAL;
    attend(b);
    const struct pxi_segment *s = pxi_now(b);
    if (slot >= s->capacity)
        return -ERANGE;
    const struct pxl_slot *p = &s->slots[slot];
    if (!pxi_owner_read(s, slot, &owner))
        return pxi_load32(&p->generation) == 0 ? -ENOENT : -EAGAIN;
    memcpy(info.symbol, owner.text, sizeof info.symbol);
    info.generation = owner.generation;
    info.bind_seq = owner.bind_seq;
    if (!ticks_read(b, p, &info, &newest) ||
        !pxi_record_read(&p->text.version, words, p->text.word, 15))
        return -EAGAIN;
    memcpy(info.text, words, sizeof info.text);
    END(info.text);
    info.pins = pxi_load32(&p->pins);
    info.kinds = pxi_load32(&p->kinds);
    info.conn = pxi_load32(&p->conn) - 1;
    info.gaps = pxi_load32(&p->gaps);
    info.rhythm_ns = pxi_load_time(&p->rhythm_ns);
    pxi_quality(b, pxi_load64(&p->quality), newest, pxi_now_ns(), &told);
    info.quality = told.quality;
    info.cause = told.cause;
    pxi_fence_acquire();
    if (pxi_load32(&p->generation) != info.generation)
        return -EAGAIN;
    *out = info;
    return 0;
}

/* `used` and the record behind it, as the versions of writer and reader agree: 1 word and `words`.
 */
static int record(const uint64_t *version, const uint64_t *used, void *out, const void *info,
                  size_t words)
{
    if (pxi_load64_acquire(used) == 0)
        return -ENOENT;
    return pxi_record_read(version, out, info, words) ? 0 : -EAGAIN;
}

int px_bus_conn_at(px_bus *b, uint32_t i, struct px_conn_info *out,
                   uint64_t latency[PX_LATENCY_BUCKETS])
{
    struct px_conn_info info;
    if (out == NULL)
        return -EINVAL;
    attend(b);
    if (i >= pxi_now(b)->conn_count)
        return -ERANGE;
    const struct pxl_conn *c = &pxi_now(b)->conns[i];
    int rc = record(&c->version, &c->used, &info, &c->info, WORDS(info));
    if (rc < 0)
        return rc;
    END(info.venue);
    END(info.endpoint);
    END(info.reason);
    *out = info;
    for (unsigned k = 0; latency != NULL && k < PX_LATENCY_BUCKETS; k++)
        latency[k] = pxi_load64(&c->latency[k]);
    return 0;
}

int px_bus_reader_at(px_bus *b, uint32_t i, struct px_reader_info *out)
{
    struct px_reader_info info;
    if (out == NULL)
        return -EINVAL;
    attend(b);
    if (i >= pxi_now(b)->reader_count)
        return -ERANGE;
    const struct pxl_reader *r = &pxi_now(b)->readers[i];
    int rc = record(&r->version, &r->used, &info, &r->info, WORDS(info));
    if (rc < 0)
        return rc;
    END(info.name);
    *out = info;
    return 0;
}

int px_bus_error_at(px_bus *b, uint32_t i, struct px_error_info *out)
{
    struct px_error_info info;
    if (out == NULL)
        return -EINVAL;
    attend(b);
    if (i >= pxi_now(b)->error_count)
        return -ERANGE;
    const struct pxl_error *e = &pxi_now(b)->errors[i];
    int rc = record(&e->version, &e->used, &info, &e->info, WORDS(info));
    if (rc < 0)
        return rc;
    END(info.kind);
    END(info.text);
    *out = info;
    return 0;
}

int px_bus_counter_at(px_bus *b, uint32_t i, struct px_counter_info *out)
{
    struct pxl_counter c;
    if (out == NULL)
        return -EINVAL;
    attend(b);
    const struct pxi_segment *s = pxi_now(b);
    uint32_t used = pxi_load32_acquire(&s->header->counters_used);
    if (i >= s->counter_count || i >= used)
        return -ERANGE;
    const uint64_t *from = (const uint64_t *)(const void *)&s->counters[i];
    for (size_t k = 0; k < WORDS(c); k++) {
        uint64_t word = pxi_load64(&from[k]);
        memcpy((char *)&c + 8 * k, &word, sizeof word);
    }
    memset(out, 0, sizeof *out);
    memcpy(out->name, c.name, sizeof out->name);
    memcpy(out->unit, c.unit, sizeof out->unit);
    memcpy(out->description, c.description, sizeof out->description);
    END(out->name);
    END(out->unit);
    END(out->description);
    out->type = c.type;
    out->value = pxi_load64(&s->values[(size_t)i * (PXL_LINE / 8)]);
    return 0;
}

int px_bus_memory_verdict(px_bus *b, struct px_memory_verdict *out)
{
    struct px_memory_verdict v;
    if (out == NULL)
        return -EINVAL;
    attend(b);
    const struct pxl_header *h = pxi_now(b)->header;
    if (!pxi_record_read(&h->verdict_version, (uint64_t *)&v, (const uint64_t *)&h->verdict,
                         WORDS(v)))
        return -EAGAIN;
    if (v.mono_ns == 0)
        return -ENOENT;
    *out = v;
    return 0;
}

/* Sample i back from the newest: `next` counts all that were ever written. */
static int sample(const struct pxl_sample *ring, uint32_t count, uint32_t next, uint32_t i,
                  struct px_memory_sample *out)
{
    struct px_memory_sample s;
    if (i >= count)
        return -ERANGE;
    if (i >= next)
        return -ENOENT;
    const struct pxl_sample *place = &ring[(next - 1 - i) % count];
    if (!pxi_record_read(&place->version, (uint64_t *)&s, (const uint64_t *)&place->info, WORDS(s)))
        return -EAGAIN;
    *out = s;
    return 0;
}

int px_bus_memory_second(px_bus *b, uint32_t i, struct px_memory_sample *out)
{
    if (out == NULL)
        return -EINVAL;
    attend(b);
    const struct pxi_segment *s = pxi_now(b);
    return sample(s->seconds, s->second_count, pxi_load32_acquire(&s->header->seconds_next), i,
                  out);
}

int px_bus_memory_minute(px_bus *b, uint32_t i, struct px_memory_sample *out)
{
    if (out == NULL)
        return -EINVAL;
    attend(b);
    const struct pxi_segment *s = pxi_now(b);
    return sample(s->minutes, s->minute_count, pxi_load32_acquire(&s->header->minutes_next), i,
                  out);
}
