/* pxmon: watches a bus for people and for machines. */
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <time.h>

#include "alerts.h"
#include "cli.h"
#include "live.h"
#include "options.h"
#include "recorder.h"
#include "restart.h"
#include "sample.h"
#include "site.h"
#include "subject.h"
#include "teller.h"
#include "web.h"

#define STAND_BACK      10  /* levels of nice(1) */
#define RESTART_LOOK_MS 100 /* between two looks while a restart is under way */

struct mon {
    struct options options;
    struct subject subject;
    struct site site;
    struct recorder recorder;
    struct history_row row; /* the newest */
    struct restart restart;
    struct alerts alerts;
    struct hook *hook;
    struct teller teller;
    struct web *web;
};

static volatile sig_atomic_t stopped;

static void on_signal(int number)
{
    (void)number;
    stopped = 1;
}

/* SIGXFSZ: a file that may not grow is an error of the write, not the end of the program. */
static void set_signals(void)
{
    struct sigaction action = {.sa_handler = on_signal};
    sigaction(SIGINT, &action, NULL);
    sigaction(SIGTERM, &action, NULL);
    signal(SIGXFSZ, SIG_IGN);
}

/* On few cores the feeder goes first: what is done here once a second would hold it up for
 * milliseconds, and nobody sees a page that comes as much later. */
static void stand_back(void)
{
    if (setpriority(PRIO_PROCESS, 0, getpriority(PRIO_PROCESS, 0) + STAND_BACK) < 0)
        cli_error(0, "priority", "%s", strerror(errno));
}

/* To the dashboards; what cannot be made now is made in a second. */
static void publish(struct mon *m, bool all)
{
    char *text = NULL;
    size_t length = 0;
    FILE *file = open_memstream(&text, &length);
    if (file == NULL)
        return;
    if (all)
        live_state(file, &m->subject, &m->row, &m->restart.now);
    else
        live_news(file, &m->subject, &m->restart.now);
    if (fclose(file) == 0)
        web_publish(m->web, text, length, all);
    free(text);
}

/* What changed for the worse or the better, to whoever is to be told. */
static void alarm_all(struct mon *m, int64_t now_s)
{
    struct alert alerts[ALERT_KINDS];
    size_t count = alerts_step(&m->alerts, &m->subject, cli_now_ns(), alerts);
    for (size_t i = 0; i < count; i++) {
        const struct history_event event = {now_s, alert_kind_name(alerts[i].kind),
                                            alert_level_name(alerts[i].level),
                                            alert_level_name(alerts[i].before), alerts[i].text};
        recorder_note(&m->recorder, &event);
        teller_tell(&m->teller, &alerts[i], now_s);
    }
    teller_step(&m->teller, cli_now_ns());
}

static void tick(void *owner)
{
    struct mon *m = owner;
    int64_t now_s = time(NULL);
    bool second = now_s != m->row.t;
    if (second) {
        subject_look(&m->subject);
        sample_row(&m->row, &m->subject, now_s);
        recorder_add(&m->recorder, &m->row);
        alarm_all(m, now_s);
    }
    bool news = restart_step(&m->restart);
    if (!second)
        news |= subject_pulse(&m->subject);
    if (second || news)
        publish(m, second);
    if (restart_is_running(&m->restart))
        web_soon(m->web, RESTART_LOOK_MS);
}

static int open_site(struct mon *m)
{
    const struct options *o = &m->options;
    m->site.subject = &m->subject;
    m->site.recorder = &m->recorder;
    m->site.row = &m->row;
    m->site.restart = &m->restart;
    m->site.read_only = o->read_only;
    if (guard_open(&m->site.guard, o->address, o->token[0] != '\0' ? o->token : NULL,
                   o->tls_cert != NULL) < 0)
        return cli_error(CLI_FAILED, "random", "the kernel gives no random bytes");
    return 0;
}

static int open_web(struct mon *m)
{
    const struct options *o = &m->options;
    char error[WEB_ERROR_MAX];
    const struct web_options how = {.address = o->address,
                                    .port = o->port,
                                    .tls_cert = o->tls_cert,
                                    .tls_key = o->tls_key,
                                    .site = &m->site,
                                    .answer = site_answer,
                                    .admit = site_admit,
                                    .owner = m,
                                    .tick = tick};
    if (web_open(&m->web, &how, error) < 0) {
        char where[OPTIONS_ADDRESS_MAX + 8];
        snprintf(where, sizeof where, "%s:%d", o->address, o->port);
        return cli_error(CLI_FAILED, where, "%s", error);
    }
    m->site.web = m->web;
    int v6 = strchr(o->address, ':') != NULL;
    printf("pxmon: listening on %s://%s%s%s:%d\n", o->tls_cert != NULL ? "https" : "http",
           v6 ? "[" : "", o->address, v6 ? "]" : "", web_port(m->web));
    cli_flush();
    return 0;
}

static int open_alerts(struct mon *m)
{
    const struct options *o = &m->options;
    m->alerts.interval_ns = o->alert_interval_ns;
    if (o->alert_url != NULL && hook_new(&m->hook, web_context(m->web), o->alert_url) < 0)
        return cli_error(CLI_FAILED, o->alert_url, "no connection can be made to it");
    m->teller = (struct teller){.bus = o->cli.bus, .command = o->alert_command, .hook = m->hook};
    return 0;
}

static int run(struct mon *m)
{
    const struct options *o = &m->options;
    int code = recorder_open(&m->recorder, o->cli.bus, o->db, &o->keep);
    if (code == 0)
        code = open_site(m);
    if (code == 0)
        code = open_web(m);
    if (code == 0)
        code = open_alerts(m);
    if (code == 0 && web_run(m->web, &stopped) < 0)
        code = cli_error(CLI_FAILED, "event loop", "failed");
    teller_end(&m->teller);
    hook_stop(m->hook);
    web_free(m->web);
    hook_free(m->hook);
    restart_end(&m->restart);
    recorder_close(&m->recorder);
    subject_free(&m->subject);
    return code;
}

int main(int argc, char **argv)
{
    static struct mon m;
    int rc = options_read(&m.options, argc, argv);
    if (rc == CLI_EXIT)
        return cli_finish(CLI_OK);
    if (rc != 0)
        return rc == CLI_INVALID ? CLI_USAGE : rc;
    set_signals();
    stand_back();
    restart_init(&m.restart);
    subject_init(&m.subject, m.options.cli.bus, "pxmon");
    subject_look(&m.subject);
    return cli_finish(run(&m));
}
