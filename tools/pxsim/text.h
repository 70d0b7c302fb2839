/* Text into a buffer that is never overrun: what does not fit makes the whole empty. Pure. */
#ifndef PXSIM_TEXT_H
#define PXSIM_TEXT_H

#include <stddef.h>
#include <stdint.h>

struct text {
    char *at, *start, *end;
};

struct text text_into(char *buf, size_t room);
void text_bytes(struct text *t, const char *s, size_t len);
void text_put(struct text *t, const char *s);
void text_int(struct text *t, int64_t value);
/* A number in units of 1e-8 with `decimals` digits (0 to 8) behind the point; the rest is cut. */
void text_decimal(struct text *t, int64_t value, unsigned decimals);
/* A time after RFC 3339, in UTC, with microseconds: 2026-09-20T11:34:06.075373Z */
void text_rfc3339(struct text *t, uint64_t real_us);
/* As the content of a JSON string. */
void text_json(struct text *t, const char *s, size_t len);
/* Length of all that was put; 0 if it did not fit. */
size_t text_len(const struct text *t);

#endif
