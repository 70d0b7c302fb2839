/* A tick as one line. See tick_json.h. */
#include "tick_json.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "json_out.h"

/* Text under construction; `full` stays set once something did not fit. */
struct line {
    char *at, *end; /* end is the place of the last NUL */
    int full;
};

static void put_bytes(struct line *l, const char *text, size_t len)
{
    if (l->full || len > (size_t)(l->end - l->at)) {
        l->full = 1;
        return;
    }
    memcpy(l->at, text, len);
    l->at += len;
}

static void put(struct line *l, const char *text)
{
    put_bytes(l, text, strlen(text));
}

static void put_u64(struct line *l, uint64_t v)
{
    char digits[20];
    size_t n = sizeof digits;
    do {
        digits[--n] = (char)('0' + v % 10);
        v /= 10;
    } while (v != 0);
    put_bytes(l, digits + n, sizeof digits - n);
}

static void put_i64(struct line *l, int64_t v)
{
    if (v < 0)
        put(l, "-");
    put_u64(l, v < 0 ? 0 - (uint64_t)v : (uint64_t)v);
}

static void put_decimal(struct line *l, struct px_decimal d)
{
    char text[PX_DECIMAL_MAX];
    if (px_decimal_text(d, text, sizeof text) > 0)
        put(l, text);
}

static int known(struct px_decimal d)
{
    return d.exponent <= 0 && d.exponent >= PX_EXPONENT_MIN;
}

/* A string of at most `max` bytes of `text`. */
static void put_quoted(struct line *l, const char *text, size_t max)
{
    char piece[TICK_TRADE_ID_MAX + 1], escaped[6 * sizeof piece];
    snprintf(piece, sizeof piece, "%.*s", (int)(max < sizeof piece ? max : sizeof piece - 1), text);
    put(l, "\"");
    put_bytes(l, escaped, jout_escape(piece, escaped, sizeof escaped));
    put(l, "\"");
}

static void json_u64(struct line *l, const char *key, uint64_t v)
{
    put(l, key);
    if (v == 0)
        put(l, "null");
    else
        put_u64(l, v);
}

static void json_time(struct line *l, const char *key, int64_t ns)
{
    put(l, key);
    if (ns == 0)
        put(l, "null");
    else
        put_i64(l, ns);
}

static void json_decimal(struct line *l, const char *key, struct px_decimal d)
{
    put(l, key);
    if (!known(d)) {
        put(l, "null");
        return;
    }
    put(l, "\"");
    put_decimal(l, d);
    put(l, "\"");
}

static const char *side_name(uint16_t flags)
{
    switch (flags & PX_SIDE_MASK) {
    case PX_SIDE_BUY:
        return "buy";
    case PX_SIDE_SELL:
        return "sell";
    default:
        return NULL;
    }
}

static const struct {
    uint16_t flag;
    const char *name;
} flag_names[] = {
    {PX_FLAG_REPLAY, "replay"},       {PX_FLAG_GAP, "gap"},       {PX_FLAG_CARRIED, "carried"},
    {PX_FLAG_DUPLICATE, "duplicate"}, {PX_FLAG_HASHED, "hashed"}, {PX_FLAG_BACKFILL, "backfill"},
};
#define FLAG_NAMES (sizeof flag_names / sizeof flag_names[0])

static void json_flags(struct line *l, uint16_t flags)
{
    const char *comma = "\"";
    put(l, ",\"flags\":[");
    for (size_t i = 0; i < FLAG_NAMES; i++)
        if ((flags & flag_names[i].flag) != 0) {
            put(l, comma);
            put(l, flag_names[i].name);
            put(l, "\"");
            comma = ",\"";
        }
    put(l, "]");
}

static void json_trade(struct line *l, const struct px_tick *tick, const struct tick_note *note)
{
    const char *side = side_name(tick->flags);
    json_decimal(l, ",\"price\":", tick->u.trade.price);
    json_decimal(l, ",\"size\":", tick->u.trade.size);
    put(l, ",\"side\":");
    if (side != NULL)
        put_quoted(l, side, TICK_TRADE_ID_MAX);
    else
        put(l, "null");
    put(l, ",\"trade_id\":");
    if (note->trade_id != NULL) {
        put_quoted(l, note->trade_id, TICK_TRADE_ID_MAX);
    } else if (tick->u.trade.trade_id != 0) {
        put(l, "\"");
        put_u64(l, tick->u.trade.trade_id);
        put(l, "\"");
    } else {
        put(l, "null");
    }
}

static void json_quote(struct line *l, const struct px_quote *q)
{
    json_decimal(l, ",\"bid\":", q->bid);
    json_decimal(l, ",\"bid_size\":", q->bid_size);
    json_decimal(l, ",\"ask\":", q->ask);
    json_decimal(l, ",\"ask_size\":", q->ask_size);
}

static void json_ticker(struct line *l, const struct px_ticker *t)
{
    json_decimal(l, ",\"last\":", t->last);
    json_decimal(l, ",\"open\":", t->open);
    json_decimal(l, ",\"high\":", t->high);
    json_decimal(l, ",\"low\":", t->low);
}

/* Ids belong to a gap, and to what became of it. */
static int has_ids(const struct px_status *s)
{
    return s->first_id != 0 || s->last_id != 0;
}

/* Why: the venue's words, the missing ids, or what the number of the cause means. */
static void cause_text(const struct px_status *s, const struct tick_note *note, char *out,
                       size_t cap)
{
    if (note->cause != NULL)
        snprintf(out, cap, "%s", note->cause);
    else if (s->event == PX_EVENT_GAP && has_ids(s))
        snprintf(out, cap, "trade ids %" PRIu64 " to %" PRIu64 " missing", s->first_id, s->last_id);
    else if (s->event == PX_EVENT_FILLED && has_ids(s))
        snprintf(out, cap, "trade ids %" PRIu64 " to %" PRIu64 " %s", s->first_id, s->last_id,
                 s->cause == PX_CAUSE_NONE ? "filled" : "still missing");
    else
        snprintf(out, cap, "%s", s->cause == PX_CAUSE_NONE ? "" : px_cause_text(s->cause));
}

static void json_id(struct line *l, const char *key, const struct px_status *s, uint64_t id)
{
    put(l, key);
    if (!has_ids(s)) {
        put(l, "null");
        return;
    }
    put(l, "\"");
    put_u64(l, id);
    put(l, "\"");
}

static void json_status(struct line *l, const struct px_status *s, const struct tick_note *note)
{
    char cause[PX_TEXT_MAX + 1];
    put(l, ",\"event\":");
    put_quoted(l, px_event_name(s->event), TICK_TRADE_ID_MAX);
    put(l, ",\"cause\":");
    cause_text(s, note, cause, sizeof cause);
    if (cause[0] != '\0')
        put_quoted(l, cause, TICK_TRADE_ID_MAX);
    else
        put(l, "null");
    json_id(l, ",\"first_id\":", s, s->first_id);
    json_id(l, ",\"last_id\":", s, s->last_id);
    put(l, ",\"count\":");
    put_u64(l, s->count);
}

static int line_end(struct line *l, const char *out)
{
    if (l->full)
        return -ENOSPC;
    *l->at = '\0';
    return (int)(l->at - out);
}

int tick_json(const struct px_tick *tick, const struct tick_note *note, char *out, size_t cap)
{
    if (cap == 0)
        return -ENOSPC;
    struct line line = {.at = out, .end = out + cap - 1}, *l = &line;
    if (note->frame != 0) {
        put(l, "{\"frame\":");
        put_u64(l, note->frame);
        json_u64(l, ",\"seq\":", tick->seq);
    } else {
        json_u64(l, "{\"seq\":", tick->seq);
    }
    put(l, ",\"symbol\":");
    if (note->symbol != NULL)
        put_quoted(l, note->symbol, PX_SYMBOL_MAX);
    else
        put(l, "null");
    put(l, ",\"kind\":\"");
    put(l, px_kind_name(tick->kind));
    put(l, "\"");
    if (tick->kind == PX_TRADE)
        json_trade(l, tick, note);
    else if (tick->kind == PX_QUOTE)
        json_quote(l, &tick->u.quote);
    else if (tick->kind == PX_TICKER)
        json_ticker(l, &tick->u.ticker);
    else
        json_status(l, &tick->u.status, note);
    if (tick->kind != PX_STATUS)
        json_time(l, ",\"exch_ts_ns\":", tick->exch_ns);
    json_time(l, ",\"recv_ts_ns\":", tick->recv_ns);
    if (tick->kind != PX_STATUS)
        json_flags(l, tick->flags);
    put(l, "}");
    return line_end(l, out);
}

/* The venue's time, else that of receipt, UTC with nanoseconds; a dash if there is none. */
static void text_time(struct line *l, const struct px_tick *tick)
{
    int64_t ns = tick->exch_ns != 0 ? tick->exch_ns : tick->recv_ns;
    time_t seconds = (time_t)(ns / 1000000000);
    struct tm tm;
    char text[64];
    if (ns <= 0 || gmtime_r(&seconds, &tm) == NULL) {
        put(l, "-");
        return;
    }
    size_t len = strftime(text, sizeof text, "%Y-%m-%dT%H:%M:%S", &tm);
    snprintf(text + len, sizeof text - len, ".%09" PRId64 "Z", ns % 1000000000);
    put(l, text);
}

static void text_decimal(struct line *l, const char *label, struct px_decimal d)
{
    put(l, label);
    if (known(d))
        put_decimal(l, d);
    else
        put(l, "-");
}

/* Text of others on a line for people: what would move the cursor is shown as a question mark. */
static void text_foreign(struct line *l, const char *text, size_t max)
{
    char piece[TICK_TRADE_ID_MAX + 1];
    size_t n = 0;
    for (; text[n] != '\0' && n < max && n < TICK_TRADE_ID_MAX; n++)
        piece[n] = (unsigned char)text[n] < ' ' || text[n] == 0x7f ? '?' : text[n];
    put_bytes(l, piece, n);
}

static void text_trade(struct line *l, const struct px_tick *tick, const struct tick_note *note)
{
    const char *side = side_name(tick->flags);
    text_decimal(l, " price ", tick->u.trade.price);
    text_decimal(l, " size ", tick->u.trade.size);
    if (side != NULL) {
        put(l, " ");
        put(l, side);
    }
    if (note->trade_id == NULL && tick->u.trade.trade_id == 0)
        return;
    put(l, " id ");
    if (note->trade_id != NULL)
        text_foreign(l, note->trade_id, TICK_TRADE_ID_MAX);
    else
        put_u64(l, tick->u.trade.trade_id);
}

static void text_status(struct line *l, const struct px_status *s, const struct tick_note *note)
{
    char cause[PX_TEXT_MAX + 1];
    put(l, " ");
    put(l, px_event_name(s->event));
    cause_text(s, note, cause, sizeof cause);
    if (cause[0] != '\0') {
        put(l, ": ");
        text_foreign(l, cause, PX_TEXT_MAX);
    }
    if (s->count != 0) {
        put(l, " (");
        put_u64(l, s->count);
        put(l, ")");
    }
}

static void text_values(struct line *l, const struct px_tick *tick, const struct tick_note *note)
{
    if (tick->kind == PX_TRADE) {
        text_trade(l, tick, note);
    } else if (tick->kind == PX_QUOTE) {
        text_decimal(l, " bid ", tick->u.quote.bid);
        text_decimal(l, " size ", tick->u.quote.bid_size);
        text_decimal(l, " ask ", tick->u.quote.ask);
        text_decimal(l, " size ", tick->u.quote.ask_size);
    } else if (tick->kind == PX_TICKER) {
        text_decimal(l, " last ", tick->u.ticker.last);
        text_decimal(l, " open ", tick->u.ticker.open);
        text_decimal(l, " high ", tick->u.ticker.high);
        text_decimal(l, " low ", tick->u.ticker.low);
    } else {
        text_status(l, &tick->u.status, note);
    }
}

int tick_text(const struct px_tick *tick, const struct tick_note *note, char *out, size_t cap)
{
    if (cap == 0)
        return -ENOSPC;
    struct line line = {.at = out, .end = out + cap - 1}, *l = &line;
    put_u64(l, note->frame != 0 ? note->frame : tick->seq);
    put(l, " ");
    text_time(l, tick);
    put(l, " ");
    if (note->symbol != NULL)
        text_foreign(l, note->symbol, PX_SYMBOL_MAX);
    else
        put(l, "-");
    put(l, " ");
    put(l, px_kind_name(tick->kind));
    text_values(l, tick, note);
    for (size_t i = 0; i < FLAG_NAMES; i++)
        if ((tick->flags & flag_names[i].flag) != 0) {
            put(l, " ");
            put(l, flag_names[i].name);
        }
    return line_end(l, out);
}
