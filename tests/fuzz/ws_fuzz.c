/* Any bytes of a server into the WebSocket stage, twice: whole, and cut by a seed. Both must give
 * the same events, every message must lie in a buffer with its padding readable, and there must
 * always be room to read on. Input: options, seed of the cuts, then the server's bytes. */
#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "ws.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum { OPENED = 1, DEFLATE = 2, LARGE = 4, WIDE = 8, RESET = 16 };
#define LARGE_CAP   4000
#define INFLATE_CAP 300

static void check(bool ok)
{
    if (!ok)
        abort();
}

/* The nonce of RFC 6455 1.3, so that its reply is the right one. */
static int nonce(void *arg, void *buf, size_t len)
{
    (void)arg;
    memset(buf, 0x5a, len);
    memcpy(buf, "the sample nonce", len < 16 ? len : 16);
    return 0;
}

struct run {
    struct ws ws;
    struct ws_config cfg;
    struct ws_large large;
    struct ws_deflate *deflate;
    uint64_t events; /* hash of all of them */
};

static void mix(struct run *r, const void *data, size_t len)
{
    const unsigned char *p = data;
    for (size_t i = 0; i < len; i++)
        r->events = (r->events ^ p[i]) * 1099511628211u;
}

static bool inside(const unsigned char *p, size_t len, const unsigned char *buf, size_t cap)
{
    return buf != NULL && p >= buf && p + len <= buf + cap;
}

static void take(struct run *r, const struct ws_event *ev)
{
    volatile unsigned char sum = 0;
    unsigned char out[WS_OWED_MAX];
    mix(r, &ev->type, sizeof ev->type);
    if (ev->type >= WS_TEXT && ev->type <= WS_PONG) {
        check(inside(ev->data, ev->len, r->cfg.recv, r->cfg.recv_cap) ||
              inside(ev->data, ev->len, r->large.data, LARGE_CAP) ||
              (r->deflate != NULL && inside(ev->data, ev->len, r->deflate->out, INFLATE_CAP)));
        for (size_t i = 0; i < WS_PADDING; i++)
            sum = (unsigned char)(sum + ev->data[ev->len + i]);
        mix(r, &ev->len, sizeof ev->len);
        mix(r, ev->data, ev->len);
    } else if (ev->type != WS_OPEN) {
        mix(r, &ev->code, sizeof ev->code);
        /* the reason of a refusal quotes as much of the body as has come */
        if (ev->type != WS_REFUSED)
            mix(r, ev->reason, strlen(ev->reason));
    }
    check(ev->type != WS_BLOCKED);
    if (ev->type != WS_PING)
        check(ws_owed(&r->ws, out, sizeof out) >= 0);
}

static void feed(struct run *r, const uint8_t *data, size_t size, uint32_t seed)
{
    struct ws_event ev;
    while (size > 0) {
        unsigned char *at;
        size_t n = ws_space(&r->ws, &at);
        check(n > 0 && inside(at, n, r->cfg.recv, r->cfg.recv_cap));
        if (seed != 0) {
            seed = seed * 1664525 + 1013904223;
            size_t cut = 1 + (seed >> 16) % (seed & 0x8000 ? 8 : 400);
            n = n < cut ? n : cut;
        }
        n = n < size ? n : size;
        memcpy(at, data, n);
        ws_received(&r->ws, n);
        data += n;
        size -= n;
        while (ws_next(&r->ws, &ev) != WS_NONE)
            take(r, &ev);
    }
}

static void open_now(struct run *r, unsigned options)
{
    static const char reply[] = "HTTP/1.1 101 Switching Protocols\r\n"
                                "Upgrade: websocket\r\nConnection: Upgrade\r\n"
                                "Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\n";
    static const char plain[] = "\r\n";
    static const char deflate[] = "Sec-WebSocket-Extensions: permessage-deflate\r\n\r\n";
    static const char reset[] =
        "Sec-WebSocket-Extensions: permessage-deflate; server_no_context_takeover\r\n\r\n";
    const char *end = !(options & DEFLATE) ? plain : options & RESET ? reset : deflate;
    feed(r, (const uint8_t *)reply, sizeof reply - 1, 0);
    feed(r, (const uint8_t *)end, strlen(end), 0);
}

static uint64_t run(unsigned options, uint32_t seed, const uint8_t *data, size_t size)
{
    struct run r = {.events = 1469598103934665603u};
    char request[512];
    r.cfg = (struct ws_config){.recv_cap = options & WIDE ? 2048 : WS_RECV_MIN, .random = nonce};
    check((r.cfg.recv = malloc(r.cfg.recv_cap + WS_PADDING)) != NULL);
    if (options & LARGE) {
        r.large = (struct ws_large){.data = calloc(1, LARGE_CAP + WS_PADDING), .cap = LARGE_CAP};
        r.cfg.large = &r.large;
    }
    if (options & DEFLATE) {
        r.deflate = calloc(1, sizeof *r.deflate);
        check(r.deflate != NULL);
        r.deflate->out = calloc(1, INFLATE_CAP + WS_PADDING);
        r.deflate->out_cap = INFLATE_CAP;
        r.cfg.deflate = r.deflate;
    }
    check(ws_init(&r.ws, &r.cfg) == 0);
    check(ws_request(&r.ws, &(struct ws_target){"h", "/", NULL}, request, sizeof request) > 0);
    if (options & OPENED)
        open_now(&r, options);
    feed(&r, data, size, seed);
    ws_drop(&r.ws);
    check(r.large.owner == NULL);
    if (r.deflate != NULL)
        free(r.deflate->out);
    free(r.deflate);
    free(r.large.data);
    free(r.cfg.recv);
    return r.events;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size < 2)
        return 0;
    uint64_t whole = run(data[0], 0, data + 2, size - 2);
    uint64_t cut = run(data[0], 1 + data[1], data + 2, size - 2);
    check(whole == cut);
    return 0;
}
