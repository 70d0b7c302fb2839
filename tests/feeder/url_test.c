#include "t.h"

#include <errno.h>

#include "url.h"

static struct url good(const char *text)
{
    struct url url;
    char error[URL_ERROR_MAX] = "";
    if (url_parse(text, &url, error) != 0)
        fail_msg("%s: %s", text, error);
    return url;
}

static void bad(const char *text, const char *word)
{
    struct url url = {.port = 77};
    char error[URL_ERROR_MAX] = "";
    T_EQ(url_parse(text, &url, error), -EINVAL);
    T_EQ(url.port, 77);
    if (strstr(error, word) == NULL || strchr(error, '\n') != NULL)
        fail_msg("%s: \"%s\" does not say \"%s\"", text, error, word);
}

T_TEST(scheme_decides_tls_and_port)
{
    struct url url = good("ws://example.org");
    T_TRUE(!url.tls && url.port == 80 && !url.has_path && !url.numeric);
    T_STR(url.authority, "example.org");
    T_STR(url.path, "/");
    url = good("WSS://stream.binance.com");
    T_TRUE(url.tls && url.port == 443);
}

T_TEST(port_is_in_the_authority_unless_it_is_the_usual_one)
{
    T_STR(good("wss://stream.binance.com:9443/ws").authority, "stream.binance.com:9443");
    T_STR(good("wss://stream.binance.com:443/ws").authority, "stream.binance.com");
    T_STR(good("ws://stream.binance.com:443/ws").authority, "stream.binance.com:443");
}

T_TEST(path_and_query_are_kept_as_they_are)
{
    struct url url = good("ws://h/stream?streams=a@trade/b@trade");
    T_TRUE(url.has_path);
    T_STR(url.path, "/stream?streams=a@trade/b@trade");
    T_STR(good("ws://h?x=1").path, "/?x=1");
    T_TRUE(good("ws://h?x=1").has_path);
    T_TRUE(!good("ws://h/").has_path);
}

T_TEST(addresses_are_recognised)
{
    struct url url = good("ws://127.0.0.1:9001");
    T_TRUE(url.numeric && url.port == 9001);
    url = good("wss://[::1]:9443/x");
    T_TRUE(url.numeric && url.port == 9443);
    T_STR(url.host, "::1");
    T_STR(url.authority, "[::1]:9443");
}

T_TEST(what_is_no_endpoint_is_refused_with_one_sentence)
{
    bad("", "does not begin");
    bad("http://h", "does not begin");
    bad("ws//h", "does not begin");
    bad("ws://", "host is missing");
    bad("ws://:80", "host is missing");
    bad("ws://h:", "port is empty");
    bad("ws://h:0", "1 to 65535");
    bad("ws://h:65536", "1 to 65535");
    bad("ws://h:99999999999999999999", "1 to 65535");
    bad("ws://h:8o", "1 to 65535");
    bad("ws://::1", "brackets");
    bad("ws://[::1", "closing bracket");
    bad("ws://[nonsense]:80", "IPv6");
    bad("ws://[::1]80", "followed by");
    bad("ws://me:secret@h", "user name");
    bad("ws://h/x#y", "fragment");
    bad("ws://h/a b", "spaces");
    bad("ws://h/a\r\nX: y", "spaces");
    bad("ws://h!x", "character");
}

T_TEST(what_is_too_long_is_refused)
{
    char text[2 * URL_PATH_MAX];
    memset(text, 'a', sizeof text);
    memcpy(text, "ws://", 5);
    text[5 + URL_HOST_MAX + 1] = '\0';
    bad(text, "longer");
    memset(text, 'a', sizeof text);
    memcpy(text, "ws://h/", 7);
    text[6 + URL_PATH_MAX] = '\0';
    T_EQ(strlen(good(text).path), URL_PATH_MAX);
    text[6 + URL_PATH_MAX] = 'a';
    text[7 + URL_PATH_MAX] = '\0';
    bad(text, "longer");
}
