/* The object of pxstat --json: scripts depend on its names. Fields may be added, none may go. */
#include "look_json.h"

#include <math.h>
#include <string.h>

#include "derive.h"
#include "json_out.h"
#include "pages.h"

/* ns as ms, null below zero. */
static void put_ms(struct json_out *out, const char *key, int64_t ns)
{
    if (ns < 0)
        jout_null(out, key);
    else
        jout_signed(out, key, ns / 1000000);
}

/* Age of a moment on CLOCK_MONOTONIC, null if it never was. */
static void put_age(struct json_out *out, const char *key, int64_t now_ns, int64_t then_ns)
{
    put_ms(out, key, derive_age_ns(now_ns, then_ns));
}

static void put_bus(struct json_out *out, const struct snapshot *s)
{
    jout_object(out, "bus");
    jout_text(out, "name", s->bus.bus);
    jout_unsigned(out, "epoch", s->bus.epoch);
    jout_unsigned(out, "capacity", s->bus.capacity);
    jout_unsigned(out, "symbols", s->bus.symbols);
    jout_unsigned(out, "evictions", s->evictions);
    jout_unsigned(out, "ring", s->bus.ring);
    jout_unsigned(out, "bytes", s->bus.bytes);
    jout_unsigned(out, "sequence", s->bus.head);
    jout_end_object(out);
}

static void put_feeder(struct json_out *out, const struct snapshot *s, const struct health *health)
{
    jout_object(out, "feeder");
    jout_signed(out, "pid", s->bus.pid);
    jout_text(out, "state", health->state);
    jout_signed(out, "heartbeat_age_ms", s->bus.heartbeat_age_ns / 1000000);
    jout_fixed(out, "uptime_s", (double)s->bus.uptime_ns / 1e9, 1);
    jout_text(out, "version", s->bus.version);
    jout_end_object(out);
}

/* -0.000 is not a number that anybody wants to read. */
static double no_minus_zero(double value)
{
    return fabs(value) < 0.0005 ? 0.0 : value;
}

static void put_trend(struct json_out *out, const struct px_memory_verdict *v)
{
    int judged = derive_judged(v);
    jout_fixed(out, "growth_mb_per_hour", no_minus_zero(derive_growth_bytes_per_hour(v) / 1e6), 3);
    jout_text(out, "trend", trend_name(v));
    jout_fixed(out, "confidence", derive_confidence(v), 4);
    jout_text(out, "owner", judged && v->owner < PX_OWNER_COUNT ? px_owner_name(v->owner) : NULL);
    if (judged && v->time_to_limit_s >= 0)
        jout_signed(out, "time_to_limit_s", v->time_to_limit_s);
    else
        jout_null(out, "time_to_limit_s");
}

static void put_sampled(struct json_out *out, const char *key, int has, uint64_t value)
{
    if (has)
        jout_unsigned(out, key, value);
    else
        jout_null(out, key);
}

static void put_pages(struct json_out *out, const struct snapshot *s)
{
    struct pages_told p;
    pages_of(s, &p);
    jout_object(out, "mlock");
    jout_text(out, "state", p.lock);
    jout_unsigned(out, "locked_bytes", p.locked_bytes);
    jout_text(out, "reason", p.lock_reason);
    jout_end_object(out);
    jout_object(out, "huge_pages");
    jout_text(out, "state", p.huge);
    jout_unsigned(out, "huge_heap_bytes", p.huge_heap_bytes);
    jout_unsigned(out, "huge_shm_bytes", p.huge_shm_bytes);
    jout_text(out, "reason", p.huge_reason);
    jout_end_object(out);
}

static void put_memory(struct json_out *out, const struct snapshot *s, const struct health *health)
{
    static const char *const levels[] = {"ok", "warning", "critical"};
    int has = s->has_memory;
    jout_object(out, "memory");
    put_sampled(out, "heap_bytes", has, s->memory.heap_bytes);
    put_sampled(out, "rss_bytes", has, s->memory.rss_bytes);
    jout_unsigned(out, "shm_bytes", s->bus.bytes);
    put_trend(out, &s->verdict);
    jout_text(out, "level",
              s->verdict.level <= PX_LEVEL_CRITICAL ? levels[s->verdict.level] : NULL);
    jout_object(out, "by_owner");
    for (uint32_t o = 0; o < PX_OWNER_COUNT; o++)
        put_sampled(out, px_owner_name(o), has, s->memory.owner_bytes[o]);
    jout_end_object(out);
    jout_object(out, "objects");
    put_sampled(out, "connections", has, s->memory.connections);
    put_sampled(out, "timers", has, s->memory.timers);
    jout_unsigned(out, "subscriptions", health->subscribed);
    jout_unsigned(out, "readers", s->reader_count);
    put_sampled(out, "descriptors", s->verdict.mono_ns != 0, s->verdict.descriptors);
    put_sampled(out, "blocks", s->verdict.mono_ns != 0, s->verdict.blocks);
    jout_end_object(out);
    put_pages(out, s);
    jout_end_object(out);
}

static void put_conn(struct json_out *out, const struct snapshot *s, const struct conn *conn)
{
    const struct px_conn_info *c = &conn->info;
    jout_object(out, NULL);
    jout_text(out, "venue", c->venue);
    jout_text(out, "endpoint", c->endpoint);
    jout_text(out, "state", px_conn_state_name(c->state));
    jout_text(out, "breaker", px_breaker_name(c->breaker));
    jout_unsigned(out, "reconnects", c->reconnects);
    jout_unsigned(out, "gaps", c->gaps);
    jout_unsigned(out, "messages", c->messages);
    put_age(out, "message_age_ms", s->mono_ns, c->message_mono_ns);
    jout_object(out, "latency_us");
    jout_fixed(out, "p50", conn->latency.p50_us, 1);
    jout_fixed(out, "p99", conn->latency.p99_us, 1);
    jout_fixed(out, "p999", conn->latency.p999_us, 1);
    jout_fixed(out, "max", conn->latency.max_us, 1);
    jout_end_object(out);
    jout_text(out, "reason", c->reason[0] != '\0' ? c->reason : NULL);
    put_ms(out, "next_attempt_ms", derive_left_ns(s->mono_ns, c->next_mono_ns));
    put_age(out, "state_age_ms", s->mono_ns, c->since_mono_ns);
    put_age(out, "bytes_age_ms", s->mono_ns, c->bytes_mono_ns);
    jout_unsigned(out, "attempts", c->attempts);
    jout_unsigned(out, "bytes", c->bytes);
    jout_unsigned(out, "ticks", c->ticks);
    jout_unsigned(out, "duplicates", c->duplicates);
    jout_unsigned(out, "firsts", c->firsts);
    jout_unsigned(out, "seconds", c->seconds);
    jout_fixed(out, "behind_us", derive_behind_us(c), 1);
    jout_unsigned(out, "refused_frames", c->refused_frames);
    jout_unsigned(out, "streams_wanted", c->streams_wanted);
    jout_unsigned(out, "streams_acked", c->streams_acked);
    jout_end_object(out);
}

static void put_symbol(struct json_out *out, const struct px_symbol_info *symbol)
{
    jout_object(out, NULL);
    jout_text(out, "symbol", symbol->symbol);
    jout_array(out, "kinds");
    for (uint32_t k = 0; k < PX_CELL_KINDS; k++)
        if ((symbol->kinds & (1u << k)) != 0)
            jout_text(out, NULL, px_kind_name(k));
    jout_end_array(out);
    jout_unsigned(out, "readers", symbol->pins);
    jout_text(out, "state", px_quality_name(symbol->quality));
    put_ms(out, "age_ms", symbol->age_ns);
    jout_text(out, "cause", symbol->quality != PX_LIVE ? px_cause_text(symbol->cause) : NULL);
    jout_text(out, "text", symbol->text[0] != '\0' ? symbol->text : NULL);
    jout_unsigned(out, "gaps", symbol->gaps);
    jout_end_object(out);
}

static void put_reader(struct json_out *out, const struct px_reader_info *reader)
{
    jout_object(out, NULL);
    jout_signed(out, "pid", reader->pid);
    jout_text(out, "name", reader->name);
    jout_unsigned(out, "subscriptions", reader->subscriptions);
    jout_unsigned(out, "lag", reader->lag);
    jout_unsigned(out, "lost", reader->lost);
    jout_unsigned(out, "uid", reader->uid);
    jout_bool(out, "sleeping", reader->sleeping != 0);
    jout_end_object(out);
}

static void put_error(struct json_out *out, const struct px_error_info *error)
{
    jout_object(out, NULL);
    jout_text(out, "kind", error->kind);
    jout_unsigned(out, "count", error->count);
    jout_text(out, "text", error->text);
    jout_signed(out, "first_utc_ns", error->first_utc_ns);
    jout_signed(out, "last_utc_ns", error->last_utc_ns);
    jout_end_object(out);
}

static void put_lists(struct json_out *out, const struct snapshot *s)
{
    jout_array(out, "connections");
    for (size_t i = 0; i < s->conn_count; i++)
        put_conn(out, s, &s->conns[i]);
    jout_end_array(out);
    jout_array(out, "subscriptions");
    for (size_t i = 0; i < s->symbol_count; i++)
        if (symbol_wanted(&s->symbols[i]))
            put_symbol(out, &s->symbols[i]);
    jout_end_array(out);
    jout_array(out, "readers");
    for (size_t i = 0; i < s->reader_count; i++)
        put_reader(out, &s->readers[i]);
    jout_end_array(out);
    jout_array(out, "errors");
    for (size_t i = 0; i < s->error_count; i++)
        put_error(out, &s->errors[i]);
    jout_end_array(out);
}

void look_json(FILE *file, const struct snapshot *s, const struct health *health)
{
    struct json_out out;
    jout_start(&out, file);
    jout_object(&out, NULL);
    put_bus(&out, s);
    put_feeder(&out, s, health);
    put_memory(&out, s, health);
    put_lists(&out, s);
    jout_object(&out, "counters");
    for (size_t i = 0; i < s->counter_count; i++)
        jout_unsigned(&out, s->counters[i].name, s->counters[i].value);
    jout_end_object(&out);
    jout_object(&out, "health");
    jout_signed(&out, "code", health->code);
    jout_text(&out, "word", health_word(health->code));
    jout_text(&out, "text", health->sentence);
    jout_end_object(&out);
    jout_end_object(&out);
    fputc('\n', file);
}
