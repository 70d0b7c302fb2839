/* Records that go through a small ring and arrive in pieces of every size are those that were put
 * in; what is no record is refused. */
#include "t.h"

#include <errno.h>

#include "relay.h"

static unsigned char ring[2 * RELAY_PAYLOAD_MAX + 4096], bytes[RELAY_STREAM_BYTES + RELAY_PADDING];
static unsigned char long_payload[RELAY_PAYLOAD_MAX + 1];
static struct relay_spool spool;
static struct relay_stream stream;

static void start(size_t cap)
{
    spool = (struct relay_spool){.data = ring, .cap = cap};
    stream = (struct relay_stream){.data = bytes};
}

static bool put(uint16_t type, uint16_t link, const void *payload, uint32_t len)
{
    const struct relay_head head = {len, type, link, 1000 + link, 2000 + link};
    return relay_put(&spool, &head, payload);
}

/* At most n bytes on from the spool to the stream. */
static size_t carry(size_t n)
{
    const unsigned char *from;
    unsigned char *to;
    size_t len = relay_pending(&spool, &from), room = relay_space(&stream, &to);
    n = n < len ? n : len;
    n = n < room ? n : room;
    memcpy(to, from, n);
    relay_written(&spool, n);
    relay_received(&stream, n);
    return n;
}

T_TEST(records_arrive_whole_however_the_stream_is_cut)
{
    for (size_t piece = 1; piece < 100; piece++) {
        struct relay_head head;
        const unsigned char *payload;
        unsigned sent = 0, got = 0;
        start(257); /* the ring turns many times, and cuts heads and payloads */
        while (got < 200) {
            char text[32];
            snprintf(text, sizeof text, "message %u", sent);
            if (sent < 200 && put(RELAY_TEXT, (uint16_t)sent, text, (uint32_t)strlen(text)))
                sent++;
            carry(piece);
            while (relay_next(&stream, &head, &payload) == 1) {
                snprintf(text, sizeof text, "message %u", got);
                T_EQ(head.link, got);
                T_EQ(head.utc_ns, 1000 + got);
                T_EQ(head.mono_ns, 2000 + got);
                T_EQ(head.len, strlen(text));
                T_MEM(payload, text, head.len);
                got++;
            }
        }
        T_EQ(carry(1), 0);
    }
}

T_TEST(a_spool_without_room_takes_nothing)
{
    start(200);
    T_TRUE(!relay_has_room(&spool));
    unsigned taken = 0;
    while (put(RELAY_TEXT, 1, "0123456789", 10))
        taken++;
    T_EQ(taken, 200 / (sizeof(struct relay_head) + 10));
    size_t len = spool.len;
    T_TRUE(!put(RELAY_TEXT, 1, "0123456789", 10));
    T_EQ(spool.len, len);
    carry(len);
    T_TRUE(put(RELAY_TEXT, 1, "0123456789", 10));
}

T_TEST(where_there_is_room_the_longest_message_and_the_end_of_its_link_fit)
{
    start(sizeof ring);
    while (relay_has_room(&spool))
        T_TRUE(put(RELAY_TEXT, 1, long_payload, 1000));
    start(sizeof ring);
    T_TRUE(relay_has_room(&spool));
    T_TRUE(put(RELAY_TEXT, 1, long_payload, RELAY_PAYLOAD_MAX));
    T_TRUE(put(RELAY_END, 1, long_payload, RELAY_REASON_MAX));
    T_TRUE(!put(RELAY_TEXT, 1, long_payload, RELAY_PAYLOAD_MAX + 1));
    struct relay_head head;
    const unsigned char *payload;
    while (carry(sizeof ring) > 0) {
    }
    T_EQ(relay_next(&stream, &head, &payload), 1);
    T_EQ(head.len, RELAY_PAYLOAD_MAX);
    T_EQ(relay_next(&stream, &head, &payload), 1);
    T_EQ(head.type, RELAY_END);
    T_EQ(relay_next(&stream, &head, &payload), 0);
}

T_TEST(what_is_no_record_is_refused_and_nothing_after_it_is_taken)
{
    const struct relay_head bad[] = {
        {0, 0, 0, 0, 0},
        {0, RELAY_END + 1, 0, 0, 0},
        {RELAY_PAYLOAD_MAX + 1, RELAY_TEXT, 0, 0, 0},
        {UINT32_MAX, RELAY_TEXT, 0, 0, 0},
        {sizeof(struct relay_link) - 1, RELAY_LINK, 0, 0, 0},
        {sizeof(struct relay_mark) + 1, RELAY_MARK, 0, 0, 0},
        {RELAY_REASON_MAX + 1, RELAY_END, 0, 0, 0},
    };
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        struct relay_head head;
        const unsigned char *payload;
        unsigned char *to;
        start(1024);
        T_TRUE(relay_space(&stream, &to) >= sizeof bad[i]);
        memcpy(to, &bad[i], sizeof bad[i]);
        relay_received(&stream, sizeof bad[i]);
        T_EQ(relay_next(&stream, &head, &payload), -EPROTO);
        put(RELAY_TEXT, 0, "x", 1);
        carry(100);
        T_EQ(relay_next(&stream, &head, &payload), -EPROTO);
    }
}
