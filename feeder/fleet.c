#include "fleet.h"

#include <errno.h>
#include <stdlib.h>

#include "counters.h"
#include "json.h"
#include "log.h"

/* Untouched until a venue accepts the extension: reserved, not resident. */
static int open_deflate(struct fleet *f)
{
    size_t n = link_plan(f->shared.config).deflate_count;
    const size_t out_bytes = LINK_INFLATED_BYTES + WS_PADDING;
    if (n == 0)
        return 0;
    f->deflate = calloc(n, sizeof *f->deflate);
    f->inflated = calloc(n, out_bytes);
    if (f->deflate == NULL || f->inflated == NULL)
        return -ENOMEM;
    for (size_t i = 0; i < n; i++) {
        f->deflate[i].out = f->inflated + i * out_bytes;
        f->deflate[i].out_cap = LINK_INFLATED_BYTES;
        f->free_deflate[f->free_deflates++] = &f->deflate[i];
    }
    return 0;
}

int fleet_open(struct fleet *f, const struct link_shared *shared)
{
    size_t max_message = (size_t)shared->config->max_message_kb * 1024;
    f->shared = *shared;
    f->shared.json = json_new(max_message);
    f->shared.large =
        (struct ws_large){.data = malloc(max_message + WS_PADDING), .cap = max_message};
    int rc = f->shared.json == NULL || f->shared.large.data == NULL ? -ENOMEM : open_deflate(f);
    for (uint32_t i = 0; i < SUBS_LINKS_MAX && rc == 0; i++)
        rc = link_init(&f->link[i], &f->shared, i);
    return rc;
}

void fleet_free(struct fleet *f)
{
    for (uint32_t i = 0; i < SUBS_LINKS_MAX; i++)
        link_free(&f->link[i]);
    free(f->deflate);
    free(f->inflated);
    f->deflate = NULL;
    f->inflated = NULL;
    free(f->shared.large.data);
    f->shared.large.data = NULL;
    tls_context_free(f->shared.tls);
    f->shared.tls = NULL;
    json_free(f->shared.json);
    f->shared.json = NULL;
}

static bool wanted(const struct fleet *f, uint32_t venue, uint32_t shard, uint32_t route)
{
    return !f->closing && shard < subs_shards(f->shared.subs, venue) &&
           subs_shard_wanted(f->shared.subs, venue, shard, route);
}

static bool carries(const struct link *l, uint32_t venue, uint32_t shard, uint32_t route)
{
    return l->used && l->venue_index == venue && l->shard == shard && l->route == route;
}

/* Links of a route of a shard that stay. */
static uint32_t staying(const struct fleet *f, uint32_t venue, uint32_t shard, uint32_t route)
{
    uint32_t n = 0;
    for (uint32_t i = 0; i < SUBS_LINKS_MAX; i++)
        n += carries(&f->link[i], venue, shard, route) && !f->link[i].leaving;
    return n;
}

/* There is one for each route of each shard of such a venue. A successor finds none, as a rule, and
 * goes without. */
static void lend_deflate(struct fleet *f, struct link *l, uint32_t venue)
{
    if (f->shared.config->venue[venue].deflate && f->free_deflates > 0)
        l->deflate = f->free_deflate[--f->free_deflates];
}

static void return_deflate(struct fleet *f, struct link *l)
{
    if (l->deflate != NULL)
        f->free_deflate[f->free_deflates++] = l->deflate;
    l->deflate = NULL;
}

static void open_missing(struct fleet *f, uint32_t venue, uint32_t shard, uint32_t route)
{
    if (!wanted(f, venue, shard, route) ||
        staying(f, venue, shard, route) >= f->shared.config->venue[venue].redundancy)
        return;
    struct link *l = fleet_place(f);
    if (l == NULL)
        return;
    lend_deflate(f, l, venue);
    if (link_open(l, venue, shard, route) < 0)
        return_deflate(f, l);
}

/* Whoever takes over has been live for so long before the one that leaves is closed: time for both
 * to bring the same, so that what is told of either end of the overlap is seen to be whole. */
#define OVERLAP_NS INT64_C(2000000000)

static bool carried(const struct fleet *f, uint32_t venue, uint32_t shard, uint32_t route,
                    int64_t now_ns)
{
    for (uint32_t i = 0; i < SUBS_LINKS_MAX; i++)
        if (carries(&f->link[i], venue, shard, route) && !f->link[i].leaving &&
            link_steady(&f->link[i], now_ns, OVERLAP_NS))
            return true;
    return false;
}

/* What a successor brought first and left to the one that leaves (join.h) is on its way there: it
 * has so long to come. Meanwhile, and until that connection is gone, successors are left unread, so
 * that they bring nothing more that is not theirs yet. */
#define PARTING_NS     INT64_C(500000000)
#define PARTING_MAX_NS INT64_C(2000000000)

static void withhold_successors(struct fleet *f, const struct link *of, bool on)
{
    for (uint32_t i = 0; i < SUBS_LINKS_MAX; i++) {
        struct link *l = &f->link[i];
        if (carries(l, of->venue_index, of->shard, of->route) && !l->leaving &&
            (!on || l->conn.state == PX_CONN_LIVE))
            link_withhold(l, on);
    }
}

/* A link that leaves is done when another has taken over, and when it is lost before that. */
static bool relieved(struct fleet *f, struct link *l, int64_t now_ns)
{
    if (!l->leaving || l->conn.state != PX_CONN_LIVE)
        return l->leaving;
    bool can_go = carried(f, l->venue_index, l->shard, l->route, now_ns);
    if (can_go != (l->parting_ns != 0)) {
        l->parting_ns = can_go ? now_ns : 0;
        withhold_successors(f, l, can_go);
    }
    return can_go && now_ns - l->parting_ns >= PARTING_NS;
}

/* The end of what relieved() began. */
static void go_on_alone(struct fleet *f, struct link *l, bool wanted, int64_t now_ns)
{
    bool there = l->conn.state == PX_CONN_LIVE || l->conn.state == PX_CONN_CLOSING;
    if (l->parting_ns == 0 || (there && wanted && now_ns - l->parting_ns < PARTING_MAX_NS))
        return;
    l->parting_ns = 0;
    withhold_successors(f, l, false);
}

bool fleet_relieves(const struct fleet *f, uint32_t venue, int64_t now_ns)
{
    for (uint32_t s = 0; s < subs_shards(f->shared.subs, venue); s++)
        for (uint32_t r = 0; r < subs_routes(f->shared.subs, venue); r++)
            if (wanted(f, venue, s, r) && !carried(f, venue, s, r, now_ns))
                return false;
    return true;
}

struct link *fleet_place(struct fleet *f)
{
    for (uint32_t i = 0; i < SUBS_LINKS_MAX; i++)
        if (!f->link[i].used)
            return &f->link[i];
    return NULL;
}

static bool somebody_leaves(const struct fleet *f, const struct link *l)
{
    for (uint32_t i = 0; i < SUBS_LINKS_MAX; i++)
        if (carries(&f->link[i], l->venue_index, l->shard, l->route) && f->link[i].leaving)
            return true;
    return false;
}

/* Of age, one link of a route at a time, so that what is carried twice is carried twice on the way
 * too; what the venue has announced does not wait. */
static void plan_ends(struct fleet *f, int64_t now_ns)
{
    for (uint32_t i = 0; i < SUBS_LINKS_MAX; i++) {
        struct link *l = &f->link[i];
        if (!l->used || l->leaving || f->closing || !link_ends(l, now_ns) ||
            (!l->planned_end && somebody_leaves(f, l)))
            continue;
        l->leaving = l->planned_end = true;
        log_info(l->venue->name, "%s: another connection takes over", l->info.endpoint);
    }
}

static void reconcile(struct fleet *f, struct link *l, int64_t now_ns)
{
    if (l->guest)
        return; /* when it goes is for guests.c to say */
    bool needed = wanted(f, l->venue_index, l->shard, l->route);
    bool want = needed && !relieved(f, l, now_ns);
    if (want != l->conn.wanted)
        link_want(l, want);
    go_on_alone(f, l, needed, now_ns);
    if (!want && link_idle(l)) {
        link_release(l);
        return_deflate(f, l);
    }
}

void fleet_pump(struct fleet *f, int64_t now_ns)
{
    plan_ends(f, now_ns);
    for (uint32_t i = 0; i < SUBS_LINKS_MAX; i++)
        if (f->link[i].used)
            reconcile(f, &f->link[i], now_ns);
    for (uint32_t v = 0; v < venue_count; v++)
        for (uint32_t s = 0; s < subs_shards(f->shared.subs, v); s++)
            for (uint32_t r = 0; r < subs_routes(f->shared.subs, v); r++)
                open_missing(f, v, s, r);
    for (uint32_t i = 0; i < SUBS_LINKS_MAX; i++)
        if (f->link[i].used && subs_due(f->shared.subs, i))
            link_pump(&f->link[i], now_ns);
}

void fleet_forget(void *fleet, const struct sub *e)
{
    struct fleet *f = fleet;
    for (uint32_t i = 0; i < SUBS_LINKS_MAX; i++)
        if (f->link[i].used && f->link[i].venue_index == e->venue)
            publish_forget(f->shared.publish, &f->link[i].source, e->native, e->native_len);
}

void fleet_tick(struct fleet *f, int64_t now_ns)
{
    fleet_pump(f, now_ns);
    for (uint32_t i = 0; i < SUBS_LINKS_MAX; i++)
        if (f->link[i].used)
            link_tick(&f->link[i], now_ns);
    px_writer_level(f->shared.writer, PX_C_links, fleet_links(f));
    px_writer_level(f->shared.writer, PX_C_timers, net_timers(f->shared.net));
}

void fleet_close(struct fleet *f)
{
    f->closing = true;
    for (uint32_t i = 0; i < SUBS_LINKS_MAX; i++)
        if (f->link[i].used) {
            link_withhold(&f->link[i], false);
            link_want(&f->link[i], false);
        }
}

bool fleet_idle(const struct fleet *f)
{
    for (uint32_t i = 0; i < SUBS_LINKS_MAX; i++)
        if (f->link[i].used && !link_idle(&f->link[i]))
            return false;
    return true;
}

void fleet_poll(void *fleet)
{
    struct fleet *f = fleet;
    for (uint32_t i = 0; i < SUBS_LINKS_MAX; i++)
        if (f->link[i].used)
            link_poll(&f->link[i]);
}

void fleet_clean(struct fleet *f)
{
    for (uint32_t i = 0; i < SUBS_LINKS_MAX; i++)
        link_clean(&f->link[i]);
    if (f->shared.large.owner == NULL)
        link_give_back(f->shared.large.data, f->shared.large.cap + WS_PADDING);
    for (uint32_t i = 0; i < f->free_deflates; i++)
        link_give_back(f->free_deflate[i]->out, LINK_INFLATED_BYTES + WS_PADDING);
}

uint32_t fleet_links(const struct fleet *f)
{
    uint32_t n = 0;
    for (uint32_t i = 0; i < SUBS_LINKS_MAX; i++)
        n += f->link[i].used;
    return n;
}

uint64_t fleet_bytes(const struct fleet *f)
{
    struct plan_link plan = link_plan(f->shared.config);
    return SUBS_LINKS_MAX * (plan.receive_bytes + plan.send_bytes + plan.object_bytes) +
           plan.deflate_bytes * plan.deflate_count + f->shared.large.cap + WS_PADDING;
}
