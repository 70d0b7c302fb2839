#include "follow.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>

#include "clock.h"
#include "sink.h"
#include "util.h"

static const struct sink_ring *ring;
static uint64_t mask, next = 1;

void follow_open(const char *where)
{
    struct stat st;
    const int fd = open(where, O_RDONLY | O_CLOEXEC);
    if (fd < 0 || fstat(fd, &st) != 0)
        util_die(where, errno);
    ring = mmap(NULL, (size_t)st.st_size, PROT_READ, MAP_SHARED | MAP_POPULATE, fd, 0);
    if (ring == MAP_FAILED)
        util_die(where, errno);
    mask = ((size_t)st.st_size - sizeof *ring) / sizeof(struct sink_entry) - 1;
    close(fd);
}

void follow_until(uint64_t stamp)
{
    const int64_t end = clock_mono_ns() + 10000000000;
    uint64_t w[7] = {0};
    while (w[1] != stamp) {
        const int rc = sink_get(ring, mask, next, w);
        if (rc > 0)
            next++;
        else if (rc < 0)
            util_die("overrun", 0);
        else if (clock_mono_ns() > end)
            util_die("a frame that was sent did not reach the ring", 0);
        else
            cpu_pause();
    }
}
