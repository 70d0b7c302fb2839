/* Writes JSON on a stream: commas, escapes and null where there is no number. Texts that come from
 * outside may hold anything; what is not UTF-8 is written as U+FFFD, so the output always is. */
#ifndef PX_TOOLS_JSON_OUT_H
#define PX_TOOLS_JSON_OUT_H

#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

struct json_out {
    FILE *file;
    unsigned depth;
    uint64_t filled; /* bit d: something stands already at depth d */
};

void jout_start(struct json_out *out, FILE *file);

/* `key` is NULL inside an array and at the top. */
void jout_object(struct json_out *out, const char *key);
void jout_array(struct json_out *out, const char *key);
void jout_end_object(struct json_out *out);
void jout_end_array(struct json_out *out);
void jout_text(struct json_out *out, const char *key, const char *text); /* NULL: null */
void jout_signed(struct json_out *out, const char *key, int64_t value);
void jout_unsigned(struct json_out *out, const char *key, uint64_t value);
void jout_fixed(struct json_out *out, const char *key, double value, int places); /* NAN: null */
void jout_bool(struct json_out *out, const char *key, int value);
void jout_null(struct json_out *out, const char *key);

/* The text as the inside of a JSON string, escaped, NUL-terminated and cut at whole characters if
 * `cap` is too small; 6 bytes for each of the text always suffice. Returns the length. */
size_t jout_escape(const char *text, char *out, size_t cap);

#endif
