/* See model.h. */
#include "model.h"

#include <math.h>
#include <stdlib.h>

static void update_rates(struct model *m)
{
    size_t need = m->now->symbol_count;
    if (need > m->rates_room) {
        free(m->symbol_rates);
        m->symbol_rates = malloc(need * sizeof *m->symbol_rates);
        m->rates_room = m->symbol_rates != NULL ? need : 0;
    }
    if (need <= m->rates_room)
        derive_symbol_rates(m->now, m->before, m->symbol_rates);
}

void model_update(struct model *m, const struct subject *subject)
{
    m->subject = subject;
    m->now = subject->has_now ? &subject->now : NULL;
    m->before = subject->has_before ? &subject->before : NULL;
    m->resident_count = 0;
    if (m->now != NULL)
        update_rates(m);
}

void model_look_back(struct model *m)
{
    px_bus *bus = m->subject->bus;
    if (bus == NULL)
        return;
    /* minutes tell more about growth than seconds, as soon as there are some */
    m->by_minute = 1;
    m->resident_count = snapshot_resident(bus, 1, m->resident, MODEL_PAST);
    if (m->resident_count < 10) {
        m->by_minute = 0;
        m->resident_count = snapshot_resident(bus, 0, m->resident, MODEL_PAST);
    }
}

void model_free(struct model *m)
{
    free(m->symbol_rates);
    *m = (struct model){.now = NULL};
}

double model_rate(const struct model *m, size_t i)
{
    return i < m->rates_room ? m->symbol_rates[i] : (double)NAN;
}
