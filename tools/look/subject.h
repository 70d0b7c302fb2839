/* The bus that is watched: attached as a plain reader, found again when it was removed, looked at
 * again and again, and at its heartbeat more often. */
#ifndef PX_TOOLS_LOOK_SUBJECT_H
#define PX_TOOLS_LOOK_SUBJECT_H

#include <stdbool.h>
#include <sys/types.h>

#include "judge.h"
#include "snapshot.h"

struct subject {
    const char *name;   /* of the bus */
    const char *reader; /* the name that we attach under */
    bool quiet;         /* say nothing on stderr: it is a screen's */
    px_bus *bus;        /* NULL while there is none */
    ino_t inode;        /* of the segment that `bus` was attached to */
    bool has_now, has_before;
    struct snapshot now, before; /* the last two looks at one attachment */
    struct health health;        /* of the last look or pulse; HEALTH_UNKNOWN without a bus, state
                                    "absent" */
    bool beats;                  /* the feeder gave a sign of life within a second */
    uint64_t epoch;
};

void subject_init(struct subject *s, const char *name, const char *reader);

/* Look now. Afterwards `health` is right, and `now` if has_now. Says on stderr when the bus came
 * and when it went, unless it is quiet. Never blocks. */
void subject_look(struct subject *s);

/* Between two looks: has the feeder stopped to give signs of life, or begun to, or begun anew? Then
 * `health` is judged anew, and true returned; `now` stays, so that looks are a second apart. */
bool subject_pulse(struct subject *s);

void subject_free(struct subject *s);

#endif
