/* What links were asked for, and what the venue said to it. */
#include <errno.h>
#include <string.h>

#include "subs_internal.h"

/* A second as the venue counts it: some of ours arrive closer together than they left. */
#define BUDGET_NS INT64_C(1100000000)
/* Wishes that are offered to the venue for one message. */
#define OFFER_MAX 512u
/* 30 s, 60 s, 120 s ... 16 min, between messages that a venue leaves unanswered. */
#define AGAIN_NS          (INT64_C(30) * 1000000000)
#define AGAIN_DOUBLED_MAX 5u

void subs_mark_due(struct subs *s, uint32_t venue, uint32_t shard)
{
    for (uint32_t l = 0; l < SUBS_LINKS_MAX; l++)
        if (s->link[l].open && s->link[l].venue == venue && s->link[l].shard == shard)
            s->link[l].due = true;
}

static struct subs_link *open_link(struct subs *s, uint32_t link)
{
    return link < SUBS_LINKS_MAX && s->link[link].open ? &s->link[link] : NULL;
}

/* Walks entries of a link's shard. `next` is taken first: the entry may be given back meanwhile. */
#define FOR_EACH_IN_SHARD(s, l, e)                                  \
    for (uint32_t i_ = (s)->shard[(l)->venue][(l)->shard].head, n_; \
         i_ != SUBS_NONE && ((e) = &(s)->entry[i_], n_ = (e)->next, true); i_ = n_)

static uint32_t lanes_used(const struct subs *s, uint32_t venue, uint32_t shard)
{
    uint32_t used = 0;
    for (uint32_t l = 0; l < SUBS_LINKS_MAX; l++)
        if (s->link[l].open && s->link[l].venue == venue && s->link[l].shard == shard)
            used |= 1u << s->link[l].lane;
    return used;
}

static uint32_t window_of(const struct subs_venue *v)
{
    uint32_t messages = v->limits ? v->venue->messages_per_s : 0;
    return messages < SUBS_WINDOW_MAX ? messages : SUBS_WINDOW_MAX;
}

bool subs_keep_limits(struct subs *s, uint32_t venue)
{
    if (venue >= s->options.venue_count || s->options.venue[venue].limits)
        return false;
    s->options.venue[venue].limits = true;
    for (uint32_t l = 0; l < SUBS_LINKS_MAX; l++)
        if (s->link[l].open && s->link[l].venue == venue)
            s->link[l].window = window_of(&s->options.venue[venue]);
    return true;
}

int subs_link_open(struct subs *s, uint32_t link, uint32_t venue, uint32_t shard, int64_t now_ns)
{
    (void)now_ns;
    if (link >= SUBS_LINKS_MAX || venue >= s->options.venue_count || shard >= SUBS_SHARDS_MAX)
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
    l->window = window_of(&s->options.venue[venue]);
    struct sub *e;
    FOR_EACH_IN_SHARD(s, l, e)
    {
        memset(&e->lane[lane], 0, sizeof(e->lane[lane]));
        if (e->refused_kinds != 0 && used == 0) {
            e->refused_kinds = 0; /* asked again, in a message of its own */
            e->lane[lane].batch_max = 1;
        }
    }
    return 0;
}

void subs_link_close(struct subs *s, uint32_t link, int64_t now_ns)
{
    struct subs_link *l = open_link(s, link);
    struct sub *e;
    (void)now_ns;
    if (l == NULL)
        return;
    l->open = false;
    bool last = lanes_used(s, l->venue, l->shard) == 0;
    FOR_EACH_IN_SHARD(s, l, e)
    {
        memset(&e->lane[l->lane], 0, sizeof(e->lane[l->lane]));
        if (last) {
            e->data_kinds = 0;
            e->acked_ns = 0;
        }
        subs_refresh(s, e);
    }
}

bool subs_carries(const struct subs *s, uint32_t link, const struct sub *e, uint32_t kinds)
{
    if (link >= SUBS_LINKS_MAX || !s->link[link].open)
        return false;
    const struct subs_link *l = &s->link[link];
    uint32_t asked = e->lane[l->lane].asked;
    if ((asked & VENUE_AGGTRADES) != 0)
        asked |= PX_TRADES;
    return l->venue == e->venue && l->shard == e->shard && (asked & kinds) != 0;
}

void subs_streams(const struct subs *s, uint32_t link, uint32_t *wanted, uint32_t *acked)
{
    *wanted = *acked = 0;
    if (link >= SUBS_LINKS_MAX || !s->link[link].open)
        return;
    const struct subs_link *l = &s->link[link];
    const struct px_venue *venue = s->options.venue[l->venue].venue;
    *wanted = s->shard[l->venue][l->shard].streams;
    const struct sub *e;
    FOR_EACH_IN_SHARD(s, l, e)
    {
        struct venue_wish wish = {e->native, e->lane[l->lane].acked};
        if (wish.kinds != 0)
            *acked += venue->streams(&wish);
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

/* When the budget allows one more message that is not a pong: 0 now. */
static int64_t budget_at(const struct subs_link *l, int64_t now_ns)
{
    if (l->window == 0)
        return 0;
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
    struct subs_link *l = open_link(s, link);
    for (uint32_t i = 0; l != NULL && i < n && i < SUBS_WINDOW_MAX; i++)
        spend(l, now_ns);
}

/* Kinds of an entry that this link is to be asked for, or to be told to stop. */
static uint16_t owed(const struct sub *e, const struct subs_lane *lane, bool on)
{
    if (lane->request != 0)
        return 0;
    if (!on)
        return (uint16_t)(lane->asked & ~e->wanted);
    uint16_t kinds = (uint16_t)(e->wanted & ~lane->asked & ~e->refused_kinds);
    if (kinds != 0 && lane->again_ns != 0) /* a message that goes anyway */
        kinds |= (uint16_t)(e->wanted & ~lane->acked & ~e->refused_kinds);
    return kinds;
}

struct offer {
    bool on;
    uint32_t count;
    struct venue_wish wish[OFFER_MAX];
    struct sub *entry[OFFER_MAX];
};

/* Everything that may go into one message, up to the smallest batch any of them was cut to. */
static void collect(struct subs *s, const struct subs_link *l, bool on, struct offer *o)
{
    uint32_t limit = OFFER_MAX;
    struct sub *e;
    o->count = 0;
    FOR_EACH_IN_SHARD(s, l, e)
    {
        const struct subs_lane *lane = &e->lane[l->lane];
        uint16_t kinds = owed(e, lane, on);
        if (kinds == 0 || (on && lane->batch_max != 0 && lane->batch_max <= o->count))
            continue;
        if (on && lane->batch_max != 0 && lane->batch_max < limit)
            limit = lane->batch_max;
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
        lane->turning_off = !o->on;
        if (o->on) {
            lane->asked |= kinds;
        } else {
            lane->asked &= (uint16_t)~kinds;
            lane->acked &= (uint16_t)~kinds;
        }
    }
}

/* Off before on: a connection never carries more than its limit. False: nothing is owed. */
static bool collect_next(struct subs *s, const struct subs_link *l, struct offer *o)
{
    for (int on = 0; on < 2; on++) {
        o->on = on != 0;
        collect(s, l, o->on, o);
        if (o->count != 0)
            return true;
    }
    return false;
}

int subs_next(struct subs *s, uint32_t link, int64_t now_ns, char *out, size_t cap, int64_t *at_ns)
{
    struct subs_link *l = open_link(s, link);
    struct offer o;
    *at_ns = INT64_MAX;
    if (l == NULL || !l->due)
        return 0;
    struct subs_request *request = free_request(l);
    if (request == NULL)
        return 0; /* the next answer, or its deadline, makes room */
    const struct px_venue *venue = s->options.venue[l->venue].venue;
    while (collect_next(s, l, &o)) {
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
        asked(l, &o, taken, len == 0 ? 0 : l->next_request);
        if (len == 0)
            continue;
        *request = (struct subs_request){l->next_request++, now_ns};
        l->unanswered++;
        *(o.on ? &s->counts.subscribes : &s->counts.unsubscribes) += 1;
        spend(l, now_ns);
        return len;
    }
    l->due = false;
    return 0;
}

/* Number 0 is the oldest that waits. Returns NULL for one that nobody waits for. */
static struct subs_request *request_of(struct subs_link *l, int64_t number)
{
    struct subs_request *found = NULL;
    for (uint32_t i = 0; i < SUBS_REQUESTS_MAX; i++) {
        struct subs_request *r = &l->request[i];
        if (r->request == 0)
            continue;
        if (number != 0 ? r->request == number : found == NULL || r->request < found->request)
            found = r;
    }
    return found;
}

static void answered(struct subs_link *l, struct subs_request *r)
{
    r->request = 0;
    l->unanswered--;
    l->due = true; /* what was owed meanwhile */
}

void subs_ack(struct subs *s, uint32_t link, int64_t request, int64_t now_ns)
{
    struct subs_link *l = open_link(s, link);
    struct subs_request *r = l == NULL ? NULL : request_of(l, request);
    if (r == NULL)
        return;
    uint32_t number = r->request;
    struct sub *e;
    answered(l, r);
    s->counts.acks++;
    FOR_EACH_IN_SHARD(s, l, e)
    {
        struct subs_lane *lane = &e->lane[l->lane];
        if (lane->request != number)
            continue;
        lane->request = 0;
        if (!lane->turning_off) {
            lane->tries = lane->batch_max = 0;
            lane->again_ns = 0;
            lane->acked = lane->asked;
        }
        if (e->acked_ns == 0 && lane->acked != 0)
            e->acked_ns = now_ns;
        subs_refresh(s, e);
    }
}

static void refuse_one(struct subs *s, struct sub *e, struct subs_lane *lane, const char *text,
                       size_t len)
{
    if (len > PX_TEXT_MAX)
        len = PX_TEXT_MAX;
    memcpy(e->text, text, len);
    e->text[len] = '\0';
    e->refused_kinds |= (uint16_t)(lane->asked & ~lane->acked);
    s->counts.refusals++;
}

void subs_refused(struct subs *s, uint32_t link, int64_t request, const char *text, size_t len,
                  int64_t now_ns)
{
    struct subs_link *l = open_link(s, link);
    struct subs_request *r = l == NULL ? NULL : request_of(l, request);
    (void)now_ns;
    if (r == NULL)
        return;
    uint32_t number = r->request, count = 0;
    struct sub *e;
    answered(l, r);
    FOR_EACH_IN_SHARD(s, l, e)
    count += e->lane[l->lane].request == number;
    FOR_EACH_IN_SHARD(s, l, e)
    {
        struct subs_lane *lane = &e->lane[l->lane];
        if (lane->request != number)
            continue;
        lane->request = 0;
        if (!lane->turning_off) {
            lane->tries = 0;
            lane->again_ns = 0;
            /* One of several is meant, and none took effect: halves find out which. */
            if (count == 1)
                refuse_one(s, e, lane, text, len);
            lane->batch_max = (uint16_t)(count > 1 ? count / 2 : 1);
            lane->asked &= lane->acked;
        }
        subs_refresh(s, e);
    }
}

/* Between two messages to a venue that does not answer: it may be the symbol, or the venue. */
static int64_t distance_ns(uint32_t tries)
{
    uint32_t doubled = tries - SUBS_TRIES_MAX;
    return doubled < AGAIN_DOUBLED_MAX ? AGAIN_NS << doubled : AGAIN_NS << AGAIN_DOUBLED_MAX;
}

/* What was asked stays noted as asked while it waits: the venue may have heard it, and is then told
 * to stop when nobody wants it any more. */
static void unanswered(struct subs *s, struct subs_lane *lane, int64_t now_ns)
{
    if (lane->tries < UINT16_MAX)
        lane->tries++;
    if (lane->tries < SUBS_TRIES_MAX) {
        lane->asked &= lane->acked;
        return;
    }
    lane->again_ns = now_ns + distance_ns(lane->tries);
    subs_deadline(s, lane->again_ns);
}

void subs_ask_again(struct subs *s, struct sub *e, int64_t now_ns)
{
    for (uint32_t l = 0; l < SUBS_LANES; l++) {
        struct subs_lane *lane = &e->lane[l];
        if (lane->again_ns == 0)
            continue;
        if (now_ns < lane->again_ns || lane->request != 0) {
            subs_deadline(s, lane->again_ns > now_ns ? lane->again_ns : now_ns + BUDGET_NS);
            continue;
        }
        lane->again_ns = 0;
        lane->asked &= (uint16_t)(lane->acked | ~e->wanted);
        subs_mark_due(s, e->venue, e->shard);
    }
}

static void late(struct subs *s, struct subs_link *l, struct subs_request *r, int64_t now_ns)
{
    uint32_t number = r->request;
    struct sub *e;
    answered(l, r);
    s->counts.unanswered++;
    FOR_EACH_IN_SHARD(s, l, e)
    {
        struct subs_lane *lane = &e->lane[l->lane];
        if (lane->request != number)
            continue;
        lane->request = 0;
        if (!lane->turning_off)
            unanswered(s, lane, now_ns);
        subs_refresh(s, e);
    }
}

void subs_answers_late(struct subs *s, int64_t now_ns)
{
    for (uint32_t i = 0; i < SUBS_LINKS_MAX; i++) {
        struct subs_link *l = &s->link[i];
        for (uint32_t k = 0; l->open && l->unanswered != 0 && k < SUBS_REQUESTS_MAX; k++) {
            struct subs_request *r = &l->request[k];
            if (r->request != 0 && now_ns - r->sent_ns >= s->options.answer_ns)
                late(s, l, r, now_ns);
        }
    }
}
