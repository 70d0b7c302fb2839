/* Sessions, quotas and pins in one process, with the time moved by hand: a real bus, a real socket.
 * What hostile clients get: tests/system/test_control.py. */
#include "t.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "control.h"
#include "counters.h"
#include "log.h"
#include "pairs.h"

#define SEC INT64_C(1000000000)

struct rig {
    char dir[64], bus[33], path[108];
    struct config config;
    px_writer *w;
    struct wants *wants;
    struct control *c;
    int64_t now;
    uint16_t commanded;
};

static int command(void *user, uint16_t type, char *text, size_t cap)
{
    struct rig *r = user;
    r->commanded = type;
    snprintf(text, cap, "no");
    return type == PXC_RELOAD ? -EINVAL : 0;
}

static struct rig *rig_new(uint32_t capacity)
{
    static int count;
    struct rig *r = calloc(1, sizeof *r);
    char error[CONFIG_ERROR_MAX], *argv[] = {(char *)(uintptr_t) "feeder", NULL};
    struct px_writer_report report;
    log_open(open("/dev/null", O_WRONLY | O_CLOEXEC), LOG_LEVEL_ERROR, false);
    unsetenv("PX_BUS");
    T_EQ(config_load(1, argv, &r->config, error), 0);
    snprintf(r->bus, sizeof r->bus, "ctlt-%d-%d", (int)getpid(), count++);
    strcpy(r->dir, "/tmp/px-control-XXXXXX");
    T_TRUE(mkdtemp(r->dir) != NULL);
    r->config.capacity = capacity;
    struct px_writer_options wo = {.bus = r->bus,
                                   .capacity = capacity,
                                   .ring = 256,
                                   .group = -1,
                                   .lock_fd = -1,
                                   .version = "test",
                                   .counters = px_feeder_counters,
                                   .counter_count = PX_C_COUNT};
    T_EQ(px_writer_open(&r->w, &wo, &report), 0);
    r->wants = wants_new(&r->config, r->w);
    T_EQ(control_path(r->dir, r->bus, r->path, sizeof r->path, error), 0);
    struct control_options co = {.path = r->path,
                                 .bus = r->bus,
                                 .group = -1,
                                 .quota_connections = 8,
                                 .quota_symbols = 0,
                                 .quota_messages = 1000,
                                 .wants = r->wants,
                                 .writer = r->w,
                                 .command = command,
                                 .user = r};
    T_EQ(control_open(&r->c, &co, error), 0);
    return r;
}

static void rig_free(struct rig *r)
{
    char path[64];
    int32_t pid;
    control_free(r->c);
    T_EQ(access(r->path, F_OK), -1);
    wants_free(r->wants);
    px_writer_close(r->w);
    T_EQ(px_writer_remove(r->bus, &pid), 0);
    snprintf(path, sizeof path, "/dev/shm/px-%s.lock", r->bus);
    unlink(path);
    config_free(&r->config);
    rmdir(r->dir);
    free(r);
}

struct peer {
    int fd, session, feeder_fd;
    struct px_page *page;
};

static void say(struct peer *p, struct pxc_message m)
{
    m.version = PXC_VERSION;
    T_EQ(send(p->fd, &m, sizeof m, MSG_NOSIGNAL), sizeof m);
}

static struct pxc_message hear(struct peer *p)
{
    struct pxc_message m = {0};
    union {
        char bytes[CMSG_SPACE(sizeof(int))];
        struct cmsghdr align;
    } rights;
    struct iovec part = {&m, sizeof m};
    struct msghdr h = {.msg_iov = &part,
                       .msg_iovlen = 1,
                       .msg_control = rights.bytes,
                       .msg_controllen = sizeof rights.bytes};
    T_EQ(recvmsg(p->fd, &h, MSG_DONTWAIT), sizeof m);
    if (CMSG_FIRSTHDR(&h) != NULL) {
        int fd;
        memcpy(&fd, CMSG_DATA(CMSG_FIRSTHDR(&h)), sizeof fd);
        p->page = mmap(NULL, PX_PAGE_BYTES, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
        close(fd);
    }
    return m;
}

static struct peer attach(struct rig *r)
{
    struct peer p = {.fd = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0)};
    struct sockaddr_un to = {.sun_family = AF_UNIX};
    memcpy(to.sun_path, r->path, sizeof to.sun_path);
    T_EQ(connect(p.fd, (struct sockaddr *)&to, sizeof to), 0);
    p.session = control_accept(r->c, r->now, &p.feeder_fd);
    T_TRUE(p.session >= 0);
    say(&p, (struct pxc_message){.type = PXC_HELLO, .u.hello.name = "peer"});
    T_EQ(control_readable(r->c, p.session, r->now), 0);
    T_EQ(hear(&p).type, PXC_WELCOME);
    T_TRUE(p.page != NULL);
    return p;
}

/* The reader dies: its end of the socket goes, and the loop does what the header says. */
static void die(struct rig *r, struct peer *p)
{
    close(p->fd);
    munmap(p->page, PX_PAGE_BYTES);
    T_TRUE(control_readable(r->c, p->session, r->now) < 0);
    control_closed(r->c, p->session, r->now);
    close(p->feeder_fd);
}

static struct pxc_message ask(struct rig *r, struct peer *p, uint16_t type, const char *symbol,
                              uint32_t kinds)
{
    struct pxc_message m = {.type = type, .request = 9};
    m.u.symbol.kinds = kinds;
    snprintf(m.u.symbol.symbol, sizeof m.u.symbol.symbol, "%s", symbol);
    say(p, m);
    T_EQ(control_readable(r->c, p->session, r->now), 0);
    m = hear(p);
    T_EQ(m.type, PXC_REPLY);
    T_EQ(m.request, 9);
    return m;
}

static struct px_symbol_info slot_of(struct rig *r, const char *symbol)
{
    struct px_symbol_info info = {0};
    uint32_t slot;
    if (px_writer_find(r->w, symbol, strlen(symbol), &slot) == 0)
        T_EQ(px_writer_symbol(r->w, slot, &info), 0);
    return info;
}

/* Data has come for it: it is worth the grace time. */
static void flows(struct rig *r, const char *native)
{
    struct subs *subs = wants_subs(r->wants);
    struct sub *e = subs_at(subs, subs_find(subs, 0, native, strlen(native)));
    T_TRUE(e != NULL);
    subs_data(subs, e, PX_TRADE);
}

T_TEST(pins_count_readers_and_fall_with_them_at_once)
{
    struct rig *r = rig_new(8);
    struct peer a = attach(r), b = attach(r);
    T_EQ(ask(r, &a, PXC_SUBSCRIBE, "binance:BTCUSDT", PX_TRADES).u.reply.result, 0);
    T_EQ(ask(r, &a, PXC_SUBSCRIBE, "binance:BTCUSDT", PX_QUOTES).u.reply.result, 0);
    T_EQ(ask(r, &b, PXC_SUBSCRIBE, "binance:BTCUSDT", PX_TICKERS).u.reply.result, 0);
    struct px_symbol_info s = slot_of(r, "binance:BTCUSDT");
    T_EQ(s.pins, 2);
    T_EQ(s.kinds, PX_ALL_KINDS);
    T_EQ(control_subscriptions(r->c), 2);
    die(r, &a);
    T_EQ(slot_of(r, "binance:BTCUSDT").pins, 1);
    die(r, &b);
    T_EQ(slot_of(r, "binance:BTCUSDT").pins, 0);
    T_EQ(control_subscriptions(r->c), 0);
    T_EQ(control_readers(r->c), 0);
    rig_free(r);
}

T_TEST(kinds_nobody_wants_any_more_are_dropped_after_the_grace_time)
{
    struct rig *r = rig_new(8);
    struct peer a = attach(r), b = attach(r);
    ask(r, &a, PXC_SUBSCRIBE, "binance:BTCUSDT", PX_TRADES);
    ask(r, &b, PXC_SUBSCRIBE, "binance:BTCUSDT", PX_QUOTES);
    flows(r, "BTCUSDT");
    T_EQ(ask(r, &a, PXC_UNSUBSCRIBE, "binance:BTCUSDT", 0).u.reply.result, 0);
    wants_tick(r->wants, r->now += SEC);
    T_EQ(slot_of(r, "binance:BTCUSDT").kinds, PX_TRADES | PX_QUOTES);
    wants_tick(r->wants, r->now += 5 * SEC);
    T_EQ(slot_of(r, "binance:BTCUSDT").kinds, PX_QUOTES);
    die(r, &b);
    wants_tick(r->wants, r->now += 6 * SEC);
    T_EQ(slot_of(r, "binance:BTCUSDT").slot, 0);
    T_EQ(px_writer_value(r->w, PX_B_symbols), 0); /* without a price the slot is given back */
    T_EQ(subs_used(wants_subs(r->wants)), 0);
    die(r, &a);
    rig_free(r);
}

T_TEST(unpinned_symbols_make_room_for_subscribed_ones)
{
    struct rig *r = rig_new(4);
    struct peer a = attach(r), b = attach(r);
    char symbol[32];
    for (int i = 0; i < 4; i++) {
        snprintf(symbol, sizeof symbol, "binance:S%d", i);
        T_EQ(ask(r, &a, PXC_SUBSCRIBE, symbol, PX_TRADES).u.reply.result, 0);
    }
    struct pxc_message m = ask(r, &b, PXC_SUBSCRIBE, "binance:NEW", PX_TRADES);
    T_EQ(m.u.reply.result, -ENOSPC);
    T_STR(m.u.reply.text, "capacity 4 is in use by subscriptions");
    ask(r, &a, PXC_UNSUBSCRIBE, "binance:S2", 0);
    m = ask(r, &b, PXC_SUBSCRIBE, "binance:NEW", PX_TRADES);
    T_EQ(m.u.reply.result, 0);
    T_TRUE(m.u.reply.bind_seq > 0);
    T_EQ(m.u.reply.generation, px_writer_generation(r->w, m.u.reply.slot));
    T_EQ(slot_of(r, "binance:S2").generation, 0);
    die(r, &a);
    die(r, &b);
    rig_free(r);
}

T_TEST(symbols_in_their_grace_time_count_for_who_left_them)
{
    struct rig *r = rig_new(16);
    struct peer a = attach(r);
    char symbol[32];
    control_quotas(r->c, 8, 4, 1000);
    for (int i = 0; i < 4; i++) {
        snprintf(symbol, sizeof symbol, "binance:S%d", i);
        T_EQ(ask(r, &a, PXC_SUBSCRIBE, symbol, PX_TRADES).u.reply.result, 0);
        flows(r, symbol + strlen("binance:"));
        T_EQ(ask(r, &a, PXC_UNSUBSCRIBE, symbol, 0).u.reply.result, 0);
    }
    struct pxc_message m = ask(r, &a, PXC_SUBSCRIBE, "binance:NEW", PX_TRADES);
    T_EQ(m.u.reply.result, -EDQUOT);
    T_TRUE(strstr(m.u.reply.text, "has 0 symbols subscribed and 4 on their way out") != NULL);
    T_EQ(ask(r, &a, PXC_SUBSCRIBE, "binance:S1", PX_TRADES).u.reply.result, 0); /* its own */
    T_EQ(ask(r, &a, PXC_UNSUBSCRIBE, "binance:S1", 0).u.reply.result, 0);
    wants_tick(r->wants, r->now += 6 * SEC);
    T_EQ(ask(r, &a, PXC_SUBSCRIBE, "binance:NEW", PX_TRADES).u.reply.result, 0);
    die(r, &a);
    rig_free(r);
}

T_TEST(invented_symbols_lock_nobody_out)
{
    struct rig *r = rig_new(16);
    struct peer a = attach(r), b = attach(r);
    char symbol[32];
    for (int i = 0; i < 5000; i++) {
        snprintf(symbol, sizeof symbol, "binance:X%d", i);
        if (i % 400 == 0) /* the quota of messages, and the loop's turn */
            wants_tick(r->wants, r->now += SEC);
        T_EQ(ask(r, &a, PXC_SUBSCRIBE, symbol, PX_TRADES).u.reply.result, 0);
        T_EQ(ask(r, &a, PXC_UNSUBSCRIBE, symbol, 0).u.reply.result, 0);
    }
    T_EQ(ask(r, &b, PXC_SUBSCRIBE, "binance:BTCUSDT", PX_TRADES).u.reply.result, 0);
    T_TRUE(subs_used(wants_subs(r->wants)) <= 401);
    die(r, &a);
    die(r, &b);
    rig_free(r);
}

T_TEST(full_table_is_told_from_full_connections)
{
    struct rig *r = rig_new(16);
    struct subs *subs = wants_subs(r->wants);
    struct wants_answer answer;
    uint32_t sub;
    char symbol[32];
    for (uint32_t i = 0; !subs_full(subs); i++) {
        snprintf(symbol, sizeof symbol, "X%u", i);
        T_EQ(subs_hold(subs, 0, symbol, PX_TRADES, INT64_MAX, &sub), 0);
    }
    T_EQ(wants_subscribe(r->wants, "binance:BTCUSDT", PX_TRADES, 0, &answer), -ENOSPC);
    T_STR(answer.text, "the table of 4128 wanted symbols is full");
    rig_free(r);
}

/* A venue that a reload names is fed after a restart, and not by half before. */
T_TEST(symbols_of_a_venue_that_is_not_fed_yet_wait_for_the_restart)
{
    struct rig *r = rig_new(16);
    struct config_symbol symbols[] = {{.symbol = "binance_us:BTCUSDT", .kinds = PX_TRADES},
                                      {.symbol = "binance:BTCUSDT", .kinds = PX_TRADES}};
    wants_free(r->wants);
    r->config.venue[config_venue_index(venue_find("binance_us", 10))].allowed = false;
    r->wants = wants_new(&r->config, r->w);
    r->config.venue[config_venue_index(venue_find("binance_us", 10))].allowed = true;
    struct config reloaded = r->config;
    reloaded.symbols = symbols;
    reloaded.symbol_count = 2;
    log_set_level(LOG_LEVEL_ERROR);
    wants_apply(r->wants, &reloaded, 0);
    T_EQ(subs_used(wants_subs(r->wants)), 1);
    T_EQ(slot_of(r, "binance_us:BTCUSDT").generation, 0);
    rig_free(r);
}

T_TEST(what_a_reader_writes_on_its_page_is_clamped)
{
    struct rig *r = rig_new(8);
    struct peer a = attach(r);
    ask(r, &a, PXC_SUBSCRIBE, "binance:BTCUSDT", PX_TRADES);
    a.page->position = UINT64_MAX;
    a.page->lost = UINT64_MAX;
    a.page->sleeping = 0xdeadbeef;
    control_tick(r->c, r->now);
    uint64_t position, lost;
    uint32_t sleeping;
    px_writer_page_read(r->w, a.page, &position, &lost, &sleeping);
    T_TRUE(position <= px_writer_sequence(r->w));
    T_TRUE(lost <= px_writer_sequence(r->w));
    T_EQ(sleeping, 1);
    die(r, &a);
    rig_free(r);
}

T_TEST(commands_reach_the_feeder_and_its_refusal_the_caller)
{
    struct rig *r = rig_new(8);
    struct peer a = attach(r);
    say(&a, (struct pxc_message){.type = PXC_TRIM});
    T_EQ(control_readable(r->c, a.session, r->now), 0);
    T_EQ(hear(&a).u.reply.result, 0);
    T_EQ(r->commanded, PXC_TRIM);
    say(&a, (struct pxc_message){.type = PXC_RELOAD});
    T_EQ(control_readable(r->c, a.session, r->now), 0);
    struct pxc_message m = hear(&a);
    T_EQ(m.u.reply.result, -EINVAL);
    T_STR(m.u.reply.text, "no");
    die(r, &a);
    rig_free(r);
}

T_TEST(silent_connection_is_ended_after_five_seconds)
{
    struct rig *r = rig_new(8);
    struct sockaddr_un to = {.sun_family = AF_UNIX};
    int fd = socket(AF_UNIX, SOCK_SEQPACKET, 0), feeder_fd;
    char byte;
    memcpy(to.sun_path, r->path, sizeof to.sun_path);
    T_EQ(connect(fd, (struct sockaddr *)&to, sizeof to), 0);
    int session = control_accept(r->c, 0, &feeder_fd);
    control_tick(r->c, 4 * SEC);
    T_EQ(recv(fd, &byte, 1, MSG_DONTWAIT), -1);
    control_tick(r->c, 6 * SEC);
    T_EQ(recv(fd, &byte, 1, MSG_DONTWAIT), 0);
    T_TRUE(control_readable(r->c, session, 6 * SEC) < 0);
    control_closed(r->c, session, 6 * SEC);
    close(feeder_fd);
    close(fd);
    rig_free(r);
}

/* Configured symbols beyond the capacity share the slots, and are never a reason to refuse one. */
T_TEST(three_thousand_configured_symbols_work_with_fewer_slots)
{
    struct rig *r = rig_new(100);
    r->config.symbols = calloc(3000, sizeof *r->config.symbols);
    r->config.symbol_count = 3000;
    for (size_t i = 0; i < 3000; i++) {
        snprintf(r->config.symbols[i].symbol, sizeof r->config.symbols[i].symbol, "binance:S%zu",
                 i);
        r->config.symbols[i].kinds = PX_TRADES;
    }
    wants_free(r->wants); /* sized for the configuration, as the feeder does */
    control_free(r->c);
    char error[CONFIG_ERROR_MAX];
    r->wants = wants_new(&r->config, r->w);
    struct control_options co = {.path = r->path,
                                 .bus = r->bus,
                                 .group = -1,
                                 .quota_connections = 8,
                                 .quota_symbols = 50,
                                 .quota_messages = 1000,
                                 .wants = r->wants,
                                 .writer = r->w,
                                 .command = command,
                                 .user = r};
    T_EQ(control_open(&r->c, &co, error), 0);
    wants_apply(r->wants, &r->config, 0);
    T_EQ(subs_used(wants_subs(r->wants)), 3000);
    struct peer a = attach(r);
    T_EQ(ask(r, &a, PXC_SUBSCRIBE, "binance:S2999", PX_TRADES).u.reply.result, 0);
    T_EQ(slot_of(r, "binance:S2999").pins, 1);
    struct sub *e = subs_at(wants_subs(r->wants), subs_find(wants_subs(r->wants), 0, "S5", 2));
    uint32_t slot;
    T_EQ(wants_slot(r->wants, r->w, e, &slot), 0);
    T_EQ(slot_of(r, "binance:S5").kinds, PX_TRADES);
    r->config.symbol_count = 10; /* a reload with fewer */
    wants_apply(r->wants, &r->config, SEC);
    wants_tick(r->wants, 10 * SEC);
    T_EQ(subs_used(wants_subs(r->wants)), 11);
    die(r, &a);
    rig_free(r);
}

T_TEST(pairs_are_found_listed_and_reused)
{
    struct pairs p;
    T_EQ(pairs_init(&p, 1000, 10), 0);
    for (uint32_t round = 0; round < 3; round++) {
        for (uint32_t i = 0; i < 1000; i++)
            T_TRUE(pairs_add(&p, i % 10, i / 10, i) != NULL);
        T_TRUE(pairs_add(&p, 1, 5000, 0) == NULL);
        for (uint32_t i = 0; i < 1000; i++)
            T_EQ(pairs_find(&p, i % 10, i / 10)->value, i);
        T_TRUE(pairs_find(&p, 3, 100) == NULL);
        for (uint32_t i = 0; i < 1000; i += 3)
            pairs_remove(&p, pairs_find(&p, i % 10, i / 10));
        for (uint32_t a = 0; a < 10; a++)
            while (pairs_first(&p, a) != NULL)
                pairs_remove(&p, pairs_first(&p, a));
        T_EQ(p.used, 0);
    }
    pairs_free(&p);
}
