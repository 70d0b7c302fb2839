/* Values that follow from one look or from two. */
#include "t.h"

#include <math.h>

#include "derive.h"

#define SECOND INT64_C(1000000000)

static struct px_symbol_info symbol_at(uint32_t slot, const char *name, uint64_t trades)
{
    struct px_symbol_info s = {.slot = slot, .ticks = {trades, 0, 0}};
    snprintf(s.symbol, sizeof s.symbol, "%s", name);
    return s;
}

static int is(double a, double b)
{
    return fabs(a - b) < 1e-9;
}

T_TEST(an_age_is_never_negative_and_minus_one_for_what_never_was)
{
    T_EQ(derive_age_ns(100, 60), 40);
    T_EQ(derive_age_ns(100, 101), 0);
    T_EQ(derive_age_ns(100, 0), -1);
    T_EQ(derive_left_ns(100, 160), 60);
    T_EQ(derive_left_ns(100, 99), 0);
    T_EQ(derive_left_ns(100, 0), -1);
}

T_TEST(growth_is_not_known_until_it_is_judged)
{
    struct px_memory_verdict v = {.growth_bytes_per_hour = 2000000, .confidence_ppm = 990000};
    T_TRUE(isnan(derive_growth_bytes_per_hour(&v)) && isnan(derive_confidence(&v)));
    v.mono_ns = 1;
    T_TRUE(isnan(derive_growth_bytes_per_hour(&v)));
    v.trend = PX_TREND_GROWING;
    T_TRUE(is(derive_growth_bytes_per_hour(&v), 2e6) && is(derive_confidence(&v), 0.99));
}

T_TEST(a_rate_needs_two_looks_and_time_between_them)
{
    struct snapshot now = {.mono_ns = 3 * SECOND, .bus = {.head = 500}};
    struct snapshot before = {.mono_ns = SECOND, .bus = {.head = 100}};
    T_TRUE(is(derive_ticks_per_s(&now, &before), 200));
    T_TRUE(isnan(derive_ticks_per_s(&now, NULL)));
    before.mono_ns = now.mono_ns;
    T_TRUE(isnan(derive_seconds(&now, &before)) && isnan(derive_ticks_per_s(&now, &before)));
    before = (struct snapshot){.mono_ns = SECOND, .bus = {.head = 501}};
    T_TRUE(isnan(derive_ticks_per_s(&now, &before)));
}

T_TEST(a_connection_that_began_anew_counts_from_zero)
{
    struct conn was = {.place = 1, .info = {.owner_epoch = 4, .messages = 1000, .bytes = 10}};
    struct conn is_now = {.place = 1, .info = {.owner_epoch = 4, .messages = 1500, .bytes = 30}};
    struct snapshot before = {.mono_ns = SECOND, .conns = &was, .conn_count = 1};
    struct snapshot now = {.mono_ns = 3 * SECOND, .conns = &is_now, .conn_count = 1};
    T_TRUE(is(derive_conn_rates(&now, &before, &is_now).messages, 250));
    T_TRUE(is(derive_conn_rates(&now, &before, &is_now).bytes, 10));
    is_now.info.owner_epoch = 5;
    T_TRUE(is(derive_conn_rates(&now, &before, &is_now).messages, 750));
    is_now.info.owner_epoch = 4;
    is_now.info.messages = 8;
    T_TRUE(is(derive_conn_rates(&now, &before, &is_now).messages, 4));
    T_TRUE(isnan(derive_conn_rates(&now, NULL, &is_now).messages));
}

T_TEST(each_symbol_has_its_own_rate_whatever_came_and_went_between)
{
    struct px_symbol_info was[] = {symbol_at(0, "a:A", 10), symbol_at(2, "a:GONE", 5),
                                   symbol_at(3, "a:OLD", 900), symbol_at(9, "a:Z", 7)};
    struct px_symbol_info are[] = {symbol_at(0, "a:A", 30), symbol_at(1, "a:NEW", 4),
                                   symbol_at(3, "a:OTHER", 2), symbol_at(9, "a:Z", 7)};
    are[1].bind_seq = are[2].bind_seq = 101;
    struct snapshot before = {
        .mono_ns = SECOND, .bus = {.head = 100}, .symbols = was, .symbol_count = 4};
    struct snapshot now = {.mono_ns = 3 * SECOND, .symbols = are, .symbol_count = 4};
    double rates[4];
    derive_symbol_rates(&now, &before, rates);
    T_TRUE(is(rates[0], 10) && is(rates[1], 2) && is(rates[2], 1) && is(rates[3], 0));
    derive_symbol_rates(&now, NULL, rates);
    T_TRUE(isnan(rates[0]) && isnan(rates[3]));
}

T_TEST(a_symbol_that_could_not_be_read_before_has_no_rate)
{
    struct px_symbol_info is_now = symbol_at(1, "a:A", 1000000);
    is_now.bind_seq = 7;
    struct snapshot before = {.mono_ns = SECOND, .bus = {.head = 100}};
    struct snapshot now = {.mono_ns = 2 * SECOND, .symbols = &is_now, .symbol_count = 1};
    double rate;
    derive_symbol_rates(&now, &before, &rate);
    T_TRUE(isnan(rate));
}

T_TEST(a_reader_is_told_from_a_later_process_of_its_number)
{
    struct px_reader_info was = {.pid = 7, .attached_mono_ns = 1, .lost = 100};
    struct px_reader_info is_now = {.pid = 7, .attached_mono_ns = 1, .lost = 300};
    struct snapshot before = {.mono_ns = SECOND, .readers = &was, .reader_count = 1};
    struct snapshot now = {.mono_ns = 2 * SECOND, .readers = &is_now, .reader_count = 1};
    T_TRUE(is(derive_lost_per_s(&now, &before, &is_now), 200));
    is_now.attached_mono_ns = 2;
    T_TRUE(is(derive_lost_per_s(&now, &before, &is_now), 300));
}

T_TEST(percentiles_are_in_order_and_latency_between_two_looks_forgets_what_was_before)
{
    static struct conn was, are;
    was.buckets[57] = 1000; /* slow, and over */
    are.buckets[57] = 1000;
    are.buckets[35] = 2000; /* 896 to 1,024 ns */
    struct snapshot before = {.mono_ns = SECOND, .conns = &was, .conn_count = 1};
    struct snapshot now = {.mono_ns = 2 * SECOND, .conns = &are, .conn_count = 1};
    struct latency l = derive_latency(&now, &before), all = derive_latency(&now, NULL);
    T_EQ(l.count, 2000);
    T_TRUE(l.p99_us >= 0.896 && l.p999_us <= 1.024 && l.p50_us <= l.p99_us);
    T_EQ(all.count, 3000);
    T_TRUE(all.p50_us <= all.p99_us && all.p99_us <= all.p999_us && all.p999_us <= all.max_us);
    T_TRUE(all.p99_us > 40);
}
