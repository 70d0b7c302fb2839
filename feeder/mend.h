/* Jumps of a row of samples, taken out of it: what goes on before and after one then shows in one
 * piece. A jump is a change of level within a second or two that noise does not explain: a tooth
 * that falls, a table that grew. Pure. */
#ifndef PX_FEEDER_MEND_H
#define PX_FEEDER_MEND_H

#include <stddef.h>

/* Doubles of scratch for n points. */
#define MEND_SCRATCH(n) (n)

/* Shifts what follows each jump, up or down, back to where it would be without. `fallen`: what the
 * jumps down give back for each point, in the unit of y. Jumps within four points of an end are not
 * seen. Returns how many there are; -1: so many, or so many up, that the row is made of
 * them, and y is left in any state. */
int mend(double *y, size_t n, double *scratch, double *fallen);

#endif
