/* The first lines of the screen: what an operator reads first. */
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "cli.h"
#include "judge.h"
#include "paint_internal.h"

static void put_bar(const struct scene *s)
{
    const struct subject *subject = s->model->subject;
    const struct px_bus_info *bus = &subject->now.bus;
    char text[256], up[CLI_NUMBER_MAX], beat[CLI_NUMBER_MAX], pace[48];
    int columns = s->grid->columns, width;
    if (s->model->now == NULL)
        snprintf(text, sizeof text, "bus %s  %s", subject->name, subject->health.state);
    else
        snprintf(text, sizeof text, "bus %s  %s  epoch %llu  pid %d  %s  %s %s  beat %s", bus->bus,
                 subject->health.state, (unsigned long long)bus->epoch, (int)bus->pid, bus->version,
                 feeder_runs(&subject->health) ? "up" : "was up", cli_duration(up, bus->uptime_ns),
                 cli_duration(beat, bus->heartbeat_age_ns));
    if (s->ui->paused)
        snprintf(pace, sizeof pace, "  PAUSED");
    else
        snprintf(pace, sizeof pace, "  each %g s", (double)s->ui->interval_ns / 1e9);
    /* on a narrow screen the bus is worth more than the pace */
    width = columns < 40 ? columns : columns - (int)strlen(pace);
    grid_tone(s->grid, (struct span){0, 0, columns}, TONE_BAR);
    grid_text(s->grid, (struct span){0, 0, width}, TONE_BAR, text);
    grid_text(s->grid, (struct span){0, width, columns - width}, TONE_BAR, pace);
}

/* The sentence, on two lines when one is too short. Returns how many. */
static int put_verdict(const struct scene *s, int row, int rows)
{
    const struct health *health = &s->model->subject->health;
    enum tone tone = tone_of_code(health->code);
    char text[sizeof health->sentence + 16];
    snprintf(text, sizeof text, "%s: %s", health_word(health->code), health->sentence);
    int columns = s->grid->columns;
    if (rows < 2 || grid_width(text) <= columns || columns >= (int)sizeof text) {
        grid_text(s->grid, (struct span){row, 0, columns}, tone, text);
        return 1;
    }
    char *end = memrchr(text, ' ', (size_t)columns);
    size_t length = end != NULL ? (size_t)(end - text) : (size_t)columns;
    grid_print(s->grid, row, 0, tone, "%.*s", (int)length, text);
    grid_print(s->grid, row + 1, 0, tone, "  %s", text + length + (end != NULL));
    return 2;
}

static void put_flow(const struct scene *s, int row)
{
    const struct model *m = s->model;
    const struct health *health = &m->subject->health;
    char tick[CLI_NUMBER_MAX], rate[CLI_NUMBER_MAX] = "-";
    double per_s = derive_ticks_per_s(m->now, m->before);
    if (!isnan(per_s))
        cli_grouped(rate, (uint64_t)llround(per_s));
    int at = grid_print(s->grid, row, 0, TONE_PLAIN,
                        "ticks    %s, %s/s   slots %u of %u, %llu evicted   subscribed",
                        cli_grouped(tick, m->now->bus.head), rate, m->now->bus.symbols,
                        m->now->bus.capacity, (unsigned long long)m->now->evictions);
    if (health->subscribed == 0)
        grid_print(s->grid, row, at, TONE_PLAIN, " nothing");
    for (uint32_t q = 0, shown = 0; q < PX_QUALITY_COUNT; q++)
        if (health->of_quality[q] > 0) {
            at += grid_print(s->grid, row, at, TONE_PLAIN, shown++ > 0 ? ", " : " ");
            at += grid_print(s->grid, row, at, tone_of_quality(q), "%zu %s", health->of_quality[q],
                             px_quality_name(q));
        }
}

/* Resident memory, how it grows, and how it went. */
static void put_memory(const struct scene *s, int row)
{
    static const char *const levels[] = {"ok", "WARNING", "CRITICAL"};
    const struct model *m = s->model;
    const struct px_memory_verdict *v = &m->now->verdict;
    enum tone tone = tone_of_level(v->level);
    char bytes[CLI_NUMBER_MAX], past[CLI_NUMBER_MAX], limit[CLI_NUMBER_MAX], trend[128];
    int at = 0, width;
    if (!m->now->has_memory) {
        grid_print(s->grid, row, 0, tone, "memory   not sampled yet");
        return;
    }
    if (!derive_judged(v))
        snprintf(trend, sizeof trend, "growth not judged yet");
    else
        snprintf(trend, sizeof trend, "%+.2f MB/hour, %s (%.0f %%)",
                 derive_growth_bytes_per_hour(v) / 1e6, trend_name(v), derive_confidence(v) * 100);
    at += grid_print(s->grid, row, at, tone, "memory   %s  %s  level %s  ",
                     cli_bytes(bytes, m->now->memory.rss_bytes), trend,
                     v->level <= PX_LEVEL_CRITICAL ? levels[v->level] : "?");
    if (derive_judged(v) && v->time_to_limit_s >= 0)
        at += grid_print(s->grid, row, at, TONE_WARN, "limit in %s  ",
                         cli_duration(limit, v->time_to_limit_s * INT64_C(1000000000)));
    cli_duration(past, (int64_t)m->resident_count * (m->by_minute ? 60 : 1) * 1000000000);
    width = s->grid->columns - at - (int)strlen(past) - 1;
    if (width < 4 || m->resident_count == 0)
        return;
    int shown = grid_spark(s->grid, (struct span){row, at, width}, m->resident, m->resident_count);
    cli_duration(past, (int64_t)shown * (m->by_minute ? 60 : 1) * 1000000000);
    grid_print(s->grid, row, at + shown + 1, TONE_DIM, "%s", past);
}

/* "23.1 M" */
static const char *bytes_text(char out[CLI_NUMBER_MAX], uint64_t bytes)
{
    char *unit = strstr(cli_bytes(out, bytes), "iB");
    if (unit != NULL)
        *unit = '\0';
    return out;
}

static void put_owners(const struct scene *s, int row)
{
    const struct snapshot *now = s->model->now;
    const struct px_memory_verdict *v = &now->verdict;
    char bytes[CLI_NUMBER_MAX];
    int at = grid_print(s->grid, row, 0, TONE_PLAIN, "reserved %s",
                        now->has_memory ? "" : "not sampled yet, ");
    for (uint32_t o = 0; now->has_memory && o < PX_OWNER_COUNT; o++)
        at +=
            grid_print(s->grid, row, at,
                       derive_judged(v) && v->owner == o ? tone_of_level(v->level) : TONE_PLAIN,
                       "%s %s, ", px_owner_name(o), bytes_text(bytes, now->memory.owner_bytes[o]));
    grid_print(s->grid, row, at, TONE_PLAIN, "shared %s", bytes_text(bytes, now->bus.bytes));
}

int paint_head(const struct scene *s, int rows)
{
    int row = 0;
    if (rows < 1)
        return 0;
    put_bar(s);
    if (++row < rows)
        row += put_verdict(s, row, s->grid->rows >= 20 ? 2 : 1);
    if (s->model->now == NULL)
        return row;
    if (rows > 2)
        put_flow(s, row++);
    if (rows > 3)
        put_memory(s, row++);
    if (rows > 4)
        put_owners(s, row++);
    return row;
}
