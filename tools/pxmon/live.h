/* The messages of the live stream, which are also the answer to /api/state. */
#ifndef PX_TOOLS_PXMON_LIVE_H
#define PX_TOOLS_PXMON_LIVE_H

#include <stdio.h>

#include "columns.h"
#include "restart.h"
#include "subject.h"

/* One object: bus, health, row of the history, restart, and what pxstat --json prints (null without
 * a bus). */
void live_state(FILE *file, const struct subject *s, const struct history_row *row,
                const struct restart_progress *restart);

/* One object with bus, health and restart only, for between two seconds. */
void live_news(FILE *file, const struct subject *s, const struct restart_progress *restart);

#endif
