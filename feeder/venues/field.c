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

int field_id(struct refusal *r, const struct json_item *item, const char *name, uint64_t *out)
{
    char show[FIELD_SHOW_MAX];
    if (item == NULL)
        return missing(r, name);
    if (item->type != JSON_NUMBER)
        return other_type(r, item, name, "an integer");
    int rc = unsigned_of(item->text, out);
    if (rc == -ERANGE)
        return refuse(r, REFUSED_RANGE, "%s %s has more than 64 bits", name,
                      field_show(item->text, show));
    if (rc != 0)
        return other_type(r, item, name, "an unsigned integer");
    return 0;
}

int field_time(struct refusal *r, const struct json_item *item, const char *name, int64_t *out)
{
    char show[FIELD_SHOW_MAX];
    uint64_t n = 0;
    int rc = field_id(r, item, name, &n);
    if (rc != 0)
        return rc;
    int64_t ns = field_time_ns(n);
    if (ns == 0 && n != 0)
        return refuse(r, REFUSED_RANGE, "%s %s is no time in ms or us", name,
                      field_show(item->text, show));
    *out = ns;
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
