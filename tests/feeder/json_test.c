/* The C face of the parser: everything is walked, nothing is allocated. */
#include "t.h"

#include <errno.h>

#include "json.h"

#define DOCUMENT_MAX (1u << 16)

static struct json *json;
static char document[DOCUMENT_MAX + JSON_PADDING];

static void start(void)
{
    if (json == NULL)
        json = json_new(DOCUMENT_MAX);
    T_TRUE(json != NULL);
}

static int open_text(const char *text, char padding, struct json_item *root)
{
    size_t len = strlen(text);
    start();
    memcpy(document, text, len);
    memset(document + len, padding, JSON_PADDING);
    return json_open(json, document, len, root);
}

static int verdict(const char *text, char padding)
{
    struct json_item root;
    int rc = open_text(text, padding, &root);
    return rc != 0 ? rc : json_finish(json);
}

T_TEST(a_document_is_accepted_only_if_it_is_json_to_its_last_byte)
{
    static const char *const good[] = {"{}",       "[]",
                                       "[{}]",     " {\"a\" : [1 , -2.5e+3, true,false,null] } ",
                                       "17",       "\"x\"",
                                       "null",     "[[[[]]]]",
                                       "{\"\":0}", "[\"\\u00e9\\n\"]"};
    static const char *const bad[] = {"",
                                      "{",
                                      "}",
                                      "[1,2",
                                      "[1 2]",
                                      "{\"a\":1,}",
                                      "[1,]",
                                      "{\"a\" 1}",
                                      "{a:1}",
                                      "{\"a\":1]",
                                      "[1}",
                                      "{}{}",
                                      "{} x",
                                      "tru",
                                      "nulll",
                                      "01",
                                      "1.",
                                      "-",
                                      "[1.2.3]",
                                      "[\"a\":1]",
                                      "{\"a\":tru}",
                                      "[\"\\x\"]",
                                      "[\"\\ud800\"]",
                                      "[\"\\udc00\"]",
                                      "[\"\xff\"]",
                                      "[\"\xc0\x80\"]",
                                      "\"a",
                                      "[\"a\"b]",
                                      "[\"\x01\"]",
                                      "{\"a\":{\"b\":1}",
                                      "[[1],[2]",
                                      "{\"a\":[\"b\":[1],\"c\":3}",
                                      "[1\x14]",
                                      "1 2",
                                      "{\"a\"}"};
    static const char paddings[] = {'\0', ' ', ',', '}', ']', '"', ':', '1', '{', '\\'};
    for (size_t p = 0; p < sizeof paddings; p++) {
        for (size_t i = 0; i < sizeof good / sizeof good[0]; i++)
            if (verdict(good[i], paddings[p]) != 0)
                fail_msg("%s: %s", good[i], json_error(json));
        for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++)
            if (verdict(bad[i], paddings[p]) != -EBADMSG || json_error(json)[0] == '\0')
                fail_msg("accepted %s before '%c'", bad[i], paddings[p]);
    }
}

T_TEST(fields_and_elements_come_in_order_with_their_text)
{
    struct json_item item;
    T_EQ(open_text("{\"a\":1.50,\"b\":\"x\",\"c\":[true,null],\"d\":{\"e\":0}}", '}', &item), 0);
    T_EQ(item.type, JSON_OBJECT);
    T_EQ(json_enter(json), 0);
    T_EQ(json_next(json, &item), 1);
    T_EQ(item.type, JSON_NUMBER);
    T_MEM(item.text.at, "1.50", item.text.len);
    T_EQ(json_next(json, &item), 1);
    T_EQ(item.type, JSON_STRING);
    T_EQ(item.text.len, 1);
    T_EQ(json_next(json, &item), 1);
    T_EQ(item.type, JSON_ARRAY);
    T_EQ(json_enter(json), 0);
    T_EQ(json_next(json, &item), 1);
    T_EQ(item.type, JSON_TRUE);
    T_EQ(item.key.len, 0);
    T_EQ(json_next(json, &item), 1);
    T_EQ(item.type, JSON_NULL);
    T_EQ(json_next(json, &item), 0);
    T_EQ(json_next(json, &item), 1); /* d, not entered: skipped by the next call */
    T_MEM(item.key.at, "d", item.key.len);
    T_EQ(json_next(json, &item), 0);
    T_EQ(json_finish(json), 0);
}

T_TEST(escapes_in_keys_and_texts_are_undone)
{
    struct json_item item;
    T_EQ(open_text("{\"\\u0070\":\"\\u5e01\\ud83d\\ude00\\\"\"}", 0, &item), 0);
    T_EQ(json_enter(json), 0);
    T_EQ(json_next(json, &item), 1);
    T_EQ(item.key.len, 1);
    T_EQ(item.key.at[0], 'p');
    T_EQ(item.text.len, 8);
    T_MEM(item.text.at, "\xe5\xb8\x81\xf0\x9f\x98\x80\"", 8);
    T_EQ(json_next(json, &item), 0);
}

T_TEST(what_is_skipped_is_walked_as_well)
{
    struct json_item item;
    T_EQ(open_text("{\"a\":{\"x\":[1,2,tru]},\"b\":1}", 0, &item), 0);
    T_EQ(json_enter(json), 0);
    T_EQ(json_next(json, &item), 1);
    T_EQ(json_next(json, &item), -EBADMSG);
}

T_TEST(a_document_can_be_walked_again)
{
    struct json_item item;
    T_EQ(open_text("[\"\\u0041\",2]", 0, &item), 0);
    for (int i = 0; i < 3; i++) {
        T_EQ(json_enter(json), 0);
        T_EQ(json_next(json, &item), 1);
        T_EQ(item.text.at[0], 'A');
        T_EQ(json_finish(json), 0);
        T_EQ(json_rewind(json, &item), 0);
        T_EQ(item.type, JSON_ARRAY);
    }
}

T_TEST(nesting_is_bounded)
{
    char text[2 * JSON_DEPTH + 3] = {0};
    memset(text, '[', JSON_DEPTH);
    memset(text + JSON_DEPTH, ']', JSON_DEPTH);
    T_EQ(verdict(text, 0), 0);
    memset(text, '[', JSON_DEPTH + 1);
    memset(text + JSON_DEPTH + 1, ']', JSON_DEPTH + 1);
    T_EQ(verdict(text, 0), -EBADMSG);
}

T_TEST(a_document_longer_than_the_parser_has_room_for_is_refused)
{
    struct json *small = json_new(64);
    struct json_item root;
    memset(document, ' ', sizeof document);
    document[0] = '1';
    T_TRUE(small != NULL);
    T_EQ(json_open(small, document, 64, &root), 0);
    T_EQ(json_open(small, document, 65, &root), -EBADMSG);
    json_free(small);
    json_free(NULL);
}

T_TEST(a_call_out_of_place_is_an_error_and_no_more)
{
    struct json_item item;
    T_EQ(open_text("[1]", 0, &item), 0);
    T_EQ(json_next(json, &item), -EBADMSG);
    T_EQ(open_text("1", 0, &item), 0);
    T_EQ(json_enter(json), -EBADMSG);
}
