/* See pages.h. */
#include "pages.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "files.h"
#include "history.h"
#include "json_out.h"
#include "live.h"
#include "metrics.h"

#define HISTORY_ROWS 600 /* about as many as a chart has pixels to show */
#define RANGE_MAX    3155760000.0

static const char text_plain[] = "text/plain; charset=utf-8";
static const char text_json[] = "application/json";

void page_say(struct web_response *out, unsigned status, const char *sentence)
{
    out->status = status;
    out->type = text_plain;
    out->bytes = sentence;
    out->length = strlen(sentence);
}

__attribute__((format(printf, 3, 4))) static void
answer_text(struct web_response *out, unsigned status, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    int n = vasprintf(&out->owned, format, args);
    va_end(args);
    if (n < 0) {
        out->owned = NULL;
        page_say(out, 500, "no memory\n");
        return;
    }
    out->status = status;
    out->type = text_plain;
    out->length = (size_t)n;
}

/* A body that is written as a stream; NULL after the answer said that there is no memory. */
static FILE *begin_stream(struct web_response *out)
{
    FILE *file = open_memstream(&out->owned, &out->length);
    if (file == NULL)
        page_say(out, 500, "no memory\n");
    return file;
}

static void end_stream(FILE *file, struct web_response *out, const char *type)
{
    int failed = ferror(file);
    failed |= fclose(file);
    if (failed) {
        free(out->owned);
        out->owned = NULL;
        page_say(out, 500, "no memory\n");
        return;
    }
    out->status = 200;
    out->type = type;
}

/* -- for machines -- */

/* That it is answered at all says it. */
static void healthz(struct site *site, const struct web_request *in, struct web_response *out)
{
    (void)site;
    (void)in;
    page_say(out, 200, "ok\n");
}

static void readyz(struct site *site, const struct web_request *in, struct web_response *out)
{
    const struct health *health = &site->subject->health;
    (void)in;
    answer_text(out, health->code == HEALTH_OK ? 200 : 503, "%s: %s\n", health_word(health->code),
                health->sentence);
}

static void metrics(struct site *site, const struct web_request *in, struct web_response *out)
{
    const struct metrics_self self = {web_live(site->web), web_connections(site->web),
                                      site->recorder->rows, site->recorder->lost};
    bool plain = metrics_wants_plain(in->accept);
    FILE *file = begin_stream(out);
    if (file == NULL)
        return;
    metrics_print(file, plain, site->subject, &self);
    end_stream(file, out, plain ? METRICS_PLAIN_TYPE : METRICS_OPEN_TYPE);
}

/* -- for the page -- */

static void state(struct site *site, const struct web_request *in, struct web_response *out)
{
    FILE *file = begin_stream(out);
    (void)in;
    if (file == NULL)
        return;
    live_state(file, site->subject, site->row, &site->restart->now);
    end_stream(file, out, text_json);
}

static int put_row(void *json, const struct history_row *row)
{
    history_put_array(json, NULL, row);
    return 0;
}

/* "range=SECONDS", back from now. */
static int read_range(const char *query, int64_t *ret_s)
{
    char *end = NULL;
    if (strncmp(query, "range=", 6) != 0)
        return -EINVAL;
    double s = strtod(query + 6, &end);
    if (end == query + 6 || *end != '\0' || !(s >= 1 && s <= RANGE_MAX))
        return -EINVAL;
    *ret_s = (int64_t)s;
    return 0;
}

static void past(struct site *site, const struct web_request *in, struct web_response *out)
{
    char error[HISTORY_ERROR_MAX];
    struct json_out json;
    int64_t range;
    if (read_range(in->query, &range) < 0) {
        page_say(out, 400, "not range=SECONDS\n");
        return;
    }
    FILE *file = begin_stream(out);
    if (file == NULL)
        return;
    struct history_query q = {.path = site->recorder->path,
                              .bus = site->recorder->bus,
                              .to = time(NULL),
                              .step = history_step(range, HISTORY_ROWS)};
    q.from = (q.to - range) / q.step * q.step;
    jout_start(&json, file);
    jout_object(&json, NULL);
    jout_signed(&json, "step_s", q.step);
    history_put_names(&json, "columns");
    jout_array(&json, "rows");
    int rc = history_read(&q, put_row, &json, error);
    jout_end_array(&json);
    jout_end_object(&json);
    end_stream(file, out, text_json);
    if (rc < 0) {
        free(out->owned);
        answer_text(out, 503, "the history cannot be read: %s\n", error);
    }
}

static void restart(struct site *site, const struct web_request *in, struct web_response *out)
{
    if (site->read_only) {
        page_say(out, 403, "this pxmon is read-only\n");
        return;
    }
    if (!guard_origin(&site->guard, in)) {
        page_say(out, 403, "a restart is asked for by the page of this pxmon only\n");
        return;
    }
    if (!guard_restart(&site->guard, in)) {
        page_say(out, 403, "the token is not right\n");
        return;
    }
    int rc = restart_begin(site->restart, site->subject);
    if (rc == 0) {
        web_soon(site->web, 1);
        page_say(out, 202, "the feeder is asked\n");
    } else if (rc == -EALREADY) {
        page_say(out, 409, "a restart is under way\n");
    } else {
        page_say(out, 503, rc == -ENOENT ? "there is no bus\n" : "no thread to ask with\n");
    }
}

static void login(struct site *site, const struct web_request *in, struct web_response *out)
{
    const struct guard *g = &site->guard;
    if (!guard_origin(g, in) || !guard_token(g, in)) {
        page_say(out, 403, "the token is not right\n");
        return;
    }
    page_say(out, 200, "ok\n");
    snprintf(out->cookie, sizeof out->cookie,
             GUARD_COOKIE "=%s; Path=/; HttpOnly; SameSite=Strict%s", g->cookie,
             g->tls ? "; Secure" : "");
}

/* -- the page itself -- */

static const struct file *file_of(const char *path)
{
    for (size_t i = 0; i < files_count; i++)
        if (strcmp(files[i].path, path) == 0)
            return &files[i];
    return NULL;
}

bool page_file(const char *path, struct web_response *out)
{
    const struct file *file = file_of(path);
    if (file == NULL || strstr(file->type, "text/html") != NULL)
        return false;
    out->status = 200;
    out->type = file->type;
    out->bytes = (const char *)file->bytes;
    out->length = file->length;
    return true;
}

void page_login_form(struct web_response *out)
{
    const struct file *file = file_of("/login.html");
    out->status = 401;
    out->type = file->type;
    out->bytes = (const char *)file->bytes;
    out->length = file->length;
}

/* Where the page's marks stand, what this process puts there. */
static void write_page(FILE *file, const struct file *page, const char *const marks[][2])
{
    const char *at = (const char *)page->bytes, *end = at + page->length;
    while (at < end) {
        const char *mark = NULL, *value = NULL;
        size_t skip = 0;
        for (size_t i = 0; marks[i][0] != NULL; i++) {
            const char *found = memmem(at, (size_t)(end - at), marks[i][0], strlen(marks[i][0]));
            if (found != NULL && (mark == NULL || found < mark)) {
                mark = found;
                value = marks[i][1];
                skip = strlen(marks[i][0]);
            }
        }
        fwrite(at, 1, (size_t)((mark != NULL ? mark : end) - at), file);
        if (value != NULL)
            fputs(value, file);
        at = mark != NULL ? mark + skip : end;
    }
}

/* The secret of a restart stands in the page only where there is no token: whoever may read the
 * page may then restart. */
static void dashboard(struct site *site, const struct web_request *in, struct web_response *out)
{
    const struct guard *g = &site->guard;
    const char *const marks[][2] = {
        {"@SECRET@", g->token == NULL && !site->read_only ? g->page : ""},
        {"@RESTART@", site->read_only    ? "off"
                      : g->token != NULL ? "token"
                                         : "page"},
        {NULL, NULL}};
    FILE *file = begin_stream(out);
    (void)in;
    if (file == NULL)
        return;
    write_page(file, file_of("/index.html"), marks);
    end_stream(file, out, file_of("/index.html")->type);
}

const struct page pages[] = {
    {"/", WEB_GET, false, dashboard},          {"/healthz", WEB_GET, true, healthz},
    {"/readyz", WEB_GET, false, readyz},       {"/metrics", WEB_GET, false, metrics},
    {"/api/state", WEB_GET, false, state},     {"/api/history", WEB_GET, false, past},
    {"/api/restart", WEB_POST, true, restart}, {"/login", WEB_POST, true, login},
};
const size_t pages_count = sizeof pages / sizeof pages[0];
