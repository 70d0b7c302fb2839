/* All upstream connections: as many as the subscriptions need, in a table of fixed size. */
#ifndef PX_FEEDER_FLEET_H
#define PX_FEEDER_FLEET_H

#include "link.h"

struct fleet {
    struct link_shared shared;
    struct link link[SUBS_LINKS_MAX];
    struct ws_deflate *deflate; /* inflaters of links of venues that ask for them */
    unsigned char *inflated;    /* and what they write to */
    struct ws_deflate *free_deflate[SUBS_LINKS_MAX]; /* those that are not lent to a link */
    uint32_t free_deflates;
    bool closing;
};

/* `shared` is complete but for `json` and `large`, which are made here; its tls_context becomes the
 * fleet's. Errors: -ENOMEM. */
int fleet_open(struct fleet *f, const struct link_shared *shared);
/* NULL-safe parts; every connection goes without a word. */
void fleet_free(struct fleet *f);

/* Open what is wanted and not there, close what is no longer wanted, send what is due on all.
 * Called after each change of subscriptions; cheap when nothing changed. */
void fleet_pump(struct fleet *f, int64_t now_ns);
/* Nobody wants this symbol any more: what links hold for it goes. For wants_on_gone(). */
void fleet_forget(void *fleet, const struct sub *e);
/* Ten times a second. */
void fleet_tick(struct fleet *f, int64_t now_ns);
/* A free place for a guest (guests.h), NULL: there is none. */
struct link *fleet_place(struct fleet *f);
/* All that is wanted of a venue has been carried for a while by connections that stay: those that
 * leave may go. */
bool fleet_relieves(const struct fleet *f, uint32_t venue, int64_t now_ns);
/* Close frames to all. It is done when fleet_idle() says so. */
void fleet_close(struct fleet *f);
bool fleet_idle(const struct fleet *f);
/* Busy polling: read everywhere. */
void fleet_poll(void *fleet);

/* Memory is short: pages of buffers that nobody uses go back to the system. */
void fleet_clean(struct fleet *f);

/* For the accounts: bytes of the links and of all their buffers. */
uint64_t fleet_bytes(const struct fleet *f);
uint32_t fleet_links(const struct fleet *f);

#endif
