/* What Kraken is asked, and how it answers. */
#include "asked.h"

#include <errno.h>

#include "fold.h"
#include "frames.h"

#define KRAKEN (&px_venue_kraken)

static int check(const char *native)
{
    return KRAKEN->check_symbol(native, strlen(native));
}

T_TEST(a_symbol_is_two_names_around_one_slash)
{
    T_EQ(check("BTC/USD"), 0);
    T_EQ(check("METAx/USD"), 0);
    T_EQ(check("BRK.Bx/USD"), 0);
    T_EQ(check("1INCH/EUR"), 0);
    T_EQ(check(""), -EINVAL);
    T_EQ(check("BTCUSD"), -EINVAL);
    T_EQ(check("/USD"), -EINVAL);
    T_EQ(check("BTC/"), -EINVAL);
    T_EQ(check("/"), -EINVAL);
    T_EQ(check("BTC/USD/EUR"), -EINVAL);
    T_EQ(check("BTC/US\"D"), -EINVAL);
    T_EQ(check("BTC/US D"), -EINVAL);
    T_EQ(check("BTC/\xc3\xa9"), -EINVAL);
    T_EQ(check("ABCDEFGHIJKLMNOPQRSTUVWXYZABCDEFGHIJKLMNOPQR/USD"), -EINVAL);
}

T_TEST(each_kind_of_a_wish_is_a_stream)
{
    const struct venue_wish wishes[] = {{"BTC/USD", PX_ALL_KINDS},
                                        {"BTC/USD", PX_QUOTES},
                                        {"BTC/USD", VENUE_DEPTH | VENUE_AGGTRADES},
                                        {"*", PX_TICKERS},
                                        {"BTC/USD", 0}};
    const uint32_t streams[] = {3, 1, 0, 0, 0};
    for (size_t i = 0; i < 5; i++)
        T_EQ(KRAKEN->streams(&wishes[i]), streams[i]);
}

static const char *asked(bool on, const struct venue_wish *wishes, size_t count, size_t *taken)
{
    const struct venue_request request = {on, 42, wishes, count};
    return asked_of(KRAKEN, &request, 16384, taken);
}

T_TEST(wishes_of_one_kind_become_one_message_of_their_channel)
{
    const struct venue_wish trades[] = {{"BTC/USD", PX_TRADES}, {"METAx/USD", PX_TRADES}};
    const struct venue_wish quote = {"BTC/USD", PX_QUOTES}, ticker = {"BTC/USD", PX_TICKERS};
    size_t taken = 0;
    T_TRUE(KRAKEN->one_kind);
    T_STR(asked(true, trades, 2, &taken),
          "{\"method\":\"subscribe\",\"params\":{\"channel\":\"trade\",\"snapshot\":false,"
          "\"symbol\":[\"BTC/USD\",\"METAx/USD\"]},\"req_id\":42}");
    T_EQ(taken, 2);
    T_STR(asked(true, &quote, 1, &taken),
          "{\"method\":\"subscribe\",\"params\":{\"channel\":\"book\",\"depth\":10,"
          "\"snapshot\":true,\"symbol\":[\"BTC/USD\"]},\"req_id\":42}");
    T_STR(asked(true, &ticker, 1, &taken),
          "{\"method\":\"subscribe\",\"params\":{\"channel\":\"ticker\",\"event_trigger\":\"bbo\","
          "\"snapshot\":true,\"symbol\":[\"BTC/USD\"]},\"req_id\":42}");
    T_STR(asked(false, &quote, 1, &taken),
          "{\"method\":\"unsubscribe\",\"params\":{\"channel\":\"book\",\"depth\":10,"
          "\"snapshot\":true,\"symbol\":[\"BTC/USD\"]},\"req_id\":42}");
    T_EQ(taken, 1);
}

T_TEST(a_message_never_mixes_channels_and_passes_over_what_is_no_stream)
{
    const struct venue_wish wishes[] = {{"*", PX_TICKERS},
                                        {"BTC/USD", PX_QUOTES},
                                        {"ETH/USD", VENUE_DEPTH},
                                        {"ETH/USD", PX_TRADES}};
    size_t taken = 0;
    const char *text = asked(true, wishes, 4, &taken);
    T_EQ(taken, 3);
    T_TRUE(strstr(text, "\"symbol\":[\"BTC/USD\"]") != NULL);
    T_STR(asked(true, wishes, 1, &taken), "");
    T_EQ(taken, 1);
}

T_TEST(a_message_has_at_most_the_number_of_symbols_that_the_limits_say)
{
    enum { COUNT = 250 };
    static struct venue_wish wishes[COUNT];
    size_t done = 0, taken, messages = 0;
    for (size_t i = 0; i < COUNT; i++)
        wishes[i] = (struct venue_wish){"BTC/USD", PX_QUOTES};
    for (; done < COUNT; done += taken, messages++) {
        size_t here = 0;
        const char *text = asked(true, wishes + done, COUNT - done, &taken);
        for (const char *at = text; (at = strstr(at, "BTC/USD")) != NULL; at++)
            here++;
        T_EQ(here, taken);
        T_TRUE(here <= KRAKEN->params_per_request);
    }
    T_EQ(messages, 3);
}

T_TEST(a_message_ends_within_any_buffer_or_says_that_none_fits)
{
    const struct venue_wish wishes[] = {{"BTC/USD", PX_TICKERS}, {"ETH/USD", PX_TICKERS}};
    bool one = false, two = false;
    for (size_t cap = 0; cap < 200; cap++) {
        char *out = malloc(cap);
        size_t taken = 99;
        const struct venue_request request = {true, 1, wishes, 2};
        int len = KRAKEN->subscribe(&request, out, cap, &taken);
        if (len < 0) {
            T_EQ(len, -ENOSPC);
            T_EQ(taken, 99);
            T_TRUE(!one);
        } else {
            T_TRUE((size_t)len < cap && taken >= 1 && taken <= 2);
            T_EQ(strlen(out), len);
            T_EQ(out[len - 1], '}');
            one = one || taken == 1;
            two = two || taken == 2;
        }
        free(out);
    }
    T_TRUE(one && two);
}

T_TEST(path_and_ping_are_those_of_the_second_protocol)
{
    T_STR(KRAKEN->paths[0], "/v2");
    T_STR(KRAKEN->keepalive, "{\"method\":\"ping\"}");
    T_TRUE(KRAKEN->hello == NULL);
}

/* ---- events that the text of a frame's expectation does not show ---- */

struct seen {
    size_t events, levels, firsts, lasts;
    uint32_t depth;
    uint16_t flags, kinds;
    bool off, symbol_right;
};

static void on_event(void *user, const struct venue_event *e)
{
    struct seen *s = user;
    s->events++;
    s->flags = e->flags;
    s->kinds = e->kinds;
    s->off = e->off;
    if (e->type != VENUE_BOOK)
        return;
    s->levels += e->u.book.count;
    s->firsts += e->u.book.first;
    s->lasts += e->u.book.last;
    s->depth = e->u.book.depth;
    s->symbol_right = e->symbol_len == 8 && memcmp(e->symbol, "DEEP/USD", 8) == 0;
}

static struct seen read_frame(const char *frame)
{
    struct seen seen = {0};
    const struct venue_sink sink = {.event = on_event, .user = &seen};
    struct json *json = json_new(1u << 20);
    size_t len = strlen(frame);
    char *copy = calloc(1, len + VENUE_PADDING);
    memcpy(copy, frame, len);
    T_EQ(KRAKEN->on_text(json, copy, len, &sink), (int)seen.events);
    free(copy);
    json_free(json);
    return seen;
}

#define TICKER(type)                                                                             \
    "{\"channel\":\"ticker\",\"type\":\"" type "\",\"data\":[{\"symbol\":\"BTC/USD\",\"bid\":1," \
    "\"bid_qty\":1,\"ask\":2,\"ask_qty\":1,\"last\":1,\"low\":1,\"high\":1}]}"

T_TEST(a_ticker_of_a_snapshot_is_a_repetition_and_one_of_an_update_is_not)
{
    T_EQ(read_frame(TICKER("snapshot")).flags, PX_FLAG_REPLAY);
    T_EQ(read_frame(TICKER("update")).flags, 0);
}

T_TEST(a_refused_unsubscription_is_not_mistaken_for_a_refused_subscription)
{
    T_TRUE(read_frame("{\"error\":\"Subscription not found\",\"method\":\"unsubscribe\","
                      "\"success\":false,\"symbol\":\"BTC/USD\"}")
               .off);
    T_TRUE(!read_frame("{\"error\":\"Already subscribed\",\"method\":\"subscribe\","
                       "\"success\":false,\"symbol\":\"BTC/USD\"}")
                .off);
}

/* A book in the words of the venue; `shift` stands in front of the frame's own element. */
static char *book_frame(const char *shift, unsigned bids, unsigned asks)
{
    size_t cap = 256 + (bids + asks) * 40, at;
    char *out = malloc(cap);
    at = (size_t)snprintf(
        out, cap, "{\"channel\":\"book\",\"type\":\"snapshot\",\"data\":[%s{\"bids\":[", shift);
    for (unsigned i = 0; i < bids; i++)
        at += (size_t)snprintf(out + at, cap - at, "%s{\"price\":%u.0,\"qty\":1}",
                               i == 0 ? "" : ",", 1000 - i);
    at += (size_t)snprintf(out + at, cap - at, "],\"asks\":[");
    for (unsigned i = 0; i < asks; i++)
        at += (size_t)snprintf(out + at, cap - at, "%s{\"price\":%u.0,\"qty\":1}",
                               i == 0 ? "" : ",", 1001 + i);
    /* the symbol comes last and with an escape, so that it lives in the parser */
    snprintf(out + at, cap - at, "],\"checksum\":1,\"symbol\":\"D\\u0045EP\\/USD\"}]}");
    return out;
}

T_TEST(a_book_of_any_depth_comes_whole_whatever_stands_in_front_of_it)
{
    static const struct {
        unsigned bids, asks, depth, events;
    } books[] = {{10, 10, 10, 1},    {3, 0, 10, 1},      {25, 25, 25, 1},
                 {2, 11, 25, 1},     {100, 99, 100, 1},  {256, 256, 500, 1},
                 {256, 257, 500, 2}, {500, 500, 500, 2}, {1000, 1000, 1000, 4}};
    static const char *const shifts[] = {
        "", "17,", "{\"symbol\":\"X/USD\",\"bids\":[{\"price\":\"x\"},{\"qty\":[]}],\"asks\":[]},"};
    for (size_t i = 0; i < sizeof books / sizeof books[0]; i++) {
        for (size_t n = 0; n < sizeof shifts / sizeof shifts[0]; n++) {
            char *frame = book_frame(shifts[n], books[i].bids, books[i].asks);
            struct seen seen = read_frame(frame);
            T_EQ(seen.levels, books[i].bids + books[i].asks);
            T_EQ(seen.events, books[i].events + (n > 0));
            T_TRUE(seen.firsts == 1 && seen.lasts == 1 && seen.symbol_right);
            T_EQ(seen.depth, books[i].depth);
            free(frame);
        }
    }
}

/* ---- the checksum of the book ---- */

struct told {
    size_t quotes, lost;
    struct px_quote top;
};

static void on_folded(void *user, const struct venue_event *e)
{
    struct told *t = user;
    t->quotes += e->type == VENUE_QUOTE;
    t->lost += e->type == VENUE_RESYNC;
    if (e->type == VENUE_QUOTE)
        t->top = e->u.quote;
}

struct folding {
    struct fold *fold;
    struct told told;
};

static void to_fold(void *user, const struct venue_event *e)
{
    struct folding *f = user;
    const struct venue_sink out = {.event = on_folded, .user = &f->told};
    fold_event(f->fold, 0, KRAKEN, e, &out);
}

static void fold_frame(struct folding *f, struct json *json, const char *frame)
{
    const struct venue_sink sink = {.event = to_fold, .user = f};
    size_t len = strlen(frame);
    char *copy = calloc(1, len + VENUE_PADDING);
    memcpy(copy, frame, len);
    T_TRUE(KRAKEN->on_text(json, copy, len, &sink) > 0);
    free(copy);
}

#define LEVEL(price, qty) "{\"price\":" price ",\"qty\":" qty "}"
#define BOOK(type, bids, asks, checksum)                                       \
    "{\"channel\":\"book\",\"type\":\"" type                                   \
    "\",\"data\":[{\"symbol\":\"ETH/USD\",\"bids\":[" bids "],\"asks\":[" asks \
    "],\"checksum\":" checksum "}]}"

#define TEN_BIDS                                                                                            \
    LEVEL("0.0300", "0.10")                                                                                 \
    "," LEVEL("0.0290", "0.20") "," LEVEL("0.0280", "0.30") "," LEVEL("0.0270", "0.40") "," LEVEL(          \
        "0.0260",                                                                                           \
        "0.50") "," LEVEL("0.0250",                                                                         \
                          "0.60") "," LEVEL("0.0240",                                                       \
                                            "0.70") "," LEVEL("0.0230",                                     \
                                                              "0.80") "," LEVEL("0.0220",                   \
                                                                                "0.90") "," LEVEL("0.0210", \
                                                                                                  "0.100")

/* The checksums are those of Python's zlib.crc32() over the digits, after the venue's guide. */
T_TEST(a_book_is_cut_to_its_depth_and_its_checksum_counts_every_zero)
{
    struct fold_options options = {.books = 1, .depth = 64, .merges = 1, .sources = 1};
    struct folding f = {.fold = fold_new(&options)};
    struct json *json = json_new(1u << 16);
    T_TRUE(f.fold != NULL && json != NULL);
    fold_frame(&f, json, BOOK("snapshot", TEN_BIDS, LEVEL("0.0310", "12.00000000"), "4271525738"));
    T_TRUE(f.told.quotes == 1 && f.told.lost == 0);
    /* a better one pushes the last out, without a word */
    fold_frame(&f, json, BOOK("update", LEVEL("0.0305", "0.120000"), "", "3790439398"));
    T_TRUE(f.told.quotes == 2 && f.told.lost == 0);
    T_TRUE(f.told.top.bid_size.mantissa == 120000 && f.told.top.bid_size.exponent == -6);
    /* it goes, and another one stands where the last stood */
    fold_frame(
        &f, json,
        BOOK("update", LEVEL("0.0305", "0.00000000") "," LEVEL("0.0205", "5.0"), "", "2602896388"));
    T_TRUE(f.told.quotes == 3 && f.told.lost == 0);
    /* one zero less is another number to the checksum */
    fold_frame(&f, json, BOOK("update", LEVEL("0.0205", "5"), "", "2602896388"));
    T_TRUE(f.told.quotes == 3 && f.told.lost == 1);
    json_free(json);
    fold_free(f.fold);
}
