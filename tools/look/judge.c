/* Judges a snapshot by the rules that the manual page states under EXIT STATUS. */
#include "judge.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "cli.h"
#include "derive.h"

#define SECOND_NS       INT64_C(1000000000)
#define HEARTBEAT_WARN  (1 * SECOND_NS)
#define HEARTBEAT_FATAL (5 * SECOND_NS)

/* Raise the code, and say why: several reasons make one sentence. */
__attribute__((format(printf, 3, 4))) static void find(struct health *h, int code,
                                                       const char *format, ...)
{
    size_t used = strlen(h->sentence);
    if (used > 0)
        used += (size_t)snprintf(h->sentence + used, sizeof h->sentence - used, "; ");
    if (used < sizeof h->sentence) {
        va_list args;
        va_start(args, format);
        vsnprintf(h->sentence + used, sizeof h->sentence - used, format, args);
        va_end(args);
    }
    if (code > h->code)
        h->code = code;
}

/* Connections of a venue share its breaker: it counts once. */
static size_t opens_another(const struct snapshot *s, size_t i)
{
    const struct px_conn_info *c = &s->conns[i].info;
    for (size_t k = 0; k < i && c->breaker == PX_BREAKER_OPEN; k++)
        if (s->conns[k].info.breaker == PX_BREAKER_OPEN &&
            strcmp(s->conns[k].info.venue, c->venue) == 0)
            return 0;
    return c->breaker == PX_BREAKER_OPEN;
}

static void count_symbols(const struct snapshot *s, struct health *h)
{
    for (size_t i = 0; i < s->symbol_count; i++) {
        if (!symbol_wanted(&s->symbols[i]))
            continue;
        h->subscribed++;
        if (s->symbols[i].quality < PX_QUALITY_COUNT)
            h->of_quality[s->symbols[i].quality]++;
    }
    for (size_t i = 0; i < s->conn_count; i++)
        h->breakers_open += opens_another(s, i);
}

/* Whether there is a feeder, and whether it moves. */
static void judge_feeder(const struct snapshot *s, struct health *h)
{
    char age[CLI_NUMBER_MAX];
    int pid = (int)s->bus.pid;
    cli_duration(age, s->bus.heartbeat_age_ns);
    if (s->bus.state == PX_STATE_CLOSED) {
        h->state = "closed";
        find(h, HEALTH_CRITICAL, "the feeder ended in order %s ago, prices stand still", age);
    } else if (s->holder == HOLDER_GONE) {
        h->state = "gone";
        find(h, HEALTH_CRITICAL,
             "the feeder is gone: pid %d ended without closing the bus, last sign of life %s ago",
             pid, age);
    } else if (s->bus.state == PX_STATE_RETIRED) {
        h->state = "retired";
        find(h, HEALTH_CRITICAL, "the segment is retired and its successor is not there");
    } else if (s->bus.heartbeat_age_ns >= HEARTBEAT_WARN) {
        int fatal = s->bus.heartbeat_age_ns > HEARTBEAT_FATAL;
        h->state = "stalled";
        find(h, fatal ? HEALTH_CRITICAL : HEALTH_WARNING,
             "the feeder gives no sign of life for %s: pid %d %s", age, pid,
             s->process_state == 'T'   ? "is stopped by a signal"
             : s->process_state == 'D' ? "waits for the kernel"
                                       : "hangs");
    } else {
        h->state = h->subscribed == 0 ? "idle" : "live";
    }
}

/* The first of the worst, so that the sentence can name one. */
static const struct px_symbol_info *first_of(const struct snapshot *s, uint32_t quality)
{
    for (size_t i = 0; i < s->symbol_count; i++)
        if (symbol_wanted(&s->symbols[i]) && s->symbols[i].quality == quality)
            return &s->symbols[i];
    return NULL;
}

static void judge_symbols(const struct snapshot *s, struct health *h)
{
    static const struct {
        uint32_t quality;
        const char *words;
    } bad[] = {{PX_STALE, "stale"}, {PX_GAP, "missing ticks"}};
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        size_t count = h->of_quality[bad[i].quality];
        if (count == 0)
            continue;
        const struct px_symbol_info *symbol = first_of(s, bad[i].quality);
        const char *cause = symbol != NULL ? px_cause_text(symbol->cause) : "";
        if (count == 1)
            find(h, HEALTH_WARNING, "%s is %s: %s", symbol != NULL ? symbol->symbol : "",
                 bad[i].words, cause);
        else
            find(h, HEALTH_WARNING, "%zu of %zu subscribed symbols are %s: %s", count,
                 h->subscribed, bad[i].words, cause);
    }
}

static void judge_connections(const struct snapshot *s, struct health *h)
{
    for (size_t i = 0; i < s->conn_count; i++) {
        const struct px_conn_info *c = &s->conns[i].info;
        if (c->breaker != PX_BREAKER_OPEN)
            continue;
        if (h->breakers_open == 1)
            find(h, HEALTH_WARNING, "the breaker of %s is open%s%s", c->venue,
                 c->reason[0] != '\0' ? ": " : "", c->reason);
        else
            find(h, HEALTH_WARNING, "%zu breakers are open", h->breakers_open);
        return;
    }
}

static void judge_memory(const struct snapshot *s, struct health *h)
{
    char bytes[CLI_NUMBER_MAX], left[CLI_NUMBER_MAX];
    if (s->verdict.level == PX_LEVEL_OK)
        return;
    int code = s->verdict.level == PX_LEVEL_CRITICAL ? HEALTH_CRITICAL : HEALTH_WARNING;
    cli_bytes(bytes, s->memory.rss_bytes);
    if (s->verdict.trend == PX_TREND_GROWING && s->verdict.time_to_limit_s >= 0)
        find(h, code, "memory is %s at %s and grows by %.1f MB/hour: %s to the limit",
             code == HEALTH_CRITICAL ? "critical" : "high", bytes,
             derive_growth_bytes_per_hour(&s->verdict) / 1e6,
             cli_duration(left, s->verdict.time_to_limit_s * SECOND_NS));
    else
        find(h, code, "memory is %s at %s", code == HEALTH_CRITICAL ? "critical" : "high", bytes);
}

void judge(const struct snapshot *s, struct health *health)
{
    *health = (struct health){.code = HEALTH_OK};
    count_symbols(s, health);
    judge_feeder(s, health);
    /* What stands still because its feeder does is said once, by the feeder. */
    if (strcmp(health->state, "live") == 0)
        judge_symbols(s, health);
    judge_connections(s, health);
    judge_memory(s, health);
    if (health->code != HEALTH_OK)
        return;
    if (health->subscribed == 0)
        snprintf(health->sentence, sizeof health->sentence, "nothing is subscribed");
    else
        snprintf(health->sentence, sizeof health->sentence,
                 "%zu of %zu subscribed symbols are live", health->of_quality[PX_LIVE],
                 health->subscribed);
}

int feeder_runs(const struct health *health)
{
    return strcmp(health->state, "live") == 0 || strcmp(health->state, "idle") == 0 ||
           strcmp(health->state, "stalled") == 0;
}

const char *health_word(int code)
{
    static const char *const words[] = {"OK", "WARNING", "CRITICAL", "UNKNOWN"};
    return code >= 0 && code < 4 ? words[code] : "UNKNOWN";
}

const char *trend_name(const struct px_memory_verdict *verdict)
{
    static const char *const names[] = {"unknown", "flat", "growing", "shrinking"};
    if (verdict->mono_ns == 0 || verdict->trend >= sizeof names / sizeof names[0])
        return names[0];
    return names[verdict->trend];
}
