/* Requests for trades that were made: answered, or befallen by a fault. */
#include <stdlib.h>
#include <string.h>

#include "conn.h"
#include "http.h"
#include "rest.h"

#define BODY_ROOM (1U << 20)
#define ANSWER_NS (10 * NS_PER_S)

static void end_after(struct conn *c)
{
    c->finish_flushed = true;
    conn_become(c, CONN_CLOSING, ANSWER_NS);
}

static void refuse(struct conn *c, int status, long retry_s)
{
    char text[256];
    (void)out_bytes(&c->out, text, http_refuse(text, sizeof text, status, retry_s));
    conn_note(c, "a request is refused with %d", status);
    end_after(c);
}

/* `promised` bytes are announced, `len` of them come. */
static void answer(struct conn *c, const char *body, size_t len, size_t promised)
{
    char head[256];
    (void)out_bytes(&c->out, head, http_ok(head, sizeof head, promised));
    (void)out_bytes(&c->out, body, len);
    end_after(c);
}

static void giant(struct conn *c, size_t len)
{
    char *body = malloc(len + 1);
    if (body == NULL)
        return;
    memset(body, ' ', len);
    answer(c, body, len, len);
    free(body);
}

/* True: it is dealt with. */
static bool befallen(struct conn *c)
{
    const struct options *o = c->server->options;
    uint64_t number = c->server->requests++;
    bool faulty = o->fault_requests < 0 || number < (uint64_t)o->fault_requests;
    uint32_t set = faulty ? o->faults.set : 0;
    if (faults_has(set, FAULT_REST_429))
        refuse(c, 429, o->faults.arg[FAULT_REST_429]);
    else if (faults_has(set, FAULT_REST_500))
        refuse(c, 500, -1);
    else if (faults_has(set, FAULT_REST_HANG))
        conn_become(c, CONN_STUCK, NEVER);
    else if (faults_has(set, FAULT_REST_GIANT))
        giant(c, (size_t)o->faults.arg[FAULT_REST_GIANT]);
    else
        return false;
    return true;
}

bool conn_asked(struct conn *c, char *target)
{
    const struct options *o = c->server->options;
    if (target == NULL || o->venue->history == NULL)
        return false;
    conn_note(c, "asks for %.200s", target);
    c->in_len = 0;
    char *body = malloc(BODY_ROOM), *mark = strchr(target, '?');
    if (mark != NULL)
        *mark = '\0';
    const struct rest_request request = {target, mark != NULL ? mark + 1 : ""};
    if (body != NULL && !befallen(c)) {
        struct text t = text_into(body, BODY_ROOM);
        int status = o->venue->history(c->server->hub, &request, &t);
        size_t len = text_len(&t);
        bool cut = faults_has(o->faults.set, FAULT_REST_TRUNCATED) &&
                   (o->fault_requests < 0 || c->server->requests <= (uint64_t)o->fault_requests);
        if (status != 200)
            refuse(c, status, -1);
        else
            answer(c, body, cut ? len / 2 : len, cut ? len / 2 : len);
    }
    free(body);
    return true;
}
