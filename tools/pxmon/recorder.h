/* Writes the samples down, and says so once when it cannot, and when it can again. */
#ifndef PX_TOOLS_PXMON_RECORDER_H
#define PX_TOOLS_PXMON_RECORDER_H

#include <stdint.h>

#include "history.h"

struct recorder {
    const char *bus, *path;
    struct history *history;
    uint64_t rows, lost; /* lost: those that could not be written */
    uint64_t lost_now;   /* in a row, 0 while all is well */
};

/* 0, or an exit code after the error was printed. */
int recorder_open(struct recorder *r, const char *bus, const char *path,
                  const struct history_keep *keep);
void recorder_add(struct recorder *r, const struct history_row *row);
void recorder_note(struct recorder *r, const struct history_event *event);
void recorder_close(struct recorder *r);

#endif
