/* See columns.h. */
#include "columns.h"

#include <inttypes.h>
#include <math.h>
#include <stdio.h>

#include "columns_put.h"

char *short_number(char out[SHORT_BYTES], double value)
{
    if (isnan(value))
        snprintf(out, SHORT_BYTES, "-");
    else if (value < 99.95)
        snprintf(out, SHORT_BYTES, "%.1f", value);
    else if (value < 99999.5)
        snprintf(out, SHORT_BYTES, "%.0f", value);
    else if (value < 9999500)
        snprintf(out, SHORT_BYTES, "%.0fk", value / 1e3);
    else
        snprintf(out, SHORT_BYTES, "%.0fM", fmin(value, 1e15) / 1e6);
    return out;
}

char *short_duration(char out[SHORT_BYTES], int64_t ns)
{
    int64_t ms = ns / 1000000, s = ms / 1000;
    if (ns < 0)
        snprintf(out, SHORT_BYTES, "-");
    else if (s < 1)
        snprintf(out, SHORT_BYTES, "%dms", (int)ms);
    else if (s < 60)
        snprintf(out, SHORT_BYTES, "%.1fs", (double)ms / 1e3);
    else if (s < 3600)
        snprintf(out, SHORT_BYTES, "%dm%02ds", (int)(s / 60), (int)(s % 60));
    else if (s < 86400)
        snprintf(out, SHORT_BYTES, "%dh%02dm", (int)(s / 3600), (int)(s / 60 % 60));
    else
        snprintf(out, SHORT_BYTES, "%" PRId64 "d%02dh", s / 86400, (int)(s / 3600 % 24));
    return out;
}

enum tone put_text(char *out, enum tone tone, const char *text)
{
    snprintf(out, COLUMN_BYTES, "%s", text);
    return tone;
}

enum tone put_number(char *out, double value)
{
    char text[SHORT_BYTES];
    return put_text(out, TONE_PLAIN, short_number(text, value));
}

enum tone put_duration(char *out, int64_t ns)
{
    char text[SHORT_BYTES];
    return put_text(out, TONE_PLAIN, short_duration(text, ns));
}

enum tone put_losses(char *out, uint64_t value)
{
    snprintf(out, COLUMN_BYTES, "%" PRIu64, value);
    return value > 0 ? TONE_WARN : TONE_PLAIN;
}

enum tone put_count(char *out, uint64_t value)
{
    put_losses(out, value);
    return TONE_PLAIN;
}

double age_key(int64_t ns)
{
    return ns < 0 ? (double)NAN : (double)ns;
}

int list_everything(const struct model *m, const struct ui *ui, size_t i)
{
    (void)m;
    (void)ui;
    (void)i;
    return 1;
}

const struct pane_table *pane_table(enum pane pane)
{
    static const struct pane_table *const tables[PANE_COUNT] = {[PANE_CONNS] = &conn_table,
                                                                [PANE_SYMBOLS] = &symbol_table,
                                                                [PANE_READERS] = &reader_table,
                                                                [PANE_ERRORS] = &error_table};
    return tables[pane];
}
