/* What the two simulated feeds of Coinbase have in common. */
#include "coinbase_shared.h"

#include <stdio.h>
#include <string.h>

static bool is_one_of(const char *word, const char *const *words, size_t count)
{
    for (size_t i = 0; i < count; i++)
        if (strcmp(word, words[i]) == 0)
            return true;
    return false;
}

bool coinbase_is_symbol(const char *name)
{
    static const char *const quotes[] = {"USD", "EUR", "GBP", "USDT", "BTC", "ETH"};
    static const char *const usdc[] = {"USDT-USDC", "EURC-USDC"};
    size_t len = strspn(name, "ABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789");
    if (len == 0 || name[len] != '-')
        return false;
    return is_one_of(name + len + 1, quotes, sizeof quotes / sizeof quotes[0]) ||
           is_one_of(name, usdc, sizeof usdc / sizeof usdc[0]);
}

/* What is quoted in USDT elsewhere is quoted in dollars here. */
size_t coinbase_spell(const char *base, const char *quote, char *out, size_t cap)
{
    int len = snprintf(out, cap, "%s-%s", base, strcmp(quote, "USDT") == 0 ? "USD" : quote);
    return len > 0 && (size_t)len < cap && coinbase_is_symbol(out) ? (size_t)len : 0;
}

/* state[1] is when the last message would have come if all of them had kept the pace. */
bool coinbase_may_ask(struct session *s, unsigned burst)
{
    const uint64_t pace_ns = 1000000000 / 8;
    uint64_t now_ns = s->now.mono_ns, *last_ns = &s->state[1];
    uint64_t from_ns = *last_ns > now_ns ? *last_ns : now_ns;
    if (from_ns > now_ns + (burst - 1) * pace_ns)
        return false;
    *last_ns = from_ns + pace_ns;
    return true;
}

bool coinbase_is(const struct stream *st, const char *channel)
{
    size_t len = strlen(channel);
    return strncmp(st->name, channel, len) == 0 && st->name[len] == ':';
}

const char *coinbase_product(const struct stream *st)
{
    return strchr(st->name, ':') + 1;
}

static void put_key(struct text *t, const char *key)
{
    text_put(t, ",\"");
    text_put(t, key);
    text_put(t, "\":");
}

void coinbase_text(struct text *t, const char *key, const char *value)
{
    put_key(t, key);
    text_put(t, "\"");
    text_put(t, value);
    text_put(t, "\"");
}

static unsigned decimals_of(const struct market *m)
{
    unsigned decimals = 8;
    for (int64_t unit = 10; decimals > 0 && m->tick % unit == 0; unit *= 10)
        decimals--;
    return decimals;
}

void coinbase_price(struct text *t, const char *key, const struct market *m, int64_t price)
{
    put_key(t, key);
    text_put(t, "\"");
    text_decimal(t, price, decimals_of(m));
    text_put(t, "\"");
}

void coinbase_size(struct text *t, const char *key, int64_t size)
{
    put_key(t, key);
    text_put(t, "\"");
    text_decimal(t, size, 8);
    text_put(t, "\"");
}

void coinbase_int(struct text *t, const char *key, uint64_t value)
{
    put_key(t, key);
    text_int(t, (int64_t)value);
}

void coinbase_time(struct text *t, const char *key, uint64_t real_us)
{
    put_key(t, key);
    text_put(t, "\"");
    text_utc(t, real_us);
    text_put(t, "\"");
}

void coinbase_level(struct text *t, const struct market *m, const struct market_level *level)
{
    text_put(t, "\"");
    text_decimal(t, level->price, decimals_of(m));
    text_put(t, "\",\"");
    text_decimal(t, level->qty, 8);
    text_put(t, "\"");
}
