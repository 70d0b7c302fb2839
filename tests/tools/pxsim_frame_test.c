#include "t.h"

#include "frame.h"

static size_t client_frame(uint8_t *out, uint8_t first, const char *text, size_t len)
{
    static const uint8_t mask[4] = {0x37, 0xFA, 0x21, 0x3D};
    size_t at = frame_head(out, 0, true, len);
    out[0] = first;
    out[1] |= 0x80;
    memcpy(out + at, mask, 4);
    for (size_t i = 0; i < len; i++)
        out[at + 4 + i] = (uint8_t)text[i] ^ mask[i & 3];
    return at + 4 + len;
}

T_TEST(a_masked_frame_is_taken_and_unmasked)
{
    uint8_t buf[64];
    struct frame f;
    size_t n = client_frame(buf, 0x81, "Hello", 5);
    T_EQ(frame_take(buf, n, 100, &f), n);
    T_EQ(f.op, FRAME_TEXT);
    T_TRUE(f.fin);
    T_EQ(f.len, 5);
    T_MEM(f.data, "Hello", 5);
}

T_TEST(a_frame_that_is_cut_anywhere_asks_for_more)
{
    static char text[300];
    memset(text, 'a', sizeof text);
    uint8_t buf[512];
    size_t n = client_frame(buf, 0x81, text, sizeof text);
    struct frame f;
    for (size_t cut = 0; cut < n; cut++)
        T_EQ(frame_take(buf, cut, 1000, &f), 0);
    T_EQ(frame_take(buf, n, 1000, &f), n);
    T_MEM(f.data, text, sizeof text);
}

T_TEST(what_rfc_6455_forbids_is_1002_and_what_is_too_long_1009)
{
    uint8_t buf[512];
    struct frame f;
    static char text[200];
    static const uint8_t wrong[] = {0xC1, 0x83, 0x8B, 0x09}; /* RSV1, reserved ops, split ping */
    for (size_t i = 0; i < sizeof wrong; i++) {
        size_t n = client_frame(buf, wrong[i], "abc", 3);
        T_EQ(frame_take(buf, n, 100, &f), -1002);
    }
    size_t n = client_frame(buf, 0x89, text, 126); /* control frames are short */
    T_EQ(frame_take(buf, n, 1000, &f), -1002);
    n = client_frame(buf, 0x81, text, 101);
    T_EQ(frame_take(buf, n, 100, &f), -1009);
    n = frame_head(buf, FRAME_TEXT, true, 5); /* not masked */
    T_EQ(frame_take(buf, n + 5, 100, &f), -1002);
}

T_TEST(a_head_that_is_written_is_read_back_for_every_length)
{
    static const uint64_t lengths[] = {0, 1, 125, 126, 65535, 65536, 1ULL << 40};
    uint8_t buf[FRAME_HEAD_MAX];
    for (size_t i = 0; i < sizeof lengths / sizeof lengths[0]; i++) {
        size_t head = frame_head(buf, FRAME_TEXT, true, lengths[i]);
        T_EQ(frame_size(buf, head), head + lengths[i]);
        T_EQ(frame_size(buf, head - 1), 0);
    }
}

T_TEST(utf8_is_told_from_what_is_not)
{
    static const char *const good[] = {"", "abc", "\xC3\xBC", "\xE5\xB8\x81", "\xF0\x9F\x92\xB0"};
    static const char *const bad[] = {"\x80",         "\xC3",         "\xC0\xAF",
                                      "\xE0\x80\xAF", "\xED\xA0\x80", "\xF4\x90\x80\x80",
                                      "\xFF",         "a\xC3(",       "\xF0\x9F\x92"};
    for (size_t i = 0; i < sizeof good / sizeof good[0]; i++)
        T_TRUE(frame_utf8((const uint8_t *)good[i], strlen(good[i])));
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++)
        T_TRUE(!frame_utf8((const uint8_t *)bad[i], strlen(bad[i])));
}
