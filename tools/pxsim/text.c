#include "text.h"

#include <string.h>

struct text text_into(char *buf, size_t room)
{
    return (struct text){.at = buf, .start = buf, .end = buf + room};
}

void text_bytes(struct text *t, const char *s, size_t len)
{
    if (t->at == NULL || (size_t)(t->end - t->at) < len) {
        t->at = NULL;
        return;
    }
    memcpy(t->at, s, len);
    t->at += len;
}

void text_put(struct text *t, const char *s)
{
    text_bytes(t, s, strlen(s));
}

static size_t digits_of(char out[20], uint64_t v, size_t least)
{
    size_t n = 0;
    do {
        out[19 - n++] = (char)('0' + v % 10);
        v /= 10;
    } while (v != 0 || n < least);
    return n;
}

static uint64_t magnitude(struct text *t, int64_t value)
{
    if (value >= 0)
        return (uint64_t)value;
    text_bytes(t, "-", 1);
    return 0 - (uint64_t)value;
}

void text_int(struct text *t, int64_t value)
{
    char d[20];
    size_t n = digits_of(d, magnitude(t, value), 1);
    text_bytes(t, d + 20 - n, n);
}

void text_decimal(struct text *t, int64_t value, unsigned decimals)
{
    char d[20];
    size_t n = digits_of(d, magnitude(t, value), 9);
    text_bytes(t, d + 20 - n, n - 8);
    if (decimals == 0)
        return;
    text_bytes(t, ".", 1);
    text_bytes(t, d + 12, decimals);
}

static void padded(struct text *t, uint64_t value, size_t digits)
{
    char d[20];
    size_t n = digits_of(d, value, digits);
    text_bytes(t, d + 20 - n, n);
}

/* The date from the days since 1970-01-01 after Howard Hinnant, "chrono-Compatible Low-Level Date
 * Algorithms" (civil_from_days). */
void text_rfc3339(struct text *t, uint64_t real_us)
{
    uint64_t seconds = real_us / 1000000, days = seconds / 86400 + 719468;
    uint64_t era = days / 146097, of_era = days % 146097;
    uint64_t years = (of_era - of_era / 1460 + of_era / 36524 - of_era / 146096) / 365;
    uint64_t of_year = of_era - (365 * years + years / 4 - years / 100);
    uint64_t month = (5 * of_year + 2) / 153; /* from March */
    const struct {
        uint64_t value;
        size_t digits;
        const char *behind;
    } parts[] = {
        {years + era * 400 + (month >= 10), 4, "-"},
        {month < 10 ? month + 3 : month - 9, 2, "-"},
        {of_year - (153 * month + 2) / 5 + 1, 2, "T"},
        {seconds / 3600 % 24, 2, ":"},
        {seconds / 60 % 60, 2, ":"},
        {seconds % 60, 2, "."},
        {real_us % 1000000, 6, "Z"},
    };
    for (size_t i = 0; i < sizeof parts / sizeof parts[0]; i++) {
        padded(t, parts[i].value, parts[i].digits);
        text_put(t, parts[i].behind);
    }
}

void text_json(struct text *t, const char *s, size_t len)
{
    static const char hex[] = "0123456789abcdef";
    for (size_t i = 0; i < len; i++) {
        unsigned char c = (unsigned char)s[i];
        if (c == '"' || c == '\\') {
            text_bytes(t, "\\", 1);
            text_bytes(t, s + i, 1);
        } else if (c < 0x20) {
            char escape[] = {'\\', 'u', '0', '0', hex[c >> 4], hex[c & 15]};
            text_bytes(t, escape, sizeof escape);
        } else {
            text_bytes(t, s + i, 1);
        }
    }
}

size_t text_len(const struct text *t)
{
    return t->at == NULL ? 0 : (size_t)(t->at - t->start);
}
