#include "hub.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "venue.h"

#define BUCKETS         4096U
#define INSTRUMENTS_MAX 16384
#define LISTED_DEFAULT  2000
#define LISTED_MAX      10000
#define TALLIES_MAX     16384
#define NS_PER_S        1000000000ULL
#define TURN_NS         1000000ULL   /* what is due within a turn is done together */
#define BACKLOG_NS      100000000ULL /* lateness that is made up for; more is forgotten */
#define TURN_EVENTS     4096 /* at most per call, so that the edge can look at its buffers */
#define BACKGROUND_NS   500000000ULL /* pace of a symbol that has scheduled streams only */
#define SCRATCH         (3U << 20)   /* the all-market array of LISTED_MAX symbols */

struct hub {
    struct hub_options options;
    uint64_t rng;
    struct instrument *buckets[BUCKETS];
    size_t instruments;
    struct instrument **active; /* with a source that runs */
    size_t active_count, active_room;
    struct instrument **listed;
    size_t listed_count;
    bool closed; /* no instruments but the listed ones */
    struct session *sessions;
    unsigned all_mini; /* streams of that kind */
    uint64_t next_100ms_ns, next_1s_ns;
    struct hub_stats stats;
    struct hub_tally **tally_tail;
    struct hub_tally *tally_buckets[BUCKETS];
    size_t tallies;
    char scratch[SCRATCH];
};

static size_t bucket_of(const char *name)
{
    uint32_t h = 2166136261U; /* FNV-1a */
    for (; *name != '\0'; name++)
        h = (h ^ (unsigned char)*name) * 16777619U;
    return h % BUCKETS;
}

static struct instrument *find(const struct hub *hub, const char *name)
{
    struct instrument *i = hub->buckets[bucket_of(name)];
    while (i != NULL && strcmp(i->market.name, name) != 0)
        i = i->next;
    return i;
}

static struct instrument *add(struct hub *hub, const char *name)
{
    struct instrument *i = hub->instruments < INSTRUMENTS_MAX ? calloc(1, sizeof *i) : NULL;
    if (i == NULL)
        return NULL;
    market_init(&i->market, name, hub->options.seed);
    size_t b = bucket_of(i->market.name);
    i->next = hub->buckets[b];
    hub->buckets[b] = i;
    hub->instruments++;
    return i;
}

/* What a native symbol of a spot market looks like; the listed ones may look otherwise. */
static bool plausible(const char *name)
{
    size_t len = strspn(name, "ABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789");
    return name[len] == '\0' && len >= 5 && len <= 20;
}

struct instrument *hub_instrument(struct hub *hub, const char *name)
{
    struct instrument *i = find(hub, name);
    return i == NULL && !hub->closed && plausible(name) ? add(hub, name) : i;
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

/* The demo's symbols, one that is not ASCII as the venue has them, then invented ones. */
static int list_generated(struct hub *hub, size_t count)
{
    static const char *const quotes[] = {"USDT", "BTC", "USDC", "ETH", "EUR", "TRY"};
    int rc = 0;
    for (size_t i = 0; market_default_name(i) != NULL && hub->listed_count < count && rc == 0; i++)
        rc = list(hub, market_default_name(i));
    if (hub->listed_count < count && rc == 0)
        rc = list(hub, "币安人生USDT");
    while (hub->listed_count < count && rc == 0) {
        char name[16];
        uint64_t r = market_random(&hub->rng);
        int n = 0;
        for (uint64_t letters = 3 + r % 3; letters > 0; letters--, r /= 26)
            name[n++] = (char)('A' + (r >> 8) % 26);
        snprintf(name + n, sizeof name - (size_t)n, "%s", quotes[market_random(&hub->rng) % 6]);
        rc = list(hub, name);
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
    for (size_t b = 0; b < BUCKETS; b++) {
        for (struct instrument *i = hub->buckets[b], *next; i != NULL; i = next) {
            next = i->next;
            free(i->shown[0]);
            free(i->shown[1]);
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

/* The first subscriber of a depth stream starts from the book as it is. */
static int show_book(struct instrument *i, enum stream_kind kind)
{
    int speed = kind == STREAM_DEPTH_1S ? 0 : 1;
    if ((kind != STREAM_DEPTH_1S && kind != STREAM_DEPTH_100MS) || i->streams[kind] != NULL)
        return 0;
    if (i->shown[speed] == NULL)
        i->shown[speed] = malloc(sizeof *i->shown[speed]);
    if (i->shown[speed] == NULL)
        return -ENOMEM;
    *i->shown[speed] = i->market.book;
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
    if (t != NULL)
        t->subscribes++;
    if (position(s, name) < s->count)
        return 1;
    struct instrument *i = NULL;
    if (kind < STREAM_OF_SYMBOL && !s->silent)
        i = hub_instrument(hub, symbol);
    if (i == NULL && (kind < STREAM_OF_SYMBOL || s->silent))
        kind = STREAM_SILENT;
    size_t len = strlen(name);
    struct stream *st = calloc(1, sizeof *st + len + 1);
    if (st == NULL || (i != NULL && show_book(i, kind) < 0) || append(s, st) < 0) {
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

static void want(struct hub *hub, struct instrument *i, enum source_kind kind, uint64_t interval_ns)
{
    struct source *src = &i->source[kind];
    bool listed_already = false;
    for (int k = 0; k < SOURCES; k++)
        listed_already |= i->source[k].wanted_ns != 0 || i->source[k].interval_ns != 0;
    if (!listed_already) {
        if (hub->active_count == hub->active_room) {
            size_t room = hub->active_room == 0 ? 64 : hub->active_room * 2;
            struct instrument **grown = realloc(hub->active, room * sizeof(struct instrument *));
            if (grown == NULL)
                return; /* the symbol stays silent */
            hub->active = grown;
            hub->active_room = room;
        }
        hub->active[hub->active_count++] = i;
    }
    if (src->wanted_ns == 0 || interval_ns < src->wanted_ns)
        src->wanted_ns = interval_ns;
}

/* Each connection gets its rate, spread over its streams that follow events. A source that several
 * connections listen to runs at the pace of the fastest of them. */
static void want_streams(struct hub *hub, const struct session *s)
{
    uint64_t counted = 0;
    for (size_t i = 0; i < s->count; i++)
        counted += s->streams[i]->kind <= STREAM_QUOTE;
    double pace = hub->options.rate > 0 ? (double)counted * 1e9 / hub->options.rate : 0;
    uint64_t interval_ns = pace < 1 ? 1 : pace > 3.6e12 ? 3600 * NS_PER_S : (uint64_t)pace;
    for (size_t i = 0; i < s->count; i++) {
        const struct stream *st = s->streams[i];
        if (st->instrument == NULL || hub->options.rate <= 0)
            continue;
        if (st->kind == STREAM_QUOTE) {
            want(hub, st->instrument, SOURCE_BOOK, interval_ns);
        } else if (st->kind < STREAM_QUOTE) {
            want(hub, st->instrument, SOURCE_TRADE, interval_ns);
        } else {
            want(hub, st->instrument, SOURCE_TRADE, BACKGROUND_NS);
            want(hub, st->instrument, SOURCE_BOOK, BACKGROUND_NS);
        }
    }
}

static void retime(struct hub *hub, struct instrument *i, enum source_kind kind, uint64_t mono_ns)
{
    struct source *src = &i->source[kind];
    uint64_t wanted = src->wanted_ns;
    if (wanted != 0 && src->interval_ns == 0) {
        /* the market went on while nobody looked */
        uint64_t missed = src->was_ns == 0 ? 0 : (mono_ns - src->stopped_ns) / src->was_ns;
        market_skip(&i->market, kind == SOURCE_TRADE ? missed : 0,
                    kind == SOURCE_BOOK ? missed : 0);
        src->due_ns = mono_ns + market_random(&hub->rng) % wanted;
    } else if (wanted == 0 && src->interval_ns != 0) {
        src->stopped_ns = mono_ns;
        src->was_ns = src->interval_ns;
    } else if (wanted != 0 && src->due_ns > mono_ns + wanted) {
        src->due_ns = mono_ns + market_random(&hub->rng) % wanted;
    }
    src->interval_ns = wanted;
}

void hub_settle(struct hub *hub, uint64_t mono_ns)
{
    for (size_t i = 0; i < hub->active_count; i++) {
        for (int k = 0; k < SOURCES; k++)
            hub->active[i]->source[k].wanted_ns = 0;
    }
    for (const struct session *s = hub->sessions; s != NULL; s = s->next)
        want_streams(hub, s);
    size_t kept = 0;
    for (size_t n = 0; n < hub->active_count; n++) {
        struct instrument *i = hub->active[n];
        retime(hub, i, SOURCE_TRADE, mono_ns);
        retime(hub, i, SOURCE_BOOK, mono_ns);
        if (i->source[SOURCE_TRADE].interval_ns != 0 || i->source[SOURCE_BOOK].interval_ns != 0)
            hub->active[kept++] = i;
    }
    hub->active_count = kept;
}

static void tell(struct hub *hub, const struct stream *st, const struct hub_event *event)
{
    struct session *s = st->session;
    size_t len = s->venue->write(st, event, hub->scratch, sizeof hub->scratch);
    if (len > 0)
        s->send(s, hub->scratch, len, true);
}

static void tell_all(struct hub *hub, const struct instrument *i, enum stream_kind kind,
                     const struct market_book *before, struct sim_time now)
{
    struct hub_event event = {.instrument = i, .before = before, .now = now, .kind = (uint8_t)kind};
    for (const struct stream *st = i->streams[kind]; st != NULL; st = st->next)
        tell(hub, st, &event);
}

static void fire(struct hub *hub, struct instrument *i, enum source_kind kind, struct sim_time now)
{
    if (kind == SOURCE_TRADE) {
        market_step_trade(&i->market);
        i->traded = true;
        tell_all(hub, i, STREAM_TRADE, NULL, now);
        tell_all(hub, i, STREAM_AGGREGATE, NULL, now);
    } else {
        market_step_book(&i->market);
        tell_all(hub, i, STREAM_QUOTE, NULL, now);
    }
}

/* One event of each source that is due, counted in *events; returns whether some have more. */
static bool run_round(struct hub *hub, struct sim_time now, size_t *events, uint64_t *ret_next_ns)
{
    bool more = false;
    *ret_next_ns = UINT64_MAX;
    for (size_t n = 0; n < hub->active_count; n++) {
        for (int k = 0; k < SOURCES; k++) {
            struct source *src = &hub->active[n]->source[k];
            if (src->interval_ns == 0)
                continue;
            if (src->due_ns + BACKLOG_NS < now.mono_ns)
                src->due_ns = now.mono_ns - BACKLOG_NS;
            if (src->due_ns <= now.mono_ns) {
                fire(hub, hub->active[n], (enum source_kind)k, now);
                (*events)++;
                src->due_ns += src->interval_ns;
                more |= src->due_ns <= now.mono_ns;
            }
            if (src->due_ns < *ret_next_ns)
                *ret_next_ns = src->due_ns;
        }
    }
    return more;
}

static void run_books(struct hub *hub, int speed, struct sim_time now)
{
    enum stream_kind depth = speed == 0 ? STREAM_DEPTH_1S : STREAM_DEPTH_100MS;
    enum stream_kind partial = speed == 0 ? STREAM_BOOK_1S : STREAM_BOOK_100MS;
    for (size_t n = 0; n < hub->active_count; n++) {
        struct instrument *i = hub->active[n];
        tell_all(hub, i, partial, NULL, now);
        if (i->streams[depth] == NULL || i->shown[speed]->update_id == i->market.book.update_id)
            continue;
        tell_all(hub, i, depth, i->shown[speed], now);
        *i->shown[speed] = i->market.book;
    }
}

static void run_all_market(struct hub *hub, struct sim_time now)
{
    for (size_t n = 0; n < hub->listed_count; n++) {
        struct instrument *i = hub->listed[n];
        if (i->source[SOURCE_TRADE].interval_ns == 0 && (market_random(&hub->rng) & 1) != 0) {
            market_step_book(&i->market);
            market_step_trade(&i->market);
            i->traded = true;
        }
    }
    struct hub_event event = {.now = now, .kind = STREAM_ALL_MINI};
    for (const struct session *s = hub->sessions; s != NULL; s = s->next) {
        for (size_t n = 0; n < s->count; n++) {
            if (s->streams[n]->kind == STREAM_ALL_MINI)
                tell(hub, s->streams[n], &event);
        }
    }
}

static void run_second(struct hub *hub, struct sim_time now)
{
    run_books(hub, 0, now);
    for (size_t n = 0; n < hub->active_count; n++) {
        struct instrument *i = hub->active[n];
        if (i->traded) {
            tell_all(hub, i, STREAM_TICKER, NULL, now);
            tell_all(hub, i, STREAM_MINI, NULL, now);
        }
        tell_all(hub, i, STREAM_AVERAGE, NULL, now);
    }
    if (hub->all_mini > 0)
        run_all_market(hub, now);
    for (size_t n = 0; n < hub->active_count; n++)
        hub->active[n]->traded = false;
    for (size_t n = 0; n < hub->listed_count; n++)
        hub->listed[n]->traded = false;
}

/* A schedule that was missed is not made up for. */
static bool strikes(uint64_t *at_ns, uint64_t period_ns, uint64_t mono_ns)
{
    if (mono_ns < *at_ns)
        return false;
    *at_ns = *at_ns + period_ns > mono_ns ? *at_ns + period_ns : mono_ns + period_ns;
    return true;
}

uint64_t hub_run(struct hub *hub, struct sim_time now)
{
    if (hub->active_count == 0 && hub->all_mini == 0)
        return UINT64_MAX;
    uint64_t next_ns;
    size_t events = 0;
    while (run_round(hub, now, &events, &next_ns) && events < TURN_EVENTS)
        ;
    if (strikes(&hub->next_100ms_ns, NS_PER_S / 10, now.mono_ns))
        run_books(hub, 1, now);
    if (strikes(&hub->next_1s_ns, NS_PER_S, now.mono_ns))
        run_second(hub, now);
    if (next_ns < now.mono_ns + TURN_NS)
        next_ns = now.mono_ns + TURN_NS;
    next_ns = hub->next_100ms_ns < next_ns ? hub->next_100ms_ns : next_ns;
    return hub->next_1s_ns < next_ns ? hub->next_1s_ns : next_ns;
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
