/* See hook.h. libwebsockets would resolve a name on the loop and block it: it is given addresses,
 * and the name for the Host header and for the certificate. */
#include "hook.h"

#include <errno.h>
#include <netdb.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <libwebsockets.h>
#include <openssl/ssl.h>
#include <openssl/x509.h>

#include "cli.h"
#include "lookup.h"

#define QUEUE_MAX 16
#define BODY_MAX  2048
#define URL_MAX   1024
#define TRIES     3
#define RETRY_MS  2000
#define TIMEOUT_S 10
#define LOOK_MS   50 /* between two looks at a name that is looked up */

struct hook {
    struct lws_context *context;
    struct lws_vhost *vhost;
    struct lws *wsi; /* the request under way, NULL none */
    bool is_asked;   /* a request was begun and did not end yet */
    lws_sorted_usec_list_t timer;
    char url[URL_MAX], parts[URL_MAX];
    const char *scheme, *host, *path;
    int port;
    unsigned tries, status;
    struct lookup
        *lookup; /* under way, NULL none; a try that waits too long leaves it to the next */
    unsigned waited_ms;
    struct lookup_answer addresses;
    size_t address; /* the one that is tried */
    size_t count;
    struct {
        size_t length;
        char body[BODY_MAX];
    } queue[QUEUE_MAX]; /* the first is under way */
};

/* Splits `parts` in place. */
static int split(struct hook *h)
{
    /* the path comes without its first '/', which stands where the host ended with NUL */
    if (lws_parse_uri(h->parts, &h->scheme, &h->host, &h->port, &h->path) != 0)
        return -EINVAL;
    bool known = strcmp(h->scheme, "http") == 0 || strcmp(h->scheme, "https") == 0;
    return known && h->host[0] != '\0' && h->port > 0 && h->port < 65536 ? 0 : -EINVAL;
}

int hook_check(const char *url)
{
    struct hook *h = calloc(1, sizeof *h);
    int rc = h == NULL ? -ENOMEM : strlen(url) >= URL_MAX ? -EINVAL : 0;
    if (rc == 0 && strncmp(url, "http://", 7) != 0 && strncmp(url, "https://", 8) != 0)
        rc = -EINVAL;
    if (rc == 0) {
        snprintf(h->parts, sizeof h->parts, "%s", url);
        rc = split(h);
    }
    free(h);
    return rc;
}

static void start(lws_sorted_usec_list_t *timer);

static void later(struct hook *h, unsigned ms)
{
    lws_sul_schedule(h->context, 0, &h->timer, start, (lws_usec_t)ms * LWS_US_PER_MS);
}

static void drop_first(struct hook *h)
{
    h->count--;
    memmove(&h->queue[0], &h->queue[1], h->count * sizeof h->queue[0]);
    h->tries = 0;
}

/* The request is over, well or not: the next, or the same again, at the next address at once. */
static void finish(struct hook *h, const char *reason)
{
    h->wsi = NULL;
    h->is_asked = false;
    if (h->count == 0)
        return;
    if (h->status == 0 && ++h->address < h->addresses.count) {
        later(h, 1);
        return;
    }
    h->addresses.count = 0;
    if (h->status >= 200 && h->status < 300) {
        drop_first(h);
    } else if (++h->tries == TRIES) {
        if (h->status != 0)
            cli_error(0, h->url, "the alert is not taken: status %u", h->status);
        else
            cli_error(0, h->url, "the alert is not taken: %s", reason);
        drop_first(h);
    }
    h->status = 0;
    if (h->count > 0)
        later(h, h->tries > 0 ? RETRY_MS : 1);
}

static int put_headers(struct hook *h, struct lws *wsi, unsigned char **p, size_t room)
{
    static const unsigned char type[] = "application/json";
    char length[16];
    unsigned char *end = *p + room;
    int n = snprintf(length, sizeof length, "%zu", h->queue[0].length);
    if (lws_add_http_header_by_token(wsi, WSI_TOKEN_HTTP_CONTENT_TYPE, type, sizeof type - 1, p,
                                     end) ||
        lws_add_http_header_by_token(wsi, WSI_TOKEN_HTTP_CONTENT_LENGTH, (unsigned char *)length, n,
                                     p, end))
        return -1;
    lws_client_http_body_pending(wsi, 1);
    lws_callback_on_writable(wsi);
    return 0;
}

static int put_body(struct hook *h, struct lws *wsi)
{
    unsigned char body[LWS_PRE + BODY_MAX];
    memcpy(body + LWS_PRE, h->queue[0].body, h->queue[0].length);
    lws_client_http_body_pending(wsi, 0);
    int n = lws_write(wsi, body + LWS_PRE, h->queue[0].length, LWS_WRITE_HTTP_FINAL);
    return n == (int)h->queue[0].length ? 0 : -1;
}

/* The answer's body is read away: only its status matters. */
static int read_away(struct lws *wsi)
{
    char buffer[LWS_PRE + 1024], *p = buffer + LWS_PRE;
    int length = sizeof buffer - LWS_PRE;
    return lws_http_client_read(wsi, &p, &length) < 0 ? -1 : 0;
}

/* libwebsockets has no words for what it found wrong with a certificate. */
static const char *why_not(struct lws *wsi, const char *said)
{
    SSL *ssl = lws_get_ssl(wsi);
    long found = ssl != NULL ? SSL_get_verify_result(ssl) : X509_V_OK;
    if (found != X509_V_OK)
        return X509_verify_cert_error_string(found);
    return said != NULL ? said : "no connection";
}

static int on_hook(struct lws *wsi, enum lws_callback_reasons reason, void *user, void *in,
                   size_t len)
{
    struct hook *h = lws_get_opaque_user_data(wsi);
    (void)user;
    if (h == NULL)
        return 0;
    switch (reason) {
    case LWS_CALLBACK_CLIENT_APPEND_HANDSHAKE_HEADER:
        return put_headers(h, wsi, (unsigned char **)in, len);
    case LWS_CALLBACK_CLIENT_HTTP_WRITEABLE:
        return put_body(h, wsi);
    case LWS_CALLBACK_ESTABLISHED_CLIENT_HTTP:
        h->status = lws_http_client_http_response(wsi);
        return 0;
    case LWS_CALLBACK_RECEIVE_CLIENT_HTTP:
        return read_away(wsi);
    case LWS_CALLBACK_RECEIVE_CLIENT_HTTP_READ:
        return 0;
    case LWS_CALLBACK_COMPLETED_CLIENT_HTTP:
        return -1; /* one connection, one message */
    case LWS_CALLBACK_CLIENT_CONNECTION_ERROR:
        lws_set_opaque_user_data(wsi, NULL);
        finish(h, why_not(wsi, in));
        return 0;
    case LWS_CALLBACK_CLOSED_CLIENT_HTTP:
        lws_set_opaque_user_data(wsi, NULL);
        finish(h, "it ended the connection without an answer");
        return 0;
    default:
        return 0;
    }
}

/* True when addresses are there; else it goes on by itself. */
static bool resolve(struct hook *h)
{
    char reason[128];
    if (h->addresses.count > 0)
        return true;
    if (h->lookup == NULL && (h->lookup = lookup_start(h->host)) == NULL) {
        finish(h, "no thread to resolve its name with");
        return false;
    }
    if (lookup_take(h->lookup, &h->addresses)) {
        lookup_drop(h->lookup);
        h->lookup = NULL;
        h->waited_ms = 0;
        h->address = 0;
        if (h->addresses.error == 0)
            return true;
        snprintf(reason, sizeof reason, "its name cannot be resolved: %s",
                 gai_strerror(h->addresses.error));
        finish(h, reason);
    } else if (h->waited_ms >= TIMEOUT_S * 1000) {
        h->waited_ms = 0;
        finish(h, "its name is not resolved in time");
    } else {
        h->waited_ms += LOOK_MS;
        later(h, LOOK_MS);
    }
    return false;
}

static void start(lws_sorted_usec_list_t *timer)
{
    struct hook *h = lws_container_of(timer, struct hook, timer);
    char path[URL_MAX + 1], host[URL_MAX + 10];
    if (h->wsi != NULL || h->count == 0 || !resolve(h))
        return;
    snprintf(path, sizeof path, "/%s", h->path);
    snprintf(host, sizeof host, strchr(h->host, ':') != NULL ? "[%s]:%d" : "%s:%d", h->host,
             h->port);
    h->status = 0;
    h->is_asked = true;
    const struct lws_client_connect_info how = {
        .context = h->context,
        .vhost = h->vhost,
        .address = h->addresses.address[h->address],
        .host = host,
        .port = h->port,
        .path = path,
        .method = "POST",
        .local_protocol_name = "px-hook",
        .ssl_connection = strcmp(h->scheme, "https") == 0 ? LCCSCF_USE_SSL : 0,
        .opaque_user_data = h,
        .pwsi = &h->wsi,
    };
    /* where it fails at once, the callback may have been told, or not */
    if (lws_client_connect_via_info(&how) == NULL && h->is_asked)
        finish(h, "no connection can be made to it");
}

void hook_post(struct hook *h, const char *body, size_t length)
{
    if (h->count == QUEUE_MAX || length > BODY_MAX) {
        cli_error(0, h->url, "an alert is dropped: %d wait already", QUEUE_MAX);
        return;
    }
    memcpy(h->queue[h->count].body, body, length);
    h->queue[h->count++].length = length;
    if (h->count == 1)
        later(h, 1);
}

static const struct lws_protocols protocols[] = {
    {"px-hook", on_hook, 0, 1024, 0, NULL, 0},
    {NULL, NULL, 0, 0, 0, NULL, 0},
};

int hook_new(struct hook **out, struct lws_context *context, const char *url)
{
    struct lws_context_creation_info info;
    struct hook *h = calloc(1, sizeof *h);
    if (h == NULL)
        return -ENOMEM;
    h->context = context;
    snprintf(h->url, sizeof h->url, "%s", url);
    snprintf(h->parts, sizeof h->parts, "%s", url);
    memset(&info, 0, sizeof info);
    info.port = CONTEXT_PORT_NO_LISTEN;
    info.protocols = protocols;
    info.vhost_name = "hook";
    info.alpn = "http/1.1";
    info.timeout_secs = TIMEOUT_S;
    info.connect_timeout_secs = TIMEOUT_S;
    info.options = LWS_SERVER_OPTION_DO_SSL_GLOBAL_INIT;
    if (split(h) == 0)
        h->vhost = lws_create_vhost(context, &info);
    if (h->vhost == NULL) {
        free(h);
        return -EINVAL;
    }
    *out = h;
    return 0;
}

void hook_stop(struct hook *h)
{
    if (h == NULL)
        return;
    lws_sul_cancel(&h->timer);
    lookup_drop(h->lookup);
    h->lookup = NULL;
    if (h->wsi != NULL)
        lws_set_opaque_user_data(h->wsi, NULL);
}

void hook_free(struct hook *h)
{
    free(h);
}
