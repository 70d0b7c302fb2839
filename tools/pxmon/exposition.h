/* The two text formats of metrics, written family by family: head, then its samples. They differ in
 * where a counter's "_total" stands, in UNIT and in the end. */
#ifndef PX_TOOLS_PXMON_EXPOSITION_H
#define PX_TOOLS_PXMON_EXPOSITION_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

enum family_type { FAMILY_GAUGE, FAMILY_COUNTER, FAMILY_HISTOGRAM, FAMILY_INFO };

struct family {
    const char *name; /* without "_total" or "_info" */
    enum family_type type;
    const char *help;
};

struct exposition {
    FILE *file;
    bool plain; /* Prometheus text 0.0.4 */
    const struct family *family;
};

struct label {
    const char *name, *value;
};

/* A unit is declared where the name ends with one, as OpenMetrics demands. */
void expo_family(struct exposition *e, const struct family *family);

/* A sample of the present family; NAN is left out. Labels end with a NULL name; NULL: none. */
void expo_sample(struct exposition *e, const struct label *labels, double value);
void expo_count(struct exposition *e, const struct label *labels, uint64_t value);

/* A bucket of a histogram, at most `le`; INFINITY for the last. */
void expo_bucket(struct exposition *e, const struct label *labels, double le, uint64_t value);

void expo_end(struct exposition *e);

#endif
