/* Whole lines to stdout in large writes: what a reader of the pipe sees never ends within a line,
 * however the program ends between two calls. */
#ifndef PX_TOOLS_LINES_H
#define PX_TOOLS_LINES_H

#include <stddef.h>

#define LINES_BYTES (256u * 1024u)

struct lines {
    size_t used;
    int error; /* of the first write that failed, negative errno */
    char bytes[LINES_BYTES];
};

/* Room for one line of up to `need` bytes with its end, written out first if it is short.
 * NULL: stdout failed. */
char *lines_room(struct lines *lines, size_t need);

/* `len` bytes of that room were filled; the line end is added here. */
void lines_add(struct lines *lines, size_t len);

/* Write all. 0 or -errno: -EPIPE when nobody reads any more. */
int lines_flush(struct lines *lines);

#endif
