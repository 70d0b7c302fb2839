/* How a link gets to its venue: endpoints in turn, the address that it comes from, and the tunnel
 * through a proxy. */
#include <arpa/inet.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "link_internal.h"

static void set_source(struct link *l, const char *text)
{
    struct sockaddr_in *v4 = (struct sockaddr_in *)(void *)&l->source_address;
    struct sockaddr_in6 *v6 = (struct sockaddr_in6 *)(void *)&l->source_address;
    memset(&l->source_address, 0, sizeof l->source_address);
    l->source_len = 0;
    if (text == NULL)
        return;
    if (inet_pton(AF_INET, text, &v4->sin_addr) == 1) {
        v4->sin_family = AF_INET;
        l->source_len = sizeof *v4;
    } else if (inet_pton(AF_INET6, text, &v6->sin6_addr) == 1) {
        v6->sin6_family = AF_INET6;
        l->source_len = sizeof *v6;
    }
}

/* What pxstat shows: the proxy is told even where the URL has to be cut for it. */
static void name_endpoint(struct link *l, const char *text)
{
    char via[64] = "";
    const struct url *to = &l->proxy.to;
    if (l->proxied)
        snprintf(via, sizeof via, strchr(to->host, ':') ? " via [%.46s]:%u" : " via %.48s:%u",
                 to->host, to->port);
    snprintf(l->info.endpoint, sizeof l->info.endpoint, "%.*s%s",
             (int)(sizeof l->info.endpoint - 1 - strlen(via)), text, via);
}

int link_set_endpoint(struct link *l, uint32_t n)
{
    char error[URL_ERROR_MAX];
    struct url url;
    const struct config *config = l->shared->config;
    const char *why, *text = config_endpoint_at(config, l->venue, n);
    if (url_parse(text, &url, error) < 0) {
        log_error(l->venue->name, "endpoint %s: %s", text, error);
        return -EINVAL;
    }
    if (!url.has_path)
        snprintf(url.path, sizeof url.path, "%s", l->venue->paths[l->route]);
    const char *proxy = config_proxy(config, l->venue, &url);
    if (proxy != NULL && proxy_parse(proxy, &l->proxy, &why) < 0) {
        log_error(l->venue->name, "proxy: %s", why);
        return -EINVAL;
    }
    l->proxied = proxy != NULL;
    l->url = url;
    l->conn.config.tls = url.tls;
    l->conn.config.proxy = l->proxied;
    l->endpoint = l->endpoint_due = n;
    l->short_lives = 0;
    l->endpoints = n + 1;
    while (config_endpoint_at(config, l->venue, l->endpoints) != NULL)
        l->endpoints++;
    set_source(l, config_bind(config, l->venue));
    name_endpoint(l, text);
    return 0;
}

const struct url *link_first_hop(const struct link *l)
{
    return l->proxied ? &l->proxy.to : &l->url;
}

void link_failed_there(struct link *l, uint32_t before)
{
    const struct conn *c = &l->conn;
    bool was_live = before == PX_CONN_LIVE;
    bool was_good = c->good && c->mute_ends <= 1;
    if (c->state != PX_CONN_WAITING)
        return;
    l->short_lives = was_live && !was_good ? l->short_lives + 1 : 0;
    if (was_live && l->short_lives < 2)
        return;
    l->endpoint_due = (l->endpoint + 1) % l->endpoints;
}

void link_take_turn(struct link *l)
{
    if (l->endpoint_due != l->endpoint && link_set_endpoint(l, l->endpoint_due) < 0)
        l->endpoint_due = l->endpoint;
}

bool link_keep_addresses(struct link *l)
{
    struct resolve_answer *a = &l->answer;
    uint32_t kept = 0, all = a->count;
    const char *bound = config_bind(l->shared->config, l->venue);
    for (uint32_t i = 0; l->source_len > 0 && i < all; i++) {
        if (a->address[i].ss_family != l->source_address.ss_family)
            continue;
        a->address[kept] = a->address[i];
        a->len[kept++] = a->len[i];
    }
    if (l->source_len == 0 || kept == all)
        return true;
    const char *host = link_first_hop(l)->host;
    a->count = kept;
    if (kept == 0)
        link_fail(l, CONN_FAILED, NULL,
                  "%.60s has no address of the family of %s, to which it is bound", host, bound);
    else if (l->conn.attempts == 1)
        log_info(l->venue->name,
                 "%u of the %u addresses of %s are not of the family of %s, to which "
                 "it is bound: left out",
                 all - kept, all, host, bound);
    return kept > 0;
}

int link_connect(struct link *l)
{
    uint32_t i = l->conn.address;
    struct net_address to = {(const struct sockaddr *)&l->answer.address[i], l->answer.len[i]};
    struct net_address from = {(const struct sockaddr *)&l->source_address, l->source_len};
    return net_connect(to, from);
}

void link_cannot_connect(struct link *l, int rc)
{
    const char *bound = config_bind(l->shared->config, l->venue);
    link_fail(l, CONN_FAILED, NULL, "cannot connect%s%s%s: %s", l->proxied ? " to the proxy" : "",
              bound != NULL ? " from " : "", bound != NULL ? bound : "", strerror(-rc));
}

void link_start_tunnel(struct link *l)
{
    ssize_t n = proxy_request(&l->proxy, &l->url, (char *)l->send, LINK_SEND_BYTES);
    if (n < 0) {
        link_fail(l, CONN_FAILED, NULL, "no request to the proxy: %s", strerror((int)-n));
        return;
    }
    memset(&l->reply, 0, sizeof l->reply);
    l->send_at = 0;
    l->send_len = (size_t)n;
    if (link_flush(l))
        link_tunnel(l);
}

static void tunnel_failed(struct link *l)
{
    char reason[PROXY_REASON_MAX];
    struct conn_input in = {.reached = l->reply.result != PROXY_MORE};
    proxy_reason(&l->reply, reason);
    link_fail(l, CONN_FAILED, &in, "%s", reason);
}

/* What lies behind the reply is the venue's, and is left in the socket for those who read it. */
void link_tunnel(struct link *l)
{
    unsigned char bytes[1024];
    enum proxy_result result = PROXY_MORE;
    while (result == PROXY_MORE) {
        size_t taken;
        ssize_t n = recv(l->sock.fd, bytes, sizeof bytes, MSG_PEEK);
        if (n < 0 && (errno == EAGAIN || errno == EINTR))
            return;
        if (n < 0) {
            link_fail(l, CONN_FAILED, NULL, "cannot receive from the proxy: %s", strerror(errno));
            return;
        }
        if (n == 0) {
            tunnel_failed(l);
            return;
        }
        result = proxy_take(&l->reply, bytes, (size_t)n, &taken);
        if (recv(l->sock.fd, bytes, taken, 0) != (ssize_t)taken) {
            link_fail(l, CONN_FAILED, NULL, "cannot receive from the proxy: %s", strerror(EIO));
            return;
        }
    }
    if (result != PROXY_OPEN)
        tunnel_failed(l);
    else if (l->send_at != l->send_len)
        link_fail(l, CONN_FAILED, NULL, "the proxy answered before it was asked");
    else
        link_step(l, CONN_TUNNELLED, NULL);
}
