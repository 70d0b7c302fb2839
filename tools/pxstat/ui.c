/* See ui.h. */
#include "ui.h"

#include <string.h>

#include "columns.h"

static const int64_t intervals_ms[] = {100, 200, 500, 1000, 2000, 5000, 10000, 30000, 60000};
#define INTERVALS  ((int)(sizeof intervals_ms / sizeof intervals_ms[0]))
#define MS_TO_NS   INT64_C(1000000)
#define CONTROL(c) ((c)&0x1f)

void ui_init(struct ui *ui, int64_t interval_ns)
{
    *ui = (struct ui){.interval_ns = interval_ns};
    for (int p = PANE_CONNS; p < PANE_COUNT; p++)
        ui->list[p].column = pane_table((enum pane)p)->first_order;
}

enum pane ui_focus(const struct ui *ui)
{
    if (ui->sections)
        return PANE_ALL;
    return ui->pane == PANE_ALL ? PANE_SYMBOLS : ui->pane;
}

struct ui_list *ui_list(struct ui *ui)
{
    return &ui->list[ui_focus(ui)];
}

/* The next longer or shorter one of the table, whatever the present one is. */
static enum ui_action change_interval(struct ui *ui, int longer)
{
    int64_t best = ui->interval_ns;
    for (int i = 0; i < INTERVALS; i++) {
        int64_t ns = intervals_ms[longer ? i : INTERVALS - 1 - i] * MS_TO_NS;
        if (longer ? ns > best : ns < best) {
            best = ns;
            break;
        }
    }
    ui->interval_ns = best;
    return UI_LOOK;
}

static void change_order(struct ui *ui, int step)
{
    struct ui_list *list = ui_list(ui);
    int count = (int)pane_table(ui_focus(ui))->count;
    list->column = (list->column + step + count) % count;
    list->reversed = 0;
    list->top = 0;
}

static enum ui_action scroll(struct ui_list *list, int key)
{
    size_t page = list->page > 1 ? list->page - 1 : 1;
    switch (key) {
    case UI_KEY_UP:
        list->top -= list->top > 0;
        return UI_DRAW;
    case UI_KEY_DOWN:
        list->top++;
        return UI_DRAW;
    case UI_KEY_PAGE_UP:
        list->top -= list->top > page ? page : list->top;
        return UI_DRAW;
    case UI_KEY_PAGE_DOWN:
        list->top += page;
        return UI_DRAW;
    case UI_KEY_HOME:
        list->top = 0;
        return UI_DRAW;
    case UI_KEY_END:
        list->top = UI_TO_END;
        return UI_DRAW;
    default:
        return UI_NOTHING;
    }
}

static enum ui_action edit(struct ui *ui, int key)
{
    char *filter = ui_list(ui)->filter;
    size_t length = strlen(filter);
    if (key == UI_KEY_ESCAPE)
        filter[0] = '\0';
    if (key == UI_KEY_ESCAPE || key == UI_KEY_ENTER || key == '\r') {
        ui->editing = 0;
    } else if (key == UI_KEY_BACKSPACE || key == CONTROL('H')) {
        if (length > 0)
            filter[length - 1] = '\0';
    } else if (key == CONTROL('U')) {
        filter[0] = '\0';
    } else if (key >= 0x20 && key < 0x7f && length + 1 < UI_FILTER_BYTES) {
        filter[length] = (char)key;
        filter[length + 1] = '\0';
    } else {
        return scroll(ui_list(ui), key);
    }
    ui_list(ui)->top = 0;
    return UI_DRAW;
}

/* A key while something lies over the panes. Only y, typed, restarts. */
static enum ui_action over(struct ui *ui, int key)
{
    enum overlay was = ui->overlay;
    ui->overlay = OVERLAY_NONE;
    if (was == OVERLAY_CONFIRM && (key == 'y' || key == 'Y')) {
        ui->overlay = OVERLAY_RESTART;
        return UI_RESTART;
    }
    return key == 'q' && was != OVERLAY_CONFIRM ? UI_QUIT : UI_DRAW;
}

static enum ui_action turn(struct ui *ui, int step)
{
    ui->pane = (enum pane)(((int)ui->pane + step + PANE_COUNT) % PANE_COUNT);
    return UI_DRAW;
}

static enum ui_action list_key(struct ui *ui, int key)
{
    if (ui->sections)
        return scroll(ui_list(ui), key);
    switch (key) {
    case '1':
    case '2':
    case '3':
    case '4':
    case '5':
        ui->pane = (enum pane)(key - '1');
        return UI_DRAW;
    case UI_KEY_TAB:
        return turn(ui, 1);
    case UI_KEY_BACK_TAB:
        return turn(ui, -1);
    case 's':
    case '>':
        change_order(ui, 1);
        return UI_DRAW;
    case '<':
        change_order(ui, -1);
        return UI_DRAW;
    case 'S':
        ui_list(ui)->reversed = !ui_list(ui)->reversed;
        return UI_DRAW;
    case 'a':
        ui->all_symbols = !ui->all_symbols;
        return UI_DRAW;
    case '/':
        ui->editing = 1;
        return UI_DRAW;
    case UI_KEY_ESCAPE:
        ui_list(ui)->filter[0] = '\0';
        return UI_DRAW;
    default:
        return scroll(ui_list(ui), key);
    }
}

enum ui_action ui_key(struct ui *ui, int key)
{
    if (key == CONTROL('C'))
        return UI_QUIT;
    if (ui->overlay != OVERLAY_NONE)
        return over(ui, key);
    if (ui->editing)
        return edit(ui, key);
    switch (key) {
    case 'q':
    case 'Q':
        return UI_QUIT;
    case '?':
    case 'h':
        ui->overlay = OVERLAY_HELP;
        return UI_DRAW;
    case 'r':
        ui->overlay = OVERLAY_CONFIRM;
        return UI_DRAW;
    case 'p':
    case ' ':
        ui->paused = !ui->paused;
        return ui->paused ? UI_DRAW : UI_LOOK;
    case '+':
    case '=':
        return change_interval(ui, 1);
    case '-':
        return change_interval(ui, 0);
    default:
        return list_key(ui, key);
    }
}
