/* The way through a proxy: its address, what it is asked, and its reply cut at every byte. */
#include "t.h"

#include <errno.h>

#include "proxy.h"

static struct proxy good(const char *text)
{
    struct proxy p;
    const char *why = "";
    if (proxy_parse(text, &p, &why) != 0)
        fail_msg("%s: %s", text, why);
    return p;
}

static void bad(const char *text, const char *word)
{
    struct proxy p = {.to.port = 77};
    const char *why = "";
    T_EQ(proxy_parse(text, &p, &why), -EINVAL);
    T_EQ(p.to.port, 77);
    if (strstr(why, word) == NULL || strstr(why, "secret") != NULL)
        fail_msg("%s: \"%s\" does not say \"%s\"", text, why, word);
}

T_TEST(an_address_is_host_and_port_with_or_without_a_scheme)
{
    struct proxy p = good("http://proxy.example:3128");
    T_STR(p.to.host, "proxy.example");
    T_TRUE(p.to.port == 3128 && !p.to.numeric && p.credentials[0] == '\0');
    T_EQ(good("HTTP://10.0.0.1:8080/").to.numeric, 1);
    T_EQ(good("proxy:1").to.port, 1);
    T_STR(good("http://[::1]:3128").to.host, "::1");
}

T_TEST(user_and_password_are_kept_for_the_header_alone)
{
    T_STR(good("http://Aladdin:open%20sesame@h:1").credentials, "QWxhZGRpbjpvcGVuIHNlc2FtZQ==");
    T_STR(good("u:p@ss@h:1").credentials, "dTpwQHNz");
    T_STR(good("u:@h:1").credentials, "dTo=");
    T_STR(good("u:p@h:1").to.host, "h");
}

T_TEST(what_is_no_proxy_is_refused_and_never_quoted)
{
    bad("", "HOST:PORT");
    bad("http://", "HOST:PORT");
    bad("http://h", "HOST:PORT");
    bad("http://h:0", "HOST:PORT");
    bad("http://h:secret", "HOST:PORT");
    bad("http://u:secret@", "HOST:PORT");
    bad("http://u:sec/ret@secret:1", "HOST:PORT");
    bad("http://h:1/path", "HOST:PORT");
    bad("http://u:secret@h!:1", "HOST:PORT");
    bad("https://u:secret@h:1", "http://");
    bad("socks5://u:secret@h:1", "http://");
    bad("http://secret@h:1", "without a password");
    bad("http://u:secret%4@h:1", "%");
    bad("http://u:secret%zz@h:1", "%");
    bad("http://u:secret%0d%0aX@h:1", "control");
    char text[400];
    memset(text, 'x', sizeof text);
    memcpy(text, "u:", 2);
    memcpy(text + PROXY_CREDENTIALS_MAX, "@h:1", 5);
    good(text);
    memcpy(text + PROXY_CREDENTIALS_MAX, "x@h:1", 6);
    bad(text, "too long");
}

T_TEST(a_list_spares_names_and_what_ends_in_them)
{
    T_TRUE(proxy_spares("*", "anything"));
    T_TRUE(proxy_spares("a, b.example ,c", "b.example"));
    T_TRUE(proxy_spares("EXAMPLE.com", "stream.example.COM"));
    T_TRUE(proxy_spares(".example.com", "stream.example.com"));
    T_TRUE(proxy_spares("*.example.com.", "stream.example.com"));
    T_TRUE(!proxy_spares("example.com", "badexample.com"));
    T_TRUE(!proxy_spares("stream.example.com", "example.com"));
    T_TRUE(!proxy_spares("", "h"));
    T_TRUE(!proxy_spares(" , ,", "h"));
    T_TRUE(!proxy_spares(".", "h"));
}

T_TEST(a_list_spares_addresses_and_networks)
{
    T_TRUE(proxy_spares(PROXY_LOOPBACK, "127.0.0.1"));
    T_TRUE(proxy_spares(PROXY_LOOPBACK, "127.200.0.9"));
    T_TRUE(proxy_spares(PROXY_LOOPBACK, "::1"));
    T_TRUE(proxy_spares(PROXY_LOOPBACK, "localhost"));
    T_TRUE(!proxy_spares(PROXY_LOOPBACK, "128.0.0.1"));
    T_TRUE(!proxy_spares(PROXY_LOOPBACK, "::2"));
    T_TRUE(proxy_spares("10.1.2.0/23", "10.1.3.255"));
    T_TRUE(!proxy_spares("10.1.2.0/23", "10.1.4.0"));
    T_TRUE(proxy_spares("fe80::/10 [2001:db8::1]", "2001:db8::1"));
    T_TRUE(proxy_spares("fe80::/10", "febf::1"));
    T_TRUE(proxy_spares("0.0.0.0/0", "9.9.9.9"));
    T_TRUE(!proxy_spares("0.0.0.0/", "9.9.9.9"));
    T_TRUE(!proxy_spares("0.0.0.0/33,0.0.0.0/x,0.0.0.0/0000", "9.9.9.9"));
    T_TRUE(!proxy_spares("1.1.1.1", "11.1.1.1"));
}

T_TEST(the_request_names_the_target_for_the_proxy_to_resolve)
{
    char out[600], error[URL_ERROR_MAX];
    struct url to;
    T_EQ(url_parse("wss://stream.example", &to, error), 0);
    struct proxy p = good("u:p@h:1");
    ssize_t n = proxy_request(&p, &to, out, sizeof out);
    T_STR(out, "CONNECT stream.example:443 HTTP/1.1\r\nHost: stream.example:443\r\n"
               "Proxy-Authorization: Basic dTpw\r\n\r\n");
    T_EQ(n, strlen(out));
    T_EQ(proxy_request(&p, &to, out, (size_t)n), -ENOBUFS);
    T_EQ(url_parse("ws://[::1]:9", &to, error), 0);
    p = good("h:1");
    T_TRUE(proxy_request(&p, &to, out, sizeof out) > 0);
    T_STR(out, "CONNECT [::1]:9 HTTP/1.1\r\nHost: [::1]:9\r\n\r\n");
}

/* All of it, cut before `cut`; returns the bytes taken. */
static size_t feed(struct proxy_reply *r, const char *text, size_t cut)
{
    size_t len = strlen(text), first, second = 0;
    cut = cut < len ? cut : len;
    *r = (struct proxy_reply){0};
    proxy_take(r, (const unsigned char *)text, cut, &first);
    if (r->result == PROXY_MORE && len > cut)
        proxy_take(r, (const unsigned char *)text + cut, len - cut, &second);
    return first + second;
}

static void check_reply(const char *head, const char *behind, enum proxy_result result)
{
    char text[1024];
    struct proxy_reply r;
    snprintf(text, sizeof text, "%s%s", head, behind);
    for (size_t cut = 0; cut <= strlen(text); cut++) {
        T_EQ(feed(&r, text, cut), strlen(head));
        T_EQ(r.result, result);
    }
}

T_TEST(a_reply_is_the_same_wherever_it_is_cut_and_what_follows_is_left)
{
    static const char *const open[] = {
        "HTTP/1.1 200 Connection established\r\n\r\n",
        "HTTP/1.0 200 OK\r\nVia: 1.0 x\r\nContent-Length: 5\r\n\r\n",
        "HTTP/1.1 200\r\n\r\n",
        "HTTP/1.1 204 \r\nX:\r\n\r\n",
        "HTTP/1.1 200 bare\nX: y\n\n",
        "HTTP/1.1 100 Continue\r\nA: b\r\n\r\nHTTP/1.1 200 OK\r\n\r\n",
    };
    for (size_t i = 0; i < sizeof open / sizeof open[0]; i++) {
        check_reply(open[i], "", PROXY_OPEN);
        check_reply(open[i], "\x81\x05hello\r\n\r\nHTTP/1.1 407 x\r\n", PROXY_OPEN);
    }
}

T_TEST(a_refusal_is_known_from_its_status_line)
{
    char reason[PROXY_REASON_MAX];
    struct proxy_reply r;
    check_reply("HTTP/1.1 407 Proxy Authentication Required\r\n", "X: y\r\n\r\n", PROXY_REFUSED);
    feed(&r, "HTTP/1.1 407 secret\r\n", 3);
    proxy_reason(&r, reason);
    T_STR(reason, "the proxy refused with status 407: it asks for another user or password");
    feed(&r, "HTTP/1.0 403 no\r\n", 3);
    proxy_reason(&r, reason);
    T_TRUE(strstr(reason, "403") != NULL && strstr(reason, "no") != reason);
    feed(&r, "HTTP/1.1 502\n", 3);
    proxy_reason(&r, reason);
    T_TRUE(strstr(reason, "502") != NULL);
    feed(&r, "HTTP/1.1 301 there\r\n", 3);
    proxy_reason(&r, reason);
    T_STR(reason, "the proxy refused with status 301");
}

T_TEST(what_is_no_reply_is_told_at_its_first_wrong_byte)
{
    check_reply("S", "SH-2.0-x\r\n", PROXY_BROKEN);
    check_reply("HTTP/2", ".0 200\r\n", PROXY_BROKEN);
    check_reply("HTTP/1.1 20x", "\r\n\r\n", PROXY_BROKEN);
    check_reply("HTTP/1.1 2000", "\r\n\r\n", PROXY_BROKEN);
    check_reply("HTTP/1.1 20\r", "\n\r\n", PROXY_BROKEN);
    check_reply("HTTP/1.1 099 x\r\n", "\r\n", PROXY_BROKEN);
    check_reply("\r", "\nHTTP/1.1 200\r\n\r\n", PROXY_BROKEN);
    check_reply("HTTP/1.1 100\r\n\r\nj", "unk", PROXY_BROKEN);
}

T_TEST(a_reply_without_end_is_bounded)
{
    static const unsigned char line[] = "X: y\r\n";
    static const char start[] = "HTTP/1.1 200 OK\r\n";
    char reason[PROXY_REASON_MAX];
    struct proxy_reply r = {0};
    size_t taken, total = 0;
    proxy_take(&r, (const unsigned char *)start, sizeof start - 1, &taken);
    total += taken;
    while (proxy_take(&r, line, sizeof line - 1, &taken) == PROXY_MORE)
        total += taken;
    T_EQ(r.result, PROXY_BROKEN);
    T_EQ(total + taken, PROXY_REPLY_MAX + 1);
    proxy_reason(&r, reason);
    T_TRUE(strstr(reason, "longer") != NULL);
    T_EQ(proxy_take(&r, line, sizeof line - 1, &taken), PROXY_BROKEN);
    T_EQ(taken, 0);
}

T_TEST(an_end_says_whether_anything_had_come)
{
    char reason[PROXY_REASON_MAX];
    struct proxy_reply r = {0};
    proxy_reason(&r, reason);
    T_STR(reason, "the proxy ended the connection without an answer");
    feed(&r, "HTTP/1.1 200 O", 3);
    proxy_reason(&r, reason);
    T_STR(reason, "the proxy ended the connection in the middle of its answer");
}
