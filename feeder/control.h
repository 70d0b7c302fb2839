/* The server of the control socket (px/control.h). It owns sessions, pages and subscriptions of
 * readers; it owns no event loop: whoever does watches the descriptors and calls in.
 *
 *   control_open -> watch control_fd(); readable: while ((i = control_accept()) >= 0) watch its
 *   descriptor -> readable: control_readable(); negative: unwatch, control_closed(), close it
 *
 * A session that the server itself ends is shut down, so that its descriptor becomes readable and
 * the end takes that same way. Descriptors of sessions are closed by the caller, after
 * control_closed(); the listening one by control_free(). One thread; no allocation after
 * control_open(). */
#ifndef PX_FEEDER_CONTROL_H
#define PX_FEEDER_CONTROL_H

#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "config.h"
#include "wants.h"

#include "px/control.h"
#include "px/writer.h"

struct control;

struct control_options {
    const char *path; /* of control_path() */
    const char *bus;
    int64_t group; /* gid, -1 none */
    /* Per uid. quota_symbols 0: half of the capacity, and all of it for the feeder's own user and
     * root, who could as well change the setting. */
    uint32_t quota_connections, quota_symbols, quota_messages;
    struct wants *wants;
    px_writer *writer;
    /* RESTART, TRIM, SHUTDOWN, RELOAD of the feeder's user or root. Returns 0 or negative errno
     * with one sentence in text. The reply goes out before whatever it began takes effect. */
    int (*command)(void *user, uint16_t type, char *text, size_t cap);
    void *user;
};

/* <dir>/<bus>.sock. Errors: -ENAMETOOLONG over 107 bytes, with a sentence. */
int control_path(const char *dir, const char *bus, char *out, size_t cap,
                 char error[CONFIG_ERROR_MAX]);

/* Listen at options->path; a socket file there is removed only if nobody listens on it.
 * Owner: *out is the caller's until control_free(). Errors: negative errno with a sentence. */
int control_open(struct control **out, const struct control_options *options,
                 char error[CONFIG_ERROR_MAX]);
/* Ends every session, removes the socket file if it is still ours. NULL is allowed. Descriptors of
 * sessions that are still watched stay open: close them. */
void control_free(struct control *c);
/* New quotas after a reload. */
void control_quotas(struct control *c, uint32_t connections, uint32_t symbols, uint32_t messages);
size_t control_bytes(uint32_t capacity);

int control_fd(const struct control *c);
/* Accept one. Returns the session's index (below PXL_READERS_MAX) and its non-blocking descriptor
 * in *fd; -EAGAIN nobody waits; other negative errno: one was refused, go on. */
int control_accept(struct control *c, int64_t now_ns, int *fd);
int control_session_fd(const struct control *c, int session); /* -1 not in use */
/* Handle what has come, a bounded number of messages. 0: keep watching; negative: the session is
 * over. */
int control_readable(struct control *c, int session, int64_t now_ns);
/* Its subscriptions, page and record go now. */
void control_closed(struct control *c, int session, int64_t now_ns);
/* Four times a second: readers' records, deadlines of connections that never said HELLO. */
void control_tick(struct control *c, int64_t now_ns);

uint32_t control_readers(const struct control *c);
uint32_t control_subscriptions(const struct control *c); /* (reader, symbol) pairs */

#endif
