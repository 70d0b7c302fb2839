#include "hub.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "hub_internal.h"
#include "venue.h"

#define INSTRUMENTS_MAX 16384
#define LISTED_DEFAULT  2000
#define LISTED_MAX      10000
#define TALLIES_MAX     16384

static size_t bucket_of(const char *name)
{
    uint32_t h = 2166136261U; /* FNV-1a */
    for (; *name != '\0'; name++)
        h = (h ^ (unsigned char)*name) * 16777619U;
    return h % HUB_BUCKETS;
}

static struct instrument *find(const struct hub *hub, const char *name)
{
    struct instrument *i = hub->buckets[bucket_of(name)];
    while (i != NULL && strcmp(i->market.name, name) != 0)
        i = i->next;
    return i;
}

/* Length of the pair's name, 0: the venue has no such pair. */
static size_t spell(const struct hub *hub, const char *base, const char *quote, char *out)
{
    const struct sim_venue *v = hub->options.venue;
    if (v != NULL && v->spell != NULL)
        return v->spell(base, quote, out, MARKET_NAME);
    return (size_t)snprintf(out, MARKET_NAME, "%s%s", base, quote);
}

/* The pair itself, or a contract on it. */
static bool is_of(const struct hub *hub, const char *name, const char *pair)
{
    const struct sim_venue *v = hub->options.venue;
    return strcmp(name, pair) == 0 ||
           (v != NULL && v->is_contract_on != NULL && v->is_contract_on(name, pair));
}

static const struct market_default *default_of(const struct hub *hub, const char *name)
{
    char spelled[MARKET_NAME];
    const struct market_default *d;
    for (size_t i = 0; (d = market_default(i)) != NULL; i++) {
        if (spell(hub, d->base, d->quote, spelled) > 0 && is_of(hub, name, spelled))
            break;
    }
    return d;
}

static struct instrument *add(struct hub *hub, const char *name)
{
    struct instrument *i = hub->instruments < INSTRUMENTS_MAX ? calloc(1, sizeof *i) : NULL;
    if (i == NULL)
        return NULL;
    market_init(&i->market, name, default_of(hub, name), hub->options.seed);
    size_t b = bucket_of(i->market.name);
    i->next = hub->buckets[b];
    hub->buckets[b] = i;
    hub->instruments++;
    return i;
}

/* The listed ones may look otherwise. */
static bool plausible(const struct hub *hub, const char *name)
{
    const struct sim_venue *v = hub->options.venue;
    return strlen(name) < MARKET_NAME && v != NULL && v->is_symbol != NULL && v->is_symbol(name);
}

struct instrument *hub_instrument(struct hub *hub, const char *name)
{
    struct instrument *i = find(hub, name);
    return i == NULL && !hub->closed && plausible(hub, name) ? add(hub, name) : i;
}

static int list(struct hub *hub, const char *name)
{
    struct instrument *i = find(hub, name);
    if (i != NULL && i->listed)
        return 0;
    if (i == NULL)
        i = add(hub, name);
    if (i == NULL)
        return -ENOMEM;
    i->listed = true;
    hub->listed[hub->listed_count++] = i;
    return 0;
}

static int list_pair(struct hub *hub, const char *base, const char *quote)
{
    char name[MARKET_NAME];
    return spell(hub, base, quote, name) > 0 ? list(hub, name) : 0;
}

/* The demo's symbols, one that is not ASCII as some venues have them, then invented ones. A venue
 * that spells few of them ends up with less than it was asked for. */
static int list_generated(struct hub *hub, size_t count)
{
    static const char *const quotes[] = {"USDT", "BTC", "USDC", "ETH", "EUR", "TRY"};
    const struct market_default *d;
    int rc = 0;
    for (size_t i = 0; (d = market_default(i)) != NULL && hub->listed_count < count && rc == 0; i++)
        rc = list_pair(hub, d->base, d->quote);
    if (hub->listed_count < count && rc == 0)
        rc = list_pair(hub, "币安人生", "USDT");
    for (size_t tries = 100 * count; hub->listed_count < count && rc == 0 && tries > 0; tries--) {
        char base[8];
        uint64_t r = market_random(&hub->rng);
        int n = 0;
        for (uint64_t letters = 3 + r % 3; letters > 0; letters--, r /= 26)
            base[n++] = (char)('A' + (r >> 8) % 26);
        base[n] = '\0';
        rc = list_pair(hub, base, quotes[market_random(&hub->rng) % 6]);
    }
    return rc;
}

static int list_given(struct hub *hub, const char *names)
{
    int rc = 0;
    hub->closed = true;
    while (*names != '\0' && rc == 0 && hub->listed_count < LISTED_MAX) {
        char name[MARKET_NAME];
        size_t len = strcspn(names, ", ");
        if (len >= sizeof name)
            return -EINVAL;
        memcpy(name, names, len);
        name[len] = '\0';
        names += len + (names[len] != '\0');
        if (len > 0)
            rc = list(hub, name);
    }
    return rc;
}

int hub_open(struct hub **ret_hub, const struct hub_options *options)
{
    struct hub *hub = calloc(1, sizeof *hub);
    if (hub == NULL)
        return -ENOMEM;
    hub->options = *options;
    hub->rng = options->seed;
    hub->tally_tail = &hub->stats.tallies;
    hub->listed = calloc(LISTED_MAX, sizeof *hub->listed);
    const char *symbols = options->symbols;
    int rc = hub->listed == NULL ? -ENOMEM : 0;
    if (rc == 0 && (symbols == NULL || strspn(symbols, "0123456789") == strlen(symbols))) {
        unsigned long count = symbols == NULL ? LISTED_DEFAULT : strtoul(symbols, NULL, 10);
        rc = count == 0 || count > LISTED_MAX ? -EINVAL : list_generated(hub, count);
    } else if (rc == 0) {
        rc = list_given(hub, symbols);
    }
    if (rc < 0)
        hub_close(hub);
    else
        *ret_hub = hub;
    return rc;
}

void hub_close(struct hub *hub)
{
    if (hub == NULL)
        return;
    while (hub->sessions != NULL)
        hub_leave(hub->sessions);
    for (size_t b = 0; b < HUB_BUCKETS; b++) {
        for (struct instrument *i = hub->buckets[b], *next; i != NULL; i = next) {
            next = i->next;
            free(i->shown[0]);
            free(i->shown[1]);
            free(i->past);
            free(i);
        }
    }
    for (struct hub_tally *t = hub->stats.tallies, *next; t != NULL; t = next) {
        next = t->next;
        free(t);
    }
    free(hub->active);
    free(hub->listed);
    free(hub);
}

void hub_join(struct hub *hub, struct session *s)
{
    s->hub = hub;
    s->next = hub->sessions;
    hub->sessions = s;
}

static void unlink_stream(struct hub *hub, struct stream *st)
{
    if (st->kind == STREAM_ALL_MINI)
        hub->all_mini--;
    if (st->kind == STREAM_BEAT)
        hub->beats--;
    if (st->instrument != NULL) {
        struct stream **at = &st->instrument->streams[st->kind];
        while (*at != NULL && *at != st)
            at = &(*at)->next;
        if (*at != NULL)
            *at = st->next;
    }
    free(st);
}

void hub_leave(struct session *s)
{
    struct session **at = &s->hub->sessions;
    while (*at != NULL && *at != s)
        at = &(*at)->next;
    if (*at != NULL)
        *at = s->next;
    for (size_t i = 0; i < s->count; i++)
        unlink_stream(s->hub, s->streams[i]);
    free(s->streams);
    s->streams = NULL;
    s->count = s->room = 0;
}

static struct hub_tally *tally(struct hub *hub, const char *name)
{
    size_t b = bucket_of(name);
    struct hub_tally *t = hub->tally_buckets[b];
    while (t != NULL && strcmp(t->name, name) != 0)
        t = t->bucket;
    if (t != NULL || hub->tallies == TALLIES_MAX)
        return t;
    size_t len = strlen(name) + 1;
    t = calloc(1, sizeof *t + len);
    if (t == NULL)
        return NULL;
    memcpy(t->name, name, len);
    t->bucket = hub->tally_buckets[b];
    hub->tally_buckets[b] = t;
    *hub->tally_tail = t;
    hub->tally_tail = &t->next;
    hub->tallies++;
    return t;
}

static size_t position(const struct session *s, const char *name)
{
    size_t i = 0;
    while (i < s->count && strcmp(s->streams[i]->name, name) != 0)
        i++;
    return i;
}

const struct stream *hub_stream(const struct session *s, const char *name)
{
    size_t at = position(s, name);
    return at < s->count ? s->streams[at] : NULL;
}

static bool is_depth(unsigned kind)
{
    return kind == STREAM_DEPTH_1S || kind == STREAM_DEPTH_100MS;
}

const struct market_book *hub_told(const struct stream *st)
{
    return is_depth(st->kind) ? st->instrument->shown[st->kind == STREAM_DEPTH_1S ? 0 : 1] : NULL;
}

/* The first subscriber of a depth stream starts from the book as it is. Its number is that of the
 * tenths of a second: no stream tells more changes than there are of these. */
static int show_book(struct instrument *i, enum stream_kind kind, uint64_t real_us)
{
    int speed = kind == STREAM_DEPTH_1S ? 0 : 1;
    if (!is_depth(kind) || i->streams[kind] != NULL)
        return 0;
    if (i->shown[speed] == NULL)
        i->shown[speed] = malloc(sizeof *i->shown[speed]);
    if (i->shown[speed] == NULL)
        return -ENOMEM;
    *i->shown[speed] = i->market.book;
    i->number[speed] =
        i->number[speed] < real_us / 100000 ? real_us / 100000 : i->number[speed] + 1;
    return 0;
}

static int append(struct session *s, struct stream *st)
{
    if (s->count == s->room) {
        size_t room = s->room == 0 ? 16 : s->room * 2;
        struct stream **grown = realloc(s->streams, room * sizeof(struct stream *));
        if (grown == NULL)
            return -ENOMEM;
        s->streams = grown;
        s->room = room;
    }
    s->streams[s->count++] = st;
    return 0;
}

int hub_subscribe(struct session *s, const char *name, enum stream_kind kind, unsigned levels,
                  const char *symbol)
{
    struct hub *hub = s->hub;
    struct hub_tally *t = tally(hub, name);
    hub->stats.subscribes++;
    s->subscribed_ns = s->now.mono_ns;
    if (t != NULL)
        t->subscribes++;
    if (position(s, name) < s->count)
        return 1;
    bool of_symbol = kind < STREAM_OF_SYMBOL && (kind != STREAM_BEAT || symbol != NULL);
    struct instrument *i = of_symbol && !s->silent ? hub_instrument(hub, symbol) : NULL;
    if (s->silent || (of_symbol && i == NULL))
        kind = STREAM_SILENT;
    size_t len = strlen(name);
    struct stream *st = calloc(1, sizeof *st + len + 1);
    if (st == NULL || (i != NULL && show_book(i, kind, s->now.real_us) < 0) || append(s, st) < 0) {
        free(st);
        return -ENOMEM;
    }
    st->session = s;
    st->instrument = i;
    st->kind = (uint8_t)kind;
    st->levels = (uint8_t)levels;
    st->name_len = (uint16_t)len;
    memcpy(st->name, name, len + 1);
    if (i != NULL) {
        st->next = i->streams[kind];
        i->streams[kind] = st;
    }
    if (kind == STREAM_ALL_MINI)
        hub->all_mini++;
    if (kind == STREAM_BEAT)
        hub->beats++;
    return 0;
}

int hub_unsubscribe(struct session *s, const char *name)
{
    struct hub_tally *t = tally(s->hub, name);
    s->hub->stats.unsubscribes++;
    if (t != NULL)
        t->unsubscribes++;
    size_t at = position(s, name);
    if (at == s->count)
        return -ENOENT;
    unlink_stream(s->hub, s->streams[at]);
    s->count--;
    memmove(s->streams + at, s->streams + at + 1, (s->count - at) * sizeof s->streams[0]);
    return 0;
}

struct instrument *const *hub_listed(const struct hub *hub, size_t *ret_count)
{
    *ret_count = hub->listed_count;
    return hub->listed;
}

const struct hub_stats *hub_stats(const struct hub *hub)
{
    return &hub->stats;
}

struct session *hub_sessions(const struct hub *hub)
{
    return hub->sessions;
}
