/* A snapshot as OpenMetrics text (https://openmetrics.io), or as the older Prometheus text. */
#ifndef PX_TOOLS_PXMON_METRICS_H
#define PX_TOOLS_PXMON_METRICS_H

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

#include "subject.h"

#define METRICS_OPEN_TYPE  "application/openmetrics-text; version=1.0.0; charset=utf-8"
#define METRICS_PLAIN_TYPE "text/plain; version=0.0.4; charset=utf-8"

/* pxmon about itself. */
struct metrics_self {
    unsigned live, connections;
    uint64_t rows, rows_lost; /* of the history */
};

/* Does a client with this Accept header want the older text? OpenMetrics is what is served to all
 * others. */
bool metrics_wants_plain(const char *accept);

/* Write everything that is known. */
void metrics_print(FILE *file, bool plain, const struct subject *s,
                   const struct metrics_self *self);

#endif
