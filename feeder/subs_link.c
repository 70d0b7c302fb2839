/* What links carry, and what they are asked for next. What the venue says to it: subs_answer.c. */
#include <errno.h>
#include <string.h>

#include "subs_internal.h"

/* A second as the venue counts it: some of ours arrive closer together than they left. */
#define BUDGET_NS INT64_C(1100000000)
/* Wishes that are offered to the venue for one message. */
#define OFFER_MAX 512u
#define HOUR_NS   (INT64_C(3600) * 1000000000)

void subs_mark_due(struct subs *s, uint32_t venue, uint32_t shard)
{
    for (uint32_t l = 0; l < SUBS_LINKS_MAX; l++)
        if (s->link[l].open && s->link[l].venue == venue && s->link[l].shard == shard)
            s->link[l].due = true;
}

struct subs_link *subs_open_link(struct subs *s, uint32_t link)
{
    return link < SUBS_LINKS_MAX && s->link[link].open ? &s->link[link] : NULL;
}

static uint32_t lanes_used(const struct subs *s, uint32_t venue, uint32_t shard)
{
    uint32_t used = 0;
    for (uint32_t l = 0; l < SUBS_LINKS_MAX; l++)
        if (s->link[l].open && s->link[l].venue == venue && s->link[l].shard == shard)
            used |= 1u << s->link[l].lane;
    return used;
}

/* Kinds of this link that no other link of its shard carries. */
static uint16_t carried_alone(const struct subs *s, const struct subs_link *l)
{
    uint16_t kinds = l->kinds;
    for (uint32_t i = 0; i < SUBS_LINKS_MAX; i++) {
        const struct subs_link *other = &s->link[i];
        if (other != l && other->open && other->venue == l->venue && other->shard == l->shard)
            kinds &= (uint16_t)~other->kinds;
    }
    return kinds;
}

/* Of an hour's messages half may go out together and the other half comes evenly, so that no hour
 * sees more than all. */
static void limit_messages(struct subs_link *l, const struct subs_venue *v)
{
    uint32_t messages = v->limits ? v->venue->messages_per_s : 0;
    l->window = messages < SUBS_WINDOW_MAX ? messages : SUBS_WINDOW_MAX;
    l->hourly = v->limits ? v->venue->messages_per_hour : 0;
    l->tokens = l->hourly / 2;
}

bool subs_keep_limits(struct subs *s, uint32_t venue)
{
    if (venue >= s->options.venue_count || s->options.venue[venue].limits)
        return false;
    s->options.venue[venue].limits = true;
    for (uint32_t l = 0; l < SUBS_LINKS_MAX; l++)
        if (s->link[l].open && s->link[l].venue == venue)
            limit_messages(&s->link[l], &s->options.venue[venue]);
    return true;
}

static uint16_t route_kinds(const struct px_venue *v, uint32_t route)
{
    return v->routes < 2 ? UINT16_MAX : (uint16_t)v->route_kinds[route];
}

int subs_link_open(struct subs *s, uint32_t link, uint32_t venue, uint32_t shard, uint32_t route)
{
    if (link >= SUBS_LINKS_MAX || venue >= s->options.venue_count || shard >= SUBS_SHARDS_MAX ||
        route >= subs_routes(s, venue))
        return -EINVAL;
    struct subs_link *l = &s->link[link];
    if (l->open)
        return -EBUSY;
    uint32_t used = lanes_used(s, venue, shard), lane = 0;
    while (lane < SUBS_LANES && (used >> lane & 1u) != 0)
        lane++;
    if (lane == SUBS_LANES)
        return -ENOSPC;
    memset(l, 0, sizeof(*l));
    l->open = l->due = true;
    l->venue = (uint8_t)venue;
    l->shard = (uint8_t)shard;
    l->lane = (uint8_t)lane;
    l->next_request = 1;
    l->kinds = route_kinds(s->options.venue[venue].venue, route);
    limit_messages(l, &s->options.venue[venue]);
    uint16_t alone = carried_alone(s, l);
    struct sub *e;
    FOR_EACH_IN_SHARD(s, l, e)
    {
        memset(&e->lane[lane], 0, sizeof(e->lane[lane]));
        if ((e->refused_kinds & alone) != 0) {
            e->refused_kinds &= (uint16_t)~alone; /* asked again, in a message of its own */
            e->lane[lane].batch_max = 1;
        }
    }
    return 0;
}

void subs_guest(struct subs *s, uint32_t link, uint32_t venue, uint32_t route)
{
    struct subs_link *l = &s->link[link];
    memset(l, 0, sizeof(*l));
    l->guest = true;
    l->venue = (uint8_t)venue;
    l->kinds = route_kinds(s->options.venue[venue].venue, route);
}

void subs_link_close(struct subs *s, uint32_t link, int64_t now_ns)
{
    struct subs_link *l = subs_open_link(s, link);
    struct sub *e;
    (void)now_ns;
    if (link < SUBS_LINKS_MAX)
        s->link[link].guest = false;
    if (l == NULL)
        return;
    l->open = false;
    bool last = lanes_used(s, l->venue, l->shard) == 0;
    uint32_t alone = subs_plain_kinds(carried_alone(s, l));
    FOR_EACH_IN_SHARD(s, l, e)
    {
        memset(&e->lane[l->lane], 0, sizeof(e->lane[l->lane]));
        e->data_kinds &= (uint16_t)~alone;
        if (last)
            e->acked_ns = 0;
        subs_refresh(s, e);
    }
}

bool subs_carries(const struct subs *s, uint32_t link, const struct sub *e, uint32_t kinds)
{
    if (link >= SUBS_LINKS_MAX)
        return false;
    const struct subs_link *l = &s->link[link];
    if (!l->open)
        return l->guest && l->venue == e->venue &&
               (subs_plain_kinds(e->wanted & l->kinds) & kinds) != 0;
    uint32_t asked = subs_plain_kinds(e->lane[l->lane].asked);
    return l->venue == e->venue && l->shard == e->shard && (asked & kinds) != 0;
}

uint64_t subs_acked(const struct subs *s, const struct sub *e, uint32_t kinds, uint32_t except)
{
    uint64_t links = 0;
    for (uint32_t l = 0; l < SUBS_LINKS_MAX; l++) {
        const struct subs_link *link = &s->link[l];
        if (l != except && link->open && link->venue == e->venue && link->shard == e->shard &&
            (subs_plain_kinds(e->lane[link->lane].acked) & kinds) != 0)
            links |= UINT64_C(1) << l;
    }
    return links;
}

void subs_streams(const struct subs *s, uint32_t link, uint32_t *wanted, uint32_t *acked)
{
    *wanted = *acked = 0;
    if (link >= SUBS_LINKS_MAX || !s->link[link].open)
        return;
    const struct subs_link *l = &s->link[link];
    const struct px_venue *venue = s->options.venue[l->venue].venue;
    bool all = l->kinds == UINT16_MAX;
    *wanted = all ? s->shard[l->venue][l->shard].streams : 0;
    const struct sub *e;
    FOR_EACH_IN_SHARD(s, l, e)
    {
        const struct venue_wish got = {e->native, e->lane[l->lane].acked};
        const struct venue_wish want = {e->native, e->wanted & l->kinds};
        *acked += got.kinds != 0 ? venue->streams(&got) : 0;
        *wanted += !all && want.kinds != 0 ? venue->streams(&want) : 0;
    }
}

bool subs_due(const struct subs *s, uint32_t link)
{
    return link < SUBS_LINKS_MAX && s->link[link].open && s->link[link].due;
}

bool subs_settled(const struct subs *s, uint32_t link)
{
    return link < SUBS_LINKS_MAX && s->link[link].open && !s->link[link].due &&
           s->link[link].unanswered == 0;
}

/* When the hour's budget has a message left: 0 now. */
static int64_t token_at(struct subs_link *l, int64_t now_ns)
{
    if (l->hourly == 0)
        return 0;
    uint32_t most = l->hourly / 2;
    int64_t each_ns = HOUR_NS / most;
    if (l->tokens == most || l->refilled_ns == 0)
        l->refilled_ns = now_ns;
    for (; l->tokens < most && now_ns - l->refilled_ns >= each_ns; l->refilled_ns += each_ns)
        l->tokens++;
    return l->tokens > 0 ? 0 : l->refilled_ns + each_ns;
}

/* When the budget allows one more message that is not a pong: 0 now. */
static int64_t budget_at(struct subs_link *l, int64_t now_ns)
{
    int64_t hour_at = token_at(l, now_ns);
    if (l->window == 0 || hour_at != 0)
        return hour_at;
    uint32_t share = l->window > 1 ? l->window - 1 : 1;
    if (l->sent_count < share)
        return 0;
    int64_t at = l->sent_ns[(l->sent_count - share) % SUBS_WINDOW_MAX] + BUDGET_NS;
    return at <= now_ns ? 0 : at;
}

static void spend(struct subs_link *l, int64_t now_ns)
{
    l->sent_ns[l->sent_count++ % SUBS_WINDOW_MAX] = now_ns;
}

void subs_spent(struct subs *s, uint32_t link, uint32_t n, int64_t now_ns)
{
    struct subs_link *l = subs_open_link(s, link);
    for (uint32_t i = 0; l != NULL && i < n && i < SUBS_WINDOW_MAX; i++)
        spend(l, now_ns);
}

/* Kinds of an entry that this link is to be asked for, or to be told to stop. */
static uint16_t owed(const struct subs_link *l, const struct sub *e, bool on, int64_t now_ns)
{
    const struct subs_lane *lane = &e->lane[l->lane];
    if (lane->request != 0)
        return 0;
    if (!on) {
        uint16_t lost = now_ns >= lane->resync_ns ? lane->resync : 0;
        return (uint16_t)(lane->asked & (~e->wanted | lost));
    }
    uint16_t wanted = (uint16_t)(e->wanted & l->kinds & ~e->refused_kinds);
    uint16_t kinds = (uint16_t)(wanted & ~lane->asked);
    if (kinds != 0 && lane->again_ns != 0) /* a message that goes anyway */
        kinds |= (uint16_t)(wanted & ~lane->acked);
    return kinds;
}

/* The one kind that a message is for, where the venue has it so. */
static uint16_t lowest(uint16_t kinds)
{
    return (uint16_t)(kinds & (~(uint32_t)kinds + 1u));
}

struct offer {
    bool on;
    uint32_t count;
    struct venue_wish wish[OFFER_MAX];
    struct sub *entry[OFFER_MAX];
};

/* Everything that may go into one message, up to the smallest batch any of them was cut to. */
static void collect(struct subs *s, const struct subs_link *l, int64_t now_ns, struct offer *o)
{
    uint32_t limit = OFFER_MAX;
    uint16_t allowed = UINT16_MAX;
    bool one_kind = s->options.venue[l->venue].venue->one_kind, on = o->on;
    struct sub *e;
    o->count = 0;
    FOR_EACH_IN_SHARD(s, l, e)
    {
        const struct subs_lane *lane = &e->lane[l->lane];
        uint16_t kinds = owed(l, e, on, now_ns) & allowed;
        if (one_kind)
            kinds = lowest(kinds);
        if (kinds == 0 || (on && lane->batch_max != 0 && lane->batch_max <= o->count))
            continue;
        if (on && lane->batch_max != 0 && lane->batch_max < limit)
            limit = lane->batch_max;
        if (one_kind)
            allowed = kinds;
        o->wish[o->count] = (struct venue_wish){e->native, kinds};
        o->entry[o->count++] = e;
        if (o->count >= limit)
            break;
    }
}

static struct subs_request *free_request(struct subs_link *l)
{
    for (uint32_t i = 0; i < SUBS_REQUESTS_MAX; i++)
        if (l->request[i].request == 0)
            return &l->request[i];
    return NULL;
}

/* The message is written: note what it asked for. request 0: there was nothing to write, the venue
 * has no stream for these wishes. */
static void asked(const struct subs_link *l, const struct offer *o, size_t taken, uint32_t request)
{
    for (size_t i = 0; i < taken; i++) {
        struct subs_lane *lane = &o->entry[i]->lane[l->lane];
        uint16_t kinds = (uint16_t)o->wish[i].kinds;
        lane->request = request;
        lane->pending = request == 0 ? 0 : kinds;
        lane->turning_off = !o->on;
        if (o->on) {
            lane->asked |= kinds;
        } else {
            lane->asked &= (uint16_t)~kinds;
            lane->acked &= (uint16_t)~kinds;
            lane->resync &= (uint16_t)~kinds;
        }
    }
}

/* Off before on: a connection never carries more than its limit. False: nothing is owed. */
static bool collect_next(struct subs *s, const struct subs_link *l, int64_t now_ns, struct offer *o)
{
    for (int on = 0; on < 2; on++) {
        o->on = on != 0;
        collect(s, l, now_ns, o);
        if (o->count != 0)
            return true;
    }
    return false;
}

/* The venue never answers: what was sent is taken for accepted. */
static void take_for_acked(struct subs *s, const struct subs_link *l, const struct offer *o,
                           size_t taken, int64_t now_ns)
{
    for (size_t i = 0; i < taken; i++) {
        struct subs_lane *lane = &o->entry[i]->lane[l->lane];
        lane->acked = lane->asked;
        if (o->entry[i]->acked_ns == 0 && lane->acked != 0)
            o->entry[i]->acked_ns = now_ns;
        subs_refresh(s, o->entry[i]);
    }
}

/* A message for `taken` of the offer was written. */
static void note_sent(struct subs *s, struct subs_link *l, const struct offer *o, size_t taken,
                      int64_t now_ns)
{
    bool answers = s->options.venue[l->venue].venue->answers != VENUE_ANSWERS_NEVER;
    asked(l, o, taken, answers ? l->next_request : 0);
    if (answers) {
        *free_request(l) = (struct subs_request){l->next_request, (uint32_t)taken, now_ns};
        l->unanswered++;
    } else {
        take_for_acked(s, l, o, taken, now_ns);
    }
    l->next_request++;
    *(o->on ? &s->counts.subscribes : &s->counts.unsubscribes) += 1;
    spend(l, now_ns);
    l->tokens -= l->hourly != 0;
}

int subs_next(struct subs *s, uint32_t link, int64_t now_ns, char *out, size_t cap, int64_t *at_ns)
{
    struct subs_link *l = subs_open_link(s, link);
    struct offer o;
    *at_ns = INT64_MAX;
    if (l == NULL || !l->due || free_request(l) == NULL)
        return 0; /* the next answer, or its deadline, makes room */
    const struct px_venue *venue = s->options.venue[l->venue].venue;
    while (collect_next(s, l, now_ns, &o)) {
        int64_t at = budget_at(l, now_ns);
        if (at != 0) {
            *at_ns = at;
            return 0;
        }
        size_t taken = 0;
        const struct venue_request wanted = {o.on, l->next_request, o.wish, o.count};
        int len = venue->subscribe(&wanted, out, cap, &taken);
        if (len < 0 || taken == 0)
            return len < 0 ? len : -ENOSPC;
        if (len == 0) {
            asked(l, &o, taken, 0);
            continue;
        }
        note_sent(s, l, &o, taken, now_ns);
        return len;
    }
    l->due = false;
    return 0;
}
