/* What writer and readers of a history share. */
#include "common.h"

#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

const struct history_column_info history_columns[HISTORY_COLUMN_COUNT] = {
#define X(name, fold, text) {#name, fold, text},
    HISTORY_COLUMNS(X)
#undef X
};

int history_default_path(char out[HISTORY_PATH_MAX])
{
    const char *state = getenv("XDG_STATE_HOME"), *home = getenv("HOME");
    int n;
    if (geteuid() == 0)
        n = snprintf(out, HISTORY_PATH_MAX, "/var/lib/px/history.db");
    else if (state != NULL && state[0] == '/')
        n = snprintf(out, HISTORY_PATH_MAX, "%s/px/history.db", state);
    else if (home != NULL && home[0] == '/')
        n = snprintf(out, HISTORY_PATH_MAX, "%s/.local/state/px/history.db", home);
    else
        return -ENOENT;
    return n < HISTORY_PATH_MAX ? 0 : -ENAMETOOLONG;
}

int history_duration(const char *text, int64_t *ret_s)
{
    static const struct {
        char letter;
        int64_t seconds;
    } units[] = {{'s', 1}, {'m', 60}, {'h', 3600}, {'d', 86400}, {'w', 604800}, {'y', 31557600}};
    char *end = NULL;
    double value = strtod(text, &end);
    if (end == text || !isfinite(value) || value <= 0 || end[0] == '\0' || end[1] != '\0')
        return -EINVAL;
    for (size_t i = 0; i < sizeof units / sizeof units[0]; i++) {
        double seconds = value * (double)units[i].seconds;
        if (units[i].letter != *end || seconds < 1 || seconds > 1e11)
            continue;
        *ret_s = (int64_t)seconds;
        return 0;
    }
    return -EINVAL;
}

int64_t history_step(int64_t seconds, int64_t rows)
{
    static const int64_t steps[] = {1,   2,    5,    10,   15,    30,    60,    120,   300,
                                    600, 1200, 1800, 3600, 10800, 21600, 43200, 86400, 604800};
    size_t last = sizeof steps / sizeof steps[0] - 1;
    for (size_t i = 0; i < last; i++)
        if (steps[i] * rows >= seconds)
            return steps[i];
    return steps[last];
}

void history_list(char *out, size_t cap, const char *before, int folded)
{
    size_t used = 0;
    out[0] = '\0';
    for (size_t i = 0; i < HISTORY_COLUMN_COUNT && used < cap; i++) {
        const struct history_column_info *c = &history_columns[i];
        int n = folded ? snprintf(out + used, cap - used, "%s%s(%s)", before, c->fold, c->name)
                       : snprintf(out + used, cap - used, "%s%s", before, c->name);
        used += (size_t)n;
    }
}
