/* What every tool does the same way: options and --help from one table, errors as one line, stdout
 * that ends quietly when nobody reads it, numbers with units. */
#ifndef PX_TOOLS_CLI_H
#define PX_TOOLS_CLI_H

#include <stddef.h>
#include <stdint.h>

/* Exit codes. pxstat has its own, and CLI_USAGE_PXSTAT for usage. */
#define CLI_OK           0
#define CLI_FAILED       1
#define CLI_USAGE        2
#define CLI_USAGE_PXSTAT 3

/* What cli_next() returns besides the id of an option. */
#define CLI_END     (-1) /* no option left: cli->operands is complete */
#define CLI_EXIT    (-2) /* --help or --version was printed: end with CLI_OK */
#define CLI_INVALID (-3) /* the error was printed: end with program->usage_exit */

/* One option. An `arg` in brackets is optional: "[SECONDS]". */
struct cli_option {
    int id; /* from 1; its letter if it has one */
    const char *name;
    const char *arg;  /* NULL: takes none */
    const char *help; /* one line */
};

enum { CLI_NO_BUS = 1, CLI_NO_JSON = 2 }; /* common options that a program does not have */
struct cli_program {
    const char *name;
    const char *usage;                /* operands and what matters: "[OPTION]... [SYMBOL]..." */
    const char *purpose;              /* one or more lines for --help */
    const char *tail;                 /* exit codes, one or more lines for --help, or NULL */
    const struct cli_option *options; /* ends with id 0; -b --json --help --version are added */
    int usage_exit;
    unsigned without; /* CLI_NO_* */
};

/* The walk over the command line, and the common options that it has met. */
struct cli {
    const struct cli_program *program;
    int argc;
    char **argv;
    int index;       /* next element of argv */
    char **operands; /* inside argv */
    int operand_count;
    const char *value; /* argument of the option that cli_next() returned, NULL none */
    const char *bus;   /* --bus, else $PX_BUS, else "md" */
    int json;          /* --json was given */
    const char *group; /* rest of "-abc" that is still to be read */
};

/* Also names the program for cli_error(), and makes stdout a large buffer whose closed pipe is an
 * error and not a signal. */
void cli_start(struct cli *cli, const struct cli_program *program, int argc, char **argv);
int cli_next(struct cli *cli);

/* Print "program: object: reason" on stderr and return `code`. */
int cli_error(int code, const char *object, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

/* Flush stdout. 0, or -errno: -EPIPE when nobody reads it any more. */
int cli_flush(void);

/* 1 when stdout is a pipe or socket whose reader has gone. */
int cli_stdout_closed(void);

/* Flush and give the exit code: `code`; CLI_OK when nobody reads stdout any more; CLI_FAILED and a
 * sentence when it cannot be written. */
int cli_finish(int code);

/* A number of seconds with a fraction, 0 < s <= max_s, as ns. 0 or -EINVAL. */
int cli_seconds(const char *text, double max_s, int64_t *ret_ns);

/* A whole number, 1 to max. 0 or -EINVAL. */
int cli_count(const char *text, uint64_t max, uint64_t *ret_count);

/* A list of kinds, "trade,quote": trade, quote, ticker, all. 0 or -EINVAL. */
int cli_kinds(const char *text, uint32_t *ret_kinds);

/* Why a bus cannot be attached, as a sentence without the name of the bus. */
const char *cli_attach_reason(int rc);

/* CLOCK_MONOTONIC, ns. */
int64_t cli_now_ns(void);

/* Numbers for people: "9.0 MiB", "1 h 02 min", "40 ms". Return `out`. */
#define CLI_NUMBER_MAX 32
char *cli_bytes(char out[CLI_NUMBER_MAX], uint64_t bytes);
char *cli_duration(char out[CLI_NUMBER_MAX], int64_t ns);
char *cli_grouped(char out[CLI_NUMBER_MAX], uint64_t value); /* 1,234,567 */

#endif
