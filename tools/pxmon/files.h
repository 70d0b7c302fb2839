/* The page's files, compiled into the program: it needs no path to find them at. */
#ifndef PX_TOOLS_PXMON_FILES_H
#define PX_TOOLS_PXMON_FILES_H

#include <stddef.h>

struct file {
    const char *path, *type; /* the path that it is served under */
    const unsigned char *bytes;
    size_t length;
};

extern const struct file files[];
extern const size_t files_count;

#endif
