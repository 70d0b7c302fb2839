/* Shared by fold.c and fold_place.c only: what is known, by source, symbol and stream. */
#ifndef PX_FOLD_INTERNAL_H
#define PX_FOLD_INTERNAL_H

#include "book.h"
#include "fold.h"

#define FOLD_WHY_MAX 160
#define FOLD_VALUES  4u /* decimals of a quote or ticker */

enum place_state {
    PLACE_FULL,    /* no room was left: only the place, so that it was said once */
    PLACE_WAITING, /* for a snapshot, or for values that are not known */
    PLACE_PARTWAY, /* in a message of several events */
    PLACE_WHOLE
};

/* What is known of one stream of a symbol. Places are numbered from 1, 0 is none. */
struct place {
    uint32_t next;         /* of its bucket, or of the free ones */
    uint32_t newer, older; /* of its source */
    uint32_t hash, source, stream;
    uint16_t symbol_len;
    char symbol[PX_SYMBOL_MAX];
    uint8_t state;         /* enum place_state */
    uint8_t known;         /* of value[], a bit each */
    bool tell;             /* the next top is a quote, changed or not: the last one was in doubt */
    bool has_seq, checked; /* what proves that a book is right */
    uint32_t slot;         /* memory of the book */
    uint32_t depth;        /* as its snapshot has it */
    uint64_t seq;
    struct book book;
    struct px_decimal value[FOLD_VALUES]; /* of a book: the top that was given last */
};

/* Of the messages of a source, where the venue numbers them. */
struct numbers {
    uint64_t next; /* 0 not known */
    bool late;     /* the present one is older than one that came already */
};

struct fold {
    struct fold_options options;
    uint32_t places, mask; /* of place[] and bucket[] */
    uint32_t used, free;   /* places that were ever in use, and the first free one below that */
    uint32_t slots, slot;  /* the same of slots */
    uint32_t books, merges;
    uint64_t lost;
    struct place *place;
    uint32_t *bucket, *newest; /* newest: place of a source */
    struct numbers *numbers;   /* of a source */
    uint32_t *slot_next;
    char *levels;
    char why[FOLD_WHY_MAX];
};

/* What a place is looked up by. */
struct key {
    uint32_t source, hash, stream;
    const char *symbol;
    size_t len;
};

struct key key_of(uint32_t source, const struct venue_event *event);

/* By number, NULL for 0. */
static inline struct place *place_at(const struct fold *f, uint32_t number)
{
    return number == 0 ? NULL : &f->place[number - 1];
}

bool place_is_book(const struct place *p);
/* What must be asked for anew when it is lost, as in venue.h. */
uint16_t place_kinds(const struct place *p);

struct place *place_find(const struct fold *f, const struct key *key);
/* A new one without room. NULL: all places are taken, or there is no such source or symbol. */
struct place *place_make(struct fold *f, const struct key *key);
/* Memory of its own for a book, a count for values. False: all is in use. */
bool place_take_room(struct fold *f, struct place *p);
#endif
