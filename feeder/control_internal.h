/* Between control.c (sockets, sessions, users) and control_request.c (what a session asks for). */
#ifndef PX_CONTROL_INTERNAL_H
#define PX_CONTROL_INTERNAL_H

#include <stdbool.h>

#include "control.h"
#include "pairs.h"

#include "px/layout.h"

/* One connection. */
struct session {
    bool used, greeted, ending;
    int fd;
    pid_t pid;
    uint32_t user; /* index in users */
    uint32_t subscriptions;
    int64_t attached_ns;
    struct px_page *page; /* NULL before HELLO, and for tools */
    char name[32];
};

/* One uid with connections, or lately without: quotas outlive a connection. */
struct user {
    bool used;
    uid_t uid;
    uint32_t connections, symbols; /* symbols: distinct ones */
    int64_t window_ns;             /* start of the present second */
    uint32_t messages;             /* in it */
};

struct control {
    struct control_options options;
    char path[108];
    int fd, spare_fd; /* spare: given up for a moment to refuse somebody when descriptors run out */
    uint64_t inode;   /* of the socket file */
    uint32_t readers, attached;
    struct session session[PXL_READERS_MAX];
    struct user user[PXL_READERS_MAX];
    struct pairs holdings; /* (session, sub) -> kinds */
    struct pairs shares;   /* (user, sub) -> sessions of this user that hold it */
};

/* Handle one message. 0, or negative: the session is over. */
int control_request(struct control *c, uint32_t session, const struct pxc_message *m,
                    int64_t now_ns);
/* Give back everything that a session holds. */
void control_release_all(struct control *c, uint32_t session, int64_t now_ns);

/* Send, or end the session if it does not read. 0 or negative: it is over. */
int control_send(struct control *c, uint32_t session, const struct pxc_message *m, int passed);
int control_refuse(struct control *c, uint32_t session, uint32_t request, int result,
                   const char *text);
/* A malformed message: counted, said once per kind, and the end of the session (negative). */
int control_bad(struct control *c, uint32_t session, const char *kind, const char *text);

#endif
