/* WebSocket client (RFC 6455) as a pure stage: bytes in, whole messages out, in place.
 *
 *   space = ws_space(ws, &p); n = read(fd, p, space); ws_received(ws, n);
 *   while (ws_next(ws, &ev) != WS_NONE) ...            (stop at WS_BLOCKED too)
 *   n = ws_owed(ws, out, cap);                         pong and close answers
 *
 * No socket, no clock, no allocation: every buffer is the caller's. One ws per connection and one
 * thread for all that share a ws_large. A protocol error never needs the caller's judgement: the
 * event carries the sentence for the log, and ws_owed() the close frame for the peer. */
#ifndef PX_FEEDER_WS_H
#define PX_FEEDER_WS_H

#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

/* Readable bytes that stand behind every message (simdjson asks for 32). Readable, not zero: they
 * may be the next frame. */
#define WS_PADDING 64

/* Smallest receive buffer, and the bound of an upgrade reply (less in a smaller buffer). */
#define WS_RECV_MIN  512
#define WS_REPLY_MAX 16384

/* Bytes that a frame of ours needs beyond its payload, and a cap that always suffices ws_owed(). */
#define WS_FRAME_MAX_HEAD 14
#define WS_OWED_MAX       (2 * (125 + WS_FRAME_MAX_HEAD))

/* zlib's memory: the inflate state (about 10 KB in zlib 1.2.13) and its 32 KiB window, twice,
 * because a finished deflate stream hands its window to the next one. */
#define WS_DEFLATE_ARENA ((size_t)96 * 1024)

#define WS_REASON_MAX 192

/* A buffer for the one message that outgrows a receive buffer. Shared by the connections of one
 * thread; the caller allocates cap + WS_PADDING bytes and sets data, cap and owner = NULL. */
struct ws_large {
    unsigned char *data;
    size_t cap;
    const struct ws *owner; /* NULL: free. Set and cleared by ws.c alone */
    uint64_t borrowed;      /* count of leases, for the statistics */
};

/* Memory of permessage-deflate for one connection. The caller allocates it (zeroed) and out, which
 * has out_cap + WS_PADDING bytes; what inflates beyond out_cap goes on into the large buffer. */
struct ws_deflate {
    unsigned char *out;
    size_t out_cap;
    size_t arena_used;
    _Alignas(16) unsigned char arena[WS_DEFLATE_ARENA];
};

/* Fill buf with len random bytes: 0 or negative errno. */
typedef int ws_random_fn(void *arg, void *buf, size_t len);

struct ws_config {
    unsigned char *recv; /* recv_cap + WS_PADDING bytes, the caller's, as long as the ws lives */
    size_t recv_cap;
    struct ws_large *large;     /* NULL: a message must fit into the receive buffer */
    struct ws_deflate *deflate; /* NULL: permessage-deflate is not offered */
    size_t max_message;         /* bytes, after inflation; 0: as much as the buffers hold */
    ws_random_fn *random;       /* NULL: getrandom(2) */
    void *random_arg;
};

enum ws_opcode {
    WS_OP_CONTINUATION = 0x0,
    WS_OP_TEXT = 0x1,
    WS_OP_BINARY = 0x2,
    WS_OP_CLOSE = 0x8,
    WS_OP_PING = 0x9,
    WS_OP_PONG = 0xa,
};

enum ws_event_type {
    WS_NONE,    /* nothing whole: read more */
    WS_OPEN,    /* the upgrade was accepted */
    WS_REFUSED, /* it was not: code (HTTP status), reason, retry_after_s, retry_after */
    WS_TEXT,    /* data, len: a whole message, valid UTF-8 */
    WS_BINARY,  /* data, len */
    WS_PING,    /* data, len; the pong is in ws_owed() */
    WS_PONG,    /* data, len */
    WS_CLOSE, /* code (1005: none was given), reason; the answer, if one is due, is in ws_owed() */
    WS_BLOCKED, /* the large buffer is lent to another: do not read, call ws_next() when it is free
                 */
    WS_ERROR,   /* code: that of the close frame in ws_owed(), 0 before the upgrade; reason */
};

/* Only the fields that the type names are set. data has WS_PADDING readable bytes behind it. */
struct ws_event {
    enum ws_event_type type;
    int code;
    const unsigned char *data;
    size_t len;
    const char *reason;      /* one sentence, printable, lives as long as the ws */
    long retry_after_s;      /* -1: absent, or a date */
    const char *retry_after; /* the header's text as sent, "" if absent */
};

/* The fields are ws_*.c's own. A ws may be copied only before its first ws_received(). */
struct ws {
    struct ws_config cfg;
    size_t start, end;   /* bytes not yet parsed: recv[start, end) */
    size_t scan;         /* reply: searched for its end up to here */
    size_t msg_at;       /* fragments assembled in place: recv[msg_at, msg_at + msg_len) */
    size_t msg_len;      /* bytes of the message so far, wherever it is assembled */
    unsigned char *out;  /* a message that is not assembled in place: where */
    size_t out_cap;      /* and how much fits there */
    uint64_t frame_left; /* payload of the open frame that is still to come (sink) */
    uint32_t utf8;       /* state of the text check over fragments */
    uint8_t phase, sink, message_op, in_frame, frame_fin, lent;
    uint8_t deflate_on, deflate_reset, deflate_tail, deflate_live;
    uint8_t pong_due, pong_len, close_due, close_sent;
    uint16_t close_code;
    unsigned char pong[125];
    uint32_t masks[64];
    unsigned masks_left;
    char accept[29];
    char retry_after[64];
    char reason[WS_REASON_MAX];
    void *inflate; /* z_stream in the arena */
};

struct ws_target {
    const char *host;    /* as in the Host header, with the port if it is not the default */
    const char *path;    /* "/ws?x=y" */
    const char *headers; /* further lines, each "Name: value\r\n", or NULL */
};

/* Prepare *ws for one connection. Owner: all memory stays the caller's. Threads: none, as all
 * below. Errors: -EINVAL a buffer is missing or smaller than WS_RECV_MIN, or max_message is more
 * than the large buffer (without one: the receive buffer less 160 bytes) holds. */
int ws_init(struct ws *ws, const struct ws_config *cfg);

/* Give back the large buffer and zlib's state, whatever the state. NULL and zeroed ws are fine. */
void ws_drop(struct ws *ws);

/* Write the upgrade request. Returns its bytes.
 * Errors: -EINVAL control character or space where none may be, or headers not whole lines;
 * -ENOBUFS cap too small; -EIO no random bytes; -ENOTSUP no SHA-1. */
ssize_t ws_request(struct ws *ws, const struct ws_target *to, char *out, size_t cap);

/* Where the next bytes from the peer go. Returns how many fit: not 0, unless ws_next() was not
 * called until WS_NONE. Ends the life of the last event's data. */
size_t ws_space(struct ws *ws, unsigned char **at);

/* n bytes were put there. n <= what ws_space() returned. */
void ws_received(struct ws *ws, size_t n);

/* The next event; also returned. Ends the life of the last event's data. After WS_REFUSED, WS_CLOSE
 * and WS_ERROR comes only WS_NONE, and what arrives is dropped. Work is bounded by what arrived. */
enum ws_event_type ws_next(struct ws *ws, struct ws_event *ev);

/* Write what the protocol owes the peer: the pong of the latest ping (RFC 6455 5.5.3 allows to skip
 * the earlier ones), the close frame. Returns bytes, 0 if nothing is due.
 * Errors: -ENOBUFS cap below WS_OWED_MAX and too small, nothing lost; -EIO no random bytes. */
ssize_t ws_owed(struct ws *ws, unsigned char *out, size_t cap);

/* Write one unfragmented, masked frame; opcode text, binary, ping or pong. Returns its bytes.
 * out and payload do not overlap. len up to 2^31.
 * Errors: -ENOTCONN not open or closing; -EINVAL opcode, or control payload over 125 bytes;
 * -ENOBUFS cap below len + WS_FRAME_MAX_HEAD and too small; -EIO no random bytes. */
ssize_t ws_write(struct ws *ws, enum ws_opcode opcode, const void *payload, size_t len,
                 unsigned char *out, size_t cap);

/* Start the close handshake: write a close frame. From here on data is dropped, and ws_next() gives
 * only WS_CLOSE or WS_ERROR. reason: UTF-8, cut at 123 bytes between characters, or NULL.
 * Errors: -ENOTCONN not open, or already closing; -EINVAL a code that may not be sent; -ENOBUFS;
 * -EIO. */
ssize_t ws_close(struct ws *ws, uint16_t code, const char *reason, unsigned char *out, size_t cap);

#endif
