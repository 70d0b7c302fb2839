#include "publish.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "counters.h"
#include "join.h"
#include "log.h"
#include "order.h"

#define MS INT64_C(1000000)
#define S  (1000 * MS)

/* Trades say by their times too that the ids began anew: a duplicate is not this much younger than
 * the newest one known. Without, so many lower ids have to persist: the second of two connections
 * may bring a long row of duplicates in one turn. */
#define ANEW_TRADE_NS   (1 * S)
#define ANEW_TRADES_MIN 64
/* No time of a venue is taken for later than this after now. */
#define FUTURE_NS (1 * S)

/* A symbol is QUIET when it is silent for so many times its usual interval (with exponential
 * intervals once in 10^7), and for at least the second number. */
#define QUIET_RHYTHMS 16
#define QUIET_MIN_NS  (5 * S)
/* One that has not spoken since its connection is there. */
#define QUIET_FIRST_NS (30 * S)
#define RHYTHM_WEIGHT  16

/* Readers say again what they want within this time of a restart: a wish of then goes on from the
 * earlier run if its prices are no older than the second number. */
#define SAID_AGAIN_NS  (5 * S)
#define EARLIER_RUN_NS (60 * S)

#define JUDGED_PER_S 10 /* calls of publish_judge() that look at each slot once */

/* Updates that have no ids: by exchange times. Of the same time only one connection's are taken. */
struct timed {
    struct order order;
    uint32_t conn1;
};

/* What is known of a slot's owner. Valid while `generation` is the slot's. */
struct symbol {
    uint32_t generation;
    uint32_t sub;                  /* its entry, SUBS_NONE: fed by the all-market stream alone */
    uint32_t venue;                /* index */
    uint32_t conn1;                /* link that fed it last, + 1; 0 none */
    uint64_t links[PX_CELL_KINDS]; /* links that bring this kind, a bit each */
    uint16_t lost;                 /* kinds that came, and whose links are all gone */
    bool missing;                  /* quality is GAP until the ids are consistent again */
    bool book_lost;                /* quality is GAP until quotes are right again */
    bool fast;       /* quotes come from a stream of their own: those of tickers are slower */
    bool aggregated; /* the space of `trade` */
    bool broken;     /* nobody asked for trades for a while: no basis for gaps */
    uint32_t asking; /* of the entry, that `broken` goes by */
    int64_t mono_ns;
    int64_t rhythm_ns;
    int64_t trade_exch_ns;
    uint64_t beat_id;          /* the last trade's, as the last heartbeat had it */
    struct order trade, quote; /* by the venue's ids */
    struct join join;          /* of trades over several connections */
    int64_t trade_mono_ns;     /* of the last trade */
    uint32_t trade_conn1;      /* that brought it, + 1 */
    struct timed quotes, tickers, derived;
};

enum taken {
    TAKEN_NOT,   /* older, or seen before */
    TAKEN_AGAIN, /* what the slot holds: it is the present state */
    TAKEN
};

struct publish {
    px_writer *writer;
    struct wants *wants;
    struct subs *subs;
    struct fold *fold;
    uint32_t capacity, judged;
    struct publish_source *from;
    struct publish_time at;
    uint32_t events;
    int64_t began_ns; /* the first event of this run, 0 none yet */
    struct symbol symbol[];
};

struct publish *publish_new(px_writer *w, struct wants *wants, struct fold *fold)
{
    uint32_t capacity = px_writer_capacity(w);
    struct publish *p = calloc(1, publish_bytes(capacity));
    if (p == NULL)
        return NULL;
    p->writer = w;
    p->wants = wants;
    p->subs = wants_subs(wants);
    p->fold = fold;
    p->capacity = capacity;
    return p;
}

void publish_free(struct publish *p)
{
    free(p);
}

size_t publish_bytes(uint32_t capacity)
{
    return sizeof(struct publish) + capacity * sizeof(struct symbol);
}

static void say(struct publish *p, uint32_t slot, uint32_t event, uint32_t cause)
{
    struct px_status status = {.event = event, .cause = cause};
    px_writer_status(p->writer, slot, &status, p->at.utc_ns);
}

static void quality(struct publish *p, uint32_t slot, uint32_t q, uint32_t event, uint32_t cause)
{
    px_writer_quality(p->writer, slot, q, cause);
    say(p, slot, event, cause);
}

/* Was the symbol fed until this run began, and is this the wish that goes on with it? (One of the
 * saved set says so by itself.) */
static bool said_again(const struct publish *p, uint32_t slot)
{
    int64_t fed_ns = 0;
    for (uint32_t k = 0; k < PX_CELL_KINDS; k++) {
        int64_t at = px_writer_last_mono(p->writer, slot, k);
        fed_ns = at > fed_ns ? at : fed_ns;
    }
    return p->at.mono_ns - p->began_ns < SAID_AGAIN_NS && p->began_ns - fed_ns < EARLIER_RUN_NS;
}

/* The state of a slot's owner; a new owner starts from what the cells hold, so that duplicates and
 * gaps are seen across restarts of the feeder. The ids there are of the space that is asked for
 * now. */
static struct symbol *symbol_of(struct publish *p, uint32_t slot, const struct sub *entry)
{
    struct symbol *s = &p->symbol[slot];
    uint32_t generation = px_writer_generation(p->writer, slot);
    if (s->generation == generation)
        return s;
    *s = (struct symbol){.generation = generation};
    s->venue = p->from->venue_index;
    s->trade.last = px_writer_last_id(p->writer, slot, PX_TRADE);
    s->quote.last = px_writer_last_id(p->writer, slot, PX_QUOTE);
    if (p->began_ns == 0)
        p->began_ns = p->at.mono_ns;
    if (entry != NULL && said_again(p, slot))
        s->asking = entry->asking;
    s->aggregated = entry != NULL && (entry->wanted & VENUE_AGGTRADES) != 0;
    int64_t traded_ns = px_writer_last_mono(p->writer, slot, PX_TRADE);
    if (traded_ns != 0)
        s->trade_exch_ns = p->at.utc_ns - (p->at.mono_ns - traded_ns);
    return s;
}

/* A slot for a symbol that nobody asked for by name: only the all-market stream gives it one. */
static int market_slot(struct publish *p, const struct venue_event *ev, uint32_t *slot)
{
    char symbol[PX_SYMBOL_MAX + 1];
    if (subs_find(p->subs, p->from->venue_index, "*", 1) == SUBS_NONE)
        return -ENOENT;
    int n = snprintf(symbol, sizeof symbol, "%s:%.*s", p->from->venue->name, (int)ev->symbol_len,
                     ev->symbol);
    if (n < 0 || (size_t)n >= sizeof symbol)
        return -EINVAL;
    return px_writer_bind(p->writer, symbol, (size_t)n, slot);
}

/* *entry NULL: a symbol of the all-market stream. */
static int find_slot(struct publish *p, const struct venue_event *ev, uint32_t *slot,
                     struct sub **entry)
{
    uint32_t sub = subs_find(p->subs, p->from->venue_index, ev->symbol, ev->symbol_len);
    *entry = NULL;
    if (sub == SUBS_NONE)
        return market_slot(p, ev, slot);
    *entry = subs_at(p->subs, sub);
    int rc = wants_slot(p->wants, p->writer, *entry, slot);
    if (rc == 0)
        subs_data(p->subs, *entry, ev->type);
    return rc;
}

/* What is asked for has a say in what the next update means. */
static void heed_wishes(const struct publish *p, struct symbol *s, const struct sub *entry)
{
    s->sub = entry == NULL ? SUBS_NONE : subs_index_of(p->subs, entry);
    uint32_t kinds = entry == NULL ? 0 : subs_kinds(entry),
             asking = entry == NULL ? 0 : entry->asking;
    if ((kinds & PX_QUOTES) == 0)
        s->fast = s->book_lost = false;
    if ((kinds & PX_TRADES) == 0)
        s->missing = false;
    if (entry == NULL || s->asking == asking)
        return;
    s->asking = asking;
    s->broken = true;
    s->missing = false;
}

static void tell_gap(struct publish *p, uint32_t slot, uint64_t first, uint64_t last)
{
    struct px_status status = {.event = PX_EVENT_GAP,
                               .cause = PX_CAUSE_IDS_MISSING,
                               .first_id = first,
                               .last_id = last,
                               .count = last - first + 1};
    px_writer_quality(p->writer, slot, PX_GAP, PX_CAUSE_IDS_MISSING);
    px_writer_status(p->writer, slot, &status, p->at.utc_ns);
    px_writer_slot_gap(p->writer, slot);
    px_writer_count(p->writer, PX_C_gaps, 1);
    px_writer_count(p->writer, PX_C_ids_missing, status.count);
    p->from->gaps++;
}

static uint64_t link_bit(uint32_t conn)
{
    return UINT64_C(1) << (conn % SUBS_LINKS_MAX);
}

/* Other connections than this one bring the kind as well. */
static bool others_bring(const struct publish *p, const struct symbol *s, uint32_t kind)
{
    return (s->links[kind] & ~link_bit(p->from->conn)) != 0;
}

static enum taken duplicate(struct publish *p)
{
    px_writer_count(p->writer, PX_C_duplicates, 1);
    p->from->duplicates++;
    return TAKEN_NOT;
}

static enum taken superseded(struct publish *p)
{
    px_writer_count(p->writer, PX_C_superseded, 1);
    return TAKEN_NOT;
}

/* A time of the venue as far as it is believed. */
static int64_t believed(const struct publish *p, int64_t exch_ns)
{
    int64_t latest = p->at.utc_ns > INT64_MAX - FUTURE_NS ? INT64_MAX : p->at.utc_ns + FUTURE_NS;
    return exch_ns < latest ? exch_ns : latest;
}

/* Single and aggregated trades are numbered apart. What still comes of the kind that is no longer
 * asked for is not taken: one stream of trades feeds a slot. */
static bool of_space(const struct publish *p, struct symbol *s, const struct venue_event *ev)
{
    const struct sub *entry = subs_at(p->subs, s->sub);
    uint32_t wanted = entry == NULL ? 0 : entry->wanted;
    uint32_t other = ev->aggregated ? PX_TRADES : VENUE_AGGTRADES;
    if ((wanted & other) != 0)
        return false;
    if (ev->aggregated != s->aggregated) {
        s->aggregated = ev->aggregated;
        s->trade = (struct order){0};
        s->missing = false;
    }
    return true;
}

static enum order_place place_trade(struct publish *p, struct symbol *s,
                                    const struct venue_event *ev)
{
    bool known = s->trade.last != 0 && ev->venue_id <= s->trade.last;
    if (known && (ev->flags & PX_FLAG_REPLAY) != 0)
        return ORDER_OLDER;
    if (known && believed(p, ev->exch_ns) > s->trade_exch_ns + ANEW_TRADE_NS) {
        order_take(&s->trade, ev->venue_id);
        return ORDER_ANEW;
    }
    return order_of(&s->trade, ev->venue_id, ANEW_TRADES_MIN, p->at.mono_ns);
}

/* Without any number one connection feeds a kind, as long as it is there. */
static bool by_one(const struct publish *p, const struct symbol *s, uint32_t kind, uint32_t *conn1)
{
    bool there = *conn1 != 0 && (s->links[kind] & link_bit(*conn1 - 1)) != 0;
    if (there && *conn1 != p->from->conn + 1)
        return false;
    *conn1 = p->from->conn + 1;
    return true;
}

static enum join_verdict joined(struct publish *p, struct symbol *s, const struct venue_event *ev)
{
    const struct join_trade t = {.id = ev->venue_id,
                                 .last = s->trade.last,
                                 .consecutive = ev->consecutive && !s->broken,
                                 .link = link_bit(p->from->conn),
                                 .alive = s->links[PX_TRADE]};
    return join_trade(&s->join, &t, p->at.mono_ns);
}

/* A trade that another connection brought before, and by how much. */
static enum taken second(struct publish *p, struct symbol *s, const struct venue_event *ev)
{
    if (ev->venue_id == s->trade.last && s->trade_conn1 != p->from->conn + 1) {
        p->from->seconds++;
        p->from->behind_ns += (uint64_t)(p->at.mono_ns - s->trade_mono_ns);
    }
    return duplicate(p);
}

/* A replay is the venue's own repetition of earlier trades: what is new in it is published.
 * Adapters give it in the order of its ids, so that a hole before it is one: what was missed while
 * there was no connection, and is too old for the replay. */
static enum taken take_trade(struct publish *p, struct symbol *s, uint32_t slot,
                             const struct venue_event *ev, uint16_t *flags)
{
    if (!of_space(p, s, ev))
        return superseded(p);
    if (ev->venue_id == 0)
        return by_one(p, s, PX_TRADE, &s->trade_conn1) ? TAKEN : superseded(p);
    uint64_t before = s->trade.last;
    enum join_verdict verdict = joined(p, s, ev);
    if (verdict == JOIN_LATER) {
        px_writer_count(p->writer, PX_C_ahead, 1);
        return TAKEN_NOT;
    }
    enum order_place place = place_trade(p, s, ev);
    if (place == ORDER_OLDER || place == ORDER_SAME)
        return second(p, s, ev);
    if (place == ORDER_ANEW) {
        log_warning(p->from->venue->name,
                    "%.*s: trade ids begin anew (%" PRIu64 " after %" PRIu64 ")",
                    (int)ev->symbol_len, ev->symbol, ev->venue_id, before);
    } else if (before != 0 && ev->consecutive) {
        bool hole = !s->broken && ev->venue_id > before + 1;
        if (hole) {
            tell_gap(p, slot, before + 1, ev->venue_id - 1);
            *flags |= PX_FLAG_GAP;
        }
        s->missing = hole;
    }
    s->broken = false;
    s->trade_exch_ns = believed(p, ev->exch_ns);
    s->trade_mono_ns = p->at.mono_ns;
    s->trade_conn1 = p->from->conn + 1;
    p->from->firsts += others_bring(p, s, PX_TRADE);
    return TAKEN;
}

/* By the venue's time, where updates have no ids. */
static enum taken take_timed(struct publish *p, struct symbol *s, const struct venue_event *ev,
                             struct timed *t)
{
    uint32_t kind = ev->type, conn1 = p->from->conn + 1;
    if (ev->exch_ns <= 0)
        return by_one(p, s, kind, &t->conn1) ? TAKEN : superseded(p);
    uint64_t time = (uint64_t)believed(p, ev->exch_ns);
    enum order_place place = order_of(&t->order, time, 1, p->at.mono_ns);
    bool other = t->conn1 != conn1 && others_bring(p, s, kind);
    if (place == ORDER_OLDER || (place == ORDER_SAME && other))
        return duplicate(p);
    t->conn1 = conn1;
    return TAKEN;
}

static enum taken take_quote(struct publish *p, struct symbol *s, const struct venue_event *ev)
{
    if (ev->derived) {
        bool slower = s->fast && s->links[PX_QUOTE] != 0;
        return slower ? superseded(p) : take_timed(p, s, ev, &s->derived);
    }
    s->fast = true;
    s->book_lost = false;
    bool alone = !others_bring(p, s, PX_QUOTE);
    if (ev->venue_id == 0 && !alone)
        return take_timed(p, s, ev, &s->quotes);
    if (ev->venue_id == 0)
        return TAKEN;
    enum order_place place = order_of(&s->quote, ev->venue_id, 1, p->at.mono_ns);
    if (place == ORDER_OLDER && ev->anew && alone)
        order_take(&s->quote, ev->venue_id);
    else if (place == ORDER_OLDER)
        return duplicate(p);
    if (place != ORDER_SAME)
        return TAKEN;
    duplicate(p);
    return TAKEN_AGAIN;
}

static enum taken take(struct publish *p, struct symbol *s, uint32_t slot,
                       const struct venue_event *ev, uint16_t *flags)
{
    switch (ev->type) {
    case VENUE_TRADE:
        return take_trade(p, s, slot, ev, flags);
    case VENUE_QUOTE:
        return take_quote(p, s, ev);
    default:
        return take_timed(p, s, ev, &s->tickers);
    }
}

/* ---- which links a symbol lives by ---- */

/* The entry whose slot this is, NULL if it has none (any more). */
static const struct sub *entry_of(const struct publish *p, const struct symbol *s, uint32_t slot)
{
    const struct sub *e = subs_at(p->subs, s->sub);
    return e != NULL && e->slot == slot && e->generation == s->generation ? e : NULL;
}

static const struct sub *all_market(const struct publish *p, const struct symbol *s)
{
    return subs_at(p->subs, subs_find(p->subs, s->venue, "*", 1));
}

static uint32_t asked_kinds(const struct publish *p, const struct symbol *s, uint32_t slot)
{
    const struct sub *own = entry_of(p, s, slot), *all = all_market(p, s);
    return (own == NULL ? 0 : subs_kinds(own)) | (all == NULL ? 0 : subs_kinds(all));
}

/* Is this link asked for the kind, by either wish? */
static bool carries(const struct publish *p, const struct symbol *s, uint32_t slot, uint32_t link,
                    uint32_t kind)
{
    const struct sub *own = entry_of(p, s, slot), *all = all_market(p, s);
    return (own != NULL && subs_carries(p->subs, link, own, 1u << kind)) ||
           (all != NULL && subs_carries(p->subs, link, all, 1u << kind));
}

static uint32_t source_kind(const struct venue_event *ev)
{
    return ev->derived ? (uint32_t)PX_TICKER : ev->type;
}

static void note_arrival(struct publish *p, struct symbol *s, uint32_t slot)
{
    int64_t gap_ns = p->at.mono_ns - s->mono_ns;
    bool goes_on = (s->links[PX_TRADE] | s->links[PX_QUOTE] | s->links[PX_TICKER]) != 0;
    if (goes_on && gap_ns > 0)
        s->rhythm_ns += s->rhythm_ns == 0 ? gap_ns : (gap_ns - s->rhythm_ns) / RHYTHM_WEIGHT;
    if (s->conn1 == p->from->conn + 1)
        return;
    s->conn1 = p->from->conn + 1;
    px_writer_slot_conn(p->writer, slot, p->from->conn);
}

/* A kind came: it is no longer lost, nor is what its link brings beside it. The symbol is LIVE once
 * nothing that is asked for is without a link. */
static void note_present(struct publish *p, struct symbol *s, uint32_t slot, uint32_t kind)
{
    s->mono_ns = p->at.mono_ns;
    s->lost &= (uint16_t) ~(1u << kind);
    for (uint32_t k = 0; s->lost != 0 && k < PX_CELL_KINDS; k++)
        if (carries(p, s, slot, p->from->conn, k))
            s->lost &= (uint16_t) ~(1u << k);
    if (s->missing || s->book_lost || px_writer_quality_get(p->writer, slot) == PX_LIVE)
        return;
    if (s->lost == 0 || (s->lost & asked_kinds(p, s, slot)) == 0)
        quality(p, slot, PX_LIVE, PX_EVENT_LIVE, PX_CAUSE_NONE);
}

static void publish_tick(struct publish *p, uint32_t slot, const struct venue_event *ev,
                         uint16_t flags)
{
    struct px_update u = {.kind = (uint16_t)ev->type,
                          .flags = flags,
                          .exch_ns = ev->exch_ns,
                          .recv_ns = p->at.utc_ns,
                          .mono_ns = p->at.mono_ns,
                          .venue_id = ev->venue_id};
    switch (ev->type) {
    case VENUE_TRADE:
        u.u.trade = ev->u.trade;
        break;
    case VENUE_QUOTE:
        u.u.quote = ev->u.quote;
        break;
    default:
        u.u.ticker = ev->u.ticker;
        break;
    }
    if (px_writer_publish(p->writer, slot, &u) != 0)
        p->from->ticks++;
    else
        px_writer_count(p->writer, PX_C_decimals_refused, 1);
}

static void take_data(struct publish *p, const struct venue_event *ev)
{
    uint32_t slot;
    uint16_t flags = ev->flags;
    struct sub *entry;
    p->events++;
    if (find_slot(p, ev, &slot, &entry) < 0) {
        px_writer_count(p->writer, PX_C_symbols_refused, 1);
        return;
    }
    struct symbol *s = symbol_of(p, slot, entry);
    heed_wishes(p, s, entry);
    enum taken taken = take(p, s, slot, ev, &flags);
    uint32_t kind = source_kind(ev);
    if (taken == TAKEN)
        note_arrival(p, s, slot);
    s->links[kind] |= link_bit(p->from->conn);
    if (taken != TAKEN_NOT)
        note_present(p, s, slot, kind);
    if (taken == TAKEN)
        publish_tick(p, slot, ev, flags);
}

static void take_bad(struct publish *p, const struct venue_event *ev)
{
    char text[160];
    snprintf(text, sizeof text, "%s: %.*s", p->from->venue->name, (int)ev->text_len,
             ev->text != NULL ? ev->text : "");
    px_writer_count(p->writer, PX_C_frames_bad, 1);
    p->from->refused_frames++;
    if (px_writer_error(p->writer, "frame", text, p->at.utc_ns) == 1)
        log_warning(p->from->venue->name, "a frame is refused: %.*s (further ones are counted)",
                    (int)ev->text_len, ev->text != NULL ? ev->text : "");
}

/* The slot of a symbol that was given one, without giving it one. */
static struct symbol *known_symbol(struct publish *p, const struct venue_event *ev, uint32_t *slot)
{
    uint32_t sub = subs_find(p->subs, p->from->venue_index, ev->symbol, ev->symbol_len);
    const struct sub *e = sub == SUBS_NONE ? NULL : subs_at(p->subs, sub);
    if (e == NULL || e->generation == 0 ||
        px_writer_generation(p->writer, e->slot) != e->generation)
        return NULL;
    struct symbol *s = &p->symbol[e->slot];
    *slot = e->slot;
    return s->generation == e->generation ? s : NULL;
}

static void say_gap(struct publish *p, uint32_t slot, uint32_t cause)
{
    quality(p, slot, PX_GAP, PX_EVENT_GAP, cause);
    px_writer_slot_gap(p->writer, slot);
    px_writer_count(p->writer, PX_C_gaps, 1);
    p->from->gaps++;
}

/* A local book is lost, or values that changes build on: the symbol alone is in GAP, if its quotes
 * come of them, and its link asks for them anew. */
static void take_resync(struct publish *p, const struct venue_event *ev)
{
    char text[160];
    uint32_t slot;
    bool quotes = (ev->kinds & PX_QUOTES) != 0;
    const char *what = (ev->kinds & VENUE_DEPTH) != 0 ? "book" : quotes ? "quote" : "ticker";
    struct symbol *s = known_symbol(p, ev, &slot);
    snprintf(text, sizeof text, "%s:%.*s: %.*s", p->from->venue->name, (int)ev->symbol_len,
             ev->symbol, (int)ev->text_len, ev->text);
    px_writer_count(p->writer, PX_C_books_lost, 1);
    if (px_writer_error(p->writer, what, text, p->at.utc_ns) == 1)
        log_warning(p->from->venue->name, "%.*s: %.*s (its %s is asked for again)",
                    (int)ev->symbol_len, ev->symbol, (int)ev->text_len, ev->text, what);
    if (s != NULL && quotes && !s->book_lost && !others_bring(p, s, PX_QUOTE)) {
        s->book_lost = true;
        say_gap(p, slot, PX_CAUSE_BOOK_LOST);
    }
    p->from->control(p->from->user, ev);
}

/* What the venue says its last trade is. One that it had a heartbeat ago and that has not come
 * since will not come: trades and heartbeats share a connection, and its order. */
static void take_heartbeat(struct publish *p, const struct venue_event *ev)
{
    uint32_t slot;
    struct symbol *s = ev->symbol_len > 0 ? known_symbol(p, ev, &slot) : NULL;
    if (s == NULL)
        return;
    uint64_t last = s->trade.last;
    if (last != 0 && !s->broken && s->beat_id > last) {
        tell_gap(p, slot, last + 1, s->beat_id);
        order_take(&s->trade, s->beat_id);
        s->missing = true;
    }
    s->beat_id = ev->venue_id;
}

/* Messages of a connection are missing, whatever they held: trades are in GAP until the next one
 * shows by its id what there was between. (Books and values are the affair of fold.h.) */
static void take_sequence(struct publish *p, const struct venue_event *ev)
{
    if (ev->missing == 0)
        return;
    px_writer_count(p->writer, PX_C_messages_missing, ev->missing);
    log_warning(p->from->venue->name, "%" PRIu64 " messages are missing before number %" PRIu64,
                ev->missing, ev->venue_id);
    for (uint32_t slot = 0; slot < p->capacity; slot++) {
        struct symbol *s = &p->symbol[slot];
        if (s->generation == 0 || s->generation != px_writer_generation(p->writer, slot) ||
            (s->links[PX_TRADE] & link_bit(p->from->conn)) == 0 || others_bring(p, s, PX_TRADE))
            continue;
        s->missing = true;
        say_gap(p, slot, PX_CAUSE_MESSAGES_MISSING);
    }
}

/* Events that are complete by themselves. */
static void on_folded(void *user, const struct venue_event *ev)
{
    struct publish *p = user;
    switch (ev->type) {
    case VENUE_TRADE:
    case VENUE_QUOTE:
    case VENUE_TICKER:
        take_data(p, ev);
        break;
    case VENUE_RESYNC:
        take_resync(p, ev);
        break;
    case VENUE_SEQUENCE:
        take_sequence(p, ev);
        break;
    case VENUE_IGNORED:
        px_writer_count(p->writer, PX_C_frames_ignored, 1);
        break;
    case VENUE_BAD:
        take_bad(p, ev);
        break;
    case VENUE_HEARTBEAT:
        take_heartbeat(p, ev);
        break;
    default:
        p->from->control(p->from->user, ev);
        break;
    }
}

/* Most events are complete: only books, values of venues that leave some out, and numbers of
 * messages have something before them. */
static void on_event(void *user, const struct venue_event *ev)
{
    struct publish *p = user;
    const struct venue_sink sink = {.event = on_folded, .user = p};
    bool values = ev->type == VENUE_QUOTE || ev->type == VENUE_TICKER;
    bool before = ev->type == VENUE_BOOK || ev->type == VENUE_BAD || ev->type == VENUE_SEQUENCE;
    if (before || (values && p->from->venue->partial))
        fold_event(p->fold, p->from->conn, p->from->venue, ev, &sink);
    else
        on_folded(p, ev);
    p->events += ev->type == VENUE_BOOK;
}

void publish_forget(struct publish *p, const struct publish_source *from, const char *native,
                    size_t len)
{
    fold_forget(p->fold, from->conn, native, len);
}

void publish_drop(struct publish *p, struct publish_source *from)
{
    fold_drop(p->fold, from->conn);
}

uint32_t publish_frame(struct publish *p, struct publish_source *from, struct json *json,
                       const char *frame, size_t len, struct publish_time at)
{
    struct venue_sink sink = {.event = on_event, .user = p};
    p->from = from;
    p->at = at;
    p->events = 0;
    from->venue->on_text(json, frame, len, &sink);
    return p->events;
}

void publish_event(struct publish *p, struct publish_source *from, const struct venue_event *event,
                   struct publish_time at)
{
    p->from = from;
    p->at = at;
    on_event(p, event);
}

/* Another link has been promised the kind, though it has brought none yet. */
static bool promised(const struct publish *p, uint32_t slot, uint32_t kind, uint32_t conn)
{
    const struct symbol *s = &p->symbol[slot];
    const struct sub *own = entry_of(p, s, slot), *all = all_market(p, s);
    return (own != NULL && subs_acked(p->subs, own, 1u << kind, conn)) ||
           (all != NULL && subs_acked(p->subs, all, 1u << kind, conn));
}

/* Kinds that this link brought and no other brings, or is to bring. */
static uint32_t lost_kinds(struct publish *p, struct symbol *s, uint32_t slot, uint32_t conn)
{
    uint32_t kinds = 0;
    join_leave(&s->join, link_bit(conn));
    for (uint32_t k = 0; k < PX_CELL_KINDS; k++) {
        if ((s->links[k] & link_bit(conn)) == 0)
            continue;
        s->links[k] &= ~link_bit(conn);
        for (uint32_t l = 0; s->links[k] >> l != 0; l++)
            if (!carries(p, s, slot, l, k))
                s->links[k] &= ~link_bit(l);
        kinds |= (uint32_t)(s->links[k] == 0 && !promised(p, slot, k, conn)) << k;
    }
    return kinds;
}

void publish_lost(struct publish *p, const struct publish_source *from, uint32_t cause,
                  struct publish_time at)
{
    p->at = at;
    for (uint32_t slot = 0; slot < p->capacity; slot++) {
        struct symbol *s = &p->symbol[slot];
        if (s->generation == 0 || s->generation != px_writer_generation(p->writer, slot))
            continue;
        uint32_t kinds = lost_kinds(p, s, slot, from->conn);
        s->lost |= (uint16_t)kinds;
        if ((kinds & asked_kinds(p, s, slot)) == 0)
            continue;
        uint32_t now = px_writer_quality_get(p->writer, slot);
        s->missing = s->book_lost = false;
        if (now != PX_STALE && now != PX_CLOSED)
            quality(p, slot, PX_STALE, PX_EVENT_STALE, cause);
    }
}

static void judge(struct publish *p, uint32_t slot)
{
    struct symbol *s = &p->symbol[slot];
    if (s->conn1 == 0 || s->generation != px_writer_generation(p->writer, slot))
        return;
    if (px_writer_quality_get(p->writer, slot) != PX_LIVE)
        return;
    px_writer_rhythm(p->writer, slot, s->rhythm_ns);
    int64_t bound =
        s->rhythm_ns > INT64_MAX / QUIET_RHYTHMS ? INT64_MAX : s->rhythm_ns * QUIET_RHYTHMS;
    if (s->rhythm_ns == 0)
        bound = QUIET_FIRST_NS;
    if (bound < QUIET_MIN_NS)
        bound = QUIET_MIN_NS;
    if (p->at.mono_ns - s->mono_ns > bound)
        quality(p, slot, PX_QUIET, PX_EVENT_QUIET, PX_CAUSE_SYMBOL_SILENT);
}

void publish_judge(struct publish *p, struct publish_time at)
{
    uint32_t n = p->capacity / JUDGED_PER_S + 1;
    p->at = at;
    for (uint32_t i = 0; i < n; i++) {
        judge(p, p->judged);
        p->judged = p->judged + 1 < p->capacity ? p->judged + 1 : 0;
    }
}
