/* pxstat --history: what pxmon wrote down, as charts in the terminal or as JSON. */
#ifndef PX_TOOLS_PXSTAT_PAST_H
#define PX_TOOLS_PXSTAT_PAST_H

#include <stdint.h>

struct past {
    const char *bus;
    const char *path; /* of the database; NULL: the default one */
    int64_t seconds;  /* back from now */
    int json;
};

/* The exit code, after an error was printed: HEALTH_OK or HEALTH_UNKNOWN. */
int past_show(const struct past *past);

#endif
