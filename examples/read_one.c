/* The last price of one symbol: read_one venue:SYMBOL */
#include <px/bus.h>

#include <stdio.h>
#include <unistd.h>

static int fail(const char *what, int error)
{
    fprintf(stderr, "read_one: %s: %s\n", what, px_strerror(error));
    return 1;
}

int main(int argc, char **argv)
{
    px_bus *bus;
    px_id id;
    struct px_last last;
    char price[PX_DECIMAL_MAX];

    if (argc != 2) {
        fprintf(stderr, "usage: read_one venue:SYMBOL\n");
        return 2;
    }
    int rc = px_bus_attach(&bus, NULL, NULL);
    if (rc != 0)
        return fail("bus", rc);
    rc = px_bus_subscribe(bus, argv[1], PX_TRADES, &id, 2000);
    for (int tries = 0; rc == 0 && tries < 1000; tries++) {
        rc = px_bus_last(bus, id, &last);
        if (rc == 0 && last.trade_info.seq != 0)
            break;
        usleep(10000);
    }
    if (rc == 0) {
        px_decimal_text(last.trade.price, price, sizeof price);
        printf("%s %s, %lld ms old, %s\n", argv[1], price, (long long)(last.age_ns / 1000000),
               px_quality_name(last.quality));
    }
    px_bus_detach(bus);
    return rc == 0 ? 0 : fail(argv[1], rc);
}
