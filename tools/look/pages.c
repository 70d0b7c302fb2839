/* What the feeder made of mlock and huge pages: its counters, and the reason from the errors. */
#include "pages.h"

#include <string.h>

/* As the counters mlock_state and huge_state are numbered. */
enum { OFF, ALL, PART, REFUSED, STATES };

static const char *reason(const struct snapshot *s, const char *kind, uint64_t state)
{
    for (size_t i = 0; i < s->error_count && state >= PART; i++)
        if (strcmp(s->errors[i].kind, kind) == 0)
            return s->errors[i].text;
    return NULL;
}

static const char *name(uint64_t state)
{
    static const char *const names[STATES] = {"off", "all", "part", "refused"};
    return state < STATES ? names[state] : "unknown";
}

void pages_of(const struct snapshot *s, struct pages_told *out)
{
    uint64_t lock = snapshot_counter(s, "mlock_state"), huge = snapshot_counter(s, "huge_state");
    *out = (struct pages_told){.lock = name(lock),
                               .lock_reason = reason(s, "mlock", lock),
                               .locked_bytes = snapshot_counter(s, "locked_bytes"),
                               .huge = name(huge),
                               .huge_reason = reason(s, "huge pages", huge),
                               .huge_heap_bytes = snapshot_counter(s, "huge_heap_bytes"),
                               .huge_shm_bytes = snapshot_counter(s, "huge_shm_bytes"),
                               .minor = snapshot_counter(s, "faults_minor"),
                               .major = snapshot_counter(s, "faults_major")};
}
