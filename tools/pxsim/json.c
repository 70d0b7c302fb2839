#include "json.h"

#include <stdint.h>
#include <string.h>

#define DEPTH_MAX 64

struct cursor {
    const char *text;
    size_t len, pos;
    const char *wrong; /* NULL: so far so good */
    int depth;
};

static bool value(struct cursor *c);

static bool fail(struct cursor *c, const char *what)
{
    if (c->wrong == NULL)
        c->wrong = what;
    return false;
}

static int peek(const struct cursor *c)
{
    return c->pos < c->len ? (unsigned char)c->text[c->pos] : -1;
}

static int peek_past_space(struct cursor *c)
{
    while (c->pos < c->len && c->text[c->pos] != '\0' && strchr(" \t\r\n", c->text[c->pos]) != NULL)
        c->pos++;
    return peek(c);
}

static bool hex4(struct cursor *c)
{
    for (int i = 0; i < 4; i++, c->pos++) {
        int ch = peek(c);
        if (ch < 0)
            return fail(c, "EOF while parsing a string");
        if (ch == '\0' || strchr("0123456789abcdefABCDEF", ch) == NULL)
            return fail(c, "invalid escape");
    }
    return true;
}

static bool string(struct cursor *c)
{
    for (c->pos++;; c->pos++) {
        int ch = peek(c);
        if (ch < 0)
            return fail(c, "EOF while parsing a string");
        if (ch == '"') {
            c->pos++;
            return true;
        }
        if (ch < 0x20)
            return fail(c, "control character (\\u0000-\\u001F) found while parsing a string");
        if (ch != '\\')
            continue;
        c->pos++;
        ch = peek(c);
        if (ch < 0)
            return fail(c, "EOF while parsing a string");
        if (ch == 'u') {
            c->pos++;
            if (!hex4(c))
                return false;
            c->pos--;
        } else if (ch == '\0' || strchr("\"\\/bfnrt", ch) == NULL) {
            return fail(c, "invalid escape");
        }
    }
}

static bool digits(struct cursor *c)
{
    size_t from = c->pos;
    while (peek(c) >= '0' && peek(c) <= '9')
        c->pos++;
    if (c->pos == from)
        return fail(c, peek(c) < 0 ? "EOF while parsing a value" : "invalid number");
    return true;
}

static bool number(struct cursor *c)
{
    if (peek(c) == '-')
        c->pos++;
    bool zero = peek(c) == '0';
    size_t from = c->pos;
    if (!digits(c))
        return false;
    if (zero && c->pos > from + 1)
        return fail(c, "invalid number");
    if (peek(c) == '.') {
        c->pos++;
        if (!digits(c))
            return false;
    }
    if (peek(c) == 'e' || peek(c) == 'E') {
        c->pos++;
        if (peek(c) == '+' || peek(c) == '-')
            c->pos++;
        return digits(c);
    }
    return true;
}

static bool word(struct cursor *c, const char *expected)
{
    for (; *expected != '\0'; expected++, c->pos++) {
        if (peek(c) < 0)
            return fail(c, "EOF while parsing a value");
        if (peek(c) != *expected)
            return fail(c, "expected ident");
    }
    return true;
}

static bool array(struct cursor *c)
{
    c->pos++;
    if (peek_past_space(c) == ']') {
        c->pos++;
        return true;
    }
    for (;;) {
        if (peek_past_space(c) < 0)
            return fail(c, "EOF while parsing a list");
        if (!value(c))
            return false;
        int ch = peek_past_space(c);
        if (ch < 0)
            return fail(c, "EOF while parsing a list");
        if (ch != ',' && ch != ']')
            return fail(c, "expected `,` or `]`");
        c->pos++;
        if (ch == ']')
            return true;
        if (peek_past_space(c) == ']')
            return fail(c, "trailing comma");
    }
}

static bool member(struct cursor *c)
{
    int ch = peek_past_space(c);
    if (ch < 0)
        return fail(c, "EOF while parsing an object");
    if (ch != '"')
        return fail(c, ch == '}' ? "trailing comma" : "key must be a string");
    if (!string(c))
        return false;
    ch = peek_past_space(c);
    if (ch != ':')
        return fail(c, ch < 0 ? "EOF while parsing an object" : "expected `:`");
    c->pos++;
    return value(c);
}

static bool object(struct cursor *c)
{
    c->pos++;
    if (peek_past_space(c) == '}') {
        c->pos++;
        return true;
    }
    for (;;) {
        if (!member(c))
            return false;
        int ch = peek_past_space(c);
        if (ch < 0)
            return fail(c, "EOF while parsing an object");
        if (ch != ',' && ch != '}')
            return fail(c, "expected `,` or `}`");
        c->pos++;
        if (ch == '}')
            return true;
    }
}

static bool value(struct cursor *c)
{
    int ch = peek_past_space(c);
    if (ch < 0)
        return fail(c, "EOF while parsing a value");
    if (ch == '"')
        return string(c);
    if (ch == '-' || (ch >= '0' && ch <= '9'))
        return number(c);
    if (ch == 't')
        return word(c, "true");
    if (ch == 'f')
        return word(c, "false");
    if (ch == 'n')
        return word(c, "null");
    if (ch != '[' && ch != '{')
        return fail(c, "expected value");
    if (++c->depth > DEPTH_MAX)
        return fail(c, "recursion limit exceeded");
    bool ok = ch == '[' ? array(c) : object(c);
    c->depth--;
    return ok;
}

int json_parse(const char *text, size_t len, struct json *ret_value, struct json_error *ret_error)
{
    struct cursor c = {.text = text, .len = len};
    (void)peek_past_space(&c);
    size_t from = c.pos;
    if (value(&c)) {
        size_t to = c.pos;
        if (peek_past_space(&c) < 0) {
            *ret_value = (struct json){text + from, to - from};
            return 0;
        }
        (void)fail(&c, "trailing characters");
    }
    *ret_error = (struct json_error){.what = c.wrong, .line = 1};
    size_t line_start = 0;
    for (size_t i = 0; i < c.pos && i < len; i++) {
        if (text[i] == '\n') {
            ret_error->line++;
            line_start = i + 1;
        }
    }
    ret_error->column = c.pos - line_start + (c.pos < len ? 1 : 0);
    return -1;
}

static struct json take(struct cursor *c)
{
    (void)peek_past_space(c);
    size_t from = c->pos;
    return value(c) ? (struct json){c->text + from, c->pos - from} : (struct json){0};
}

struct json json_member(struct json parent, const char *key)
{
    struct json found = {0};
    struct cursor c = {.text = parent.at, .len = parent.len, .pos = 1};
    size_t key_len = strlen(key);
    if (parent.len == 0 || parent.at[0] != '{')
        return found;
    while (peek_past_space(&c) == '"') {
        struct json name = take(&c);
        (void)peek_past_space(&c);
        c.pos++; /* the colon */
        struct json item = take(&c);
        if (name.len == key_len + 2 && memcmp(name.at + 1, key, key_len) == 0)
            found = item;
        if (peek_past_space(&c) == ',')
            c.pos++;
    }
    return found;
}

bool json_next(struct json parent, size_t *cursor, struct json *ret_item)
{
    if (parent.len == 0 || parent.at[0] != '[')
        return false;
    struct cursor c = {.text = parent.at, .len = parent.len, .pos = *cursor == 0 ? 1 : *cursor};
    int ch = peek_past_space(&c);
    if (ch == ',') {
        c.pos++;
        ch = peek_past_space(&c);
    }
    if (ch < 0 || ch == ']')
        return false;
    *ret_item = take(&c);
    *cursor = c.pos;
    return true;
}

static size_t put_utf8(char *out, uint32_t cp)
{
    if (cp < 0x80) {
        out[0] = (char)cp;
        return 1;
    }
    size_t more = cp < 0x800 ? 1 : cp < 0x10000 ? 2 : 3;
    static const unsigned char lead[] = {0, 0xC0, 0xE0, 0xF0};
    out[0] = (char)(lead[more] | (cp >> (6 * more)));
    for (size_t k = 1; k <= more; k++)
        out[k] = (char)(0x80 | ((cp >> (6 * (more - k))) & 0x3F));
    return more + 1;
}

static uint32_t hex_value(const char *s)
{
    uint32_t v = 0;
    for (int i = 0; i < 4; i++) {
        char ch = s[i];
        v = v << 4 | (uint32_t)(ch <= '9' ? ch - '0' : (ch | 0x20) - 'a' + 10);
    }
    return v;
}

/* `s` is behind the backslash; returns the bytes of the escape that were used. */
static size_t unescape(const char *s, const char *end, char *out, size_t *n)
{
    static const char plain[] = "\"\\/bfnrt", meant[] = "\"\\/\b\f\n\r\t";
    if (*s != 'u') {
        out[(*n)++] = meant[strchr(plain, *s) - plain];
        return 1;
    }
    uint32_t cp = hex_value(s + 1);
    size_t used = 5;
    if (cp >= 0xD800 && cp < 0xDC00 && end - s >= 11 && s[5] == '\\' && s[6] == 'u') {
        cp = 0x10000 + ((cp & 0x3FF) << 10) + (hex_value(s + 7) & 0x3FF);
        used = 11;
    }
    *n += put_utf8(out + *n, cp);
    return used;
}

long json_text(struct json item, char *out, size_t cap)
{
    if (item.len < 2 || item.at[0] != '"')
        return -1;
    size_t n = 0;
    const char *end = item.at + item.len - 1;
    for (const char *s = item.at + 1; s < end;) {
        if (n + 5 > cap)
            return -1;
        if (*s == '\\')
            s += 1 + unescape(s + 1, end, out, &n);
        else
            out[n++] = *s++;
    }
    out[n] = '\0';
    return (long)n;
}
