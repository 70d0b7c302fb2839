/* Fields of a frame, taken or refused. See field.h. */
#include "field.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "decimal.h"

const char *field_show(struct json_text text, char out[FIELD_SHOW_MAX])
{
    static const char more[] = "...";
    size_t len = text.len;
    bool cut = len >= FIELD_SHOW_MAX;
    if (cut)
        len = FIELD_SHOW_MAX - sizeof more;
    while (cut && len > 0 && ((unsigned char)text.at[len] & 0xc0) == 0x80)
        len--;
    for (size_t i = 0; i < len; i++)
        out[i] = (unsigned char)text.at[i] < ' ' || text.at[i] == 0x7f ? '?' : text.at[i];
    if (cut)
        memcpy(out + len, more, sizeof more);
    else
        out[len] = '\0';
    return out;
}

int refuse(struct refusal *r, const char *error, const char *format, ...)
{
    char who[FIELD_SHOW_MAX];
    int at = 0;
    if (r->what != NULL)
        at = snprintf(r->text, sizeof r->text, "%s%s%s: ", r->what, r->who.len > 0 ? " of " : "",
                      field_show(r->who, who));
    va_list args;
    va_start(args, format);
    vsnprintf(r->text + at, sizeof r->text - (size_t)at, format, args);
    va_end(args);
    r->error = error;
    r->symbol_len = (uint16_t)(r->who.len <= sizeof r->symbol ? r->who.len : 0);
    if (r->symbol_len > 0)
        memcpy(r->symbol, r->who.at, r->symbol_len);
    return -EBADMSG;
}

static int missing(struct refusal *r, const char *name)
{
    return refuse(r, REFUSED_MISSING, "%s is missing", name);
}

static const char *shown(const struct json_item *item, char out[FIELD_SHOW_MAX])
{
    if (item->type == JSON_ARRAY)
        return "an array";
    if (item->type == JSON_OBJECT)
        return "an object";
    return field_show(item->text, out);
}

static int other_type(struct refusal *r, const struct json_item *item, const char *name,
                      const char *wanted)
{
    char show[FIELD_SHOW_MAX];
    const char *quote = item->type == JSON_STRING ? "\"" : "";
    return refuse(r, REFUSED_TYPE, "%s %s%s%s is not %s", name, quote, shown(item, show), quote,
                  wanted);
}

int field_decimal(struct refusal *r, const struct json_item *item, const char *name,
                  struct px_decimal *out)
{
    char show[FIELD_SHOW_MAX];
    if (item == NULL)
        return missing(r, name);
    if (item->type != JSON_STRING && item->type != JSON_NUMBER)
        return other_type(r, item, name, "a number");
    int rc = decimal_parse(item->text.at, item->text.len, out);
    if (rc == -ERANGE)
        return refuse(r, REFUSED_RANGE,
                      "%s %s has more than 63 bits or 30 decimals, and is not rounded", name,
                      field_show(item->text, show));
    if (rc != 0)
        return refuse(r, REFUSED_NUMBER, "%s \"%s\" is not a number", name,
                      field_show(item->text, show));
    return 0;
}

/* 0, -EINVAL other characters than digits, -ERANGE. */
static int unsigned_of(struct json_text text, uint64_t *out)
{
    uint64_t value = 0;
    for (size_t i = 0; i < text.len; i++) {
        unsigned digit = (unsigned char)text.at[i] - (unsigned)'0';
        if (digit > 9)
            return -EINVAL;
        if (__builtin_mul_overflow(value, 10u, &value) ||
            __builtin_add_overflow(value, digit, &value))
            return -ERANGE;
    }
    *out = value;
    return 0;
}

static int id_of(struct refusal *r, const struct json_item *item, const char *name, bool as_text,
                 uint64_t *out)
{
    char show[FIELD_SHOW_MAX];
    if (item == NULL)
        return missing(r, name);
    bool digits = as_text && item->type == JSON_STRING && item->text.len > 0;
    if (item->type != JSON_NUMBER && !digits)
        return other_type(r, item, name, "an integer");
    int rc = unsigned_of(item->text, out);
    if (rc == -ERANGE)
        return refuse(r, REFUSED_RANGE, "%s %s has more than 64 bits", name,
                      field_show(item->text, show));
    if (rc != 0)
        return other_type(r, item, name, "an unsigned integer");
    return 0;
}

int field_id(struct refusal *r, const struct json_item *item, const char *name, uint64_t *out)
{
    return id_of(r, item, name, false, out);
}

int field_id_text(struct refusal *r, const struct json_item *item, const char *name, uint64_t *out)
{
    return id_of(r, item, name, true, out);
}

int field_trade_id(struct refusal *r, const struct json_item *item, const char *name, uint64_t *out,
                   uint16_t *flags, struct json_text *text)
{
    if (item != NULL && item->type == JSON_STRING && item->text.len > 0 &&
        unsigned_of(item->text, out) != 0) {
        uint64_t hash = UINT64_C(14695981039346656037);
        for (size_t i = 0; i < item->text.len; i++)
            hash = (hash ^ (unsigned char)item->text.at[i]) * UINT64_C(1099511628211);
        *out = hash;
        *flags |= PX_FLAG_HASHED;
        *text = item->text;
        return 0;
    }
    int rc = id_of(r, item, name, true, out);
    if (rc == 0)
        *text = item->text;
    return rc;
}

static int time_of(struct refusal *r, const struct json_item *item, const char *name, bool as_text,
                   int64_t *out)
{
    char show[FIELD_SHOW_MAX];
    uint64_t n = 0;
    int rc = id_of(r, item, name, as_text, &n);
    if (rc != 0)
        return rc;
    int64_t ns = field_time_ns(n);
    if (ns == 0 && n != 0)
        return refuse(r, REFUSED_RANGE, "%s %s is no time in ms or us", name,
                      field_show(item->text, show));
    *out = ns;
    return 0;
}

int field_time(struct refusal *r, const struct json_item *item, const char *name, int64_t *out)
{
    return time_of(r, item, name, false, out);
}

int field_time_text(struct refusal *r, const struct json_item *item, const char *name, int64_t *out)
{
    return time_of(r, item, name, true, out);
}

int field_seconds(struct refusal *r, const struct json_item *item, const char *name, int64_t *out)
{
    char show[FIELD_SHOW_MAX];
    struct px_decimal n;
    if (item == NULL)
        return missing(r, name);
    if (item->type != JSON_NUMBER)
        return refuse(r, REFUSED_TYPE, "%s is %s and no number", name, shown(item, show));
    if (decimal_parse(item->text.at, item->text.len, &n) != 0 || n.mantissa < 0 || n.exponent < -9)
        return refuse(r, REFUSED_RANGE, "%s %s is no time", name, shown(item, show));
    int64_t ns = n.mantissa;
    for (int32_t e = n.exponent; e > -9; e--)
        if (__builtin_mul_overflow(ns, 10, &ns))
            return refuse(r, REFUSED_RANGE, "%s %s is no time", name, shown(item, show));
    *out = ns;
    return 0;
}

/* Exactly `count` digits. */
static bool take_digits(struct json_text *text, unsigned count, int64_t *out)
{
    int64_t value = 0;
    if (text->len < count)
        return false;
    for (unsigned i = 0; i < count; i++) {
        unsigned digit = (unsigned char)text->at[i] - (unsigned)'0';
        if (digit > 9)
            return false;
        value = value * 10 + (int64_t)digit;
    }
    text->at += count;
    text->len -= count;
    *out = value;
    return true;
}

static bool take_one_of(struct json_text *text, const char *chars)
{
    if (text->len == 0 || strchr(chars, text->at[0]) == NULL || text->at[0] == '\0')
        return false;
    text->at++;
    text->len--;
    return true;
}

/* Days since 1970-01-01 of a date of the Gregorian calendar, after Howard Hinnant,
 * "chrono-Compatible Low-Level Date Algorithms" (days_from_civil). */
static int64_t days_of(int64_t year, int64_t month, int64_t day)
{
    year -= month <= 2;
    int64_t era = year / 400, of_era = year % 400;
    int64_t of_year = (153 * (month + (month > 2 ? -3 : 9)) + 2) / 5 + day - 1;
    return era * 146097 + of_era * 365 + of_era / 4 - of_era / 100 + of_year - 719468;
}

static bool take_fraction(struct json_text *text, int64_t *ns)
{
    int64_t unit = 100000000;
    *ns = 0;
    if (!take_one_of(text, "."))
        return true;
    size_t digits = 0;
    for (int64_t digit; take_digits(text, 1, &digit); digits++, unit /= 10)
        *ns += digit * unit;
    return digits > 0;
}

/* "Z" or "+01:30", in seconds. */
static bool take_offset(struct json_text *text, int64_t *out)
{
    int64_t hours, minutes;
    *out = 0;
    if (take_one_of(text, "Zz"))
        return true;
    bool west = text->len > 0 && text->at[0] == '-';
    if (!take_one_of(text, "+-") || !take_digits(text, 2, &hours) || !take_one_of(text, ":") ||
        !take_digits(text, 2, &minutes) || hours > 23 || minutes > 59)
        return false;
    *out = (hours * 3600 + minutes * 60) * (west ? -1 : 1);
    return true;
}

static bool month_has(int64_t year, int64_t month, int64_t day)
{
    static const uint8_t days[] = {31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31};
    bool leap = year % 4 == 0 && (year % 100 != 0 || year % 400 == 0);
    return month >= 1 && month <= 12 && day >= 1 &&
           day <= days[month - 1] + (month == 2 && leap ? 1 : 0);
}

static bool rfc3339(struct json_text text, int64_t *out)
{
    int64_t year, month, day, hour, minute, second, ns, offset;
    if (!take_digits(&text, 4, &year) || !take_one_of(&text, "-") ||
        !take_digits(&text, 2, &month) || !take_one_of(&text, "-") ||
        !take_digits(&text, 2, &day) || !take_one_of(&text, "Tt ") ||
        !take_digits(&text, 2, &hour) || !take_one_of(&text, ":") ||
        !take_digits(&text, 2, &minute) || !take_one_of(&text, ":") ||
        !take_digits(&text, 2, &second) || !take_fraction(&text, &ns) ||
        !take_offset(&text, &offset) || text.len != 0)
        return false;
    if (!month_has(year, month, day) || hour > 23 || minute > 59 || second > 60)
        return false;
    int64_t seconds =
        days_of(year, month, day) * 86400 + hour * 3600 + minute * 60 + second - offset;
    if (seconds < 0 || seconds > INT64_MAX / 1000000000 - 1)
        return false;
    *out = seconds * 1000000000 + ns;
    return true;
}

int field_rfc3339(struct refusal *r, const struct json_item *item, const char *name, int64_t *out)
{
    char show[FIELD_SHOW_MAX];
    if (item == NULL)
        return missing(r, name);
    if (item->type != JSON_STRING)
        return other_type(r, item, name, "a time");
    if (!rfc3339(item->text, out))
        return refuse(r, REFUSED_RANGE, "%s \"%s\" is no time since 1970", name,
                      field_show(item->text, show));
    return 0;
}

int field_bool(struct refusal *r, const struct json_item *item, const char *name, bool *out)
{
    if (item == NULL)
        return missing(r, name);
    if (item->type != JSON_TRUE && item->type != JSON_FALSE)
        return other_type(r, item, name, "true or false");
    *out = item->type == JSON_TRUE;
    return 0;
}

int field_text(struct refusal *r, const struct json_item *item, const char *name,
               struct json_text *out)
{
    if (item == NULL)
        return missing(r, name);
    if (item->type != JSON_STRING)
        return other_type(r, item, name, "a text");
    *out = item->text;
    return 0;
}

int field_side(struct refusal *r, const struct json_item *item, const char *name, uint16_t *flags)
{
    struct json_text side;
    char show[FIELD_SHOW_MAX];
    int rc = field_text(r, item, name, &side);
    if (rc != 0)
        return rc;
    bool buy = side.len == 3 && memcmp(side.at, "buy", 3) == 0;
    if (!buy && (side.len != 4 || memcmp(side.at, "sell", 4) != 0))
        return refuse(r, REFUSED_TYPE, "%s \"%s\" is neither buy nor sell", name,
                      field_show(side, show));
    *flags |= buy ? PX_SIDE_BUY : PX_SIDE_SELL;
    return 0;
}
