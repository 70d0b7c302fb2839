/* JSON that any parser takes, whatever the texts hold. */
#include "t.h"

#include <math.h>

#include "json_out.h"

static const char *escaped(const char *text)
{
    static char out[256];
    jout_escape(text, out, sizeof out);
    return out;
}

T_TEST(control_characters_and_quotes_are_escaped)
{
    T_STR(escaped("a\"b\\c"), "a\\\"b\\\\c");
    T_STR(escaped("\b\f\n\r\t"), "\\b\\f\\n\\r\\t");
    T_STR(escaped("\x01\x1f\x7f"), "\\u0001\\u001f\\u007f");
}

T_TEST(utf8_passes_unchanged)
{
    T_STR(escaped("\xc3\xa9 \xe2\x82\xac \xf0\x9f\x92\xb0"),
          "\xc3\xa9 \xe2\x82\xac \xf0\x9f\x92\xb0");
    T_STR(escaped("\xed\x9f\xbf\xee\x80\x80\xf4\x8f\xbf\xbf"),
          "\xed\x9f\xbf\xee\x80\x80\xf4\x8f\xbf\xbf");
}

T_TEST(what_is_not_utf8_becomes_the_replacement_character)
{
#define FFFD "\xef\xbf\xbd"
    T_STR(escaped("\x80"), FFFD);
    T_STR(escaped("a\xc3"), "a" FFFD);
    T_STR(escaped("\xc0\xaf"), FFFD FFFD);                   /* overlong */
    T_STR(escaped("\xed\xa0\x80"), FFFD FFFD FFFD);          /* a surrogate */
    T_STR(escaped("\xf4\x90\x80\x80"), FFFD FFFD FFFD FFFD); /* above U+10FFFF */
    T_STR(escaped("\xe2\x82"), FFFD FFFD);
#undef FFFD
}

T_TEST(a_cut_text_ends_with_a_whole_character)
{
    char out[8];
    T_EQ(jout_escape("ab\xe2\x82\xac", out, 5), 2);
    T_STR(out, "ab");
    T_EQ(jout_escape("a\n", out, 3), 1);
    T_STR(out, "a");
}

T_TEST(commas_stand_between_members_only)
{
    char text[512];
    FILE *file = fmemopen(text, sizeof text, "w");
    struct json_out out;
    jout_start(&out, file);
    jout_object(&out, NULL);
    jout_array(&out, "empty");
    jout_end_array(&out);
    jout_array(&out, "list");
    jout_signed(&out, NULL, -5);
    jout_object(&out, NULL);
    jout_end_object(&out);
    jout_unsigned(&out, NULL, UINT64_MAX);
    jout_end_array(&out);
    jout_text(&out, "no", NULL);
    jout_fixed(&out, "nan", (double)NAN, 1);
    jout_fixed(&out, "one", 1.25, 1);
    jout_bool(&out, "yes", 1);
    jout_end_object(&out);
    fclose(file);
    T_STR(text, "{\"empty\":[],\"list\":[-5,{},18446744073709551615],\"no\":null,\"nan\":null,"
                "\"one\":1.2,\"yes\":true}");
}
