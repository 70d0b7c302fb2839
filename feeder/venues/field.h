/* Fields of a frame as the venues need them: taken exactly, or refused with one sentence that names
 * the object, the field and the reason. Shared by the dialects. */
#ifndef PX_VENUES_FIELD_H
#define PX_VENUES_FIELD_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "json.h"
#include "px/types.h"

#define REFUSAL_MAX 256

/* Kinds of refusals: refused frames are counted by them. */
#define REFUSED_JSON    "broken JSON"
#define REFUSED_MISSING "missing field"
#define REFUSED_TWICE   "field given twice"
#define REFUSED_TYPE    "field of another type"
#define REFUSED_NUMBER  "not a number"
#define REFUSED_RANGE   "number out of range"
#define REFUSED_SYMBOL  "unfit symbol"

/* A refusal: its subject ("trade", "BTCUSDT"), set by the decoder as it learns it, and the
 * sentence. */
struct refusal {
    const char *what; /* NULL: the frame */
    struct json_text who;
    const char *error; /* REFUSED_*; NULL: none yet */
    char text[REFUSAL_MAX];
    char symbol[PX_SYMBOL_MAX]; /* `who` as it was then: what it points to may be gone later */
    uint16_t symbol_len;
};

/* Write the sentence "what of who: ...", for print. Returns -EBADMSG. */
int refuse(struct refusal *r, const char *error, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

/* Characters of others for a sentence: cut, and without what a terminal would act on. Returns
 * `out`. */
#define FIELD_SHOW_MAX 48
const char *field_show(struct json_text text, char out[FIELD_SHOW_MAX]);

/* Each takes one field: `item` NULL is a missing one, `name` is for the sentence. 0, or -EBADMSG
 * after refuse(); *out is untouched then. */

/* A decimal: a string, or a JSON number, of which the characters count. */
int field_decimal(struct refusal *r, const struct json_item *item, const char *name,
                  struct px_decimal *out);

/* A JSON integer, 0 to 2^64 - 1. */
int field_id(struct refusal *r, const struct json_item *item, const char *name, uint64_t *out);

/* A JSON integer of ms or of us since 1970, as ns: up to 9223372036854 (year 2262) it is ms; us
 * from 10^14 (1973) on; what lies between is neither. */
int field_time(struct refusal *r, const struct json_item *item, const char *name, int64_t *out);

/* The same, as a JSON integer or as a text of its digits. */
int field_id_text(struct refusal *r, const struct json_item *item, const char *name, uint64_t *out);
int field_time_text(struct refusal *r, const struct json_item *item, const char *name,
                    int64_t *out);

/* A JSON number of seconds since 1970, with up to nine digits behind the point, as ns. */
int field_seconds(struct refusal *r, const struct json_item *item, const char *name, int64_t *out);

/* The id of a trade: an integer of 64 bits, as number or text; of any other text its FNV-1a hash
 * (Fowler, Noll, Vo; 64 bits), and PX_FLAG_HASHED is set in *flags. *text is what the venue wrote.
 */
int field_trade_id(struct refusal *r, const struct json_item *item, const char *name, uint64_t *out,
                   uint16_t *flags, struct json_text *text);

/* A time after RFC 3339 ("2026-08-26T11:34:06.075373Z", offsets too), as ns; digits beyond the
 * ninth are cut. */
int field_rfc3339(struct refusal *r, const struct json_item *item, const char *name, int64_t *out);

/* "buy" or "sell", as PX_SIDE_* in *flags. */
int field_side(struct refusal *r, const struct json_item *item, const char *name, uint16_t *flags);

int field_bool(struct refusal *r, const struct json_item *item, const char *name, bool *out);
int field_text(struct refusal *r, const struct json_item *item, const char *name,
               struct json_text *out);

/* The time of n ms or us, in ns; 0 if it is neither. */
static inline int64_t field_time_ns(uint64_t n)
{
    const uint64_t ms_max = INT64_MAX / 1000000, us_max = INT64_MAX / 1000;
    const uint64_t us_min = UINT64_C(100000000000000);
    if (n <= ms_max)
        return (int64_t)n * 1000000;
    return n >= us_min && n <= us_max ? (int64_t)n * 1000 : 0;
}

#endif
