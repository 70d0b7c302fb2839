/* The far end of a socket: the upgrade, frames, what Binance and OKX answer, and what they count.
 */
#include <openssl/sha.h>

#include "base64.h"
#include "week.h"

static const struct week_exchange *exchange_at(const struct week_peer *p)
{
    return &week.exchange[p->exchange];
}

static void put(struct week_peer *p, const void *data, size_t len)
{
    if (p->dead || p->state != PEER_OPEN)
        return;
    if (p->rx_len + len > p->rx_cap) {
        p->rx_cap = (p->rx_len + len) * 2;
        p->rx = realloc(p->rx, p->rx_cap);
        WEEK_MUST(p->rx != NULL, "no memory");
    }
    memcpy(p->rx + p->rx_len, data, len);
    p->rx_len += len;
}

void server_frame(struct week_peer *p, unsigned first, const void *payload, size_t len)
{
    unsigned char head[4] = {(unsigned char)first, (unsigned char)len};
    size_t n = 2;
    if (len >= 126) {
        head[1] = 126;
        head[2] = (unsigned char)(len >> 8);
        head[3] = (unsigned char)len;
        n = 4;
    }
    put(p, head, n);
    put(p, payload, len);
}

void server_text(struct week_peer *p, const char *text)
{
    server_frame(p, 0x81, text, strlen(text));
}

void server_trade(struct week_peer *p, const struct week_symbol *s, uint64_t id, bool bad)
{
    char text[300];
    long long ms = week.now / MS + INT64_C(1790000000000);
    const char *price = bad ? "12e999" : "61837.63";
    if (exchange_at(p)->okx)
        snprintf(text, sizeof text,
                 "{\"arg\":{\"channel\":\"trades\",\"instId\":\"%s\"},\"data\":[{\"instId\":\"%s\","
                 "\"tradeId\":\"%llu\",\"px\":\"%s\",\"sz\":\"0.02\",\"side\":\"buy\","
                 "\"ts\":\"%lld\"}]}",
                 s->native, s->native, (unsigned long long)id, price, ms);
    else
        snprintf(text, sizeof text,
                 "{\"stream\":\"%s@trade\",\"data\":{\"e\":\"trade\",\"E\":%lld,\"s\":\"%s\","
                 "\"t\":%llu,\"p\":\"%s\",\"q\":\"0.02\",\"T\":%lld,\"m\":true,\"M\":true}}",
                 s->name, ms, s->native, (unsigned long long)id, price, ms);
    server_text(p, text);
}

void server_close(struct week_peer *p, uint16_t code)
{
    unsigned char payload[2] = {(unsigned char)(code >> 8), (unsigned char)code};
    if (p->dead)
        return;
    server_frame(p, 0x88, payload, 2);
    p->closing = true;
    if (p->state == PEER_OPEN)
        p->state = PEER_ENDED;
}

void server_open(struct week_peer *p)
{
    enum week_fault fault = exchange_at(p)->fault;
    p->silent_upgrade = fault == WEEK_NO_UPGRADE;
    p->ping_ns = INT64_MAX;
    if (fault == WEEK_CUT_EARLY)
        p->state = week_below(2) != 0 ? PEER_ENDED : PEER_RESET;
}

/* ---- the upgrade ---- */

/* `told_ns`: nobody is to try again before so long. */
static void refuse(struct week_peer *p, const char *reply, int64_t told_ns)
{
    week.exchange[p->exchange].told_ns = week.now + told_ns;
    put(p, reply, strlen(reply));
    p->state = PEER_ENDED;
}

static void accept_upgrade(struct week_peer *p, const char *key)
{
    char text[128], accept[BASE64_SIZE(SHA_DIGEST_LENGTH)], reply[256];
    unsigned char digest[SHA_DIGEST_LENGTH];
    snprintf(text, sizeof text, "%.24s258EAFA5-E914-47DA-95CA-C5AB0DC85B11", key);
    SHA1((const unsigned char *)text, strlen(text), digest);
    base64(digest, sizeof digest, accept);
    snprintf(reply, sizeof reply,
             "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
             "Sec-WebSocket-Accept: %s\r\n\r\n",
             accept);
    put(p, reply, strlen(reply));
    p->upgraded = true;
    p->mute = exchange_at(p)->fault == WEEK_MUTE_ALL;
    p->trouble_ns = p->mute ? week.now : 0;
    p->ping_ns = exchange_at(p)->okx ? INT64_MAX : week.now + SERVER_PING;
}

static void take_upgrade(struct week_peer *p)
{
    static const char name[] = "Sec-WebSocket-Key: ";
    p->tx[p->tx_len < sizeof p->tx ? p->tx_len : sizeof p->tx - 1] = '\0';
    const char *head = (const char *)p->tx, *key = strstr(head, name);
    if (p->silent_upgrade || strstr(head, "\r\n\r\n") == NULL)
        return;
    WEEK_MUST(key != NULL, "an upgrade request without a key");
    p->tx_len = 0;
    switch (exchange_at(p)->fault) {
    case WEEK_TOO_MANY:
        refuse(p,
               "HTTP/1.1 429 Too Many Requests\r\nRetry-After: 120\r\nContent-Length: 0\r\n"
               "\r\n",
               120 * S);
        break;
    case WEEK_BANNED:
        refuse(p, "HTTP/1.1 418 I'm a teapot\r\nContent-Length: 0\r\n\r\n", 60 * S);
        break;
    case WEEK_UNAVAILABLE:
        refuse(p, "HTTP/1.1 503 Service Unavailable\r\nContent-Length: 0\r\n\r\n", 0);
        break;
    default:
        accept_upgrade(p, key + sizeof name - 1);
        break;
    }
}

/* ---- requests ---- */

/* The limits as the venue publishes them, counted in its own windows. */
static void count_message(struct week_peer *p)
{
    const struct px_venue *v = exchange_at(p)->is;
    uint64_t n = p->messages++;
    p->message_ns[n % ATTEMPTS_MAX] = week.now;
    if (v->messages_per_s != 0 && n >= v->messages_per_s)
        WEEK_MUST(week.now - p->message_ns[(n - v->messages_per_s) % ATTEMPTS_MAX] >= S,
                  "%s gets more than %u messages in a second", v->name, v->messages_per_s);
}

static void count_request(struct week_peer *p)
{
    const struct px_venue *v = exchange_at(p)->is;
    uint64_t n = p->requests++;
    p->request_ns[n % ATTEMPTS_MAX] = week.now;
    if (v->messages_per_hour != 0 && n >= v->messages_per_hour)
        WEEK_MUST(week.now - p->request_ns[(n - v->messages_per_hour) % ATTEMPTS_MAX] >= HOUR,
                  "%s gets more than %u requests in an hour", v->name, v->messages_per_hour);
}

static void set_subscribed(struct week_peer *p, const char *name, bool on)
{
    const struct week_exchange *e = exchange_at(p);
    for (uint32_t i = 0; i < SYMBOLS; i++) {
        const char *own = e->okx ? e->symbol[i].native : e->symbol[i].name;
        if (strncmp(name, own, strlen(own)) == 0 && strchr("@\"", name[strlen(own)]) != NULL)
            p->subscribed[i] = on;
    }
}

/* {"method":"SUBSCRIBE","params":["btcusdt@trade"],"id":1} */
static void take_binance(struct week_peer *p, const char *text)
{
    char answer[64];
    bool on = strstr(text, "\"SUBSCRIBE\"") != NULL;
    const char *at = strchr(text, '['), *id = strstr(text, "\"id\":");
    WEEK_MUST(at != NULL && id != NULL, "not a request: %s", text);
    for (at++; *at == '"' || *at == ','; at = strchr(at + 1, '"') + 1) {
        at += *at == ',';
        set_subscribed(p, at + 1, on);
    }
    snprintf(answer, sizeof answer, "{\"result\":null,\"id\":%d}", atoi(id + 5));
    server_text(p, answer);
}

/* {"op":"subscribe","args":[{"channel":"trades","instId":"BTC-USDT"}]} */
static void take_okx(struct week_peer *p, const char *text)
{
    static const char inst[] = "\"instId\":\"";
    bool on = strstr(text, "\"subscribe\"") != NULL;
    for (const char *at = text; (at = strstr(at, inst)) != NULL;) {
        char answer[160];
        at += sizeof inst - 1;
        set_subscribed(p, at, on);
        snprintf(answer, sizeof answer,
                 "{\"event\":\"%s\",\"arg\":{\"channel\":\"trades\",\"instId\":\"%.*s\"}}",
                 on ? "subscribe" : "unsubscribe", (int)strcspn(at, "\""), at);
        server_text(p, answer);
    }
}

static void take_text(struct week_peer *p, const char *text)
{
    const struct week_exchange *e = exchange_at(p);
    if (e->okx && strcmp(text, "ping") == 0) {
        if (e->fault != WEEK_NO_PONG)
            server_text(p, "pong");
        return;
    }
    count_request(p);
    if (e->fault == WEEK_NO_ACK)
        return;
    if (e->okx)
        take_okx(p, text);
    else
        take_binance(p, text);
}

/* One frame of the client. Returns its bytes, 0 if it is not whole. */
static size_t take_frame(struct week_peer *p)
{
    unsigned char *at = p->tx;
    if (p->tx_len < 6)
        return 0;
    size_t head = 2, len = at[1] & 0x7fu;
    WEEK_MUST((at[1] & 0x80) != 0 && len != 127, "a frame that no client may send");
    if (len == 126) {
        len = (size_t)at[2] << 8 | at[3];
        head = 4;
    }
    if (p->tx_len < head + 4 + len)
        return 0;
    char text[16 * 1024];
    WEEK_MUST(len < sizeof text, "a request of %zu bytes", len);
    for (size_t i = 0; i < len; i++)
        text[i] = (char)(at[head + 4 + i] ^ at[head + (i & 3)]);
    text[len] = '\0';
    unsigned op = at[0] & 0xfu;
    if (op != 8)
        count_message(p);
    if (op == 8 && !p->closing)
        server_close(p, 1000);
    else if (op == 1)
        take_text(p, text);
    return head + 4 + len;
}

void server_take(struct week_peer *p)
{
    size_t n;
    if (!p->upgraded) {
        take_upgrade(p);
        return;
    }
    while (p->state == PEER_OPEN && (n = take_frame(p)) > 0) {
        memmove(p->tx, p->tx + n, p->tx_len - n);
        p->tx_len -= n;
    }
}
