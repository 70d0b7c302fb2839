/* Internal to the history: its version, and lists of columns for SQL. */
#ifndef PX_TOOLS_HISTORY_COMMON_H
#define PX_TOOLS_HISTORY_COMMON_H

#include "history.h"

#define HISTORY_VERSION 1

/* The columns, each with `before` before it; `folded`: as "max(name)". */
#define HISTORY_LIST_MAX 1024
void history_list(char *out, size_t cap, const char *before, int folded);

#endif
