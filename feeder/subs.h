/* Wanted against acknowledged subscriptions. Pure: now_ns (CLOCK_MONOTONIC) is an argument,
 * messages are written into the caller's buffer, nothing is logged and nothing touches a socket or
 * the bus.
 *
 *   who wants it (readers, config, a grace time) -> wanted kinds of a symbol -> what each link was
 *   asked for -> what the venue acknowledged
 *
 * A symbol of a venue lives in one shard: the set of streams that fits one connection. A shard is
 * carried by one link, or by several at once (redundancy, overlap of a planned end): each carries
 * all of it, and is asked and acknowledged by itself. On a new link everything wanted is asked
 * again.
 *
 * Fixed tables, made by subs_new(). One thread. */
#ifndef PX_SUBS_H
#define PX_SUBS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "venue.h"

#define SUBS_NONE       UINT32_MAX
#define SUBS_LINKS_MAX  64u /* as many as the segment has records of connections */
#define SUBS_SHARDS_MAX 16u /* per venue */
/* Links that can carry one shard at the same time: two routes, two each (redundancy), and the
 * successor of one of them. */
#define SUBS_LANES      6u
#define SUBS_VENUES_MAX 32u
#define SUBS_USERS_MAX  256u
#define SUBS_WINDOW_MAX 64u /* messages in one second that a budget can know of */

enum subs_state {
    SUBS_FREE = 0,
    SUBS_ASKING,     /* wanted, not yet acknowledged by any link */
    SUBS_UNANSWERED, /* asked several times on a link that stays: asked again, further apart */
    SUBS_ACKED,      /* acknowledged, no data yet */
    SUBS_SILENT,     /* acknowledged for longer than no_data_ns, and still nothing has come */
    SUBS_FLOWING,    /* data has come since the links that carry it are up */
    SUBS_REFUSED,    /* by the venue: text */
    SUBS_IDLE        /* nobody wants it any more; free as soon as this change was taken */
};

/* What one link was asked for, for one symbol. */
struct subs_lane {
    uint32_t request;      /* number of the message that waits for an answer, 0 none */
    uint16_t asked, acked; /* kinds */
    uint16_t pending;      /* kinds of that message that are not answered yet */
    uint16_t resync;       /* kinds to be stopped and asked for again: what they built is lost */
    uint16_t tries;        /* messages without an answer */
    uint16_t batch_max; /* the next message carries at most so many with it: halved by refusals */
    bool turning_off;   /* the unanswered message is an unsubscribe */
    int64_t again_ns;   /* left unanswered too often: asked again then, 0 not so */
    uint32_t resyncs;   /* in a row */
    int64_t resync_ns;  /* when the next one is due, or the last was */
};

struct sub {
    char native[PX_SYMBOL_MAX + 1];
    uint16_t native_len;
    uint8_t venue; /* index as in subs_options */
    uint8_t shard;
    uint32_t streams;                /* of the wanted kinds, counted against the shard */
    uint32_t readers;                /* of any kind: the pins */
    uint32_t by_kind[PX_CELL_KINDS]; /* readers per kind */
    uint16_t config_kinds;           /* asked for by file or command line */
    uint16_t linger_kinds;           /* kept until linger_ns, whoever else wants them or not */
    uint16_t wanted;        /* the union, as the venue is asked (subs_venue.instead applied) */
    uint16_t refused_kinds; /* by the venue, not asked again on the same link */
    uint16_t data_kinds;    /* bits 1 << enum px_kind that have come */
    bool changed, ghost;    /* a ghost is only there to be unsubscribed from a shard it left */
    bool had_data;          /* ever: what never had is not kept for the grace time */
    uint16_t charge1;       /* who is charged for it while no reader has it, + 1; 0 nobody */
    uint32_t state;         /* enum subs_state */
    uint32_t asking; /* another number whenever trades are asked for after a pause, or of another
                        kind; 0: since before this program started */
    int64_t linger_ns;
    int64_t acked_ns;        /* first acknowledgement of the present asking, 0 none */
    uint32_t next, previous; /* in its shard */
    uint32_t hash_next;
    uint32_t change_next; /* list of changes; of free entries when SUBS_FREE */
    struct subs_lane lane[SUBS_LANES];
    char text[PX_TEXT_MAX + 1]; /* the venue's words */
    /* Kept for wants.c: where its values go. */
    uint32_t slot, generation;
};

struct subs_venue {
    const struct px_venue *venue;
    bool limits;      /* of messages apply; what a connection carries is always bounded */
    uint16_t instead; /* VENUE_AGGTRADES where trades are wanted, VENUE_DEPTH where quotes are */
};

/* One stream as an answer names it. kinds 0: whatever waits of this symbol. */
struct subs_stream {
    const char *native;
    size_t len;
    uint32_t kinds;
    bool off; /* the answer to an unsubscribe */
};

struct subs_options {
    uint32_t capacity;  /* symbols wanted or lingering at the same time */
    int64_t grace_ns;   /* between the last who wants it and the unsubscribe message */
    int64_t no_data_ns; /* acknowledged and silent for so long: SUBS_SILENT */
    int64_t answer_ns;  /* unanswered for so long: asked again */
    struct subs_venue venue[SUBS_VENUES_MAX];
    uint32_t venue_count;
};

struct subs_counts { /* since subs_new(), for counters */
    uint64_t subscribes, unsubscribes, acks, refusals, unanswered;
};

struct subs;

/* Bytes that subs_new() takes for this capacity. */
size_t subs_bytes(uint32_t capacity);
/* Owner: the caller, until subs_free(). NULL: no memory, or options out of range. */
struct subs *subs_new(const struct subs_options *options);
void subs_free(struct subs *s);

/* Who wants what. Errors: -ENOSPC the table or the venue's connections are full; -EOPNOTSUPP the
 * venue brings none of these kinds (or "*" with other than tickers); -EINVAL. On 0 *sub is the
 * entry. */
int subs_reader_add(struct subs *s, uint32_t venue, const char *native, uint32_t kinds,
                    int64_t now_ns, uint32_t *sub);
/* A reader gives back `kinds`; `left`: it holds nothing of this symbol any more, one pin less. */
void subs_reader_drop(struct subs *s, uint32_t sub, uint32_t kinds, bool left, int64_t now_ns);
/* While no reader has this entry, it counts as `user`'s (0 to SUBS_USERS_MAX - 1, the caller's
 * numbers) until it is free or a reader has it again. */
void subs_charge(struct subs *s, uint32_t sub, uint32_t user);
uint32_t subs_charged(const struct subs *s, uint32_t user);
bool subs_charged_to(struct subs *s, uint32_t sub, uint32_t user);
/* Nothing is charged to `user` any more: the number will mean another. */
void subs_forgive(struct subs *s, uint32_t user);
/* More kinds for a reader that already holds the symbol. Errors: -ENOSPC, -EOPNOTSUPP. */
int subs_reader_more(struct subs *s, uint32_t sub, uint32_t kinds, int64_t now_ns);
/* kinds 0 takes it back. */
int subs_config(struct subs *s, uint32_t venue, const char *native, uint32_t kinds, int64_t now_ns,
                uint32_t *sub);
/* From the state file: wanted until until_ns, whoever else wants it or not. */
int subs_hold(struct subs *s, uint32_t venue, const char *native, uint32_t kinds, int64_t until_ns,
              uint32_t *sub);

/* The entry of a native symbol as a frame names it. SUBS_NONE: nobody wants it. Hot path. */
uint32_t subs_find(const struct subs *s, uint32_t venue, const char *native, size_t len);
/* Entry by index: valid until it is SUBS_FREE. NULL: no such, or free. */
struct sub *subs_at(struct subs *s, uint32_t sub);
uint32_t subs_index_of(const struct subs *s, const struct sub *e);
uint32_t subs_capacity(const struct subs *s);
uint32_t subs_used(const struct subs *s); /* entries in use */
bool subs_full(const struct subs *s);     /* no symbol more: the table, not the connections */

/* Kinds that are wanted, as readers name them. */
static inline uint32_t subs_plain_kinds(uint32_t kinds)
{
    return (kinds & PX_ALL_KINDS) | ((kinds & VENUE_AGGTRADES) != 0 ? PX_TRADES : 0) |
           ((kinds & VENUE_DEPTH) != 0 ? PX_QUOTES : 0);
}
static inline uint32_t subs_kinds(const struct sub *e)
{
    return subs_plain_kinds(e->wanted);
}
/* Was this link, which is open or a guest, asked for one of `kinds` (as readers name them) of an
 * entry? */
bool subs_carries(const struct subs *s, uint32_t link, const struct sub *e, uint32_t kinds);

/* Open links but `except`, a bit each, that have been promised one of `kinds` (as readers name
 * them) of an entry. */
uint64_t subs_acked(const struct subs *s, const struct sub *e, uint32_t kinds, uint32_t except);

/* From now on a wish for trades is a new one: those before go on from an earlier run, so that what
 * was missed meanwhile is a gap. */
void subs_started(struct subs *s);

/* Links. How many shards of a venue want a connection now: shards 0 to the result - 1. */
uint32_t subs_shards(const struct subs *s, uint32_t venue);
/* Routes of a venue, at least one: each shard has a link for each route that something is wanted
 * on.
 */
uint32_t subs_routes(const struct subs *s, uint32_t venue);
/* Does this shard hold anything that is wanted on this route? A link without is not needed. */
bool subs_shard_wanted(const struct subs *s, uint32_t venue, uint32_t shard, uint32_t route);
/* Streams that are wanted of a link, and that it has acknowledged. */
void subs_streams(const struct subs *s, uint32_t link, uint32_t *wanted, uint32_t *acked);

/* The upgrade of `link` (0 to SUBS_LINKS_MAX - 1, the caller's number) was accepted: everything of
 * the shard that comes over this route is to be asked for. Errors: -EBUSY it is open; -ENOSPC
 * SUBS_LANES links carry this shard. */
int subs_link_open(struct subs *s, uint32_t link, uint32_t venue, uint32_t shard, uint32_t route);
/* `link` brings, unasked, whatever is wanted of this route of the venue, in whichever shard: it
 * goes on from before this program started. It is not open: nothing is asked on it. */
void subs_guest(struct subs *s, uint32_t link, uint32_t venue, uint32_t route);
/* It ended, whatever the reason. Neither open nor a guest: nothing. */
void subs_link_close(struct subs *s, uint32_t link, int64_t now_ns);

/* Write the next message that is due on `link` into out. Returns its length; 0: nothing now, and
 * *at_ns says when to ask again at the latest (INT64_MAX: at the next change). -ENOSPC: cap is too
 * small for a message of one wish. Costs one message of the link's budget. */
int subs_next(struct subs *s, uint32_t link, int64_t now_ns, char *out, size_t cap, int64_t *at_ns);
/* Is anything due on this link (budget apart)? Cheap. */
bool subs_due(const struct subs *s, uint32_t link);
/* Everything that is wanted on this link has been acknowledged. */
bool subs_settled(const struct subs *s, uint32_t link);
/* `n` messages of another kind (pong, ping, keepalive) went out: they draw on the same budget. One
 * message of each second is never given to subscriptions, so that a pong always has room. */
void subs_spent(struct subs *s, uint32_t link, uint32_t n, int64_t now_ns);

/* The venue's limit of messages applies from now on, on open links too. False: it did already. */
bool subs_keep_limits(struct subs *s, uint32_t venue);

/* The venue's answers. request 0: it did not say to which. */
void subs_ack(struct subs *s, uint32_t link, int64_t request, int64_t now_ns);
void subs_refused(struct subs *s, uint32_t link, int64_t request, const char *text, size_t len,
                  int64_t now_ns);
/* The same, where the venue names the stream. */
void subs_ack_stream(struct subs *s, uint32_t link, const struct subs_stream *stream,
                     int64_t now_ns);
void subs_refused_stream(struct subs *s, uint32_t link, const struct subs_stream *stream,
                         const char *text, size_t len);

/* What these streams build is lost on this link: they are stopped and asked for again, at once the
 * first time, then at growing distances (1 s to 64 s) until it has held for five minutes. Returns
 * false if the link does not carry them. */
bool subs_resync(struct subs *s, uint32_t link, const struct subs_stream *stream, int64_t now_ns);

/* Data of a kind came for an entry. Hot path: one test after the first. */
void subs_data_first(struct subs *s, struct sub *e, uint32_t kind);
static inline void subs_data(struct subs *s, struct sub *e, uint32_t kind)
{
    if (((uint32_t)e->data_kinds >> kind & 1u) == 0)
        subs_data_first(s, e, kind);
}

/* Time passes: grace ends, silence is noticed, unanswered messages fall due again. Call it at least
 * ten times a second; returns when it wants to be called next at the latest. */
int64_t subs_tick(struct subs *s, int64_t now_ns);

/* The next entry whose state or wanted kinds changed since it was last returned, SUBS_NONE at the
 * end. An entry in SUBS_IDLE is free from the next call of subs_changed() on. */
uint32_t subs_changed(struct subs *s);

/* VENUE_AGGTRADES instead of trades, VENUE_DEPTH instead of quotes for a venue, or back. */
void subs_instead(struct subs *s, uint32_t venue, uint32_t kinds, int64_t now_ns);
void subs_grace(struct subs *s, int64_t grace_ns, int64_t no_data_ns);
/* Every grace time that runs is over now. */
void subs_end_grace(struct subs *s, int64_t now_ns);

/* Count of changes of what readers want or what lingers: compare to know when to save it. */
uint64_t subs_revision(const struct subs *s);
const struct subs_counts *subs_counted(const struct subs *s);

#endif
