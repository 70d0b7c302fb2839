/* pxsim with venues of the test's own, one for each thing that a venue may ask of the server:
 * pxsim_hooks NAME [OPTION ...]. Their clients say SUBSCRIBE-NAME, "close", or anything else. */
#include "options.h"
#include "server.h"

#include <stdio.h>
#include <string.h>

static void say(struct session *s, const char *text)
{
    s->send(s, text, strlen(text), false);
}

static int any_path(struct session *s, char *target)
{
    (void)s;
    (void)target;
    return 0;
}

/* The answer to "close" would come behind the close frame if the end did not wait for it. */
static void on_text(struct session *s, const char *text, size_t len)
{
    char symbol[16] = "";
    if (len == 5 && memcmp(text, "close", 5) == 0) {
        s->close(s, 4321, "as asked");
        s->close(s, 1000, "too late");
    } else if (len > 2 && len < sizeof symbol && text[0] == '+') {
        memcpy(symbol, text + 1, len - 1);
        (void)hub_subscribe(s, symbol, STREAM_TRADE, 0, symbol);
        hub_settle(s->hub, s->now.mono_ns);
    }
    say(s, "ok");
}

static size_t write_trade(const struct stream *st, const struct hub_event *ev, char *buf,
                          size_t room)
{
    return (size_t)snprintf(buf, room, "%llu %llu %s", (unsigned long long)st->told,
                            (unsigned long long)ev->instrument->market.trade.id, st->name);
}

static void hello(struct session *s)
{
    say(s, "hello");
}

/* state[0] counts, sent_ns says for how long nothing was said. */
static void beat(struct session *s)
{
    char text[64];
    uint64_t quiet_ms = (s->now.mono_ns - s->sent_ns) / 1000000;
    snprintf(text, sizeof text, "beat %llu %llu", (unsigned long long)++s->state[0],
             (unsigned long long)quiet_ms);
    say(s, text);
}

static size_t dashed(const char *base, const char *quote, char *out, size_t cap)
{
    return (size_t)snprintf(out, cap, "%s-%s", base, quote);
}

#define VENUE(called) .name = called, .open = any_path, .text = on_text, .write = write_trade

static const struct sim_venue venues[] = {
    {VENUE("plain"), .spell = dashed},
    {VENUE("greeting"), .greet = hello},
    {VENUE("beating"), .second = beat},
    {VENUE("binary"), .binary = true, .greet = hello, .spell = dashed},
    {VENUE("short"), .frame_max = 20},
    {VENUE("hasty"), .subscribe_within_ms = 1000},
    {VENUE("hasty_in_own_words"), .subscribe_within_ms = 300,
     .subscribe_close = {4100, "say what you want"}},
    {VENUE("idle"), .idle_ms = 1000},
    {VENUE("idle_in_own_words"), .idle_ms = 300, .idle_close = {4004, "no data"}},
};

/* The options as those of a venue that pxsim knows, with the venue's habits of our own. */
static int take_options(struct options *o, int argc, char **argv)
{
    const struct sim_venue *own = NULL;
    char *args[32] = {argv[0], "--venue", "binance", "--ping-interval", "0", "--max-age", "0"};
    int n = 7;
    for (size_t i = 0; argc > 1 && i < sizeof venues / sizeof venues[0]; i++) {
        if (strcmp(venues[i].name, argv[1]) == 0)
            own = &venues[i];
    }
    for (int i = 2; i < argc && n < 31; i++)
        args[n++] = argv[i];
    int status = own == NULL ? 2 : options_parse(o, n, args);
    o->venue = own;
    return status;
}

int main(int argc, char **argv)
{
    struct options options;
    struct server server;
    int status = take_options(&options, argc, argv);
    if (status >= 0)
        return status;
    int rc = server_open(&server, &options);
    if (rc == 0)
        rc = server_run(&server);
    server_close(&server);
    return rc == 0 ? 0 : 1;
}
