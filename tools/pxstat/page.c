/* Lines of a page, and the rows that the overview and the sections share. */
#include "page.h"

#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cli.h"
#include "derive.h"

/* What venues and readers wrote reaches a terminal: nothing of it may steer that terminal. C1
 * controls are c2 80 to c2 9f in UTF-8. */
static void disarm(char *text)
{
    for (unsigned char *p = (unsigned char *)text; *p != '\0'; p++) {
        if (*p < 0x20 || *p == 0x7f)
            *p = '?';
        else if (*p == 0xc2 && p[1] >= 0x80 && p[1] <= 0x9f)
            *p = p[1] = '?';
    }
}

/* Cut to `columns` characters, counting a character at the first of its bytes. */
static void clip(char *text, size_t columns)
{
    size_t column = 0;
    char *last = text;
    for (char *p = text; *p != '\0'; p++) {
        if (((unsigned char)*p & 0xc0) == 0x80)
            continue;
        if (++column > columns) {
            last[0] = '~';
            last[1] = '\0';
            return;
        }
        last = p;
    }
}

void page_clear(struct page *page)
{
    page->count = 0;
}

void page_free(struct page *page)
{
    free(page->lines);
    *page = (struct page){.columns = page->columns};
}

void page_add(struct page *page, enum tone tone, const char *format, ...)
{
    if (page->count == page->room) {
        size_t room = page->room == 0 ? 64 : page->room * 2;
        struct page_line *lines = realloc(page->lines, room * sizeof *lines);
        if (lines == NULL) {
            page->failed = 1;
            return;
        }
        page->lines = lines;
        page->room = room;
    }
    struct page_line *line = &page->lines[page->count++];
    line->tone = tone;
    va_list args;
    va_start(args, format);
    int n = vsnprintf(line->text, sizeof line->text, format, args);
    va_end(args);
    if (n < 0)
        line->text[0] = '\0';
    disarm(line->text);
    if (page->columns > 0)
        clip(line->text, page->columns);
}

void page_title(struct page *page, const struct view *view)
{
    char up[CLI_NUMBER_MAX], beat[CLI_NUMBER_MAX], tick[CLI_NUMBER_MAX], rate[CLI_NUMBER_MAX];
    const struct px_bus_info *bus = &view->now->bus;
    page_add(page, TONE_HEAD, "bus %s  %s  epoch %llu  feeder pid %d version %s  %s %s", bus->bus,
             view->health->state, (unsigned long long)bus->epoch, (int)bus->pid, bus->version,
             feeder_runs(view->health) ? "up" : "was up", cli_duration(up, bus->uptime_ns));
    page_add(page, tone_of_code(view->health->code), "%s: %s", health_word(view->health->code),
             view->health->sentence);
    cli_duration(beat, bus->heartbeat_age_ns);
    cli_grouped(tick, bus->head);
    double ticks = derive_ticks_per_s(view->now, view->before);
    if (isnan(ticks))
        page_add(page, TONE_PLAIN, "heartbeat    %s ago, tick %s", beat, tick);
    else
        page_add(page, TONE_PLAIN, "heartbeat    %s ago, tick %s, %s ticks/s", beat, tick,
                 cli_grouped(rate, (uint64_t)llround(ticks)));
}

void page_memory_line(struct page *page, const struct snapshot *s)
{
    char rss[CLI_NUMBER_MAX], heap[CLI_NUMBER_MAX], shm[CLI_NUMBER_MAX], trend[64];
    const struct px_memory_verdict *v = &s->verdict;
    enum tone tone = tone_of_level(v->level);
    cli_bytes(shm, s->bus.bytes);
    if (!s->has_memory) {
        page_add(page, tone, "memory       %s shared; not sampled yet", shm);
        return;
    }
    if (!derive_judged(v))
        snprintf(trend, sizeof trend, "trend unknown");
    else
        snprintf(trend, sizeof trend, "%s, %+.2f MB/hour", trend_name(v),
                 derive_growth_bytes_per_hour(v) / 1e6);
    page_add(page, tone, "memory       %s resident, %s heap, %s shared; %s",
             cli_bytes(rss, s->memory.rss_bytes), cli_bytes(heap, s->memory.heap_bytes), shm,
             trend);
}

const char page_conn_head[] =
    "connection   state        breaker      messages  gaps      last    p50 / p99 us";

void page_conn(struct page *page, const struct snapshot *s, const struct conn *conn)
{
    char messages[CLI_NUMBER_MAX], last[CLI_NUMBER_MAX], latency[64] = "-";
    const struct px_conn_info *c = &conn->info;
    int bad = c->state != PX_CONN_LIVE;
    int64_t age_ns = derive_age_ns(s->mono_ns, c->message_mono_ns);
    if (conn->latency.count > 0)
        snprintf(latency, sizeof latency, "%.1f / %.1f", conn->latency.p50_us,
                 conn->latency.p99_us);
    page_add(page,
             c->breaker == PX_BREAKER_OPEN ? TONE_BAD
             : bad                         ? TONE_WARN
                                           : TONE_GOOD,
             "%-12s %-12s %-9s %11s %5llu %9s    %s", c->venue, px_conn_state_name(c->state),
             px_breaker_name(c->breaker), cli_grouped(messages, c->messages),
             (unsigned long long)c->gaps, age_ns < 0 ? "never" : cli_duration(last, age_ns),
             latency);
    if (bad && c->reason[0] != '\0')
        page_add(page, TONE_WARN, "  %s", c->reason);
}

/* "trade,quote" */
static const char *kinds_text(uint32_t kinds, char out[32])
{
    size_t used = 0;
    out[0] = '\0';
    for (uint32_t k = 0; k < PX_CELL_KINDS; k++)
        if ((kinds & (1u << k)) != 0)
            used += (size_t)snprintf(out + used, 32 - used, "%s%s", used > 0 ? "," : "",
                                     px_kind_name(k));
    return out;
}

const char page_symbol_head[] = "symbol                 quality        age";

void symbol_words(const struct px_symbol_info *symbol, char *out, size_t size)
{
    char kinds[32];
    if (symbol->quality == PX_LIVE)
        snprintf(out, size, "%s", kinds_text(symbol->kinds, kinds));
    else if (symbol->text[0] != '\0')
        snprintf(out, size, "%s: %s", px_cause_text(symbol->cause), symbol->text);
    else
        snprintf(out, size, "%s", px_cause_text(symbol->cause));
}

void page_symbol(struct page *page, const struct px_symbol_info *symbol)
{
    char age[CLI_NUMBER_MAX], words[192], readers[32] = "";
    symbol_words(symbol, words, sizeof words);
    if (symbol->quality == PX_LIVE)
        snprintf(readers, sizeof readers, "%u reader%s, ", symbol->pins,
                 symbol->pins == 1 ? "" : "s");
    page_add(page, symbol_wanted(symbol) ? tone_of_quality(symbol->quality) : TONE_PLAIN,
             "%-22s %-8s %9s  %s%s", symbol->symbol, px_quality_name(symbol->quality),
             cli_duration(age, symbol->age_ns), readers, words);
}

const char page_reader_head[] = "reader             pid  subscriptions         lag        lost";

void page_reader(struct page *page, const struct px_reader_info *reader)
{
    char lag[CLI_NUMBER_MAX], lost[CLI_NUMBER_MAX];
    page_add(page, reader->lost > 0 ? TONE_WARN : TONE_PLAIN, "%-14s %7d  %13u %11s %11s%s",
             reader->name, (int)reader->pid, reader->subscriptions, cli_grouped(lag, reader->lag),
             cli_grouped(lost, reader->lost), reader->sleeping ? "  sleeps" : "");
}

const char page_error_head[] = "error               count       last";

void page_error(struct page *page, const struct snapshot *s, const struct px_error_info *error)
{
    char count[CLI_NUMBER_MAX], age[CLI_NUMBER_MAX];
    page_add(page, TONE_WARN, "%-14s %10s %10s  %s", error->kind, cli_grouped(count, error->count),
             cli_duration(age, s->utc_ns - error->last_utc_ns), error->text);
}
