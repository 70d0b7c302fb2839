/* What is known of the quality of symbols: which links they live by, what is missing, and their
 * silence. See publish_internal.h. */
#include <inttypes.h>
#include <stdio.h>

#include "log.h"
#include "publish_internal.h"

/* A symbol is QUIET when it is silent for so many times its usual interval (with exponential
 * intervals once in 10^7), and for at least the second number. */
#define QUIET_RHYTHMS 16
#define QUIET_MIN_NS  (5 * S)
/* One that has not spoken since its connection is there. */
#define QUIET_FIRST_NS (30 * S)
#define RHYTHM_WEIGHT  16

#define JUDGED_PER_S 10 /* calls of publish_judge() that look at each slot once */

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

/* They may be had elsewhere. */
static void tell_hole(struct publish *p, uint32_t slot, uint64_t first, uint64_t last)
{
    const struct symbol *s = &p->symbol[slot];
    const struct publish_hole hole = {.venue_index = s->venue,
                                      .slot = slot,
                                      .generation = s->generation,
                                      .aggregated = s->aggregated,
                                      .first = first,
                                      .last = last,
                                      .after_ns = s->trade_exch_ns};
    if (p->hole != NULL)
        p->hole(p->hole_user, &hole);
}

void quality_ids_missing(struct publish *p, uint32_t slot, uint64_t first, uint64_t last)
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
    tell_hole(p, slot, first, last);
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

void quality_arrival(struct publish *p, struct symbol *s, uint32_t slot)
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

/* It is no longer lost, nor is what its link brings beside it. */
void quality_present(struct publish *p, struct symbol *s, uint32_t slot, uint32_t kind)
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
void quality_resync(struct publish *p, const struct venue_event *ev)
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
    if (s != NULL && quotes && !s->book_lost && !publish_others(p, s, PX_QUOTE)) {
        s->book_lost = true;
        say_gap(p, slot, PX_CAUSE_BOOK_LOST);
    }
    p->from->control(p->from->user, ev);
}

/* What the venue says its last trade is. One that it had a heartbeat ago and that has not come
 * since will not come: trades and heartbeats share a connection, and its order. */
bool quality_heartbeat(struct publish *p, const struct venue_event *ev)
{
    uint32_t slot;
    struct symbol *s = ev->symbol_len > 0 ? known_symbol(p, ev, &slot) : NULL;
    if (s == NULL)
        return false;
    uint64_t last = s->trade.last;
    if (last != 0 && !s->broken && s->beat_id > last) {
        quality_ids_missing(p, slot, last + 1, s->beat_id);
        order_take(&s->trade, s->beat_id);
        s->missing = true;
    }
    s->beat_id = ev->venue_id;
    return last != 0 && last == ev->venue_id && !s->broken && !s->missing;
}

/* Messages of a connection are missing, whatever they held: trades are in GAP until the next one
 * shows by its id what there was between. (Books and values are the affair of fold.h.) */
void quality_sequence(struct publish *p, const struct venue_event *ev)
{
    if (ev->missing == 0)
        return;
    px_writer_count(p->writer, PX_C_messages_missing, ev->missing);
    log_warning(p->from->venue->name, "%" PRIu64 " messages are missing before number %" PRIu64,
                ev->missing, ev->venue_id);
    for (uint32_t slot = 0; slot < p->capacity; slot++) {
        struct symbol *s = &p->symbol[slot];
        if (s->generation == 0 || s->generation != px_writer_generation(p->writer, slot) ||
            (s->links[PX_TRADE] & publish_link_bit(p->from->conn)) == 0 ||
            publish_others(p, s, PX_TRADE))
            continue;
        s->missing = true;
        say_gap(p, slot, PX_CAUSE_MESSAGES_MISSING);
    }
}

/* Other links that have been promised the kind, though they have brought none yet. */
static uint64_t promised(const struct publish *p, uint32_t slot, uint32_t kind, uint32_t conn)
{
    const struct symbol *s = &p->symbol[slot];
    const struct sub *own = entry_of(p, s, slot), *all = all_market(p, s);
    return (own == NULL ? 0 : subs_acked(p->subs, own, 1u << kind, conn)) |
           (all == NULL ? 0 : subs_acked(p->subs, all, 1u << kind, conn));
}

/* Kinds that this link brought, or was to bring, and no other does. */
static uint32_t lost_kinds(struct publish *p, struct symbol *s, uint32_t slot, uint32_t conn)
{
    uint32_t kinds = 0;
    join_leave(&s->join, publish_link_bit(conn));
    for (uint32_t k = 0; k < PX_CELL_KINDS; k++) {
        if (((s->links[k] | s->heirs[k]) & publish_link_bit(conn)) == 0)
            continue;
        s->links[k] &= ~publish_link_bit(conn);
        for (uint32_t l = 0; s->links[k] >> l != 0; l++)
            if (!carries(p, s, slot, l, k))
                s->links[k] &= ~publish_link_bit(l);
        s->heirs[k] = s->links[k] == 0 ? promised(p, slot, k, conn) : 0;
        kinds |= (uint32_t)((s->links[k] | s->heirs[k]) == 0) << k;
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
