#include "bus_writer.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "clock.h"
#include "util.h"

const char *bus_name(void)
{
    static char name[40];
    const char *given = getenv("PX_BENCH_BUS");
    if (name[0] == 0 && given == NULL)
        snprintf(name, sizeof name, "bench-%d", (int)getpid());
    return given != NULL ? given : name;
}

static void listen_for_readers(struct bus_writer *b)
{
    struct sockaddr_un a = {.sun_family = AF_UNIX};
    util_temp_dir(b->dir, sizeof b->dir, "bus");
    snprintf(b->path, sizeof b->path, "%s/s", b->dir);
    memcpy(a.sun_path, b->path, strlen(b->path) + 1);
    b->listener = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (b->listener < 0 || bind(b->listener, (struct sockaddr *)&a, sizeof a) != 0 ||
        listen(b->listener, BUS_CLIENTS) != 0)
        util_die(b->path, errno);
}

void bus_writer_open(struct bus_writer *b, uint32_t ring)
{
    listen_for_readers(b);
    const struct px_writer_options options = {.bus = bus_name(),
                                              .ring = ring,
                                              .group = -1,
                                              .version = "bench",
                                              .control_path = b->path,
                                              .lock_fd = -1};
    struct px_writer_report report;
    int rc = px_writer_open(&b->w, &options, &report);
    if (rc == 0)
        rc = px_writer_bind(b->w, BUS_SYMBOL, strlen(BUS_SYMBOL), &b->slot);
    if (rc < 0)
        util_die(bus_name(), -rc);
    px_writer_heartbeat(b->w, clock_mono_ns());
    px_writer_flush(b->w);
}

/* The page and the welcome that carries it. */
static void welcome(struct bus_writer *b, int i)
{
    const int fd = memfd_create("px-page", MFD_CLOEXEC | MFD_ALLOW_SEALING);
    if (fd < 0 || ftruncate(fd, PX_PAGE_BYTES) != 0 ||
        fcntl(fd, F_ADD_SEALS, F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_SEAL) != 0)
        util_die("page", errno);
    void *page = mmap(NULL, PX_PAGE_BYTES, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
    if (page == MAP_FAILED)
        util_die("page", errno);
    b->client[i].page = page;
    px_writer_page_add(b->w, page, b->client[i].fd);

    struct pxc_message m = {.type = PXC_WELCOME, .version = PXC_VERSION};
    m.u.welcome.epoch = px_writer_epoch(b->w);
    m.u.welcome.reader = (uint32_t)i;
    union {
        char bytes[CMSG_SPACE(sizeof(int))];
        struct cmsghdr align;
    } control;
    struct iovec iov = {&m, sizeof m};
    struct msghdr h = {.msg_iov = &iov,
                       .msg_iovlen = 1,
                       .msg_control = control.bytes,
                       .msg_controllen = sizeof control.bytes};
    struct cmsghdr *c = CMSG_FIRSTHDR(&h);
    c->cmsg_level = SOL_SOCKET;
    c->cmsg_type = SCM_RIGHTS;
    c->cmsg_len = CMSG_LEN(sizeof(int));
    memcpy(CMSG_DATA(c), &fd, sizeof fd);
    if (sendmsg(b->client[i].fd, &h, MSG_NOSIGNAL) < 0)
        util_die("welcome", errno);
    close(fd);
}

static void answer(struct bus_writer *b, int i, const struct pxc_message *in)
{
    if (in->type == PXC_HELLO) {
        welcome(b, i);
    } else if (in->type == PXC_SUBSCRIBE) {
        px_writer_pin(b->w, b->slot, 1, PX_TRADES);
        struct pxc_message m = {.type = PXC_REPLY, .version = PXC_VERSION, .request = in->request};
        m.u.reply.slot = b->slot;
        m.u.reply.generation = px_writer_generation(b->w, b->slot);
        m.u.reply.bind_seq = px_writer_bind_seq(b->w, b->slot);
        if (send(b->client[i].fd, &m, sizeof m, MSG_NOSIGNAL) < 0)
            util_die("reply", errno);
    }
}

void bus_writer_serve(struct bus_writer *b)
{
    struct pxc_message m;
    int fd;
    while (b->clients < BUS_CLIENTS &&
           (fd = accept4(b->listener, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC)) >= 0)
        b->client[b->clients++].fd = fd;
    for (int i = 0; i < b->clients; i++)
        while (recv(b->client[i].fd, &m, sizeof m, 0) == (ssize_t)sizeof m)
            answer(b, i, &m);
    px_writer_heartbeat(b->w, clock_mono_ns());
}

void bus_writer_close(struct bus_writer *b)
{
    char lock[80];
    int32_t held_by;
    px_writer_close(b->w);
    px_writer_remove(bus_name(), &held_by);
    snprintf(lock, sizeof lock, "/dev/shm/px-%s.lock", bus_name());
    unlink(lock);
    unlink(b->path);
    rmdir(b->dir);
}
