/* A live connection over simulated markets: how often is one cut that is only quiet, and how soon
 * is one replaced that is mute? PX_DAYS makes the runs longer. */
#include "t.h"

#include <math.h>

#include "conn.h"

#define MS   INT64_C(1000000)
#define S    (1000 * MS)
#define HOUR (3600 * S)
#define DAY  (24 * HOUR)

#define BYTES_EVERY (20 * S) /* pongs of the venue */

/* Messages come at random, `mean_ns` apart; with `swing` that is so at noon, and at midnight they
 * are so many times further apart. `burst` of them come together. A subscription is answered by
 * `snapshot` messages at once. */
struct market {
    int64_t mean_ns;
    double swing;
    int burst, snapshot;
    int64_t closed_from, closed_to; /* of each day, silent */
    uint64_t random;
};

static double uniform(struct market *m)
{
    uint64_t x = m->random += UINT64_C(0x9e3779b97f4a7c15);
    x = (x ^ x >> 30) * UINT64_C(0xbf58476d1ce4e5b9);
    x = (x ^ x >> 27) * UINT64_C(0x94d049bb133111eb);
    return ((double)(x >> 11) + 0.5) * 0x1p-53;
}

static int64_t next_message(struct market *m, int64_t now)
{
    double mean = (double)m->mean_ns;
    if (m->swing > 1)
        mean *= pow(m->swing, 0.5 - 0.5 * cos(6.283185307 * (double)(now % DAY) / (double)DAY));
    int64_t at = now + 1 + (int64_t)(-log(uniform(m)) * mean);
    if (at % DAY >= m->closed_from && at % DAY < m->closed_to)
        at += m->closed_to - at % DAY;
    return at;
}

static uint32_t step(struct conn *c, enum conn_event event, int64_t now)
{
    struct conn_input in = {.addresses = 1};
    return conn_step(c, event, &in, now);
}

/* From wherever it is to a live connection, in a second. Returns the time. */
static int64_t connect(struct conn *c, const struct market *m, int64_t now)
{
    static const enum conn_event way[] = {CONN_RESOLVED, CONN_CONNECTED, CONN_UPGRADED,
                                          CONN_SUBSCRIBED};
    if (c->state == PX_CONN_WAITING) {
        now = conn_deadline(c);
        step(c, CONN_TIMER, now);
    }
    now += S;
    for (size_t i = 0; i < sizeof way / sizeof way[0]; i++)
        step(c, way[i], now);
    T_EQ(c->state, PX_CONN_LIVE);
    for (int i = 0; i < m->snapshot; i++)
        step(c, CONN_DATA, now += MS);
    return now;
}

static int64_t start(struct conn *c, const struct market *m)
{
    struct conn_config config = {.silence_ns = 60 * S};
    struct backoff backoff;
    backoff_init(&backoff, 250 * MS, 60 * S, 42);
    conn_init(c, &config, &backoff, S);
    step(c, CONN_WANTED, S);
    return connect(c, m, S);
}

/* The market goes on until `end`. Returns how often the connection was cut from `from` on. */
static uint32_t cuts(struct conn *c, struct market *m, int64_t now, int64_t from, int64_t end)
{
    uint32_t n = 0;
    int64_t message = next_message(m, now), bytes = now + BYTES_EVERY;
    while (now < end) {
        int64_t deadline = conn_deadline(c);
        now = message < bytes ? message : bytes;
        now = deadline < now ? deadline : now;
        if (now == message) {
            for (int i = 0; i <= m->burst; i++)
                step(c, CONN_DATA, now + i * MS);
            message = next_message(m, now + m->burst * MS);
        } else if (now == bytes) {
            step(c, CONN_BYTES, now);
            bytes = now + BYTES_EVERY;
        } else {
            T_TRUE((step(c, CONN_TIMER, now) & CONN_DO_LOST) != 0);
            n += now >= from;
            now = connect(c, m, now);
            bytes = now + BYTES_EVERY;
            while (message <= now) /* what came meanwhile went to nobody */
                message = next_message(m, message);
        }
    }
    return n;
}

static int64_t days(int64_t usual)
{
    const char *text = getenv("PX_DAYS");
    return text != NULL ? atoll(text) : usual;
}

/* Cuts after the first day, in `n` days; says what they are a day. */
static uint32_t measured(struct market m, int64_t n, const char *what)
{
    struct conn c;
    m.random += 7;
    int64_t now = start(&c, &m);
    uint32_t first = cuts(&c, &m, now, 0, DAY);
    uint32_t after = cuts(&c, &m, DAY, DAY, (n + 1) * DAY);
    printf("%s: %u cuts in the first day, %.4f a day in %d days after it\n", what, first,
           (double)after / (double)n, (int)n);
    return after;
}

/* At most one in a hundred days. */
static bool left_alone(struct market m, int64_t n, const char *what)
{
    return measured(m, n, what) <= n / 100;
}

T_TEST(a_quiet_market_is_left_alone_whatever_its_rate)
{
    T_TRUE(left_alone((struct market){.mean_ns = S}, days(20), "mean 1 s"));
    T_TRUE(left_alone((struct market){.mean_ns = 10 * S}, days(99), "mean 10 s"));
    T_TRUE(left_alone((struct market){.mean_ns = 60 * S}, days(99), "mean 60 s"));
    T_TRUE(left_alone((struct market){.mean_ns = 600 * S}, days(99), "mean 600 s"));
    T_TRUE(left_alone((struct market){.mean_ns = 6 * HOUR}, days(99), "mean 6 h"));
}

/* How long after its last message a connection is replaced that falls mute after an hour. */
static int64_t mute_for(struct market m, uint64_t seed)
{
    struct conn c;
    m.random = seed;
    int64_t now = start(&c, &m), last = now;
    while (now < HOUR) {
        step(&c, CONN_DATA, now);
        last = now;
        now = next_message(&m, now);
    }
    T_EQ(c.lives, 1);
    for (now = last; now < conn_deadline(&c); now += BYTES_EVERY)
        step(&c, CONN_BYTES, now);
    return conn_deadline(&c) - last;
}

T_TEST(a_busy_connection_that_falls_mute_is_replaced_within_20_s)
{
    int late = 0;
    for (uint64_t seed = 0; seed < 100; seed++) {
        T_EQ(mute_for((struct market){.mean_ns = 10 * MS}, seed), 15 * S);
        T_EQ(mute_for((struct market){.mean_ns = 200 * MS}, seed), 15 * S);
        T_EQ(mute_for((struct market){.mean_ns = 500 * MS}, seed), 15 * S);
        int64_t one_s = mute_for((struct market){.mean_ns = S}, seed);
        T_TRUE(one_s > 15 * S && one_s < 25 * S);
        late += one_s > 20 * S; /* after a pause of more than 13 s: one hour in 150 has one */
    }
    T_TRUE(late <= 4);
}

T_TEST(a_connection_that_falls_mute_is_replaced_later_the_less_it_brought)
{
    static const struct {
        int64_t mean, least, most;
    } table[] = {{10 * S, 150 * S, 400 * S}, {60 * S, 600 * S, 7200 * S}};
    for (uint64_t seed = 0; seed < 100; seed++)
        for (size_t i = 0; i < sizeof table / sizeof table[0]; i++) {
            int64_t bound = mute_for((struct market){.mean_ns = table[i].mean}, seed);
            T_TRUE(bound >= table[i].least && bound <= table[i].most);
        }
}

T_TEST(a_quiet_market_whose_messages_come_in_bursts_is_left_alone)
{
    struct market m = {.burst = 19, .snapshot = 20};
    static const int64_t means[] = {S, 10 * S, 60 * S, 600 * S, 6 * HOUR};
    for (size_t i = 0; i < sizeof means / sizeof means[0]; i++) {
        m.mean_ns = means[i];
        T_TRUE(left_alone(m, days(20), "in bursts"));
    }
}

T_TEST(a_market_that_sleeps_at_night_is_left_alone)
{
    struct market m = {.mean_ns = S, .swing = 600};
    T_TRUE(left_alone(m, days(100), "1 s at noon, 600 s at midnight"));
    m = (struct market){.mean_ns = 10 * S, .swing = 60};
    T_TRUE(left_alone(m, days(100), "10 s at noon, 600 s at midnight"));
}

T_TEST(a_market_that_closes_for_the_night_costs_an_attempt_for_each_doubling)
{
    struct market m = {.mean_ns = S, .snapshot = 5, .closed_to = 8 * HOUR};
    int64_t n = days(10);
    T_TRUE(measured(m, n, "closed for eight hours") <= n * 12);
}
