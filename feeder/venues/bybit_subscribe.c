/* Bybit v5, what it is asked, and the two venues: spot and linear under their own paths. */
#include "bybit.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

/* The longest that is known is 1000000BABYDOGEUSDT. */
#define SYMBOL_MAX 24u
#define DEPTH_TEXT "50"
/* All args of a connection have at most 21,000 characters: `"orderbook.50.SYMBOL",` for each. */
#define STREAMS_MAX (21000u / (sizeof "\"orderbook." DEPTH_TEXT ".\"," - 1 + SYMBOL_MAX))
_Static_assert(STREAMS_MAX == 525, "so many streams of the longest name fit a connection");

/* BTCUSDT, 1000PEPEUSDT, BTCPERP, BTC-27DEC24 */
static int check_symbol(const char *native, size_t len)
{
    if (len == 0 || len > SYMBOL_MAX || native[0] == '-')
        return -EINVAL;
    for (size_t i = 0; i < len; i++) {
        char c = native[i];
        if (!((c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '-'))
            return -EINVAL;
    }
    return 0;
}

#define STREAMS_OF_WISH 3

/* The streams of a wish, by what stands in front of the symbol. There is none for all symbols. */
static uint32_t stream_names(const struct venue_wish *wish, const char *heads[STREAMS_OF_WISH])
{
    uint32_t n = 0;
    if (strcmp(wish->native, "*") == 0)
        return 0;
    if ((wish->kinds & PX_TRADES) != 0)
        heads[n++] = "publicTrade";
    if ((wish->kinds & VENUE_DEPTH) != 0)
        heads[n++] = "orderbook." DEPTH_TEXT;
    else if ((wish->kinds & PX_QUOTES) != 0)
        heads[n++] = "orderbook.1";
    if ((wish->kinds & PX_TICKERS) != 0)
        heads[n++] = "tickers";
    return n;
}

static uint32_t streams(const struct venue_wish *wish)
{
    const char *heads[STREAMS_OF_WISH];
    return stream_names(wish, heads);
}

/* A wish behind what is written so far, all of its streams or -ENOSPC. Returns the new length. */
static int put_wish(char *out, size_t limit, int at, const struct venue_wish *wish)
{
    const char *heads[STREAMS_OF_WISH];
    uint32_t n = stream_names(wish, heads);
    for (uint32_t i = 0; i < n; i++) {
        size_t room = limit - (size_t)at;
        int len = snprintf(out + at, room, "%s\"%s.%s\"", out[at - 1] == '[' ? "" : ",", heads[i],
                           wish->native);
        if (len < 0 || (size_t)len >= room)
            return -ENOSPC;
        at += len;
    }
    return at;
}

static int subscribe(const struct venue_request *request, uint32_t args_max, char *out, size_t cap,
                     size_t *taken)
{
    static const char tail[] = "]}";
    uint32_t args = 0;
    size_t done = 0;
    int at = snprintf(out, cap, "{\"req_id\":\"%" PRId64 "\",\"op\":\"%s\",\"args\":[",
                      request->number, request->on ? "subscribe" : "unsubscribe");
    if (at < 0 || (size_t)at + sizeof tail > cap)
        return -ENOSPC;
    for (; done < request->count; done++) {
        uint32_t n = streams(&request->wishes[done]);
        if (args_max != 0 && args + n > args_max)
            break;
        int end = put_wish(out, cap - (sizeof tail - 1), at, &request->wishes[done]);
        if (end < 0)
            break;
        at = end;
        args += n;
    }
    if (done == 0 && request->count > 0)
        return -ENOSPC;
    *taken = done;
    if (args == 0)
        return 0;
    memcpy(out + at, tail, sizeof tail);
    return at + (int)sizeof tail - 1;
}

#define SPOT_ARGS_MAX 10 /* "args size >10" */

static int spot_subscribe(const struct venue_request *request, char *out, size_t cap, size_t *taken)
{
    return subscribe(request, SPOT_ARGS_MAX, out, cap, taken);
}

static int linear_subscribe(const struct venue_request *request, char *out, size_t cap,
                            size_t *taken)
{
    return subscribe(request, 0, out, cap, taken);
}

#define PING "{\"req_id\":\"ping\",\"op\":\"ping\"}"

/* The venue pings nobody, and cuts after 10 min without ping and data. Its answers to our pings are
 * what comes at least: two of them are missed. */
#define BYBIT_COMMON                                                                               \
    .url = "wss://stream.bybit.com:443", .kinds = PX_ALL_KINDS | VENUE_DEPTH,                      \
    .streams_per_conn = STREAMS_MAX, .attempts_per_window = 500, .attempt_window_s = 300,          \
    .silence_ms = 45000, .keepalive_ms = 20000, .answers = VENUE_ANSWERS_REQUEST, .partial = true, \
    .check_symbol = check_symbol, .streams = streams, .keepalive = PING

const struct px_venue px_venue_bybit = {
    .name = "bybit",
    .title = "Bybit spot",
    BYBIT_COMMON,
    .params_per_request = SPOT_ARGS_MAX,
    .paths = {"/v5/public/spot"},
    .subscribe = spot_subscribe,
    .on_text = bybit_on_text,
};

const struct px_venue px_venue_bybit_linear = {
    .name = "bybit_linear",
    .title = "Bybit linear perpetuals and futures",
    BYBIT_COMMON,
    .paths = {"/v5/public/linear"},
    .subscribe = linear_subscribe,
    .on_text = bybit_linear_on_text,
};
