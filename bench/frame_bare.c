/* The bare reader of frames: reads up to 256 KiB, parses the headers, picks the fields with
 * simdjson, writes a slot and a ring entry. Nothing that a real client must do beside (masks,
 * pings, fragments, limits, failures).
 *   --port N --count N [--tls]   prints the CPU time of a frame
 *   --stamps [--busy] [--hop]    prints the time from the sender to this process, or with --hop to
 * a second process that follows the ring; --busy: nobody sleeps */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include "clock.h"
#include "frame_report.h"
#include "pick_store.h"
#include "trade_frame.h"
#include "util.h"
#include "ws_client.h"

#define ENTRIES 65536u

struct reader {
    struct sink_ring *ring;
    struct sink_slot *slot;
    struct frame_report *report;
    long count;
    uint64_t seq;
    int stamps, busy, hop;
};

static void take_frame(struct reader *r, const char *text, size_t len)
{
    struct pick p;
    if (pick_trade(text, len, &p) != 0)
        return; /* the acknowledgement */
    pick_store(&p, r->slot, r->ring, ENTRIES - 1, ++r->seq);
    if (r->hop)
        sink_wake(r->ring);
    if (r->stamps && !r->hop)
        frame_report_stamp(r->report, pick_digits(p.size));
    frame_report_count(r->report, (long)r->seq, r->count);
}

/* Every whole frame in the buffer; returns the bytes used. */
static size_t take_frames(struct reader *r, const char *buffer, size_t n)
{
    size_t at = 0;
    while (n - at >= 2) {
        const uint8_t *h = (const uint8_t *)buffer + at;
        const size_t small = h[1] & 0x7f;
        const size_t header = small < 126 ? 2 : 4;
        if (n - at < header)
            break;
        const size_t len = small < 126 ? small : (size_t)(h[2] << 8 | h[3]);
        if (n - at < header + len)
            break;
        take_frame(r, buffer + at + header, len);
        at += header + len;
    }
    return at;
}

static void read_frames(struct reader *r, int port, int tls)
{
    char *buffer = calloc(1, WS_CLIENT_BUFFER + PICK_PADDING);
    struct ws_client c;
    if (buffer == NULL)
        util_die("memory", ENOMEM);
    size_t have = ws_client_open(&c, port, tls, buffer, WS_CLIENT_BUFFER);
    while ((long)r->seq < r->count) {
        const ssize_t n = ws_client_read(&c, buffer + have, WS_CLIENT_BUFFER - have, r->busy);
        if (n <= 0)
            util_die("the sender left", 0);
        have += (size_t)n;
        const size_t used = take_frames(r, buffer, have);
        have -= used;
        memmove(buffer, buffer + used, have);
    }
    free(buffer);
}

/* The second process of --hop, on the core of the first: a third one is not there. */
static void follow_ring(const struct reader *r)
{
    uint64_t w[7];
    util_deadline(30);
    util_pin(1);
    for (uint64_t seq = 1; seq <= (uint64_t)r->count;) {
        const int rc = sink_get(r->ring, ENTRIES - 1, seq, w);
        if (rc > 0) {
            frame_report_stamp(r->report, w[1]);
            seq++;
        } else if (rc < 0) {
            util_die("the second process was overrun", 0);
        } else {
            sink_sleep(r->ring, ENTRIES - 1, seq);
        }
    }
    _exit(0);
}

static struct sink_ring *make_ring(const char *file)
{
    const size_t bytes = sizeof(struct sink_ring) + ENTRIES * sizeof(struct sink_entry);
    if (file == NULL)
        return util_shared(bytes);
    const int fd = open(file, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
    if (fd < 0 || ftruncate(fd, (off_t)bytes) != 0)
        util_die(file, errno);
    void *p = mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_POPULATE, fd, 0);
    if (p == MAP_FAILED)
        util_die(file, errno);
    close(fd);
    return p;
}

int main(int argc, char **argv)
{
    struct reader r = {.count = util_option(argc, argv, "count", 100000),
                       .stamps = util_flag(argc, argv, "stamps"),
                       .busy = util_flag(argc, argv, "busy"),
                       .hop = util_flag(argc, argv, "hop")};
    util_deadline(60);
    r.ring = make_ring(util_text_option(argc, argv, "ring", NULL));
    r.slot = util_shared(sizeof *r.slot);
    r.report = util_shared(sizeof *r.report);
    pid_t pid = 0;
    if (r.hop) {
        pid = fork();
        if (pid == 0)
            follow_ring(&r);
    }
    util_pin(1);
    read_frames(&r, (int)util_option(argc, argv, "port", 0), util_flag(argc, argv, "tls"));
    if (pid > 0)
        waitpid(pid, NULL, 0);
    frame_report_print(r.report, r.stamps);
    return 0;
}
