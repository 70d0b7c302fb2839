/* Between the two halves of the gate: gate.c decides, gate_file.c keeps it on disk. */
#ifndef PX_FEEDER_GATE_INTERNAL_H
#define PX_FEEDER_GATE_INTERNAL_H

#include "budget.h"
#include "gate.h"
#include "savefile.h"
#include "subs.h"
#include "url.h"

#define GATE_HEAD "px-breakers 1\n"
/* A line of the file for an endpoint, and one for an attempt. */
#define GATE_LINE_MAX    (PX_SYMBOL_MAX + URL_HOST_MAX + 256u)
#define GATE_ATTEMPT_MAX 32u

struct gate_endpoint {
    char address[URL_HOST_MAX + 8]; /* host:port, "" unusable */
    bool limits;                    /* the venue's apply: budget and file */
    uint32_t budget;                /* venue that owns it: the first with this address */
    struct breaker breaker;
    struct backoff backoff;
};

struct gate {
    px_writer *writer;
    struct savefile file;
    int64_t base_ns, cap_ns;
    struct {
        int64_t began_ns;
        uint32_t place;
        bool unjudged; /* an attempt without a verdict */
    } link[SUBS_LINKS_MAX];
    char why[128];
    struct gate_endpoint *endpoint; /* by place, gate_places() */
    struct budget *budget;          /* by venue */
    char *text;
    size_t text_cap;
};

static inline uint32_t gate_places(void)
{
    return gate_place(0, CONFIG_ENDPOINTS_MAX);
}

/* gate_file.c: write what there is of endpoints with limits. Failures are said and change nothing.
 */
void gate_save(struct gate *g, struct gate_time now);

#endif
