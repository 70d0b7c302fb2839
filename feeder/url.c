#include "url.h"

#include <arpa/inet.h>
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>

__attribute__((format(printf, 2, 3))) static int refuse(char *error, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    vsnprintf(error, URL_ERROR_MAX, format, args);
    va_end(args);
    return -EINVAL;
}

/* Only what may stand in a request line and in a log line. */
static bool printable(const char *text)
{
    for (; *text != '\0'; text++)
        if ((unsigned char)*text <= ' ' || (unsigned char)*text >= 0x7f)
            return false;
    return true;
}

static int parse_port(const char *text, size_t len, struct url *url, char *error)
{
    unsigned port = 0;
    if (len == 0)
        return refuse(error, "the port is empty");
    for (size_t i = 0; i < len; i++) {
        if (text[i] < '0' || text[i] > '9' || port > 6553)
            return refuse(error, "the port '%.*s' is not a number from 1 to 65535", (int)len, text);
        port = port * 10 + (unsigned)(text[i] - '0');
    }
    if (port == 0 || port > 65535)
        return refuse(error, "the port '%.*s' is not a number from 1 to 65535", (int)len, text);
    url->port = (uint16_t)port;
    return 0;
}

static bool host_byte(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '-' ||
           c == '.' || c == '_';
}

static int parse_host(const char *text, size_t len, struct url *url, char *error)
{
    unsigned char address[sizeof(struct in6_addr)];
    if (len == 0)
        return refuse(error, "the host is missing");
    if (len > URL_HOST_MAX)
        return refuse(error, "the host is longer than %d bytes", URL_HOST_MAX);
    memcpy(url->host, text, len);
    url->host[len] = '\0';
    for (size_t i = 0; i < len; i++)
        if (!host_byte(text[i]))
            return refuse(error, "the host '%s' has a character that no name has", url->host);
    url->numeric = inet_pton(AF_INET, url->host, address) == 1;
    return 0;
}

/* [address] and what follows it. */
static int parse_bracketed(const char *text, size_t len, struct url *url, char *error)
{
    unsigned char address[sizeof(struct in6_addr)];
    const char *end = memchr(text, ']', len);
    if (end == NULL)
        return refuse(error, "the IPv6 address has no closing bracket");
    size_t n = (size_t)(end - text) - 1;
    if (n == 0 || n > URL_HOST_MAX)
        return refuse(error, "the host is missing");
    memcpy(url->host, text + 1, n);
    url->host[n] = '\0';
    if (inet_pton(AF_INET6, url->host, address) != 1)
        return refuse(error, "'%s' is not an IPv6 address", url->host);
    url->numeric = true;
    const char *rest = end + 1;
    size_t rest_len = len - (size_t)(rest - text);
    if (rest_len == 0)
        return 0;
    if (*rest != ':')
        return refuse(error, "the IPv6 address is followed by '%.*s'", (int)rest_len, rest);
    return parse_port(rest + 1, rest_len - 1, url, error);
}

int url_parse_authority(const char *text, size_t len, struct url *url, char error[URL_ERROR_MAX])
{
    if (memchr(text, '@', len) != NULL)
        return refuse(error, "a user name is not possible here");
    if (len > 0 && text[0] == '[')
        return parse_bracketed(text, len, url, error);
    const char *colon = memchr(text, ':', len);
    if (colon == NULL)
        return parse_host(text, len, url, error);
    if (memchr(colon + 1, ':', len - (size_t)(colon + 1 - text)) != NULL)
        return refuse(error, "an IPv6 address stands in brackets");
    int rc = parse_host(text, (size_t)(colon - text), url, error);
    if (rc < 0)
        return rc;
    return parse_port(colon + 1, len - (size_t)(colon + 1 - text), url, error);
}

static int parse_path(const char *text, struct url *url, char *error)
{
    const char *fragment = strchr(text, '#');
    if (fragment != NULL)
        return refuse(error, "a fragment ('%.40s') is not possible here", fragment);
    size_t len = strlen(text), slash = text[0] != '/';
    if (len + slash > URL_PATH_MAX)
        return refuse(error, "the path is longer than %d bytes", URL_PATH_MAX);
    url->has_path = len > 0 && strcmp(text, "/") != 0;
    url->path[0] = '/';
    memcpy(url->path + slash, text, len + 1);
    return 0;
}

/* `plain` and `secure`: what the URL may begin with. */
static int parse(const char *text, const char *plain, const char *secure, struct url *out,
                 char error[URL_ERROR_MAX])
{
    struct url url = {.port = 0};
    if (!printable(text))
        return refuse(error, "a URL has no spaces and no control characters");
    if (strncasecmp(text, secure, strlen(secure)) == 0)
        url.tls = true;
    else if (strncasecmp(text, plain, strlen(plain)) != 0)
        return refuse(error, "'%.60s' does not begin with %s or %s", text, plain, secure);
    const char *authority = text + strlen(url.tls ? secure : plain);
    size_t len = strcspn(authority, "/?#");
    int rc = url_parse_authority(authority, len, &url, error);
    if (rc == 0)
        rc = parse_path(authority + len, &url, error);
    if (rc < 0)
        return rc;
    uint16_t usual = url.tls ? 443 : 80;
    if (url.port == 0)
        url.port = usual;
    bool v6 = strchr(url.host, ':') != NULL;
    int n = snprintf(url.authority, sizeof url.authority, v6 ? "[%s]" : "%s", url.host);
    if (url.port != usual && n > 0)
        snprintf(url.authority + n, sizeof url.authority - (size_t)n, ":%u", url.port);
    *out = url;
    return 0;
}

int url_parse(const char *text, struct url *out, char error[URL_ERROR_MAX])
{
    return parse(text, "ws://", "wss://", out, error);
}

int url_parse_http(const char *text, struct url *out, char error[URL_ERROR_MAX])
{
    return parse(text, "http://", "https://", out, error);
}
