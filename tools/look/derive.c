/* See derive.h. */
#include "derive.h"

#include <math.h>
#include <string.h>

int64_t derive_age_ns(int64_t now_ns, int64_t then_ns)
{
    return then_ns == 0 ? -1 : now_ns > then_ns ? now_ns - then_ns : 0;
}

int64_t derive_left_ns(int64_t now_ns, int64_t then_ns)
{
    return then_ns == 0 ? -1 : then_ns > now_ns ? then_ns - now_ns : 0;
}

int derive_judged(const struct px_memory_verdict *v)
{
    return v->mono_ns != 0 && v->trend != PX_TREND_UNKNOWN;
}

double derive_growth_bytes_per_hour(const struct px_memory_verdict *v)
{
    return derive_judged(v) ? (double)v->growth_bytes_per_hour : (double)NAN;
}

double derive_confidence(const struct px_memory_verdict *v)
{
    return derive_judged(v) ? (double)v->confidence_ppm / 1e6 : (double)NAN;
}

double derive_behind_us(const struct px_conn_info *c)
{
    return c->seconds > 0 ? (double)c->behind_ns / (double)c->seconds / 1e3 : (double)NAN;
}

double latency_bound_ns(unsigned b)
{
    return b < 8 ? (double)b : ldexp((double)(4 + b % 4), (int)(b / 4) - 1);
}

/* The value that `rank` of the counted times do not exceed, taken evenly spread inside a bucket. */
static double percentile_ns(const uint64_t buckets[PX_LATENCY_BUCKETS], double rank, double max_ns)
{
    double before = 0;
    for (unsigned b = 0; b < PX_LATENCY_BUCKETS; b++) {
        double here = (double)buckets[b];
        if (here > 0 && before + here >= rank) {
            double from = latency_bound_ns(b), to = latency_bound_ns(b + 1);
            double value = from + (to - from) * (rank - before) / here;
            return value < max_ns ? value : max_ns;
        }
        before += here;
    }
    return max_ns;
}

struct latency latency_of(const uint64_t buckets[PX_LATENCY_BUCKETS], uint64_t max_ns)
{
    struct latency l = {.p50_us = NAN, .p99_us = NAN, .p999_us = NAN, .max_us = NAN};
    /* The maximum is published with the record, now and then; the buckets as they are counted. */
    double max = (double)max_ns;
    for (unsigned b = 0; b < PX_LATENCY_BUCKETS; b++) {
        l.count += buckets[b];
        if (buckets[b] > 0 && max < latency_bound_ns(b))
            max = latency_bound_ns(b);
    }
    if (l.count == 0)
        return l;
    l.max_us = max / 1e3;
    l.p50_us = percentile_ns(buckets, 0.50 * (double)l.count, max) / 1e3;
    l.p99_us = percentile_ns(buckets, 0.99 * (double)l.count, max) / 1e3;
    l.p999_us = percentile_ns(buckets, 0.999 * (double)l.count, max) / 1e3;
    return l;
}

double derive_since(uint64_t now, uint64_t before)
{
    return (double)(now >= before ? now - before : now);
}

double derive_seconds(const struct snapshot *now, const struct snapshot *before)
{
    if (before == NULL || now->mono_ns <= before->mono_ns)
        return (double)NAN;
    return (double)(now->mono_ns - before->mono_ns) / 1e9;
}

const struct conn *derive_earlier_conn(const struct snapshot *before, const struct conn *conn)
{
    for (size_t i = 0; before != NULL && i < before->conn_count; i++)
        if (before->conns[i].place == conn->place &&
            before->conns[i].info.owner_epoch == conn->info.owner_epoch)
            return &before->conns[i];
    return NULL;
}

double derive_ticks_per_s(const struct snapshot *now, const struct snapshot *before)
{
    if (before == NULL || before->bus.head > now->bus.head)
        return (double)NAN;
    return (double)(now->bus.head - before->bus.head) / derive_seconds(now, before);
}

struct conn_rates derive_conn_rates(const struct snapshot *now, const struct snapshot *before,
                                    const struct conn *conn)
{
    static const struct px_conn_info none;
    const struct conn *old = derive_earlier_conn(before, conn);
    const struct px_conn_info *c = &conn->info, *was = old != NULL ? &old->info : &none;
    double seconds = derive_seconds(now, before);
    return (struct conn_rates){derive_since(c->messages, was->messages) / seconds,
                               derive_since(c->bytes, was->bytes) / seconds,
                               derive_since(c->ticks, was->ticks) / seconds};
}

static uint64_t ticks_of(const struct px_symbol_info *symbol)
{
    uint64_t sum = 0;
    for (size_t k = 0; k < PX_CELL_KINDS; k++)
        sum += symbol->ticks[k];
    return sum;
}

/* Both lists are in order of slot: one walk over the two finds every pair. */
void derive_symbol_rates(const struct snapshot *now, const struct snapshot *before, double *rates)
{
    double seconds = derive_seconds(now, before);
    size_t k = 0, count = before != NULL ? before->symbol_count : 0;
    for (size_t i = 0; i < now->symbol_count; i++) {
        const struct px_symbol_info *symbol = &now->symbols[i], *old = NULL;
        while (k < count && before->symbols[k].slot < symbol->slot)
            k++;
        if (k < count && before->symbols[k].slot == symbol->slot &&
            strcmp(before->symbols[k].symbol, symbol->symbol) == 0)
            old = &before->symbols[k];
        /* one that was there and could not be read then has no rate now */
        int unread = old == NULL && before != NULL && symbol->bind_seq <= before->bus.head;
        rates[i] = unread
                       ? (double)NAN
                       : derive_since(ticks_of(symbol), old != NULL ? ticks_of(old) : 0) / seconds;
    }
}

double derive_lost_per_s(const struct snapshot *now, const struct snapshot *before,
                         const struct px_reader_info *reader)
{
    const struct px_reader_info *old = before != NULL ? snapshot_reader(before, reader) : NULL;
    return derive_since(reader->lost, old != NULL ? old->lost : 0) / derive_seconds(now, before);
}

struct latency derive_latency(const struct snapshot *now, const struct snapshot *before)
{
    uint64_t buckets[PX_LATENCY_BUCKETS] = {0}, max_ns = 0;
    for (size_t i = 0; i < now->conn_count; i++) {
        const struct conn *c = &now->conns[i], *old = derive_earlier_conn(before, c);
        if (c->info.latency_max_ns > max_ns)
            max_ns = c->info.latency_max_ns;
        for (unsigned b = 0; b < PX_LATENCY_BUCKETS; b++)
            buckets[b] += old == NULL || c->buckets[b] < old->buckets[b]
                              ? c->buckets[b]
                              : c->buckets[b] - old->buckets[b];
    }
    return latency_of(buckets, max_ns);
}
