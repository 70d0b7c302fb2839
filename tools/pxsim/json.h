/* Just enough JSON for what clients send: a strict check that says what is wrong and where, in the
 * words of the parser that the venue uses (serde_json), and access to the parts of a text that
 * passed. Pure; nothing is allocated. */
#ifndef PXSIM_JSON_H
#define PXSIM_JSON_H

#include <stdbool.h>
#include <stddef.h>

struct json_error {
    const char *what;
    size_t line;   /* from 1 */
    size_t column; /* from 1; the number of bytes of the line when the text ends too early */
};

/* A value inside a checked text. len 0: there is none. */
struct json {
    const char *at;
    size_t len;
};

/* 0 and the outermost value, or -1 and the error. */
int json_parse(const char *text, size_t len, struct json *ret_value, struct json_error *ret_error);

/* Member of an object, by a key written without escapes. */
struct json json_member(struct json object, const char *key);

/* Elements of an array in order: start with *cursor = 0; false past the end. */
bool json_next(struct json array, size_t *cursor, struct json *ret_item);

/* Text of a string value, escapes resolved. Returns its length, or -1: no string, or over cap - 1.
 */
long json_text(struct json value, char *out, size_t cap);

#endif
