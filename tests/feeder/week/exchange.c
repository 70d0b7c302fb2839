/* What trades at the exchanges, and what goes wrong there, drawn at random. */
#include "week.h"

#include <math.h>

/* What a fault is: how often it is drawn, how long it lasts (0: a moment), and whether connections
 * that are there may be cut as it begins. */
static const struct {
    uint32_t often;
    int64_t least_ns, most_ns;
    bool cuts;
} faults[WEEK_FAULT_COUNT] = {
#define X(name, text, often, least_s, most_s, cuts) {often, least_s * S, most_s * S, cuts},
    WEEK_FAULTS(X)
#undef X
};

/* ---- chance: splitmix64 ---- */

static uint64_t draw(void)
{
    uint64_t x = week.random += UINT64_C(0x9e3779b97f4a7c15);
    x = (x ^ x >> 30) * UINT64_C(0xbf58476d1ce4e5b9);
    x = (x ^ x >> 27) * UINT64_C(0x94d049bb133111eb);
    return x ^ x >> 31;
}

double week_uniform(void)
{
    return (double)(draw() >> 11) * 0x1p-53;
}

uint32_t week_below(uint32_t n)
{
    return (uint32_t)(draw() % n);
}

int64_t week_exponential(int64_t mean_ns)
{
    return 1 + (int64_t)(-log(1 - week_uniform()) * (double)mean_ns);
}

int64_t week_between(int64_t least_ns, int64_t most_ns)
{
    return (int64_t)((double)least_ns * pow((double)most_ns / (double)least_ns, week_uniform()));
}

/* ---- what there is ---- */

/* From five a second to twice a day; the third carries nothing that is busy. */
static const struct {
    const char *venue;
    bool okx;
    uint32_t redundancy;
    int64_t mean_ns[SYMBOLS];
} table[EXCHANGES] = {
    {"binance", false, 1, {200 * MS, 5 * S, 600 * S, 12 * HOUR}},
    {"binance_us", false, 2, {S, 20 * S, 600 * S, 12 * HOUR}},
    {"binance_tr", false, 1, {600 * S, 2 * HOUR, 6 * HOUR, 12 * HOUR}},
    {"okx", true, 1, {500 * MS, 10 * S, 60 * S, 12 * HOUR}},
};

static void open_symbol(struct week_exchange *e, uint32_t i)
{
    struct week_symbol *s = &e->symbol[i];
    snprintf(s->native, sizeof s->native, e->okx ? "S%u-USDT" : "S%uUSDT", i);
    snprintf(s->name, sizeof s->name, "s%uusdt", i);
    s->mean_ns = table[e - week.exchange].mean_ns[i];
    s->next_id = 1000;
    s->next_ns = week.now + week_exponential(s->mean_ns);
}

void exchange_open(void)
{
    for (uint32_t i = 0; i < EXCHANGES; i++) {
        struct week_exchange *e = &week.exchange[i];
        e->venue = table[i].venue;
        e->okx = table[i].okx;
        e->redundancy = table[i].redundancy;
        e->is = venue_find(e->venue, strlen(e->venue));
        WEEK_MUST(e->is != NULL, "no venue %s", e->venue);
        e->worked_ns = week.now;
        e->next_ns = week.now + week_exponential(week.plan->fault_every_ns);
        for (uint32_t s = 0; s < SYMBOLS; s++)
            open_symbol(e, s);
    }
}

struct week_exchange *exchange_of_host(const char *host)
{
    uint32_t i = strncmp(host, "sim", 3) == 0 ? (uint32_t)atoi(host + 3) : EXCHANGES;
    return i < EXCHANGES ? &week.exchange[i] : NULL;
}

/* One more attempt, by the venue's own count. */
void exchange_connect(struct week_exchange *e, struct week_peer *p)
{
    uint32_t limit = e->is->attempts_per_window;
    uint64_t n = e->attempts++;
    e->attempt_ns[n % ATTEMPTS_MAX] = week.now;
    if (n >= limit)
        WEEK_MUST(
            week.now - e->attempt_ns[(n - limit) % ATTEMPTS_MAX] >= e->is->attempt_window_s * S,
            "%s sees more than %u attempts in %u s", e->venue, limit, e->is->attempt_window_s);
    /* Of two connections one may be past the gate when the other is told. */
    WEEK_MUST(week.now >= e->told_ns || e->redundancy > 1,
              "%s sees an attempt %.3f s before the time that it asked for", e->venue,
              (double)(e->told_ns - week.now) / 1e9);
    p->exchange = (uint32_t)(e - week.exchange);
    p->state = e->fault == WEEK_REFUSE ? PEER_REFUSED : PEER_CONNECTING;
    p->ready_ns = e->fault == WEEK_NO_ROUTE ? INT64_MAX : week.now + week_between(MS, 200 * MS);
}

/* ---- trades ---- */

static bool delivers(const struct week_peer *p, const struct week_exchange *e, uint32_t symbol)
{
    return p->state == PEER_OPEN && p->upgraded && &week.exchange[p->exchange] == e &&
           p->subscribed[symbol] && !p->mute && !p->dead && week.now >= e->symbol[symbol].muted_ns;
}

bool exchange_delivers(const struct week_exchange *e, uint32_t symbol)
{
    for (uint32_t i = 0; i < PEERS; i++)
        if (delivers(&week.peer[i], e, symbol))
            return true;
    return false;
}

static void trade(struct week_exchange *e, uint32_t symbol, bool bad)
{
    struct week_symbol *s = &e->symbol[symbol];
    uint64_t id = s->next_id++;
    if (s->losing > 0) {
        s->losing--;
        return;
    }
    for (uint32_t i = 0; i < PEERS; i++)
        if (delivers(&week.peer[i], e, symbol))
            server_trade(&week.peer[i], s, id, bad);
}

/* ---- faults ---- */

static struct week_peer *peer_at(const struct week_exchange *e, uint32_t i)
{
    struct week_peer *p = &week.peer[i];
    bool there = p->state == PEER_OPEN && p->upgraded && &week.exchange[p->exchange] == e;
    return there ? p : NULL;
}

static void close_with_code(struct week_peer *p)
{
    static const uint16_t codes[] = {1000, 1001, 1008, 1011, 1012, 1013, 3000, 4001};
    server_close(p, codes[week_below(sizeof codes / sizeof codes[0])]);
}

static void announce(struct week_peer *p, bool okx)
{
    server_text(p, okx ? "{\"event\":\"notice\",\"code\":\"64008\",\"msg\":\"an upgrade\"}"
                       : "{\"e\":\"serverShutdown\",\"E\":1790000004000}");
    p->close_ns = week.now + 60 * S;
}

static void send_wrong(struct week_exchange *e, struct week_peer *p)
{
    switch (week_below(3)) {
    case 0:
        server_text(p, "{\"stream\":[[[");
        break;
    case 1:
        server_frame(p, 0xf1, "reserved", 8);
        break;
    default:
        trade(e, week_below(2), !e->okx); /* whose ids do not show that one was refused */
        break;
    }
}

/* What the fault does to a connection that is there. */
static void befall(struct week_exchange *e, struct week_peer *p)
{
    switch (e->fault) {
    case WEEK_MUTE:
    case WEEK_MUTE_ALL:
        p->mute = true;
        p->trouble_ns = p->trouble_ns != 0 ? p->trouble_ns : week.now;
        break;
    case WEEK_DEAD:
        p->dead = true;
        p->trouble_ns = week.now;
        break;
    case WEEK_CLOSE:
        close_with_code(p);
        break;
    case WEEK_PLANNED:
        announce(p, e->okx);
        break;
    case WEEK_SLOW:
        p->hold_ns = week.now + week_between(100 * MS, 12 * S);
        break;
    case WEEK_BAD:
        send_wrong(e, p);
        break;
    case WEEK_RESET:
        p->state = week_below(2) != 0 ? PEER_ENDED : PEER_RESET;
        break;
    default:
        if (faults[e->fault].cuts && week_below(2) != 0)
            p->state = PEER_RESET;
        break;
    }
}

static void begin(struct week_exchange *e, enum week_fault fault)
{
    struct week_symbol *s = &e->symbol[week_below(SYMBOLS)];
    e->fault = e->last = fault;
    e->changed_ns = week.now;
    e->disturbed_ns = e->fault_ns;
    e->fault_ns = e->worked_ns = week.now;
    e->next_ns = week.now;
    if (faults[fault].most_ns > 0)
        e->next_ns += week_between(faults[fault].least_ns, faults[fault].most_ns);
    week.hit[fault]++;
    if (fault == WEEK_LOSS && !e->okx) /* whose ids do not show it */
        s->losing = 1 + week_below(20);
    if (fault == WEEK_SYMBOL_MUTE && (!e->okx || s->mean_ns <= S)) /* likewise, if it is seldom */
        s->muted_ns = e->next_ns;
    if (fault == WEEK_STORM)
        storm_begin(e);
    if (fault == WEEK_KILL) {
        feeder_kill();
        feeder_open_all();
    }
    for (uint32_t i = 0; i < PEERS; i++)
        if (peer_at(e, i) != NULL && (e->redundancy < 2 || week_below(3) > 0))
            befall(e, &week.peer[i]);
}

static enum week_fault draw_fault(void)
{
    uint32_t all = 0, at, fault = 0;
    for (uint32_t f = 0; f < WEEK_FAULT_COUNT; f++)
        all += faults[f].often;
    for (at = week_below(all); at >= faults[fault].often; fault++)
        at -= faults[fault].often;
    return (enum week_fault)fault;
}

static void change_fault(struct week_exchange *e)
{
    if (e->fault == WEEK_NONE && !week.calm) {
        begin(e, draw_fault());
        return;
    }
    e->fault = WEEK_NONE;
    e->changed_ns = week.now;
    e->next_ns = week.calm ? INT64_MAX : week.now + week_exponential(week.plan->fault_every_ns);
}

void exchange_calm(void)
{
    week.calm = true;
    for (uint32_t i = 0; i < EXCHANGES; i++)
        week.exchange[i].next_ns = week.now;
}

/* ---- time ---- */

static int64_t first(int64_t a, int64_t b)
{
    return a < b ? a : b;
}

int64_t exchange_next(void)
{
    int64_t next = INT64_MAX;
    for (uint32_t i = 0; i < EXCHANGES; i++) {
        const struct week_exchange *e = &week.exchange[i];
        next = first(next, e->next_ns);
        for (uint32_t s = 0; s < SYMBOLS; s++)
            next = first(next, e->symbol[s].next_ns);
    }
    for (uint32_t i = 0; i < PEERS; i++) {
        const struct week_peer *p = &week.peer[i];
        if (p->state == PEER_OPEN && p->upgraded)
            next = first(next, p->close_ns != 0 ? first(p->close_ns, p->ping_ns) : p->ping_ns);
    }
    return next;
}

static void run_peer(struct week_peer *p)
{
    if (week.now >= p->ping_ns) {
        server_frame(p, 0x89, "px", 2);
        p->ping_ns = week.now + SERVER_PING;
    }
    if (p->close_ns != 0 && week.now >= p->close_ns) {
        p->close_ns = 0;
        server_close(p, 1001);
    }
}

void exchange_run(void)
{
    for (uint32_t i = 0; i < EXCHANGES; i++) {
        struct week_exchange *e = &week.exchange[i];
        if (week.now >= e->next_ns)
            change_fault(e);
        for (uint32_t s = 0; s < SYMBOLS; s++) {
            if (week.now < e->symbol[s].next_ns)
                continue;
            trade(e, s, false);
            e->symbol[s].next_ns = week.now + week_exponential(e->symbol[s].mean_ns);
        }
    }
    for (uint32_t i = 0; i < PEERS; i++)
        if (week.peer[i].state == PEER_OPEN && week.peer[i].upgraded)
            run_peer(&week.peer[i]);
}
