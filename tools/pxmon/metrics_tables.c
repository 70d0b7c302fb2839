/* See metrics_tables.h. */
#include "metrics_tables.h"

#include <inttypes.h>
#include <math.h>
#include <string.h>

#include "derive.h"
#include "meaning.h"

/* -- connections: their place in the segment tells two to the same endpoint apart -- */

#define CONN_COUNT(member)                                                              \
    static double conn_##member(const struct snapshot *s, const struct px_conn_info *c) \
    {                                                                                   \
        (void)s;                                                                        \
        return (double)c->member;                                                       \
    }
CONN_COUNT(messages)
CONN_COUNT(bytes)
CONN_COUNT(ticks)
CONN_COUNT(gaps)
CONN_COUNT(duplicates)
CONN_COUNT(refused_frames)
CONN_COUNT(attempts)
CONN_COUNT(reconnects)
CONN_COUNT(streams_wanted)
CONN_COUNT(streams_acked)

static double conn_up(const struct snapshot *s, const struct px_conn_info *c)
{
    (void)s;
    return c->state == PX_CONN_LIVE;
}

static double conn_breaker(const struct snapshot *s, const struct px_conn_info *c)
{
    (void)s;
    return c->breaker == PX_BREAKER_OPEN;
}

static double conn_age(const struct snapshot *s, const struct px_conn_info *c)
{
    int64_t age_ns = derive_age_ns(s->mono_ns, c->message_mono_ns);
    return age_ns < 0 ? (double)NAN : (double)age_ns / 1e9;
}

static const struct conn_family {
    struct family family;
    double (*value)(const struct snapshot *s, const struct px_conn_info *c);
} conn_families[] = {
    {{"px_connection_up", FAMILY_GAUGE, "1 while the connection is live"}, conn_up},
    {{"px_connection_breaker_open", FAMILY_GAUGE, "1 while no attempt is allowed"}, conn_breaker},
    {{"px_connection_message_age_seconds", FAMILY_GAUGE, TEXT_MESSAGE}, conn_age},
    {{"px_connection_messages", FAMILY_COUNTER, TEXT_MESSAGES}, conn_messages},
    {{"px_connection_received_bytes", FAMILY_COUNTER, TEXT_BYTES}, conn_bytes},
    {{"px_connection_published_ticks", FAMILY_COUNTER, TEXT_TICKS}, conn_ticks},
    {{"px_connection_gaps", FAMILY_COUNTER, TEXT_GAPS}, conn_gaps},
    {{"px_connection_duplicates", FAMILY_COUNTER, TEXT_DUPLICATES}, conn_duplicates},
    {{"px_connection_refused_frames", FAMILY_COUNTER, TEXT_REFUSED}, conn_refused_frames},
    {{"px_connection_attempts", FAMILY_COUNTER, TEXT_ATTEMPTS}, conn_attempts},
    {{"px_connection_reconnects", FAMILY_COUNTER, TEXT_RECONNECTS}, conn_reconnects},
    {{"px_connection_streams_wanted", FAMILY_GAUGE, TEXT_WANTED}, conn_streams_wanted},
    {{"px_connection_streams_acked", FAMILY_GAUGE, TEXT_ACKED}, conn_streams_acked},
};

static const struct family latency_family = {"px_connection_latency_seconds", FAMILY_HISTOGRAM,
                                             TEXT_LATENCY};

struct conn_labels {
    char place[12];
    struct label labels[4];
};

static void label_conn(struct conn_labels *l, const struct conn *conn)
{
    snprintf(l->place, sizeof l->place, "%" PRIu32, conn->place);
    l->labels[0] = (struct label){"venue", conn->info.venue};
    l->labels[1] = (struct label){"endpoint", conn->info.endpoint};
    l->labels[2] = (struct label){"place", l->place};
    l->labels[3] = (struct label){NULL, NULL};
}

/* One bucket to an octave, from 128 ns to 4.3 s: of the segment's four, which is fine enough for
 * a time series. Times are whole nanoseconds; one that is exactly a bound counts above it. */
#define OCTAVE_FIRST 7
#define OCTAVE_LAST  32

static void put_histogram(struct exposition *e, const struct conn *conn, const struct label *labels)
{
    uint64_t sum = 0;
    unsigned b = 0;
    for (int octave = OCTAVE_FIRST; octave <= OCTAVE_LAST; octave++) {
        double bound = ldexp(1.0, octave);
        for (; b < PX_LATENCY_BUCKETS && latency_bound_ns(b) < bound; b++)
            sum += conn->buckets[b];
        expo_bucket(e, labels, bound / 1e9, sum);
    }
    for (; b < PX_LATENCY_BUCKETS; b++)
        sum += conn->buckets[b];
    expo_bucket(e, labels, (double)INFINITY, sum);
}

void metrics_put_conns(struct exposition *e, const struct snapshot *s)
{
    struct conn_labels l;
    for (size_t f = 0; f < sizeof conn_families / sizeof conn_families[0]; f++) {
        expo_family(e, &conn_families[f].family);
        for (size_t i = 0; i < s->conn_count; i++) {
            label_conn(&l, &s->conns[i]);
            expo_sample(e, l.labels, conn_families[f].value(s, &s->conns[i].info));
        }
    }
    expo_family(e, &latency_family);
    for (size_t i = 0; i < s->conn_count; i++) {
        label_conn(&l, &s->conns[i]);
        put_histogram(e, &s->conns[i], l.labels);
    }
}

/* -- readers: a process may be attached more than once, which is one line here -- */

static uint64_t lag_of(const struct px_reader_info *r)
{
    return r->lag;
}

static uint64_t lost_of(const struct px_reader_info *r)
{
    return r->lost;
}

static uint64_t subscriptions_of(const struct px_reader_info *r)
{
    return r->subscriptions;
}

static const struct reader_family {
    struct family family;
    uint64_t (*value)(const struct px_reader_info *r);
    bool largest; /* of those of one process, else their sum */
} reader_families[] = {
    {{"px_reader_lag_ticks", FAMILY_GAUGE, TEXT_LAG}, lag_of, true},
    {{"px_reader_lost_ticks", FAMILY_COUNTER, TEXT_LOST}, lost_of, false},
    {{"px_reader_subscriptions", FAMILY_GAUGE, TEXT_SUBSCRIBES}, subscriptions_of, false},
};

static bool same_process(const struct px_reader_info *a, const struct px_reader_info *b)
{
    return a->pid == b->pid && strcmp(a->name, b->name) == 0;
}

static void put_reader(struct exposition *e, const struct snapshot *s, size_t i,
                       const struct reader_family *f)
{
    char pid[12];
    uint64_t value = 0;
    for (size_t k = 0; k < s->reader_count; k++) {
        if (!same_process(&s->readers[k], &s->readers[i]))
            continue;
        if (k < i)
            return; /* it has its line */
        uint64_t one = f->value(&s->readers[k]);
        value = !f->largest ? value + one : one > value ? one : value;
    }
    snprintf(pid, sizeof pid, "%" PRId32, s->readers[i].pid);
    const struct label labels[] = {{"reader", s->readers[i].name}, {"pid", pid}, {NULL, NULL}};
    expo_count(e, labels, value);
}

void metrics_put_readers(struct exposition *e, const struct snapshot *s)
{
    for (size_t f = 0; f < sizeof reader_families / sizeof reader_families[0]; f++) {
        expo_family(e, &reader_families[f].family);
        for (size_t i = 0; i < s->reader_count; i++)
            put_reader(e, s, i, &reader_families[f]);
    }
}

bool metrics_table_has(const char *name)
{
    for (size_t f = 0; f < sizeof conn_families / sizeof conn_families[0]; f++)
        if (strcmp(conn_families[f].family.name, name) == 0)
            return true;
    for (size_t f = 0; f < sizeof reader_families / sizeof reader_families[0]; f++)
        if (strcmp(reader_families[f].family.name, name) == 0)
            return true;
    return strcmp(latency_family.name, name) == 0;
}
