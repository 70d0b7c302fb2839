/* sd_notify(3) without libsystemd: one datagram to $NOTIFY_SOCKET. */
#ifndef PX_NOTIFY_H
#define PX_NOTIFY_H

/* Where to send: a path, or "@name" for an abstract socket; NULL or "" makes the calls below do
 * nothing. Errors: -EINVAL too long or neither path nor @name; negative errno of socket(2). */
int notify_open(const char *address);
void notify_close(void);

/* "READY=1", "STOPPING=1", "WATCHDOG=1", "STATUS=...". Never blocks; a lost message is not an
 * error of ours. */
void notify_send(const char *text);

/* RELOADING=1 with the MONOTONIC_USEC that Type=notify-reload asks for. READY=1 ends it. */
void notify_reloading(void);

#endif
