/* A tick as one line: members, absent values, and texts that want to break out. */
#include "t.h"

#include <errno.h>

#include "tick_json.h"

static const struct px_decimal absent = {0, PX_ABSENT};

static const char *json_of(const struct px_tick *tick, const struct tick_note *note)
{
    static char out[TICK_LINE_MAX];
    int len = tick_json(tick, note, out, sizeof out);
    T_TRUE(len > 0);
    T_EQ(strlen(out), len);
    return out;
}

static const char *text_of(const struct px_tick *tick, const struct tick_note *note)
{
    static char out[TICK_LINE_MAX];
    T_TRUE(tick_text(tick, note, out, sizeof out) > 0);
    return out;
}

T_TEST(a_quote_without_sizes_has_null_for_them)
{
    const struct px_tick tick = {.seq = 18,
                                 .kind = PX_QUOTE,
                                 .flags = PX_FLAG_CARRIED | PX_FLAG_GAP,
                                 .recv_ns = 5,
                                 .u.quote = {{10, -4}, absent, {-5, -1}, absent}};
    const struct tick_note note = {.symbol = "binance:BTCUSDT"};
    T_STR(json_of(&tick, &note),
          "{\"seq\":18,\"symbol\":\"binance:BTCUSDT\",\"kind\":\"quote\",\"bid\":\"0.0010\","
          "\"bid_size\":null,\"ask\":\"-0.5\",\"ask_size\":null,\"exch_ts_ns\":null,"
          "\"recv_ts_ns\":5,\"flags\":[\"gap\",\"carried\"]}");
    T_STR(text_of(&tick, &note),
          "18 1970-01-01T00:00:00.000000005Z binance:BTCUSDT quote bid 0.0010 "
          "size - ask -0.5 size - gap carried");
}

T_TEST(a_gap_names_the_missing_ids)
{
    const struct px_tick tick = {.seq = 20,
                                 .kind = PX_STATUS,
                                 .recv_ns = 7,
                                 .u.status = {PX_EVENT_GAP, PX_CAUSE_IDS_MISSING, 60, 71, 12}};
    const struct tick_note note = {.symbol = "binance:BTCUSDT"};
    T_STR(json_of(&tick, &note),
          "{\"seq\":20,\"symbol\":\"binance:BTCUSDT\",\"kind\":\"status\",\"event\":\"gap\","
          "\"cause\":\"trade ids 60 to 71 missing\",\"first_id\":\"60\",\"last_id\":\"71\","
          "\"count\":12,\"recv_ts_ns\":7}");
    T_STR(text_of(&tick, &note), "20 1970-01-01T00:00:00.000000007Z binance:BTCUSDT status gap: "
                                 "trade ids 60 to 71 missing (12)");
}

T_TEST(a_status_of_no_symbol_has_null_and_the_venues_words_if_there_are_any)
{
    const struct px_tick tick = {.kind = PX_STATUS,
                                 .u.status = {PX_EVENT_LOST, PX_CAUSE_OVERRUN, 0, 0, 99}};
    T_STR(json_of(&tick, &(struct tick_note){0}),
          "{\"seq\":null,\"symbol\":null,\"kind\":\"status\",\"event\":\"lost\","
          "\"cause\":\"the reader was overrun\",\"first_id\":null,\"last_id\":null,\"count\":99,"
          "\"recv_ts_ns\":null}");
    T_TRUE(strstr(json_of(&tick, &(struct tick_note){.cause = "no \"such\"\nsymbol"}),
                  "\"cause\":\"no \\\"such\\\"\\nsymbol\"") != NULL);
}

T_TEST(a_trade_id_is_what_the_venue_wrote_else_the_number_else_null)
{
    struct px_tick tick = {.kind = PX_TRADE, .u.trade = {{1, 0}, {1, 0}, 0}};
    T_TRUE(strstr(json_of(&tick, &(struct tick_note){0}), "\"side\":null,\"trade_id\":null") !=
           NULL);
    tick.u.trade.trade_id = UINT64_MAX;
    T_TRUE(strstr(json_of(&tick, &(struct tick_note){0}), "\"18446744073709551615\"") != NULL);
    T_TRUE(strstr(json_of(&tick, &(struct tick_note){.trade_id = "a-\x01"}), "\"a-\\u0001\"") !=
           NULL);
}

T_TEST(a_line_fits_or_is_an_error_and_the_largest_fits)
{
    char symbol[PX_SYMBOL_MAX + 1] = {0}, id[300] = {0}, out[TICK_LINE_MAX];
    memset(symbol, 1, PX_SYMBOL_MAX);
    memset(id, 2, sizeof id - 1);
    const struct px_decimal widest = {-INT64_MAX, PX_EXPONENT_MIN};
    const struct px_tick tick = {.seq = UINT64_MAX,
                                 .kind = PX_TRADE,
                                 .flags = PX_FLAGS_MASK,
                                 .exch_ns = INT64_MIN,
                                 .recv_ns = INT64_MAX,
                                 .u.trade = {widest, widest, UINT64_MAX}};
    const struct tick_note note = {.symbol = symbol, .trade_id = id, .frame = UINT64_MAX};
    int len = tick_json(&tick, &note, out, sizeof out);
    T_TRUE(len > 1000);
    for (int cap = 0; cap <= len; cap++)
        T_EQ(tick_json(&tick, &note, out, (size_t)cap), -ENOSPC);
    T_EQ(tick_json(&tick, &note, out, (size_t)len + 1), len);
    T_TRUE(tick_text(&tick, &note, out, sizeof out) > 0);
}
