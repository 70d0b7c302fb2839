/* See options.h. */
#include "options.h"

#include <arpa/inet.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <unistd.h>

#include "guard.h"
#include "hook.h"

#define LISTEN_DEFAULT "127.0.0.1:9464"
#define INTERVAL_MAX_S 86400.0
#define KEEP_DEFAULT   "1h,31d,10y"
#define TOKEN_MIN      16 /* characters: fewer can be guessed over a network */

enum {
    ID_LISTEN = 'l',
    ID_DB = 300,
    ID_KEEP,
    ID_READ_ONLY,
    ID_CERT,
    ID_KEY,
    ID_TOKEN,
    ID_COMMAND,
    ID_URL,
    ID_INTERVAL
};

static const struct cli_option table[] = {
    {ID_LISTEN, "listen", "ADDR:PORT", "where to serve (default " LISTEN_DEFAULT ")"},
    {ID_CERT, "tls-cert", "FILE", "serve https with this certificate chain (PEM)"},
    {ID_KEY, "tls-key", "FILE", "and its key"},
    {ID_TOKEN, "token-file", "FILE", "clients must know the first line of this file"},
    {ID_READ_ONLY, "read-only", NULL, "no restart from the browser"},
    {ID_DB, "db", "FILE", "history (default history.db in the state directory)"},
    {ID_KEEP, "keep", "S,M,H", "rows by second, minute, hour (default " KEEP_DEFAULT ")"},
    {ID_COMMAND, "alert-command", "CMD", "run by sh when a level changes, JSON on its stdin"},
    {ID_URL, "alert-url", "URL", "POST that JSON there"},
    {ID_INTERVAL, "alert-interval", "SECONDS", "between two alerts of a kind (default 60)"},
    {0, NULL, NULL, NULL},
};

static const struct cli_program program = {
    .name = "pxmon",
    .usage = "[OPTION]...",
    .purpose =
        "Watches a bus: dashboard, /metrics, /healthz, /readyz, and a history. It waits for\n"
        "a bus that is not there, and stays over restarts of its feeder.",
    .tail = "An address that is not of loopback needs --tls-cert, --tls-key and --token-file.\n"
            "Exit: 0 ended by SIGTERM or SIGINT; 1 it cannot listen, or a file cannot be used;\n"
            "2 usage.",
    .options = table,
    .usage_exit = CLI_USAGE,
    .without = CLI_NO_JSON,
};

static int bad(const char *object, const char *reason)
{
    return cli_error(CLI_INVALID, object, "%s", reason);
}

/* "127.0.0.1:9464" or "[::1]:9464". */
static int read_listen(struct options *o, const char *text)
{
    struct in6_addr binary;
    char *end = NULL;
    const char *colon = strrchr(text, ':');
    if (colon == NULL || colon == text)
        return bad(text, "not ADDR:PORT, such as " LISTEN_DEFAULT " or [::1]:9464");
    bool brackets = text[0] == '[' && colon[-1] == ']';
    const char *from = brackets ? text + 1 : text;
    int length = (int)(colon - from) - (brackets ? 1 : 0);
    snprintf(o->address, sizeof o->address, "%.*s", length, from);
    if (strcasecmp(o->address, "localhost") == 0)
        snprintf(o->address, sizeof o->address, "127.0.0.1");
    if (inet_pton(brackets ? AF_INET6 : AF_INET, o->address, &binary) != 1)
        return bad(text, "the address is not a numeric IPv4 one, nor an IPv6 one in brackets");
    long port = strtol(colon + 1, &end, 10);
    if (end == colon + 1 || *end != '\0' || port < 0 || port > 65535)
        return bad(text, "the port is not a number from 0 to 65535");
    o->port = (int)port;
    return 0;
}

/* "1h,31d,10y" */
static int read_keep(struct options *o, const char *text)
{
    int64_t *const parts[] = {&o->keep.seconds, &o->keep.minutes, &o->keep.hours};
    char word[32];
    const char *at = text;
    for (size_t i = 0; i < 3; i++) {
        size_t length = strcspn(at, ",");
        snprintf(word, sizeof word, "%.*s", (int)length, at);
        if (length >= sizeof word || history_duration(word, parts[i]) < 0 ||
            (at[length] == ',') != (i < 2))
            return bad(text, "not three durations, such as " KEEP_DEFAULT);
        at += length + 1;
    }
    return 0;
}

static int take_db(struct options *o, const char *path)
{
    return snprintf(o->db, sizeof o->db, "%s", path) < (int)sizeof o->db
               ? 0
               : bad("--db", "the path is too long");
}

static int take(struct options *o, int id, const char **listen)
{
    const char *value = o->cli.value;
    switch (id) {
    case ID_LISTEN:
        *listen = value;
        return 0;
    case ID_CERT:
        o->tls_cert = value;
        return 0;
    case ID_KEY:
        o->tls_key = value;
        return 0;
    case ID_TOKEN:
        o->token_file = value;
        return 0;
    case ID_DB:
        return take_db(o, value);
    case ID_COMMAND:
        o->alert_command = value;
        return 0;
    case ID_URL:
        o->alert_url = value;
        return hook_check(value) < 0 ? bad(value, "not a URL of http:// or https://") : 0;
    case ID_INTERVAL:
        return cli_seconds(value, INTERVAL_MAX_S, &o->alert_interval_ns) < 0
                   ? bad(value, "not a number of seconds for --alert-interval")
                   : 0;
    case ID_KEEP:
        return read_keep(o, value);
    default:
        o->read_only = true;
        return 0;
    }
}

/* The token's line: visible ASCII, so that it can stand in a header. */
static int read_token(struct options *o)
{
    FILE *file = fopen(o->token_file, "re");
    if (file == NULL)
        return cli_error(CLI_FAILED, o->token_file, "%s", strerror(errno));
    if (fgets(o->token, sizeof o->token, file) == NULL)
        o->token[0] = '\0';
    fclose(file);
    o->token[strcspn(o->token, "\r\n")] = '\0';
    size_t length = strlen(o->token);
    for (const char *p = o->token; *p != '\0'; p++)
        if (*p <= ' ' || *p > '~')
            length = 0;
    if (length < TOKEN_MIN || length + 1 == sizeof o->token)
        return cli_error(CLI_FAILED, o->token_file,
                         "the first line is not a token of %d to %zu visible characters", TOKEN_MIN,
                         sizeof o->token - 2);
    return 0;
}

/* What must stand together. */
static int check(const struct options *o, const char *listen)
{
    if ((o->tls_cert == NULL) != (o->tls_key == NULL))
        return bad(o->tls_cert != NULL ? "--tls-cert" : "--tls-key",
                   "certificate and key go together: --tls-cert and --tls-key");
    if (!guard_is_loopback(o->address) && (o->tls_cert == NULL || o->token_file == NULL))
        return bad(listen, "an address that is not of loopback needs --tls-cert, --tls-key and "
                           "--token-file");
    return 0;
}

static int check_readable(const char *path)
{
    return path == NULL || access(path, R_OK) == 0
               ? 0
               : cli_error(CLI_FAILED, path, "%s", strerror(errno));
}

int options_read(struct options *o, int argc, char **argv)
{
    int id, rc = 0;
    const char *listen = LISTEN_DEFAULT;
    memset(o, 0, sizeof *o);
    read_keep(o, KEEP_DEFAULT);
    o->alert_interval_ns = INT64_C(60000000000);
    cli_start(&o->cli, &program, argc, argv);
    while ((id = cli_next(&o->cli)) > 0)
        if ((rc = take(o, id, &listen)) != 0)
            return rc;
    if (id != CLI_END)
        return id;
    if (o->cli.operand_count > 0)
        return bad(o->cli.operands[0], "unknown operand, see --help");
    rc = read_listen(o, listen);
    if (rc == 0)
        rc = check(o, listen);
    if (rc == 0)
        rc = check_readable(o->tls_cert);
    if (rc == 0)
        rc = check_readable(o->tls_key);
    if (rc == 0 && o->token_file != NULL)
        rc = read_token(o);
    if (rc == 0 && o->db[0] == '\0' && history_default_path(o->db) < 0)
        rc = cli_error(CLI_FAILED, "history", "neither $XDG_STATE_HOME nor $HOME is set, use --db");
    return rc;
}
