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

/* link_way.c */
/* Go to the n-th endpoint of its venue. Errors: -EINVAL (said), all is as it was. */
int link_set_endpoint(struct link *l, uint32_t n);
/* An attempt, or a connection that was in state `before`, has ended: the next goes elsewhere. One
 * that was live is tried there again, but not for ever if it brings no good data. */
void link_failed_there(struct link *l, uint32_t before);
/* An attempt is due: at which endpoint. */
void link_take_turn(struct link *l);
/* Who is asked first: the proxy, or the venue. */
const struct url *link_first_hop(const struct link *l);
/* Leave out addresses that cannot be reached from the one it is bound to. False: none was left, and
 * the attempt has failed. */
bool link_keep_addresses(struct link *l);
/* net_connect() to the address whose turn it is. */
int link_connect(struct link *l);
void link_cannot_connect(struct link *l, int rc);
/* Ask the proxy; its answer is taken by link_tunnel(). */
void link_start_tunnel(struct link *l);
void link_tunnel(struct link *l);

/* link_io.c */
void link_on_socket(void *owner, enum net_event event);
/* Begin the TLS handshake, or fail. */
void link_start_tls(struct link *l);
/* Write the upgrade request, or fail. */
void link_start_upgrade(struct link *l);
/* Payload as one text message. False: no room, or the connection failed. */
bool link_send_text(struct link *l, const char *text, size_t len);
void link_send_close(struct link *l, uint16_t code, const char *reason);
/* Where bytes of ours are written: plain ones, or those that TLS is to encrypt. */
unsigned char *link_send_room(struct link *l, size_t *room);
/* Bytes that wait for the socket, and how many of them it took. */
size_t link_waiting(struct link *l, const unsigned char **at);
void link_sent(struct link *l, size_t n);
/* Put what waits on the socket. False: the connection failed. */
bool link_flush(struct link *l);
/* Go on with a message that waited for the large buffer. */
void link_resume(struct link *l);
/* Socket, TLS and WebSocket go. */
void link_drop_io(struct link *l);

#endif
