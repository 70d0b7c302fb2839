/* Whole sessions, disturbed as no connection should be: frames that are cut, broken, left out, said
 * twice or out of their order. Whatever is made of them, no quote is one that the market never had.
 */
#include "session.h"
#include "t.h"

#include "fold.h"

#define FRAME_MAX    65536u
#define DISTURBED_IN 8u /* one frame of so many */

/* A session as it was received, and what became of it. */
struct run {
    const struct px_venue *venue;
    struct json *json;
    struct fold *fold;
    const struct session *session;
    uint32_t known; /* frames that the market has written by now */
    size_t quotes, refused, lost;
    bool gives[SESSION_SYMBOLS + 1];            /* quotes, since it was lost or refused */
    struct session_top newest[SESSION_SYMBOLS]; /* of the quotes that were given */
};

static bool is(struct px_decimal d, int64_t value, int32_t exponent)
{
    return d.mantissa == value && d.exponent == exponent;
}

static bool same_top(const struct px_quote *q, const struct session_top *t)
{
    return is(q->bid, t->bid[0], -2) && is(q->bid_size, t->bid[1], -3) &&
           is(q->ask, t->ask[0], -2) && is(q->ask_size, t->ask[1], -3);
}

/* SESSION_SYMBOLS: nobody asked for it. A name that was changed is proved by nothing. */
static uint32_t symbol_of(const struct session_form *form, const struct venue_event *e)
{
    for (uint32_t i = 0; i < SESSION_SYMBOLS; i++)
        if (strlen(form->symbol[i]) == e->symbol_len &&
            memcmp(form->symbol[i], e->symbol, e->symbol_len) == 0)
            return i;
    return SESSION_SYMBOLS;
}

/* Was this the top of its book at some moment up to now? */
static void check_quote(struct run *r, const struct venue_event *e)
{
    const struct session *s = r->session;
    uint32_t which = symbol_of(s->form, e);
    for (uint32_t i = which < SESSION_SYMBOLS ? r->known : 0; i-- > 0;)
        if (s->frame[i].symbol == which && same_top(&e->u.quote, &s->top[i])) {
            r->newest[which] = s->top[i];
            r->gives[which] = true;
            return;
        }
    if (which < SESSION_SYMBOLS)
        fail_msg("%s: %.*s never was at %lld, %lld", s->form->name, (int)e->symbol_len, e->symbol,
                 (long long)e->u.quote.bid.mantissa, (long long)e->u.quote.ask.mantissa);
}

static void on_folded(void *user, const struct venue_event *e)
{
    struct run *r = user;
    r->quotes += e->type == VENUE_QUOTE;
    r->refused += e->type == VENUE_BAD;
    r->lost += e->type == VENUE_RESYNC;
    if (e->type == VENUE_QUOTE)
        check_quote(r, e);
    if (e->type == VENUE_RESYNC)
        r->gives[symbol_of(r->session->form, e)] = false;
}

static void on_event(void *user, const struct venue_event *e)
{
    struct run *r = user;
    const struct venue_sink sink = {.event = on_folded, .user = r};
    fold_event(r->fold, 0, r->venue, e, &sink);
}

static void receive(struct run *r, const char *text, size_t len)
{
    const struct venue_sink sink = {.event = on_event, .user = r};
    char *copy = malloc(len + VENUE_PADDING);
    T_TRUE(copy != NULL);
    memcpy(copy, text, len);
    memset(copy + len, ' ', VENUE_PADDING);
    r->venue->on_text(r->json, copy, len, &sink);
    free(copy);
}

static void start(struct run *r, const struct session *s)
{
    const struct fold_options options = {.books = 4, .depth = 64, .merges = 8, .sources = 1};
    *r = (struct run){.venue = s->form->venue, .session = s};
    T_TRUE((r->json = json_new(FRAME_MAX)) != NULL);
    T_TRUE((r->fold = fold_new(&options)) != NULL);
}

static void stop(struct run *r)
{
    fold_free(r->fold);
    json_free(r->json);
}

/* ---- disturbances ---- */

enum disturbance { CUT, BROKEN, MUTATED, LEFT_OUT, TWICE, LATE, DISTURBANCES };

/* What the form must survive: one that proves nothing shows only what is refused. */
static bool may(const struct session_form *form, enum disturbance d)
{
    return d <= BROKEN || (d == MUTATED ? form->each : form->proves);
}

/* A frame that is never JSON: a byte of it is none that JSON has. */
static void receive_broken(struct run *r, const struct session_frame *f, uint64_t *seed)
{
    char text[sizeof f->text];
    memcpy(text, f->text, f->len);
    text[chance_below(seed, f->len)] = '\x01';
    receive(r, text, f->len);
}

static void receive_mutated(struct run *r, const struct session_frame *f,
                            const struct session_frame *other, uint64_t *seed)
{
    char text[2 * sizeof f->text];
    const struct frame from = {f->text, f->len}, more = {other->text, other->len};
    receive(r, text, mutate(seed, from, more, text, sizeof text));
}

/* Frames up to `count`, some of them disturbed. What is late comes behind up to three others. */
static void receive_disturbed(struct run *r, uint32_t count, uint64_t *seed)
{
    const struct session_frame *f = r->session->frame, *held = NULL;
    uint32_t wait = 0;
    for (uint32_t i = 0; i < count; i++) {
        enum disturbance d = (enum disturbance)chance_below(seed, DISTURBANCES);
        r->known = i + 1;
        if (chance_below(seed, DISTURBED_IN) != 0 || !may(r->session->form, d)) {
            receive(r, f[i].text, f[i].len);
        } else if (d == CUT) {
            receive(r, f[i].text, chance_below(seed, f[i].len));
        } else if (d == BROKEN) {
            receive_broken(r, &f[i], seed);
        } else if (d == MUTATED) {
            receive_mutated(r, &f[i], &f[chance_below(seed, i + 1)], seed);
        } else if (d == TWICE || d == LATE) {
            if (d == TWICE)
                receive(r, f[i].text, f[i].len);
            held = &f[i];
            wait = (uint32_t)chance_below(seed, 4);
        }
        if (held != NULL && wait-- == 0) {
            receive(r, held->text, held->len);
            held = NULL;
        }
    }
}

static void expect_top(const struct run *r, uint32_t symbol, uint32_t frames)
{
    const struct session *s = r->session;
    while (frames-- > 0 && s->frame[frames].symbol != symbol)
        ;
    if (!r->gives[symbol] ||
        memcmp(&r->newest[symbol], &s->top[frames], sizeof s->top[frames]) != 0)
        fail_msg("%s: the newest quote of %s is not the top", s->form->name,
                 s->form->symbol[symbol]);
}

T_TEST(an_undisturbed_session_gives_every_top_and_refuses_nothing)
{
    static struct session s;
    for (size_t i = 0; i < session_form_count; i++) {
        struct run r;
        session_make(&s, &session_forms[i], 7);
        start(&r, &s);
        for (uint32_t n = 0; n < SESSION_FRAMES; n++) {
            r.known = n + 1;
            receive(&r, s.frame[n].text, s.frame[n].len);
            expect_top(&r, s.frame[n].symbol, n + 1);
        }
        T_EQ(r.refused, 0);
        T_EQ(r.lost, 0);
        stop(&r);
    }
}

T_TEST(a_disturbed_session_never_gives_a_wrong_price_and_is_right_again_after_its_snapshots)
{
    static struct session s;
    for (uint64_t seed = 0; seed < 40; seed++)
        for (size_t i = 0; i < session_form_count; i++) {
            uint64_t chances = seed * 1000 + i;
            struct run r;
            session_make(&s, &session_forms[i], seed);
            start(&r, &s);
            receive_disturbed(&r, SESSION_FRAMES - SESSION_TAIL, &chances);
            for (uint32_t n = SESSION_FRAMES - SESSION_TAIL; n < SESSION_FRAMES; n++) {
                r.known = n + 1;
                receive(&r, s.frame[n].text, s.frame[n].len);
                if (n >= SESSION_FRAMES - SESSION_TAIL + SESSION_SYMBOLS)
                    expect_top(&r, s.frame[n].symbol, n + 1);
            }
            T_TRUE(r.quotes > SESSION_SYMBOLS);
            stop(&r);
        }
}

/* The next frame of the same symbol, if it is a change that says nothing of what this one does. */
static uint32_t next_change(const struct session *s, uint32_t from)
{
    uint32_t n = from + 1;
    while (n < SESSION_FRAMES && s->frame[n].symbol != s->frame[from].symbol)
        n++;
    if (n == SESSION_FRAMES || s->frame[n].snapshot)
        return SESSION_FRAMES;
    for (uint32_t i = 0; i < s->frame[n].count; i++)
        if (s->frame[n].price[i] == s->frame[from].price[0])
            return SESSION_FRAMES;
    return n;
}

T_TEST(a_change_that_did_not_come_is_noticed_with_the_next_one_of_its_book)
{
    static struct session s;
    for (uint64_t seed = 100; seed < 160; seed++)
        for (size_t i = 0; i < session_form_count; i++) {
            uint64_t chances = seed;
            uint32_t gone, next;
            struct run r;
            if (!session_forms[i].proves)
                continue;
            session_make(&s, &session_forms[i], seed);
            start(&r, &s);
            do {
                gone = SESSION_SYMBOLS +
                       (uint32_t)chance_below(&chances, SESSION_FRAMES - SESSION_TAIL);
            } while (s.frame[gone].snapshot || (next = next_change(&s, gone)) == SESSION_FRAMES);
            for (uint32_t n = 0; n <= next; n++) {
                r.known = n + 1;
                if (n != gone)
                    receive(&r, s.frame[n].text, s.frame[n].len);
            }
            T_TRUE(r.lost > 0);
            T_TRUE(!r.gives[s.frame[gone].symbol]);
            stop(&r);
        }
}

T_TEST(what_is_refused_costs_what_nothing_else_proves)
{
    static struct session s;
    for (size_t i = 0; i < session_form_count; i++) {
        uint64_t chances = i;
        struct run r;
        if (session_forms[i].proves)
            continue;
        session_make(&s, &session_forms[i], i);
        start(&r, &s);
        for (r.known = 1; r.known <= 20; r.known++)
            receive(&r, s.frame[r.known - 1].text, s.frame[r.known - 1].len);
        T_EQ(r.lost, 0);
        receive_broken(&r, &s.frame[20], &chances);
        T_EQ(r.refused, 1);
        T_EQ(r.lost, SESSION_SYMBOLS); /* it may have been of either */
        stop(&r);
    }
}

/* ---- recorded sessions ---- */

#define TOPS_MAX 8192u

/* What the books of a recording give when nothing disturbs it, or what is compared with that. */
struct recorded {
    struct run run;
    struct frames frames;
    bool noting;
    uint32_t count;
    struct {
        char symbol[PX_SYMBOL_MAX + 1];
        struct px_quote quote;
    } top[TOPS_MAX];
};
static struct recorded recorded;

static void on_recorded(void *user, const struct venue_event *e)
{
    struct recorded *c = user;
    char symbol[PX_SYMBOL_MAX + 1];
    c->run.refused += e->type == VENUE_BAD;
    c->run.lost += e->type == VENUE_RESYNC;
    if (e->type != VENUE_QUOTE)
        return;
    c->run.quotes++;
    snprintf(symbol, sizeof symbol, "%.*s", (int)e->symbol_len, e->symbol);
    for (uint32_t i = c->count; i-- > 0;)
        if (strcmp(c->top[i].symbol, symbol) == 0 &&
            memcmp(&c->top[i].quote, &e->u.quote, sizeof e->u.quote) == 0)
            return;
    if (!c->noting)
        fail_msg("%s never was at %lld, %lld", symbol, (long long)e->u.quote.bid.mantissa,
                 (long long)e->u.quote.ask.mantissa);
    T_TRUE(c->count < TOPS_MAX);
    memcpy(c->top[c->count].symbol, symbol, sizeof symbol);
    c->top[c->count++].quote = e->u.quote;
}

static void on_recorded_event(void *user, const struct venue_event *e)
{
    struct recorded *c = user;
    const struct venue_sink sink = {.event = on_recorded, .user = c};
    fold_event(c->run.fold, 0, c->run.venue, e, &sink);
}

static void receive_recorded(struct recorded *c, const char *text, size_t len)
{
    static char copy[FRAME_MAX + VENUE_PADDING];
    const struct venue_sink sink = {.event = on_recorded_event, .user = c};
    if (len > FRAME_MAX)
        return;
    memcpy(copy, text, len);
    memset(copy + len, ' ', VENUE_PADDING);
    c->run.venue->on_text(c->run.json, copy, len, &sink);
}

/* Every frame, some of them disturbed. `seed` NULL: none. */
static void receive_all(struct recorded *c, uint64_t *seed)
{
    static char text[FRAME_MAX];
    const struct frames *f = &c->frames;
    const struct fold_options options = {
        .books = 64, .depth = 512, .sources = 1, .book_tops = true};
    T_TRUE((c->run.fold = fold_new(&options)) != NULL);
    for (size_t i = 0; i < f->count; i++) {
        const struct frame *from = &f->list[i];
        bool disturbed = seed != NULL && chance_below(seed, 64) == 0;
        size_t what = disturbed ? chance_below(seed, 3) : 0, back;
        if (!disturbed)
            receive_recorded(c, from->text, from->len);
        else if (what == 0)
            receive_recorded(
                c, text,
                mutate(seed, *from, f->list[chance_below(seed, f->count)], text, sizeof text));
        else if (what == 1) {
            back = chance_below(seed, i < 16 ? i + 1 : 16);
            receive_recorded(c, from->text, from->len);
            receive_recorded(c, f->list[i - back].text, f->list[i - back].len);
        }
    }
    fold_free(c->run.fold);
}

static void check_recorded(const struct px_venue *venue, const char *name)
{
    struct recorded *c = &recorded;
    memset(c, 0, sizeof *c);
    c->run.venue = venue;
    if (!frames_read_captured(&c->frames, name))
        T_SKIP("there is no recording of %s", venue->name);
    T_TRUE((c->run.json = json_new(FRAME_MAX)) != NULL);
    c->noting = true;
    receive_all(c, NULL);
    T_EQ(c->run.refused + c->run.lost, 0);
    T_TRUE(c->count > 20);
    c->noting = false;
    size_t all = c->run.quotes;
    for (uint64_t seed = 0; seed < 8; seed++) {
        uint64_t chances = seed;
        c->run.quotes = 0;
        receive_all(c, &chances);
        T_TRUE(c->run.quotes > all / 64);
    }
    T_TRUE(c->run.refused > 0 && c->run.lost > 0);
    json_free(c->run.json);
    frames_free(&c->frames);
}

T_TEST(the_recorded_session_of_kraken_disturbed_never_gives_a_wrong_price)
{
    check_recorded(&px_venue_kraken, "converted/kraken_v2.jsonl");
}

T_TEST(the_recorded_session_of_okx_disturbed_never_gives_a_wrong_price)
{
    check_recorded(&px_venue_okx, "okx.jsonl");
}
