#include "options.h"

#include <errno.h>
#include <getopt.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define NS_PER_MS   1000000ULL
#define NS_PER_S    1000000000ULL
#define COALESCE    262144
#define HELP_WIDTH  90U
#define HELP_COLUMN 27U /* of what an option means, less the space in front of it */

enum id {
    VENUE = 256,
    PORT,
    RATE,
    REPLAY,
    REPLAY_SHARED,
    SPEED,
    FAULT,
    FAULT_CONNECTIONS,
    FAULT_REQUESTS,
    TLS_CERT,
    TLS_KEY,
    TLS_AUTO,
    TLS_CA_OUT,
    LISTEN,
    SYMBOLS,
    SEED,
    PING_INTERVAL,
    PONG_TIMEOUT,
    MAX_AGE,
    LIMITS,
    COALESCE_BYTES,
    VERBOSE,
    HELP,
    VERSION,
};

static const struct option table[] = {
    {"venue", required_argument, NULL, VENUE},
    {"port", required_argument, NULL, PORT},
    {"rate", required_argument, NULL, RATE},
    {"replay", required_argument, NULL, REPLAY},
    {"replay-shared", no_argument, NULL, REPLAY_SHARED},
    {"speed", required_argument, NULL, SPEED},
    {"fault", required_argument, NULL, FAULT},
    {"fault-connections", required_argument, NULL, FAULT_CONNECTIONS},
    {"fault-requests", required_argument, NULL, FAULT_REQUESTS},
    {"tls-cert", required_argument, NULL, TLS_CERT},
    {"tls-key", required_argument, NULL, TLS_KEY},
    {"tls-auto", required_argument, NULL, TLS_AUTO},
    {"tls-ca-out", required_argument, NULL, TLS_CA_OUT},
    {"listen", required_argument, NULL, LISTEN},
    {"symbols", required_argument, NULL, SYMBOLS},
    {"seed", required_argument, NULL, SEED},
    {"ping-interval", required_argument, NULL, PING_INTERVAL},
    {"pong-timeout", required_argument, NULL, PONG_TIMEOUT},
    {"max-age", required_argument, NULL, MAX_AGE},
    {"limits", required_argument, NULL, LIMITS},
    {"coalesce", required_argument, NULL, COALESCE_BYTES},
    {"verbose", no_argument, NULL, VERBOSE},
    {"help", no_argument, NULL, HELP},
    {"version", no_argument, NULL, VERSION},
    {0},
};

static const char help_head[] =
    "Usage: pxsim --venue VENUE --port N [OPTION ...]\n"
    "A simulated exchange: a WebSocket server with the venue's protocol and invented or recorded "
    "data.\n"
    "\n"
    "  --venue NAME              one of these:";

static const char help_rest[] =
    "\n"
    "  --port N                  0 picks a free one\n"
    "  --listen ADDR             default 127.0.0.1\n"
    "  --rate N                  messages per second on each connection, default 100\n"
    "  --symbols LIST|COUNT      only these symbols; or so many in the all-market stream (2000)\n"
    "  --seed N                  of the random prices, default 1\n"
    "  --replay FILE             send these frames, one a line (.gz too), instead of random "
    "prices\n"
    "  --replay-shared           one recording for all: later connections come into its middle\n"
    "  --speed X|max             of the replay, times the recorded speed (or --rate), default 1\n"
    "  --fault NAME[:ARG]        what goes wrong, repeatable; see pxsim(1) for the list\n"
    "  --fault-connections N     faults befall only the first N connections\n"
    "  --fault-requests N        those of history (rest-...) only the first N requests\n"
    "  --tls-cert F --tls-key F  serve TLS with these PEM files\n"
    "  --tls-auto DIR            serve TLS with new certificates, kept in DIR: ca.pem cert.pem "
    "key.pem\n"
    "  --tls-ca-out FILE         write the authority of a certificate made by pxsim\n"
    "  --ping-interval MS        default the venue's; 0 never\n"
    "  --pong-timeout MS         default the venue's; 0 never\n"
    "  --max-age S               life of a connection, default the venue's\n"
    "  --limits on|off           enforce the venue's limits on clients, default on\n"
    "  --coalesce BYTES          put frames together in writes up to this size; 1: one by one\n"
    "  --verbose                 a line on stderr for each event of a connection\n"
    "  --help, --version\n"
    "\n"
    "SIGUSR1 prints the counts as one JSON line. Exit status: 0 done, 1 failed, 2 usage.\n";

static int bad(const char *object, const char *reason)
{
    fprintf(stderr, "pxsim: %s: %s\n", object, reason);
    return 2;
}

static bool number(const char *text, double least, double most, double *ret)
{
    char *end;
    errno = 0;
    double v = strtod(text, &end);
    if (errno != 0 || end == text || *end != '\0' || !isfinite(v) || v < least || v > most)
        return false;
    *ret = v;
    return true;
}

static bool whole(const char *text, double most, double *ret)
{
    return number(text, 0, most, ret) && floor(*ret) == *ret;
}

static int unknown_venue(const char *name)
{
    fprintf(stderr, "pxsim: %s: unknown venue, known are", name);
    for (size_t i = 0; sim_venue_name(i) != NULL; i++)
        fprintf(stderr, "%s %s", i == 0 ? "" : ",", sim_venue_name(i));
    fprintf(stderr, "\n");
    return 2;
}

static int set_fault(struct options *o, const char *value)
{
    int rc = faults_add(&o->faults, value);
    if (rc == -ENOENT)
        return bad(value, "unknown fault, see pxsim(1)");
    return rc < 0 ? bad(value, "the argument of a fault is a whole number, at most 1073741824")
                  : -1;
}

static int set_speed(struct options *o, const char *value)
{
    if (strcmp(value, "max") == 0)
        o->speed = 0;
    else if (!number(value, 1e-6, 1e9, &o->speed))
        return bad("--speed", "is a factor or max");
    return -1;
}

static int set_limits(struct options *o, const char *value)
{
    o->limits = strcmp(value, "on") == 0;
    return o->limits || strcmp(value, "off") == 0 ? -1 : bad("--limits", "is on or off");
}

static int set_number(struct options *o, int id, const char *value)
{
    static const struct {
        int id;
        const char *name;
        double most;
    } kinds[] = {
        {PORT, "--port", 65535},
        {FAULT_CONNECTIONS, "--fault-connections", 1e9},
        {FAULT_REQUESTS, "--fault-requests", 1e9},
        {PING_INTERVAL, "--ping-interval", 1e9},
        {PONG_TIMEOUT, "--pong-timeout", 1e9},
        {MAX_AGE, "--max-age", 1e7},
        {COALESCE_BYTES, "--coalesce", 16777216},
        {SEED, "--seed", 9007199254740992.0},
    };
    double v = 0;
    for (size_t i = 0; i < sizeof kinds / sizeof kinds[0]; i++) {
        if (kinds[i].id == id && !whole(value, kinds[i].most, &v)) {
            char reason[80];
            snprintf(reason, sizeof reason, "is a whole number up to %.0f", kinds[i].most);
            return bad(kinds[i].name, reason);
        }
    }
    switch (id) {
    case PORT:
        o->port = (int)v;
        break;
    case FAULT_CONNECTIONS:
        o->fault_connections = (long)v;
        break;
    case FAULT_REQUESTS:
        o->fault_requests = (long)v;
        break;
    case PING_INTERVAL:
        o->ping_ns = (uint64_t)v * NS_PER_MS;
        break;
    case PONG_TIMEOUT:
        o->pong_ns = (uint64_t)v * NS_PER_MS;
        break;
    case MAX_AGE:
        o->max_age_ns = (uint64_t)v * NS_PER_S;
        break;
    case COALESCE_BYTES:
        o->coalesce = v < 1 ? 1 : (size_t)v;
        break;
    default:
        o->seed = (uint64_t)v;
    }
    return -1;
}

static int set_text(struct options *o, int id, const char *value)
{
    switch (id) {
    case REPLAY:
        o->replay = value;
        break;
    case TLS_CERT:
        o->tls_cert = value;
        break;
    case TLS_KEY:
        o->tls_key = value;
        break;
    case TLS_AUTO:
        o->tls_auto = value;
        break;
    case TLS_CA_OUT:
        o->tls_ca_out = value;
        break;
    case LISTEN:
        o->listen = value;
        break;
    case SYMBOLS:
        o->symbols = value;
        break;
    default:
        return set_number(o, id, value);
    }
    return -1;
}

static void print_help(void)
{
    size_t column = HELP_WIDTH;
    fputs(help_head, stdout);
    for (size_t i = 0; sim_venue_name(i) != NULL; i++) {
        const char *name = sim_venue_name(i);
        if (column + strlen(name) >= HELP_WIDTH) {
            fputs("\n                           ", stdout);
            column = HELP_COLUMN;
        }
        printf(" %s", name);
        column += strlen(name) + 1;
    }
    fputs(help_rest, stdout);
}

static int set(struct options *o, int id, const char *value)
{
    switch (id) {
    case VENUE:
        return -1; /* looked at first */
    case FAULT:
        return set_fault(o, value);
    case SPEED:
        return set_speed(o, value);
    case LIMITS:
        return set_limits(o, value);
    case RATE:
        return number(value, 0, 1e9, &o->rate) ? -1 : bad("--rate", "is a number from 0 to 1e9");
    case REPLAY_SHARED:
        o->replay_shared = true;
        return -1;
    case VERBOSE:
        o->verbose = true;
        return -1;
    case HELP:
        print_help();
        return 0;
    case VERSION:
        puts("pxsim " PX_VERSION);
        return 0;
    default:
        return set_text(o, id, value);
    }
}

/* getopt names a wrong option by its place; say which one it was. */
static int unknown_option(int c, char **argv)
{
    const char *given = argv[optind - 1];
    char letter[3] = {'-', (char)optopt, '\0'};
    if (optopt > 0 && optopt < VENUE)
        given = letter;
    return bad(given, c == ':' ? "needs an argument" : "unknown option");
}

/* The venue's own habits are the defaults, so it must be known before the others are read. */
static int find_venue(struct options *o, int argc, char **argv)
{
    int c;
    opterr = 0;
    optind = 1;
    while ((c = getopt_long(argc, argv, ":", table, NULL)) != -1) {
        if (c != VENUE)
            continue;
        o->venue = sim_venue_find(optarg);
        if (o->venue == NULL)
            return unknown_venue(optarg);
    }
    if (o->venue != NULL) {
        o->ping_ns = o->venue->ping_ms * NS_PER_MS;
        o->pong_ns = o->venue->pong_ms * NS_PER_MS;
        o->max_age_ns = o->venue->max_age_s * NS_PER_S;
    }
    return -1;
}

/* What goes with what, when all of it is known. */
static int check(const struct options *o)
{
    if (o->venue == NULL)
        return bad("--venue", "is needed");
    if (o->port < 0)
        return bad("--port", "is needed");
    if ((o->tls_cert == NULL) != (o->tls_key == NULL))
        return bad("--tls-cert", "goes with --tls-key");
    if (o->tls_cert != NULL && o->tls_auto != NULL)
        return bad("--tls-auto", "makes its own certificate: leave --tls-cert out");
    if (o->replay_shared && o->replay == NULL)
        return bad("--replay-shared", "goes with --replay");
    if (o->replay_shared && o->speed == 0)
        return bad("--replay-shared", "needs a pace: --speed max has no middle to come into");
    return -1;
}

int options_parse(struct options *o, int argc, char **argv)
{
    *o = (struct options){
        .listen = "127.0.0.1",
        .port = -1,
        .rate = 100,
        .speed = 1,
        .fault_connections = -1,
        .fault_requests = -1,
        .seed = 1,
        .limits = true,
        .coalesce = COALESCE,
    };
    int rc = find_venue(o, argc, argv);
    if (rc >= 0)
        return rc;
    int c;
    optind = 1;
    while ((c = getopt_long(argc, argv, ":", table, NULL)) != -1) {
        rc = c == '?' || c == ':' ? unknown_option(c, argv) : set(o, c, optarg);
        if (rc >= 0)
            return rc;
    }
    if (optind < argc)
        return bad(argv[optind], "unexpected argument");
    return check(o);
}
