/* The fast path against the general one: what the former accepts, the latter reads the same. */
#include "t.h"

#include "frames.h"

#include "venues/binance_fast.h"

#define FRAME_MAX  4096
#define NATIVE_MAX 39

static struct json *json;
static struct decoded with_fast, general;
static uint64_t accepted, compared;

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

T_TEST(fast_path_reads_recorded_frames_as_the_general_path_does)
{
    static const char *const names[] = {"binance.jsonl",
                                        "binance_us.jsonl",
                                        "binance_tr.jsonl",
                                        "binance_usdm.jsonl",
                                        "binance_coinm.jsonl",
                                        "samples/binance.samples.jsonl",
                                        "binance_busy_btcusdt.jsonl.gz"};
    struct frames f;
    if (!frames_read_captured(&f, names[0]))
        T_SKIP("no captures beside the checkout");
    frames_free(&f);
    start();
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
        T_TRUE(frames_read_captured(&f, names[i]));
        for (size_t n = 0; n < f.count; n++)
            compare(&px_venue_binance, f.list[n], '}');
        frames_free(&f);
    }
    T_TRUE(compared > 40000);
    T_TRUE(accepted > 37000); /* of today's trades and quotes, all */
    json_free(json);
}

T_TEST(fast_path_reads_mutated_frames_as_the_general_path_does)
{
    struct frames f;
    char out[FRAME_MAX];
    uint64_t seed = 20261123;
    T_TRUE(frames_read(&f, PX_FRAMES "/binance.frames"));
    start();
    for (int i = 0; i < 300000; i++) {
        /* the first eight are what the fast path is for: most mutations should be of them */
        size_t n = chance_below(&seed, i % 8 == 0 ? f.count : 8);
        struct frame other = f.list[chance_below(&seed, f.count)];
        size_t len = mutate(&seed, f.list[n], other, out, sizeof out);
        compare(&px_venue_binance, (struct frame){out, len}, (char)chance(&seed));
    }
    T_TRUE(accepted > 20000);
    T_TRUE(compared - accepted > 100000);
    frames_free(&f);
    json_free(json);
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

T_TEST(fast_path_accepts_no_frame_that_is_cut_at_any_byte_whatever_follows_it)
{
    struct frames f;
    struct venue_event event;
    T_TRUE(frames_read(&f, PX_FRAMES "/binance.frames"));
    for (size_t i = 0; i < 8; i++) {
        /* the bytes behind the cut are the rest of the frame itself: as tempting as can be */
        char *copy = malloc(f.list[i].len + VENUE_PADDING);
        memcpy(copy, f.list[i].text, f.list[i].len);
        memset(copy + f.list[i].len, 0, VENUE_PADDING);
        T_TRUE(binance_fast(copy, f.list[i].len, NATIVE_MAX, &event));
        for (size_t len = 0; len < f.list[i].len; len++)
            T_TRUE(!binance_fast(copy, len, NATIVE_MAX, &event));
        free(copy);
    }
    frames_free(&f);
}
