/* The table of keys, and how a value becomes a field. Shared by config.c, config_file.c, options.c.
 */
#ifndef PX_CONFIG_KEYS_H
#define PX_CONFIG_KEYS_H

#include "config.h"

enum config_type {
    KEY_UINT,   /* uint32_t, min to max */
    KEY_SPAN,   /* uint32_t seconds, min to max: 90s, 30m, 24h, 7d */
    KEY_POWER,  /* uint32_t, a power of two, min to max */
    KEY_CPU,    /* int32_t, min to max */
    KEY_BOOL,   /* bool: yes, no */
    KEY_TEXT,   /* char[max] */
    KEY_NAME,   /* char[max]: [A-Za-z0-9._-] */
    KEY_URLS,   /* char[CONFIG_ENDPOINTS_MAX][max]: ws:// or wss://; continuation lines append */
    KEY_REST,   /* char[max]: http:// or https:// with a host, without a path */
    KEY_PROXY,  /* char[max]: http://HOST:PORT or none; never quoted, it may hold a password */
    KEY_SOURCE, /* char[max]: an IPv4 or IPv6 address, or none */
    KEY_LIST,   /* char[max]: continuation lines append */
    KEY_KINDS,  /* uint32_t: PX_TRADES ...; continuation lines append */
    KEY_GROUP,  /* int64_t gid: a name or a number */
    KEY_LEVEL,  /* uint32_t enum log_level */
    KEY_LIMITS, /* bool: "venue" or "none" */
    KEY_SYMBOLS /* into the list of symbols; continuation lines append */
};

struct config_key {
    const char *name; /* as in the file; the flag has '-' for '_' */
    uint8_t type;     /* enum config_type */
    bool restart;     /* a change of it needs one */
    uint16_t offset;  /* in struct config, or in struct config_venue */
    uint32_t min, max;
    const char *arg; /* for help and usage */
};

extern const struct config_key config_bus_keys[], config_venue_keys[];
extern const size_t config_bus_key_count, config_venue_key_count;

/* A config in the making: the list of symbols grows, `set` knows what was given. */
struct config_build {
    struct config config;
    size_t symbols_cap;
    uint32_t *index; /* open addressing over symbols: number + 1 */
    size_t index_cap;
    uint64_t bus_set, venue_set[CONFIG_VENUES_MAX];    /* bits by index of the key */
    uint32_t endpoint_flags;                           /* bits of venues that --endpoint named */
    char why[CONFIG_ERROR_MAX - CONFIG_PATH_MAX - 32]; /* of the last refusal */
};

const struct config_key *config_key_find(const struct config_key *keys, size_t count,
                                         const char *name);

/* Bytes that a field of this key has, 0 for symbols. */
size_t config_key_size(const struct config_key *key);

/* Put `value` into the field of `key` in `base`; `again`: it appends, where the type can.
 * Errors: -EINVAL, the reason is in b->why; -ENOMEM. */
int config_key_set(struct config_build *b, const struct config_key *key, void *base,
                   const char *value, bool again);

/* Add one symbol. kinds 0: those of its venue, decided when all is known.
 * Errors: -EINVAL (b->why); -ENOMEM. */
int config_symbol_add(struct config_build *b, const char *symbol, uint32_t kinds);

/* Walk the words of a list: separated by blanks and commas. Returns the length, 0 at the end. */
size_t config_word(const char **at, const char **word);

/* Read an INI file into b. Errors: -EBADMSG with "file:line: reason" in `error`; -ENOMEM. */
int config_file_read(struct config_build *b, const char *path, char error[CONFIG_ERROR_MAX]);

/* Flags into b, in two passes: first what stands before the file (bus, file, action), then all.
 * Errors: -EINVAL with a sentence in `error`; -ENOMEM. */
int options_first(struct config_build *b, char error[CONFIG_ERROR_MAX]);
int options_rest(struct config_build *b, char error[CONFIG_ERROR_MAX]);

#endif
