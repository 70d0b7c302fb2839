/* How a piece of text is meant. What a terminal makes of it: screen.c; in plain text nothing. Every
 * tone goes with a word that says the same, so that a terminal without colour loses nothing. */
#ifndef PX_TOOLS_PXSTAT_TONE_H
#define PX_TOOLS_PXSTAT_TONE_H

#include <stdint.h>

enum tone {
    TONE_PLAIN = 0,
    TONE_HEAD, /* titles */
    TONE_GOOD,
    TONE_WARN,
    TONE_BAD,
    TONE_DIM, /* what matters less */
    TONE_BAR, /* first and last line of the screen */
    TONE_COUNT
};

/* Of an exit code of pxstat, of enum px_quality, of enum px_level. */
enum tone tone_of_code(int code);
enum tone tone_of_quality(uint32_t quality);
enum tone tone_of_level(uint32_t level);

#endif
