/* Sockets, sessions and users of the control socket. */
#include "control.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

#include "control_internal.h"
#include "counters.h"
#include "log.h"
#include "now.h"

#define SECOND_NS       INT64_C(1000000000)
#define HELLO_NS        (5 * SECOND_NS)
#define MESSAGES_A_TURN 64
#define BACKLOG         64
#define UNREAD_MAX      4096
/* Replies to a reader that asks for thousands of symbols in one go fit into its socket. */
#define SEND_BYTES (1 << 20)

/* Pairs: every slot held by eight readers on average, and room for small buses. */
static uint32_t pair_capacity(uint32_t capacity)
{
    return capacity > (UINT32_MAX - 8192) / 8 ? UINT32_MAX / 2 : capacity * 8 + 8192;
}

size_t control_bytes(uint32_t capacity)
{
    return sizeof(struct control) + 2 * pairs_bytes(pair_capacity(capacity), PXL_READERS_MAX);
}

static int fail(char error[CONFIG_ERROR_MAX], const char *object, const char *reason, int rc)
{
    snprintf(error, CONFIG_ERROR_MAX, "%s: %s", object, reason);
    return rc;
}

int control_path(const char *dir, const char *bus, char *out, size_t cap,
                 char error[CONFIG_ERROR_MAX])
{
    char path[CONFIG_PATH_MAX + PX_BUS_NAME_MAX + 8];
    int n = snprintf(path, sizeof(path), "%s/%s.sock", dir, bus);
    if (n > 107 || (size_t)n >= cap) {
        snprintf(error, CONFIG_ERROR_MAX,
                 "%s: a socket's path has at most 107 bytes, this one %d: use --runtime-dir", path,
                 n);
        return -ENAMETOOLONG;
    }
    memcpy(out, path, (size_t)n + 1);
    return 0;
}

/* ---- the listening socket ---- */

static int new_socket(void)
{
    return socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
}

/* A file that is in the way is removed only if it is a socket on which nobody listens. */
static int clear_stale(const struct sockaddr_un *to, char error[CONFIG_ERROR_MAX])
{
    struct stat st;
    if (lstat(to->sun_path, &st) != 0)
        return errno == ENOENT ? 0 : fail(error, to->sun_path, strerror(errno), -errno);
    if (!S_ISSOCK(st.st_mode))
        return fail(error, to->sun_path, "is in the way and not a socket", -EEXIST);
    int fd = new_socket();
    if (fd < 0)
        return fail(error, to->sun_path, strerror(errno), -errno);
    int rc = connect(fd, (const struct sockaddr *)to, sizeof(*to)) == 0 ? 0 : errno;
    close(fd);
    if (rc != ECONNREFUSED && rc != ENOENT)
        return fail(error, to->sun_path, "somebody listens there", -EADDRINUSE);
    if (unlink(to->sun_path) != 0 && errno != ENOENT)
        return fail(error, to->sun_path, strerror(errno), -errno);
    return 0;
}

static int bind_private(int fd, const struct sockaddr_un *to)
{
    mode_t before = umask(0177); /* nobody connects before the group is right */
    int rc = bind(fd, (const struct sockaddr *)to, sizeof(*to)) == 0 ? 0 : -errno;
    umask(before);
    return rc;
}

static int listen_at(struct control *c, char error[CONFIG_ERROR_MAX])
{
    struct sockaddr_un to = {.sun_family = AF_UNIX};
    struct stat st;
    memcpy(to.sun_path, c->path, sizeof(to.sun_path));
    int rc = clear_stale(&to, error);
    if (rc != 0)
        return rc;
    c->fd = new_socket();
    if (c->fd < 0)
        return fail(error, c->path, strerror(errno), -errno);
    rc = bind_private(c->fd, &to);
    if (rc != 0)
        return fail(error, c->path, strerror(-rc), rc);
    if (lstat(c->path, &st) == 0)
        c->inode = st.st_ino;
    if (c->options.group >= 0 && chown(c->path, (uid_t)-1, (gid_t)c->options.group) != 0)
        return fail(error, c->path, "cannot be given to the group", -errno);
    if (chmod(c->path, c->options.group >= 0 ? 0660 : 0600) != 0 || listen(c->fd, BACKLOG) != 0)
        return fail(error, c->path, strerror(errno), -errno);
    return 0;
}

int control_open(struct control **out, const struct control_options *options,
                 char error[CONFIG_ERROR_MAX])
{
    struct control *c = calloc(1, sizeof(*c));
    if (c == NULL)
        return fail(error, options->path, "out of memory", -ENOMEM);
    uint32_t pairs = pair_capacity(px_writer_capacity(options->writer));
    c->options = *options;
    c->fd = -1;
    snprintf(c->path, sizeof(c->path), "%s", options->path);
    c->spare_fd = open("/dev/null", O_RDONLY | O_CLOEXEC);
    int rc = pairs_init(&c->holdings, pairs, PXL_READERS_MAX);
    if (rc == 0)
        rc = pairs_init(&c->shares, pairs, PXL_READERS_MAX);
    rc = rc != 0 ? fail(error, options->path, "out of memory", rc) : listen_at(c, error);
    if (rc != 0) {
        control_free(c);
        return rc;
    }
    for (uint32_t i = 0; i < PXL_READERS_MAX; i++)
        px_writer_reader(options->writer, i, NULL); /* an adopted segment has those of its past */
    *out = c;
    return 0;
}

void control_free(struct control *c)
{
    struct stat st;
    if (c == NULL)
        return;
    for (uint32_t i = 0; i < PXL_READERS_MAX; i++)
        if (c->session[i].used)
            control_closed(c, (int)i, 0);
    if (c->inode != 0 && lstat(c->path, &st) == 0 && st.st_ino == c->inode)
        unlink(c->path);
    if (c->fd >= 0)
        close(c->fd);
    if (c->spare_fd >= 0)
        close(c->spare_fd);
    pairs_free(&c->holdings);
    pairs_free(&c->shares);
    free(c);
}

void control_quotas(struct control *c, uint32_t connections, uint32_t symbols, uint32_t messages)
{
    c->options.quota_connections = connections;
    c->options.quota_symbols = symbols;
    c->options.quota_messages = messages;
}

int control_fd(const struct control *c)
{
    return c->fd;
}

int control_session_fd(const struct control *c, int session)
{
    return session >= 0 && (uint32_t)session < PXL_READERS_MAX && c->session[session].used
               ? c->session[session].fd
               : -1;
}

uint32_t control_readers(const struct control *c)
{
    return c->readers;
}

uint32_t control_subscriptions(const struct control *c)
{
    return c->holdings.used;
}

/* ---- users ---- */

/* The place of a uid: its own, a free one, that of a user without connections, at last of one that
 * is still charged for symbols. */
static uint32_t user_of(struct control *c, uid_t uid)
{
    struct subs *subs = wants_subs(c->options.wants);
    uint32_t place = PXL_READERS_MAX;
    bool charged = true;
    for (uint32_t i = 0; i < PXL_READERS_MAX; i++) {
        struct user *u = &c->user[i];
        if (u->used && u->uid == uid)
            return i;
        if (u->connections == 0 && charged) {
            place = place == PXL_READERS_MAX || subs_charged(subs, i) == 0 ? i : place;
            charged = subs_charged(subs, place) != 0;
        }
    }
    if (place == PXL_READERS_MAX)
        return place;
    subs_forgive(subs, place);
    c->user[place] = (struct user){.used = true, .uid = uid};
    return place;
}

_Static_assert(SUBS_USERS_MAX >= PXL_READERS_MAX, "whom a symbol is charged to");

/* ---- accepting ---- */

static void send_refusal(int fd, uint32_t request, int result, const char *text)
{
    struct pxc_message m = {.type = PXC_REPLY, .version = PXC_VERSION, .request = request};
    m.u.reply.result = result;
    m.u.reply.slot = UINT32_MAX;
    snprintf(m.u.reply.text, sizeof(m.u.reply.text), "%s", text);
    send(fd, &m, sizeof(m), MSG_DONTWAIT | MSG_NOSIGNAL);
}

/* No more in either direction. What was sent and not read goes too: closing with it would make the
 * peer's next read an error, in front of the reply that says why. */
static void hang_up(int fd)
{
    struct pxc_message unread;
    shutdown(fd, SHUT_RDWR);
    for (int i = 0; i < UNREAD_MAX && recv(fd, &unread, sizeof(unread), MSG_DONTWAIT) > 0; i++)
        ;
}

static int turn_away(struct control *c, int fd, int result, const char *text)
{
    send_refusal(fd, 0, result, text);
    hang_up(fd);
    close(fd);
    px_writer_count(c->options.writer, PX_C_readers_refused, 1);
    log_info("control", "a connection is refused: %s", text);
    return result == -EAGAIN ? -EBUSY : result;
}

/* Out of descriptors: take the waiting one in place of the spare, so that it hears why, and the
 * listening socket does not stay readable for ever. */
static int turn_away_blind(struct control *c, int rc)
{
    if (c->spare_fd < 0)
        return -EAGAIN;
    close(c->spare_fd);
    int fd = accept4(c->fd, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);
    int result = fd < 0 ? -EAGAIN : turn_away(c, fd, -rc, "the feeder is out of descriptors");
    c->spare_fd = open("/dev/null", O_RDONLY | O_CLOEXEC);
    return result;
}

static int free_session(const struct control *c)
{
    for (int i = 0; i < (int)PXL_READERS_MAX; i++)
        if (!c->session[i].used)
            return i;
    return -1;
}

static int admit(struct control *c, int fd, int64_t now_ns)
{
    struct ucred peer;
    socklen_t len = sizeof(peer);
    char text[100];
    int bytes = SEND_BYTES;
    if (getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &peer, &len) != 0)
        return turn_away(c, fd, -EACCES, "no credentials");
    int i = free_session(c);
    uint32_t user = i < 0 ? PXL_READERS_MAX : user_of(c, peer.uid);
    if (user == PXL_READERS_MAX)
        return turn_away(c, fd, -EUSERS, "all places for readers are in use");
    if (c->user[user].connections >= c->options.quota_connections) {
        snprintf(text, sizeof(text), "quota: %u connections of uid %u are open",
                 c->options.quota_connections, (unsigned)peer.uid);
        px_writer_count(c->options.writer, PX_C_quota_refusals, 1);
        return turn_away(c, fd, -EDQUOT, text);
    }
    setsockopt(fd, SOL_SOCKET, SO_SNDBUF, &bytes, sizeof(bytes));
    c->user[user].connections++;
    c->session[i] = (struct session){
        .used = true, .fd = fd, .pid = peer.pid, .user = user, .attached_ns = now_ns};
    c->attached++;
    return i;
}

int control_accept(struct control *c, int64_t now_ns, int *fd)
{
    int got = accept4(c->fd, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);
    if (got < 0 && (errno == EMFILE || errno == ENFILE))
        return turn_away_blind(c, errno);
    if (got < 0)
        return errno == ECONNABORTED || errno == EINTR ? -ECONNABORTED : -EAGAIN;
    int rc = admit(c, got, now_ns);
    if (rc >= 0)
        *fd = got;
    return rc;
}

/* ---- sessions ---- */

static int end(struct control *c, uint32_t session)
{
    struct session *s = &c->session[session];
    if (!s->ending)
        hang_up(s->fd);
    s->ending = true;
    return -ECONNABORTED;
}

int control_bad(struct control *c, uint32_t session, const char *kind, const char *text)
{
    const struct session *s = &c->session[session];
    char sentence[160];
    snprintf(sentence, sizeof(sentence), "%s from pid %d uid %u", text, (int)s->pid,
             (unsigned)c->user[s->user].uid);
    px_writer_count(c->options.writer, PX_C_control_bad_messages, 1);
    px_writer_count(c->options.writer, PX_C_readers_dropped, 1);
    if (px_writer_error(c->options.writer, kind, sentence, now_utc_ns()) == 1)
        log_warning("control", "%s: disconnected (further ones are counted)", sentence);
    return end(c, session);
}

int control_send(struct control *c, uint32_t session, const struct pxc_message *m, int passed)
{
    struct session *s = &c->session[session];
    union {
        char bytes[CMSG_SPACE(sizeof(int))];
        struct cmsghdr align;
    } rights = {0};
    struct pxc_message copy = *m;
    struct iovec part = {&copy, sizeof(copy)};
    struct msghdr head = {.msg_iov = &part, .msg_iovlen = 1};
    if (passed >= 0) {
        head.msg_control = rights.bytes;
        head.msg_controllen = sizeof(rights.bytes);
        struct cmsghdr *h = CMSG_FIRSTHDR(&head);
        h->cmsg_level = SOL_SOCKET;
        h->cmsg_type = SCM_RIGHTS;
        h->cmsg_len = CMSG_LEN(sizeof(int));
        memcpy(CMSG_DATA(h), &passed, sizeof(int));
    }
    if (sendmsg(s->fd, &head, MSG_DONTWAIT | MSG_NOSIGNAL) == (ssize_t)sizeof(*m))
        return 0;
    if (errno == EAGAIN || errno == ENOBUFS) {
        px_writer_count(c->options.writer, PX_C_readers_dropped, 1);
        log_info("control", "pid %d does not read its replies: disconnected", (int)s->pid);
    }
    return end(c, session);
}

int control_refuse(struct control *c, uint32_t session, uint32_t request, int result,
                   const char *text)
{
    struct pxc_message m = {.type = PXC_REPLY, .version = PXC_VERSION, .request = request};
    m.u.reply.result = result;
    m.u.reply.slot = UINT32_MAX;
    snprintf(m.u.reply.text, sizeof(m.u.reply.text), "%s", text);
    return control_send(c, session, &m, -1);
}

/* Messages per second of a user: over it they are refused, at twice that the connection ends. */
static int within_rate(struct control *c, uint32_t session, const struct pxc_message *m,
                       int64_t now_ns)
{
    struct user *u = &c->user[c->session[session].user];
    char text[100];
    if (now_ns - u->window_ns >= SECOND_NS) {
        u->window_ns = now_ns;
        u->messages = 0;
    }
    if (u->messages++ < c->options.quota_messages)
        return 1;
    px_writer_count(c->options.writer, PX_C_quota_refusals, 1);
    if (u->messages > 2 * c->options.quota_messages) {
        px_writer_count(c->options.writer, PX_C_readers_dropped, 1);
        log_info("control", "uid %u sends more than %u messages a second: disconnected",
                 (unsigned)u->uid, 2 * c->options.quota_messages);
        return end(c, session);
    }
    snprintf(text, sizeof(text), "quota: more than %u messages in a second by uid %u",
             c->options.quota_messages, (unsigned)u->uid);
    return control_refuse(c, session, m->request, -EDQUOT, text);
}

/* One packet. No room for descriptors is offered: the kernel discards what is sent along. Returns 1
 * when one was handled, 0 nothing is there, negative the session is over. */
static int receive(struct control *c, uint32_t session, int64_t now_ns)
{
    struct pxc_message m;
    struct iovec part = {&m, sizeof(m)};
    struct msghdr head = {.msg_iov = &part, .msg_iovlen = 1};
    ssize_t n = recvmsg(c->session[session].fd, &head, MSG_DONTWAIT);
    if (n < 0 && (errno == EAGAIN || errno == EINTR))
        return 0;
    if (n <= 0)
        return -ECONNRESET;
    px_writer_count(c->options.writer, PX_C_control_messages, 1);
    if ((head.msg_flags & MSG_CTRUNC) != 0)
        return control_bad(c, session, "control-descriptor", "a descriptor, which is not taken,");
    if (n != (ssize_t)sizeof(m) || (head.msg_flags & MSG_TRUNC) != 0)
        return control_bad(c, session, "control-size", "a message of another size");
    if (m.version != PXC_VERSION)
        return control_bad(c, session, "control-version", "a message of another version");
    int rc = within_rate(c, session, &m, now_ns);
    if (rc == 1)
        rc = control_request(c, session, &m, now_ns);
    return rc < 0 ? rc : 1;
}

int control_readable(struct control *c, int session, int64_t now_ns)
{
    struct session *s = &c->session[session];
    int rc = 1;
    if (!s->used || s->ending)
        return -ECONNABORTED;
    for (int i = 0; i < MESSAGES_A_TURN && rc > 0; i++)
        rc = receive(c, (uint32_t)session, now_ns);
    return rc < 0 ? rc : 0;
}

void control_closed(struct control *c, int session, int64_t now_ns)
{
    if (session < 0 || (uint32_t)session >= PXL_READERS_MAX || !c->session[session].used)
        return;
    struct session *s = &c->session[session];
    control_release_all(c, (uint32_t)session, now_ns);
    if (s->page != NULL) {
        px_writer_page_drop(c->options.writer, s->page);
        munmap(s->page, PX_PAGE_BYTES);
        c->readers--;
        px_writer_level(c->options.writer, PX_C_readers, c->readers);
    }
    px_writer_reader(c->options.writer, (uint32_t)session, NULL);
    c->user[s->user].connections--;
    c->attached--;
    log_debug("control", "pid %d (%s) is gone", (int)s->pid, s->name);
    memset(s, 0, sizeof(*s));
    s->fd = -1;
}

static void tell_reader(struct control *c, uint32_t i)
{
    const struct session *s = &c->session[i];
    px_writer *w = c->options.writer;
    struct px_reader_info r = {.pid = s->pid,
                               .uid = c->user[s->user].uid,
                               .subscriptions = s->subscriptions,
                               .attached_mono_ns = s->attached_ns};
    memcpy(r.name, s->name, sizeof(r.name));
    px_writer_page_read(w, s->page, &r.position, &r.lost, &r.sleeping);
    r.lag = px_writer_sequence(w) - r.position;
    px_writer_reader(w, i, &r);
}

void control_tick(struct control *c, int64_t now_ns)
{
    for (uint32_t i = 0; i < PXL_READERS_MAX && c->attached != 0; i++) {
        const struct session *s = &c->session[i];
        if (!s->used || s->ending)
            continue;
        if (s->page != NULL)
            tell_reader(c, i);
        else if (!s->greeted && now_ns - s->attached_ns > HELLO_NS)
            control_bad(c, i, "control-hello", "no HELLO in 5 s");
    }
}
