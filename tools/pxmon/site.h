/* What pxmon serves: who may ask for what (site.c), and the answers (pages.c). Knows no socket. */
#ifndef PX_TOOLS_PXMON_SITE_H
#define PX_TOOLS_PXMON_SITE_H

#include "guard.h"
#include "recorder.h"
#include "restart.h"
#include "subject.h"
#include "web.h"

struct site {
    struct guard guard;
    bool read_only;
    const struct subject *subject;
    const struct recorder *recorder;
    const struct history_row *row; /* the newest */
    struct restart *restart;
    struct web *web;
};

/* For web_options: `owner` is a struct site. */
void site_answer(void *owner, const struct web_request *in, struct web_response *out);
unsigned site_admit(void *owner, const struct web_request *in);

#endif
