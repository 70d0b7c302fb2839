/* The table of venues, made of venues.def, and names of symbols. See venue.h. */
#include "venue.h"

#include <errno.h>
#include <string.h>

#include "json.h"

_Static_assert(VENUE_PADDING >= JSON_PADDING, "a frame is given to the parser where it stands");

const struct px_venue *const venue_table[] = {
#define PX_VENUE(name) &px_venue_##name,
#include "venues/venues.def"
#undef PX_VENUE
};
const size_t venue_count = sizeof venue_table / sizeof venue_table[0];

const struct px_venue *venue_find(const char *name, size_t len)
{
    for (size_t i = 0; i < venue_count; i++)
        if (strlen(venue_table[i]->name) == len && memcmp(venue_table[i]->name, name, len) == 0)
            return venue_table[i];
    return NULL;
}

int venue_split(const char *symbol, size_t len, const struct px_venue **venue, const char **native)
{
    const char *colon = memchr(symbol, ':', len);
    if (colon == NULL || len > PX_SYMBOL_MAX)
        return -EINVAL;
    size_t name_len = (size_t)(colon - symbol), native_len = len - name_len - 1;
    const struct px_venue *found = venue_find(symbol, name_len);
    if (found == NULL)
        return -ENODEV;
    bool all = native_len == 1 && colon[1] == '*';
    if (!all && found->check_symbol(colon + 1, native_len) != 0)
        return -EINVAL;
    *venue = found;
    *native = colon + 1;
    return 0;
}
