/* A recorded session, read into memory as the frames that a server sends. */
#ifndef PXSIM_REPLAY_H
#define PXSIM_REPLAY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct replay {
    uint8_t *frames; /* heads and payloads, back to back */
    size_t bytes, room;
    size_t *ends;    /* offset behind frame i */
    uint64_t *at_ns; /* when frame i is due, from the start; NULL: all at once */
    size_t count, ends_room;
};

struct replay_pace {
    double rate;  /* messages per second where there are no recorded times; 0: all at once */
    double speed; /* factor on both; 0: as fast as it goes */
    bool binary;  /* in binary messages instead of texts */
};

/* Load `path`, one message a line, gzip or not, and with it NAME.meta.tsv[.gz] if there is one.
 * 0, or -1 and a sentence "object: reason" in `why`. */
int replay_open(struct replay *r, const char *path, struct replay_pace pace, char *why,
                size_t room);
void replay_close(struct replay *r);

/* How many frames are due `elapsed_ns` after the start, looking on from `from`. */
size_t replay_due(const struct replay *r, size_t from, uint64_t elapsed_ns);

#endif
