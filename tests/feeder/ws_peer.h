/* The other side of a ws in a test: writes what a server sends, byte by byte as the test wants it,
 * and keeps the events as one line of text that can be compared. */
#ifndef PX_TESTS_FEEDER_WS_PEER_H
#define PX_TESTS_FEEDER_WS_PEER_H

#include <stdbool.h>

#include "t.h"
#include "ws.h"

/* RFC 6455 1.3: this nonce, and what a server answers to it. */
#define NONCE "the sample nonce"
#define KEY   "dGhlIHNhbXBsZSBub25jZQ=="
#define REPLY                                                                           \
    "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n" \
    "Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\n"
#define DEFLATE_REPLY REPLY "Sec-WebSocket-Extensions: permessage-deflate"

struct bytes {
    unsigned char *at;
    size_t len, cap;
};

static inline void put(struct bytes *b, const void *data, size_t len)
{
    if (b->len + len > b->cap) {
        b->cap = (b->len + len) * 2;
        b->at = realloc(b->at, b->cap);
        T_TRUE(b->at != NULL);
    }
    if (len > 0)
        memcpy(b->at + b->len, data, len);
    b->len += len;
}

static inline void put_text(struct bytes *b, const char *text)
{
    put(b, text, strlen(text));
}

static inline void put_reply(struct bytes *b)
{
    put_text(b, REPLY "\r\n");
}

/* A server's frame in the shortest form; b0 holds FIN, RSV and opcode. */
static inline void put_frame(struct bytes *b, unsigned b0, const void *payload, size_t len)
{
    unsigned char h[10] = {(unsigned char)b0, (unsigned char)len};
    size_t n = 2;
    if (len >= 126) {
        unsigned wide = len < 65536 ? 2 : 8;
        h[1] = wide == 2 ? 126 : 127;
        for (unsigned i = 0; i < wide; i++)
            h[2 + i] = (unsigned char)((uint64_t)len >> (8 * (wide - 1 - i)));
        n += wide;
    }
    put(b, h, n);
    put(b, payload, len);
}

static inline void put_message(struct bytes *b, unsigned b0, const char *text)
{
    put_frame(b, b0, text, strlen(text));
}

/* A source of "random" bytes: the sample nonce, then a counter, so that every mask differs. */
struct counter {
    unsigned calls;
    uint32_t next;
};

static inline int counted_random(void *arg, void *buf, size_t len)
{
    struct counter *c = arg;
    if (c->calls++ == 0) {
        T_EQ(len, 16);
        memcpy(buf, NONCE, len);
        return 0;
    }
    for (size_t i = 0; i + 4 <= len; i += 4) {
        c->next = c->next * 1664525 + 1013904223;
        memcpy((char *)buf + i, &c->next, 4);
    }
    return 0;
}

/* One client under test. */
struct client {
    struct ws ws;
    unsigned char *recv;
    struct counter random;
    char trace[8192];
    size_t trace_len;
    struct ws_event last; /* of the latest event: its numbers; data may be gone */
};

static inline void note(struct client *c, const char *name, const unsigned char *data, size_t len)
{
    size_t room = sizeof c->trace - c->trace_len;
    uint64_t hash = 1469598103934665603u;
    for (size_t i = 0; i < len; i++)
        hash = (hash ^ data[i]) * 1099511628211u;
    int n = len > 150 ? snprintf(c->trace + c->trace_len, room, "%s:%zu#%016llx;", name, len,
                                 (unsigned long long)hash)
                      : snprintf(c->trace + c->trace_len, room, "%s:%.*s;", name, (int)len,
                                 (const char *)data);
    T_TRUE(n > 0 && (size_t)n < room);
    c->trace_len += (size_t)n;
}

static inline void note_code(struct client *c, const char *name, const struct ws_event *ev)
{
    char text[256];
    snprintf(text, sizeof text, "%d %s", ev->code, ev->reason);
    int n = snprintf(c->trace + c->trace_len, sizeof c->trace - c->trace_len, "%s:%s;", name, text);
    c->trace_len += (size_t)n;
}

/* All events that are there. Each message must have its padding: the sanitizer watches. */
static inline enum ws_event_type drain(struct client *c)
{
    static const char *const names[] = {"none", "open", "refused", "text",    "binary",
                                        "ping", "pong", "close",   "blocked", "error"};
    struct ws_event ev;
    volatile unsigned char sum = 0;
    while (ws_next(&c->ws, &ev) != WS_NONE) {
        c->last = ev;
        bool data = ev.type >= WS_TEXT && ev.type <= WS_PONG;
        if (ev.type == WS_BLOCKED)
            return WS_BLOCKED;
        for (size_t i = 0; data && i < WS_PADDING; i++)
            sum = (unsigned char)(sum + ev.data[ev.len + i]);
        if (data)
            note(c, names[ev.type], ev.data, ev.len);
        else if (ev.type == WS_OPEN)
            note(c, "open", (const unsigned char *)"", 0);
        else
            note_code(c, names[ev.type], &ev);
    }
    return WS_NONE;
}

/* Bytes from the server, as much as fits at a time. Returns how many were taken before a block. */
static inline size_t feed(struct client *c, const unsigned char *data, size_t len)
{
    size_t done = 0;
    while (done < len) {
        unsigned char *at;
        size_t n = ws_space(&c->ws, &at);
        T_TRUE(n > 0);
        if (n > len - done)
            n = len - done;
        memcpy(at, data + done, n);
        ws_received(&c->ws, n);
        done += n;
        if (drain(c) == WS_BLOCKED)
            break;
    }
    return done;
}

static inline void request(struct client *c)
{
    char out[1024];
    struct ws_target to = {"example.com", "/ws", NULL};
    T_TRUE(ws_request(&c->ws, &to, out, sizeof out) > 0);
}

/* A client that has sent its request. The config's recv, random are set here. */
static inline void start(struct client *c, struct ws_config cfg)
{
    memset(c, 0, sizeof *c);
    c->recv = malloc(cfg.recv_cap + WS_PADDING);
    cfg.recv = c->recv;
    cfg.random = counted_random;
    cfg.random_arg = &c->random;
    T_EQ(ws_init(&c->ws, &cfg), 0);
    request(c);
}

static inline void open_client(struct client *c, struct ws_config cfg)
{
    start(c, cfg);
    feed(c, (const unsigned char *)(REPLY "\r\n"), strlen(REPLY "\r\n"));
    T_STR(c->trace, "open:;");
    c->trace_len = 0;
    c->trace[0] = '\0';
}

static inline void stop(struct client *c)
{
    ws_drop(&c->ws);
    free(c->recv);
}

/* Unmask one frame of the client. Returns its bytes; payload goes to *out. */
static inline size_t read_frame(const unsigned char *p, size_t len, unsigned *b0, struct bytes *out)
{
    T_TRUE(len >= 6 && (p[1] & 0x80));
    size_t n = p[1] & 0x7f, head = 2;
    if (n >= 126) {
        unsigned wide = n == 126 ? 2 : 8;
        n = 0;
        for (unsigned i = 0; i < wide; i++)
            n = n << 8 | p[head++];
    }
    const unsigned char *mask = p + head;
    head += 4;
    T_TRUE(head + n <= len);
    *b0 = p[0];
    out->len = 0;
    for (size_t i = 0; i < n; i++) {
        unsigned char byte = p[head + i] ^ mask[i & 3];
        put(out, &byte, 1);
    }
    return head + n;
}

/* What the client owes must be exactly one frame: its first byte and payload. */
static inline unsigned owed(struct client *c, struct bytes *payload)
{
    unsigned char out[WS_OWED_MAX];
    unsigned b0 = 0;
    ssize_t n = ws_owed(&c->ws, out, sizeof out);
    if (n == 0)
        return 0;
    T_TRUE(n > 0);
    T_EQ(read_frame(out, (size_t)n, &b0, payload), n);
    return b0;
}

#endif
