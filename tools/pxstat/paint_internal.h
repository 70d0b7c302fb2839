/* Parts of paint.c that stand in files of their own. */
#ifndef PX_TOOLS_PXSTAT_PAINT_INTERNAL_H
#define PX_TOOLS_PXSTAT_PAINT_INTERNAL_H

#include "paint.h"

/* What is over the panes: bus, verdict, flow, memory. Takes `rows` at most, returns how many. */
int paint_head(const struct scene *s, int rows);

/* Help, the question before a restart, and how that goes. */
void paint_overlay(const struct scene *s);

#endif
