/* A name to addresses, beside the loop: getaddrinfo(3) blocks, for half a minute if it must. */
#ifndef PX_TOOLS_PXMON_LOOKUP_H
#define PX_TOOLS_PXMON_LOOKUP_H

#include <stdbool.h>
#include <stddef.h>

#define LOOKUP_ADDRESSES_MAX 8
#define LOOKUP_ADDRESS_MAX   64

struct lookup_answer {
    int error; /* 0, or an EAI_* code */
    size_t count;
    char address[LOOKUP_ADDRESSES_MAX][LOOKUP_ADDRESS_MAX]; /* numeric, in order of preference */
};

struct lookup;

/* Begin, in a thread of its own; a numeric host takes none and is answered at once. NULL: no memory
 * or no thread. */
struct lookup *lookup_start(const char *host);

/* True once the answer is there, which is then in *out. Never blocks. */
bool lookup_take(struct lookup *l, struct lookup_answer *out);

/* The answer is not wanted any more. A thread that is stuck is left to itself. NULL is allowed. */
void lookup_drop(struct lookup *l);

#endif
