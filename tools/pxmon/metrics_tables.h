/* Metrics of the tables of a bus: connections and readers. Internal to metrics.c. */
#ifndef PX_TOOLS_PXMON_METRICS_TABLES_H
#define PX_TOOLS_PXMON_METRICS_TABLES_H

#include "exposition.h"
#include "snapshot.h"

void metrics_put_conns(struct exposition *e, const struct snapshot *s);
void metrics_put_readers(struct exposition *e, const struct snapshot *s);

/* Is there a family of this name among them? */
bool metrics_table_has(const char *name);

#endif
