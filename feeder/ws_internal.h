/* What the files of the WebSocket stage share: ws.c reads frames, ws_write.c writes them,
 * ws_handshake.c does the upgrade, ws_deflate.c permessage-deflate, ws_utf8.c the text check. */
#ifndef PX_FEEDER_WS_INTERNAL_H
#define PX_FEEDER_WS_INTERNAL_H

#include <stdbool.h>

#include "ws.h"

enum ws_phase {
    WS_PHASE_IDLE,    /* no request written yet */
    WS_PHASE_REPLY,   /* the upgrade reply is awaited */
    WS_PHASE_OPEN,    /* frames both ways */
    WS_PHASE_CLOSING, /* our close is out or owed, theirs is awaited, data is dropped */
    WS_PHASE_DONE,    /* nothing more is expected */
};

/* Where the payload of data frames goes. */
enum ws_sink {
    WS_SINK_PLACE,   /* stays in the receive buffer, a frame is taken when it is whole */
    WS_SINK_LARGE,   /* copied to the large buffer as it comes */
    WS_SINK_INFLATE, /* inflated to the deflate buffer, and on into the large one */
    WS_SINK_DROP,    /* skipped */
};

/* End of the conversation: fills *ev with WS_ERROR and owes the peer a close frame of `code` (0:
 * none, the upgrade is not done). Returns WS_ERROR. */
enum ws_event_type ws_fail(struct ws *ws, struct ws_event *ev, int code, const char *format, ...)
    __attribute__((format(printf, 4, 5)));

/* The reply, as far as it has come: WS_NONE, WS_OPEN, WS_REFUSED or WS_ERROR. */
enum ws_event_type ws_reply_next(struct ws *ws, struct ws_event *ev);

/* Copy text that came from the peer for the log: what is not printable ASCII becomes '?'. */
size_t ws_printable(char *to, size_t cap, const unsigned char *from, size_t len);

/* Lend the large buffer to this ws and move the message there. false: another holds it. */
bool ws_borrow(struct ws *ws);
void ws_return(struct ws *ws);

/* Fill buf from the configured source: 0 or -EIO. */
int ws_random(struct ws *ws, void *buf, size_t len);

/* May this code stand in a close frame (RFC 6455 7.4, IANA registry)? */
bool ws_close_code_valid(unsigned code);

/* Begin a connection's inflater, in the arena: 0 or -ENOMEM. */
int ws_inflate_start(struct ws *ws);
void ws_inflate_stop(struct ws *ws);
void ws_inflate_message(struct ws *ws);

/* Inflate recv[start, start + len) behind the message, or (len 0) finish it. *used says how much
 * input was taken. 0; -EBUSY the large buffer is lent to another; -EMSGSIZE; -EBADMSG. */
int ws_inflate(struct ws *ws, size_t len, size_t *used);
int ws_inflate_finish(struct ws *ws);

/* Advance the UTF-8 automaton. WS_UTF8_ACCEPT: between characters; WS_UTF8_REJECT stays. */
#define WS_UTF8_ACCEPT 0
#define WS_UTF8_REJECT 12
uint32_t ws_utf8(uint32_t state, const unsigned char *p, size_t len);

#endif
