/* Defaults, then the file, then the flags, into one const struct config. What cannot be applied in
 * full is not applied at all. The one place in the feeder that reads the environment. */
#ifndef PX_CONFIG_H
#define PX_CONFIG_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include "log.h"
#include "url.h"
#include "venue.h"

#define CONFIG_PATH_MAX      256
#define CONFIG_URL_MAX       256
#define CONFIG_ERROR_MAX     512
#define CONFIG_VENUES_MAX    32
#define CONFIG_ENDPOINTS_MAX 4 /* of a venue */
#define CONFIG_ADDRESS_MAX   64
/* Symbols in file and command line together: what a subscription table may be asked to hold. */
#define CONFIG_SYMBOLS_MAX 65536u

enum config_action {
    CONFIG_RUN,    /* feed the bus */
    CONFIG_CHECK,  /* --check: the configuration was good, exit 0 */
    CONFIG_PLAN,   /* --plan: plan_print() */
    CONFIG_REMOVE, /* --remove: px_writer_remove() */
    CONFIG_HELP,   /* --help: config_help() */
    CONFIG_VERSION /* --version */
};

/* One symbol that file or command line ask for. */
struct config_symbol {
    char symbol[PX_SYMBOL_MAX + 1]; /* "venue:NATIVE" */
    uint32_t kinds;                 /* PX_TRADES ... VENUE_AGGTRADES */
};

/* By the index of the venue in venue_table. */
struct config_venue {
    bool allowed;   /* by [bus] venues; true for all without that key */
    uint32_t kinds; /* of its symbols; VENUE_AGGTRADES: trades mean aggregated ones; VENUE_DEPTH:
                       quotes come out of the deeper book stream */
    char endpoint[CONFIG_ENDPOINTS_MAX][CONFIG_URL_MAX]; /* up to a "", tried in turn; none: the
                                                            venue's own, and its limits apply */
    bool limits;                       /* the venue's limits apply to `endpoint` too */
    bool deflate;                      /* offer permessage-deflate */
    uint32_t silence_ms;               /* 0: the venue's */
    uint32_t life_s;                   /* a connection is replaced by then, 0: the venue's */
    uint32_t redundancy;               /* connections that carry the same, 1 or 2 */
    char proxy[CONFIG_URL_MAX];        /* as that of [bus], for this venue; "": that */
    char bind[CONFIG_ADDRESS_MAX];     /* likewise */
    bool backfill;                     /* trades that were missed are asked for by REST */
    char backfill_url[CONFIG_URL_MAX]; /* there; "": see config_backfill() */
};

/* What the environment said, for those who must not ask it. NULL: not set. */
struct config_env {
    const char *notify_socket, *journal_stream;
    const char *xdg_runtime_dir, *xdg_state_home, *home; /* for dirs.h */
    const char *https_proxy, *http_proxy, *no_proxy;     /* for config_proxy() */
    uint64_t watchdog_us;                                /* 0: no watchdog */
};

struct config {
    /* [bus] */
    char bus[PX_BUS_NAME_MAX + 1];
    uint32_t capacity, ring;
    uint32_t kinds;                    /* default of venues and of symbols on the command line */
    int64_t group;                     /* gid, -1 none */
    char runtime_dir[CONFIG_PATH_MAX]; /* "": by the rules of dirs.h */
    char state_dir[CONFIG_PATH_MAX];   /* "": by the rules of dirs.h */
    char tls_ca[CONFIG_PATH_MAX];      /* "": the system's */
    char venues[CONFIG_PATH_MAX];      /* names, "" all */
    char proxy[CONFIG_URL_MAX];        /* see config_proxy(); "": the environment's, "none" */
    char bind[CONFIG_ADDRESS_MAX];     /* source address of connections; "" or "none": any */
    uint32_t memory_soft_mb, memory_hard_mb;
    uint32_t memory_warn_mb_h, memory_critical_mb_h; /* growth in MB an hour, 0 never */
    uint32_t restart_every;                          /* s: recycle so often, 0 never */
    uint32_t restart_min_s;     /* of its own accord never sooner after a start */
    uint32_t restart_overlap_s; /* a rear-guard reads on for so long at most, 0: there is none */
    uint32_t max_message_kb, receive_kb;
    uint32_t books, book_depth; /* local order books, and levels of each of their sides */
    uint32_t grace_ms;          /* from the last unsubscribe to the venue's */
    uint32_t no_data_ms;        /* accepted and silent for so long is said */
    uint32_t connect_ms; /* deadline of each step from resolving to upgrading, 0: those of conn.c */
    uint32_t subscribe_ms; /* deadline of a venue's answer to a subscribe message */
    uint32_t close_ms;     /* deadline of a close handshake */
    uint32_t backoff_min_ms, backoff_max_ms;
    uint32_t breaker_good_s; /* good data for so long closes a breaker */
    uint32_t quota_connections, quota_symbols, quota_messages; /* per uid, see control.h */
    uint32_t log_level;                                        /* enum log_level */
    bool limits_venue; /* --limits venue: the venue's limits for every endpoint */
    bool busy_poll;
    bool mlock, huge_pages; /* see pages.h */
    int32_t cpu;            /* pinned to it, -1 none */
    bool demo;
    /* For tests, see CONTRIBUTING.md: bytes leaked per message by this enum px_owner, and seconds
     * of the memory watch in a second. */
    uint32_t test_leak_bytes, test_leak_owner, test_watch_scale;
    /* [venue] */
    struct config_venue venue[CONFIG_VENUES_MAX];
    /* all symbols, each once, in the order first seen */
    struct config_symbol *symbols;
    size_t symbol_count;
    /* how it was asked for; argv is the caller's and outlives the config */
    char file[CONFIG_PATH_MAX]; /* "": none */
    int argc;
    char **argv;
    enum config_action action;
    struct config_env env;
};

/* Fill *out from argv, the environment and the file that argv names.
 * Owner: *out is the caller's until config_free(). Errors, with one sentence that names the flag,
 * or file and line, in `error`: -EINVAL arguments (exit 2); -EBADMSG the file, or what it adds up
 * to (exit 1); -ENOMEM. *out is untouched then. */
int config_load(int argc, char **argv, struct config *out, char error[CONFIG_ERROR_MAX]);

/* Give back what config_load() allocated. NULL and a zeroed struct are allowed. */
void config_free(struct config *config);

/* Read file and flags of `running` again. Keys that need a restart keep their running value; their
 * names go to `kept` ("capacity, ring"), "" if there are none. Errors: as config_load(). */
int config_reload(const struct config *running, struct config *out, char *kept, size_t kept_cap,
                  char error[CONFIG_ERROR_MAX]);

/* The settings of a venue. */
const struct config_venue *config_venue_of(const struct config *config,
                                           const struct px_venue *venue);

/* The URL to connect to, and whether the venue's published limits apply there. */
const char *config_endpoint(const struct config *config, const struct px_venue *venue,
                            bool *limits);

/* The n-th of the URLs that are tried in turn; that of config_endpoint() is number 0. NULL: there
 * are no more. */
const char *config_endpoint_at(const struct config *config, const struct px_venue *venue,
                               uint32_t n);

/* The proxy on the way to an endpoint of a venue, for proxy_parse(), which takes it. It may hold a
 * password: it is never to be shown. What is configured counts, else the environment for what is
 * neither on this machine nor in no_proxy. NULL: none. */
const char *config_proxy(const struct config *config, const struct px_venue *venue,
                         const struct url *to);

/* Where missed trades of a venue are asked for: backfill_url, else the host and port of the first
 * endpoint of the operator's own, else the venue's. `*limits`: the venue's limits apply there.
 * Errors: -EINVAL with a sentence in `error`: not a URL, or one that cannot be asked. */
int config_backfill(const struct config *config, const struct px_venue *venue, struct url *out,
                    bool *limits, char error[CONFIG_ERROR_MAX]);

/* The address that connections to a venue have on this side, as a text. NULL: any. */
const char *config_bind(const struct config *config, const struct px_venue *venue);

/* Index of a venue in venue_table. */
size_t config_venue_index(const struct px_venue *venue);

/* --help, on one screen. */
void config_help(FILE *to);

#endif
