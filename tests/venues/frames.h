/* What the tests of venues share: frames out of files, the events of a frame as lines of text, and
 * seeded chance. */
#ifndef PX_TESTS_VENUES_FRAMES_H
#define PX_TESTS_VENUES_FRAMES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "json.h"
#include "venue.h"

/* One frame, where it stands in the file's text. */
struct frame {
    const char *text;
    size_t len;
};

/* The lines of a file; gzip files too. */
struct frames {
    char *data;
    struct frame *list;
    size_t count;
};

/* Read a file. False: there is none. Owner: the caller, until frames_free(). */
bool frames_read(struct frames *f, const char *path);
void frames_free(struct frames *f);

/* The same below $PX_CAPTURES. */
bool frames_read_captured(struct frames *f, const char *name);

/* What a venue made of one frame: a line for each event, "kind SYMBOL values". */
#define DECODED_MAX (1u << 16)
struct decoded {
    int rc;
    size_t events, bad, ticks;
    size_t partial; /* with decimals left as they were */
    size_t len;
    char text[DECODED_MAX]; /* NUL-terminated; what does not fit ends the test */
};

/* Give a copy of the frame to the venue, with VENUE_PADDING bytes of `padding` behind it and
 * nothing more, so that a sanitizer sees each byte that is read too far. */
void decode(const struct px_venue *venue, struct json *json, struct frame frame, char padding,
            struct decoded *out);

/* SplitMix64 (Steele, Lea, Flood 2014). */
uint64_t chance(uint64_t *state);
static inline size_t chance_below(uint64_t *state, size_t n)
{
    return (size_t)(chance(state) % n);
}

/* A mutated copy of `from`, with some text out of `other` now and then: bits, bytes, digits, cuts,
 * repeats, swaps. Returns its length, at most cap. */
size_t mutate(uint64_t *state, struct frame from, struct frame other, char *out, size_t cap);

#endif
