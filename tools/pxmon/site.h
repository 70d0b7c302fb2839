/* What pxmon serves: each path, who may ask for it, and its answer. Knows no socket. */
#ifndef PX_TOOLS_PXMON_SITE_H
#define PX_TOOLS_PXMON_SITE_H

#include "guard.h"
#include "recorder.h"
#include "subject.h"
#include "web.h"

struct site {
    struct guard guard;
    const struct subject *subject;
    const struct web *web;
    const struct recorder *recorder;
};

/* For web_options: `owner` is a struct site. */
void site_answer(void *owner, const struct web_request *in, struct web_response *out);
unsigned site_admit(void *owner, const struct web_request *in);

#endif
