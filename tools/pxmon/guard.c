/* See guard.h. */
#include "guard.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>
#include <sys/random.h>

static int draw(char out[GUARD_SECRET_MAX])
{
    uint8_t bytes[(GUARD_SECRET_MAX - 1) / 2];
    if (getrandom(bytes, sizeof bytes, 0) != (ssize_t)sizeof bytes)
        return -EIO;
    for (size_t i = 0; i < sizeof bytes; i++)
        snprintf(out + 2 * i, 3, "%02x", bytes[i]);
    return 0;
}

int guard_open(struct guard *g, const char *address, const char *token, bool tls)
{
    *g = (struct guard){.address = address, .token = token, .tls = tls};
    return draw(g->page) < 0 || draw(g->cookie) < 0 ? -EIO : 0;
}

bool guard_is_loopback(const char *address)
{
    struct in_addr v4;
    /* a name that only begins like one is a name of somebody else's */
    if (inet_pton(AF_INET, address, &v4) == 1)
        return ntohl(v4.s_addr) >> 24 == IN_LOOPBACKNET;
    return strcmp(address, "::1") == 0 || strcasecmp(address, "localhost") == 0;
}

/* Takes as long for a wrong secret as for a right one of the same length. */
static bool same(const char *given, size_t length, const char *secret)
{
    unsigned char difference = length != strlen(secret);
    for (size_t i = 0; i < length && secret[i] != '\0'; i++)
        difference |= (unsigned char)(given[i] ^ secret[i]);
    return difference == 0 && length > 0;
}

bool guard_host(const struct guard *g, const struct web_request *r)
{
    char name[sizeof r->host];
    if (g->token != NULL)
        return true;
    const char *host = r->host;
    size_t length = strcspn(host, ":");
    if (host[0] == '[') {
        host++;
        length = strcspn(host, "]");
    }
    snprintf(name, sizeof name, "%.*s", (int)length, host);
    return guard_is_loopback(name) || strcasecmp(name, g->address) == 0;
}

bool guard_origin(const struct guard *g, const struct web_request *r)
{
    char own[sizeof r->host + 16];
    snprintf(own, sizeof own, "%s://%s", g->tls ? "https" : "http", r->host);
    return r->host[0] != '\0' && strcasecmp(own, r->origin) == 0;
}

static bool bearer(const struct web_request *r, const char *secret)
{
    const char *given = r->authorization;
    return strncasecmp(given, "Bearer ", 7) == 0 && same(given + 7, strlen(given + 7), secret);
}

static bool has_cookie(const struct web_request *r, const char *secret)
{
    for (const char *at = r->cookie; *at != '\0'; at += strspn(at, "; ")) {
        size_t length = strcspn(at, ";");
        size_t name = sizeof GUARD_COOKIE "=" - 1;
        if (length > name && strncmp(at, GUARD_COOKIE "=", name) == 0 &&
            same(at + name, length - name, secret))
            return true;
        at += length;
    }
    return false;
}

bool guard_token(const struct guard *g, const struct web_request *r)
{
    return g->token != NULL && bearer(r, g->token);
}

bool guard_read(const struct guard *g, const struct web_request *r)
{
    return g->token == NULL || bearer(r, g->token) || has_cookie(r, g->cookie);
}

bool guard_restart(const struct guard *g, const struct web_request *r)
{
    return bearer(r, g->token != NULL ? g->token : g->page);
}
