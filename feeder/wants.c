/* Wants on the bus: entries of subs.c get slots, pins and qualities. */
#include "wants.h"

#include <errno.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "counters.h"
#include "log.h"
#include "now.h"

#define MS_NS INT64_C(1000000)

struct wants {
    wants_gone *gone;
    void *user;
    px_writer *writer;
    struct subs *subs;
    int64_t grace_ns, no_data_ns;
    bool allowed[CONFIG_VENUES_MAX];
    bool fresh;                 /* no configuration was applied yet */
    struct subs_counts counted; /* what the counters have seen */
    uint32_t configured;        /* symbols of the present configuration */
    uint8_t *mark;              /* per entry: named by the configuration that is being applied */
};

/* Every slot can be wanted, once more what lingers after it was evicted, and all configured
 * symbols, which share the slots. */
static uint32_t table_capacity(const struct config *config)
{
    uint64_t n = (uint64_t)config->capacity * 2 + config->symbol_count + 4096;
    return n > UINT32_MAX / 4 ? UINT32_MAX / 4 : (uint32_t)n;
}

size_t wants_bytes(const struct config *config)
{
    uint32_t n = table_capacity(config);
    return sizeof(struct wants) + subs_bytes(n) + n;
}

struct wants *wants_new(const struct config *config, px_writer *w)
{
    struct subs_options o = {.capacity = table_capacity(config),
                             .grace_ns = config->grace_ms * MS_NS,
                             .no_data_ns = config->no_data_ms * MS_NS,
                             .answer_ns = config->subscribe_ms * MS_NS,
                             .venue_count = (uint32_t)venue_count};
    struct wants *wants = calloc(1, sizeof(*wants));
    if (wants == NULL)
        return NULL;
    for (size_t v = 0; v < venue_count && v < SUBS_VENUES_MAX; v++) {
        o.venue[v].venue = venue_table[v];
        config_endpoint(config, venue_table[v], &o.venue[v].limits);
        o.venue[v].instead = (uint16_t)(config->venue[v].kinds & (VENUE_AGGTRADES | VENUE_DEPTH));
        wants->allowed[v] = config->venue[v].allowed;
    }
    wants->writer = w;
    wants->fresh = true;
    wants->grace_ns = o.grace_ns;
    wants->no_data_ns = o.no_data_ns;
    wants->subs = subs_new(&o);
    wants->mark = calloc(o.capacity, 1);
    if (wants->subs == NULL || wants->mark == NULL) {
        wants_free(wants);
        return NULL;
    }
    return wants;
}

void wants_free(struct wants *wants)
{
    if (wants == NULL)
        return;
    subs_free(wants->subs);
    free(wants->mark);
    free(wants);
}

struct subs *wants_subs(struct wants *wants)
{
    return wants->subs;
}

static bool is_all(const struct sub *e)
{
    return strcmp(e->native, "*") == 0;
}

static size_t full_name(const struct sub *e, char out[PX_SYMBOL_MAX + 1])
{
    const char *venue = venue_table[e->venue]->name;
    size_t head = strlen(venue), len = e->native_len;
    if (head + 1 + len > PX_SYMBOL_MAX) /* venue_split() lets none pass */
        len = PX_SYMBOL_MAX - 1 - head;
    memcpy(out, venue, head);
    out[head] = ':';
    memcpy(out + head + 1, e->native, len);
    out[head + 1 + len] = '\0';
    return head + 1 + len;
}

static bool has_slot(const struct wants *wants, const struct sub *e)
{
    return e->generation != 0 && px_writer_generation(wants->writer, e->slot) == e->generation;
}

/* Has a price of any kind ever come for this slot? */
static bool has_price(const struct wants *wants, uint32_t slot)
{
    for (uint32_t k = 0; k < PX_CELL_KINDS; k++)
        if (px_writer_last_mono(wants->writer, slot, k) != 0)
            return true;
    return false;
}

static void say(struct wants *wants, uint32_t slot, uint32_t event, uint32_t cause)
{
    struct px_status status = {.event = event, .cause = cause};
    px_writer_status(wants->writer, slot, &status, now_utc_ns());
}

/* What the state of an entry says about its price. LIVE, QUIET of a symbol with prices, and GAP are
 * publish_quality.c's: data came, and it knows more. */
static void show(struct wants *wants, const struct sub *e)
{
    px_writer *w = wants->writer;
    uint32_t now = px_writer_quality_get(w, e->slot);
    switch (e->state) {
    case SUBS_ASKING:
        if (now == PX_STALE || now == PX_CLOSED || !has_price(wants, e->slot))
            px_writer_quality(w, e->slot, PX_STALE, PX_CAUSE_CONNECTING);
        if (now == PX_CLOSED)
            px_writer_text(w, e->slot, NULL);
        break;
    case SUBS_UNANSWERED:
        if (now == PX_STALE || !has_price(wants, e->slot))
            px_writer_quality(w, e->slot, PX_STALE, PX_CAUSE_CONNECTION_MUTE);
        break;
    case SUBS_ACKED:
    case SUBS_SILENT:
        if (!has_price(wants, e->slot))
            px_writer_quality(w, e->slot, PX_QUIET, PX_CAUSE_NO_DATA_YET);
        else if (now == PX_STALE)
            px_writer_quality(w, e->slot, PX_STALE, PX_CAUSE_NO_DATA_YET);
        break;
    case SUBS_REFUSED:
        px_writer_text(w, e->slot, e->text);
        px_writer_quality(w, e->slot, PX_CLOSED, PX_CAUSE_REFUSED);
        break;
    default:
        break;
    }
}

/* Pins and kinds of the slot follow the entry. */
static void pin(struct wants *wants, const struct sub *e)
{
    px_writer_pin(wants->writer, e->slot, e->readers, subs_kinds(e));
}

static int bind_slot(struct wants *wants, struct sub *e)
{
    char symbol[PX_SYMBOL_MAX + 1];
    uint32_t slot;
    int rc = px_writer_bind(wants->writer, symbol, full_name(e, symbol), &slot);
    if (rc != 0)
        return rc;
    e->slot = slot;
    e->generation = px_writer_generation(wants->writer, slot);
    pin(wants, e);
    show(wants, e);
    return 0;
}

int wants_rebind(struct wants *wants, struct sub *e, uint32_t *slot)
{
    int rc = bind_slot(wants, e);
    if (rc == 0)
        *slot = e->slot;
    return rc;
}

/* ---- refusals ---- */

static int refuse(struct wants *wants, struct wants_answer *out, int rc, const char *format, ...)
    __attribute__((format(printf, 4, 5)));
static int refuse(struct wants *wants, struct wants_answer *out, int rc, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    vsnprintf(out->text, sizeof(out->text), format, args);
    va_end(args);
    if (rc == -ENOSPC)
        px_writer_count(wants->writer, PX_C_wanted_refused, 1);
    return rc;
}

static int refuse_subs(struct wants *wants, struct wants_answer *out, int rc,
                       const struct px_venue *venue)
{
    if (rc == -EOPNOTSUPP)
        return refuse(wants, out, rc, "%s brings none of these kinds", venue->name);
    if (rc == -ENOSPC && subs_full(wants->subs))
        return refuse(wants, out, rc, "the table of %u wanted symbols is full",
                      subs_capacity(wants->subs));
    if (rc == -ENOSPC)
        return refuse(wants, out, rc, "the connections to %s are full", venue->name);
    return refuse(wants, out, rc, "%s: %s", venue->name, strerror(-rc));
}

/* ---- the configuration ---- */

static void split(const char *symbol, uint32_t *venue, const char **native)
{
    const struct px_venue *v;
    venue_split(symbol, strlen(symbol), &v, native); /* checked by config.c */
    *venue = (uint32_t)config_venue_index(v);
}

/* A symbol gets its slot while there are free ones: what comes after them waits for its first tick,
 * and takes the place of the least recently used. */
static void configure(struct wants *wants, const struct config_symbol *s, int64_t now_ns)
{
    uint32_t venue, sub;
    const char *native;
    struct wants_answer answer;
    split(s->symbol, &venue, &native);
    if (!wants->allowed[venue]) {
        log_error(s->symbol, "cannot be subscribed: venue %s is fed after a restart only",
                  venue_table[venue]->name);
        return;
    }
    int rc = subs_config(wants->subs, venue, native, s->kinds, now_ns, &sub);
    if (rc != 0) {
        refuse_subs(wants, &answer, rc, venue_table[venue]);
        log_error(s->symbol, "cannot be subscribed: %s", answer.text);
        return;
    }
    struct sub *e = subs_at(wants->subs, sub);
    wants->mark[sub] = 1;
    bool room = px_writer_value(wants->writer, PX_B_symbols) < px_writer_capacity(wants->writer);
    if (!is_all(e) && !has_slot(wants, e) && room)
        (void)bind_slot(wants, e); /* without room its first tick finds some */
}

void wants_apply(struct wants *wants, const struct config *config, int64_t now_ns)
{
    uint32_t capacity = subs_capacity(wants->subs), sub;
    wants->grace_ns = config->grace_ms * MS_NS;
    wants->no_data_ns = config->no_data_ms * MS_NS;
    subs_grace(wants->subs, wants->grace_ns, wants->no_data_ns);
    for (uint32_t v = 0; v < venue_count; v++)
        subs_instead(wants->subs, v, config->venue[v].kinds, now_ns);
    memset(wants->mark, 0, capacity);
    for (size_t i = 0; i < config->symbol_count; i++)
        configure(wants, &config->symbols[i], now_ns);
    for (uint32_t i = 0; i < capacity && !wants->fresh; i++) {
        struct sub *e = subs_at(wants->subs, i);
        if (e != NULL && e->config_kinds != 0 && wants->mark[i] == 0)
            subs_config(wants->subs, e->venue, e->native, 0, now_ns, &sub);
    }
    wants->fresh = false;
    subs_started(wants->subs);
    if (config->symbol_count > px_writer_capacity(wants->writer))
        log_warning("capacity",
                    "%zu configured symbols share %u slots: the least recently used lose theirs",
                    config->symbol_count, px_writer_capacity(wants->writer));
}

void wants_hold(struct wants *wants, const char *symbol, uint32_t kinds, int64_t now_ns)
{
    const struct px_venue *venue;
    const char *native;
    uint32_t sub;
    if (wants->grace_ns == 0 || venue_split(symbol, strlen(symbol), &venue, &native) != 0)
        return;
    size_t v = config_venue_index(venue);
    if (!wants->allowed[v] ||
        subs_hold(wants->subs, (uint32_t)v, native, kinds, now_ns + wants->grace_ns, &sub) != 0)
        return;
    struct sub *e = subs_at(wants->subs, sub);
    if (!is_all(e) && !has_slot(wants, e))
        (void)bind_slot(wants, e); /* without room its first tick finds some */
}

/* ---- readers ---- */

static bool kinds_valid(uint32_t kinds)
{
    return kinds != 0 && (kinds & ~PX_ALL_KINDS) == 0;
}

/* The slot comes first: without one nothing is asked of the venue. `made`: it was bound for this.
 */
static int slot_for(struct wants *wants, const char *symbol, bool *made, struct wants_answer *out)
{
    size_t len = strlen(symbol);
    *made = px_writer_find(wants->writer, symbol, len, &out->slot) == -ENOENT;
    int rc = px_writer_bind(wants->writer, symbol, len, &out->slot);
    if (rc == -ENOSPC)
        return refuse(wants, out, rc, "capacity %u is in use by subscriptions",
                      px_writer_capacity(wants->writer));
    return rc == 0 ? 0 : refuse(wants, out, rc, "\"%s\": %s", symbol, strerror(-rc));
}

/* The venue and its symbol, if a reader may ask for these kinds of it. */
static int check(struct wants *wants, const char *symbol, uint32_t kinds, const char **native,
                 struct wants_answer *out)
{
    const struct px_venue *venue;
    int rc = venue_split(symbol, strlen(symbol), &venue, native);
    if (rc == -ENODEV)
        return refuse(wants, out, rc, "unknown venue in \"%s\"", symbol);
    if (rc != 0)
        return refuse(wants, out, rc, "\"%s\" is not VENUE:SYMBOL", symbol);
    size_t v = config_venue_index(venue);
    if (!wants->allowed[v])
        return refuse(wants, out, -ENODEV, "venue %s is not fed here", venue->name);
    if (!kinds_valid(kinds))
        return refuse(wants, out, -EINVAL, "kinds 0x%x are none of ours", kinds);
    if (strcmp(*native, "*") == 0 && kinds != PX_TICKERS)
        return refuse(wants, out, -EINVAL, "%s is for the kind ticker alone", symbol);
    return (int)v;
}

int wants_subscribe(struct wants *wants, const char *symbol, uint32_t kinds, int64_t now_ns,
                    struct wants_answer *out)
{
    const char *native;
    bool made = false;
    int venue = check(wants, symbol, kinds, &native, out);
    if (venue < 0)
        return venue;
    bool all = strcmp(native, "*") == 0;
    out->slot = PX_NO_SLOT;
    int rc = all ? 0 : slot_for(wants, symbol, &made, out);
    if (rc != 0)
        return rc;
    rc = subs_reader_add(wants->subs, (uint32_t)venue, native, kinds, now_ns, &out->sub);
    if (rc != 0) {
        if (made)
            px_writer_release(wants->writer, out->slot);
        return refuse_subs(wants, out, rc, venue_table[venue]);
    }
    if (all)
        return 0;
    struct sub *e = subs_at(wants->subs, out->sub);
    e->slot = out->slot;
    e->generation = px_writer_generation(wants->writer, out->slot);
    pin(wants, e);
    show(wants, e);
    return 0;
}

int wants_more(struct wants *wants, uint32_t sub, uint32_t kinds, int64_t now_ns,
               struct wants_answer *out)
{
    struct sub *e = subs_at(wants->subs, sub);
    if (e == NULL || !kinds_valid(kinds) || is_all(e))
        return refuse(wants, out, -EINVAL, "kinds 0x%x are none of ours", kinds);
    int rc = subs_reader_more(wants->subs, sub, kinds, now_ns);
    if (rc != 0)
        return refuse_subs(wants, out, rc, venue_table[e->venue]);
    if (has_slot(wants, e))
        pin(wants, e);
    return 0;
}

void wants_unsubscribe(struct wants *wants, uint32_t sub, uint32_t kinds, int64_t now_ns)
{
    struct sub *e = subs_at(wants->subs, sub);
    if (e == NULL)
        return;
    subs_reader_drop(wants->subs, sub, kinds, true, now_ns);
    if (has_slot(wants, e))
        pin(wants, e);
}

/* ---- time ---- */

static void say_refused(struct wants *wants, const struct sub *e, const char *symbol)
{
    char text[PX_SYMBOL_MAX + PX_TEXT_MAX + 8];
    snprintf(text, sizeof(text), "%s: %s", symbol, e->text);
    px_writer_error(wants->writer, "refused", text, now_utc_ns());
    log_warning(symbol, "refused by the venue: %s", e->text);
    if (has_slot(wants, e))
        say(wants, e->slot, PX_EVENT_CLOSED, PX_CAUSE_REFUSED);
}

static void say_unanswered(struct wants *wants, const char *symbol)
{
    char text[PX_SYMBOL_MAX + 80];
    snprintf(text, sizeof(text), "%s: asked for several times, no answer", symbol);
    px_writer_error(wants->writer, "unanswered", text, now_utc_ns());
    log_warning(symbol, "asked for several times, the venue does not answer");
}

static void say_silent(struct wants *wants, const char *symbol)
{
    char text[PX_SYMBOL_MAX + 80];
    snprintf(text, sizeof(text), "%s: accepted %" PRId64 " s ago, no data", symbol,
             wants->no_data_ns / (1000 * MS_NS));
    px_writer_error(wants->writer, "no-data", text, now_utc_ns());
    log_warning(symbol, "accepted %" PRId64 " s ago, no data yet",
                wants->no_data_ns / (1000 * MS_NS));
}

/* The last known price, not refreshed. */
static void not_subscribed(struct wants *wants, uint32_t slot)
{
    uint32_t before = px_writer_quality_get(wants->writer, slot);
    px_writer_quality(wants->writer, slot, PX_STALE, PX_CAUSE_NOT_SUBSCRIBED);
    if (before != PX_STALE)
        say(wants, slot, PX_EVENT_STALE, PX_CAUSE_NOT_SUBSCRIBED);
}

/* Nobody wants it any more: a price stays as the last known one, without one the slot goes back. */
static void let_go(struct wants *wants, struct sub *e)
{
    px_writer_pin(wants->writer, e->slot, 0, 0);
    px_writer_text(wants->writer, e->slot, NULL);
    if (has_price(wants, e->slot))
        not_subscribed(wants, e->slot);
    else
        px_writer_release(wants->writer, e->slot);
    e->generation = 0;
}

/* The all-market stream is over: what it alone kept fresh is no longer. Frames that are under way
 * find no wish. */
static void let_all_go(struct wants *wants, const struct sub *all)
{
    const char *venue = venue_table[all->venue]->name;
    size_t head = strlen(venue);
    struct px_symbol_info info;
    for (uint32_t slot = 0; slot < px_writer_capacity(wants->writer); slot++) {
        if (px_writer_symbol(wants->writer, slot, &info) != 0 ||
            strncmp(info.symbol, venue, head) != 0 || info.symbol[head] != ':')
            continue;
        const char *native = info.symbol + head + 1;
        if (subs_find(wants->subs, all->venue, native, strlen(native)) == SUBS_NONE)
            not_subscribed(wants, slot);
    }
}

static void take_change(struct wants *wants, struct sub *e)
{
    char symbol[PX_SYMBOL_MAX + 1];
    full_name(e, symbol);
    if (e->state == SUBS_REFUSED)
        say_refused(wants, e, symbol);
    else if (e->state == SUBS_SILENT)
        say_silent(wants, symbol);
    else if (e->state == SUBS_UNANSWERED)
        say_unanswered(wants, symbol);
    if (e->state == SUBS_IDLE && is_all(e))
        let_all_go(wants, e);
    if (!has_slot(wants, e))
        return;
    if (e->state == SUBS_IDLE) {
        let_go(wants, e);
        return;
    }
    pin(wants, e);
    show(wants, e);
}

static void count(struct wants *wants)
{
    const struct subs_counts *now = subs_counted(wants->subs);
    struct subs_counts *seen = &wants->counted;
    px_writer *w = wants->writer;
    px_writer_count(w, PX_C_subscribes_sent, now->subscribes - seen->subscribes);
    px_writer_count(w, PX_C_unsubscribes_sent, now->unsubscribes - seen->unsubscribes);
    px_writer_count(w, PX_C_acks, now->acks - seen->acks);
    px_writer_count(w, PX_C_refusals, now->refusals - seen->refusals);
    px_writer_count(w, PX_C_unanswered, now->unanswered - seen->unanswered);
    px_writer_level(w, PX_C_wanted, subs_used(wants->subs));
    *seen = *now;
}

void wants_on_gone(struct wants *wants, wants_gone *gone, void *user)
{
    wants->gone = gone;
    wants->user = user;
}

void wants_tick(struct wants *wants, int64_t now_ns)
{
    subs_tick(wants->subs, now_ns);
    for (uint32_t i; (i = subs_changed(wants->subs)) != SUBS_NONE;) {
        const struct sub *e = subs_at(wants->subs, i);
        take_change(wants, subs_at(wants->subs, i));
        if (e->wanted == 0 && !e->ghost && wants->gone != NULL)
            wants->gone(wants->user, e);
    }
    count(wants);
}

/* A subscription may have no slot yet, but no slot of one is free to go: it is asked for upstream.
 */
uint32_t wants_reclaim(struct wants *wants, int64_t now_ns)
{
    struct px_symbol_info info;
    uint32_t released = 0;
    subs_end_grace(wants->subs, now_ns);
    wants_tick(wants, now_ns);
    for (uint32_t slot = 0; slot < px_writer_capacity(wants->writer); slot++)
        if (px_writer_symbol(wants->writer, slot, &info) == 0 && info.pins == 0 &&
            info.kinds == 0 && (info.quality == PX_STALE || info.quality == PX_CLOSED))
            released += px_writer_release(wants->writer, slot) == 0;
    return released;
}

int wants_saved(const struct wants *wants, uint32_t *cursor, char symbol[PX_SYMBOL_MAX + 1],
                uint32_t *kinds)
{
    for (; *cursor < subs_capacity(wants->subs); ++*cursor) {
        const struct sub *e = subs_at(wants->subs, *cursor);
        if (e == NULL || e->ghost)
            continue;
        *kinds = e->linger_kinds & PX_ALL_KINDS;
        for (uint32_t k = 0; k < PX_CELL_KINDS; k++)
            *kinds |= (uint32_t)(e->by_kind[k] != 0) << k;
        if (*kinds == 0)
            continue;
        full_name(e, symbol);
        ++*cursor;
        return 1;
    }
    return 0;
}

uint64_t wants_revision(const struct wants *wants)
{
    return subs_revision(wants->subs);
}
