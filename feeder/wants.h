/* Wants on the bus: the one place where readers' subscriptions, the configuration and the saved set
 * become slots, pins and qualities. Above subs.c (pure) and px/writer.h. One thread. */
#ifndef PX_WANTS_H
#define PX_WANTS_H

#include "config.h"
#include "subs.h"

#include "px/writer.h"

struct wants;

/* Owner: the caller, until wants_free(); config and writer stay the caller's. NULL: no memory. */
struct wants *wants_new(const struct config *config, px_writer *w);
void wants_free(struct wants *wants);
struct subs *wants_subs(struct wants *wants);
size_t wants_bytes(const struct config *config);

/* Ask for what the configuration names, and no longer for what an earlier one named. */
void wants_apply(struct wants *wants, const struct config *config, int64_t now_ns);
/* One line of the saved set: held for the grace time. */
void wants_hold(struct wants *wants, const char *symbol, uint32_t kinds, int64_t now_ns);

/* What a subscription gets: its entry and slot (PX_NO_SLOT for venue:*), or a sentence. */
struct wants_answer {
    uint32_t sub, slot;
    char text[120];
};

/* A reader's subscription: checked, bound, pinned. Errors: negative errno, out->text says why. */
int wants_subscribe(struct wants *wants, const char *symbol, uint32_t kinds, int64_t now_ns,
                    struct wants_answer *out);
/* More kinds of a symbol that the reader holds already: as above, slot and sub untouched. */
int wants_more(struct wants *wants, uint32_t sub, uint32_t kinds, int64_t now_ns,
               struct wants_answer *out);
/* The reader gives back all its kinds of a symbol. */
void wants_unsubscribe(struct wants *wants, uint32_t sub, uint32_t kinds, int64_t now_ns);

/* The slot of an entry, bound again if it was evicted. Hot path: one compare. Errors: -ENOSPC. */
int wants_rebind(struct wants *wants, struct sub *e, uint32_t *slot);
static inline int wants_slot(struct wants *wants, px_writer *w, struct sub *e, uint32_t *slot)
{
    if (e->generation != 0 && px_writer_generation(w, e->slot) == e->generation) {
        *slot = e->slot;
        return 0;
    }
    return wants_rebind(wants, e, slot);
}

/* Call `gone` for each entry that nobody wants any more, before it is free. */
typedef void wants_gone(void *user, const struct sub *e);
void wants_on_gone(struct wants *wants, wants_gone *gone, void *user);

/* Time passes: subs_tick(), changes become qualities, pins and counters. Ten times a second. */
void wants_tick(struct wants *wants, int64_t now_ns);

/* Memory is short: grace times end, and slots that nobody asks for leave the bus. Returns how many
 * did. */
uint32_t wants_reclaim(struct wants *wants, int64_t now_ns);

/* Walk the set to save: readers' and held symbols (not those of the configuration, which come from
 * there). *cursor starts at 0; returns 1 with "venue:NATIVE" and kinds, 0 at the end. */
int wants_saved(const struct wants *wants, uint32_t *cursor, char symbol[PX_SYMBOL_MAX + 1],
                uint32_t *kinds);
uint64_t wants_revision(const struct wants *wants);

#endif
