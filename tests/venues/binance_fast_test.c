/* The fast path against the general one: what the former accepts, the latter reads the same. */
#include "t.h"

#include "frames.h"

#include "venues/binance_fast.h"

#define FRAME_MAX  4096
#define NATIVE_MAX 33 /* behind the longest name, "binance_coinm:" */
#define USUAL      8  /* frames in front of each file that are what the fast path is for */

static struct json *json;
static struct decoded with_fast, general;
static uint64_t accepted, compared;

/* Own frames of each form that the family has. */
static const struct {
    const struct px_venue *venue;
    const char *frames;
} forms[] = {
    {&px_venue_binance, PX_FRAMES "/binance.frames"},
    {&px_venue_binance_usdm, PX_FRAMES "/binance_usdm.frames"},
    {&px_venue_binance_coinm, PX_FRAMES "/binance_coinm.frames"},
};
#define FORMS (sizeof forms / sizeof forms[0])

/* A blank in front is nothing to JSON and everything to the fast path. */
static void compare(const struct px_venue *venue, struct frame frame, char padding)
{
    char spaced[FRAME_MAX + 1], probe[FRAME_MAX + VENUE_PADDING];
    struct venue_event event;
    if (frame.len > FRAME_MAX)
        return;
    spaced[0] = ' ';
    memcpy(spaced + 1, frame.text, frame.len);
    memcpy(probe, frame.text, frame.len);
    memset(probe + frame.len, padding, VENUE_PADDING);
    compared++;
    accepted += binance_fast(probe, frame.len, NATIVE_MAX, &event);
    decode(venue, json, frame, padding, &with_fast);
    decode(venue, json, (struct frame){spaced, frame.len + 1}, padding, &general);
    if (with_fast.rc != general.rc || strcmp(with_fast.text, general.text) != 0)
        fail_msg("%.*s\nfast: %s\ngeneral: %s", (int)frame.len, frame.text, with_fast.text,
                 general.text);
}

static void start(void)
{
    json = json_new(1u << 20);
    T_TRUE(json != NULL);
    accepted = compared = 0;
}

/* Returns how many of them the fast path took. */
static uint64_t compare_recorded(const struct px_venue *venue, const char *name)
{
    struct frames f;
    uint64_t before = accepted;
    T_TRUE(frames_read_captured(&f, name));
    for (size_t n = 0; n < f.count; n++)
        compare(venue, f.list[n], '}');
    frames_free(&f);
    return accepted - before;
}

T_TEST(fast_path_takes_recorded_trades_and_quotes_and_reads_them_as_the_general_path_does)
{
    static const struct {
        const struct px_venue *venue;
        const char *name;
        uint64_t usual; /* trades and quotes in the form of today */
    } recorded[] = {
        {&px_venue_binance, "binance.jsonl", 11},
        {&px_venue_binance_us, "binance_us.jsonl", 92},
        {&px_venue_binance_tr, "binance_tr.jsonl", 30},
        {&px_venue_binance_usdm, "binance_usdm.jsonl", 176},
        {&px_venue_binance_coinm, "binance_coinm.jsonl", 1317},
        {&px_venue_binance, "samples/binance.samples.jsonl", 0},
        {&px_venue_binance, "binance_busy_btcusdt.jsonl.gz", 37000},
    };
    struct frames f;
    if (!frames_read_captured(&f, recorded[0].name))
        T_SKIP("no captures beside the checkout");
    frames_free(&f);
    start();
    for (size_t i = 0; i < sizeof recorded / sizeof recorded[0]; i++)
        T_TRUE(compare_recorded(recorded[i].venue, recorded[i].name) >= recorded[i].usual);
    T_TRUE(compared > 40000);
    json_free(json);
}

T_TEST(fast_path_reads_mutated_frames_as_the_general_path_does)
{
    char out[FRAME_MAX];
    uint64_t seed = 20261123;
    for (size_t form = 0; form < FORMS; form++) {
        struct frames f;
        T_TRUE(frames_read(&f, forms[form].frames));
        start();
        for (int i = 0; i < 150000; i++) {
            size_t n = chance_below(&seed, i % 8 == 0 ? f.count : USUAL);
            struct frame other = f.list[chance_below(&seed, f.count)];
            size_t len = mutate(&seed, f.list[n], other, out, sizeof out);
            compare(forms[form].venue, (struct frame){out, len}, (char)chance(&seed));
        }
        T_TRUE(accepted > 10000);
        T_TRUE(compared - accepted > 50000);
        frames_free(&f);
        json_free(json);
    }
}

T_TEST(fast_path_leaves_every_unusual_number_to_the_general_path)
{
    static const char *const numbers[] = {"",
                                          "-1",
                                          "01",
                                          "1.",
                                          ".5",
                                          "1e5",
                                          "1E-8",
                                          "+1",
                                          "1234567890123456789",
                                          "1.123456789012345678",
                                          "0x1",
                                          "1 ",
                                          "NaN",
                                          "9223372036854775808",
                                          "1..2",
                                          "1.2.3"};
    struct venue_event event;
    for (size_t i = 0; i < sizeof numbers / sizeof numbers[0]; i++) {
        char frame[512] = {0};
        snprintf(frame, sizeof frame - VENUE_PADDING,
                 "{\"u\":1,\"s\":\"X\",\"b\":\"%s\",\"B\":\"1\",\"a\":\"1\",\"A\":\"1\"}",
                 numbers[i]);
        if (binance_fast(frame, strlen(frame), NATIVE_MAX, &event))
            fail_msg("accepted %s", numbers[i]);
    }
}

/* The bytes behind the cut are the rest of the frame itself: as tempting as can be. */
static void cut_everywhere(struct frame frame)
{
    struct venue_event event;
    char *copy = malloc(frame.len + VENUE_PADDING);
    memcpy(copy, frame.text, frame.len);
    memset(copy + frame.len, 0, VENUE_PADDING);
    T_TRUE(binance_fast(copy, frame.len, NATIVE_MAX, &event));
    for (size_t len = 0; len < frame.len; len++)
        T_TRUE(!binance_fast(copy, len, NATIVE_MAX, &event));
    free(copy);
}

T_TEST(fast_path_accepts_no_frame_that_is_cut_at_any_byte_whatever_follows_it)
{
    for (size_t form = 0; form < FORMS; form++) {
        struct frames f;
        T_TRUE(frames_read(&f, forms[form].frames));
        for (size_t i = 0; i < USUAL; i++)
            cut_everywhere(f.list[i]);
        frames_free(&f);
    }
}

/* A field is optional in its place, not twice and not elsewhere. */
T_TEST(fast_path_leaves_fields_that_come_twice_or_elsewhere_to_the_general_path)
{
    static const char *const odd[] = {
        "{'e':'bookTicker','u':1,'e':'bookTicker','s':'X','b':'1','B':'1','a':'1','A':'1'}",
        "{'u':1,'s':'X','b':'1','B':'1','a':'1','A':'1','T':1790000000000}",
        "{'u':1,'s':'X','b':'1','B':'1','a':'1','A':'1','T':0,'E':1790000000000}",
        "{'u':1,'s':'X','b':'1','B':'1','a':'1','A':'1','st':1}",
        "{'u':1,'s':'X','b':'1','B':'1','ps':'X','a':'1','A':'1'}",
        "{'u':1,'s':'X','ps':'X','ps':'X','b':'1','B':'1','a':'1','A':'1'}",
        "{'e':'aggTrade','E':1,'a':1,'s':'X','a':1,'p':'1','q':'1','f':1,'l':1,'T':1790000000000,"
        "'m':true}",
        "{'e':'aggTrade','E':1,'a':1,'s':'X','p':'1','q':'1','nq':'','f':1,'l':1,"
        "'T':1790000000000,'m':true}",
        "{'e':'trade','E':1,'t':1,'s':'X','p':'1','q':'1','T':1790000000000,'m':true}",
        "{'e':'trade','E':1,'s':'X','t':1,'p':'1','q':'1','nq':'1','T':1790000000000,'m':true}",
    };
    struct venue_event event;
    for (size_t i = 0; i < sizeof odd / sizeof odd[0]; i++) {
        char frame[512] = {0};
        snprintf(frame, sizeof frame - VENUE_PADDING, "%s", odd[i]);
        for (char *c = frame; *c != '\0'; c++)
            if (*c == '\'')
                *c = '"';
        if (binance_fast(frame, strlen(frame), NATIVE_MAX, &event))
            fail_msg("accepted %s", frame);
    }
}
