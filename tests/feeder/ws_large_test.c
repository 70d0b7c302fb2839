/* Messages that outgrow their receive buffer, through the buffer that connections share. */
#include <errno.h>

#include "ws_peer.h"

#define MIB ((size_t)1 << 20)

static struct ws_large large;

static void large_start(size_t cap)
{
    large = (struct ws_large){.data = malloc(cap + WS_PADDING), .cap = cap};
    memset(large.data + cap, 0, WS_PADDING);
}

static void large_stop(void)
{
    T_TRUE(large.owner == NULL);
    free(large.data);
}

static char *letters(size_t len)
{
    char *text = malloc(len + 1);
    for (size_t i = 0; i < len; i++)
        text[i] = (char)('a' + (i * 7 + i / 251) % 26);
    text[len] = '\0';
    return text;
}

/* The message of `len` with `pieces` fragments, a ping between them. */
static void put_pieces(struct bytes *b, const char *text, size_t len, size_t pieces)
{
    size_t at = 0;
    for (size_t i = 0; i < pieces; i++) {
        size_t n = i + 1 < pieces ? len / pieces : len - at;
        put_frame(b, (i == 0 ? 1u : 0u) | (i + 1 == pieces ? 0x80u : 0u), text + at, n);
        if (i + 1 < pieces)
            put_message(b, 0x89, "between");
        at += n;
    }
}

T_TEST(a_message_of_16_mib_passes_through_the_shared_buffer)
{
    struct bytes b = {0};
    struct client c;
    char *text = letters(16 * MIB);
    large_start(16 * MIB);
    put_frame(&b, 0x81, text, 16 * MIB);
    put_message(&b, 0x81, "after");
    open_client(&c, (struct ws_config){.recv_cap = 262144, .large = &large});
    T_EQ(feed(&c, b.at, b.len - 7), b.len - 7);
    T_EQ(c.last.type, WS_TEXT);
    T_EQ(c.last.len, 16 * MIB);
    feed(&c, b.at + b.len - 7, 7);
    T_TRUE(strstr(c.trace, ";text:after;") != NULL);
    T_EQ(large.borrowed, 1);
    stop(&c);
    large_stop();
    free(b.at);
    free(text);
}

T_TEST(fragments_move_to_the_shared_buffer_wherever_they_outgrow_their_own)
{
    char *text = letters(5000);
    large_start(5000);
    for (size_t pieces = 1; pieces <= 50; pieces += 7)
        for (size_t len = 700; len <= 5000; len += 430)
            for (size_t step = 1; step < 6000; step = step * 5 + 1) {
                struct bytes b = {0};
                struct client c;
                put_pieces(&b, text, len, pieces);
                put_message(&b, 0x81, "z");
                open_client(&c, (struct ws_config){.recv_cap = 1024, .large = &large});
                for (size_t i = 0; i < b.len; i += step)
                    feed(&c, b.at + i, i + step < b.len ? step : b.len - i);
                char *end = strstr(c.trace, "text:");
                T_TRUE(end != NULL && strstr(end, ";text:z;") != NULL);
                T_EQ(strtoul(end + 5, NULL, 10), len);
                T_EQ((size_t)(end - c.trace), (pieces - 1) * strlen("ping:between;"));
                stop(&c);
                free(b.at);
            }
    large_stop();
    free(text);
}

T_TEST(content_survives_the_move_to_the_shared_buffer)
{
    struct bytes b = {0};
    struct ws_event ev;
    struct client c;
    char *text = letters(3000);
    large_start(4000);
    put_pieces(&b, text, 3000, 9);
    open_client(&c, (struct ws_config){.recv_cap = 1024, .large = &large});
    size_t done = 0;
    unsigned char *at;
    do {
        size_t n = ws_space(&c.ws, &at);
        n = n > b.len - done ? b.len - done : n;
        memcpy(at, b.at + done, n);
        done += n;
        ws_received(&c.ws, n);
        do
            ws_next(&c.ws, &ev);
        while (ev.type == WS_PING);
    } while (ev.type == WS_NONE);
    T_EQ(ev.type, WS_TEXT);
    T_EQ(ev.len, 3000);
    T_MEM(ev.data, text, 3000);
    T_TRUE(large.owner == &c.ws); /* until the next call */
    T_EQ(ws_next(&c.ws, &ev), WS_NONE);
    T_TRUE(large.owner == NULL);
    stop(&c);
    large_stop();
    free(b.at);
    free(text);
}

T_TEST(a_second_connection_is_left_unread_until_the_buffer_is_free)
{
    struct bytes b = {0};
    struct client first, second;
    struct ws_event ev;
    struct ws_config cfg = {.recv_cap = 4096, .large = &large};
    char *text = letters(100000);
    large_start(100000);
    put_frame(&b, 0x81, text, 100000);
    open_client(&first, cfg);
    open_client(&second, cfg);
    T_EQ(feed(&first, b.at, 50000), 50000);
    size_t taken = feed(&second, b.at, b.len);
    T_TRUE(taken > 0 && taken <= 4096);
    T_EQ(ws_next(&second.ws, &ev), WS_BLOCKED);
    T_EQ(ws_next(&second.ws, &ev), WS_BLOCKED);
    T_EQ(feed(&first, b.at + 50000, b.len - 50000), b.len - 50000);
    T_EQ(first.last.type, WS_TEXT);
    T_EQ(drain(&second), WS_NONE); /* resumes with what it holds */
    T_EQ(feed(&second, b.at + taken, b.len - taken), b.len - taken);
    T_STR(second.trace, first.trace);
    T_EQ(large.borrowed, 2);
    stop(&first);
    stop(&second);
    large_stop();
    free(b.at);
    free(text);
}

T_TEST(a_connection_that_ends_gives_the_buffer_back)
{
    struct bytes b = {0};
    struct client c;
    struct ws_config cfg = {.recv_cap = 1024, .large = &large};
    unsigned char out[64];
    char *text = letters(5000);
    large_start(8000);
    put_frame(&b, 0x01, text, 5000);
    open_client(&c, cfg);
    feed(&c, b.at, 3000);
    T_TRUE(large.owner == &c.ws);
    stop(&c); /* torn down in mid-message */
    T_TRUE(large.owner == NULL);

    open_client(&c, cfg);
    feed(&c, b.at, 3000);
    T_TRUE(ws_close(&c.ws, 1000, NULL, out, sizeof out) > 0);
    T_TRUE(large.owner == NULL);
    memset(large.data, '-', large.cap); /* it is another's now */
    feed(&c, b.at + 3000, b.len - 3000);
    feed(&c, (const unsigned char *)"\x80\x01x\x88\x02\x03\xe8", 7);
    T_STR(c.trace, "close:1000 ;");
    for (size_t i = 0; i < large.cap; i++)
        T_EQ(large.data[i], '-');
    stop(&c);

    open_client(&c, cfg);
    feed(&c, b.at, b.len);
    feed(&c, (const unsigned char *)"\x83\x00", 2); /* reserved opcode */
    T_EQ(c.last.type, WS_ERROR);
    T_TRUE(large.owner == NULL);
    stop(&c);
    large_stop();
    free(b.at);
    free(text);
}

T_TEST(a_message_over_the_limit_is_refused_at_its_header)
{
    struct bytes payload = {0};
    struct client c;
    char *text = letters(2000);
    large_start(4096);
    open_client(&c, (struct ws_config){.recv_cap = 1024, .large = &large, .max_message = 3000});
    feed(&c, (const unsigned char *)"\x81\x7e\x0b\xb9", 4); /* 3,001 bytes to come */
    T_STR(c.trace, "error:1009 message of 3001 bytes is longer than the limit of 3000;");
    T_EQ(owed(&c, &payload), 0x88);
    T_EQ(payload.at[0] << 8 | payload.at[1], 1009);
    stop(&c);

    struct bytes b = {0};
    put_frame(&b, 0x01, text, 2000);
    put_frame(&b, 0x80, text, 1001);
    open_client(&c, (struct ws_config){.recv_cap = 1024, .large = &large, .max_message = 3000});
    feed(&c, b.at, b.len);
    T_STR(c.trace, "error:1009 message of 3001 bytes is longer than the limit of 3000;");
    stop(&c);
    T_EQ(ws_init(&c.ws,
                 &(struct ws_config){
                     .recv = payload.at, .recv_cap = 1024, .large = &large, .max_message = 4097}),
         -EINVAL);
    large_stop();
    free(b.at);
    free(payload.at);
    free(text);
}

T_TEST(bad_utf8_is_found_in_a_large_message)
{
    struct bytes b = {0};
    struct client c;
    char *text = letters(5000);
    large_start(8000);
    memcpy(text + 4321, "\xe2\x28\xa1", 3);
    put_frame(&b, 0x81, text, 5000);
    open_client(&c, (struct ws_config){.recv_cap = 1024, .large = &large});
    feed(&c, b.at, 4400);
    T_STR(c.trace, "error:1007 text is not UTF-8;");
    stop(&c);
    large_stop();
    free(b.at);
    free(text);
}
