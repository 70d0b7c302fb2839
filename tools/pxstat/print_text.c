/* The overview and the sections, as lines of a page. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cli.h"
#include "derive.h"
#include "page.h"
#include "pages.h"

typedef const struct px_symbol_info *symbol_ref;

/* Worst first, then by name: what needs a look is on the screen when there is not room for all. */
static int by_quality(const void *a, const void *b)
{
    symbol_ref x = *(const symbol_ref *)a, y = *(const symbol_ref *)b;
    if (x->quality != y->quality)
        return x->quality < y->quality ? 1 : -1;
    return strcmp(x->symbol, y->symbol);
}

static int by_name(const void *a, const void *b)
{
    return strcmp((*(const symbol_ref *)a)->symbol, (*(const symbol_ref *)b)->symbol);
}

/* The wanted (or all) symbols in an order. Returns an array to free, NULL without any. */
static symbol_ref *sorted(const struct snapshot *s, int wanted_only,
                          int (*order)(const void *, const void *), size_t *ret_count)
{
    *ret_count = 0;
    symbol_ref *list = malloc((s->symbol_count + 1) * sizeof(symbol_ref));
    if (list == NULL)
        return NULL;
    for (size_t i = 0; i < s->symbol_count; i++)
        if (!wanted_only || symbol_wanted(&s->symbols[i]))
            list[(*ret_count)++] = &s->symbols[i];
    qsort(list, *ret_count, sizeof(symbol_ref), order);
    return list;
}

static void symbols_line(struct page *page, const struct view *view)
{
    char text[160] = "";
    size_t used = 0;
    for (uint32_t q = 0; q < PX_QUALITY_COUNT; q++) {
        if (view->health->of_quality[q] == 0 || used >= sizeof text)
            continue;
        used +=
            (size_t)snprintf(text + used, sizeof text - used, "%s%zu %s", used > 0 ? ", " : ": ",
                             view->health->of_quality[q], px_quality_name(q));
    }
    page_add(page, TONE_PLAIN, "symbols      %u of %u slots, %llu evicted; %zu subscribed%s",
             view->now->bus.symbols, view->now->bus.capacity,
             (unsigned long long)view->now->evictions, view->health->subscribed, text);
}

/* How many of `count` rows go into `room`, if one may be needed to say how many are left. */
static size_t rows_shown(size_t count, size_t room)
{
    return count <= room ? count : room > 0 ? room - 1 : 0;
}

static void more(struct page *page, size_t shown, size_t count, const char *option)
{
    if (shown < count)
        page_add(page, TONE_PLAIN, "  and %zu more, see pxstat %s", count - shown, option);
}

static void overview_conns(struct page *page, const struct snapshot *s, size_t room)
{
    if (s->conn_count == 0) {
        page_add(page, TONE_PLAIN, "no upstream connection");
        return;
    }
    page_add(page, TONE_HEAD, "%s", page_conn_head);
    size_t shown = rows_shown(s->conn_count, room);
    for (size_t i = 0; i < shown; i++)
        page_conn(page, s, &s->conns[i]);
    more(page, shown, s->conn_count, "--connections");
}

static void overview_symbols(struct page *page, const struct snapshot *s, size_t room)
{
    size_t count;
    symbol_ref *list = sorted(s, 1, by_quality, &count);
    if (count > 0 && room >= 2) {
        page_add(page, TONE_HEAD, "%s", page_symbol_head);
        size_t shown = rows_shown(count, room - 1);
        for (size_t i = 0; i < shown; i++)
            page_symbol(page, list[i]);
        more(page, shown, count, "--subscriptions");
    }
    free(list);
}

static void overview_readers(struct page *page, const struct snapshot *s, size_t room)
{
    if (s->reader_count == 0 || room < 2) {
        page_add(page, TONE_PLAIN, "%zu readers", s->reader_count);
        return;
    }
    page_add(page, TONE_HEAD, "%s", page_reader_head);
    size_t shown = rows_shown(s->reader_count, room - 1);
    for (size_t i = 0; i < shown; i++)
        page_reader(page, &s->readers[i]);
    more(page, shown, s->reader_count, "--readers");
}

static void overview_errors(struct page *page, const struct snapshot *s, size_t room)
{
    if (s->error_count == 0 || room < 2)
        return;
    page_add(page, TONE_HEAD, "%s", page_error_head);
    size_t shown = rows_shown(s->error_count, room - 1);
    for (size_t i = 0; i < shown; i++)
        page_error(page, s, &s->errors[i]);
    more(page, shown, s->error_count, "--errors");
}

static size_t at_most(size_t a, size_t b)
{
    return a < b ? a : b;
}

void page_overview(struct page *page, const struct view *view, size_t rows)
{
    const struct snapshot *s = view->now;
    page_title(page, view);
    page_memory_line(page, s);
    symbols_line(page, view);
    page_add(page, TONE_PLAIN, "%s", "");
    size_t left = rows > page->count ? rows - page->count : 0;
    /* Each part gets a share, and what it does not need falls to the symbols. */
    size_t extra = left > 18 ? (left - 18) / 4 : 0;
    size_t for_errors = s->error_count == 0 ? 0 : at_most(s->error_count + 1, 3 + extra);
    size_t for_readers = s->reader_count == 0 ? 1 : at_most(s->reader_count + 1, 4 + extra);
    overview_conns(page, s, 3 + extra);
    size_t used = page->count + for_readers + for_errors;
    overview_symbols(page, s, rows > used ? rows - used : 0);
    overview_readers(page, s, for_readers);
    overview_errors(page, s, for_errors);
}

/* In words what was wished and did not come, in bytes what is there. */
static void memory_pages(struct page *page, const struct snapshot *s)
{
    struct pages_told p;
    char bytes[CLI_NUMBER_MAX], more[CLI_NUMBER_MAX];
    pages_of(s, &p);
    page_add(page, p.lock_reason != NULL ? TONE_WARN : TONE_PLAIN,
             "  locked_bytes        %12s  %s%s%s", cli_bytes(bytes, p.locked_bytes), p.lock,
             p.lock_reason != NULL ? ": " : "", p.lock_reason != NULL ? p.lock_reason : "");
    page_add(page, p.huge_reason != NULL ? TONE_WARN : TONE_PLAIN,
             "  huge_heap_bytes     %12s  %s%s%s", cli_bytes(bytes, p.huge_heap_bytes), p.huge,
             p.huge_reason != NULL ? ": " : "", p.huge_reason != NULL ? p.huge_reason : "");
    page_add(page, TONE_PLAIN, "  huge_shm_bytes      %12s", cli_bytes(bytes, p.huge_shm_bytes));
    page_add(page, TONE_PLAIN, "  faults minor, major %12s  %s", cli_grouped(bytes, p.minor),
             cli_grouped(more, p.major));
}

static void section_memory(struct page *page, const struct view *view)
{
    const struct snapshot *s = view->now;
    const struct px_memory_verdict *v = &s->verdict;
    char bytes[CLI_NUMBER_MAX];
    page_add(page, TONE_HEAD, "memory");
    page_add(page, TONE_PLAIN, "  shm_bytes           %12s", cli_bytes(bytes, s->bus.bytes));
    if (s->has_memory) {
        page_add(page, TONE_PLAIN, "  rss_bytes           %12s",
                 cli_bytes(bytes, s->memory.rss_bytes));
        page_add(page, TONE_PLAIN, "  heap_bytes          %12s",
                 cli_bytes(bytes, s->memory.heap_bytes));
        for (uint32_t o = 0; o < PX_OWNER_COUNT; o++)
            page_add(page, TONE_PLAIN, "    of %-15s %12s", px_owner_name(o),
                     cli_bytes(bytes, s->memory.owner_bytes[o]));
        page_add(page, TONE_PLAIN, "  connections         %12u", s->memory.connections);
        page_add(page, TONE_PLAIN, "  timers              %12u", s->memory.timers);
        page_add(page, TONE_PLAIN, "  descriptors         %12u", v->descriptors);
        page_add(page, TONE_PLAIN, "  blocks              %12u", v->blocks);
    } else {
        page_add(page, TONE_PLAIN, "  not sampled yet");
    }
    memory_pages(page, s);
    if (!derive_judged(v)) {
        page_add(page, TONE_PLAIN, "  trend                    unknown  (not judged yet)");
        return;
    }
    page_add(page, v->trend == PX_TREND_GROWING ? TONE_WARN : TONE_PLAIN,
             "  trend               %12s  confidence %.1f %%", trend_name(v),
             derive_confidence(v) * 100);
    page_add(page, TONE_PLAIN, "  growth_mb_per_hour  %12.3f",
             derive_growth_bytes_per_hour(v) / 1e6);
    if (v->owner < PX_OWNER_COUNT)
        page_add(page, TONE_PLAIN, "  owner               %12s", px_owner_name(v->owner));
    if (v->time_to_limit_s >= 0)
        page_add(page, TONE_WARN, "  time_to_limit       %12s",
                 cli_duration(bytes, v->time_to_limit_s * INT64_C(1000000000)));
}

static void section_connections(struct page *page, const struct view *view)
{
    const struct snapshot *s = view->now;
    char bytes[CLI_NUMBER_MAX], open[CLI_NUMBER_MAX], next[CLI_NUMBER_MAX];
    page_add(page, TONE_HEAD, "%s", page_conn_head);
    for (size_t i = 0; i < s->conn_count; i++) {
        const struct px_conn_info *c = &s->conns[i].info;
        page_conn(page, s, &s->conns[i]);
        page_add(page, TONE_PLAIN, "  %s", c->endpoint);
        page_add(page, TONE_PLAIN,
                 "  open for %s, attempts %llu, reconnects %llu, streams %u of %u acknowledged",
                 c->state == PX_CONN_LIVE ? cli_duration(open, s->mono_ns - c->open_mono_ns) : "-",
                 (unsigned long long)c->attempts, (unsigned long long)c->reconnects,
                 c->streams_acked, c->streams_wanted);
        page_add(page, TONE_PLAIN,
                 "  %s received, %llu ticks, %llu duplicates, %llu frames refused",
                 cli_bytes(bytes, c->bytes), (unsigned long long)c->ticks,
                 (unsigned long long)c->duplicates, (unsigned long long)c->refused_frames);
        if (c->firsts + c->seconds > 0)
            page_add(page, TONE_PLAIN,
                     "  of trades that others bring too: %llu first, %llu after them by %.1f us",
                     (unsigned long long)c->firsts, (unsigned long long)c->seconds,
                     c->seconds > 0 ? derive_behind_us(c) : 0.0);
        int64_t left_ns = derive_left_ns(s->mono_ns, c->next_mono_ns);
        if (c->state == PX_CONN_WAITING && left_ns > 0)
            page_add(page, TONE_WARN, "  next attempt in %s", cli_duration(next, left_ns));
    }
    if (s->conn_count == 0)
        page_add(page, TONE_PLAIN, "  none");
}

static void section_symbols(struct page *page, const struct view *view, int wanted_only)
{
    size_t count;
    symbol_ref *list = sorted(view->now, wanted_only, by_name, &count);
    page_add(page, TONE_HEAD, "%s", page_symbol_head);
    for (size_t i = 0; i < count; i++)
        page_symbol(page, list[i]);
    if (count == 0)
        page_add(page, TONE_PLAIN, "  none");
    free(list);
}

static void section_subscriptions(struct page *page, const struct view *view)
{
    section_symbols(page, view, 1);
}

static void section_all_symbols(struct page *page, const struct view *view)
{
    section_symbols(page, view, 0);
}

static void section_readers(struct page *page, const struct view *view)
{
    page_add(page, TONE_HEAD, "%s", page_reader_head);
    for (size_t i = 0; i < view->now->reader_count; i++)
        page_reader(page, &view->now->readers[i]);
    if (view->now->reader_count == 0)
        page_add(page, TONE_PLAIN, "  none");
}

static void section_latency(struct page *page, const struct view *view)
{
    const struct snapshot *s = view->now;
    page_add(page, TONE_HEAD,
             "latency us          p50        p99      p99.9        max       ticks");
    for (size_t i = 0; i < s->conn_count; i++) {
        const struct latency *l = &s->conns[i].latency;
        char count[CLI_NUMBER_MAX];
        if (l->count == 0)
            page_add(page, TONE_PLAIN, "%-12s %10s %10s %10s %10s %11s", s->conns[i].info.venue,
                     "-", "-", "-", "-", "0");
        else
            page_add(page, TONE_PLAIN, "%-12s %10.1f %10.1f %10.1f %10.1f %11s",
                     s->conns[i].info.venue, l->p50_us, l->p99_us, l->p999_us, l->max_us,
                     cli_grouped(count, l->count));
    }
    if (s->conn_count == 0)
        page_add(page, TONE_PLAIN, "  none");
}

static void section_errors(struct page *page, const struct view *view)
{
    page_add(page, TONE_HEAD, "%s", page_error_head);
    for (size_t i = 0; i < view->now->error_count; i++)
        page_error(page, view->now, &view->now->errors[i]);
    if (view->now->error_count == 0)
        page_add(page, TONE_PLAIN, "  none");
}

static void section_counters(struct page *page, const struct view *view)
{
    page_add(page, TONE_HEAD, "counter                                     value unit");
    for (size_t i = 0; i < view->now->counter_count; i++) {
        const struct px_counter_info *c = &view->now->counters[i];
        page_add(page, TONE_PLAIN, "%-28s %20llu %s", c->name, (unsigned long long)c->value,
                 c->unit);
    }
}

void page_sections(struct page *page, const struct view *view, unsigned sections)
{
    static const struct {
        unsigned section;
        void (*print)(struct page *page, const struct view *view);
    } table[] = {{SECTION_MEMORY, section_memory},
                 {SECTION_CONNECTIONS, section_connections},
                 {SECTION_SUBSCRIPTIONS, section_subscriptions},
                 {SECTION_READERS, section_readers},
                 {SECTION_SYMBOLS, section_all_symbols},
                 {SECTION_LATENCY, section_latency},
                 {SECTION_ERRORS, section_errors},
                 {SECTION_COUNTERS, section_counters}};
    int first = 1;
    for (size_t i = 0; i < sizeof table / sizeof table[0]; i++) {
        if ((sections & table[i].section) == 0)
            continue;
        if (!first)
            page_add(page, TONE_PLAIN, "%s", "");
        first = 0;
        table[i].print(page, view);
    }
}
