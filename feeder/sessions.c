#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "counters.h"
#include "feeder.h"
#include "log.h"

#include "px/control.h"

#define ACCEPTS_PER_TURN 16

static void ended(struct session_watch *w)
{
    control_closed(w->feeder->control, w->session, now_mono_ns());
    net_remove(&w->sock);
    fleet_pump(w->feeder->fleet, now_mono_ns());
}

static void on_session(void *owner, enum net_event event)
{
    struct session_watch *w = owner;
    if (event == NET_READABLE &&
        control_readable(w->feeder->control, w->session, now_mono_ns()) < 0) {
        ended(w);
        return;
    }
    if (event == NET_HANGUP)
        control_closed(w->feeder->control, w->session, now_mono_ns());
    fleet_pump(w->feeder->fleet, now_mono_ns());
}

static void on_listening(void *owner, enum net_event event)
{
    struct feeder *f = owner;
    if (event != NET_READABLE)
        return;
    for (int i = 0; i < ACCEPTS_PER_TURN; i++) {
        int fd = -1;
        int session = control_accept(f->control, now_mono_ns(), &fd);
        if (session == -EAGAIN)
            break;
        if (session < 0)
            continue;
        struct session_watch *w = &f->sessions[session];
        w->feeder = f;
        w->session = session;
        if (net_add(f->net, &w->sock, fd, on_session, w) < 0)
            control_closed(f->control, session, now_mono_ns());
    }
}

static int on_command(void *user, uint16_t type, char *text, size_t cap)
{
    struct feeder *f = user;
    switch (type) {
    case PXC_RESTART:
        return feeder_restart(f, true, text, cap);
    case PXC_SHUTDOWN:
        feeder_end(f, FEEDER_STOPS);
        return 0;
    case PXC_TRIM:
        memwatch_clean(&f->memwatch);
        return 0;
    case PXC_RELOAD:
        f->reload = true;
        return 0;
    default:
        return -ENOSYS;
    }
}

int sessions_open(struct feeder *f)
{
    char error[CONFIG_ERROR_MAX] = "";
    struct control_options options = {.path = f->control_path,
                                      .bus = f->config.bus,
                                      .group = f->config.group,
                                      .quota_connections = f->config.quota_connections,
                                      .quota_symbols = f->config.quota_symbols,
                                      .quota_messages = f->config.quota_messages,
                                      .wants = f->wants,
                                      .writer = f->writer,
                                      .command = on_command,
                                      .user = f};
    f->sessions = calloc(PXL_READERS_MAX, sizeof *f->sessions);
    int rc = f->sessions == NULL ? -ENOMEM : control_open(&f->control, &options, error);
    if (rc < 0) {
        feeder_say(f->control_path, "%s", error[0] != '\0' ? error : strerror(-rc));
        return rc;
    }
    /* the loop closes what it watches, control_free() its own */
    int fd = fcntl(control_fd(f->control), F_DUPFD_CLOEXEC, 3);
    return fd < 0 ? -errno : net_add(f->net, &f->control_watch, fd, on_listening, f);
}

void sessions_close(struct feeder *f)
{
    if (f->sessions != NULL)
        for (size_t i = 0; i < PXL_READERS_MAX; i++)
            if (f->sessions[i].sock.wsi != NULL) {
                control_closed(f->control, f->sessions[i].session, now_mono_ns());
                net_remove(&f->sessions[i].sock);
            }
    net_remove(&f->control_watch);
    control_free(f->control);
    f->control = NULL;
    free(f->sessions);
    f->sessions = NULL;
}
