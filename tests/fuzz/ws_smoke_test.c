/* The fuzz target of the WebSocket stage for a moment, from a fixed seed: conversations of right
 * and wrong frames, then bytes changed at random. */
#include "t.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static uint64_t rng = 6455;

static unsigned any(unsigned below)
{
    rng = rng * 6364136223846793005u + 1442695040888963407u;
    return (unsigned)(rng >> 33) % below;
}

static size_t put(uint8_t *to, size_t at, const void *data, size_t len)
{
    memcpy(to + at, data, len);
    return at + len;
}

/* A frame that a server may send at this point, most of the time. */
static size_t put_frame(uint8_t *to, size_t at, int *inside)
{
    static const uint8_t outer[] = {0x81, 0x81, 0x82, 0x01, 0x02, 0x89, 0x8a, 0xc1};
    static const uint8_t inner[] = {0x00, 0x00, 0x80, 0x80, 0x89};
    static const uint8_t hello[] = {0xf2, 0x48, 0xcd, 0xc9, 0xc9, 0x07, 0x00};
    uint8_t b0 = *inside ? inner[any(sizeof inner)] : outer[any(sizeof outer)];
    if (any(60) == 0)
        b0 = (uint8_t)any(256);
    if ((b0 & 0x0f) < 3)
        *inside = !(b0 & 0x80);
    unsigned len = any(8) == 0 && (b0 & 8) == 0 ? any(900) : any(120);
    if (b0 & 0x40) {
        uint8_t head[2] = {b0, sizeof hello};
        return put(to, put(to, at, head, 2), hello, sizeof hello);
    }
    uint8_t head[4] = {b0, len < 126 ? (uint8_t)len : 126, (uint8_t)(len >> 8), (uint8_t)len};
    at = put(to, at, head, len < 126 ? 2 : 4);
    memset(to + at, 'x', len);
    if (len > 4 && any(4) == 0)
        memcpy(to + at + any(len - 3), "\xe2\x82\xac", 3);
    return at + len;
}

static void conversations(unsigned count, unsigned flips)
{
    static uint8_t input[32768];
    static const char reply[] =
        "HTTP/1.1 101 X\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
        "Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\nRetry-After: 3\r\n\r\n";
    for (unsigned i = 0; i < count; i++) {
        size_t len = 2;
        int inside = 0;
        input[0] = (uint8_t)any(32);
        input[1] = (uint8_t)any(256);
        if (!(input[0] & 1))
            len = put(input, len, reply, sizeof reply - 1);
        for (unsigned n = any(20); n > 0; n--)
            len = put_frame(input, len, &inside);
        for (unsigned n = flips > 0 ? any(flips) : 0; n > 0 && len > 2; n--)
            input[2 + any((unsigned)len - 2)] = (uint8_t)any(256);
        LLVMFuzzerTestOneInput(input, len);
    }
}

T_TEST(right_conversations_give_the_same_events_however_cut)
{
    conversations(3000, 0);
}

T_TEST(changed_conversations_give_the_same_events_however_cut)
{
    conversations(6000, 6);
}
