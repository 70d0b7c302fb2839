/* What a venue's dialect provides: one file with const structs of these, and a line in venues.def.
 * Everything here is pure: no clock, no socket; replies go through session->send. */
#ifndef PXSIM_VENUE_H
#define PXSIM_VENUE_H

#include "hub.h"

struct sim_venue {
    const char *name;
    unsigned ping_ms;           /* the server pings this often */
    unsigned pong_ms;           /* and hangs up after this long without an answer */
    unsigned max_age_s;         /* life of a connection */
    unsigned messages_per_s;    /* that a client may send, control frames included; 0: any */
    unsigned attempts_per_5min; /* connections that a client may open; 0: any */

    /* The upgrade request was read: subscribe to what the target names. Returns 0 or an HTTP status
     * to refuse with. `target` is the raw path with its query, and may be modified. */
    int (*open)(struct session *s, char *target);
    /* A text message of the client. `text` is not terminated. */
    void (*text)(struct session *s, const char *text, size_t len);
    /* Put the event in words for one stream. Returns the length, 0 for nothing to say or no room.
     */
    size_t (*write)(const struct stream *stream, const struct hub_event *event, char *buf,
                    size_t room);
    /* The notice of a planned end; NULL if the venue has none. */
    size_t (*shutdown_notice)(const struct session *s, char *buf, size_t room);
};

#define PXSIM_VENUE(name) extern const struct sim_venue sim_venue_##name;
#include "venues.def"
#undef PXSIM_VENUE

/* NULL if there is no such venue. */
const struct sim_venue *sim_venue_find(const char *name);
/* Names in order, NULL past the end. */
const char *sim_venue_name(size_t i);

#endif
