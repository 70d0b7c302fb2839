/* What every tool does the same way. See cli.h. */
#include "cli.h"

#include <ctype.h>
#include <errno.h>
#include <math.h>
#include <poll.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "px/bus.h"

/* Ids of the common options, above every letter. */
enum { ID_BUS = 'b', ID_JSON = 1001, ID_HELP, ID_VERSION };

#define STDOUT_BYTES (256u * 1024u)

static const struct cli_option common[] = {
    {ID_BUS, "bus", "NAME", "the bus (default $PX_BUS or md)"},
    {ID_JSON, "json", NULL, "print JSON"},
    {ID_HELP, "help", NULL, "print this and end"},
    {ID_VERSION, "version", NULL, "print the version and end"},
    {0, NULL, NULL, NULL},
};

static const char *program_name = "px";

void cli_start(struct cli *cli, const struct cli_program *program, int argc, char **argv)
{
    static char buffer[STDOUT_BYTES];
    const char *bus = getenv("PX_BUS");
    program_name = program->name;
    *cli = (struct cli){.program = program,
                        .argc = argc,
                        .argv = argv,
                        .index = 1,
                        .operands = argv + (argc > 0 ? 1 : 0),
                        .bus = bus != NULL && *bus != '\0' ? bus : "md"};
    signal(SIGPIPE, SIG_IGN);
    setvbuf(stdout, buffer, _IOFBF, sizeof buffer);
}

int cli_error(int code, const char *object, const char *format, ...)
{
    char reason[512];
    va_list args;
    va_start(args, format);
    vsnprintf(reason, sizeof reason, format, args);
    va_end(args);
    /* Objects and reasons may hold what somebody else wrote: the line stays one line. */
    for (char *p = reason; *p != '\0'; p++)
        if (iscntrl((unsigned char)*p))
            *p = ' ';
    fprintf(stderr, "%s: ", program_name);
    for (; *object != '\0'; object++)
        fputc(iscntrl((unsigned char)*object) ? '?' : *object, stderr);
    fprintf(stderr, ": %s\n", reason);
    return code;
}

static int has_common(const struct cli_program *program, int id)
{
    return !((id == ID_BUS && (program->without & CLI_NO_BUS) != 0) ||
             (id == ID_JSON && (program->without & CLI_NO_JSON) != 0));
}

static void help_line(const struct cli_option *o)
{
    char left[48];
    char letter[8] = "    ";
    if (o->id < 256)
        snprintf(letter, sizeof letter, "-%c, ", o->id);
    if (o->arg == NULL)
        snprintf(left, sizeof left, "  %s--%s", letter, o->name);
    else
        snprintf(left, sizeof left, "  %s--%s %s", letter, o->name, o->arg);
    printf("%-29s %s\n", left, o->help);
}

static void print_help(const struct cli_program *program)
{
    printf("usage: %s %s\n%s\n\n", program->name, program->usage, program->purpose);
    for (const struct cli_option *o = program->options; o->id != 0; o++)
        help_line(o);
    for (const struct cli_option *o = common; o->id != 0; o++)
        if (has_common(program, o->id))
            help_line(o);
    if (program->tail != NULL)
        printf("\n%s\n", program->tail);
}

static const struct cli_option *by_letter(const struct cli_program *program, int letter)
{
    const struct cli_option *tables[] = {program->options, common};
    for (size_t t = 0; t < 2; t++)
        for (const struct cli_option *o = tables[t]; o->id != 0; o++)
            if (o->id == letter && has_common(program, o->id))
                return o;
    return NULL;
}

static const struct cli_option *by_name(const struct cli_program *program, const char *name,
                                        size_t len)
{
    const struct cli_option *tables[] = {program->options, common};
    for (size_t t = 0; t < 2; t++)
        for (const struct cli_option *o = tables[t]; o->id != 0; o++)
            if (strncmp(o->name, name, len) == 0 && o->name[len] == '\0' &&
                has_common(program, o->id))
                return o;
    return NULL;
}

/* The argument of option `o`: behind '=' or the letter (attached), else the next element. */
static int take_value(struct cli *cli, const struct cli_option *o, const char *attached)
{
    cli->value = NULL;
    if (o->arg == NULL) {
        if (attached == NULL)
            return 0;
        char object[64];
        snprintf(object, sizeof object, "--%s", o->name);
        cli_error(0, object, "takes no argument");
        return CLI_INVALID;
    }
    if (attached != NULL) {
        cli->value = attached;
        return 0;
    }
    const char *next = cli->index < cli->argc ? cli->argv[cli->index] : NULL;
    int optional = o->arg[0] == '[';
    if (next != NULL && (!optional || next[0] != '-')) {
        cli->value = next;
        cli->index++;
        return 0;
    }
    if (optional)
        return 0;
    char object[64];
    snprintf(object, sizeof object, "--%s", o->name);
    cli_error(0, object, "needs %s", o->arg);
    return CLI_INVALID;
}

static int take_common(struct cli *cli, int id)
{
    switch (id) {
    case ID_BUS:
        if (cli->value == NULL || cli->value[0] == '\0')
            return cli_error(CLI_INVALID, "--bus", "needs NAME");
        cli->bus = cli->value;
        return 0;
    case ID_JSON:
        cli->json = 1;
        return 0;
    case ID_HELP:
        print_help(cli->program);
        return CLI_EXIT;
    case ID_VERSION:
        printf("%s %s\n", cli->program->name, PX_VERSION);
        return CLI_EXIT;
    default:
        return id;
    }
}

/* A letter out of "-abc", whose argument may be attached ("-n5"). */
static int next_letter(struct cli *cli)
{
    char object[3] = {'-', *cli->group++, '\0'};
    const struct cli_option *o = by_letter(cli->program, object[1]);
    if (o == NULL) {
        cli_error(0, object, "unknown option, see --help");
        return CLI_INVALID;
    }
    const char *attached = NULL;
    if (o->arg != NULL && *cli->group != '\0')
        attached = cli->group;
    if (*cli->group == '\0' || attached != NULL)
        cli->group = NULL;
    int rc = take_value(cli, o, attached);
    return rc < 0 ? rc : take_common(cli, o->id);
}

static int next_word(struct cli *cli, const char *word)
{
    const char *equals = strchr(word, '=');
    size_t len = equals != NULL ? (size_t)(equals - word) : strlen(word);
    const struct cli_option *o = by_name(cli->program, word, len);
    if (o == NULL) {
        char object[64];
        snprintf(object, sizeof object, "--%.*s", (int)(len < 60 ? len : 60), word);
        cli_error(0, object, "unknown option, see --help");
        return CLI_INVALID;
    }
    int rc = take_value(cli, o, equals != NULL ? equals + 1 : NULL);
    return rc < 0 ? rc : take_common(cli, o->id);
}

/* Operands are gathered at the front of argv while the walk goes on behind them, so that options
 * may stand anywhere. */
static void keep_operand(struct cli *cli, char *word)
{
    cli->operands[cli->operand_count++] = word;
}

int cli_next(struct cli *cli)
{
    for (;;) {
        int id = 0;
        if (cli->group != NULL) {
            id = next_letter(cli);
        } else if (cli->index >= cli->argc) {
            return CLI_END;
        } else {
            char *word = cli->argv[cli->index++];
            if (word[0] != '-' || word[1] == '\0') {
                keep_operand(cli, word);
            } else if (strcmp(word, "--") == 0) {
                while (cli->index < cli->argc)
                    keep_operand(cli, cli->argv[cli->index++]);
            } else if (word[1] == '-') {
                id = next_word(cli, word + 2);
            } else {
                cli->group = word + 1;
            }
        }
        if (id != 0)
            return id;
    }
}

int cli_flush(void)
{
    /* The first failure is kept: stdio forgets why, and what it could not write. */
    static int failed;
    errno = 0;
    if (failed == 0 && (fflush(stdout) != 0 || ferror(stdout)))
        failed = errno != 0 ? -errno : -EIO;
    return failed;
}

int cli_stdout_closed(void)
{
    struct pollfd fd = {.fd = STDOUT_FILENO, .events = 0};
    return poll(&fd, 1, 0) > 0 && (fd.revents & (POLLERR | POLLNVAL)) != 0;
}

int cli_finish(int code)
{
    int rc = cli_flush();
    if (rc == 0 || rc == -EPIPE)
        return rc == -EPIPE ? CLI_OK : code;
    return cli_error(CLI_FAILED, "stdout", "%s", strerror(-rc));
}

int cli_seconds(const char *text, double max_s, int64_t *ret_ns)
{
    char *end = NULL;
    if (!isdigit((unsigned char)text[0]) && text[0] != '.')
        return -EINVAL;
    double s = strtod(text, &end);
    if (*end != '\0' || !isfinite(s) || s <= 0 || s > max_s)
        return -EINVAL;
    *ret_ns = (int64_t)(s * 1e9);
    return *ret_ns > 0 ? 0 : -EINVAL;
}

int cli_count(const char *text, uint64_t max, uint64_t *ret_count)
{
    uint64_t value = 0;
    if (text[0] == '\0')
        return -EINVAL;
    for (const char *p = text; *p != '\0'; p++) {
        if (!isdigit((unsigned char)*p) || __builtin_mul_overflow(value, 10u, &value) ||
            __builtin_add_overflow(value, (uint64_t)(*p - '0'), &value))
            return -EINVAL;
    }
    if (value == 0 || value > max)
        return -EINVAL;
    *ret_count = value;
    return 0;
}

int cli_kinds(const char *text, uint32_t *ret_kinds)
{
    static const struct {
        const char *name;
        uint32_t kinds;
    } table[] = {
        {"trade", PX_TRADES}, {"quote", PX_QUOTES}, {"ticker", PX_TICKERS}, {"all", PX_ALL_KINDS}};
    uint32_t kinds = 0;
    for (;;) {
        size_t len = strcspn(text, ",");
        uint32_t found = 0;
        for (size_t i = 0; i < sizeof table / sizeof table[0]; i++)
            if (strlen(table[i].name) == len && memcmp(table[i].name, text, len) == 0)
                found = table[i].kinds;
        if (found == 0)
            return -EINVAL;
        kinds |= found;
        if (text[len] == '\0')
            break;
        text += len + 1;
    }
    *ret_kinds = kinds;
    return 0;
}

const char *cli_attach_reason(int rc)
{
    switch (rc) {
    case -ENOENT:
        return "there is no such bus (is its feeder running?)";
    case -EACCES:
        return "no right to read the segment of this bus";
    case -EPROTO:
        return "the file of this name in /dev/shm is not a segment of ours";
    case -EPROTONOSUPPORT:
        return "the segment has another layout version than this program";
    case -EMSGSIZE:
        return "the segment is damaged: its lengths do not fit its size";
    case -EAGAIN:
        return "the segment is still being built";
    case -EINVAL:
        return "not a name of a bus (letters, digits, '.', '_', '-', at most 32)";
    case -ETIMEDOUT:
        return "the bus did not appear in time";
    default:
        return px_strerror(rc);
    }
}

int64_t cli_now_ns(void)
{
    struct timespec ts;
    clock_gettime(CLOCK_MONOTONIC, &ts);
    return (int64_t)ts.tv_sec * 1000000000 + ts.tv_nsec;
}

char *cli_bytes(char out[CLI_NUMBER_MAX], uint64_t bytes)
{
    static const char *const units[] = {"B", "KiB", "MiB", "GiB", "TiB"};
    double value = (double)bytes;
    size_t unit = 0;
    while (value >= 1023.95 && unit + 1 < sizeof units / sizeof units[0]) {
        value /= 1024.0;
        unit++;
    }
    snprintf(out, CLI_NUMBER_MAX, unit == 0 ? "%.0f %s" : "%.1f %s", value, units[unit]);
    return out;
}

char *cli_duration(char out[CLI_NUMBER_MAX], int64_t ns)
{
    int64_t s = ns / 1000000000;
    if (ns < 0)
        snprintf(out, CLI_NUMBER_MAX, "-");
    else if (ns < 1000000)
        snprintf(out, CLI_NUMBER_MAX, "%.1f us", (double)ns / 1e3);
    else if (s < 1)
        snprintf(out, CLI_NUMBER_MAX, "%d ms", (int)(ns / 1000000));
    else if (s < 60)
        snprintf(out, CLI_NUMBER_MAX, "%.1f s", (double)ns / 1e9);
    else if (s < 3600)
        snprintf(out, CLI_NUMBER_MAX, "%d min %02d s", (int)(s / 60), (int)(s % 60));
    else if (s < 86400)
        snprintf(out, CLI_NUMBER_MAX, "%d h %02d min", (int)(s / 3600), (int)(s / 60 % 60));
    else
        snprintf(out, CLI_NUMBER_MAX, "%lld d %02d h", (long long)(s / 86400),
                 (int)(s / 3600 % 24));
    return out;
}

char *cli_grouped(char out[CLI_NUMBER_MAX], uint64_t value)
{
    char digits[24];
    int n = snprintf(digits, sizeof digits, "%llu", (unsigned long long)value);
    char *p = out;
    for (int i = 0; i < n; i++) {
        if (i > 0 && (n - i) % 3 == 0)
            *p++ = ',';
        *p++ = digits[i];
    }
    *p = '\0';
    return out;
}
