/* The families of metrics, as tables: a new one is a line. Counters of the segment describe
 * themselves and are printed under their own names. */
#include "metrics.h"

#include <ctype.h>
#include <math.h>
#include <string.h>

#include "derive.h"
#include "exposition.h"
#include "meaning.h"
#include "metrics_tables.h"

bool metrics_wants_plain(const char *accept)
{
    return strstr(accept, "text/plain") != NULL &&
           strstr(accept, "application/openmetrics-text") == NULL && strstr(accept, "*/*") == NULL;
}

/* -- one value each -- */

static double health_code(const struct subject *s)
{
    return s->health.code;
}

static double feeder_up(const struct subject *s)
{
    return s->has_now &&
           (strcmp(s->health.state, "live") == 0 || strcmp(s->health.state, "idle") == 0);
}

static double heartbeat(const struct subject *s)
{
    return (double)s->now.bus.heartbeat_age_ns / 1e9;
}

static double uptime(const struct subject *s)
{
    return (double)s->now.bus.uptime_ns / 1e9;
}

static double epoch(const struct subject *s)
{
    return (double)s->now.bus.epoch;
}

static double sequence(const struct subject *s)
{
    return (double)s->now.bus.head;
}

static double capacity(const struct subject *s)
{
    return s->now.bus.capacity;
}

static double ring(const struct subject *s)
{
    return s->now.bus.ring;
}

static double segment_bytes(const struct subject *s)
{
    return (double)s->now.bus.bytes;
}

static double resident(const struct subject *s)
{
    return s->now.has_memory ? (double)s->now.memory.rss_bytes : (double)NAN;
}

static double heap(const struct subject *s)
{
    return s->now.has_memory ? (double)s->now.memory.heap_bytes : (double)NAN;
}

static double growth(const struct subject *s)
{
    return derive_growth_bytes_per_hour(&s->now.verdict) / 3600;
}

static double confidence(const struct subject *s)
{
    return derive_confidence(&s->now.verdict);
}

static double time_to_limit(const struct subject *s)
{
    const struct px_memory_verdict *v = &s->now.verdict;
    return derive_judged(v) && v->time_to_limit_s >= 0 ? (double)v->time_to_limit_s : (double)NAN;
}

static double memory_level(const struct subject *s)
{
    return s->now.verdict.level;
}

static double breakers_open(const struct subject *s)
{
    return (double)s->health.breakers_open;
}

static const struct single {
    struct family family;
    bool always; /* known without a bus too */
    double (*value)(const struct subject *s);
} singles[] = {
    {{"px_health", FAMILY_GAUGE, "0 healthy, 1 warning, 2 critical, 3 there is no bus"},
     true,
     health_code},
    {{"px_feeder_up", FAMILY_GAUGE, "1 while the feeder lives and moves"}, true, feeder_up},
    {{"px_heartbeat_age_seconds", FAMILY_GAUGE, TEXT_HEARTBEAT}, false, heartbeat},
    {{"px_uptime_seconds", FAMILY_GAUGE, TEXT_UPTIME}, false, uptime},
    {{"px_epoch", FAMILY_GAUGE, TEXT_EPOCH}, false, epoch},
    {{"px_published_ticks", FAMILY_COUNTER, "ticks published on the bus, over all epochs"},
     false,
     sequence},
    {{"px_capacity_slots", FAMILY_GAUGE, TEXT_CAPACITY}, false, capacity},
    {{"px_ring_ticks", FAMILY_GAUGE, TEXT_RING}, false, ring},
    {{"px_segment_bytes", FAMILY_GAUGE, TEXT_SEGMENT}, false, segment_bytes},
    {{"px_memory_resident_bytes", FAMILY_GAUGE, TEXT_RESIDENT}, false, resident},
    {{"px_memory_reserved_bytes", FAMILY_GAUGE, TEXT_HEAP}, false, heap},
    {{"px_memory_growth_bytes_per_second", FAMILY_GAUGE,
      "slope of memory (Sen's), absent until it is judged"},
     false,
     growth},
    {{"px_memory_growth_confidence_ratio", FAMILY_GAUGE, "confidence in that slope, 0 to 1"},
     false,
     confidence},
    {{"px_memory_time_to_limit_seconds", FAMILY_GAUGE,
      "until the hard limit at this slope, absent if never"},
     false,
     time_to_limit},
    {{"px_memory_level", FAMILY_GAUGE,
      "0 below the limits, 1 above the soft one, 2 above the hard one"},
     false,
     memory_level},
    {{"px_breakers_open", FAMILY_GAUGE, "connections whose breaker allows no attempt now"},
     false,
     breakers_open},
};

static const struct family bus_family = {"px_bus", FAMILY_INFO,
                                         "the bus, and the version of its feeder"};
static const struct family quality_family = {"px_subscribed_symbols", FAMILY_GAUGE,
                                             "symbols that somebody wants, by quality"};
static const struct family owner_family = {"px_memory_owner_bytes", FAMILY_GAUGE, TEXT_OWNER_HEAP};
static const struct family age_family = {"px_symbol_age_seconds", FAMILY_GAUGE, TEXT_AGE};
static const struct family error_family = {"px_errors", FAMILY_COUNTER,
                                           "errors that the feeder recorded, by kind"};
static const struct family rows_family = {
    "px_mon_history_rows", FAMILY_COUNTER,
    "rows of the history: written, or lost because they could not be"};
static const struct family self_family = {"px_mon_connections", FAMILY_GAUGE,
                                          "connections to pxmon: live are those of the dashboard"};

static void put_singles(struct exposition *e, const struct subject *s)
{
    for (size_t i = 0; i < sizeof singles / sizeof singles[0]; i++) {
        if (!s->has_now && !singles[i].always)
            continue;
        double value = singles[i].value(s);
        if (isnan(value))
            continue;
        expo_family(e, &singles[i].family);
        expo_sample(e, NULL, value);
    }
}

/* -- by label -- */

static void put_bus(struct exposition *e, const struct snapshot *s)
{
    const struct label labels[] = {{"bus", s->bus.bus}, {"version", s->bus.version}, {NULL, NULL}};
    expo_family(e, &bus_family);
    expo_count(e, labels, 1);
}

static void put_qualities(struct exposition *e, const struct health *health)
{
    expo_family(e, &quality_family);
    for (uint32_t q = 0; q < PX_QUALITY_COUNT; q++) {
        const struct label labels[] = {{"quality", px_quality_name(q)}, {NULL, NULL}};
        expo_count(e, labels, health->of_quality[q]);
    }
}

static void put_owners(struct exposition *e, const struct snapshot *s)
{
    if (!s->has_memory)
        return;
    expo_family(e, &owner_family);
    for (uint32_t o = 0; o < PX_OWNER_COUNT; o++) {
        const struct label labels[] = {{"owner", px_owner_name(o)}, {NULL, NULL}};
        expo_count(e, labels, s->memory.owner_bytes[o]);
    }
}

static void put_ages(struct exposition *e, const struct snapshot *s)
{
    expo_family(e, &age_family);
    for (size_t i = 0; i < s->symbol_count; i++) {
        const struct label labels[] = {{"symbol", s->symbols[i].symbol}, {NULL, NULL}};
        if (symbol_wanted(&s->symbols[i]) && s->symbols[i].age_ns >= 0)
            expo_sample(e, labels, (double)s->symbols[i].age_ns / 1e9);
    }
}

/* The same kind with another text is another record of the segment. */
static void put_errors(struct exposition *e, const struct snapshot *s)
{
    expo_family(e, &error_family);
    for (size_t i = 0; i < s->error_count; i++) {
        bool first = true;
        uint64_t count = 0;
        for (size_t k = 0; k < s->error_count; k++)
            if (strcmp(s->errors[k].kind, s->errors[i].kind) == 0) {
                first = first && k >= i;
                count += s->errors[k].count;
            }
        const struct label labels[] = {{"kind", s->errors[i].kind}, {NULL, NULL}};
        if (first)
            expo_count(e, labels, count);
    }
}

static void put_self(struct exposition *e, const struct metrics_self *self)
{
    static const struct label live[] = {{"kind", "live"}, {NULL, NULL}};
    static const struct label other[] = {{"kind", "other"}, {NULL, NULL}};
    expo_family(e, &self_family);
    expo_count(e, live, self->live);
    expo_count(e, other, self->connections - self->live);
    static const struct label written[] = {{"kind", "written"}, {NULL, NULL}};
    static const struct label lost[] = {{"kind", "lost"}, {NULL, NULL}};
    expo_family(e, &rows_family);
    expo_count(e, written, self->rows);
    expo_count(e, lost, self->rows_lost);
}

/* -- counters of the segment -- */

static bool is_taken(const char *name)
{
    const struct family *others[] = {&bus_family,   &quality_family, &owner_family, &age_family,
                                     &error_family, &self_family,    &rows_family};
    for (size_t i = 0; i < sizeof others / sizeof others[0]; i++)
        if (strcmp(others[i]->name, name) == 0)
            return true;
    for (size_t i = 0; i < sizeof singles / sizeof singles[0]; i++)
        if (strcmp(singles[i].family.name, name) == 0)
            return true;
    return metrics_table_has(name);
}

static bool is_name(const char *name)
{
    if (!isalpha((unsigned char)name[0]))
        return false;
    for (; *name != '\0'; name++)
        if (!isalnum((unsigned char)*name) && *name != '_')
            return false;
    return true;
}

/* A bus may be fed by a program that is not ours: its names are taken only where they fit. */
static void put_counters(struct exposition *e, const struct snapshot *s)
{
    for (size_t i = 0; i < s->counter_count; i++) {
        const struct px_counter_info *c = &s->counters[i];
        char name[sizeof c->name + 4], help[sizeof c->description + sizeof c->unit + 4];
        bool twice = false;
        snprintf(name, sizeof name, "px_%s", c->name);
        snprintf(help, sizeof help, "%s (%s)", c->description, c->unit);
        for (size_t k = 0; k < i; k++)
            twice = twice || strcmp(s->counters[k].name, c->name) == 0;
        if (twice || !is_name(c->name) || is_taken(name))
            continue;
        const struct family family = {name, c->type == PX_LEVEL ? FAMILY_GAUGE : FAMILY_COUNTER,
                                      help};
        expo_family(e, &family);
        expo_count(e, NULL, c->value);
    }
}

void metrics_print(FILE *file, bool plain, const struct subject *s, const struct metrics_self *self)
{
    struct exposition e = {.file = file, .plain = plain};
    put_singles(&e, s);
    if (s->has_now) {
        put_bus(&e, &s->now);
        put_qualities(&e, &s->health);
        put_owners(&e, &s->now);
        put_ages(&e, &s->now);
        metrics_put_conns(&e, &s->now);
        metrics_put_readers(&e, &s->now);
        put_errors(&e, &s->now);
        put_counters(&e, &s->now);
    }
    put_self(&e, self);
    expo_end(&e);
}
