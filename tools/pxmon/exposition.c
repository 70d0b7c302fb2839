/* See exposition.h. */
#include "exposition.h"

#include <inttypes.h>
#include <math.h>
#include <string.h>

static const char *suffix_of(enum family_type type)
{
    return type == FAMILY_COUNTER ? "_total" : type == FAMILY_INFO ? "_info" : "";
}

/* Help and label values: '\', newline, and '"' in labels, have an escape; other control characters
 * have none, and what is not ASCII may not be UTF-8 either. */
static void put_escaped(FILE *file, const char *text, bool quotes)
{
    for (; *text != '\0'; text++) {
        unsigned char c = (unsigned char)*text;
        if (c == '\\')
            fputs("\\\\", file);
        else if (c == '\n')
            fputs("\\n", file);
        else if (c == '"' && quotes)
            fputs("\\\"", file);
        else
            fputc(c < 0x20 || c >= 0x7f ? '?' : c, file);
    }
}

static const char *unit_of(const char *name)
{
    static const char *const units[] = {"bytes", "seconds", "ratio", "ticks", "slots"};
    size_t length = strlen(name);
    for (size_t i = 0; i < sizeof units / sizeof units[0]; i++) {
        size_t n = strlen(units[i]);
        if (length > n + 1 && name[length - n - 1] == '_' &&
            strcmp(name + length - n, units[i]) == 0)
            return units[i];
    }
    return NULL;
}

void expo_family(struct exposition *e, const struct family *family)
{
    static const char *const types[] = {"gauge", "counter", "histogram", "info"};
    /* the older text knows no info, and its families have the names of their samples */
    const char *suffix = e->plain ? suffix_of(family->type) : "";
    const char *type = e->plain && family->type == FAMILY_INFO ? "gauge" : types[family->type];
    const char *unit = e->plain ? NULL : unit_of(family->name);
    e->family = family;
    fprintf(e->file, "# HELP %s%s ", family->name, suffix);
    /* OpenMetrics knows quotes escaped in help too; unescaped they are right in both */
    put_escaped(e->file, family->help, false);
    fprintf(e->file, "\n# TYPE %s%s %s\n", family->name, suffix, type);
    if (unit != NULL)
        fprintf(e->file, "# UNIT %s %s\n", family->name, unit);
}

static void put_labels(struct exposition *e, const struct label *labels, double le)
{
    char comma = '{';
    for (; labels != NULL && labels->name != NULL; labels++) {
        fprintf(e->file, "%c%s=\"", comma, labels->name);
        put_escaped(e->file, labels->value, true);
        fputc('"', e->file);
        comma = ',';
    }
    if (isinf(le)) {
        fprintf(e->file, "%cle=\"+Inf\"", comma);
        comma = ',';
    } else if (!isnan(le)) {
        fprintf(e->file, "%cle=\"%.9g\"", comma, le);
        comma = ',';
    }
    if (comma == ',')
        fputc('}', e->file);
}

static void put_name(struct exposition *e, const struct label *labels, const char *suffix,
                     double le)
{
    fprintf(e->file, "%s%s", e->family->name, suffix);
    put_labels(e, labels, le);
    fputc(' ', e->file);
}

void expo_sample(struct exposition *e, const struct label *labels, double value)
{
    if (isnan(value))
        return;
    put_name(e, labels, suffix_of(e->family->type), (double)NAN);
    fprintf(e->file, "%.15g\n", value);
}

void expo_count(struct exposition *e, const struct label *labels, uint64_t value)
{
    put_name(e, labels, suffix_of(e->family->type), (double)NAN);
    fprintf(e->file, "%" PRIu64 "\n", value);
}

void expo_bucket(struct exposition *e, const struct label *labels, double le, uint64_t value)
{
    put_name(e, labels, "_bucket", le);
    fprintf(e->file, "%" PRIu64 "\n", value);
}

void expo_end(struct exposition *e)
{
    if (!e->plain)
        fputs("# EOF\n", e->file);
}
