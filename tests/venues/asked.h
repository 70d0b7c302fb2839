/* What a venue writes for wishes: shared by the tests of the dialects. */
#ifndef PX_TESTS_VENUES_ASKED_H
#define PX_TESTS_VENUES_ASKED_H

#include <stdlib.h>

#include "t.h"

#include "venue.h"

/* The message that the venue writes into `cap` bytes, with nothing behind them, so that a sanitizer
 * sees what is written too far; "" none. Valid until the next call. */
static inline const char *asked_of(const struct px_venue *venue,
                                   const struct venue_request *request, size_t cap, size_t *taken)
{
    static char *out;
    free(out);
    T_TRUE((out = malloc(cap)) != NULL);
    int len = venue->subscribe(request, out, cap, taken);
    T_TRUE(len >= 0 && (size_t)len < cap);
    T_EQ(len == 0 ? 0 : strlen(out), len);
    return len == 0 ? "" : out;
}

#endif
