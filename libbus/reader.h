/* The reader's own state, shared by the files that implement bus.h:
 *   reader.c        attach, detach, seek, dispatch     reader_poll.c  the stream
 *   reader_last.c   last prices and their quality      reader_ids.c   handles, who owns which slot
 *   reader_loss.c   laps, exact loss                   reader_epoch.c restarts, replaced segments
 *   reader_subs.c   subscriptions                      reader_join.c  where a stream begins
 *   reader_wait.c   sleeping                           reader_info.c  the bus in operation
 *   client.c        the control socket
 *
 * Two views of one bus. *now* is the segment as it is: px_bus_last(), px_bus_find(). The *stream*
 * is where the cursor stands: it may be a retired segment that is still read to its end, and it
 * learns of a slot's new owner when it comes to the BIND tick, not before. */
#ifndef PXI_READER_H
#define PXI_READER_H

#include "atomic.h"
#include "client.h"
#include "clock.h"
#include "px/bus.h"
#include "px/layout.h"
#include "segment.h"

#define PXI_NEVER UINT64_MAX /* as min_seq: nothing is delivered */
#define PXI_UNKNOWN                                                                             \
    (UINT64_MAX / 2)               /* as ordinal: counts no loss, until a cell says where it is \
                                    */
#define PXI_SLICE_NS 100000000     /* longest sleep without a look at heartbeat, epoch and name */
#define PXI_DEAD_NS  1000000000    /* a heartbeat older than this is no sign of life */
#define PXI_WILD_MAX 16            /* subscriptions to venue:* in one reader */
#define PXI_IDS_ALL  (64u * 1024u) /* handles of a reader of all, unless options say otherwise */
#define PXI_IDS_MAX  (1u << 24)

/* What the stream needs of one symbol, on one cache line. Record 0 is nobody: slots that are
 * nobody's in this reader point to it. A px_id is the index of its record - 1. A tick is delivered
 * exactly if its word 1 begins with `key` (slot and low generation) and its sequence is not below
 * min_seq of its kind: the larger of the owner's bind_seq and `join`. The record behind the last
 * handle is the stranger: somebody whose name went by unread, or for whom there was no handle, and
 * who may be of a venue that is wanted whole. */
struct pxi_stream {
    uint32_t key;
    uint32_t pending; /* bit per kind: a lap is not settled yet, see mark[] */
    uint64_t min_seq[PX_CELL_KINDS + 1];
    uint64_t seen[PX_CELL_KINDS]; /* ordinal up to which ticks are accounted for */
};
PXL_ASSERT(sizeof(struct pxi_stream) == PXL_LINE, "one line per symbol");

enum pxi_todo { PXI_NOTHING = 0, PXI_ASK, PXI_ASKED, PXI_RELEASE };

/* The rest of a symbol. */
struct pxi_symbol {
    char text[PX_SYMBOL_MAX + 1];
    uint64_t hash;
    uint32_t slot, generation; /* now; generation 0: not on the bus, or not looked for yet */
    uint32_t kinds;            /* delivered: asked for by name, by venue:*, or all */
    uint32_t asked;            /* of the feeder, for this text */
    uint32_t count;            /* px_bus_subscribe() calls that were not given back */
    uint8_t wildcard;          /* the text is venue:* */
    uint8_t todo;              /* enum pxi_todo: what the feeder is to be told */
    uint8_t inexact;           /* its loss is a lower bound for ever */
    uint8_t unread;            /* bit per kind: cell to be read for a lap, the writer was busy */
    int64_t retry_ns;          /* todo, not before */
    uint32_t s_slot, s_generation; /* the stream's binding at the cursor; generation 0: none */
    uint64_t s_bind;
    uint64_t join[PX_CELL_KINDS + 1]; /* first sequence wanted */
    uint32_t join_generation;         /* join_ordinal is of this generation */
    uint64_t join_ordinal[PX_CELL_KINDS];
    uint64_t lost[PX_CELL_KINDS];
    struct {
        uint64_t seq, ordinal; /* of the cell when the reader was lapped */
    } mark[PX_CELL_KINDS];
};

/* What px_bus_last() made of the cells, and the counters of the cells that it was made of. */
struct pxi_price {
    uint64_t counter[PX_CELL_KINDS]; /* PXI_NEVER: not read yet */
    int64_t mono_ns[PX_CELL_KINDS];
    uint64_t newest_seq;    /* of the three */
    int64_t newest_mono_ns; /* and when that came */
    struct px_last last;
};

#define PXI_WATCH_NOW 1

/* Reasons to leave the fast path. WATCHED matters only to a poll that finds nothing. */
enum {
    PXI_HELD = 1,   /* px_bus_wait() took a tick from the stream */
    PXI_WORK = 2,   /* something goes on by and by: connect, ask, follow */
    PXI_JUMPED = 4, /* sequences were skipped and the caller was not told yet */
    PXI_UNREAD = 8, /* cells are to be read for a lap */
    PXI_WATCHED = 16,
    PXI_ATTENTION = PXI_HELD | PXI_WORK | PXI_JUMPED | PXI_UNREAD
};

struct px_bus {
    /* looked at by every call */
    struct pxl_prefix *prefix; /* now */
    uint64_t epoch;
    uint32_t state;
    uint32_t flags;
    int64_t looked_ns; /* at heartbeat, name and connection */
    /* the stream */
    struct pxl_tick *ring;
    uint64_t ring_mask;
    uint64_t cursor; /* last sequence taken */
    uint32_t *owner; /* slot, all values that 18 bits have -> record, 0 nobody */
    struct pxi_stream *streams;
    struct px_page *page; /* the feeder's, or no_page */
    uint64_t delivered;
    uint32_t idle; /* polls that found nothing */
    uint32_t pending_count;
    uint32_t all;
    uint32_t stream_at; /* index of the stream's segment */
    /* now */
    struct pxl_slot *slots;
    struct pxi_symbol *symbols;
    struct pxi_price *prices;
    uint64_t epoch_seq;
    uint32_t at; /* index of the present segment */

    uint32_t id_count, id_max;
    uint32_t stranger; /* record */
    uint32_t inexact;  /* ticks were not delivered under their name, or not at all, and of whom is
                          not known: the totals are lower bounds for ever */
    uint32_t *index;   /* hash of a text -> record, open addressing */
    uint32_t index_mask;
    uint32_t wild_count, wild[PXI_WILD_MAX]; /* records of venue:* */
    uint32_t subscriptions;
    uint64_t skipped, laps, retries, remaps, wakes;
    uint64_t lost[PX_CELL_KINDS];
    uint64_t jumped_from, jumped_to, jumped; /* what jumps skipped that were told at once; count */
    int jumped_told;                         /* to the caller; the next jump is another one */
    struct px_tick held;

    struct pxi_segment seg[2]; /* the present one, and for a while the one the stream is in */
    void *area[2];             /* address space reserved for them */
    size_t area_bytes;
    struct pxi_client client;
    int watch_timer;   /* in client.watch with the connection; -1: px_bus_fd() was never called */
    int64_t watch_set; /* ns that the timer was set to, PXI_WATCH_NOW, 0 off */
    int no_socket, up;
    int anew;          /* the present segment is of a bus that was removed and began again */
    int endless_sleep; /* tests: no timeout for a lost wake-up to hide behind */
    int64_t worked_ns, connect_ns;
    uint32_t todo_count, asked_count, todo_next;
    uint32_t answer_request; /* that px_bus_subscribe() waits for; 0: answered, or nobody waits */
    int answer;
    char name[PX_BUS_NAME_MAX + 1];
    struct px_page no_page;
    void *memory;
    size_t memory_bytes;
};

static inline struct pxi_segment *pxi_now(px_bus *b)
{
    return &b->seg[b->at];
}

static inline struct pxi_segment *pxi_streamed(px_bus *b)
{
    return &b->seg[b->stream_at];
}

/* ---- reader_ids.c: handles, and who owns which slot ---- */

/* Record of a text, made if `make`. 0: none, or no room. */
uint32_t pxi_id_get(px_bus *b, const char *text, int make);
/* Forget the record that was made last and never handed out. */
void pxi_id_drop(px_bus *b, uint32_t rec);
/* The symbol is there now: px_bus_last() reads it there. */
void pxi_place(px_bus *b, uint32_t rec, uint32_t slot, uint32_t generation);
/* Find where the symbol is now. Errors: -ENOENT, -EAGAIN. */
int pxi_locate(px_bus *b, uint32_t rec);

struct pxi_owner {
    char text[PX_SYMBOL_MAX + 1];
    uint32_t generation;
    uint64_t bind_seq;
};
/* Owner of a slot as the segment has it now. 0: free, changing hands, or no such slot. */
int pxi_owner_read(const struct pxi_segment *s, uint32_t slot, struct pxi_owner *out);

/* Slot and owner of a text in a segment, found in its slots if the directory is being rebuilt. 0:
 * it is not there. */
int pxi_owner_find(const struct pxi_segment *s, const char *text, uint32_t *slot,
                   struct pxi_owner *out);

/* The stream: from its bind_seq on this record owns the slot. */
void pxi_bind(px_bus *b, uint32_t rec, uint32_t slot, const struct pxi_owner *owner);
void pxi_unbind(px_bus *b, uint32_t rec);
/* Kinds, join or binding changed: what the stream delivers follows. */
void pxi_arm(px_bus *b, uint32_t rec);
/* What is asked for by name or beside it changed. */
void pxi_kinds_update(px_bus *b, uint32_t rec);
/* The stream came to a BIND tick. Returns the new owner's record, 0 if it is none of ours. */
uint32_t pxi_stream_bind(px_bus *b, uint32_t slot, uint32_t generation_low, uint64_t seq);
/* Forget who is a stranger: nobody asks for whole venues any more, or the slots are others. */
void pxi_strangers_forget(px_bus *b);
/* The slot is a stranger's from here to its next BIND, if anybody wants to know. */
void pxi_stranger_set(px_bus *b, uint32_t slot);
/* Before the cursor jumps so that `first` is next: owners may change in what is skipped. */
void pxi_owners_check(px_bus *b, uint64_t first);
/* Bind what is on the bus and not bound; `first` is the next sequence. */
void pxi_owners_find(px_bus *b, uint64_t first);

/* ---- reader_loss.c: laps ---- */

/* Oldest sequence that the ring still has; head + 1 if it has none. */
uint64_t pxi_oldest(const struct pxi_segment *s);
/* Sequences from `from` to before `first` are skipped: count and remember them. */
void pxi_jump_note(px_bus *b, uint64_t from, uint64_t first);
/* Skip to `first`; count what that costs, settle it or leave it pending. */
void pxi_jump(px_bus *b, uint64_t first);
/* The next entry was overwritten: jump half a ring behind the head. */
void pxi_lap(px_bus *b);
/* A tick of a record with pending kinds was delivered. */
void pxi_settle(px_bus *b, uint32_t rec, uint32_t kind, uint64_t seq);
void pxi_pending_drop(px_bus *b, uint32_t rec, uint32_t kinds);
void pxi_unread_retry(px_bus *b);
/* Set `seen` of every delivered kind from its cell and the ring between cursor and cell.
 * Errors: -ERANGE the ring was overwritten under us: `seen` is then too high. */
int pxi_reckon(px_bus *b);
/* Losses of what is bound now are lower bounds from here on. */
void pxi_inexact_set(px_bus *b);

/* ---- reader_poll.c: the stream ---- */

/* Up to n ticks; 0 none; -EOVERFLOW a jump. */
int pxi_take(px_bus *b, struct px_tick *ticks, int n);
/* Skip a hole: the ring says "not yet" and the head says that it was, such as in a damaged segment.
 */
int pxi_hole_skip(px_bus *b);
/* Is there an entry to look at? */
int pxi_entry_waits(const px_bus *b);

/* ---- reader_epoch.c: restarts ---- */

static inline int pxi_attention(const px_bus *b)
{
    return (b->flags & PXI_ATTENTION) != 0 || pxi_load64(&b->prefix->epoch) != b->epoch ||
           pxi_load32(&b->prefix->state) != b->state;
}
/* What a call does first if pxi_attention() says so. Never blocks. */
void pxi_attend(px_bus *b);
/* Look at epoch, state and name now, and step what is in progress. */
void pxi_look(px_bus *b, int64_t now_ns);
/* The stream's segment is retired and read to its end: go on in the present one. 1 if so. */
int pxi_stream_follow(px_bus *b);
/* As unsigned: nothing that a damaged segment says may overflow. */
static inline int64_t pxi_heartbeat_age(const px_bus *b, int64_t now_ns)
{
    return (int64_t)((uint64_t)now_ns - (uint64_t)pxi_load_time(&b->prefix->heartbeat_mono_ns));
}
static inline int64_t pxi_now_ns(void)
{
    return pxi_now_mono();
}
static inline int64_t pxi_coarse_ns(void) /* the same as of the last clock tick */
{
    return pxi_clock(CLOCK_MONOTONIC_COARSE);
}

/* ---- reader_subs.c: what the feeder is told ---- */

/* Connect if need be, receive, send: a bounded number of messages. Sets WORK while there is more.
 */
void pxi_subs_step(px_bus *b, int64_t now_ns);
/* The feeder is another one: drop the connection, ask again for everything. */
void pxi_subs_restart(px_bus *b);
/* The feeder hung up, or dropped this reader, within one epoch: connect and ask again. Does not
 * read the socket: what is in it may be what somebody sleeps for. */
void pxi_subs_look(px_bus *b, int64_t now_ns);
/* Wait for the connection to be greeted; with `insist` also for somebody to listen.
 * Errors: -ENOTCONN not until the deadline. */
int pxi_subs_connect(px_bus *b, int64_t deadline_ns, int insist);

/* ---- reader_wait.c: sleeping ---- */

/* The caller sleeps on px_bus_fd(), and there is nothing to take: empty the socket, ask for a
 * message. 1: something came meanwhile. */
int pxi_watch_arm(px_bus *b);
/* Make px_bus_fd() readable: what it was to tell of was taken out of the socket, or has changed, in
 * another call than px_bus_poll(). */
void pxi_watch_tell(px_bus *b);
void pxi_watch_close(px_bus *b);

/* ---- reader_join.c: from the cells on ---- */

/* Stream `kinds` of a symbol from behind what its cells hold now. */
void pxi_join(px_bus *b, uint32_t rec, uint32_t kinds);
/* The stream went past the BIND of this symbol's owner and does not follow it. If the BIND is
 * ahead, it binds: to join then would drop what lies between. */
int pxi_passed_by(px_bus *b, uint32_t rec);
/* pxi_join() for every symbol on the bus that venue:* of this record stands for. */
void pxi_join_venue(px_bus *b, uint32_t rec);
/* Are there handles enough for all of them? */
int pxi_join_room(px_bus *b, uint32_t rec);

/* ---- reader_last.c, reader_info.c: how far to trust a price ---- */

static inline void pxi_quality_worse(struct px_last *out, uint32_t quality, uint32_t cause)
{
    if (out->quality < quality) {
        out->quality = quality;
        out->cause = cause;
    }
}

/* Quality and cause into *out: the feeder's own judgement, which is the slot's word, and what only
 * the reader can see, that the feeder is not there. `newest` is the newest sequence in its cells.
 */
static inline void pxi_quality(px_bus *b, uint64_t word, uint64_t newest, int64_t now_ns,
                               struct px_last *out)
{
    out->quality = (uint32_t)word & 0xff;
    out->cause = (uint32_t)(word >> 8) & 0xff;
    if (newest != 0 && newest < b->epoch_seq)
        pxi_quality_worse(out, PX_CARRIED, PX_CAUSE_EARLIER_EPOCH);
    if (__builtin_expect(b->state != PX_STATE_LIVE, 0)) {
        pxi_quality_worse(out, PX_CLOSED,
                          b->state == PX_STATE_RETIRED ? PX_CAUSE_RETIRED : PX_CAUSE_FEEDER_CLOSED);
    } else if (__builtin_expect(pxi_heartbeat_age(b, now_ns) > PXI_DEAD_NS, 0)) {
        pxi_quality_worse(out, PX_STALE, PX_CAUSE_FEEDER_SILENT);
        b->flags |= PXI_WORK; /* look whether the bus goes on in another segment */
    }
}

/* ---- reader.c ---- */

/* Copy a text of the segment, whose place is a multiple of 8 and 8 bytes long. */
void pxi_text_copy(char *out, const char *text, size_t bytes);

#endif
