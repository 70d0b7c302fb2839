/* Text to exact decimal. See decimal.h. */
#include "decimal.h"

#include <errno.h>
#include <stdbool.h>

/* Exponents are counted up to here and no further: far beyond every one that fits. */
#define EXPONENT_CAP 100000

/* Where the parser stands, and the magnitude so far. */
struct scan {
    const char *at, *end;
    uint64_t magnitude;
    bool overflow;
};

static bool is_digit(const struct scan *s)
{
    return s->at < s->end && (unsigned char)(*s->at - '0') <= 9;
}

static bool accept(struct scan *s, char c)
{
    if (s->at == s->end || *s->at != c)
        return false;
    s->at++;
    return true;
}

static void append(struct scan *s, uint64_t digit)
{
    const uint64_t most = INT64_MAX / 10, last = INT64_MAX % 10;
    if (s->magnitude > most || (s->magnitude == most && digit > last))
        s->overflow = true;
    else
        s->magnitude = s->magnitude * 10 + digit;
}

/* One digit or more, onto the magnitude. Returns how many. */
static size_t digits(struct scan *s)
{
    const char *start = s->at;
    while (is_digit(s))
        append(s, (uint64_t)(*s->at++ - '0'));
    return (size_t)(s->at - start);
}

/* What stands behind 'e': a number within EXPONENT_CAP. False: none. */
static bool exponent_of(struct scan *s, int64_t *ret)
{
    int64_t value = 0;
    bool negative = accept(s, '-');
    if (!negative)
        accept(s, '+');
    if (!is_digit(s))
        return false;
    for (; is_digit(s); s->at++)
        if (value < EXPONENT_CAP)
            value = value * 10 + (*s->at - '0');
    *ret = negative ? -value : value;
    return true;
}

int decimal_parse(const char *text, size_t len, struct px_decimal *out)
{
    struct scan s = {.at = text, .end = text + len};
    int64_t exponent = 0;
    bool negative = accept(&s, '-');
    if (!accept(&s, '0') && digits(&s) == 0)
        return -EINVAL;
    size_t decimals = 0;
    if (accept(&s, '.') && (decimals = digits(&s)) == 0)
        return -EINVAL;
    if ((accept(&s, 'e') || accept(&s, 'E')) && !exponent_of(&s, &exponent))
        return -EINVAL;
    if (s.at != s.end)
        return -EINVAL;
    exponent -= (int64_t)decimals;
    if (s.magnitude == 0 && exponent > 0)
        exponent = 0;
    for (; exponent > 0 && !s.overflow; exponent--)
        append(&s, 0);
    if (s.overflow || exponent < PX_EXPONENT_MIN)
        return -ERANGE;
    *out = (struct px_decimal){.mantissa = negative ? -(int64_t)s.magnitude : (int64_t)s.magnitude,
                               .exponent = (int32_t)exponent};
    return 0;
}
