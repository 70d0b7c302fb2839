#include "rest.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "hub.h"

static const char *find(const struct rest_request *r, const char *name, size_t *ret_len)
{
    size_t len = strlen(name);
    const char *at = r->query;
    while (*at != '\0') {
        size_t all = strcspn(at, "&");
        if (all > len && strncmp(at, name, len) == 0 && at[len] == '=') {
            *ret_len = all - len - 1;
            return at + len + 1;
        }
        at += all + (at[all] == '&');
    }
    return NULL;
}

static bool unescape(const char *at, size_t len, char *out, size_t cap)
{
    size_t n = 0;
    for (size_t i = 0; i < len; i++) {
        char c = at[i];
        if (n + 1 >= cap)
            return false;
        if (c == '%' && i + 2 < len) {
            char hex[3] = {at[i + 1], at[i + 2], '\0'};
            c = (char)strtoul(hex, NULL, 16);
            i += 2;
        }
        out[n++] = c;
    }
    out[n] = '\0';
    return true;
}

bool rest_text(const struct rest_request *r, const char *name, char *out, size_t cap)
{
    size_t len;
    const char *at = find(r, name, &len);
    return at != NULL && unescape(at, len, out, cap);
}

bool rest_number(const struct rest_request *r, const char *name, uint64_t otherwise,
                 uint64_t *ret_value)
{
    char text[24], *end;
    size_t len;
    *ret_value = otherwise;
    if (find(r, name, &len) == NULL)
        return true;
    if (!rest_text(r, name, text, sizeof text) || text[0] < '0' || text[0] > '9')
        return false;
    errno = 0;
    *ret_value = strtoull(text, &end, 10);
    return errno == 0 && *end == '\0';
}

bool rest_between(const struct rest_request *r, const char *before, const char *behind, char *out,
                  size_t cap)
{
    size_t all = strlen(r->path), head = strlen(before), tail = strlen(behind);
    return all > head + tail && strncmp(r->path, before, head) == 0 &&
           strcmp(r->path + all - tail, behind) == 0 &&
           unescape(r->path + head, all - head - tail, out, cap);
}

void rest_trades(const struct instrument *i, uint64_t first, uint64_t last, struct text *body,
                 void (*one)(struct text *t, const struct instrument *i,
                             const struct past_trade *p))
{
    bool down = first > last;
    unsigned given = 0;
    for (uint64_t id = first; given < REST_PAGE; id = down ? id - 1 : id + 1) {
        const struct past_trade *p = hub_past(i, id);
        if (p != NULL) {
            text_put(body, given++ > 0 ? "," : "");
            one(body, i, p);
        }
        if (id == last)
            break;
    }
}
