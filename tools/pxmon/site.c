/* Who may have what. */
#include "site.h"

#include <string.h>

#include "pages.h"

static const struct page *find(const struct web_request *in, bool *other_method)
{
    *other_method = false;
    for (size_t i = 0; i < pages_count; i++) {
        if (strcmp(pages[i].path, in->path) != 0)
            continue;
        if (pages[i].method == in->method)
            return &pages[i];
        *other_method = true;
    }
    return NULL;
}

/* Files of the page are the same in every copy of this program: nobody needs a token for them. */
static void without_page(const struct site *site, const struct web_request *in,
                         struct web_response *out, bool other_method)
{
    if (in->method == WEB_GET && page_file(in->path, out))
        return;
    if (!guard_read(&site->guard, in))
        page_say(out, 401, "the token is needed\n");
    else if (other_method)
        page_say(out, 405, "not by this method\n");
    else
        page_say(out, 404, "there is no such page\n");
}

void site_answer(void *owner, const struct web_request *in, struct web_response *out)
{
    struct site *site = owner;
    bool other_method;
    const struct page *page = find(in, &other_method);
    if (in->method == WEB_OTHER)
        page_say(out, 405, "only GET and POST, and no header that is longer than needed\n");
    else if (!guard_host(&site->guard, in))
        page_say(out, 421, "this name is not one of loopback\n");
    else if (in->has_body)
        page_say(out, 413, "nothing here takes a body\n");
    else if (page == NULL)
        without_page(site, in, out, other_method);
    else if (page->open || guard_read(&site->guard, in))
        page->answer(site, in, out);
    else if (strcmp(in->path, "/") == 0)
        page_login_form(out);
    else
        page_say(out, 401, "the token is needed\n");
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
