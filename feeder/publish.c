/* What goes on the bus. The quality of symbols: publish_quality.c. */
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "hole.h"
#include "log.h"
#include "publish_internal.h"

/* Trades say by their times too that the ids began anew: a duplicate is not this much younger than
 * the newest one known. Without, so many lower ids have to persist: the second of two connections
 * may bring a long row of duplicates in one turn. */
#define ANEW_TRADE_NS   (1 * S)
#define ANEW_TRADES_MIN 64
/* No time of a venue is taken for later than this after now. */
#define FUTURE_NS (1 * S)

/* Readers say again what they want within this time of a restart: a wish of then goes on from the
 * earlier run if its prices are no older than the second number. */
#define SAID_AGAIN_NS  (5 * S)
#define EARLIER_RUN_NS (60 * S)

enum taken {
    TAKEN_NOT,   /* older, or seen before */
    TAKEN_AGAIN, /* what the slot holds: it is the present state */
    TAKEN
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
    bool lower = known && ev->venue_id != s->trade.last; /* the same id is the same trade */
    if (lower && believed(p, ev->exch_ns) > s->trade_exch_ns + ANEW_TRADE_NS) {
        order_take(&s->trade, ev->venue_id);
        return ORDER_ANEW;
    }
    return order_of(&s->trade, ev->venue_id, ANEW_TRADES_MIN, p->at.mono_ns);
}

/* Without any number one connection feeds a kind, as long as it is there. */
static bool by_one(const struct publish *p, const struct symbol *s, uint32_t kind, uint32_t *conn1)
{
    bool there = *conn1 != 0 && (s->links[kind] & publish_link_bit(*conn1 - 1)) != 0;
    if (there && *conn1 != p->from->conn + 1)
        return false;
    *conn1 = p->from->conn + 1;
    return true;
}

/* Trades without ids. Of two connections that overlap, what the second one brings of the time
 * before the last of the first is known. */
static enum taken take_unnumbered(struct publish *p, struct symbol *s, const struct venue_event *ev)
{
    uint32_t before = s->trade_conn1;
    if (!by_one(p, s, PX_TRADE, &s->trade_conn1))
        return superseded(p);
    if (before != 0 && before != s->trade_conn1)
        s->known_ns = s->trade_exch_ns;
    if (ev->exch_ns != 0 && ev->exch_ns <= s->known_ns)
        return duplicate(p);
    s->trade_exch_ns = believed(p, ev->exch_ns);
    return TAKEN;
}

static enum join_verdict joined(struct publish *p, struct symbol *s, const struct venue_event *ev)
{
    const struct join_trade t = {.id = ev->venue_id,
                                 .last = s->trade.last,
                                 .consecutive = ev->consecutive && !s->broken,
                                 .link = publish_link_bit(p->from->conn),
                                 .alive = s->links[PX_TRADE]};
    return join_trade(&s->join, &t, p->at.mono_ns);
}

/* A trade that another connection brought before, and by how much. */
static enum taken second(struct publish *p, struct symbol *s, const struct venue_event *ev)
{
    if (ev->venue_id == s->trade.last && s->trade_conn1 != p->from->conn + 1) {
        int64_t behind_ns = p->at.mono_ns - s->trade_mono_ns;
        p->from->seconds++;
        p->from->behind_ns += behind_ns > 0 ? (uint64_t)behind_ns : 0; /* relayed: read before */
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
        return take_unnumbered(p, s, ev);
    uint64_t before = s->trade.last;
    if (joined(p, s, ev) == JOIN_LATER) {
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
            quality_ids_missing(p, slot, before + 1, ev->venue_id - 1);
            *flags |= PX_FLAG_GAP;
        }
        s->missing = hole;
    }
    s->broken = false;
    s->trade_exch_ns = believed(p, ev->exch_ns);
    s->trade_mono_ns = p->at.mono_ns;
    s->trade_conn1 = p->from->conn + 1;
    p->from->firsts += publish_others(p, s, PX_TRADE);
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
    bool other = t->conn1 != conn1 && publish_others(p, s, kind);
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
    bool alone = !publish_others(p, s, PX_QUOTE);
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

static uint32_t source_kind(const struct venue_event *ev)
{
    return ev->derived ? (uint32_t)PX_TICKER : ev->type;
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
        quality_arrival(p, s, slot);
    s->links[kind] |= publish_link_bit(p->from->conn);
    if (taken != TAKEN_NOT)
        quality_present(p, s, slot, kind);
    if (taken == TAKEN)
        publish_tick(p, slot, ev, flags);
}

void publish_on_hole(struct publish *p, void (*hole)(void *user, const struct publish_hole *hole),
                     void *user)
{
    p->hole = hole;
    p->hole_user = user;
}

/* Ids that began anew are behind it. */
bool publish_hole_stands(const struct publish *p, const struct publish_hole *hole)
{
    const struct symbol *s = &p->symbol[hole->slot];
    return px_writer_generation(p->writer, hole->slot) == hole->generation &&
           s->generation == hole->generation && s->aggregated == hole->aggregated &&
           s->trade.last >= hole->last;
}

bool publish_fill(struct publish *p, const struct publish_hole *hole,
                  const struct hole_trade *trade, struct publish_time at)
{
    const struct px_update u = {.kind = PX_TRADE,
                                .flags = trade->flags | PX_FLAG_BACKFILL,
                                .exch_ns = trade->exch_ns,
                                .recv_ns = at.utc_ns,
                                .mono_ns = at.mono_ns,
                                .venue_id = trade->id,
                                .u.trade = trade->trade};
    bool newer = trade->id > px_writer_last_id(p->writer, hole->slot, PX_TRADE);
    uint64_t seq = newer ? px_writer_publish(p->writer, hole->slot, &u)
                         : px_writer_publish_past(p->writer, hole->slot, &u);
    return seq != 0;
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
        quality_resync(p, ev);
        break;
    case VENUE_SEQUENCE:
        quality_sequence(p, ev);
        break;
    case VENUE_IGNORED:
        px_writer_count(p->writer, PX_C_frames_ignored, 1);
        break;
    case VENUE_BAD:
        take_bad(p, ev);
        break;
    case VENUE_HEARTBEAT:
        p->events += quality_heartbeat(p, ev);
        break;
    default:
        p->from->control(p->from->user, ev);
        break;
    }
}

/* Of a connection whose beginning is not known: changes of books and values have nothing to build
 * on, numbers of messages nothing to follow, and answers are to what somebody else has asked. */
static void on_relayed(struct publish *p, const struct venue_event *ev)
{
    bool values = ev->type == VENUE_QUOTE || ev->type == VENUE_TICKER;
    if (ev->type == VENUE_TRADE || ev->type == VENUE_BAD || (values && ev->unchanged == 0))
        on_folded(p, ev);
}

/* Most events are complete: only books, values of venues that leave some out, and numbers of
 * messages have something before them. */
static void on_event(void *user, const struct venue_event *ev)
{
    struct publish *p = user;
    const struct venue_sink sink = {.event = on_folded, .user = p};
    bool values = ev->type == VENUE_QUOTE || ev->type == VENUE_TICKER;
    bool before = ev->type == VENUE_BOOK || ev->type == VENUE_BAD || ev->type == VENUE_SEQUENCE;
    if (p->from->relayed)
        on_relayed(p, ev);
    else if (before || (values && p->from->venue->partial))
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
