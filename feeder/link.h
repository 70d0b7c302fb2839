/* One upstream connection: socket, TLS, WebSocket, state machine and the way of its bytes to the
 * bus. Every object of it is made here and dies in the one teardown in link.c. */
#ifndef PX_FEEDER_LINK_H
#define PX_FEEDER_LINK_H

#include "config.h"
#include "conn.h"
#include "gate.h"
#include "net.h"
#include "plan.h"
#include "proxy.h"
#include "publish.h"
#include "resolve.h"
#include "tls.h"
#include "url.h"
#include "wants.h"
#include "ws.h"

#define LINK_MESSAGE_MAX (8u * 1024)           /* of one subscribe message */
#define LINK_SEND_BYTES  (32u * 1024)          /* what the socket has not taken yet */
#define LINK_TLS_BYTES   (2u * TLS_BUFFER_MIN) /* encrypted, of each direction */
#define LINK_TOLD        8 /* reasons of a series of failures that the log gets */
/* A message that inflates to more goes on in the large buffer. */
#define LINK_INFLATED_BYTES (64u * 1024)

/* What all links share. Owner: fleet.c. */
struct link_shared {
    struct net *net;
    struct resolve *resolve;
    struct gate *gate;
    px_writer *writer;
    struct subs *subs;
    struct publish *publish;
    struct json *json;
    struct tls_context *tls; /* NULL: the system's certificates, read at first use */
    struct ws_large large;
    const struct config *config;
    uint32_t worked[CONFIG_VENUES_MAX]; /* endpoint of each venue that was live last */
};

struct link {
    struct link_shared *shared;
    const struct px_venue *venue;
    uint32_t index;       /* of the link, its record and its number in subs */
    uint32_t venue_index; /* in venue_table */
    uint32_t shard, route;
    bool used;
    bool open_in_subs;
    bool paused;      /* unread until the large buffer is free */
    bool withheld;    /* unread while the one that it follows brings its last */
    bool planned_end; /* the venue has announced it, or it is as old as it may get */
    bool leaving;     /* a successor takes over, then it closes */
    bool guest;       /* a rear-guard's connection: its messages come from guests.c */
    bool limits;      /* the endpoint is the venue's own, or is to be treated so */
    bool parted;      /* our close frame went out */
    bool answered;    /* the venue spoke of subscriptions in this batch */
    bool ws_ready;
    uint32_t hello_waits; /* answers to our hello that have not come */
    uint64_t drops;       /* count of teardowns: a changed number says that the socket is another */
    struct net_fd sock;
    struct net_timer timer;
    struct conn conn;
    struct ws ws;
    struct tls tls;
    bool tls_on; /* a session lives in it */
    struct url url;
    uint32_t endpoint, endpoints; /* which of how many it is: config_endpoint_at() */
    uint32_t endpoint_due;        /* that of the next attempt */
    uint32_t told[LINK_TOLD];     /* reasons of the present series that the log has, hashed */
    uint32_t told_count;
    uint32_t short_lives; /* ends of it there that good data had not gone before */
    bool proxied;         /* over `proxy` */
    struct proxy proxy;
    struct proxy_reply reply;
    struct sockaddr_storage source_address; /* that it is bound to */
    socklen_t source_len;                   /* 0: to none */
    struct resolve_job job;
    struct resolve_answer answer;
    struct publish_source source;
    struct px_conn_info info;
    unsigned char
        *recv; /* recv_bytes + WS_PADDING; recv_bytes is the most that is read in one turn */
    size_t recv_bytes;
    unsigned char *tls_in, *tls_out; /* LINK_TLS_BYTES each */
    struct ws_deflate *deflate;      /* lent by fleet.c while it is used; NULL: none asked for */
    unsigned char *send; /* LINK_SEND_BYTES, send[send_at, send_len) waits for the socket */
    size_t send_at, send_len;
    int64_t parting_ns;   /* since when the one that leaves brings its last, 0: it does not yet */
    int64_t pump_ns;      /* when subscriptions want to be asked again */
    int64_t keepalive_ns; /* when the venue's own ping is due */
};

/* Memory of one link. Errors: -ENOMEM. */
int link_init(struct link *l, struct link_shared *shared, uint32_t index);
void link_free(struct link *l);
/* Pages of a link that is not used go back to the system; the buffers stay. */
void link_clean(struct link *l);
/* The same of one buffer whose contents are of no use. */
void link_give_back(void *buffer, size_t len);

/* What link_init() allocates, what inflates, and the parser that all share. */
struct plan_link link_plan(const struct config *config);

/* Take it into use for a route of a shard of a venue; connecting begins. Errors: -EINVAL the
 * endpoint (said).
 */
int link_open(struct link *l, uint32_t venue_index, uint32_t shard, uint32_t route);
/* Take it into use for a connection that a rear-guard keeps, at the n-th endpoint of its venue:
 * live, leaving, and without a socket. Errors: -EINVAL the endpoint (said). */
int link_host(struct link *l, uint32_t venue_index, uint32_t shard, uint32_t route, uint32_t n);
/* A message of such a connection, with VENUE_PADDING readable bytes behind it. px_writer_flush() is
 * the caller's. */
void link_relayed(struct link *l, const char *text, size_t len, struct publish_time at);
/* Leave what comes on this link in the socket, or go on. */
void link_withhold(struct link *l, bool on);
/* It has ended: what nobody else brings is stale; the place is free. */
void link_see_off(struct link *l);

/* Live for so long without an end in sight: it carries its shard by itself. */
bool link_steady(const struct link *l, int64_t now_ns, int64_t for_ns);
/* A successor is to take over: the venue has announced the end of this connection, or it has come
 * to the age at which one is planned. */
bool link_ends(const struct link *l, int64_t now_ns);
/* Wanted again, or close in order: it has ended when link_idle() says so. */
void link_want(struct link *l, bool want);
bool link_idle(const struct link *l);
/* Clear its record; the place is free. An endpoint that cannot be used stays, idle, with its
 * reason. */
void link_release(struct link *l);

/* Subscriptions changed: send what is due. */
void link_pump(struct link *l, int64_t now_ns);
/* Ten times a second: deadlines of a live connection, keepalive, record. */
void link_tick(struct link *l, int64_t now_ns);
/* Read what is there without being told (busy polling). */
void link_poll(struct link *l);

#endif
