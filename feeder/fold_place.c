/* The places of fold.c: a hash table with a list through each source, and rooms for books that are
 * taken and given back. Everything is made once, and used from the front, so that what is never
 * needed is never touched. */
#include <stdlib.h>
#include <string.h>

#include "fold_internal.h"
#include "hash.h"

#define BOOKS_MAX   (1u << 20)
#define SOURCES_MAX (1u << 16)

static uint32_t place_count(const struct fold_options *o)
{
    return 2 * (o->books + o->merges);
}

static uint32_t bucket_count(const struct fold_options *o)
{
    uint32_t n = 64;
    while (n < place_count(o))
        n *= 2;
    return n;
}

size_t fold_bytes(const struct fold_options *o)
{
    return sizeof(struct fold) + place_count(o) * sizeof(struct place) +
           (bucket_count(o) + (size_t)o->sources + o->books) * sizeof(uint32_t) +
           o->sources * sizeof(struct numbers) + o->books * book_bytes(o->depth);
}

/* At least one, so that no memory is not mistaken for none that is needed. */
static void *zeroed(size_t count, size_t size)
{
    return calloc(count > 0 ? count : 1, size);
}

struct fold *fold_new(const struct fold_options *options)
{
    const struct fold_options *o = options;
    if (o->books > BOOKS_MAX || o->merges > BOOKS_MAX || o->sources == 0 ||
        o->sources > SOURCES_MAX || o->depth == 0 || o->depth > BOOK_CAP_MAX)
        return NULL;
    struct fold *f = calloc(1, sizeof *f);
    if (f == NULL)
        return NULL;
    f->options = *o;
    f->places = place_count(o);
    f->mask = bucket_count(o) - 1;
    f->place = zeroed(f->places, sizeof *f->place);
    f->bucket = zeroed(bucket_count(o), sizeof *f->bucket);
    f->newest = zeroed(o->sources, sizeof *f->newest);
    f->numbers = zeroed(o->sources, sizeof *f->numbers);
    f->slot_next = zeroed(o->books, sizeof *f->slot_next);
    f->levels = zeroed(o->books, book_bytes(o->depth));
    if (f->place == NULL || f->bucket == NULL || f->newest == NULL || f->numbers == NULL ||
        f->slot_next == NULL || f->levels == NULL) {
        fold_free(f);
        return NULL;
    }
    return f;
}

void fold_free(struct fold *f)
{
    if (f == NULL)
        return;
    free(f->place);
    free(f->bucket);
    free(f->newest);
    free(f->numbers);
    free(f->slot_next);
    free(f->levels);
    free(f);
}

/* Tells the streams of a symbol apart. */
static uint32_t stream_of(const struct venue_event *event)
{
    bool apart = event->type == VENUE_BOOK ? event->u.book.depth == 1 : event->derived;
    return event->type << 1 | apart;
}

struct key key_of(uint32_t source, const struct venue_event *event)
{
    return (struct key){.source = source,
                        .hash = hash_symbol(source, event->symbol, event->symbol_len),
                        .stream = stream_of(event),
                        .symbol = event->symbol,
                        .len = event->symbol_len};
}

static uint32_t number_of(const struct fold *f, const struct place *p)
{
    return (uint32_t)(p - f->place) + 1;
}

static bool is_of(const struct place *p, const struct key *key)
{
    return p->hash == key->hash && p->source == key->source && p->symbol_len == key->len &&
           memcmp(p->symbol, key->symbol, key->len) == 0;
}

struct place *place_find(const struct fold *f, const struct key *key)
{
    struct place *p = place_at(f, f->bucket[key->hash & f->mask]);
    while (p != NULL && (p->stream != key->stream || !is_of(p, key)))
        p = place_at(f, p->next);
    return p;
}

struct place *place_make(struct fold *f, const struct key *key)
{
    struct place *p = place_at(f, f->free);
    if (key->source >= f->options.sources || key->len > PX_SYMBOL_MAX)
        return NULL;
    if (p != NULL)
        f->free = p->next;
    else if (f->used < f->places)
        p = place_at(f, ++f->used);
    else
        return NULL;
    *p = (struct place){.hash = key->hash,
                        .source = key->source,
                        .stream = key->stream,
                        .symbol_len = (uint16_t)key->len,
                        .next = f->bucket[key->hash & f->mask],
                        .older = f->newest[key->source]};
    memcpy(p->symbol, key->symbol, key->len);
    f->bucket[key->hash & f->mask] = f->newest[key->source] = number_of(f, p);
    if (p->older != 0)
        place_at(f, p->older)->newer = number_of(f, p);
    return p;
}

bool place_is_book(const struct place *p)
{
    return p->stream >> 1 == VENUE_BOOK;
}

uint16_t place_kinds(const struct place *p)
{
    if (place_is_book(p))
        return PX_QUOTES | VENUE_DEPTH;
    return p->stream == (uint32_t)VENUE_QUOTE << 1 ? PX_QUOTES : PX_TICKERS;
}

static void give_back(struct fold *f, const struct place *p)
{
    if (p->state == PLACE_FULL)
        return;
    if (!place_is_book(p)) {
        f->merges--;
        return;
    }
    f->books--;
    f->slot_next[p->slot - 1] = f->slot;
    f->slot = p->slot;
}

static void leave(struct fold *f, struct place *p)
{
    uint32_t number = number_of(f, p), *link = &f->bucket[p->hash & f->mask];
    while (*link != number)
        link = &place_at(f, *link)->next;
    *link = p->next;
    if (p->newer != 0)
        place_at(f, p->newer)->older = p->older;
    else
        f->newest[p->source] = p->older;
    if (p->older != 0)
        place_at(f, p->older)->newer = p->newer;
    give_back(f, p);
    p->next = f->free;
    f->free = number;
}

bool place_take_room(struct fold *f, struct place *p)
{
    if (!place_is_book(p)) {
        if (f->merges == f->options.merges)
            return false;
        f->merges++;
        p->state = PLACE_WAITING;
        return true;
    }
    if (f->books == f->options.books)
        return false;
    f->books++;
    p->slot = f->slot != 0 ? f->slot : ++f->slots;
    if (f->slot != 0)
        f->slot = f->slot_next[p->slot - 1];
    char *memory = f->levels + (p->slot - 1) * book_bytes(f->options.depth);
    book_init(&p->book, memory, f->options.depth);
    for (unsigned i = 0; i < FOLD_VALUES; i++)
        p->value[i].exponent = PX_ABSENT;
    p->state = PLACE_WAITING;
    return true;
}

void fold_drop(struct fold *f, uint32_t source)
{
    if (source >= f->options.sources)
        return;
    f->numbers[source] = (struct numbers){0};
    while (f->newest[source] != 0)
        leave(f, place_at(f, f->newest[source]));
}

void fold_forget(struct fold *f, uint32_t source, const char *symbol, size_t len)
{
    const struct key key = {
        .source = source, .hash = hash_symbol(source, symbol, len), .symbol = symbol, .len = len};
    struct place *p = place_at(f, f->bucket[key.hash & f->mask]);
    while (p != NULL) {
        struct place *next = place_at(f, p->next);
        if (is_of(p, &key))
            leave(f, p);
        p = next;
    }
}
