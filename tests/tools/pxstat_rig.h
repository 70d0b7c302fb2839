/* A look at a bus that a test made up, and the screen that is painted of it. */
#ifndef PX_TESTS_TOOLS_PXSTAT_RIG_H
#define PX_TESTS_TOOLS_PXSTAT_RIG_H

#include <math.h>

#include "cli.h"
#include "paint.h"

#define RIG_SECOND INT64_C(1000000000)

struct rig {
    struct subject subject;
    struct model model;
    struct ui ui;
    struct grid grid;
    struct table tables[PANE_COUNT];
    struct page page;
    struct recycle recycle;
    struct px_symbol_info *symbols, *symbols_before;
    struct conn conns[4], conns_before[4];
    struct px_reader_info readers[3];
    struct px_error_info errors[2];
};

/* Two looks at a healthy bus, a second apart: `symbols` symbols, of which number i had i ticks in
 * that second, one connection, one reader. */
static inline void rig_start(struct rig *r, size_t symbols)
{
    memset(r, 0, sizeof *r);
    r->symbols = calloc(symbols + 1, sizeof *r->symbols);
    r->symbols_before = calloc(symbols + 1, sizeof *r->symbols);
    for (size_t i = 0; i < symbols; i++) {
        struct px_symbol_info *s = &r->symbols[i];
        snprintf(s->symbol, sizeof s->symbol, "venue:S%05zu", i);
        s->slot = (uint32_t)i;
        s->pins = s->kinds = 1;
        s->age_ns = (int64_t)(symbols - i) * 1000000;
        s->ticks[0] = 1000 + i;
        r->symbols_before[i] = *s;
        r->symbols_before[i].ticks[0] = 1000;
    }
    snprintf(r->conns[0].info.venue, sizeof r->conns[0].info.venue, "binance");
    snprintf(r->conns[0].info.endpoint, sizeof r->conns[0].info.endpoint, "wss://x:9443");
    r->conns[0].info.state = PX_CONN_LIVE;
    r->conns[0].info.messages = 500;
    r->conns[0].info.message_mono_ns = 10 * RIG_SECOND;
    r->conns[0].latency = (struct latency){100, 1.5, 20.25, 300, 400};
    r->conns_before[0] = r->conns[0];
    r->conns_before[0].info.messages = 100;
    snprintf(r->readers[0].name, sizeof r->readers[0].name, "pxtail");
    r->readers[0].pid = 5151;
    const struct px_bus_info bus = {.bus = "md",
                                    .version = "1.2",
                                    .state = PX_STATE_LIVE,
                                    .pid = 7,
                                    .capacity = 1000,
                                    .symbols = (uint32_t)symbols,
                                    .ring = 4096,
                                    .epoch = 3,
                                    .head = 5000,
                                    .bytes = 1 << 20,
                                    .heartbeat_age_ns = 40000000};
    r->subject = (struct subject){.name = "md", .has_now = true, .has_before = true};
    r->subject.now = (struct snapshot){.mono_ns = 10 * RIG_SECOND,
                                       .utc_ns = 100 * RIG_SECOND,
                                       .bus = bus,
                                       .holder = HOLDER_THERE,
                                       .symbols = r->symbols,
                                       .symbol_count = symbols,
                                       .conns = r->conns,
                                       .conn_count = 1,
                                       .readers = r->readers,
                                       .reader_count = 1,
                                       .errors = r->errors};
    r->subject.before = r->subject.now;
    r->subject.before.mono_ns = 9 * RIG_SECOND;
    r->subject.before.bus.head = 4000;
    r->subject.before.symbols = r->symbols_before;
    r->subject.before.conns = r->conns_before;
    r->grid.utf8 = 1;
    ui_init(&r->ui, RIG_SECOND);
}

/* The look is judged and put into the model, as after each one. There is no bus to ask for the past
 * of memory. */
static inline void rig_look(struct rig *r)
{
    judge(&r->subject.now, &r->subject.health);
    model_update(&r->model, &r->subject);
}

static inline void rig_paint(struct rig *r, int rows, int columns)
{
    struct scene scene = {&r->grid, &r->model, &r->ui, r->tables, &r->page, &r->recycle};
    T_EQ(grid_resize(&r->grid, rows, columns), 0);
    paint(&scene);
}

/* Row n of the screen, its cells outside of ASCII as '?', without blanks at its end. */
static inline const char *rig_row(const struct rig *r, int row)
{
    static char text[8][1024];
    static int turn;
    char *out = text[turn = (turn + 1) % 8];
    int length = 0;
    for (int c = 0; c < r->grid.columns && c < 1023; c++) {
        wchar_t ch = grid_at(&r->grid, row, c)->ch;
        out[c] = ch < 0x80 ? (char)ch : '?';
        length = ch != L' ' ? c + 1 : length;
    }
    out[length] = '\0';
    return out;
}

/* The first row from `from` on that has these words, -1 none. */
static inline int rig_find(const struct rig *r, int from, const char *words)
{
    for (int row = from; row < r->grid.rows; row++)
        if (strstr(rig_row(r, row), words) != NULL)
            return row;
    return -1;
}

/* The tone of the first of these words. */
static inline enum tone rig_tone(const struct rig *r, const char *words)
{
    int row = rig_find(r, 0, words);
    if (row < 0)
        fail_msg("\"%s\" is not on the screen", words);
    const char *text = rig_row(r, row);
    return grid_at(&r->grid, row, (int)(strstr(text, words) - text))->tone;
}

static inline void rig_keys(struct rig *r, const char *keys)
{
    for (; *keys != '\0'; keys++)
        ui_key(&r->ui, *keys);
}

static inline void rig_end(struct rig *r)
{
    for (int p = 0; p < PANE_COUNT; p++)
        table_free(&r->tables[p]);
    page_free(&r->page);
    model_free(&r->model);
    grid_free(&r->grid);
    free(r->symbols);
    free(r->symbols_before);
}

#endif
