/* Who wants what: entries, their sources, shards, states. What is sent for it: subs_link.c. */
#include "subs.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "hash.h"
#include "subs_internal.h"

static uint32_t bucket_count(uint32_t capacity)
{
    uint32_t n = 64;
    while (n < capacity * 2u)
        n *= 2;
    return n;
}

size_t subs_bytes(uint32_t capacity)
{
    return sizeof(struct subs) + (size_t)capacity * sizeof(struct sub) +
           (size_t)bucket_count(capacity) * sizeof(uint32_t);
}

struct subs *subs_new(const struct subs_options *options)
{
    if (options->capacity == 0 || options->capacity > UINT32_MAX / 4 ||
        options->venue_count > SUBS_VENUES_MAX)
        return NULL;
    struct subs *s = calloc(1, sizeof(*s));
    if (s == NULL)
        return NULL;
    s->options = *options;
    s->bucket_mask = bucket_count(options->capacity) - 1;
    s->entry = calloc(options->capacity, sizeof(*s->entry));
    s->bucket = calloc((size_t)s->bucket_mask + 1, sizeof(*s->bucket));
    if (s->entry == NULL || s->bucket == NULL) {
        subs_free(s);
        return NULL;
    }
    s->free_head = s->change_head = s->change_tail = s->returned = SUBS_NONE;
    s->next_ns = INT64_MAX;
    for (uint32_t v = 0; v < SUBS_VENUES_MAX; v++)
        for (uint32_t i = 0; i < SUBS_SHARDS_MAX; i++)
            s->shard[v][i].head = s->shard[v][i].tail = SUBS_NONE;
    return s;
}

void subs_free(struct subs *s)
{
    if (s == NULL)
        return;
    free(s->entry);
    free(s->bucket);
    free(s);
}

uint32_t subs_find(const struct subs *s, uint32_t venue, const char *native, size_t len)
{
    uint32_t i = s->bucket[hash_symbol(venue, native, len) & s->bucket_mask];
    while (i != 0) {
        const struct sub *e = &s->entry[i - 1];
        if (e->native_len == len && e->venue == venue && memcmp(e->native, native, len) == 0)
            return i - 1;
        i = e->hash_next;
    }
    return SUBS_NONE;
}

struct sub *subs_at(struct subs *s, uint32_t sub)
{
    return sub < s->high && s->entry[sub].state != SUBS_FREE ? &s->entry[sub] : NULL;
}

uint32_t subs_index_of(const struct subs *s, const struct sub *e)
{
    return subs_index(s, e);
}

uint32_t subs_capacity(const struct subs *s)
{
    return s->options.capacity;
}

uint32_t subs_used(const struct subs *s)
{
    return s->used;
}

bool subs_full(const struct subs *s)
{
    return s->used == s->options.capacity;
}

uint64_t subs_revision(const struct subs *s)
{
    return s->revision;
}

const struct subs_counts *subs_counted(const struct subs *s)
{
    return &s->counts;
}

/* Entries: memory that was never used is never touched, hence `high` beside the free list. */
static struct sub *entry_take(struct subs *s)
{
    struct sub *e;
    if (s->free_head != SUBS_NONE) {
        e = &s->entry[s->free_head];
        s->free_head = e->change_next;
    } else if (s->high < s->options.capacity) {
        e = &s->entry[s->high++];
    } else {
        return NULL;
    }
    memset(e, 0, sizeof(*e));
    e->shard = SUBS_SHARD_NONE;
    e->state = SUBS_ASKING;
    e->slot = SUBS_NONE;
    s->used++;
    return e;
}

static void shard_leave(struct subs *s, struct sub *e)
{
    if (e->shard == SUBS_SHARD_NONE)
        return;
    struct subs_shard *shard = subs_shard_of(s, e);
    *(e->previous == SUBS_NONE ? &shard->head : &s->entry[e->previous].next) = e->next;
    *(e->next == SUBS_NONE ? &shard->tail : &s->entry[e->next].previous) = e->previous;
    shard->entries--;
    shard->streams -= e->streams;
    e->shard = SUBS_SHARD_NONE;
    e->streams = 0;
}

static void shard_join(struct subs *s, struct sub *e, uint32_t shard_index)
{
    struct subs_shard *shard = &s->shard[e->venue][shard_index];
    e->shard = (uint8_t)shard_index;
    e->next = SUBS_NONE;
    e->previous = shard->tail;
    *(shard->tail == SUBS_NONE ? &shard->head : &s->entry[shard->tail].next) = subs_index(s, e);
    shard->tail = subs_index(s, e);
    shard->entries++;
}

static void uncharge(struct subs *s, struct sub *e)
{
    if (e->charge1 != 0)
        s->charged[e->charge1 - 1u]--;
    e->charge1 = 0;
}

void subs_charge(struct subs *s, uint32_t sub, uint32_t user)
{
    struct sub *e = subs_at(s, sub);
    if (e == NULL || user >= SUBS_USERS_MAX || e->readers != 0 || e->config_kinds != 0)
        return;
    uncharge(s, e);
    e->charge1 = (uint16_t)(user + 1);
    s->charged[user]++;
}

uint32_t subs_charged(const struct subs *s, uint32_t user)
{
    return user < SUBS_USERS_MAX ? s->charged[user] : 0;
}

bool subs_charged_to(struct subs *s, uint32_t sub, uint32_t user)
{
    const struct sub *e = subs_at(s, sub);
    return e != NULL && e->charge1 == user + 1;
}

void subs_forgive(struct subs *s, uint32_t user)
{
    if (subs_charged(s, user) == 0)
        return;
    for (uint32_t i = 0; i < s->high; i++)
        if (s->entry[i].state != SUBS_FREE && s->entry[i].charge1 == user + 1)
            uncharge(s, &s->entry[i]);
}

static void entry_give(struct subs *s, struct sub *e)
{
    uncharge(s, e);
    shard_leave(s, e);
    if (!e->ghost) {
        uint32_t *at = &s->bucket[hash_symbol(e->venue, e->native, e->native_len) & s->bucket_mask];
        while (*at != subs_index(s, e) + 1)
            at = &s->entry[*at - 1].hash_next;
        *at = e->hash_next;
    }
    e->state = SUBS_FREE;
    e->change_next = s->free_head;
    s->free_head = subs_index(s, e);
    s->used--;
}

static void mark_changed(struct subs *s, struct sub *e)
{
    if (e->changed)
        return;
    uint32_t i = subs_index(s, e);
    e->changed = true;
    e->change_next = SUBS_NONE;
    *(s->change_tail == SUBS_NONE ? &s->change_head : &s->entry[s->change_tail].change_next) = i;
    s->change_tail = i;
}

uint32_t subs_changed(struct subs *s)
{
    if (s->returned != SUBS_NONE) {
        struct sub *e = &s->entry[s->returned];
        if (e->state == SUBS_IDLE && !e->changed)
            entry_give(s, e);
        s->returned = SUBS_NONE;
    }
    uint32_t i = s->change_head;
    if (i == SUBS_NONE)
        return SUBS_NONE;
    struct sub *e = &s->entry[i];
    s->change_head = e->change_next;
    if (s->change_head == SUBS_NONE)
        s->change_tail = SUBS_NONE;
    e->changed = false;
    s->returned = i;
    return i;
}

bool subs_quiet(const struct sub *e)
{
    for (uint32_t l = 0; l < SUBS_LANES; l++)
        if (e->lane[l].asked != 0 || e->lane[l].request != 0)
            return false;
    return true;
}

static bool given_up(const struct sub *e)
{
    for (uint32_t l = 0; l < SUBS_LANES; l++)
        if (e->lane[l].tries >= SUBS_TRIES_MAX)
            return true;
    return false;
}

static bool acked(const struct sub *e)
{
    for (uint32_t l = 0; l < SUBS_LANES; l++)
        if (e->lane[l].acked != 0)
            return true;
    return false;
}

void subs_deadline(struct subs *s, int64_t at_ns)
{
    if (at_ns < s->next_ns)
        s->next_ns = at_ns;
}

void subs_refresh(struct subs *s, struct sub *e)
{
    uint32_t state = e->state;
    if (e->wanted == 0) {
        if (subs_quiet(e) && e->ghost) {
            entry_give(s, e);
            return;
        }
        if (subs_quiet(e)) {
            state = SUBS_IDLE;
            e->data_kinds = e->refused_kinds = 0;
            e->acked_ns = 0;
        }
    } else if ((e->wanted & ~e->refused_kinds) == 0 && !acked(e)) {
        state = SUBS_REFUSED;
    } else if (e->data_kinds != 0) {
        state = SUBS_FLOWING;
    } else if (!acked(e)) {
        state = given_up(e) ? SUBS_UNANSWERED : SUBS_ASKING;
    } else if (state != SUBS_SILENT) {
        state = SUBS_ACKED;
        subs_deadline(s, e->acked_ns + s->options.no_data_ns);
    }
    if (state != e->state) {
        e->state = state;
        mark_changed(s, e);
    }
}

/* Kinds as readers count them. */
static uint16_t reader_kinds(const struct sub *e)
{
    uint16_t kinds = 0;
    for (uint32_t k = 0; k < PX_CELL_KINDS; k++)
        kinds = (uint16_t)(kinds | (e->by_kind[k] != 0) << k);
    return kinds;
}

/* Two kinds that mean the same to a reader: the one that `instead` says. */
static uint32_t one_of(uint32_t kinds, uint32_t plain, uint32_t other, uint32_t instead)
{
    if ((kinds & (plain | other)) == 0)
        return kinds;
    kinds &= ~(plain | other);
    return kinds | ((instead & other) != 0 ? other : plain);
}

/* What the venue is to be asked for, if `extra` were wanted too. */
static uint16_t wanted_with(const struct subs *s, const struct sub *e, uint32_t extra)
{
    const struct subs_venue *v = &s->options.venue[e->venue];
    uint32_t kinds = reader_kinds(e) | e->config_kinds | e->linger_kinds | extra;
    kinds = one_of(kinds, PX_TRADES, VENUE_AGGTRADES, v->instead);
    kinds = one_of(kinds, PX_QUOTES, VENUE_DEPTH, v->instead);
    return (uint16_t)(kinds & v->venue->kinds);
}

static uint32_t stream_count(const struct subs *s, const struct sub *e, uint16_t kinds)
{
    struct venue_wish wish = {e->native, kinds};
    return kinds == 0 ? 0 : s->options.venue[e->venue].venue->streams(&wish);
}

/* The shard with the fewest streams among those that would stay within `bound`; an empty one only
 * if no other is. */
static uint32_t emptiest(const struct subs *s, uint32_t venue, uint32_t streams, uint32_t bound)
{
    uint32_t best = SUBS_NONE, spare = SUBS_NONE;
    for (uint32_t i = 0; i < SUBS_SHARDS_MAX; i++) {
        const struct subs_shard *shard = &s->shard[venue][i];
        if (shard->streams + streams > bound)
            continue;
        if (shard->entries == 0)
            spare = spare == SUBS_NONE ? i : spare;
        else if (best == SUBS_NONE || shard->streams < s->shard[venue][best].streams)
            best = i;
    }
    return best != SUBS_NONE ? best : spare;
}

/* Load is spread over the connections that there are. Another one is opened when all are three
 * quarters full, so that symbols that gain kinds later need not move; only then is the rest used.
 */
static uint32_t shard_with_room(const struct subs *s, uint32_t venue, uint32_t streams)
{
    uint32_t limit = s->options.venue[venue].venue->streams_per_conn;
    if (limit == 0)
        return 0;
    uint32_t shard = emptiest(s, venue, streams, limit - limit / 4);
    return shard != SUBS_NONE ? shard : emptiest(s, venue, streams, limit);
}

/* An entry that outgrows its shard goes on in another. What the old one's links were asked for
 * stays behind under a ghost, which is unsubscribed like anything that nobody wants. */
static int shard_move(struct subs *s, struct sub *e, uint32_t to)
{
    if (e->shard != SUBS_SHARD_NONE && !subs_quiet(e)) {
        struct sub *ghost = entry_take(s);
        if (ghost == NULL)
            return -ENOSPC;
        memcpy(ghost->native, e->native, sizeof(ghost->native));
        memcpy(ghost->lane, e->lane, sizeof(ghost->lane));
        ghost->native_len = e->native_len;
        ghost->venue = e->venue;
        ghost->ghost = true;
        shard_join(s, ghost, e->shard);
        subs_mark_due(s, e->venue, e->shard);
    }
    shard_leave(s, e);
    memset(e->lane, 0, sizeof(e->lane));
    shard_join(s, e, to);
    return 0;
}

/* Make room for what `e` would be with `extra` kinds. */
static int reserve(struct subs *s, struct sub *e, uint32_t extra)
{
    uint32_t streams = stream_count(s, e, wanted_with(s, e, extra));
    uint32_t limit = s->options.venue[e->venue].venue->streams_per_conn;
    if (e->shard != SUBS_SHARD_NONE &&
        (limit == 0 || subs_shard_of(s, e)->streams - e->streams + streams <= limit))
        return 0;
    uint32_t to = shard_with_room(s, e->venue, streams);
    return to == SUBS_NONE ? -ENOSPC : shard_move(s, e, to);
}

void subs_started(struct subs *s)
{
    if (s->askings == 0)
        s->askings = 1;
}

#define TRADE_STREAMS (PX_TRADES | VENUE_AGGTRADES)

/* After any change of the sources: wanted kinds, streams, state. */
static void apply(struct subs *s, struct sub *e)
{
    uint16_t wanted = wanted_with(s, e, 0);
    if (wanted != e->wanted) {
        uint32_t streams = stream_count(s, e, wanted);
        subs_shard_of(s, e)->streams += streams - e->streams;
        e->streams = streams;
        if (s->askings != 0 && (wanted & ~e->wanted & TRADE_STREAMS) != 0)
            e->asking = s->askings++;
        e->wanted = wanted;
        mark_changed(s, e);
        subs_mark_due(s, e->venue, e->shard);
    }
    subs_refresh(s, e);
}

static struct sub *entry_of(struct subs *s, uint32_t venue, const char *native)
{
    size_t len = strlen(native);
    uint32_t i = subs_find(s, venue, native, len);
    if (i != SUBS_NONE)
        return &s->entry[i];
    struct sub *e = entry_take(s);
    if (e == NULL)
        return NULL;
    memcpy(e->native, native, len + 1);
    e->native_len = (uint16_t)len;
    e->venue = (uint8_t)venue;
    uint32_t *bucket = &s->bucket[hash_symbol(venue, native, len) & s->bucket_mask];
    e->hash_next = *bucket;
    *bucket = subs_index(s, e) + 1;
    return e;
}

/* The entry, with room for `kinds` more. Errors as subs_reader_add(). */
static int entry_for(struct subs *s, uint32_t venue, const char *native, uint32_t kinds,
                     struct sub **out)
{
    if (venue >= s->options.venue_count || native[0] == '\0' || strlen(native) > PX_SYMBOL_MAX)
        return -EINVAL;
    const struct px_venue *v = s->options.venue[venue].venue;
    if ((subs_plain_kinds(kinds) & v->kinds) == 0)
        return -EOPNOTSUPP;
    const struct venue_wish all = {native, PX_TICKERS};
    if (strcmp(native, "*") == 0 && (kinds != PX_TICKERS || v->streams(&all) == 0))
        return -EOPNOTSUPP;
    struct sub *e = entry_of(s, venue, native);
    if (e == NULL)
        return -ENOSPC;
    int rc = reserve(s, e, kinds);
    if (rc != 0) {
        if (e->shard == SUBS_SHARD_NONE)
            entry_give(s, e);
        return rc;
    }
    *out = e;
    return 0;
}

static void count_kinds(struct sub *e, uint32_t kinds, bool up)
{
    for (uint32_t k = 0; k < PX_CELL_KINDS; k++)
        if ((kinds >> k & 1u) != 0)
            e->by_kind[k] += up ? 1u : UINT32_MAX;
}

int subs_reader_add(struct subs *s, uint32_t venue, const char *native, uint32_t kinds,
                    int64_t now_ns, uint32_t *sub)
{
    struct sub *e;
    (void)now_ns;
    int rc = entry_for(s, venue, native, kinds, &e);
    if (rc != 0)
        return rc;
    uncharge(s, e);
    e->readers++;
    count_kinds(e, kinds, true);
    e->refused_kinds = 0; /* somebody asks anew, and so do we */
    subs_mark_due(s, e->venue, e->shard);
    s->revision++;
    mark_changed(s, e); /* the count of its readers did */
    apply(s, e);
    *sub = subs_index(s, e);
    return 0;
}

int subs_reader_more(struct subs *s, uint32_t sub, uint32_t kinds, int64_t now_ns)
{
    struct sub *e = subs_at(s, sub);
    (void)now_ns;
    if (e == NULL || (kinds & s->options.venue[e->venue].venue->kinds) == 0)
        return -EOPNOTSUPP;
    int rc = reserve(s, e, kinds);
    if (rc != 0)
        return rc;
    count_kinds(e, kinds, true);
    s->revision++;
    apply(s, e);
    return 0;
}

/* Kinds that lost their last source are kept for the grace time. Not those of an entry that never
 * had data: invented symbols would fill the table. */
static void linger(struct subs *s, struct sub *e, uint16_t lost, int64_t until_ns)
{
    if (lost == 0)
        return;
    e->linger_kinds |= lost;
    if (until_ns > e->linger_ns)
        e->linger_ns = until_ns;
    subs_deadline(s, e->linger_ns);
}

void subs_reader_drop(struct subs *s, uint32_t sub, uint32_t kinds, bool left, int64_t now_ns)
{
    struct sub *e = subs_at(s, sub);
    if (e == NULL)
        return;
    uint16_t before = reader_kinds(e);
    count_kinds(e, kinds, false);
    if (left)
        e->readers--;
    if (s->options.grace_ns > 0 && e->had_data)
        linger(s, e, (uint16_t)(before & ~reader_kinds(e)), now_ns + s->options.grace_ns);
    s->revision++;
    mark_changed(s, e);
    apply(s, e);
}

int subs_config(struct subs *s, uint32_t venue, const char *native, uint32_t kinds, int64_t now_ns,
                uint32_t *sub)
{
    struct sub *e;
    uint32_t i =
        venue < s->options.venue_count ? subs_find(s, venue, native, strlen(native)) : SUBS_NONE;
    if (kinds == 0 && i == SUBS_NONE)
        return 0;
    if (kinds == 0) {
        e = &s->entry[i];
    } else {
        int rc = entry_for(s, venue, native, kinds, &e);
        if (rc != 0)
            return rc;
    }
    uint16_t lost = (uint16_t)(e->config_kinds & ~kinds);
    e->config_kinds = (uint16_t)kinds;
    if (s->options.grace_ns > 0)
        linger(s, e, lost, now_ns + s->options.grace_ns);
    *sub = subs_index(s, e);
    apply(s, e);
    return 0;
}

int subs_hold(struct subs *s, uint32_t venue, const char *native, uint32_t kinds, int64_t until_ns,
              uint32_t *sub)
{
    struct sub *e;
    int rc = entry_for(s, venue, native, kinds, &e);
    if (rc != 0)
        return rc;
    linger(s, e, (uint16_t)kinds, until_ns);
    s->revision++;
    *sub = subs_index(s, e);
    apply(s, e);
    return 0;
}

void subs_data_first(struct subs *s, struct sub *e, uint32_t kind)
{
    e->data_kinds = (uint16_t)(e->data_kinds | 1u << kind);
    e->had_data = true;
    /* it flows, whatever was said */
    if (kind == PX_TRADE)
        e->refused_kinds &= (uint16_t)~VENUE_AGGTRADES;
    if (kind == PX_QUOTE)
        e->refused_kinds &= (uint16_t)~VENUE_DEPTH;
    e->refused_kinds &= (uint16_t) ~(1u << kind);
    subs_refresh(s, e);
}

void subs_instead(struct subs *s, uint32_t venue, uint32_t kinds, int64_t now_ns)
{
    (void)now_ns;
    kinds &= VENUE_AGGTRADES | VENUE_DEPTH;
    if (s->options.venue[venue].instead == kinds)
        return;
    s->options.venue[venue].instead = (uint16_t)kinds;
    for (uint32_t i = 0; i < s->high; i++) {
        struct sub *e = &s->entry[i];
        if (e->state != SUBS_FREE && e->venue == venue && !e->ghost)
            apply(s, e);
    }
}

void subs_grace(struct subs *s, int64_t grace_ns, int64_t no_data_ns)
{
    s->options.grace_ns = grace_ns;
    s->options.no_data_ns = no_data_ns;
}

void subs_end_grace(struct subs *s, int64_t now_ns)
{
    for (uint32_t i = 0; i < s->high; i++) {
        struct sub *e = &s->entry[i];
        if (e->state == SUBS_FREE || e->linger_kinds == 0)
            continue;
        e->linger_ns = now_ns;
        subs_deadline(s, now_ns);
    }
}

/* Deadlines of one entry; those still ahead are noted for next time. */
static void entry_tick(struct subs *s, struct sub *e, int64_t now_ns)
{
    if (e->linger_kinds != 0 && now_ns >= e->linger_ns) {
        e->linger_kinds = 0;
        e->linger_ns = 0;
        s->revision++;
        apply(s, e);
        if (e->state == SUBS_FREE)
            return;
    } else if (e->linger_kinds != 0) {
        subs_deadline(s, e->linger_ns);
    }
    subs_ask_again(s, e, now_ns);
    if (e->state != SUBS_ACKED)
        return;
    int64_t silent_ns = e->acked_ns + s->options.no_data_ns;
    if (now_ns >= silent_ns) {
        e->state = SUBS_SILENT;
        mark_changed(s, e);
    } else {
        subs_deadline(s, silent_ns);
    }
}

int64_t subs_tick(struct subs *s, int64_t now_ns)
{
    subs_answers_late(s, now_ns);
    if (now_ns >= s->next_ns) {
        s->next_ns = INT64_MAX;
        for (uint32_t i = 0; i < s->high; i++)
            if (s->entry[i].state != SUBS_FREE)
                entry_tick(s, &s->entry[i], now_ns);
    }
    return s->next_ns;
}

uint32_t subs_shards(const struct subs *s, uint32_t venue)
{
    uint32_t n = SUBS_SHARDS_MAX;
    while (n > 0 && s->shard[venue][n - 1].entries == 0)
        n--;
    return n;
}

uint32_t subs_routes(const struct subs *s, uint32_t venue)
{
    uint32_t routes = s->options.venue[venue].venue->routes;
    return routes == 0 ? 1 : routes;
}

bool subs_shard_wanted(const struct subs *s, uint32_t venue, uint32_t shard, uint32_t route)
{
    const struct px_venue *v = s->options.venue[venue].venue;
    if (shard >= SUBS_SHARDS_MAX || s->shard[venue][shard].streams == 0)
        return false;
    if (v->routes < 2)
        return true;
    uint32_t i = s->shard[venue][shard].head;
    while (i != SUBS_NONE && (s->entry[i].wanted & v->route_kinds[route]) == 0)
        i = s->entry[i].next;
    return i != SUBS_NONE;
}
