#include "client.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#define HELLO_REQUEST 1u
#define BURST         64 /* messages dealt with in one call, so that none can hold the caller */

void pxi_client_close(struct pxi_client *c)
{
    if (c->page != NULL)
        munmap(c->page, PX_PAGE_BYTES);
    /* Taken out by name: a forked child may hold the socket open, and so in the set. */
    if (c->fd >= 0 && c->watch >= 0)
        (void)epoll_ctl(c->watch, EPOLL_CTL_DEL, c->fd, NULL);
    if (c->fd >= 0)
        close(c->fd);
    c->page = NULL;
    c->fd = -1;
    c->state = PXI_CLIENT_DOWN;
}

static int watch_add(const struct pxi_client *c)
{
    struct epoll_event e = {.events = EPOLLIN | EPOLLRDHUP};
    return c->fd >= 0 && epoll_ctl(c->watch, EPOLL_CTL_ADD, c->fd, &e) < 0 ? -errno : 0;
}

int pxi_client_watch(struct pxi_client *c, int epoll_fd)
{
    c->watch = epoll_fd;
    int rc = watch_add(c);
    if (rc < 0)
        c->watch = -1;
    return rc;
}

static int peer_check(int fd, uid_t owner)
{
    struct ucred peer;
    socklen_t len = sizeof peer;
    if (getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &peer, &len) < 0)
        return -ENOTCONN;
    return peer.uid == owner || peer.uid == 0 ? 0 : -EPERM;
}

static int hello(struct pxi_client *c)
{
    struct pxc_message m = {.type = PXC_HELLO};
    memcpy(m.u.hello.name, c->name, sizeof m.u.hello.name);
    c->request = HELLO_REQUEST - 1;
    return pxi_client_send(c, &m);
}

int pxi_client_open(struct pxi_client *c, const char *path, uid_t owner)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    size_t len = strlen(path);
    if (len == 0 || len >= sizeof address.sun_path)
        return -ENOTCONN;
    memcpy(address.sun_path, path, len + 1);
    int fd = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (fd < 0)
        return -ENOTCONN;
    c->fd = fd;
    c->state = PXI_CLIENT_GREETING;
    int rc = 0;
    if (connect(fd, (const struct sockaddr *)&address, sizeof address) < 0)
        rc = errno == EAGAIN ? -EAGAIN : -ENOTCONN;
    if (rc == 0)
        rc = peer_check(fd, owner);
    if (rc == 0)
        rc = hello(c);
    if (rc == 0 && c->watch >= 0)
        rc = watch_add(c) < 0 ? -ENOTCONN : 0;
    if (rc < 0)
        pxi_client_close(c);
    return rc;
}

int pxi_client_send(struct pxi_client *c, struct pxc_message *m)
{
    if (c->fd < 0)
        return -ENOTCONN;
    m->version = PXC_VERSION;
    if (m->request == 0)
        m->request = ++c->request;
    ssize_t n;
    do
        n = send(c->fd, m, sizeof *m, MSG_DONTWAIT | MSG_NOSIGNAL);
    while (n < 0 && errno == EINTR);
    if (n == (ssize_t)sizeof *m)
        return 0;
    if (n < 0 && (errno == EAGAIN || errno == ENOBUFS))
        return -EAGAIN;
    pxi_client_close(c);
    return -ENOTCONN;
}

/* The feeder's page. Sealed against shrinking, or a store into it could raise SIGBUS one day. */
static struct px_page *page_map(int fd)
{
    struct stat st;
    int seals = fcntl(fd, F_GET_SEALS);
    if (seals < 0 || (seals & F_SEAL_SHRINK) == 0 || fstat(fd, &st) < 0 ||
        st.st_size < (off_t)PX_PAGE_BYTES)
        return NULL;
    void *p = mmap(NULL, PX_PAGE_BYTES, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
    return p == MAP_FAILED ? NULL : p;
}

/* One packet, and the descriptor that may come with it (-1: none; others are closed). */
static ssize_t receive(int fd, struct pxc_message *m, int *passed)
{
    union {
        char bytes[CMSG_SPACE(sizeof(int) * 4)];
        struct cmsghdr align;
    } control;
    struct iovec iov = {m, sizeof *m};
    struct msghdr h = {.msg_iov = &iov,
                       .msg_iovlen = 1,
                       .msg_control = control.bytes,
                       .msg_controllen = sizeof control.bytes};
    ssize_t n;
    *passed = -1;
    do
        n = recvmsg(fd, &h, MSG_DONTWAIT | MSG_CMSG_CLOEXEC);
    while (n < 0 && errno == EINTR);
    if (n < 0)
        return n;
    for (struct cmsghdr *p = CMSG_FIRSTHDR(&h); p != NULL; p = CMSG_NXTHDR(&h, p)) {
        if (p->cmsg_level != SOL_SOCKET || p->cmsg_type != SCM_RIGHTS)
            continue;
        size_t count = (p->cmsg_len - CMSG_LEN(0)) / sizeof(int);
        for (size_t i = 0; i < count; i++) {
            int one;
            memcpy(&one, CMSG_DATA(p) + i * sizeof one, sizeof one);
            if (*passed < 0)
                *passed = one;
            else
                close(one);
        }
    }
    return n;
}

/* 1: for the caller. 0: dealt with. Negative: the connection is of no use. */
static int handle(struct pxi_client *c, const struct pxc_message *m, int passed)
{
    switch (m->type) {
    case PXC_WELCOME:
        if (c->state != PXI_CLIENT_GREETING || passed < 0)
            return -ENOTCONN;
        c->page = page_map(passed);
        if (c->page == NULL)
            return -ENOTCONN;
        c->state = PXI_CLIENT_UP;
        return 0;
    case PXC_REPLY:
        if (m->u.reply.result < 0) {
            memcpy(c->text, m->u.reply.text, sizeof c->text);
            c->text[sizeof c->text - 1] = '\0';
        }
        return c->state == PXI_CLIENT_UP ? 1 : -ENOTCONN;
    case PXC_WAKE:
        c->woken = 1;
        return 0;
    default:
        return -ENOTCONN;
    }
}

int pxi_client_receive(struct pxi_client *c, struct pxc_message *m)
{
    if (c->fd < 0)
        return -ENOTCONN;
    for (int i = 0; i < BURST; i++) {
        int passed;
        ssize_t n = receive(c->fd, m, &passed);
        if (n < 0 && errno == EAGAIN)
            return 0;
        int rc =
            n == (ssize_t)sizeof *m && m->version == PXC_VERSION ? handle(c, m, passed) : -ENOTCONN;
        if (passed >= 0)
            close(passed);
        if (rc < 0)
            pxi_client_close(c);
        if (rc != 0)
            return rc;
    }
    return 0;
}
