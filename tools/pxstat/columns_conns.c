/* Columns of the connections. See columns.h. */
#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "columns_put.h"

static const struct px_conn_info *conn(const struct model *m, size_t i)
{
    return &m->now->conns[i].info;
}

static struct conn_rates conn_rates(const struct model *m, size_t i)
{
    return derive_conn_rates(m->now, m->before, &m->now->conns[i]);
}

static int64_t conn_age(const struct model *m, size_t i)
{
    return derive_age_ns(m->now->mono_ns, conn(m, i)->message_mono_ns);
}

static enum tone put_venue(const struct model *m, size_t i, char *out)
{
    return put_text(out, TONE_PLAIN, conn(m, i)->venue);
}

/* The record of a feeder that is gone says how it was. */
static enum tone put_conn_state(const struct model *m, size_t i, char *out)
{
    uint32_t state = conn(m, i)->state;
    int runs = feeder_runs(&m->subject->health);
    snprintf(out, COLUMN_BYTES, "%s%s", runs ? "" : "was ", px_conn_state_name(state));
    return !runs ? TONE_DIM : state == PX_CONN_LIVE ? TONE_GOOD : TONE_WARN;
}

static enum tone put_breaker(const struct model *m, size_t i, char *out)
{
    uint32_t breaker = conn(m, i)->breaker;
    enum tone tone = breaker == PX_BREAKER_OPEN     ? TONE_BAD
                     : breaker == PX_BREAKER_CLOSED ? TONE_PLAIN
                                                    : TONE_WARN;
    return put_text(out, tone, px_breaker_name(breaker));
}

static enum tone put_messages_rate(const struct model *m, size_t i, char *out)
{
    return put_number(out, conn_rates(m, i).messages);
}

static enum tone put_bytes_rate(const struct model *m, size_t i, char *out)
{
    return put_number(out, conn_rates(m, i).bytes / 1e3);
}

static enum tone put_ticks_rate(const struct model *m, size_t i, char *out)
{
    return put_number(out, conn_rates(m, i).ticks);
}

static enum tone put_conn_age(const struct model *m, size_t i, char *out)
{
    return put_duration(out, conn_age(m, i));
}

static enum tone put_p50(const struct model *m, size_t i, char *out)
{
    return put_number(out, m->now->conns[i].latency.p50_us);
}

static enum tone put_p99(const struct model *m, size_t i, char *out)
{
    return put_number(out, m->now->conns[i].latency.p99_us);
}

static enum tone put_p999(const struct model *m, size_t i, char *out)
{
    return put_number(out, m->now->conns[i].latency.p999_us);
}

static enum tone put_conn_gaps(const struct model *m, size_t i, char *out)
{
    return put_losses(out, conn(m, i)->gaps);
}

static enum tone put_reconnects(const struct model *m, size_t i, char *out)
{
    return put_count(out, conn(m, i)->reconnects);
}

static enum tone put_streams(const struct model *m, size_t i, char *out)
{
    const struct px_conn_info *c = conn(m, i);
    snprintf(out, COLUMN_BYTES, "%" PRIu32 "/%" PRIu32, c->streams_acked, c->streams_wanted);
    return c->streams_acked < c->streams_wanted ? TONE_WARN : TONE_PLAIN;
}

static enum tone put_endpoint(const struct model *m, size_t i, char *out)
{
    return put_text(out, TONE_DIM, conn(m, i)->endpoint);
}

/* What ails is told in place of rates, which are then of no interest. */
static int conn_note(const struct model *m, size_t i, char *out)
{
    const struct px_conn_info *c = conn(m, i);
    char next[SHORT_BYTES];
    int64_t left_ns = derive_left_ns(m->now->mono_ns, c->next_mono_ns);
    if (c->state == PX_CONN_LIVE)
        return 0;
    if (c->state == PX_CONN_WAITING && left_ns > 0)
        snprintf(out, COLUMN_BYTES, "next in %s; %s", short_duration(next, left_ns), c->reason);
    else
        snprintf(out, COLUMN_BYTES, "%s", c->reason);
    return 1;
}

static double key_conn_state(const struct model *m, size_t i)
{
    return conn(m, i)->state != PX_CONN_LIVE;
}

static double key_breaker(const struct model *m, size_t i)
{
    uint32_t breaker = conn(m, i)->breaker;
    return breaker == PX_BREAKER_OPEN ? 2 : breaker == PX_BREAKER_HALF_OPEN;
}

static double key_messages_rate(const struct model *m, size_t i)
{
    return conn_rates(m, i).messages;
}

static double key_bytes_rate(const struct model *m, size_t i)
{
    return conn_rates(m, i).bytes;
}

static double key_ticks_rate(const struct model *m, size_t i)
{
    return conn_rates(m, i).ticks;
}

static double key_conn_age(const struct model *m, size_t i)
{
    return age_key(conn_age(m, i));
}

static double key_p50(const struct model *m, size_t i)
{
    return m->now->conns[i].latency.p50_us;
}

static double key_p99(const struct model *m, size_t i)
{
    return m->now->conns[i].latency.p99_us;
}

static double key_p999(const struct model *m, size_t i)
{
    return m->now->conns[i].latency.p999_us;
}

static double key_conn_gaps(const struct model *m, size_t i)
{
    return (double)conn(m, i)->gaps;
}

static double key_reconnects(const struct model *m, size_t i)
{
    return (double)conn(m, i)->reconnects;
}

static double key_streams(const struct model *m, size_t i)
{
    return conn(m, i)->streams_wanted;
}

static const struct column conn_columns[] = {
    {"CONNECTION", 12, 14, 0, 1, put_venue, NULL},
    {"STATE", 11, 11, 0, 1, put_conn_state, key_conn_state},
    {"BREAKER", 9, 9, 0, 1, put_breaker, key_breaker},
    {"MSG/S", 7, 7, 0, 0, put_messages_rate, key_messages_rate},
    {"LAST", 7, 7, 0, 0, put_conn_age, key_conn_age},
    {"P50us", 6, 6, 0, 0, put_p50, key_p50},
    {"P99us", 6, 6, 0, 0, put_p99, key_p99},
    {"P99.9us", 8, 8, 0, 0, put_p999, key_p999},
    {"GAPS", 5, 5, 0, 0, put_conn_gaps, key_conn_gaps},
    {"kB/S", 0, 7, COLUMN_WIDE, 0, put_bytes_rate, key_bytes_rate},
    {"RECONN", 0, 6, 104, 0, put_reconnects, key_reconnects},
    {"TICKS/S", 0, 7, 112, 0, put_ticks_rate, key_ticks_rate},
    {"STREAMS", 0, 9, 120, 0, put_streams, key_streams},
    {"ENDPOINT", 0, 0, 140, 1, put_endpoint, NULL},
};

static size_t conn_items(const struct model *m)
{
    return m->now->conn_count;
}

static const char *conn_name(const struct model *m, size_t i)
{
    return conn(m, i)->venue;
}

static int conn_holds(const struct model *m, size_t i, const char *text)
{
    const struct px_conn_info *c = conn(m, i);
    return strcasestr(c->venue, text) != NULL || strcasestr(c->endpoint, text) != NULL ||
           strcasestr(c->reason, text) != NULL ||
           strcasestr(px_breaker_name(c->breaker), text) != NULL ||
           strcasestr(px_conn_state_name(c->state), text) != NULL;
}

const struct pane_table conn_table = {
    .items = "connections",
    .columns = conn_columns,
    .count = sizeof conn_columns / sizeof conn_columns[0],
    .first_order = 1, /* what is not live first */
    .items_of = conn_items,
    .name = conn_name,
    .listed = list_everything,
    .holds = conn_holds,
    .note = conn_note,
    .note_from = 3,
};
