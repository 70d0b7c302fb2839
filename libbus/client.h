/* The reader's end of the control socket: connect, greet, one message at a time. Never blocks; who
 * waits for an answer polls the descriptor. One teardown, pxi_client_close(). */
#ifndef PXI_CLIENT_H
#define PXI_CLIENT_H

#include <sys/types.h>

#include "px/control.h"

enum pxi_client_state { PXI_CLIENT_DOWN = 0, PXI_CLIENT_GREETING, PXI_CLIENT_UP };

struct pxi_client {
    int fd;    /* -1: none */
    int watch; /* epoll descriptor that `fd` is in while it is open; -1: none */
    int woken; /* a WAKE was received: set here, cleared by the caller */
    enum pxi_client_state state;
    struct px_page *page; /* mapped while UP */
    uint32_t request;     /* number of the last one */
    char name[32];        /* of this reader */
    char text[120];       /* sentence of the last refusal */
};

/* Connect to the socket at `path`, check that it belongs to `owner` (of the segment) or root, send
 * HELLO; the state is GREETING then.
 * Errors: -ENOTCONN nobody listens; -EAGAIN its queue is full; -EPERM another user listens there.
 */
int pxi_client_open(struct pxi_client *c, const char *path, uid_t owner);

/* Next message that is for the caller: replies. WELCOME and WAKE are dealt with here.
 * Returns 1 with a message, 0 there is none, -ENOTCONN the connection is over (and closed). */
int pxi_client_receive(struct pxi_client *c, struct pxc_message *m);

/* Errors: -EAGAIN the feeder does not read just now; -ENOTCONN the connection is over (and closed).
 */
int pxi_client_send(struct pxi_client *c, struct pxc_message *m);

/* Put the connection, now and whenever it is opened again, into an epoll set of the caller's.
 * Errors: negative errno. */
int pxi_client_watch(struct pxi_client *c, int epoll_fd);

void pxi_client_close(struct pxi_client *c);

#endif
