/* Shared by publish.c and publish_quality.c only: what is known of the symbols, and what their
 * quality has to hear of what comes. */
#ifndef PX_PUBLISH_INTERNAL_H
#define PX_PUBLISH_INTERNAL_H

#include "counters.h"
#include "join.h"
#include "order.h"
#include "publish.h"

#define MS INT64_C(1000000)
#define S  (1000 * MS)

/* Updates that have no ids: by exchange times. Of the same time only one connection's are taken. */
struct timed {
    struct order order;
    uint32_t conn1;
};

/* What is known of a slot's owner. Valid while `generation` is the slot's. */
struct symbol {
    uint32_t generation;
    uint32_t sub;                  /* its entry, SUBS_NONE: fed by the all-market stream alone */
    uint32_t venue;                /* index */
    uint32_t conn1;                /* link that fed it last, + 1; 0 none */
    uint64_t links[PX_CELL_KINDS]; /* links that bring this kind, a bit each */
    uint64_t heirs[PX_CELL_KINDS]; /* when the last of those was lost: links that had been promised
                                      it, by which it lives until one brings it */
    uint16_t lost;                 /* kinds that came, and whose links are all gone */
    bool missing;                  /* quality is GAP until the ids are consistent again */
    bool book_lost;                /* quality is GAP until quotes are right again */
    bool fast;       /* quotes come from a stream of their own: those of tickers are slower */
    bool aggregated; /* the space of `trade` */
    bool broken;     /* nobody asked for trades for a while: no basis for gaps */
    uint32_t asking; /* of the entry, that `broken` goes by */
    int64_t mono_ns;
    int64_t rhythm_ns;
    int64_t trade_exch_ns;
    int64_t known_ns;          /* trades without ids: up to this time of the venue they are known */
    uint64_t beat_id;          /* the last trade's, as the last heartbeat had it */
    struct order trade, quote; /* by the venue's ids */
    struct join join;          /* of trades over several connections */
    int64_t trade_mono_ns;     /* of the last trade */
    uint32_t trade_conn1;      /* that brought it, + 1 */
    struct timed quotes, tickers, derived;
};

struct publish {
    px_writer *writer;
    struct wants *wants;
    struct subs *subs;
    struct fold *fold;
    uint32_t capacity, judged;
    struct publish_source *from;
    struct publish_time at;
    uint32_t events;
    int64_t began_ns; /* the first event of this run, 0 none yet */
    void (*hole)(void *user, const struct publish_hole *hole);
    void *hole_user;
    struct symbol symbol[];
};

static inline uint64_t publish_link_bit(uint32_t conn)
{
    return UINT64_C(1) << (conn % SUBS_LINKS_MAX);
}

/* Other connections than this one bring the kind as well. */
static inline bool publish_others(const struct publish *p, const struct symbol *s, uint32_t kind)
{
    return (s->links[kind] & ~publish_link_bit(p->from->conn)) != 0;
}

/* Something new of a symbol: its rhythm, and the link that it lives by. */
void quality_arrival(struct publish *p, struct symbol *s, uint32_t slot);
/* A kind came, new or what the slot holds: the symbol is LIVE once nothing that is asked for is
 * without a link, and nothing of it is missing. */
void quality_present(struct publish *p, struct symbol *s, uint32_t slot, uint32_t kind);
/* Ids first to last of its trades did not come. */
void quality_ids_missing(struct publish *p, uint32_t slot, uint64_t first, uint64_t last);

/* What fold.h and the venue say of loss: VENUE_RESYNC, VENUE_SEQUENCE, VENUE_HEARTBEAT. */
void quality_resync(struct publish *p, const struct venue_event *ev);
void quality_sequence(struct publish *p, const struct venue_event *ev);
/* Returns whether it proves that the symbol is silent and nothing of it is missing. */
bool quality_heartbeat(struct publish *p, const struct venue_event *ev);

#endif
