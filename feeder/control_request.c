/* What a session asks for: HELLO, subscriptions, commands. */
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "control_internal.h"
#include "counters.h"
#include "log.h"

/* ---- HELLO ---- */

/* A page that the reader can write, and can neither shrink (SIGBUS in the feeder) nor grow. */
static int page_make(struct px_page **page)
{
    int fd = memfd_create("px-reader", MFD_CLOEXEC | MFD_ALLOW_SEALING);
    if (fd < 0)
        return -errno;
    void *at = MAP_FAILED;
    if (ftruncate(fd, PX_PAGE_BYTES) == 0 &&
        fcntl(fd, F_ADD_SEALS, F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_SEAL) == 0)
        at = mmap(NULL, PX_PAGE_BYTES, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_POPULATE, fd, 0);
    if (at == MAP_FAILED) {
        int rc = -errno;
        close(fd);
        return rc;
    }
    *page = at;
    return fd;
}

static bool ends(const char *text, size_t cap)
{
    return memchr(text, '\0', cap) != NULL;
}

static int welcome(struct control *c, uint32_t session, uint32_t request, int fd)
{
    struct pxc_message m = {.type = PXC_WELCOME, .version = PXC_VERSION, .request = request};
    m.u.welcome.epoch = px_writer_epoch(c->options.writer);
    m.u.welcome.reader = session;
    return control_send(c, session, &m, fd);
}

static int hello(struct control *c, uint32_t session, const struct pxc_message *m)
{
    struct session *s = &c->session[session];
    px_writer *w = c->options.writer;
    int fd = -1;
    if (s->greeted)
        return control_bad(c, session, "control-hello", "a second HELLO");
    if (!ends(m->u.hello.name, sizeof(m->u.hello.name)))
        return control_bad(c, session, "control-text", "a name without an end");
    s->greeted = true;
    for (size_t i = 0; m->u.hello.name[i] != '\0'; i++) {
        char ch = m->u.hello.name[i];
        s->name[i] = (unsigned char)ch < ' ' || ch == 0x7f ? '?' : ch;
    }
    if ((m->u.hello.flags & PXC_NO_PAGE) == 0) {
        fd = page_make(&s->page);
        int rc = fd < 0 ? fd : px_writer_page_add(w, s->page, s->fd);
        if (rc < 0) {
            if (fd >= 0) {
                munmap(s->page, PX_PAGE_BYTES);
                s->page = NULL;
                close(fd);
            }
            px_writer_count(w, PX_C_readers_refused, 1);
            control_refuse(c, session, m->request, rc, "no page for this reader");
            return rc;
        }
        s->page->position = px_writer_sequence(w); /* nobody else maps it yet */
        c->readers++;
        px_writer_count(w, PX_C_readers_attached, 1);
        px_writer_level(w, PX_C_readers, c->readers);
    }
    log_debug("control", "pid %d (%s) attached", (int)s->pid, s->name);
    int rc = welcome(c, session, m->request, fd);
    if (fd >= 0)
        close(fd);
    return rc;
}

/* ---- subscriptions ---- */

static int grant(struct control *c, uint32_t session, uint32_t request, uint32_t slot)
{
    px_writer *w = c->options.writer;
    struct pxc_message m = {.type = PXC_REPLY, .version = PXC_VERSION, .request = request};
    m.u.reply.slot = slot == PX_NO_SLOT ? UINT32_MAX : slot;
    m.u.reply.generation = px_writer_generation(w, slot);
    m.u.reply.bind_seq = px_writer_bind_seq(w, slot);
    return control_send(c, session, &m, -1);
}

/* The entry that a symbol has now, SUBS_NONE if nobody wants it. */
static uint32_t sub_of(struct control *c, const char *symbol)
{
    const struct px_venue *venue;
    const char *native;
    if (venue_split(symbol, strlen(symbol), &venue, &native) != 0)
        return SUBS_NONE;
    return subs_find(wants_subs(c->options.wants), (uint32_t)config_venue_index(venue), native,
                     strlen(native));
}

static int more(struct control *c, uint32_t session, struct pair *held, const struct pxc_message *m,
                int64_t now_ns)
{
    struct wants_answer answer;
    struct wants *wants = c->options.wants;
    uint32_t kinds = m->u.symbol.kinds & ~held->value, slot = PX_NO_SLOT;
    if ((m->u.symbol.kinds & ~PX_ALL_KINDS) != 0 || m->u.symbol.kinds == 0)
        return control_refuse(c, session, m->request, -EINVAL, "kinds are none of ours");
    if (kinds != 0) {
        int rc = wants_more(wants, held->b, kinds, now_ns, &answer);
        if (rc != 0)
            return control_refuse(c, session, m->request, rc, answer.text);
        held->value |= kinds;
    }
    struct sub *e = subs_at(wants_subs(wants), held->b);
    if (strcmp(e->native, "*") != 0 && wants_slot(wants, c->options.writer, e, &slot) != 0)
        return control_refuse(c, session, m->request, -ENOSPC, "its slot is lost");
    return grant(c, session, m->request, slot);
}

static uint32_t symbol_quota(const struct control *c, uid_t uid)
{
    uint32_t capacity = px_writer_capacity(c->options.writer);
    if (c->options.quota_symbols != 0)
        return c->options.quota_symbols;
    return uid == 0 || uid == geteuid() ? UINT32_MAX : capacity / 2;
}

/* Room in quota and tables for one more symbol of this session? 0, or its refusal. */
static int room(struct control *c, uint32_t session, uint32_t sub, char *text, size_t cap)
{
    const struct session *s = &c->session[session];
    const struct user *u = &c->user[s->user];
    bool shared = sub != SUBS_NONE && pairs_find(&c->shares, s->user, sub) != NULL;
    struct subs *subs = wants_subs(c->options.wants);
    uint32_t left =
        subs_charged(subs, s->user); /* no more than it had: counted as if it had them */
    bool back = sub != SUBS_NONE && subs_charged_to(subs, sub, s->user);
    if (!shared && !back && u->symbols + left >= symbol_quota(c, u->uid)) {
        px_writer_count(c->options.writer, PX_C_quota_refusals, 1);
        int n = snprintf(text, cap, "quota: uid %u has %u symbols subscribed", (unsigned)u->uid,
                         u->symbols);
        if (left != 0)
            snprintf(text + n, cap - (size_t)n, " and %u on their way out", left);
        return -EDQUOT;
    }
    if (c->holdings.used == c->holdings.capacity || c->shares.used == c->shares.capacity) {
        snprintf(text, cap, "the table of %u subscriptions is full", c->holdings.capacity);
        return -ENOSPC;
    }
    return 0;
}

static void hold(struct control *c, uint32_t session, uint32_t sub, uint32_t kinds)
{
    struct session *s = &c->session[session];
    struct pair *share = pairs_find(&c->shares, s->user, sub);
    pairs_add(&c->holdings, session, sub, kinds);
    s->subscriptions++;
    if (share != NULL) {
        share->value++;
        return;
    }
    pairs_add(&c->shares, s->user, sub, 1);
    c->user[s->user].symbols++;
}

static void let_go(struct control *c, struct pair *held, int64_t now_ns)
{
    uint32_t session = held->a, sub = held->b, kinds = held->value;
    struct session *s = &c->session[session];
    struct pair *share = pairs_find(&c->shares, s->user, sub);
    if (--share->value == 0) {
        pairs_remove(&c->shares, share);
        c->user[s->user].symbols--;
    }
    pairs_remove(&c->holdings, held);
    s->subscriptions--;
    wants_unsubscribe(c->options.wants, sub, kinds, now_ns);
    subs_charge(wants_subs(c->options.wants), sub, s->user);
}

void control_release_all(struct control *c, uint32_t session, int64_t now_ns)
{
    for (struct pair *held; (held = pairs_first(&c->holdings, session)) != NULL;)
        let_go(c, held, now_ns);
}

static int subscribe(struct control *c, uint32_t session, const struct pxc_message *m,
                     int64_t now_ns)
{
    struct wants_answer answer;
    uint32_t sub = sub_of(c, m->u.symbol.symbol), kinds = m->u.symbol.kinds;
    struct pair *held = sub == SUBS_NONE ? NULL : pairs_find(&c->holdings, session, sub);
    if (held != NULL)
        return more(c, session, held, m, now_ns);
    int rc = room(c, session, sub, answer.text, sizeof(answer.text));
    if (rc == 0)
        rc = wants_subscribe(c->options.wants, m->u.symbol.symbol, kinds, now_ns, &answer);
    if (rc != 0)
        return control_refuse(c, session, m->request, rc, answer.text);
    hold(c, session, answer.sub, kinds);
    return grant(c, session, m->request, answer.slot);
}

static int unsubscribe(struct control *c, uint32_t session, const struct pxc_message *m,
                       int64_t now_ns)
{
    uint32_t sub = sub_of(c, m->u.symbol.symbol);
    struct pair *held = sub == SUBS_NONE ? NULL : pairs_find(&c->holdings, session, sub);
    if (held == NULL)
        return control_refuse(c, session, m->request, -EINVAL, "not subscribed");
    let_go(c, held, now_ns);
    return grant(c, session, m->request, PX_NO_SLOT);
}

static int symbol_request(struct control *c, uint32_t session, const struct pxc_message *m,
                          int64_t now_ns)
{
    if (!ends(m->u.symbol.symbol, sizeof(m->u.symbol.symbol)))
        return control_bad(c, session, "control-text", "a symbol without an end");
    return m->type == PXC_SUBSCRIBE ? subscribe(c, session, m, now_ns)
                                    : unsubscribe(c, session, m, now_ns);
}

/* ---- commands ---- */

static int command(struct control *c, uint32_t session, const struct pxc_message *m)
{
    static const char *const names[] = {"restart", "trim", "shutdown", "reload"};
    struct session *s = &c->session[session];
    uid_t uid = c->user[s->user].uid;
    char text[sizeof(m->u.reply.text)] = "";
    const char *name = names[m->type - PXC_RESTART];
    if (uid != 0 && uid != geteuid()) {
        px_writer_count(c->options.writer, PX_C_readers_refused, 1);
        log_warning("control", "%s by uid %u is refused", name, (unsigned)uid);
        snprintf(text, sizeof(text), "%s is for the feeder's user and root", name);
        return control_refuse(c, session, m->request, -EPERM, text);
    }
    log_info("control", "%s, asked for by pid %d uid %u", name, (int)s->pid, (unsigned)uid);
    int rc = c->options.command(c->options.user, m->type, text, sizeof(text));
    return rc < 0 ? control_refuse(c, session, m->request, rc, text)
                  : grant(c, session, m->request, PX_NO_SLOT);
}

int control_request(struct control *c, uint32_t session, const struct pxc_message *m,
                    int64_t now_ns)
{
    if (m->type == PXC_HELLO)
        return hello(c, session, m);
    if (!c->session[session].greeted)
        return control_bad(c, session, "control-hello", "a request before HELLO");
    switch (m->type) {
    case PXC_SUBSCRIBE:
    case PXC_UNSUBSCRIBE:
        return symbol_request(c, session, m, now_ns);
    case PXC_RESTART:
    case PXC_TRIM:
    case PXC_SHUTDOWN:
    case PXC_RELOAD:
        return command(c, session, m);
    default:
        return control_bad(c, session, "control-type", "a message of unknown type");
    }
}
