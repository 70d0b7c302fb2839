/* Prints how the attempts of 500 feeders spread that lose a venue together, which is back after two
 * minutes: second, attempts in it with breaker and back-off, the same with a fixed pause of 1 s,
 * and how many are back. scripts/reconnect-plot draws it. */
#include <stdio.h>

#include "spread.h"

#define S        INT64_C(1000000000)
#define IN_ONE_S (S / SPREAD_STEP_NS)

static uint32_t sum(const uint32_t *steps)
{
    uint32_t n = 0;
    for (int i = 0; i < IN_ONE_S; i++)
        n += steps[i];
    return n;
}

int main(void)
{
    static struct spread jitter = {.feeders = 500, .down_ns = 120 * S};
    static struct spread fixed = {.feeders = 500, .down_ns = 120 * S};
    uint32_t back = 0;
    spread_run(&jitter, S / 4, 60 * S, 1);
    spread_fixed(&fixed, S);
    printf("# second attempts fixed back\n");
    for (int i = 0; i < SPREAD_STEPS; i += IN_ONE_S) {
        back += sum(&jitter.back[i]);
        printf("%d %u %u %u\n", i / (int)IN_ONE_S, sum(&jitter.attempts[i]),
               sum(&fixed.attempts[i]), back);
    }
    return 0;
}
