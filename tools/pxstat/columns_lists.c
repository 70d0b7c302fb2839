/* Columns of symbols, readers and errors. See columns.h. */
#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "columns_put.h"
#include "page.h"

/* -- symbols -- */

static const struct px_symbol_info *symbol(const struct model *m, size_t i)
{
    return &m->now->symbols[i];
}

static enum tone put_symbol(const struct model *m, size_t i, char *out)
{
    return put_text(out, TONE_PLAIN, symbol(m, i)->symbol);
}

static enum tone put_quality(const struct model *m, size_t i, char *out)
{
    const struct px_symbol_info *s = symbol(m, i);
    return put_text(out, symbol_wanted(s) ? tone_of_quality(s->quality) : TONE_DIM,
                    px_quality_name(s->quality));
}

static enum tone put_rate(const struct model *m, size_t i, char *out)
{
    return put_number(out, model_rate(m, i));
}

static enum tone put_age(const struct model *m, size_t i, char *out)
{
    return put_duration(out, symbol(m, i)->age_ns);
}

static enum tone put_pins(const struct model *m, size_t i, char *out)
{
    return put_count(out, symbol(m, i)->pins);
}

static enum tone put_gaps(const struct model *m, size_t i, char *out)
{
    return put_losses(out, symbol(m, i)->gaps);
}

static enum tone put_rhythm(const struct model *m, size_t i, char *out)
{
    int64_t ns = symbol(m, i)->rhythm_ns;
    return put_duration(out, ns > 0 ? ns : -1);
}

static enum tone put_words(const struct model *m, size_t i, char *out)
{
    symbol_words(symbol(m, i), out, COLUMN_BYTES);
    return TONE_DIM;
}

static double key_quality(const struct model *m, size_t i)
{
    return symbol(m, i)->quality;
}

static double key_rate(const struct model *m, size_t i)
{
    return model_rate(m, i);
}

static double key_age(const struct model *m, size_t i)
{
    return age_key(symbol(m, i)->age_ns);
}

static double key_pins(const struct model *m, size_t i)
{
    return symbol(m, i)->pins;
}

static double key_gaps(const struct model *m, size_t i)
{
    return symbol(m, i)->gaps;
}

static double key_rhythm(const struct model *m, size_t i)
{
    int64_t ns = symbol(m, i)->rhythm_ns;
    return ns > 0 ? (double)ns : (double)NAN;
}

static const struct column symbol_columns[] = {
    {"SYMBOL", 20, 28, 0, 1, put_symbol, NULL},
    {"QUALITY", 8, 8, 0, 1, put_quality, key_quality},
    {"TICKS/S", 8, 8, 0, 0, put_rate, key_rate},
    {"AGE", 6, 8, 0, 0, put_age, key_age},
    {"RDRS", 4, 5, 0, 0, put_pins, key_pins},
    {"GAPS", 5, 5, 0, 0, put_gaps, key_gaps},
    {"RHYTHM", 0, 7, COLUMN_WIDE, 0, put_rhythm, key_rhythm},
    {"KINDS, CAUSE", 0, 0, 0, 1, put_words, NULL},
};

static size_t symbol_items(const struct model *m)
{
    return m->now->symbol_count;
}

static const char *symbol_name(const struct model *m, size_t i)
{
    return symbol(m, i)->symbol;
}

static int symbol_listed(const struct model *m, const struct ui *ui, size_t i)
{
    return ui->all_symbols || symbol_wanted(symbol(m, i));
}

static int symbol_holds(const struct model *m, size_t i, const char *text)
{
    const struct px_symbol_info *s = symbol(m, i);
    return strcasestr(s->symbol, text) != NULL || strcasestr(s->text, text) != NULL ||
           strcasestr(px_quality_name(s->quality), text) != NULL ||
           (s->quality != PX_LIVE && strcasestr(px_cause_text(s->cause), text) != NULL);
}

const struct pane_table symbol_table = {
    .items = "symbols",
    .columns = symbol_columns,
    .count = sizeof symbol_columns / sizeof symbol_columns[0],
    .first_order = 1,
    .items_of = symbol_items,
    .name = symbol_name,
    .listed = symbol_listed,
    .holds = symbol_holds,
};

/* -- readers -- */

static const struct px_reader_info *reader(const struct model *m, size_t i)
{
    return &m->now->readers[i];
}

static double lost_rate(const struct model *m, size_t i)
{
    return derive_lost_per_s(m->now, m->before, reader(m, i));
}

static int64_t attached(const struct model *m, size_t i)
{
    return derive_age_ns(m->now->mono_ns, reader(m, i)->attached_mono_ns);
}

static enum tone put_reader(const struct model *m, size_t i, char *out)
{
    return put_text(out, TONE_PLAIN, reader(m, i)->name);
}

static enum tone put_pid(const struct model *m, size_t i, char *out)
{
    return put_count(out, (uint64_t)reader(m, i)->pid);
}

static enum tone put_subscriptions(const struct model *m, size_t i, char *out)
{
    return put_count(out, reader(m, i)->subscriptions);
}

static enum tone put_lag(const struct model *m, size_t i, char *out)
{
    uint64_t lag = reader(m, i)->lag;
    put_count(out, lag);
    return lag > m->now->bus.ring / 2 ? TONE_WARN : TONE_PLAIN;
}

static enum tone put_lost(const struct model *m, size_t i, char *out)
{
    return put_losses(out, reader(m, i)->lost);
}

static enum tone put_lost_rate(const struct model *m, size_t i, char *out)
{
    double rate = lost_rate(m, i);
    put_number(out, rate);
    return rate > 0 ? TONE_BAD : TONE_PLAIN;
}

static enum tone put_sleeping(const struct model *m, size_t i, char *out)
{
    return put_text(out, TONE_DIM, reader(m, i)->sleeping ? "sleeps" : "reads");
}

static enum tone put_attached(const struct model *m, size_t i, char *out)
{
    return put_duration(out, attached(m, i));
}

static enum tone put_uid(const struct model *m, size_t i, char *out)
{
    return put_count(out, reader(m, i)->uid);
}

static double key_pid(const struct model *m, size_t i)
{
    return reader(m, i)->pid;
}

static double key_subscriptions(const struct model *m, size_t i)
{
    return reader(m, i)->subscriptions;
}

static double key_lag(const struct model *m, size_t i)
{
    return (double)reader(m, i)->lag;
}

static double key_lost(const struct model *m, size_t i)
{
    return (double)reader(m, i)->lost;
}

static double key_lost_rate(const struct model *m, size_t i)
{
    return lost_rate(m, i);
}

static double key_attached(const struct model *m, size_t i)
{
    return age_key(attached(m, i));
}

static const struct column reader_columns[] = {
    {"READER", 16, 20, 0, 1, put_reader, NULL},
    {"PID", 8, 8, 0, 0, put_pid, key_pid},
    {"SUBSCR", 7, 7, 0, 0, put_subscriptions, key_subscriptions},
    {"LAG", 8, 9, 0, 0, put_lag, key_lag},
    {"LOST", 9, 10, 0, 0, put_lost, key_lost},
    {"LOST/S", 7, 7, 0, 0, put_lost_rate, key_lost_rate},
    {"STATE", 6, 6, 0, 1, put_sleeping, NULL},
    {"SINCE", 7, 7, 0, 0, put_attached, key_attached},
    {"UID", 0, 6, COLUMN_WIDE, 0, put_uid, NULL},
};

static size_t reader_items(const struct model *m)
{
    return m->now->reader_count;
}

static const char *reader_name(const struct model *m, size_t i)
{
    return reader(m, i)->name;
}

static int reader_holds(const struct model *m, size_t i, const char *text)
{
    char pid[24];
    snprintf(pid, sizeof pid, "%" PRId32, reader(m, i)->pid);
    return strcasestr(reader(m, i)->name, text) != NULL || strstr(pid, text) != NULL;
}

const struct pane_table reader_table = {
    .items = "readers",
    .columns = reader_columns,
    .count = sizeof reader_columns / sizeof reader_columns[0],
    .first_order = 4,
    .items_of = reader_items,
    .name = reader_name,
    .listed = list_everything,
    .holds = reader_holds,
};

/* -- errors -- */

static const struct px_error_info *error(const struct model *m, size_t i)
{
    return &m->now->errors[i];
}

static int64_t error_age(const struct model *m, size_t i)
{
    return derive_age_ns(m->now->utc_ns, error(m, i)->last_utc_ns);
}

static enum tone put_kind(const struct model *m, size_t i, char *out)
{
    return put_text(out, TONE_WARN, error(m, i)->kind);
}

static enum tone put_times(const struct model *m, size_t i, char *out)
{
    return put_count(out, error(m, i)->count);
}

static enum tone put_last(const struct model *m, size_t i, char *out)
{
    return put_duration(out, error_age(m, i));
}

static enum tone put_error_text(const struct model *m, size_t i, char *out)
{
    return put_text(out, TONE_PLAIN, error(m, i)->text);
}

static double key_times(const struct model *m, size_t i)
{
    return (double)error(m, i)->count;
}

/* The latest first. */
static double key_last(const struct model *m, size_t i)
{
    return -age_key(error_age(m, i));
}

static const struct column error_columns[] = {
    {"ERROR", 14, 18, 0, 1, put_kind, NULL},
    {"COUNT", 8, 9, 0, 0, put_times, key_times},
    {"LAST", 7, 7, 0, 0, put_last, key_last},
    {"TEXT", 0, 0, 0, 1, put_error_text, NULL},
};

static size_t error_items(const struct model *m)
{
    return m->now->error_count;
}

static const char *error_name(const struct model *m, size_t i)
{
    return error(m, i)->kind;
}

static int error_holds(const struct model *m, size_t i, const char *text)
{
    return strcasestr(error(m, i)->kind, text) != NULL ||
           strcasestr(error(m, i)->text, text) != NULL;
}

const struct pane_table error_table = {
    .items = "errors",
    .columns = error_columns,
    .count = sizeof error_columns / sizeof error_columns[0],
    .first_order = 2,
    .items_of = error_items,
    .name = error_name,
    .listed = list_everything,
    .holds = error_holds,
};
