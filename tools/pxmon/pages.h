/* The pages of the site, each with its path and whom it is for. Internal to the site. */
#ifndef PX_TOOLS_PXMON_PAGES_H
#define PX_TOOLS_PXMON_PAGES_H

#include "site.h"

struct page {
    const char *path;
    enum web_method method;
    bool open; /* to those without the token too */
    void (*answer)(struct site *site, const struct web_request *in, struct web_response *out);
};

extern const struct page pages[];
extern const size_t pages_count;

/* Answer with a sentence that lives as long as the program. */
void page_say(struct web_response *out, unsigned status, const char *sentence);

/* Answer with a file of the page; false if there is none of this path. */
bool page_file(const char *path, struct web_response *out);

/* The form that asks for the token, to those who want the dashboard and have none. */
void page_login_form(struct web_response *out);

#endif
