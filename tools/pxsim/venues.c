#include "venue.h"

#include <string.h>

static const struct sim_venue *const venues[] = {
#define PXSIM_VENUE(name) &sim_venue_##name,
#include "venues.def"
#undef PXSIM_VENUE
};

const char *sim_venue_name(size_t i)
{
    return i < sizeof venues / sizeof venues[0] ? venues[i]->name : NULL;
}

const struct sim_venue *sim_venue_find(const char *name)
{
    for (size_t i = 0; i < sizeof venues / sizeof venues[0]; i++) {
        if (strcmp(venues[i]->name, name) == 0)
            return venues[i];
    }
    return NULL;
}
