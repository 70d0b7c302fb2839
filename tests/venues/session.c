/* A market of two symbols as frames. See session.h. */
#include "session.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <zlib.h>

/* ---- the market ---- */

static void set_level(struct session_book *b, struct session_level l)
{
    struct session_level *side = b->level[l.ask];
    uint32_t *count = &b->count[l.ask], i = 0;
    while (i < *count && (l.ask ? side[i].price < l.price : side[i].price > l.price))
        i++;
    bool there = i < *count && side[i].price == l.price;
    size_t behind = (*count - i) * sizeof *side;
    if (l.size == 0) {
        memmove(side + i, side + i + 1, behind - sizeof *side);
        --*count;
        return;
    }
    if (!there) {
        memmove(side + i + 1, side + i, behind);
        ++*count;
    }
    side[i] = l;
}

static int64_t size_at(const struct session_book *b, int64_t price, bool ask)
{
    for (uint32_t i = 0; i < b->count[ask]; i++)
        if (b->level[ask][i].price == price)
            return b->level[ask][i].size;
    return 0;
}

static struct session_top top_of(const struct session_book *b)
{
    const struct session_level *bid = &b->level[0][0], *ask = &b->level[1][0];
    return (struct session_top){{bid->price, bid->size}, {ask->price, ask->size}};
}

/* A level that goes, comes, or has another size; never the last of its side, never crossed. */
static struct session_level draw(const struct session_book *b, uint64_t *seed)
{
    struct session_level l = {.ask = chance(seed) % 2 == 0};
    uint32_t count = b->count[l.ask];
    if (count == SESSION_LEVELS || (count > 2 && chance(seed) % 2 == 0)) {
        uint32_t i = chance(seed) % 2 == 0 ? 0 : (uint32_t)chance_below(seed, count);
        l.price = b->level[l.ask][i].price;
        return l;
    }
    int64_t away = 1 + (int64_t)chance_below(seed, 20);
    l.price = l.ask ? b->level[0][0].price + away : b->level[1][0].price - away;
    do {
        l.size = 1 + (int64_t)chance_below(seed, 9999);
    } while (l.size == size_at(b, l.price, l.ask));
    return l;
}

/* Some changes, each of another price, so that none undoes another. */
static uint32_t move(struct session_book *b, uint64_t *seed, struct session_level *changed)
{
    uint32_t wanted = 1 + (uint32_t)chance_below(seed, SESSION_CHANGES), count = 0;
    for (uint32_t tries = 0; tries < 2 * wanted && count < wanted; tries++) {
        struct session_level l = draw(b, seed);
        bool named = false;
        for (uint32_t i = 0; i < count; i++)
            named = named || changed[i].price == l.price;
        if (named)
            continue;
        set_level(b, l);
        changed[count++] = l;
    }
    return count;
}

static void begin(struct session_book *b, uint64_t *seed)
{
    int64_t middle = 270000 + (int64_t)chance_below(seed, 1000);
    *b = (struct session_book){.number = 1000 + chance_below(seed, 1000)};
    for (int i = 0; i < 5; i++) {
        set_level(b, (struct session_level){middle - 1 - 3 * i, 100 + i, false});
        set_level(b, (struct session_level){middle + 1 + 3 * i, 200 + i, true});
    }
}

/* ---- what all forms write ---- */

struct text {
    char *at;
    size_t len, cap;
};

__attribute__((format(printf, 2, 3))) static void put(struct text *t, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    int n = vsnprintf(t->at + t->len, t->cap - t->len, format, args);
    va_end(args);
    if (n < 0 || (size_t)n >= t->cap - t->len)
        abort();
    t->len += (size_t)n;
}

#define FIXED_MAX 32
static const char *fixed(int64_t value, int64_t unit, char text[FIXED_MAX])
{
    int digits = unit == 100 ? 2 : 3;
    snprintf(text, FIXED_MAX, "%" PRId64 ".%0*" PRId64, value / unit, digits, value % unit);
    return text;
}

/* Levels of one side, with `format` for price and size of each. */
__attribute__((format(printf, 4, 0))) static void
put_side(struct text *t, const struct session_message *m, bool ask, const char *format)
{
    char price[FIXED_MAX], size[FIXED_MAX];
    bool first = true;
    for (uint32_t i = 0; i < m->count; i++) {
        if (m->level[i].ask != ask)
            continue;
        put(t, "%s", first ? "" : ",");
        char one[128];
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wformat-nonliteral"
        snprintf(one, sizeof one, format, fixed(m->level[i].price, 100, price),
                 fixed(m->level[i].size, 1000, size));
#pragma GCC diagnostic pop
        put(t, "%s", one);
        first = false;
    }
}

static const char *word(bool snapshot, const char *change)
{
    return snapshot ? "snapshot" : change;
}

/* ---- forms ---- */

/* Numbers of price and size without point and leading zeros, asks first. */
static uint32_t kraken_sum(const struct session_book *b)
{
    uLong crc = crc32(0, NULL, 0);
    char digits[64];
    for (int ask = 1; ask >= 0; ask--)
        for (uint32_t i = 0; i < b->count[ask]; i++) {
            const struct session_level *l = &b->level[ask][i];
            int n = snprintf(digits, sizeof digits, "%" PRId64 "%" PRId64, l->price, l->size);
            crc = crc32(crc, (const Bytef *)digits, (uInt)n);
        }
    return (uint32_t)crc;
}

#define PAIR "[\"%s\",\"%s\"]"

static void write_kraken(const struct session_message *m, char *out, size_t cap)
{
    struct text t = {out, 0, cap};
    put(&t, "{\"channel\":\"book\",\"type\":\"%s\",\"data\":[{\"symbol\":\"%s\",\"bids\":[",
        word(m->snapshot, "update"), m->symbol);
    put_side(&t, m, false, "{\"price\":%s,\"qty\":%s}");
    put(&t, "],\"asks\":[");
    put_side(&t, m, true, "{\"price\":%s,\"qty\":%s}");
    put(&t, "],\"checksum\":%" PRIu32 ",\"timestamp\":\"2026-10-01T10:00:05.000005Z\"}]}",
        kraken_sum(m->book));
}

static void write_okx(const struct session_message *m, char *out, size_t cap)
{
    struct text t = {out, 0, cap};
    put(&t, "{\"arg\":{\"channel\":\"books\",\"instId\":\"%s\"},\"action\":\"%s\",\"data\":[{",
        m->symbol, word(m->snapshot, "update"));
    put(&t, "\"asks\":[");
    put_side(&t, m, true, "[\"%s\",\"%s\",\"0\",\"3\"]");
    put(&t, "],\"bids\":[");
    put_side(&t, m, false, "[\"%s\",\"%s\",\"0\",\"3\"]");
    put(&t, "],\"ts\":\"1790000000300\",\"checksum\":0,\"seqId\":%" PRIu64 ",\"prevSeqId\":",
        m->number);
    if (m->snapshot)
        put(&t, "-1}]}");
    else
        put(&t, "%" PRIu64 "}]}", m->previous);
}

/* Bybit's numbers rise by one. */
static void write_bybit(const struct session_message *m, char *out, size_t cap)
{
    struct text t = {out, 0, cap};
    put(&t, "{\"topic\":\"orderbook.50.%s\",\"type\":\"%s\",\"ts\":1790000002004,\"data\":{",
        m->symbol, word(m->snapshot, "delta"));
    put(&t, "\"s\":\"%s\",\"b\":[", m->symbol);
    put_side(&t, m, false, PAIR);
    put(&t, "],\"a\":[");
    put_side(&t, m, true, PAIR);
    put(&t, "],\"u\":%" PRIu64 ",\"seq\":7},\"cts\":1790000002001}", m->number);
}

static void write_deribit(const struct session_message *m, char *out, size_t cap)
{
    struct text t = {out, 0, cap};
    put(&t, "{\"jsonrpc\":\"2.0\",\"method\":\"subscription\",\"params\":{\"channel\":\"book.%s",
        m->symbol);
    put(&t, ".100ms\",\"data\":{\"type\":\"%s\",\"timestamp\":1790000003000,",
        word(m->snapshot, "change"));
    if (!m->snapshot)
        put(&t, "\"prev_change_id\":%" PRIu64 ",", m->previous);
    put(&t, "\"instrument_name\":\"%s\",\"change_id\":%" PRIu64 ",\"bids\":[", m->symbol,
        m->number);
    put_side(&t, m, false, "[\"change\",%s,%s]");
    put(&t, "],\"asks\":[");
    put_side(&t, m, true, "[\"change\",%s,%s]");
    put(&t, "]}}}");
}

static void write_coinbase_at(const struct session_message *m, char *out, size_t cap)
{
    struct text t = {out, 0, cap};
    char price[FIXED_MAX], size[FIXED_MAX];
    put(&t, "{\"channel\":\"l2_data\",\"timestamp\":\"2026-09-20T11:34:06.078325Z\",");
    put(&t, "\"sequence_num\":%" PRIu64 ",\"events\":[{\"type\":\"%s\",\"product_id\":\"%s\",",
        m->nth, word(m->snapshot, "update"), m->symbol);
    put(&t, "\"updates\":[");
    for (uint32_t i = 0; i < m->count; i++)
        put(&t, "%s{\"side\":\"%s\",\"price_level\":\"%s\",\"new_quantity\":\"%s\"}",
            i == 0 ? "" : ",", m->level[i].ask ? "offer" : "bid",
            fixed(m->level[i].price, 100, price), fixed(m->level[i].size, 1000, size));
    put(&t, "]}]}");
}

static void write_coinbase(const struct session_message *m, char *out, size_t cap)
{
    struct text t = {out, 0, cap};
    char price[FIXED_MAX], size[FIXED_MAX];
    put(&t, "{\"type\":\"%s\",\"product_id\":\"%s\",", word(m->snapshot, "l2update"), m->symbol);
    if (m->snapshot) {
        put(&t, "\"bids\":[");
        put_side(&t, m, false, PAIR);
        put(&t, "],\"asks\":[");
        put_side(&t, m, true, PAIR);
        put(&t, "]}");
        return;
    }
    put(&t, "\"changes\":[");
    for (uint32_t i = 0; i < m->count; i++)
        put(&t, "%s[\"%s\",\"%s\",\"%s\"]", i == 0 ? "" : ",", m->level[i].ask ? "sell" : "buy",
            fixed(m->level[i].price, 100, price), fixed(m->level[i].size, 1000, size));
    put(&t, "],\"time\":\"2026-09-20T11:34:06.128325Z\"}");
}

/* A side of the best prices alone: the one that goes, and the one that is best now. */
static void put_best(struct text *t, bool whole, const int64_t now[2], const int64_t before[2])
{
    char price[FIXED_MAX], size[FIXED_MAX];
    if (!whole && now[0] == before[0] && now[1] == before[1])
        return;
    if (!whole && now[0] != before[0])
        put(t, PAIR ",", fixed(before[0], 100, price), "0");
    put(t, PAIR, fixed(now[0], 100, price), fixed(now[1], 1000, size));
}

static void write_bybit_best(const struct session_message *m, char *out, size_t cap)
{
    struct text t = {out, 0, cap};
    const struct session_top *now = &m->book->told, *was = &m->before;
    put(&t, "{\"topic\":\"orderbook.1.%s\",\"type\":\"%s\",\"ts\":1790000002004,\"data\":{",
        m->symbol, word(m->snapshot, "delta"));
    put(&t, "\"s\":\"%s\",\"b\":[", m->symbol);
    put_best(&t, m->snapshot, now->bid, was->bid);
    put(&t, "],\"a\":[");
    put_best(&t, m->snapshot, now->ask, was->ask);
    put(&t, "],\"u\":%" PRIu64 ",\"seq\":7},\"cts\":1790000002001}", m->number);
}

/* A decimal of a ticker is left out if it is as before. */
static void put_field(struct text *t, const char *name, int64_t unit, int64_t now, int64_t before)
{
    char text[FIXED_MAX];
    if (now != before)
        put(t, ",\"%s\":\"%s\"", name, fixed(now, unit, text));
}

static void write_bybit_ticker(const struct session_message *m, char *out, size_t cap)
{
    struct text t = {out, 0, cap};
    const struct session_top none = {0}, *now = &m->book->told;
    const struct session_top *was = m->snapshot ? &none : &m->before;
    put(&t, "{\"topic\":\"tickers.%s\",\"type\":\"%s\",\"ts\":%" PRIu64 ",\"data\":{", m->symbol,
        word(m->snapshot, "delta"), 1790000002004 + m->nth);
    put(&t, "\"symbol\":\"%s\"", m->symbol);
    put_field(&t, "bid1Price", 100, now->bid[0], was->bid[0]);
    put_field(&t, "bid1Size", 1000, now->bid[1], was->bid[1]);
    put_field(&t, "ask1Price", 100, now->ask[0], was->ask[0]);
    put_field(&t, "ask1Size", 1000, now->ask[1], was->ask[1]);
    put(&t, "}}");
}

const struct session_form session_forms[] = {
    {"kraken", &px_venue_kraken, {"ETH/USD", "BTC/USD"}, write_kraken, true, true},
    {"okx", &px_venue_okx, {"ETH-USDT", "BTC-USDT"}, write_okx, true, false},
    {"bybit", &px_venue_bybit, {"ETHUSDT", "BTCUSDT"}, write_bybit, true, false},
    {"bybit_linear", &px_venue_bybit_linear, {"ETHUSDT", "BTCUSDT"}, write_bybit, true, false},
    {"deribit", &px_venue_deribit, {"ETH-PERPETUAL", "BTC-PERPETUAL"}, write_deribit, true, false},
    {"coinbase_at", &px_venue_coinbase_at, {"ETH-USD", "BTC-USD"}, write_coinbase_at, true, false},
    {"coinbase", &px_venue_coinbase, {"ETH-USD", "BTC-USD"}, write_coinbase, false, false},
    {"bybit best", &px_venue_bybit, {"ETHUSDT", "BTCUSDT"}, write_bybit_best, false, false},
    {"bybit ticker",
     &px_venue_bybit_linear,
     {"ETHUSDT", "BTCUSDT"},
     write_bybit_ticker,
     false,
     false},
};
const size_t session_form_count = sizeof session_forms / sizeof session_forms[0];

/* ---- the session ---- */

static uint32_t all_levels(const struct session_book *b, struct session_level *out)
{
    uint32_t count = 0;
    for (int ask = 0; ask < 2; ask++)
        for (uint32_t i = 0; i < b->count[ask]; i++)
            out[count++] = b->level[ask][i];
    return count;
}

void session_make(struct session *s, const struct session_form *form, uint64_t seed)
{
    struct session_book book[SESSION_SYMBOLS];
    struct session_level level[2 * SESSION_LEVELS];
    const uint32_t tail = SESSION_FRAMES - SESSION_TAIL;
    s->form = form;
    for (uint32_t i = 0; i < SESSION_SYMBOLS; i++)
        begin(&book[i], &seed);
    for (uint32_t n = 0; n < SESSION_FRAMES; n++) {
        struct session_frame *f = &s->frame[n];
        bool snapshot = n < SESSION_SYMBOLS || (n >= tail && n - tail < SESSION_SYMBOLS);
        uint32_t which =
            snapshot ? n % SESSION_SYMBOLS : (uint32_t)chance_below(&seed, SESSION_SYMBOLS);
        struct session_book *b = &book[which];
        struct session_message m = {.symbol = form->symbol[which],
                                    .book = b,
                                    .level = level,
                                    .snapshot = snapshot,
                                    .previous = b->number,
                                    .number = b->number + 1,
                                    .nth = n,
                                    .before = b->told};
        m.count = snapshot ? all_levels(b, level) : move(b, &seed, level);
        b->number++;
        s->top[n] = b->told = top_of(b);
        form->write(&m, f->text, sizeof f->text);
        f->len = strlen(f->text);
        f->symbol = which;
        f->snapshot = snapshot;
        f->count = snapshot ? 0 : m.count;
        for (uint32_t i = 0; i < f->count; i++)
            f->price[i] = level[i].price;
    }
}
