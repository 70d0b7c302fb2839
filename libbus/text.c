/* Words for the values of the bus: decimals, names, errors. Pure functions without state. */
#include "px/bus.h"

#include <errno.h>
#include <limits.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#define DIGITS_MAX 20 /* of a 64-bit number */

/* The decimal digits of `v`, highest first, without NUL. Returns how many. */
static size_t digits_of(uint64_t v, char digits[DIGITS_MAX])
{
    char reversed[DIGITS_MAX];
    size_t n = 0;
    do {
        reversed[n++] = (char)('0' + v % 10);
        v /= 10;
    } while (v != 0);
    for (size_t i = 0; i < n; i++)
        digits[i] = reversed[n - 1 - i];
    return n;
}

static uint64_t magnitude(int64_t v)
{
    return v < 0 ? 0 - (uint64_t)v : (uint64_t)v;
}

static int is_number(struct px_decimal d)
{
    return d.exponent <= 0 && d.exponent >= PX_EXPONENT_MIN;
}

int px_decimal_text(struct px_decimal d, char *out, size_t cap)
{
    if (d.exponent != PX_ABSENT && !is_number(d))
        return -EINVAL;
    char text[PX_DECIMAL_MAX];
    size_t len = 0;
    if (d.exponent != PX_ABSENT) {
        char digits[DIGITS_MAX];
        size_t n = digits_of(magnitude(d.mantissa), digits);
        size_t places = (size_t)-d.exponent;
        if (d.mantissa < 0)
            text[len++] = '-';
        size_t whole = n > places ? n - places : 0;
        if (whole == 0)
            text[len++] = '0';
        memcpy(text + len, digits, whole);
        len += whole;
        if (places > 0) {
            text[len++] = '.';
            size_t zeros = whole == 0 ? places - n : 0;
            memset(text + len, '0', zeros);
            len += zeros;
            memcpy(text + len, digits + whole, n - whole);
            len += n - whole;
        }
    }
    if (len + 1 > cap)
        return -ENOSPC;
    memcpy(out, text, len);
    out[len] = '\0';
    return (int)len;
}

double px_decimal_double(struct px_decimal d)
{
    /* Both operands exact in a double: one IEEE division gives the nearest (Clinger's fast path).
     */
    static const double power[] = {1e0,  1e1,  1e2,  1e3,  1e4,  1e5,  1e6,  1e7,
                                   1e8,  1e9,  1e10, 1e11, 1e12, 1e13, 1e14, 1e15,
                                   1e16, 1e17, 1e18, 1e19, 1e20, 1e21, 1e22};
    if (!is_number(d))
        return (double)NAN;
    size_t places = (size_t)-d.exponent;
    if (magnitude(d.mantissa) <= UINT64_C(1) << 53 && places < sizeof power / sizeof power[0])
        return (double)d.mantissa / power[places];
    /* strtod() rounds correctly; without a decimal point the locale has no say in it. */
    char text[PX_DECIMAL_MAX];
    size_t len = 0;
    if (d.mantissa < 0)
        text[len++] = '-';
    len += digits_of(magnitude(d.mantissa), text + len);
    text[len++] = 'e';
    text[len++] = '-';
    len += digits_of(places, text + len);
    text[len] = '\0';
    return strtod(text, NULL);
}

#define NAME_OF(table, i) \
    ((i) < sizeof(table) / sizeof((table)[0]) && (table)[i] != NULL ? (table)[i] : "unknown")

const char *px_kind_name(uint32_t kind)
{
    static const char *const names[] = {
        [PX_TRADE] = "trade", [PX_QUOTE] = "quote", [PX_TICKER] = "ticker", [PX_STATUS] = "status"};
    return NAME_OF(names, kind);
}

const char *px_event_name(uint32_t event)
{
    static const char *const names[PX_EVENT_COUNT] = {
        [PX_EVENT_NONE] = "none", [PX_EVENT_BIND] = "bind",       [PX_EVENT_EVICTED] = "evicted",
        [PX_EVENT_GAP] = "gap",   [PX_EVENT_STALE] = "stale",     [PX_EVENT_LIVE] = "live",
        [PX_EVENT_VOID] = "void", [PX_EVENT_CARRIED] = "carried", [PX_EVENT_CLOSED] = "closed",
        [PX_EVENT_LOST] = "lost", [PX_EVENT_QUIET] = "quiet",     [PX_EVENT_FILLED] = "filled"};
    return NAME_OF(names, event);
}

const char *px_quality_name(uint32_t quality)
{
    static const char *const names[PX_QUALITY_COUNT] = {
        [PX_LIVE] = "live", [PX_QUIET] = "quiet", [PX_CARRIED] = "carried",
        [PX_GAP] = "gap",   [PX_STALE] = "stale", [PX_CLOSED] = "closed"};
    return NAME_OF(names, quality);
}

const char *px_cause_text(uint32_t cause)
{
    static const char *const texts[PX_CAUSE_COUNT] = {
        [PX_CAUSE_NONE] = "none",
        [PX_CAUSE_FEEDER_SILENT] = "the feeder gives no sign of life",
        [PX_CAUSE_FEEDER_CLOSED] = "the feeder ended in order",
        [PX_CAUSE_CONNECTING] = "not connected yet",
        [PX_CAUSE_CONNECTION_LOST] = "the connection was lost",
        [PX_CAUSE_CONNECTION_MUTE] = "the connection brings nothing",
        [PX_CAUSE_SYMBOL_SILENT] = "silent for longer than is usual for this symbol",
        [PX_CAUSE_NO_DATA_YET] = "subscribed and accepted, nothing has come yet",
        [PX_CAUSE_REFUSED] = "refused by the venue",
        [PX_CAUSE_IDS_MISSING] = "the venue's consecutive ids have a hole",
        [PX_CAUSE_EARLIER_EPOCH] = "from before the feeder's restart, not refreshed yet",
        [PX_CAUSE_WRITER_DIED] = "a feeder died while it wrote",
        [PX_CAUSE_NOT_SUBSCRIBED] = "nobody subscribes to it any more",
        [PX_CAUSE_CAPACITY] = "its slot went to another symbol",
        [PX_CAUSE_RETIRED] = "the segment was replaced by one of another shape",
        [PX_CAUSE_OVERRUN] = "the reader was overrun",
        [PX_CAUSE_PLANNED_END] = "a planned end of the connection",
        [PX_CAUSE_BOOK_LOST] =
            "the order book or the values before a change are not known, they are asked for again",
        [PX_CAUSE_MESSAGES_MISSING] = "messages of the connection are missing"};
    return NAME_OF(texts, cause);
}

const char *px_state_name(uint32_t state)
{
    static const char *const names[] = {[PX_STATE_BUILDING] = "building",
                                        [PX_STATE_LIVE] = "live",
                                        [PX_STATE_CLOSED] = "closed",
                                        [PX_STATE_RETIRED] = "retired"};
    return NAME_OF(names, state);
}

const char *px_conn_state_name(uint32_t state)
{
    static const char *const names[PX_CONN_STATE_COUNT] = {[PX_CONN_IDLE] = "idle",
                                                           [PX_CONN_RESOLVING] = "resolving",
                                                           [PX_CONN_CONNECTING] = "connecting",
                                                           [PX_CONN_TLS] = "tls",
                                                           [PX_CONN_UPGRADING] = "upgrading",
                                                           [PX_CONN_SUBSCRIBING] = "subscribing",
                                                           [PX_CONN_LIVE] = "live",
                                                           [PX_CONN_CLOSING] = "closing",
                                                           [PX_CONN_WAITING] = "waiting"};
    return NAME_OF(names, state);
}

const char *px_breaker_name(uint32_t state)
{
    static const char *const names[] = {[PX_BREAKER_CLOSED] = "closed",
                                        [PX_BREAKER_OPEN] = "open",
                                        [PX_BREAKER_HALF_OPEN] = "half-open"};
    return NAME_OF(names, state);
}

const char *px_owner_name(uint32_t owner)
{
    static const char *const names[] = {[PX_OWNER_FEEDER] = "feeder",
                                        [PX_OWNER_WEBSOCKET] = "websocket",
                                        [PX_OWNER_TLS] = "tls",
                                        [PX_OWNER_JSON] = "json",
                                        [PX_OWNER_COUNT] = "nobody"};
    return NAME_OF(names, owner);
}

const char *px_strerror(int error)
{
    static const struct {
        int error;
        const char *text;
    } table[] = {
        {EACCES, "no right to read it"},
        {EAGAIN, "busy at every try, try again"},
        {EBUSY, "held by another feeder"},
        {EDQUOT, "a quota of this user is used up"},
        {EINTR, "interrupted by a signal"},
        {EINVAL, "not a valid argument"},
        {EMSGSIZE, "the segment is shorter than it says"},
        {ENOBUFS, "every handle of this reader is in use"},
        {ENODEV, "no such venue"},
        {ENOENT, "not there"},
        {ENOMEM, "out of memory"},
        {ENOSPC, "no space left for it"},
        {ENOTCONN, "no connection to the feeder"},
        {EOVERFLOW, "overrun: ticks were overwritten before they were read"},
        {EPERM, "not permitted"},
        {EPROTO, "not a segment of this project"},
        {EPROTONOSUPPORT, "a segment of another layout version"},
        {ERANGE, "out of range"},
        {ESTALE, "its slot went to another symbol"},
        {ETIMEDOUT, "timed out"},
    };
    if (error >= 0)
        return "done";
    for (size_t i = 0; i < sizeof table / sizeof table[0]; i++)
        if (-table[i].error == error)
            return table[i].text;
    const char *text = error == INT_MIN ? NULL : strerrordesc_np(-error);
    return text != NULL ? text : "unknown error";
}
