/* What a rear-guard says to the feeder that follows it (rearguard.h): records in a stream of bytes,
 * a head and a payload each. Pure: bytes in, bytes out, every buffer the caller's.
 *
 * The spool is the rear-guard's end: a ring that records are put in whole and leave in pieces. The
 * stream is the feeder's: bytes that came, from which whole records are taken. */
#ifndef PX_FEEDER_RELAY_H
#define PX_FEEDER_RELAY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* The two programs may be of different versions: they understand each other if this is the same. */
#define RELAY_FORMAT 1u

/* Longest payload. What a venue sends beyond is a book, which is of no use to who has missed its
 * beginning, or a list of all tickers, which comes again. */
#define RELAY_PAYLOAD_MAX (64u * 1024)
/* Readable bytes behind every payload, for the parser. */
#define RELAY_PADDING 64u

#define RELAY_VENUE_MAX    32
#define RELAY_ENDPOINT_MAX 256
#define RELAY_REASON_MAX   192

enum relay_type {
    RELAY_LINK = 1, /* struct relay_link: `link` is this connection from here on */
    RELAY_TEXT,     /* a message of a link, and when it was read */
    RELAY_MARK,     /* struct relay_mark: all that was read before this time has been given */
    RELAY_END       /* the link has ended; the payload is the reason, a text */
};

struct relay_head {
    uint32_t len;  /* of the payload */
    uint16_t type; /* enum relay_type */
    uint16_t link;
    int64_t utc_ns, mono_ns;
};

struct relay_link {
    uint32_t format; /* RELAY_FORMAT */
    uint32_t shard, route;
    char venue[RELAY_VENUE_MAX];
    char endpoint[RELAY_ENDPOINT_MAX]; /* as the configuration has it */
};

struct relay_mark {
    uint64_t messages; /* that were relayed */
    uint64_t too_long; /* that were not, for their length */
};

struct relay_spool {
    unsigned char *data; /* cap bytes */
    size_t cap, start, len;
};

/* A record with a payload of the longest kind, and one of the end of its link behind it, fit. */
bool relay_has_room(const struct relay_spool *s);
/* Put a record in; head.len bytes of payload follow it. False: no room, nothing was put. */
bool relay_put(struct relay_spool *s, const struct relay_head *head, const void *payload);
/* Bytes to be written next; returns how many lie together, 0 none. Then how many were. */
size_t relay_pending(const struct relay_spool *s, const unsigned char **at);
void relay_written(struct relay_spool *s, size_t n);

#define RELAY_STREAM_BYTES (2 * (sizeof(struct relay_head) + RELAY_PAYLOAD_MAX))

struct relay_stream {
    unsigned char *data; /* RELAY_STREAM_BYTES + RELAY_PADDING */
    size_t start, end;
};

/* Where the next bytes go; how many fit: not 0 unless relay_next() was not called until 0. Ends the
 * life of the last payload. */
size_t relay_space(struct relay_stream *s, unsigned char **at);
void relay_received(struct relay_stream *s, size_t n);
/* The next record: 1, its payload lies in the stream; 0: more bytes are needed. Errors: -EPROTO
 * what came is no record, nothing more can be taken. */
int relay_next(struct relay_stream *s, struct relay_head *head, const unsigned char **payload);

#endif
