#include "link.h"

#include <errno.h>
#include <netdb.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "hash.h"
#include "json.h"
#include "link_internal.h"

#define MS INT64_C(1000000)

static void on_answer(void *owner, const struct resolve_answer *answer);
static void on_timer(void *owner);

int link_init(struct link *l, struct link_shared *shared, uint32_t index)
{
    *l = (struct link){.shared = shared, .index = index};
    l->recv_bytes = (size_t)shared->config->receive_kb * 1024;
    l->recv = calloc(1, l->recv_bytes + WS_PADDING);
    l->send = malloc(LINK_SEND_BYTES);
    l->tls_in = malloc(LINK_TLS_BYTES);
    l->tls_out = malloc(LINK_TLS_BYTES);
    if (l->recv == NULL || l->send == NULL || l->tls_in == NULL || l->tls_out == NULL) {
        link_free(l);
        return -ENOMEM;
    }
    l->job.done = on_answer;
    l->job.owner = l;
    net_timer_init(shared->net, &l->timer, on_timer, l);
    return 0;
}

void link_free(struct link *l)
{
    if (l->used)
        link_release(l);
    free(l->recv);
    free(l->send);
    free(l->tls_in);
    free(l->tls_out);
    l->recv = l->send = l->tls_in = l->tls_out = NULL;
}

void link_give_back(void *buffer, size_t len)
{
    uintptr_t page = (uintptr_t)sysconf(_SC_PAGESIZE);
    uintptr_t from = ((uintptr_t)buffer + page - 1) & ~(page - 1);
    uintptr_t to = ((uintptr_t)buffer + len) & ~(page - 1);
    if (buffer == NULL || to <= from)
        return;
    /* locked pages go back only under this name, which kernels before 5.18 do not know */
    if (madvise((void *)from, to - from, MADV_DONTNEED_LOCKED) < 0)
        madvise((void *)from, to - from, MADV_DONTNEED);
}

void link_clean(struct link *l)
{
    if (l->used)
        return;
    link_give_back(l->recv, link_plan(l->shared->config).receive_bytes);
    link_give_back(l->send, LINK_SEND_BYTES);
    link_give_back(l->tls_in, LINK_TLS_BYTES);
    link_give_back(l->tls_out, LINK_TLS_BYTES);
}

struct plan_link link_plan(const struct config *config)
{
    uint64_t inflating = 0;
    for (size_t v = 0; v < venue_count; v++)
        if (config->venue[v].deflate)
            inflating +=
                SUBS_SHARDS_MAX * (venue_table[v]->routes < 2 ? 1 : venue_table[v]->routes);
    return (struct plan_link){
        .deflate_bytes = sizeof(struct ws_deflate) + LINK_INFLATED_BYTES + WS_PADDING,
        .deflate_count = inflating < SUBS_LINKS_MAX ? inflating : SUBS_LINKS_MAX,
        .receive_bytes = (uint64_t)config->receive_kb * 1024 + WS_PADDING,
        .send_bytes = LINK_SEND_BYTES,
        .object_bytes = sizeof(struct link),
        .parser_bytes = json_bytes((size_t)config->max_message_kb * 1024),
        .tls_bytes = 2 * LINK_TLS_BYTES};
}

static struct gate_time gate_now(void)
{
    struct publish_time now = publish_now();
    return (struct gate_time){.mono_ns = now.mono_ns, .utc_ns = now.utc_ns};
}

static struct gate_link gate_link(const struct link *l)
{
    return (struct gate_link){.place = gate_place(l->venue_index, l->endpoint), .link = l->index};
}

/* The endpoint's breaker is every connection's: one that has no reason of its own shows that. */
static void record_gate(struct link *l)
{
    struct gate_view v = gate_view(l->shared->gate, gate_link(l).place, now_mono_ns());
    struct px_conn_info *i = &l->info;
    i->breaker = v.state;
    i->next_mono_ns = 0;
    if (l->conn.state == PX_CONN_WAITING)
        i->next_mono_ns = v.next_ns > l->conn.deadline_ns ? v.next_ns : l->conn.deadline_ns;
    if (i->breaker == PX_BREAKER_OPEN && i->reason[0] == '\0')
        snprintf(i->reason, sizeof i->reason, "%s", v.reason);
}

static void record(struct link *l)
{
    struct conn *c = &l->conn;
    struct px_conn_info *i = &l->info;
    record_gate(l);
    i->state = l->guest ? (uint32_t)PX_CONN_CLOSING : c->state; /* it leaves, whatever else comes */
    i->owner_epoch = px_writer_epoch(l->shared->writer);
    i->since_mono_ns = c->since_ns;
    i->open_mono_ns = c->live_ns;
    i->attempts = c->attempts;
    i->reconnects = c->reconnects;
    i->ticks = l->source.ticks;
    i->gaps = l->source.gaps;
    i->duplicates = l->source.duplicates;
    i->firsts = l->source.firsts;
    i->seconds = l->source.seconds;
    i->behind_ns = l->source.behind_ns;
    i->refused_frames = l->source.refused_frames;
    subs_streams(l->shared->subs, l->index, &i->streams_wanted, &i->streams_acked);
    px_writer_conn(l->shared->writer, l->index, i);
}

/* The one teardown: whatever was opened for this connection is gone after it. */
static void drop(struct link *l)
{
    resolve_cancel(l->shared->resolve, &l->job);
    link_drop_io(l);
    if (l->open_in_subs)
        subs_link_close(l->shared->subs, l->index, now_mono_ns());
    l->open_in_subs = false;
    l->hello_waits = 0;
    publish_drop(l->shared->publish, &l->source);
}

static void lost(struct link *l)
{
    uint32_t cause = l->conn.mute ? PX_CAUSE_CONNECTION_MUTE : PX_CAUSE_CONNECTION_LOST;
    if (l->planned_end)
        cause = PX_CAUSE_PLANNED_END;
    publish_lost(l->shared->publish, &l->source, cause, publish_now());
    px_writer_flush(l->shared->writer);
}

static void connect_next(struct link *l)
{
    if (l->conn.address > 0 && !gate_another(l->shared->gate, gate_link(l).place, gate_now())) {
        link_fail(l, CONN_FAILED, &(struct conn_input){.reached = true},
                  "the budget of attempts has none left for its other addresses");
        return;
    }
    int fd = link_connect(l);
    int rc = fd < 0 ? fd : net_add(l->shared->net, &l->sock, fd, link_on_socket, l);
    if (rc < 0) {
        link_cannot_connect(l, rc);
        return;
    }
    net_want_write(&l->sock);
}

/* A message beside subscriptions: it draws on the same budget. */
static void send_beside(struct link *l, const char *text, size_t len, int64_t now_ns)
{
    if (!link_send_text(l, text, len))
        return;
    subs_spent(l->shared->subs, l->index, 1, now_ns);
    link_flush(l);
}

static void greet(struct link *l, int64_t now_ns)
{
    if (l->venue->hello == NULL)
        return;
    l->hello_waits = l->venue->hello_answer ? 1 : 0;
    send_beside(l, l->venue->hello, strlen(l->venue->hello), now_ns);
}

static void open_subscriptions(struct link *l)
{
    int64_t now = now_mono_ns();
    int rc = subs_link_open(l->shared->subs, l->index, l->venue_index, l->shard, l->route);
    if (rc < 0) {
        link_fail(l, CONN_FAILED, NULL, "its symbols cannot be carried: %s", strerror(-rc));
        return;
    }
    l->open_in_subs = true;
    l->source.life++;
    l->keepalive_ns = now + (int64_t)l->venue->keepalive_ms * MS;
    greet(l, now);
    link_pump(l, now);
    link_settle(l);
}

static void became_live(struct link *l)
{
    px_writer_count(l->shared->writer, PX_C_connects, 1);
    if (l->conn.lives > 1)
        px_writer_count(l->shared->writer, PX_C_reconnects, 1);
    l->planned_end = false;
    l->info.reason[0] = '\0';
    l->shared->worked[l->venue_index] = l->endpoint;
    log_info(l->venue->name, "live at %s", l->info.endpoint);
}

static void arm(struct link *l)
{
    int64_t at = conn_deadline(&l->conn);
    /* A live connection's deadline moves with every byte: link_tick() looks at it. */
    if (at == INT64_MAX || l->conn.state == PX_CONN_LIVE)
        net_timer_cancel(&l->timer);
    else
        net_timer_set(&l->timer, at - now_mono_ns());
}

static void ask_addresses(struct link *l)
{
    if (resolve_ask(l->shared->resolve, &l->job, link_first_hop(l)) < 0)
        link_fail(l, CONN_FAILED, NULL, "too many names are being resolved");
}

/* An attempt begins, or is put off by the gate of its endpoint. */
static void attempt(struct link *l, enum conn_event event)
{
    const char *why;
    link_take_turn(l);
    int64_t wait = gate_wait(l->shared->gate, gate_link(l).place, now_mono_ns(), &why);
    struct conn_input in = {.retry_ns = wait};
    if (in.retry_ns > 0 && l->info.reason[0] == '\0')
        snprintf(l->info.reason, sizeof l->info.reason, "%s", why);
    link_step(l, event, &in);
}

static bool has_begun(uint32_t state)
{
    return state != PX_CONN_IDLE && state != PX_CONN_WAITING;
}

/* What the end of a connection that was in state `was` says of its endpoint. */
static void judge(struct link *l, uint32_t was, const struct conn_input *in)
{
    bool excused = was == PX_CONN_LIVE && (l->conn.mute || l->planned_end);
    struct gate_end end = {.until_ns = l->conn.deadline_ns,
                           .told = in != NULL && in->retry_ns > 0,
                           .no_verdict = !l->conn.wanted || was == PX_CONN_CLOSING || excused,
                           .reason = l->info.reason};
    gate_ended(l->shared->gate, gate_link(l), &end, gate_now());
}

/* At most one of the actions from CONN_DO_RESOLVE on is asked for at a time, and is the last one,
 * so that a failure in it may step the machine again. */
void link_step(struct link *l, enum conn_event event, const struct conn_input *in)
{
    uint32_t before = l->conn.state;
    uint32_t actions = conn_step(&l->conn, event, in, now_mono_ns());
    if (l->conn.state == before && actions == 0)
        return;
    if (has_begun(before) && !has_begun(l->conn.state))
        judge(l, before, in);
    if (before == PX_CONN_RESOLVING) /* an answer that comes later is not of this attempt */
        resolve_cancel(l->shared->resolve, &l->job);
    if (actions & CONN_DO_RESOLVE)
        l->conn.backoff.failures = gate_begin(l->shared->gate, gate_link(l), gate_now());
    arm(l);
    if (actions & CONN_DO_CLOSE)
        link_send_close(l, 1000, NULL);
    if (actions & CONN_DO_DROP)
        drop(l);
    if (actions & CONN_DO_LOST)
        lost(l);
    if (actions & CONN_DO_LIVE)
        became_live(l);
    record(l);
    if (actions & CONN_DO_RESOLVE)
        ask_addresses(l);
    if (actions & CONN_DO_CONNECT)
        connect_next(l);
    if (actions & CONN_DO_TUNNEL)
        link_start_tunnel(l);
    if (actions & CONN_DO_TLS)
        link_start_tls(l);
    if (actions & CONN_DO_UPGRADE)
        link_start_upgrade(l);
    if (actions & CONN_DO_SUBSCRIBE)
        open_subscriptions(l);
}

/* Not heard in this series: what a series began with may hide why it does not end. */
static bool is_news(struct link *l, bool first)
{
    uint32_t reason = hash_symbol(0, l->info.reason, strlen(l->info.reason));
    bool known = false;
    if (first)
        l->told_count = 0;
    for (uint32_t i = 0; i < l->told_count; i++)
        known = known || l->told[i] == reason;
    if (known || l->told_count == LINK_TOLD)
        return first;
    l->told[l->told_count++] = reason;
    return true;
}

/* The first failure of a series at each endpoint is a line in the log, and so is each further
 * reason of it; all of them are counted. */
static void tell(struct link *l, bool was_live, bool told_when)
{
    const char *again = l->conn.state == PX_CONN_WAITING && !told_when ? ", trying again" : "";
    char text[sizeof l->info.endpoint + sizeof l->info.reason + 4];
    snprintf(text, sizeof text, "%s: %s", l->info.endpoint, l->info.reason);
    px_writer_error(l->shared->writer, "connection", text, publish_now().utc_ns);
    bool first = l->conn.backoff.failures <= 1 || l->conn.failures <= 1;
    bool said = was_live || is_news(l, first);
    enum log_level level = said ? LOG_LEVEL_WARNING : LOG_LEVEL_DEBUG;
    log_line(level, l->venue->name, "%s: %s%s", l->info.endpoint, l->info.reason, again);
}

void link_fail(struct link *l, enum conn_event event, const struct conn_input *in,
               const char *format, ...)
{
    uint32_t before = l->conn.state;
    va_list args;
    va_start(args, format);
    vsnprintf(l->info.reason, sizeof l->info.reason, format, args);
    va_end(args);
    if (before >= PX_CONN_RESOLVING && before < PX_CONN_LIVE)
        px_writer_count(l->shared->writer, PX_C_connect_failures, 1);
    if (!l->conn.wanted) {
        link_step(l, event, in);
        return;
    }
    uint64_t failures = l->conn.failures;
    link_step(l, event, in);
    link_failed_there(l, before);
    if (l->conn.failures != failures || before == PX_CONN_LIVE)
        tell(l, before == PX_CONN_LIVE, in != NULL && in->retry_ns > 0);
}

void link_settle(struct link *l)
{
    if (l->conn.state == PX_CONN_SUBSCRIBING && subs_settled(l->shared->subs, l->index))
        link_step(l, CONN_SUBSCRIBED, NULL);
}

static void on_answer(void *owner, const struct resolve_answer *answer)
{
    struct link *l = owner;
    l->answer = *answer;
    if (answer->error != 0) {
        link_fail(l, CONN_FAILED, NULL, "%s cannot be resolved: %s", link_first_hop(l)->host,
                  gai_strerror(answer->error));
        return;
    }
    if (!link_keep_addresses(l))
        return;
    struct conn_input in = {.addresses = l->answer.count};
    link_step(l, CONN_RESOLVED, &in);
}

static void deadline(struct link *l)
{
    if (now_mono_ns() < conn_deadline(&l->conn))
        return;
    if (l->conn.state == PX_CONN_WAITING)
        attempt(l, CONN_TIMER);
    else
        link_fail(l, CONN_TIMER, NULL, "%s", conn_deadline_text(&l->conn));
}

static void on_timer(void *owner)
{
    struct link *l = owner;
    deadline(l);
    if (!l->timer.armed)
        arm(l);
}

static void acked(struct link *l, const struct venue_event *event, int64_t now_ns)
{
    const struct subs_stream stream = {event->symbol, event->symbol_len, event->kinds, event->off};
    if (stream.len > 0)
        subs_ack_stream(l->shared->subs, l->index, &stream, now_ns);
    else if (event->request == 0 && l->hello_waits > 0)
        l->hello_waits--;
    else
        subs_ack(l->shared->subs, l->index, event->request, now_ns);
}

static void refused(struct link *l, const struct venue_event *event, int64_t now_ns)
{
    const struct subs_stream stream = {event->symbol, event->symbol_len, event->kinds, event->off};
    if (stream.len > 0)
        subs_refused_stream(l->shared->subs, l->index, &stream, event->text, event->text_len);
    else
        subs_refused(l->shared->subs, l->index, event->request, event->text, event->text_len,
                     now_ns);
    log_warning(l->venue->name, "a subscription was refused: %.*s", (int)event->text_len,
                event->text != NULL ? event->text : "");
}

/* Acknowledgements, refusals and announcements among the venue's frames. */
static void on_control(void *user, const struct venue_event *event)
{
    struct link *l = user;
    int64_t now = now_mono_ns();
    const struct subs_stream lost = {event->symbol, event->symbol_len, event->kinds, false};
    switch (event->type) {
    case VENUE_ACK:
        acked(l, event, now);
        break;
    case VENUE_REFUSED:
        refused(l, event, now);
        break;
    case VENUE_RESYNC:
        subs_resync(l->shared->subs, l->index, &lost, now);
        break;
    case VENUE_REPLY:
        send_beside(l, event->text, event->text_len, now);
        break;
    case VENUE_PLANNED_END:
        l->planned_end = true;
        px_writer_count(l->shared->writer, PX_C_planned_ends, 1);
        log_info(l->venue->name, "the venue announces the end of this connection");
        break;
    default:
        break;
    }
    l->answered = true;
}

/* What a connection is before it is one. */
static int prepare(struct link *l, uint32_t venue_index, uint32_t shard, uint32_t route, uint32_t n)
{
    const struct config *config = l->shared->config;
    l->venue = venue_table[venue_index];
    l->venue_index = venue_index;
    l->shard = shard;
    l->route = route;
    l->planned_end = l->leaving = l->guest = false;
    l->parting_ns = 0;
    memset(&l->info, 0, sizeof l->info);
    config_endpoint(config, l->venue, &l->limits);
    if (link_set_endpoint(l, n) < 0)
        return -EINVAL;
    snprintf(l->info.venue, sizeof l->info.venue, "%s", l->venue->name);
    const struct config_venue *v = config_venue_of(config, l->venue);
    uint32_t silence_ms = v->silence_ms != 0 ? v->silence_ms : l->venue->silence_ms;
    struct conn_config timing = {.tls = l->url.tls,
                                 .proxy = l->proxied,
                                 .step_ns = config->connect_ms * MS,
                                 .subscribe_ns = config->subscribe_ms * MS,
                                 .close_ns = config->close_ms * MS,
                                 .silence_ns = silence_ms * MS,
                                 .good_ns = config->breaker_good_s * 1000 * MS};
    struct backoff backoff = gate_backoff(l->shared->gate, gate_link(l).place);
    conn_init(&l->conn, &timing, &backoff, now_mono_ns());
    l->source = (struct publish_source){.venue = l->venue,
                                        .venue_index = venue_index,
                                        .conn = l->index,
                                        .life = l->source.life,
                                        .control = on_control,
                                        .user = l};
    return 0;
}

int link_open(struct link *l, uint32_t venue_index, uint32_t shard, uint32_t route)
{
    int rc = prepare(l, venue_index, shard, route, l->shared->worked[venue_index]);
    if (rc < 0)
        return rc;
    l->used = true;
    attempt(l, CONN_WANTED);
    return 0;
}

int link_host(struct link *l, uint32_t venue_index, uint32_t shard, uint32_t route, uint32_t n)
{
    int rc = prepare(l, venue_index, shard, route, n);
    if (rc < 0)
        return rc;
    l->used = l->guest = l->leaving = l->planned_end = true;
    l->source.relayed = true;
    l->source.life++;
    conn_take_over(&l->conn, now_mono_ns());
    subs_guest(l->shared->subs, l->index, venue_index, route);
    snprintf(l->info.reason, sizeof l->info.reason, "kept by a rear-guard over the restart");
    record(l);
    return 0;
}

void link_see_off(struct link *l)
{
    subs_link_close(l->shared->subs, l->index, now_mono_ns());
    lost(l);
    link_release(l);
}

void link_want(struct link *l, bool want)
{
    if (l->guest)
        link_see_off(l);
    else if (want)
        attempt(l, CONN_WANTED);
    else
        link_step(l, CONN_UNWANTED, NULL);
    l->conn.wanted = want;
}

bool link_steady(const struct link *l, int64_t now_ns, int64_t for_ns)
{
    return l->conn.state == PX_CONN_LIVE && now_ns - l->conn.live_ns >= for_ns;
}

/* Well before the venue cuts it, and not all connections at once. */
static int64_t life_ns(const struct link *l)
{
    const struct config_venue *v = config_venue_of(l->shared->config, l->venue);
    if (v->life_s != 0)
        return v->life_s * 1000 * MS;
    int64_t life = l->venue->life_s * 1000 * MS;
    return life - life / 24 - (int64_t)(l->index % 16) * (life / 512);
}

bool link_ends(const struct link *l, int64_t now_ns)
{
    bool has_life =
        l->venue->life_s != 0 || config_venue_of(l->shared->config, l->venue)->life_s != 0;
    return l->conn.state == PX_CONN_LIVE &&
           (l->planned_end || (has_life && link_steady(l, now_ns, life_ns(l))));
}

bool link_idle(const struct link *l)
{
    return l->conn.state == PX_CONN_IDLE;
}

void link_release(struct link *l)
{
    net_timer_cancel(&l->timer);
    gate_ended(l->shared->gate, gate_link(l), &(struct gate_end){.no_verdict = true}, gate_now());
    drop(l);
    px_writer_conn(l->shared->writer, l->index, NULL);
    l->used = false;
}

/* Room for one more message. Encrypted ones go out one by one: what TLS holds for a socket that
 * takes nothing now leaves no room. */
static bool has_room(struct link *l, size_t len)
{
    const unsigned char *at;
    if (l->tls_on)
        return link_flush(l) && tls_pending_out(&l->tls, &at) == 0;
    return LINK_SEND_BYTES - l->send_len >= len;
}

void link_pump(struct link *l, int64_t now_ns)
{
    char text[LINK_MESSAGE_MAX];
    if (!l->open_in_subs || l->conn.state == PX_CONN_CLOSING)
        return;
    for (;;) {
        if (!has_room(l, sizeof text + WS_FRAME_MAX_HEAD + WS_OWED_MAX)) {
            l->pump_ns = 0;
            break; /* the socket takes nothing now: link_flush() comes back here */
        }
        int n = subs_next(l->shared->subs, l->index, now_ns, text, sizeof text, &l->pump_ns);
        if (n <= 0 || !link_send_text(l, text, (size_t)n))
            break;
    }
    link_flush(l);
}

static void keepalive(struct link *l, int64_t now_ns)
{
    if (l->venue->keepalive == NULL || now_ns < l->keepalive_ns)
        return;
    l->keepalive_ns = now_ns + (int64_t)l->venue->keepalive_ms * MS;
    send_beside(l, l->venue->keepalive, strlen(l->venue->keepalive), now_ns);
}

void link_tick(struct link *l, int64_t now_ns)
{
    if (l->guest) {
        record(l);
        return;
    }
    if (l->paused && !l->withheld)
        link_resume(l);
    if (l->conn.state == PX_CONN_LIVE)
        deadline(l);
    if (l->conn.state == PX_CONN_LIVE || l->conn.state == PX_CONN_SUBSCRIBING) {
        keepalive(l, now_ns);
        link_pump(l, now_ns);
        link_settle(l);
    }
    if (l->conn.good)
        gate_good(l->shared->gate, gate_link(l), gate_now());
    uint32_t carried = l->info.streams_acked;
    record(l);
    if (l->info.streams_acked < carried)
        conn_step(&l->conn, CONN_LESS, NULL, now_ns);
}
