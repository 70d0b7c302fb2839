/* The upgrade: request and reply (RFC 6455 4, RFC 7692 5). The reply is parsed once its blank line
 * is there; what follows it in the buffer is WebSocket. */
#include "ws_internal.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>

#include "base64.h"
#include "tls.h"

#define GUID       "258EAFA5-E914-47DA-95CA-C5AB0DC85B11"
#define KEY_BYTES  16
#define KEY_TEXT   24
#define DEFLATE    "permessage-deflate"
#define PREFIX     "HTTP/1.1 "
#define PREFIX_LEN 9
#define BODY_MAX   120

/* A piece of the receive buffer. */
struct span {
    const unsigned char *at;
    size_t len;
};

struct reply {
    int status;
    struct span phrase, retry_after;
    bool upgrade, connection, accept, extension;
    const char *fault; /* first reason why a 101 is not one */
};

/* No control character and no space: nothing that could end a request line or a header. */
static bool plain(const char *s)
{
    if (s == NULL || *s == '\0')
        return false;
    for (; *s != '\0'; s++)
        if ((unsigned char)*s <= ' ' || *s == 0x7f)
            return false;
    return true;
}

/* Whole lines, each with an end and none empty. */
static bool header_lines(const char *s)
{
    while (*s != '\0') {
        const char *end = strstr(s, "\r\n");
        if (end == NULL || end == s)
            return false;
        for (; s < end; s++)
            if (((unsigned char)*s < ' ' && *s != '\t') || *s == 0x7f)
                return false;
        s = end + 2;
    }
    return true;
}

ssize_t ws_request(struct ws *ws, const struct ws_target *to, char *out, size_t cap)
{
    unsigned char key[KEY_BYTES], digest[20];
    char text[KEY_TEXT + sizeof GUID];
    const char *headers = to->headers != NULL ? to->headers : "";
    if (!plain(to->host) || !plain(to->path) || to->path[0] != '/' || !header_lines(headers))
        return -EINVAL;
    int rc = ws_random(ws, key, sizeof key);
    if (rc != 0)
        return rc;
    base64(key, sizeof key, text);
    int n = snprintf(out, cap,
                     "GET %s HTTP/1.1\r\nHost: %s\r\nUpgrade: websocket\r\n"
                     "Connection: Upgrade\r\nSec-WebSocket-Key: %s\r\n"
                     "Sec-WebSocket-Version: 13\r\n%s%s\r\n",
                     to->path, to->host, text,
                     ws->cfg.deflate != NULL ? "Sec-WebSocket-Extensions: " DEFLATE
                                               "; client_no_context_takeover\r\n"
                                             : "",
                     headers);
    if (n < 0 || (size_t)n >= cap)
        return -ENOBUFS;
    memcpy(text + KEY_TEXT, GUID, sizeof GUID);
    rc = tls_sha1(text, KEY_TEXT + sizeof GUID - 1, digest);
    if (rc != 0)
        return rc;
    base64(digest, sizeof digest, ws->accept);
    ws->start = ws->end = ws->scan = 0;
    ws->phase = WS_PHASE_REPLY;
    return n;
}

static bool span_is(struct span s, const char *text)
{
    return s.len == strlen(text) && strncasecmp((const char *)s.at, text, s.len) == 0;
}

static struct span trim(struct span s)
{
    while (s.len > 0 && (s.at[0] == ' ' || s.at[0] == '\t')) {
        s.at++;
        s.len--;
    }
    while (s.len > 0 && (s.at[s.len - 1] == ' ' || s.at[s.len - 1] == '\t'))
        s.len--;
    return s;
}

/* Cut the part ahead of `separator` from *rest, without its blanks. false: *rest was used up. */
static bool cut(struct span *rest, char separator, struct span *part)
{
    if (rest->at == NULL)
        return false;
    const unsigned char *end = memchr(rest->at, separator, rest->len);
    *part = *rest;
    if (end == NULL) {
        *rest = (struct span){NULL, 0};
    } else {
        part->len = (size_t)(end - rest->at);
        rest->len -= part->len + 1;
        rest->at = end + 1;
    }
    *part = trim(*part);
    return true;
}

static bool list_has(struct span list, const char *token)
{
    struct span item;
    while (cut(&list, ',', &item))
        if (span_is(item, token))
            return true;
    return false;
}

/* 8 to 15, bare or as a quoted string. */
static bool window_bits(struct span v)
{
    if (v.len >= 2 && v.at[0] == '"' && v.at[v.len - 1] == '"') {
        v.at++;
        v.len -= 2;
    }
    return (v.len == 1 && (v.at[0] == '8' || v.at[0] == '9')) ||
           (v.len == 2 && v.at[0] == '1' && v.at[1] >= '0' && v.at[1] <= '5');
}

/* One parameter of the accepted permessage-deflate (RFC 7692 7.1). *seen: a bit for each name. */
static const char *deflate_parameter(struct ws *ws, struct span item, unsigned *seen)
{
    struct span name = {NULL, 0};
    cut(&item, '=', &name);
    bool valued = item.at != NULL;
    unsigned bit = 0;
    if (span_is(name, "server_no_context_takeover") && !valued)
        bit = 1;
    else if (span_is(name, "client_no_context_takeover") && !valued)
        bit = 2; /* we send uncompressed */
    else if (span_is(name, "server_max_window_bits") && valued && window_bits(trim(item)))
        bit = 4; /* our window is the largest there is */
    if (bit == 0)
        return "server answered permessage-deflate with a parameter that was not offered";
    if (*seen & bit)
        return "server gave a parameter of permessage-deflate twice";
    *seen |= bit;
    ws->deflate_reset |= bit == 1;
    return NULL;
}

static const char *accept_extensions(struct ws *ws, struct span list, struct reply *r)
{
    struct span item, part = {NULL, 0};
    while (cut(&list, ',', &item)) {
        if (item.len == 0)
            continue;
        struct span rest = item;
        unsigned seen = 0;
        cut(&rest, ';', &part);
        if (!span_is(part, DEFLATE) || ws->cfg.deflate == NULL)
            return "server chose an extension that was not offered";
        if (r->extension)
            return "server chose permessage-deflate twice";
        r->extension = true;
        while (cut(&rest, ';', &part)) {
            const char *fault = deflate_parameter(ws, part, &seen);
            if (fault != NULL)
                return fault;
        }
    }
    return NULL;
}

static const char *header_value(struct ws *ws, struct span name, struct span v, struct reply *r)
{
    if (span_is(name, "Upgrade")) {
        r->upgrade |= list_has(v, "websocket");
    } else if (span_is(name, "Connection")) {
        r->connection |= list_has(v, "upgrade");
    } else if (span_is(name, "Retry-After")) {
        r->retry_after = v;
    } else if (span_is(name, "Sec-WebSocket-Accept")) {
        if (r->accept)
            return "Sec-WebSocket-Accept is given twice";
        if (v.len != strlen(ws->accept) || memcmp(v.at, ws->accept, v.len) != 0)
            return "Sec-WebSocket-Accept does not answer our key";
        r->accept = true;
    } else if (span_is(name, "Sec-WebSocket-Extensions")) {
        if (r->status == 101)
            return accept_extensions(ws, v, r);
    } else if (span_is(name, "Sec-WebSocket-Protocol")) {
        return "server chose a subprotocol and none was asked for";
    }
    return NULL;
}

/* One header line without its end. A fault matters only if the status is 101. */
static const char *header_line(struct ws *ws, struct span line, struct reply *r)
{
    for (size_t i = 0; i < line.len; i++)
        if ((line.at[i] < ' ' && line.at[i] != '\t') || line.at[i] == 0x7f)
            return "control character in a header of the reply";
    const unsigned char *colon = memchr(line.at, ':', line.len);
    if (colon == NULL || colon == line.at)
        return "header line without a name in the reply";
    struct span name = {line.at, (size_t)(colon - line.at)};
    struct span value = {colon + 1, line.len - name.len - 1};
    if (trim(name).len != name.len)
        return "blank around the name of a header, or a folded line, in the reply";
    return header_value(ws, name, trim(value), r);
}

static bool status_line(struct span line, struct reply *r)
{
    if (line.len < PREFIX_LEN + 3 || memcmp(line.at, PREFIX, PREFIX_LEN) != 0)
        return false;
    const unsigned char *p = line.at + PREFIX_LEN;
    int status = 0;
    for (int i = 0; i < 3; i++) {
        if (p[i] < '0' || p[i] > '9')
            return false;
        status = status * 10 + p[i] - '0';
    }
    r->phrase = (struct span){p + 3, line.len - PREFIX_LEN - 3};
    if ((r->phrase.len > 0 && p[3] != ' ') || status < 100)
        return false;
    r->phrase = trim(r->phrase);
    r->status = status;
    return true;
}

/* Bytes of the reply's head with its blank line; 0: not all there; -1: *fault says what is wrong.
 * The answer depends on the bytes alone, not on how they were cut. */
static ssize_t head_len(struct ws *ws, const char **fault)
{
    const unsigned char *p = ws->cfg.recv;
    size_t limit = ws->cfg.recv_cap < WS_REPLY_MAX ? ws->cfg.recv_cap : WS_REPLY_MAX;
    size_t avail = ws->end < limit ? ws->end : limit;
    size_t known = avail < PREFIX_LEN ? avail : PREFIX_LEN;
    if (memcmp(p, PREFIX, known) != 0) {
        *fault = "the peer does not answer in HTTP/1.1";
        return -1;
    }
    const unsigned char *nl;
    while ((nl = memchr(p + ws->scan, '\n', avail - ws->scan)) != NULL) {
        size_t at = (size_t)(nl - p);
        if (at == ws->scan || p[at - 1] != '\r') {
            *fault = "line of the reply does not end in CR LF";
            return -1;
        }
        if (at == ws->scan + 1)
            return (ssize_t)at + 1;
        ws->scan = at + 1;
    }
    if (avail < limit)
        return 0;
    *fault = "reply is longer than its bound";
    return -1;
}

static void parse_head(struct ws *ws, size_t len, struct reply *r)
{
    struct span rest = {ws->cfg.recv, len - 2}, line;
    for (bool first = true; rest.len > 0; first = false) {
        const unsigned char *nl = memchr(rest.at, '\n', rest.len);
        line = (struct span){rest.at, (size_t)(nl - rest.at) - 1};
        rest.len -= line.len + 2;
        rest.at = nl + 1;
        const char *fault = NULL;
        if (!first)
            fault = header_line(ws, line, r);
        else if (!status_line(line, r))
            fault = "status line of the reply is malformed";
        if (r->fault == NULL)
            r->fault = fault;
        if (first && fault != NULL)
            return;
    }
}

static enum ws_event_type refused(struct ws *ws, struct ws_event *ev, const struct reply *r,
                                  size_t head)
{
    size_t body = ws->end - head;
    size_t n = ws_printable(ws->reason, BODY_MAX / 2, r->phrase.at, r->phrase.len);
    if (body > 0 && n > 0)
        n += ws_printable(ws->reason + n, 3, (const unsigned char *)": ", 2);
    /* as much of the body as came along: a hint for the log */
    ws_printable(ws->reason + n, sizeof ws->reason - n, ws->cfg.recv + head,
                 body < BODY_MAX ? body : BODY_MAX);
    ws_printable(ws->retry_after, sizeof ws->retry_after, r->retry_after.at, r->retry_after.len);
    size_t digits = strspn(ws->retry_after, "0123456789");
    ev->retry_after = ws->retry_after;
    ev->retry_after_s = -1;
    if (digits > 0 && digits == r->retry_after.len) {
        ev->retry_after_s = 0;
        for (size_t i = 0; i < digits && ev->retry_after_s < 100000000; i++)
            ev->retry_after_s = ev->retry_after_s * 10 + ws->retry_after[i] - '0';
    }
    ws->phase = WS_PHASE_DONE;
    ev->type = WS_REFUSED;
    ev->code = r->status;
    ev->reason = ws->reason;
    return WS_REFUSED;
}

/* Why a reply of status 101 is not an upgrade; NULL: it is one. */
static const char *upgrade_fault(const struct reply *r)
{
    if (r->fault != NULL)
        return r->fault;
    if (!r->upgrade)
        return "reply has no header Upgrade: websocket";
    if (!r->connection)
        return "reply has no header Connection: Upgrade";
    return r->accept ? NULL : "reply has no Sec-WebSocket-Accept";
}

enum ws_event_type ws_reply_next(struct ws *ws, struct ws_event *ev)
{
    const char *fault = NULL;
    struct reply r = {0};
    ssize_t head = head_len(ws, &fault);
    if (head == 0)
        return WS_NONE;
    if (head < 0)
        return ws_fail(ws, ev, 0, "%s", fault);
    parse_head(ws, (size_t)head, &r);
    if (r.status == 0 || (r.status == 101 && (fault = upgrade_fault(&r)) != NULL))
        return ws_fail(ws, ev, 0, "%s", fault != NULL ? fault : r.fault);
    if (r.status != 101)
        return refused(ws, ev, &r, (size_t)head);
    if (r.extension && ws_inflate_start(ws) != 0)
        return ws_fail(ws, ev, 0, "no memory for permessage-deflate");
    ws->deflate_on = r.extension;
    ws->start = (size_t)head;
    ws->phase = WS_PHASE_OPEN;
    ev->type = WS_OPEN;
    return WS_OPEN;
}
