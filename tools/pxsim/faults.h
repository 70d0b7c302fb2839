/* The table of what a simulated exchange can do wrong, and which of it was asked for. */
#ifndef PXSIM_FAULTS_H
#define PXSIM_FAULTS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* X(identifier, name, default argument, what the argument is) */
#define FAULTS(X)                                                                   \
    X(REFUSE, "refuse", 5, "seconds from the start without listening")              \
    X(SILENT_ACCEPT, "silent-accept", 0, "none")                                    \
    X(SILENT_UPGRADE, "silent-upgrade", 0, "none")                                  \
    X(STATUS_429, "429", 1, "seconds in Retry-After")                               \
    X(STATUS_503, "503", 1, "seconds in Retry-After")                               \
    X(STATUS_418, "418", 2, "seconds in Retry-After")                               \
    X(MUTE, "mute", 0, "messages before")                                           \
    X(NO_PONG, "no-pong", 0, "none")                                                \
    X(CLOSE_AFTER_ACCEPT, "close-after-accept", 0, "milliseconds before")           \
    X(CLOSE_MID_FRAME, "close-mid-frame", 10, "messages before")                    \
    X(HALF_FRAME, "half-frame", 10, "messages before")                              \
    X(SLOW_DRIP, "slow-drip", 100, "milliseconds per byte")                         \
    X(GIANT_FRAME, "giant-frame", 17825792, "bytes of the payload")                 \
    X(ENDLESS_FRAGMENTS, "endless-fragments", 65536, "bytes per fragment")          \
    X(BAD_UTF8, "bad-utf8", 10, "messages before")                                  \
    X(BAD_JSON, "bad-json", 10, "messages between")                                 \
    X(BAD_FRAME, "bad-frame", 10, "messages before")                                \
    X(DUPLICATE, "duplicate", 10, "messages between")                               \
    X(REORDER, "reorder", 10, "messages between")                                   \
    X(SEQUENCE_GAP, "sequence-gap", 12, "trade ids skipped")                        \
    X(SERVER_SHUTDOWN, "server-shutdown", 10, "seconds from the notice to the end") \
    X(EXPIRED_CERTIFICATE, "expired-certificate", 0, "none")                        \
    X(WRONG_HOST, "wrong-host", 0, "none")                                          \
    X(REST_429, "rest-429", 1, "seconds in Retry-After")                            \
    X(REST_500, "rest-500", 0, "none")                                              \
    X(REST_HANG, "rest-hang", 0, "none")                                            \
    X(REST_TRUNCATED, "rest-truncated", 0, "none")                                  \
    X(REST_GIANT, "rest-giant", 2097152, "bytes of the answer")

enum fault {
#define X(id, name, arg, what) FAULT_##id,
    FAULTS(X)
#undef X
        FAULT_COUNT,
};

struct faults {
    uint32_t set; /* bit per fault */
    long arg[FAULT_COUNT];
};

/* NAME or NAME:ARG. 0; -ENOENT: no such fault; -EINVAL: the argument is no number that fits. */
int faults_add(struct faults *f, const char *text);

static inline bool faults_has(uint32_t set, enum fault id)
{
    return (set >> id & 1) != 0;
}

/* Those of requests for history: they befall requests, not connections. */
uint32_t faults_of_requests(void);

/* Those that touch market data and so need it message by message. */
uint32_t faults_of_data(void);

/* For --help: names, NULL past the end. */
const char *faults_name(size_t i);

#endif
