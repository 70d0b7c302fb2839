/* C face of simdjson's on-demand parser: the one door to C++. No exception and no C++ type crosses
 * it. See json.cc.
 *
 *   json_open(j, frame, len, &root)
 *   json_enter(j)                          the container that was given last
 *   while (json_next(j, &item) == 1) ...   its fields or elements, in order
 *   json_finish(j)                         what is left of the document
 *
 * On-demand looks only at what it is asked for. This face asks for everything: what is skipped is
 * walked as well, so that a document that json_finish() accepts is JSON to its last byte. (RFC
 * 8259; keys that occur twice are the caller's to judge.) */
#ifndef PX_JSON_H
#define PX_JSON_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

/* Bytes that must be readable behind a document. They may hold anything. */
#define JSON_PADDING 64u

/* Containers inside each other; deeper documents are refused. */
#define JSON_DEPTH 32u

struct json;

enum json_type {
    JSON_NULL = 0,
    JSON_FALSE,
    JSON_TRUE,
    JSON_NUMBER,
    JSON_STRING,
    JSON_ARRAY,
    JSON_OBJECT
};

/* A text, in the frame or, if it had escapes, in the parser: valid until the next json_open() or
 * json_rewind(). Not NUL-terminated. */
struct json_text {
    const char *at;
    size_t len;
};

/* One value. `text`: of a string its characters, without quotes and escapes, valid UTF-8; of a
 * number and of true, false, null the characters of the document; of a container nothing. */
struct json_item {
    enum json_type type;
    struct json_text key; /* of a field; len 0 for an element */
    struct json_text text;
};

/* One parser, with room for documents of up to max_bytes: allocated here, never again.
 * Owner: the caller, until json_free().   Threads: one at a time.   Errors: NULL no memory. */
struct json *json_new(size_t max_bytes);
void json_free(struct json *json);

/* Bytes that json_new(max_bytes) takes. Most are touched only by frames that need them. */
size_t json_bytes(size_t max_bytes);

/* Start on frame[0..len), which has JSON_PADDING readable bytes behind it and outlives the walk.
 * *root is the outermost value. Errors, here and below: -EBADMSG, json_error() says why. */
int json_open(struct json *json, const char *frame, size_t len, struct json_item *root);

/* Start on the same document again. */
int json_rewind(struct json *json, struct json_item *root);

/* Go into the array or object that json_open(), json_rewind() or json_next() gave last. */
int json_enter(struct json *json);

/* The next field or element of the container that was entered last and not left. 1: *item is set;
 * 0: there is none, and the container is left. A container given before and not entered is skipped.
 */
int json_next(struct json *json, struct json_item *item);

/* Walk whatever is left, to the end of the document. */
int json_finish(struct json *json);

/* Why the last call failed: a sentence without subject, static. */
const char *json_error(const struct json *json);

/* Is this text valid UTF-8? */
bool json_utf8(const char *text, size_t len);

#ifdef __cplusplus
}
#endif

#endif
