/* pxstat --json: one object, one line. */
#ifndef PX_TOOLS_PXSTAT_PRINT_JSON_H
#define PX_TOOLS_PXSTAT_PRINT_JSON_H

#include <stdio.h>

#include "judge.h"
#include "snapshot.h"

void print_json(FILE *file, const struct snapshot *s, const struct health *health);

#endif
