/* The two feeds of Coinbase: what they are asked, and messages too large for a frames file. */
#include "t.h"

#include <errno.h>

#include "frames.h"
#include "px/bus.h"

static const struct px_venue *const exchange = &px_venue_coinbase;
static const struct px_venue *const advanced = &px_venue_coinbase_at;

static char out[8192];
static size_t taken;

/* What is asked for these wishes, in one message; "" for nothing. */
static const char *asked(const struct px_venue *venue, bool on, const struct venue_wish *wishes,
                         size_t count)
{
    const struct venue_request request = {on, 1, wishes, count};
    int len = venue->subscribe(&request, out, sizeof out, &taken);
    T_TRUE(len >= 0 && (size_t)len < sizeof out);
    if (len == 0)
        return "";
    T_EQ(strlen(out), len);
    return out;
}

static bool is_symbol(const struct px_venue *venue, const char *native)
{
    return venue->check_symbol(native, strlen(native)) == 0;
}

T_TEST(a_product_is_upper_case_parts_joined_by_dashes)
{
    T_TRUE(is_symbol(exchange, "BTC-USD"));
    T_TRUE(is_symbol(exchange, "1INCH-EUR"));
    T_TRUE(is_symbol(advanced, "BTC-PERP-INTX"));
    T_TRUE(!is_symbol(exchange, ""));
    T_TRUE(!is_symbol(exchange, "BTC"));
    T_TRUE(!is_symbol(exchange, "btc-usd"));
    T_TRUE(!is_symbol(exchange, "BTC/USD"));
    T_TRUE(!is_symbol(exchange, "-USD"));
    T_TRUE(!is_symbol(exchange, "BTC-"));
    T_TRUE(!is_symbol(exchange, "BTC--USD"));
    T_TRUE(!is_symbol(exchange, "BTC-US\"D"));
    T_TRUE(!is_symbol(advanced, "BTC_USD"));
}

T_TEST(a_product_that_comes_under_another_name_is_no_symbol)
{
    T_TRUE(!is_symbol(advanced, "BTC-USDC"));
    T_TRUE(!is_symbol(advanced, "ETH-USDC"));
    T_TRUE(is_symbol(advanced, "USDT-USDC"));
    T_TRUE(is_symbol(advanced, "EURC-USDC"));
    T_TRUE(is_symbol(advanced, "USDC-EUR"));
    T_TRUE(is_symbol(exchange, "BTC-USDC")); /* there it has a book of its own, or is refused */
}

T_TEST(a_wish_counts_each_channel_of_its_product)
{
    T_EQ(exchange->streams(&(struct venue_wish){"BTC-USD", PX_TRADES}), 2);
    T_EQ(exchange->streams(&(struct venue_wish){"BTC-USD", PX_ALL_KINDS}), 4);
    T_EQ(exchange->streams(&(struct venue_wish){"*", PX_TICKERS}), 0);
    T_EQ(advanced->streams(&(struct venue_wish){"BTC-USD", PX_QUOTES}), 1);
    T_EQ(advanced->streams(&(struct venue_wish){"BTC-USD", PX_ALL_KINDS}), 3);
    T_EQ(advanced->streams(&(struct venue_wish){"*", PX_TICKERS}), 0);
}

T_TEST(the_exchange_is_asked_for_exactly_the_kinds_of_each_wish)
{
    const struct venue_wish wishes[] = {{"BTC-USD", PX_TRADES | PX_QUOTES},
                                        {"ETH-USD", PX_TICKERS},
                                        {"*", PX_TICKERS},
                                        {"ADA-BTC", PX_QUOTES}};
    T_STR(asked(exchange, true, wishes, 4),
          "{\"type\":\"subscribe\",\"channels\":["
          "{\"name\":\"matches\",\"product_ids\":[\"BTC-USD\"]},"
          "{\"name\":\"heartbeat\",\"product_ids\":[\"BTC-USD\"]},"
          "{\"name\":\"level2_batch\",\"product_ids\":[\"BTC-USD\",\"ADA-BTC\"]},"
          "{\"name\":\"ticker\",\"product_ids\":[\"ETH-USD\"]}]}");
    T_EQ(taken, 4);
    T_STR(asked(exchange, false, wishes + 1, 1),
          "{\"type\":\"unsubscribe\",\"channels\":["
          "{\"name\":\"ticker\",\"product_ids\":[\"ETH-USD\"]}]}");
    T_STR(asked(exchange, true, wishes + 2, 1), "");
    T_EQ(taken, 1);
}

T_TEST(advanced_trade_is_asked_for_one_channel_in_a_message)
{
    const struct venue_wish wishes[] = {
        {"BTC-USD", PX_QUOTES}, {"ETH-USD", PX_QUOTES}, {"ADA-EUR", PX_TRADES}};
    T_TRUE(advanced->one_kind);
    T_STR(asked(advanced, true, wishes, 3),
          "{\"type\":\"subscribe\",\"product_ids\":[\"BTC-USD\",\"ETH-USD\"],"
          "\"channel\":\"level2\"}");
    T_EQ(taken, 2);
    T_STR(asked(advanced, false, wishes + 2, 1),
          "{\"type\":\"unsubscribe\",\"product_ids\":[\"ADA-EUR\"],"
          "\"channel\":\"market_trades\"}");
    const struct venue_wish other[] = {{"BTC-USD", PX_TICKERS}, {"*", PX_TICKERS}};
    T_STR(asked(advanced, true, other, 2),
          "{\"type\":\"subscribe\",\"product_ids\":[\"BTC-USD\"],\"channel\":\"ticker\"}");
    T_STR(asked(advanced, true, other + 1, 1), "");
}

T_TEST(advanced_trade_is_asked_for_heartbeats_first)
{
    T_STR(advanced->hello, "{\"type\":\"subscribe\",\"channel\":\"heartbeats\"}");
    T_TRUE(advanced->hello_answer);
    T_TRUE(exchange->hello == NULL);
}

T_TEST(a_message_has_a_hundred_products_at_most_and_never_more_bytes_than_there_is_room)
{
    static const struct px_venue *const venues[] = {&px_venue_coinbase, &px_venue_coinbase_at};
    static char names[300][16];
    struct venue_wish wishes[300];
    for (size_t v = 0; v < 2; v++) {
        uint32_t kinds = venues[v]->one_kind ? PX_TRADES : PX_ALL_KINDS;
        for (size_t i = 0; i < 300; i++) {
            snprintf(names[i], sizeof names[i], "AB%03zu-USD", i);
            wishes[i] = (struct venue_wish){names[i], kinds};
        }
        asked(venues[v], true, wishes, 300);
        T_EQ(taken, 100);
        const struct venue_request request = {true, 1, wishes, 300};
        size_t most = 0;
        for (size_t cap = 1; cap < 6000; cap++) {
            memset(out, '#', sizeof out);
            int len = venues[v]->subscribe(&request, out, cap, &taken);
            T_EQ(out[cap], '#');
            T_TRUE(len == -ENOSPC || (len > 0 && (size_t)len < cap && strlen(out) == (size_t)len));
            T_TRUE((len == -ENOSPC) == (taken == 0));
            T_TRUE(taken >= most);
            most = taken;
        }
        T_EQ(most, 100);
        T_TRUE(venues[v]->subscribe(&(struct venue_request){true, 1, wishes, 0}, out, 8, &taken) ==
               0);
    }
}

T_TEST(both_endpoints_have_their_feed_at_the_root)
{
    T_STR(exchange->paths[0], "/");
    T_STR(advanced->paths[0], "/");
}

/* Large messages. */

static char frame[1u << 20];
static size_t frame_len;

__attribute__((format(printf, 1, 2))) static void put(const char *format, ...)
{
    va_list args;
    va_start(args, format);
    int n = vsnprintf(frame + frame_len, sizeof frame - frame_len, format, args);
    va_end(args);
    T_TRUE(n >= 0 && (size_t)n < sizeof frame - frame_len - VENUE_PADDING);
    frame_len += (size_t)n;
}

/* What has come, in few words. */
struct seen {
    uint32_t sequences, books, first, last, bids, asks, trades, bad;
    bool number_first;
    uint64_t ids[2]; /* of the first and the last trade */
    bool rising;
};

static void on_event(void *user, const struct venue_event *e)
{
    struct seen *s = user;
    if (e->type == VENUE_SEQUENCE) {
        s->number_first = s->sequences++ == 0 && s->books == 0 && s->trades == 0;
    } else if (e->type == VENUE_BOOK) {
        s->books++;
        s->first += e->u.book.first;
        s->last += e->u.book.last;
        T_TRUE(e->u.book.first == (s->books == 1) && e->u.book.snapshot);
        T_TRUE(e->symbol_len == 7 && memcmp(e->symbol, "ETH-USD", 7) == 0);
        for (uint32_t i = 0; i < e->u.book.count; i++)
            *(e->u.book.levels[i].ask ? &s->asks : &s->bids) += 1;
    } else if (e->type == VENUE_TRADE) {
        s->rising = s->trades == 0 || (s->rising && e->venue_id == s->ids[1] + 1);
        if (s->trades++ == 0)
            s->ids[0] = e->venue_id;
        s->ids[1] = e->venue_id;
        T_TRUE((e->flags & PX_FLAG_REPLAY) != 0);
    } else if (e->type == VENUE_BAD) {
        s->bad++;
    }
}

static struct seen read_frame(const struct px_venue *venue)
{
    struct seen seen = {0};
    const struct venue_sink sink = {.event = on_event, .user = &seen};
    struct json *json = json_new(sizeof frame);
    T_TRUE(json != NULL);
    int rc = venue->on_text(json, frame, frame_len, &sink);
    T_EQ(rc, seen.bad > 0 ? -EBADMSG : (int)(seen.sequences + seen.books + seen.trades));
    json_free(json);
    return seen;
}

T_TEST(a_snapshot_of_any_size_comes_whole_in_several_pieces)
{
    frame_len = 0;
    put("{\"type\":\"snapshot\",\"product_id\":\"ETH\\u002dUSD\",\"asks\":[");
    for (int i = 0; i < 900; i++)
        put("%s[\"%d.5\",\"1\"]", i == 0 ? "" : ",", 2000 + i);
    put("],\"bids\":[");
    for (int i = 0; i < 700; i++)
        put("%s[\"%d.5\",\"1\"]", i == 0 ? "" : ",", 1999 - i);
    put("]}");
    struct seen seen = read_frame(exchange);
    T_EQ(seen.bids, 700);
    T_EQ(seen.asks, 900);
    T_EQ(seen.books, 4);
    T_TRUE(seen.first == 1 && seen.last == 1);
}

static struct seen advanced_snapshot(int levels, const char *last_size)
{
    frame_len = 0;
    put("{\"channel\":\"l2_data\",\"timestamp\":\"2026-09-20T11:34:06Z\",\"sequence_num\":3,"
        "\"events\":[{\"type\":\"snapshot\",\"product_id\":\"ETH\\u002dUSD\",\"updates\":[");
    for (int i = 0; i < levels; i++)
        put("%s{\"side\":\"%s\",\"price_level\":\"%d\",\"new_quantity\":\"%s\"}", i == 0 ? "" : ",",
            i % 2 == 0 ? "bid" : "offer", 2000 + i, i == levels - 1 ? last_size : "1");
    put("]}]}");
    return read_frame(advanced);
}

T_TEST(an_advanced_snapshot_of_any_size_comes_whole_behind_its_number_or_not_at_all)
{
    struct seen seen = advanced_snapshot(1200, "2");
    T_EQ(seen.bids + seen.asks, 1200);
    T_EQ(seen.books, 3);
    T_TRUE(seen.number_first && seen.sequences == 1 && seen.first == 1 && seen.last == 1);
    seen = advanced_snapshot(1200, "two");
    T_TRUE(seen.bad == 1 && seen.books == 0 && seen.sequences == 0);
}

T_TEST(old_trades_are_given_oldest_first_and_the_newest_of_very_many)
{
    for (int count = 100; count <= 500; count += 400) {
        frame_len = 0;
        put("{\"channel\":\"market_trades\",\"timestamp\":\"2026-09-20T11:34:06Z\","
            "\"sequence_num\":0,\"events\":[{\"type\":\"snapshot\",\"trades\":[");
        for (int i = 0; i < count; i++)
            put("%s{\"product_id\":\"ETH-USD\",\"trade_id\":\"%d\",\"price\":\"1\",\"size\":\"1\","
                "\"time\":\"2026-09-20T11:34:05Z\",\"side\":\"BUY\"}",
                i == 0 ? "" : ",", 1000 - i);
        put("]}]}");
        struct seen seen = read_frame(advanced);
        T_EQ(seen.trades, count == 100 ? 100 : 256);
        T_EQ(seen.ids[1], 1000);
        T_TRUE(seen.rising && seen.number_first);
    }
}
