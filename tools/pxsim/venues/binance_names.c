/* Binance: the names of paths, streams and symbols, and which stream is of which data. */
#include <stdio.h>
#include <string.h>

#include "binance.h"

#define TARGET_MAX 8000 /* longer URLs have been refused (recorded in 2020) */
#define WITHHELD   0    /* session's state: classes of data that its path does not give */

enum { SPOT = 1, FUTURES = 2, BOTH = 3 };
enum { BOOK_DATA = 1, MARKET_DATA = 2 };

/* No document has the `trade` streams of futures; they go with the data of books.
 * Futures tell books every 250 ms or as often as is asked; here they do so every 100 ms, which a
 * client cannot tell from a busy market. */
static const struct {
    const char *suffix;
    uint8_t kind, levels, market, data;
} suffixes[] = {
    {"trade", STREAM_TRADE, 0, BOTH, BOOK_DATA},
    {"aggTrade", STREAM_AGGREGATE, 0, BOTH, MARKET_DATA},
    {"bookTicker", STREAM_QUOTE, 0, BOTH, BOOK_DATA},
    {"ticker", STREAM_TICKER, 0, BOTH, MARKET_DATA},
    {"miniTicker", STREAM_MINI, 0, BOTH, MARKET_DATA},
    {"avgPrice", STREAM_AVERAGE, 0, SPOT, MARKET_DATA},
    {"depth", STREAM_DEPTH_1S, 0, SPOT, BOOK_DATA},
    {"depth@1000ms", STREAM_DEPTH_1S, 0, SPOT, BOOK_DATA},
    {"depth@100ms", STREAM_DEPTH_100MS, 0, BOTH, BOOK_DATA},
    {"depth5", STREAM_BOOK_1S, 5, SPOT, BOOK_DATA},
    {"depth10", STREAM_BOOK_1S, 10, SPOT, BOOK_DATA},
    {"depth20", STREAM_BOOK_1S, 20, SPOT, BOOK_DATA},
    {"depth5@1000ms", STREAM_BOOK_1S, 5, SPOT, BOOK_DATA},
    {"depth10@1000ms", STREAM_BOOK_1S, 10, SPOT, BOOK_DATA},
    {"depth20@1000ms", STREAM_BOOK_1S, 20, SPOT, BOOK_DATA},
    {"depth5@100ms", STREAM_BOOK_100MS, 5, BOTH, BOOK_DATA},
    {"depth10@100ms", STREAM_BOOK_100MS, 10, BOTH, BOOK_DATA},
    {"depth20@100ms", STREAM_BOOK_100MS, 20, BOTH, BOOK_DATA},
    {"depth", STREAM_DEPTH_100MS, 0, FUTURES, BOOK_DATA},
    {"depth@500ms", STREAM_DEPTH_100MS, 0, FUTURES, BOOK_DATA},
    {"depth@0ms", STREAM_DEPTH_100MS, 0, FUTURES, BOOK_DATA},
    {"depth5", STREAM_BOOK_100MS, 5, FUTURES, BOOK_DATA},
    {"depth10", STREAM_BOOK_100MS, 10, FUTURES, BOOK_DATA},
    {"depth20", STREAM_BOOK_100MS, 20, FUTURES, BOOK_DATA},
    {"depth5@500ms", STREAM_BOOK_100MS, 5, FUTURES, BOOK_DATA},
    {"depth10@500ms", STREAM_BOOK_100MS, 10, FUTURES, BOOK_DATA},
    {"depth20@500ms", STREAM_BOOK_100MS, 20, FUTURES, BOOK_DATA},
};

/* A symbol, '@' and a kind; or '!' and the name of an all-market stream. Any such may be asked for.
 */
bool binance_well_formed(const char *name)
{
    const char *at = strchr(name, '@');
    if (name[0] == '\0' || (name[0] != '!' && (at == NULL || at == name || at[1] == '\0')))
        return false;
    for (const char *c = name; *c != '\0'; c++) {
        if ((unsigned char)*c <= ' ' || *c == '/' || *c == '"' || *c == '\\' || *c == 0x7F)
            return false;
    }
    return true;
}

/* Symbols are lower case in stream names; an upper-case one exists for nobody. */
static bool upper(const char *name, size_t len, char *out)
{
    for (size_t i = 0; i < len; i++) {
        if (name[i] >= 'A' && name[i] <= 'Z')
            return false;
        out[i] = (char)(name[i] >= 'a' && name[i] <= 'z' ? name[i] - 'a' + 'A' : name[i]);
    }
    out[len] = '\0';
    return true;
}

/* Whether the session's market has such a stream and its path gives it. */
static bool given(const struct session *s, unsigned market, unsigned data)
{
    unsigned own = binance_is_futures(s) ? FUTURES : SPOT;
    return (market & own) != 0 && (s->state[WITHHELD] & data) == 0;
}

static enum stream_kind kind_of(const struct session *s, const char *suffix, unsigned *ret_levels)
{
    for (size_t i = 0; i < sizeof suffixes / sizeof suffixes[0]; i++) {
        if (strcmp(suffix, suffixes[i].suffix) == 0 &&
            given(s, suffixes[i].market, suffixes[i].data)) {
            *ret_levels = suffixes[i].levels;
            return (enum stream_kind)suffixes[i].kind;
        }
    }
    return STREAM_SILENT;
}

/* Spot has retired the array of full tickers. */
static bool is_all_market(const struct session *s, const char *name)
{
    return (strcmp(name, "!miniTicker@arr") == 0 && given(s, BOTH, MARKET_DATA)) ||
           (strcmp(name, "!ticker@arr") == 0 && given(s, FUTURES, MARKET_DATA));
}

int binance_subscribe(struct session *s, const char *name)
{
    char symbol[BINANCE_NAME_MAX];
    size_t len = strcspn(name, "@");
    enum stream_kind kind = STREAM_SILENT;
    unsigned levels = 0;
    if (is_all_market(s, name))
        kind = STREAM_ALL_MINI;
    else if (name[0] != '!' && len < MARKET_NAME && upper(name, len, symbol))
        kind = kind_of(s, name + len + 1, &levels);
    return hub_subscribe(s, name, kind, levels, symbol);
}

static int hex_digit(char c)
{
    if (c >= '0' && c <= '9')
        return c - '0';
    c = (char)(c | 0x20);
    return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

static void percent_decode(char *s)
{
    char *out = s;
    for (; *s != '\0'; s++) {
        int high = s[0] == '%' ? hex_digit(s[1]) : -1;
        int low = high >= 0 ? hex_digit(s[2]) : -1;
        if (low > 0 || (low == 0 && high > 0)) {
            *out++ = (char)(high << 4 | low);
            s += 2;
        } else {
            *out++ = *s;
        }
    }
    *out = '\0';
}

/* A list of names between slashes: names that are not well formed are passed over in silence, and
 * nothing is acknowledged. */
static int open_streams(struct session *s, char *names)
{
    percent_decode(names);
    char *rest = NULL;
    for (char *name = strtok_r(names, "/", &rest); name != NULL;
         name = strtok_r(NULL, "/", &rest)) {
        if (s->count >= BINANCE_STREAMS_MAX)
            return 400;
        if (strlen(name) < BINANCE_NAME_MAX && binance_well_formed(name) &&
            binance_subscribe(s, name) < 0)
            return 503;
    }
    return 0;
}

static int open_query(struct session *s, char *query, bool combined)
{
    int status = 0;
    char *rest = NULL;
    char *pair = strtok_r(query, "&", &rest);
    for (; pair != NULL && status == 0; pair = strtok_r(NULL, "&", &rest)) {
        if (strcmp(pair, "timeUnit=MICROSECOND") == 0 || strcmp(pair, "timeUnit=microsecond") == 0)
            s->micros = true;
        else if (combined && strncmp(pair, "streams=", 8) == 0)
            status = open_streams(s, pair + 8);
    }
    return status;
}

int binance_open(struct session *s, char *target)
{
    if (strlen(target) > TARGET_MAX)
        return 414;
    char *query = strchr(target, '?');
    if (query != NULL)
        *query++ = '\0';
    int status = 0;
    s->wrapped = strcmp(target, "/stream") == 0 || strcmp(target, "/stream/") == 0;
    if (strncmp(target, "/ws/", 4) == 0)
        status = open_streams(s, target + 4);
    else if (!s->wrapped && strcmp(target, "/ws") != 0)
        status = 404;
    if (status == 0 && query != NULL)
        status = open_query(s, query, s->wrapped);
    if (status == 0)
        hub_settle(s->hub, s->now.mono_ns);
    return status;
}

/* The paths without a class are those of book data. */
int binance_usdm_open(struct session *s, char *target)
{
    bool market = strncmp(target, "/market/", 8) == 0;
    s->state[WITHHELD] = market ? BOOK_DATA : MARKET_DATA;
    if (market || strncmp(target, "/public/", 8) == 0)
        target += strlen("/market");
    return binance_open(s, target);
}

static size_t letters(const char *name)
{
    return strspn(name, "ABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789");
}

bool binance_is_symbol(const char *name)
{
    size_t len = letters(name);
    return name[len] == '\0' && len >= 5 && len <= 20;
}

/* "_261225": the day on which a contract is delivered. */
static bool is_day(const char *tail)
{
    return tail[0] == '_' && strspn(tail + 1, "0123456789") == 6 && tail[7] == '\0';
}

bool binance_usdm_is_symbol(const char *name)
{
    size_t len = letters(name);
    return binance_is_symbol(name) || (is_day(name + len) && len >= 5 && len <= 20);
}

bool binance_coinm_is_symbol(const char *name)
{
    size_t len = letters(name);
    return len >= 5 && len <= 20 && memcmp(name + len - 3, "USD", 3) == 0 &&
           (is_day(name + len) || strcmp(name + len, "_PERP") == 0);
}

bool binance_is_contract_on(const char *name, const char *pair)
{
    size_t len = strcspn(name, "_");
    return strcspn(pair, "_") == len && memcmp(name, pair, len) == 0 && is_day(name + len);
}

/* Perpetual contracts against the dollar. */
size_t binance_coinm_spell(const char *base, const char *quote, char *out, size_t cap)
{
    if (strcmp(quote, "USDT") != 0 || base[letters(base)] != '\0')
        return 0;
    return (size_t)snprintf(out, cap, "%sUSD_PERP", base);
}
