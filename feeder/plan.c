#include "plan.h"

#include <inttypes.h>

#include "control.h"
#include "gate.h"
#include "memwatch.h"
#include "publish.h"
#include "state.h"
#include "subs.h"
#include "wants.h"
#include "ws.h"

#include "px/layout.h"

struct fold_options plan_fold(const struct config *config)
{
    return (struct fold_options){.books = config->books,
                                 .depth = config->book_depth,
                                 .merges =
                                     3 * config->capacity, /* quote, quote of a ticker, ticker */
                                 .sources = SUBS_LINKS_MAX};
}

size_t plan_items(const struct config *config, const struct plan_link *link,
                  struct plan_item items[PLAN_ITEMS_MAX])
{
    uint64_t links = SUBS_LINKS_MAX;
    const struct fold_options fold = plan_fold(config);
    const struct plan_item all[] = {
        {"segment", "shared memory",
         px_writer_bytes(config->capacity, config->ring, config->huge_pages), 1},
        {"feeder", "configured symbols", sizeof(struct config_symbol), config->symbol_count},
        {"feeder", "subscriptions", wants_bytes(config), 1},
        {"feeder", "symbols' rhythm and ids", publish_bytes(config->capacity), 1},
        {"feeder", "order books", fold_bytes(&fold), 1},
        {"feeder", "control socket", control_bytes(config->capacity), 1},
        {"feeder", "readers' pages", PX_PAGE_BYTES, PXL_READERS_MAX},
        {"feeder", "trend of memory", memwatch_bytes(), 1},
        {"feeder", "saved set", state_bytes(config->capacity), 1},
        {"feeder", "breakers and budgets", gate_bytes(), 1},
        {"feeder", "back-fill", link->backfill_bytes, 1},
        {"feeder", "answers of histories", link->answer_bytes, link->answers},
        {"feeder", "connections", link->object_bytes, links},
        {"websocket", "receive buffers", link->receive_bytes, links},
        {"websocket", "send buffers", link->send_bytes, links},
        {"websocket", "inflating", link->deflate_bytes, link->deflate_count},
        {"websocket", "one large message", (uint64_t)config->max_message_kb * 1024 + WS_PADDING, 1},
        {"tls", "buffers", link->tls_bytes, links},
        {"tls", "OpenSSL's pool", link->tls_pool_bytes, 1},
        {"json", "parser", link->parser_bytes, 1},
    };
    _Static_assert(sizeof(all) / sizeof(all[0]) <= PLAN_ITEMS_MAX, "room for all");
    size_t n = 0;
    for (size_t i = 0; i < sizeof(all) / sizeof(all[0]); i++)
        if (all[i].bytes != 0 && all[i].count != 0)
            items[n++] = all[i];
    return n;
}

uint64_t plan_total(const struct config *config, const struct plan_link *link)
{
    struct plan_item items[PLAN_ITEMS_MAX];
    uint64_t total = 0;
    for (size_t n = plan_items(config, link, items); n > 0; n--)
        total += items[n - 1].bytes * items[n - 1].count;
    return total;
}

void plan_print(const struct config *config, const struct plan_link *link, FILE *to)
{
    struct plan_item items[PLAN_ITEMS_MAX];
    size_t n = plan_items(config, link, items);
    fprintf(to, "%-10s %-24s %12s %7s %14s\n", "owner", "what", "bytes", "times", "total");
    for (size_t i = 0; i < n; i++) {
        uint64_t bytes = items[i].bytes * items[i].count;
        fprintf(to, "%-10s %-24s %12" PRIu64 " %7" PRIu64 " %14" PRIu64 "\n", items[i].owner,
                items[i].what, items[i].bytes, items[i].count, bytes);
    }
    fprintf(to, "%-10s %-24s %12s %7s %14" PRIu64 "\n", "total", "", "", "",
            plan_total(config, link));
    fprintf(to, "\nA ceiling: all tables full, every connection open. What is not used is reserved "
                "and not resident.\n");
    if (config->huge_pages)
        fputs(
            "Huge pages: the segment is rounded up to 2 MiB, and what is used of the rest becomes "
            "resident 2 MiB at a time.\n",
            to);
    if (config->mlock)
        fputs(
            "mlock: what was used once stays resident; the limit (LimitMEMLOCK=) has to cover all "
            "of the address space.\n",
            to);
}
