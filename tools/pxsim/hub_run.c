/* The market place over time: how often something happens where, and who is told. */
#include <stdlib.h>

#include "hub_internal.h"
#include "venue.h"

#define TURN_NS       1000000ULL   /* what is due within a turn is done together */
#define BACKLOG_NS    100000000ULL /* lateness that is made up for; more is forgotten */
#define TURN_EVENTS   4096         /* at most per call, so that the edge can look at its buffers */
#define BACKGROUND_NS 500000000ULL /* pace of a symbol that has scheduled streams only */

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

/* The next trade is made, and remembered. */
static void step_trade(struct instrument *i, uint64_t real_us)
{
    market_step_trade(&i->market);
    if (i->past == NULL)
        i->past = calloc(HUB_PAST, sizeof *i->past);
    if (i->past != NULL)
        i->past[i->market.trade.id % HUB_PAST] =
            (struct past_trade){.trade = i->market.trade, .real_us = real_us};
}

const struct past_trade *hub_past(const struct instrument *i, uint64_t id)
{
    const struct past_trade *p = i->past != NULL ? &i->past[id % HUB_PAST] : NULL;
    return p != NULL && p->trade.id == id ? p : NULL;
}

/* One us apart, up to now. */
void hub_untold(struct hub *hub, struct instrument *i, uint64_t trades)
{
    hub->stats.untold += trades;
    if (trades > HUB_PAST) {
        market_skip(&i->market, trades - HUB_PAST, 0);
        trades = HUB_PAST;
    }
    for (; trades > 0; trades--)
        step_trade(i, hub->now.real_us - trades);
}

static void retime(struct hub *hub, struct instrument *i, enum source_kind kind, uint64_t mono_ns)
{
    struct source *src = &i->source[kind];
    uint64_t wanted = src->wanted_ns;
    if (wanted != 0 && src->interval_ns == 0) {
        /* the market went on while nobody looked */
        uint64_t missed = src->was_ns == 0 ? 0 : (mono_ns - src->stopped_ns) / src->was_ns;
        market_skip(&i->market, 0, kind == SOURCE_BOOK ? missed : 0);
        hub_untold(hub, i, kind == SOURCE_TRADE ? missed : 0);
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

static void tell(struct hub *hub, struct stream *st, const struct hub_event *event)
{
    struct session *s = st->session;
    s->now = event->now;
    size_t len = s->venue->write(st, event, hub->scratch, sizeof hub->scratch);
    if (len == 0)
        return;
    st->told++;
    s->send(s, hub->scratch, len, true);
}

static void tell_all(struct hub *hub, const struct instrument *i, enum stream_kind kind,
                     const struct market_book *before, struct sim_time now)
{
    struct hub_event event = {.instrument = i, .before = before, .now = now, .kind = (uint8_t)kind};
    for (struct stream *st = i->streams[kind]; st != NULL; st = st->next)
        tell(hub, st, &event);
}

static void fire(struct hub *hub, struct instrument *i, enum source_kind kind, struct sim_time now)
{
    if (kind == SOURCE_TRADE) {
        step_trade(i, now.real_us);
        i->traded = true;
        tell_all(hub, i, STREAM_TRADE, NULL, now);
        tell_all(hub, i, STREAM_AGGREGATE, NULL, now);
    } else {
        const struct market_book before = i->market.book;
        market_step_book(&i->market);
        tell_all(hub, i, STREAM_QUOTE, &before, now);
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
        i->number[speed]++;
        tell_all(hub, i, depth, i->shown[speed], now);
        *i->shown[speed] = i->market.book;
    }
}

/* The streams of a kind, whatever symbol they are of, if any. */
static void tell_each(struct hub *hub, enum stream_kind kind, struct sim_time now)
{
    for (const struct session *s = hub->sessions; s != NULL; s = s->next) {
        for (size_t n = 0; n < s->count; n++) {
            struct hub_event event = {
                .instrument = s->streams[n]->instrument, .now = now, .kind = (uint8_t)kind};
            if (s->streams[n]->kind == kind)
                tell(hub, s->streams[n], &event);
        }
    }
}

static void run_all_market(struct hub *hub, struct sim_time now)
{
    for (size_t n = 0; n < hub->listed_count; n++) {
        struct instrument *i = hub->listed[n];
        if (i->source[SOURCE_TRADE].interval_ns == 0 && (market_random(&hub->rng) & 1) != 0) {
            market_step_book(&i->market);
            step_trade(i, now.real_us);
            i->traded = true;
        }
    }
    tell_each(hub, STREAM_ALL_MINI, now);
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
    if (hub->beats > 0)
        tell_each(hub, STREAM_BEAT, now);
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
    hub->now = now;
    if (hub->active_count == 0 && hub->all_mini == 0 && hub->beats == 0)
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
