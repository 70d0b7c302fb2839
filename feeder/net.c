#include "net.h"

#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

#include <libwebsockets.h>

#include "account.h"
#include "log.h"

/* Descriptors that the loop can hold: links, sessions, and room. libwebsockets makes a table of
 * pointers as long as the process's limit, so the limit is set first. */
#define NET_DESCRIPTORS 1024
/* Turns of a busy loop between two looks at all descriptors and timers. */
#define NET_BUSY_TURNS 16

struct net {
    struct lws_context *context;
    struct lws_vhost *vhost;
    struct lws_vhost *secure; /* for requests over TLS; NULL: none were made yet */
    struct lws *inside;       /* whose event is being handled */
    struct net_fd *again;
    uint32_t timers, descriptors;
    bool stop;
};

_Static_assert(sizeof(lws_sorted_usec_list_t) <= sizeof(((struct net_timer *)0)->sul),
               "a timer holds libwebsockets' own");

static int on_event(struct lws *wsi, enum lws_callback_reasons reason, void *user, void *in,
                    size_t len);
static int on_http(struct lws *wsi, enum lws_callback_reasons reason, void *user, void *in,
                   size_t len);

/* The first entry serves requests, and libwebsockets' own descriptors; it is also the one that is
 * asked about certificates. The second serves our descriptors. */
static const struct lws_protocols protocols[] = {
    {"http", on_http, 0, 0, 0, NULL, 0},
    {"raw", on_event, 0, 0, 0, NULL, 0},
    {NULL, NULL, 0, 0, 0, NULL, 0},
};

/* Why a certificate is refused is for the owner of the request to tell, once. */
static void say(int level, const char *line)
{
    if (strncmp(line, "SSL error: ", 11) == 0)
        return;
    size_t len = strcspn(line, "\n");
    if (level & LLL_ERR)
        log_error("libwebsockets", "%.*s", (int)len, line);
    else
        log_warning("libwebsockets", "%.*s", (int)len, line);
}

/* libwebsockets' own, on its account. */
static void *own_memory(void *p, size_t size, const char *reason)
{
    (void)reason;
    return account_realloc(PX_OWNER_WEBSOCKET, p, size);
}

static void limit_descriptors(void)
{
    struct rlimit limit;
    if (getrlimit(RLIMIT_NOFILE, &limit) < 0)
        return;
    rlim_t want = NET_DESCRIPTORS;
    if (limit.rlim_max != RLIM_INFINITY && limit.rlim_max < want)
        want = limit.rlim_max;
    limit.rlim_cur = want;
    setrlimit(RLIMIT_NOFILE, &limit);
}

static struct lws_context_creation_info settings(struct net *net)
{
    struct lws_context_creation_info info;
    memset(&info, 0, sizeof info);
    info.port = CONTEXT_PORT_NO_LISTEN;
    info.protocols = protocols;
    info.gid = -1;
    info.uid = -1;
    info.user = net;
    info.options = LWS_SERVER_OPTION_EXPLICIT_VHOSTS;
    return info;
}

struct net *net_new(void)
{
    struct net *net = calloc(1, sizeof *net);
    if (net == NULL)
        return NULL;
    limit_descriptors();
    lws_set_log_level(LLL_ERR, say);
    lws_set_allocator(own_memory);
    const struct lws_context_creation_info info = settings(net);
    net->context = lws_create_context(&info);
    if (net->context != NULL)
        net->vhost = lws_create_vhost(net->context, &info);
    if (net->vhost == NULL) {
        net_free(net);
        return NULL;
    }
    return net;
}

void net_free(struct net *net)
{
    if (net == NULL)
        return;
    if (net->context != NULL)
        lws_context_destroy(net->context);
    free(net);
}

static void give(struct lws *wsi, struct net_fd *f, enum net_event event)
{
    struct net *net = f->net;
    struct lws *outer = net->inside;
    net->inside = wsi;
    f->event(f->owner, event);
    net->inside = outer;
}

/* A non-zero result closes the descriptor. net_remove() inside the event clears the opaque pointer:
 * that is how its wish gets here. */
static int on_event(struct lws *wsi, enum lws_callback_reasons reason, void *user, void *in,
                    size_t len)
{
    (void)user;
    (void)in;
    (void)len;
    struct net_fd *f = lws_get_opaque_user_data(wsi);
    if (f == NULL)
        return reason == LWS_CALLBACK_RAW_RX_FILE || reason == LWS_CALLBACK_RAW_WRITEABLE_FILE ? -1
                                                                                               : 0;
    switch (reason) {
    case LWS_CALLBACK_RAW_RX_FILE:
        give(wsi, f, NET_READABLE);
        break;
    case LWS_CALLBACK_RAW_WRITEABLE_FILE:
        f->want_write = false;
        give(wsi, f, NET_WRITABLE);
        break;
    case LWS_CALLBACK_RAW_CLOSE_FILE:
        f->wsi = NULL;
        f->net->descriptors--;
        lws_set_opaque_user_data(wsi, NULL);
        give(wsi, f, NET_HANGUP);
        return 0;
    default:
        return 0;
    }
    return lws_get_opaque_user_data(wsi) == NULL ? -1 : 0;
}

int net_add(struct net *net, struct net_fd *f, int fd, void (*event)(void *, enum net_event),
            void *owner)
{
    *f = (struct net_fd){.net = net, .event = event, .owner = owner, .fd = fd};
    lws_adopt_desc_t adopt = {.vh = net->vhost,
                              .type = LWS_ADOPT_RAW_FILE_DESC,
                              .fd.filefd = fd,
                              .vh_prot_name = "raw",
                              .opaque = f};
    f->wsi = lws_adopt_descriptor_vhost_via_info(&adopt);
    if (f->wsi == NULL)
        return -ENOMEM;
    net->descriptors++;
    return 0;
}

/* Inside its own NET_WRITABLE a request would be lost: libwebsockets clears POLLOUT after the
 * callback. It is made again after the turn. */
void net_want_write(struct net_fd *f)
{
    if (f->wsi == NULL || f->want_write)
        return;
    f->want_write = true;
    if (f->net->inside == f->wsi) {
        f->again = f->net->again;
        f->net->again = f;
    } else {
        lws_callback_on_writable(f->wsi);
    }
}

void net_pause(struct net_fd *f, bool pause)
{
    if (f->wsi != NULL)
        lws_rx_flow_control(f->wsi, pause ? 0 : 1);
}

static void unlink_again(struct net_fd *f)
{
    for (struct net_fd **p = &f->net->again; *p != NULL; p = &(*p)->again)
        if (*p == f) {
            *p = f->again;
            return;
        }
}

void net_remove(struct net_fd *f)
{
    struct lws *wsi = f->wsi;
    if (wsi == NULL)
        return;
    unlink_again(f);
    f->wsi = NULL;
    f->net->descriptors--;
    lws_set_opaque_user_data(wsi, NULL);
    if (f->net->inside != wsi)
        lws_set_timeout(wsi, PENDING_TIMEOUT_USER_OK, LWS_TO_KILL_SYNC);
}

/* The port is chosen when it connects: one that other targets have in use will do then. */
static int bind_to(int fd, struct net_address from)
{
    int one = 1;
    setsockopt(fd, IPPROTO_IP, IP_BIND_ADDRESS_NO_PORT, &one, sizeof one);
    return from.len == 0 ? 0 : bind(fd, from.at, from.len);
}

int net_connect(struct net_address to, struct net_address from)
{
    int fd = socket(to.at->sa_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, IPPROTO_TCP);
    if (fd < 0)
        return -errno;
    int one = 1;
    setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
    if (bind_to(fd, from) < 0 || (connect(fd, to.at, to.len) < 0 && errno != EINPROGRESS)) {
        int error = errno;
        close(fd);
        return -error;
    }
    return fd;
}

int net_connected(const struct net_fd *f)
{
    int error = 0;
    socklen_t len = sizeof error;
    if (getsockopt(f->fd, SOL_SOCKET, SO_ERROR, &error, &len) < 0)
        return -errno;
    return -error;
}

static void on_timer(lws_sorted_usec_list_t *sul)
{
    struct net_timer *t = (struct net_timer *)(void *)sul;
    t->armed = false;
    t->net->timers--;
    t->fire(t->owner);
}

void net_timer_init(struct net *net, struct net_timer *t, void (*fire)(void *), void *owner)
{
    memset(t, 0, sizeof *t);
    t->net = net;
    t->fire = fire;
    t->owner = owner;
}

void net_timer_set(struct net_timer *t, int64_t in_ns)
{
    int64_t ms = in_ns <= 0 ? 0 : (in_ns + 999999) / 1000000;
    if (!t->armed) {
        t->armed = true;
        t->net->timers++;
    }
    lws_sul_schedule(t->net->context, 0, (lws_sorted_usec_list_t *)(void *)t->sul, on_timer,
                     ms == 0 ? 1 : ms * LWS_US_PER_MS);
}

void net_timer_cancel(struct net_timer *t)
{
    if (!t->armed)
        return;
    t->armed = false;
    t->net->timers--;
    lws_sul_cancel((lws_sorted_usec_list_t *)(void *)t->sul);
}

uint32_t net_timers(const struct net *net)
{
    return net->timers;
}

uint32_t net_descriptors(const struct net *net)
{
    return net->descriptors;
}

/* ---- requests ---- */

int net_http_trust(struct net *net, void *ssl_context)
{
    if (net->secure != NULL)
        return 0;
    struct lws_context_creation_info info = settings(net);
    info.vhost_name = "secure";
    info.options |= LWS_SERVER_OPTION_DO_SSL_GLOBAL_INIT;
    info.provided_client_ssl_ctx = ssl_context;
    net->secure = lws_create_vhost(net->context, &info);
    return net->secure == NULL ? -ENOMEM : 0;
}

int net_http_get(struct net *net, struct net_http *h, const struct net_request *request)
{
    struct lws_client_connect_info info;
    memset(&info, 0, sizeof info);
    info.context = net->context;
    info.vhost = request->tls ? net->secure : net->vhost;
    info.address = request->address;
    info.port = request->port;
    info.host = info.origin = request->authority;
    info.path = request->path;
    info.iface = request->source;
    info.method = "GET";
    info.alpn = "http/1.1";
    info.protocol = info.local_protocol_name = "http";
    info.ssl_connection = (request->tls ? LCCSCF_USE_SSL : 0) | (int)LCCSCF_HTTP_NO_FOLLOW_REDIRECT;
    info.opaque_user_data = h;
    h->net = net;
    h->state = NET_HTTP_ASKED;
    h->len = 0;
    h->status = 0;
    h->whole = h->too_large = false;
    h->retry_after[0] = h->error[0] = '\0';
    snprintf(h->host, sizeof h->host, "%.*s", (int)strcspn(request->authority, ":"),
             request->authority);
    h->wsi = NULL;
    struct lws *wsi = lws_client_connect_via_info(&info);
    if (wsi != NULL && h->state == NET_HTTP_ASKED)
        h->wsi = wsi;
    else if (h->state == NET_HTTP_ASKED)
        h->state = NET_HTTP_DONE;
    return h->state == NET_HTTP_DONE ? -EIO : 0;
}

void net_http_cancel(struct net_http *h)
{
    struct lws *wsi = h->wsi;
    h->wsi = NULL;
    h->state = NET_HTTP_IDLE;
    if (wsi == NULL)
        return;
    lws_set_opaque_user_data(wsi, NULL);
    lws_set_timeout(wsi, PENDING_TIMEOUT_USER_OK, LWS_TO_KILL_SYNC);
}

static int append(struct net_http *h, const void *in, size_t len)
{
    if (len > h->cap - h->len) {
        h->too_large = true;
        return -1;
    }
    memcpy(h->body + h->len, in, len);
    h->len += len;
    return 0;
}

static int receive(struct lws *wsi)
{
    char buffer[LWS_PRE + 4096];
    char *at = buffer + LWS_PRE;
    int room = (int)sizeof buffer - LWS_PRE;
    return lws_http_client_read(wsi, &at, &room) < 0 ? -1 : 0;
}

/* Some venues refuse whoever does not say what he is. */
static int introduce(struct lws *wsi, void *in, size_t len)
{
    static const char name[] = "px/" PX_VERSION;
    unsigned char **at = in, *end = *at + len;
    return lws_add_http_header_by_name(wsi, (const unsigned char *)"User-Agent:",
                                       (const unsigned char *)name, (int)sizeof name - 1, at, end);
}

static void headers(struct lws *wsi, struct net_http *h)
{
    h->status = (int)lws_http_client_http_response(wsi);
    if (lws_hdr_copy(wsi, h->retry_after, (int)sizeof h->retry_after, WSI_TOKEN_HTTP_RETRY_AFTER) <=
        0)
        h->retry_after[0] = '\0';
}

static void ended(struct net_http *h, const char *why)
{
    if (why != NULL && h->error[0] == '\0')
        snprintf(h->error, sizeof h->error, "%s", why);
    h->wsi = NULL;
    h->state = NET_HTTP_DONE;
}

/* One that was cancelled has no owner. */
static int on_http(struct lws *wsi, enum lws_callback_reasons reason, void *user, void *in,
                   size_t len)
{
    struct net_http *h = lws_get_opaque_user_data(wsi);
    if (h == NULL)
        return 0;
    switch (reason) {
    case LWS_CALLBACK_OPENSSL_PERFORM_SERVER_CERT_VERIFICATION:
        if (len == 0 && h->error[0] == '\0') /* libwebsockets has the same verdict */
            tls_native_refusal(user, h->host, h->error);
        return 0;
    case LWS_CALLBACK_CLIENT_APPEND_HANDSHAKE_HEADER:
        return introduce(wsi, in, len);
    case LWS_CALLBACK_ESTABLISHED_CLIENT_HTTP:
        headers(wsi, h);
        return 0;
    case LWS_CALLBACK_RECEIVE_CLIENT_HTTP:
        return receive(wsi);
    case LWS_CALLBACK_RECEIVE_CLIENT_HTTP_READ:
        return append(h, in, len);
    case LWS_CALLBACK_COMPLETED_CLIENT_HTTP:
        h->whole = true;
        return -1; /* one request, one connection */
    case LWS_CALLBACK_CLIENT_CONNECTION_ERROR:
        ended(h, in);
        return 0;
    case LWS_CALLBACK_CLOSED_CLIENT_HTTP:
        ended(h, NULL);
        return 0;
    default:
        return 0;
    }
}

/* A negative time makes libwebsockets look at the descriptors without sleeping. */
static void turn(struct net *net, int timeout_ms)
{
    while (net->again != NULL) {
        struct net_fd *f = net->again;
        net->again = f->again;
        lws_callback_on_writable(f->wsi);
    }
    if (lws_service(net->context, timeout_ms) < 0)
        net->stop = true;
}

void net_run(struct net *net, void (*poll)(void *), void *owner)
{
    net->stop = false;
    while (!net->stop) {
        if (poll != NULL)
            for (int i = 0; i < NET_BUSY_TURNS && !net->stop; i++)
                poll(owner);
        turn(net, poll != NULL ? -1 : 0);
    }
}

/* Timers fire before libwebsockets goes to sleep in the same turn: it has to be woken. */
void net_stop(struct net *net)
{
    net->stop = true;
    lws_cancel_service(net->context);
}
