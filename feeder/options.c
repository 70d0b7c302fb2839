/* The command line: every [bus] key is a flag, beside the few that are flags alone. */
#include "config_keys.h"

#include <errno.h>
#include <getopt.h>
#include <stdlib.h>
#include <string.h>

#include "px/bus.h"

enum {
    OPT_CHECK = 1000,
    OPT_PLAN,
    OPT_REMOVE,
    OPT_DEMO,
    OPT_ENDPOINT,
    OPT_LEAK,
    OPT_SCALE,
    OPT_KEY
};
#define OPTIONS_OWN 12
#define OPTIONS_MAX 64

struct options {
    struct option table[OPTIONS_MAX];
    char names[OPTIONS_MAX][32];
    char **argv; /* a copy: getopt moves the operands behind the flags */
};

static const struct option own[OPTIONS_OWN] = {
    {"config", required_argument, NULL, 'c'},
    {"bus", required_argument, NULL, 'b'},
    {"help", no_argument, NULL, 'h'},
    {"version", no_argument, NULL, 'V'},
    {"check", no_argument, NULL, OPT_CHECK},
    {"plan", no_argument, NULL, OPT_PLAN},
    {"remove", no_argument, NULL, OPT_REMOVE},
    {"demo", no_argument, NULL, OPT_DEMO},
    {"endpoint", required_argument, NULL, OPT_ENDPOINT},
    {"test-leak", required_argument, NULL, OPT_LEAK},
    {"test-watch-scale", required_argument, NULL, OPT_SCALE},
};

static struct options *options_new(const struct config *c)
{
    struct options *o = calloc(1, sizeof(*o));
    if (o == NULL)
        return NULL;
    o->argv = calloc((size_t)c->argc + 1, sizeof(*o->argv));
    if (o->argv == NULL) {
        free(o);
        return NULL;
    }
    memcpy(o->argv, c->argv, (size_t)c->argc * sizeof(*o->argv));
    size_t n = 0;
    while (own[n].name != NULL) {
        o->table[n] = own[n];
        n++;
    }
    for (size_t k = 0; k < config_bus_key_count; k++, n++) {
        snprintf(o->names[n], sizeof(o->names[n]), "%s", config_bus_keys[k].name);
        for (char *p = o->names[n]; *p != '\0'; p++)
            *p = *p == '_' ? '-' : *p;
        o->table[n].name = o->names[n];
        o->table[n].has_arg = config_bus_keys[k].type == KEY_BOOL ? no_argument : required_argument;
        o->table[n].val = OPT_KEY + (int)k;
    }
    optind = 0; /* glibc: begin anew */
    opterr = 0;
    return o;
}

static void options_free(struct options *o)
{
    free(o->argv);
    free(o);
}

static int next_option(struct options *o, int argc)
{
    return getopt_long(argc, o->argv, ":c:b:hV", o->table, NULL);
}

static int usage(char error[CONFIG_ERROR_MAX], const char *object, const char *reason)
{
    snprintf(error, CONFIG_ERROR_MAX, "%s: %s", object, reason);
    return -EINVAL;
}

/* What getopt_long() refused. argv[optind - 1] is the word, or the one that holds the letter. */
static int refused(struct options *o, int result, char error[CONFIG_ERROR_MAX])
{
    const char *word = o->argv[optind - 1] == NULL ? "flag" : o->argv[optind - 1];
    char name[64];
    /* a misspelt --proxy may have a password behind it */
    snprintf(name, sizeof name, "%.*s", (int)strcspn(word, "="), word);
    return usage(error, name, result == ':' ? "needs a value" : "unknown flag, see --help");
}

static int take_action(struct config *c, enum config_action action, char error[CONFIG_ERROR_MAX])
{
    if (c->action == CONFIG_HELP || c->action == CONFIG_VERSION)
        return 0;
    if (c->action != CONFIG_RUN && c->action != action && action != CONFIG_HELP &&
        action != CONFIG_VERSION)
        return usage(error, "--check, --plan, --remove", "exclude each other");
    c->action = action;
    return 0;
}

static int first(struct config_build *b, int option, char error[CONFIG_ERROR_MAX])
{
    switch (option) {
    case 'c':
        if (strlen(optarg) >= sizeof(b->config.file) || optarg[0] == '\0')
            return usage(error, "--config", "the path is empty or too long");
        memcpy(b->config.file, optarg, strlen(optarg) + 1);
        return 0;
    case 'h':
        return take_action(&b->config, CONFIG_HELP, error);
    case 'V':
        return take_action(&b->config, CONFIG_VERSION, error);
    case OPT_CHECK:
        return take_action(&b->config, CONFIG_CHECK, error);
    case OPT_PLAN:
        return take_action(&b->config, CONFIG_PLAN, error);
    case OPT_REMOVE:
        return take_action(&b->config, CONFIG_REMOVE, error);
    case OPT_DEMO:
        b->config.demo = true;
        return 0;
    default:
        return 0;
    }
}

int options_first(struct config_build *b, char error[CONFIG_ERROR_MAX])
{
    struct options *o = options_new(&b->config);
    if (o == NULL)
        return -ENOMEM;
    int rc = 0;
    for (int option; rc == 0 && (option = next_option(o, b->config.argc)) != -1;)
        rc = option == '?' || option == ':' ? refused(o, option, error) : first(b, option, error);
    options_free(o);
    return rc;
}

static int set_key(struct config_build *b, const char *flag, size_t key,
                   char error[CONFIG_ERROR_MAX])
{
    b->bus_set |= UINT64_C(1) << key;
    int rc = config_key_set(b, &config_bus_keys[key], &b->config, optarg == NULL ? "yes" : optarg,
                            false);
    if (rc == -EINVAL)
        snprintf(error, CONFIG_ERROR_MAX, "--%s: %s", flag, b->why);
    return rc;
}

static int set_endpoint(struct config_build *b, char error[CONFIG_ERROR_MAX])
{
    const char *equals = strchr(optarg, '=');
    const struct px_venue *venue =
        equals == NULL ? NULL : venue_find(optarg, (size_t)(equals - optarg));
    if (equals == NULL)
        return usage(error, "--endpoint", "is not VENUE=URL");
    if (venue == NULL) {
        snprintf(error, CONFIG_ERROR_MAX, "--endpoint: unknown venue \"%.*s\"",
                 (int)(equals - optarg < 64 ? equals - optarg : 64), optarg);
        return -EINVAL;
    }
    const struct config_key *key =
        config_key_find(config_venue_keys, config_venue_key_count, "endpoint");
    size_t v = config_venue_index(venue);
    bool again = (b->endpoint_flags >> v & 1) != 0; /* the first replaces those of the file */
    b->endpoint_flags |= UINT32_C(1) << v;
    int rc = config_key_set(b, key, &b->config.venue[v], equals + 1, again);
    if (rc == -EINVAL)
        snprintf(error, CONFIG_ERROR_MAX, "--endpoint: %s", b->why);
    return rc;
}

/* OWNER:BYTES */
static int set_leak(struct config *c, char error[CONFIG_ERROR_MAX])
{
    const char *colon = strchr(optarg, ':');
    for (uint32_t o = 0; colon != NULL && o < PX_OWNER_COUNT; o++) {
        size_t len = strlen(px_owner_name(o));
        if (len != (size_t)(colon - optarg) || memcmp(px_owner_name(o), optarg, len) != 0)
            continue;
        c->test_leak_owner = o;
        c->test_leak_bytes = (uint32_t)strtoul(colon + 1, NULL, 10);
    }
    return c->test_leak_bytes != 0 ? 0 : usage(error, "--test-leak", "is not OWNER:BYTES");
}

static int set_scale(struct config *c, char error[CONFIG_ERROR_MAX])
{
    unsigned long n = strtoul(optarg, NULL, 10);
    if (n < 1 || n > 200)
        return usage(error, "--test-watch-scale", "is not 1 to 200");
    c->test_watch_scale = (uint32_t)n;
    return 0;
}

static int rest(struct config_build *b, const struct options *o, int option,
                char error[CONFIG_ERROR_MAX])
{
    if (option == 'b')
        return set_key(b, "bus", 0, error);
    if (option == OPT_ENDPOINT)
        return set_endpoint(b, error);
    if (option == OPT_LEAK)
        return set_leak(&b->config, error);
    if (option == OPT_SCALE)
        return set_scale(&b->config, error);
    if (option >= OPT_KEY) {
        size_t key = (size_t)(option - OPT_KEY), n = 0;
        while (o->table[n].val != option)
            n++;
        return set_key(b, o->table[n].name, key, error);
    }
    return 0;
}

/* Symbols on the command line have the kinds of --kinds, those of the file the kinds of their
 * venue. */
static int operands(struct config_build *b, char **argv, int argc, char error[CONFIG_ERROR_MAX])
{
    for (int i = optind; i < argc; i++) {
        int rc = config_symbol_add(b, argv[i], b->config.kinds);
        if (rc == -EINVAL)
            snprintf(error, CONFIG_ERROR_MAX, "%.64s: %s", argv[i], b->why);
        if (rc != 0)
            return rc;
    }
    return 0;
}

int options_rest(struct config_build *b, char error[CONFIG_ERROR_MAX])
{
    struct options *o = options_new(&b->config);
    if (o == NULL)
        return -ENOMEM;
    int rc = 0;
    for (int option; rc == 0 && (option = next_option(o, b->config.argc)) != -1;)
        rc = rest(b, o, option, error);
    if (rc == 0)
        rc = operands(b, o->argv, b->config.argc, error);
    options_free(o);
    return rc;
}

void config_help(FILE *to)
{
    fputs("usage: feeder [flags] [VENUE:SYMBOL ...]\n"
          "Feed a shared-memory bus with prices of exchanges.\n\n"
          "  -c, --config FILE        settings, see px.conf(5); SIGHUP reads them again\n"
          "  -b, --bus NAME           bus to feed (default $PX_BUS, else md)\n"
          "      --demo               feed from a simulated exchange on loopback\n"
          "      --kinds LIST         trade,quote,ticker,aggtrade,depth (default\n"
          "                           trade,quote)\n"
          "      --endpoint VENUE=URL ws:// or wss://, repeatable; no limits apply there, but\n"
          "      --limits venue       with this the venue's own do\n"
          "      --proxy URL          http://HOST:PORT       --bind ADDRESS   connect from it\n"
          "      --capacity N         symbols with a slot (default 1000)\n"
          "      --ring N             ticks in the ring, a power of two (default 65536)\n"
          "      --group GROUP        who may read and subscribe, beside this user\n"
          "      --runtime-dir DIR    for the control socket    --state-dir DIR  for what lasts\n"
          "      --tls-ca FILE        certificates to trust\n"
          "      --busy-poll          never sleep               --cpu N          run there\n"
          "      --mlock              keep pages in memory       --huge-pages     of 2 MiB\n"
          "      --log-level LEVEL    error, warning, info (default), debug\n"
          "      --check              judge the configuration, exit 0 or 1\n"
          "      --plan               print every byte that it would use\n"
          "      --remove             unlink the bus's segment, if nobody feeds it\n"
          "  -h, --help    -V, --version\n\n"
          "Each key of [bus] in px.conf(5) is a flag: memory_soft_mb is --memory-soft-mb MB.\n",
          to);
}
