/* What every dialect does alike. See decode.h. */
#include "decode.h"

#include <errno.h>
#include <string.h>

struct decode decode_start(struct json *json, const struct venue_sink *sink, const char *venue)
{
    return (struct decode){
        .json = json, .sink = sink, .native_max = PX_SYMBOL_MAX - strlen(venue) - 1};
}

void decode_give(struct decode *d, const struct venue_event *event)
{
    d->events++;
    d->sink->event(d->sink->user, event);
}

void decode_give_type(struct decode *d, enum venue_event_type type)
{
    decode_give(d, &(struct venue_event){.type = (uint32_t)type});
}

int decode_give_refusal(struct decode *d)
{
    decode_give(d, &(struct venue_event){.type = VENUE_BAD,
                                         .text = d->refusal.text,
                                         .text_len = (uint32_t)strlen(d->refusal.text),
                                         .symbol = d->refusal.symbol,
                                         .symbol_len = d->refusal.symbol_len,
                                         .error = d->refusal.error});
    d->refusal = (struct refusal){0};
    return -EBADMSG;
}

int decode_refuse_json(struct decode *d)
{
    d->refusal = (struct refusal){0};
    refuse(&d->refusal, REFUSED_JSON, "broken JSON: %s", json_error(d->json));
    return decode_give_refusal(d);
}

int decode_end(struct decode *d, int rc)
{
    if (rc < 0)
        return rc;
    if (d->events == 0)
        decode_give_type(d, VENUE_IGNORED);
    return d->events;
}

int decode_symbol_text(struct decode *d, struct json_text symbol, const char *name,
                       struct venue_event *event)
{
    struct refusal *r = &d->refusal;
    char show[FIELD_SHOW_MAX];
    if (symbol.len == 0 || symbol.len > d->native_max)
        return refuse(r, REFUSED_SYMBOL, "%s \"%s\" has %zu bytes, not 1 to %zu", name,
                      field_show(symbol, show), symbol.len, d->native_max);
    for (size_t i = 0; i < symbol.len; i++)
        if ((unsigned char)symbol.at[i] <= ' ' || symbol.at[i] == 0x7f)
            return refuse(r, REFUSED_SYMBOL, "%s \"%s\" holds a space or control character", name,
                          field_show(symbol, show));
    r->who = symbol;
    event->symbol = symbol.at;
    event->symbol_len = (uint16_t)symbol.len;
    return 0;
}

int decode_symbol(struct decode *d, const struct json_item *item, const char *name,
                  struct venue_event *event)
{
    struct json_text symbol;
    int rc = field_text(&d->refusal, item, name, &symbol);
    return rc != 0 ? rc : decode_symbol_text(d, symbol, name, event);
}

bool decode_says(const struct json_item *item, const char *word)
{
    return item != NULL && item->type == JSON_STRING && decode_is(item->text, word, strlen(word));
}

/* A name that stands at this depth: behind "outer." of the object that is read, or without a dot.
 */
static unsigned find_name(const struct decode_name *names, unsigned count, struct json_text outer,
                          struct json_text key)
{
    size_t head = outer.len == 0 ? 0 : outer.len + 1;
    for (unsigned i = 0; i < count; i++) {
        const struct decode_name *n = &names[i];
        if (n->len == head + key.len && memcmp(n->at + head, key.at, key.len) == 0 &&
            (head == 0 || (memcmp(n->at, outer.at, outer.len) == 0 && n->at[outer.len] == '.')))
            return i;
    }
    return count;
}

static bool is_outer(const struct decode_name *names, unsigned count, struct json_text key)
{
    for (unsigned i = 0; i < count; i++)
        if (names[i].len > key.len && names[i].at[key.len] == '.' &&
            memcmp(names[i].at, key.at, key.len) == 0)
            return true;
    return false;
}

static int read_fields(struct decode *d, const struct decode_name *names, unsigned count,
                       struct json_text outer, struct decode_fields *f)
{
    struct json_item item;
    int rc;
    while ((rc = json_next(d->json, &item)) == 1) {
        unsigned i = find_name(names, count, outer, item.key);
        if (i < count && (f->seen >> i & 1u) != 0) {
            f->twice |= 1u << i;
        } else if (i < count) {
            f->seen |= 1u << i;
            f->item[i] = item;
        }
        if (item.type != JSON_OBJECT || outer.len != 0 || !is_outer(names, count, item.key))
            continue;
        if ((rc = json_enter(d->json)) != 0 ||
            (rc = read_fields(d, names, count, item.key, f)) != 0)
            return rc;
    }
    return rc;
}

int decode_fields(struct decode *d, const struct decode_name *names, unsigned count,
                  struct decode_fields *f)
{
    f->seen = f->twice = 0;
    return read_fields(d, names, count, (struct json_text){"", 0}, f);
}

int decode_once(struct decode *d, const struct decode_name *names, const struct decode_fields *f)
{
    if (f->twice == 0)
        return 0;
    return refuse(&d->refusal, REFUSED_TWICE, "field %s is given twice",
                  names[__builtin_ctz(f->twice)].at);
}

int decode_root(struct decode *d, const char *frame, size_t len, const struct decode_name *names,
                unsigned count, struct decode_fields *f)
{
    struct json_item root;
    f->seen = f->twice = 0;
    int rc = json_open(d->json, frame, len, &root);
    bool object = rc == 0 && root.type == JSON_OBJECT;
    if (object && (rc = json_enter(d->json)) == 0)
        rc = decode_fields(d, names, count, f);
    if (rc == 0)
        rc = json_finish(d->json);
    if (rc != 0)
        return decode_refuse_json(d);
    if (!object)
        return 1;
    return decode_once(d, names, f) != 0 ? decode_give_refusal(d) : 0;
}

/* Enter the container under `key` of the one that was entered last. */
static int enter_key(struct decode *d, const char *key)
{
    struct json_item item;
    size_t len = strlen(key);
    while (json_next(d->json, &item) == 1)
        if (decode_is(item.key, key, len) && (item.type == JSON_OBJECT || item.type == JSON_ARRAY))
            return json_enter(d->json) == 0 ? 0 : -ENOENT;
    return -ENOENT;
}

int decode_into(struct decode *d, const char *key, const char *inner)
{
    struct json_item root;
    if (json_rewind(d->json, &root) != 0 || root.type != JSON_OBJECT || json_enter(d->json) != 0)
        return -ENOENT;
    int rc = enter_key(d, key);
    return rc != 0 || inner == NULL ? rc : enter_key(d, inner);
}

int decode_array(struct decode *d, const char *frame, size_t len)
{
    struct json_item root;
    if (json_open(d->json, frame, len, &root) != 0 || json_finish(d->json) != 0)
        return decode_refuse_json(d);
    if (root.type != JSON_ARRAY) {
        refuse(&d->refusal, REFUSED_TYPE, "it is no array");
        return decode_give_refusal(d);
    }
    return json_rewind(d->json, &root) != 0 || json_enter(d->json) != 0 ? decode_refuse_json(d) : 0;
}

static int each(struct decode *d, enum json_type type, const char *other,
                int (*take)(struct decode *d, void *user), void *user)
{
    struct json_item item;
    int rc;
    while ((rc = json_next(d->json, &item)) == 1) {
        const struct refusal outer = d->refusal;
        if (item.type != type)
            rc = refuse(&d->refusal, REFUSED_TYPE, "%s", other);
        else if ((rc = json_enter(d->json)) != 0)
            return decode_refuse_json(d);
        else
            rc = take(d, user);
        if (rc != 0 && d->refusal.error == NULL)
            return decode_refuse_json(d);
        if (rc != 0)
            decode_give_refusal(d);
        d->refusal = outer;
    }
    return rc < 0 ? decode_refuse_json(d) : 0;
}

int decode_each(struct decode *d, int (*take)(struct decode *d, void *user), void *user)
{
    return each(d, JSON_OBJECT, "an element is no object", take, user);
}

int decode_each_array(struct decode *d, int (*take)(struct decode *d, void *user), void *user)
{
    return each(d, JSON_ARRAY, "an element is no array", take, user);
}

bool decode_keep(struct json_text text, struct decode_kept *kept)
{
    if (text.len > sizeof kept->at)
        return false;
    memcpy(kept->at, text.at, text.len);
    kept->len = text.len;
    return true;
}
