/* The pauses between messages of a source in the last hour, and how long a silence has to be that
 * is none of them. Pure. Memory of fixed size, a few additions for each message. */
#ifndef PX_FEEDER_PAUSES_H
#define PX_FEEDER_PAUSES_H

#include <stdint.h>

#define PAUSES_PARTS 6u

struct pauses_part {
    int64_t sum_ns, longest_ns;
    double squares; /* of the pauses, in s^2 */
};

/* Zeroed: nothing is known. */
struct pauses {
    struct pauses_part part[PAUSES_PARTS]; /* ten minutes each */
    uint32_t at;                           /* the present part */
    int64_t turn_ns;                       /* when it is over */
};

/* A pause has ended now. */
void pauses_note(struct pauses *p, int64_t pause_ns, int64_t now_ns);

/* The source is another: less is asked of it. */
void pauses_forget(struct pauses *p);

/* A silence of so long is no pause: 15 s at least, a week at most.
 *
 * Would messages come independently of each other, at a rate of which only n pauses of together E
 * are known, a pause of T or longer had the chance (E / (E + T))^n (the gamma-Poisson predictive
 * distribution, with the flat prior of the logarithm of the rate). The bound is where that is
 * 10^-8: 18.4 mean pauses where many are known, and more the fewer there are. Messages come in
 * bursts: pauses are weighed by their length, n = 2 E^2 / (sum of squares), which is their number
 * if they are exponential and about that of the bursts otherwise. Nor is the bound below one and a
 * half times the longest.
 *
 * Before ten seconds are known in all (what comes at once after a subscription is a snapshot) it is
 * a minute at least. */
int64_t pauses_bound(const struct pauses *p);

#endif
