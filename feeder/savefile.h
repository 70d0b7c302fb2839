/* A text file of ours in the state directory: a head line that names its form, lines, and a last
 * line `end COUNT CHECKSUM`. It is written to a temporary name and renamed, without fsync, which
 * would stop the feed for as long as the disk likes; a file that a power failure tore is told by
 * its last line. */
#ifndef PX_SAVEFILE_H
#define PX_SAVEFILE_H

#include <stddef.h>
#include <stdint.h>

#include "config.h"

/* Room for the last line. */
#define SAVEFILE_END_MAX 64

struct savefile {
    char path[CONFIG_PATH_MAX], other[CONFIG_PATH_MAX + 8]; /* other: ".tmp" or ".bad" */
    const char *head;                                       /* with its newline */
    int failed;                                             /* the failure that was said, 0 none */
};

/* What a whole file holds. Owner: the caller, free(text). */
struct savefile_text {
    char *text, *lines, *end; /* lines: from behind the head to `end`, each with its newline */
    uint32_t count;           /* as its last line says */
};

/* <dir>/<bus>.<suffix>; `head` must outlive it. Errors: -ENAMETOOLONG. */
int savefile_init(struct savefile *f, const char *dir, const char *bus, const char *suffix,
                  const char *head);

/* Read all of it. Errors, *out untouched: -ENOENT; -EINVAL damaged or not ours (a link, another
 * user's, larger than any of ours); another negative errno, it cannot be read. */
int savefile_read(const struct savefile *f, struct savefile_text *out);
/* What savefile_read(), or who reads the lines, found damaged goes to ".bad". Said. */
void savefile_move_aside(struct savefile *f);

/* Put the last line behind text[0, len), which begins with the head and has SAVEFILE_END_MAX bytes
 * of room, and replace the file. No allocation. Errors: negative errno, said once per kind. */
int savefile_write(struct savefile *f, char *text, size_t len, uint32_t count);

#endif
