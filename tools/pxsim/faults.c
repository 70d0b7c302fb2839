#include "faults.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define BIT(id) (1U << FAULT_##id)
#define ARG_MAX (1L << 30)

static const struct {
    const char *name;
    long arg;
} table[] = {
#define X(id, name, arg, what) {name, arg},
    FAULTS(X)
#undef X
};

_Static_assert(FAULT_COUNT <= 32, "one bit for each fault");

int faults_add(struct faults *f, const char *text)
{
    size_t len = strcspn(text, ":");
    for (size_t i = 0; i < FAULT_COUNT; i++) {
        if (strlen(table[i].name) != len || strncmp(table[i].name, text, len) != 0)
            continue;
        long arg = table[i].arg;
        if (text[len] == ':') {
            char *end;
            errno = 0;
            arg = strtol(text + len + 1, &end, 10);
            if (errno != 0 || *end != '\0' || end == text + len + 1 || arg < 0 || arg > ARG_MAX)
                return -EINVAL;
        }
        f->set |= 1U << i;
        f->arg[i] = arg;
        return 0;
    }
    return -ENOENT;
}

uint32_t faults_of_requests(void)
{
    return BIT(REST_429) | BIT(REST_500) | BIT(REST_HANG) | BIT(REST_TRUNCATED) | BIT(REST_GIANT);
}

uint32_t faults_of_data(void)
{
    return BIT(MUTE) | BIT(CLOSE_MID_FRAME) | BIT(HALF_FRAME) | BIT(GIANT_FRAME) |
           BIT(ENDLESS_FRAGMENTS) | BIT(BAD_UTF8) | BIT(BAD_JSON) | BIT(BAD_FRAME) |
           BIT(DUPLICATE) | BIT(REORDER) | BIT(SEQUENCE_GAP) | BIT(SLOW_DRIP);
}

const char *faults_name(size_t i)
{
    return i < FAULT_COUNT ? table[i].name : NULL;
}
