#include "pauses.h"

#include <math.h>
#include <string.h>

#define S INT64_C(1000000000)

#define PART_NS  (600 * S)
#define LEAST_NS (15 * S)
#define MOST_NS  (7 * 86400 * S)
/* Below so much of observation the bound is YOUNG_BOUND_NS. */
#define YOUNG_NS       (10 * S)
#define YOUNG_BOUND_NS (60 * S)
/* Logarithm of 10^8: how sure one has to be. */
#define DOUBT 18.42

static void turn(struct pauses *p, int64_t now_ns)
{
    if (now_ns - p->turn_ns >= PAUSES_PARTS * PART_NS)
        pauses_forget(p);
    if (p->turn_ns == 0)
        p->turn_ns = now_ns + PART_NS;
    for (; now_ns >= p->turn_ns; p->turn_ns += PART_NS) {
        p->at = (p->at + 1) % PAUSES_PARTS;
        p->part[p->at] = (struct pauses_part){0};
    }
}

void pauses_forget(struct pauses *p)
{
    memset(p, 0, sizeof *p);
}

void pauses_note(struct pauses *p, int64_t pause_ns, int64_t now_ns)
{
    if (now_ns >= p->turn_ns)
        turn(p, now_ns);
    struct pauses_part *part = &p->part[p->at];
    double pause_s = (double)pause_ns / (double)S;
    part->sum_ns += pause_ns;
    part->squares += pause_s * pause_s;
    if (pause_ns > part->longest_ns)
        part->longest_ns = pause_ns;
}

static int64_t longer(int64_t a, int64_t b)
{
    return a > b ? a : b;
}

/* See pauses.h. */
static int64_t unlikely(int64_t sum_ns, double squares)
{
    double sum_s = (double)sum_ns / (double)S;
    double silence_s = squares > 0 ? sum_s * expm1(DOUBT * squares / (2 * sum_s * sum_s)) : 0;
    return silence_s < (double)(MOST_NS / S) ? (int64_t)(silence_s * (double)S) : MOST_NS;
}

int64_t pauses_bound(const struct pauses *p)
{
    int64_t sum_ns = 0, longest_ns = 0;
    double squares = 0;
    for (uint32_t i = 0; i < PAUSES_PARTS; i++) {
        sum_ns += p->part[i].sum_ns;
        squares += p->part[i].squares;
        longest_ns = longer(longest_ns, p->part[i].longest_ns);
    }
    int64_t bound =
        longer(unlikely(sum_ns, squares), sum_ns < YOUNG_NS ? YOUNG_BOUND_NS : LEAST_NS);
    bound = longer(bound, longest_ns + longest_ns / 2);
    return bound < MOST_NS ? bound : MOST_NS;
}
