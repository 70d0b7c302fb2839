/* The sender of the socket benchmarks: prints "port N", serves one WebSocket client, and after its
 * SUBSCRIBE sends --count trades,
 *   back to back, as fast as the client takes them, built before; or
 *   --rate R a second, each with the time of its own sending inside (trade_frame.h).
 *   --follow WHERE: see each of them arrive (follow.h) and print the time it took.
 * --old: trades in the form of old recordings. --tls CERT --key KEY speaks TLS 1.3; --record frame
 * cuts one record per frame. */
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>

#include "clock.h"
#include "follow.h"
#include "frame_report.h"
#include "trade_frame.h"
#include "util.h"
#include "ws_serve.h"

#define BLOCK 1024 /* frames built at once */

struct block {
    char *at;
    size_t wire; /* bytes of one frame */
};

static struct block build_block(int old)
{
    struct block b = {.at = malloc((size_t)BLOCK * TRADE_WIRE_MAX)};
    if (b.at == NULL)
        util_die("memory", ENOMEM);
    for (unsigned i = 0; i < BLOCK; i++) {
        b.wire = trade_build(b.at + i * b.wire, i, old);
        if (b.wire == 0)
            util_die("a trade frame is not of its size", 0);
    }
    return b;
}

static uint64_t number_block(const struct block *b, uint64_t id)
{
    for (size_t i = 0; i < BLOCK; i++)
        trade_set_id(b->at + i * b->wire, id++);
    return id;
}

static void send_back_to_back(struct ws_serve *s, const struct block *b, long count,
                              int record_per_frame)
{
    uint64_t id = 1000000000;
    for (long sent = 0; sent < count; sent += BLOCK) {
        const size_t n = count - sent < BLOCK ? (size_t)(count - sent) : BLOCK;
        id = number_block(b, id);
        /* in parts of 64 frames, so that TLS works while the client does */
        for (size_t at = 0; at < n; at += 64) {
            const size_t part = n - at < 64 ? n - at : 64;
            if (ws_serve_send(s, b->at + at * b->wire, part * b->wire,
                              record_per_frame ? b->wire : 0) != 0)
                return;
        }
    }
}

/* With a `report`, follow each frame to the other end. */
static void send_paced(struct ws_serve *s, const struct block *b, long count, long rate,
                       struct frame_report *report)
{
    const int64_t period = 1000000000 / rate;
    prctl(PR_SET_TIMERSLACK, 1UL);
    int64_t next = clock_mono_ns();
    for (long i = 0; i < count; i++, next += period) {
        char *frame = b->at + (size_t)(i % BLOCK) * b->wire;
        util_sleep_until(next);
        trade_set_id(frame, 1000000000u + (uint64_t)i);
        const uint64_t stamp = trade_set_stamp(frame, clock_mono_ns());
        if (ws_serve_send(s, frame, b->wire, 0) != 0)
            return;
        if (report != NULL) {
            follow_until(stamp);
            frame_report_stamp(report, stamp);
        }
    }
    if (report != NULL)
        frame_report_print(report, 1);
}

int main(int argc, char **argv)
{
    struct ws_serve s = {.listener = -1, .fd = -1, .tls = NULL};
    const long count = util_option(argc, argv, "count", 100000);
    const long rate = util_option(argc, argv, "rate", 0);
    const char *record = util_text_option(argc, argv, "record", "large");
    struct block b = build_block(util_flag(argc, argv, "old"));
    util_deadline(60);
    util_pin(0);
    signal(SIGPIPE, SIG_IGN);
    printf("port %d\n", ws_serve_listen(&s));
    fflush(stdout);
    ws_serve_accept(&s, util_text_option(argc, argv, "tls", NULL),
                    util_text_option(argc, argv, "key", NULL));
    static struct frame_report report;
    const char *follow = util_text_option(argc, argv, "follow", NULL);
    if (follow != NULL)
        follow_open(follow);
    if (rate > 0)
        send_paced(&s, &b, count, rate, follow != NULL ? &report : NULL);
    else
        send_back_to_back(&s, &b, count, strcmp(record, "frame") == 0);
    if (follow == NULL)
        ws_serve_drain(&s);
    free(b.at);
    return 0;
}
