#include "gate.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>

#include "counters.h"
#include "gate_internal.h"
#include "now.h"

#define MS INT64_C(1000000)

/* Who waits for the verdict on another asks again within this time, at random: when it comes not
 * all try at once. */
#define ASK_AGAIN_NS (500 * MS)

static size_t text_cap(void)
{
    return 128 + SAVEFILE_END_MAX + gate_places() * (size_t)GATE_LINE_MAX +
           venue_count * (size_t)BUDGET_ATTEMPTS_MAX * GATE_ATTEMPT_MAX;
}

size_t gate_bytes(void)
{
    return sizeof(struct gate) + text_cap() + gate_places() * sizeof(struct gate_endpoint) +
           venue_count * sizeof(struct budget);
}

/* Venues at one address are one client to who counts there: the first of them owns the budget. */
static void set_budget(struct gate *g, uint32_t venue)
{
    const struct px_venue *v = venue_table[venue];
    uint32_t owner = 0;
    while (owner < venue && !(g->endpoint[owner].limits &&
                              strcmp(g->endpoint[owner].address, g->endpoint[venue].address) == 0))
        owner++;
    g->endpoint[venue].budget = owner;
    if (owner == venue)
        budget_init(&g->budget[venue], v->attempts_per_window, v->attempt_window_s);
    else
        budget_share(&g->budget[owner], v->attempts_per_window, v->attempt_window_s);
}

/* What a venue counts it counts at all of its endpoints. */
static void set_endpoint(struct gate *g, const struct config *config, uint32_t place)
{
    struct gate_endpoint *e = &g->endpoint[place];
    struct url url;
    char error[URL_ERROR_MAX];
    uint32_t venue = place % (uint32_t)venue_count, number = place / (uint32_t)venue_count;
    config_endpoint(config, venue_table[venue], &e->limits);
    const char *text = config_endpoint_at(config, venue_table[venue], number);
    bool usable = text != NULL && url_parse(text, &url, error) == 0;
    if (usable)
        snprintf(e->address, sizeof e->address, "%s:%u", url.host, url.port);
    e->limits = e->limits && usable;
    e->budget = number == 0 ? venue : g->endpoint[venue].budget;
    breaker_init(&e->breaker, e->limits ? BREAKER_HOLD_NS : BACKOFF_LOCAL_CAP_NS);
    e->backoff = gate_backoff(g, place);
    if (e->limits && number == 0)
        set_budget(g, venue);
}

struct gate *gate_new(const struct config *config, const char *dir, px_writer *w)
{
    struct gate *g = calloc(1, sizeof *g);
    if (g == NULL)
        return NULL;
    g->writer = w;
    g->base_ns = config->backoff_min_ms * MS;
    g->cap_ns = config->backoff_max_ms * MS;
    g->endpoint = calloc(gate_places(), sizeof *g->endpoint);
    g->budget = calloc(venue_count, sizeof *g->budget);
    g->text_cap = text_cap();
    g->text = malloc(g->text_cap);
    if (g->endpoint == NULL || g->budget == NULL || g->text == NULL ||
        savefile_init(&g->file, dir, config->bus, "breakers", GATE_HEAD) < 0) {
        gate_free(g);
        return NULL;
    }
    for (uint32_t p = 0; p < gate_places(); p++)
        set_endpoint(g, config, p);
    return g;
}

void gate_free(struct gate *g)
{
    if (g == NULL)
        return;
    free(g->endpoint);
    free(g->budget);
    free(g->text);
    free(g);
}

const char *gate_path(const struct gate *g)
{
    return g->file.path;
}

struct backoff gate_backoff(const struct gate *g, uint32_t place)
{
    int64_t cap = g->cap_ns;
    if (!g->endpoint[place].limits && cap > BACKOFF_LOCAL_CAP_NS)
        cap = BACKOFF_LOCAL_CAP_NS;
    uint64_t seed = 0;
    if (getrandom(&seed, sizeof seed, GRND_NONBLOCK) != sizeof seed)
        seed = (uint64_t)now_mono_ns() ^ place;
    struct backoff backoff;
    backoff_init(&backoff, g->base_ns < cap ? g->base_ns : cap / 4, cap, seed);
    return backoff;
}

static int64_t wait_for_budget(struct gate *g, uint32_t place, int64_t now_ns)
{
    const struct budget *b = &g->budget[g->endpoint[place].budget];
    int64_t wait = g->endpoint[place].limits ? budget_next(b, now_ns) - now_ns : 0;
    if (wait > 0)
        snprintf(g->why, sizeof g->why, "the %u attempts that its budget allows at a time are made",
                 b->limit);
    return wait;
}

int64_t gate_wait(struct gate *g, uint32_t place, int64_t now_ns, const char **why)
{
    struct gate_endpoint *e = &g->endpoint[place];
    uint32_t state = breaker_state(&e->breaker, now_ns);
    int64_t wait = breaker_next(&e->breaker, now_ns) - now_ns;
    *why = g->why;
    if (wait > 0 && state == PX_BREAKER_HALF_OPEN) {
        snprintf(g->why, sizeof g->why, "another connection to this endpoint is on trial");
        int64_t again = backoff_jitter(&e->backoff, ASK_AGAIN_NS);
        return again < wait ? again : wait;
    }
    if (wait > 0) {
        *why = e->breaker.reason;
        return wait;
    }
    wait = wait_for_budget(g, place, now_ns);
    if (wait > 0 && g->writer != NULL)
        px_writer_count(g->writer, PX_C_budget_waits, 1);
    return wait;
}

uint32_t gate_begin(struct gate *g, struct gate_link l, struct gate_time now)
{
    struct gate_endpoint *e = &g->endpoint[l.place];
    g->link[l.link].began_ns = now.mono_ns;
    g->link[l.link].place = l.place;
    g->link[l.link].unjudged = true;
    breaker_begin(&e->breaker, l.link, now.mono_ns);
    if (e->limits) {
        budget_take(&g->budget[e->budget], now.mono_ns);
        gate_save(g, now);
    }
    return e->breaker.failures;
}

bool gate_another(struct gate *g, uint32_t place, struct gate_time now)
{
    struct gate_endpoint *e = &g->endpoint[place];
    if (!e->limits)
        return true;
    if (wait_for_budget(g, place, now.mono_ns) > 0)
        return false;
    budget_take(&g->budget[e->budget], now.mono_ns);
    gate_save(g, now);
    return true;
}

void gate_good(struct gate *g, struct gate_link l, struct gate_time now)
{
    struct gate_endpoint *e = &g->endpoint[l.place];
    if (!g->link[l.link].unjudged)
        return;
    g->link[l.link].unjudged = false;
    breaker_good(&e->breaker, now.mono_ns);
    if (e->limits)
        gate_save(g, now);
}

void gate_ended(struct gate *g, struct gate_link l, const struct gate_end *end,
                struct gate_time now)
{
    struct gate_endpoint *e = &g->endpoint[l.place];
    bool unjudged = g->link[l.link].unjudged;
    g->link[l.link].unjudged = false;
    if (!unjudged && !end->told)
        return;
    uint32_t before = e->breaker.state;
    /* Of a connection that was good long ago the venue speaks now. */
    struct breaker_failure f = {.who = l.link,
                                .began_ns = unjudged ? g->link[l.link].began_ns : now.mono_ns,
                                .until_ns = end->until_ns,
                                .told = end->told,
                                .reason = end->reason};
    if (end->no_verdict && !end->told)
        breaker_left(&e->breaker, l.link);
    else
        breaker_failed(&e->breaker, &f, now.mono_ns);
    bool opened = before != PX_BREAKER_OPEN && e->breaker.state == PX_BREAKER_OPEN;
    if (opened && g->writer != NULL)
        px_writer_count(g->writer, PX_C_breaker_opens, 1);
    if (e->limits)
        gate_save(g, now);
}

struct gate_view gate_view(struct gate *g, uint32_t place, int64_t now_ns)
{
    struct gate_endpoint *e = &g->endpoint[place];
    int64_t breaker = breaker_next(&e->breaker, now_ns), budget = now_ns;
    if (e->limits)
        budget = budget_next(&g->budget[e->budget], now_ns);
    int64_t next = breaker > budget ? breaker : budget;
    return (struct gate_view){.state = breaker_state(&e->breaker, now_ns),
                              .next_ns = next > now_ns ? next : 0,
                              .reason = e->breaker.reason};
}
