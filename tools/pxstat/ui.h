/* What the keys have made of the screen: which pane, in which order, filtered by what, scrolled how
 * far. Pure: a key and the state give the next state and what is to be done. */
#ifndef PX_TOOLS_PXSTAT_UI_H
#define PX_TOOLS_PXSTAT_UI_H

#include <stddef.h>
#include <stdint.h>

enum pane { PANE_ALL = 0, PANE_CONNS, PANE_SYMBOLS, PANE_READERS, PANE_ERRORS, PANE_COUNT };

/* Keys that are no character. */
enum ui_key {
    UI_KEY_BACKSPACE = 0x7f,
    UI_KEY_ESCAPE = 0x1b,
    UI_KEY_ENTER = '\n',
    UI_KEY_TAB = '\t',
    UI_KEY_UP = 0x1000,
    UI_KEY_DOWN,
    UI_KEY_PAGE_UP,
    UI_KEY_PAGE_DOWN,
    UI_KEY_HOME,
    UI_KEY_END,
    UI_KEY_BACK_TAB
};

/* What the caller has to do beside drawing anew. */
enum ui_action { UI_DRAW = 0, UI_NOTHING, UI_QUIT, UI_RESTART, UI_LOOK };

enum overlay { OVERLAY_NONE = 0, OVERLAY_HELP, OVERLAY_CONFIRM, OVERLAY_RESTART };

#define UI_FILTER_BYTES 48
#define UI_TO_END       SIZE_MAX

struct ui_list {
    int column; /* of the order, in the pane's table */
    int reversed;
    size_t top;  /* first row that is shown; painting moves it back to where there are rows */
    size_t page; /* rows that were shown last */
    char filter[UI_FILTER_BYTES];
};

struct ui {
    enum pane pane;
    struct ui_list list[PANE_COUNT]; /* that of PANE_ALL is for a page of sections */
    enum overlay overlay;
    int editing;     /* keys go to the filter of the list in focus */
    int paused;      /* no looks */
    int all_symbols; /* else the subscribed ones */
    int sections;    /* a page of sections is shown in place of the panes */
    int64_t interval_ns;
};

/* The start: all panes, symbols by quality, worst first. */
void ui_init(struct ui *ui, int64_t interval_ns);

/* The pane whose list keys work on: with all panes shown it is that of the symbols. */
enum pane ui_focus(const struct ui *ui);
struct ui_list *ui_list(struct ui *ui);

enum ui_action ui_key(struct ui *ui, int key);

#endif
