/* A small feeder for tests: a real writer of a real bus that does what standard input says, one
 * command a line, and answers each with "ok ..." or "error ...". It keeps the heartbeat, can be
 * stopped and killed like any process, and closes the bus at "quit" or the end of its input.
 *
 *   bus_writer BUS [CAPACITY [RING]]
 *
 * Commands (SYM "venue:NATIVE", or - for no symbol; numbers of enums as in px/types.h, px/info.h):
 *   bind SYM | release SYM | pin SYM READERS KINDS | quality SYM QUALITY CAUSE | text SYM WORDS
 *   trade SYM PRICE SIZE [ID] | quote SYM BID SIZE ASK SIZE | ticker SYM LAST OPEN HIGH LOW
 *   burst SYM COUNT | stream SYM PER_SECOND (0 ends) | status SYM EVENT CAUSE [FIRST LAST COUNT]
 *   conn I VENUE ENDPOINT STATE BREAKER MESSAGES [REASON] | latency I NS COUNT
 *   reader I PID NAME SUBSCRIPTIONS LAG LOST | noreader I | error KIND WORDS | count NAME N
 *   memory RSS HEAP | verdict TREND LEVEL GROWTH CONFIDENCE_PPM OWNER LIMIT_S
 *   silent | speak | epoch | quit */
#include <errno.h>
#include <inttypes.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "px/bus.h"
#include "px/writer.h"

#define WORDS_MAX    10
#define HEARTBEAT_MS 50

static struct px_writer_options options;
static px_writer *writer;
static int silent;
static uint64_t next_id = 1;
static struct {
    uint32_t slot;
    uint64_t per_second, sent;
    int64_t since_ns;
} stream;

static int64_t clock_now(clockid_t clock)
{
    struct timespec ts;
    clock_gettime(clock, &ts);
    return (int64_t)ts.tv_sec * 1000000000 + ts.tv_nsec;
}

static const struct px_counter_def counters[] = {
    {"test_frames", "frames", PX_COUNTER, "frames that a test pretended to receive"},
};

static int open_bus(void)
{
    struct px_writer_report report;
    int rc = px_writer_open(&writer, &options, &report);
    if (rc < 0) {
        printf("error %s\n", px_strerror(rc));
        return rc;
    }
    printf("ready epoch %" PRIu64 " adopted %d pid %d\n", report.epoch, report.adopted,
           (int)getpid());
    return 0;
}

static uint64_t number(char **word, int i)
{
    return word[i] != NULL ? strtoull(word[i], NULL, 0) : 0;
}

/* Digits with at most one point; '-' alone is absent. */
static struct px_decimal decimal(const char *text)
{
    struct px_decimal d = {0, 0};
    int negative = text != NULL && text[0] == '-', point = 0;
    if (text == NULL || strcmp(text, "-") == 0)
        return (struct px_decimal){0, PX_ABSENT};
    for (const char *p = text + negative; *p != '\0'; p++) {
        if (*p == '.') {
            point = 1;
        } else {
            d.mantissa = d.mantissa * 10 + (*p - '0');
            d.exponent -= point;
        }
    }
    if (negative)
        d.mantissa = -d.mantissa;
    return d;
}

/* The slot that a command names, bound if need be. */
static int slot_of(const char *symbol, uint32_t *slot)
{
    *slot = PX_NO_SLOT;
    if (symbol == NULL || strcmp(symbol, "-") == 0)
        return 0;
    return px_writer_bind(writer, symbol, strlen(symbol), slot);
}

static struct px_update update_of(uint16_t kind)
{
    int64_t utc = clock_now(CLOCK_REALTIME);
    return (struct px_update){.kind = kind,
                              .exch_ns = utc - 1000000,
                              .recv_ns = utc,
                              .mono_ns = clock_now(CLOCK_MONOTONIC)};
}

static int publish(uint32_t slot, const struct px_update *u)
{
    uint64_t seq = px_writer_publish(writer, slot, u);
    return seq == 0 ? -EINVAL : 0;
}

static void trade(uint32_t slot, uint64_t id)
{
    struct px_update u = update_of(PX_TRADE);
    u.flags = PX_SIDE_BUY;
    u.venue_id = id;
    u.u.trade = (struct px_trade){{6183763000000 + (int64_t)id, -8}, {2000000, -8}, id};
    publish(slot, &u);
}

static int do_bind(uint32_t slot, char **word)
{
    (void)word;
    printf("slot %u ", slot);
    return 0;
}

static int do_release(uint32_t slot, char **word)
{
    (void)word;
    return px_writer_release(writer, slot);
}

static int do_pin(uint32_t slot, char **word)
{
    return px_writer_pin(writer, slot, (uint32_t)number(word, 2), (uint32_t)number(word, 3));
}

static int do_quality(uint32_t slot, char **word)
{
    px_writer_quality(writer, slot, (uint32_t)number(word, 2), (uint32_t)number(word, 3));
    return 0;
}

static int do_trade(uint32_t slot, char **word)
{
    struct px_update u = update_of(PX_TRADE);
    uint64_t id = word[4] != NULL ? number(word, 4) : next_id++;
    u.flags = PX_SIDE_SELL;
    u.venue_id = id;
    u.u.trade = (struct px_trade){decimal(word[2]), decimal(word[3]), id};
    return publish(slot, &u);
}

static int do_quote(uint32_t slot, char **word)
{
    struct px_update u = update_of(PX_QUOTE);
    u.u.quote =
        (struct px_quote){decimal(word[2]), decimal(word[3]), decimal(word[4]), decimal(word[5])};
    return publish(slot, &u);
}

static int do_ticker(uint32_t slot, char **word)
{
    struct px_update u = update_of(PX_TICKER);
    u.u.ticker =
        (struct px_ticker){decimal(word[2]), decimal(word[3]), decimal(word[4]), decimal(word[5])};
    return publish(slot, &u);
}

static int do_burst(uint32_t slot, char **word)
{
    uint64_t count = number(word, 2);
    for (uint64_t i = 0; i < count; i++)
        trade(slot, next_id++);
    return 0;
}

static int do_stream(uint32_t slot, char **word)
{
    stream.slot = slot;
    stream.per_second = number(word, 2);
    stream.sent = 0;
    stream.since_ns = clock_now(CLOCK_MONOTONIC);
    return 0;
}

static int do_status(uint32_t slot, char **word)
{
    struct px_status s = {(uint32_t)number(word, 2), (uint32_t)number(word, 3), 0, 0, 0};
    if (word[4] != NULL) {
        s.first_id = number(word, 4);
        s.last_id = number(word, 5);
        s.count = number(word, 6);
    }
    return px_writer_status(writer, slot, &s, clock_now(CLOCK_REALTIME)) == 0 ? -EINVAL : 0;
}

static int do_conn(uint32_t slot, char **word)
{
    (void)slot;
    int64_t now = clock_now(CLOCK_MONOTONIC);
    struct px_conn_info c = {.state = (uint32_t)number(word, 4),
                             .breaker = (uint32_t)number(word, 5),
                             .owner_epoch = px_writer_epoch(writer),
                             .since_mono_ns = now,
                             .open_mono_ns = now,
                             .bytes_mono_ns = now,
                             .message_mono_ns = now,
                             .attempts = 1,
                             .messages = number(word, 6)};
    snprintf(c.venue, sizeof c.venue, "%s", word[2]);
    snprintf(c.endpoint, sizeof c.endpoint, "%s", word[3]);
    snprintf(c.reason, sizeof c.reason, "%s", word[7] != NULL ? word[7] : "");
    return px_writer_conn(writer, (uint32_t)number(word, 1), &c);
}

static int do_latency(uint32_t slot, char **word)
{
    (void)slot;
    px_writer_latency(writer, (uint32_t)number(word, 1), (int64_t)number(word, 2),
                      (uint32_t)number(word, 3));
    return 0;
}

/* A reader that is told of again is the same one: it attached when it was first. */
static int do_reader(uint32_t slot, char **word)
{
    static int64_t attached_ns;
    if (attached_ns == 0)
        attached_ns = clock_now(CLOCK_MONOTONIC);
    (void)slot;
    struct px_reader_info r = {.pid = (int32_t)number(word, 2),
                               .uid = getuid(),
                               .subscriptions = (uint32_t)number(word, 4),
                               .lag = number(word, 5),
                               .lost = number(word, 6),
                               .attached_mono_ns = attached_ns + (int64_t)number(word, 1)};
    snprintf(r.name, sizeof r.name, "%s", word[3]);
    return px_writer_reader(writer, (uint32_t)number(word, 1), &r);
}

static int do_noreader(uint32_t slot, char **word)
{
    (void)slot;
    return px_writer_reader(writer, (uint32_t)number(word, 1), NULL);
}

static int do_count(uint32_t slot, char **word)
{
    (void)slot;
    for (uint32_t i = 0; i < sizeof counters / sizeof counters[0]; i++)
        if (strcmp(counters[i].name, word[1]) == 0) {
            px_writer_count(writer, PX_B_COUNT + i, number(word, 2));
            return 0;
        }
    return -ENOENT;
}

static int do_memory(uint32_t slot, char **word)
{
    (void)slot;
    uint64_t heap = number(word, 2);
    struct px_memory_sample s = {.utc_ns = clock_now(CLOCK_REALTIME),
                                 .rss_bytes = number(word, 1),
                                 .heap_bytes = heap,
                                 .owner_bytes = {heap / 2, heap / 4, heap / 8, heap / 8},
                                 .connections = 2,
                                 .timers = 5};
    px_writer_memory_second(writer, &s);
    return 0;
}

static int do_verdict(uint32_t slot, char **word)
{
    (void)slot;
    struct px_memory_verdict v = {
        .mono_ns = clock_now(CLOCK_MONOTONIC),
        .trend = (uint32_t)number(word, 1),
        .level = (uint32_t)number(word, 2),
        .growth_bytes_per_hour = strtoll(word[3] != NULL ? word[3] : "0", NULL, 0),
        .confidence_ppm = (uint32_t)number(word, 4),
        .owner = (uint32_t)number(word, 5),
        .time_to_limit_s = strtoll(word[6] != NULL ? word[6] : "-1", NULL, 0)};
    px_writer_memory_verdict(writer, &v);
    return 0;
}

static int do_silent(uint32_t slot, char **word)
{
    (void)slot;
    silent = strcmp(word[0], "silent") == 0;
    return 0;
}

/* The feeder ends in order and comes back in the same process. */
static int do_epoch(uint32_t slot, char **word)
{
    (void)slot;
    (void)word;
    px_writer_close(writer);
    writer = NULL;
    stream.per_second = 0;
    return open_bus();
}

/* `symbol`: word 1 names a symbol. `least`: words it needs. `words`: the last is the rest of the
 * line. */
static const struct {
    const char *name;
    int symbol, least, words;
    int (*run)(uint32_t slot, char **word);
} commands[] = {
    {"bind", 1, 2, 0, do_bind},       {"release", 1, 2, 0, do_release},
    {"pin", 1, 4, 0, do_pin},         {"quality", 1, 4, 0, do_quality},
    {"trade", 1, 4, 0, do_trade},     {"quote", 1, 6, 0, do_quote},
    {"ticker", 1, 6, 0, do_ticker},   {"burst", 1, 3, 0, do_burst},
    {"stream", 1, 3, 0, do_stream},   {"status", 1, 4, 0, do_status},
    {"conn", 0, 7, 8, do_conn},       {"latency", 0, 4, 0, do_latency},
    {"reader", 0, 7, 0, do_reader},   {"noreader", 0, 2, 0, do_noreader},
    {"count", 0, 3, 0, do_count},     {"memory", 0, 3, 0, do_memory},
    {"verdict", 0, 7, 0, do_verdict}, {"silent", 0, 1, 0, do_silent},
    {"speak", 0, 1, 0, do_silent},    {"epoch", 0, 1, 0, do_epoch},
};

/* Split at blanks; from word `last` on (0: never) the rest stays together. */
static int split(char *line, char **word, int last)
{
    int n = 0;
    memset(word, 0, WORDS_MAX * sizeof *word);
    while (n < WORDS_MAX - 1) {
        line += strspn(line, " ");
        if (*line == '\0')
            break;
        word[n++] = line;
        if (last != 0 && n == last)
            break;
        line += strcspn(line, " ");
        if (*line != '\0')
            *line++ = '\0';
    }
    return n;
}

/* The two whose last word is free text. */
static int run_words(char *line)
{
    char *word[WORDS_MAX];
    uint32_t slot;
    int n = split(line, word, 3);
    if (n < 3)
        return -EINVAL;
    if (strcmp(word[0], "error") == 0)
        return px_writer_error(writer, word[1], word[2], clock_now(CLOCK_REALTIME)) > 0 ? 0
                                                                                        : -ENOSPC;
    int rc = slot_of(word[1], &slot);
    if (rc == 0)
        px_writer_text(writer, slot, word[2]);
    return rc;
}

static int run(char *line)
{
    char *word[WORDS_MAX];
    if (strncmp(line, "error ", 6) == 0 || strncmp(line, "text ", 5) == 0)
        return run_words(line);
    for (size_t i = 0; i < sizeof commands / sizeof commands[0]; i++) {
        size_t len = strlen(commands[i].name);
        if (strncmp(line, commands[i].name, len) != 0 || (line[len] != '\0' && line[len] != ' '))
            continue;
        uint32_t slot = PX_NO_SLOT;
        if (split(line, word, commands[i].words) < commands[i].least)
            return -EINVAL;
        int rc = commands[i].symbol ? slot_of(word[1], &slot) : 0;
        return rc < 0 ? rc : commands[i].run(slot, word);
    }
    return -ENOSYS;
}

/* Catch up with the rate that was asked for. */
static void stream_on(int64_t now_ns)
{
    if (stream.per_second == 0)
        return;
    uint64_t due = (uint64_t)((double)(now_ns - stream.since_ns) / 1e9 * (double)stream.per_second);
    for (; stream.sent < due; stream.sent++)
        trade(stream.slot, next_id++);
}

/* Whole lines out of `text`; the rest moves to its front. Returns 1 at "quit". */
static int run_lines(char *text, size_t *used)
{
    char *at = text, *end;
    text[*used] = '\0';
    while ((end = strchr(at, '\n')) != NULL) {
        *end = '\0';
        if (strcmp(at, "quit") == 0)
            return 1;
        int rc = run(at);
        px_writer_flush(writer);
        if (rc < 0)
            printf("error %s\n", px_strerror(rc));
        else
            printf("ok\n");
        at = end + 1;
    }
    *used -= (size_t)(at - text);
    memmove(text, at, *used);
    return 0;
}

int main(int argc, char **argv)
{
    static char text[65536];
    size_t used = 0;
    if (argc < 2) {
        fprintf(stderr, "usage: bus_writer BUS [CAPACITY [RING]]\n");
        return 2;
    }
    setvbuf(stdout, NULL, _IOLBF, 0);
    options =
        (struct px_writer_options){.bus = argv[1],
                                   .capacity = argc > 2 ? (uint32_t)strtoul(argv[2], NULL, 0) : 100,
                                   .ring = argc > 3 ? (uint32_t)strtoul(argv[3], NULL, 0) : 4096,
                                   .group = -1,
                                   .version = "test",
                                   .lock_fd = -1,
                                   .counters = counters,
                                   .counter_count = sizeof counters / sizeof counters[0]};
    if (open_bus() < 0)
        return 1;
    for (;;) {
        struct pollfd in = {.fd = STDIN_FILENO, .events = POLLIN};
        int rc = poll(&in, 1, stream.per_second > 0 ? 1 : HEARTBEAT_MS);
        int64_t now = clock_now(CLOCK_MONOTONIC);
        stream_on(now);
        px_writer_flush(writer);
        if (!silent)
            px_writer_heartbeat(writer, now);
        if (rc <= 0)
            continue;
        ssize_t n = read(STDIN_FILENO, text + used, sizeof text - 1 - used);
        if (n <= 0)
            break;
        used += (size_t)n;
        if (run_lines(text, &used))
            break;
    }
    px_writer_close(writer);
    return 0;
}
