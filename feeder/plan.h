/* feeder --plan: every byte that a configuration will use, by owner. */
#ifndef PX_PLAN_H
#define PX_PLAN_H

#include <stdio.h>

#include "config.h"
#include "fold.h"

/* What upstream connections take, told by those who allocate it: of one link, but parser and pool,
 * which are there once, and what back-fill takes. Only deflate_count links inflate. */
struct plan_link {
    uint64_t receive_bytes, send_bytes, object_bytes, tls_bytes;
    uint64_t deflate_bytes, deflate_count;
    uint64_t parser_bytes, tls_pool_bytes;
    uint64_t backfill_bytes, answer_bytes, answers; /* of answers one each, and how many */
};

/* The tables of local order books and of merged values that this configuration asks for. */
struct fold_options plan_fold(const struct config *config);

struct plan_item {
    const char *owner, *what;
    uint64_t bytes, count; /* bytes of one, and how many */
};

#define PLAN_ITEMS_MAX 24
/* Fills up to PLAN_ITEMS_MAX items, returns how many. */
size_t plan_items(const struct config *config, const struct plan_link *link,
                  struct plan_item items[PLAN_ITEMS_MAX]);
/* All of it together. */
uint64_t plan_total(const struct config *config, const struct plan_link *link);
void plan_print(const struct config *config, const struct plan_link *link, FILE *to);

#endif
