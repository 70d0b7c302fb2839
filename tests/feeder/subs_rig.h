/* A venue of the tests' own for subs.c: messages are lists of words, one stream per kind. */
#ifndef PX_TESTS_SUBS_RIG_H
#define PX_TESTS_SUBS_RIG_H

#include "t.h"

#include "subs.h"

#include <errno.h>

#define SEC INT64_C(1000000000)

static int check(const char *native, size_t len)
{
    return native[0] != '\0' && len > 0 ? 0 : -EINVAL;
}

static uint32_t streams(const struct venue_wish *wish)
{
    return (uint32_t)__builtin_popcount(wish->kinds);
}

/* "+7 AAA/1 BBB/3": on, request 7, natives and kinds. At most `per_message` wishes. */
static size_t per_message;
static int subscribe(const struct venue_request *request, char *out, size_t cap, size_t *taken)
{
    const struct venue_wish *wishes = request->wishes;
    int n = snprintf(out, cap, "%c%lld", request->on ? '+' : '-', (long long)request->number);
    for (*taken = 0; *taken < request->count && *taken < per_message; ++*taken) {
        int m = snprintf(out + n, cap - (size_t)n, " %s/%u", wishes[*taken].native,
                         wishes[*taken].kinds);
        if ((size_t)(n + m) >= cap) {
            out[n] = '\0';
            break;
        }
        n += m;
    }
    return *taken == 0 ? -ENOSPC : n;
}

static int on_text(struct json *json, const char *frame, size_t len, const struct venue_sink *sink)
{
    (void)json, (void)frame, (void)len, (void)sink;
    return 0;
}

static struct px_venue venue = {.name = "test",
                                .kinds = PX_ALL_KINDS | VENUE_AGGTRADES,
                                .check_symbol = check,
                                .streams = streams,
                                .paths = {"/"},
                                .subscribe = subscribe,
                                .on_text = on_text};
static char out[4096];
static int64_t at;

static __attribute__((unused)) struct subs *make(uint32_t capacity, uint32_t per_conn,
                                                 uint32_t per_s)
{
    per_message = 1000;
    venue.streams_per_conn = per_conn;
    venue.messages_per_s = per_s;
    struct subs_options o = {.capacity = capacity,
                             .grace_ns = 5 * SEC,
                             .no_data_ns = 10 * SEC,
                             .answer_ns = 10 * SEC,
                             .venue_count = 1,
                             .venue[0] = {&venue, true, 0}};
    return subs_new(&o);
}

static __attribute__((unused)) uint32_t add(struct subs *s, const char *native, uint32_t kinds,
                                            int64_t now)
{
    uint32_t sub = SUBS_NONE;
    T_EQ(subs_reader_add(s, 0, native, kinds, now, &sub), 0);
    return sub;
}

/* The next message of a link, "" if there is none. */
static __attribute__((unused)) const char *next(struct subs *s, uint32_t link, int64_t now)
{
    int n = subs_next(s, link, now, out, sizeof out, &at);
    T_TRUE(n >= 0);
    out[n] = '\0';
    return out;
}

static __attribute__((unused)) void drain(struct subs *s)
{
    while (subs_changed(s) != SUBS_NONE)
        ;
}

#endif
