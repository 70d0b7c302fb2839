/* Between the two halves of a link: link.c decides and connects, link_io.c moves bytes. */
#ifndef PX_FEEDER_LINK_INTERNAL_H
#define PX_FEEDER_LINK_INTERNAL_H

#include "counters.h"
#include "link.h"
#include "log.h"

/* link.c: an event for the state machine, and what follows from it. `in` may be NULL. */
void link_step(struct link *l, enum conn_event event, const struct conn_input *in);
/* Why the attempt or connection ends, for the record and the log; then CONN_FAILED or CONN_ENDED.
 */
void link_fail(struct link *l, enum conn_event event, const struct conn_input *in,
               const char *format, ...) __attribute__((format(printf, 4, 5)));
/* Everything wanted was answered? */
void link_settle(struct link *l);

/* link_io.c */
void link_on_socket(void *owner, enum net_event event);
/* Begin the TLS handshake, or fail. */
void link_start_tls(struct link *l);
/* Write the upgrade request, or fail. */
void link_start_upgrade(struct link *l);
/* Payload as one text message. False: no room, or the connection failed. */
bool link_send_text(struct link *l, const char *text, size_t len);
void link_send_close(struct link *l, uint16_t code, const char *reason);
/* Put what waits on the socket. False: the connection failed. */
bool link_flush(struct link *l);
/* Go on with a message that waited for the large buffer. */
void link_resume(struct link *l);
/* Socket, TLS and WebSocket go. */
void link_drop_io(struct link *l);

#endif
