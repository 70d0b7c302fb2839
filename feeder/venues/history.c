#include "history.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

const char *history_symbol(const struct venue_hole *hole, char out[HISTORY_SYMBOL_MAX])
{
    static const char hex[] = "0123456789ABCDEF";
    size_t n = 0;
    for (const char *p = hole->native; *p != '\0' && n + 3 < HISTORY_SYMBOL_MAX; p++) {
        unsigned char c = (unsigned char)*p;
        bool plain = (c >= '0' && c <= '9') || (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z');
        if (plain || strchr("-._~", c) != NULL) {
            out[n++] = *p;
            continue;
        }
        out[n++] = '%';
        out[n++] = hex[c >> 4];
        out[n++] = hex[c & 15];
    }
    out[n] = '\0';
    return out;
}

uint64_t history_reach(const struct venue_hole *hole)
{
    return hole->last - hole->first < HISTORY_PAGE ? hole->last : hole->first + HISTORY_PAGE - 1;
}

int history_path(char *out, size_t cap, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    int n = vsnprintf(out, cap, format, args);
    va_end(args);
    return n < 0 || (size_t)n >= cap ? -ENOSPC : n;
}

struct decode history_start(struct json *json, const struct venue_sink *sink, const char *venue)
{
    struct decode d = decode_start(json, sink, venue);
    d.refusal.what = "history of trades";
    return d;
}

void history_give(struct decode *d, const struct venue_hole *hole, struct venue_event *event,
                  struct json_text id)
{
    event->type = VENUE_TRADE;
    event->symbol = hole->native;
    event->symbol_len = (uint16_t)strlen(hole->native);
    event->venue_id = event->u.trade.trade_id;
    event->trade_id = id.at;
    event->trade_id_len = (uint32_t)id.len;
    event->aggregated = hole->aggregated;
    event->consecutive = true;
    decode_give(d, event);
}
