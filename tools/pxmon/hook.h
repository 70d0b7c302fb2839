/* A webhook: JSON by POST to one URL, one after the other, on libwebsockets' loop. */
#ifndef PX_TOOLS_PXMON_HOOK_H
#define PX_TOOLS_PXMON_HOOK_H

#include <stddef.h>

struct hook;
struct lws_context;

/* Is this a URL that can be posted to, http:// or https://? 0 or -EINVAL. */
int hook_check(const char *url);

/* Errors: -ENOMEM, -EINVAL. */
int hook_new(struct hook **out, struct lws_context *context, const char *url);

/* Queue a copy. Tried three times; what fails then is said on stderr and dropped, as is what finds
 * the queue full. */
void hook_post(struct hook *hook, const char *body, size_t length);

/* Before the context goes: what is queued is not sent. And the memory, after it went. NULL is
 * allowed. */
void hook_stop(struct hook *hook);
void hook_free(struct hook *hook);

#endif
