/* pxdecode: raw frames on stdin, one a line, to the ticks that each states by itself, or to the
 * tops of the books that they make: a venue's adapter and what folds its events, without feeder and
 * bus. See pxdecode(1). */
#include <errno.h>
#include <inttypes.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "book.h"
#include "cli.h"
#include "fold.h"
#include "json.h"
#include "tick_json.h"
#include "venue.h"

#define FRAME_START  (1u << 20)  /* bytes of the longest frame at first */
#define FRAME_MAX    (64u << 20) /* and at last */
#define ERRORS_MAX   32          /* kinds of refusals that are told apart */
#define NO_OUTPUT    (-EPIPE)
#define REFUSED_LONG "frame too long"
#define SYMBOLS_MAX  4096 /* with a book, or with values that are kept */

/* Refusals of one kind. */
struct errors {
    const char *kind;
    uint64_t count;
};

struct decoder {
    const struct px_venue *venue;
    struct json *json;
    struct fold *fold;
    int as_json, only_book;
    int output; /* 0, or -errno of stdout */
    uint64_t frame, ignored, refused;
    struct errors errors[ERRORS_MAX];
};

/* Lines of stdin. The bytes behind a line are readable for VENUE_PADDING. */
struct input {
    char *data;
    size_t start, end, scanned, cap; /* line so far: data[start, end), no line end before scanned */
    int discard;                     /* in a line over FRAME_MAX, until its end */
    int eof;
};

static void count_refusal(struct decoder *d, const char *kind, const char *text)
{
    char object[32];
    struct errors *e = d->errors;
    d->refused++;
    while (e < d->errors + ERRORS_MAX - 1 && e->kind != NULL && strcmp(e->kind, kind) != 0)
        e++;
    if (e->kind == NULL)
        e->kind = kind;
    if (e->count++ > 0)
        return;
    snprintf(object, sizeof object, "frame %" PRIu64, d->frame);
    cli_error(0, object, "%s", text);
}

static void print_tick(struct decoder *d, const struct venue_event *event)
{
    char symbol[PX_SYMBOL_MAX + 1], id[TICK_TRADE_ID_MAX + 1], line[TICK_LINE_MAX];
    struct px_tick tick = {.kind = (uint16_t)event->type,
                           .id = PX_ID_NONE,
                           .flags = event->flags,
                           .exch_ns = event->exch_ns};
    struct tick_note note = {.symbol = symbol, .frame = d->frame};
    snprintf(symbol, sizeof symbol, "%s:%.*s", d->venue->name, (int)event->symbol_len,
             event->symbol);
    if (event->type == VENUE_TRADE) {
        tick.u.trade = event->u.trade;
        snprintf(id, sizeof id, "%.*s", (int)event->trade_id_len,
                 event->trade_id != NULL ? event->trade_id : "");
        note.trade_id = event->trade_id != NULL ? id : NULL;
    } else if (event->type == VENUE_QUOTE) {
        tick.u.quote = event->u.quote;
    } else {
        tick.u.ticker = event->u.ticker;
    }
    int len = d->as_json ? tick_json(&tick, &note, line, sizeof line)
                         : tick_text(&tick, &note, line, sizeof line);
    if (len < 0 || (size_t)len + 1 >= sizeof line)
        return;
    line[len] = '\n';
    if (fwrite(line, 1, (size_t)len + 1, stdout) != (size_t)len + 1)
        d->output = errno != 0 ? -errno : -EIO;
}

static void on_folded(void *user, const struct venue_event *event)
{
    struct decoder *d = user;
    char text[512];
    switch ((enum venue_event_type)event->type) {
    case VENUE_TRADE:
    case VENUE_QUOTE:
    case VENUE_TICKER:
        if (d->output == 0)
            print_tick(d, event);
        return;
    case VENUE_RESYNC:
        snprintf(text, sizeof text, "%s of %.*s: %.*s",
                 (event->kinds & VENUE_DEPTH) != 0 ? "book" : "values", (int)event->symbol_len,
                 event->symbol, (int)event->text_len, event->text);
        count_refusal(d, event->error, text);
        return;
    case VENUE_BAD:
        snprintf(text, sizeof text, "%.*s", (int)event->text_len, event->text);
        count_refusal(d, event->error, text);
        return;
    case VENUE_IGNORED:
        d->ignored++;
        return;
    default: /* answers and signs of life: nothing that has a price */
        return;
    }
}

/* Frames come of one connection. */
static void on_event(void *user, const struct venue_event *event)
{
    struct decoder *d = user;
    const struct venue_sink sink = {.event = on_folded, .user = d};
    fold_event(d->fold, 0, d->venue, event, &sink);
}

/* Room for more of the line that fills the buffer. */
static int make_room(struct decoder *d, struct input *in)
{
    if (in->start > 0) {
        memmove(in->data, in->data + in->start, in->end - in->start);
        in->end -= in->start;
        in->scanned -= in->start;
        in->start = 0;
    }
    if (in->end < in->cap)
        return 0;
    if (in->cap == FRAME_MAX) {
        in->discard = 1;
        in->end = in->scanned = 0;
        return 0;
    }
    size_t cap = in->cap * 2;
    char *data = realloc(in->data, cap + VENUE_PADDING);
    struct json *json = data != NULL ? json_new(cap) : NULL;
    if (data != NULL)
        in->data = data;
    if (json == NULL)
        return -ENOMEM;
    memset(data + cap, 0, VENUE_PADDING);
    json_free(d->json);
    d->json = json;
    in->cap = cap;
    return 0;
}

static void decode_line(struct decoder *d, struct input *in, size_t len)
{
    const struct venue_sink sink = {.event = on_event, .user = d};
    d->frame++;
    if (in->discard) {
        char text[64];
        snprintf(text, sizeof text, "longer than %u bytes", FRAME_MAX);
        count_refusal(d, REFUSED_LONG, text);
    } else {
        d->venue->on_text(d->json, in->data + in->start, len, &sink);
    }
    in->discard = 0;
}

/* Every whole line in the buffer; at the end of the input the rest as well. */
static void decode_lines(struct decoder *d, struct input *in)
{
    while (d->output == 0) {
        char *from = in->data + in->scanned;
        char *lf = memchr(from, '\n', in->end - in->scanned);
        in->scanned = lf != NULL ? (size_t)(lf - in->data) : in->end;
        if (lf == NULL)
            break;
        decode_line(d, in, in->scanned - in->start);
        in->start = ++in->scanned;
    }
    if (in->eof && (in->end > in->start || in->discard) && d->output == 0)
        decode_line(d, in, in->end - in->start);
    if (in->discard)
        in->start = in->end = in->scanned = 0;
}

/* One read; what was printed is flushed first if the input has nothing yet. */
static int fill(struct decoder *d, struct input *in)
{
    struct pollfd fd = {.fd = STDIN_FILENO, .events = POLLIN};
    if (in->end == in->cap || in->start == in->end) {
        int rc = make_room(d, in);
        if (rc != 0)
            return rc;
    }
    if (poll(&fd, 1, 0) == 0 && d->output == 0)
        d->output = cli_flush();
    if (d->output != 0)
        return 0;
    ssize_t n = read(STDIN_FILENO, in->data + in->end, in->cap - in->end);
    if (n < 0)
        return errno == EINTR ? 0 : -errno;
    in->eof = n == 0;
    in->end += (size_t)n;
    return 0;
}

static void print_counts(const struct decoder *d)
{
    char list[512] = "";
    size_t at = 0;
    if (d->refused == 0)
        return;
    for (const struct errors *e = d->errors; e < d->errors + ERRORS_MAX && e->kind != NULL; e++) {
        int len = snprintf(list + at, sizeof list - at, "%s%" PRIu64 " %s", at > 0 ? ", " : "",
                           e->count, e->kind);
        if (len < 0 || (size_t)len >= sizeof list - at)
            break;
        at += (size_t)len;
    }
    cli_error(0, "stdin", "%" PRIu64 " refused in %" PRIu64 " frames (%s), %" PRIu64 " ignored",
              d->refused, d->frame, list, d->ignored);
}

static int run(struct decoder *d)
{
    struct input in = {.cap = FRAME_START};
    int rc = -ENOMEM;
    const struct fold_options fold = {.books = SYMBOLS_MAX,
                                      .depth = BOOK_CAP_MAX,
                                      .merges = SYMBOLS_MAX,
                                      .sources = 1,
                                      .book_tops = d->only_book,
                                      .stated = !d->only_book,
                                      .crossed = true};
    in.data = calloc(1, FRAME_START + VENUE_PADDING);
    d->json = json_new(FRAME_START);
    d->fold = fold_new(&fold);
    if (in.data != NULL && d->json != NULL && d->fold != NULL)
        rc = 0;
    while (rc == 0 && !in.eof && d->output == 0) {
        rc = fill(d, &in);
        if (rc == 0 && d->output == 0)
            decode_lines(d, &in);
    }
    free(in.data);
    json_free(d->json);
    fold_free(d->fold);
    if (d->output == NO_OUTPUT)
        return CLI_OK;
    print_counts(d);
    if (d->output != 0)
        return cli_error(CLI_FAILED, "stdout", "%s", strerror(-d->output));
    if (rc != 0)
        return cli_finish(cli_error(CLI_FAILED, "stdin", "%s", strerror(-rc)));
    return cli_finish(CLI_OK);
}

enum { OPTION_VENUE = 1024, OPTION_BOOK };
static const struct cli_option options[] = {
    {OPTION_VENUE, "venue", "VENUE", "whose frames they are (required)"},
    {OPTION_BOOK, "book", NULL, "only changes of the top of the locally built book"},
    {0, NULL, NULL, NULL},
};
static const struct cli_program program = {
    .name = "pxdecode",
    .usage = "--venue VENUE [OPTION]... < FRAMES",
    .purpose = "Read raw frames of an exchange, one a line, and print the ticks that each states.",
    .tail = "Exit: 0 done, refused frames are counted on stderr; 1 failed; 2 usage.",
    .options = options,
    .usage_exit = CLI_USAGE,
};

/* Every venue's name, for a sentence. */
static const char *venue_names(char *out, size_t cap)
{
    size_t at = 0;
    out[0] = '\0';
    for (size_t i = 0; i < venue_count && at < cap; i++) {
        int len = snprintf(out + at, cap - at, "%s%s", i > 0 ? ", " : "", venue_table[i]->name);
        at += len > 0 ? (size_t)len : 0;
    }
    return out;
}

int main(int argc, char **argv)
{
    struct cli cli;
    struct decoder d = {0};
    char names[512];
    const char *venue = NULL;
    int id;
    cli_start(&cli, &program, argc, argv);
    while ((id = cli_next(&cli)) >= 0) {
        if (id == OPTION_VENUE)
            venue = cli.value;
        else
            d.only_book = 1;
    }
    if (id == CLI_EXIT)
        return cli_finish(CLI_OK);
    if (id == CLI_INVALID)
        return CLI_USAGE;
    if (cli.operand_count > 0)
        return cli_error(CLI_USAGE, cli.operands[0], "unexpected, frames are read from stdin");
    if (venue == NULL)
        return cli_error(CLI_USAGE, "--venue", "is required, one of %s",
                         venue_names(names, sizeof names));
    d.venue = venue_find(venue, strlen(venue));
    if (d.venue == NULL)
        return cli_error(CLI_USAGE, venue, "no such venue, known are %s",
                         venue_names(names, sizeof names));
    d.as_json = cli.json;
    return run(&d);
}
