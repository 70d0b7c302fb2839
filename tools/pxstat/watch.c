/* pxstat --watch. Curses only where there is a terminal that can be moved on; everything shown
 * comes from page.h. */
#include "watch.h"

#include <curses.h>
#include <errno.h>
#include <locale.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "cli.h"
#include "look_json.h"

static volatile sig_atomic_t stopped;

static void on_signal(int number)
{
    (void)number;
    stopped = 1;
}

/* Two looks: the present one, and the one before it for rates. */
struct looks {
    struct snapshot now, before;
    int has_before;
    struct health health;
};

static int look(struct looks *looks, px_bus *bus)
{
    if (looks->has_before)
        snapshot_free(&looks->before);
    looks->before = looks->now;
    looks->has_before = looks->before.mono_ns != 0;
    int rc = snapshot_take(&looks->now, bus);
    if (rc < 0) {
        looks->now = looks->before;
        looks->has_before = 0;
        return rc;
    }
    judge(&looks->now, &looks->health);
    return 0;
}

static void fill(struct page *page, const struct watch *watch, const struct looks *looks,
                 size_t rows)
{
    struct view view = {&looks->now, looks->has_before ? &looks->before : NULL, &looks->health};
    page_clear(page);
    if (watch->sections == 0) {
        page_overview(page, &view, rows);
        return;
    }
    page_title(page, &view);
    page_add(page, TONE_PLAIN, "%s", "");
    page_sections(page, &view, watch->sections);
}

static int print_plain(struct page *page, const struct watch *watch, const struct looks *looks)
{
    if (watch->json) {
        look_json(stdout, &looks->now, &looks->health);
    } else {
        fill(page, watch, looks, 24);
        for (size_t i = 0; i < page->count; i++)
            puts(page->lines[i].text);
        putchar('\n');
    }
    return cli_flush();
}

static int run_plain(const struct watch *watch, struct looks *looks)
{
    struct page page = {.columns = watch->sections == 0 ? 80 : 0};
    int code = HEALTH_OK;
    while (!stopped) {
        int rc = look(looks, watch->bus);
        if (rc < 0) {
            code = cli_error(HEALTH_UNKNOWN, "bus", "%s", px_strerror(rc));
            break;
        }
        code = looks->health.code;
        if (print_plain(&page, watch, looks) < 0)
            break;
        struct pollfd gone = {.fd = STDOUT_FILENO, .events = 0};
        if (poll(&gone, 1, (int)(watch->interval_ns / 1000000)) > 0) {
            code = HEALTH_OK; /* nobody reads it any more */
            break;
        }
    }
    page_free(&page);
    return code;
}

static int attributes_of(enum tone tone)
{
    static const int plain[] = {[TONE_PLAIN] = A_NORMAL,
                                [TONE_HEAD] = A_BOLD,
                                [TONE_GOOD] = A_NORMAL,
                                [TONE_WARN] = A_BOLD,
                                [TONE_BAD] = A_REVERSE};
    if (!has_colors() || tone <= TONE_HEAD)
        return plain[tone];
    return COLOR_PAIR(tone);
}

static void draw(const struct page *page)
{
    erase();
    int rows = getmaxy(stdscr);
    for (size_t i = 0; i < page->count && (int)i < rows; i++) {
        attrset(attributes_of(page->lines[i].tone));
        mvaddstr((int)i, 0, page->lines[i].text);
    }
    attrset(A_NORMAL);
    refresh();
}

static int start_curses(void)
{
    if (initscr() == NULL)
        return -1;
    cbreak();
    noecho();
    keypad(stdscr, TRUE);
    curs_set(0);
    if (has_colors()) {
        start_color();
        use_default_colors();
        init_pair(TONE_GOOD, COLOR_GREEN, -1);
        init_pair(TONE_WARN, COLOR_YELLOW, -1);
        init_pair(TONE_BAD, COLOR_RED, -1);
    }
    return 0;
}

/* Wait for a key, a resize or the next look. Returns 1 to end. */
static int pause_for(int64_t ns)
{
    timeout((int)(ns / 1000000));
    int key = getch();
    return key == 'q' || key == 'Q' || key == 3;
}

static int run_screen(const struct watch *watch, struct looks *looks)
{
    struct page page = {.columns = 80};
    int code = HEALTH_OK, rc = 0;
    while (!stopped) {
        rc = look(looks, watch->bus);
        if (rc < 0)
            break;
        code = looks->health.code;
        page.columns = (size_t)getmaxx(stdscr);
        fill(&page, watch, looks, (size_t)getmaxy(stdscr));
        draw(&page);
        if (pause_for(watch->interval_ns) || cli_stdout_closed())
            break;
    }
    endwin();
    page_free(&page);
    return rc < 0 ? cli_error(HEALTH_UNKNOWN, "bus", "%s", px_strerror(rc)) : code;
}

/* A terminal that can place a cursor: not a pipe, not TERM=dumb. */
static int can_draw(void)
{
    const char *term = getenv("TERM");
    return isatty(STDOUT_FILENO) && isatty(STDIN_FILENO) && term != NULL && *term != '\0' &&
           strcmp(term, "dumb") != 0;
}

int watch_run(const struct watch *watch)
{
    struct looks looks = {.has_before = 0};
    struct sigaction action = {.sa_handler = on_signal};
    sigaction(SIGINT, &action, NULL);
    sigaction(SIGTERM, &action, NULL);
    setlocale(LC_CTYPE, "");
    int code;
    if (!watch->json && can_draw() && start_curses() == 0)
        code = run_screen(watch, &looks);
    else
        code = run_plain(watch, &looks);
    if (looks.has_before)
        snapshot_free(&looks.before);
    snapshot_free(&looks.now);
    return code;
}
