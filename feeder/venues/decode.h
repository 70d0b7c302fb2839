/* What every dialect does alike: walk a frame to its end before anything of it is believed, take
 * fields by name, give events, or one refusal.
 *
 * The usual way of an adapter:
 *
 * - decode_root(): the known fields of the envelope; the frame is JSON to its last byte after it
 * - decode_into(): once more from the start, into the container that holds the data
 * - decode_each(): its elements, each giving events or a refusal of its own
 *
 * Texts with escapes live in the parser until the next decode_into(): decode_keep() what is needed
 * behind it. */
#ifndef PX_VENUES_DECODE_H
#define PX_VENUES_DECODE_H

#include "field.h"
#include "venue.h"

struct decode {
    struct json *json;
    const struct venue_sink *sink;
    size_t native_max; /* so that "venue:NATIVE" is at most PX_SYMBOL_MAX */
    int events;        /* given so far */
    struct refusal refusal;
};

/* `venue` is the name in front of the colon. */
struct decode decode_start(struct json *json, const struct venue_sink *sink, const char *venue);

void decode_give(struct decode *d, const struct venue_event *event);
void decode_give_type(struct decode *d, enum venue_event_type type);
/* d->refusal as one VENUE_BAD, with the symbol if one was taken, and a new one begins. Returns
 * -EBADMSG. */
int decode_give_refusal(struct decode *d);
/* What json_error() says, as one VENUE_BAD. Returns -EBADMSG. */
int decode_refuse_json(struct decode *d);

/* The result of on_text: rc if that is an error, else the number of events. A frame that gave none
 * is given as VENUE_IGNORED. */
int decode_end(struct decode *d, int rc);

/* A symbol is what a bus can name: short enough, and nothing in it that a line or a list would end
 * at. It becomes the refusal's `who` too. */
int decode_symbol(struct decode *d, const struct json_item *item, const char *name,
                  struct venue_event *event);
int decode_symbol_text(struct decode *d, struct json_text symbol, const char *name,
                       struct venue_event *event);

/* ---- fields by name ---- */

#define DECODE_FIELDS_MAX 32u

struct decode_name {
    const char *at;
    size_t len;
};
#define DECODE_NAME(text)      \
    {                          \
        text, sizeof(text) - 1 \
    }

/* item[i] is the field names[i], if bit i of `seen` is set; of one that comes twice the first is
 * kept and its bit in `twice` is set. */
struct decode_fields {
    uint32_t seen, twice;
    struct json_item item[DECODE_FIELDS_MAX];
};

static inline const struct json_item *decode_field(const struct decode_fields *f, unsigned i)
{
    return (f->seen >> i & 1u) != 0 ? &f->item[i] : NULL;
}

static inline bool decode_is(struct json_text text, const char *word, size_t len)
{
    return text.len == len && __builtin_memcmp(text.at, word, len) == 0;
}
#define DECODE_IS(text, word) decode_is((text), (word), sizeof(word) - 1)

/* Is this field there, a text, and this word? */
bool decode_says(const struct json_item *item, const char *word);

/* Read the object that was entered, to its end. A name "outer.inner" is the field `inner` of the
 * object under `outer` (one level deep). Other fields are walked over. 0, or -EBADMSG of the
 * parser.
 */
int decode_fields(struct decode *d, const struct decode_name *names, unsigned count,
                  struct decode_fields *f);

/* A field that is known and comes twice: refuse(). 0 if none does. */
int decode_once(struct decode *d, const struct decode_name *names, const struct decode_fields *f);

/* The whole frame: its fields if it is an object, and JSON to its last byte. 0; 1 it is no object
 * (nothing is given); -EBADMSG refused, and given so. A field that comes twice is refused. */
int decode_root(struct decode *d, const char *frame, size_t len, const struct decode_name *names,
                unsigned count, struct decode_fields *f);

/* Once more from the start of a frame that decode_root() took: enter the container under `key` of
 * the root, and under `inner` of that one (NULL: not so deep). 0 entered; -ENOENT no such
 * container.
 */
int decode_into(struct decode *d, const char *key, const char *inner);

/* Every element of the array that was entered: `take` gives events or refuses; a refusal is given,
 * and the next element is looked at. An element of another type than object is given as refused. 0,
 * or -EBADMSG of the parser. */
int decode_each(struct decode *d, int (*take)(struct decode *d, void *user), void *user);
/* The same of elements that are arrays. */
int decode_each_array(struct decode *d, int (*take)(struct decode *d, void *user), void *user);

/* The whole document, which has to be an array: JSON to its last byte, and entered. 0, or -EBADMSG
 * refused, and given so. */
int decode_array(struct decode *d, const char *frame, size_t len);

/* Keep a short text over decode_into(). False: longer than that, and not kept. */
#define DECODE_KEEP_MAX 64u
struct decode_kept {
    char at[DECODE_KEEP_MAX];
    size_t len;
};
bool decode_keep(struct json_text text, struct decode_kept *kept);

#endif
