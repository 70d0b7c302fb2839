/* What Deribit is asked, which names are symbols there, and what its answers leave out. */
#include "asked.h"

#include <errno.h>

#include "frames.h"
#include "subs.h"

static const struct px_venue *const venue = &px_venue_deribit;

#define SEC INT64_C(1000000000)

static const char *asked(bool on, const struct venue_wish *wishes, size_t count, size_t *taken)
{
    const struct venue_request request = {on, 7, wishes, count};
    return asked_of(venue, &request, 65536, taken);
}

static int check(const char *native)
{
    return venue->check_symbol(native, strlen(native));
}

T_TEST(a_symbol_is_parts_of_capital_letters_and_digits)
{
    T_EQ(check("BTC-PERPETUAL"), 0);
    T_EQ(check("ETH-25JUN21-2000-C"), 0);
    T_EQ(check("BTC_USDC-PERPETUAL"), 0);
    T_EQ(check("ETH_USDT"), 0);
    T_EQ(check("BTC-FS-29APR22_PERP"), 0);
    T_EQ(check("XRP_USDC-10NOV23-0d4625-C"), 0);
    T_EQ(check("BTC"), -EINVAL);
    T_EQ(check("btc-perpetual"), -EINVAL);
    T_EQ(check("BTC-PERPETUAL.100ms"), -EINVAL);
    T_EQ(check("BTC--PERPETUAL"), -EINVAL);
    T_EQ(check("BTC-"), -EINVAL);
    T_EQ(check("-BTC"), -EINVAL);
    T_EQ(check("XRP-d5-C"), -EINVAL);
    T_EQ(check("XRP-0d-C"), -EINVAL);
    T_EQ(check("XRP-0dd5-C"), -EINVAL);
    T_EQ(check("BTC-\"X"), -EINVAL);
    T_EQ(check(""), -EINVAL);
}

T_TEST(wishes_become_one_message_of_channels_whose_id_tells_number_count_and_purpose)
{
    const struct venue_wish wishes[] = {
        {"BTC-PERPETUAL", PX_ALL_KINDS}, {"*", PX_TICKERS}, {"ETH_USDT", PX_QUOTES | VENUE_DEPTH}};
    size_t taken = 0;
    T_EQ(venue->answers, VENUE_ANSWERS_STREAM);
    T_STR(asked(true, wishes, 3, &taken),
          "{\"jsonrpc\":\"2.0\",\"method\":\"public/subscribe\",\"params\":{\"channels\":["
          "\"trades.BTC-PERPETUAL.100ms\",\"quote.BTC-PERPETUAL\",\"ticker.BTC-PERPETUAL.100ms\","
          "\"book.ETH_USDT.100ms\"]},\"id\":7176}"); /* 7 * 1024 + 4 * 2 */
    T_EQ(taken, 3);
    T_STR(asked(false, wishes + 2, 1, &taken),
          "{\"jsonrpc\":\"2.0\",\"method\":\"public/unsubscribe\",\"params\":{\"channels\":["
          "\"book.ETH_USDT.100ms\"]},\"id\":7171}"); /* ... + 2 + 1 */
    T_STR(asked(true, wishes + 1, 1, &taken), "");
    T_EQ(taken, 1);
}

T_TEST(quotes_come_from_their_channel_or_from_the_book_and_not_from_both)
{
    const struct venue_wish wishes[] = {{"BTC-PERPETUAL", PX_ALL_KINDS},
                                        {"BTC-PERPETUAL", PX_ALL_KINDS | VENUE_DEPTH},
                                        {"BTC-PERPETUAL", VENUE_DEPTH},
                                        {"*", PX_ALL_KINDS},
                                        {"BTC-PERPETUAL", 0}};
    const uint32_t streams[] = {3, 3, 1, 0, 0};
    for (size_t i = 0; i < 5; i++)
        T_EQ(venue->streams(&wishes[i]), streams[i]);
}

T_TEST(a_message_has_at_most_500_channels_in_whole_wishes)
{
    enum { COUNT = 400 };
    static struct venue_wish wishes[COUNT];
    size_t taken = 0, channels = 0;
    for (size_t i = 0; i < COUNT; i++)
        wishes[i] = (struct venue_wish){"ETH-25JUN21-2000-C", PX_ALL_KINDS};
    const char *text = asked(true, wishes, COUNT, &taken);
    for (const char *at = text; (at = strstr(at, "ETH-")) != NULL; at++)
        channels++;
    T_EQ(taken, 166);
    T_EQ(channels, 498);
    T_TRUE(channels <= venue->params_per_request);
    T_STR(strstr(text, "]},"), "]},\"id\":8164}"); /* 7 * 1024 + 498 * 2 */
}

T_TEST(messages_end_within_any_buffer_or_are_not_written)
{
    const struct venue_wish wishes[] = {{"BTC-PERPETUAL", PX_ALL_KINDS}, {"ETH_USDT", PX_TRADES}};
    const struct venue_request request = {true, INT64_C(4294967295), wishes, 2};
    for (size_t cap = 0; cap < 300; cap++) {
        char *out = malloc(cap);
        size_t taken = 99;
        int len = venue->subscribe(&request, out, cap, &taken);
        if (len < 0) {
            T_EQ(len, -ENOSPC);
            T_EQ(taken, 99);
        } else {
            T_TRUE((size_t)len < cap && taken >= 1 && taken <= 2);
            T_EQ(strlen(out), len);
        }
        free(out);
    }
}

T_TEST(a_connection_begins_with_the_wish_for_heartbeats)
{
    T_STR(venue->paths[0], "/ws/api/v2");
    T_STR(venue->hello, "{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"public/set_heartbeat\","
                        "\"params\":{\"interval\":30}}");
    T_TRUE(venue->silence_ms > 2 * 30000);
    T_EQ(venue->messages_per_s, 3);
}

/* ---- the venue leaves out what does not exist ---- */

struct asking {
    struct subs *subs;
    struct json *json;
    int64_t now_ns;
    char text[4096]; /* the last message that went out */
};

/* What link.c does with these events. */
static void on_answer(void *user, const struct venue_event *e)
{
    struct asking *a = user;
    const struct subs_stream stream = {e->symbol, e->symbol_len, e->kinds, e->off};
    if (e->type == VENUE_ACK)
        subs_ack_stream(a->subs, 0, &stream, a->now_ns);
    else if (e->type == VENUE_REFUSED)
        subs_refused(a->subs, 0, e->request, e->text, e->text_len, a->now_ns);
}

static bool ask(struct asking *a)
{
    int64_t at;
    a->now_ns += SEC; /* past the limit of messages, and of no answer yet */
    return subs_next(a->subs, 0, a->now_ns, a->text, sizeof a->text, &at) > 0;
}

/* The venue's answer: the channels of the message without those of NO-SUCH. */
static void answer(struct asking *a)
{
    const struct venue_sink sink = {.event = on_answer, .user = a};
    static char out[8192];
    const char *from = strchr(a->text, '['), *comma = "";
    int len = snprintf(out, sizeof out, "{\"jsonrpc\":\"2.0\",\"id\":%lld,\"result\":[",
                       strtoll(strstr(a->text, "\"id\":") + 5, NULL, 10));
    for (const char *end; from[0] != ']'; from = end) {
        end = strpbrk(from + 1, ",]");
        if (memmem(from, (size_t)(end - from), "NO-SUCH", 7) != NULL)
            continue;
        len += snprintf(out + len, sizeof out - (size_t)len, "%s%.*s", comma, (int)(end - from - 1),
                        from + 1);
        comma = ",";
    }
    len += snprintf(out + len, sizeof out - (size_t)len, "]}");
    T_TRUE(venue->on_text(a->json, out, (size_t)len, &sink) > 0);
}

static struct asking start(void)
{
    const struct subs_options options = {.capacity = 16,
                                         .answer_ns = 10 * SEC,
                                         .no_data_ns = 60 * SEC,
                                         .venue = {{venue, true, 0}},
                                         .venue_count = 1};
    struct asking a = {.subs = subs_new(&options), .json = json_new(8192), .now_ns = SEC};
    subs_link_open(a.subs, 0, 0, 0, 0);
    return a;
}

static void stop(struct asking *a)
{
    subs_free(a->subs);
    json_free(a->json);
}

static const struct sub *wish(struct asking *a, const char *native, uint32_t kinds)
{
    uint32_t i = SUBS_NONE;
    T_EQ(subs_config(a->subs, 0, native, kinds, a->now_ns, &i), 0);
    return subs_at(a->subs, i);
}

T_TEST(what_the_venue_leaves_out_is_refused_by_itself_and_the_rest_is_not)
{
    struct asking a = start();
    const struct sub *btc = wish(&a, "BTC-PERPETUAL", PX_ALL_KINDS);
    const struct sub *first = wish(&a, "NO-SUCH", PX_TRADES | PX_QUOTES);
    const struct sub *eth = wish(&a, "ETH_USDT", PX_TRADES);
    const struct sub *second = wish(&a, "NO-SUCH-C", PX_QUOTES);
    int messages = 0;
    for (; ask(&a); messages++)
        answer(&a);
    T_EQ(messages, 3); /* all, and the two that are missing by themselves */
    T_EQ(btc->state, SUBS_ACKED);
    T_EQ(eth->state, SUBS_ACKED);
    T_EQ(first->state, SUBS_REFUSED);
    T_EQ(second->state, SUBS_REFUSED);
    T_STR(first->text, "the venue left it out of what it accepted");
    T_TRUE(subs_settled(a.subs, 0) || !subs_due(a.subs, 0));
    stop(&a);
}

T_TEST(an_unsubscribe_is_acknowledged_as_one)
{
    struct asking a = start();
    const struct sub *btc = wish(&a, "BTC-PERPETUAL", PX_ALL_KINDS);
    T_TRUE(ask(&a));
    answer(&a);
    T_EQ(btc->state, SUBS_ACKED);
    wish(&a, "BTC-PERPETUAL", PX_TRADES);
    T_TRUE(ask(&a));
    T_TRUE(strstr(a.text, "unsubscribe") != NULL);
    answer(&a);
    T_EQ(btc->lane[0].request, 0);
    T_EQ(btc->lane[0].acked, PX_TRADES);
    T_EQ(subs_counted(a.subs)->unanswered, 0);
    stop(&a);
}
