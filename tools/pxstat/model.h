/* What the screen shows: the last look at a bus, and what was computed of it once, so that a key
 * that only sorts anew costs no second look. */
#ifndef PX_TOOLS_PXSTAT_MODEL_H
#define PX_TOOLS_PXSTAT_MODEL_H

#include "derive.h"
#include "subject.h"

#define MODEL_PAST 240 /* values of resident memory, one a second or one a minute */

struct model {
    const struct subject *subject;
    const struct snapshot *now, *before; /* NULL: there is none */
    double *symbol_rates;                /* ticks per second, in the order of now->symbols */
    size_t rates_room;
    double resident[MODEL_PAST]; /* bytes, the newest last */
    size_t resident_count;
    int by_minute; /* what one of `resident` stands for */
};

/* After each look of the subject. A model is begun as {0}. Without memory for them, rates are not
 * known. */
void model_update(struct model *m, const struct subject *subject);

/* Read how memory went; model_update() forgets it. */
void model_look_back(struct model *m);

void model_free(struct model *m);

/* Ticks per second of symbol i of now, NAN unknown. */
double model_rate(const struct model *m, size_t i);

#endif
