/* Every key of px.conf(5), in one table, and how its value is checked. */
#include "config_keys.h"

#include <arpa/inet.h>
#include <errno.h>
#include <grp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include "book.h"
#include "proxy.h"

#include "px/layout.h"

#define BUS(key, kind, member, restart, low, high, text)                     \
    {                                                                        \
        key, kind, restart, offsetof(struct config, member), low, high, text \
    }
#define VENUE(key, kind, member, restart, low, high, text)                         \
    {                                                                              \
        key, kind, restart, offsetof(struct config_venue, member), low, high, text \
    }
#define FIELD(type, member) sizeof(((type *)0)->member)

/* A day, in the units that the names carry. */
#define DAY_MS 86400000u
#define DAY_S  86400u

const struct config_key config_bus_keys[] = {
    BUS("name", KEY_NAME, bus, true, 1, PX_BUS_NAME_MAX + 1, "NAME"),
    BUS("capacity", KEY_UINT, capacity, true, PXL_CAPACITY_MIN, PXL_CAPACITY_MAX, "N"),
    BUS("ring", KEY_POWER, ring, true, PXL_RING_MIN, PXL_RING_MAX, "N"),
    BUS("kinds", KEY_KINDS, kinds, false, 0, 0, "LIST"),
    BUS("group", KEY_GROUP, group, true, 0, 0, "GROUP"),
    BUS("runtime_dir", KEY_TEXT, runtime_dir, true, 1, CONFIG_PATH_MAX, "DIR"),
    BUS("state_dir", KEY_TEXT, state_dir, true, 1, CONFIG_PATH_MAX, "DIR"),
    BUS("tls_ca", KEY_TEXT, tls_ca, true, 1, CONFIG_PATH_MAX, "FILE"),
    BUS("venues", KEY_LIST, venues, true, 0, CONFIG_PATH_MAX, "LIST"),
    BUS("proxy", KEY_PROXY, proxy, true, 1, CONFIG_URL_MAX, "URL"),
    BUS("bind", KEY_SOURCE, bind, true, 1, CONFIG_ADDRESS_MAX, "ADDRESS"),
    BUS("limits", KEY_LIMITS, limits_venue, true, 0, 0, "venue"),
    BUS("memory_soft_mb", KEY_UINT, memory_soft_mb, false, 0, 1u << 20, "MB"),
    BUS("memory_hard_mb", KEY_UINT, memory_hard_mb, false, 0, 1u << 20, "MB"),
    BUS("memory_warn_mb_h", KEY_UINT, memory_warn_mb_h, false, 0, 1u << 20, "MB"),
    BUS("memory_critical_mb_h", KEY_UINT, memory_critical_mb_h, false, 0, 1u << 20, "MB"),
    BUS("restart_every", KEY_SPAN, restart_every, false, 0, 366 * DAY_S, "SPAN"),
    BUS("restart_min_s", KEY_UINT, restart_min_s, false, 0, DAY_S, "S"),
    BUS("restart_overlap_s", KEY_UINT, restart_overlap_s, false, 0, 60, "S"),
    BUS("max_message_kb", KEY_UINT, max_message_kb, true, 64, 1u << 20, "KB"),
    BUS("receive_kb", KEY_UINT, receive_kb, true, 4, 65536, "KB"),
    BUS("books", KEY_UINT, books, true, 0, PXL_CAPACITY_MAX, "N"),
    BUS("book_depth", KEY_UINT, book_depth, true, 1, BOOK_CAP_MAX, "N"),
    BUS("grace_ms", KEY_UINT, grace_ms, false, 0, DAY_MS, "MS"),
    BUS("no_data_ms", KEY_UINT, no_data_ms, false, 100, DAY_MS, "MS"),
    BUS("connect_ms", KEY_UINT, connect_ms, true, 0, DAY_MS, "MS"),
    BUS("subscribe_ms", KEY_UINT, subscribe_ms, true, 10, DAY_MS, "MS"),
    BUS("close_ms", KEY_UINT, close_ms, true, 10, DAY_MS, "MS"),
    BUS("backoff_min_ms", KEY_UINT, backoff_min_ms, true, 1, DAY_MS, "MS"),
    BUS("backoff_max_ms", KEY_UINT, backoff_max_ms, true, 1, DAY_MS, "MS"),
    BUS("breaker_good_s", KEY_UINT, breaker_good_s, true, 1, DAY_S, "S"),
    BUS("quota_connections", KEY_UINT, quota_connections, false, 1, PXL_READERS_MAX, "N"),
    BUS("quota_symbols", KEY_UINT, quota_symbols, false, 0, PXL_CAPACITY_MAX, "N"),
    BUS("quota_messages", KEY_UINT, quota_messages, false, 1, 1000000, "N"),
    BUS("log_level", KEY_LEVEL, log_level, false, 0, 0, "LEVEL"),
    BUS("busy_poll", KEY_BOOL, busy_poll, true, 0, 0, NULL),
    BUS("mlock", KEY_BOOL, mlock, true, 0, 0, NULL),
    BUS("huge_pages", KEY_BOOL, huge_pages, true, 0, 0, NULL),
    BUS("cpu", KEY_CPU, cpu, true, 0, 1023, "N"),
};
const size_t config_bus_key_count = sizeof(config_bus_keys) / sizeof(config_bus_keys[0]);

const struct config_key config_venue_keys[] = {
    {"symbols", KEY_SYMBOLS, false, 0, 0, 0, "LIST"},
    VENUE("kinds", KEY_KINDS, kinds, false, 0, 0, "LIST"),
    VENUE("redundancy", KEY_UINT, redundancy, true, 1, 2, "N"),
    VENUE("life_s", KEY_UINT, life_s, true, 0, 366 * DAY_S, "S"),
    VENUE("endpoint", KEY_URLS, endpoint, true, 1, CONFIG_URL_MAX, "URL"),
    VENUE("proxy", KEY_PROXY, proxy, true, 1, CONFIG_URL_MAX, "URL"),
    VENUE("bind", KEY_SOURCE, bind, true, 1, CONFIG_ADDRESS_MAX, "ADDRESS"),
    VENUE("limits", KEY_LIMITS, limits, true, 0, 0, "venue"),
    VENUE("deflate", KEY_BOOL, deflate, true, 0, 0, NULL),
    VENUE("silence_ms", KEY_UINT, silence_ms, true, 0, DAY_MS, "MS"),
    VENUE("backfill", KEY_BOOL, backfill, true, 0, 0, NULL),
    VENUE("backfill_url", KEY_REST, backfill_url, true, 1, CONFIG_URL_MAX, "URL"),
};
const size_t config_venue_key_count = sizeof(config_venue_keys) / sizeof(config_venue_keys[0]);

_Static_assert(sizeof(config_bus_keys) / sizeof(config_bus_keys[0]) <= 64, "bits of bus_set");
_Static_assert(sizeof(struct config) <= UINT16_MAX, "offset of a key");

static int refuse(struct config_build *b, const char *format, ...)
    __attribute__((format(printf, 2, 3)));
static int refuse(struct config_build *b, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    vsnprintf(b->why, sizeof(b->why), format, args);
    va_end(args);
    return -EINVAL;
}

const struct config_key *config_key_find(const struct config_key *keys, size_t count,
                                         const char *name)
{
    for (size_t i = 0; i < count; i++)
        if (strcmp(keys[i].name, name) == 0)
            return &keys[i];
    return NULL;
}

size_t config_key_size(const struct config_key *key)
{
    switch (key->type) {
    case KEY_TEXT:
    case KEY_NAME:
    case KEY_REST:
    case KEY_PROXY:
    case KEY_SOURCE:
    case KEY_LIST:
        return key->max;
    case KEY_URLS:
        return (size_t)key->max * CONFIG_ENDPOINTS_MAX;
    case KEY_BOOL:
    case KEY_LIMITS:
        return sizeof(bool);
    case KEY_GROUP:
        return sizeof(int64_t);
    case KEY_SYMBOLS:
        return 0;
    default:
        return sizeof(uint32_t);
    }
}

size_t config_word(const char **at, const char **word)
{
    static const char separators[] = " \t\r\n,";
    *word = *at + strspn(*at, separators);
    size_t len = strcspn(*word, separators);
    *at = *word + len;
    return len;
}

static int set_number(struct config_build *b, const struct config_key *key, void *field,
                      const char *value)
{
    char *end;
    errno = 0;
    unsigned long long n = strtoull(value, &end, 10);
    if (value[0] < '0' || value[0] > '9' || *end != '\0')
        return refuse(b, "\"%.64s\" is not a whole number", value);
    if (errno != 0 || n < key->min || n > key->max)
        return refuse(b, "%.64s is not in %u to %u", value, key->min, key->max);
    if (key->type == KEY_POWER && (n & (n - 1)) != 0)
        return refuse(b, "%.64s is not a power of two", value);
    uint32_t number = (uint32_t)n;
    memcpy(field, &number, sizeof(number)); /* int32_t of KEY_CPU: max is far below its own */
    return 0;
}

/* A number of seconds, or of what the letter behind it says. */
static int set_span(struct config_build *b, const struct config_key *key, void *field,
                    const char *value)
{
    static const struct {
        char letter;
        uint32_t seconds;
    } units[] = {{'\0', 1}, {'s', 1}, {'m', 60}, {'h', 3600}, {'d', DAY_S}};
    char *end;
    errno = 0;
    unsigned long long n = strtoull(value, &end, 10);
    size_t u = 0;
    while (u < sizeof(units) / sizeof(units[0]) && units[u].letter != *end)
        u++;
    if (value[0] < '0' || value[0] > '9' || u == sizeof(units) / sizeof(units[0]) ||
        (*end != '\0' && end[1] != '\0'))
        return refuse(b, "\"%.64s\" is not a time like 90s, 30m, 24h or 7d", value);
    if (errno != 0 || n > key->max || n * units[u].seconds > key->max)
        return refuse(b, "%.64s is more than %u days", value, key->max / DAY_S);
    uint32_t seconds = (uint32_t)n * units[u].seconds;
    memcpy(field, &seconds, sizeof(seconds));
    return 0;
}

static int set_bool(struct config_build *b, const struct config_key *key, bool *field,
                    const char *value)
{
    static const char *const words[2][4] = {{"no", "off", "false", "0"},
                                            {"yes", "on", "true", "1"}};
    if (key->type == KEY_LIMITS) {
        if (strcmp(value, "venue") != 0 && strcmp(value, "none") != 0)
            return refuse(b, "\"%.64s\" is neither venue nor none", value);
        *field = value[0] == 'v';
        return 0;
    }
    for (int on = 0; on < 2; on++)
        for (int i = 0; i < 4; i++)
            if (strcmp(value, words[on][i]) == 0) {
                *field = on != 0;
                return 0;
            }
    return refuse(b, "\"%.64s\" is neither yes nor no", value);
}

static int check_name(struct config_build *b, const char *value)
{
    for (const char *p = value; *p != '\0'; p++)
        if (strchr("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789._-", *p) == NULL)
            return refuse(b, "\"%.64s\" has other characters than A-Z a-z 0-9 . _ -", value);
    return 0;
}

static int check_url(struct config_build *b, const char *value)
{
    bool known = strncmp(value, "ws://", 5) == 0 || strncmp(value, "wss://", 6) == 0;
    const char *host = strstr(value, "://");
    if (!known || host[3] == '\0' || host[3] == '/')
        return refuse(b, "\"%.64s\" is not ws://HOST or wss://HOST", value);
    for (const char *p = value; *p != '\0'; p++)
        if (*p <= ' ' || *p == 0x7f)
            return refuse(b, "a blank or control character in the URL");
    return 0;
}

static int check_proxy(struct config_build *b, const char *value)
{
    struct proxy proxy;
    const char *why;
    if (strcmp(value, "none") == 0 || proxy_parse(value, &proxy, &why) == 0)
        return 0;
    return refuse(b, "%s", why);
}

static int check_address(struct config_build *b, const char *value)
{
    unsigned char address[sizeof(struct in6_addr)];
    if (strcmp(value, "none") == 0 || inet_pton(AF_INET, value, address) == 1 ||
        inet_pton(AF_INET6, value, address) == 1)
        return 0;
    return refuse(b, "\"%.64s\" is not an IPv4 or IPv6 address", value);
}

static int check_rest(struct config_build *b, const char *value)
{
    struct url url;
    char error[URL_ERROR_MAX];
    if (url_parse_http(value, &url, error) < 0)
        return refuse(b, "%s", error);
    return url.has_path ? refuse(b, "\"%.64s\" has a path: the venue's own are appended", value)
                        : 0;
}

static int set_text(struct config_build *b, const struct config_key *key, char *field,
                    const char *value, bool again)
{
    size_t have = again ? strlen(field) : 0, len = strlen(value);
    if (have + len + 2 > key->max)
        return refuse(b, "longer than %u bytes", key->max - 1);
    if (len < key->min)
        return refuse(b, "is empty");
    int rc = 0;
    if (key->type == KEY_NAME)
        rc = check_name(b, value);
    else if (key->type == KEY_REST)
        rc = check_rest(b, value);
    else if (key->type == KEY_PROXY)
        rc = check_proxy(b, value);
    else if (key->type == KEY_SOURCE)
        rc = check_address(b, value);
    if (rc != 0)
        return rc;
    if (again)
        field[have++] = ' ';
    memcpy(field + have, value, len + 1);
    return 0;
}

/* URLs may hold commas: only blanks part them. */
static int set_urls(struct config_build *b, char (*field)[CONFIG_URL_MAX], const char *value,
                    bool again)
{
    static const char blanks[] = " \t\r\n";
    size_t n = 0;
    while (again && n < CONFIG_ENDPOINTS_MAX && field[n][0] != '\0')
        n++;
    size_t had = n;
    for (size_t len; *(value += strspn(value, blanks)) != '\0'; value += len, n++) {
        len = strcspn(value, blanks);
        if (n == CONFIG_ENDPOINTS_MAX)
            return refuse(b, "more than %d endpoints", CONFIG_ENDPOINTS_MAX);
        if (len >= CONFIG_URL_MAX)
            return refuse(b, "longer than %d bytes", CONFIG_URL_MAX - 1);
        char url[CONFIG_URL_MAX] = "";
        memcpy(url, value, len);
        int rc = check_url(b, url);
        if (rc != 0)
            return rc;
        memcpy(field[n], url, sizeof(url));
    }
    if (n == had)
        return refuse(b, "is empty");
    memset(field[n], 0, (CONFIG_ENDPOINTS_MAX - n) * sizeof(field[0]));
    return 0;
}

static int set_kinds(struct config_build *b, uint32_t *field, const char *value, bool again)
{
    static const struct {
        const char *name;
        uint32_t bit;
    } kinds[] = {{"trade", PX_TRADES},
                 {"quote", PX_QUOTES},
                 {"ticker", PX_TICKERS},
                 {"aggtrade", VENUE_AGGTRADES},
                 {"depth", VENUE_DEPTH}};
    const size_t count = sizeof(kinds) / sizeof(kinds[0]);
    uint32_t set = again ? *field : 0;
    const char *word;
    for (size_t len; (len = config_word(&value, &word)) != 0;) {
        size_t i = 0;
        while (i < count && (strlen(kinds[i].name) != len || memcmp(kinds[i].name, word, len) != 0))
            i++;
        if (i == count)
            return refuse(b, "unknown kind \"%.*s\": trade, quote, ticker, aggtrade or depth",
                          (int)len, word);
        set |= kinds[i].bit;
    }
    if (set == 0)
        return refuse(b, "is empty");
    if ((set & PX_TRADES) != 0 && (set & VENUE_AGGTRADES) != 0)
        return refuse(b, "trade and aggtrade exclude each other: the same trades twice");
    if ((set & PX_QUOTES) != 0 && (set & VENUE_DEPTH) != 0)
        return refuse(b, "quote and depth exclude each other: the same quotes twice");
    *field = set;
    return 0;
}

static int set_group(struct config_build *b, int64_t *field, const char *value)
{
    char *end;
    unsigned long gid = strtoul(value, &end, 10);
    if (value[0] >= '0' && value[0] <= '9' && *end == '\0' && gid < UINT32_MAX) {
        *field = (int64_t)gid;
        return 0;
    }
    struct group entry, *found = NULL;
    char buffer[16384];
    if (getgrnam_r(value, &entry, buffer, sizeof(buffer), &found) != 0 || found == NULL)
        return refuse(b, "no group \"%.64s\"", value);
    *field = (int64_t)entry.gr_gid;
    return 0;
}

static int set_level(struct config_build *b, uint32_t *field, const char *value)
{
    enum log_level level;
    if (log_level_find(value, &level) != 0)
        return refuse(b, "\"%.64s\" is none of error, warning, info, debug", value);
    *field = (uint32_t)level;
    return 0;
}

static int set_symbols(struct config_build *b, const struct config_venue *base, const char *value)
{
    const struct px_venue *venue = venue_table[base - b->config.venue];
    const char *word;
    for (size_t len; (len = config_word(&value, &word)) != 0;) {
        char symbol[PX_SYMBOL_MAX + 1];
        int n = snprintf(symbol, sizeof(symbol), "%s:%.*s", venue->name, (int)len, word);
        if (n < 0 || (size_t)n >= sizeof(symbol))
            return refuse(b, "symbol \"%.*s\" is too long: %s:SYMBOL has at most %d bytes",
                          len > 64 ? 64 : (int)len, word, venue->name, PX_SYMBOL_MAX);
        int rc = config_symbol_add(b, symbol, 0);
        if (rc != 0)
            return rc;
    }
    return 0;
}

int config_key_set(struct config_build *b, const struct config_key *key, void *base,
                   const char *value, bool again)
{
    void *field = (char *)base + key->offset;
    switch (key->type) {
    case KEY_SPAN:
        return set_span(b, key, field, value);
    case KEY_UINT:
    case KEY_POWER:
    case KEY_CPU:
        return set_number(b, key, field, value);
    case KEY_BOOL:
    case KEY_LIMITS:
        return set_bool(b, key, field, value);
    case KEY_KINDS:
        return set_kinds(b, field, value, again);
    case KEY_URLS:
        return set_urls(b, field, value, again);
    case KEY_GROUP:
        return set_group(b, field, value);
    case KEY_LEVEL:
        return set_level(b, field, value);
    case KEY_SYMBOLS:
        return set_symbols(b, base, value);
    default:
        return set_text(b, key, field, value, again);
    }
}

/* FNV-1a: any hash does, the list is the operator's own. */
static size_t hash_text(const char *text)
{
    uint64_t h = UINT64_C(0xcbf29ce484222325);
    for (; *text != '\0'; text++)
        h = (h ^ (unsigned char)*text) * UINT64_C(0x100000001b3);
    return (size_t)(h ^ (h >> 32));
}

/* The place of `symbol` in the index: its own, or the free one where it goes. */
static uint32_t *index_place(const struct config_build *b, const char *symbol)
{
    size_t mask = b->index_cap - 1, i = hash_text(symbol) & mask;
    while (b->index[i] != 0 && strcmp(b->config.symbols[b->index[i] - 1].symbol, symbol) != 0)
        i = (i + 1) & mask;
    return &b->index[i];
}

static int grow(struct config_build *b)
{
    size_t cap = b->symbols_cap == 0 ? 256 : b->symbols_cap * 2;
    struct config_symbol *symbols = realloc(b->config.symbols, cap * sizeof(*symbols));
    if (symbols == NULL)
        return -ENOMEM;
    b->config.symbols = symbols;
    b->symbols_cap = cap;
    uint32_t *index = calloc(cap * 2, sizeof(*index));
    if (index == NULL)
        return -ENOMEM;
    free(b->index);
    b->index = index;
    b->index_cap = cap * 2;
    for (size_t i = 0; i < b->config.symbol_count; i++)
        *index_place(b, symbols[i].symbol) = (uint32_t)i + 1;
    return 0;
}

int config_symbol_add(struct config_build *b, const char *symbol, uint32_t kinds)
{
    const struct px_venue *venue;
    const char *native;
    int rc = venue_split(symbol, strlen(symbol), &venue, &native);
    if (rc == -ENODEV)
        return refuse(b, "unknown venue in \"%.64s\"", symbol);
    if (rc != 0)
        return refuse(b, "\"%.64s\" is not VENUE:SYMBOL", symbol);
    if (b->config.symbol_count == b->symbols_cap && (rc = grow(b)) != 0)
        return rc;
    uint32_t *place = index_place(b, symbol);
    if (*place != 0) {
        b->config.symbols[*place - 1].kinds |= kinds;
        return 0;
    }
    if (b->config.symbol_count == CONFIG_SYMBOLS_MAX)
        return refuse(b, "more than %u symbols", CONFIG_SYMBOLS_MAX);
    struct config_symbol *s = &b->config.symbols[b->config.symbol_count++];
    memset(s, 0, sizeof(*s));
    memcpy(s->symbol, symbol, strlen(symbol)); /* at most PX_SYMBOL_MAX: venue_split() */
    s->kinds = kinds;
    *place = (uint32_t)b->config.symbol_count;
    return 0;
}
