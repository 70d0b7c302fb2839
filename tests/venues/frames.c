/* Shared by the tests of venues. See frames.h. */
#include "frames.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <zlib.h>

#include "px/bus.h"

static void *must(void *p)
{
    if (p == NULL)
        abort();
    return p;
}

bool frames_read(struct frames *f, const char *path)
{
    gzFile in = gzopen(path, "rb"); /* reads plain files as they are */
    size_t len = 0, cap = 1u << 16;
    int n;
    *f = (struct frames){0};
    if (in == NULL)
        return false;
    f->data = must(malloc(cap));
    while ((n = gzread(in, f->data + len, (unsigned)(cap - len))) > 0)
        if ((len += (size_t)n) == cap)
            f->data = must(realloc(f->data, cap *= 2));
    gzclose(in);
    for (size_t at = 0; at < len;) {
        char *lf = memchr(f->data + at, '\n', len - at);
        size_t end = lf != NULL ? (size_t)(lf - f->data) : len;
        if (f->count % 1024 == 0)
            f->list = must(realloc(f->list, (f->count + 1024) * sizeof *f->list));
        f->list[f->count++] = (struct frame){f->data + at, end - at};
        at = end + 1;
    }
    return true;
}

bool frames_read_captured(struct frames *f, const char *name)
{
    char path[4096];
    const char *root = getenv("PX_CAPTURES");
    *f = (struct frames){0};
    if (root == NULL)
        return false;
    snprintf(path, sizeof path, "%s/%s", root, name);
    return frames_read(f, path);
}

void frames_free(struct frames *f)
{
    free(f->data);
    free(f->list);
}

__attribute__((format(printf, 2, 3))) static void say(struct decoded *d, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    int n = vsnprintf(d->text + d->len, sizeof d->text - d->len, format, args);
    va_end(args);
    if (n < 0 || (size_t)n >= sizeof d->text - d->len)
        abort();
    d->len += (size_t)n;
}

static void say_decimal(struct decoded *d, const char *name, struct px_decimal value)
{
    char text[PX_DECIMAL_MAX];
    if (value.exponent == PX_ABSENT) {
        say(d, " %s absent", name);
        return;
    }
    if (px_decimal_text(value, text, sizeof text) < 0)
        abort();
    say(d, " %s %s", name, text);
}

static void say_tick(struct decoded *d, const char *kind, const struct venue_event *e)
{
    d->ticks++;
    say(d, "%s %.*s", kind, (int)e->symbol_len, e->symbol);
    if (e->type == VENUE_TRADE) {
        say_decimal(d, "price", e->u.trade.price);
        say_decimal(d, "size", e->u.trade.size);
        say(d, " %s id %" PRIu64 " \"%.*s\"%s%s",
            (e->flags & PX_SIDE_MASK) == PX_SIDE_SELL ? "sell" : "buy", e->u.trade.trade_id,
            (int)e->trade_id_len, e->trade_id, (e->flags & PX_FLAG_HASHED) != 0 ? " hashed" : "",
            (e->flags & PX_FLAG_REPLAY) != 0 ? " replay" : "");
    } else if (e->type == VENUE_QUOTE) {
        say_decimal(d, "bid", e->u.quote.bid);
        say_decimal(d, "size", e->u.quote.bid_size);
        say_decimal(d, "ask", e->u.quote.ask);
        say_decimal(d, "size", e->u.quote.ask_size);
    } else {
        say_decimal(d, "last", e->u.ticker.last);
        say_decimal(d, "open", e->u.ticker.open);
        say_decimal(d, "high", e->u.ticker.high);
        say_decimal(d, "low", e->u.ticker.low);
    }
    if (e->unchanged != 0) {
        d->partial++;
        say(d, " unchanged %u", e->unchanged);
    }
    say(d, " at %" PRId64 " update %" PRIu64 "%s%s%s\n", e->exch_ns, e->venue_id,
        e->consecutive ? " consecutive" : "", e->aggregated ? " aggregated" : "",
        e->derived ? " derived" : "");
}

static void say_book(struct decoded *d, const struct venue_event *e)
{
    const struct venue_book *b = &e->u.book;
    say(d, "book %.*s %s%s%s depth %u", (int)e->symbol_len, e->symbol,
        b->snapshot ? "snapshot" : "change", b->first ? " first" : "", b->last ? " last" : "",
        b->depth);
    if (b->has_seq)
        say(d, " seq %" PRIu64, b->seq);
    if (b->has_prev)
        say(d, " prev %" PRIu64, b->prev);
    if (b->has_checksum)
        say(d, " checksum %" PRIu32, b->checksum);
    for (uint32_t i = 0; i < b->count; i++) {
        say_decimal(d, b->levels[i].ask ? "ask" : "bid", b->levels[i].price);
        say_decimal(d, "size", b->levels[i].size);
    }
    say(d, " at %" PRId64 "\n", e->exch_ns);
    d->ticks++;
}

/* An ack or a refusal: of a request, or of a stream. */
static void say_answer(struct decoded *d, const char *word, const struct venue_event *e)
{
    say(d, "%s %" PRId64, word, e->request);
    if (e->symbol_len > 0)
        say(d, " %.*s kinds %u", (int)e->symbol_len, e->symbol, e->kinds);
    say(d, "%s%.*s\n", e->text_len > 0 ? " " : "", (int)e->text_len, e->text);
}

static void on_event(void *user, const struct venue_event *e)
{
    struct decoded *d = user;
    d->events++;
    switch ((enum venue_event_type)e->type) {
    case VENUE_TRADE:
        say_tick(d, "trade", e);
        break;
    case VENUE_QUOTE:
        say_tick(d, "quote", e);
        break;
    case VENUE_TICKER:
        say_tick(d, "ticker", e);
        break;
    case VENUE_BOOK:
        say_book(d, e);
        break;
    case VENUE_RESYNC:
        say(d, "resync %.*s %.*s\n", (int)e->symbol_len, e->symbol, (int)e->text_len, e->text);
        break;
    case VENUE_SEQUENCE:
        say(d, "sequence %" PRIu64 "\n", e->venue_id);
        break;
    case VENUE_ACK:
        say_answer(d, e->off ? "off" : "ack", e);
        break;
    case VENUE_REFUSED:
        say_answer(d, "refused", e);
        break;
    case VENUE_PLANNED_END:
        say(d, "planned end\n");
        break;
    case VENUE_HEARTBEAT:
        say(d, "heartbeat");
        if (e->symbol_len > 0)
            say(d, " %.*s last %" PRIu64, (int)e->symbol_len, e->symbol, e->venue_id);
        say(d, "\n");
        break;
    case VENUE_REPLY:
        say(d, "reply %.*s\n", (int)e->text_len, e->text);
        break;
    case VENUE_IGNORED:
        say(d, "ignored\n");
        break;
    case VENUE_BAD:
        d->bad++;
        say(d, "bad (%s) %.*s\n", e->error, (int)e->text_len, e->text);
        break;
    }
}

void decode(const struct px_venue *venue, struct json *json, struct frame frame, char padding,
            struct decoded *out)
{
    const struct venue_sink sink = {.event = on_event, .user = out};
    char *copy = must(malloc(frame.len + VENUE_PADDING));
    memcpy(copy, frame.text, frame.len);
    memset(copy + frame.len, padding, VENUE_PADDING);
    out->events = out->bad = out->ticks = out->partial = out->len = 0;
    out->text[0] = '\0';
    out->rc = venue->on_text(json, copy, frame.len, &sink);
    free(copy);
}

uint64_t chance(uint64_t *state)
{
    uint64_t z = *state += UINT64_C(0x9e3779b97f4a7c15);
    z = (z ^ (z >> 30)) * UINT64_C(0xbf58476d1ce4e5b9);
    z = (z ^ (z >> 27)) * UINT64_C(0x94d049bb133111eb);
    return z ^ (z >> 31);
}

/* Put `len` bytes at `to`, moving what stands behind, within cap. Returns the new length. */
static size_t insert(char *out, size_t n, size_t cap, size_t to, const char *text, size_t len)
{
    if (n + len > cap)
        return n;
    memmove(out + to + len, out + to, n - to);
    memcpy(out + to, text, len);
    return n + len;
}

static size_t mutate_once(uint64_t *state, char *out, size_t n, size_t cap, struct frame other)
{
    static const char *const words[] = {
        "0",           "9",    "-",    ".",     "e5",
        "E-3",         "null", "\"",   "\\",    "\\u0031",
        "{",           "}",    "[",    "]",     ",",
        ":",           " ",    "true", "false", "\x80",
        "\xc3\xa9",    "\t",   "\x7f", "00",    "99999999999999999999",
        "\"p\":\"7\","};
    size_t at = chance_below(state, n), len = 1 + chance_below(state, 6);
    char piece[64];
    switch (chance_below(state, 9)) {
    case 0:
        out[at] = (char)(out[at] ^ (1 << chance_below(state, 8)));
        return n;
    case 1:
        out[at] = (char)chance(state);
        return n;
    case 2:
    case 3: { /* a digit for a digit */
        for (size_t i = 0; i < n; i++, at = (at + 1) % n)
            if (out[at] >= '0' && out[at] <= '9')
                break;
        out[at] = (char)('0' + chance_below(state, 10));
        return n;
    }
    case 4: /* cut out */
        len = len < n - at ? len : n - at;
        memmove(out + at, out + at + len, n - at - len);
        return n - len;
    case 5: { /* say again */
        len = len < n - at ? len : n - at;
        memcpy(piece, out + at, len);
        return insert(out, n, cap, chance_below(state, n + 1), piece, len);
    }
    case 6: { /* a word */
        const char *word = words[chance_below(state, sizeof words / sizeof words[0])];
        return insert(out, n, cap, at, word, strlen(word));
    }
    case 7: { /* out of another frame */
        size_t from = chance_below(state, other.len + 1);
        len = 1 + chance_below(state, sizeof piece);
        len = len < other.len - from ? len : other.len - from;
        return insert(out, n, cap, at, other.text + from, len);
    }
    default: /* cut off */
        return chance_below(state, 4) == 0 ? at : n;
    }
}

size_t mutate(uint64_t *state, struct frame from, struct frame other, char *out, size_t cap)
{
    size_t n = from.len < cap ? from.len : cap;
    memcpy(out, from.text, n);
    size_t times = 1 + chance_below(state, 3);
    while (times-- > 0 && n > 0)
        n = mutate_once(state, out, n, cap, other);
    return n;
}
