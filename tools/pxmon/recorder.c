/* See recorder.h. */
#include "recorder.h"

#include "cli.h"

int recorder_open(struct recorder *r, const char *bus, const char *path,
                  const struct history_keep *keep)
{
    char said[HISTORY_ERROR_MAX];
    *r = (struct recorder){.bus = bus, .path = path};
    if (history_open(&r->history, path, keep, said) < 0)
        return cli_error(CLI_FAILED, path, "%s", said);
    if (said[0] != '\0')
        cli_error(0, path, "%s", said);
    return 0;
}

void recorder_add(struct recorder *r, const struct history_row *row)
{
    char said[HISTORY_ERROR_MAX];
    if (history_add(r->history, r->bus, row, said) < 0) {
        if (r->lost_now++ == 0)
            cli_error(0, r->path, "the history is not written: %s", said);
        r->lost++;
        return;
    }
    if (said[0] != '\0')
        cli_error(0, r->path, "%s", said);
    if (r->lost_now > 0)
        cli_error(0, r->path, "the history is written again, %llu seconds are missing",
                  (unsigned long long)r->lost_now);
    r->lost_now = 0;
    r->rows++;
}

/* An event that cannot be written comes at a time when rows cannot either, which is said. */
void recorder_note(struct recorder *r, const struct history_event *event)
{
    char ignored[HISTORY_ERROR_MAX];
    history_note(r->history, r->bus, event, ignored);
}

void recorder_close(struct recorder *r)
{
    history_close(r->history);
    r->history = NULL;
}
