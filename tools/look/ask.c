/* Asks or kills a feeder. See ask.h. */
#include "ask.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/un.h>
#include <unistd.h>

#include "cli.h"
#include "px/control.h"

#define REQUEST_HELLO   1u
#define REQUEST_RESTART 2u

__attribute__((format(printf, 3, 4))) static int refuse(int rc, char reason[ASK_REASON_MAX],
                                                        const char *format, ...)
{
    va_list args;
    va_start(args, format);
    vsnprintf(reason, ASK_REASON_MAX, format, args);
    va_end(args);
    return rc;
}

/* Whoever listens must be the owner of the segment, or root: a stranger could answer as he likes.
 */
static int peer_is_owner(int fd, const char *bus)
{
    char path[64];
    struct stat st;
    struct ucred peer;
    socklen_t len = sizeof peer;
    snprintf(path, sizeof path, "/dev/shm/px-%s", bus);
    return stat(path, &st) == 0 && getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &peer, &len) == 0 &&
           (peer.uid == st.st_uid || peer.uid == 0);
}

static int connect_control(const struct px_bus_info *info, char reason[ASK_REASON_MAX])
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    size_t len = strnlen(info->control_path, sizeof info->control_path);
    if (len == 0 || len >= sizeof address.sun_path)
        return refuse(-ENOTCONN, reason, "this bus has no control socket");
    memcpy(address.sun_path, info->control_path, len);
    int fd = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (fd < 0)
        return refuse(-errno, reason, "socket: %s", strerror(errno));
    if (connect(fd, (const struct sockaddr *)&address, sizeof address) < 0) {
        int rc = errno;
        close(fd);
        if (rc == EAGAIN)
            return refuse(-ETIMEDOUT, reason, "the feeder does not take connections (it hangs?)");
        if (rc == EACCES || rc == EPERM)
            return refuse(-EPERM, reason, "no right to enter %s", address.sun_path);
        return refuse(-ENOTCONN, reason, "nobody listens on %s", address.sun_path);
    }
    if (peer_is_owner(fd, info->bus))
        return fd;
    close(fd);
    return refuse(-EPERM, reason, "%s belongs to a stranger, not to the owner of the bus",
                  address.sun_path);
}

static int send_message(int fd, uint16_t type, uint32_t request, const char *who)
{
    struct pxc_message m = {.type = type, .version = PXC_VERSION, .request = request};
    if (type == PXC_HELLO) {
        m.u.hello.flags = PXC_NO_PAGE;
        snprintf(m.u.hello.name, sizeof m.u.hello.name, "%s", who);
    }
    ssize_t n = send(fd, &m, sizeof m, MSG_DONTWAIT | MSG_NOSIGNAL);
    return n == (ssize_t)sizeof m ? 0 : n < 0 ? -errno : -EIO;
}

/* The next message. Errors: -ETIMEDOUT, -ENOTCONN the other side ended. */
static int receive_message(int fd, int64_t end_ns, struct pxc_message *m)
{
    for (;;) {
        int64_t left = end_ns - cli_now_ns();
        struct pollfd in = {.fd = fd, .events = POLLIN};
        int rc = left <= 0 ? 0 : poll(&in, 1, (int)(left / 1000000) + 1);
        if (rc == 0)
            return -ETIMEDOUT;
        if (rc < 0 && errno != EINTR)
            return -errno;
        if (rc < 0)
            continue;
        ssize_t n = recv(fd, m, sizeof *m, MSG_DONTWAIT);
        if (n == (ssize_t)sizeof *m)
            return m->version == PXC_VERSION ? 0 : -EPROTO;
        if (n == 0 || (n < 0 && errno == ECONNRESET))
            return -ENOTCONN;
        if (n > 0)
            return -EPROTO;
        if (errno != EAGAIN && errno != EINTR)
            return -errno;
    }
}

static int answer_error(int rc, char reason[ASK_REASON_MAX])
{
    switch (rc) {
    case -ETIMEDOUT:
        return refuse(rc, reason, "the feeder does not answer (it hangs? see --force)");
    case -ENOTCONN:
        return refuse(rc, reason, "the feeder ended the connection");
    case -EPROTO:
        return refuse(rc, reason, "the feeder speaks another version of the control protocol");
    default:
        return refuse(rc, reason, "control socket: %s", strerror(-rc));
    }
}

/* HELLO, WELCOME, RESTART, REPLY. A feeder that is gone right after it took RESTART has begun. */
static int converse(int fd, const char *who, int64_t end_ns, char reason[ASK_REASON_MAX])
{
    struct pxc_message m = {.type = 0};
    int sent = 0;
    int rc = send_message(fd, PXC_HELLO, REQUEST_HELLO, who);
    while (rc == 0) {
        rc = receive_message(fd, end_ns, &m);
        if (rc == -ENOTCONN && sent)
            return 0;
        if (rc < 0)
            break;
        if (m.type == PXC_REPLY && m.u.reply.result < 0) {
            m.u.reply.text[sizeof m.u.reply.text - 1] = '\0';
            return refuse(m.u.reply.result, reason, "%s",
                          m.u.reply.text[0] != '\0' ? m.u.reply.text
                                                    : px_strerror(m.u.reply.result));
        }
        if (m.type == PXC_REPLY && m.request == REQUEST_RESTART)
            return 0;
        if (m.type == PXC_WELCOME && !sent) {
            rc = send_message(fd, PXC_RESTART, REQUEST_RESTART, who);
            sent = 1;
        }
    }
    return answer_error(rc, reason);
}

int ask_restart(const struct px_bus_info *info, const char *who, int64_t timeout_ns,
                char reason[ASK_REASON_MAX])
{
    int fd = connect_control(info, reason);
    if (fd < 0)
        return fd;
    int rc = converse(fd, who, cli_now_ns() + timeout_ns, reason);
    close(fd);
    return rc;
}

/* The pid that the holder of the lock wrote there, 0 nobody holds it. Whoever holds it is alive, so
 * the number is his and of nobody who came after him. */
static int lock_holder(const char *bus)
{
    char path[64], text[16] = "";
    snprintf(path, sizeof path, "/dev/shm/px-%s.lock", bus);
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK | O_NOFOLLOW);
    if (fd < 0)
        return errno == ENOENT ? 0 : -errno;
    struct flock lock = {.l_type = F_RDLCK, .l_whence = SEEK_SET};
    int rc = fcntl(fd, F_OFD_GETLK, &lock) < 0 ? -errno : 0;
    if (rc == 0 && lock.l_type != F_UNLCK)
        rc = pread(fd, text, sizeof text - 1, 0) > 0 ? (int)strtol(text, NULL, 10) : -EAGAIN;
    close(fd);
    return rc;
}

int feeder_holds(const char *bus)
{
    int rc = lock_holder(bus);
    return rc > 0 || rc == -EAGAIN ? 1 : rc;
}

int kill_feeder(const struct px_bus_info *info, char reason[ASK_REASON_MAX])
{
    /* The descriptor first: from then on the number cannot pass to another process unnoticed. */
    int fd = (int)syscall(SYS_pidfd_open, info->pid, 0);
    if (fd < 0)
        return refuse(-ESRCH, reason, "there is no process %d any more", (int)info->pid);
    int holder = lock_holder(info->bus);
    int rc = 0;
    if (holder < 0)
        rc = refuse(holder, reason, "the lock of the bus: %s", strerror(-holder));
    else if (holder != info->pid)
        rc = refuse(-ESRCH, reason, "pid %d does not hold the bus, it is left alone",
                    (int)info->pid);
    else if (syscall(SYS_pidfd_send_signal, fd, SIGKILL, NULL, 0) < 0)
        rc = refuse(-errno, reason, "pid %d cannot be killed: %s", (int)info->pid, strerror(errno));
    close(fd);
    return rc;
}
