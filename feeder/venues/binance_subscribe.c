/* What the Binance family is asked. See binance_subscribe.h. */
#include "binance_subscribe.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "json.h"

/* Symbols are upper case where they are named, lower case in the names of streams. Letters beyond
 * ASCII occur and have no case there. */
int binance_check_symbol(const char *native, size_t len)
{
    if (len == 0 || len > PX_SYMBOL_MAX || !json_utf8(native, len))
        return -EINVAL;
    for (size_t i = 0; i < len; i++) {
        unsigned char c = (unsigned char)native[i];
        bool plain = (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_' || c == '-';
        if (!plain && c < 0x80)
            return -EINVAL;
    }
    return 0;
}

#define STREAMS_OF_WISH 3

/* The stream of trades of each market: what it documents. The `trade` streams of futures exist, but
 * no document promises anything of them. */
struct market {
    const char *trades, *aggregated;
};
static const struct market spot = {"@trade", "@aggTrade"};
static const struct market futures = {"@aggTrade", "@aggTrade"};

/* The streams of a wish, by the ends of their names. Aggregated trades stand in for single ones. */
static uint32_t stream_names(const struct market *market, const struct venue_wish *wish,
                             const char *names[STREAMS_OF_WISH])
{
    uint32_t n = 0;
    if (strcmp(wish->native, "*") == 0) {
        if ((wish->kinds & PX_TICKERS) != 0)
            names[n++] = "!miniTicker@arr";
        return n;
    }
    if ((wish->kinds & VENUE_AGGTRADES) != 0)
        names[n++] = market->aggregated;
    else if ((wish->kinds & PX_TRADES) != 0)
        names[n++] = market->trades;
    if ((wish->kinds & PX_QUOTES) != 0)
        names[n++] = "@bookTicker";
    if ((wish->kinds & PX_TICKERS) != 0)
        names[n++] = "@ticker";
    return n;
}

uint32_t binance_streams(const struct venue_wish *wish)
{
    const char *names[STREAMS_OF_WISH];
    return stream_names(&spot, wish, names);
}

uint32_t binance_futures_streams(const struct venue_wish *wish)
{
    const char *names[STREAMS_OF_WISH];
    return stream_names(&futures, wish, names);
}

#define REQUEST_MAX 8000 /* longer messages have failed silently */

/* "\"btcusdt@trade\"", comma in front if it is not the first. False: no room. */
static bool put_stream(char *out, size_t cap, size_t *at, const char *native, const char *name)
{
    int len = snprintf(out + *at, cap - *at, "%s\"%s%s\"", out[*at - 1] == '[' ? "" : ",",
                       name[0] == '!' ? "" : native, name);
    if (len < 0 || (size_t)len >= cap - *at)
        return false;
    for (char *c = out + *at; name[0] != '!' && *c != '@'; c++)
        if (*c >= 'A' && *c <= 'Z')
            *c = (char)(*c - 'A' + 'a');
    *at += (size_t)len;
    return true;
}

static int subscribe(const struct market *market, const struct venue_request *request, char *out,
                     size_t cap, size_t *taken)
{
    const struct venue_wish *wishes = request->wishes;
    char tail[32];
    size_t tail_len = (size_t)snprintf(tail, sizeof tail, "],\"id\":%" PRId64 "}", request->number);
    size_t limit = cap < REQUEST_MAX ? cap : REQUEST_MAX, params = 0, done = 0;
    int len = snprintf(out, cap, "{\"method\":\"%s\",\"params\":[",
                       request->on ? "SUBSCRIBE" : "UNSUBSCRIBE");
    if (len < 0 || (size_t)len + tail_len >= limit)
        return -ENOSPC;
    size_t at = (size_t)len;
    for (; done < request->count; done++) {
        const char *names[STREAMS_OF_WISH];
        uint32_t n = stream_names(market, &wishes[done], names), i = 0;
        size_t end = at;
        while (i < n && params + n <= BINANCE_PARAMS_MAX &&
               put_stream(out, limit - tail_len, &end, wishes[done].native, names[i]))
            i++;
        if (i < n)
            break;
        at = end;
        params += n;
    }
    if (done == 0 && request->count > 0)
        return -ENOSPC;
    *taken = done;
    if (params == 0)
        return 0;
    memcpy(out + at, tail, tail_len + 1);
    return (int)(at + tail_len);
}

int binance_subscribe(const struct venue_request *request, char *out, size_t cap, size_t *taken)
{
    return subscribe(&spot, request, out, cap, taken);
}

int binance_futures_subscribe(const struct venue_request *request, char *out, size_t cap,
                              size_t *taken)
{
    return subscribe(&futures, request, out, cap, taken);
}
