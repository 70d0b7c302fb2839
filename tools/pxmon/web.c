/* HTTP and WebSocket server on libwebsockets. Every bound on a client stands in this file. */
#include "web.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include <libwebsockets.h>

#define CONNECTIONS_MAX 64
#define DESCRIPTORS_MAX 256 /* libwebsockets makes a table as long as the process's limit */
#define HEADER_BYTES    4096
#define HEADER_SECONDS  10 /* for a request to be complete */
#define BODY_SECONDS    20 /* for a whole response to be taken */
#define IDLE_SECONDS    30 /* of a connection that asks for nothing more */
#define CHUNK_BYTES     16384
#define SEND_BYTES      131072     /* that the kernel holds for a client */
#define QUARTER_NS      250000000L /* between two ticks */
#define BEHIND_US       5000000    /* that a client of the live stream may leave a text waiting */

/* One response on its way, or one client of the live stream. */
struct session {
    struct session *next; /* of the live stream */
    struct lws *wsi;
    const char *bytes;
    char *owned;
    size_t length, sent;
    bool close;       /* when it was sent */
    lws_usec_t waits; /* since when a text waits for it, 0 none does */
    uint64_t seen;    /* number of the last text that it got */
};

/* What the live stream sends: made once for all clients. */
struct text {
    unsigned char *bytes; /* LWS_PRE, then the text */
    size_t length, room;
    uint64_t number; /* in order of publication, 0 none yet */
};

struct web {
    struct lws_context *context;
    struct lws_vhost *vhost;
    struct web_options options;
    lws_sorted_usec_list_t timer;
    struct session *live;
    unsigned live_count, connections;
    struct text whole, news;
    uint64_t last_number;
    char error[WEB_ERROR_MAX];
};

static const char *const headers[][2] = {
    {"content-security-policy:",
     "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; "
     "base-uri 'none'; form-action 'none'; frame-ancestors 'none'"},
    {"x-content-type-options:", "nosniff"},
    {"x-frame-options:", "DENY"},
    {"referrer-policy:", "same-origin"}, /* with no-referrer browsers say Origin: null */
    {"cross-origin-resource-policy:", "same-origin"},
    {"cross-origin-opener-policy:", "same-origin"},
};

/* -- requests -- */

/* 0, or -E2BIG when it does not fit. */
static int copy_header(struct lws *wsi, enum lws_token_indexes token, char *out, size_t cap)
{
    out[0] = '\0';
    int len = lws_hdr_total_length(wsi, token);
    if (len <= 0)
        return 0;
    return lws_hdr_copy(wsi, out, (int)cap, token) < 0 ? -E2BIG : 0;
}

static void read_request(struct lws *wsi, struct web_request *r)
{
    static const struct {
        enum lws_token_indexes token;
        size_t at, size;
    } table[] = {
#define HEADER(token, member) \
    {token, offsetof(struct web_request, member), sizeof(((struct web_request *)0)->member)}
        HEADER(WSI_TOKEN_HTTP_URI_ARGS, query), HEADER(WSI_TOKEN_HOST, host),
        HEADER(WSI_TOKEN_ORIGIN, origin),       HEADER(WSI_TOKEN_HTTP_AUTHORIZATION, authorization),
        HEADER(WSI_TOKEN_HTTP_COOKIE, cookie),  HEADER(WSI_TOKEN_HTTP_ACCEPT, accept),
#undef HEADER
    };
    char length[24];
    memset(r, 0, sizeof *r);
    int post = lws_hdr_total_length(wsi, WSI_TOKEN_POST_URI) > 0;
    int get = lws_hdr_total_length(wsi, WSI_TOKEN_GET_URI) > 0;
    r->method = post ? WEB_POST : get ? WEB_GET : WEB_OTHER;
    int rc = r->method == WEB_OTHER
                 ? 0
                 : copy_header(wsi, post ? WSI_TOKEN_POST_URI : WSI_TOKEN_GET_URI, r->path,
                               sizeof r->path);
    for (size_t i = 0; i < sizeof table / sizeof table[0] && rc == 0; i++)
        rc = copy_header(wsi, table[i].token, (char *)r + table[i].at, table[i].size);
    if (rc == 0)
        rc = copy_header(wsi, WSI_TOKEN_HTTP_CONTENT_LENGTH, length, sizeof length);
    if (rc < 0) {
        memset(r, 0, sizeof *r);
        r->method = WEB_OTHER;
        return;
    }
    r->has_body = (length[0] != '\0' && strcmp(length, "0") != 0) ||
                  lws_hdr_total_length(wsi, WSI_TOKEN_HTTP_TRANSFER_ENCODING) > 0;
}

static int put_header(struct lws *wsi, const char *name, const char *value, unsigned char **p,
                      unsigned char *end)
{
    return lws_add_http_header_by_name(wsi, (const unsigned char *)name,
                                       (const unsigned char *)value, (int)strlen(value), p, end);
}

static int put_headers(struct lws *wsi, const struct web_response *r, bool close)
{
    unsigned char head[LWS_PRE + 2048], *start = head + LWS_PRE, *p = start;
    unsigned char *end = head + sizeof head - 1;
    int rc = lws_add_http_common_headers(wsi, r->status, r->type, r->length, &p, end);
    for (size_t i = 0; i < sizeof headers / sizeof headers[0]; i++)
        rc |= put_header(wsi, headers[i][0], headers[i][1], &p, end);
    rc |= put_header(
        wsi, "cache-control:", r->cache_for_day ? "private, max-age=86400" : "no-store", &p, end);
    if (r->cookie[0] != '\0')
        rc |= put_header(wsi, "set-cookie:", r->cookie, &p, end);
    if (r->location[0] != '\0')
        rc |= put_header(wsi, "location:", r->location, &p, end);
    if (r->status == 401)
        rc |= put_header(wsi, "www-authenticate:", "Bearer realm=\"pxmon\"", &p, end);
    if (r->status == 405)
        rc |= put_header(wsi, "allow:", "GET, POST", &p, end);
    if (close)
        rc |= put_header(wsi, "connection:", "close", &p, end);
    return rc != 0 || lws_finalize_write_http_header(wsi, start, &p, end) != 0 ? -1 : 0;
}

static void end_response(struct session *s)
{
    free(s->owned);
    s->owned = NULL;
    s->bytes = NULL;
    s->length = s->sent = 0;
}

/* The next piece. libwebsockets may write before the bytes that it sends: they go through a buffer
 * with room for that. Its timeout is not set back: it bounds the whole response. */
static int go_on(struct lws *wsi, struct session *s)
{
    unsigned char chunk[LWS_PRE + CHUNK_BYTES];
    if (s->bytes == NULL)
        return 0;
    size_t n = s->length - s->sent;
    if (n > CHUNK_BYTES)
        n = CHUNK_BYTES;
    bool last = s->sent + n == s->length;
    memcpy(chunk + LWS_PRE, s->bytes + s->sent, n);
    if (lws_write(wsi, chunk + LWS_PRE, n, last ? LWS_WRITE_HTTP_FINAL : LWS_WRITE_HTTP) < 0)
        return -1;
    s->sent += n;
    if (!last) {
        lws_callback_on_writable(wsi);
        return 0;
    }
    end_response(s);
    return s->close || lws_http_transaction_completed(wsi) ? -1 : 0;
}

static int start_response(struct web *web, struct lws *wsi, struct session *s)
{
    struct web_request request;
    struct web_response response = {.status = 500};
    read_request(wsi, &request);
    web->options.answer(web->options.site, &request, &response);
    s->owned = response.owned;
    s->bytes = response.owned != NULL ? response.owned : response.bytes;
    s->length = response.length;
    s->sent = 0;
    s->close = request.method != WEB_GET || request.has_body;
    if (put_headers(wsi, &response, s->close) < 0)
        return -1;
    lws_set_timeout(wsi, PENDING_TIMEOUT_HTTP_CONTENT, BODY_SECONDS);
    /* libwebsockets has its own way with what follows a POST: it is answered at once, and closed.
     */
    if (s->close)
        return go_on(wsi, s);
    lws_callback_on_writable(wsi);
    return 0;
}

static int count_client(struct web *web, struct lws *wsi)
{
    int bytes = SEND_BYTES;
    setsockopt(lws_get_socket_fd(wsi), SOL_SOCKET, SO_SNDBUF, &bytes, sizeof bytes);
    lws_set_opaque_user_data(wsi, web);
    web->connections++;
    return 0;
}

static int on_http(struct lws *wsi, enum lws_callback_reasons reason, void *user, void *in,
                   size_t len)
{
    struct web *web = lws_context_user(lws_get_context(wsi));
    struct session *s = user;
    switch (reason) {
    case LWS_CALLBACK_FILTER_NETWORK_CONNECTION:
        return web->connections >= CONNECTIONS_MAX;
    case LWS_CALLBACK_SERVER_NEW_CLIENT_INSTANTIATED:
        return count_client(web, wsi);
    case LWS_CALLBACK_WSI_DESTROY:
        /* also called for the listener, which never was a client */
        if (lws_get_opaque_user_data(wsi) == web)
            web->connections--;
        return 0;
    case LWS_CALLBACK_HTTP_CONFIRM_UPGRADE:
        return strcmp(in, "websocket") == 0 ? 0 : -1;
    case LWS_CALLBACK_FILTER_PROTOCOL_CONNECTION:
        return -1; /* a WebSocket of a protocol that is not ours */
    case LWS_CALLBACK_HTTP:
        return start_response(web, wsi, s);
    case LWS_CALLBACK_HTTP_BODY:
        return -1; /* what is not taken is not read either */
    case LWS_CALLBACK_HTTP_WRITEABLE:
        return go_on(wsi, s);
    case LWS_CALLBACK_CLOSED_HTTP:
        if (s != NULL)
            end_response(s);
        return 0;
    case LWS_CALLBACK_HTTP_BODY_COMPLETION:
        return 0;
    default:
        return lws_callback_http_dummy(wsi, reason, user, in, len);
    }
}

/* -- the live stream -- */

static int refuse_upgrade(struct web *web, struct lws *wsi)
{
    struct web_request request;
    read_request(wsi, &request);
    return web->options.admit(web->options.site, &request) != 0 ? -1 : 0;
}

static void join(struct web *web, struct lws *wsi, struct session *s)
{
    memset(s, 0, sizeof *s);
    s->wsi = wsi;
    s->next = web->live;
    web->live = s;
    web->live_count++;
    if (web->whole.number > 0)
        lws_callback_on_writable(wsi);
}

static void leave(struct web *web, struct session *s)
{
    for (struct session **p = &web->live; *p != NULL; p = &(*p)->next)
        if (*p == s) {
            *p = s->next;
            web->live_count--;
            return;
        }
}

/* The newest whole state first, then what is newer than that. */
static const struct text *due(const struct web *web, const struct session *s)
{
    if (web->whole.number > s->seen)
        return &web->whole;
    return web->news.number > s->seen ? &web->news : NULL;
}

static int send_text(struct web *web, struct lws *wsi, struct session *s)
{
    const struct text *text = due(web, s);
    s->waits = 0;
    if (text == NULL)
        return 0;
    s->seen = text->number;
    if (lws_write(wsi, text->bytes + LWS_PRE, text->length, LWS_WRITE_TEXT) < (int)text->length)
        return -1;
    if (due(web, s) != NULL)
        lws_callback_on_writable(wsi);
    return 0;
}

static int on_live(struct lws *wsi, enum lws_callback_reasons reason, void *user, void *in,
                   size_t len)
{
    struct web *web = lws_context_user(lws_get_context(wsi));
    switch (reason) {
    case LWS_CALLBACK_FILTER_PROTOCOL_CONNECTION:
        return refuse_upgrade(web, wsi);
    case LWS_CALLBACK_ESTABLISHED:
        join(web, wsi, user);
        return 0;
    case LWS_CALLBACK_SERVER_WRITEABLE:
        return send_text(web, wsi, user);
    case LWS_CALLBACK_RECEIVE:
        return -1; /* a client has nothing to say here */
    case LWS_CALLBACK_CLOSED:
        leave(web, user);
        return 0;
    case LWS_CALLBACK_WSI_DESTROY:
    case LWS_CALLBACK_HTTP_CONFIRM_UPGRADE:
        return on_http(wsi, reason, user, in, len);
    default:
        return 0;
    }
}

void web_publish(struct web *web, const char *bytes, size_t length, bool whole)
{
    struct text *text = whole ? &web->whole : &web->news;
    lws_usec_t now = lws_now_usecs();
    if (length > text->room) {
        unsigned char *more = realloc(text->bytes, LWS_PRE + length);
        if (more == NULL)
            return; /* the next one, perhaps */
        text->bytes = more;
        text->room = length;
    }
    memcpy(text->bytes + LWS_PRE, bytes, length);
    text->length = length;
    text->number = ++web->last_number;
    for (struct session *s = web->live; s != NULL; s = s->next) {
        if (s->waits == 0)
            s->waits = now;
        if (now - s->waits > BEHIND_US)
            lws_set_timeout(s->wsi, PENDING_TIMEOUT_USER_OK, LWS_TO_KILL_ASYNC);
        else
            lws_callback_on_writable(s->wsi);
    }
}

/* -- loop and timer -- */

static void on_timer(lws_sorted_usec_list_t *timer)
{
    struct web *web = lws_container_of(timer, struct web, timer);
    struct timespec now;
    clock_gettime(CLOCK_REALTIME, &now);
    long left_ns = QUARTER_NS - now.tv_nsec % QUARTER_NS;
    lws_sul_schedule(web->context, 0, &web->timer, on_timer, left_ns / 1000 + 1000);
    web->options.tick(web->options.owner);
}

void web_soon(struct web *web, unsigned ms)
{
    lws_sul_schedule(web->context, 0, &web->timer, on_timer, (lws_usec_t)ms * LWS_US_PER_MS);
}

int web_run(struct web *web, const volatile sig_atomic_t *stop)
{
    web_soon(web, 1);
    while (!*stop)
        if (lws_service(web->context, 0) < 0)
            return -EIO;
    return 0;
}

/* -- start and end -- */

/* Why a start failed is in what libwebsockets logs, and only there. Once it runs, what it logs are
 * the mistakes of clients. */
static char *said;

static void say(int level, const char *line)
{
    (void)level;
    if (said[0] == '\0')
        snprintf(said, WEB_ERROR_MAX, "%.*s", (int)strcspn(line, "\n"), line);
}

/* It does not say in words that an address is in use or not ours: the kernel does, asked again. */
static void explain_address(const struct web_options *o, char error[WEB_ERROR_MAX])
{
    struct sockaddr_in v4 = {.sin_family = AF_INET, .sin_port = htons((uint16_t)o->port)};
    struct sockaddr_in6 v6 = {.sin6_family = AF_INET6, .sin6_port = htons((uint16_t)o->port)};
    bool is_v4 = inet_pton(AF_INET, o->address, &v4.sin_addr) == 1;
    int one = 1;
    int fd = socket(is_v4 ? AF_INET : AF_INET6, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (fd < 0)
        return;
    setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof one);
    inet_pton(AF_INET6, o->address, &v6.sin6_addr);
    if (bind(fd, is_v4 ? (const struct sockaddr *)&v4 : (const struct sockaddr *)&v6,
             is_v4 ? sizeof v4 : sizeof v6) < 0)
        snprintf(error, WEB_ERROR_MAX, "cannot listen there: %s", strerror(errno));
    close(fd);
}

static const struct lws_protocols protocols[] = {
    {"http", on_http, sizeof(struct session), 1024, 0, NULL, 0},
    {"px-live", on_live, sizeof(struct session), 1024, 0, NULL, 0},
    {NULL, NULL, 0, 0, 0, NULL, 0},
};

/* Peers that vanished without a word are found by pings. */
static const lws_retry_bo_t idle = {.secs_since_valid_ping = 30, .secs_since_valid_hangup = 45};

static void fill_info(struct lws_context_creation_info *info, struct web *web)
{
    const struct web_options *o = &web->options;
    memset(info, 0, sizeof *info);
    info->port = o->port;
    info->iface = o->address;
    info->protocols = protocols;
    info->gid = -1;
    info->uid = -1;
    info->user = web;
    info->server_string = "pxmon";
    info->timeout_secs = HEADER_SECONDS;
    info->keepalive_timeout = IDLE_SECONDS;
    info->max_http_header_data = HEADER_BYTES;
    info->max_http_header_pool = CONNECTIONS_MAX;
    info->alpn = "http/1.1";
    info->retry_and_idle_policy = &idle;
    info->options = LWS_SERVER_OPTION_EXPLICIT_VHOSTS | LWS_SERVER_OPTION_FAIL_UPON_UNABLE_TO_BIND |
                    LWS_SERVER_OPTION_DO_SSL_GLOBAL_INIT;
    if (strchr(o->address, ':') == NULL)
        info->options |= LWS_SERVER_OPTION_DISABLE_IPV6;
    if (o->tls_cert == NULL)
        return;
    info->ssl_cert_filepath = o->tls_cert;
    info->ssl_private_key_filepath = o->tls_key;
}

static void limit_descriptors(void)
{
    struct rlimit limit;
    if (getrlimit(RLIMIT_NOFILE, &limit) < 0)
        return;
    if (limit.rlim_cur > DESCRIPTORS_MAX)
        limit.rlim_cur = DESCRIPTORS_MAX;
    setrlimit(RLIMIT_NOFILE, &limit);
}

int web_open(struct web **out, const struct web_options *options, char error[WEB_ERROR_MAX])
{
    struct lws_context_creation_info info;
    struct web *web = calloc(1, sizeof *web);
    error[0] = '\0';
    if (web == NULL) {
        snprintf(error, WEB_ERROR_MAX, "no memory");
        return -ENOMEM;
    }
    web->options = *options;
    limit_descriptors();
    said = error;
    lws_set_log_level(LLL_ERR, say);
    fill_info(&info, web);
    info.options &= ~(uint64_t)LWS_SERVER_OPTION_DISABLE_IPV6; /* the webhook's matter, not ours */
    web->context = lws_create_context(&info);
    fill_info(&info, web);
    if (web->context != NULL)
        web->vhost = lws_create_vhost(web->context, &info);
    lws_set_log_level(0, NULL);
    if (web->vhost == NULL) {
        explain_address(options, error);
        web_free(web);
        return -EADDRNOTAVAIL;
    }
    *out = web;
    return 0;
}

void web_free(struct web *web)
{
    if (web == NULL)
        return;
    if (web->context != NULL)
        lws_context_destroy(web->context);
    free(web->whole.bytes);
    free(web->news.bytes);
    free(web);
}

int web_port(const struct web *web)
{
    return lws_get_vhost_listen_port(web->vhost);
}

unsigned web_live(const struct web *web)
{
    return web->live_count;
}

unsigned web_connections(const struct web *web)
{
    return web->connections;
}

struct lws_context *web_context(const struct web *web)
{
    return web->context;
}
