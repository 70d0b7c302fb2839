#include "backfill.h"

#include <inttypes.h>
#include <netdb.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "backoff.h"
#include "budget.h"
#include "counters.h"
#include "hole.h"
#include "log.h"

#define S INT64_C(1000000000)

/* From the first question for an address to the last byte of the answer. */
#define DEADLINE_NS (10 * S)
/* Failures in a row, or answers with nothing of the hole, after which it is given up. */
#define TRIES_MAX 5u
/* Answers for one hole: what it is longer is not asked for. */
#define PAGES_MAX 100u
/* A venue that asks for a longer pause is not waited for. */
#define PAUSE_MAX_NS (600 * S)
/* The first look back in time, since clocks differ and the last trade's is not always known. */
#define MARGIN_NS (1 * S)

struct open_hole {
    struct publish_hole where;
    struct hole hole;
    uint32_t tries, pages;
    struct open_hole *next; /* of the same venue, or free */
};

enum way_state { WAY_RESTS, WAY_RESOLVES, WAY_ASKS };

/* How one venue is asked. */
struct way {
    struct backfill *owner;
    const struct px_venue *venue; /* NULL: it is not */
    enum way_state state;
    bool limits; /* the venue's own apply there */
    struct url url;
    struct open_hole *first, *last;
    int64_t not_before_ns, deadline_ns;
    struct budget budget;
    struct backoff backoff;
    struct resolve_job job;
    struct resolve_answer answer;
    uint32_t address; /* that is tried next, of those there are */
    struct net_http http;
};

struct backfill {
    struct link_shared *shared;
    struct publish_time at;
    struct way way[CONFIG_VENUES_MAX];
    struct open_hole pool[BACKFILL_HOLES_MAX];
    struct open_hole *free;
    uint32_t open;
    const struct open_hole *filling;
    struct hole_page page;
};

static void on_hole(void *user, const struct publish_hole *where);
static void on_answer(void *owner, const struct resolve_answer *answer);

size_t backfill_bytes(void)
{
    return sizeof(struct backfill);
}

uint32_t backfill_answers(const struct config *config)
{
    uint32_t n = 0;
    for (size_t v = 0; v < venue_count; v++)
        n += config->venue[v].backfill;
    return n;
}

static int open_way(struct backfill *b, uint32_t v)
{
    const struct config *config = b->shared->config;
    const struct px_venue *venue = venue_table[v];
    struct way *w = &b->way[v];
    char error[CONFIG_ERROR_MAX];
    if (!config->venue[v].backfill)
        return 0;
    /* what can be wrong with it was said when the configuration was read */
    if (config_backfill(config, venue, &w->url, &w->limits, error) < 0)
        return -1;
    w->owner = b;
    w->venue = venue;
    budget_init(&w->budget, w->limits ? venue->history->requests_per_min : 0, 60);
    backoff_init(&w->backoff, S, w->limits ? 60 * S : BACKOFF_LOCAL_CAP_NS,
                 (uint64_t)now_mono_ns() ^ v);
    w->job = (struct resolve_job){.done = on_answer, .owner = w};
    w->http.cap = BACKFILL_ANSWER_BYTES;
    w->http.body = calloc(1, BACKFILL_ANSWER_BYTES + VENUE_PADDING);
    return w->http.body == NULL ? -1 : 0;
}

struct backfill *backfill_new(struct link_shared *shared)
{
    struct backfill *b = calloc(1, sizeof *b);
    if (b == NULL)
        return NULL;
    b->shared = shared;
    for (uint32_t i = 0; i < BACKFILL_HOLES_MAX; i++) {
        b->pool[i].next = b->free;
        b->free = &b->pool[i];
    }
    for (uint32_t v = 0; v < venue_count; v++) {
        if (open_way(b, v) < 0) {
            backfill_free(b);
            return NULL;
        }
    }
    publish_on_hole(shared->publish, on_hole, b);
    return b;
}

/* ---- holes ---- */

static void say(struct backfill *b, const struct open_hole *o)
{
    const struct hole *h = &o->hole;
    bool whole = h->missing == 0;
    const struct px_status status = {.event = PX_EVENT_FILLED,
                                     .cause = whole ? PX_CAUSE_NONE : PX_CAUSE_IDS_MISSING,
                                     .first_id = whole ? h->first : h->missing_first,
                                     .last_id = whole ? h->last : h->missing_last,
                                     .count = whole ? h->filled : h->missing};
    if (px_writer_generation(b->shared->writer, o->where.slot) == o->where.generation)
        px_writer_status(b->shared->writer, o->where.slot, &status, publish_now().utc_ns);
    px_writer_count(b->shared->writer, PX_C_backfill_whole, whole);
    px_writer_count(b->shared->writer, PX_C_backfill_unfilled, !whole);
}

/* The hole at the head of the queue is done with. */
static void end_hole(struct way *w)
{
    struct backfill *b = w->owner;
    struct open_hole *o = w->first;
    hole_give_up(&o->hole);
    say(b, o);
    log_info(w->venue->name, "%s: of trades %" PRIu64 " to %" PRIu64 " %" PRIu64 " were filled in",
             o->hole.native, o->hole.first, o->hole.last, o->hole.filled);
    w->first = o->next;
    o->next = b->free;
    b->free = o;
    px_writer_level(b->shared->writer, PX_C_backfill_open, --b->open);
}

static void start_hole(struct open_hole *o, const struct publish_hole *where, const char *native)
{
    *o = (struct open_hole){.where = *where};
    hole_init(&o->hole, native, where->first, where->last);
    o->hole.aggregated = where->aggregated;
    o->hole.after_ns = where->after_ns > MARGIN_NS ? where->after_ns - MARGIN_NS : 0;
}

/* One more than there is room for: it ends as it begins. */
static void turn_away(struct backfill *b, const struct publish_hole *where, const char *native)
{
    struct open_hole o;
    start_hole(&o, where, native);
    hole_give_up(&o.hole);
    say(b, &o);
}

/* Inside publish_frame(): it is only put down. */
static void on_hole(void *user, const struct publish_hole *where)
{
    struct backfill *b = user;
    struct way *w = &b->way[where->venue_index];
    struct px_symbol_info info;
    if (w->venue == NULL || px_writer_symbol(b->shared->writer, where->slot, &info) < 0)
        return;
    const char *native = strchr(info.symbol, ':') + 1;
    struct open_hole *o = b->free;
    if (o == NULL) {
        turn_away(b, where, native);
        return;
    }
    b->free = o->next;
    start_hole(o, where, native);
    if (w->first == NULL)
        w->first = o;
    else
        w->last->next = o;
    w->last = o;
    px_writer_level(b->shared->writer, PX_C_backfill_open, ++b->open);
}

/* ---- what goes wrong ---- */

static void tell(struct way *w, const char *why)
{
    px_writer *writer = w->owner->shared->writer;
    char text[URL_HOST_MAX + TLS_REASON_MAX];
    snprintf(text, sizeof text, "%s: %.100s: %.200s", w->venue->name, w->url.authority, why);
    if (px_writer_error(writer, "backfill", text, publish_now().utc_ns) == 1)
        log_warning(w->venue->name, "back-fill from %s: %s", w->url.authority, why);
}

/* The request has ended without use. `pause_ns`: what the venue asked for, 0 nothing. */
static void failed(struct way *w, int64_t now_ns, int64_t pause_ns, const char *why)
{
    w->state = WAY_RESTS;
    w->not_before_ns = now_ns + backoff_next(&w->backoff, pause_ns);
    px_writer_count(w->owner->shared->writer, PX_C_backfill_failures, 1);
    tell(w, why);
    if (pause_ns > PAUSE_MAX_NS)
        while (w->first != NULL)
            end_hole(w);
    else if (w->first != NULL && ++w->first->tries >= TRIES_MAX)
        end_hole(w);
}

static int64_t told(const struct way *w)
{
    char *end;
    long seconds = strtol(w->http.retry_after, &end, 10);
    bool number = end != w->http.retry_after && *end == '\0' && seconds >= 0;
    const struct backoff_refusal refusal = {.status = w->http.status,
                                            .after_s = number ? seconds : -1,
                                            .text = w->http.retry_after,
                                            .venue_host = w->limits,
                                            .utc_s = publish_now().utc_ns / S};
    return backoff_told(&refusal);
}

/* ---- answers ---- */

static void publish_one(void *user, const struct hole_trade *trade)
{
    struct backfill *b = user;
    if (publish_fill(b->shared->publish, &b->filling->where, trade, b->at))
        px_writer_count(b->shared->writer, PX_C_backfill_trades, 1);
}

/* What a sound answer gives: all of it, or nothing more than before. */
static void take_page(struct way *w, int64_t now_ns)
{
    struct backfill *b = w->owner;
    struct open_hole *o = w->first;
    b->at = publish_now();
    b->filling = o;
    uint32_t given = hole_fill(&o->hole, &b->page, publish_one, b);
    if (b->page.refused > 0)
        tell(w, b->page.why);
    o->pages++;
    w->state = WAY_RESTS;
    if (given == 0) {
        failed(w, now_ns, 0, "the answer has none of the trades that were asked for");
        return;
    }
    o->tries = 0;
    backoff_reset(&w->backoff);
    if (hole_closed(&o->hole) || o->pages >= PAGES_MAX)
        end_hole(w);
}

static void take_answer(struct way *w, int64_t now_ns)
{
    struct backfill *b = w->owner;
    const struct net_http *h = &w->http;
    struct hole_page *page = &b->page;
    hole_page_start(page, &w->first->hole);
    const struct venue_sink sink = hole_page_sink(page);
    memset(h->body + h->len, 0, VENUE_PADDING);
    w->venue->history->on_answer(b->shared->json, (const char *)h->body, h->len, &page->asked,
                                 &sink);
    if (hole_page_end(page) < 0)
        failed(w, now_ns, 0, page->why);
    else
        take_page(w, now_ns);
}

static void answered(struct way *w, int64_t now_ns)
{
    const struct net_http *h = &w->http;
    char why[TLS_REASON_MAX + 16];
    if (h->too_large) {
        failed(w, now_ns, 0, "the answer is too large");
    } else if (h->status == 0) {
        snprintf(why, sizeof why, "no answer: %s", h->error[0] != '\0' ? h->error : "closed");
        failed(w, now_ns, 0, why);
    } else if (h->status != 200) {
        snprintf(why, sizeof why, "the venue answers with status %d", h->status);
        failed(w, now_ns, told(w), why);
    } else if (!h->whole) {
        failed(w, now_ns, 0, "the answer ended too early");
    } else {
        take_answer(w, now_ns);
    }
    px_writer_flush(w->owner->shared->writer);
}

/* ---- requests ---- */

/* The vhost for TLS is made when the first request needs it, as are the links' settings. */
static int trust(struct way *w)
{
    struct link_shared *shared = w->owner->shared;
    char error[CONFIG_ERROR_MAX] = "";
    if (!w->url.tls)
        return 0;
    if (shared->tls == NULL && tls_context_new(NULL, &shared->tls, error, sizeof error) < 0)
        return -1;
    return net_http_trust(shared->net, tls_context_native(shared->tls));
}

static void ask(struct way *w, int64_t now_ns)
{
    struct link_shared *shared = w->owner->shared;
    const struct resolve_answer *a = &w->answer;
    char address[64], path[URL_PATH_MAX];
    uint32_t i = w->address++ % a->count;
    const struct venue_hole asked = hole_asked(&w->first->hole);
    if (getnameinfo((const struct sockaddr *)&a->address[i], a->len[i], address, sizeof address,
                    NULL, 0, NI_NUMERICHOST) != 0 ||
        w->venue->history->path(&asked, path, sizeof path) < 0 || trust(w) < 0) {
        failed(w, now_ns, 0, "it cannot be asked");
        return;
    }
    const struct net_request request = {.address = address,
                                        .port = w->url.port,
                                        .authority = w->url.authority,
                                        .path = path,
                                        .source = config_bind(shared->config, w->venue),
                                        .tls = w->url.tls};
    budget_take(&w->budget, now_ns);
    px_writer_count(shared->writer, PX_C_backfill_requests, 1);
    w->state = WAY_ASKS;
    net_http_get(shared->net, &w->http, &request); /* what fails at once is seen as done */
}

static void on_answer(void *owner, const struct resolve_answer *answer)
{
    struct way *w = owner;
    int64_t now_ns = now_mono_ns();
    char why[160];
    w->answer = *answer;
    if (answer->error == 0 && answer->count > 0) {
        ask(w, now_ns);
        return;
    }
    snprintf(why, sizeof why, "%.80s cannot be resolved: %s", w->url.host,
             gai_strerror(answer->error));
    failed(w, now_ns, 0, why);
}

/* Holes whose symbol has gone, or counts anew, are not asked for. */
static void begin(struct way *w, int64_t now_ns)
{
    struct link_shared *shared = w->owner->shared;
    while (w->first != NULL && !publish_hole_stands(shared->publish, &w->first->where))
        end_hole(w);
    if (w->first == NULL || now_ns < w->not_before_ns || budget_next(&w->budget, now_ns) > now_ns)
        return;
    int64_t step_ns = shared->config->connect_ms * (S / 1000);
    w->deadline_ns = now_ns + (step_ns != 0 ? step_ns : DEADLINE_NS);
    w->state = WAY_RESOLVES;
    if (resolve_ask(shared->resolve, &w->job, &w->url) < 0)
        w->state = WAY_RESTS;
}

static void tick(struct way *w, int64_t now_ns)
{
    if (w->state == WAY_ASKS && w->http.state == NET_HTTP_DONE) {
        net_http_cancel(&w->http);
        if (publish_hole_stands(w->owner->shared->publish, &w->first->where))
            answered(w, now_ns);
        else
            w->state = WAY_RESTS;
    } else if (w->state != WAY_RESTS && now_ns >= w->deadline_ns) {
        resolve_cancel(w->owner->shared->resolve, &w->job);
        net_http_cancel(&w->http);
        failed(w, now_ns, 0, "no answer in time");
    }
    if (w->state == WAY_RESTS && w->first != NULL)
        begin(w, now_ns);
}

void backfill_tick(struct backfill *b, int64_t now_ns)
{
    for (uint32_t v = 0; v < venue_count; v++)
        if (b->way[v].venue != NULL)
            tick(&b->way[v], now_ns);
}

void backfill_free(struct backfill *b)
{
    if (b == NULL)
        return;
    publish_on_hole(b->shared->publish, NULL, NULL);
    for (uint32_t v = 0; v < venue_count; v++) {
        struct way *w = &b->way[v];
        if (w->venue == NULL)
            continue;
        resolve_cancel(b->shared->resolve, &w->job);
        net_http_cancel(&w->http);
        while (w->first != NULL)
            end_hole(w);
        free(w->http.body);
    }
    px_writer_flush(b->shared->writer);
    free(b);
}
