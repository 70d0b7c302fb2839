/* See explain.h. */
#include "explain.h"

#include <stdio.h>
#include <string.h>

#include "meaning.h"

size_t explain_values(const char *name)
{
    size_t count = 0;
    for (size_t i = 0; i < meanings_count; i++) {
        const struct meaning *m = &meanings[i];
        if (name != NULL && strcmp(name, m->name) != 0)
            continue;
        if (name == NULL && (i == 0 || strcmp(m->of, meanings[i - 1].of) != 0))
            printf("%sof %s\n", i > 0 ? "\n" : "", m->of);
        if (name == NULL)
            printf("%-22s %-8s %s; %s\n", m->name, m->unit, m->text, m->source);
        else
            printf("%-22s %-8s of a %s: %s; %s\n", m->name, m->unit, m->of, m->text, m->source);
        count++;
    }
    return count;
}

/* Who writes is known of a feeder that was built with us. */
static const char *writer_of(const struct snapshot *s, const char *name)
{
    const char *module = meaning_counter_writer(name);
    return module != NULL && strcmp(s->bus.version, PX_VERSION) == 0 ? module
                                                                     : "the program that feeds";
}

size_t explain_counters(const struct snapshot *s, const char *name)
{
    size_t count = 0;
    for (size_t i = 0; i < s->counter_count; i++) {
        const struct px_counter_info *c = &s->counters[i];
        if (name != NULL && strcmp(name, c->name) != 0)
            continue;
        if (count++ == 0 && name == NULL)
            printf("counters of bus %s\n", s->bus.bus);
        printf("%-22s %-8s %s; written by %s; %s, now %llu\n", c->name, c->unit, c->description,
               writer_of(s, c->name), c->type == PX_LEVEL ? "a level" : "counts up",
               (unsigned long long)c->value);
    }
    return count;
}
