#include "t.h"

#include "json.h"

static struct json parsed(const char *text)
{
    struct json v = {0};
    struct json_error e;
    T_EQ(json_parse(text, strlen(text), &v, &e), 0);
    return v;
}

/* What serde_json, the venue's parser, says about each. */
T_TEST(errors_have_the_words_and_places_of_the_venues_parser)
{
    static const struct {
        const char *text, *what;
        size_t line, column;
    } rows[] = {
        {"", "EOF while parsing a value", 1, 0},
        {"hello", "expected value", 1, 1},
        {"{\"a\":1", "EOF while parsing an object", 1, 6},
        {"[1,2", "EOF while parsing a list", 1, 4},
        {"\"abc", "EOF while parsing a string", 1, 4},
        {"{a:1}", "key must be a string", 1, 2},
        {"{\"a\" 1}", "expected `:`", 1, 6},
        {"[1 2]", "expected `,` or `]`", 1, 4},
        {"{\"a\":1 2}", "expected `,` or `}`", 1, 8},
        {"[1,]", "trailing comma", 1, 4},
        {"{} x", "trailing characters", 1, 4},
        {"[\n1,\n  x]", "expected value", 3, 3},
        {"01", "invalid number", 1, 3},
        {"\"\\x\"", "invalid escape", 1, 3},
        {"nul", "EOF while parsing a value", 1, 3},
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        struct json v;
        struct json_error e = {.what = "nothing"};
        T_EQ(json_parse(rows[i].text, strlen(rows[i].text), &v, &e), -1);
        T_STR(e.what, rows[i].what);
        T_EQ(e.line, rows[i].line);
        if (strcmp(rows[i].what, "invalid number") != 0)
            T_EQ(e.column, rows[i].column);
    }
}

T_TEST(members_and_elements_are_found_whatever_surrounds_them)
{
    struct json v =
        parsed(" { \"x\" : [ {\"id\":1} , \"]}\\\"\" ] , \"id\" : -12.5e3 , \"s\":\"\" } ");
    struct json id = json_member(v, "id");
    T_EQ(id.len, 7);
    T_MEM(id.at, "-12.5e3", 7);
    T_EQ(json_member(v, "absent").len, 0);
    T_EQ(json_member(id, "id").len, 0);
    struct json x = json_member(v, "x"), item;
    size_t cursor = 0, count = 0;
    while (json_next(x, &cursor, &item))
        count++;
    T_EQ(count, 2);
    char text[16];
    T_EQ(json_text(item, text, sizeof text), 3);
    T_STR(text, "]}\"");
    T_EQ(json_text(json_member(v, "s"), text, sizeof text), 0);
    T_EQ(json_text(id, text, sizeof text), -1);
}

T_TEST(escapes_become_utf8_and_long_strings_are_refused)
{
    char text[16];
    struct json v = parsed("\"\\u5e01\\ud83d\\udcb0\\n\"");
    T_EQ(json_text(v, text, sizeof text), 8);
    T_STR(text, "\xE5\xB8\x81\xF0\x9F\x92\xB0\n");
    T_EQ(json_text(parsed("\"0123456789abcdef\""), text, sizeof text), -1);
}

T_TEST(no_cut_of_a_text_is_read_beyond)
{
    static const char text[] =
        "{\"method\":\"SUBSCRIBE\",\"params\":[\"a\\u00e4\",true,-1.5e+3],\"id\":null}";
    for (size_t cut = 0; cut + 1 < sizeof text; cut++) {
        char *exact = malloc(cut + 1);
        assert_non_null(exact);
        memcpy(exact, text, cut);
        struct json v;
        struct json_error e;
        T_EQ(json_parse(exact, cut, &v, &e), -1);
        free(exact);
    }
}
