/* See screen.h. */
#include "screen.h"

#include <curses.h>
#include <errno.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <termios.h>
#include <unistd.h>

#include "cli.h"
#include "paint.h"
#include "spark.h"
#include "terminal.h"

#define STEP_NS     INT64_C(100000000) /* between two looks at a restart that goes on */
#define ESCAPE_MS   25
#define RUN_COLUMNS 256

struct screen {
    const struct screen_request *request;
    struct subject *subject;
    struct model model;
    struct ui ui;
    struct grid grid;
    struct table tables[PANE_COUNT];
    struct page page;
    struct recycle recycle;
    int colour;
    int64_t next_ns; /* when the next look is due */
};

/* -- the terminal -- */

/* For the handler of a fault, which may call next to nothing. */
static struct termios terminal_before;
static char leave_text[128];

/* A fault, or Ctrl-\, must not leave a terminal behind that shows no keys. It is raised again, to
 * end us. */
static void on_fault(int number)
{
    /* what cannot be written is lost with the terminal */
    if (write(STDOUT_FILENO, leave_text, strlen(leave_text)) >= 0)
        tcsetattr(STDIN_FILENO, TCSANOW, &terminal_before);
    raise(number);
}

static void append_capability(const char *name)
{
    const char *text = tigetstr(name);
    size_t used = strlen(leave_text);
    if (text != NULL && text != (char *)-1 && used + strlen(text) < sizeof leave_text)
        strcpy(leave_text + used, text);
}

static void catch_faults(void)
{
    static const int faults[] = {SIGBUS, SIGSEGV, SIGABRT, SIGQUIT};
    struct sigaction action = {.sa_handler = on_fault, .sa_flags = (int)SA_RESETHAND};
    append_capability("sgr0");
    append_capability("rmcup");
    append_capability("rmkx");
    append_capability("cnorm");
    for (size_t i = 0; i < sizeof faults / sizeof faults[0]; i++)
        sigaction(faults[i], &action, NULL);
}

static int terminal_start(struct screen *s)
{
    const char *no_colour = getenv("NO_COLOR");
    if (!terminal_usable() || tcgetattr(STDIN_FILENO, &terminal_before) < 0 ||
        newterm(NULL, stdout, stdin) == NULL)
        return -ENOTTY;
    set_escdelay(ESCAPE_MS);
    cbreak();
    noecho();
    keypad(stdscr, TRUE);
    nodelay(stdscr, TRUE);
    curs_set(0);
    s->colour = has_colors() && (no_colour == NULL || *no_colour == '\0');
    if (s->colour) {
        start_color();
        use_default_colors();
        init_pair(TONE_GOOD, COLOR_GREEN, -1);
        init_pair(TONE_WARN, COLOR_YELLOW, -1);
        init_pair(TONE_BAD, COLOR_RED, -1);
    }
    catch_faults();
    return 0;
}

static attr_t attributes_of(enum tone tone, int colour)
{
    static const attr_t plain[TONE_COUNT] = {
        [TONE_HEAD] = A_BOLD, [TONE_WARN] = A_BOLD, [TONE_BAD] = A_REVERSE, [TONE_BAR] = A_REVERSE};
    static const attr_t bright[TONE_COUNT] = {
        [TONE_HEAD] = A_BOLD, [TONE_BAD] = A_BOLD, [TONE_DIM] = A_DIM, [TONE_BAR] = A_REVERSE};
    if (!colour)
        return plain[tone];
    int paired = tone == TONE_GOOD || tone == TONE_WARN || tone == TONE_BAD;
    return bright[tone] | (paired ? (attr_t)COLOR_PAIR(tone) : 0);
}

/* A row as runs of one tone each. */
static void show_row(const struct grid *g, int row, int colour)
{
    wchar_t run[RUN_COLUMNS];
    for (int from = 0; from < g->columns;) {
        const struct cell *cell = grid_at(g, row, from);
        int n = 0;
        while (n < RUN_COLUMNS && from + n < g->columns && cell[n].tone == cell[0].tone) {
            run[n] = cell[n].ch;
            n++;
        }
        attrset((int)attributes_of(cell[0].tone, colour));
        mvaddnwstr(row, from, run, n);
        from += n;
    }
}

static void show(struct screen *s)
{
    struct scene scene = {&s->grid, &s->model, &s->ui, s->tables, &s->page, &s->recycle};
    if (grid_resize(&s->grid, getmaxy(stdscr), getmaxx(stdscr)) < 0)
        return; /* what was shown stays */
    paint(&scene);
    erase();
    for (int row = 0; row < s->grid.rows; row++)
        show_row(&s->grid, row, s->colour);
    refresh();
}

/* -- looks and keys -- */

static void take_look(struct screen *s)
{
    model_update(&s->model, s->subject);
    model_look_back(&s->model);
    if (s->request->sections == 0)
        return;
    page_clear(&s->page);
    if (s->model.now != NULL) {
        const struct view view = {s->model.now, s->model.before, &s->subject->health};
        page_sections(&s->page, &view, s->request->sections);
    }
}

static int key_of(int key)
{
    static const struct {
        int curses, ui;
    } keys[] = {{KEY_UP, UI_KEY_UP},         {KEY_DOWN, UI_KEY_DOWN},
                {KEY_PPAGE, UI_KEY_PAGE_UP}, {KEY_NPAGE, UI_KEY_PAGE_DOWN},
                {KEY_HOME, UI_KEY_HOME},     {KEY_END, UI_KEY_END},
                {KEY_BTAB, UI_KEY_BACK_TAB}, {KEY_BACKSPACE, UI_KEY_BACKSPACE},
                {KEY_ENTER, UI_KEY_ENTER}};
    for (size_t i = 0; i < sizeof keys / sizeof keys[0]; i++)
        if (keys[i].curses == key)
            return keys[i].ui;
    return key;
}

/* All keys that have come. Returns 1 to end. */
static int take_keys(struct screen *s, int *dirty)
{
    for (int key = getch(); key != ERR; key = getch()) {
        *dirty = 1;
        if (key == KEY_RESIZE)
            continue;
        switch (ui_key(&s->ui, key_of(key))) {
        case UI_QUIT:
            return 1;
        case UI_RESTART:
            recycle_begin(&s->recycle, s->subject->name);
            break;
        case UI_LOOK:
            s->next_ns = 0;
            break;
        default:
            break;
        }
    }
    return 0;
}

/* How a restart goes on. Its end is shown, also if its beginning was put away. */
static int take_restart(struct screen *s)
{
    int was_running = s->recycle.running, news = recycle_step(&s->recycle);
    if (was_running && !s->recycle.running)
        s->ui.overlay = OVERLAY_RESTART;
    return news || s->recycle.running;
}

/* Until a key, a signal, news of a restart, or the next look. Signals come in here only, so that
 * none is missed. Returns 1 when the terminal is gone. */
static int await(const struct screen *s, const sigset_t *mask)
{
    struct pollfd fds[2] = {{.fd = STDIN_FILENO, .events = POLLIN},
                            {.fd = s->recycle.running ? s->recycle.fd : -1, .events = POLLIN}};
    int64_t now_ns = cli_now_ns(), ns = s->next_ns - now_ns;
    if (s->recycle.running && (s->ui.paused || ns > STEP_NS))
        ns = STEP_NS;
    if (ns < 0)
        ns = 0;
    const struct timespec time = {ns / 1000000000, ns % 1000000000};
    ppoll(fds, 2, s->ui.paused && !s->recycle.running ? NULL : &time, mask);
    return (fds[0].revents & (POLLHUP | POLLERR | POLLNVAL)) != 0 || cli_stdout_closed();
}

static void run(struct screen *s, const sigset_t *mask)
{
    int dirty = 1;
    while (*s->request->signal == 0) {
        int64_t now_ns = cli_now_ns();
        if (now_ns >= s->next_ns && !s->ui.paused) {
            subject_look(s->subject);
            take_look(s);
            s->next_ns = now_ns + s->ui.interval_ns;
            dirty = 1;
        }
        dirty |= take_restart(s);
        if (dirty)
            show(s);
        dirty = 0;
        if (await(s, mask) || take_keys(s, &dirty))
            return;
    }
}

static void screen_free(struct screen *s)
{
    recycle_leave(&s->recycle);
    for (int p = 0; p < PANE_COUNT; p++)
        table_free(&s->tables[p]);
    page_free(&s->page);
    grid_free(&s->grid);
    model_free(&s->model);
}

int screen_run(const struct screen_request *request)
{
    struct screen s = {.request = request, .subject = request->subject};
    sigset_t ours, before;
    if (terminal_start(&s) < 0)
        return -ENOTTY;
    s.grid.utf8 = spark_locale();
    ui_init(&s.ui, request->interval_ns);
    s.ui.sections = request->sections != 0;
    take_look(&s);
    s.next_ns = cli_now_ns() + request->interval_ns;
    sigemptyset(&ours);
    sigaddset(&ours, SIGINT);
    sigaddset(&ours, SIGTERM);
    sigaddset(&ours, SIGHUP);
    sigaddset(&ours, SIGWINCH);
    sigprocmask(SIG_BLOCK, &ours, &before);
    run(&s, &before);
    sigprocmask(SIG_SETMASK, &before, NULL);
    endwin();
    screen_free(&s);
    return 0;
}
