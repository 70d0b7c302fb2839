/* The command line of pxsim. */
#ifndef PXSIM_OPTIONS_H
#define PXSIM_OPTIONS_H

#include <stdbool.h>
#include <stdint.h>

#include "faults.h"
#include "venue.h"

struct options {
    const struct sim_venue *venue;
    const char *listen;
    int port; /* 0: any free one */
    double rate;
    const char *replay;
    double speed; /* 0: as fast as it goes */
    bool replay_shared;
    struct faults faults;
    long fault_connections; /* faults befall the first N; -1: all */
    long fault_requests;    /* the same of requests for history */
    const char *tls_cert, *tls_key, *tls_auto, *tls_ca_out;
    const char *symbols;
    uint64_t seed;
    uint64_t ping_ns, pong_ns, max_age_ns; /* 0: never */
    bool limits;
    size_t coalesce;
    bool verbose;
};

/* Go on: -1. Otherwise the exit status: 0 after --help or --version, 2 after a usage error. */
int options_parse(struct options *o, int argc, char **argv);

#endif
