/* What a venue's dialect provides: one file with const structs of these, and a line in venues.def.
 * Everything here is pure: no clock, no socket; replies go through session->send. */
#ifndef PXSIM_VENUE_H
#define PXSIM_VENUE_H

#include "hub.h"
#include "rest.h"

/* How a connection is ended; code 0: 1008 and a sentence of pxsim's own. */
struct sim_close {
    unsigned code;
    const char *reason;
};

struct sim_venue {
    const char *name;
    unsigned ping_ms;             /* the server pings this often; 0: never */
    unsigned pong_ms;             /* and hangs up after this long without an answer */
    unsigned max_age_s;           /* life of a connection; 0: no end */
    unsigned messages_per_s;      /* that a client may send, control frames included; 0: any */
    unsigned attempts_per_5min;   /* connections that a client may open; 0: any */
    unsigned subscribe_within_ms; /* a connection without a subscription then is ended; 0: never */
    unsigned idle_ms;             /* the client says nothing for so long: ended; 0: never */
    size_t frame_max;             /* a longer message of the client ends with 1009; 0: 65,520 */
    const char *frame_reason;     /* of that 1009; NULL: pxsim's own words */
    struct sim_close subscribe_close, idle_close;
    bool binary;     /* what the client is told comes in binary messages */
    bool gap_in_ids; /* the fault sequence-gap skips trade ids, and leaves no message out */

    /* The upgrade request was read: subscribe to what the target names. Returns 0 or an HTTP status
     * to refuse with. `target` is the raw path with its query, and may be modified. */
    int (*open)(struct session *s, char *target);
    /* A text message of the client. `text` is not terminated. */
    void (*text)(struct session *s, const char *text, size_t len);
    /* The connection is open: say hello. NULL: the venue says nothing. */
    void (*greet)(struct session *s);
    /* Once a second while the connection is open. NULL: nothing to do. */
    void (*second)(struct session *s);
    /* Put the event in words for one stream. Returns the length, 0 for nothing to say or no room.
     */
    size_t (*write)(const struct stream *stream, const struct hub_event *event, char *buf,
                    size_t room);
    /* The notice of a planned end; NULL if the venue has none. */
    size_t (*shutdown_notice)(const struct session *s, char *buf, size_t room);
    /* A request for trades that were made, over plain HTTP. Put the answer's body in words and
     * return 200, or return the status to refuse with. NULL: the venue has no such thing here. */
    int (*history)(struct hub *hub, const struct rest_request *request, struct text *body);
    /* An instrument that may exist, in the venue's spelling. NULL: only the listed ones do. */
    bool (*is_symbol)(const char *name);
    /* A contract on this pair, which is spelled as below: it costs what the pair does. NULL: there
     * are no contracts besides the listed names. */
    bool (*is_contract_on)(const char *name, const char *pair);
    /* The venue's name of a pair, of capital letters and digits or UTF-8. Returns its length, 0 if
     * the venue has no such pair or there is no room. NULL: base and quote, one behind the other.
     */
    size_t (*spell)(const char *base, const char *quote, char *out, size_t cap);
};

#define PXSIM_VENUE(name) extern const struct sim_venue sim_venue_##name;
#include "venues.def"
#undef PXSIM_VENUE

/* NULL if there is no such venue. */
const struct sim_venue *sim_venue_find(const char *name);
/* Names in order, NULL past the end. */
const char *sim_venue_name(size_t i);

#endif
