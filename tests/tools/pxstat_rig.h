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

/* Number i had i ticks between the two looks. */
static inline void rig_symbols(struct rig *r, size_t count)
{
    r->symbols = calloc(count + 1, sizeof *r->symbols);
    r->symbols_before = calloc(count + 1, sizeof *r->symbols);
    for (size_t i = 0; i < count; i++) {
        struct px_symbol_info *s = &r->symbols[i];
        snprintf(s->symbol, sizeof s->symbol, "venue:S%05zu", i);
        s->slot = (uint32_t)i;
        s->pins = s->kinds = 1;
        s->age_ns = (int64_t)(count - i) * 1000000;
        s->ticks[0] = 1000 + i;
        r->symbols_before[i] = *s;
        r->symbols_before[i].ticks[0] = 1000;
    }
}

static inline void rig_conn(struct rig *r)
{
    struct px_conn_info *c = &r->conns[0].info;
    snprintf(c->venue, sizeof c->venue, "binance");
    snprintf(c->endpoint, sizeof c->endpoint, "wss://x:9443");
    c->state = PX_CONN_LIVE;
    c->messages = 500;
    c->message_mono_ns = 10 * RIG_SECOND;
    r->conns[0].latency = (struct latency){100, 1.5, 20.25, 300, 400};
    r->conns_before[0] = r->conns[0];
    r->conns_before[0].info.messages = 100;
}

/* Two looks at a healthy bus, a second apart: so many symbols, one connection, one reader. */
static inline void rig_start(struct rig *r, size_t symbols)
{
    memset(r, 0, sizeof *r);
    rig_symbols(r, symbols);
    rig_conn(r);
    snprintf(r->readers[0].name, sizeof r->readers[0].name, "pxtail");
    r->readers[0].pid = 5151;
    r->subject = (struct subject){.name = "md", .has_now = true, .has_before = true};
    struct snapshot *now = &r->subject.now;
    now->bus = (struct px_bus_info){.bus = "md", .version = "1.2", .state = PX_STATE_LIVE};
    now->bus.pid = 7;
    now->bus.capacity = 1000;
    now->bus.symbols = (uint32_t)symbols;
    now->bus.ring = 4096;
    now->bus.epoch = 3;
    now->bus.head = 5000;
    now->bus.heartbeat_age_ns = 40000000;
    now->mono_ns = 10 * RIG_SECOND;
    now->utc_ns = 100 * RIG_SECOND;
    now->holder = HOLDER_THERE;
    now->symbols = r->symbols;
    now->symbol_count = symbols;
    now->conns = r->conns;
    now->readers = r->readers;
    now->errors = r->errors;
    now->conn_count = now->reader_count = 1;
    r->subject.before = *now;
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
