/* The table of paths. */
#include "site.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "metrics.h"

static const char text_plain[] = "text/plain; charset=utf-8";

static void answer_bytes(struct web_response *out, unsigned status, const char *sentence)
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
        answer_bytes(out, 500, "no memory\n");
        return;
    }
    out->status = status;
    out->type = text_plain;
    out->length = (size_t)n;
}

/* Close a memory stream that was written into out->owned. */
static void end_stream(FILE *file, struct web_response *out, const char *type)
{
    int failed = ferror(file);
    failed |= fclose(file);
    if (failed) {
        free(out->owned);
        out->owned = NULL;
        answer_bytes(out, 500, "no memory\n");
        return;
    }
    out->status = 200;
    out->type = type;
}

typedef void page_fn(struct site *site, const struct web_request *in, struct web_response *out);

/* That it is answered at all says it. */
static void healthz(struct site *site, const struct web_request *in, struct web_response *out)
{
    (void)site;
    (void)in;
    answer_bytes(out, 200, "ok\n");
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
    FILE *file = open_memstream(&out->owned, &out->length);
    if (file == NULL) {
        answer_bytes(out, 500, "no memory\n");
        return;
    }
    metrics_print(file, plain, site->subject, &self);
    end_stream(file, out, plain ? METRICS_PLAIN_TYPE : METRICS_OPEN_TYPE);
}

static const struct page {
    const char *path;
    enum web_method method;
    bool open; /* to those without the token too */
    page_fn *answer;
} pages[] = {
    {"/healthz", WEB_GET, true, healthz},
    {"/readyz", WEB_GET, false, readyz},
    {"/metrics", WEB_GET, false, metrics},
};

static const struct page *find(const struct web_request *in, bool *other_method)
{
    *other_method = false;
    for (size_t i = 0; i < sizeof pages / sizeof pages[0]; i++) {
        if (strcmp(pages[i].path, in->path) != 0)
            continue;
        if (pages[i].method == in->method)
            return &pages[i];
        *other_method = true;
    }
    return NULL;
}

void site_answer(void *owner, const struct web_request *in, struct web_response *out)
{
    struct site *site = owner;
    bool other_method;
    const struct page *page = find(in, &other_method);
    if (in->method == WEB_OTHER)
        answer_bytes(out, 405, "only GET and POST, and no header that is longer than needed\n");
    else if (!guard_host(&site->guard, in))
        answer_bytes(out, 421, "this name is not one of loopback\n");
    else if (in->has_body)
        answer_bytes(out, 413, "nothing here takes a body\n");
    else if ((page == NULL || !page->open) && !guard_read(&site->guard, in))
        answer_bytes(out, 401, "the token is needed\n");
    else if (page == NULL)
        answer_bytes(out, other_method ? 405 : 404,
                     other_method ? "not by this method\n" : "there is no such page\n");
    else
        page->answer(site, in, out);
}

unsigned site_admit(void *owner, const struct web_request *in)
{
    struct site *site = owner;
    if (strcmp(in->path, "/live") != 0)
        return 404;
    if (!guard_host(&site->guard, in))
        return 421;
    if (in->origin[0] != '\0' && !guard_origin(&site->guard, in))
        return 403;
    return guard_read(&site->guard, in) ? 0 : 401;
}
