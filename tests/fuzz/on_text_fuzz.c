/* Any bytes through every venue: the rules of on_text hold, and a blank in front of JSON, which
 * sends a frame past every fast path, changes nothing. */
#include <errno.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "json.h"
#include "venue.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define FRAME_MAX (1u << 20)

/* What a frame gave: a count, and a hash over all that the events state. */
struct given {
    size_t events, bad;
    uint64_t hash;
};

static void mix(struct given *g, const void *bytes, size_t len)
{
    const unsigned char *p = bytes;
    for (size_t i = 0; i < len; i++)
        g->hash = (g->hash ^ p[i]) * UINT64_C(0x100000001b3);
}

static void mix_decimals(struct given *g, const struct px_decimal *d, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        mix(g, &d[i].mantissa, sizeof d[i].mantissa);
        mix(g, &d[i].exponent, sizeof d[i].exponent);
    }
}

static void mix_values(struct given *g, const struct venue_event *e)
{
    if (e->type == VENUE_TRADE) {
        const struct px_decimal d[] = {e->u.trade.price, e->u.trade.size};
        mix_decimals(g, d, 2);
        mix(g, &e->u.trade.trade_id, sizeof e->u.trade.trade_id);
    } else if (e->type == VENUE_QUOTE) {
        const struct px_quote *q = &e->u.quote;
        const struct px_decimal d[] = {q->bid, q->bid_size, q->ask, q->ask_size};
        mix_decimals(g, d, 4);
    } else if (e->type == VENUE_TICKER) {
        const struct px_ticker *t = &e->u.ticker;
        const struct px_decimal d[] = {t->last, t->open, t->high, t->low};
        mix_decimals(g, d, 4);
    }
}

static void on_event(void *user, const struct venue_event *e)
{
    struct given *g = user;
    g->events++;
    g->bad += e->type == VENUE_BAD;
    if (e->type == VENUE_BAD && (e->error == NULL || e->text_len == 0 || strlen(e->error) > 31))
        abort();
    mix(g, &e->type, sizeof e->type);
    mix(g, &e->flags, sizeof e->flags);
    mix(g, &e->exch_ns, sizeof e->exch_ns);
    mix(g, &e->venue_id, sizeof e->venue_id);
    mix(g, &e->request, sizeof e->request);
    mix(g, e->symbol, e->symbol_len);
    mix(g, e->text, e->text_len);
    mix(g, e->trade_id, e->trade_id_len);
    mix(g, &e->consecutive, sizeof e->consecutive);
    mix(g, &e->aggregated, sizeof e->aggregated);
    mix(g, &e->derived, sizeof e->derived);
    mix_values(g, e);
}

static struct given give(const struct px_venue *venue, struct json *json, const uint8_t *data,
                         size_t size, bool blank)
{
    struct given g = {0};
    const struct venue_sink sink = {.event = on_event, .user = &g};
    size_t len = size + blank;
    char *frame = malloc(len + VENUE_PADDING);
    if (frame == NULL)
        abort();
    frame[0] = ' ';
    memcpy(frame + blank, data, size);
    memset(frame + len, size > 0 ? data[size - 1] : '}', VENUE_PADDING);
    int rc = venue->on_text(json, frame, len, &sink);
    bool refused = rc == -EBADMSG && g.events == 1 && g.bad == 1;
    if (!refused && (rc < 1 || (size_t)rc != g.events))
        abort();
    free(frame);
    return g;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static struct json *json;
    if (json == NULL)
        json = json_new(FRAME_MAX);
    if (json == NULL)
        abort();
    bool is_json = size > 0 && (data[0] == '{' || data[0] == '['); /* else it may be a bare word */
    for (size_t i = 0; i < venue_count && size < FRAME_MAX; i++) {
        struct given fast = give(venue_table[i], json, data, size, false);
        if (!is_json)
            continue;
        struct given general = give(venue_table[i], json, data, size, true);
        if (fast.events != general.events || fast.bad != general.bad || fast.hash != general.hash)
            abort();
    }
    return 0;
}
