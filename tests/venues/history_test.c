/* The histories of all venues: what is asked, and what answers of our own making give. */
#include "t.h"

#include <errno.h>
#include <stdlib.h>

#include "frames.h"
#include "px/bus.h"

static char out[1024];

static const char *asked(const struct px_venue *venue, const struct venue_hole *hole)
{
    int len = venue->history->path(hole, out, sizeof out);
    T_TRUE(len > 0);
    T_EQ(strlen(out), len);
    T_EQ(venue->history->path(hole, out, 8), -ENOSPC);
    venue->history->path(hole, out, sizeof out);
    return out;
}

/* Lines of "id price size side time", or the refusals. */
struct told {
    char text[4096];
    size_t trades, bad;
};
static struct told told;

static void on_event(void *user, const struct venue_event *ev)
{
    struct told *t = user;
    char price[PX_DECIMAL_MAX], size[PX_DECIMAL_MAX];
    size_t n = strlen(t->text);
    if (ev->type != VENUE_TRADE) {
        t->bad += ev->type == VENUE_BAD;
        snprintf(t->text + n, sizeof t->text - n, "%.*s\n", (int)ev->text_len, ev->text);
        return;
    }
    t->trades++;
    px_decimal_text(ev->u.trade.price, price, sizeof price);
    px_decimal_text(ev->u.trade.size, size, sizeof size);
    snprintf(t->text + n, sizeof t->text - n, "%.*s %llu %s %s %s %lld%s\n", (int)ev->symbol_len,
             ev->symbol, (unsigned long long)ev->venue_id, price, size,
             (ev->flags & PX_SIDE_MASK) == PX_SIDE_BUY ? "buy" : "sell", (long long)ev->exch_ns,
             ev->aggregated ? " aggregated" : "");
}

/* The answer with nothing but padding behind it. */
static const char *answer_of(const struct px_venue *venue, const struct venue_hole *hole,
                             const char *body, size_t len)
{
    static struct json *json;
    const struct venue_sink sink = {.event = on_event, .user = &told};
    char *copy = malloc(len + VENUE_PADDING);
    if (json == NULL)
        json = json_new(1 << 20);
    T_TRUE(copy != NULL && json != NULL);
    memcpy(copy, body, len);
    memset(copy + len, ' ', VENUE_PADDING);
    memset(&told, 0, sizeof told);
    venue->history->on_answer(json, copy, len, hole, &sink);
    free(copy);
    return told.text;
}

static const char *answer(const struct px_venue *venue, const struct venue_hole *hole,
                          const char *body)
{
    return answer_of(venue, hole, body, strlen(body));
}

static const struct venue_hole btcusdt = {.native = "BTCUSDT", .first = 1001, .last = 1003};
static const struct venue_hole aggregated = {
    .native = "BTCUSDT", .first = 1001, .last = 1003, .aggregated = true};
static const struct venue_hole btc_usd = {.native = "BTC-USD", .first = 590, .last = 4000};
static const struct venue_hole kraken = {
    .native = "BTC/USD", .first = 77, .last = 99, .after_ns = 1688669597123456000};
static const struct venue_hole perpetual = {
    .native = "BTC-PERPETUAL", .first = 12, .last = 5000000};

T_TEST(binance_is_asked_from_an_id_on_for_no_more_than_the_hole)
{
    T_STR(asked(&px_venue_binance, &btcusdt),
          "/api/v3/historicalTrades?symbol=BTCUSDT&fromId=1001&limit=3");
    T_STR(asked(&px_venue_binance, &aggregated),
          "/api/v3/aggTrades?symbol=BTCUSDT&fromId=1001&limit=3");
    T_STR(asked(&px_venue_binance_us, &aggregated),
          "/api/v3/aggTrades?symbol=BTCUSDT&fromId=1001&limit=3");
    T_STR(asked(&px_venue_binance_us, &btcusdt), "/api/v3/trades?symbol=BTCUSDT&limit=1000");
    T_STR(asked(&px_venue_binance_usdm, &btcusdt),
          "/fapi/v1/aggTrades?symbol=BTCUSDT&fromId=1001&limit=3");
    T_STR(asked(&px_venue_binance_coinm, &btcusdt),
          "/dapi/v1/aggTrades?symbol=BTCUSDT&fromId=1001&limit=3");
    const struct venue_hole wide = {.native = "\xe5\xb8\x81"
                                              "A",
                                    .first = 5,
                                    .last = UINT64_MAX};
    T_STR(asked(&px_venue_binance, &wide),
          "/api/v3/historicalTrades?symbol=%E5%B8%81A&fromId=5&limit=1000");
}

T_TEST(binance_answers_with_single_and_with_aggregated_trades)
{
    T_STR(answer(&px_venue_binance, &btcusdt,
                 "[{\"id\":1001,\"price\":\"4.00000100\",\"qty\":\"12.00000000\",\"quoteQty\":"
                 "\"48.000012\",\"time\":1499865549590,\"isBuyerMaker\":true,\"isBestMatch\":true},"
                 "{\"id\":1002,\"price\":\"1E-8\",\"qty\":\"0.5\",\"time\":1499865549591,"
                 "\"isBuyerMaker\":false}]"),
          "BTCUSDT 1001 4.00000100 12.00000000 sell 1499865549590000000\n"
          "BTCUSDT 1002 0.00000001 0.5 buy 1499865549591000000\n");
    const char *aggregates = "[{\"a\":1001,\"p\":\"0.01633102\",\"q\":\"4.70443515\",\"f\":27781,"
                             "\"l\":27785,\"T\":1498793709153,\"m\":true,\"M\":true}]";
    T_STR(answer(&px_venue_binance, &aggregated, aggregates),
          "BTCUSDT 1001 0.01633102 4.70443515 sell 1498793709153000000 aggregated\n");
    T_STR(answer(&px_venue_binance_usdm, &btcusdt, aggregates),
          "BTCUSDT 1001 0.01633102 4.70443515 sell 1498793709153000000\n");
}

T_TEST(coinbase_is_asked_by_the_end_of_a_page_and_names_the_makers_side)
{
    T_STR(asked(&px_venue_coinbase, &btc_usd), "/products/BTC-USD/trades?limit=1000&after=1590");
    T_STR(answer(&px_venue_coinbase, &btc_usd,
                 "[{\"trade_id\":591,\"side\":\"sell\",\"size\":\"0.10\",\"price\":\"61837.63\","
                 "\"time\":\"2024-08-08T23:59:59.123456Z\"},{\"trade_id\":590,\"side\":\"buy\","
                 "\"size\":\"3\",\"price\":\"1.10\",\"time\":\"1970-01-01T00:00:01Z\"}]"),
          "BTC-USD 591 61837.63 0.10 buy 1723161599123456000\n"
          "BTC-USD 590 1.10 3 sell 1000000000\n");
}

T_TEST(kraken_is_asked_by_time_under_the_older_names)
{
    T_STR(asked(&px_venue_kraken, &kraken),
          "/0/public/Trades?pair=XBTUSD&since=1688669597123455000&count=1000");
    const struct venue_hole doge = {.native = "DOGE/BTC", .first = 1, .last = 2};
    T_STR(asked(&px_venue_kraken, &doge), "/0/public/Trades?pair=XDGXBT&since=0&count=1000");
    T_STR(
        answer(&px_venue_kraken, &kraken,
               "{\"error\":[],\"result\":{\"last\":\"1688671969993150842\",\"XXBTZUSD\":[[\"30243."
               "40000\",\"0.34507674\",1688669597.8277369,\"b\",\"m\",\"\",77],[\"30243.3\",\"1\","
               "1688669598,\"s\",\"l\",\"\",78]]}}"),
        "BTC/USD 77 30243.40000 0.34507674 buy 1688669597827736900\n"
        "BTC/USD 78 30243.3 1 sell 1688669598000000000\n");
    T_STR(answer(&px_venue_kraken, &kraken, "{\"error\":[\"EGeneral:Too many requests\"]}"),
          "EGeneral:Too many requests\n");
}

T_TEST(deribit_is_asked_by_the_count_of_the_instrument)
{
    T_STR(asked(&px_venue_deribit, &perpetual),
          "/api/v2/public/get_last_trades_by_instrument?instrument_name=BTC-PERPETUAL"
          "&start_seq=12&end_seq=1011&count=1000&sorting=asc");
    T_STR(answer(&px_venue_deribit, &perpetual,
                 "{\"jsonrpc\":\"2.0\",\"result\":{\"trades\":[{\"trade_seq\":12,\"trade_id\":"
                 "\"BTC-99\",\"timestamp\":1590480712800,\"tick_direction\":3,\"price\":203.8,"
                 "\"instrument_name\":\"BTC-PERPETUAL\",\"direction\":\"sell\",\"amount\":168.0}],"
                 "\"has_more\":true},\"usIn\":1}"),
          "BTC-PERPETUAL 12 203.8 168.0 sell 1590480712800000000\n");
}

/* Each once whole, for the hostile below. */
static const struct {
    const struct px_venue *venue;
    const struct venue_hole *hole;
    const char *whole;
} rows[] = {
    {&px_venue_binance, &btcusdt,
     "[{\"id\":1001,\"price\":\"4.0\",\"qty\":\"1\",\"time\":1499865549590,\"isBuyerMaker\":true}"
     "]"},
    {&px_venue_binance, &aggregated,
     "[{\"a\":1001,\"p\":\"4.0\",\"q\":\"1\",\"T\":1499865549590,\"m\":true}]"},
    {&px_venue_coinbase, &btc_usd,
     "[{\"trade_id\":591,\"side\":\"sell\",\"size\":\"1\",\"price\":\"4.0\",\"time\":\"2024-08-"
     "08T23:"
     "59:59Z\"}]"},
    {&px_venue_kraken, &kraken,
     "{\"error\":[],\"result\":{\"XXBTZUSD\":[[\"4.0\",\"1\",1688669597.8,\"b\",\"m\",\"\",77]],"
     "\"last\":\"1\"}}"},
    {&px_venue_deribit, &perpetual,
     "{\"result\":{\"trades\":[{\"trade_seq\":12,\"trade_id\":\"9\",\"timestamp\":1590480712800,"
     "\"price\":4.0,\"instrument_name\":\"BTC-PERPETUAL\",\"direction\":\"buy\",\"amount\":1}]}}"},
};
#define ROWS (sizeof rows / sizeof rows[0])

T_TEST(an_answer_that_is_cut_anywhere_gives_no_trade)
{
    for (size_t i = 0; i < ROWS; i++) {
        size_t len = strlen(rows[i].whole);
        answer_of(rows[i].venue, rows[i].hole, rows[i].whole, len);
        T_EQ(told.trades, 1);
        T_EQ(told.bad, 0);
        for (size_t cut = 0; cut < len; cut++) {
            answer_of(rows[i].venue, rows[i].hole, rows[i].whole, cut);
            T_EQ(told.trades, 0);
            T_EQ(told.bad, 1);
        }
    }
}

/* `from` of the whole answer becomes `to`. */
static void refused(size_t row, const char *from, const char *to, const char *why)
{
    char body[1024];
    const char *at = strstr(rows[row].whole, from);
    T_TRUE(at != NULL);
    snprintf(body, sizeof body, "%.*s%s%s", (int)(at - rows[row].whole), rows[row].whole, to,
             at + strlen(from));
    const char *said = answer(rows[row].venue, rows[row].hole, body);
    T_EQ(told.trades, 0);
    T_EQ(told.bad, 1);
    if (strstr(said, why) == NULL)
        fail_msg("%s: \"%s\" does not say \"%s\"", body, said, why);
}

T_TEST(a_number_that_does_not_fit_is_refused_and_never_rounded)
{
    static const char *const too_long = "12345678901234567890.1";
    for (size_t i = 0; i < ROWS; i++)
        refused(i, "4.0", too_long, "price");
    refused(0, "\"1\"", "\"0.0000000000000000000000000000000000001\"", "size");
    refused(0, "1001", "-1", "trade id");
    refused(0, "1499865549590", "14998655495900000000", "time");
    refused(3, "1688669597.8", "1688669597.8000000001", "time");
    refused(3, "1688669597.8", "99999999999.8", "time");
    refused(3, "77]", "18446744073709551616]", "trade id");
}

T_TEST(a_field_that_is_missing_twice_or_of_another_kind_is_refused)
{
    refused(0, "\"price\":\"4.0\",", "", "price is missing");
    refused(0, "\"qty\"", "\"price\"", "given twice");
    refused(0, "true", "\"yes\"", "maker side");
    refused(2, "sell", "sold", "side");
    refused(2, "2024-08-08", "2024-13-08", "time");
    refused(3, "\"b\"", "\"x\"", "side");
    refused(3, ",\"\",77", "", "it has 5 places and not 7");
    refused(3, "[\"4.0\",\"1\",1688669597.8,\"b\",\"m\",\"\",77]", "4", "an element is no array");
    refused(3, "\"XXBTZUSD\":[[\"4.0\",\"1\",1688669597.8,\"b\",\"m\",\"\",77]],", "",
            "the result has no trades");
    refused(4, "\"trade_seq\":12,", "", "trade_seq is missing");
}

T_TEST(what_is_no_answer_to_the_question_is_refused)
{
    static const char *const none[] = {"", "null", "{}", "\"x\"", "{\"code\":-1121}", "<html>"};
    for (size_t i = 0; i < ROWS; i++)
        for (size_t k = 0; k < sizeof none / sizeof none[0]; k++) {
            answer(rows[i].venue, rows[i].hole, none[k]);
            T_EQ(told.trades, 0);
            T_EQ(told.bad, 1);
        }
    answer(&px_venue_binance, &btcusdt, "[1,\"x\",null]");
    T_EQ(told.bad, 3);
    answer(&px_venue_kraken, &kraken, "{\"error\":[],\"result\":{\"X\":[[[],{},[],1,2,3,4]]}}");
    T_EQ(told.bad, 1);
}

T_TEST(an_instrument_of_another_name_keeps_its_name)
{
    answer(
        &px_venue_deribit, &perpetual,
        "{\"result\":{\"trades\":[{\"trade_seq\":12,\"trade_id\":\"9\",\"timestamp\":1,\"price\":"
        "4.0,\"instrument_name\":\"ETH-PERPETUAL\",\"direction\":\"buy\",\"amount\":1}]}}");
    T_TRUE(strncmp(told.text, "ETH-PERPETUAL 12 ", 17) == 0); /* whoever asked sees that */
}
