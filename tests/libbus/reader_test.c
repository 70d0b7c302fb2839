/* A reader beside a real writer, in one process. */
#include "t.h"

#include <errno.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/time.h>
#include <sys/wait.h>
#include <unistd.h>

#include "reader.h"
#include "rig.h"
#include "writer_internal.h"

static px_id subscribe(px_bus *bus, const char *symbol, uint32_t kinds)
{
    px_id id = PX_ID_NONE;
    int rc = px_bus_subscribe(bus, symbol, kinds, &id, 2000);
    if (rc != 0)
        fail_msg("px_bus_subscribe %s: %s", symbol, px_strerror(rc));
    return id;
}

T_TEST(attach_says_what_is_wrong)
{
    px_bus *bus = NULL;
    const struct px_bus_options wait = {.wait_ms = 30};
    char name[40];
    snprintf(name, sizeof name, "t-none-%d", (int)getpid());
    T_EQ(px_bus_attach(&bus, name, NULL), -ENOENT);
    T_EQ(px_bus_attach(&bus, name, &wait), -ETIMEDOUT);
    T_EQ(px_bus_attach(&bus, "no/slash", NULL), -EINVAL);
    T_EQ(px_bus_attach(&bus, "thirty-three-characters-are-too-many", NULL), -EINVAL);
    T_TRUE(bus == NULL);
    setenv("PX_BUS", name, 1);
    T_EQ(px_bus_attach(&bus, NULL, NULL), -ENOENT);
    unsetenv("PX_BUS");
    px_bus_detach(NULL);
}

static void on_alarm(int signal_number)
{
    (void)signal_number;
}

T_TEST(a_signal_ends_the_wait_for_a_bus)
{
    const struct px_bus_options wait = {.wait_ms = 5000};
    const struct sigaction act = {.sa_handler = on_alarm};
    const struct itimerval soon = {{0, 10000}, {0, 10000}}, never = {{0, 0}, {0, 0}};
    px_bus *bus = NULL;
    char name[40];
    snprintf(name, sizeof name, "t-never-%d", (int)getpid());
    sigaction(SIGALRM, &act, NULL);
    setitimer(ITIMER_REAL, &soon, NULL);
    T_EQ(px_bus_attach(&bus, name, &wait), -EINTR);
    setitimer(ITIMER_REAL, &never, NULL);
}

T_TEST(attach_waits_for_a_bus_that_comes)
{
    struct rig r = {0};
    snprintf(r.bus, sizeof r.bus, "t-wait-%d", (int)getpid());
    pid_t child = fork();
    if (child == 0) {
        const struct px_bus_options wait = {.wait_ms = 5000, .no_socket = 1};
        px_bus *bus;
        int rc = px_bus_attach(&bus, r.bus, &wait);
        if (rc == 0)
            px_bus_detach(bus);
        _exit(rc == 0 ? 0 : 1);
    }
    int status;
    rig_open(&r, 16, 64);
    T_EQ(waitpid(child, &status, 0), child);
    T_EQ(status, 0);
    rig_free(&r);
}

/* As a user without privileges: 0 attached, 1 not, 77 this cannot be tried here. */
static int attach_locked(const char *bus_name, int all)
{
    struct rlimit limit;
    const struct px_bus_options o = {.no_socket = 1, .all = all};
    struct px_tick t;
    px_bus *bus;
    getrlimit(RLIMIT_MEMLOCK, &limit);
    if (limit.rlim_max > 32 << 20)
        limit.rlim_max = 32 << 20;
    limit.rlim_cur = limit.rlim_max;
    if ((geteuid() == 0 && setuid(65534) < 0) || setrlimit(RLIMIT_MEMLOCK, &limit) < 0 ||
        mlockall(MCL_FUTURE) < 0)
        return 77;
    return px_bus_attach(&bus, bus_name, &o) == 0 && px_bus_poll(bus, &t, 1) == 0 ? 0 : 1;
}

T_TEST(a_program_that_locks_its_memory_attaches_under_a_small_limit)
{
    struct rig r = {0};
    char path[PXI_PATH_MAX];
    int status = 0;
    rig_open(&r, 16, 64);
    pxi_path(path, r.bus, PXI_FILE_SEGMENT);
    T_EQ(chmod(path, 0644), 0);
    for (int all = 0; all < 2 && status == 0; all++) {
        pid_t child = fork();
        if (child == 0)
            _exit(attach_locked(r.bus, all));
        T_EQ(waitpid(child, &status, 0), child);
    }
    rig_free(&r);
    if (WIFEXITED(status) && WEXITSTATUS(status) == 77)
        T_SKIP("no way to lock memory as another user here");
    T_EQ(status, 0);
}

T_TEST(a_reader_that_keeps_up_gets_every_tick_in_order_and_whole)
{
    struct rig r = {0};
    struct px_tick t[64];
    rig_listen(&r);
    rig_open(&r, 16, 1024);
    rig_serve_start(&r);
    px_bus *bus = rig_reader(&r, 0);
    px_id a = subscribe(bus, "x:A", PX_ALL_KINDS), b = subscribe(bus, "x:B", PX_TRADES);
    rig_serve_stop(&r);
    uint32_t sa = rig_bind(&r, "x:A"), sb = rig_bind(&r, "x:B"), sc = rig_bind(&r, "x:C");
    uint64_t seen = 0, next[2] = {1, 1};
    for (uint64_t n = 1; n <= 3000;) {
        for (int k = 0; k < 100; k++, n++) {
            switch (n % 3) {
            case 0:
                rig_trade(&r, sa, n);
                break;
            case 1:
                rig_quote(&r, sa, n);
                break;
            default:
                rig_ticker(&r, sa, n);
            }
            rig_trade(&r, sb, n);
            rig_quote(&r, sb, n); /* not asked for */
            rig_trade(&r, sc, n); /* a stranger */
        }
        int count;
        while ((count = px_bus_poll(bus, t, 64)) > 0)
            for (int i = 0; i < count; i++) {
                T_TRUE(t[i].seq > seen);
                seen = t[i].seq;
                T_TRUE(t[i].id == a || t[i].id == b);
                int which = t[i].id == b;
                T_TRUE(!which || t[i].kind == PX_TRADE);
                T_TRUE(rig_tick_is(&t[i], next[which]++));
            }
        T_EQ(count, 0);
    }
    T_EQ(next[0], 3001);
    T_EQ(next[1], 3001);
    struct px_bus_stats s;
    T_EQ(px_bus_stats(bus, &s), 0);
    T_EQ(s.delivered, 6000);
    T_EQ(s.skipped, 0);
    T_EQ(s.subscriptions, 2);
    px_bus_detach(bus);
    rig_free(&r);
}

T_TEST(joining_has_neither_gap_nor_duplicate)
{
    struct rig r = {0};
    struct px_tick t[16];
    struct px_last last;
    rig_listen(&r);
    rig_open(&r, 16, 1024);
    uint32_t slot = rig_bind(&r, "x:A");
    px_bus *bus = rig_reader(&r, 0); /* the cursor stands before all of these */
    rig_trade(&r, slot, 1);
    rig_trade(&r, slot, 2);
    uint64_t quote = rig_quote(&r, slot, 3);
    px_writer_flush(r.w);
    rig_trade(&r, slot, 4); /* in ring and cell, not yet in head */
    rig_serve_start(&r);
    px_id id = subscribe(bus, "x:A", PX_TRADES);
    rig_serve_stop(&r);
    T_EQ(px_bus_last(bus, id, &last), 0);
    T_EQ(last.trade.price.mantissa, 4);
    T_EQ(last.quote_info.seq, quote);
    T_EQ(px_bus_poll(bus, t, 16), 0);
    rig_trade(&r, slot, 5);
    rig_quote(&r, slot, 6);
    T_EQ(px_bus_poll(bus, t, 16), 1);
    T_TRUE(rig_tick_is(&t[0], 5));
    rig_quote(&r, slot, 7);
    rig_serve_start(&r);
    T_EQ(subscribe(bus, "x:A", PX_QUOTES), id); /* adds a kind to the same handle */
    rig_serve_stop(&r);
    T_EQ(r.last_kinds, PX_TRADES | PX_QUOTES);
    rig_quote(&r, slot, 8);
    rig_trade(&r, slot, 9);
    T_EQ(px_bus_poll(bus, t, 16), 2);
    T_TRUE(rig_tick_is(&t[0], 8));
    T_TRUE(rig_tick_is(&t[1], 9));
    px_bus_detach(bus);
    rig_free(&r);
}

T_TEST(a_reader_of_all_learns_names_as_they_come)
{
    struct rig r = {0};
    struct px_tick t[16];
    rig_open(&r, 16, 1024);
    uint32_t sa = rig_bind(&r, "x:A");
    px_writer_flush(r.w);
    px_bus *bus = rig_reader(&r, 1);
    rig_trade(&r, sa, 1);
    uint32_t sb = rig_bind(&r, "x:B");
    rig_trade(&r, sb, 2);
    rig_status(&r, PX_NO_SLOT, PX_EVENT_STALE);
    T_EQ(px_bus_poll(bus, t, 16), 4);
    T_STR(px_bus_symbol(bus, t[0].id), "x:A");
    T_EQ(t[1].kind, PX_STATUS);
    T_EQ(t[1].u.status.event, PX_EVENT_BIND);
    T_STR(px_bus_symbol(bus, t[1].id), "x:B");
    T_TRUE(rig_tick_is(&t[2], 2));
    T_EQ(t[2].id, t[1].id);
    T_EQ(t[3].id, PX_ID_NONE);
    T_EQ(t[3].u.status.event, PX_EVENT_STALE);
    T_EQ(t[3].u.status.count, 2);
    px_bus_detach(bus);
    rig_free(&r);
}

T_TEST(a_slot_that_changed_hands_never_lends_its_name)
{
    struct rig r = {0};
    struct px_tick t[256];
    struct px_last last;
    char symbol[16];
    rig_open(&r, 4, 1024);
    px_bus *bus = rig_reader(&r, 1);
    uint64_t published = 0, named = 0, strangers = 0;
    /* 40 symbols go through 4 slots while the reader looks only now and then. */
    for (int round = 0; round < 200; round++) {
        int who = round * 7 % 40;
        snprintf(symbol, sizeof symbol, "x:S%d", who);
        uint32_t slot = rig_bind(&r, symbol);
        for (int k = 0; k < 3; k++, published++)
            rig_trade(&r, slot, 1000 + (uint64_t)who);
        if (round % 5 != 0)
            continue;
        int n = px_bus_poll(bus, t, 256);
        for (int i = 0; i < n; i++) {
            if (t[i].kind == PX_TRADE) {
                named++;
                snprintf(symbol, sizeof symbol, "x:S%d", (int)t[i].exch_ns - 1000);
                T_STR(px_bus_symbol(bus, t[i].id), symbol);
            } else if (t[i].u.status.event == PX_EVENT_EVICTED && t[i].id == PX_ID_NONE) {
                strangers++;
            }
        }
    }
    T_TRUE(named > 0);
    T_TRUE(strangers > 0);
    T_TRUE(named < published);
    px_id id;
    T_EQ(px_bus_find(bus, "x:S0", &id), -ENOENT);
    rig_bind(&r, "x:S0");
    T_EQ(px_bus_find(bus, "x:S0", &id), 0);
    T_EQ(px_bus_last(bus, id, &last), 0);
    T_EQ(last.age_ns, -1);
    for (int i = 1; i <= 4; i++) {
        snprintf(symbol, sizeof symbol, "y:%d", i);
        rig_trade(&r, rig_bind(&r, symbol), 1);
    }
    T_EQ(px_bus_last(bus, id, &last), -ESTALE);
    rig_trade(&r, rig_bind(&r, "x:S0"), 77); /* it comes back, in whatever slot */
    T_EQ(px_bus_last(bus, id, &last), 0);
    T_EQ(last.trade.price.mantissa, 77);
    px_bus_detach(bus);
    rig_free(&r);
}

T_TEST(last_prices_come_with_age_and_quality)
{
    struct rig r = {0};
    struct px_last last;
    px_id id;
    rig_open(&r, 16, 64);
    uint32_t slot = rig_bind(&r, "x:A");
    px_bus *bus = rig_reader(&r, 0);
    T_EQ(px_bus_find(bus, "x:B", &id), -ENOENT);
    T_EQ(px_bus_find(bus, "x:A", &id), 0);
    T_EQ(px_bus_last(bus, id, &last), 0);
    T_EQ(last.quality, PX_STALE);
    T_EQ(last.cause, PX_CAUSE_NO_DATA_YET);
    T_EQ(last.age_ns, -1);
    T_EQ(last.trade.price.exponent, PX_ABSENT);
    T_EQ(last.quote.ask_size.exponent, PX_ABSENT);
    T_EQ(last.trade_info.seq, 0);

    uint64_t seq = rig_trade(&r, slot, 9);
    px_writer_quality(r.w, slot, PX_LIVE, PX_CAUSE_NONE);
    int64_t now = rig_now_ns();
    px_writer_heartbeat(r.w, now);
    T_EQ(px_bus_last_at(bus, id, now + 500000000, &last), 0);
    T_EQ(last.quality, PX_LIVE);
    T_EQ(last.trade_info.seq, seq);
    T_EQ(last.trade_info.venue_id, 9);
    T_EQ(last.trade_info.flags, PX_SIDE_BUY);
    T_TRUE(last.age_ns >= 500000000 && last.age_ns < 600000000);
    T_EQ(last.age_ns, last.trade_info.age_ns);
    T_EQ(last.quote_info.age_ns, -1);
    T_EQ(px_bus_last_at(bus, id, now + 1000000001, &last), 0);
    T_EQ(last.quality, PX_STALE);
    T_EQ(last.cause, PX_CAUSE_FEEDER_SILENT);
    T_EQ(px_bus_last_at(bus, id, now - 5000000000, &last), 0);
    T_EQ(last.age_ns, 0);
    T_EQ(px_bus_last(bus, id + 1, &last), -EINVAL);
    rig_close(&r);
    T_EQ(px_bus_last(bus, id, &last), 0);
    T_EQ(last.quality, PX_CLOSED);
    T_EQ(last.cause, PX_CAUSE_FEEDER_CLOSED);
    px_bus_detach(bus);
    rig_free(&r);
}

T_TEST(symbols_are_walked)
{
    struct rig r = {0};
    rig_open(&r, 16, 64);
    rig_bind(&r, "x:A");
    rig_bind(&r, "x:B");
    rig_bind(&r, "y:C");
    px_bus *bus = rig_reader(&r, 0);
    uint32_t cursor = 0, found = 0;
    px_id id;
    while (px_bus_symbols(bus, &cursor, &id) == 1)
        found += strcmp(px_bus_symbol(bus, id), "x:A") == 0   ? 1
                 : strcmp(px_bus_symbol(bus, id), "x:B") == 0 ? 10
                 : strcmp(px_bus_symbol(bus, id), "y:C") == 0 ? 100
                                                              : 1000;
    T_EQ(found, 111);
    T_EQ(px_bus_symbols(bus, &cursor, &id), 0);
    T_TRUE(px_bus_symbol(bus, 3) == NULL);
    px_bus_detach(bus);

    const struct px_bus_options few = {.max_ids = 2, .no_socket = 1};
    T_EQ(px_bus_attach(&bus, r.bus, &few), 0);
    cursor = 0;
    T_EQ(px_bus_symbols(bus, &cursor, &id), 1);
    T_EQ(px_bus_symbols(bus, &cursor, &id), 1);
    T_EQ(px_bus_symbols(bus, &cursor, &id), -ENOBUFS);
    px_bus_detach(bus);
    rig_free(&r);
}

T_TEST(seek_goes_back_as_far_as_the_ring)
{
    struct rig r = {0};
    struct px_tick t[64];
    rig_listen(&r);
    rig_open(&r, 16, 64);
    rig_serve_start(&r);
    px_bus *bus = rig_reader(&r, 0);
    px_id id = subscribe(bus, "x:A", PX_TRADES);
    rig_serve_stop(&r);
    uint32_t slot = rig_bind(&r, "x:A");
    uint64_t seq = 0;
    for (uint64_t n = 1; n <= 40; n++)
        seq = rig_trade(&r, slot, n);
    px_writer_flush(r.w);
    T_EQ(px_bus_poll(bus, t, 64), 40);
    T_EQ(px_bus_seek(bus, seq - 9), 0);
    T_EQ(px_bus_poll(bus, t, 64), 10);
    T_TRUE(rig_tick_is(&t[0], 31));
    T_EQ(t[0].id, id);
    T_EQ(px_bus_seek(bus, seq + 2), -ERANGE);
    T_EQ(px_bus_seek(bus, seq + 1), 0);
    T_EQ(px_bus_poll(bus, t, 64), 0);
    T_EQ(px_bus_seek(bus, 0), 0);
    T_EQ(px_bus_poll(bus, t, 64), 41); /* its BIND too */
    T_EQ(t[0].u.status.event, PX_EVENT_BIND);
    for (uint64_t n = 41; n <= 140; n++)
        seq = rig_trade(&r, slot, n);
    px_writer_flush(r.w);
    T_EQ(px_bus_seek(bus, seq - 64), -ERANGE);
    T_EQ(px_bus_seek(bus, seq - 63), 0);
    T_EQ(px_bus_poll(bus, t, 64), 64);
    T_TRUE(rig_tick_is(&t[0], 77));
    px_bus_detach(bus);
    rig_free(&r);
}

T_TEST(seek_finds_the_oldest_tick_though_a_batch_is_not_flushed_yet)
{
    struct rig r = {0};
    struct px_tick t;
    rig_open(&r, 16, 64);
    uint32_t slot = rig_bind(&r, "x:A");
    for (uint64_t n = 1; n <= 100; n++)
        rig_trade(&r, slot, n);
    px_writer_flush(r.w);
    px_bus *bus = rig_reader(&r, 1);
    rig_trade(&r, slot, 101);
    rig_trade(&r, slot, 102);
    T_EQ(px_bus_seek(bus, 0), 0);
    T_EQ(px_bus_poll(bus, &t, 1), 1);
    T_TRUE(rig_tick_is(&t, 102 - 63));
    T_EQ(px_bus_seek(bus, t.seq - 1), -ERANGE); /* in the ring by the head, overwritten in truth */
    T_EQ(px_bus_poll(bus, &t, 1), 1);
    T_TRUE(rig_tick_is(&t, 102 - 62));
    px_bus_detach(bus);
    rig_free(&r);
}

T_TEST(a_seek_that_is_refused_leaves_the_stream_as_it_was)
{
    struct rig r = {0};
    struct px_tick t[64];
    rig_open(&r, 4, 64);
    uint32_t slot = rig_bind(&r, "x:A");
    px_writer_flush(r.w);
    px_bus *bus = rig_reader(&r, 1);
    uint64_t first = rig_trade(&r, slot, 1);
    for (uint64_t n = 2; n <= 50; n++)
        rig_trade(&r, slot, n);
    px_writer_flush(r.w);
    T_EQ(px_bus_poll(bus, t, 50), 50);
    rig_trade(&r, slot, 51); /* still x:A's, whose slot goes on to others */
    for (int i = 0; i < 3; i++) {
        char symbol[8];
        px_writer_release(r.w, slot);
        snprintf(symbol, sizeof symbol, "x:%d", i);
        T_EQ(rig_bind(&r, symbol), slot);
    }
    px_writer_flush(r.w);
    for (uint64_t n = 0; n < 20; n++)
        rig_trade(&r, slot, 1); /* beyond the head: overwrites `first` and more */
    T_EQ(px_bus_seek(bus, first + 1), -ERANGE);
    T_EQ(px_bus_poll(bus, t, 1), 1);
    T_EQ(t[0].kind, PX_TRADE);
    T_TRUE(rig_tick_is(&t[0], 51));
    T_STR(px_bus_symbol(bus, t[0].id), "x:A");
    px_bus_detach(bus);
    rig_free(&r);
}

T_TEST(arguments_that_point_nowhere_are_refused)
{
    struct rig r = {0};
    rig_open(&r, 16, 64);
    T_EQ(px_bus_attach(NULL, r.bus, NULL), -EINVAL);
    px_bus *bus = rig_reader(&r, 1);
    rig_trade(&r, rig_bind(&r, "x:A"), 1);
    T_EQ(px_bus_poll(bus, NULL, 1), -EINVAL);
    T_EQ(px_bus_dispatch(bus, NULL, NULL), -EINVAL);
    px_bus_detach(bus);
    rig_free(&r);
}

T_TEST(a_directory_that_is_being_rebuilt_hides_no_symbol_from_the_stream)
{
    struct rig r = {0};
    struct px_tick t[64];
    char symbol[8];
    rig_listen(&r);
    rig_open(&r, 4, 64);
    rig_serve_start(&r);
    px_bus *bus = rig_reader(&r, 0);
    px_id id = subscribe(bus, "x:A", PX_TRADES);
    rig_serve_stop(&r);
    px_writer_pin(r.w, rig_bind(&r, "x:A"), 0, 0);
    for (int i = 0; i < 5; i++) { /* it loses its slot, and gets another one */
        snprintf(symbol, sizeof symbol, "y:%d", i);
        rig_bind(&r, symbol);
    }
    uint32_t slot = rig_bind(&r, "x:A");
    for (uint64_t n = 1; n <= 200; n++)
        rig_trade(&r, slot, n);
    px_writer_flush(r.w);
    r.w->seg.header->directory_version |= 1; /* for ever, as after a death */
    memset(r.w->seg.directory, 0, sizeof *r.w->seg.directory * (r.w->seg.directory_mask + 1));
    T_EQ(px_bus_poll(bus, t, 64), -EOVERFLOW);
    T_EQ(px_bus_poll(bus, t, 64), 33);
    T_EQ(t[0].id, id);
    T_TRUE(rig_tick_is(&t[32], 200));
    px_bus_detach(bus);
    rig_free(&r);
}

T_TEST(a_hole_in_the_ring_is_a_lap_and_no_end)
{
    struct rig r = {0};
    struct px_tick t[64];
    rig_open(&r, 4, 64);
    uint32_t slot = rig_bind(&r, "x:A");
    px_writer_flush(r.w);
    px_bus *bus = rig_reader(&r, 1);
    for (uint64_t n = 1; n <= 10; n++) {
        uint64_t seq = rig_trade(&r, slot, n);
        if (n == 5 || n == 6)
            r.w->seg.ring[seq & r.w->seg.ring_mask].w[0] = 0;
    }
    px_writer_flush(r.w);
    T_EQ(px_bus_poll(bus, t, 64), 4);
    T_EQ(px_bus_wait(bus, 5000000000), 0);
    T_EQ(px_bus_poll(bus, t, 64), -EOVERFLOW);
    T_EQ(px_bus_poll(bus, t, 64), 4);
    T_TRUE(rig_tick_is(&t[3], 10));
    struct px_bus_stats s;
    px_bus_stats(bus, &s);
    T_EQ(s.skipped, 2);
    px_bus_detach(bus);
    rig_free(&r);
}

struct dispatched {
    px_id drop;
    int ticks, lost;
    uint64_t skipped;
};

static void on_tick(px_bus *bus, const struct px_tick *t, void *user)
{
    struct dispatched *d = user;
    if (t->kind == PX_STATUS && t->u.status.event == PX_EVENT_LOST) {
        d->lost++;
        d->skipped += t->u.status.count;
        return;
    }
    d->ticks++;
    if (d->drop != PX_ID_NONE)
        px_bus_unsubscribe(bus, d->drop);
    d->drop = PX_ID_NONE;
}

T_TEST(a_callback_may_unsubscribe_and_is_obeyed_at_once)
{
    struct rig r = {0};
    rig_listen(&r);
    rig_open(&r, 16, 64);
    rig_serve_start(&r);
    px_bus *bus = rig_reader(&r, 0);
    struct dispatched d = {.drop = subscribe(bus, "x:A", PX_TRADES)};
    subscribe(bus, "x:B", PX_TRADES);
    rig_serve_stop(&r);
    uint32_t a = rig_bind(&r, "x:A"), b = rig_bind(&r, "x:B");
    for (uint64_t n = 1; n <= 5; n++) {
        rig_trade(&r, a, n);
        rig_trade(&r, b, n);
    }
    px_writer_flush(r.w);
    T_EQ(px_bus_dispatch(bus, on_tick, &d), 6);
    T_EQ(d.ticks, 6);
    for (uint64_t n = 1; n <= 100; n++)
        rig_trade(&r, b, n);
    px_writer_flush(r.w);
    T_EQ(px_bus_dispatch(bus, on_tick, &d), 33);
    T_EQ(d.lost, 1);
    T_EQ(d.skipped, 67);
    px_bus_detach(bus);
    rig_free(&r);
}

T_TEST(two_jumps_before_they_are_told_are_told_together)
{
    struct rig r = {0};
    struct dispatched d = {.drop = PX_ID_NONE};
    struct px_bus_stats s;
    rig_open(&r, 16, 64);
    uint32_t slot = rig_bind(&r, "x:A");
    px_writer_flush(r.w);
    px_bus *bus = rig_reader(&r, 1);
    for (int i = 0; i < 3; i++) {
        for (uint64_t n = 1; n <= 200; n++)
            rig_trade(&r, slot, n);
        px_writer_flush(r.w);
        if (i < 2)
            pxi_lap(bus); /* as when what px_bus_wait() holds is followed by another one */
    }
    bus->flags |= PXI_JUMPED;
    while (px_bus_dispatch(bus, on_tick, &d) != 0)
        ;
    px_bus_stats(bus, &s);
    T_EQ(d.skipped, s.skipped);
    T_EQ(d.lost, 2);
    px_bus_detach(bus);
    rig_free(&r);
}

T_TEST(a_store_into_the_segment_kills_the_reader_and_nobody_else)
{
    struct rig r = {0};
    rig_open(&r, 16, 64);
    px_bus *bus = rig_reader(&r, 0);
    void *const places[] = {
        bus->prefix, &bus->prefix->wake, pxi_now(bus)->header,
        bus->slots,  bus->ring,          (char *)bus->seg[0].base + bus->seg[0].bytes - 8};
    for (size_t i = 0; i < sizeof places / sizeof places[0]; i++) {
        pid_t child = fork();
        if (child == 0) {
            signal(SIGSEGV, SIG_DFL);
            *(volatile uint32_t *)places[i] = 1;
            _exit(0);
        }
        int status;
        T_EQ(waitpid(child, &status, 0), child);
        /* A sanitizer turns the signal into an exit of its own. */
        T_TRUE((WIFSIGNALED(status) && WTERMSIG(status) == SIGSEGV) ||
               (WIFEXITED(status) && WEXITSTATUS(status) != 0));
    }
    px_bus_detach(bus);
    rig_free(&r);
}
