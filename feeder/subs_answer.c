/* What the venue said to what links asked for: of a whole message, of one stream of it, or nothing
 * in time. */
#include <string.h>

#include "subs_internal.h"

#define S INT64_C(1000000000)

/* 30 s, 60 s, 120 s ... 16 min, between messages that a venue leaves unanswered. */
#define AGAIN_NS          (30 * S)
#define AGAIN_DOUBLED_MAX 5u

/* 0, 1 s, 2 s ... 64 s before what was lost is asked for anew; from the first again once it has
 * held for so long. */
#define RESYNC_DOUBLED_MAX 6u
#define RESYNC_HELD_NS     (300 * S)

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

static void lane_done(struct subs_lane *lane)
{
    lane->request = 0;
    lane->pending = 0;
    if (lane->turning_off)
        return;
    lane->tries = lane->batch_max = 0;
    lane->again_ns = 0;
}

static void accept(struct sub *e, struct subs_lane *lane, uint16_t kinds, int64_t now_ns)
{
    if (!lane->turning_off || lane->request == 0)
        lane->acked |= kinds & lane->asked;
    if (e->acked_ns == 0 && lane->acked != 0)
        e->acked_ns = now_ns;
}

void subs_ack(struct subs *s, uint32_t link, int64_t request, int64_t now_ns)
{
    struct subs_link *l = subs_open_link(s, link);
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
        accept(e, lane, lane->pending, now_ns);
        lane_done(lane);
        subs_refresh(s, e);
    }
}

/* The entry of this name whose streams the link carries: its own, or the ghost of one that moved.
 */
static struct sub *entry_in_shard(struct subs *s, const struct subs_link *l,
                                  const struct subs_stream *stream)
{
    uint32_t i = subs_find(s, l->venue, stream->native, stream->len);
    struct sub *e;
    if (i != SUBS_NONE && s->entry[i].shard == l->shard)
        return &s->entry[i];
    FOR_EACH_IN_SHARD(s, l, e)
    if (e->ghost && e->native_len == stream->len &&
        memcmp(e->native, stream->native, stream->len) == 0)
        return e;
    return NULL;
}

/* One of the entries that a message was for has all its answers. */
static void entry_answered(struct subs_link *l, struct subs_lane *lane)
{
    struct subs_request *r = lane->request == 0 ? NULL : request_of(l, lane->request);
    lane_done(lane);
    if (r != NULL && --r->waiting == 0)
        answered(l, r);
    l->due = true;
}

/* Of the message that waits, the kinds that this answer is about. */
static uint16_t about(const struct subs_lane *lane, const struct subs_stream *stream)
{
    uint16_t kinds = stream->kinds == 0 ? UINT16_MAX : (uint16_t)stream->kinds;
    return lane->request != 0 && lane->turning_off == stream->off ? lane->pending & kinds : 0;
}

void subs_ack_stream(struct subs *s, uint32_t link, const struct subs_stream *stream,
                     int64_t now_ns)
{
    struct subs_link *l = subs_open_link(s, link);
    struct sub *e = l == NULL ? NULL : entry_in_shard(s, l, stream);
    if (e == NULL)
        return;
    struct subs_lane *lane = &e->lane[l->lane];
    uint16_t kinds = about(lane, stream);
    s->counts.acks++;
    /* an answer that is late is one all the same */
    accept(e, lane, stream->off ? 0 : (uint16_t)(stream->kinds & lane->asked), now_ns);
    lane->pending &= (uint16_t)~kinds;
    if (kinds != 0 && lane->pending == 0)
        entry_answered(l, lane);
    subs_refresh(s, e);
}

static void refuse_kinds(struct subs *s, struct sub *e, uint16_t kinds, const char *text,
                         size_t len)
{
    len = len < PX_TEXT_MAX ? len : PX_TEXT_MAX;
    memcpy(e->text, text, len);
    e->text[len] = '\0';
    e->refused_kinds |= kinds;
    s->counts.refusals++;
}

void subs_refused_stream(struct subs *s, uint32_t link, const struct subs_stream *stream,
                         const char *text, size_t len)
{
    struct subs_link *l = subs_open_link(s, link);
    struct sub *e = l == NULL ? NULL : entry_in_shard(s, l, stream);
    if (e == NULL)
        return;
    struct subs_lane *lane = &e->lane[l->lane];
    uint16_t kinds = about(lane, stream);
    if (kinds == 0)
        return;
    if (!lane->turning_off) {
        refuse_kinds(s, e, kinds, text, len);
        lane->asked &= (uint16_t)~kinds;
    }
    lane->pending &= (uint16_t)~kinds;
    if (lane->pending == 0)
        entry_answered(l, lane);
    subs_refresh(s, e);
}

void subs_refused(struct subs *s, uint32_t link, int64_t request, const char *text, size_t len,
                  int64_t now_ns)
{
    struct subs_link *l = subs_open_link(s, link);
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
                refuse_kinds(s, e, lane->pending, text, len);
            lane->batch_max = (uint16_t)(count > 1 ? count / 2 : 1);
            lane->asked &= lane->acked;
        }
        lane->pending = 0;
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

bool subs_resync(struct subs *s, uint32_t link, const struct subs_stream *stream, int64_t now_ns)
{
    struct subs_link *l = subs_open_link(s, link);
    struct sub *e = l == NULL ? NULL : entry_in_shard(s, l, stream);
    uint16_t kinds = e == NULL ? 0 : (uint16_t)(stream->kinds & e->lane[l->lane].asked);
    if (kinds == 0)
        return false;
    struct subs_lane *lane = &e->lane[l->lane];
    bool due = (lane->resync & lane->asked) != 0;
    lane->resync |= kinds;
    if (due) /* they go with those that wait */
        return true;
    if (now_ns - lane->resync_ns > RESYNC_HELD_NS)
        lane->resyncs = 0;
    uint32_t doubled =
        lane->resyncs < RESYNC_DOUBLED_MAX + 1 ? lane->resyncs : RESYNC_DOUBLED_MAX + 1;
    lane->resync_ns = now_ns + (doubled == 0 ? 0 : S << (doubled - 1));
    lane->resyncs++;
    subs_deadline(s, lane->resync_ns);
    l->due = true;
    return true;
}

void subs_ask_again(struct subs *s, struct sub *e, int64_t now_ns)
{
    for (uint32_t l = 0; l < SUBS_LANES; l++) {
        struct subs_lane *lane = &e->lane[l];
        if (lane->resync != 0 && now_ns >= lane->resync_ns)
            subs_mark_due(s, e->venue, e->shard);
        else if (lane->resync != 0)
            subs_deadline(s, lane->resync_ns);
        if (lane->again_ns == 0)
            continue;
        if (now_ns < lane->again_ns || lane->request != 0) {
            subs_deadline(s, lane->again_ns > now_ns ? lane->again_ns : now_ns + S);
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
        lane->pending = 0;
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
