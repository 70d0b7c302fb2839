/* The command line of pxmon, checked as a whole before anything starts. */
#ifndef PX_TOOLS_PXMON_OPTIONS_H
#define PX_TOOLS_PXMON_OPTIONS_H

#include <stdbool.h>

#include "cli.h"
#include "history.h"

#define OPTIONS_ADDRESS_MAX 64
#define OPTIONS_TOKEN_MAX   256

struct options {
    struct cli cli;
    char address[OPTIONS_ADDRESS_MAX]; /* numeric, without brackets */
    int port;
    const char *tls_cert, *tls_key, *token_file;
    char token[OPTIONS_TOKEN_MAX]; /* the first line of the file, "" without one */
    char db[HISTORY_PATH_MAX];
    struct history_keep keep;
    bool read_only;
    const char *alert_command, *alert_url; /* NULL: none */
    int64_t alert_interval_ns;
};

/* 0; CLI_EXIT; CLI_INVALID for usage and CLI_FAILED for a file that cannot be used, both after the
 * error was printed. */
int options_read(struct options *o, int argc, char **argv);

#endif
