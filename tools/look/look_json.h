/* A snapshot as one object on one line: what pxstat --json prints and pxmon serves. */
#ifndef PX_TOOLS_LOOK_JSON_H
#define PX_TOOLS_LOOK_JSON_H

#include <stdio.h>

#include "judge.h"
#include "snapshot.h"

void look_json(FILE *file, const struct snapshot *s, const struct health *health);

#endif
