/* See sample.h. */
#include "sample.h"

#include <math.h>
#include <string.h>

#include "derive.h"

static void put_state(struct history_row *row, const struct subject *s)
{
    row->v[HISTORY_samples] = 1;
    row->v[HISTORY_health] = s->health.code;
    row->v[HISTORY_up] =
        strcmp(s->health.state, "live") == 0 || strcmp(s->health.state, "idle") == 0;
}

static void put_bus(struct history_row *row, const struct subject *s)
{
    const struct snapshot *now = &s->now;
    double live = 0;
    for (size_t i = 0; i < now->conn_count; i++)
        live += now->conns[i].info.state == PX_CONN_LIVE;
    row->v[HISTORY_epoch] = (double)now->bus.epoch;
    row->v[HISTORY_heartbeat_ms] = floor((double)now->bus.heartbeat_age_ns / 1e6);
    row->v[HISTORY_connections_live] = live;
    row->v[HISTORY_breakers_open] = (double)s->health.breakers_open;
    row->v[HISTORY_subscribed] = (double)s->health.subscribed;
    row->v[HISTORY_symbols_stale] =
        (double)(s->health.of_quality[PX_STALE] + s->health.of_quality[PX_GAP]);
    row->v[HISTORY_readers] = (double)now->reader_count;
    row->v[HISTORY_lag] = 0;
    for (size_t i = 0; i < now->reader_count; i++)
        row->v[HISTORY_lag] = fmax(row->v[HISTORY_lag], (double)now->readers[i].lag);
}

static void put_memory(struct history_row *row, const struct snapshot *now)
{
    static const enum history_column owners[PX_OWNER_COUNT] = {
        [PX_OWNER_FEEDER] = HISTORY_feeder_bytes,
        [PX_OWNER_WEBSOCKET] = HISTORY_websocket_bytes,
        [PX_OWNER_TLS] = HISTORY_tls_bytes,
        [PX_OWNER_JSON] = HISTORY_json_bytes};
    const struct px_memory_verdict *v = &now->verdict;
    row->v[HISTORY_growth_mb_per_hour] = derive_growth_bytes_per_hour(v) / 1e6;
    if (!now->has_memory)
        return;
    row->v[HISTORY_rss_bytes] = (double)now->memory.rss_bytes;
    row->v[HISTORY_heap_bytes] = (double)now->memory.heap_bytes;
    for (int o = 0; o < PX_OWNER_COUNT; o++)
        row->v[owners[o]] = (double)now->memory.owner_bytes[o];
}

/* Of the ticks of this second alone: the segment's histograms are since the start. */
static void put_latency(struct history_row *row, const struct snapshot *now,
                        const struct snapshot *before)
{
    const struct latency l = derive_latency(now, before);
    row->v[HISTORY_p50_us] = l.p50_us;
    row->v[HISTORY_p99_us] = l.p99_us;
}

static void put_changes(struct history_row *row, const struct snapshot *now,
                        const struct snapshot *before)
{
    double messages = 0, gaps = 0, reconnects = 0, lost = 0;
    for (size_t i = 0; i < now->conn_count; i++) {
        static const struct px_conn_info none;
        const struct px_conn_info *c = &now->conns[i].info;
        const struct conn *old = derive_earlier_conn(before, &now->conns[i]);
        const struct px_conn_info *was = old != NULL ? &old->info : &none;
        messages += derive_since(c->messages, was->messages);
        gaps += derive_since(c->gaps, was->gaps);
        reconnects += derive_since(c->reconnects, was->reconnects);
    }
    for (size_t i = 0; i < now->reader_count; i++) {
        const struct px_reader_info *old = snapshot_reader(before, &now->readers[i]);
        lost += derive_since(now->readers[i].lost, old != NULL ? old->lost : 0);
    }
    row->v[HISTORY_ticks] = derive_since(now->bus.head, before->bus.head);
    row->v[HISTORY_ticks_per_s] = round(row->v[HISTORY_ticks] / derive_seconds(now, before));
    row->v[HISTORY_messages] = messages;
    row->v[HISTORY_gaps] = gaps;
    row->v[HISTORY_reconnects] = reconnects;
    row->v[HISTORY_lost] = lost;
    put_latency(row, now, before);
}

void sample_row(struct history_row *row, const struct subject *s, int64_t t)
{
    row->t = t;
    for (int i = 0; i < HISTORY_COLUMN_COUNT; i++)
        row->v[i] = (double)NAN;
    put_state(row, s);
    if (!s->has_now)
        return;
    put_bus(row, s);
    put_memory(row, &s->now);
    if (s->has_before)
        put_changes(row, &s->now, &s->before);
}
