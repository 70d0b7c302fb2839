/* A reader of the bus, and what must be true at each step. */
#include "week.h"

#include <errno.h>

/* Between what is and what is looked at: the feeder's turn, the second in which each symbol is
 * judged once, and ours. */
#define SLACK (2 * TICK + S + TICK)

/* ---- losses: every trade was read, or is named by a gap ---- */

static struct week_symbol *symbol_of(px_id id, const struct week_exchange **of)
{
    for (uint32_t i = 0; i < EXCHANGES * SYMBOLS; i++) {
        struct week_symbol *s = &week.exchange[i / SYMBOLS].symbol[i % SYMBOLS];
        *of = &week.exchange[i / SYMBOLS];
        if (s->found && s->id == id)
            return s;
    }
    return NULL;
}

static void read_trade(struct week_symbol *s, const struct week_exchange *e, uint64_t id)
{
    unsigned long long n = id, covered = s->covered;
    week.trades++;
    if (s->covered != 0) {
        WEEK_MUST(id > s->covered, "%s:%s: trade %llu comes after %llu", e->venue, s->native, n,
                  covered);
        WEEK_MUST(id == s->covered + 1 || (e->okx && s->excused),
                  "%s:%s: nothing says what became of trades %llu to %llu", e->venue, s->native,
                  covered + 1, n - 1);
    }
    s->covered = id;
    s->excused = false;
    s->undisturbed++;
}

static void read_status(struct week_symbol *s, const struct px_status *status)
{
    week.gaps += status->event == PX_EVENT_GAP;
    week.stale += status->event == PX_EVENT_STALE;
    week.quiet += status->event == PX_EVENT_QUIET;
    if (status->event == PX_EVENT_LIVE || status->event == PX_EVENT_BIND)
        return;
    s->excused = true;
    s->undisturbed = 0;
    if (status->event == PX_EVENT_GAP && status->first_id <= s->covered + 1 &&
        status->last_id > s->covered)
        s->covered = status->last_id;
}

/* A new feeder: of every symbol trades may be missing. */
static void read_carried(void)
{
    for (uint32_t i = 0; i < EXCHANGES * SYMBOLS; i++) {
        week.exchange[i / SYMBOLS].symbol[i % SYMBOLS].excused = true;
        week.exchange[i / SYMBOLS].symbol[i % SYMBOLS].undisturbed = 0;
    }
}

static void find_symbols(void)
{
    for (uint32_t i = 0; i < EXCHANGES * SYMBOLS; i++) {
        struct week_exchange *e = &week.exchange[i / SYMBOLS];
        struct week_symbol *s = &e->symbol[i % SYMBOLS];
        char name[PX_SYMBOL_MAX + 1];
        snprintf(name, sizeof name, "%s:%s", e->venue, s->native);
        s->found = s->found || px_bus_find(week.reader, name, &s->id) == 0;
    }
}

void check_read(void)
{
    struct px_tick tick;
    const struct week_exchange *of;
    int n;
    find_symbols();
    while ((n = px_bus_poll(week.reader, &tick, 1)) > 0) {
        struct week_symbol *s = symbol_of(tick.id, &of);
        if (s != NULL && tick.kind == PX_TRADE)
            read_trade(s, of, tick.u.trade.trade_id);
        else if (s != NULL && tick.kind == PX_STATUS)
            read_status(s, &tick.u.status);
        else if (tick.kind == PX_STATUS && tick.u.status.event == PX_EVENT_CARRIED)
            read_carried();
    }
    WEEK_MUST(n == 0, "the reader was overrun: %d", n);
}

/* ---- bounds ---- */

static const struct week_peer *peer_of(const struct link *l)
{
    return l->sock.wsi == NULL ? NULL : (const struct week_peer *)(const void *)l->sock.wsi;
}

static bool is_of(const struct link *l, const struct week_exchange *e)
{
    return l->used && l->venue == e->is;
}

/* It brings a message a second or more by what it carries. */
static bool busy(const struct week_exchange *e)
{
    return e->symbol[0].mean_ns <= S;
}

/* How long a mute connection of a busy exchange may live: docs/operations.md. After an hour without
 * trouble its pauses are known; else a minute. */
static int64_t mute_bound(const struct week_exchange *e, const struct link *l,
                          const struct week_peer *p)
{
    bool known = p->trouble_ns - l->conn.live_ns > 70 * 60 * S && e->disturbed_ns < l->conn.live_ns;
    return (known ? 30 * S : 60 * S) << (l->conn.mute_ends < 20 ? l->conn.mute_ends : 20);
}

/* When the last connection that may be thought to bring this exchange's prices is to be known for
 * dead: INT64_MAX, one lives. */
static int64_t connections_known_dead(const struct week_exchange *e)
{
    int64_t known = e->live_ns;
    for (uint32_t i = 0; i < SUBS_LINKS_MAX; i++) {
        const struct link *l = &week.fleet->link[i];
        const struct week_peer *p = is_of(l, e) ? peer_of(l) : NULL;
        if (p == NULL || l->conn.state != PX_CONN_LIVE)
            continue;
        int64_t at = INT64_MAX / 2;
        if (p->dead)
            at = p->trouble_ns + e->is->silence_ms * MS;
        else if (p->mute && busy(e))
            at = p->trouble_ns + mute_bound(e, l, p);
        known = at > known ? at : known;
    }
    return known;
}

static bool thought_live(const struct week_exchange *e)
{
    for (uint32_t i = 0; i < SUBS_LINKS_MAX; i++)
        if (is_of(&week.fleet->link[i], e) && week.fleet->link[i].conn.state == PX_CONN_LIVE)
            return true;
    return false;
}

/* 16 times its usual interval, 5 s at least; 30 s before one is known. */
static int64_t symbol_bound(const struct week_symbol *s, uint32_t slot)
{
    struct px_symbol_info info;
    WEEK_MUST(px_writer_symbol(week.writer, slot, &info) == 0, "slot %u has no symbol", slot);
    int64_t rhythm = info.rhythm_ns;
    if (s->undisturbed > 400)
        WEEK_MUST(rhythm < 4 * s->mean_ns && rhythm > s->mean_ns / 4,
                  "%s: trades come each %.3f s, its rhythm is %.3f s", info.symbol,
                  (double)s->mean_ns / 1e9, (double)rhythm / 1e9);
    if (rhythm == 0)
        return 30 * S;
    return rhythm * 16 < 5 * S ? 5 * S : rhythm * 16;
}

/* No price is LIVE for long whose source is dead. */
static void check_symbol(const struct week_exchange *e, struct week_symbol *s)
{
    struct px_last last;
    char name[PX_SYMBOL_MAX + 1];
    uint32_t slot;
    bool alive = exchange_delivers(e, (uint32_t)(s - e->symbol));
    if (alive)
        s->dead_ns = 0;
    else if (s->dead_ns == 0)
        s->dead_ns = week.now;
    if (alive || !s->found || px_bus_last_at(week.reader, s->id, week.now, &last) < 0 ||
        last.quality != PX_LIVE)
        return;
    snprintf(name, sizeof name, "%s:%s", e->venue, s->native);
    WEEK_MUST(px_writer_find(week.writer, name, strlen(name), &slot) == 0, "no slot for %s", name);
    int64_t of_symbol = s->dead_ns + symbol_bound(s, slot), of_all = connections_known_dead(e);
    int64_t by = (of_symbol < of_all ? of_symbol : of_all) + SLACK;
    WEEK_MUST(week.now <= by,
              "%s is LIVE, its source is dead for %.3f s, its rhythm should have said so %.3f s "
              "ago, its connections %.3f s ago",
              name, (double)(week.now - s->dead_ns) / 1e9, (double)(week.now - of_symbol) / 1e9,
              (double)(week.now - of_all) / 1e9);
}

/* How long after it worked last, and after the last trouble, everything is to be back: what the
 * venue asked for at most, the cap of the back-off, the deadlines of one attempt that was under
 * way, a trial for each connection, the budget's window, and the time it takes to notice that a
 * connection is dead. */
static int64_t back_bound(const struct week_exchange *e, const struct link *l)
{
    int64_t bound = 180 * S + 60 * S + 35 * S + (int64_t)e->redundancy * BREAKER_HOLD_NS;
    if (week.fast_backoff)
        bound += e->is->attempt_window_s * (S + S / 10);
    if (l != NULL)
        bound +=
            e->is->silence_ms * MS + (60 * S << (l->conn.mute_ends < 20 ? l->conn.mute_ends : 20));
    return bound;
}

static bool works(const struct link *l, const struct week_exchange *e)
{
    const struct week_peer *p = peer_of(l);
    return l->conn.state == PX_CONN_LIVE && p != NULL && p->state == PEER_OPEN && !p->dead &&
           (!p->mute || !busy(e));
}

void check_closed(const struct week_peer *p, const struct link *l)
{
    bool healthy = p->state == PEER_OPEN && p->upgraded && !p->mute && !p->dead;
    if (healthy && week.now >= p->hold_ns && l->conn.mute)
        week.false_cuts[busy(&week.exchange[p->exchange])]++;
}

static void check_back(struct week_exchange *e)
{
    uint32_t working = 0;
    const struct link *broken = NULL;
    for (uint32_t i = 0; i < SUBS_LINKS_MAX; i++) {
        const struct link *l = &week.fleet->link[i];
        if (is_of(l, e) && works(l, e))
            working++;
        else if (is_of(l, e))
            broken = l;
    }
    if (e->fault != WEEK_NONE || working >= e->redundancy)
        e->worked_ns = week.now;
    WEEK_MUST(week.now - e->worked_ns <= back_bound(e, broken),
              "%s is well for %.3f s, and %u of %u connections work (one is %u: %s)", e->venue,
              (double)(week.now - e->worked_ns) / 1e9, working, e->redundancy,
              broken != NULL ? broken->conn.state : 99, broken != NULL ? broken->info.reason : "");
}

/* ---- census: there is nothing but what a link has ---- */

static void check_census(void)
{
    uint32_t sockets = 0, timers = 0, jobs = 0;
    for (uint32_t i = 0; i < SUBS_LINKS_MAX; i++) {
        const struct link *l = &week.fleet->link[i];
        bool connected = l->conn.state >= PX_CONN_CONNECTING && l->conn.state <= PX_CONN_CLOSING;
        WEEK_MUST((l->sock.wsi != NULL) == (l->used && connected),
                  "link %u in state %u %s a socket", i, l->conn.state,
                  l->sock.wsi != NULL ? "has" : "has not");
        WEEK_MUST(!l->ws_ready || l->sock.wsi != NULL, "link %u: a WebSocket without a socket", i);
        WEEK_MUST(!l->open_in_subs || l->conn.state >= PX_CONN_SUBSCRIBING,
                  "link %u in state %u has subscriptions", i, l->conn.state);
        WEEK_MUST(l->job.number == 0 || l->conn.state == PX_CONN_RESOLVING,
                  "link %u in state %u waits for a name", i, l->conn.state);
        WEEK_MUST(!l->timer.armed || (l->used && l->conn.state != PX_CONN_LIVE),
                  "link %u in state %u has a timer", i, l->conn.state);
        sockets += l->sock.wsi != NULL;
        timers += l->timer.armed;
        jobs += l->job.number != 0;
    }
    WEEK_MUST(sockets == edge_sockets() && timers == net_timers(edge_net()) && jobs == edge_jobs(),
              "links have %u sockets, %u timers, %u names; there are %u, %u, %u", sockets, timers,
              jobs, edge_sockets(), net_timers(edge_net()), edge_jobs());
}

void check_state(void)
{
    check_census();
    for (uint32_t i = 0; i < EXCHANGES; i++) {
        struct week_exchange *e = &week.exchange[i];
        if (thought_live(e))
            e->live_ns = week.now;
        for (uint32_t s = 0; s < SYMBOLS; s++)
            check_symbol(e, &e->symbol[s]);
        check_back(e);
    }
}

/* Two hours after the last trouble: the busy symbols are LIVE. */
void check_end(void)
{
    for (uint32_t i = 0; i < EXCHANGES; i++) {
        const struct week_exchange *e = &week.exchange[i];
        struct px_last last;
        if (!busy(e))
            continue;
        int rc = px_bus_last_at(week.reader, e->symbol[0].id, week.now, &last);
        WEEK_MUST(rc == 0 && last.quality == PX_LIVE, "%s:%s is %s at the end", e->venue,
                  e->symbol[0].native, px_quality_name(last.quality));
        WEEK_MUST(e->symbol[0].covered + 30 > e->symbol[0].next_id, "%s:%s: read up to %llu",
                  e->venue, e->symbol[0].native, (unsigned long long)e->symbol[0].covered);
    }
}
