#include "proxy.h"

#include <arpa/inet.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>

#define STATUS_END 12 /* bytes of "HTTP/1.1 200" */

static int hex(char c)
{
    if (c >= '0' && c <= '9')
        return c - '0';
    c = (char)(c | 0x20);
    return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

/* user:password with its %XX resolved, into base64. The first colon parts them (RFC 7617). */
static int parse_credentials(const char *text, size_t len, struct proxy *p, const char **why)
{
    unsigned char plain[PROXY_CREDENTIALS_MAX];
    size_t n = 0;
    if (memchr(text, ':', len) == NULL) {
        *why = "has a user without a password";
        return -EINVAL;
    }
    for (size_t i = 0; i < len; i++, n++) {
        int byte = (unsigned char)text[i];
        if (byte == '%') {
            int high = i + 2 < len ? hex(text[i + 1]) : -1, low = high < 0 ? -1 : hex(text[i + 2]);
            byte = low < 0 ? -1 : high * 16 + low;
            i += 2;
        }
        if (byte < ' ' || byte == 0x7f) {
            *why = "has a % without two digits, or a control character, in its user or password";
            return -EINVAL;
        }
        if (n == sizeof plain) {
            *why = "has a user and password that are too long";
            return -EINVAL;
        }
        plain[n] = (unsigned char)byte;
    }
    base64(plain, n, p->credentials);
    return 0;
}

int proxy_parse(const char *text, struct proxy *out, const char **why)
{
    struct proxy p = {.credentials = ""};
    char error[URL_ERROR_MAX]; /* quotes the text */
    const char *scheme = strstr(text, "://");
    if (scheme != NULL && (scheme - text != 4 || strncasecmp(text, "http", 4) != 0)) {
        *why = "is not http://: this version speaks to no other proxy";
        return -EINVAL;
    }
    if (scheme != NULL)
        text = scheme + 3;
    size_t len = strcspn(text, "/?#"), user = len;
    while (user > 0 && text[user - 1] != '@')
        user--;
    int rc = user > 0 ? parse_credentials(text, user - 1, &p, why) : 0;
    if (rc < 0)
        return rc;
    *why = "is not http://[USER:PASSWORD@]HOST:PORT";
    if (text[len] != '\0' && strcmp(text + len, "/") != 0)
        return -EINVAL;
    rc = url_parse_authority(text + user, len - user, &p.to, error);
    if (rc == 0 && p.to.port == 0)
        rc = -EINVAL;
    if (rc == 0)
        *out = p;
    return rc;
}

/* Do the first `bits` agree? */
static bool same_network(const unsigned char *a, const unsigned char *b, unsigned bits)
{
    unsigned bytes = bits / 8, rest = bits % 8;
    if (memcmp(a, b, bytes) != 0)
        return false;
    return rest == 0 || (a[bytes] ^ b[bytes]) >> (8 - rest) == 0;
}

/* `entry`: an address, or address/bits. */
static bool is_in_network(int family, const unsigned char *host, const char *entry, size_t len)
{
    unsigned char network[sizeof(struct in6_addr)];
    char text[64];
    unsigned most = family == AF_INET ? 32 : 128, bits = 0;
    if (len >= sizeof text)
        return false;
    memcpy(text, entry, len);
    text[len] = '\0';
    char *slash = strchr(text, '/');
    if (slash == NULL)
        bits = most;
    else
        *slash++ = '\0';
    if (slash != NULL && (*slash == '\0' || strlen(slash) > 3))
        return false;
    for (; slash != NULL && *slash != '\0'; slash++) {
        if (*slash < '0' || *slash > '9')
            return false;
        bits = bits * 10 + (unsigned)(*slash - '0');
    }
    return bits <= most && inet_pton(family, text, network) == 1 &&
           same_network(host, network, bits);
}

static bool is_in_domain(const char *host, size_t host_len, const char *entry, size_t len)
{
    if (len == 0 || host_len < len || strncasecmp(host + host_len - len, entry, len) != 0)
        return false;
    return host_len == len || host[host_len - len - 1] == '.';
}

static bool spares(const char *entry, size_t len, const char *host)
{
    unsigned char address[sizeof(struct in6_addr)];
    if (len == 1 && *entry == '*')
        return true;
    if (len >= 2 && *entry == '[' && entry[len - 1] == ']') {
        entry++;
        len -= 2;
    }
    if (inet_pton(AF_INET, host, address) == 1)
        return is_in_network(AF_INET, address, entry, len);
    if (inet_pton(AF_INET6, host, address) == 1)
        return is_in_network(AF_INET6, address, entry, len);
    size_t host_len = strlen(host);
    if (host_len > 0 && host[host_len - 1] == '.')
        host_len--;
    if (len > 0 && entry[len - 1] == '.')
        len--;
    if (len > 1 && entry[0] == '*' && entry[1] == '.') {
        entry++;
        len--;
    }
    if (len > 0 && *entry == '.') {
        entry++;
        len--;
    }
    return is_in_domain(host, host_len, entry, len);
}

bool proxy_spares(const char *list, const char *host)
{
    static const char separators[] = ", \t";
    for (size_t len; *(list += strspn(list, separators)) != '\0'; list += len) {
        len = strcspn(list, separators);
        if (spares(list, len, host))
            return true;
    }
    return false;
}

ssize_t proxy_request(const struct proxy *proxy, const struct url *target, char *out, size_t cap)
{
    char to[URL_HOST_MAX + 9];
    bool v6 = strchr(target->host, ':') != NULL, known = proxy->credentials[0] != '\0';
    snprintf(to, sizeof to, v6 ? "[%s]:%u" : "%s:%u", target->host, target->port);
    int n = snprintf(out, cap, "CONNECT %s HTTP/1.1\r\nHost: %s\r\n%s%s%s\r\n", to, to,
                     known ? "Proxy-Authorization: Basic " : "", proxy->credentials,
                     known ? "\r\n" : "");
    return n < 0 || (size_t)n >= cap ? -ENOBUFS : n;
}

/* A byte of the status line. The digits of a version and what follows the status are free. */
static bool is_status_line(struct proxy_reply *r, uint32_t at, unsigned char c)
{
    static const char form[] = "HTTP/1.x 000";
    if (at >= STATUS_END)
        return at > STATUS_END || c == ' ' || c == '\r';
    bool digit = c >= '0' && c <= '9';
    if (form[at] == '0')
        r->status = digit ? r->status * 10 + c - '0' : 0;
    return form[at] == 'x' || form[at] == '0' ? digit : c == form[at];
}

static enum proxy_result end_of_line(struct proxy_reply *r)
{
    uint32_t len = r->line - (r->cr ? 1 : 0);
    r->line = 0;
    r->cr = false;
    if (r->headers++ == 0) {
        if (len < STATUS_END || r->status < 100)
            return PROXY_BROKEN;
        return r->status >= 300 ? PROXY_REFUSED : PROXY_MORE;
    }
    if (len > 0)
        return PROXY_MORE;
    if (r->status >= 200)
        return PROXY_OPEN;
    r->headers = 0; /* 1xx: the reply itself follows */
    r->status = 0;
    return PROXY_MORE;
}

static enum proxy_result take_byte(struct proxy_reply *r, unsigned char c)
{
    if (r->total++ == PROXY_REPLY_MAX)
        return PROXY_BROKEN;
    if (c == '\n')
        return end_of_line(r);
    if (r->headers == 0 && !is_status_line(r, r->line, c))
        return PROXY_BROKEN;
    r->line++;
    r->cr = c == '\r';
    return PROXY_MORE;
}

enum proxy_result proxy_take(struct proxy_reply *r, const unsigned char *in, size_t len,
                             size_t *taken)
{
    size_t n = 0;
    while (n < len && r->result == PROXY_MORE)
        r->result = take_byte(r, in[n++]);
    *taken = n;
    return r->result;
}

void proxy_reason(const struct proxy_reply *r, char out[PROXY_REASON_MAX])
{
    const char *means = "";
    if (r->result == PROXY_REFUSED && r->status == 407)
        means = ": it asks for another user or password";
    else if (r->result == PROXY_REFUSED && r->status == 403)
        means = ": it does not let anybody there";
    else if (r->result == PROXY_REFUSED && r->status >= 500)
        means = ": it does not get there itself";
    if (r->result == PROXY_REFUSED)
        snprintf(out, PROXY_REASON_MAX, "the proxy refused with status %d%s", r->status, means);
    else if (r->result == PROXY_BROKEN && r->total > PROXY_REPLY_MAX)
        snprintf(out, PROXY_REASON_MAX, "the proxy's reply is longer than %d bytes",
                 PROXY_REPLY_MAX);
    else if (r->result == PROXY_BROKEN)
        snprintf(out, PROXY_REASON_MAX, "the proxy does not answer in HTTP/1");
    else
        snprintf(out, PROXY_REASON_MAX, "the proxy ended the connection %s",
                 r->total == 0 ? "without an answer" : "in the middle of its answer");
}
