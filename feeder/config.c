/* Defaults, environment, file, flags: one after the other into a config_build, then what they add
 * up to is checked as a whole. */
#include "config.h"

#include <errno.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "config_keys.h"
#include "proxy.h"

static void defaults(struct config *c)
{
    strcpy(c->bus, "md");
    c->capacity = 1000;
    c->ring = 65536;
    c->kinds = PX_TRADES | PX_QUOTES;
    c->group = -1;
    c->memory_soft_mb = 64;
    c->memory_hard_mb = 128;
    c->memory_warn_mb_h = 1;
    c->memory_critical_mb_h = 50;
    c->restart_min_s = 600;
    c->restart_overlap_s = 20;
    c->test_watch_scale = 1;
    c->max_message_kb = 16384;
    c->books = 1000;
    c->book_depth = 128;
    c->receive_kb = 256;
    c->grace_ms = 5000;
    c->no_data_ms = 10000;
    c->subscribe_ms = 10000;
    c->close_ms = 1000;
    c->backoff_min_ms = 250;
    c->backoff_max_ms = 60000;
    c->breaker_good_s = 10;
    c->quota_connections = 128;
    c->quota_messages = 20000;
    c->log_level = LOG_LEVEL_INFO;
    c->cpu = -1;
}

static const char *env_text(const char *name)
{
    const char *value = getenv(name);
    return value == NULL || value[0] == '\0' ? NULL : value;
}

static void environment(struct config *c)
{
    c->env.notify_socket = env_text("NOTIFY_SOCKET");
    c->env.journal_stream = env_text("JOURNAL_STREAM");
    c->env.xdg_runtime_dir = env_text("XDG_RUNTIME_DIR");
    c->env.xdg_state_home = env_text("XDG_STATE_HOME");
    c->env.home = env_text("HOME");
    c->env.https_proxy = env_text("https_proxy");
    if (c->env.https_proxy == NULL)
        c->env.https_proxy = env_text("HTTPS_PROXY");
    /* as curl has it: in capitals a web server may have set it for a client of its own */
    c->env.http_proxy = env_text("http_proxy");
    c->env.no_proxy = env_text("no_proxy");
    if (c->env.no_proxy == NULL)
        c->env.no_proxy = env_text("NO_PROXY");
    const char *watchdog = env_text("WATCHDOG_USEC"), *pid = env_text("WATCHDOG_PID");
    if (watchdog != NULL && (pid == NULL || strtol(pid, NULL, 10) == (long)getpid()))
        c->env.watchdog_us = strtoull(watchdog, NULL, 10);
}

static int fail(char error[CONFIG_ERROR_MAX], const char *format, ...)
    __attribute__((format(printf, 2, 3)));
static int fail(char error[CONFIG_ERROR_MAX], const char *format, ...)
{
    va_list args;
    va_start(args, format);
    vsnprintf(error, CONFIG_ERROR_MAX, format, args);
    va_end(args);
    return -EBADMSG;
}

/* $PX_BUS is the default of the name: checked only where nothing else names the bus. */
static int default_bus(struct config_build *b, char error[CONFIG_ERROR_MAX])
{
    const char *name = env_text("PX_BUS");
    if (name == NULL || (b->bus_set & 1u) != 0)
        return 0;
    if (config_key_set(b, &config_bus_keys[0], &b->config, name, false) == 0)
        return 0;
    fail(error, "PX_BUS: %s", b->why);
    return -EINVAL;
}

/* A kind that a venue does not have is the plain one there. */
static uint32_t kinds_at(const struct px_venue *venue, uint32_t kinds)
{
    if ((kinds & VENUE_AGGTRADES) != 0 && (venue->kinds & VENUE_AGGTRADES) == 0)
        kinds |= PX_TRADES;
    if ((kinds & VENUE_DEPTH) != 0 && (venue->kinds & VENUE_DEPTH) == 0)
        kinds |= PX_QUOTES;
    return kinds & venue->kinds;
}

static int finish_venues(struct config *c, char error[CONFIG_ERROR_MAX])
{
    const char *at = c->venues, *word;
    bool named = false;
    for (size_t len; (len = config_word(&at, &word)) != 0; named = true) {
        const struct px_venue *venue = venue_find(word, len);
        if (venue == NULL)
            return fail(error, "venues: unknown venue \"%.*s\"", (int)len, word);
        c->venue[config_venue_index(venue)].allowed = true;
    }
    for (size_t v = 0; v < venue_count; v++) {
        const struct px_venue *venue = venue_table[v];
        struct config_venue *own = &c->venue[v];
        if (!named)
            own->allowed = true;
        own->kinds = kinds_at(venue, own->kinds != 0 ? own->kinds : c->kinds);
        own->redundancy = own->redundancy == 0 ? 1 : own->redundancy;
        own->limits = own->limits || c->limits_venue;
    }
    return 0;
}

static int finish_symbols(struct config *c, char error[CONFIG_ERROR_MAX])
{
    for (size_t i = 0; i < c->symbol_count; i++) {
        struct config_symbol *s = &c->symbols[i];
        const struct px_venue *venue;
        const char *native;
        venue_split(s->symbol, strlen(s->symbol), &venue, &native); /* checked when it was added */
        const struct config_venue *own = config_venue_of(c, venue);
        if (!own->allowed)
            return fail(error, "%s: [bus] venues does not name %s", s->symbol, venue->name);
        bool all = strcmp(native, "*") == 0;
        s->kinds = all             ? (uint32_t)PX_TICKERS
                   : s->kinds == 0 ? own->kinds
                                   : kinds_at(venue, s->kinds);
        if ((s->kinds & venue->kinds) == 0)
            return fail(error, "%s: %s brings none of the kinds asked for", s->symbol, venue->name);
    }
    return 0;
}

/* Those of the environment are judged where they may be used. */
static int finish_proxies(const struct config *c, char error[CONFIG_ERROR_MAX])
{
    struct proxy proxy;
    const char *why;
    if (c->demo || c->proxy[0] != '\0')
        return 0;
    if (c->env.https_proxy != NULL && proxy_parse(c->env.https_proxy, &proxy, &why) < 0)
        return fail(error, "https_proxy: %s", why);
    if (c->env.http_proxy != NULL && proxy_parse(c->env.http_proxy, &proxy, &why) < 0)
        return fail(error, "http_proxy: %s", why);
    return 0;
}

static int finish_backfill(const struct config *c, char error[CONFIG_ERROR_MAX])
{
    struct url url;
    char why[CONFIG_ERROR_MAX];
    bool limits;
    for (size_t v = 0; v < venue_count; v++)
        if (c->venue[v].backfill && config_backfill(c, venue_table[v], &url, &limits, why) < 0)
            return fail(error, "[%s] backfill: %.400s", venue_table[v]->name, why);
    return 0;
}

/* What the single values add up to. */
static int finish(struct config_build *b, char error[CONFIG_ERROR_MAX])
{
    struct config *c = &b->config;
    if (c->memory_hard_mb != 0 && c->memory_soft_mb > c->memory_hard_mb)
        return fail(error, "memory_soft_mb %u is above memory_hard_mb %u", c->memory_soft_mb,
                    c->memory_hard_mb);
    if (c->backoff_min_ms > c->backoff_max_ms)
        return fail(error, "backoff_min_ms %u is above backoff_max_ms %u", c->backoff_min_ms,
                    c->backoff_max_ms);
    if (c->receive_kb > c->max_message_kb)
        return fail(error, "receive_kb %u is above max_message_kb %u", c->receive_kb,
                    c->max_message_kb);
    int rc = finish_proxies(c, error);
    if (rc == 0)
        rc = finish_venues(c, error);
    if (rc == 0)
        rc = finish_backfill(c, error);
    return rc != 0 ? rc : finish_symbols(c, error);
}

static int fill(struct config_build *b, char error[CONFIG_ERROR_MAX])
{
    environment(&b->config);
    int rc = options_first(b, error);
    if (rc != 0 || b->config.action == CONFIG_HELP || b->config.action == CONFIG_VERSION)
        return rc;
    if (b->config.file[0] != '\0')
        rc = config_file_read(b, b->config.file, error);
    if (rc == 0)
        rc = options_rest(b, error);
    if (rc == 0)
        rc = default_bus(b, error);
    return rc != 0 ? rc : finish(b, error);
}

int config_load(int argc, char **argv, struct config *out, char error[CONFIG_ERROR_MAX])
{
    struct config_build *b = calloc(1, sizeof(*b));
    error[0] = '\0';
    if (b == NULL)
        return -ENOMEM;
    defaults(&b->config);
    b->config.argc = argc;
    b->config.argv = argv;
    int rc = fill(b, error);
    if (rc == -ENOMEM)
        snprintf(error, CONFIG_ERROR_MAX, "out of memory");
    if (rc == 0)
        *out = b->config;
    else
        free(b->config.symbols);
    free(b->index);
    free(b);
    return rc;
}

void config_free(struct config *config)
{
    if (config == NULL)
        return;
    free(config->symbols);
    config->symbols = NULL;
    config->symbol_count = 0;
}

struct kept {
    char *text;
    size_t cap;
    const char *section;
};

/* Keep the running value of a key that needs a restart; name it if it differs. */
static void keep(const struct config_key *key, const void *running, void *next,
                 const struct kept *kept)
{
    const char *from = (const char *)running + key->offset;
    char *to = (char *)next + key->offset;
    size_t size = config_key_size(key), used = strlen(kept->text);
    if (!key->restart || memcmp(from, to, size) == 0)
        return;
    memcpy(to, from, size);
    snprintf(kept->text + used, kept->cap - used, "%s%s%s%s", used == 0 ? "" : ", ", kept->section,
             kept->section[0] == '\0' ? "" : ".", key->name);
}

/* --demo filled in endpoint and symbols after config_load(): they are not missing from the file. */
static int keep_demo(const struct config *running, struct config *next)
{
    for (size_t v = 0; v < venue_count; v++)
        memcpy(next->venue[v].endpoint, running->venue[v].endpoint,
               sizeof(next->venue[v].endpoint));
    if (next->symbol_count != 0 || running->symbol_count == 0)
        return 0;
    next->symbols = calloc(running->symbol_count, sizeof(*next->symbols));
    if (next->symbols == NULL)
        return -ENOMEM;
    memcpy(next->symbols, running->symbols, running->symbol_count * sizeof(*next->symbols));
    next->symbol_count = running->symbol_count;
    return 0;
}

int config_reload(const struct config *running, struct config *out, char *kept, size_t kept_cap,
                  char error[CONFIG_ERROR_MAX])
{
    struct config next;
    int rc = config_load(running->argc, running->argv, &next, error);
    if (rc == 0 && running->demo && (rc = keep_demo(running, &next)) != 0)
        snprintf(error, CONFIG_ERROR_MAX, "out of memory");
    if (rc != 0)
        return rc;
    kept[0] = '\0';
    struct kept names = {kept, kept_cap, ""};
    for (size_t k = 0; k < config_bus_key_count; k++)
        keep(&config_bus_keys[k], running, &next, &names);
    for (size_t v = 0; v < venue_count; v++) {
        names.section = venue_table[v]->name;
        for (size_t k = 0; k < config_venue_key_count; k++)
            keep(&config_venue_keys[k], &running->venue[v], &next.venue[v], &names);
    }
    *out = next;
    return 0;
}

const struct config_venue *config_venue_of(const struct config *config,
                                           const struct px_venue *venue)
{
    return &config->venue[config_venue_index(venue)];
}

const char *config_endpoint(const struct config *config, const struct px_venue *venue, bool *limits)
{
    const struct config_venue *own = config_venue_of(config, venue);
    *limits = own->endpoint[0][0] == '\0' || own->limits;
    return config_endpoint_at(config, venue, 0);
}

const char *config_endpoint_at(const struct config *config, const struct px_venue *venue,
                               uint32_t n)
{
    const struct config_venue *own = config_venue_of(config, venue);
    if (own->endpoint[0][0] != '\0')
        return n < CONFIG_ENDPOINTS_MAX && own->endpoint[n][0] != '\0' ? own->endpoint[n] : NULL;
    if (n == 0)
        return venue->url;
    return n <= VENUE_URLS_MAX ? venue->urls[n - 1] : NULL;
}

/* That of the venue, else that of [bus]; NULL: neither. "none" at the venue hides that of [bus]. */
static const char *venue_or_bus(const char *own, const char *bus)
{
    const char *text = own[0] != '\0' ? own : bus;
    return text[0] != '\0' ? text : NULL;
}

static const char *unless_none(const char *text)
{
    return text == NULL || strcmp(text, "none") == 0 ? NULL : text;
}

/* The simulated exchanges of --demo are here. */
const char *config_proxy(const struct config *config, const struct px_venue *venue,
                         const struct url *to)
{
    const char *text = venue_or_bus(config_venue_of(config, venue)->proxy, config->proxy);
    if (config->demo)
        return NULL;
    if (text != NULL)
        return unless_none(text);
    const char *except = config->env.no_proxy;
    if (proxy_spares(PROXY_LOOPBACK, to->host) ||
        (except != NULL && proxy_spares(except, to->host)))
        return NULL;
    return to->tls ? config->env.https_proxy : config->env.http_proxy;
}

/* http:// in place of ws://, https:// in place of wss://, and no path. */
static int beside(const char *endpoint, struct url *out, char error[URL_ERROR_MAX])
{
    int rc = url_parse(endpoint, out, error);
    out->has_path = false;
    return rc;
}

int config_backfill(const struct config *config, const struct px_venue *venue, struct url *out,
                    bool *limits, char error[CONFIG_ERROR_MAX])
{
    const struct config_venue *own = config_venue_of(config, venue);
    bool apart = own->backfill_url[0] != '\0', moved = own->endpoint[0][0] != '\0';
    if (venue->history == NULL) {
        snprintf(error, CONFIG_ERROR_MAX,
                 "%s has no history that anybody may ask for by the ids of its trades",
                 venue->title);
        return -EINVAL;
    }
    *limits = (!apart && !moved) || own->limits;
    int rc = apart   ? url_parse_http(own->backfill_url, out, error)
             : moved ? beside(own->endpoint[0], out, error)
                     : url_parse_http(venue->history->url, out, error);
    if (rc < 0)
        return rc;
    if (config_proxy(config, venue, out) != NULL)
        rc = snprintf(error, CONFIG_ERROR_MAX,
                      "requests do not go through a proxy, and there is one on the way to %s",
                      out->authority);
    else if (out->tls && strchr(out->host, ':') != NULL)
        rc = snprintf(error, CONFIG_ERROR_MAX,
                      "requests over TLS go to a name or an IPv4 address, and not to %s",
                      out->authority);
    return rc > 0 ? -EINVAL : 0;
}

const char *config_bind(const struct config *config, const struct px_venue *venue)
{
    if (config->demo)
        return NULL;
    return unless_none(venue_or_bus(config_venue_of(config, venue)->bind, config->bind));
}

size_t config_venue_index(const struct px_venue *venue)
{
    size_t v = 0;
    while (v < venue_count && venue_table[v] != venue)
        v++;
    return v;
}
