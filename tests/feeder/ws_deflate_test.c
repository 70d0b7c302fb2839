/* permessage-deflate: the other side is zlib's deflate, as a server uses it. */
#include <errno.h>
#include <zlib.h>

#include "ws_peer.h"

static struct ws_deflate memory;
static struct ws_large large;

/* A client that has offered the extension and got `parameters`. */
static void open_deflate(struct client *c, const char *parameters, size_t out_cap, size_t max)
{
    struct bytes b = {0};
    memory = (struct ws_deflate){.out = malloc(out_cap + WS_PADDING), .out_cap = out_cap};
    memset(memory.out, 0, out_cap + WS_PADDING);
    start(c, (struct ws_config){.recv_cap = 4096,
                                .deflate = &memory,
                                .large = large.data != NULL ? &large : NULL,
                                .max_message = max});
    put_text(&b, DEFLATE_REPLY);
    put_text(&b, parameters);
    put_text(&b, "\r\n\r\n");
    feed(c, b.at, b.len);
    free(b.at);
}

static void stop_deflate(struct client *c)
{
    stop(c);
    free(memory.out);
}

static void large_start(size_t cap)
{
    large = (struct ws_large){.data = calloc(1, cap + WS_PADDING), .cap = cap};
}

static void large_stop(void)
{
    T_TRUE(large.owner == NULL);
    free(large.data);
    large = (struct ws_large){0};
}

static void deflater(z_stream *z)
{
    memset(z, 0, sizeof *z);
    T_EQ(deflateInit2(z, 6, Z_DEFLATED, -15, 8, Z_DEFAULT_STRATEGY), Z_OK);
}

/* The payload of one compressed message: RFC 7692 7.2.1. */
static void squeeze(z_stream *z, struct bytes *out, const void *text, size_t len)
{
    unsigned char part[4096];
    z->next_in = (Bytef *)(uintptr_t)text;
    z->avail_in = (uInt)len;
    do {
        z->next_out = part;
        z->avail_out = sizeof part;
        deflate(z, Z_SYNC_FLUSH);
        put(out, part, sizeof part - z->avail_out);
    } while (z->avail_out == 0);
    T_TRUE(out->len >= 4 && memcmp(out->at + out->len - 4, "\0\0\xff\xff", 4) == 0);
    out->len -= 4;
}

static void put_squeezed(struct bytes *b, z_stream *z, unsigned b0, const void *text, size_t len)
{
    struct bytes payload = {0};
    squeeze(z, &payload, text, len);
    put_frame(b, b0, payload.at, payload.len);
    free(payload.at);
}

static const char tick[] = "{\"e\":\"trade\",\"s\":\"BTCUSDT\",\"p\":\"61837.63000000\"}";

T_TEST(it_is_offered_and_its_examples_are_read)
{
    /* RFC 7692 7.2.3.1 to 7.2.3.5: one block, two fragments, reused window, stored, BFINAL, two */
    static const char frames[] = "\xc1\x07\xf2\x48\xcd\xc9\xc9\x07\x00"
                                 "\x41\x03\xf2\x48\xcd\x80\x04\xc9\xc9\x07\x00"
                                 "\xc1\x05\xf2\x00\x11\x00\x00"
                                 "\xc1\x0b\x00\x05\x00\xfa\xff\x48\x65\x6c\x6c\x6f\x00"
                                 "\xc1\x08\xf3\x48\xcd\xc9\xc9\x07\x00\x00"
                                 "\xc1\x05\xf2\x00\x11\x00\x00"
                                 "\xc1\x0d\xf2\x48\x05\x00\x00\x00\xff\xff\xca\xc9\xc9\x07\x00"
                                 "\x81\x05plain\xc1\x01\x00\x89\x01p";
    struct client c;
    char out[1024];
    open_deflate(&c, "", 4096, 0);
    feed(&c, (const unsigned char *)frames, sizeof frames - 1);
    T_STR(c.trace, "open:;text:Hello;text:Hello;text:Hello;text:Hello;text:Hello;text:Hello;"
                   "text:Hello;text:plain;text:;ping:p;");
    T_TRUE(ws_request(&c.ws, &(struct ws_target){"h", "/", NULL}, out, sizeof out) > 0);
    T_TRUE(strstr(out, "\r\nSec-WebSocket-Extensions: permessage-deflate; "
                       "client_no_context_takeover\r\n") != NULL);
    stop_deflate(&c);
}

static void many(const char *parameters, bool reset, size_t step)
{
    struct bytes b = {0};
    struct client c;
    z_stream z;
    char text[128];
    deflater(&z);
    open_deflate(&c, parameters, 4096, 0);
    for (int i = 0; i < 40; i++) {
        int n = snprintf(text, sizeof text, "%s%d", tick, i);
        put_squeezed(&b, &z, 0xc1, text, (size_t)n);
        if (reset)
            deflateReset(&z);
    }
    for (size_t i = 0; i < b.len; i += step)
        feed(&c, b.at + i, i + step < b.len ? step : b.len - i);
    struct client plain;
    open_client(&plain, (struct ws_config){.recv_cap = 4096});
    for (int i = 0; i < 40; i++) {
        b.len = 0;
        int n = snprintf(text, sizeof text, "%s%d", tick, i);
        put_frame(&b, 0x81, text, (size_t)n);
        feed(&plain, b.at, b.len);
    }
    T_STR(c.trace + strlen("open:;"), plain.trace);
    stop_deflate(&c);
    stop(&plain);
    deflateEnd(&z);
    free(b.at);
}

T_TEST(messages_with_and_without_context_takeover_are_read_however_cut)
{
    for (size_t step = 1; step < 5000; step = step * 3 + 1) {
        many("", false, step);
        many("; server_no_context_takeover", true, step);
        many("; client_no_context_takeover ; server_max_window_bits=\"15\"", false, step);
        many(";server_max_window_bits=9;server_no_context_takeover", true, step);
    }
}

T_TEST(without_takeover_nothing_of_the_last_message_is_left)
{
    struct client c;
    open_deflate(&c, "; server_no_context_takeover", 4096, 0);
    feed(&c, (const unsigned char *)"\xc1\x07\xf2\x48\xcd\xc9\xc9\x07\x00", 9);
    feed(&c, (const unsigned char *)"\xc1\x05\xf2\x00\x11\x00\x00", 7); /* points back to it */
    T_STR(c.trace, "open:;text:Hello;error:1007 compressed message is damaged;");
    stop_deflate(&c);
}

T_TEST(answers_to_the_offer_that_do_not_fit_it_are_refused)
{
    static const char *const bad[] = {
        "; client_max_window_bits=10",
        "; server_max_window_bits",
        "; server_max_window_bits=16",
        "; server_max_window_bits=7",
        "; unknown",
        "; server_no_context_takeover=1",
        "; server_no_context_takeover; server_no_context_takeover",
        ", permessage-deflate",
        ", x-other",
        "; ",
        "\r\nSec-WebSocket-Extensions: permessage-deflate",
    };
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        struct client c;
        open_deflate(&c, bad[i], 4096, 0);
        if (strncmp(c.trace, "error:0 server ", 15) != 0)
            fail_msg("%s: %s", bad[i], c.trace);
        stop_deflate(&c);
    }
}

T_TEST(a_zip_bomb_ends_at_the_limit)
{
    struct bytes b = {0};
    struct client c;
    z_stream z;
    char *zeros = calloc(1, 1 << 24);
    large_start(100000);
    deflater(&z);
    put_squeezed(&b, &z, 0xc2, zeros, 1 << 24); /* 16 MiB in 16 KB */
    T_TRUE(b.len < 20000);
    open_deflate(&c, "", 4096, 100000);
    feed(&c, b.at, b.len);
    T_STR(c.trace,
          "open:;error:1009 compressed message inflates beyond the limit of 100000 bytes;");
    stop_deflate(&c);
    large_stop();
    deflateEnd(&z);
    free(zeros);
    free(b.at);
}

T_TEST(every_size_around_the_limits_is_exact)
{
    char text[3000];
    for (size_t i = 0; i < sizeof text; i++)
        text[i] = (char)('a' + i * i % 23);
    large_start(2000);
    for (size_t len = 990; len <= 2002; len += len == 1010 ? 980 : 1)
        for (size_t step = 1; step < 3000; step = step * 11 + 1) {
            struct bytes b = {0};
            struct client c;
            z_stream z;
            deflater(&z);
            put_squeezed(&b, &z, 0xc1, text, len);
            open_deflate(&c, "", 1000, 2000);
            for (size_t i = 0; i < b.len; i += step)
                feed(&c, b.at + i, i + step < b.len ? step : b.len - i);
            T_EQ(c.last.type, len <= 2000 ? WS_TEXT : WS_ERROR);
            if (len <= 2000)
                T_EQ(c.last.len, len);
            T_EQ(large.borrowed > 0, len > 1000);
            large.borrowed = 0;
            stop_deflate(&c);
            deflateEnd(&z);
            free(b.at);
        }
    large_stop();
}

T_TEST(a_message_that_inflates_into_the_shared_buffer_waits_for_it)
{
    struct bytes b = {0};
    struct client c;
    struct ws other;
    struct ws_event ev;
    z_stream z;
    char text[3001];
    for (size_t i = 0; i < 3000; i++)
        text[i] = (char)('a' + i * i % 23);
    large_start(5000);
    deflater(&z);
    put_squeezed(&b, &z, 0xc1, text, 3000);
    open_deflate(&c, "", 1000, 0);
    large.owner = &other;
    size_t taken = feed(&c, b.at, b.len);
    T_EQ(ws_next(&c.ws, &ev), WS_BLOCKED);
    large.owner = NULL;
    while (ws_next(&c.ws, &ev) == WS_NONE && taken < b.len) {
        unsigned char *at;
        T_TRUE(ws_space(&c.ws, &at) > 0);
        *at = b.at[taken++];
        ws_received(&c.ws, 1);
    }
    T_EQ(ev.type, WS_TEXT);
    T_EQ(ev.len, 3000);
    T_MEM(ev.data, text, 3000);
    stop_deflate(&c);
    large_stop();
    deflateEnd(&z);
    free(b.at);
}

static const struct {
    const char *frames;
    size_t len;
    const char *trace;
} damaged[] = {
    {"\xc1\x04\xff\xff\xff\xff", 6, "error:1007 compressed message is damaged;"},
    {"\xc1\x03\xf2\x48\xcd", 5, "error:1007 compressed message is damaged;"}, /* cut off */
    {"\xc1\x07\xf3\x48\xcd\xc9\xc9\x07\x00", 9, "error:1007 compressed message is damaged;"},
    {"\xc1\x03\x00\x03\x00", 5, "error:1007 compressed message is damaged;"},
    {"\xc1\x05\xf2\x00\x11\x00\x00", 7,
     "error:1007 compressed message is damaged;"}, /* no window */
    {"\x41\x03\xf2\x48\xcd\xc0\x04\xc9\xc9\x07\x00", 11,
     "error:1002 continuation frame is marked as compressed;"},
    {"\xc9\x00", 2, "error:1002 control frame is marked as compressed;"},
    {"\xe1\x00", 2, "error:1002 reserved bits are set and no extension gives them a meaning;"},
    {"\xc1\x7f\x7f\xff\xff\xff\xff\xff\xff\xff", 10,
     "error:1009 message of 9223372036854775807 bytes is longer than the limit of 3936;"},
    {"\xc1\x03\xfa\x0f\x00", 5, "error:1007 text is not UTF-8;"}, /* the byte 0xff */
};

T_TEST(damage_in_a_compressed_message_is_an_error)
{
    for (size_t i = 0; i < sizeof damaged / sizeof damaged[0]; i++)
        for (int slow = 0; slow < 2; slow++) {
            struct client c;
            open_deflate(&c, "", 3936, 0);
            for (size_t k = 0; k < damaged[i].len; k += slow ? 1 : damaged[i].len)
                feed(&c, (const unsigned char *)damaged[i].frames + k, slow ? 1 : damaged[i].len);
            if (strcmp(c.trace + strlen("open:;"), damaged[i].trace) != 0)
                fail_msg("%zu: %s", i, c.trace);
            stop_deflate(&c);
        }
}

T_TEST(a_thousand_connections_use_the_same_arena)
{
    static const char reply[] = DEFLATE_REPLY "\r\n\r\n\xc1\x07\xf2\x48\xcd\xc9\xc9\x07\x00";
    struct client c;
    size_t used = 0;
    open_deflate(&c, "", 4096, 0);
    for (int i = 0; i < 1000; i++) {
        stop(&c);
        start(&c, (struct ws_config){.recv_cap = 4096, .deflate = &memory});
        feed(&c, (const unsigned char *)reply, sizeof reply - 1);
        T_STR(c.trace, "open:;text:Hello;");
        T_TRUE(memory.arena_used <= WS_DEFLATE_ARENA && (used == 0 || memory.arena_used == used));
        used = memory.arena_used;
    }
    stop_deflate(&c);
}
