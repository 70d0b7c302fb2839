/* Between subs.c (who wants what), subs_link.c (what the venue is asked) and subs_answer.c (what it
 * says to that). */
#ifndef PX_SUBS_INTERNAL_H
#define PX_SUBS_INTERNAL_H

#include "subs.h"

#define SUBS_REQUESTS_MAX 32u /* messages without an answer, per link */
#define SUBS_SHARD_NONE   UINT8_MAX
#define SUBS_TRIES_MAX    3u /* at answer_ns, then at growing distances */

struct subs_shard {
    uint32_t head, tail; /* entries, in the order they came */
    uint32_t entries, streams;
};

struct subs_request {
    uint32_t request; /* 0: free */
    uint32_t waiting; /* entries that wait for its answers */
    int64_t sent_ns;
};

struct subs_link {
    bool open, due;
    bool guest; /* not open, see subs_guest() */
    uint8_t venue, shard, lane;
    uint16_t kinds; /* of its route */
    uint32_t next_request, unanswered;
    uint32_t window; /* messages per second, 0 no limit */
    uint64_t sent_count;
    int64_t sent_ns[SUBS_WINDOW_MAX];
    struct subs_request request[SUBS_REQUESTS_MAX];
    uint32_t hourly;     /* messages per hour, 0 no limit */
    uint32_t tokens;     /* of them, what may go out now */
    int64_t refilled_ns; /* when the last token came */
};

struct subs {
    struct subs_options options;
    struct subs_counts counts;
    struct sub *entry;
    uint32_t *bucket; /* entry + 1 */
    uint32_t bucket_mask;
    uint32_t high, used, free_head;
    uint32_t change_head, change_tail, returned;
    uint64_t revision;
    uint32_t askings; /* 0: not started */
    uint32_t charged[SUBS_USERS_MAX];
    int64_t next_ns; /* earliest deadline of lingering kinds and of silence */
    struct subs_shard shard[SUBS_VENUES_MAX][SUBS_SHARDS_MAX];
    struct subs_link link[SUBS_LINKS_MAX];
};

static inline uint32_t subs_index(const struct subs *s, const struct sub *e)
{
    return (uint32_t)(e - s->entry);
}

static inline struct subs_shard *subs_shard_of(struct subs *s, const struct sub *e)
{
    return &s->shard[e->venue][e->shard];
}

/* NULL: not open. */
struct subs_link *subs_open_link(struct subs *s, uint32_t link);

/* Walks entries of a link's shard. `next` is taken first: the entry may be given back meanwhile. */
#define FOR_EACH_IN_SHARD(s, l, e)                                  \
    for (uint32_t i_ = (s)->shard[(l)->venue][(l)->shard].head, n_; \
         i_ != SUBS_NONE && ((e) = &(s)->entry[i_], n_ = (e)->next, true); i_ = n_)

/* Something of this shard is to be sent on every link that carries it. */
void subs_mark_due(struct subs *s, uint32_t venue, uint32_t shard);
/* No link was asked for anything of this entry, and none owes an answer about it. */
bool subs_quiet(const struct sub *e);
/* State anew from what is known; an entry that nobody wants and no link carries retires. */
void subs_refresh(struct subs *s, struct sub *e);
/* The deadline `at_ns` is among those that subs_tick() waits for. */
void subs_deadline(struct subs *s, int64_t at_ns);
/* What was left unanswered too often, and books that are lost, fall due again, if it is time. */
void subs_ask_again(struct subs *s, struct sub *e, int64_t now_ns);
/* Messages that were not answered in time. */
void subs_answers_late(struct subs *s, int64_t now_ns);

#endif
