/* Time to decode one frame, included last by decode_*.c, which define
 *   static void decode_open(int argc, char **argv)
 *   static int decode_frame(const char *frame, size_t len)   -1: not decoded
 * Frames come on stdin, one a line; the whole set is decoded again and again for --ms. */
#include "clock.h"
#include "pick.h"
#include "util.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define MAX_FRAMES 4096
#define MAX_PASSES 65536

struct frames {
    size_t count, bytes;
    char *at[MAX_FRAMES];
    size_t len[MAX_FRAMES];
};

/* Each frame in memory of its own with its padding, in the order read, next to one another: as the
 * receive buffer of a busy connection has them. */
static void load_frames(struct frames *f)
{
    const size_t room = 16u << 20;
    char *arena = (char *)calloc(1, room), *at = arena;
    char *line = NULL;
    size_t line_room = 0;
    ssize_t n;
    if (arena == NULL)
        util_die("memory", ENOMEM);
    while (f->count < MAX_FRAMES && (n = getline(&line, &line_room, stdin)) > 0) {
        const size_t len = (size_t)n - (line[n - 1] == '\n');
        if ((size_t)(at - arena) + len + PICK_PADDING > room)
            break;
        memcpy(at, line, len);
        f->at[f->count] = at;
        f->len[f->count++] = len;
        f->bytes += len;
        at += len + PICK_PADDING;
    }
    free(line);
    if (f->count == 0)
        util_die("no frames on stdin", 0);
}

int main(int argc, char **argv)
{
    static struct frames f;
    static uint32_t passes[MAX_PASSES];
    util_deadline(30);
    util_pin(0);
    load_frames(&f);
    decode_open(argc, argv);
    const double ns = clock_calibrate();
    const uint64_t end =
        clock_cycles() + (uint64_t)((double)util_option(argc, argv, "ms", 100) * 1e6 / ns);
    size_t n = 0, refused = 0;
    while (n < MAX_PASSES && clock_cycles() < end) {
        const uint64_t begin = clock_cycles();
        for (size_t i = 0; i < f.count; i++)
            refused += decode_frame(f.at[i], f.len[i]) < 0;
        passes[n++] = (uint32_t)(clock_cycles() - begin);
    }
    util_print("decode_ns", util_quantile(passes, n, 0.5) * ns / (double)f.count);
    util_print("frame_bytes", (double)f.bytes / (double)f.count);
    util_print("refused_share", (double)refused / (double)(n * f.count));
    return 0;
}
