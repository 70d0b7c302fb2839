/* The WebSocket stage: frames in, messages out, and back. */
#include <errno.h>

#include "ws_peer.h"

#define SMALL            \
    (struct ws_config)   \
    {                    \
        .recv_cap = 1024 \
    }

static void fill(char *text, size_t len)
{
    for (size_t i = 0; i < len; i++)
        text[i] = (char)('a' + i % 23);
    text[len] = '\0';
}

/* Everything that a connection may see, in under 450 bytes. */
static void session(struct bytes *b)
{
    char medium[131];
    fill(medium, 130);
    put_reply(b);
    put_message(b, 0x81, "with the reply");
    put_message(b, 0x01, "frag");
    put_message(b, 0x89, "are you there");
    put_message(b, 0x00, "men\xc3");
    put_message(b, 0x00, "");
    put_message(b, 0x8a, "");
    put_message(b, 0x80, "\xa9s");
    put_message(b, 0x82, "bin\x01");
    put_message(b, 0x81, medium);
    put_message(b, 0x81, "");
    put_message(b, 0x02, "");
    put_message(b, 0x80, "x");
    put_message(b, 0x81, "euro \xe2\x82\xac \xf0\x9f\x98\x80 ascii again, long enough for words");
    put_message(b, 0x88, "\x03\xe8thank you");
}

static const char *session_events(void)
{
    static char text[512];
    char medium[131];
    fill(medium, 130);
    snprintf(text, sizeof text,
             "open:;text:with the reply;ping:are you there;pong:;text:fragmen\xc3\xa9s;"
             "binary:bin\x01;text:%s;text:;binary:x;"
             "text:euro \xe2\x82\xac \xf0\x9f\x98\x80 ascii again, long enough for words;"
             "close:1000 thank you;",
             medium);
    return text;
}

static void run_cut(const struct client *fresh, const struct bytes *b, size_t i, size_t j,
                    struct client *c)
{
    c->ws = fresh->ws;
    c->trace_len = 0;
    feed(c, b->at, i);
    feed(c, b->at + i, j - i);
    feed(c, b->at + j, b->len - j);
}

T_TEST(a_session_gives_its_events)
{
    struct bytes b = {0};
    struct client c;
    session(&b);
    start(&c, SMALL);
    T_EQ(feed(&c, b.at, b.len), b.len);
    T_STR(c.trace, session_events());
    stop(&c);
    free(b.at);
}

T_TEST(a_session_byte_by_byte_gives_the_same_events)
{
    struct bytes b = {0};
    struct client c;
    session(&b);
    start(&c, SMALL);
    for (size_t i = 0; i < b.len; i++)
        feed(&c, b.at + i, 1);
    T_STR(c.trace, session_events());
    stop(&c);
    free(b.at);
}

T_TEST(a_session_cut_at_every_pair_of_points_gives_the_same_events)
{
    struct bytes b = {0};
    static struct client fresh, c;
    const char *events = session_events();
    session(&b);
    T_TRUE(b.len < 600);
    start(&fresh, SMALL);
    c = fresh;
    for (size_t i = 0; i <= b.len; i++)
        for (size_t j = i; j <= b.len; j++) {
            run_cut(&fresh, &b, i, j, &c);
            if (strcmp(c.trace, events) != 0)
                fail_msg("cut at %zu and %zu: %s", i, j, c.trace);
        }
    stop(&c);
    free(b.at);
}

T_TEST(a_session_through_the_smallest_buffer_gives_the_same_events)
{
    struct bytes b = {0};
    struct client c;
    session(&b);
    for (size_t step = 1; step < 200; step += 7) {
        start(&c, (struct ws_config){.recv_cap = WS_RECV_MIN});
        for (size_t i = 0; i < b.len; i += step)
            feed(&c, b.at + i, i + step < b.len ? step : b.len - i);
        T_STR(c.trace, session_events());
        stop(&c);
    }
    free(b.at);
}

T_TEST(every_form_of_length_is_read)
{
    static const size_t lens[] = {0, 1, 124, 125, 126, 127, 128, 65535, 65536, 65537, 200000};
    char *text = malloc(200001), *trace = malloc(8192);
    fill(text, 200000);
    for (size_t step = 1; step < 300000; step = step * 37 + 1) {
        struct bytes b = {0};
        struct client c, whole;
        for (size_t i = 0; i < sizeof lens / sizeof lens[0]; i++)
            put_frame(&b, i % 2 ? 0x81 : 0x82, text, lens[i]);
        open_client(&whole, (struct ws_config){.recv_cap = 1 << 20});
        open_client(&c, (struct ws_config){.recv_cap = 262144});
        feed(&whole, b.at, b.len);
        for (size_t i = 0; i < b.len; i += step)
            feed(&c, b.at + i, i + step < b.len ? step : b.len - i);
        T_STR(c.trace, whole.trace);
        T_TRUE(strstr(c.trace, "binary:200000#") != NULL && strstr(c.trace, "text:65535#") != NULL);
        stop(&whole);
        stop(&c);
        free(b.at);
    }
    free(text);
    free(trace);
}

T_TEST(messages_of_one_read_are_handed_out_where_they_lie)
{
    struct bytes b = {0};
    struct client c;
    struct ws_event ev;
    unsigned char *at;
    for (int i = 0; i < 100; i++)
        put_message(&b, 0x81, "a tick");
    open_client(&c, SMALL);
    T_TRUE(ws_space(&c.ws, &at) >= b.len);
    memcpy(at, b.at, b.len);
    ws_received(&c.ws, b.len);
    for (size_t i = 0; i < 100; i++) {
        T_EQ(ws_next(&c.ws, &ev), WS_TEXT);
        T_TRUE(ev.data == at + i * 8 + 2);
        T_EQ(ev.len, 6);
    }
    T_EQ(ws_next(&c.ws, &ev), WS_NONE);
    stop(&c);
    free(b.at);
}

struct wrong {
    const char *bytes;
    size_t len;
    int code;
    const char *reason;
};
#define WRONG(code, reason, bytes)            \
    {                                         \
        bytes, sizeof bytes - 1, code, reason \
    }

static const struct wrong wrongs[] = {
    WRONG(1002, "frame from the server is masked", "\x81\x81????x"),
    WRONG(1002, "reserved bits are set and no extension gives them a meaning", "\xc1\x01x"),
    WRONG(1002, "reserved bits are set and no extension gives them a meaning", "\xa1\x01x"),
    WRONG(1002, "reserved bits are set and no extension gives them a meaning", "\x91\x01x"),
    WRONG(1002, "frame has a reserved opcode", "\x83\x01x"),
    WRONG(1002, "frame has a reserved opcode", "\x87\x01x"),
    WRONG(1002, "frame has a reserved opcode", "\x8b\x01x"),
    WRONG(1002, "frame has a reserved opcode", "\x8f\x01x"),
    WRONG(1002, "control frame is longer than 125 bytes", "\x89\x7e\x00\x7e"),
    WRONG(1002, "control frame is longer than 125 bytes", "\x88\x7f\x00\x00"),
    WRONG(1002, "control frame is fragmented", "\x09\x00"),
    WRONG(1002, "control frame is fragmented", "\x08\x00"),
    WRONG(1002, "continuation frame without a message to continue", "\x80\x01x"),
    WRONG(1002, "continuation frame without a message to continue", "\x81\x01x\x80\x01x"),
    WRONG(1002, "new message inside a fragmented message", "\x01\x01x\x81\x01x"),
    WRONG(1002, "new message inside a fragmented message", "\x01\x01x\x02\x01x"),
    WRONG(1002, "length is not in its shortest form", "\x81\x7e\x00\x7dx"),
    WRONG(1002, "length is not in its shortest form", "\x82\x7e\x00\x00x"),
    WRONG(1002, "length is not in its shortest form", "\x81\x7f\0\0\0\0\0\0\xff\xffx"),
    WRONG(1002, "length has its highest bit set", "\x81\x7f\x80\0\0\0\0\0\0\0x"),
    WRONG(1002, "close frame has a payload of one byte", "\x88\x01\x03"),
    WRONG(1002, "close code 0 may not be sent", "\x88\x02\x00\x00"),
    WRONG(1002, "close code 999 may not be sent", "\x88\x02\x03\xe7"),
    WRONG(1002, "close code 1004 may not be sent", "\x88\x02\x03\xec"),
    WRONG(1002, "close code 1005 may not be sent", "\x88\x02\x03\xed"),
    WRONG(1002, "close code 1006 may not be sent", "\x88\x02\x03\xee"),
    WRONG(1002, "close code 1015 may not be sent", "\x88\x02\x03\xf7"),
    WRONG(1002, "close code 2999 may not be sent", "\x88\x02\x0b\xb7"),
    WRONG(1002, "close code 5000 may not be sent", "\x88\x02\x13\x88"),
    WRONG(1002, "close code 65535 may not be sent", "\x88\x02\xff\xff"),
    WRONG(1007, "close reason is not UTF-8", "\x88\x04\x03\xe8\xc3\x28"),
    WRONG(1007, "close reason is not UTF-8", "\x88\x03\x03\xe8\xc3"),
    WRONG(1007, "text is not UTF-8", "\x81\x01\xff"),
    WRONG(1007, "text is not UTF-8", "\x81\x02\xc0\xaf"),         /* overlong */
    WRONG(1007, "text is not UTF-8", "\x81\x03\xed\xa0\x80"),     /* surrogate */
    WRONG(1007, "text is not UTF-8", "\x81\x04\xf4\x90\x80\x80"), /* beyond U+10FFFF */
    WRONG(1007, "text is not UTF-8",
          "\x81\x0c"
          "12345678901\x80"),
    WRONG(1007, "text is not UTF-8",
          "\x81\x20"
          "1234567\x80"
          "123456789012345678901234"),
    WRONG(1007, "text ends inside a UTF-8 character", "\x81\x02\xe2\x82"),
    WRONG(1007, "text ends inside a UTF-8 character", "\x01\x01\xe2\x80\x01\x82"),
    WRONG(1009, "message of 1025 bytes is longer than the limit of 864", "\x81\x7e\x04\x01"),
    WRONG(1009, "message of 9223372036854775807 bytes is longer than the limit of 864",
          "\x82\x7f\x7f\xff\xff\xff\xff\xff\xff\xff"),
};

T_TEST(every_protocol_error_is_refused_with_its_close_code)
{
    struct bytes payload = {0};
    for (size_t i = 0; i < sizeof wrongs / sizeof wrongs[0]; i++)
        for (int slow = 0; slow < 2; slow++) {
            const struct wrong *w = &wrongs[i];
            struct client c;
            open_client(&c, SMALL);
            for (size_t k = 0; k < w->len; k += slow ? 1 : w->len)
                feed(&c, (const unsigned char *)w->bytes + k, slow ? 1 : w->len);
            if (c.last.type != WS_ERROR || c.last.code != w->code ||
                strcmp(c.last.reason, w->reason) != 0)
                fail_msg("fault %zu: %s", i, c.trace);
            T_EQ(owed(&c, &payload), 0x88);
            T_EQ(payload.len, 2);
            T_EQ(payload.at[0] << 8 | payload.at[1], w->code);
            T_EQ(owed(&c, &payload), 0);
            size_t before = c.trace_len;
            feed(&c, (const unsigned char *)"\x81\x01x", 3);
            T_EQ(c.trace_len, before);
            stop(&c);
        }
    free(payload.at);
}

T_TEST(every_close_code_that_may_be_sent_is_taken_and_answered)
{
    static const unsigned codes[] = {1000, 1001, 1002, 1003, 1007, 1008, 1009,
                                     1010, 1011, 1012, 1013, 1014, 3000, 4999};
    struct bytes payload = {0};
    for (size_t i = 0; i < sizeof codes / sizeof codes[0]; i++) {
        struct client c;
        unsigned char close[4] = {0x88, 2, (unsigned char)(codes[i] >> 8), (unsigned char)codes[i]};
        open_client(&c, SMALL);
        feed(&c, close, sizeof close);
        T_EQ(c.last.type, WS_CLOSE);
        T_EQ(c.last.code, codes[i]);
        T_EQ(owed(&c, &payload), 0x88);
        T_EQ(payload.at[0] << 8 | payload.at[1], codes[i]);
        stop(&c);
    }
    struct client c;
    open_client(&c, SMALL);
    feed(&c, (const unsigned char *)"\x88\x00", 2);
    T_STR(c.trace, "close:1005 ;");
    T_EQ(owed(&c, &payload), 0x88);
    T_EQ(payload.len, 0);
    stop(&c);
    free(payload.at);
}

T_TEST(utf8_split_at_every_byte_over_fragments_is_one_text)
{
    static const char text[] =
        "ascii \xc2\xa2 \xe2\x82\xac \xf0\x90\x8d\x88 and \xf4\x8f\xbf\xbf end";
    size_t len = sizeof text - 1;
    for (size_t i = 0; i <= len; i++)
        for (size_t j = i; j <= len; j++) {
            struct bytes b = {0};
            struct client c;
            put_frame(&b, 0x01, text, i);
            put_frame(&b, 0x00, text + i, j - i);
            put_frame(&b, 0x80, text + j, len - j);
            open_client(&c, SMALL);
            feed(&c, b.at, b.len);
            T_EQ(c.last.type, WS_TEXT);
            T_EQ(c.last.len, len);
            T_MEM(c.last.data, text, len);
            stop(&c);
            free(b.at);
        }
}

/* The check against a second one, written from the table of RFC 3629 4. */
static bool utf8_by_rfc(const unsigned char *p, size_t n)
{
    for (size_t i = 0; i < n;) {
        unsigned more, low = 0x80, high = 0xbf, b = p[i++];
        if (b < 0x80)
            continue;
        if (b >= 0xc2 && b <= 0xdf)
            more = 1;
        else if (b >= 0xe0 && b <= 0xef)
            more = 2;
        else if (b >= 0xf0 && b <= 0xf4)
            more = 3;
        else
            return false;
        low = b == 0xe0 ? 0xa0 : b == 0xf0 ? 0x90 : low;
        high = b == 0xed ? 0x9f : b == 0xf4 ? 0x8f : high;
        for (; more > 0; more--, low = 0x80, high = 0xbf)
            if (i == n || p[i] < low || p[i++] > high)
                return false;
    }
    return true;
}

T_TEST(text_is_accepted_exactly_if_it_is_utf8)
{
    static const unsigned char edges[] = {0x00, 0x41, 0x7f, 0x80, 0x8f, 0x90, 0x9f, 0xa0, 0xbf,
                                          0xc0, 0xc1, 0xc2, 0xdf, 0xe0, 0xe1, 0xec, 0xed, 0xee,
                                          0xef, 0xf0, 0xf1, 0xf3, 0xf4, 0xf5, 0xff};
    const size_t n = sizeof edges;
    unsigned char frame[2 + 13] = {0x81, 13, 'a', 'b', 'c', 'd', 'e', 'f', 'g', 'h', 'i'};
    struct client fresh, c;
    size_t valid = 0;
    open_client(&fresh, SMALL);
    c = fresh;
    for (size_t k = 0; k < n * n * n * n; k++) {
        for (size_t i = 0, v = k; i < 4; i++, v /= n)
            frame[11 + i] = edges[v % n];
        c.ws = fresh.ws;
        c.trace_len = 0;
        feed(&c, frame, sizeof frame);
        bool good = utf8_by_rfc(frame + 2, 13);
        valid += good;
        if ((c.last.type == WS_TEXT) != good)
            fail_msg("%02x %02x %02x %02x", frame[11], frame[12], frame[13], frame[14]);
    }
    T_TRUE(valid > 100);
    stop(&c);
}

T_TEST(only_the_latest_ping_is_answered_and_fits_the_control_limit)
{
    struct bytes b = {0}, payload = {0};
    struct client c;
    char longest[126];
    fill(longest, 125);
    put_message(&b, 0x89, "first");
    put_message(&b, 0x89, "second");
    put_message(&b, 0x89, longest);
    open_client(&c, SMALL);
    feed(&c, b.at, b.len);
    T_EQ(owed(&c, &payload), 0x8a);
    T_EQ(payload.len, 125);
    T_MEM(payload.at, longest, 125);
    T_EQ(owed(&c, &payload), 0);
    stop(&c);
    free(b.at);
    free(payload.at);
}

T_TEST(an_answer_that_does_not_fit_stays_owed)
{
    struct bytes payload = {0};
    struct client c;
    unsigned char small[8];
    open_client(&c, SMALL);
    feed(&c, (const unsigned char *)"\x89\x05hello", 7);
    T_EQ(ws_owed(&c.ws, small, sizeof small), -ENOBUFS);
    T_EQ(owed(&c, &payload), 0x8a);
    T_EQ(payload.len, 5);
    T_MEM(payload.at, "hello", 5);
    stop(&c);
    free(payload.at);
}

T_TEST(every_frame_has_a_fresh_mask_and_reads_back)
{
    static const size_t lens[] = {0, 1, 3, 4, 7, 8, 9, 125, 126, 127, 65535, 65536, 70001};
    struct client c;
    struct bytes payload = {0};
    char *text = malloc(70002);
    unsigned char *out = malloc(70002 + WS_FRAME_MAX_HEAD);
    fill(text, 70001);
    open_client(&c, SMALL);
    for (size_t i = 0; i < sizeof lens / sizeof lens[0]; i++) {
        unsigned b0;
        T_EQ(ws_write(&c.ws, WS_OP_TEXT, text, lens[i], out, lens[i]), -ENOBUFS);
        ssize_t n = ws_write(&c.ws, WS_OP_TEXT, text, lens[i], out, lens[i] + WS_FRAME_MAX_HEAD);
        T_TRUE(n > 0);
        T_EQ(read_frame(out, (size_t)n, &b0, &payload), n);
        T_EQ(b0, 0x81);
        T_EQ(payload.len, lens[i]);
        if (lens[i] > 0)
            T_MEM(payload.at, text, lens[i]);
    }
    stop(&c);
    free(text);
    free(out);
    free(payload.at);
}

T_TEST(masks_of_the_kernel_do_not_repeat)
{
    enum { FRAMES = 1000 };
    static uint32_t masks[FRAMES];
    struct client c;
    unsigned char out[64];
    size_t repeats = 0;
    open_client(&c, SMALL);
    c.ws.cfg.random = NULL;
    for (int i = 0; i < FRAMES; i++) {
        T_EQ(ws_write(&c.ws, WS_OP_PING, "x", 1, out, sizeof out), 7);
        memcpy(&masks[i], out + 2, 4);
        for (int k = 0; k < i; k++)
            repeats += masks[k] == masks[i];
    }
    T_TRUE(repeats <= 2); /* by chance one in 10,000 runs has one */
    stop(&c);
}

static int no_random(void *arg, void *buf, size_t len)
{
    (void)arg;
    (void)buf;
    (void)len;
    return -EIO;
}

T_TEST(without_random_bytes_nothing_is_sent)
{
    struct client c;
    unsigned char out[256];
    struct ws_target to = {"h", "/", NULL};
    open_client(&c, SMALL);
    c.ws.cfg.random = no_random;
    T_EQ(ws_write(&c.ws, WS_OP_TEXT, "x", 1, out, sizeof out), -EIO);
    T_EQ(ws_close(&c.ws, 1000, NULL, out, sizeof out), -EIO);
    T_EQ(ws_request(&c.ws, &to, (char *)out, sizeof out), -EIO);
    stop(&c);
}

T_TEST(after_our_close_only_a_close_is_awaited)
{
    struct bytes b = {0}, payload = {0};
    struct client c;
    unsigned char out[256];
    unsigned b0;
    put_message(&b, 0x00, "rest of what was begun");
    put_message(&b, 0x89, "ping");
    put_message(&b, 0x80, "\xff");
    put_message(&b, 0x81, "late");
    put_message(&b, 0x88, "\x03\xe8");
    open_client(&c, SMALL);
    feed(&c,
         (const unsigned char *)"\x01\x05"
                                "begun"
                                "\x00\x16"
                                "rest",
         7 + 6);
    ssize_t n = ws_close(&c.ws, 1001, "going away", out, sizeof out);
    T_EQ(read_frame(out, (size_t)n, &b0, &payload), n);
    T_EQ(b0, 0x88);
    T_EQ(payload.len, 12);
    T_MEM(payload.at, "\x03\xe9going away", 12);
    T_EQ(ws_write(&c.ws, WS_OP_TEXT, "x", 1, out, sizeof out), -ENOTCONN);
    T_EQ(ws_close(&c.ws, 1001, NULL, out, sizeof out), -ENOTCONN);
    feed(&c, b.at + 6, b.len - 6);
    T_STR(c.trace, "close:1000 ;");
    T_EQ(owed(&c, &payload), 0); /* the handshake is complete: no second close */
    stop(&c);
    free(b.at);
    free(payload.at);
}

T_TEST(a_close_reason_is_cut_between_characters)
{
    struct client c;
    struct bytes payload = {0};
    unsigned char out[256];
    unsigned b0;
    char reason[200];
    memset(reason, 'r', 122);
    strcpy(reason + 122, "\xe2\x82\xac and more");
    open_client(&c, SMALL);
    T_EQ(ws_close(&c.ws, 1005, NULL, out, sizeof out), -EINVAL);
    T_EQ(ws_close(&c.ws, 1000, reason, out, 64), -ENOBUFS);
    ssize_t n = ws_close(&c.ws, 1000, reason, out, sizeof out);
    read_frame(out, (size_t)n, &b0, &payload);
    T_EQ(payload.len, 2 + 122);
    stop(&c);
    free(payload.at);
}

T_TEST(calls_out_of_order_are_refused)
{
    struct client c;
    unsigned char out[256], big[126] = {0};
    start(&c, SMALL);
    T_EQ(ws_write(&c.ws, WS_OP_TEXT, "x", 1, out, sizeof out), -ENOTCONN);
    T_EQ(ws_close(&c.ws, 1000, NULL, out, sizeof out), -ENOTCONN);
    feed(&c, (const unsigned char *)(REPLY "\r\n"), strlen(REPLY "\r\n"));
    T_EQ(ws_write(&c.ws, WS_OP_CLOSE, "x", 1, out, sizeof out), -EINVAL);
    T_EQ(ws_write(&c.ws, WS_OP_CONTINUATION, "x", 1, out, sizeof out), -EINVAL);
    T_EQ(ws_write(&c.ws, WS_OP_PING, big, sizeof big, out, sizeof out), -EINVAL);
    stop(&c);
    ws_drop(NULL);
    T_EQ(ws_init(&c.ws, &(struct ws_config){0}), -EINVAL);
    T_EQ(ws_init(&c.ws, &(struct ws_config){.recv = out, .recv_cap = 100}), -EINVAL);
}
