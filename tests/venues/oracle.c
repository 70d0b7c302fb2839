/* A second opinion on JSON. See oracle.h. */
#include "oracle.h"

#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct reader {
    struct oracle *o;
    const unsigned char *p, *end;
    unsigned depth;
};

static bool value(struct reader *r);

static void blanks(struct reader *r)
{
    while (r->p < r->end && (*r->p == ' ' || *r->p == '\t' || *r->p == '\n' || *r->p == '\r'))
        r->p++;
}

static bool eat(struct reader *r, int c)
{
    if (r->p == r->end || *r->p != c)
        return false;
    r->p++;
    return true;
}

static void store(struct reader *r, const char *bytes, size_t len)
{
    if (r->o->used + len + 1 > ORACLE_TEXT)
        abort();
    memcpy(r->o->store + r->o->used, bytes, len);
    r->o->used += len;
}

static void finish_token(struct reader *r, size_t start, bool string)
{
    if (r->o->count == ORACLE_TOKENS)
        abort();
    r->o->token[r->o->count++] =
        (struct oracle_token){string, r->o->store + start, r->o->used - start};
    store(r, "", 1);
}

static void store_code(struct reader *r, uint32_t c)
{
    char b[4];
    size_t n = 0;
    if (c < 0x80) {
        b[n++] = (char)c;
    } else {
        if (c < 0x800) {
            b[n++] = (char)(0xc0 | c >> 6);
        } else if (c < 0x10000) {
            b[n++] = (char)(0xe0 | c >> 12);
            b[n++] = (char)(0x80 | ((c >> 6) & 0x3f));
        } else {
            b[n++] = (char)(0xf0 | c >> 18);
            b[n++] = (char)(0x80 | ((c >> 12) & 0x3f));
            b[n++] = (char)(0x80 | ((c >> 6) & 0x3f));
        }
        b[n++] = (char)(0x80 | (c & 0x3f));
    }
    store(r, b, n);
}

static bool hex4(struct reader *r, uint32_t *out)
{
    *out = 0;
    for (int i = 0; i < 4; i++, r->p++) {
        const char *digits = "0123456789abcdef", *at;
        if (r->p == r->end || *r->p == '\0' || (at = strchr(digits, *r->p | 0x20)) == NULL)
            return false;
        if (*r->p < '0' || (*r->p > '9' && *r->p < 'A'))
            return false;
        *out = *out * 16 + (uint32_t)(at - digits);
    }
    return true;
}

static bool unicode(struct reader *r)
{
    uint32_t high, low;
    if (!hex4(r, &high) || (high >= 0xdc00 && high < 0xe000))
        return false;
    if (high < 0xd800 || high >= 0xe000) {
        store_code(r, high);
        return true;
    }
    if (!eat(r, '\\') || !eat(r, 'u') || !hex4(r, &low) || low < 0xdc00 || low >= 0xe000)
        return false;
    store_code(r, 0x10000 + ((high - 0xd800) << 10) + (low - 0xdc00));
    return true;
}

static bool escape(struct reader *r)
{
    static const char from[] = "\"\\/bfnrt", to[] = "\"\\/\b\f\n\r\t";
    if (eat(r, 'u'))
        return unicode(r);
    const char *at = r->p < r->end && *r->p != '\0' ? strchr(from, *r->p) : NULL;
    if (at == NULL)
        return false;
    r->p++;
    store(r, to + (at - from), 1);
    return true;
}

/* One character of UTF-8, by the table of RFC 3629. */
static bool utf8(struct reader *r)
{
    const unsigned char *p = r->p;
    size_t n = p[0] < 0x80   ? 1
               : p[0] < 0xc2 ? 0
               : p[0] < 0xe0 ? 2
               : p[0] < 0xf0 ? 3
               : p[0] < 0xf5 ? 4
                             : 0;
    if (n == 0 || (size_t)(r->end - p) < n)
        return false;
    for (size_t i = 1; i < n; i++)
        if (p[i] < 0x80 || p[i] > 0xbf)
            return false;
    if ((p[0] == 0xe0 && p[1] < 0xa0) || (p[0] == 0xed && p[1] > 0x9f) ||
        (p[0] == 0xf0 && p[1] < 0x90) || (p[0] == 0xf4 && p[1] > 0x8f))
        return false;
    store(r, (const char *)p, n);
    r->p += n;
    return true;
}

static bool string(struct reader *r, bool keep)
{
    size_t start = r->o->used;
    while (r->p < r->end && *r->p != '"') {
        if (*r->p < 0x20)
            return false;
        if (eat(r, '\\') ? !escape(r) : !utf8(r))
            return false;
    }
    if (!eat(r, '"'))
        return false;
    if (keep)
        finish_token(r, start, true);
    return true;
}

static bool some_digits(struct reader *r)
{
    const unsigned char *start = r->p;
    while (r->p < r->end && *r->p >= '0' && *r->p <= '9')
        r->p++;
    return r->p > start;
}

static bool number(struct reader *r)
{
    size_t start = r->o->used;
    const unsigned char *from = r->p;
    eat(r, '-');
    if (!eat(r, '0') && !some_digits(r))
        return false;
    if (eat(r, '.') && !some_digits(r))
        return false;
    if (eat(r, 'e') || eat(r, 'E')) {
        if (!eat(r, '+'))
            eat(r, '-');
        if (!some_digits(r))
            return false;
    }
    store(r, (const char *)from, (size_t)(r->p - from));
    finish_token(r, start, false);
    return true;
}

static bool word(struct reader *r, const char *text)
{
    size_t len = strlen(text);
    if ((size_t)(r->end - r->p) < len || memcmp(r->p, text, len) != 0)
        return false;
    r->p += len;
    return true;
}

static bool container(struct reader *r, int close, bool keys)
{
    if (++r->depth > r->o->depth)
        r->o->depth = r->depth;
    blanks(r);
    if (!eat(r, close)) {
        do {
            blanks(r);
            if (keys && (!eat(r, '"') || !string(r, false)))
                return false;
            blanks(r);
            if (keys && !eat(r, ':'))
                return false;
            if (!value(r))
                return false;
        } while (eat(r, ','));
        if (!eat(r, close))
            return false;
    }
    r->depth--;
    return true;
}

/* A value and the blanks around it. */
static bool value(struct reader *r)
{
    bool ok;
    blanks(r);
    if (r->p == r->end || r->depth > 1000)
        return false;
    if (eat(r, '{'))
        ok = container(r, '}', true);
    else if (eat(r, '['))
        ok = container(r, ']', false);
    else if (eat(r, '"'))
        ok = string(r, true);
    else
        ok = word(r, "true") || word(r, "false") || word(r, "null") || number(r);
    blanks(r);
    return ok;
}

void oracle_read(struct oracle *o, const char *text, size_t len)
{
    struct reader r = {.o = o, .p = (const unsigned char *)text};
    r.end = r.p + len;
    o->count = o->used = 0;
    o->depth = 0;
    o->json = value(&r) && r.p == r.end;
}

bool oracle_names(const struct oracle *o, const char *text, size_t len)
{
    for (size_t i = 0; i < o->count; i++) {
        const struct oracle_token *t = &o->token[i];
        if (!t->string || t->len < len || memcmp(t->text + t->len - len, text, len) != 0)
            continue;
        if (t->len == len || strchr("._:", t->text[t->len - len - 1]) != NULL)
            return true;
    }
    return false;
}

/* A number with its point moved by hand: "1.50E1" is "15.0". False: no number, or a long one. */
static bool written_out(const char *text, size_t len, char *out, size_t cap)
{
    char digits[128] = {0};
    size_t n = 0, at = 0;
    long point = -1, exponent = 0;
    bool negative = len > 0 && text[0] == '-';
    for (at = negative; at < len && text[at] != 'e' && text[at] != 'E'; at++) {
        if (text[at] == '.')
            point = (long)n;
        else if (text[at] >= '0' && text[at] <= '9' && n + 1 < sizeof digits)
            digits[n++] = text[at];
        else
            return false;
    }
    if (n == 0)
        return false;
    if (at < len)
        exponent = strtol(text + at + 1, NULL, 10);
    if (exponent > 64 && strspn(digits, "0") >= n)
        exponent = 64; /* nothing, however often it is multiplied */
    if (exponent < -64 || exponent > 64)
        return false;
    point = (point < 0 ? (long)n : point) + exponent;
    char plain[320];
    size_t used = 0;
    for (long i = point < 1 ? point - 1 : 0; i < (point > (long)n ? point : (long)n); i++) {
        if (i == point)
            plain[used++] = '.';
        plain[used++] = i >= 0 && i < (long)n ? digits[i] : '0';
    }
    size_t lead = 0; /* zeros in front of the first digit that stands before a point or the end */
    while (lead + 1 < used && plain[lead] == '0' && plain[lead + 1] != '.')
        lead++;
    bool zero = strspn(plain + lead, "0.") >= used - lead;
    return snprintf(out, cap, "%s%.*s", negative && !zero ? "-" : "", (int)(used - lead),
                    plain + lead) < (int)cap;
}

bool oracle_has_decimal(const struct oracle *o, const char *plain, size_t len)
{
    char out[512];
    for (size_t i = 0; i < o->count; i++)
        if (written_out(o->token[i].text, o->token[i].len, out, sizeof out) && strlen(out) == len &&
            memcmp(out, plain, len) == 0)
            return true;
    return false;
}
