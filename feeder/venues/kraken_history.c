/* After docs.kraken.com/api: /0/public/Trades, oldest first, those after a time, in the older
 * spelling: {"error":[],"result":{PAIR:[[price,size,seconds,side,type,misc,id],...],"last":ns}}.
 * Prices and sizes are texts here, with the digits of the pair. The venue takes about one request a
 * second from an address; half of that is asked. */
#include "kraken_history.h"

#include <errno.h>
#include <inttypes.h>
#include <string.h>

#include "history.h"

/* Times of the stream end with the microsecond, those of the history may have more digits. */
#define TIME_STEP_NS 1000

enum { PLACE_PRICE, PLACE_SIZE, PLACE_TIME, PLACE_SIDE, PLACE_TYPE, PLACE_MISC, PLACE_ID, PLACES };

enum { ROOT_ERROR, ROOT_RESULT, ROOT_NAMES };
static const struct decode_name root_names[ROOT_NAMES] = {
    [ROOT_ERROR] = DECODE_NAME("error"),
    [ROOT_RESULT] = DECODE_NAME("result"),
};

/* "XBT" and "XDG" are what this history calls them. */
static size_t put_currency(char *out, const char *at, size_t len)
{
    bool btc = len == 3 && memcmp(at, "BTC", 3) == 0, doge = len == 4 && memcmp(at, "DOGE", 4) == 0;
    const char *name = btc ? "XBT" : doge ? "XDG" : at;
    len = btc || doge ? 3 : len;
    memcpy(out, name, len);
    return len;
}

/* "BTC/USD" is XBTUSD. */
static int path(const struct venue_hole *hole, char *out, size_t cap)
{
    char pair[PX_SYMBOL_MAX + 1], symbol[HISTORY_SYMBOL_MAX];
    struct venue_hole renamed = *hole;
    size_t base = strcspn(hole->native, "/"), quote = strlen(hole->native + base);
    size_t n = put_currency(pair, hole->native, base);
    if (quote > 1)
        n += put_currency(pair + n, hole->native + base + 1, quote - 1);
    pair[n] = '\0';
    renamed.native = pair;
    int64_t since_ns = hole->after_ns > TIME_STEP_NS ? hole->after_ns - TIME_STEP_NS : 0;
    return history_path(out, cap, "/0/public/Trades?pair=%s&since=%" PRId64 "&count=%u",
                        history_symbol(&renamed, symbol), since_ns, HISTORY_PAGE);
}

/* The places of the array that was entered. One that is missing or of another kind is refused where
 * it is taken. */
static int read_places(struct decode *d, struct json_item place[PLACES], unsigned *count)
{
    struct json_item item;
    int rc;
    *count = 0;
    while ((rc = json_next(d->json, &item)) == 1)
        if (*count < PLACES)
            place[(*count)++] = item;
    return rc;
}

static int take_side(struct decode *d, const struct json_item *item, uint16_t *flags)
{
    char show[FIELD_SHOW_MAX];
    struct json_text side;
    int rc = field_text(&d->refusal, item, "side", &side);
    if (rc != 0)
        return rc;
    if (!DECODE_IS(side, "b") && !DECODE_IS(side, "s"))
        return refuse(&d->refusal, REFUSED_TYPE, "side \"%s\" is neither b nor s",
                      field_show(side, show));
    *flags |= side.at[0] == 'b' ? PX_SIDE_BUY : PX_SIDE_SELL;
    return 0;
}

static int take_trade(struct decode *d, void *user)
{
    const struct venue_hole *hole = user;
    struct refusal *r = &d->refusal;
    struct json_item place[PLACES];
    struct venue_event event = {0};
    struct px_trade *t = &event.u.trade;
    unsigned n;
    int rc = read_places(d, place, &n);
    if (rc != 0)
        return rc;
    if (n < PLACES)
        return refuse(r, REFUSED_MISSING, "it has %u places and not %d", n, PLACES);
    if ((rc = field_decimal(r, &place[PLACE_PRICE], "price", &t->price)) != 0 ||
        (rc = field_decimal(r, &place[PLACE_SIZE], "size", &t->size)) != 0 ||
        (rc = field_seconds(r, &place[PLACE_TIME], "time", &event.exch_ns)) != 0 ||
        (rc = take_side(d, &place[PLACE_SIDE], &event.flags)) != 0 ||
        (rc = field_id(r, &place[PLACE_ID], "trade id", &t->trade_id)) != 0)
        return rc;
    history_give(d, hole, &event, place[PLACE_ID].text);
    return 0;
}

/* The pair has a name of the venue's own there: what is an array is what was asked for. */
static int enter_trades(struct decode *d)
{
    struct json_item item;
    while (json_next(d->json, &item) == 1)
        if (item.type == JSON_ARRAY)
            return json_enter(d->json);
    refuse(&d->refusal, REFUSED_MISSING, "the result has no trades");
    return decode_give_refusal(d);
}

/* {"error":["EGeneral:Too many requests"]} */
static bool gives_words(struct decode *d)
{
    struct json_item item;
    if (decode_into(d, "error", NULL) != 0 || json_next(d->json, &item) != 1 ||
        item.type != JSON_STRING)
        return false;
    decode_give(d, &(struct venue_event){.type = VENUE_REFUSED,
                                         .text = item.text.at,
                                         .text_len = (uint32_t)item.text.len});
    return true;
}

static int on_answer(struct json *json, const char *body, size_t len, const struct venue_hole *hole,
                     const struct venue_sink *sink)
{
    struct decode d = history_start(json, sink, "kraken");
    struct venue_hole asked = *hole;
    struct decode_fields f;
    int rc = decode_root(&d, body, len, root_names, ROOT_NAMES, &f);
    if (rc < 0 || gives_words(&d))
        return decode_end(&d, rc < 0 ? rc : 0);
    if (rc != 0 || decode_into(&d, "result", NULL) != 0) {
        refuse(&d.refusal, REFUSED_MISSING, "result is missing");
        return decode_end(&d, decode_give_refusal(&d));
    }
    rc = enter_trades(&d);
    return decode_end(&d, rc != 0 ? rc : decode_each_array(&d, take_trade, &asked));
}

const struct venue_history kraken_history = {
    .url = "https://api.kraken.com",
    .requests_per_min = 30,
    .path = path,
    .on_answer = on_answer,
};
