/* Breakers and budgets on disk, times in ms of the wall clock:
 *
 *   px-breakers 1
 *   now 1723161255342 8123456        when it was written, by the wall and by the monotonic clock
 *   endpoint binance stream.binance.com:9443 failures 2 next 1723161256000 trying 1 reason WORDS
 *   attempt 1723161255342            one line for each of the window, below the endpoint that
 *   end 3 0123456789abcdef           owns the budget; `trying`: an attempt had no end yet
 */
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "gate_internal.h"
#include "log.h"

#define MS INT64_C(1000000)

/* The most that a venue may have asked for (backoff.c), before the jitter on top of it. */
#define WAIT_MAX_NS (3600 * 1000 * MS)

static bool trying(const struct gate *g, uint32_t place)
{
    for (uint32_t i = 0; i < SUBS_LINKS_MAX; i++)
        if (g->link[i].unjudged && g->link[i].place == place)
            return true;
    return false;
}

/* Rounded up, as is the monotonic time of writing: over many restarts waits get longer by it, never
 * shorter. */
static int64_t up_to_ms(int64_t ns)
{
    return (ns + MS - 1) / MS;
}

static int64_t utc_ms(int64_t mono_ns, struct gate_time now)
{
    return up_to_ms(now.utc_ns + mono_ns - now.mono_ns);
}

/* The venue's words stay on their line. */
static size_t put_endpoint(const struct gate *g, uint32_t place, struct gate_time now, size_t len)
{
    const struct gate_endpoint *e = &g->endpoint[place];
    const struct breaker *b = &e->breaker;
    size_t n = (size_t)snprintf(g->text + len, g->text_cap - len,
                                "endpoint %s %s failures %u next %" PRId64 " trying %d reason %s",
                                venue_table[place % venue_count]->name, e->address, b->failures,
                                utc_ms(b->next_ns, now), trying(g, place), b->reason);
    for (char *at = g->text + len; at < g->text + len + n; at++)
        if ((unsigned char)*at < ' ')
            *at = ' ';
    g->text[len + n] = '\n';
    return len + n + 1;
}

static uint32_t put_attempts(const struct gate *g, uint32_t venue, struct gate_time now,
                             size_t *len)
{
    const struct budget *b = &g->budget[venue];
    uint32_t lines = 0;
    for (uint32_t i = 0; i < b->count; i++) {
        if (now.mono_ns - budget_at(b, i) >= b->window_ns)
            continue;
        *len += (size_t)snprintf(g->text + *len, g->text_cap - *len, "attempt %" PRId64 "\n",
                                 utc_ms(budget_at(b, i), now));
        lines++;
    }
    return lines;
}

void gate_save(struct gate *g, struct gate_time now)
{
    uint32_t lines = 1;
    size_t len = (size_t)snprintf(g->text, g->text_cap, "%snow %" PRId64 " %" PRId64 "\n",
                                  g->file.head, now.utc_ns / MS, up_to_ms(now.mono_ns));
    for (uint32_t p = 0; p < gate_places(); p++) {
        const struct gate_endpoint *e = &g->endpoint[p];
        bool owns = p < venue_count;
        bool used = e->breaker.failures > 0 || trying(g, p) || (owns && g->budget[p].count > 0);
        if (!e->limits || !used)
            continue;
        len = put_endpoint(g, p, now, len);
        lines += 1 + (owns ? put_attempts(g, p, now, &len) : 0);
    }
    savefile_write(&g->file, g->text, len, lines);
}

/* Of the file while it is read. */
struct reading {
    struct gate *g;
    struct gate_time now;
    int64_t utc_ms, mono_ms; /* when it was written */
    int64_t elapsed_ns;      /* since */
    bool failed;             /* an attempt was under way: what follows from it is to be written */
    uint32_t place;          /* of the last endpoint, gate_places(): one that is no longer there */
};

static bool take_now(struct reading *r, const char *line)
{
    if (sscanf(line, "now %" SCNd64 " %" SCNd64, &r->utc_ms, &r->mono_ms) != 2)
        return false;
    int64_t mono = r->now.mono_ns - r->mono_ms * MS, utc = r->now.utc_ns - r->utc_ms * MS;
    r->elapsed_ns = mono > -MS ? mono : utc;
    if (r->elapsed_ns < 0)
        r->elapsed_ns = 0;
    return true;
}

/* The attempt that was under way has failed, as far as anybody knows. */
static void fail_it(struct gate_endpoint *e, struct gate_time now)
{
    struct backoff backoff = e->backoff;
    backoff.failures = e->breaker.failures;
    struct breaker_failure f = {.who = BREAKER_NOBODY,
                                .began_ns = now.mono_ns,
                                .until_ns = now.mono_ns + backoff_next(&backoff, 0),
                                .reason = "the feeder was killed in an attempt"};
    e->breaker.state = PX_BREAKER_HALF_OPEN;
    breaker_failed(&e->breaker, &f, now.mono_ns);
}

/* Of an endpoint that is still one. */
static uint32_t find_place(const struct gate *g, const char *name, const char *address)
{
    const struct px_venue *venue = venue_find(name, strlen(name));
    for (uint32_t n = 0; venue != NULL && n < CONFIG_ENDPOINTS_MAX; n++) {
        uint32_t place = gate_place((uint32_t)config_venue_index(venue), n);
        if (g->endpoint[place].limits && strcmp(g->endpoint[place].address, address) == 0)
            return place;
    }
    return gate_places();
}

static bool take_endpoint(struct reading *r, const char *line)
{
    char name[32], address[URL_HOST_MAX + 8];
    uint32_t failures;
    int64_t next_ms;
    int under_way;
    const char *reason = strstr(line, " reason ");
    if (reason == NULL || sscanf(line, "endpoint %31s %260s failures %u next %" SCNd64 " trying %d",
                                 name, address, &failures, &next_ms, &under_way) != 5)
        return false;
    r->place = find_place(r->g, name, address);
    if (r->place == gate_places())
        return true;
    struct gate_endpoint *e = &r->g->endpoint[r->place];
    int64_t wait = (next_ms - r->utc_ms) * MS - r->elapsed_ns;
    int64_t longest = WAIT_MAX_NS + r->g->cap_ns;
    if (wait > longest)
        wait = longest;
    if (failures > 0)
        e->breaker.state = PX_BREAKER_OPEN;
    e->breaker.failures = failures;
    e->breaker.next_ns = r->now.mono_ns + (wait > 0 ? wait : 0);
    snprintf(e->breaker.reason, sizeof e->breaker.reason, "%s", reason + strlen(" reason "));
    if (under_way != 0)
        fail_it(e, r->now);
    r->failed = r->failed || under_way != 0;
    return true;
}

static bool take_attempt(struct reading *r, const char *line)
{
    int64_t at_ms;
    if (sscanf(line, "attempt %" SCNd64, &at_ms) != 1)
        return false;
    if (r->place == gate_places())
        return true;
    struct budget *b = &r->g->budget[r->g->endpoint[r->place].budget];
    int64_t age = (r->utc_ms - at_ms) * MS + r->elapsed_ns;
    if (age < 0)
        age = 0;
    if (age < b->window_ns)
        budget_take(b, r->now.mono_ns - age);
    return true;
}

static bool take_line(struct reading *r, const char *line)
{
    if (strncmp(line, "now ", 4) == 0)
        return take_now(r, line);
    if (strncmp(line, "attempt ", 8) == 0)
        return take_attempt(r, line);
    return take_endpoint(r, line);
}

static int take(struct reading *r)
{
    struct savefile_text t;
    int rc = savefile_read(&r->g->file, &t);
    if (rc < 0)
        return rc;
    uint32_t lines = 0;
    for (char *at = t.lines; at < t.end && rc == 0; lines++) {
        char *stop = strchr(at, '\n');
        *stop = '\0';
        if (!take_line(r, at))
            rc = -EINVAL;
        at = stop + 1;
    }
    if (rc == 0 && lines != t.count)
        rc = -EINVAL;
    free(t.text);
    return rc;
}

void gate_load(struct gate *g, struct gate_time now)
{
    struct reading r = {.g = g, .now = now, .place = gate_places()};
    int rc = take(&r);
    if (rc == -EINVAL)
        savefile_move_aside(&g->file);
    else if (rc < 0 && rc != -ENOENT)
        log_warning(g->file.path, "cannot be read: %s", strerror(-rc));
    if (r.failed)
        gate_save(g, now);
}
