/* Ours: a venue's own decoder to its events, --venue NAME. */
#include <string.h>

#include "json.h"
#include "util.h"
#include "venue.h"

static const struct px_venue *venue;
static struct json *json;
static uint64_t events;

static void on_event(void *user, const struct venue_event *event)
{
    (void)user;
    __asm__ __volatile__("" : : "r"(event) : "memory");
    events++;
}

static void decode_open(int argc, char **argv)
{
    const char *name = util_text_option(argc, argv, "venue", "binance");
    venue = venue_find(name, strlen(name));
    json = json_new(1u << 20);
    if (venue == NULL || json == NULL)
        util_die(name, 0);
}

static inline int decode_frame(const char *frame, size_t len)
{
    static const struct venue_sink sink = {on_event, NULL};
    return venue->on_text(json, frame, len, &sink);
}

#include "decode_main.h"
