#include "guests.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "counters.h"
#include "log.h"

#define S INT64_C(1000000000)

/* Ticks of ours without a word of it, which it sends several times in one, until it hangs: ours,
 * because the time when this program stood still is not its fault. */
#define SILENT_TICKS 50
/* The end, in ticks. What a guest has not brought is not taken from its successor where ids do not
 * say how they follow, so the successors are left unread for a while first: by then the guests have
 * all that was sent before. It is not for long if the rear-guard does not end. */
#define PARTING_TELL  3
#define PARTING_GO_ON 10
/* Given all that was read until so long ago: it keeps up. */
#define BEHIND_NS (S / 2)
/* Reads of one turn: more is left to the next. */
#define READS 4

static const char object[] = "restart";

/* Which endpoint of the configuration this is; negative: none, it has changed. */
static int endpoint_of(const struct config *config, const struct px_venue *venue, const char *url)
{
    const char *text;
    for (uint32_t n = 0; (text = config_endpoint_at(config, venue, n)) != NULL; n++)
        if (strcmp(text, url) == 0)
            return (int)n;
    return -ENOENT;
}

/* A connection that this configuration would not make, or that there is no place for, is not heard.
 */
static void arrive(struct guests *g, uint16_t number, struct relay_link who)
{
    const struct config *config = g->fleet->shared.config;
    who.venue[sizeof who.venue - 1] = who.endpoint[sizeof who.endpoint - 1] = '\0';
    const struct px_venue *venue = venue_find(who.venue, strlen(who.venue));
    int endpoint = venue == NULL || !config_venue_of(config, venue)->allowed
                       ? -ENOENT
                       : endpoint_of(config, venue, who.endpoint);
    struct link *l = fleet_place(g->fleet);
    if (endpoint < 0 || l == NULL || who.route >= VENUE_ROUTES_MAX ||
        link_host(l, (uint32_t)config_venue_index(venue), who.shard, who.route,
                  (uint32_t)endpoint) < 0) {
        log_info(object, "%s: the connection of before is not heard: %s", who.endpoint,
                 endpoint < 0 ? "the configuration has changed" : "there is no place for it");
        return;
    }
    g->link[number] = l;
    log_info(venue->name, "%s: the connection of before is read until another takes over",
             l->info.endpoint);
}

static void see_off(struct guests *g, uint16_t number)
{
    struct link *l = g->link[number];
    g->link[number] = NULL;
    if (l != NULL && l->used && l->guest)
        link_see_off(l);
}

static struct link *of_number(const struct guests *g, uint16_t number)
{
    return number < REARGUARD_LINKS_MAX ? g->link[number] : NULL;
}

static void take_mark(struct guests *g, const struct relay_head *head, const unsigned char *payload)
{
    memcpy(&g->told, payload, sizeof g->told);
    g->mark_ns = head->mono_ns;
    g->silent = 0;
}

/* False: what came is of another version. */
static bool take(struct guests *g, const struct relay_head *head, const unsigned char *payload)
{
    struct link *l = of_number(g, head->link);
    struct relay_link who;
    switch (head->type) {
    case RELAY_LINK:
        memcpy(&who, payload, sizeof who);
        if (who.format != RELAY_FORMAT || head->link >= REARGUARD_LINKS_MAX || l != NULL)
            return false;
        arrive(g, head->link, who);
        break;
    case RELAY_TEXT:
        if (l == NULL)
            break;
        px_writer_count(g->fleet->shared.writer, PX_C_relayed, 1);
        link_relayed(l, (const char *)payload, head->len,
                     (struct publish_time){head->utc_ns, head->mono_ns});
        break;
    case RELAY_MARK:
        take_mark(g, head, payload);
        break;
    default:
        if (l != NULL)
            log_info(l->venue->name, "%s: the connection of before has ended: %.*s",
                     l->info.endpoint, (int)head->len, (const char *)payload);
        if (l != NULL)
            see_off(g, head->link);
        break;
    }
    return true;
}

static bool has_guest(const struct guests *g, uint32_t venue)
{
    for (uint16_t i = 0; i < REARGUARD_LINKS_MAX; i++)
        if (g->link[i] != NULL && g->link[i]->venue_index == venue)
            return true;
    return false;
}

static void withhold(struct guests *g, bool on)
{
    for (uint32_t i = 0; i < SUBS_LINKS_MAX; i++) {
        struct link *l = &g->fleet->link[i];
        bool successor = l->used && !l->guest && l->conn.state == PX_CONN_LIVE;
        if (successor && (!on || has_guest(g, l->venue_index)))
            link_withhold(l, on);
    }
}

void guests_leave(struct guests *g)
{
    net_remove(&g->sock);
    for (uint16_t i = 0; i < REARGUARD_LINKS_MAX; i++)
        see_off(g, i);
    withhold(g, false);
    free(g->stream.data);
    g->stream = (struct relay_stream){0};
}

static void ended(struct guests *g, const char *why)
{
    uint32_t left = 0;
    for (uint16_t i = 0; i < REARGUARD_LINKS_MAX; i++)
        left += g->link[i] != NULL;
    bool relieved = g->parting >= PARTING_TELL || left == 0;
    log_line(relieved ? LOG_LEVEL_INFO : LOG_LEVEL_WARNING, object,
             "the rear-guard %s: %" PRIu64 " messages relayed, %" PRIu64 " were too long%s", why,
             g->told.messages, g->told.too_long,
             relieved ? "" : "; not all connections have been taken over");
    guests_leave(g);
}

/* False: nothing more can be taken. */
static bool take_all(struct guests *g)
{
    struct relay_head head;
    const unsigned char *payload;
    int rc;
    while ((rc = relay_next(&g->stream, &head, &payload)) == 1)
        if (!take(g, &head, payload))
            return false;
    return rc == 0;
}

static void on_stream(void *owner, enum net_event event)
{
    struct guests *g = owner;
    ssize_t n = -1;
    if (event == NET_WRITABLE)
        return;
    if (event == NET_HANGUP) {
        ended(g, "has ended");
        return;
    }
    errno = EAGAIN;
    for (int i = 0; i < READS; i++) {
        unsigned char *at;
        size_t room = relay_space(&g->stream, &at);
        n = read(g->sock.fd, at, room);
        if (n <= 0)
            break;
        relay_received(&g->stream, (size_t)n);
        if (!take_all(g)) {
            px_writer_flush(g->fleet->shared.writer);
            ended(g, "is not understood, it is of another version");
            rearguard_kill(&g->rear);
            return;
        }
    }
    px_writer_flush(g->fleet->shared.writer);
    if (n == 0 || (n < 0 && errno != EAGAIN && errno != EINTR))
        ended(g, "has ended");
}

int guests_open(struct guests *g, struct fleet *fleet, const struct rearguard *rear)
{
    *g = (struct guests){.fleet = fleet};
    if (rear->pid == 0)
        return 0;
    g->rear = *rear;
    g->stream.data = calloc(1, RELAY_STREAM_BYTES + RELAY_PADDING);
    int rc = g->stream.data == NULL ? -ENOMEM : 0;
    if (rc == 0)
        rc = net_add(fleet->shared.net, &g->sock, rear->fd, on_stream, g);
    else
        close(rear->fd);
    if (rc < 0)
        guests_close(g);
    return rc;
}

bool guests_here(const struct guests *g)
{
    return g->sock.wsi != NULL;
}

static bool relieved(const struct guests *g, int64_t now_ns)
{
    for (uint16_t i = 0; i < REARGUARD_LINKS_MAX; i++)
        if (g->link[i] != NULL && !fleet_relieves(g->fleet, g->link[i]->venue_index, now_ns))
            return false;
    return true;
}

/* The end is told by ending our side; what comes until its own end is still taken. */
static void send_away(const struct guests *g)
{
    if (shutdown(g->sock.fd, SHUT_WR) < 0)
        log_debug(object, "the rear-guard cannot be told to end: %s", strerror(errno));
}

void guests_tick(struct guests *g, int64_t now_ns)
{
    if (!guests_here(g)) {
        rearguard_gone(&g->rear);
        return;
    }
    if (++g->silent > SILENT_TICKS) {
        rearguard_kill(&g->rear);
        ended(g, "gave no sign of life and was killed");
        return;
    }
    bool knows = g->mark_ns != 0 && now_ns - g->mark_ns < BEHIND_NS;
    if (g->parting == 0 && !(knows && relieved(g, now_ns)))
        return;
    g->parting++;
    if (g->parting == 1)
        withhold(g, true);
    else if (g->parting == PARTING_TELL)
        send_away(g);
    else if (g->parting == PARTING_GO_ON)
        withhold(g, false);
}

void guests_close(struct guests *g)
{
    if (g->fleet != NULL)
        guests_leave(g);
    rearguard_kill(&g->rear);
}
