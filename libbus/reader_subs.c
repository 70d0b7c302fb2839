/* Subscriptions: asking the feeder, and asking again after it was restarted. A first call waits for
 * the answer; what is restored goes in the background, a few messages per step. */
#include <errno.h>
#include <poll.h>
#include <string.h>
#include <time.h>

#include "reader.h"

#define BURST            64          /* messages sent in a step, and at most unanswered */
#define RESTORE          0x80000000u /* in a request number: the rest of it is the record */
#define CONNECT_AGAIN_NS 50000000
#define REFUSED_AGAIN_NS 1000000000

static int64_t earlier(int64_t a, int64_t b)
{
    return a < b ? a : b;
}

/* ---- what is to be told ---- */

static void todo_set(px_bus *b, uint32_t rec, enum pxi_todo todo)
{
    struct pxi_symbol *s = &b->symbols[rec];
    b->todo_count += (todo != PXI_NOTHING) - (uint32_t)(s->todo != PXI_NOTHING);
    b->asked_count += (todo == PXI_ASKED) - (uint32_t)(s->todo == PXI_ASKED);
    s->todo = (uint8_t)todo;
    s->retry_ns = 0;
    if (todo == PXI_ASK || todo == PXI_RELEASE) {
        b->flags |= PXI_WORK;
        pxi_watch_tell(b); /* who sleeps is to come and tell it */
    } else if (todo != PXI_NOTHING) {
        b->flags |= PXI_WORK;
    }
}

/* The connection came up or went: page and list of things to tell follow. No other place may keep a
 * pointer to the page over a call of the client. */
static void client_follow(px_bus *b)
{
    int up = b->client.state == PXI_CLIENT_UP;
    b->page = up ? b->client.page : &b->no_page;
    if (up == b->up)
        return;
    b->up = up;
    pxi_watch_tell(b); /* another page: nobody has asked on it for a message yet */
    for (uint32_t rec = 1; rec <= b->id_count; rec++)
        todo_set(b, rec, up && b->symbols[rec].asked != 0 ? PXI_ASK : PXI_NOTHING);
    pxi_store64(&b->page->position, b->cursor);
    pxi_store64(&b->page->lost, b->skipped);
}

static void restart(px_bus *b, int64_t connect_ns)
{
    pxi_client_close(&b->client);
    client_follow(b);
    b->connect_ns = connect_ns;
    if (!b->no_socket)
        b->flags |= PXI_WORK;
}

void pxi_subs_restart(px_bus *b)
{
    restart(b, 0);
}

void pxi_subs_look(px_bus *b, int64_t now_ns)
{
    struct pollfd p = {.fd = b->client.fd, .events = POLLRDHUP};
    if (b->up && poll(&p, 1, 0) == 1)
        restart(b, now_ns + CONNECT_AGAIN_NS);
}

/* ---- answers ---- */

static void answer(px_bus *b, const struct pxc_message *m, int64_t now_ns)
{
    int result = m->u.reply.result;
    if ((m->request & RESTORE) == 0) {
        if (m->request == b->answer_request) {
            b->answer = result;
            b->answer_request = 0;
        }
        return;
    }
    uint32_t rec = m->request & ~RESTORE;
    if (rec == 0 || rec > b->id_count || b->symbols[rec].todo != PXI_ASKED)
        return;
    int again = result == -EDQUOT || result == -ENOSPC || result == -EAGAIN;
    todo_set(b, rec, again ? PXI_ASK : PXI_NOTHING);
    if (again)
        b->symbols[rec].retry_ns = now_ns + REFUSED_AGAIN_NS;
}

static void receive_all(px_bus *b, int64_t now_ns)
{
    struct pxc_message m;
    int greeting = b->client.state == PXI_CLIENT_GREETING;
    for (int i = 0; i < BURST && pxi_client_receive(&b->client, &m) == 1; i++)
        answer(b, &m, now_ns);
    if (greeting && b->client.state == PXI_CLIENT_DOWN)
        b->connect_ns = now_ns + REFUSED_AGAIN_NS; /* a quota, or another version */
    if (b->client.woken != 0)
        pxi_watch_tell(b);
    b->client.woken = 0;
    client_follow(b);
}

/* ---- steps ---- */

static void message_set(struct pxc_message *m, uint16_t type, const struct pxi_symbol *s,
                        uint32_t kinds)
{
    memset(m, 0, sizeof *m);
    m->type = type;
    m->u.symbol.kinds = kinds;
    memcpy(m->u.symbol.symbol, s->text, sizeof m->u.symbol.symbol);
}

static int tell(px_bus *b, uint32_t rec)
{
    struct pxi_symbol *s = &b->symbols[rec];
    struct pxc_message m;
    int ask = s->todo == PXI_ASK;
    message_set(&m, ask ? PXC_SUBSCRIBE : PXC_UNSUBSCRIBE, s, s->asked);
    m.request = ask ? rec | RESTORE : 0;
    int rc = pxi_client_send(&b->client, &m);
    if (rc == 0)
        todo_set(b, rec, ask ? PXI_ASKED : PXI_NOTHING);
    return rc;
}

static void tell_some(px_bus *b, int64_t now_ns)
{
    int sent = 0;
    for (uint32_t i = 0; i < b->id_count && sent < BURST && b->asked_count < BURST; i++) {
        b->todo_next = b->todo_next % b->id_count + 1;
        const struct pxi_symbol *s = &b->symbols[b->todo_next];
        if ((s->todo != PXI_ASK && s->todo != PXI_RELEASE) || s->retry_ns > now_ns)
            continue;
        if (tell(b, b->todo_next) < 0)
            break;
        sent++;
    }
    client_follow(b);
}

static int control_path(px_bus *b, char path[sizeof(((struct pxl_header *)0)->control_path)])
{
    const struct pxl_header *h = pxi_now(b)->header;
    pxi_text_copy(path, h->control_path, sizeof h->control_path);
    return path[0] != '\0';
}

static void connect_step(px_bus *b, int64_t now_ns)
{
    char path[sizeof(((struct pxl_header *)0)->control_path)];
    if (b->state != PX_STATE_LIVE || !control_path(b, path))
        return; /* nobody to speak to before the next epoch */
    b->flags |= PXI_WORK;
    if (now_ns < b->connect_ns)
        return;
    int rc = pxi_client_open(&b->client, path, pxi_now(b)->owner);
    b->connect_ns = now_ns + (rc == -EPERM ? REFUSED_AGAIN_NS : CONNECT_AGAIN_NS);
}

void pxi_subs_step(px_bus *b, int64_t now_ns)
{
    if (b->no_socket)
        return;
    if (b->client.state == PXI_CLIENT_DOWN)
        connect_step(b, now_ns);
    if (b->client.state == PXI_CLIENT_DOWN)
        return;
    receive_all(b, now_ns);
    if (b->up && b->todo_count != 0)
        tell_some(b, now_ns);
    if (!b->up || b->todo_count != 0)
        b->flags |= PXI_WORK;
}

/* Sleep until the socket has something, at most until `until_ns`. */
static void socket_wait(px_bus *b, int64_t until_ns)
{
    int64_t now = pxi_now_ns();
    int64_t ns = until_ns > now ? until_ns - now : 0;
    struct timespec t = {ns / 1000000000, ns % 1000000000};
    struct pollfd p = {.fd = b->client.fd, .events = POLLIN};
    (void)ppoll(&p, p.fd >= 0 ? 1 : 0, &t, NULL);
}

int pxi_subs_connect(px_bus *b, int64_t deadline_ns, int insist)
{
    for (;;) {
        int64_t now = pxi_now_ns();
        if (insist)
            pxi_look(b, now);
        pxi_subs_step(b, now);
        if (b->up)
            return 0;
        if (b->no_socket || now >= deadline_ns || (!insist && b->client.state == PXI_CLIENT_DOWN))
            return -ENOTCONN;
        socket_wait(b, earlier(deadline_ns, now + CONNECT_AGAIN_NS / 2));
    }
}

/* ---- the calls ---- */

/* One question and its answer. -ENOTCONN: the connection ended; -ETIMEDOUT. */
static int ask(px_bus *b, uint32_t rec, uint32_t kinds, int64_t deadline_ns)
{
    struct pxc_message m;
    message_set(&m, PXC_SUBSCRIBE, &b->symbols[rec], kinds);
    int rc;
    while ((rc = pxi_client_send(&b->client, &m)) == -EAGAIN) {
        if (pxi_now_ns() >= deadline_ns)
            return -ETIMEDOUT;
        receive_all(b, pxi_now_ns());
        struct timespec t = {0, 1000000};
        nanosleep(&t, NULL);
    }
    b->answer_request = m.request;
    while (rc == 0 && b->answer_request != 0) {
        int64_t now = pxi_now_ns();
        receive_all(b, now);
        if (b->answer_request == 0)
            break;
        if (!b->up)
            rc = -ENOTCONN;
        else if (now >= deadline_ns)
            rc = -ETIMEDOUT;
        else
            socket_wait(b, deadline_ns);
    }
    b->answer_request = 0;
    client_follow(b);
    return rc == 0 ? b->answer : rc;
}

static int ask_insisting(px_bus *b, uint32_t rec, uint32_t kinds, int64_t deadline_ns)
{
    for (;;) {
        int rc = pxi_subs_connect(b, deadline_ns, 1);
        if (rc == 0)
            rc = ask(b, rec, kinds, deadline_ns);
        if (rc != -ENOTCONN || b->no_socket || pxi_now_ns() >= deadline_ns)
            return rc;
    }
}

static int symbol_check(const char *symbol)
{
    const char *colon = strchr(symbol, ':');
    return colon == NULL || colon == symbol || colon[1] == '\0' ||
                   strnlen(symbol, PX_SYMBOL_MAX + 1) > PX_SYMBOL_MAX
               ? -EINVAL
               : 0;
}

static void subscribed(px_bus *b, uint32_t rec, uint32_t kinds)
{
    struct pxi_symbol *s = &b->symbols[rec];
    uint32_t fresh = kinds & ~s->kinds;
    s->asked |= kinds;
    todo_set(b, rec, PXI_NOTHING);
    if (s->wildcard) {
        if (s->count == 0)
            b->wild[b->wild_count++] = rec;
        pxi_join_venue(b, rec);
    } else {
        if (pxi_passed_by(b, rec))
            fresh |= s->kinds | kinds;
        if (fresh != 0)
            pxi_join(b, rec, fresh);
    }
}

int px_bus_subscribe(px_bus *b, const char *symbol, uint32_t kinds, px_id *id, int64_t timeout_ms)
{
    b->client.text[0] = '\0'; /* an earlier refusal is not the reason of this one */
    if (symbol == NULL || id == NULL || symbol_check(symbol) < 0 || kinds == 0 ||
        (kinds & ~PX_ALL_KINDS) != 0)
        return -EINVAL;
    int64_t now = pxi_now_ns();
    int64_t limit_ms = (INT64_MAX - now) / 1000000;
    int64_t deadline =
        timeout_ms < 0 || timeout_ms > limit_ms ? INT64_MAX : now + timeout_ms * 1000000;
    uint32_t made = b->id_count;
    uint32_t rec = pxi_id_get(b, symbol, 1);
    if (rec == 0)
        return -ENOBUFS;
    struct pxi_symbol *s = &b->symbols[rec];
    int rc = 0;
    if (s->wildcard && ((s->count == 0 && b->wild_count == PXI_WILD_MAX) || !pxi_join_room(b, rec)))
        rc = -ENOBUFS;
    else if (s->count == 0 || (kinds & ~s->asked) != 0)
        rc = ask_insisting(b, rec, s->asked | kinds, deadline);
    if (rc < 0) {
        /* An answer may still be on its way, and be yes: take the question back. */
        if (rc == -ETIMEDOUT && b->up)
            todo_set(b, rec, s->count != 0 ? PXI_ASK : PXI_RELEASE);
        else if (rec > made)
            pxi_id_drop(b, rec);
        return rc;
    }
    subscribed(b, rec, kinds);
    b->subscriptions += s->count == 0;
    s->count++;
    *id = rec - 1;
    return 0;
}

static void wild_drop(px_bus *b, uint32_t rec)
{
    uint32_t i = 0;
    while (i < b->wild_count && b->wild[i] != rec)
        i++;
    if (i < b->wild_count)
        b->wild[i] = b->wild[--b->wild_count];
    if (b->wild_count == 0 && b->all == 0)
        pxi_strangers_forget(b);
    for (uint32_t each = 1; each <= b->id_count; each++)
        pxi_kinds_update(b, each);
}

int px_bus_unsubscribe(px_bus *b, px_id id)
{
    if (pxi_attention(b))
        pxi_attend(b);
    if (id >= b->id_count || b->symbols[id + 1].count == 0)
        return -EINVAL;
    uint32_t rec = id + 1;
    struct pxi_symbol *s = &b->symbols[rec];
    if (--s->count != 0)
        return 0;
    s->asked = 0;
    b->subscriptions--;
    if (s->wildcard)
        wild_drop(b, rec);
    pxi_kinds_update(b, rec);
    if (b->held.id == id && s->kinds == 0)
        b->flags &= ~(uint32_t)PXI_HELD;
    if (!b->up)
        return -ENOTCONN;
    todo_set(b, rec, PXI_RELEASE);
    pxi_subs_step(b, pxi_coarse_ns());
    return 0;
}

const char *px_bus_message(px_bus *b)
{
    return b->client.text;
}
