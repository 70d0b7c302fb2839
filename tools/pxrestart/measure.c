/* Measures a restart. See measure.h. */
#include "measure.h"

#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "cli.h"

#define BATCH    256
#define SLICE_NS INT64_C(20000000)

enum { HAD_PRICE = 1, REFRESHED = 2 };

/* A reader has a price when it is on the bus, which over a restart may be long after it was
 * received. */
static int64_t utc_now_ns(void)
{
    struct timespec t;
    clock_gettime(CLOCK_REALTIME, &t);
    return t.tv_sec * INT64_C(1000000000) + t.tv_nsec;
}

static void note_state(struct measure *m, px_id id, uint8_t state)
{
    if (id >= m->state_count || m->state[id] >= state)
        return;
    if (state == HAD_PRICE)
        m->had_price++;
    else if (m->state[id] == HAD_PRICE)
        m->refreshed++;
    else
        return;
    m->state[id] = state;
}

/* The newest price of all, for a market in which nothing comes between now and the restart. */
static void look_at_prices(struct measure *m)
{
    struct px_symbol_info s;
    for (uint32_t slot = 0; slot < m->before.capacity; slot++) {
        px_id id;
        struct px_last last;
        if (px_bus_symbol_at(m->bus, slot, &s) < 0 || (s.pins == 0 && s.kinds == 0))
            continue;
        m->subscribed++;
        if (px_bus_find(m->bus, s.symbol, &id) < 0 || px_bus_last(m->bus, id, &last) < 0)
            continue;
        const int64_t times[] = {last.trade_info.recv_ns, last.quote_info.recv_ns,
                                 last.ticker_info.recv_ns};
        for (size_t i = 0; i < 3; i++)
            if (times[i] > m->last_ns)
                m->last_ns = times[i];
        if (last.age_ns >= 0 && last.quality == PX_LIVE)
            note_state(m, id, HAD_PRICE);
    }
}

int measure_start(struct measure *m, px_bus *bus)
{
    struct px_memory_sample sample;
    *m = (struct measure){.bus = bus, .rss_before = -1, .rss_after = -1};
    int rc = px_bus_info(bus, &m->before);
    if (rc < 0)
        return rc;
    m->after = m->before;
    m->state_count = m->before.capacity;
    m->state = calloc(m->state_count, 1);
    if (m->state == NULL)
        return -ENOMEM;
    if (px_bus_memory_second(bus, 0, &sample) == 0)
        m->rss_before = (int64_t)sample.rss_bytes;
    look_at_prices(m);
    return 0;
}

void measure_free(struct measure *m)
{
    free(m->state);
    m->state = NULL;
}

static void take(struct measure *m, const struct px_tick *tick)
{
    int after = m->restarted && tick->seq >= m->after.epoch_seq;
    if (tick->kind == PX_STATUS) {
        if (after && tick->u.status.event == PX_EVENT_GAP) {
            m->gaps++;
            m->gap_ticks += tick->u.status.count;
        }
    } else if (!after) {
        if (tick->recv_ns > m->last_ns)
            m->last_ns = tick->recv_ns;
        note_state(m, tick->id, HAD_PRICE);
    } else {
        if (m->first_ns == 0)
            m->first_ns = utc_now_ns();
        note_state(m, tick->id, REFRESHED);
    }
}

void measure_step(struct measure *m, int64_t end_ns)
{
    static struct px_tick ticks[BATCH];
    struct px_bus_info info;
    int n = px_bus_poll(m->bus, ticks, BATCH);
    /* After the poll: a tick of the new epoch is not published before the epoch is. */
    if (px_bus_info(m->bus, &info) == 0) {
        if (info.epoch > m->before.epoch && info.state == PX_STATE_LIVE)
            m->restarted = 1;
        m->after = info;
    }
    for (int i = 0; i < n; i++)
        take(m, &ticks[i]);
    if (n == -EOVERFLOW) {
        struct px_lost lost;
        if (px_bus_lost(m->bus, PX_ID_NONE, &lost) == 0)
            m->skipped = lost.skipped;
    }
    if (n > 0 || n == -EOVERFLOW)
        return;
    int64_t left = end_ns - cli_now_ns();
    if (left > SLICE_NS)
        left = SLICE_NS;
    if (left <= 0)
        return;
    if (px_bus_wait(m->bus, left) < 0 && n < 0) {
        /* neither ticks nor sleep while a segment is being replaced */
        struct timespec nap = {.tv_nsec = 1000000};
        nanosleep(&nap, NULL);
    }
}

int measure_memory(struct measure *m)
{
    struct px_memory_sample sample;
    struct timespec ts;
    clock_gettime(CLOCK_REALTIME, &ts);
    int64_t born_ns = (int64_t)ts.tv_sec * 1000000000 + ts.tv_nsec - m->after.uptime_ns;
    if (px_bus_memory_second(m->bus, 0, &sample) < 0 || sample.utc_ns < born_ns)
        return 0;
    m->rss_after = (int64_t)sample.rss_bytes;
    return 1;
}

double measure_blackout_ms(const struct measure *m)
{
    if (m->first_ns == 0 || m->last_ns == 0)
        return (double)NAN;
    return m->first_ns > m->last_ns ? (double)(m->first_ns - m->last_ns) / 1e6 : 0.0;
}
