/* From what a venue's frames state to ticks on the bus: which slot, whether it was seen before,
 * whether something is missing, and what all that says about the quality of the symbol. */
#ifndef PX_FEEDER_PUBLISH_H
#define PX_FEEDER_PUBLISH_H

#include "fold.h"
#include "now.h"
#include "venue.h"
#include "wants.h"

#include "px/writer.h"

/* Where frames come from: one per link, the link's own. */
struct publish_source {
    const struct px_venue *venue;
    uint32_t venue_index;
    uint32_t conn; /* the link's record */
    uint32_t life; /* counts its connections: ids are compared across them with care */
    bool relayed;  /* its beginning was another process's: only what is complete by itself counts */
    /* Acknowledgement, refusal, planned end, reply, what is to be asked for anew: the
     * link's affair. */
    void (*control)(void *user, const struct venue_event *event);
    void *user;
    uint64_t ticks, gaps, duplicates, refused_frames; /* for the link's record */
    /* Of trades that several connections bring: brought first; after another, and by how much. */
    uint64_t firsts, seconds, behind_ns;
};

/* When a read(2) returned: one pair of clock readings for all that it brought. */
struct publish_time {
    int64_t utc_ns, mono_ns;
};

static inline struct publish_time publish_now(void)
{
    return (struct publish_time){.utc_ns = now_utc_ns(), .mono_ns = now_mono_ns()};
}

struct publish;

/* Owner: the caller, until publish_free(); writer, wants and fold stay the caller's. NULL: no
 * memory. */
struct publish *publish_new(px_writer *w, struct wants *wants, struct fold *fold);
void publish_free(struct publish *p);
size_t publish_bytes(uint32_t capacity);

/* A hole in the ids of a symbol's trades, as it was said by a STATUS gap tick. */
struct publish_hole {
    uint32_t venue_index, slot, generation;
    bool aggregated;
    uint64_t first, last;
    int64_t after_ns; /* exchange time of the last trade before it, at about; 0 unknown */
};

/* Who is told of holes, inside publish_frame(): it must not call back. NULL: nobody. */
void publish_on_hole(struct publish *p, void (*hole)(void *user, const struct publish_hole *hole),
                     void *user);

/* Is the slot still that symbol's, and the count of its ids the one that the hole is in? */
bool publish_hole_stands(const struct publish *p, const struct publish_hole *hole);

/* A trade of a hole: on the ring as PX_FLAG_BACKFILL. The last trade of the symbol stays what it is
 * if it is a later one. px_writer_flush() is the caller's. False: a decimal does not fit. */
struct hole_trade;
bool publish_fill(struct publish *p, const struct publish_hole *hole,
                  const struct hole_trade *trade, struct publish_time at);

/* Decode one text message (VENUE_PADDING readable bytes behind it) and publish what it states.
 * px_writer_flush() is the caller's, once per batch. Returns how many events of a symbol it had:
 * data, or the venue's word that there was none to miss. */
uint32_t publish_frame(struct publish *p, struct publish_source *from, struct json *json,
                       const char *frame, size_t len, struct publish_time at);

/* One event, as publish_frame() gets it from the venue. */
void publish_event(struct publish *p, struct publish_source *from, const struct venue_event *event,
                   struct publish_time at);

/* The link's connection ended: books and numbers that belong to it are void. */
void publish_drop(struct publish *p, struct publish_source *from);

/* This symbol is not asked for any more on the link. */
void publish_forget(struct publish *p, const struct publish_source *from, const char *native,
                    size_t len);

/* The link lost its connection: every symbol that it fed is STALE with this cause, and says so. */
void publish_lost(struct publish *p, const struct publish_source *from, uint32_t cause,
                  struct publish_time at);

/* Ten times a second: each symbol's silence is judged against its own rhythm, once per second. */
void publish_judge(struct publish *p, struct publish_time at);

#endif
