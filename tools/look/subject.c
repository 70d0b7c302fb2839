/* Follows one bus. libbus follows restarts by itself; what it cannot see is a segment that was
 * unlinked without a word: the file's inode tells. */
#include "subject.h"

#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include "cli.h"

#define BEAT_NS INT64_C(1000000000) /* after which a heartbeat is missed, as judge() has it */

/* 0 where there is no file. */
static ino_t inode_of(const char *bus)
{
    char path[64];
    struct stat st;
    snprintf(path, sizeof path, "/dev/shm/px-%s", bus);
    return stat(path, &st) == 0 ? st.st_ino : 0;
}

static void forget_looks(struct subject *s)
{
    if (s->has_before)
        snapshot_free(&s->before);
    if (s->has_now)
        snapshot_free(&s->now);
    s->has_before = s->has_now = false;
}

/* Said when it changes only: a bus may be away for days. */
static void be_absent(struct subject *s, const char *reason)
{
    bool news = s->health.code != HEALTH_UNKNOWN || strcmp(s->health.sentence, reason) != 0;
    forget_looks(s);
    px_bus_detach(s->bus);
    s->bus = NULL;
    s->health = (struct health){.code = HEALTH_UNKNOWN, .state = "absent"};
    snprintf(s->health.sentence, sizeof s->health.sentence, "%s", reason);
    if (news && !s->quiet)
        cli_error(0, s->name, "%s", reason);
}

void subject_init(struct subject *s, const char *name, const char *reader)
{
    *s = (struct subject){
        .name = name, .reader = reader, .health = {.code = HEALTH_OK, .state = "absent"}};
}

void subject_free(struct subject *s)
{
    forget_looks(s);
    px_bus_detach(s->bus);
    s->bus = NULL;
}

static int attach(struct subject *s)
{
    const struct px_bus_options how = {.no_socket = 1, .max_ids = 1, .name = s->reader};
    ino_t inode = inode_of(s->name);
    int rc = px_bus_attach(&s->bus, s->name, &how);
    if (rc < 0) {
        s->bus = NULL;
        return rc;
    }
    s->inode = inode;
    return 0;
}

static int take(struct subject *s)
{
    struct snapshot next;
    int rc = snapshot_take(&next, s->bus);
    if (rc < 0)
        return rc;
    if (s->has_before)
        snapshot_free(&s->before);
    s->before = s->now;
    s->has_before = s->has_now;
    s->now = next;
    s->has_now = true;
    return 0;
}

/* Whether that differs from what it was. */
static bool feel_pulse(struct subject *s, const struct px_bus_info *info)
{
    bool beats = info->state == PX_STATE_LIVE && info->heartbeat_age_ns < BEAT_NS;
    bool news = beats != s->beats || info->epoch != s->epoch;
    s->beats = beats;
    s->epoch = info->epoch;
    return news;
}

bool subject_pulse(struct subject *s)
{
    struct px_bus_info info;
    struct snapshot moment;
    if (s->bus == NULL || px_bus_info(s->bus, &info) < 0 || !feel_pulse(s, &info) ||
        snapshot_take(&moment, s->bus) < 0)
        return false;
    judge(&moment, &s->health);
    snapshot_free(&moment);
    return true;
}

void subject_look(struct subject *s)
{
    bool was_absent = s->bus == NULL;
    if (!was_absent && inode_of(s->name) != s->inode) {
        forget_looks(s);
        px_bus_detach(s->bus);
        s->bus = NULL;
    }
    int rc = s->bus == NULL ? attach(s) : 0;
    if (rc < 0) {
        be_absent(s, cli_attach_reason(rc));
        return;
    }
    rc = take(s);
    if (rc < 0) {
        be_absent(s, px_strerror(rc));
        return;
    }
    feel_pulse(s, &s->now.bus);
    judge(&s->now, &s->health);
    if (was_absent && !s->quiet)
        cli_error(0, s->name, "the bus is there, epoch %llu: %s",
                  (unsigned long long)s->now.bus.epoch, s->health.sentence);
}
