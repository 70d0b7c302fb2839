/* Whole lines to stdout. See lines.h. */
#include "lines.h"

#include <errno.h>
#include <poll.h>
#include <string.h>
#include <unistd.h>

/* stdout may be non-blocking, if whoever shares the terminal made it so. */
static int wait_writable(void)
{
    struct pollfd fd = {.fd = STDOUT_FILENO, .events = POLLOUT};
    return poll(&fd, 1, -1) < 0 && errno != EINTR ? -errno : 0;
}

int lines_flush(struct lines *lines)
{
    size_t done = 0;
    while (done < lines->used && lines->error == 0) {
        ssize_t n = write(STDOUT_FILENO, lines->bytes + done, lines->used - done);
        if (n >= 0)
            done += (size_t)n;
        else if (errno == EAGAIN)
            lines->error = wait_writable();
        else if (errno != EINTR)
            lines->error = -errno;
    }
    lines->used = 0;
    return lines->error;
}

char *lines_room(struct lines *lines, size_t need)
{
    if (sizeof lines->bytes - lines->used < need + 1 && lines_flush(lines) < 0)
        return NULL;
    return lines->error < 0 ? NULL : lines->bytes + lines->used;
}

void lines_add(struct lines *lines, size_t len)
{
    lines->bytes[lines->used + len] = '\n';
    lines->used += len + 1;
}
