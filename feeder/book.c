/* One order book in two sorted arrays. See book.h. */
#include "book.h"

#include <errno.h>
#include <string.h>
#include <zlib.h>

#include "digits.h"

size_t book_bytes(uint32_t cap)
{
    return (size_t)cap * 2 * sizeof(struct book_level);
}

void book_init(struct book *b, void *memory, uint32_t cap)
{
    *b = (struct book){.cap = cap};
    b->bid.level = memory;
    b->ask.level = b->bid.level + cap;
}

void book_clear(struct book *b)
{
    b->bid.count = b->ask.count = 0;
    b->bid.cut = b->ask.cut = false;
}

static uint64_t magnitude(struct px_decimal d)
{
    return d.mantissa < 0 ? 0 - (uint64_t)d.mantissa : (uint64_t)d.mantissa;
}

/* a * 10^shift against b. What does not fit 64 bits is larger than all that do. */
static int compare_shifted(uint64_t a, int64_t shift, uint64_t b)
{
    uint64_t scaled;
    if (a == 0)
        return b == 0 ? 0 : -1;
    if (shift > (int64_t)DIGITS_MAX || __builtin_mul_overflow(a, digits_power[shift], &scaled))
        return 1;
    return (scaled > b) - (scaled < b);
}

int book_compare(struct px_decimal a, struct px_decimal b)
{
    if (a.exponent == b.exponent || (a.mantissa < 0) != (b.mantissa < 0))
        return (a.mantissa > b.mantissa) - (a.mantissa < b.mantissa);
    int64_t shift = (int64_t)a.exponent - b.exponent;
    int sign = shift > 0 ? compare_shifted(magnitude(a), shift, magnitude(b))
                         : -compare_shifted(magnitude(b), -shift, magnitude(a));
    return a.mantissa < 0 ? -sign : sign;
}

/* <0: `a` stands before `b` on this side. */
static int order(bool ask, struct px_decimal a, struct px_decimal b)
{
    return ask ? book_compare(a, b) : book_compare(b, a);
}

/* Where this price is, or would be; *same says which. */
static uint32_t place_of(const struct book_side *side, bool ask, struct px_decimal price,
                         bool *same)
{
    uint32_t low = 0, high = side->count;
    *same = false;
    while (low < high && !*same) {
        uint32_t middle = low + (high - low) / 2;
        int c = order(ask, side->level[middle].price, price);
        if (c < 0)
            low = middle + 1;
        else
            high = middle;
        *same = c == 0;
    }
    return high;
}

static void cut(struct book_side *side, struct px_decimal price)
{
    side->cut = true;
    side->edge = price;
}

static void take_away(struct book_side *side, uint32_t i)
{
    side->count--;
    memmove(&side->level[i], &side->level[i + 1], (side->count - i) * sizeof *side->level);
}

static void put_in(struct book_side *side, uint32_t cap, uint32_t i, const struct book_level *level)
{
    if (i == cap) {
        cut(side, level->price);
        return;
    }
    if (side->count == cap)
        cut(side, side->level[--side->count].price);
    memmove(&side->level[i + 1], &side->level[i], (side->count - i) * sizeof *side->level);
    side->level[i] = *level;
    side->count++;
}

static bool is_amount(struct px_decimal d)
{
    return d.exponent != PX_ABSENT && d.mantissa >= 0;
}

int book_set(struct book *b, const struct venue_level *level)
{
    struct book_side *side = level->ask ? &b->ask : &b->bid;
    bool same;
    if (!is_amount(level->price) || !is_amount(level->size))
        return -EINVAL;
    if (side->cut && order(level->ask, level->price, side->edge) >= 0)
        return 0;
    const struct book_level now = {.price = level->price, .size = level->size};
    uint32_t i = place_of(side, level->ask, level->price, &same);
    if (now.size.mantissa == 0) {
        if (same)
            take_away(side, i);
    } else if (same) {
        side->level[i] = now;
    } else {
        put_in(side, b->cap, i, &now);
    }
    return 0;
}

static void trim(struct book_side *side, uint32_t depth)
{
    if (side->count < depth)
        return;
    side->count = depth;
    side->cut = false;
}

void book_trim(struct book *b, uint32_t depth)
{
    if (depth == 0 || depth > b->cap)
        return;
    trim(&b->bid, depth);
    trim(&b->ask, depth);
}

bool book_exhausted(const struct book *b)
{
    return (b->bid.cut && b->bid.count == 0) || (b->ask.cut && b->ask.count == 0);
}

bool book_crossed(const struct book *b)
{
    return b->bid.count > 0 && b->ask.count > 0 &&
           book_compare(b->bid.level[0].price, b->ask.level[0].price) >= 0;
}

static void best(const struct book_side *side, struct px_decimal *price, struct px_decimal *size)
{
    const struct px_decimal absent = {.mantissa = 0, .exponent = PX_ABSENT};
    *price = side->count > 0 ? side->level[0].price : absent;
    *size = side->count > 0 ? side->level[0].size : absent;
}

void book_top(const struct book *b, struct px_quote *out)
{
    best(&b->bid, &out->bid, &out->bid_size);
    best(&b->ask, &out->ask, &out->ask_size);
}

size_t book_digits(struct px_decimal value, char out[BOOK_DIGITS_MAX])
{
    char text[BOOK_DIGITS_MAX];
    size_t from = sizeof text;
    for (uint64_t rest = magnitude(value); rest != 0; rest /= 10)
        text[--from] = (char)('0' + rest % 10);
    memcpy(out, text + from, sizeof text - from);
    return sizeof text - from;
}

uint32_t book_crc32(uint32_t crc, const void *data, size_t len)
{
    return (uint32_t)crc32_z(crc, data, len);
}
