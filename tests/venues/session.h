/* Sessions of our own making: a small market of two symbols, and its frames as a venue would write
 * them, from the snapshots on. What each book's top was at every moment is kept, so that a quote
 * can be told from a wrong one. */
#ifndef PX_TESTS_VENUES_SESSION_H
#define PX_TESTS_VENUES_SESSION_H

#include "frames.h"

#define SESSION_SYMBOLS 2u
#define SESSION_FRAMES  96u
/* The last frames begin with a snapshot of each symbol. */
#define SESSION_TAIL    24u
#define SESSION_LEVELS  10u /* of a side at most: all that Kraken's checksum covers */
#define SESSION_CHANGES 3u  /* of one message */

/* Prices in hundredths, sizes in thousandths. */
struct session_level {
    int64_t price, size; /* size 0: it is gone */
    bool ask;
};

struct session_top {
    int64_t bid[2], ask[2]; /* price and size */
};

struct session_book {
    struct session_level level[2][SESSION_LEVELS]; /* bids and asks, the best first */
    uint32_t count[2];
    uint64_t number;         /* of the venue, where messages of a book are numbered */
    struct session_top told; /* by the newest frame */
};

/* One frame: all levels of a snapshot, or what changed. */
struct session_message {
    const char *symbol;
    const struct session_book *book; /* after it */
    const struct session_level *level;
    uint32_t count;
    bool snapshot;
    uint64_t number, previous; /* of the book */
    uint64_t nth;              /* frame of the connection, from 0 */
    struct session_top before;
};

/* What a venue makes of it. */
struct session_form {
    const char *name;
    const struct px_venue *venue;
    const char *symbol[SESSION_SYMBOLS];
    void (*write)(const struct session_message *m, char *out, size_t cap);
    bool proves; /* a frame that is missing is seen by the next one of its book */
    bool each;   /* and so is whatever was changed in one: there is a checksum of all that counts */
};
extern const struct session_form session_forms[];
extern const size_t session_form_count;

struct session_frame {
    char text[2048];
    size_t len;
    uint32_t symbol;
    bool snapshot;
    uint32_t count;
    int64_t price[SESSION_CHANGES]; /* of a change: the levels that it names */
};

struct session {
    const struct session_form *form;
    struct session_frame frame[SESSION_FRAMES];
    struct session_top top[SESSION_FRAMES]; /* of that frame's symbol, after it */
};

/* The same seed makes the same market, whatever the form. */
void session_make(struct session *s, const struct session_form *form, uint64_t seed);

#endif
