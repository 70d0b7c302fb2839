#include "t.h"

#include "hub.h"
#include "market.h"
#include "text.h"
#include "venue.h"

#define S 1000000000ULL

static struct hub *hub;
static unsigned heard[2];

static void count(struct session *s, const char *text, size_t len, bool is_data)
{
    (void)text;
    (void)len;
    (void)is_data;
    ++*(unsigned *)s->edge;
}

static struct session client(unsigned *counter)
{
    *counter = 0;
    return (struct session){.venue = &sim_venue_binance, .send = count, .edge = counter};
}

static void open_hub(double rate, const char *symbols)
{
    struct hub_options o = {
        .seed = 1, .rate = rate, .symbols = symbols, .venue = &sim_venue_binance};
    T_EQ(hub_open(&hub, &o), 0);
}

/* Run as the edge does, from event to event. */
static void run(uint64_t from_ns, uint64_t to_ns)
{
    for (uint64_t at = from_ns; at < to_ns;) {
        struct sim_time now = {.mono_ns = at, .real_us = 1700000000000000U + at / 1000};
        uint64_t next = hub_run(hub, now);
        T_TRUE(next > at || next == UINT64_MAX);
        at = next;
    }
}

T_TEST(every_connection_gets_its_rate_whatever_the_others_watch)
{
    open_hub(100, NULL);
    struct session a = client(&heard[0]), b = client(&heard[1]);
    hub_join(hub, &a);
    hub_join(hub, &b);
    T_EQ(hub_subscribe(&a, "a", STREAM_TRADE, 0, "BTCUSDT"), 0);
    T_EQ(hub_subscribe(&a, "b", STREAM_QUOTE, 0, "ETHUSDT"), 0);
    T_EQ(hub_subscribe(&b, "c", STREAM_TRADE, 0, "SOLUSDT"), 0);
    hub_settle(hub, 0);
    run(0, 10 * S);
    T_TRUE(heard[0] >= 990 && heard[0] <= 1010);
    T_TRUE(heard[1] >= 990 && heard[1] <= 1010);
    hub_close(hub);
}

T_TEST(a_high_rate_is_held_and_a_pause_is_not_made_up_for)
{
    open_hub(50000, NULL);
    struct session a = client(&heard[0]);
    hub_join(hub, &a);
    T_EQ(hub_subscribe(&a, "a", STREAM_TRADE, 0, "BTCUSDT"), 0);
    hub_settle(hub, 0);
    run(0, S);
    T_TRUE(heard[0] > 49900 && heard[0] <= 50100);
    heard[0] = 0;
    run(100 * S, 100 * S + 1);
    T_TRUE(heard[0] <= 5001);
    hub_close(hub);
}

T_TEST(nothing_happens_where_nobody_listens)
{
    open_hub(100, NULL);
    struct session a = client(&heard[0]);
    hub_join(hub, &a);
    T_EQ(hub_subscribe(&a, "a", STREAM_TRADE, 0, "BTCUSDT"), 0);
    T_EQ(hub_subscribe(&a, "a", STREAM_TRADE, 0, "BTCUSDT"), 1);
    hub_settle(hub, 0);
    T_EQ(hub_unsubscribe(&a, "a"), 0);
    T_TRUE(hub_unsubscribe(&a, "a") < 0);
    hub_settle(hub, 0);
    struct sim_time now = {.mono_ns = 5 * S};
    T_TRUE(hub_run(hub, now) == UINT64_MAX);
    T_EQ(heard[0], 0);
    hub_close(hub);
}

T_TEST(a_closed_list_knows_no_other_symbol_and_a_count_invents_them)
{
    size_t n;
    open_hub(1, "BTCUSDT, XYZ");
    T_TRUE(hub_instrument(hub, "BTCUSDT") != NULL);
    T_TRUE(hub_instrument(hub, "XYZ") != NULL);
    T_TRUE(hub_instrument(hub, "ETHUSDT") == NULL);
    (void)hub_listed(hub, &n);
    T_EQ(n, 2);
    hub_close(hub);
    open_hub(1, "1500");
    T_TRUE(hub_instrument(hub, "ANYUSDT") != NULL);
    T_TRUE(hub_instrument(hub, "no") == NULL);
    (void)hub_listed(hub, &n);
    T_EQ(n, 1500);
    hub_close(hub);
    struct hub_options bad = {.symbols = "0", .venue = &sim_venue_binance};
    T_TRUE(hub_open(&hub, &bad) < 0);
}

/* A venue of the test's own: five levels, pairs with a dash, no other quote than USDT. */
static size_t dashed(const char *base, const char *quote, char *out, size_t cap)
{
    if (strcmp(quote, "USDT") != 0)
        return 0;
    return (size_t)snprintf(out, cap, "%s-%s", base, quote);
}

static size_t write_anything(const struct stream *st, const struct hub_event *ev, char *buf,
                             size_t room);
static bool five_letters(const char *name)
{
    return strlen(name) == 5;
}

static const struct sim_venue dash = {
    .name = "dash", .write = write_anything, .spell = dashed, .is_symbol = five_letters};

/* What a client that starts from hub_told() and takes every change knows: price and size, or 0. */
static struct market_level known[2][64];
static uint64_t known_id, known_number;

static uint64_t number_of(const struct stream *st)
{
    return st->instrument->number[st->kind == STREAM_DEPTH_1S ? 0 : 1];
}

static unsigned depths, beats, beats_of_nothing;

static struct market_level *slot_of(enum market_side side, int64_t price)
{
    for (size_t i = 0; i < 64; i++) {
        if (known[side][i].price == price || known[side][i].qty == 0)
            return &known[side][i];
    }
    fail_msg("levels are never removed");
    return NULL;
}

static void forget_gone(enum market_side side)
{
    size_t kept = 0;
    for (size_t i = 0; i < 64; i++) {
        if (known[side][i].qty != 0)
            known[side][kept++] = known[side][i];
    }
    memset(known[side] + kept, 0, (64 - kept) * sizeof known[side][0]);
}

static void take(enum market_side side, const struct market_level *l, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        *slot_of(side, l[i].price) = l[i];
        forget_gone(side);
    }
}

static void check_known(const struct market *m, enum market_side side, unsigned levels)
{
    struct market_level now[MARKET_LEVELS];
    size_t n = market_levels(m, &m->book, side, levels, now), have = 0;
    for (size_t i = 0; i < n; i++)
        T_EQ(slot_of(side, now[i].price)->qty, now[i].qty);
    while (have < 64 && known[side][have].qty != 0)
        have++;
    T_EQ(have, n);
}

static size_t write_anything(const struct stream *st, const struct hub_event *ev, char *buf,
                             size_t room)
{
    struct market_level l[2 * MARKET_LEVELS];
    if (st->kind == STREAM_BEAT) {
        T_EQ(st->told, st->instrument != NULL ? beats : beats_of_nothing);
        ++*(st->instrument != NULL ? &beats : &beats_of_nothing);
    } else {
        const struct market *m = &ev->instrument->market;
        T_TRUE(ev->before == hub_told(st) && ev->before->update_id == known_id);
        T_EQ(st->told, depths++);
        T_EQ(number_of(st), ++known_number);
        for (int side = MARKET_BIDS; side <= MARKET_ASKS; side++) {
            enum market_side which = (enum market_side)side;
            take(which, l, market_changes(m, ev->before, which, st->levels, l));
            check_known(m, which, st->levels);
        }
        known_id = m->book.update_id;
    }
    return (size_t)snprintf(buf, room, "x");
}

static void start_from(const struct stream *st)
{
    struct market_level l[MARKET_LEVELS];
    const struct market_book *told = hub_told(st);
    memset(known, 0, sizeof known);
    depths = 0;
    known_id = told->update_id;
    known_number = number_of(st);
    for (int side = MARKET_BIDS; side <= MARKET_ASKS; side++) {
        enum market_side which = (enum market_side)side;
        take(which, l, market_levels(&st->instrument->market, told, which, st->levels, l));
    }
}

static void open_dash(double rate)
{
    struct hub_options o = {.seed = 1, .rate = rate, .venue = &dash};
    T_EQ(hub_open(&hub, &o), 0);
}

T_TEST(a_book_that_starts_from_what_was_told_last_fits_every_change)
{
    static const enum stream_kind kinds[] = {STREAM_DEPTH_1S, STREAM_DEPTH_100MS};
    for (size_t k = 0; k < 2; k++) {
        open_dash(1000);
        struct session first = client(&heard[0]), second = client(&heard[1]);
        hub_join(hub, &first); /* of Binance: it makes the book known that the other starts from */
        hub_join(hub, &second);
        second.venue = &dash;
        T_EQ(hub_subscribe(&first, "q", STREAM_QUOTE, 0, "BTC-USDT"), 0);
        T_EQ(hub_subscribe(&first, "d", kinds[k], 0, "BTC-USDT"), 0);
        hub_settle(hub, 0);
        run(0, 3 * S + S / 20);
        T_EQ(hub_subscribe(&second, "b", kinds[k], k == 0 ? MARKET_LEVELS : 5, "BTC-USDT"), 0);
        hub_settle(hub, 3 * S + S / 20);
        const struct stream *st = hub_stream(&second, "b");
        T_TRUE(hub_told(st)->update_id != st->instrument->market.book.update_id);
        start_from(st);
        run(3 * S + S / 20, 20 * S);
        T_TRUE(depths > (k == 0 ? 10 : 100));
        hub_close(hub);
    }
}

T_TEST(a_book_has_a_higher_number_after_a_pause_and_after_a_restart)
{
    uint64_t last = 0;
    for (uint64_t run = 0; run < 3; run++) {
        open_dash(1);
        struct session s = client(&heard[0]);
        hub_join(hub, &s);
        s.now.real_us = 1700000000000000U + run * 1000000;
        for (int pause = 0; pause < 3; pause++) {
            T_EQ(hub_subscribe(&s, "d", STREAM_DEPTH_100MS, 0, "BTC-USDT"), 0);
            const struct stream *st = hub_stream(&s, "d");
            T_TRUE(number_of(st) > last);
            last = number_of(st);
            T_EQ(hub_unsubscribe(&s, "d"), 0);
        }
        hub_close(hub);
    }
}

T_TEST(only_depth_streams_that_speak_have_told_a_book)
{
    open_dash(1);
    struct session a = client(&heard[0]);
    hub_join(hub, &a);
    T_EQ(hub_subscribe(&a, "t", STREAM_TRADE, 0, "BTC-USDT"), 0);
    T_EQ(hub_subscribe(&a, "d", STREAM_DEPTH_1S, 0, "NO-SUCH"), 0);
    T_TRUE(hub_told(hub_stream(&a, "t")) == NULL);
    T_TRUE(hub_told(hub_stream(&a, "d")) == NULL);
    T_TRUE(hub_stream(&a, "x") == NULL);
    hub_close(hub);
}

T_TEST(a_beat_comes_once_a_second_whatever_happens)
{
    static const double rates[] = {0, 1000};
    for (size_t k = 0; k < 2; k++) {
        open_dash(rates[k]);
        struct session a = client(&heard[0]);
        beats = beats_of_nothing = 0;
        hub_join(hub, &a);
        a.venue = &dash;
        T_EQ(hub_subscribe(&a, "b", STREAM_BEAT, 0, "BTC-USDT"), 0);
        T_EQ(hub_subscribe(&a, "all", STREAM_BEAT, 0, NULL), 0);
        T_EQ(hub_subscribe(&a, "c", STREAM_BEAT, 0, "NO-SUCH"), 0);
        hub_settle(hub, 0);
        run(0, 10 * S);
        T_EQ(beats, 10);
        T_EQ(beats_of_nothing, 10);
        T_EQ(hub_unsubscribe(&a, "b"), 0);
        T_EQ(hub_unsubscribe(&a, "all"), 0);
        hub_settle(hub, 10 * S);
        run(10 * S, 12 * S);
        T_EQ(heard[0], 20);
        T_TRUE(hub_run(hub, (struct sim_time){.mono_ns = 12 * S}) == UINT64_MAX);
        hub_close(hub);
    }
}

T_TEST(a_venue_spells_its_pairs_and_says_which_others_may_exist)
{
    size_t n;
    open_dash(1);
    T_EQ(hub_instrument(hub, "BTC-USDT")->market.start, market_default(0)->price);
    T_TRUE(hub_instrument(hub, "币安人生-USDT") != NULL);
    T_TRUE(hub_instrument(hub, "ETH-BTC") == NULL);
    T_TRUE(hub_instrument(hub, "BTCUSDT") == NULL);
    T_TRUE(hub_instrument(hub, "FIVES") != NULL);
    struct instrument *const *listed = hub_listed(hub, &n);
    T_EQ(n, 2000);
    for (size_t i = 0; i < n; i++)
        T_TRUE(strstr(listed[i]->market.name, "-USDT") != NULL);
    hub_close(hub);
    struct hub_options closed = {.seed = 1, .symbols = "ETH-USDT", .venue = &dash};
    T_EQ(hub_open(&hub, &closed), 0);
    T_EQ(hub_instrument(hub, "ETH-USDT")->market.start, market_default(1)->price);
    T_TRUE(hub_instrument(hub, "FIVES") == NULL);
    hub_close(hub);
}

T_TEST(a_subscription_is_remembered_with_its_time)
{
    open_dash(1);
    struct session a = client(&heard[0]);
    hub_join(hub, &a);
    a.now.mono_ns = 5;
    T_EQ(hub_unsubscribe(&a, "t"), -2);
    T_EQ(a.subscribed_ns, 0);
    T_EQ(hub_subscribe(&a, "t", STREAM_TRADE, 0, "BTC-USDT"), 0);
    T_EQ(a.subscribed_ns, 5);
    hub_close(hub);
}

T_TEST(prices_stay_plausible_and_books_uncrossed_over_a_long_walk)
{
    static const struct {
        const char *name;
        size_t like;
    } rows[] = {
        {"BTCUSDT", 0}, {"SHIBUSDT", 19}, {"DOGEUSDT", 5}, {"ANYUSDT", 99}, {"OTHERBTC", 99}};
    for (size_t k = 0; k < sizeof rows / sizeof rows[0]; k++) {
        struct market m;
        market_init(&m, rows[k].name, market_default(rows[k].like), k);
        uint64_t id = m.trade.id, update = m.book.update_id;
        for (int i = 0; i < 200000; i++) {
            market_step_book(&m);
            market_step_trade(&m);
            T_TRUE(m.book.bid > 0 && m.book.bid < m.book.ask);
            T_TRUE(m.book.bid % m.tick == 0 && m.book.bid <= m.start * 4);
            T_TRUE(m.book.update_id > update);
            T_EQ(m.trade.id, ++id);
            T_TRUE(m.trade.price == m.book.bid || m.trade.price == m.book.ask);
            T_TRUE(m.low <= m.trade.price && m.trade.price <= m.high && m.trade.qty > 0);
            update = m.book.update_id;
        }
    }
}

T_TEST(times_are_written_as_dates_of_the_calendar)
{
    static const struct {
        uint64_t us;
        const char *text;
    } rows[] = {
        {0, "1970-01-01T00:00:00.000000Z"},
        {951782399999999, "2000-02-28T23:59:59.999999Z"},
        {951782400000000, "2000-02-29T00:00:00.000000Z"},
        {1709251199000001, "2024-02-29T23:59:59.000001Z"},
        {1709251200000000, "2024-03-01T00:00:00.000000Z"},
        {1789904046075373, "2026-09-20T11:34:06.075373Z"},
        {4107542400000000, "2100-03-01T00:00:00.000000Z"},
    };
    char buf[32];
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        struct text t = text_into(buf, sizeof buf);
        text_utc(&t, rows[i].us);
        buf[text_len(&t)] = '\0';
        T_STR(buf, rows[i].text);
    }
}

T_TEST(decimals_are_written_exactly_and_nothing_overruns)
{
    static const struct {
        int64_t value;
        unsigned decimals;
        const char *text;
    } rows[] = {
        {0, 8, "0.00000000"},
        {1, 8, "0.00000001"},
        {-1, 8, "-0.00000001"},
        {MARKET_UNIT, 0, "1"},
        {6183763000000, 8, "61837.63000000"},
        {-250000000, 3, "-2.500"},
        {INT64_MAX, 8, "92233720368.54775807"},
    };
    char buf[32];
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        struct text t = text_into(buf, sizeof buf);
        text_decimal(&t, rows[i].value, rows[i].decimals);
        buf[text_len(&t)] = '\0';
        T_STR(buf, rows[i].text);
    }
    struct text t = text_into(buf, 4);
    text_put(&t, "12345");
    text_put(&t, "1");
    T_EQ(text_len(&t), 0);
}
