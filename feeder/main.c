#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "cgroup.h"
#include "feeder.h"
#include "log.h"
#include "notify.h"
#include "plan.h"

/* For OpenSSL: what 64 TLS connections take at most, beside the trusted certificates, which come
 * from libc's heap once. Untouched pages cost nothing. */
#define TLS_ARENA_BYTES (8u * 1024 * 1024)

enum { EXIT_DONE = 0, EXIT_FAILED = 1, EXIT_USAGE = 2 };

static int remove_bus(const struct config *config)
{
    int32_t held_by = 0;
    int rc = px_writer_remove(config->bus, &held_by);
    if (rc == 0)
        return EXIT_DONE;
    if (rc == -EBUSY)
        feeder_say(config->bus, "bus %s is held by pid %d", config->bus, held_by);
    else
        feeder_say(config->bus, "%s", rc == -ENOENT ? "no such bus" : strerror(-rc));
    return EXIT_FAILED;
}

static struct plan_link plan_of_links(const struct config *config)
{
    struct plan_link link = link_plan(config);
    link.tls_pool_bytes = TLS_ARENA_BYTES;
    link.backfill_bytes = backfill_bytes();
    link.answer_bytes = BACKFILL_ANSWER_BYTES + VENUE_PADDING;
    link.answers = backfill_answers(config);
    return link;
}

static int print_plan(const struct config *config)
{
    const struct plan_link link = plan_of_links(config);
    plan_print(config, &link, stdout);
    return EXIT_DONE;
}

/* Every endpoint that was given must be one, wanted now or not. */
static int check_endpoints(const struct config *config)
{
    struct url url;
    char error[URL_ERROR_MAX];
    for (size_t v = 0; v < venue_count; v++) {
        const char *text;
        for (uint32_t n = 0; (text = config_endpoint_at(config, venue_table[v], n)) != NULL; n++)
            if (url_parse(text, &url, error) < 0) {
                feeder_say(venue_table[v]->name, "endpoint %s: %s", text, error);
                return -EINVAL;
            }
    }
    return 0;
}

/* --check: what the configuration names must be there and right too. */
static int check(const struct config *config)
{
    struct tls_context *tls = NULL;
    char error[CONFIG_ERROR_MAX] = "";
    if (config->tls_ca[0] == '\0')
        return EXIT_DONE;
    if (tls_context_new(config->tls_ca, &tls, error, sizeof error) < 0) {
        feeder_say(config->bus, "%s", error);
        return EXIT_FAILED;
    }
    tls_context_free(tls);
    return EXIT_DONE;
}

/* Better no start than an end in the middle of the night. */
static int check_cgroup(const struct config *config)
{
    const struct plan_link link = plan_of_links(config);
    uint64_t max, plan = plan_total(config, &link);
    if (cgroup_memory_max(CGROUP_OF_SELF, CGROUP_MOUNT, &max) < 0 || plan <= max)
        return 0;
    feeder_say(config->bus,
               "the plan is %.1f MB and memory.max of the control group is %.1f MB: raise it, or "
               "lower --capacity, --books or --max-message-kb (--plan)",
               (double)plan / 1e6, (double)max / 1e6);
    return -ENOMEM;
}

static void block_signals(void)
{
    sigset_t set;
    sigemptyset(&set);
    sigaddset(&set, SIGTERM);
    sigaddset(&set, SIGINT);
    sigaddset(&set, SIGHUP);
    sigprocmask(SIG_BLOCK, &set, NULL);
    signal(SIGPIPE, SIG_IGN);
}

static int feed(struct feeder *f)
{
    const struct config *c = &f->config;
    if (check_cgroup(c) < 0)
        return EXIT_FAILED;
    block_signals();
    log_open(STDERR_FILENO, (enum log_level)c->log_level,
             log_is_journal(STDERR_FILENO, c->env.journal_stream));
    if (c->env.notify_socket != NULL && notify_open(c->env.notify_socket) < 0)
        log_warning("notify", "%s cannot be used", c->env.notify_socket);
    if (c->demo && demo_start(&f->demo, &f->config) < 0)
        return EXIT_FAILED;
    int rc = feeder_open(f);
    enum feeder_end end = rc < 0 ? FEEDER_FAILS : feeder_run(f);
    feeder_close(f, end == FEEDER_RESTARTS);
    if (c->log_level == LOG_LEVEL_DEBUG)
        memwatch_rest();
    if (end == FEEDER_RESTARTS) {
        restart_exec(px_writer_lock_fd(f->writer), &f->rear, &f->demo);
        rearguard_kill(&f->rear);
        px_writer_close(f->writer);
        end = FEEDER_FAILS;
    }
    demo_stop(&f->demo);
    notify_close();
    return end == FEEDER_STOPS ? EXIT_DONE : EXIT_FAILED;
}

static int act(struct feeder *f)
{
    switch (f->config.action) {
    case CONFIG_HELP:
        config_help(stdout);
        return EXIT_DONE;
    case CONFIG_VERSION:
        puts("feeder " PX_VERSION);
        return EXIT_DONE;
    case CONFIG_CHECK:
        return check(&f->config);
    case CONFIG_PLAN:
        return print_plan(&f->config);
    case CONFIG_REMOVE:
        return remove_bus(&f->config);
    case CONFIG_RUN:
        break;
    }
    return feed(f);
}

int main(int argc, char **argv)
{
    static struct feeder feeder;
    char error[CONFIG_ERROR_MAX] = "";
    restart_remember(argv);
    int rc = tls_memory_init(TLS_ARENA_BYTES);
    if (rc < 0) {
        feeder_say("memory", "%s", strerror(-rc));
        return EXIT_FAILED;
    }
    rc = config_load(argc, argv, &feeder.config, error);
    if (rc < 0) {
        fprintf(stderr, "feeder: %s\n", error);
        return rc == -EINVAL ? EXIT_USAGE : EXIT_FAILED;
    }
    int code = check_endpoints(&feeder.config) < 0 ? EXIT_USAGE : act(&feeder);
    config_free(&feeder.config);
    return code;
}
