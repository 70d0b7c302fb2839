/* A week of an exchange's failures in seconds: the feeder's own code, from its links (fleet.c,
 * link.c, link_io.c, ws.c) to the bus, on a machine whose clock, network and names are simulated.
 *
 *   edge.c      clock, timers, sockets and names: what net.c, resolve.c and the kernel are
 * elsewhere server.c    the far end of each socket: WebSocket, the dialects of Binance and OKX
 *   exchange.c  what trades, and what goes wrong, drawn at random
 *   check.c     a reader of the bus, and what must be true at each step
 *   world.c     opening, ticking, killing and ending the feeder
 *
 * All randomness comes from one seed, all time from week.now: a run can be repeated. */
#ifndef PX_TESTS_WEEK_H
#define PX_TESTS_WEEK_H

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "fleet.h"
#include "px/bus.h"

#define MS   INT64_C(1000000)
#define S    (1000 * MS)
#define HOUR (3600 * S)
#define DAY  (24 * HOUR)

#define TICK         (500 * MS) /* the feeder's turn */
#define SERVER_PING  (20 * S)
#define WEEK_BEGIN   (1000 * S) /* of the simulated clock */
#define EXCHANGES    4u
#define SYMBOLS      4u
#define PEERS        64u
#define ATTEMPTS_MAX 512u

/* What befalls an exchange: name; how often it is drawn; how long it lasts, in seconds, 0 a moment;
 * whether connections that are there may be cut as it begins. */
#define WEEK_FAULTS(X)                                           \
    X(NONE, "none", 0, 0, 0, false)                              \
    X(REFUSE, "connections refused", 60, 60, 21600, true)        \
    X(NO_ROUTE, "no answer to connections", 40, 60, 7200, true)  \
    X(NO_NAME, "the name does not exist", 30, 30, 3600, true)    \
    X(SLOW_NAME, "names are not answered", 30, 30, 3600, true)   \
    X(NO_UPGRADE, "accepted without a word", 50, 60, 3600, true) \
    X(TOO_MANY, "429 with Retry-After", 50, 30, 600, true)       \
    X(BANNED, "418 without Retry-After", 20, 30, 600, true)      \
    X(UNAVAILABLE, "503", 40, 60, 3600, true)                    \
    X(NO_ACK, "subscriptions unanswered", 50, 60, 1800, true)    \
    X(CUT_EARLY, "closed after accepting", 40, 60, 3600, true)   \
    X(MUTE, "connections fall mute", 80, 0, 0, false)            \
    X(MUTE_ALL, "new ones are mute too", 40, 30, 600, false)     \
    X(DEAD, "connections die in silence", 70, 0, 0, false)       \
    X(CLOSE, "closed with a code", 80, 0, 0, false)              \
    X(RESET, "reset", 60, 0, 0, false)                           \
    X(PLANNED, "an announced end", 60, 0, 0, false)              \
    X(LOSS, "trades are lost", 60, 0, 0, false)                  \
    X(SYMBOL_MUTE, "a symbol is not sent", 50, 60, 7200, false)  \
    X(SLOW, "delivery is late", 40, 0, 0, false)                 \
    X(BAD, "frames that are wrong", 40, 0, 0, false)             \
    X(NO_PONG, "pings are not answered", 30, 600, 7200, false)   \
    X(STORM, "readers come and go", 60, 0, 0, false)             \
    X(KILL, "the feeder is killed", 30, 0, 0, false)

enum week_fault {
#define X(name, text, often, least_s, most_s, cuts) WEEK_##name,
    WEEK_FAULTS(X)
#undef X
        WEEK_FAULT_COUNT
};

/* One symbol as the exchange has it, and as the reader sees it. */
struct week_symbol {
    char native[16], name[32];
    int64_t mean_ns; /* between trades, which come at random */
    int64_t next_ns;
    uint64_t next_id;     /* of the next trade */
    uint32_t losing;      /* so many trades are delivered to nobody */
    int64_t muted_ns;     /* not delivered until then */
    int64_t dead_ns;      /* since then nobody is sent it, 0: somebody is */
    uint64_t covered;     /* all trades up to it were read, or named in a gap */
    bool excused;         /* STATUS said, since the last trade, that some may be missing */
    uint64_t undisturbed; /* trades read since the last trouble of any kind */
    px_id id;
    bool found;
};

struct week_exchange {
    const char *venue;
    bool okx; /* its dialect; else Binance's */
    uint32_t redundancy;
    const struct px_venue *is;
    struct week_symbol symbol[SYMBOLS];
    enum week_fault fault, last; /* now, and the last that there was */
    int64_t changed_ns;          /* since then it is so */
    int64_t fault_ns;            /* its beginning, or that of the last */
    int64_t disturbed_ns;        /* that of the one before */
    int64_t next_ns;             /* end of the fault, or the beginning of the next */
    int64_t live_ns;             /* the last time that one of its connections was thought live */
    int64_t worked_ns;           /* the last time that all worked, or that something was wrong */
    uint32_t storm_left;         /* wishes of the storm */
    int64_t storm_ns;
    int64_t told_ns; /* no attempt before it, as the exchange has said */
    uint64_t attempts;
    int64_t attempt_ns[ATTEMPTS_MAX];
};

enum peer_state { PEER_FREE, PEER_CONNECTING, PEER_REFUSED, PEER_OPEN, PEER_ENDED, PEER_RESET };

/* A socket of the feeder's and its far end. */
struct week_peer {
    enum peer_state state;
    uint32_t exchange;
    int64_t ready_ns;     /* connecting: the answer comes then; INT64_MAX never */
    struct net_fd *watch; /* NULL: not watched */
    bool paused, upgraded, silent_upgrade;
    bool mute, dead, closing;
    bool subscribed[SYMBOLS];
    int64_t trouble_ns; /* since then it is mute or dead */
    int64_t hold_ns;    /* nothing arrives before */
    int64_t close_ns;   /* an announced end, 0 none */
    int64_t ping_ns;    /* of the server */
    unsigned char *rx;  /* on its way to the feeder */
    size_t rx_at, rx_len, rx_cap;
    unsigned char tx[64 * 1024]; /* from the feeder, not a whole frame yet */
    size_t tx_len;
    uint64_t messages, requests; /* of the client, and the times of the last */
    int64_t message_ns[ATTEMPTS_MAX], request_ns[ATTEMPTS_MAX];
};

/* How long, and how far apart the faults of each exchange are. */
struct week_plan {
    int64_t length_ns, fault_every_ns;
};

/* Everything. Zeroed at the beginning of a run. */
struct week {
    uint64_t seed, random;
    const struct week_plan *plan;
    int64_t now, tick_ns;
    bool fast_backoff, calm; /* calm: nothing goes wrong any more */
    struct week_exchange exchange[EXCHANGES];
    struct week_peer peer[PEERS];
    uint64_t hit[WEEK_FAULT_COUNT];
    uint64_t trades, gaps, stale, quiet; /* read */
    uint64_t
        false_cuts[2]; /* connections called mute that were only quiet; [1] of busy exchanges */
    /* the feeder */
    struct config config;
    char dir[64], bus[32];
    px_writer *writer;
    struct gate *gate;
    struct wants *wants;
    struct fold *fold;
    struct publish *publish;
    struct fleet *fleet;
    px_bus *reader;
    int64_t started_ns;
};
extern struct week week;
extern const char *const week_names[WEEK_FAULT_COUNT];

/* Says the seed, the time and the sentence, and ends the test. */
_Noreturn void week_fail(const char *condition, const char *format, ...)
    __attribute__((format(printf, 2, 3)));
#define WEEK_MUST(x, ...)               \
    do {                                \
        if (!(x))                       \
            week_fail(#x, __VA_ARGS__); \
    } while (0)

/* Uniform in [0, 1); below n; exponential; of the order of magnitude between two times. */
double week_uniform(void);
uint32_t week_below(uint32_t n);
int64_t week_exponential(int64_t mean_ns);
int64_t week_between(int64_t least_ns, int64_t most_ns);

/* edge.c */
struct net *edge_net(void);
int64_t edge_next(void); /* when it has something to do */
void edge_run(void);
uint32_t edge_sockets(void);
uint32_t edge_jobs(void);

/* server.c */
void server_open(struct week_peer *p); /* the connection was accepted */
void server_take(struct week_peer *p); /* bytes of the feeder were added to tx */
void server_text(struct week_peer *p, const char *text);
void server_frame(struct week_peer *p, unsigned first, const void *payload, size_t len);
void server_trade(struct week_peer *p, const struct week_symbol *s, uint64_t id, bool bad);
void server_close(struct week_peer *p, uint16_t code);

/* exchange.c */
void exchange_open(void);
int64_t exchange_next(void);
void exchange_run(void);
/* From now on nothing goes wrong. */
void exchange_calm(void);
/* The feeder asks for a name there, or connects. */
struct week_exchange *exchange_of_host(const char *host);
void exchange_connect(struct week_exchange *e, struct week_peer *p);
bool exchange_delivers(const struct week_exchange *e, uint32_t symbol);

/* check.c */
void check_read(void); /* what has come */
/* The feeder closes a socket, which is a link's. */
void check_closed(const struct week_peer *p, const struct link *l);
void check_state(void); /* what must be true now */
void check_end(void);   /* two hours after the last trouble */

/* world.c */
void feeder_open_all(void);
void feeder_tick(void);
void feeder_kill(void);
void feeder_end_all(void);
/* Readers subscribe and unsubscribe, fifty times a second for a while. */
void storm_begin(struct week_exchange *e);
int64_t storm_next(void);
void storm_run(void);

/* Run it with this seed. */
void week_run(uint64_t seed, const struct week_plan *plan);

#endif
