#include "http.h"

#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>

#include <openssl/evp.h>
#include <openssl/sha.h>

static const char guid[] = "258EAFA5-E914-47DA-95CA-C5AB0DC85B11"; /* RFC 6455, 1.3 */

/* Is `token` one of the comma-separated words of a header's value? */
static bool has_token(const char *value, const char *token)
{
    size_t len = strlen(token);
    while (*value != '\0') {
        value += strspn(value, ", \t");
        size_t word = strcspn(value, ", \t");
        if (word == len && strncasecmp(value, token, len) == 0)
            return true;
        value += word;
    }
    return false;
}

static long parse(char *buf, struct http_upgrade *up)
{
    char *rest = NULL, *words = NULL;
    char *line = strtok_r(buf, "\r\n", &rest);
    char *method = line == NULL ? NULL : strtok_r(line, " ", &words);
    char *target = method == NULL ? NULL : strtok_r(NULL, " ", &words);
    char *version = target == NULL ? NULL : strtok_r(NULL, " ", &words);
    bool upgrade = false, connection = false, version13 = false;
    if (version == NULL || strcmp(version, "HTTP/1.1") != 0 || target[0] != '/')
        return -400;
    if (strcmp(method, "GET") != 0)
        return -405;
    while ((line = strtok_r(NULL, "\r\n", &rest)) != NULL) {
        char *value = strchr(line, ':');
        if (value == NULL)
            return -400;
        *value++ = '\0';
        value += strspn(value, " \t");
        if (strcasecmp(line, "Upgrade") == 0)
            upgrade = has_token(value, "websocket");
        else if (strcasecmp(line, "Connection") == 0)
            connection = connection || has_token(value, "upgrade");
        else if (strcasecmp(line, "Sec-WebSocket-Version") == 0)
            version13 = has_token(value, "13");
        else if (strcasecmp(line, "Sec-WebSocket-Key") == 0)
            snprintf(up->key, sizeof up->key, "%.*s", (int)strcspn(value, " \t"), value);
    }
    up->target = target;
    if (!upgrade || !connection || !version13)
        return -426;
    return up->key[0] == '\0' ? -400 : 1;
}

long http_take(char *buf, size_t len, struct http_upgrade *ret_upgrade)
{
    char *end = memmem(buf, len, "\r\n\r\n", 4);
    if (end == NULL)
        return 0;
    *end = '\0';
    ret_upgrade->key[0] = '\0';
    ret_upgrade->target = NULL;
    long rc = parse(buf, ret_upgrade);
    return rc < 0 ? rc : end + 4 - buf;
}

size_t http_accept(char *buf, size_t room, const char *key)
{
    char joined[HTTP_KEY_MAX + sizeof guid];
    unsigned char digest[SHA_DIGEST_LENGTH];
    unsigned char accept[2 * SHA_DIGEST_LENGTH];
    int n = snprintf(joined, sizeof joined, "%s%s", key, guid);
    SHA1((const unsigned char *)joined, (size_t)n, digest);
    EVP_EncodeBlock(accept, digest, sizeof digest);
    n = snprintf(buf, room,
                 "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\n"
                 "Connection: Upgrade\r\nSec-WebSocket-Accept: %s\r\n\r\n",
                 (char *)accept);
    return (size_t)n < room ? (size_t)n : 0;
}

size_t http_ok(char *buf, size_t room, size_t len)
{
    int n = snprintf(buf, room,
                     "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n"
                     "Content-Length: %zu\r\nConnection: close\r\n\r\n",
                     len);
    return (size_t)n < room ? (size_t)n : 0;
}

size_t http_refuse(char *buf, size_t room, int status, long retry_after_s)
{
    static const struct {
        int status;
        const char *text;
    } known[] = {
        {400, "Bad Request"},           {404, "Not Found"},        {405, "Method Not Allowed"},
        {414, "URI Too Long"},          {418, "I'm a teapot"},     {426, "Upgrade Required"},
        {429, "Too Many Requests"},     {431, "Header Too Large"}, {503, "Service Unavailable"},
        {500, "Internal Server Error"},
    };
    const char *text = "Error";
    char retry[48] = "";
    for (size_t i = 0; i < sizeof known / sizeof known[0]; i++) {
        if (known[i].status == status)
            text = known[i].text;
    }
    if (retry_after_s >= 0)
        snprintf(retry, sizeof retry, "Retry-After: %ld\r\n", retry_after_s);
    int n =
        snprintf(buf, room, "HTTP/1.1 %d %s\r\n%sContent-Length: 0\r\nConnection: close\r\n\r\n",
                 status, text, retry);
    return (size_t)n < room ? (size_t)n : 0;
}
