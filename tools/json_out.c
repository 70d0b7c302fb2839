/* Writes JSON on a stream. See json_out.h. */
#include "json_out.h"

#include <inttypes.h>
#include <math.h>
#include <string.h>

/* Length of the UTF-8 character at p, 0 if it is not one (RFC 3629: no surrogates, no overlong
 * forms, nothing above U+10FFFF). The text ends with NUL, which no continuation byte is. */
static size_t utf8_length(const unsigned char *p)
{
    unsigned char low = 0x80, high = 0xbf;
    size_t len;
    if (p[0] < 0x80)
        return 1;
    if (p[0] >= 0xc2 && p[0] <= 0xdf) {
        len = 2;
    } else if (p[0] >= 0xe0 && p[0] <= 0xef) {
        len = 3;
        if (p[0] == 0xe0)
            low = 0xa0;
        else if (p[0] == 0xed)
            high = 0x9f;
    } else if (p[0] >= 0xf0 && p[0] <= 0xf4) {
        len = 4;
        if (p[0] == 0xf0)
            low = 0x90;
        else if (p[0] == 0xf4)
            high = 0x8f;
    } else {
        return 0;
    }
    if (p[1] < low || p[1] > high)
        return 0;
    for (size_t i = 2; i < len; i++)
        if (p[i] < 0x80 || p[i] > 0xbf)
            return 0;
    return len;
}

/* One character as JSON writes it. Returns the bytes of `piece`, and how far the text moves on. */
static size_t escape_one(const unsigned char *p, char piece[8], size_t *ret_step)
{
    static const char *const hex = "0123456789abcdef";
    static const char letters[] = {
        ['\b'] = 'b', ['\t'] = 't', ['\n'] = 'n', ['\f'] = 'f', ['\r'] = 'r'};
    *ret_step = 1;
    if (p[0] == '"' || p[0] == '\\') {
        piece[0] = '\\';
        piece[1] = (char)p[0];
        return 2;
    }
    if (p[0] < sizeof letters && letters[p[0]] != 0) {
        piece[0] = '\\';
        piece[1] = letters[p[0]];
        return 2;
    }
    if (p[0] < 0x20 || p[0] == 0x7f) {
        static const char unicode[] = {'\\', 'u', '0', '0'};
        memcpy(piece, unicode, sizeof unicode);
        piece[4] = hex[p[0] >> 4];
        piece[5] = hex[p[0] & 15];
        return 6;
    }
    size_t len = utf8_length(p);
    if (len == 0) {
        static const unsigned char replacement[] = {0xef, 0xbf, 0xbd}; /* U+FFFD */
        memcpy(piece, replacement, sizeof replacement);
        return sizeof replacement;
    }
    memcpy(piece, p, len);
    *ret_step = len;
    return len;
}

size_t jout_escape(const char *text, char *out, size_t cap)
{
    const unsigned char *p = (const unsigned char *)text;
    size_t used = 0;
    while (*p != '\0') {
        char piece[8];
        size_t step;
        size_t len = escape_one(p, piece, &step);
        if (used + len + 1 > cap)
            break;
        memcpy(out + used, piece, len);
        used += len;
        p += step;
    }
    if (cap > 0)
        out[used] = '\0';
    return used;
}

static void put_string(struct json_out *out, const char *text)
{
    const unsigned char *p = (const unsigned char *)text;
    fputc('"', out->file);
    while (*p != '\0') {
        char piece[8];
        size_t step;
        size_t len = escape_one(p, piece, &step);
        fwrite(piece, 1, len, out->file);
        p += step;
    }
    fputc('"', out->file);
}

/* Comma and key in front of a value. */
static void put_key(struct json_out *out, const char *key)
{
    uint64_t bit = UINT64_C(1) << (out->depth & 63u);
    if ((out->filled & bit) != 0)
        fputc(',', out->file);
    out->filled |= bit;
    if (key != NULL) {
        put_string(out, key);
        fputc(':', out->file);
    }
}

static void open_level(struct json_out *out, const char *key, char bracket)
{
    put_key(out, key);
    fputc(bracket, out->file);
    out->depth++;
    out->filled &= ~(UINT64_C(1) << (out->depth & 63u));
}

static void close_level(struct json_out *out, char bracket)
{
    out->depth--;
    fputc(bracket, out->file);
}

void jout_start(struct json_out *out, FILE *file)
{
    *out = (struct json_out){.file = file};
}

void jout_object(struct json_out *out, const char *key)
{
    open_level(out, key, '{');
}

void jout_array(struct json_out *out, const char *key)
{
    open_level(out, key, '[');
}

void jout_end_object(struct json_out *out)
{
    close_level(out, '}');
}

void jout_end_array(struct json_out *out)
{
    close_level(out, ']');
}

void jout_text(struct json_out *out, const char *key, const char *text)
{
    if (text == NULL) {
        jout_null(out, key);
        return;
    }
    put_key(out, key);
    put_string(out, text);
}

void jout_signed(struct json_out *out, const char *key, int64_t value)
{
    put_key(out, key);
    fprintf(out->file, "%" PRId64, value);
}

void jout_unsigned(struct json_out *out, const char *key, uint64_t value)
{
    put_key(out, key);
    fprintf(out->file, "%" PRIu64, value);
}

void jout_fixed(struct json_out *out, const char *key, double value, int places)
{
    if (!isfinite(value)) {
        jout_null(out, key);
        return;
    }
    put_key(out, key);
    fprintf(out->file, "%.*f", places, value);
}

void jout_bool(struct json_out *out, const char *key, int value)
{
    put_key(out, key);
    fputs(value ? "true" : "false", out->file);
}

void jout_null(struct json_out *out, const char *key)
{
    put_key(out, key);
    fputs("null", out->file);
}
