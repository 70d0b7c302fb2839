/* The upgrade: what is asked, and which answers are taken. */
#include <errno.h>

#include "ws_peer.h"

#define CONFIG            \
    (struct ws_config)    \
    {                     \
        .recv_cap = 32768 \
    }

static void answer(struct client *c, const char *reply)
{
    start(c, CONFIG);
    feed(c, (const unsigned char *)reply, strlen(reply));
}

T_TEST(the_request_is_that_of_the_rfc)
{
    struct client c;
    char out[1024];
    struct ws_target to = {"stream.example.com:9443", "/ws?streams=a/b", "X-Key: 1\r\nY: two\r\n"};
    start(&c, CONFIG);
    c.random.calls = 0;
    ssize_t n = ws_request(&c.ws, &to, out, sizeof out);
    T_STR(out, "GET /ws?streams=a/b HTTP/1.1\r\nHost: stream.example.com:9443\r\n"
               "Upgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Key: " KEY "\r\n"
               "Sec-WebSocket-Version: 13\r\nX-Key: 1\r\nY: two\r\n\r\n");
    T_EQ(n, strlen(out));
    c.random.calls = 0;
    T_EQ(ws_request(&c.ws, &to, out, (size_t)n), -ENOBUFS);
    stop(&c);
}

T_TEST(keys_of_the_kernel_differ)
{
    struct client c;
    char first[1024], second[1024];
    struct ws_target to = {"h", "/", NULL};
    start(&c, CONFIG);
    c.ws.cfg.random = NULL;
    T_TRUE(ws_request(&c.ws, &to, first, sizeof first) > 0);
    T_TRUE(ws_request(&c.ws, &to, second, sizeof second) > 0);
    T_TRUE(strcmp(first, second) != 0);
    stop(&c);
}

T_TEST(nothing_can_be_smuggled_into_the_request)
{
    static const struct ws_target bad[] = {
        {"h\r\nX: y", "/", NULL},  {"h h", "/", NULL},         {"", "/", NULL},
        {"h", "/ HTTP/1.1", NULL}, {"h", "/\r\nX: y", NULL},   {"h", "ws", NULL},
        {"h", "", NULL},           {"h", "/", "X: y"},         {"h", "/", "X: y\r\n\r\nGET"},
        {"h", "/", "X: y\n\r\n"},  {"h", "/", "\r\nX: y\r\n"}, {"h", "/\x7f", NULL},
    };
    struct client c;
    char out[1024];
    start(&c, CONFIG);
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++)
        T_EQ(ws_request(&c.ws, &bad[i], out, sizeof out), -EINVAL);
    stop(&c);
}

T_TEST(a_message_in_the_packet_of_the_reply_is_not_lost)
{
    struct client c;
    answer(&c, REPLY "\r\n\x81\x05hello\x89\x01p");
    T_STR(c.trace, "open:;text:hello;ping:p;");
    stop(&c);
}

T_TEST(header_names_and_tokens_are_read_in_any_case)
{
    struct client c;
    answer(&c, "HTTP/1.1 101\r\nuPGRADE:\tWebSocket \r\nCONNECTION: keep-alive,  Upgrade\r\n"
               "sec-websocket-ACCEPT:s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\nX-Empty:\r\n\r\n");
    T_STR(c.trace, "open:;");
    stop(&c);
}

static const struct {
    const char *reply, *reason;
} faults[] = {
    {"HTTP/1.1 101 X\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
     "Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOO=\r\n\r\n",
     "Sec-WebSocket-Accept does not answer our key"},
    {"HTTP/1.1 101 X\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\r\n",
     "reply has no Sec-WebSocket-Accept"},
    {"HTTP/1.1 101 X\r\nConnection: Upgrade\r\n"
     "Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\n\r\n",
     "reply has no header Upgrade: websocket"},
    {"HTTP/1.1 101 X\r\nUpgrade: websocket\r\nConnection: close\r\n"
     "Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\n\r\n",
     "reply has no header Connection: Upgrade"},
    {REPLY "Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\n\r\n",
     "Sec-WebSocket-Accept is given twice"},
    {REPLY "Sec-WebSocket-Protocol: chat\r\n\r\n",
     "server chose a subprotocol and none was asked for"},
    {REPLY "Sec-WebSocket-Extensions: permessage-deflate\r\n\r\n",
     "server chose an extension that was not offered"},
    {REPLY " folded: line\r\n\r\n",
     "blank around the name of a header, or a folded line, in the reply"},
    {REPLY "Name : x\r\n\r\n", "blank around the name of a header, or a folded line, in the reply"},
    {REPLY "no colon\r\n\r\n", "header line without a name in the reply"},
    {REPLY ": no name\r\n\r\n", "header line without a name in the reply"},
    {REPLY "X: \x01\r\n\r\n", "control character in a header of the reply"},
    {"HTTP/1.1 1x1 X\r\n\r\n", "status line of the reply is malformed"},
    {"HTTP/1.1 1011 X\r\n\r\n", "status line of the reply is malformed"},
    {"HTTP/1.1 101 X\nUpgrade", "line of the reply does not end in CR LF"},
    {"HTTP/1.0 101 X\r\n\r\n", "the peer does not answer in HTTP/1.1"},
    {"SSH-2.0-x", "the peer does not answer in HTTP/1.1"},
    {"\x15\x03\x01", "the peer does not answer in HTTP/1.1"},
};

T_TEST(a_reply_that_is_no_upgrade_is_refused_with_its_reason)
{
    char expect[256];
    struct bytes none = {0};
    for (size_t i = 0; i < sizeof faults / sizeof faults[0]; i++)
        for (int slow = 0; slow < 2; slow++) {
            struct client c;
            size_t len = strlen(faults[i].reply);
            start(&c, CONFIG);
            for (size_t k = 0; k < len; k += slow ? 1 : len)
                feed(&c, (const unsigned char *)faults[i].reply + k, slow ? 1 : len);
            snprintf(expect, sizeof expect, "error:0 %s;", faults[i].reason);
            T_STR(c.trace, expect);
            T_EQ(owed(&c, &none), 0); /* there is no WebSocket to close */
            stop(&c);
        }
}

T_TEST(a_refusal_gives_status_reason_and_retry_after)
{
    struct client c;
    answer(&c,
           "HTTP/1.1 429 Too Many Requests\r\nRetry-After: 37\r\nContent-Length: 4\r\n\r\nslow");
    T_EQ(c.last.type, WS_REFUSED);
    T_EQ(c.last.code, 429);
    T_EQ(c.last.retry_after_s, 37);
    T_STR(c.last.retry_after, "37");
    T_STR(c.last.reason, "Too Many Requests: slow");
    stop(&c);
    answer(&c, "HTTP/1.1 503 Service Unavailable\r\n"
               "retry-after: Fri, 31 Dec 1999 23:59:59 GMT\r\n\r\n");
    T_EQ(c.last.code, 503);
    T_EQ(c.last.retry_after_s, -1);
    T_STR(c.last.retry_after, "Fri, 31 Dec 1999 23:59:59 GMT");
    T_STR(c.last.reason, "Service Unavailable");
    stop(&c);
    answer(&c, "HTTP/1.1 418\r\nRetry-After: 99999999999999999999\r\nbroken line\r\n\r\n\x1b[2J");
    T_EQ(c.last.code, 418);
    T_TRUE(c.last.retry_after_s >= 99999999);
    T_STR(c.last.reason, "?[2J");
    stop(&c);
}

T_TEST(a_long_reason_is_cut_for_the_log)
{
    struct bytes b = {0};
    struct client c;
    put_text(&b, "HTTP/1.1 403 ");
    for (int i = 0; i < 100; i++)
        put_text(&b, "words ");
    put_text(&b, "\r\n\r\n");
    for (int i = 0; i < 100; i++)
        put_text(&b, "body ");
    start(&c, CONFIG);
    feed(&c, b.at, b.len);
    T_EQ(c.last.code, 403);
    T_TRUE(strlen(c.last.reason) > 100 && strlen(c.last.reason) < WS_REASON_MAX);
    stop(&c);
    free(b.at);
}

T_TEST(a_reply_over_the_bound_is_refused)
{
    for (int over = 0; over < 2; over++)
        for (size_t step = 1; step <= 20000; step += 19999) {
            struct bytes b = {0};
            struct client c;
            put_text(&b, REPLY "X: ");
            while (b.len < WS_REPLY_MAX - 4 + (size_t)over)
                put_text(&b, "x");
            put_text(&b, "\r\n\r\n");
            start(&c, CONFIG);
            for (size_t i = 0; i < b.len; i += step)
                feed(&c, b.at + i, i + step < b.len ? step : b.len - i);
            T_STR(c.trace, over ? "error:0 reply is longer than its bound;" : "open:;");
            stop(&c);
            free(b.at);
        }
}
