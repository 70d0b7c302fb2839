/* See alerts.h. */
#include "alerts.h"

#include <stdio.h>
#include <string.h>

#include "derive.h"

#define GROWTH_WARNING  INT64_C(1000000) /* bytes per hour, as the dashboard colours them */
#define GROWTH_CRITICAL INT64_C(50000000)
#define LOSS_CALM_NS    INT64_C(60000000000) /* without a loss, before that is said */

const char *alert_kind_name(enum alert_kind kind)
{
    static const char *const names[] = {"growth", "staleness", "breaker", "loss", "feeder"};
    return names[kind];
}

const char *alert_level_name(enum alert_level level)
{
    static const char *const names[] = {"ok", "warning", "critical"};
    return names[level];
}

/* Each judges one kind: its level, and a sentence. `hold`: the level that it has, for when nothing
 * can be said now. */
typedef enum alert_level judge_fn(struct alerts *a, const struct subject *s, int64_t now_ns,
                                  enum alert_level hold, char text[320]);

static enum alert_level judge_growth(struct alerts *a, const struct subject *s, int64_t now_ns,
                                     enum alert_level hold, char text[320])
{
    const struct px_memory_verdict *v = &s->now.verdict;
    (void)a;
    (void)now_ns;
    if (!s->has_now || !derive_judged(v))
        return hold;
    snprintf(text, 320, "memory is %s at %.2f MB/hour%s%s", trend_name(v),
             derive_growth_bytes_per_hour(v) / 1e6, v->owner < PX_OWNER_COUNT ? ", owner " : "",
             v->owner < PX_OWNER_COUNT ? px_owner_name(v->owner) : "");
    if (v->trend != PX_TREND_GROWING || v->growth_bytes_per_hour < GROWTH_WARNING)
        return ALERT_OK;
    return v->growth_bytes_per_hour < GROWTH_CRITICAL ? ALERT_WARNING : ALERT_CRITICAL;
}

/* What stands still because the feeder does is told by the feeder's own kind. */
static enum alert_level judge_staleness(struct alerts *a, const struct subject *s, int64_t now_ns,
                                        enum alert_level hold, char text[320])
{
    size_t bad = s->health.of_quality[PX_STALE] + s->health.of_quality[PX_GAP];
    (void)a;
    (void)now_ns;
    if (strcmp(s->health.state, "live") != 0 && strcmp(s->health.state, "idle") != 0)
        return hold;
    snprintf(text, 320, "%s",
             bad > 0 ? s->health.sentence : "no subscribed symbol is stale or in gap");
    return bad > 0 ? ALERT_WARNING : ALERT_OK;
}

static enum alert_level judge_breaker(struct alerts *a, const struct subject *s, int64_t now_ns,
                                      enum alert_level hold, char text[320])
{
    (void)a;
    (void)now_ns;
    if (!s->has_now)
        return hold;
    snprintf(text, 320, "no breaker is open");
    for (size_t i = s->now.conn_count; i-- > 0;) {
        const struct px_conn_info *c = &s->now.conns[i].info;
        if (c->breaker == PX_BREAKER_OPEN)
            snprintf(text, 320, "the breaker of %s is open: %s", c->venue, c->reason);
    }
    return s->health.breakers_open > 0 ? ALERT_WARNING : ALERT_OK;
}

/* The reader that lost most since the last look, or NULL. */
static const struct px_reader_info *worst_reader(const struct subject *s, uint64_t *ret_lost)
{
    const struct px_reader_info *worst = NULL;
    *ret_lost = 0;
    for (size_t i = 0; s->has_before && i < s->now.reader_count; i++) {
        const struct px_reader_info *r = &s->now.readers[i];
        const struct px_reader_info *old = snapshot_reader(&s->before, r);
        if (old == NULL || r->lost <= old->lost || r->lost - old->lost <= *ret_lost)
            continue;
        *ret_lost = r->lost - old->lost;
        worst = r;
    }
    return worst;
}

static enum alert_level judge_loss(struct alerts *a, const struct subject *s, int64_t now_ns,
                                   enum alert_level hold, char text[320])
{
    uint64_t lost;
    const struct px_reader_info *reader = worst_reader(s, &lost);
    (void)hold;
    if (reader != NULL) {
        a->loss_ns = now_ns;
        snprintf(text, 320, "reader %s (pid %d) is too slow: it lost %llu ticks within a second",
                 reader->name, (int)reader->pid, (unsigned long long)lost);
        return ALERT_WARNING;
    }
    if (a->loss_ns != 0 && now_ns - a->loss_ns < LOSS_CALM_NS)
        return ALERT_WARNING;
    snprintf(text, 320, "no reader loses ticks");
    return ALERT_OK;
}

static enum alert_level judge_feeder(struct alerts *a, const struct subject *s, int64_t now_ns,
                                     enum alert_level hold, char text[320])
{
    (void)a;
    (void)now_ns;
    (void)hold;
    if (strcmp(s->health.state, "live") == 0 || strcmp(s->health.state, "idle") == 0) {
        snprintf(text, 320, "the feeder runs");
        return ALERT_OK;
    }
    snprintf(text, 320, "%s", s->health.sentence);
    return s->health.code == HEALTH_WARNING ? ALERT_WARNING : ALERT_CRITICAL;
}

static judge_fn *const judges[ALERT_KINDS] = {[ALERT_GROWTH] = judge_growth,
                                              [ALERT_STALENESS] = judge_staleness,
                                              [ALERT_BREAKER] = judge_breaker,
                                              [ALERT_LOSS] = judge_loss,
                                              [ALERT_FEEDER] = judge_feeder};

static int is_due(const struct alerts *a, enum alert_kind k, int64_t now_ns)
{
    if (a->kinds[k].now == a->kinds[k].told)
        return 0;
    /* a loss is past already when it is seen */
    if (a->kinds[k].now > a->kinds[k].told && k != ALERT_LOSS &&
        now_ns - a->kinds[k].since_ns < ALERT_HOLD_NS)
        return 0;
    return a->kinds[k].told_ns == 0 || now_ns - a->kinds[k].told_ns >= a->interval_ns;
}

size_t alerts_step(struct alerts *a, const struct subject *s, int64_t now_ns,
                   struct alert out[ALERT_KINDS])
{
    size_t count = 0;
    for (int k = 0; k < ALERT_KINDS; k++) {
        enum alert_level level = judges[k](a, s, now_ns, a->kinds[k].now, a->kinds[k].text);
        if (level != a->kinds[k].now) {
            a->kinds[k].now = level;
            a->kinds[k].since_ns = now_ns;
        }
        if (!is_due(a, (enum alert_kind)k, now_ns))
            continue;
        struct alert *alert = &out[count++];
        *alert =
            (struct alert){.kind = (enum alert_kind)k, .level = level, .before = a->kinds[k].told};
        snprintf(alert->text, sizeof alert->text, "%s", a->kinds[k].text);
        a->kinds[k].told = level;
        a->kinds[k].told_ns = now_ns;
    }
    return count;
}
