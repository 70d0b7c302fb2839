/* px/control.h: the control socket's messages and the reader's page. Internal to this project:
 * libbus, feeder and pxrestart speak it; both sides are of one version and check so.
 *
 * SOCK_SEQPACKET: one message is one packet, of the fixed size below. A reader sends HELLO first
 * and gets WELCOME with the descriptor of its page, or REFUSED and the end. */
#ifndef PX_CONTROL_H
#define PX_CONTROL_H

#include <stdint.h>

#define PXC_VERSION 1u

enum pxc_type {
    /* reader or tool -> feeder */
    PXC_HELLO = 1,   /* u.hello; a tool sends flags PXC_NO_PAGE and gets no page */
    PXC_SUBSCRIBE,   /* u.symbol */
    PXC_UNSUBSCRIBE, /* u.symbol */
    PXC_RESTART,     /* recycle: only the feeder's user and root, as the three below */
    PXC_TRIM,
    PXC_SHUTDOWN,
    PXC_RELOAD,
    /* feeder -> reader */
    PXC_WELCOME = 64, /* u.welcome, with SCM_RIGHTS: the page */
    PXC_REPLY,        /* u.reply, to the request of the same number */
    PXC_WAKE          /* there is something to read: the reader asked for it on its page */
};

#define PXC_NO_PAGE 1u

struct pxc_message {
    uint16_t type;
    uint16_t version;
    uint32_t request; /* chosen by the sender, echoed in the reply */
    union {
        struct {
            uint32_t flags;
            uint32_t reserved;
            char name[32];
        } hello;
        struct {
            uint32_t kinds;
            uint32_t reserved;
            char symbol[48];
        } symbol;
        struct {
            uint64_t epoch;
            uint64_t reserved;
            uint32_t reader; /* index of this reader's record in the segment */
        } welcome;
        struct {
            int32_t result; /* 0 or negative errno */
            uint32_t slot;  /* of a subscription, UINT32_MAX for venue:* */
            uint32_t generation;
            uint32_t reserved;
            uint64_t bind_seq;
            char text[120]; /* one sentence when result < 0 */
        } reply;
    } u;
};

/* The reader's page: a sealed memfd of one page, made by the feeder, written by the reader. The
 * feeder clamps every value and trusts none. Each group on a line of its own. */
#define PX_PAGE_BYTES 4096u
struct px_page {
    uint64_t position; /* last sequence seen */
    uint64_t lost;     /* sequences skipped so far */
    uint8_t line0[48];
    uint32_t sleeping;  /* 1 while in, or about to enter, FUTEX_WAIT on the segment's wake word */
    uint32_t want_wake; /* 1: send PXC_WAKE at the next batch; set back to 0 by the feeder before it
                           sends, so that one request is one message */
    uint8_t line1[56];
};

#endif
