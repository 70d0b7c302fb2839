/* See watch.h. */
#include "watch.h"

#include <locale.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <unistd.h>

#include "cli.h"
#include "look_json.h"
#include "page.h"
#include "screen.h"

static volatile sig_atomic_t stopped;

static void on_signal(int number)
{
    (void)number;
    stopped = 1;
}

static void fill(struct page *page, const struct watch *watch, const struct subject *subject)
{
    struct view view = {&subject->now, subject->has_before ? &subject->before : NULL,
                        &subject->health};
    page_clear(page);
    if (watch->sections == 0) {
        page_overview(page, &view, 24);
        return;
    }
    page_title(page, &view);
    page_add(page, TONE_PLAIN, "%s", "");
    page_sections(page, &view, watch->sections);
}

static int print_plain(struct page *page, const struct watch *watch, const struct subject *subject)
{
    if (!subject->has_now) {
        return cli_flush(); /* said on stderr, once */
    } else if (watch->json) {
        look_json(stdout, &subject->now, &subject->health);
    } else {
        fill(page, watch, subject);
        for (size_t i = 0; i < page->count; i++)
            puts(page->lines[i].text);
        putchar('\n');
    }
    return cli_flush();
}

static int run_plain(const struct watch *watch, struct subject *subject)
{
    struct page page = {.columns = watch->sections == 0 ? 80 : 0};
    int code = HEALTH_OK;
    while (!stopped) {
        code = subject->health.code;
        if (print_plain(&page, watch, subject) < 0)
            break;
        struct pollfd gone = {.fd = STDOUT_FILENO, .events = 0};
        if (poll(&gone, 1, (int)(watch->interval_ns / 1000000)) > 0) {
            code = HEALTH_OK; /* nobody reads it any more */
            break;
        }
        if (!stopped)
            subject_look(subject);
    }
    page_free(&page);
    return code;
}

int watch_run(const struct watch *watch)
{
    struct subject subject;
    struct sigaction action = {.sa_handler = on_signal};
    sigaction(SIGINT, &action, NULL);
    sigaction(SIGTERM, &action, NULL);
    sigaction(SIGHUP, &action, NULL);
    setlocale(LC_CTYPE, "");
    subject_init(&subject, watch->bus, "pxstat");
    subject.quiet = true;
    subject_look(&subject);
    if (!subject.has_now)
        return cli_error(HEALTH_UNKNOWN, watch->bus, "%s", subject.health.sentence);
    const struct screen_request request = {&subject, watch->interval_ns, watch->sections, &stopped};
    int code;
    if (!watch->json && screen_run(&request) == 0) {
        code = subject.health.code;
    } else {
        subject.quiet = false;
        code = run_plain(watch, &subject);
    }
    subject_free(&subject);
    return code;
}
