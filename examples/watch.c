/* Every trade of the symbols that are named, in order: watch venue:SYMBOL ... */
#include <px/bus.h>

#include <errno.h>
#include <stdio.h>

static void print(px_bus *bus, const struct px_tick *tick)
{
    char price[PX_DECIMAL_MAX], size[PX_DECIMAL_MAX];

    if (tick->kind == PX_TRADE) {
        px_decimal_text(tick->u.trade.price, price, sizeof price);
        px_decimal_text(tick->u.trade.size, size, sizeof size);
        printf("%s %s x %s\n", px_bus_symbol(bus, tick->id), price, size);
    } else if (tick->kind == PX_STATUS) {
        printf("%s: %s\n", px_event_name(tick->u.status.event),
               px_cause_text(tick->u.status.cause));
    }
}

int main(int argc, char **argv)
{
    px_bus *bus;
    px_id id;
    struct px_tick ticks[64];
    struct px_lost lost;

    int rc = px_bus_attach(&bus, NULL, NULL);
    if (rc != 0) {
        fprintf(stderr, "watch: bus: %s\n", px_strerror(rc));
        return 1;
    }
    for (int i = 1; i < argc && rc == 0; i++)
        rc = px_bus_subscribe(bus, argv[i], PX_TRADES, &id, 2000);
    while (rc == 0 && !ferror(stdout)) {
        px_bus_wait(bus, 1000000000);
        int n = px_bus_poll(bus, ticks, 64);
        for (int i = 0; i < n; i++)
            print(bus, &ticks[i]);
        if (n == -EOVERFLOW && px_bus_lost(bus, PX_ID_NONE, &lost) == 0)
            printf("%llu ticks were skipped so far\n", (unsigned long long)lost.skipped);
        fflush(stdout);
    }
    if (rc != 0)
        fprintf(stderr, "watch: %s: %s\n", px_strerror(rc), px_bus_message(bus));
    px_bus_detach(bus);
    return rc != 0;
}
